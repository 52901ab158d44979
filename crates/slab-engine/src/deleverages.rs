//! Deleveraging: what the book could not take, opposite positions do.
//!
//! When a ticket has expired with lots left, the account's position is closed
//! against the most profitable opposite ones, at the price that leaves it with
//! nothing and owing nothing (rule LQ5):
//!
//! ```text
//! value to the account = value at the mark - equity * lots / lots held
//! ```
//! with equity clamped to the widest liquidation band around the mark. That
//! value is rounded in the account's favour, by an atom per counterpart at most,
//! so that rounding alone leaves no debt. A counterpart gives up profit, never
//! more: where its own entry is worse than that price it closes at its entry.
//! What is missing then stays a debt, for insurance and haircut.
//!
//! The caller names the counterparts, most profitable first; all but the last
//! are closed whole. One pass over the pool then makes sure that none with a
//! better entry was left out. Entries are compared in whole atoms per lot.
//!
//! There are no fees. No margin check can block it: every position in it shrinks.

use crate::layout::Position;
use crate::tickets::Warrant;
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::event::{DeficitRecognised, Deleveraged};
use flagstone_interface::slab::PoolId;
use flagstone_units::{Side, Slot, mul_ppm_floor, notional_atoms, share_floor};

/// Slots after a ticket's expiry in which it may only be deleveraged. After them
/// it is void: a Router that issues no more tickets, because it is paused, thus
/// ends all liquidation within the life of a ticket and these slots (rule X9).
pub const DELEVERAGE_SLOTS: Slot = Slot(75);

/// Counterparts of one deleveraging.
pub const COUNTERS_MAX: usize = 16;

/// A deleveraging to make.
#[derive(Clone, Copy, Debug)]
pub struct Deleverage<'r> {
    /// Index of the account to close.
    pub account: u32,
    /// Indices of opposite positions, most profitable first.
    pub counters: &'r [u32],
    /// Leave to do so; the ticket names the instrument.
    pub warrant: Warrant<'r>,
}

/// What a deleveraging did; the sequence numbers are for the caller to set.
#[derive(Clone, Copy, Debug)]
pub struct Deleverages {
    /// Entries in use.
    pub count: usize,
    /// One event per counterpart.
    pub events: [Deleveraged; COUNTERS_MAX],
    /// Set when it left a debt and nothing else.
    pub recognised: Option<DeficitRecognised>,
}

impl Deleverages {
    /// None yet.
    pub fn none() -> Self {
        Self {
            count: 0,
            events: [Deleveraged::zeroed(); COUNTERS_MAX],
            recognised: None,
        }
    }

    /// The entries in use.
    pub fn events(&self) -> &[Deleveraged] {
        &self.events[..self.count.min(COUNTERS_MAX)]
    }
}

/// What is left to close, and the equity that goes with it.
#[derive(Clone, Copy, Debug)]
struct Rest {
    account: u32,
    position: u32,
    instrument: u8,
    /// Side that the account trades on.
    side: Side,
    /// Lots still to close.
    lots: u32,
    /// Lots that the account still holds.
    held: u32,
    /// Equity that these still have to give up; negative is a debt to shed.
    equity_atoms: i64,
}

impl Slab<'_> {
    /// Closes an account's position against opposite ones.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongRecord`];
    /// [`SlabError::BadTicket`], also before the ticket has expired and more
    /// than [`DELEVERAGE_SLOTS`] after;
    /// [`SlabError::StaleMark`], [`SlabError::Healthy`];
    /// [`SlabError::BadInstrument`] when the instrument bars liquidation;
    /// [`SlabError::BadDeleverage`] for counterparts that are not what they
    /// have to be.
    #[inline(never)]
    pub fn deleverage(
        &mut self,
        deleverage: &Deleverage<'_>,
        slot: Slot,
        done: &mut Deleverages,
    ) -> Result<()> {
        let (account, warrant) = (deleverage.account, &deleverage.warrant);
        let ticket = warrant.ticket;
        let left = warrant.lots_left(self.open_account_at(account)?, slot)?;
        let since = slot.saturating_sub(ticket.expiry_slot);
        if slot <= ticket.expiry_slot || since > DELEVERAGE_SLOTS {
            return Err(SlabError::BadTicket);
        }
        let position = self.open_position(account, ticket.instrument)?;
        self.before_measuring(account, position, slot)?;
        self.check_liquidatable(ticket.instrument, slot)?;
        let instrument = &self.instruments[ticket.instrument as usize];
        let health = self.health(account, None);
        if !health.is_liquidatable() {
            return Err(SlabError::Healthy);
        }
        let lots = self.positions[position].lots;
        let value = notional_atoms(instrument.mark, lots.magnitude(), instrument.atoms_per_tick);
        // Below 2^53: it is a part of a notional.
        let most = mul_ppm_floor(value, warrant.widest(instrument).0) as i64;
        let mut rest = Rest {
            account,
            position,
            instrument: ticket.instrument,
            side: if lots.0 > 0 { Side::Ask } else { Side::Bid },
            lots: left.min(lots.magnitude()),
            held: lots.magnitude(),
            equity_atoms: health.equity_atoms.clamp(-most, most),
        };
        let wanted = rest.lots;
        self.close_against(deleverage.counters, &mut rest, slot, done)?;
        self.use_ticket(account, warrant, wanted - rest.lots, slot);
        self.drop_position_if_empty(position);
        done.recognised = self.recognise(account, slot);
        Ok(())
    }

    /// Closes against one counterpart after the other, and checks that they
    /// were the most profitable ones.
    fn close_against(
        &mut self,
        counters: &[u32],
        rest: &mut Rest,
        slot: Slot,
        done: &mut Deleverages,
    ) -> Result<()> {
        let mut last = None;
        for counter in counters {
            if rest.lots == 0 || done.count == COUNTERS_MAX {
                break;
            }
            let entry = self.counter_entry(*counter, rest)?;
            let sorted = last.is_none_or(|before| match rest.side {
                Side::Ask => entry <= before,
                Side::Bid => entry >= before,
            });
            if !sorted {
                return Err(SlabError::BadDeleverage);
            }
            last = Some(entry);
            done.events[done.count] = self.close_pair(*counter, rest, slot)?;
            done.count += 1;
        }
        match last {
            Some(entry) if !self.left_one_out(rest, entry) => Ok(()),
            _ => Err(SlabError::BadDeleverage),
        }
    }

    /// Entry of a counterpart in whole atoms per lot, after checking that it is
    /// opposite and in profit.
    fn counter_entry(&self, index: u32, rest: &Rest) -> Result<u64> {
        let counter = self.positions.get(index).ok_or(SlabError::BadDeleverage)?;
        let opposite = match rest.side {
            Side::Ask => counter.lots.0 < 0,
            Side::Bid => counter.lots.0 > 0,
        };
        let fits = counter.used != 0 && counter.instrument == rest.instrument && opposite;
        if !fits {
            return Err(SlabError::BadDeleverage);
        }
        let instrument = &self.instruments[rest.instrument as usize];
        let lots = counter.lots.magnitude();
        let value = notional_atoms(instrument.mark, lots, instrument.atoms_per_tick);
        let cost = counter.cost_atoms.unsigned_abs();
        let in_profit = match rest.side {
            Side::Ask => cost > value,
            Side::Bid => cost < value,
        };
        if in_profit {
            Ok(cost / u64::from(lots))
        } else {
            Err(SlabError::BadDeleverage)
        }
    }

    /// Closes as much as both have, for the same value on both sides.
    #[inline(never)]
    fn close_pair(&mut self, index: u32, rest: &mut Rest, slot: Slot) -> Result<Deleveraged> {
        let counter_account = u32::from(self.positions[index].account);
        self.prepare(counter_account, index, slot)?;
        let counter = self.positions[index];
        let instrument = &self.instruments[rest.instrument as usize];
        let lots = rest.lots.min(counter.lots.magnitude());
        let value = notional_atoms(instrument.mark, lots, instrument.atoms_per_tick) as i64;
        let given = share_floor(rest.equity_atoms, lots, rest.held);
        let against = rest.side.contra();
        // The account gets less, or pays more, by what it gives up.
        let fair = value + rest.side.signed(given);
        let notional_atoms = fair_to(&counter, against, lots, fair.max(0) as u64);

        let change = counter.trade(against, lots, notional_atoms);
        self.settle_cash_apart(counter_account, change.realised_atoms, slot)?;
        self.track_open_interest(rest.instrument, index, change.position.lots.0);
        self.positions[index] = change.position;
        self.accounts[counter_account].touched_slot = slot;
        self.drop_position_if_empty(index);

        let change = self.positions[rest.position].trade(rest.side, lots, notional_atoms);
        self.settle_cash_apart(rest.account, change.realised_atoms, slot)?;
        self.track_open_interest(rest.instrument, rest.position, change.position.lots.0);
        self.positions[rest.position] = change.position;
        rest.equity_atoms -= given;
        rest.lots -= lots;
        rest.held -= lots;
        Ok(Deleveraged {
            tag: Deleveraged::TAG,
            seq: 0,
            instrument: rest.instrument,
            account: rest.account as u16,
            counter: counter_account as u16,
            lots,
            notional_atoms,
        })
    }

    /// Whether a position that was not closed has a better entry than `entry`,
    /// the worst that was. Those closed before it are gone; it itself is equal.
    ///
    /// Walks up to 60,000 positions, so every instruction counts.
    #[inline(never)]
    fn left_one_out(&self, rest: &Rest, entry: u64) -> bool {
        let used = self.header.pool(PoolId::Positions).high_water;
        let positions = self.positions.first(used);
        let instrument = rest.instrument;
        // Products are notionals, so they fit: entry is a cost per lot.
        match rest.side {
            Side::Ask => {
                let better = (entry as i64).wrapping_add(1);
                positions.iter().any(|other| {
                    other.lots.0 < 0
                        && other.instrument == instrument
                        && other.cost_atoms <= i64::from(other.lots.0).wrapping_mul(better)
                })
            }
            Side::Bid => {
                let better = entry as i64;
                positions.iter().any(|other| {
                    other.lots.0 > 0
                        && other.instrument == instrument
                        && other.cost_atoms < i64::from(other.lots.0).wrapping_mul(better)
                })
            }
        }
    }
}

/// The value nearest to `fair` at which the counterpart loses nothing on its
/// entry.
fn fair_to(counter: &Position, side: Side, lots: u32, fair: u64) -> u64 {
    let realised = counter.trade(side, lots, fair).realised_atoms;
    let lost = realised.min(0).unsigned_abs();
    match side {
        Side::Bid => fair.saturating_sub(lost),
        Side::Ask => fair.saturating_add(lost),
    }
}
