//! A leg that fails undoes the whole route: not a byte changes.

use super::order::{ALL, Bytes, Part};
use super::stage::{A, B, ERIN, Stage, reason};
use crate::checks::Check;
use crate::compute;
use crate::demo::story::{MARK, QUOTE, say, ticks};
use crate::table::{grouped, money};
use anyhow::{Context, Result, bail};
use flagstone_sdk::units::Side;
use solana_instruction::Instruction;

/// What the maker quotes: 20 lots on A, on B only 3 at that price.
const BID: u32 = MARK + 100;
const ASK: u32 = MARK + 110;
const DEAR: u32 = MARK + 240;
/// What the taker brings.
const DEPOSIT: u64 = 3_000 * QUOTE;

/// Three ways to fail, each later than the one before.
pub(super) fn undone(stage: &mut Stage) -> Result<()> {
    stage.deposit(ERIN, DEPOSIT)?;
    stage.clear()?;
    for at in [A, B] {
        stage.quote(at, Side::Bid, BID, 20)?;
    }
    stage.quote(A, Side::Ask, ASK, 20)?;
    stage.quote(B, Side::Ask, ASK, 3)?;
    stage.quote(B, Side::Ask, DEAR, 20)?;
    stage.wait(10);
    say!(
        "Dave asks 20 at {} on A, but on B only 3 at that price and 20 at {}.",
        ticks(ASK),
        ticks(DEAR)
    );
    say!("Erin wants 6 and 4 on A and 5 on B again, in one transaction.");

    let short = stage.order(3, &parts(ASK), 0, u64::MAX)?;
    say!("a) {} a lot is the most on B too:", ticks(ASK));
    fails(stage, &short.route.instructions(), "reserve")?;

    let limit = 15 * 101_200_000;
    let dear = stage.order(4, &parts(DEAR), 0, limit)?;
    say!(
        "b) Any price on B, but {} at most for all of it:",
        money(limit)
    );
    fails(stage, &dear.route.instructions(), "open_route")?;

    let whole = stage.order(5, &parts(DEAR), 0, u64::MAX)?;
    let mut instructions = whole.route.instructions();
    // The last commit: two legs have traded when the route is settled.
    instructions.remove(6);
    say!("c) Any price at all, but one of the three holds is never committed:");
    fails(stage, &instructions, "settle_route")
}

fn parts(limit_on_b: u32) -> [Part; 3] {
    [(A, ASK, 6), (A, ASK, 4), (B, limit_on_b, 5)].map(|(at, limit, lots)| Part { at, limit, lots })
}

/// Sends a route that has to fail at `step`, and compares every byte.
fn fails(stage: &mut Stage, instructions: &[Instruction], step: &str) -> Result<()> {
    let before = Bytes::of(&stage.exchange.session);
    let failure = match stage.send_with_table(instructions)? {
        Ok(_) => bail!("a route that should fail at {step} went through"),
        Err(failure) => failure,
    };
    let after = Bytes::of(&stage.exchange.session);
    let parts = compute::instructions(&failure.logs);
    let at = parts.len();
    let used: u64 = parts.iter().map(|part| part.compute_units).sum();
    let name = match instructions.len() {
        // One commit is missing.
        10 if at == 7 => "settle_route",
        _ => *ALL.get(at.wrapping_sub(1)).context("nothing ran")?,
    };
    say!(
        "  instruction {at} of {}, {name}, fails after {} compute units:",
        instructions.len(),
        grouped(used)
    );
    say!("  \"{}\"", reason(&failure)?);
    let differ = before.differ(&after);
    say!(
        "  {}, all but the fee payer's: {differ} differ.",
        after.size()
    );
    stage.found.push(Check::new(
        format!("undone at {name}: of {} {differ} differ", after.size()),
        differ == 0 && name == step,
    ));
    Ok(())
}
