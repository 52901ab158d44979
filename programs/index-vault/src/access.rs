//! The accounts that this program takes, checked, and creating them.

use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::{AnchorAccount, Error};
use core::ops::Deref;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::chain::Journal;
use flagstone_interface::{Key, key_eq};
use flagstone_kernels::KernelError;
use flagstone_units::Slot;

/// Longest seed of an address with seed.
const SEED_BYTES_MAX: usize = 32;

/// The error as the runtime returns it.
#[cold]
pub fn fail(error: IndexError) -> Error {
    Error::Custom(error.code())
}

/// What a kernel refused, in the codes of this program.
#[cold]
pub fn kernel(error: KernelError) -> Error {
    fail(match error {
        KernelError::SlotOutOfRange | KernelError::LabelMismatch => IndexError::WrongAsset,
        KernelError::LabelDuplicate | KernelError::SlotsUnsorted => IndexError::AssetRepeated,
        KernelError::MarketFull => IndexError::MarketFull,
        KernelError::ZeroWeight => IndexError::BadWeight,
        KernelError::FractionAboveOne => IndexError::FractionsAboveOne,
        KernelError::BadBook => IndexError::BadBook,
        KernelError::LengthMismatch => IndexError::OutOfOrder,
        KernelError::Math(_) | KernelError::Insufficient => IndexError::AmountOverflow,
    })
}

/// An account of this program, whatever is in it.
///
/// Loading checks the owner alone; the views check discriminator, version and
/// length. Anchor refuses an instruction that names a writable one twice.
pub struct Owned {
    view: AccountView,
}

impl Owned {
    /// The account's bytes.
    pub fn bytes(&self) -> &[u8] {
        // SAFETY: the account is this program's, and only `bytes_mut` of this
        // one value writes it; System and Token cannot.
        unsafe { core::slice::from_raw_parts(self.view.data_ptr(), self.view.data_len()) }
    }

    /// The account's bytes, to be changed.
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: the runtime hands this instruction one region per writable
        // account and Anchor refuses duplicates of it, so for the lifetime of
        // `&mut self` nothing else refers to these bytes; System and Token,
        // the only programs called, cannot write them.
        unsafe { core::slice::from_raw_parts_mut(self.view.data_mut_ptr(), self.view.data_len()) }
    }

    /// Address of the account.
    #[inline(always)]
    pub fn key(&self) -> &Key {
        self.view.address().as_array()
    }
}

impl Deref for Owned {
    type Target = AccountView;
    #[inline(always)]
    fn deref(&self) -> &AccountView {
        &self.view
    }
}

impl AnchorAccount for Owned {
    type Data = AccountView;

    #[inline(always)]
    fn load(view: AccountView) -> core::result::Result<Self, Error> {
        if key_eq(view.owner().as_array(), crate::ID.as_array()) {
            Ok(Self { view })
        } else {
            Err(fail(IndexError::WrongRecord))
        }
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl anchor_lang::IdlAccountType for Owned {}

/// Key of a signer.
#[inline(always)]
pub fn key_of(signer: &Signer) -> &Key {
    signer.address().as_array()
}

/// Refuses an account that is not the one a record names.
pub fn require_same(expected: &Key, found: &Key) -> Result<()> {
    if key_eq(expected, found) {
        Ok(())
    } else {
        Err(fail(IndexError::WrongCounterpart))
    }
}

/// Finds the bump of a derived address and checks that `account` lies there.
#[inline(never)]
pub fn derive(account: &AccountView, seeds: &[&[u8]]) -> Result<u8> {
    let (address, bump) = find_program_address(seeds, &crate::ID);
    if key_eq(address.as_array(), account.address().as_array()) {
        Ok(bump)
    } else {
        Err(fail(IndexError::WrongAddress))
    }
}

/// Creates an account of `space` bytes for `owner` at the address derived from
/// `seeds`; its bump. It may have been sent lamports, but must not exist yet.
#[inline(never)]
pub fn create(
    payer: &AccountView,
    account: &AccountView,
    seeds: &[&[u8]],
    space: usize,
    owner: &Address,
) -> Result<u8> {
    let found = derive(account, seeds)?;
    if account.data_len() != 0 {
        return Err(fail(IndexError::AlreadyInitialized));
    }
    let bump = [found];
    let mut signed: [&[u8]; 5] = [&[]; 5];
    signed[..seeds.len()].copy_from_slice(seeds);
    signed[seeds.len()] = &bump;
    create_account_signed(payer, account, space, owner, &signed[..=seeds.len()])?;
    Ok(found)
}

/// Refuses an account that does not lie at `sha256(base, seed, program)`, the
/// System program's rule: an account that was created and not yet initialised
/// cannot be taken over by another than who created it.
#[inline(never)]
pub fn require_seeded(account: &Key, base: &Key, seed: &str) -> Result<()> {
    if seed.len() > SEED_BYTES_MAX {
        return Err(fail(IndexError::WrongAddress));
    }
    let address = hash(&[base, seed.as_bytes(), crate::ID.as_array()]);
    if key_eq(&address, account) {
        Ok(())
    } else {
        Err(fail(IndexError::WrongAddress))
    }
}

/// SHA-256 of byte strings put together, by the system call.
pub fn hash(parts: &[&[u8]]) -> [u8; 32] {
    solana_sha256_hasher::hashv(parts).to_bytes()
}

/// The current slot.
#[inline(always)]
pub fn current_slot() -> Result<Slot> {
    Ok(Slot::from_clock(Clock::get()?.slot))
}

/// Runs `step` with a journal that writes each event as one log record.
pub fn journaled<R>(
    now: Slot,
    step: impl FnOnce(&mut Journal<'_>) -> flagstone_index_engine::Result<R>,
) -> Result<R> {
    let mut sink = |pieces: &[&[u8]]| anchor_lang::sol_log_data(pieces);
    let mut journal = Journal::new(hash, now, &mut sink);
    step(&mut journal).map_err(fail)
}

/// Copies the records that an argument holds; its bytes lie anywhere.
pub fn records<T: bytemuck::Pod>(bytes: &[u8]) -> Result<alloc::vec::Vec<T>> {
    if !bytes.len().is_multiple_of(size_of::<T>()) || bytes.is_empty() {
        return Err(fail(IndexError::BadParameter));
    }
    let items = bytes.chunks_exact(size_of::<T>());
    Ok(items.map(bytemuck::pod_read_unaligned).collect())
}

/// Refuses to be called by another program (rule X6).
#[inline(always)]
pub fn require_top_level() -> Result<()> {
    #[cfg(target_os = "solana")]
    {
        // SAFETY: the syscall takes no arguments and only returns a number.
        let height = unsafe { anchor_lang::pinocchio::syscalls::sol_get_stack_height() };
        if height != 1 {
            return Err(fail(IndexError::CalledByProgram));
        }
    }
    Ok(())
}
