//! Creating records at derived addresses, and reading foreign accounts.

use anchor_lang::Error;
use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::prelude::*;
use flagstone_interface::error::RouterError;
use flagstone_interface::router::{RouterConfig, SlabEntry, slab_status};
use flagstone_interface::slab::SlabHeader;
use flagstone_interface::{Key, Record, key_eq};

/// The error as the runtime returns it.
#[cold]
pub fn fail(error: RouterError) -> Error {
    Error::Custom(error.code())
}

/// Finds the bump of a derived address and checks that `account` lies there.
#[inline(never)]
pub fn derive(account: &AccountView, seeds: &[&[u8]]) -> Result<u8> {
    let (address, bump) = find_program_address(seeds, &crate::ID);
    if key_eq(address.as_array(), account.address().as_array()) {
        Ok(bump)
    } else {
        Err(fail(RouterError::WrongAddress))
    }
}

/// Creates a record at the address derived from `seeds` and returns its bump.
///
/// The account may have been sent lamports before; it must not exist yet.
#[inline(never)]
pub fn create<T: Record>(
    payer: &AccountView,
    account: &AccountView,
    seeds: &[&[u8]],
) -> Result<u8> {
    let bump = derive(account, seeds)?;
    allocate(payer, account, seeds, bump, size_of::<T>(), &crate::ID)?;
    Ok(bump)
}

/// Allocates `space` bytes for `owner` at a derived address.
#[inline(never)]
pub fn allocate(
    payer: &AccountView,
    account: &AccountView,
    seeds: &[&[u8]],
    bump: u8,
    space: usize,
    owner: &Address,
) -> Result<()> {
    if account.data_len() != 0 {
        return Err(fail(RouterError::AlreadyExists));
    }
    let bump = [bump];
    let mut signed: [&[u8]; 5] = [&[]; 5];
    signed[..seeds.len()].copy_from_slice(seeds);
    signed[seeds.len()] = &bump;
    create_account_signed(payer, account, space, owner, &signed[..=seeds.len()])
}

/// Writes a fresh record into an account that `create` just made.
pub fn store<T: Record>(account: &mut AccountView, record: &T) -> Result<()> {
    let mut data = account.try_borrow_mut()?;
    let bytes = bytemuck::bytes_of(record);
    let room = data
        .get_mut(..bytes.len())
        .ok_or(fail(RouterError::WrongRecord))?;
    room.copy_from_slice(bytes);
    Ok(())
}

/// Checks that the account is the registered slab, neither suspended nor
/// quarantined. Says nothing of its owner or bytes.
pub fn require_slab(account: &AccountView, entry: &SlabEntry) -> Result<()> {
    let readable = matches!(entry.status, slab_status::ACTIVE | slab_status::DEAD);
    if readable && key_eq(&entry.slab, account.address().as_array()) {
        Ok(())
    } else {
        Err(fail(RouterError::WrongSlab))
    }
}

/// The bytes of a slab that is registered, not suspended or quarantined, owned by
/// its registered program and stamped as a slab. Says nothing of the program's deployment:
/// [`crate::version::check`] does.
pub fn read_slab<'a>(account: &'a AccountView, entry: &SlabEntry) -> Result<&'a [u8]> {
    require_slab(account, entry)?;
    let registered = key_eq(&entry.program_id, account.owner().as_array());
    // SAFETY: the account is not this program's, so nothing here writes it,
    // and the only programs called are System and Token, which cannot either.
    let data = unsafe { account.borrow_unchecked() };
    if registered && SlabHeader::read(data).is_some() {
        Ok(data)
    } else {
        Err(fail(RouterError::WrongSlab))
    }
}

/// Refuses new business with a slab that winds down.
pub fn require_active(entry: &SlabEntry) -> Result<()> {
    if entry.status == slab_status::ACTIVE {
        Ok(())
    } else {
        Err(fail(RouterError::WrongSlab))
    }
}

/// Refuses to be called by another program (rule X6).
#[inline(always)]
pub fn require_top_level() -> Result<()> {
    #[cfg(target_os = "solana")]
    {
        // SAFETY: the syscall takes no arguments and only returns a number.
        let height = unsafe { anchor_lang::pinocchio::syscalls::sol_get_stack_height() };
        if height != 1 {
            return Err(fail(RouterError::CalledByProgram));
        }
    }
    Ok(())
}

/// Refuses an instruction that a user gave through another program (rule X6): a
/// signature given to one must not be usable here.
///
/// An address off the curve has no key. Only the program that it derives from
/// can sign for it, and never at the top level: whoever trades under one, as a
/// multisig does, has opted in to being called.
#[inline(always)]
pub fn require_direct(user: &Key) -> Result<()> {
    #[cfg(target_os = "solana")]
    {
        // SAFETY: the syscall takes no arguments and only returns a number.
        let height = unsafe { anchor_lang::pinocchio::syscalls::sol_get_stack_height() };
        if height != 1 {
            return require_no_key(user);
        }
    }
    let _ = user;
    Ok(())
}

#[cfg(target_os = "solana")]
#[cold]
#[inline(never)]
fn require_no_key(user: &Key) -> Result<()> {
    if anchor_lang::Address::new_from_array(*user).is_on_curve() {
        return Err(fail(RouterError::CalledByProgram));
    }
    Ok(())
}

/// The administrator may act directly as long as no delay is set: while a
/// deployment is set up. After that everything takes a proposal (rule X9).
pub fn require_setup(config: &RouterConfig, admin: &Signer) -> Result<()> {
    if !key_eq(&config.admin, admin.address().as_array()) {
        return Err(fail(RouterError::WrongAdmin));
    }
    if config.proposal_delay_slots != 0 {
        return Err(fail(RouterError::NotDue));
    }
    Ok(())
}

/// Checks that a key owns something.
#[inline(always)]
pub fn require_owner(owner: &Key, signer: &Signer) -> Result<()> {
    if key_eq(owner, signer.address().as_array()) {
        Ok(())
    } else {
        Err(fail(RouterError::WrongOwner))
    }
}
