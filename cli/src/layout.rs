//! `flagstone layout`: where the bytes of a slab go.

use crate::print::tell;
use crate::table::{grouped, numbers};
use anyhow::Result;
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::layout::item_bytes;
use flagstone_sdk::interface::slab::{HEAD_BYTES, PoolId};
use serde::Serialize;

/// Arguments of `flagstone layout`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Preset
    #[arg(long, value_enum, default_value = "full")]
    size: Size,
    /// Print JSON instead of a table
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Size {
    /// 10 MiB, the largest account that Solana has
    Full,
    /// 1 MiB
    Small,
    /// 256 KiB, for development
    Dev,
}

impl From<Size> for SlabSize {
    fn from(size: Size) -> Self {
        match size {
            Size::Full => Self::Full,
            Size::Small => Self::Small,
            Size::Dev => Self::Dev,
        }
    }
}

/// Bytes of a slab.
#[derive(Debug, Serialize)]
struct Layout {
    /// From the start of the header to the end of the last pool.
    total_bytes: u64,
    /// Data length of the account.
    account_bytes: u64,
    pools: Vec<PoolBytes>,
}

#[derive(Debug, Serialize)]
struct PoolBytes {
    name: &'static str,
    capacity: u32,
    bytes_each: u32,
    bytes: u64,
}

fn layout(size: SlabSize) -> Layout {
    let capacities = size.capacities();
    let header = PoolBytes {
        name: "header",
        capacity: 1,
        bytes_each: HEAD_BYTES as u32,
        bytes: HEAD_BYTES as u64,
    };
    let pools = PoolId::ALL
        .iter()
        .zip(capacities.items)
        .map(|(pool, capacity)| PoolBytes {
            name: pool.name(),
            capacity,
            bytes_each: item_bytes(*pool),
            bytes: u64::from(capacity) * u64::from(item_bytes(*pool)),
        });
    Layout {
        total_bytes: capacities.layout_bytes(),
        account_bytes: size.account_bytes(),
        pools: std::iter::once(header).chain(pools).collect(),
    }
}

/// Runs the command.
///
/// # Errors
/// When the layout cannot be written as JSON.
pub(crate) fn run(args: &Args) -> Result<()> {
    let layout = layout(args.size.into());
    if args.json {
        tell!("{}", serde_json::to_string_pretty(&layout)?);
        return Ok(());
    }
    let row = |name: &str, capacity: String, each: String, bytes: u64| {
        vec![name.to_string(), capacity, each, grouped(bytes)]
    };
    let pools = layout.pools.iter();
    let mut rows: Vec<_> = pools
        .map(|pool| {
            row(
                pool.name,
                grouped(pool.capacity),
                grouped(pool.bytes_each),
                pool.bytes,
            )
        })
        .collect();
    rows.push(row(
        "total",
        String::new(),
        String::new(),
        layout.total_bytes,
    ));
    rows.push(row(
        "account",
        String::new(),
        String::new(),
        layout.account_bytes,
    ));
    tell!(
        "{}",
        numbers(&["pool", "capacity", "bytes each", "bytes"], rows)
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_add_up_to_the_total() {
        for size in [SlabSize::Full, SlabSize::Small, SlabSize::Dev] {
            let layout = layout(size);
            let sum: u64 = layout.pools.iter().map(|pool| pool.bytes).sum();
            assert_eq!(sum, layout.total_bytes);
            assert!(layout.total_bytes <= layout.account_bytes);
            assert_eq!((layout.pools[0].name, layout.pools.len()), ("header", 11));
        }
    }
}
