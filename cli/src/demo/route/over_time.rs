//! The same four steps over several transactions and slots.

use super::order::{Order, Part, helds, locked, traded};
use super::stage::{A, B, By, ERIN, NAMES, Stage};
use super::trip::{self, Trip};
use super::view::{Moved, View};
use crate::checks::Check;
use crate::demo::story::{MARK, QUOTE, say, ticks};
use crate::print::tell;
use crate::table::money;
use anyhow::{Context, Result, ensure};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::{router, slab};

/// What the taker brings this time, and what of it bonds her holds at a slab.
const DEPOSIT: u64 = 3_000 * QUOTE;
const BOND: u64 = QUOTE;
/// Quotes of the maker.
const BID: u32 = MARK + 100;
const ASK: u32 = MARK + 110;
/// Slots that the holds may stand.
const TTL: u32 = 20;

/// Two holds on one price of A, one on B.
const PARTS: [Part; 3] = [
    Part {
        at: A,
        limit: ASK,
        lots: 6,
    },
    Part {
        at: A,
        limit: ASK,
        lots: 4,
    },
    Part {
        at: B,
        limit: ASK,
        lots: 5,
    },
];
/// The part that nobody commits.
const LEFT: usize = 1;

/// Reserve, open, commit two of three, settle; the third expires.
pub(super) fn steps(stage: &mut Stage) -> Result<()> {
    stage.trip = Trip::start(stage)?;
    stage.deposit(ERIN, DEPOSIT)?;
    for at in [A, B] {
        stage.pledge(ERIN, at, BOND)?;
    }
    say!(
        "Erin is back with {}. Holds that outlive their slot need a bond, so she pledges",
        money(DEPOSIT)
    );
    say!("{} to each slab first.", money(BOND));
    stage.requote(BID, ASK)?;
    // Lets the mark arrive at the quotes, and those count for it.
    stage.wait(10);

    let order = stage.order(2, &PARTS, TTL, 15 * 101_200_000)?;
    let mut moments = vec![("before", View::of(stage)?)];
    reserve(stage, &order)?;
    moments.push(("reserve", View::of(stage)?));
    stage.wait(2);
    let open = [order.route.open()];
    let (moved, _) = step(stage, &mut moments, By::Wallet(ERIN), "open_route", &open)?;
    say!(
        "Two slots later, open_route: {} goes from Router cash to the escrows.",
        money(moved.to_escrows_atoms)
    );
    maker_cancels(stage)?;
    stage.wait(3);
    let commits = stage.commits(&order, &[0, 2]);
    let (moved, events) = step(stage, &mut moments, By::Session(ERIN), "commit", &commits)?;
    say!(
        "Three slots later, commit of the 6 on A and the 5 on B charges {}; the 4 on A are",
        money(moved.charged_atoms)
    );
    say!("  left alone.");
    let (notional_atoms, fees_atoms) = traded(&events);
    stage.trip.bought_atoms += i128::from(notional_atoms);
    stage.trip.fees_atoms += i128::from(fees_atoms);
    settle(stage, &order, &mut moments)?;
    expire(stage, &order)?;
    moments.push(("expire, refund", View::of(stage)?));
    tell!("{}", View::steps(&moments));
    check_hold_fees(stage, &moments)?;
    stage.free_holds(&order, &[0, 2])?;

    trip::sell(stage, &[(A, 6), (B, 5)], BID)?;
    trip::go_home(stage, ERIN)?;
    trip::explain(stage)
}

fn reserve(stage: &mut Stage, order: &Order) -> Result<()> {
    let receipt = stage.send(By::Session(ERIN), &["reserve"; 3], &order.route.reserve())?;
    let helds = helds(&receipt.events);
    let view = View::of(stage)?;
    say!(
        "First transaction: reserve locks {},",
        locked(&helds, &PARTS)
    );
    say!(
        "  for {TTL} slots. Holds cost for every slot that they stand: {} of cash is bonded.",
        money(view.people[ERIN].at_slabs(|at| at.bond_atoms))
    );
    Ok(())
}

/// One step in a transaction of its own; returns what it moved and its events.
fn step(
    stage: &mut Stage,
    moments: &mut Vec<(&'static str, View)>,
    by: By,
    name: &'static str,
    instructions: &[solana_instruction::Instruction],
) -> Result<(Moved, Vec<Event>)> {
    let before = View::of(stage)?;
    let receipt = stage.send(by, &vec![name; instructions.len()], instructions)?;
    let after = View::of(stage)?;
    let moved = Moved::between(&before, &after);
    moments.push((name, after));
    Ok((moved, receipt.events))
}

/// The maker cannot take locked lots away.
fn maker_cancels(stage: &mut Stage) -> Result<()> {
    // The ask on A was placed second.
    let (at, handle) = *stage.quotes.get(1).context("no quote")?;
    let left = stage.cancel(at, handle)?;
    say!(
        "Dave cancels his 20 lots at {} on {}: {left} leave, the 10 that are locked stay.",
        ticks(ASK),
        NAMES[at]
    );
    ensure!(at == A && left == 10, "locked lots left the book");
    Ok(())
}

/// Settling waits for the third hold; each slab alone can be booked.
fn settle(stage: &mut Stage, order: &Order, moments: &mut Vec<(&'static str, View)>) -> Result<()> {
    let reason = stage.refused(By::Anyone, "settle_route, refused", order.route.settle())?;
    say!("settle_route waits for all holds: \"{reason}\"");
    let before = View::of(stage)?;
    trip::settle(stage, ERIN, A)?;
    trip::settle(stage, ERIN, B)?;
    let after = View::of(stage)?;
    let moved = Moved::between(&before, &after);
    say!(
        "settle, slab by slab, does not: {} now backs the slabs, {} of two capabilities",
        money(-moved.to_escrows_atoms - moved.to_router_atoms),
        money(moved.to_router_atoms)
    );
    say!("  is Router cash again.");
    moments.push(("settle", after));
    Ok(())
}

/// The hold that was left ends by itself.
fn expire(stage: &mut Stage, order: &Order) -> Result<()> {
    let (leg, owner) = (order.legs[LEFT], stage.owner(ERIN));
    let refund = router::refund(&owner, &leg.slab, &stage.exchange.mint, leg.cap);
    let early = stage.refused(By::Anyone, "refund, refused", refund.clone())?;
    // Reserved five slots ago.
    stage.wait(u64::from(TTL) + 1 - 5);
    let late = stage.commits(order, &[LEFT]).remove(0);
    let expired = stage.refused(By::Session(ERIN), "commit, refused", late)?;
    say!("A refund before the expiry is refused: \"{early}\"");
    say!("A commit after it as well: \"{expired}\"");
    let crank = slab::expire_holds(&leg.slab, leg.hold.index, 1);
    let receipt = stage.send(By::Anyone, &["expire_holds"], &[crank])?;
    let [Event::HoldEnded(ended)] = receipt.events[..] else {
        anyhow::bail!("the hold did not end")
    };
    let before = View::of(stage)?;
    stage.send(By::Anyone, &["refund"], &[refund])?;
    let after = View::of(stage)?;
    let back = after.people[ERIN].router_atoms - before.people[ERIN].router_atoms;
    say!(
        "Anyone may end it now: expire_holds unlocks the lots for a fee of {}, most of it",
        money(ended.fee_atoms)
    );
    say!(
        "  Dave's whose lots stood locked; refund returns {} to Router cash.",
        money(back)
    );
    Ok(())
}

/// What the holds cost is their notional, a millionth of it for every slot.
fn check_hold_fees(stage: &mut Stage, moments: &[(&str, View)]) -> Result<()> {
    let (first, last) = (&moments[0].1, &moments[moments.len() - 1].1);
    let equity = |view: &View| {
        let unrealised = view.people[ERIN].at_slabs(|at| at.unrealised_atoms);
        view.people[ERIN].equity_atoms() - unrealised
    };
    let paid = equity(first) - equity(last) - stage.trip.fees_atoms;
    // Each slice rounds up: 6 and 5 lots for five slots, 4 lots for all of them.
    let per_slot = |lots: u64| (lots * u64::from(ASK) * 10_000).div_ceil(1_000_000);
    let due = 5 * (per_slot(6) + per_slot(5)) + u64::from(TTL) * per_slot(4);
    stage.trip.hold_fees_atoms = due.into();
    stage.found.push(Check::new(
        format!("holds: {paid} atoms of fees = {due}, a millionth for every slot that each stood"),
        paid == i128::from(due),
    ));
    Ok(())
}
