//! Accounts: opening them for a bound escrow and crediting its deposits.

use crate::pools::{allocate, release};
use crate::{Result, Slab, SlabError};
use bytemuck::Zeroable;
use flagstone_interface::event::DeficitRecognised;
use flagstone_interface::router::Escrow;
use flagstone_interface::slab::{PoolId, SlabAccount, account_flags, next_generation};
use flagstone_interface::{Key, key_eq};
use flagstone_units::Slot;

/// Largest cash of one account, in atoms; keeps equity sums within 64 bits.
pub const CASH_ATOMS_MAX: u64 = 1 << 61;

/// What [`Slab::sync`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    /// Deposits credited now, in atoms.
    pub credited_atoms: u64,
    /// Insurance credited now, in atoms.
    pub covered_atoms: u64,
    /// Set when the account turned out to be bankrupt.
    pub recognised: Option<DeficitRecognised>,
    /// Cash afterwards, in atoms.
    pub cash_atoms: i64,
}

impl Slab<'_> {
    /// Opens the account that `escrow` was bound to, without any cash.
    ///
    /// Anyone may call this: the Router bound the escrow to the index and
    /// generation that are next, and only the escrow's owner can have it bound.
    ///
    /// # Errors
    /// [`SlabError::AccountsFull`]; [`SlabError::NotBound`] when another
    /// account opened since the binding; [`SlabError::DepositTooSmall`] when
    /// the escrow's uncredited deposits are below the slab's minimum.
    pub fn open_account(&mut self, address: &Key, escrow: &Escrow, slot: Slot) -> Result<u32> {
        let pool = self.pool(PoolId::Accounts);
        let next = pool.next_index().ok_or(SlabError::AccountsFull)?;
        let generation = next_generation(self.accounts[next].generation);
        if escrow.bound_account != next || escrow.bound_generation != generation {
            return Err(SlabError::NotBound);
        }
        if escrow.deposited_total_atoms < self.header.account_deposit_min_atoms {
            return Err(SlabError::DepositTooSmall);
        }
        if self.header.root_page_next != 0 {
            // The root under construction describes the slot as free.
            self.fix_leaf(next);
        }
        let pool = &mut self.header.pools[PoolId::Accounts as usize];
        let index = allocate(pool, &mut self.accounts).ok_or(SlabError::AccountsFull)?;
        let leaf = self.accounts[index].flags & account_flags::LEAF;
        self.accounts[index] = SlabAccount {
            escrow: *address,
            trader: escrow.trader,
            flags: account_flags::OPEN | leaf,
            generation,
            haircut_index: self.header.haircut_index,
            covered_seen_atoms: escrow.covered_total_atoms,
            touched_slot: slot,
            ..SlabAccount::zeroed()
        };
        Ok(index)
    }

    /// Credits the cover and the deposits that the Router recorded since the
    /// last sync, and copies the escrow's session key and freeze.
    ///
    /// Cover comes first: it was measured when the deposits were still to come.
    /// Orders of an account that is now frozen leave with
    /// [`Slab::cancel_frozen`]. Idempotent: a second call credits nothing.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`]; [`SlabError::NotBound`] when account and
    /// escrow do not name each other; [`SlabError::CounterBackwards`];
    /// [`SlabError::NoDeficit`] for cover above the account's debt;
    /// [`SlabError::AmountOverflow`].
    pub fn sync(
        &mut self,
        index: u32,
        address: &Key,
        escrow: &Escrow,
        slot: Slot,
    ) -> Result<Synced> {
        if !self
            .open_account_at(index)?
            .is_bound(index, address, escrow)
        {
            return Err(SlabError::NotBound);
        }
        self.touch(index)?;
        let covered_atoms = self.take_cover(index, escrow)?;
        let account = &self.accounts[index];
        let debt = account.debt_atoms();
        let credited_atoms = escrow
            .deposited_total_atoms
            .checked_sub(account.deposited_seen_atoms)
            .ok_or(SlabError::CounterBackwards)?;
        let cash_atoms = i64::try_from(credited_atoms)
            .ok()
            .and_then(|credit| account.cash_atoms.checked_add(credit))
            .filter(|cash| *cash <= CASH_ATOMS_MAX as i64)
            .ok_or(SlabError::AmountOverflow)?;

        let account = &mut self.accounts[index];
        account.deposited_seen_atoms = escrow.deposited_total_atoms;
        account.cash_atoms = cash_atoms;
        // What pays an older loss is lost, not principal. Profit stays as it was.
        let principal = credited_atoms.saturating_sub(debt);
        account.principal_atoms = account.principal_atoms.saturating_add(principal);
        account.trader = escrow.trader;
        account.flags &= !account_flags::FROZEN;
        if escrow.frozen != 0 {
            account.flags |= account_flags::FROZEN;
        }
        account.touched_slot = slot;
        self.header.deposits_total.add(credited_atoms);
        self.note_debt(index, debt);
        Ok(Synced {
            credited_atoms,
            covered_atoms,
            recognised: self.recognise(index, slot),
            cash_atoms,
        })
    }

    /// Has to come before anything changes an account's cash, counters or
    /// positions: while a Merkle root is under construction its leaf is fixed,
    /// and a haircut it has not seen yet is applied.
    ///
    /// # Errors
    /// [`SlabError::AmountOverflow`].
    #[inline(always)]
    pub(crate) fn touch(&mut self, account: u32) -> Result<()> {
        // The leaf first: the haircut may be younger than the root.
        if self.header.root_page_next != 0 {
            self.fix_leaf(account);
        }
        if self.accounts[account].haircut_index != self.header.haircut_index {
            self.cut_profit(account)?;
        }
        Ok(())
    }

    /// The open account at an index from outside.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`].
    #[inline(always)]
    pub fn open_account_at(&self, index: u32) -> Result<&SlabAccount> {
        match self.accounts.get(index) {
            Some(account) if account.flags & account_flags::OPEN != 0 => Ok(account),
            _ => Err(SlabError::NoAccount),
        }
    }

    /// The open account at an index whose trader key signed.
    ///
    /// The one place that keeps a bankrupt account from doing anything: it has
    /// no orders and holds left to end, and its debt is known until paid.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`], [`SlabError::WrongTrader`];
    /// [`SlabError::AccountFrozen`] while it is bankrupt.
    #[inline(always)]
    pub fn traded_account(&self, index: u32, trader: &Key) -> Result<&SlabAccount> {
        let account = self.open_account_at(index)?;
        if !key_eq(&account.trader, trader) {
            Err(SlabError::WrongTrader)
        } else if account.is_bankrupt() {
            Err(SlabError::AccountFrozen)
        } else {
            Ok(account)
        }
    }

    /// The account's position in an instrument, made when there is none.
    ///
    /// Walks the account's list, which holds at most one position per instrument.
    ///
    /// # Errors
    /// [`SlabError::PositionsFull`].
    #[inline(always)]
    pub(crate) fn position_of(&mut self, account: u32, instrument: u8) -> Result<u32> {
        let mut index = self.accounts[account].positions_head;
        while index != 0 {
            let position = &self.positions[index];
            if position.instrument == instrument {
                return Ok(index);
            }
            index = position.next_in_account;
        }
        self.new_position(account, instrument)
    }

    #[inline(never)]
    fn new_position(&mut self, account: u32, instrument: u8) -> Result<u32> {
        let pool = &mut self.header.pools[PoolId::Positions as usize];
        let index = allocate(pool, &mut self.positions).ok_or(SlabError::PositionsFull)?;
        let owner = &mut self.accounts[account];
        self.positions[index] = crate::layout::Position {
            account: account as u16,
            instrument,
            used: 1,
            funding_index: self.instruments[instrument as usize].funding_index,
            next_in_account: owner.positions_head,
            ..Default::default()
        };
        owner.positions_head = index;
        owner.positions_count += 1;
        Ok(index)
    }

    /// Gives a position back when it holds neither lots nor open orders.
    #[inline(always)]
    pub(crate) fn drop_position_if_empty(&mut self, index: u32) {
        let position = &self.positions[index];
        let empty =
            position.lots.0 == 0 && position.open_bid_lots.0 == 0 && position.open_ask_lots.0 == 0;
        if empty {
            self.drop_position(index);
        }
    }

    #[inline(never)]
    fn drop_position(&mut self, index: u32) {
        let position = self.positions[index];
        let owner = &mut self.accounts[u32::from(position.account)];
        owner.positions_count -= 1;
        if owner.positions_head == index {
            owner.positions_head = position.next_in_account;
        } else {
            let mut before = owner.positions_head;
            while self.positions[before].next_in_account != index {
                before = self.positions[before].next_in_account;
            }
            self.positions[before].next_in_account = position.next_in_account;
        }
        self.positions[index] = Default::default();
        release(
            &mut self.header.pools[PoolId::Positions as usize],
            &mut self.positions,
            index,
        );
    }
}
