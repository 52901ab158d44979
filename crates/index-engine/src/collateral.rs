//! Collateral of one user at one desk: deposit lots and spend lots.
//!
//! One account per user and desk, with the lots as two pools in it: a deposit
//! serves several orders and an order takes from several deposits, so lots are
//! walked together and belong in one place; users never touch each other's.
//!
//! Every deposit is a lot, and each atom of it is in one of five places:
//!
//! ```text
//! unconfirmed -> ready -> authorised -> spent
//!      |           |   <-     |
//!      |           +-> withdrawn
//!      +-> spent (routing charges), or withdrawn when nobody routes it
//! ```
//!
//! Each step takes the oldest lots first. A spend lot records what one order
//! has authorised and spent of one deposit, which is the paper's "verifiable
//! match between the spent collateral, the deposits, the minted Index tokens,
//! and the Index orders" (section 3).

use crate::amounts::Atoms;
use crate::chain::{Chain, Event};
use crate::store::{self, Item, List, Pool, PoolHead};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout};
use flagstone_units::Slot;

/// Where the atoms of a lot or of a position are.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Buckets {
    /// Deposited, not yet routed.
    pub unconfirmed: Atoms,
    /// Routed and free to be authorised or withdrawn.
    pub ready: Atoms,
    /// Set aside for an order.
    pub authorised: Atoms,
    /// Paid, for orders and for routing.
    pub spent: Atoms,
    /// Withdrawn by the user.
    pub withdrawn: Atoms,
}
assert_layout!(Buckets, 40);

impl Buckets {
    /// Everything that was ever deposited.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`].
    pub fn total(&self) -> Result<Atoms> {
        let open = self.unconfirmed.plus(self.ready)?.plus(self.authorised)?;
        open.plus(self.spent)?.plus(self.withdrawn)
    }

    /// Whether nothing is left to move.
    pub const fn is_closed(&self) -> bool {
        self.unconfirmed.0 == 0 && self.ready.0 == 0 && self.authorised.0 == 0
    }

    pub(crate) fn place(&mut self, place: Place) -> &mut Atoms {
        match place {
            Place::Unconfirmed => &mut self.unconfirmed,
            Place::Ready => &mut self.ready,
            Place::Authorised => &mut self.authorised,
            Place::Spent => &mut self.spent,
            Place::Withdrawn => &mut self.withdrawn,
        }
    }

    pub(crate) fn shift(&mut self, from: Place, to: Place, amount: Atoms) -> Result<()> {
        let left = self.place(from).minus(amount);
        *self.place(from) = left.map_err(|_| IndexError::NotEnoughCollateral)?;
        *self.place(to) = self.place(to).plus(amount)?;
        Ok(())
    }
}

/// One of the five places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Unconfirmed,
    Ready,
    Authorised,
    Spent,
    Withdrawn,
}

/// A deposit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct CollateralLot {
    /// Number of the deposit.
    pub deposit: u64,
    /// Amount deposited.
    pub original: Atoms,
    /// Where it is.
    pub buckets: Buckets,
    /// Slot of the deposit.
    pub slot: Slot,
    /// Next lot, in order of deposit.
    pub next: u32,
}
assert_layout!(CollateralLot, 64);

impl Item for CollateralLot {
    fn next(&mut self) -> &mut u32 {
        &mut self.next
    }
}

/// What one order has authorised and spent of one deposit.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct SpendLot {
    /// The order.
    pub order: Key,
    /// Set aside for it.
    pub authorised: Atoms,
    /// Paid for it.
    pub spent: Atoms,
    /// Number of the deposit, kept when its lot is closed.
    pub deposit: u64,
    /// Index of the deposit's lot.
    pub lot: u32,
    /// Next spend lot, in order of authorisation.
    pub next: u32,
}
assert_layout!(SpendLot, 64);

impl Item for SpendLot {
    fn next(&mut self) -> &mut u32 {
        &mut self.next
    }
}

/// Head of a position's account; collateral lots and then spend lots follow.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct CollateralPosition {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Reserved; zero.
    pub padding: u32,
    /// Desk that it is deposited with.
    pub desk: Key,
    /// Whose it is.
    pub owner: Key,
    /// Its history.
    pub chain: Chain,
    /// Where everything ever deposited is.
    pub totals: Buckets,
    /// Number of the last deposit; numbers only grow.
    pub deposit_last: u64,
    /// Pool of collateral lots.
    pub lots: PoolHead,
    /// Pool of spend lots.
    pub spends: PoolHead,
    /// Collateral lots, oldest first.
    pub lot_list: List,
    /// Spend lots, oldest first.
    pub spend_list: List,
    /// Reserved; zero.
    pub reserved: [u64; 7],
}
assert_layout!(CollateralPosition, 304, chain @ 80, totals @ 152, lots @ 200);

impl Record for CollateralPosition {
    const DISCRIMINATOR: [u8; 8] = [0x75, 0x44, 0x28, 0xf6, 0x9f, 0xce, 0x83, 0x9f];
    const VERSION: u32 = 1;
}

crate::roles::codes! {
    /// What can be done to a position.
    CollateralAction {
        /// A deposit arrived.
        Deposit = 1,
        /// Deposits were routed and are ready.
        MakeReady = 2,
        /// Routing costs are charged.
        Charge = 3,
        /// Ready collateral is set aside for an order.
        Authorise = 4,
        /// What was set aside is paid.
        Confirm = 5,
        /// What was set aside is free again.
        Release = 6,
        /// Ready collateral goes back to the user.
        Withdraw = 7,
        /// Spend lots of a finished order are dropped.
        Archive = 8,
        /// Collateral that nobody routed goes back to the user.
        Reclaim = 9,
    }
}

/// A position changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct CollateralMoved {
    /// [`CollateralAction`].
    pub action: u8,
    /// Reserved; zero.
    pub padding: [u8; 7],
    /// The order that it was for; zero for deposits, routing and withdrawals.
    pub order: Key,
    /// Amount moved.
    pub amount: Atoms,
    /// Number of the newest deposit touched.
    pub deposit: u64,
    /// Hash over the lots touched: deposit number and amount of each.
    pub lots_hash: [u8; 32],
    /// Totals afterwards.
    pub after: Buckets,
}
assert_layout!(CollateralMoved, 128);

impl Event for CollateralMoved {
    const TAG: u8 = 4;
}

/// The typed view of a position's account.
#[derive(Debug)]
pub struct Collateral<'a> {
    /// The head.
    pub position: &'a mut CollateralPosition,
    pub(crate) lots: &'a mut [CollateralLot],
    pub(crate) spends: &'a mut [SpendLot],
}

/// Bytes of an account with these capacities.
pub const fn collateral_bytes(lots: u32, spends: u32) -> usize {
    size_of::<CollateralPosition>()
        + lots as usize * size_of::<CollateralLot>()
        + spends as usize * size_of::<SpendLot>()
}

impl<'a> Collateral<'a> {
    /// Creates a position in zeroed account bytes.
    ///
    /// # Errors
    /// [`IndexError::AlreadyInitialized`], [`IndexError::BadCapacity`] and
    /// [`IndexError::BadParameter`] when the owner is zero.
    pub fn create(
        data: &'a mut [u8],
        stream: Key,
        desk: Key,
        owner: Key,
        capacities: [u32; 2],
    ) -> Result<Self> {
        store::must_be_new(data)?;
        if owner == [0; 32] {
            return Err(IndexError::BadParameter);
        }
        let (position, _) = store::split_record::<CollateralPosition>(data)?;
        position.discriminator = CollateralPosition::DISCRIMINATOR;
        position.version = CollateralPosition::VERSION;
        position.desk = desk;
        position.owner = owner;
        position.chain = Chain::new(stream);
        position.lots = PoolHead::new(capacities[0])?;
        position.spends = PoolHead::new(capacities[1])?;
        Self::open(data)
    }

    /// Views account bytes as a position.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`] and [`IndexError::BadCapacity`].
    pub fn open(data: &'a mut [u8]) -> Result<Self> {
        store::record::<CollateralPosition>(data)?;
        let (position, rest) = store::split_record::<CollateralPosition>(data)?;
        let (lots, rest) = store::split(rest, position.lots.capacity as usize)?;
        let (spends, _) = store::split(rest, position.spends.capacity as usize)?;
        Ok(Self {
            position,
            lots,
            spends,
        })
    }

    /// Open lots, oldest first.
    pub fn lots(&self) -> impl Iterator<Item = &CollateralLot> {
        store::walk(self.lots, self.position.lot_list.first, |lot| lot.next)
    }

    /// Spend lots, oldest first.
    pub fn spends(&self) -> impl Iterator<Item = &SpendLot> {
        store::walk(self.spends, self.position.spend_list.first, |spend| {
            spend.next
        })
    }

    /// What an order has set aside and spent, over all deposits.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`].
    pub fn of_order(&self, order: &Key) -> Result<(Atoms, Atoms)> {
        let mut own = self.spends().filter(|spend| spend.order == *order);
        own.try_fold((Atoms::ZERO, Atoms::ZERO), |(held, spent), spend| {
            Ok((held.plus(spend.authorised)?, spent.plus(spend.spent)?))
        })
    }

    pub(crate) fn lot_pool(&mut self) -> Pool<'_, CollateralLot> {
        Pool {
            head: &mut self.position.lots,
            items: self.lots,
        }
    }
}
