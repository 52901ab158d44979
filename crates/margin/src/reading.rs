//! One slab account, read live.
//!
//! The formulas are the engine's ([`flagstone_slab_engine::risk`]); the bytes
//! are a stranger's. What does not add up within the engine's own bounds makes
//! the account [`Unreadable`], which neither starts nor bars anything
//! (rule LQ1).
//!
//! Deposits and cover on their way to the slab count as if they had arrived,
//! and a haircut that the account has not seen yet as if it had (rule X3).

use flagstone_interface::Record;
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{INSTRUMENTS, PoolId, SlabAccount, SlabHeader, item_at};
use flagstone_slab_engine::deficits::cut_atoms;
use flagstone_slab_engine::layout::{Instrument, Position};
use flagstone_slab_engine::risk::Health;
use flagstone_units::{NOTIONAL_ATOMS_MAX, PPM_ONE, Slot, mul_ppm_ceil};

/// Largest amount that an account may show, in atoms, either way.
const ATOMS_MAX: i64 = 1 << 61;

/// The slab's bytes say nothing that could be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// A position and the terms of its liquidation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leg {
    /// Instrument.
    pub instrument: u8,
    /// Size, in lots.
    pub lots: u32,
    /// Value at the mark, in atoms.
    pub value_atoms: u64,
    /// Maintenance margin, in atoms.
    pub maintenance_atoms: u64,
    /// Initial margin ratio, in ppm.
    pub imr_ppm: u32,
    /// Fee of a liquidation on notional, in ppm.
    pub fee_ppm: u32,
    /// Widest band of a liquidation around the mark, in ppm.
    pub band_max_ppm: u32,
}

/// What a slab account shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Equity and margins; the initial margin counts open orders at their worst.
    pub health: Health,
    /// Initial margin of the positions alone: what is left of it once the
    /// orders are cancelled, in atoms.
    pub settled_initial_atoms: u64,
    /// Position with the largest maintenance margin whose instrument allows
    /// liquidation.
    pub largest: Option<Leg>,
    /// Whether the marks of all positions are fresh.
    pub is_fresh: bool,
    /// Whether no position, order or hold is left.
    pub is_bare: bool,
    /// Whether the slab has recognised a debt: only then it can credit cover.
    pub is_bankrupt: bool,
}

impl Reading {
    /// Reads the account that `escrow` is bound to. The caller has checked that
    /// both name each other.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn of(
        data: &[u8],
        account: &SlabAccount,
        escrow: &Escrow,
        slot: Slot,
    ) -> Result<Self, Unreadable> {
        let header = SlabHeader::read(data).ok_or(Unreadable)?;
        let mut reading = Self {
            health: Health::default(),
            settled_initial_atoms: 0,
            largest: None,
            is_fresh: true,
            is_bare: account.positions_head == 0
                && account.orders_count == 0
                && account.holds_count == 0,
            is_bankrupt: account.is_bankrupt(),
        };
        reading.health.equity_atoms = cash_atoms(header, account, escrow)?;
        let mut index = account.positions_head;
        // An account holds one position per instrument; a longer list is a loop.
        let mut room = INSTRUMENTS;
        while index != 0 {
            room = room.checked_sub(1).ok_or(Unreadable)?;
            let position: &Position = item_at(data, PoolId::Positions, index).ok_or(Unreadable)?;
            let number = u32::from(position.instrument) + 1;
            let instrument: &Instrument =
                item_at(data, PoolId::Instruments, number).ok_or(Unreadable)?;
            reading.add(position, instrument, slot)?;
            index = position.next_in_account;
        }
        Ok(reading)
    }

    /// Adds a position, with the engine's formulas.
    fn add(
        &mut self,
        position: &Position,
        instrument: &Instrument,
        slot: Slot,
    ) -> Result<(), Unreadable> {
        let lots = position.lots.magnitude();
        let worst = worst_lots(position)?;
        let value = value_atoms(instrument, lots)?;
        let at_risk = value_atoms(instrument, worst)?;
        let (imr, mmr) = (instrument.imr.0, instrument.mmr.0);
        if u64::from(imr.max(mmr)) > PPM_ONE {
            return Err(Unreadable);
        }
        let signed = if position.lots.0 < 0 {
            -(value as i64)
        } else {
            value as i64
        };
        let equity = signed
            .checked_sub(position.cost_atoms)
            .and_then(|profit| {
                profit.checked_sub(position.funding_owed_atoms(instrument.funding_index))
            })
            .and_then(|change| self.health.equity_atoms.checked_add(change));
        self.health.equity_atoms = bounded(equity)?;
        // Each at most 2^53, of 32 positions.
        self.health.initial_atoms += mul_ppm_ceil(at_risk, imr);
        self.settled_initial_atoms += mul_ppm_ceil(value, imr);
        let maintenance_atoms = mul_ppm_ceil(value, mmr);
        self.health.maintenance_atoms += maintenance_atoms;
        if lots == 0 {
            return Ok(());
        }
        self.is_fresh &= instrument.is_fresh(slot);
        let rules = &instrument.rules;
        let larger = self
            .largest
            .is_none_or(|leg| maintenance_atoms > leg.maintenance_atoms);
        if larger && rules.liquidation_fee.0 != 0 {
            self.largest = Some(Leg {
                instrument: position.instrument,
                lots,
                value_atoms: value,
                maintenance_atoms,
                imr_ppm: imr,
                fee_ppm: rules.liquidation_fee.0,
                band_max_ppm: rules.liquidation_band_max.0,
            });
        }
        Ok(())
    }

    /// Whether the account is to be liquidated: below its own maintenance
    /// margin at marks that are fresh (rule LQ1). A stale account never is.
    pub const fn is_liquidatable(&self) -> bool {
        self.is_fresh && self.health.is_liquidatable()
    }

    /// Whether a liquidation is over: equity covers initial margin, open orders
    /// included (rule LQ4), at marks that are fresh.
    pub const fn is_restored(&self) -> bool {
        self.is_fresh && self.health.covers_initial()
    }

    /// Whether equity is below half the maintenance margin: too late for a
    /// grace (rule LQ3).
    pub const fn is_deep(&self) -> bool {
        self.health.equity_atoms < (self.health.maintenance_atoms / 2) as i64
    }

    /// What brings the account back to the initial margin of its positions, in
    /// atoms; 0 without any, since that would pay a debt and not a margin.
    ///
    /// Orders do not count: they are cancelled, not paid for. Whoever has the
    /// margin brought before the slab has cancelled them must not bring more.
    pub const fn missing_atoms(&self) -> u64 {
        let missing = self.settled_initial_atoms as i64 - self.health.equity_atoms;
        if missing > 0 && self.settled_initial_atoms > 0 {
            missing as u64
        } else {
            0
        }
    }

    /// What the account owes once nothing else is left of it and the slab has
    /// recognised that, in atoms; 0 before (rule X7).
    pub const fn debt_atoms(&self) -> u64 {
        if self.is_bare && self.is_bankrupt && self.health.equity_atoms < 0 {
            self.health.equity_atoms.unsigned_abs()
        } else {
            0
        }
    }
}

/// Size of the account's position in an instrument, in lots.
///
/// # Errors
/// [`Unreadable`].
pub fn lots_in(data: &[u8], account: &SlabAccount, instrument: u8) -> Result<u32, Unreadable> {
    let mut index = account.positions_head;
    let mut room = INSTRUMENTS;
    while index != 0 {
        room = room.checked_sub(1).ok_or(Unreadable)?;
        let position: &Position = item_at(data, PoolId::Positions, index).ok_or(Unreadable)?;
        if position.instrument == instrument {
            return Ok(position.lots.magnitude());
        }
        index = position.next_in_account;
    }
    Ok(0)
}

/// Sum of the positive unrealised profits of an account, in atoms: what equity
/// counts and a release does not.
pub(crate) fn open_profit_atoms(data: &[u8], account: &SlabAccount) -> Result<i64, Unreadable> {
    let mut profit = 0i64;
    let mut index = account.positions_head;
    let mut room = INSTRUMENTS;
    while index != 0 {
        room = room.checked_sub(1).ok_or(Unreadable)?;
        let position: &Position = item_at(data, PoolId::Positions, index).ok_or(Unreadable)?;
        let number = u32::from(position.instrument) + 1;
        let instrument: &Instrument =
            item_at(data, PoolId::Instruments, number).ok_or(Unreadable)?;
        let value = value_atoms(instrument, position.lots.magnitude())? as i64;
        let signed = if position.lots.0 < 0 { -value } else { value };
        let change = signed.checked_sub(position.cost_atoms);
        profit = bounded(change.and_then(|change| profit.checked_add(change.max(0))))?;
        index = position.next_in_account;
    }
    Ok(profit)
}

/// Deposits and cover that the slab has not credited yet, in atoms.
pub(crate) fn arriving_atoms(account: &SlabAccount, escrow: &Escrow) -> Result<i64, Unreadable> {
    let deposits = on_the_way(escrow.deposited_total_atoms, account.deposited_seen_atoms)?;
    let cover = on_the_way(escrow.covered_total_atoms, account.covered_seen_atoms)?;
    bounded(deposits.checked_add(cover))
}

/// Cash that the account may count on, in atoms.
pub(crate) fn cash_atoms(
    header: &SlabHeader,
    account: &SlabAccount,
    escrow: &Escrow,
) -> Result<i64, Unreadable> {
    let arriving = arriving_atoms(account, escrow)?;
    let bond = i64::try_from(account.bond_atoms).map_err(|_| Unreadable)?;
    let cut = if account.haircut_index == header.haircut_index {
        0
    } else {
        // At most the cash.
        cut_atoms(account, header.haircut_index) as i64
    };
    let cash = bounded(Some(account.cash_atoms))?
        .checked_sub(bond)
        .and_then(|cash| cash.checked_sub(cut))
        .and_then(|cash| cash.checked_add(arriving));
    bounded(cash)
}

/// What one side recorded and the other has not seen yet.
fn on_the_way(total: u64, seen: u64) -> Result<i64, Unreadable> {
    let atoms = total.checked_sub(seen).ok_or(Unreadable)?;
    i64::try_from(atoms).map_err(|_| Unreadable)
}

/// An amount within what an account may show.
pub(crate) fn bounded(atoms: Option<i64>) -> Result<i64, Unreadable> {
    match atoms {
        Some(atoms) if atoms.unsigned_abs() <= ATOMS_MAX as u64 => Ok(atoms),
        _ => Err(Unreadable),
    }
}

/// Value of lots at the mark, within the engine's bound.
fn value_atoms(instrument: &Instrument, lots: u32) -> Result<u64, Unreadable> {
    // Two words of 32 bits.
    let product = u64::from(instrument.mark.0) * u64::from(lots);
    match product.checked_mul(u64::from(instrument.atoms_per_tick)) {
        Some(value) if value < NOTIONAL_ATOMS_MAX => Ok(value),
        _ => Err(Unreadable),
    }
}

/// The engine's worst case, for lots that may be anything.
pub(crate) fn worst_lots(position: &Position) -> Result<u32, Unreadable> {
    let lots = i64::from(position.lots.0);
    let long = lots + i64::from(position.open_bid_lots.0);
    let short = i64::from(position.open_ask_lots.0) - lots;
    u32::try_from(long.max(short)).map_err(|_| Unreadable)
}
