//! The typed view of a slab, and handing out and taking back items.
//!
//! This is the only module of the engine that turns bytes into layouts.
//! Allocation is O(1): a freed item is taken first, else the high-water mark
//! moves up. Memory above the mark has never been written and is zero.

use crate::capacities::Capacities;
use crate::layout::{Instrument, LedgerEntry, Level, Order, Position, RootPage, Slice, Trade};
use crate::{Result, SlabError};
use bytemuck::Pod;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut, Index, IndexMut};
use flagstone_interface::Record;
use flagstone_interface::slab::{
    HEAD_BYTES, HOLD_BUCKETS, PLACES_BYTES, POOLS, Place, PoolHeader, PoolId, Reservation,
    SlabAccount, SlabHeader,
};
use flagstone_units::Slot;

/// A layout that has a pool of its own.
pub trait Pooled: Pod {
    /// The pool.
    const POOL: PoolId;
}

macro_rules! pooled {
    ($($item:ty => $pool:ident,)*) => {
        $(impl Pooled for $item {
            const POOL: PoolId = PoolId::$pool;
        })*
    };
}

pooled! {
    Instrument => Instruments,
    SlabAccount => Accounts,
    Level => Levels,
    Order => Orders,
    Position => Positions,
    Reservation => Reservations,
    Slice => Slices,
    Trade => Trades,
    LedgerEntry => Ledger,
    RootPage => RootPages,
}

/// The items of one pool as a slice.
///
/// Holds only the start of the account; where the pool lies is read from its
/// [`Place`] on access, so that opening a slab costs nothing for the pools
/// that an instruction does not touch.
#[derive(Debug)]
pub struct Items<'a, T> {
    base: *mut u8,
    items: PhantomData<&'a mut [T]>,
}

impl<T: Pooled> Items<'_, T> {
    #[inline(always)]
    fn place(&self) -> Place {
        let at = size_of::<SlabHeader>() + T::POOL as usize * size_of::<Place>();
        // SAFETY: `Slab::carve` was promised an account that starts with
        // HEAD_BYTES of header and places; no reference to the places exists.
        unsafe { *self.base.add(at).cast::<Place>() }
    }
}

impl<T: Pooled> Deref for Items<'_, T> {
    type Target = [T];
    #[inline(always)]
    fn deref(&self) -> &[T] {
        let place = self.place();
        // SAFETY: `Slab::carve` was promised that every place lies within the
        // account, is aligned and overlaps nothing else; each pool is only
        // reached through the one `Items` of its type, borrowed here.
        unsafe {
            let first = self.base.add(place.offset as usize).cast::<T>();
            core::slice::from_raw_parts(first, place.capacity as usize)
        }
    }
}

impl<T: Pooled> DerefMut for Items<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [T] {
        let place = self.place();
        // SAFETY: as in `deref`, borrowed mutably.
        unsafe {
            let first = self.base.add(place.offset as usize).cast::<T>();
            core::slice::from_raw_parts_mut(first, place.capacity as usize)
        }
    }
}

/// The wheel of holds: one bucket per expiry slot, modulo their number.
#[derive(Debug)]
pub struct Wheel<'a> {
    base: *mut u8,
    buckets: PhantomData<&'a mut [u32; HOLD_BUCKETS]>,
}

impl Wheel<'_> {
    /// The first hold of the bucket with this number.
    pub fn first(&self, number: usize) -> u32 {
        let at = size_of::<SlabHeader>() + PLACES_BYTES + number % HOLD_BUCKETS * 4;
        // SAFETY: as in `bucket`.
        unsafe { *self.base.add(at).cast::<u32>() }
    }

    /// The first hold of the bucket of a slot, 0 when there is none.
    #[inline(always)]
    pub fn bucket(&mut self, slot: Slot) -> &mut u32 {
        let at = size_of::<SlabHeader>() + PLACES_BYTES + (slot.0 as usize % HOLD_BUCKETS) * 4;
        // SAFETY: `Slab::carve` was promised HEAD_BYTES before the first pool,
        // and the wheel is the end of them; it is only reached through here.
        unsafe { &mut *self.base.add(at).cast::<u32>() }
    }
}

/// The items of one pool, addressed from 1.
///
/// Indexing with 0 or beyond the capacity panics, which aborts the
/// instruction and undoes it: links inside a slab are only ever written by
/// this engine, so such an index means corrupted memory. Indices that come
/// from outside go through [`Pool::get`].
#[derive(Debug)]
pub struct Pool<'a, T> {
    items: Items<'a, T>,
}

impl<T: Pooled> Pool<'_, T> {
    /// The item at an index from outside, or `None` when there is none.
    #[inline(always)]
    pub fn get(&self, index: u32) -> Option<&T> {
        self.items.get((index as usize).wrapping_sub(1))
    }

    /// All items as a slice, addressed from 0: for loops that would look up
    /// where the pool lies on every step.
    #[inline(always)]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// Items that fit.
    #[inline(always)]
    pub fn capacity(&self) -> u32 {
        self.items.place().capacity
    }

    /// The first `count` items.
    #[inline(always)]
    pub fn first(&self, count: u32) -> &[T] {
        let items: &[T] = &self.items;
        &items[..items.len().min(count as usize)]
    }

    /// All items in order of their index.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.items
            .iter()
            .enumerate()
            .map(|(at, item)| (at as u32 + 1, item))
    }
}

impl<T: Pooled> Index<u32> for Pool<'_, T> {
    type Output = T;
    #[inline(always)]
    fn index(&self, index: u32) -> &T {
        &self.items[(index as usize).wrapping_sub(1)]
    }
}

impl<T: Pooled> IndexMut<u32> for Pool<'_, T> {
    #[inline(always)]
    fn index_mut(&mut self, index: u32) -> &mut T {
        &mut self.items[(index as usize).wrapping_sub(1)]
    }
}

/// An item that can be linked into a free list.
pub trait Item: Pooled {
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
impl Item for Reservation {
    #[inline(always)]
    fn link(&mut self) -> &mut u32 {
        &mut self.slices_head
    }
}
impl Item for Slice {
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
    pub instruments: Items<'a, Instrument>,
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
    /// First hold of every bucket of the wheel.
    pub wheel: Wheel<'a>,
    /// Ring of trades.
    pub trades: Items<'a, Trade>,
    /// Aggressor ledger.
    pub ledger: Pool<'a, LedgerEntry>,
    /// Page hashes.
    pub root_pages: Items<'a, RootPage>,
}

impl<'a> Slab<'a> {
    /// Writes the header of an empty slab into zeroed memory. O(1).
    ///
    /// # Errors
    /// [`SlabError::AlreadyInitialized`] when the header is not zero,
    /// [`SlabError::BadCapacities`] when the pools do not fit `data`.
    pub fn initialize(data: &mut [u8], capacities: &Capacities) -> Result<()> {
        let account_bytes = data.len() as u64;
        let head = data.get_mut(..HEAD_BYTES).ok_or(SlabError::BadCapacities)?;
        // One comparison with memory, not a loop: on chain that is one system
        // call, where a thousand loads would cost 6,000 compute units.
        static EMPTY: [u8; HEAD_BYTES] = [0; HEAD_BYTES];
        if *head != EMPTY {
            return Err(SlabError::AlreadyInitialized);
        }
        let pools = capacities.directory(account_bytes)?;
        let (header, rest) = head.split_at_mut(size_of::<SlabHeader>());
        let (places, _) = rest.split_at_mut(PLACES_BYTES);
        let header: &mut SlabHeader =
            bytemuck::try_from_bytes_mut(header).map_err(|_| SlabError::NotASlab)?;
        header.discriminator = SlabHeader::DISCRIMINATOR;
        header.version = SlabHeader::VERSION;
        header.layout_bytes = capacities.layout_bytes();
        header.pools = pools;
        header.orders_per_account_max = u32::from(u16::MAX);
        let places: &mut [Place] =
            bytemuck::try_cast_slice_mut(places).map_err(|_| SlabError::NotASlab)?;
        places.copy_from_slice(&pools.map(place_of));
        Ok(())
    }

    /// Views `data` as a slab after checking stamp, version, length and the
    /// whole pool directory. For hosts, which may be handed any bytes.
    ///
    /// Nothing that is done with what was opened reaches outside `data`. What
    /// the items say is not checked: before a host follows links or operates
    /// on bytes that it does not trust, [`Slab::audit`] tells, in any case
    /// without a panic, whether every list ends and all is consistent. Without
    /// it a link that leads nowhere panics, see [`Pool`], and a circle of links
    /// may never end.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`] when anything does not match.
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        let header = SlabHeader::read(data).ok_or(SlabError::NotASlab)?;
        let items = header.pools.map(|pool| pool.capacity);
        let capacities = Capacities { items };
        let directory = capacities
            .directory(data.len() as u64)
            .map_err(|_| SlabError::NotASlab)?;
        let sound = directory
            .iter()
            .zip(&header.pools)
            .all(|(expected, found)| {
                (expected.offset, expected.item_bytes) == (found.offset, found.item_bytes)
                    && found.high_water <= found.capacity
                    && found.free_head <= found.high_water
                    && found.live <= found.high_water
            });
        let places: [Place; POOLS] =
            bytemuck::pod_read_unaligned(&data[size_of::<SlabHeader>()..][..PLACES_BYTES]);
        let sound = sound
            && places == directory.map(place_of)
            && header.layout_bytes == capacities.layout_bytes();
        if !sound {
            return Err(SlabError::NotASlab);
        }
        // SAFETY: the directory was recomputed from the capacities for this
        // length and equals the places, so every pool lies within `data`,
        // 8-aligned relative to its start, and overlaps no other; `read`
        // established the alignment of the start.
        Ok(unsafe { Self::carve(data) })
    }

    /// Views `data` as a slab after checking stamp and length only.
    ///
    /// # Safety
    /// `data` is 8-aligned and its first [`HEAD_BYTES`], if they are stamped as
    /// a slab, were written by [`Slab::initialize`] and changed by this engine
    /// alone. The Slab program knows this from the account's owner.
    ///
    /// # Errors
    /// [`SlabError::NotASlab`] when stamp, version or length do not match.
    #[inline(always)]
    pub unsafe fn open_owned(data: &'a mut [u8]) -> Result<Self> {
        let header = SlabHeader::read(data).ok_or(SlabError::NotASlab)?;
        if header.layout_bytes > data.len() as u64 {
            return Err(SlabError::NotASlab);
        }
        // SAFETY: by the caller's promise the places are the ones that
        // `initialize` computed, for a layout that was just found to fit.
        Ok(unsafe { Self::carve(data) })
    }

    /// # Safety
    /// `data` is 8-aligned and starts with a header and places; the pools at
    /// those places lie within `data`, are 8-aligned and do not overlap.
    #[inline(always)]
    unsafe fn carve(data: &'a mut [u8]) -> Self {
        let base = data.as_mut_ptr();
        // SAFETY: the header lies before the places and every pool, so this
        // reference overlaps nothing that `Items` reaches.
        let header = unsafe { &mut *base.cast::<SlabHeader>() };
        Self {
            header,
            instruments: items(base),
            accounts: Pool { items: items(base) },
            levels: Pool { items: items(base) },
            orders: Pool { items: items(base) },
            positions: Pool { items: items(base) },
            reservations: Pool { items: items(base) },
            slices: Pool { items: items(base) },
            wheel: Wheel {
                base,
                buckets: PhantomData,
            },
            trades: items(base),
            ledger: Pool { items: items(base) },
            root_pages: items(base),
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

/// Only called by [`Slab::carve`], once per item type and account.
#[inline(always)]
fn items<'a, T: Pooled>(base: *mut u8) -> Items<'a, T> {
    Items {
        base,
        items: PhantomData,
    }
}

fn place_of(pool: PoolHeader) -> Place {
    Place {
        offset: pool.offset,
        capacity: pool.capacity,
    }
}
