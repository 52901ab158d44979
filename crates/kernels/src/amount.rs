//! Amounts and labels as they lie in an account.
//!
//! Both are 128-bit integers stored as two words, low first: account data is
//! aligned to 8 bytes, a `u128` wants 16, and its bytes are the same.

use bytemuck::{Pod, Zeroable};
use core::cmp::Ordering;

macro_rules! two_words {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Clone, Copy, Default, PartialEq, Eq, Hash, Pod, Zeroable)]
        pub struct $name {
            low: u64,
            high: u64,
        }

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self::new(0);

            /// From a number.
            #[inline(always)]
            pub const fn new(number: u128) -> Self {
                Self { low: number as u64, high: (number >> 64) as u64 }
            }

            /// The number.
            #[inline(always)]
            pub const fn get(self) -> u128 {
                (self.high as u128) << 64 | self.low as u128
            }
        }

        impl Ord for $name {
            #[inline(always)]
            fn cmp(&self, other: &Self) -> Ordering {
                self.get().cmp(&other.get())
            }
        }

        impl PartialOrd for $name {
            #[inline(always)]
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.get())
            }
        }

        const _: () = assert!(size_of::<$name>() == 16 && align_of::<$name>() == 8);
    };
}

two_words!(
    /// A quantity, price, slope, fraction or value in units of 1e-18.
    Amount
);
two_words!(
    /// The name of an asset.
    Label
);

impl Amount {
    /// One.
    pub const ONE: Self = Self::new(crate::wide::SCALE);
}
