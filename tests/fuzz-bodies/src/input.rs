//! Numbers out of a string of bytes.
//!
//! Short encodings, in which every byte means something: most changes that the
//! fuzzer makes are then a different, valid operation.

use flagstone_units::{Side, Ticks};

/// The bytes that are left.
pub(crate) struct Input<'a>(pub(crate) &'a [u8]);

impl Input<'_> {
    /// Whether anything is left.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte; 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u32) -> u32 {
        u32::from(self.byte()) % bound
    }

    /// A word of eight bytes, zero behind the end.
    pub(crate) fn word(&mut self) -> u64 {
        u64::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }

    /// A side.
    pub(crate) fn side(&mut self) -> Side {
        match self.byte() & 1 {
            0 => Side::Bid,
            _ => Side::Ask,
        }
    }

    /// A price near `mark`, or one at the end of the range.
    pub(crate) fn ticks(&mut self, mark: Ticks) -> Ticks {
        Ticks(match self.byte() as i8 {
            i8::MAX => u32::MAX,
            i8::MIN => 0,
            near => mark.0.saturating_add_signed(near.into()),
        })
    }

    /// A quantity: mostly small, sometimes at an end of the range.
    pub(crate) fn lots(&mut self) -> u32 {
        match self.byte() {
            251 => 1_000,
            252 => 1_000_000,
            253 => i32::MAX as u32,
            254 => 1 << 31,
            255 => u32::MAX,
            small => small.into(),
        }
    }

    /// An amount in atoms: mostly what a few lots are worth.
    pub(crate) fn atoms(&mut self) -> u64 {
        match self.byte() {
            255 => u64::MAX,
            254 => i64::MAX as u64,
            253 => 1 << 40,
            small => u64::from(small) * 101,
        }
    }

    /// Slots: mostly a few.
    pub(crate) fn slots(&mut self) -> u32 {
        match self.byte() {
            255 => 100_000,
            254 => 2_000,
            253 => 600,
            252 => 300,
            251 => 150,
            few => u32::from(few) / 4,
        }
    }
}
