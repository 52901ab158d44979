//! How many items each pool holds, and where each pool lies.

use crate::layout::item_bytes;
use crate::{Result, SlabError};
use flagstone_interface::root::pages_for;
use flagstone_interface::slab::{
    HEAD_BYTES, INSTRUMENTS, POOLS, PoolHeader, PoolId, SLAB_BYTES_MAX,
};

/// How many items each pool holds, indexed by [`PoolId`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacities {
    /// Items per pool.
    pub items: [u32; POOLS],
}

/// Presets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlabSize {
    /// 256 KiB, for development and tests.
    Dev,
    /// 1 MiB.
    Small,
    /// 10 MiB, the largest account that Solana has.
    Full,
}

impl SlabSize {
    /// Capacities of the preset.
    pub const fn capacities(self) -> Capacities {
        let instruments = INSTRUMENTS as u32;
        let items = match self {
            Self::Dev => [4, 128, 256, 1_024, 1_024, 128, 512, 256, 64, 32],
            Self::Small => [8, 1_000, 1_600, 5_500, 5_500, 600, 2_400, 1_000, 400, 80],
            Self::Full => [
                instruments,
                10_000,
                16_384,
                60_000,
                60_000,
                8_000,
                32_000,
                10_000,
                4_096,
                400,
            ],
        };
        Capacities { items }
    }

    /// Data length of the account.
    pub const fn account_bytes(self) -> u64 {
        match self {
            Self::Dev => 256 * 1024,
            Self::Small => 1024 * 1024,
            Self::Full => SLAB_BYTES_MAX,
        }
    }
}

impl Capacities {
    /// Bytes from the start of the account to the end of the last pool.
    pub const fn layout_bytes(&self) -> u64 {
        let mut bytes = HEAD_BYTES as u64;
        let mut at = 0;
        while at < POOLS {
            bytes += self.items[at] as u64 * item_bytes(PoolId::ALL[at]) as u64;
            at += 1;
        }
        bytes
    }

    /// The pool directory of an empty slab.
    ///
    /// # Errors
    /// [`SlabError::BadCapacities`] when a pool is empty, is larger than its
    /// index type allows, the root's pages do not hold all accounts, or the
    /// layout exceeds `account_bytes` or 10 MiB.
    pub fn directory(&self, account_bytes: u64) -> Result<[PoolHeader; POOLS]> {
        let mut directory = [PoolHeader::default(); POOLS];
        let mut offset = HEAD_BYTES as u64;
        for ((entry, pool), capacity) in directory.iter_mut().zip(PoolId::ALL).zip(self.items) {
            let most = match pool {
                PoolId::Instruments => INSTRUMENTS as u32,
                PoolId::Accounts => u16::MAX as u32,
                _ => 1 << 24,
            };
            if capacity == 0 || capacity > most {
                return Err(SlabError::BadCapacities);
            }
            let item_bytes = item_bytes(pool);
            *entry = PoolHeader {
                offset: offset as u32,
                capacity,
                item_bytes,
                ..*entry
            };
            offset += u64::from(capacity) * u64::from(item_bytes);
        }
        let pages = pages_for(self.items[PoolId::Accounts as usize]);
        if self.items[PoolId::RootPages as usize] < pages {
            return Err(SlabError::BadCapacities);
        }
        if offset > account_bytes || offset > SLAB_BYTES_MAX {
            return Err(SlabError::BadCapacities);
        }
        Ok(directory)
    }
}

// The plan's pools fit one 10 MiB account, and every preset fits its own.
const _: () = assert!(SlabSize::Full.capacities().layout_bytes() <= SLAB_BYTES_MAX);
const _: () = assert!(SlabSize::Small.capacities().layout_bytes() <= 1024 * 1024);
const _: () = assert!(SlabSize::Dev.capacities().layout_bytes() <= 256 * 1024);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pfm3_the_plans_pools_fit_ten_mebibytes() {
        let full = SlabSize::Full.capacities();
        assert_eq!(
            full.items,
            [
                32, 10_000, 16_384, 60_000, 60_000, 8_000, 32_000, 10_000, 4_096, 400
            ]
        );
        assert!(full.layout_bytes() <= 10_485_760, "{}", full.layout_bytes());
    }

    #[test]
    fn directories_do_not_overlap_and_bad_capacities_are_refused() {
        for size in [SlabSize::Dev, SlabSize::Small, SlabSize::Full] {
            let capacities = size.capacities();
            let directory = capacities.directory(size.account_bytes()).unwrap();
            let mut end = HEAD_BYTES as u32;
            for entry in directory {
                assert_eq!(entry.offset, end);
                assert_eq!(entry.offset % 8, 0);
                end += entry.capacity * entry.item_bytes;
            }
            assert_eq!(u64::from(end), capacities.layout_bytes());
            let short = capacities.directory(capacities.layout_bytes() - 1);
            assert_eq!(short, Err(SlabError::BadCapacities));
        }
        let mut none = SlabSize::Dev.capacities();
        none.items[3] = 0;
        assert_eq!(
            none.directory(SLAB_BYTES_MAX),
            Err(SlabError::BadCapacities)
        );
        let mut huge = SlabSize::Dev.capacities();
        huge.items[1] = 70_000;
        assert_eq!(
            huge.directory(SLAB_BYTES_MAX),
            Err(SlabError::BadCapacities)
        );
        let mut pages = SlabSize::Dev.capacities();
        pages.items[1] = 64 * pages.items[9] + 1;
        assert_eq!(
            pages.directory(SLAB_BYTES_MAX),
            Err(SlabError::BadCapacities)
        );
    }
}
