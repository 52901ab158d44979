//! A batch: the orders that are executed together, and what each may take.
//!
//! One account per batch holds its members, its assets, the cells between
//! them and the lots bought: attributing fills to one order needs every asset
//! of it at once, and a batch ends as a whole. It is closed when it is over.
//!
//! ```text
//! header | assets[n] | members[m] | cells[m * n], member by member | lots[l]
//! ```
//!
//! Before a batch is sealed, every cell gets the order's *contribution*
//! (quantity of the asset that it needs) and its *fraction* of whatever the
//! batch buys of that asset. The fractions of an asset sum to at most one and
//! never change again; that, and not the order of execution, is what shares
//! scarce assets fairly (the paper's vector F, section 6.3, which splits
//! wrongly when orders run one after another).

use crate::amounts::{Atoms, Fraction, Price, Quantity, Tokens};
use crate::chain::{Chain, Event};
use crate::store::{self, Item, List, Pool, PoolHead};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::Slot;

/// Largest number of members, as the authors'.
pub const MEMBERS_MAX: u32 = 16;
/// Largest number of assets: an index has up to 256 constituents.
pub const ASSETS_MAX: u32 = 256;

crate::roles::codes! {
    /// Where a batch is in its life.
    BatchState {
        /// Members and cells are being added.
        Building = 1,
        /// Fractions are frozen; orders are being locked.
        Sealed = 2,
        /// At the venues.
        Sent = 3,
        /// Every asset is bought or cancelled.
        Complete = 4,
    }
}

crate::roles::codes! {
    /// How a member stands.
    Standing {
        /// Added, not yet locked.
        Invited = 1,
        /// The order is locked in this batch.
        Engaged = 2,
        /// The order left: full, or carried over.
        Left = 3,
        /// The solver dropped it before it was locked.
        Dropped = 4,
    }
}

/// An asset of a batch: one exchange order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct BatchAsset {
    /// Label of the asset in the market.
    pub label: u64,
    /// Highest price that may be paid.
    pub limit: Price,
    /// Quantity ordered, padding included.
    pub ordered: Quantity,
    /// Bought at venues.
    pub filled: Quantity,
    /// Taken from lots carried over, which cancel as much of the exchange order.
    pub carried: Quantity,
    /// Cancelled.
    pub cancelled: Quantity,
    /// Attributed to members.
    pub taken: Quantity,
    /// Sum of the members' fractions; never above one.
    pub fractions: Fraction,
    /// Number of the last fill; numbers only grow.
    pub fill_last: u64,
    /// Lots of this asset, oldest first.
    pub lots: List,
}
assert_layout!(BatchAsset, 128);

impl BatchAsset {
    /// Bought, from venues and from carried lots.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`].
    pub fn position(&self) -> Result<Quantity> {
        self.filled.plus(self.carried)
    }

    /// Still ordered: neither bought nor cancelled.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] on broken records.
    pub fn open(&self) -> Result<Quantity> {
        self.ordered.minus(self.position()?)?.minus(self.cancelled)
    }
}

/// A member of a batch.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Member {
    /// The order.
    pub order: Key,
    /// Collateral that it engages.
    pub engaged: Atoms,
    /// Index tokens that it engages.
    pub tokens: Tokens,
    /// Index tokens filled so far in this batch.
    pub filled: Tokens,
    /// Collateral spent so far in this batch.
    pub spent: Atoms,
    /// What its contributions cost at the limit prices with the largest fee.
    pub cost_max: Atoms,
    /// Cells set so far.
    pub cells: u32,
    /// [`Standing`].
    pub standing: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
}
assert_layout!(Member, 80);

/// What one member needs of one asset.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Cell {
    /// Share of the batch's position in the asset.
    pub fraction: Fraction,
    /// Quantity that fills the member's engaged tokens.
    pub contribution: Quantity,
    /// Quantity taken so far.
    pub taken: Quantity,
}
assert_layout!(Cell, 40);

/// A lot bought by a batch, from a fill or carried over.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct BatchLot {
    /// Number of the fill that it came from.
    pub fill: u64,
    /// Batch whose fill it was.
    pub batch: u64,
    /// Price of the fill.
    pub price: Price,
    /// Quantity of the fill.
    pub original: Quantity,
    /// Quantity not yet attributed to an order.
    pub remaining: Quantity,
    /// Value of `original`, in atoms.
    pub cost: Atoms,
    /// Exchange fee on `original`, in atoms.
    pub fee: Atoms,
    /// Slot of the fill.
    pub slot: Slot,
    /// Next lot of the asset, in order of fills.
    pub next: u32,
}
assert_layout!(BatchLot, 88);

impl Item for BatchLot {
    fn next(&mut self) -> &mut u32 {
        &mut self.next
    }
}

/// Head of a batch's account.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct OrderBatch {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// [`BatchState`].
    pub state: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// Desk that runs it.
    pub desk: Key,
    /// Its history.
    pub chain: Chain,
    /// Number of the batch.
    pub number: u64,
    /// Sequence of the market data that it was solved with.
    pub market_sequence: u64,
    /// Collateral engaged by all members.
    pub engaged: Atoms,
    /// Members, and how many fit.
    pub members: u32,
    /// Members that fit.
    pub members_max: u32,
    /// Assets set so far.
    pub assets: u32,
    /// Assets that the batch has.
    pub assets_max: u32,
    /// Slot of the creation.
    pub created_slot: Slot,
    /// Slot after which anyone may cancel what is open.
    pub deadline_slot: Slot,
    /// Pool of lots.
    pub lots: PoolHead,
    /// Reserved; zero.
    pub reserved: [u64; 9],
}
assert_layout!(OrderBatch, 256, desk @ 16, chain @ 48, number @ 120, lots @ 168);

impl Record for OrderBatch {
    const DISCRIMINATOR: [u8; 8] = [0x99, 0x66, 0x24, 0x46, 0x09, 0x2d, 0x65, 0xd4];
    const VERSION: u32 = 1;
}

crate::roles::codes! {
    /// What happened to a batch.
    BatchEvent {
        /// It was created.
        Created = 1,
        /// Assets were set.
        Assets = 2,
        /// A member was added.
        Joined = 3,
        /// Cells of a member were set.
        Cells = 4,
        /// A member was dropped before it was locked.
        Dropped = 5,
        /// Fractions are frozen.
        Sealed = 6,
        /// A member's order was locked.
        Engaged = 7,
        /// The batch went to the venues.
        Sent = 8,
        /// A venue filled.
        Filled = 9,
        /// The rest of an asset was cancelled.
        Cancelled = 10,
        /// Every asset is bought or cancelled.
        Complete = 11,
        /// A member took lots; the list of them follows.
        Taken = 12,
        /// A member left.
        Left = 13,
        /// A lot was drawn from the carry-over.
        Drawn = 14,
        /// A lot was retired to the carry-over.
        Retired = 15,
    }
}

/// A batch changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct BatchMoved {
    /// [`BatchEvent`].
    pub kind: u8,
    /// [`BatchState`] afterwards.
    pub state: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Member or asset concerned, by position.
    pub position: u32,
    /// Order concerned, zero for none.
    pub order: Key,
    /// Fill concerned, zero for none.
    pub fill: u64,
    /// Collateral of the action.
    pub amount: Atoms,
    /// Exchange fee of the action.
    pub fee: Atoms,
    /// Index tokens of the action.
    pub tokens: Tokens,
    /// Asset quantity of the action.
    pub quantity: Quantity,
    /// Price of the action.
    pub price: Price,
    /// Hash of the list given or taken: assets, cells or lots; of number,
    /// market sequence and size when it is created.
    pub list_hash: [u8; 32],
}
assert_layout!(BatchMoved, 136);

impl Event for BatchMoved {
    const TAG: u8 = 8;
}

/// The typed view of a batch's account.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The head.
    pub head: &'a mut OrderBatch,
    pub(crate) assets: &'a mut [BatchAsset],
    pub(crate) members: &'a mut [Member],
    pub(crate) cells: &'a mut [Cell],
    pub(crate) lots: &'a mut [BatchLot],
}

/// How much a batch's account holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchSize {
    /// Assets, at most [`ASSETS_MAX`].
    pub assets: u32,
    /// Members, at most [`MEMBERS_MAX`].
    pub members: u32,
    /// Lots open at a time.
    pub lots: u32,
}

impl BatchSize {
    /// Bytes of the account.
    pub const fn bytes(self) -> usize {
        let (assets, members) = (self.assets as usize, self.members as usize);
        size_of::<OrderBatch>()
            + assets * size_of::<BatchAsset>()
            + members * size_of::<Member>()
            + assets * members * size_of::<Cell>()
            + self.lots as usize * size_of::<BatchLot>()
    }
}

impl<'a> Batch<'a> {
    /// Views account bytes as a batch.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`] and [`IndexError::BadCapacity`].
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<OrderBatch>(data)?;
        let (head, rest) = store::split_record::<OrderBatch>(data)?;
        if head.members_max > MEMBERS_MAX || head.assets_max > ASSETS_MAX {
            return Err(IndexError::BadCapacity);
        }
        let (assets, members) = (head.assets_max as usize, head.members_max as usize);
        let (asset_items, rest) = store::split(rest, assets)?;
        let (member_items, rest) = store::split(rest, members)?;
        let (cells, rest) = store::split(rest, assets * members)?;
        let (lots, _) = store::split(rest, head.lots.capacity as usize)?;
        Ok(Self {
            head,
            assets: asset_items,
            members: member_items,
            cells,
            lots,
        })
    }

    /// Where the batch is in its life.
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] on a broken record.
    pub const fn state(&self) -> Result<BatchState> {
        BatchState::from_code(self.head.state)
    }

    /// The assets set so far.
    pub fn assets(&self) -> &[BatchAsset] {
        &self.assets[..(self.head.assets as usize).min(self.assets.len())]
    }

    /// The members added so far.
    pub fn members(&self) -> &[Member] {
        &self.members[..(self.head.members as usize).min(self.members.len())]
    }

    /// The cells of a member, in order of the assets; empty when there is no such member.
    pub fn cells(&self, member: usize) -> &[Cell] {
        let width = self.assets.len();
        let cells = self.cells.get(member * width..(member + 1) * width);
        cells.unwrap_or(&[])
    }

    /// Open lots of an asset, oldest first.
    pub fn lots(&self, asset: usize) -> impl Iterator<Item = &BatchLot> {
        store::walk(
            self.lots,
            self.assets.get(asset).map_or(0, |asset| asset.lots.first),
            |lot| lot.next,
        )
    }

    pub(crate) fn must_be_in(&self, state: BatchState) -> Result<()> {
        if self.state()? == state {
            return Ok(());
        }
        Err(IndexError::IllegalTransition)
    }

    pub(crate) fn asset(&mut self, asset: usize) -> Result<&mut BatchAsset> {
        let known = (self.head.assets as usize).min(self.assets.len());
        let found = self.assets[..known].get_mut(asset);
        found.ok_or(IndexError::OutOfOrder)
    }

    pub(crate) fn member(&mut self, order: &Key) -> Result<(usize, &mut Member)> {
        let known = (self.head.members as usize).min(self.members.len());
        let mut members = self.members[..known].iter_mut().enumerate();
        let found = members.find(|(_, member)| member.order == *order);
        found.ok_or(IndexError::NotAMember)
    }

    pub(crate) fn lot_pool(&mut self) -> Pool<'_, BatchLot> {
        Pool {
            head: &mut self.head.lots,
            items: self.lots,
        }
    }
}
