//! Who may do what: the desk of an issuer and its six roles.
//!
//! The consensus paper's components become signers. Each role has a record of
//! its own in the [`Desk`], one account that transitions only read: roles are
//! granted seldom, so nobody contends for its lock, and having all records in
//! one account is what lets a grant refuse a key that holds another role.
//!
//! A [`Party`] is a signer whose right to a role was checked. It can only be
//! had from here, so a transition cannot forget the check.

use crate::chain::{Chain, Event, Journal};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout, key_eq};
use flagstone_units::{PPM_ONE, Ppm, Slot};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal,)* }) => {
        $(#[$doc])*
        #[repr(u8)]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$vdoc])* $variant = $code,)*
        }

        impl $name {
            /// Every value, in order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The value with this code; [`crate::IndexError::UnknownCode`] when there is none.
            pub const fn from_code(code: u8) -> $crate::Result<Self> {
                match code {
                    $($code => Ok(Self::$variant),)*
                    _ => Err($crate::IndexError::UnknownCode),
                }
            }
        }
    };
}
pub(crate) use codes;

codes! {
    /// In which role a party acts.
    Role {
        /// Nobody in particular: the action is open to all.
        Anyone = 0,
        /// The user whose order or collateral it is.
        Owner = 1,
        /// The issuer's solver: queues orders, builds batches.
        Solver = 2,
        /// Books deposits, authorises and confirms spending.
        CollateralManager = 3,
        /// Accepts orders, locks them for execution, writes invoices.
        OrderManager = 4,
        /// Runs batches and attributes fills to orders.
        BatchManager = 5,
        /// Reports what venues executed, keeps the inventory.
        InventoryManager = 6,
        /// Mints index tokens.
        ChainConnector = 7,
        /// Administers the desk: grants roles, sets limits.
        Admin = 8,
    }
}

/// Records of the desk; the role codes 2 to 7 have one each, at `code - 2`.
pub const ROLES: usize = 6;
const FIRST_ROLE: usize = Role::Solver as usize;

/// One role's record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct RoleRecord {
    /// Who signs for the role; zero when it is vacant.
    pub key: Key,
    /// Slot of the grant.
    pub granted_slot: Slot,
    /// Grants of this role so far.
    pub generation: u32,
}
assert_layout!(RoleRecord, 40);

/// Limits that orders of a desk obey. Defaults of the authors' production run in brackets.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Limits {
    /// Largest collateral that one order may engage in one batch, in atoms [20 units].
    pub order_atoms_max: u64,
    /// Largest collateral that one batch may engage, in atoms [500 units].
    pub batch_atoms_max: u64,
    /// Fill rate above which an order may be minted after waiting [99 %].
    pub mint_threshold: Ppm,
    /// Fill rate above which an order is full [99.99 %].
    pub fill_threshold: Ppm,
    /// Largest exchange fee of a fill, as a share of its value [0.2 %].
    pub exchange_fee_max: Ppm,
    /// How long an order without improvement waits before it is settled as it is, in slots [10 s].
    pub patience_slots: Slot,
    /// How long collateral may take to become ready, in slots [30 min].
    pub collateral_slots: Slot,
    /// How long a batch may stay open before anyone may close it, in slots.
    pub batch_slots: Slot,
}
assert_layout!(Limits, 40);

impl Limits {
    fn check(&self) -> Result<()> {
        let one = PPM_ONE as u32;
        let sane = self.order_atoms_max > 0
            && self.order_atoms_max <= self.batch_atoms_max
            && self.mint_threshold.0 > 0
            && self.mint_threshold <= self.fill_threshold
            && self.fill_threshold.0 <= one
            && self.exchange_fee_max.0 <= one
            && self.collateral_slots.0 > 0
            && self.batch_slots.0 > 0;
        sane.then_some(()).ok_or(IndexError::BadParameter)
    }
}

/// An issuer's desk: roles, limits and their history.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Desk {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// Reserved; zero.
    pub padding: u32,
    /// Who grants roles and sets limits.
    pub admin: Key,
    /// History of grants and limits.
    pub chain: Chain,
    /// One record per role.
    pub roles: [RoleRecord; ROLES],
    /// Limits in force.
    pub limits: Limits,
    /// Reserved; zero.
    pub reserved: [u64; 13],
}
assert_layout!(Desk, 504, admin @ 16, chain @ 48, roles @ 120, limits @ 360);

impl Record for Desk {
    const DISCRIMINATOR: [u8; 8] = [0x21, 0x1c, 0x93, 0x06, 0xe2, 0x9e, 0xa6, 0x49];
    const VERSION: u32 = 1;
}

/// A role was granted or taken away, or the limits changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct DeskChanged {
    /// Who signs for the role from now on; zero when it fell vacant.
    pub key: Key,
    /// Which role, 0 when the limits changed.
    pub role: u8,
    /// Reserved; zero.
    pub padding: [u8; 3],
    /// Grants of the role so far.
    pub generation: u32,
    /// Limits in force afterwards.
    pub limits: Limits,
}
assert_layout!(DeskChanged, 80);

impl Event for DeskChanged {
    const TAG: u8 = 1;
}

/// A signer that was found to hold a role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    role: Role,
    key: Key,
    desk: Key,
}

impl Party {
    /// Anyone; no signature.
    pub const ANYONE: Self = Self {
        role: Role::Anyone,
        key: [0; 32],
        desk: [0; 32],
    };

    /// The role acted in.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// The signer; zero for anyone.
    pub const fn key(&self) -> Key {
        self.key
    }

    /// The desk acted for; zero for owners and anyone.
    pub(crate) const fn desk(&self) -> Key {
        self.desk
    }

    /// The owner of a record, who signed.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`] when `signer` is not the owner.
    pub fn owner(owner: &Key, signer: &Key) -> Result<Self> {
        if !key_eq(owner, signer) || *owner == [0; 32] {
            return Err(IndexError::WrongSigner);
        }
        Ok(Self {
            role: Role::Owner,
            key: *signer,
            desk: [0; 32],
        })
    }

    /// Passes when this party acts in `role` of the desk at `desk`.
    ///
    /// An action open to all passes for everyone. That an owner owns this very
    /// record is checked by the record, see [`Party::must_own`].
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`].
    pub fn must_be(&self, role: Role, desk: &Key) -> Result<()> {
        let right = match role {
            Role::Anyone => true,
            Role::Owner => self.role == Role::Owner,
            role => self.role == role && key_eq(&self.desk, desk),
        };
        right.then_some(()).ok_or(IndexError::WrongSigner)
    }

    /// Passes when this party is the owner `owner`.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`].
    pub fn must_own(&self, owner: &Key) -> Result<()> {
        let right = self.role == Role::Owner && key_eq(&self.key, owner);
        right.then_some(()).ok_or(IndexError::WrongSigner)
    }

    /// The party of a recorded event, to replay it. The audit checks the
    /// desk's own stream for who held the role when.
    pub(crate) fn recorded(role: u8, key: Key, desk: Key) -> Result<Self> {
        Ok(Self {
            role: Role::from_code(role)?,
            key,
            desk,
        })
    }
}

/// Where a desk keeps collateral and is paid was set.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct CustodySet {
    /// Mint of the collateral.
    pub mint: Key,
    /// Token account that holds it.
    pub vault: Key,
    /// Token account that the desk is paid to.
    pub payout: Key,
}
assert_layout!(CustodySet, 96);

impl Event for CustodySet {
    const TAG: u8 = 14;
}

impl Desk {
    /// A new desk without roles.
    ///
    /// # Errors
    /// [`IndexError::BadParameter`] when the administrator is zero or a limit out of range.
    pub fn new(stream: Key, admin: Key, limits: Limits) -> Result<Self> {
        limits.check()?;
        if admin == [0; 32] {
            return Err(IndexError::BadParameter);
        }
        Ok(Self {
            discriminator: Self::DISCRIMINATOR,
            version: Self::VERSION,
            padding: 0,
            admin,
            chain: Chain::new(stream),
            roles: [RoleRecord::zeroed(); ROLES],
            limits,
            reserved: [0; 13],
        })
    }

    /// Address of the desk.
    pub const fn address(&self) -> &Key {
        &self.chain.stream
    }

    /// The record of a role.
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] for roles that a desk does not grant.
    pub fn record(&self, role: Role) -> Result<&RoleRecord> {
        let at = (role as usize).wrapping_sub(FIRST_ROLE);
        self.roles.get(at).ok_or(IndexError::UnknownCode)
    }

    /// The signer acting in a role that it holds.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`] when it does not hold it.
    pub fn party(&self, role: Role, signer: &Key) -> Result<Party> {
        let holder = match role {
            Role::Admin => &self.admin,
            role => &self.record(role)?.key,
        };
        if *holder == [0; 32] || !key_eq(holder, signer) {
            return Err(IndexError::WrongSigner);
        }
        Ok(Party {
            role,
            key: *signer,
            desk: self.chain.stream,
        })
    }

    /// Grants a role to a key; a zero key leaves it vacant.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::UnknownCode`], and
    /// [`IndexError::RoleTaken`] when the key holds another role: each check of
    /// one role on another needs two different signers.
    pub fn grant(
        &mut self,
        admin: &Party,
        role: Role,
        key: Key,
        journal: &mut Journal,
    ) -> Result<()> {
        admin.must_be(Role::Admin, &self.chain.stream)?;
        self.record(role)?;
        let own = role as usize - FIRST_ROLE;
        let held = |at: usize, record: &RoleRecord| at != own && record.key == key;
        let mut others = self.roles.iter().enumerate();
        if key != [0; 32] && others.any(|(at, record)| held(at, record)) {
            return Err(IndexError::RoleTaken);
        }
        let generation = self.roles[own].generation.checked_add(1);
        let generation = generation.ok_or(IndexError::AmountOverflow)?;
        self.roles[own] = RoleRecord {
            key,
            granted_slot: journal.slot(),
            generation,
        };
        self.changed(admin, role as u8, key, generation, journal)
    }

    /// Replaces the limits.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`] and [`IndexError::BadParameter`].
    pub fn set_limits(
        &mut self,
        admin: &Party,
        limits: Limits,
        journal: &mut Journal,
    ) -> Result<()> {
        admin.must_be(Role::Admin, &self.chain.stream)?;
        limits.check()?;
        self.limits = limits;
        self.changed(admin, 0, [0; 32], 0, journal)
    }

    /// Records where collateral is kept and the desk is paid, which the program does.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`].
    pub fn set_custody(
        &mut self,
        admin: &Party,
        set: &CustodySet,
        journal: &mut Journal,
    ) -> Result<()> {
        admin.must_be(Role::Admin, &self.chain.stream)?;
        journal.record(&mut self.chain, admin, set)
    }

    fn changed(
        &mut self,
        admin: &Party,
        role: u8,
        key: Key,
        generation: u32,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = DeskChanged {
            key,
            role,
            padding: [0; 3],
            generation,
            limits: self.limits,
        };
        journal.record(&mut self.chain, admin, &event)
    }
}
