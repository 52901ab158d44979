//! What the programs of the suite read of each other.
//!
//! No program calls another; each reads the others' accounts and writes only
//! its own. This crate is therefore the whole contract between them, and what
//! the SDK builds on: account layouts, counters, program ids, instruction
//! numbers, error codes and events.
//!
//! Layouts hold only fixed-width integers and byte arrays, 8-aligned, without
//! padding, so that the same bytes mean the same on every compiler. Sizes and
//! the offsets that other programs rely on are asserted at compile time.
#![no_std]

pub mod collateral;
pub mod debit;
pub mod error;
pub mod escrow;
pub mod event;
pub mod governance;
pub mod grid;
pub mod index;
pub mod instruction;
pub mod limits;
pub mod liquidation;
pub mod root;
pub mod router;
mod sha256;
pub mod slab;

/// A 32-byte account address.
pub type Key = [u8; 32];

/// Address of the Router program on a local network.
///
/// A deployment replaces the ids with its own keypairs'.
pub const ROUTER_ID: Key = [
    3, 150, 201, 190, 110, 9, 34, 13, 36, 19, 44, 103, 124, 180, 198, 113, 192, 93, 159, 13, 103,
    201, 100, 194, 126, 131, 98, 28, 240, 0, 0, 0,
];

/// Address of the Slab program on a local network.
pub const SLAB_ID: Key = [
    3, 150, 201, 190, 110, 9, 34, 13, 164, 14, 11, 69, 23, 23, 253, 241, 226, 126, 250, 75, 193,
    254, 49, 28, 65, 176, 103, 213, 0, 0, 0, 0,
];

/// Address of the index-vault program on a local network.
pub const INDEX_VAULT_ID: Key = [
    3, 150, 201, 190, 110, 9, 33, 209, 112, 217, 222, 95, 192, 197, 202, 227, 235, 116, 40, 134,
    183, 195, 50, 104, 55, 248, 160, 222, 171, 0, 0, 0,
];

/// Address of Pyth's receiver program, which owns the price accounts that an
/// oracle may be: `rec5EKMGg6MxZYaMdyBfgwp4d5rB9T1VQH5pJv5LtFJ`.
pub const PYTH_RECEIVER_ID: Key = [
    12, 183, 250, 187, 82, 247, 166, 72, 187, 91, 49, 125, 154, 1, 139, 144, 87, 203, 2, 71, 116,
    250, 254, 1, 230, 196, 223, 152, 204, 56, 88, 129,
];

/// An account record: a plain layout that starts with its discriminator and version.
pub trait Record: bytemuck::Pod {
    /// First eight bytes: `sha256("account:<Name>")[..8]`, Anchor's convention.
    const DISCRIMINATOR: [u8; 8];
    /// Version of the layout, in the four bytes after the discriminator.
    const VERSION: u32;

    /// Views `data` as this record after checking length, discriminator and version.
    #[inline(always)]
    fn read(data: &[u8]) -> Option<&Self> {
        let bytes = data.get(..core::mem::size_of::<Self>())?;
        if !stamped(bytes, Self::DISCRIMINATOR, Self::VERSION) {
            return None;
        }
        bytemuck::try_from_bytes(bytes).ok()
    }
}

/// Whether `bytes` carry this discriminator and version.
#[inline(always)]
fn stamped(bytes: &[u8], discriminator: [u8; 8], version: u32) -> bool {
    let (Some(head), Some(number)) = (bytes.first_chunk::<8>(), bytes.get(8..12)) else {
        return false;
    };
    u64::from_le_bytes(*head) == u64::from_le_bytes(discriminator)
        && number == version.to_le_bytes()
}

/// Whether two addresses are equal, in four word compares.
#[inline(always)]
pub fn key_eq(left: &Key, right: &Key) -> bool {
    let (left, right) = (bytemuck::bytes_of(left), bytemuck::bytes_of(right));
    let word = |bytes: &[u8], at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_le_bytes(word)
    };
    word(left, 0) == word(right, 0)
        && word(left, 8) == word(right, 8)
        && word(left, 16) == word(right, 16)
        && word(left, 24) == word(right, 24)
}

/// Asserts the size of a layout and the offsets of fields at compile time.
#[macro_export]
macro_rules! assert_layout {
    ($name:ty, $size:expr $(, $field:ident @ $offset:expr)* $(,)?) => {
        const _: () = assert!(core::mem::size_of::<$name>() == $size);
        const _: () = assert!(core::mem::align_of::<$name>() <= 8);
        $(const _: () = assert!(core::mem::offset_of!($name, $field) == $offset);)*
    };
}
