//! Positions close, and money goes the whole way back: release, settle,
//! withdraw.

use super::order::totals;
use super::stage::{A, B, By, DAVE, ERIN, NAMES, SLABS, Stage, TOKENS};
use super::view::View;
use crate::checks::Check;
use crate::demo::story::{MARK, say, ticks};
use crate::print::tell;
use crate::table::{money, numbers};
use anyhow::Result;
use flagstone_sdk::engine::releases::WARMUP_SLOTS;
use flagstone_sdk::units::Slot;
use flagstone_sdk::{router, slab};
use solana_signer::Signer;

/// What the taker paid and got, from flat to flat, in atoms.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Trip {
    /// What everything was worth at its start.
    start_atoms: i128,
    /// Paid for lots.
    pub(super) bought_atoms: i128,
    /// Received for lots.
    pub(super) sold_atoms: i128,
    /// Trading fees.
    pub(super) fees_atoms: i128,
    /// Fees of holds.
    pub(super) hold_fees_atoms: i128,
}

impl Trip {
    /// A trip that starts with what the taker has now.
    ///
    /// # Errors
    /// When the books cannot be read.
    pub(super) fn start(stage: &Stage) -> Result<Self> {
        Ok(Self {
            start_atoms: View::of(stage)?.people[ERIN].equity_atoms(),
            ..Self::default()
        })
    }

    const fn result_atoms(&self) -> i128 {
        self.sold_atoms - self.bought_atoms - self.fees_atoms - self.hold_fees_atoms
    }
}

/// The price rises, the taker closes and goes home with the profit.
pub(super) fn close_higher(stage: &mut Stage) -> Result<()> {
    let (bid, ask) = (MARK + 100, MARK + 110);
    stage.wait(10);
    stage.requote(bid, ask)?;
    say!(
        "Ten slots later Dave quotes {} to {} on both slabs.",
        ticks(bid),
        ticks(ask)
    );
    sell(stage, &[(A, 10), (B, 5)], bid)?;
    go_home(stage, ERIN)?;
    explain(stage)
}

/// Sells positions of the taker to the maker's bids.
pub(super) fn sell(stage: &mut Stage, positions: &[(usize, u32)], bid: u32) -> Result<()> {
    for (at, lots) in positions {
        let (notional_atoms, fee_atoms) = totals(&*stage.sell(*at, bid, *lots)?);
        stage.trip.sold_atoms += i128::from(notional_atoms);
        stage.trip.fees_atoms += i128::from(fee_atoms);
        say!(
            "Erin sells {lots} on {} at {}: she is flat there.",
            NAMES[*at],
            ticks(bid)
        );
    }
    Ok(())
}

/// Takes everything that somebody has at the slabs back to the wallet.
pub(super) fn go_home(stage: &mut Stage, who: usize) -> Result<()> {
    let name = stage.people[who].name;
    let mut rest = false;
    let mut moved = 0;
    for (at, slab) in NAMES.iter().enumerate() {
        let (cash, free) = (cash(stage, who, at)?, releasable(stage, who, at)?);
        if free < cash {
            let early = release(stage, who, at, cash);
            let reason = stage.refused(By::Session(who), "release, refused", early)?;
            if !rest {
                say!("{name} asks slab {slab} for all of it: \"{reason}\"");
                say!(
                    "  Profit matures for {} slots; what came in may leave at once.",
                    WARMUP_SLOTS.0
                );
            }
            rest = true;
        }
        moved += take_out(stage, who, at, free)?;
    }
    say!(
        "release takes {} out of {name}'s slab cash; settle, which anyone may send, pays it",
        money(moved)
    );
    say!("  from the backings to Router cash.");
    if rest {
        stage.wait(WARMUP_SLOTS.0.into());
        let mut profit = 0;
        for at in 0..SLABS {
            let free = releasable(stage, who, at)?;
            profit += take_out(stage, who, at, free)?;
        }
        say!(
            "{} slots later the profit follows: {}.",
            WARMUP_SLOTS.0,
            money(profit)
        );
    }
    withdraw(stage, who)
}

/// Takes all Router cash to the wallet.
fn withdraw(stage: &mut Stage, who: usize) -> Result<()> {
    let (name, atoms) = (
        stage.people[who].name,
        View::of(stage)?.people[who].router_atoms,
    );
    let (owner, member) = (stage.owner(who), &stage.people[who].member);
    let withdraw = router::withdraw(&owner, &stage.exchange.mint, &member.tokens, atoms);
    stage.send(By::Wallet(who), &["withdraw"], &[withdraw])?;
    say!(
        "withdraw: the vault pays {} to {name}'s wallet.",
        money(atoms)
    );
    Ok(())
}

/// Releases and settles.
fn take_out(stage: &mut Stage, who: usize, at: usize, atoms: u64) -> Result<u64> {
    if atoms > 0 {
        let release = release(stage, who, at, atoms);
        stage.send(By::Session(who), &["release"], &[release])?;
        settle(stage, who, at)?;
    }
    Ok(atoms)
}

/// Books what a slab owes and is owed, as anyone may.
pub(super) fn settle(stage: &mut Stage, who: usize, at: usize) -> Result<()> {
    let seat = stage.people[who].seats[at];
    let settle = router::settle(&stage.owner(who), &seat.slab, &stage.exchange.mint);
    stage.send(By::Anyone, &["settle"], &[settle])?;
    Ok(())
}

fn release(stage: &Stage, who: usize, at: usize, atoms: u64) -> solana_instruction::Instruction {
    let (seat, trader) = (
        stage.people[who].seats[at],
        &stage.people[who].member.trader,
    );
    slab::release(&seat.slab, &trader.pubkey(), seat.account, atoms)
}

fn cash(stage: &Stage, who: usize, at: usize) -> Result<u64> {
    let cash = View::of(stage)?.people[who].at[at].cash_atoms;
    Ok(u64::try_from(cash).unwrap_or(0))
}

/// What the slab would let go of now.
fn releasable(stage: &Stage, who: usize, at: usize) -> Result<u64> {
    let seat = stage.people[who].seats[at];
    let session = &stage.exchange.session;
    let slot = Slot::from_clock(session.slot());
    let read =
        |slab: &flagstone_sdk::engine::Slab<'_>| slab.releasable_atoms(seat.account.into(), slot);
    Ok(session.with_slab(&seat.slab, read)?)
}

/// Why the taker has what she has.
pub(super) fn explain(stage: &mut Stage) -> Result<()> {
    let trip = stage.trip;
    let end_atoms = View::of(stage)?.people[ERIN].equity_atoms();
    let rows = [
        ("sold for", trip.sold_atoms),
        ("bought for", -trip.bought_atoms),
        ("trading fees", -trip.fees_atoms),
        ("fees of holds", -trip.hold_fees_atoms),
        ("result", trip.result_atoms()),
    ];
    let rows = rows
        .iter()
        .filter(|(_, atoms)| *atoms != 0)
        .map(|(name, atoms)| vec![name.to_string(), money(*atoms)]);
    tell!("{}", numbers(&["Erin", "quote units"], rows.collect()));
    let (change, result) = (end_atoms - trip.start_atoms, trip.result_atoms());
    stage.found.push(Check::new(
        format!("Erin: what she has moved by {change} = {result}, sold less bought less fees"),
        change == result,
    ));
    stage.trips.push(trip);
    Ok(())
}

/// Everyone leaves; what stays is the fees.
pub(super) fn everyone_leaves(stage: &mut Stage) -> Result<()> {
    withdraw(stage, ERIN)?;
    stage.clear()?;
    say!("Dave cancels everything; he is flat.");
    stage.wait(WARMUP_SLOTS.0.into());
    go_home(stage, DAVE)?;
    let view = View::of(stage)?;
    let (vault, kept) = (i128::from(view.vault_atoms), view.fees_atoms());
    let sum = |what: fn(&Trip) -> i128| stage.trips.iter().map(what).sum::<i128>();
    // The maker sold what the taker bought.
    let traded = sum(|trip| trip.bought_atoms - trip.sold_atoms);
    let paid = sum(|trip| trip.fees_atoms + trip.hold_fees_atoms);
    let result = view.people[DAVE].equity_atoms() - i128::from(TOKENS);
    let earned = result - traded;
    say!(
        "His result is {}: {} from trading, {} of rebates and hold fees.",
        money(result),
        money(traded),
        money(earned)
    );
    say!(
        "The {} left in the vault backs the fees that the slabs kept.",
        money(vault)
    );
    stage.found.push(Check::new(
        format!("fees: {paid} paid by Erin = {earned} earned by Dave + {kept} kept"),
        paid == earned + kept,
    ));
    stage.found.push(Check::new(
        format!("everyone left: {vault} atoms in the vault = {kept} of fees kept"),
        vault == kept,
    ));
    Ok(())
}
