//! Typed access to the Router's own records.

use anchor_lang::pinocchio::account::AccountView;
use anchor_lang::{AnchorAccount, Error};
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use flagstone_interface::error::RouterError;
use flagstone_interface::{Record, key_eq};

use crate::access::fail;

/// An account of this program that holds a record `T`.
///
/// Loading checks owner, length, discriminator and version. Anchor refuses an
/// instruction that names a writable record twice.
pub struct Stored<T> {
    view: AccountView,
    record: PhantomData<T>,
}

impl<T: Record> Stored<T> {
    /// Address of the account.
    #[inline(always)]
    pub fn key(&self) -> &[u8; 32] {
        self.view.address().as_array()
    }
}

impl<T: Record> Deref for Stored<T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        // SAFETY: `load` found at least size_of::<T>() bytes, stamped as a T;
        // account data is 8-aligned and T is plain data of alignment <= 8. The
        // bytes are only written through `deref_mut` of the one value that
        // Anchor lets exist for a writable account.
        unsafe { &*self.view.data_ptr().cast::<T>() }
    }
}

impl<T: Record> DerefMut for Stored<T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as in `deref`; `&mut self` is the only access, and the
        // runtime refuses the instruction if a read-only account changed.
        unsafe { &mut *self.view.data_mut_ptr().cast::<T>() }
    }
}

impl<T: Record> AnchorAccount for Stored<T> {
    type Data = T;
    const MIN_DATA_LEN: usize = size_of::<T>();

    #[inline(always)]
    fn load(view: AccountView) -> Result<Self, Error> {
        // SAFETY: the borrow ends within this function, before any write.
        let data = unsafe { view.borrow_unchecked() };
        let ours = key_eq(view.owner().as_array(), crate::ID.as_array());
        if ours && T::read(data).is_some() {
            Ok(Self {
                view,
                record: PhantomData,
            })
        } else {
            Err(fail(RouterError::WrongRecord))
        }
    }

    fn account(&self) -> &AccountView {
        &self.view
    }
}

impl<T: Record> AsRef<AccountView> for Stored<T> {
    fn as_ref(&self) -> &AccountView {
        &self.view
    }
}

impl<T> anchor_lang::IdlAccountType for Stored<T> {}
