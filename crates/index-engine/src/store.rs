//! Records and pools of records in account bytes.
//!
//! A pool is a slice of equal items behind a record, handed out from a free
//! list or above a high-water mark, so that zero bytes are an empty pool and
//! creating one never walks memory. Items are addressed from 1; 0 is nil.
//! FIFO lists run through the items' `next` links.
//!
//! Links are only ever written here. An index beyond the pool means broken
//! bytes and fails with [`IndexError::NoLot`].

use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Record, assert_layout};

/// Handing out items of a pool.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PoolHead {
    /// Items that fit.
    pub capacity: u32,
    /// Items ever handed out; those above have never been written.
    pub high_water: u32,
    /// First freed item, 0 when there is none.
    pub free: u32,
    /// Items in use.
    pub live: u32,
}
assert_layout!(PoolHead, 16);

/// A FIFO list of items.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct List {
    /// Oldest item, 0 when the list is empty.
    pub first: u32,
    /// Newest item, 0 when the list is empty.
    pub last: u32,
}
assert_layout!(List, 8);

/// An item that can be linked.
pub trait Item: Pod {
    /// The link to the next item of its list, or to the next free one.
    fn next(&mut self) -> &mut u32;
}

/// A pool: its head and its items.
#[derive(Debug)]
pub struct Pool<'a, T> {
    /// What is handed out.
    pub head: &'a mut PoolHead,
    /// The items' memory.
    pub items: &'a mut [T],
}

/// Views account bytes as a record, whatever follows it.
///
/// # Errors
/// [`IndexError::WrongRecord`] when discriminator, version, length or alignment differ.
pub fn record<R: Record>(data: &mut [u8]) -> Result<&mut R> {
    if R::read(data).is_none() {
        return Err(IndexError::WrongRecord);
    }
    let bytes = data.get_mut(..size_of::<R>());
    bytes
        .and_then(|bytes| bytemuck::try_from_bytes_mut(bytes).ok())
        .ok_or(IndexError::WrongRecord)
}

/// Splits `count` items of type `T` off the front of `bytes`.
///
/// # Errors
/// [`IndexError::BadCapacity`] when they do not fit or are misaligned.
pub fn split<T: Pod>(bytes: &mut [u8], count: usize) -> Result<(&mut [T], &mut [u8])> {
    let len = count.checked_mul(size_of::<T>());
    let len = len.filter(|len| *len <= bytes.len());
    let (items, rest) = bytes.split_at_mut(len.ok_or(IndexError::BadCapacity)?);
    let items = bytemuck::try_cast_slice_mut(items).map_err(|_| IndexError::BadCapacity)?;
    Ok((items, rest))
}

/// Splits a new or existing record off the front of account bytes, unchecked.
///
/// # Errors
/// [`IndexError::BadCapacity`] when the account is too short or misaligned.
pub fn split_record<R: Pod>(data: &mut [u8]) -> Result<(&mut R, &mut [u8])> {
    let (record, rest) = split::<R>(data, 1)?;
    let record = record.first_mut().ok_or(IndexError::BadCapacity)?;
    Ok((record, rest))
}

/// Refuses account bytes that hold anything yet.
///
/// # Errors
/// [`IndexError::AlreadyInitialized`].
pub fn must_be_new(data: &[u8]) -> Result<()> {
    let used = data.iter().take(16).any(|byte| *byte != 0);
    if used {
        return Err(IndexError::AlreadyInitialized);
    }
    Ok(())
}

/// The items of a list, from its `first` on; `next` reads an item's link.
///
/// Ends after as many items as there are, whatever the links say.
pub fn walk<T>(items: &[T], first: u32, next: fn(&T) -> u32) -> impl Iterator<Item = &T> {
    let mut index = first;
    core::iter::from_fn(move || {
        let item = items.get((index as usize).wrapping_sub(1))?;
        index = next(item);
        Some(item)
    })
    .take(items.len())
}

impl PoolHead {
    /// An empty pool of `capacity` items.
    ///
    /// # Errors
    /// [`IndexError::BadCapacity`] when it is zero.
    pub const fn new(capacity: u32) -> Result<Self> {
        if capacity == 0 {
            return Err(IndexError::BadCapacity);
        }
        Ok(Self {
            capacity,
            high_water: 0,
            free: 0,
            live: 0,
        })
    }
}

impl<T: Item> Pool<'_, T> {
    /// The item at an index from 1.
    ///
    /// # Errors
    /// [`IndexError::NoLot`] when there is none.
    pub fn at(&self, index: u32) -> Result<&T> {
        let item = self.items.get((index as usize).wrapping_sub(1));
        item.ok_or(IndexError::NoLot)
    }

    /// The item at an index from 1, to change it. Errors as [`Pool::at`].
    pub fn at_mut(&mut self, index: u32) -> Result<&mut T> {
        let item = self.items.get_mut((index as usize).wrapping_sub(1));
        item.ok_or(IndexError::NoLot)
    }

    /// The item after `index` in its list, 0 at the end. Errors as [`Pool::at`].
    pub fn after(&mut self, index: u32) -> Result<u32> {
        Ok(*self.at_mut(index)?.next())
    }

    /// Takes an item into use and appends it to a list; its index.
    ///
    /// # Errors
    /// `full` when none is left.
    pub fn append(&mut self, list: &mut List, item: T, full: IndexError) -> Result<u32> {
        let index = self.head.free;
        let index = if index != 0 {
            self.head.free = self.after(index)?;
            index
        } else if self.head.high_water < self.head.capacity {
            self.head.high_water += 1;
            self.head.high_water
        } else {
            return Err(full);
        };
        let place = self.at_mut(index)?;
        *place = item;
        *place.next() = 0;
        self.head.live += 1;
        if list.last == 0 {
            list.first = index;
        } else {
            *self.at_mut(list.last)?.next() = index;
        }
        list.last = index;
        Ok(index)
    }

    /// Takes an item out of its list and frees it. `before` is the item that
    /// links to it, 0 when it is the first.
    ///
    /// # Errors
    /// [`IndexError::NoLot`] when the two are not linked so.
    pub fn remove(&mut self, list: &mut List, before: u32, index: u32) -> Result<()> {
        let after = self.after(index)?;
        let link = if before == 0 {
            &mut list.first
        } else {
            self.at_mut(before)?.next()
        };
        if *link != index {
            return Err(IndexError::NoLot);
        }
        *link = after;
        if list.last == index {
            list.last = before;
        }
        let free = self.head.free;
        let item = self.at_mut(index)?;
        *item = T::zeroed();
        *item.next() = free;
        self.head.free = index;
        let live = self.head.live.checked_sub(1);
        self.head.live = live.ok_or(IndexError::NoLot)?;
        Ok(())
    }
}
