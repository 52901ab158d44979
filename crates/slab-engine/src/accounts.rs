//! Accounts: opening them for a bound escrow, crediting its deposits, and
//! their end.
//!
//! An account ends in three steps, and each can be taken by anyone once it is
//! legal: it is closed here when nothing is left in it, the Router unbinds its
//! escrow, and the slot is freed here. No counter starts again from zero: the
//! next account of an escrow goes on from where the other side stands (rule
//! X2). A deposit that slips in before the escrow is unbound opens the account
//! again.

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

/// Slots without a change after which anyone may close an empty account: about
/// a day.
pub const IDLE_SLOTS: Slot = Slot(216_000);

/// Whether an account has not been used for so long that anyone may close it.
pub(crate) fn is_idle(account: &SlabAccount, slot: Slot) -> bool {
    slot.saturating_sub(account.touched_slot) >= IDLE_SLOTS
}

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
    /// the deposits since the binding are below the slab's minimum;
    /// [`SlabError::CounterBackwards`].
    pub fn open_account(&mut self, address: &Key, escrow: &Escrow, slot: Slot) -> Result<u32> {
        let pool = self.pool(PoolId::Accounts);
        let next = pool.next_index().ok_or(SlabError::AccountsFull)?;
        let generation = next_generation(self.accounts[next].generation);
        if escrow.bound_account != next || escrow.bound_generation != generation {
            return Err(SlabError::NotBound);
        }
        let deposit_atoms = escrow
            .deposited_total_atoms
            .checked_sub(escrow.bound_deposited_atoms)
            .ok_or(SlabError::CounterBackwards)?;
        if deposit_atoms < self.header.account_deposit_min_atoms {
            return Err(SlabError::DepositTooSmall);
        }
        if self.header.root_page_next != 0 {
            // The root under construction describes the slot as free.
            self.fix_leaf(next);
        }
        let pool = &mut self.header.pools[PoolId::Accounts as usize];
        let index = allocate(pool, &mut self.accounts).ok_or(SlabError::AccountsFull)?;
        // A leaf that was fixed for the slot stays fixed.
        let leaf = self.accounts[index].flags & account_flags::LEAF;
        self.accounts[index] = SlabAccount {
            escrow: *address,
            trader: escrow.trader,
            // Every counter goes on from where the other side stands.
            deposited_seen_atoms: escrow.bound_deposited_atoms,
            debited_total_atoms: escrow.debited_seen_atoms,
            released_total_atoms: escrow.released_seen_atoms,
            covered_seen_atoms: escrow.covered_total_atoms,
            flags: account_flags::OPEN | leaf,
            generation,
            haircut_index: self.header.haircut_index,
            touched_slot: slot,
            ..SlabAccount::zeroed()
        };
        Ok(index)
    }

    /// Credits the cover and the deposits that the Router recorded since the
    /// last sync, and copies the escrow's session key and freeze. A deposit
    /// opens a closed account again.
    ///
    /// Cover comes first: it was measured when the deposits were still to come.
    /// Orders of an account that is now frozen leave with
    /// [`Slab::cancel_frozen`]. Idempotent: a second call credits nothing, and
    /// does not count as a change that keeps an account from being idle.
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
        self.bound_account_at(index, address, escrow)?;
        self.touch(index)?;
        let covered_atoms = self.take_cover(index, escrow)?;
        let account = &self.accounts[index];
        let credited_atoms = escrow
            .deposited_total_atoms
            .checked_sub(account.deposited_seen_atoms)
            .ok_or(SlabError::CounterBackwards)?;
        if credited_atoms > 0 {
            self.credit(index, credited_atoms, slot)?;
        } else if account.flags & account_flags::CLOSED != 0 {
            return Err(SlabError::NoAccount);
        }
        let account = &mut self.accounts[index];
        account.trader = escrow.trader;
        let flags = account.flags & !(account_flags::FROZEN | account_flags::CLOSED);
        let frozen = u16::from(escrow.frozen != 0) * account_flags::FROZEN;
        account.flags = flags | account_flags::OPEN | frozen;
        let cash_atoms = account.cash_atoms;
        Ok(Synced {
            credited_atoms,
            covered_atoms,
            recognised: self.recognise(index, slot),
            cash_atoms,
        })
    }

    /// Adds a deposit to an account's cash and to what the slab received.
    #[inline(always)]
    fn credit(&mut self, index: u32, atoms: u64, slot: Slot) -> Result<()> {
        let account = &mut self.accounts[index];
        let debt = account.debt_atoms();
        account.cash_atoms = i64::try_from(atoms)
            .ok()
            .and_then(|credit| account.cash_atoms.checked_add(credit))
            .filter(|cash| *cash <= CASH_ATOMS_MAX as i64)
            .ok_or(SlabError::AmountOverflow)?;
        account.deposited_seen_atoms = account.deposited_seen_atoms.wrapping_add(atoms);
        // What pays an older loss is lost, not principal. Profit stays as it was.
        let principal = atoms.saturating_sub(debt);
        account.principal_atoms = account.principal_atoms.saturating_add(principal);
        // Crumbs do not keep an account from being idle.
        if atoms >= self.header.account_deposit_min_atoms {
            account.touched_slot = slot;
        }
        self.header.deposits_total.add(atoms);
        self.note_debt(index, debt);
        Ok(())
    }

    /// Closes an account that holds nothing, for its trader, or for anyone
    /// after [`IDLE_SLOTS`] without a change (rule T6). `signer` is who signed.
    ///
    /// The slot stays taken and bound until the Router has unbound the escrow
    /// and [`Slab::free_account`] follows.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`]; [`SlabError::NotBound`] when account and
    /// escrow do not name each other; [`SlabError::WrongTrader`];
    /// [`SlabError::AccountFrozen`] while the escrow is frozen, so that a
    /// ticket cannot outlive what the account knows of it;
    /// [`SlabError::NotEmpty`].
    pub fn close_account(
        &mut self,
        signer: Option<&Key>,
        index: u32,
        address: &Key,
        escrow: &Escrow,
        slot: Slot,
    ) -> Result<()> {
        let account = self.open_account_at(index)?;
        if !account.is_bound(index, address, escrow) {
            return Err(SlabError::NotBound);
        }
        if !is_idle(account, slot) && !signer.is_some_and(|signer| key_eq(signer, &account.trader))
        {
            return Err(SlabError::WrongTrader);
        }
        if escrow.frozen != 0 {
            return Err(SlabError::AccountFrozen);
        }
        self.touch(index)?;
        let account = &mut self.accounts[index];
        if !account.is_empty() || !account.is_settled_with(escrow) {
            return Err(SlabError::NotEmpty);
        }
        account.flags = account.flags & !account_flags::OPEN | account_flags::CLOSED;
        account.principal_atoms = 0;
        account.dead_man_slot = Slot::ZERO;
        account.touched_slot = slot;
        Ok(())
    }

    /// Gives the slot of a closed account back once its escrow, at `address`,
    /// is no longer bound to it. Anyone may ask.
    ///
    /// # Errors
    /// [`SlabError::NoAccount`] when no account is closed here;
    /// [`SlabError::NotBound`] for another account's escrow;
    /// [`SlabError::NotEmpty`] while the escrow is bound.
    pub fn free_account(&mut self, index: u32, address: &Key, escrow: &Escrow) -> Result<()> {
        let account = match self.accounts.get(index) {
            Some(account) if account.flags & account_flags::CLOSED != 0 => account,
            _ => return Err(SlabError::NoAccount),
        };
        if !key_eq(&account.escrow, address) {
            return Err(SlabError::NotBound);
        }
        if account.is_bound(index, address, escrow) {
            return Err(SlabError::NotEmpty);
        }
        self.touch(index)?;
        let account = self.accounts[index];
        // The generation and a leaf that was fixed early belong to the slot.
        self.accounts[index] = SlabAccount {
            generation: account.generation,
            flags: account.flags & account_flags::LEAF,
            ..SlabAccount::zeroed()
        };
        release(
            &mut self.header.pools[PoolId::Accounts as usize],
            &mut self.accounts,
            index,
        );
        Ok(())
    }

    /// The account, open or closed, that this escrow and index name.
    #[inline(always)]
    fn bound_account_at(&self, index: u32, address: &Key, escrow: &Escrow) -> Result<&SlabAccount> {
        const TAKEN: u16 = account_flags::OPEN | account_flags::CLOSED;
        let account = self
            .accounts
            .get(index)
            .filter(|account| account.flags & TAKEN != 0)
            .ok_or(SlabError::NoAccount)?;
        if account.is_bound(index, address, escrow) {
            Ok(account)
        } else {
            Err(SlabError::NotBound)
        }
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
