//! The accounts that this program takes, checked, and the facts of the
//! transaction that it trusts.

use anchor_lang::AnchorAccount;
use anchor_lang::Error;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use core::ops::Deref;
use flagstone_interface::router::{Escrow, InstrumentEntry};
use flagstone_interface::{Key, PYTH_RECEIVER_ID, Record, key_eq};
use flagstone_slab_engine::oracle::OraclePrice;
use flagstone_slab_engine::{Slab, SlabError};
use flagstone_units::Slot;

/// The error as the runtime returns it.
#[cold]
pub fn fail(error: SlabError) -> Error {
    Error::Custom(error.code())
}

/// A writable account of this program that holds a slab, or is about to.
pub struct SlabAccount {
    view: AccountView,
}

impl SlabAccount {
    /// The account's bytes.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the runtime hands this instruction one region per writable
        // account and Anchor refuses duplicates of it, so for the lifetime of
        // `&mut self` nothing else refers to these bytes; no other program is
        // called, so none changes them meanwhile.
        unsafe { core::slice::from_raw_parts_mut(self.view.data_mut_ptr(), self.view.data_len()) }
    }

    /// The slab in it.
    #[inline(always)]
    pub fn open(&mut self) -> Result<Slab<'_>, Error> {
        // SAFETY: account data is 8-aligned in the input region; the account
        // is owned by this program (checked on load), so a slab's header in it
        // was written by `initialize` and changed by the engine alone.
        unsafe { Slab::open_owned(self.bytes_mut()) }.map_err(fail)
    }

    /// Address of the account.
    #[inline(always)]
    pub fn key(&self) -> &Key {
        self.view.address().as_array()
    }
}

impl Deref for SlabAccount {
    type Target = AccountView;
    #[inline(always)]
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl AnchorAccount for SlabAccount {
    type Data = AccountView;

    #[inline(always)]
    fn load(view: AccountView) -> Result<Self, Error> {
        if key_eq(view.owner().as_array(), crate::ID.as_array()) {
            Ok(Self { view })
        } else {
            Err(fail(SlabError::NotASlab))
        }
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl anchor_lang::IdlAccountType for SlabAccount {}

/// An account that should be an escrow of the slab's Router.
pub struct EscrowAccount {
    view: AccountView,
}

impl EscrowAccount {
    /// The escrow in it, after checking that `router` owns it and that it was
    /// opened for this slab and its quote mint.
    pub fn read(&self, router: &Key, slab: &Key, mint: &Key) -> Result<&Escrow, Error> {
        if !key_eq(self.view.owner().as_array(), router) {
            return Err(fail(SlabError::WrongEscrow));
        }
        // SAFETY: the account is not this program's, so nothing here writes
        // it, and no other program runs before this instruction ends.
        let data = unsafe { self.view.borrow_unchecked() };
        let escrow = Escrow::read(data).ok_or(fail(SlabError::WrongEscrow))?;
        let fits = escrow.state == 0 && key_eq(&escrow.slab, slab) && key_eq(&escrow.mint, mint);
        if fits {
            Ok(escrow)
        } else {
            Err(fail(SlabError::WrongEscrow))
        }
    }

    /// Address of the account.
    pub fn key(&self) -> &Key {
        self.view.address().as_array()
    }
}

impl Deref for EscrowAccount {
    type Target = AccountView;
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl AnchorAccount for EscrowAccount {
    type Data = AccountView;

    fn load(view: AccountView) -> Result<Self, Error> {
        Ok(Self { view })
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl anchor_lang::IdlAccountType for EscrowAccount {}

/// Any record of the slab's Router.
pub struct RouterRecord {
    view: AccountView,
}

impl RouterRecord {
    /// The record in it, after checking that `router` owns it; `None` when it
    /// is another record.
    pub fn read<T: Record>(&self, router: &Key) -> Result<Option<&T>, Error> {
        if !key_eq(self.view.owner().as_array(), router) {
            return Err(fail(SlabError::WrongRecord));
        }
        // SAFETY: the account is not this program's, so nothing here writes
        // it, and no other program runs before this instruction ends.
        let data = unsafe { self.view.borrow_unchecked() };
        Ok(T::read(data))
    }

    /// The same, where no other record will do.
    pub fn require<T: Record>(&self, router: &Key) -> Result<&T, Error> {
        self.read(router)?.ok_or(fail(SlabError::WrongRecord))
    }

    /// Address of the account.
    pub fn key(&self) -> &Key {
        self.view.address().as_array()
    }
}

/// An instrument's entry in the Router's registry, after checking that `router`
/// owns it and that it is of this slab and instrument. The Router makes entries
/// at derived addresses only, so there is one of each.
pub fn registered<'a>(
    record: &'a RouterRecord,
    router: &Key,
    slab: &Key,
    number: u8,
) -> Result<&'a InstrumentEntry, Error> {
    match record.read::<InstrumentEntry>(router)? {
        Some(entry) if key_eq(&entry.slab, slab) && entry.instrument == number => Ok(entry),
        _ => Err(fail(SlabError::WrongRecord)),
    }
}

impl Deref for RouterRecord {
    type Target = AccountView;
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl AnchorAccount for RouterRecord {
    type Data = AccountView;

    fn load(view: AccountView) -> Result<Self, Error> {
        Ok(Self { view })
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl anchor_lang::IdlAccountType for RouterRecord {}

/// An account that should be an instrument's oracle.
pub struct OracleAccount {
    view: AccountView,
}

impl OracleAccount {
    /// The price in it, after checking that it is `expected` and that Pyth's
    /// receiver program owns it: nobody else can have written it.
    pub fn read(&self, expected: &Key) -> Result<OraclePrice, Error> {
        let owned = key_eq(self.view.owner().as_array(), &PYTH_RECEIVER_ID);
        if !owned || !key_eq(self.view.address().as_array(), expected) {
            return Err(fail(SlabError::WrongOracle));
        }
        // SAFETY: the account is not this program's, so nothing here writes
        // it, and no other program runs before this instruction ends.
        let data = unsafe { self.view.borrow_unchecked() };
        OraclePrice::read(data).map_err(fail)
    }
}

impl Deref for OracleAccount {
    type Target = AccountView;
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl AnchorAccount for OracleAccount {
    type Data = AccountView;

    fn load(view: AccountView) -> Result<Self, Error> {
        Ok(Self { view })
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl anchor_lang::IdlAccountType for OracleAccount {}

/// The current slot, and unix time in seconds by the cluster's clock.
pub fn current_time() -> Result<(Slot, i64), Error> {
    let clock = Clock::get()?;
    Ok((Slot::from_clock(clock.slot), clock.unix_timestamp))
}

/// The current slot.
#[inline(always)]
pub fn current_slot() -> Result<Slot, Error> {
    Ok(Slot::from_clock(Clock::get()?.slot))
}

/// Refuses to be called by another program: a trader's signature given to one
/// must not be usable here (rule X6).
#[inline(always)]
pub fn require_top_level() -> Result<(), Error> {
    #[cfg(target_os = "solana")]
    {
        // SAFETY: the syscall takes no arguments and only returns a number.
        let height = unsafe { anchor_lang::pinocchio::syscalls::sol_get_stack_height() };
        if height != 1 {
            return Err(fail(SlabError::CalledByProgram));
        }
    }
    Ok(())
}

/// Refuses an instruction that a trader gave through another program (rule X6): a
/// signature given to one must not be usable here.
///
/// An address off the curve has no key. Only the program that it derives from
/// can sign for it, and never at the top level: whoever trades under one, as a
/// multisig does, has opted in to being called.
#[inline(always)]
pub fn require_direct(trader: &Key) -> Result<(), Error> {
    #[cfg(target_os = "solana")]
    {
        // SAFETY: the syscall takes no arguments and only returns a number.
        let height = unsafe { anchor_lang::pinocchio::syscalls::sol_get_stack_height() };
        if height != 1 {
            return require_no_key(trader);
        }
    }
    let _ = trader;
    Ok(())
}

#[cfg(target_os = "solana")]
#[cold]
#[inline(never)]
fn require_no_key(trader: &Key) -> Result<(), Error> {
    if anchor_lang::Address::new_from_array(*trader).is_on_curve() {
        return Err(fail(SlabError::CalledByProgram));
    }
    Ok(())
}
