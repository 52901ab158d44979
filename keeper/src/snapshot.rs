//! The bytes of a slab at one moment, aligned as its layouts ask.

use flagstone_sdk::engine::layout::{Instrument, Position};
use flagstone_sdk::interface::Record;
use flagstone_sdk::interface::slab::{PoolId, SlabAccount, SlabHeader, item_at};

/// A copy of a slab's bytes.
#[derive(Clone, Debug)]
pub struct Snapshot {
    words: Vec<u64>,
    bytes: usize,
}

impl Snapshot {
    /// Copies the bytes of a slab; `None` when they are none.
    pub fn of(data: &[u8]) -> Option<Self> {
        let mut words = vec![0u64; data.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..data.len()].copy_from_slice(data);
        let snapshot = Self {
            words,
            bytes: data.len(),
        };
        SlabHeader::read(snapshot.bytes())
            .is_some()
            .then_some(snapshot)
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.bytes]
    }

    /// Header of the slab.
    pub fn header(&self) -> &SlabHeader {
        SlabHeader::read(self.bytes()).expect("checked when it was taken")
    }

    /// The instrument with this number.
    pub fn instrument(&self, number: u8) -> Option<&Instrument> {
        item_at(self.bytes(), PoolId::Instruments, u32::from(number) + 1)
    }

    /// The account at an index.
    pub fn account(&self, index: u32) -> Option<&SlabAccount> {
        item_at(self.bytes(), PoolId::Accounts, index)
    }

    /// The position at an index.
    pub fn position(&self, index: u32) -> Option<&Position> {
        item_at(self.bytes(), PoolId::Positions, index)
    }

    /// Numbers of the instruments.
    pub fn instruments(&self) -> impl Iterator<Item = (u8, &Instrument)> {
        let used = self.header().pool(PoolId::Instruments).high_water as u8;
        (0..used).filter_map(|number| Some((number, self.instrument(number)?)))
    }

    /// Every account that was ever handed out, with its index.
    pub fn accounts(&self) -> impl Iterator<Item = (u32, &SlabAccount)> {
        let used = self.header().pool(PoolId::Accounts).high_water;
        (1..=used).filter_map(|index| Some((index, self.account(index)?)))
    }

    /// Every position that was ever handed out, with its index.
    pub fn positions(&self) -> impl Iterator<Item = (u32, &Position)> {
        let used = self.header().pool(PoolId::Positions).high_water;
        (1..=used).filter_map(|index| Some((index, self.position(index)?)))
    }
}
