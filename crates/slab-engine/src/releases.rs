//! What an account may give back to its escrow (rules T1 and T2).
//!
//! Principal, what came in and neither left nor was lost, may leave as soon as
//! margin allows. Cash above it is profit, whatever made it - trading, rebates
//! or hold fees - and has to mature: none of it leaves before `WARMUP_SLOTS`
//! after the slot at which it was made, weighted by amount over what has not
//! matured. What has matured counts as principal when the next profit is made.
//! Unrealised profit counts nothing here, unrealised loss counts in full, and
//! so does what a position can have lost since its mark went stale.

use crate::accounts::is_idle;
use crate::{Result, Slab, SlabError};
use flagstone_interface::Key;
use flagstone_interface::router::Escrow;
use flagstone_units::{Slot, notional_atoms};

/// Slots between realising a profit and releasing it: about four minutes.
///
/// To be longer than a full liquidation once there is one, so that profit made
/// against an account that goes bankrupt is still here when its loss is settled.
pub const WARMUP_SLOTS: Slot = Slot(600);

impl Slab<'_> {
    /// Moves cash of the account whose trader key signed towards its escrow;
    /// the Router pays it on `settle`. Returns the cash that is left.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`];
    /// [`SlabError::ReleaseTooLarge`] for zero or more than may leave now, or
    /// when less than the deposit that opens an account would be left: that
    /// stays until everything leaves, from an account that holds nothing else
    /// (rule T6).
    pub fn release(
        &mut self,
        trader: &Key,
        index: u32,
        amount_atoms: u64,
        slot: Slot,
    ) -> Result<i64> {
        self.traded_account(index, trader)?;
        self.touch(index)?;
        self.accrue_positions(index, slot);
        if amount_atoms == 0 || amount_atoms > self.releasable_atoms(index, slot) {
            return Err(SlabError::ReleaseTooLarge);
        }
        let amount = i64::try_from(amount_atoms).map_err(|_| SlabError::AmountOverflow)?;
        let account = &self.accounts[index];
        // What may leave is at most the cash.
        let left = (account.cash_atoms - amount).unsigned_abs();
        let busy = account.positions_count > 0 || account.holds_count > 0;
        if left < self.header.account_deposit_min_atoms && (left > 0 || busy) {
            return Err(SlabError::ReleaseTooLarge);
        }
        self.pay_out(index, amount, slot)
    }

    /// Releases what little an idle account still has: less than the deposit
    /// that opens one, and nothing else. Anyone may have it sent home, so that
    /// the account can be closed once the Router has paid it (rule T6).
    ///
    /// Returns the amount; `None` when the account is none of the kind, and
    /// then nothing has changed.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`]; [`SlabError::NotBound`];
    /// [`SlabError::ReleaseTooLarge`] while a deficit bars releases.
    pub fn release_crumbs(
        &mut self,
        index: u32,
        address: &Key,
        escrow: &Escrow,
        slot: Slot,
    ) -> Result<Option<u64>> {
        let account = self.open_account_at(index)?;
        if !account.is_bound(index, address, escrow) {
            return Err(SlabError::NotBound);
        }
        let holds_nothing = account.positions_count == 0
            && account.orders_count == 0
            && account.holds_count == 0
            && escrow.frozen == 0;
        let least = self.header.account_deposit_min_atoms;
        let few = account.cash_atoms > 0 && account.cash_atoms.unsigned_abs() < least;
        if !few || !holds_nothing || !is_idle(account, slot) {
            return Ok(None);
        }
        self.touch(index)?;
        let (cash, touched) = (
            self.accounts[index].cash_atoms,
            self.accounts[index].touched_slot,
        );
        if cash <= 0 {
            return Ok(None);
        }
        if cash.unsigned_abs() > self.releasable_atoms(index, slot) {
            return Err(SlabError::ReleaseTooLarge);
        }
        self.pay_out(index, cash, slot)?;
        // It stays idle: nobody used it.
        self.accounts[index].touched_slot = touched;
        Ok(Some(cash.unsigned_abs()))
    }

    /// Moves cash towards the escrow and returns what is left.
    pub(crate) fn pay_out(&mut self, index: u32, amount: i64, slot: Slot) -> Result<i64> {
        let amount_atoms = amount.unsigned_abs();
        let account = &mut self.accounts[index];
        let profit_before = account.profit_atoms();
        account.cash_atoms -= amount;
        account.released_total_atoms = account
            .released_total_atoms
            .checked_add(amount_atoms)
            .ok_or(SlabError::AmountOverflow)?;
        account.touched_slot = slot;
        account.principal_atoms = account.principal_atoms.saturating_sub(amount_atoms);
        let (cash, profit) = (account.cash_atoms, account.profit_atoms());
        self.header.note_profit(profit_before, profit);
        self.header.released_total.add(amount_atoms);
        Ok(cash)
    }

    /// The most that an account may release in `slot`, in atoms.
    pub fn releasable_atoms(&self, index: u32, slot: Slot) -> u64 {
        // A recognised loss is paid before any profit leaves.
        if self.header.deficit_atoms > 0 {
            return 0;
        }
        let account = &self.accounts[index];
        let health = self.health(index, None);
        let free = health.equity_atoms
            - self.open_profit_atoms(index)
            - self.stale_loss_atoms(index, slot)
            - health.initial_atoms as i64;
        let free = free.min(account.cash_atoms).max(0) as u64;
        let matured = slot.saturating_sub(account.warmup_slot) >= WARMUP_SLOTS;
        if matured {
            free
        } else {
            free.min(account.principal_atoms)
        }
    }

    /// Sum of the positive unrealised profits of an account, in atoms.
    pub(crate) fn open_profit_atoms(&self, index: u32) -> i64 {
        let mut profit = 0;
        let mut at = self.accounts[index].positions_head;
        while at != 0 {
            let position = &self.positions[at];
            let instrument = &self.instruments[position.instrument as usize];
            let size = position.lots.magnitude();
            let value = notional_atoms(instrument.mark, size, instrument.atoms_per_tick) as i64;
            let signed = if position.lots.0 < 0 { -value } else { value };
            profit += (signed - position.cost_atoms).max(0);
            at = position.next_in_account;
        }
        profit
    }
}
