//! Band, equity and margin.
//!
//! Equity is `cash + sum(lots * mark * atoms_per_tick - cost)`. Initial margin
//! is `sum(worst * mark * atoms_per_tick * ratio)`, each term rounded up, where
//! `worst` is the larger of the position with all its bids and with all its
//! asks filled.
//!
//! A profit at a mark that is stale ([`crate::marks`]) is nothing that anybody
//! could count on: functions that take a slot leave it out (rule T1).

use crate::layout::{Instrument, Position};
use crate::{Result, Slab, SlabError};
use flagstone_units::{PPM_ONE, Side, Slot, Ticks, mul_ppm_ceil, notional_atoms};

/// Equity and margin of an account at the marks, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Cash and unrealised profit or loss.
    pub equity_atoms: i64,
    /// Initial margin, worst-case open orders included.
    pub initial_atoms: u64,
    /// Maintenance margin of the positions alone.
    pub maintenance_atoms: u64,
}

impl Health {
    /// Whether the account may carry more risk.
    #[inline(always)]
    pub const fn covers_initial(&self) -> bool {
        self.equity_atoms >= self.initial_atoms as i64
    }
}

/// A position as it would be, and the cash that goes with it.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// Index of the position.
    pub index: u32,
    /// The position afterwards.
    pub position: Position,
    /// Change of cash, in atoms.
    pub cash_change_atoms: i64,
}

/// Prices at which an instrument may trade, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Lowest.
    pub low: Ticks,
    /// Highest.
    pub high: Ticks,
}

impl Band {
    /// Whether a price lies inside.
    #[inline(always)]
    pub const fn contains(&self, ticks: Ticks) -> bool {
        self.low.0 <= ticks.0 && ticks.0 <= self.high.0
    }

    /// The worst price that a taker with this limit may pay or receive.
    #[inline(always)]
    pub fn clamp_limit(&self, side: Side, limit: Ticks) -> Ticks {
        match side {
            Side::Bid => limit.min(self.high),
            Side::Ask => limit.max(self.low),
        }
    }
}

impl Instrument {
    /// The price band around the mark.
    #[inline(always)]
    pub fn price_band(&self) -> Band {
        // mark < 2^32 and band <= 1e6, so the product fits 64 bits.
        let width = u64::from(self.mark.0).wrapping_mul(u64::from(self.band.0)) / PPM_ONE;
        let width = width as u32;
        Band {
            low: Ticks(self.mark.0.saturating_sub(width).max(1)),
            high: Ticks(self.mark.0.saturating_add(width).min(self.price_max.0)),
        }
    }
}

impl Slab<'_> {
    /// Equity and margins of an account at the marks, fresh or stale, with one
    /// of its positions replaced.
    #[inline(always)]
    pub fn health(&self, account: u32, proposal: Option<&Proposal>) -> Health {
        // Every mark is fresh in slot 0.
        self.health_at(account, proposal, Slot::ZERO)
    }

    /// As [`Slab::health`], without the profits at marks that are stale in `slot`.
    #[inline(always)]
    pub fn health_at(&self, account: u32, proposal: Option<&Proposal>, slot: Slot) -> Health {
        let owner = &self.accounts[account];
        let mut health = Health {
            equity_atoms: owner.cash_atoms - owner.bond_atoms as i64,
            ..Health::default()
        };
        let replaced = proposal.map_or(0, |proposal| proposal.index);
        if let Some(proposal) = proposal {
            health.equity_atoms += proposal.cash_change_atoms;
        }
        let mut index = owner.positions_head;
        while index != 0 {
            let stored = &self.positions[index];
            let position = match proposal {
                Some(proposal) if index == replaced => &proposal.position,
                _ => stored,
            };
            let instrument = &self.instruments[stored.instrument as usize];
            let profit_atoms = add_position(&mut health, position, instrument);
            if !instrument.is_fresh(slot) {
                health.equity_atoms -= profit_atoms.max(0);
            }
            index = stored.next_in_account;
        }
        health
    }

    /// Whether an account may take on a proposed position in `slot` (rule T1).
    ///
    /// Either it covers its initial margin afterwards, or the position is
    /// strictly smaller, equity is not negative and equity over maintenance
    /// margin is no lower than before; profits at stale marks count nothing.
    /// That suffices for the maker of a fill; a taker at a stale mark may only
    /// reduce, whatever its margin, which comes before this.
    ///
    /// # Errors
    /// [`SlabError::BelowInitialMargin`].
    #[inline(always)]
    pub fn check_margin_at(&self, account: u32, proposal: &Proposal, slot: Slot) -> Result<()> {
        let after = self.health_at(account, Some(proposal), slot);
        if after.covers_initial() {
            return Ok(());
        }
        self.check_reduction(account, proposal, &after, slot)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn check_reduction(
        &self,
        account: u32,
        proposal: &Proposal,
        after: &Health,
        slot: Slot,
    ) -> Result<()> {
        let smaller = proposal.position.reduces(&self.positions[proposal.index]);
        if !smaller || after.equity_atoms < 0 {
            return Err(SlabError::BelowInitialMargin);
        }
        let before = self.health_at(account, None, slot);
        // after.equity / after.mm >= before.equity / before.mm, without division.
        let left = i128::from(after.equity_atoms) * i128::from(before.maintenance_atoms);
        let right = i128::from(before.equity_atoms) * i128::from(after.maintenance_atoms);
        if left >= right {
            Ok(())
        } else {
            Err(SlabError::BelowInitialMargin)
        }
    }
}

/// Adds one position's profit and margins; returns the profit, in atoms.
#[inline(always)]
fn add_position(health: &mut Health, position: &Position, instrument: &Instrument) -> i64 {
    // Bounded by NOTIONAL_ATOMS_MAX: the lots and every worst case stay within
    // position_lots_max, the mark within price_max.
    let unit = instrument.atoms_per_tick;
    let size = position.lots.magnitude();
    let value = notional_atoms(instrument.mark, size, unit);
    let signed = if position.lots.0 < 0 {
        -(value as i64)
    } else {
        value as i64
    };
    let profit_atoms = signed - position.cost_atoms;
    health.equity_atoms += profit_atoms;
    if position.funding_index != instrument.funding_index {
        health.equity_atoms -= position.funding_owed_atoms(instrument.funding_index);
    }

    let worst = position.worst_lots();
    let at_risk = if worst == size {
        value
    } else {
        notional_atoms(instrument.mark, worst, unit)
    };
    health.initial_atoms += mul_ppm_ceil(at_risk, instrument.imr.0);
    health.maintenance_atoms += mul_ppm_ceil(value, instrument.mmr.0);
    profit_atoms
}

impl Position {
    /// Size of the position in the worse of two cases: all bids or all asks fill.
    #[inline(always)]
    pub fn worst_lots(&self) -> u32 {
        let lots = i64::from(self.lots.0);
        let long = lots + i64::from(self.open_bid_lots.0);
        let short = i64::from(self.open_ask_lots.0) - lots;
        long.max(short) as u32
    }
}
