//! A desk with its signers, account bytes, and the log of what was written.

use crate::Result;
use crate::amounts::{Atoms, ONE, Price, Quantity};
use crate::chain::Journal;
use crate::orders::{IndexOrder, Submission};
use crate::roles::{Desk, Limits, Party, Role};
use flagstone_interface::Key;
use flagstone_units::{Ppm, Side, Slot};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

pub(crate) const fn key(name: u8) -> Key {
    [name; 32]
}

pub(crate) const DESK: Key = key(0xd0);
pub(crate) const ADMIN: Key = key(0xad);
pub(crate) const OWNER: Key = key(0x01);
pub(crate) const INDEX: Key = key(0x1d);

pub(crate) const LIMITS: Limits = Limits {
    order_atoms_max: 1_000_000_000,
    batch_atoms_max: 4_000_000_000,
    mint_threshold: Ppm(990_000),
    fill_threshold: Ppm(999_900),
    exchange_fee_max: Ppm(2_000),
    patience_slots: Slot(25),
    collateral_slots: Slot(4_500),
    batch_slots: Slot(750),
};

/// Zeroed account bytes, 8-aligned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account(Vec<u64>);

impl Account {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(vec![0; bytes.div_ceil(8)])
    }
    pub(crate) fn data(&mut self) -> &mut [u8] {
        bytemuck::cast_slice_mut(&mut self.0)
    }
    pub(crate) fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.0)
    }
}

/// A desk, a clock, and every event by stream.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) desk: Desk,
    pub(crate) slot: u32,
    pub(crate) log: BTreeMap<Key, Vec<Vec<u8>>>,
}

pub(crate) const GRANTED: [Role; 6] = [
    Role::Solver,
    Role::CollateralManager,
    Role::OrderManager,
    Role::BatchManager,
    Role::InventoryManager,
    Role::ChainConnector,
];

impl World {
    pub(crate) fn new() -> Self {
        let desk = Desk::new(DESK, ADMIN, LIMITS).unwrap();
        let (slot, log) = (1_000, BTreeMap::new());
        let mut world = Self { desk, slot, log };
        for role in GRANTED {
            let mut desk = world.desk;
            let admin = desk.party(Role::Admin, &ADMIN).unwrap();
            world
                .run(|journal| desk.grant(&admin, role, key(role as u8 + 0x40), journal))
                .unwrap();
            world.desk = desk;
        }
        world.slot += 1;
        world
    }

    /// Runs an instruction; its events are kept when it succeeds.
    pub(crate) fn run<T>(&mut self, act: impl FnOnce(&mut Journal) -> Result<T>) -> Result<T> {
        let mut written: Vec<Vec<u8>> = Vec::new();
        let mut sink = |pieces: &[&[u8]]| written.push(pieces.concat());
        let done = act(&mut Journal::new(sha256, Slot(self.slot), &mut sink))?;
        for event in written {
            let stream: Key = event[8..40].try_into().unwrap();
            self.log.entry(stream).or_default().push(event);
        }
        Ok(done)
    }

    pub(crate) fn role(&self, role: Role) -> Party {
        let key = key(role as u8 + 0x40);
        self.desk.party(role, &key).unwrap()
    }

    pub(crate) fn events(&self, stream: &Key) -> Vec<&[u8]> {
        let events = self.log.get(stream).into_iter().flatten();
        events.map(Vec::as_slice).collect()
    }

    /// A submitted order.
    pub(crate) fn order(&mut self, stream: Key, amount: u64) -> IndexOrder {
        let submission = Submission {
            stream,
            desk: DESK,
            index: INDEX,
            order_id: 7,
            side: Side::Bid,
            amount: Atoms(amount),
        };
        self.run(|journal| IndexOrder::submit(&submission, &owner(), journal))
            .unwrap()
    }
}

pub(crate) fn owner() -> Party {
    Party::owner(&OWNER, &OWNER).unwrap()
}

/// Whole units of an asset.
pub(crate) fn units(units: u64) -> Quantity {
    Quantity::new(u128::from(units) * u128::from(ONE))
}

/// A price of this many atoms per unit.
pub(crate) fn atoms_per_unit(atoms: u64) -> Price {
    Price::new(u128::from(atoms) * u128::from(ONE) / 1_000_000)
}
