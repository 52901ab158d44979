//! The typed view of a slab, and handing out and taking back items.
//!
//! This is the only module of the engine that turns bytes into layouts.
//! Allocation is O(1): a freed item is taken first, else the high-water mark
//! moves up. Memory above the mark has never been written and is zero.

use crate::layout::{
    Capacities, Instrument, LedgerEntry, Level, Order, Position, RootPage, Slice, Trade, item_bytes,
};
use crate::{Result, SlabError};
use bytemuck::Pod;
use core::ops::{Index, IndexMut};
use flagstone_interface::Record;
use flagstone_interface::slab::{PoolHeader, PoolId, Reservation, SlabAccount, SlabHeader};

/// The items of one pool, addressed from 1.
///
/// Indexing with 0 or beyond the capacity panics, which aborts the
/// instruction and undoes it: links inside a slab are only ever written by
/// this engine, so such an index means corrupted memory. Indices that come
/// from outside go through [`Pool::get`].
#[derive(Debug)]
pub struct Pool<'a, T> {
    items: &'a mut [T],
}

impl<T> Pool<'_, T> {
    /// The item at an index from outside, or `None` when there is none.
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.items.get((index as usize).wrapping_sub(1))
    }

    /// Items that fit.
    #[inline(always)]
    pub fn capacity(&self) -> u32 {
        self.items.len() as u32
    }

    /// All items in order of their index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.items
            .iter()
            .enumerate()
            .map(|(at, item)| (at as u32 + 1, item))
    }
}

impl<T> Index<u32> for Pool<'_, T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, index: u32) -> &T {
        &self.items[(index as usize).wrapping_sub(1)]
    }
}

impl<T> IndexMut<u32> for Pool<'_, T> {
    #[inline(always)]
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.items[(index as usize).wrapping_sub(1)]
    }
}

/// An item that can be linked into a free list.
pub trait Item: Pod {
    /// The field that links free items.
    fn link(&mut self) -> &mut u32;
}

impl Item for SlabAccount {
    #[inline(always)]
    fn link(&mut self) -> &mut u32 {
        &mut self.positions_head
    }
}
impl Item for Level {
    #[inline(always)]
    fn link(&mut self) -> &mut u32 {
        &mut self.head
    }
}
impl Item for Order {
    #[inline(always)]
    fn link(&mut self) -> &mut u32 {
        &mut self.next
    }
}
impl Item for Position {
    #[inline(always)]
    fn link(&mut self) -> &mut u32 {
        &mut self.next_in_account
    }
}

/// Takes an item from a pool; `None` when the pool is full.
///
/// The item keeps whatever its last user left; the caller overwrites it.
#[inline(always)]
pub fn allocate<T: Item>(header: &mut PoolHeader, pool: &mut Pool<'_, T>) -> Option<u32> {
    let index = header.next_index()?;
    if header.free_head != 0 {
        header.free_head = *pool[index].link();
    } else {
        header.high_water = index;
    }
    header.live += 1;
    Some(index)
}

/// Returns an item to its pool.
#[inline(always)]
pub fn release<T: Item>(header: &mut PoolHeader, pool: &mut Pool<'_, T>, index: u32) {
    *pool[index].link() = header.free_head;
    header.free_head = index;
    header.live -= 1;
}

/// A slab, viewed as header and pools.
#[derive(Debug)]
pub struct Slab<'a> {
    /// Header.
    pub header: &'a mut SlabHeader,
    /// Instruments, addressed by number from 0.
    pub instruments: &'a mut [Instrument],
    /// Accounts.
    pub accounts: Pool<'a, SlabAccount>,
    /// Price levels.
    pub levels: Pool<'a, Level>,
    /// Orders.
    pub orders: Pool<'a, Order>,
    /// Positions.
    pub positions: Pool<'a, Position>,
    /// Holds.
    pub reservations: Pool<'a, Reservation>,
    /// Parts of holds.
    pub slices: Pool<'a, Slice>,
    /// Ring of trades.
    pub trades: &'a mut [Trade],
    /// Aggressor ledger.
    pub ledger: Pool<'a, LedgerEntry>,
    /// Page hashes.
    pub root_pages: &'a mut [RootPage],
}

impl<'a> Slab<'a> {
    /// Writes the header of an empty slab into zeroed memory. O(1).
    ///
    /// # Errors
    /// [`SlabError::AlreadyInitialized`] when the header is not zero,
    /// [`SlabError::BadCapacities`] when the pools do not fit `data`.
    pub fn initialize(data: &mut [u8], capacities: &Capacities) -> Result<()> {
        let account_bytes = data.len() as u64;
        let head = data
            .get_mut(..size_of::<SlabHeader>())
            .ok_or(SlabError::BadCapacities)?;
        if head.iter().any(|byte| *byte != 0) {
            return Err(SlabError::AlreadyInitialized);
        }
        let pools = capacities.directory(account_bytes)?;
        let header: &mut SlabHeader =
            bytemuck::try_from_bytes_mut(head).map_err(|_| SlabError::NotASlab)?;
        header.discriminator = SlabHeader::DISCRIMINATOR;
        header.version = SlabHeader::VERSION;
        header.layout_bytes = capacities.layout_bytes();
        header.pools = pools;
        header.orders_per_account_max = u32::from(u16::MAX);
        Ok(())
    }

    /// Views `data` as a slab after checking stamp, version, length and the
    /// whole pool directory. For hosts, which may be handed any bytes.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`] when anything does not match.
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        let header = SlabHeader::read(data).ok_or(SlabError::NotASlab)?;
        let items = header.pools.map(|pool| pool.capacity);
        let directory = Capacities { items }
            .directory(data.len() as u64)
            .map_err(|_| SlabError::NotASlab)?;
        let places_match = directory
            .iter()
            .zip(&header.pools)
            .all(|(expected, found)| {
                (expected.offset, expected.item_bytes) == (found.offset, found.item_bytes)
                    && found.high_water <= found.capacity
            });
        if !places_match || header.layout_bytes != (Capacities { items }).layout_bytes() {
            return Err(SlabError::NotASlab);
        }
        // SAFETY: the directory was recomputed from the capacities for this
        // length and equals the header's, so every pool lies within `data`,
        // 8-aligned relative to its start, and overlaps no other; the stamp
        // check in `read` established the alignment of the start.
        Ok(unsafe { Self::carve(data) })
    }

    /// Views `data` as a slab after checking stamp and length only.
    ///
    /// # Safety
    /// `data` is 8-aligned and its header, if it is stamped as a slab, was
    /// written by [`Slab::initialize`] and changed by this engine alone. The
    /// Slab program knows this from the account's owner.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`] when stamp, version or length do not match.
    #[inline(always)]
    pub unsafe fn open_owned(data: &'a mut [u8]) -> Result<Self> {
        let header = SlabHeader::read(data).ok_or(SlabError::NotASlab)?;
        if header.layout_bytes > data.len() as u64 {
            return Err(SlabError::NotASlab);
        }
        // SAFETY: by the caller's promise the directory is the one that
        // `initialize` computed, for a layout that was just found to fit.
        Ok(unsafe { Self::carve(data) })
    }

    /// # Safety
    /// `data` is 8-aligned, starts with a [`SlabHeader`], and the pools of its
    /// directory lie within `data`, are 8-aligned and do not overlap.
    #[inline(always)]
    unsafe fn carve(data: &'a mut [u8]) -> Self {
        let base = data.as_mut_ptr();
        // SAFETY: the header is the first record of `data` and lies before
        // every pool, so this reference overlaps none of the slices below.
        let header = unsafe { &mut *base.cast::<SlabHeader>() };
        let pools = &header.pools;
        // SAFETY: each call covers the bytes of one pool; by the caller's
        // promise they are in bounds, aligned and disjoint, and every item
        // type is plain data, valid for any bytes.
        unsafe {
            let instruments = Self::items(base, &pools[PoolId::Instruments as usize]);
            let accounts = Pool {
                items: Self::items(base, &pools[PoolId::Accounts as usize]),
            };
            let levels = Pool {
                items: Self::items(base, &pools[PoolId::Levels as usize]),
            };
            let orders = Pool {
                items: Self::items(base, &pools[PoolId::Orders as usize]),
            };
            let positions = Pool {
                items: Self::items(base, &pools[PoolId::Positions as usize]),
            };
            let reservations = Pool {
                items: Self::items(base, &pools[PoolId::Reservations as usize]),
            };
            let slices = Pool {
                items: Self::items(base, &pools[PoolId::Slices as usize]),
            };
            let trades = Self::items(base, &pools[PoolId::Trades as usize]);
            let ledger = Pool {
                items: Self::items(base, &pools[PoolId::Ledger as usize]),
            };
            let root_pages = Self::items(base, &pools[PoolId::RootPages as usize]);
            Self {
                header,
                instruments,
                accounts,
                levels,
                orders,
                positions,
                reservations,
                slices,
                trades,
                ledger,
                root_pages,
            }
        }
    }

    /// # Safety
    /// The pool's bytes lie within the allocation behind `base`, are aligned
    /// for `T` and are not otherwise borrowed for `'a`.
    #[inline(always)]
    unsafe fn items<T: Pod>(base: *mut u8, pool: &PoolHeader) -> &'a mut [T] {
        debug_assert_eq!(pool.item_bytes as usize, size_of::<T>());
        // SAFETY: forwarded to the caller.
        unsafe {
            let first = base.add(pool.offset as usize).cast::<T>();
            core::slice::from_raw_parts_mut(first, pool.capacity as usize)
        }
    }

    /// Directory entry of a pool.
    #[inline(always)]
    pub fn pool(&mut self, id: PoolId) -> &mut PoolHeader {
        &mut self.header.pools[id as usize]
    }

    /// The next event's sequence number.
    #[inline(always)]
    pub fn next_seq(&mut self) -> u64 {
        self.header.event_seq = self.header.event_seq.wrapping_add(1);
        self.header.event_seq
    }
}

// `carve` casts by these sizes; the directory was laid out with them.
const _: () = assert!(item_bytes(PoolId::Orders) as usize == size_of::<Order>());
