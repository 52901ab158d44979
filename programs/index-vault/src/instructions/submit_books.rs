use crate::access::{fail, kernel};
use crate::instructions::submit::{Submit, touch, update};
use alloc::vec::Vec;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::market::Feed;
use flagstone_kernels::book::{Level, metrics_stable};
use flagstone_kernels::market::{DataUpdate, Place, update_market_data};
use flagstone_kernels::{Amount, Label};

/// Bytes before an asset's levels: label, slot, two scales, two counts.
const HEAD_BYTES: usize = 22;
/// Bytes of a level: price and quantity.
const LEVEL_BYTES: usize = 16;
/// Levels of one side, at most (the paper's K).
const LEVELS_MAX: usize = 16;
/// Largest scale: a level's number then counts whole units.
const SCALE_MAX: u8 = 18;

/// Books of several assets, one after the other: label (16 bytes), slot (2),
/// power of ten of its prices and of its quantities in units of 1e-18 (1 each),
/// number of bids and of asks (1 each); then the bids and the asks, best first,
/// each a price and a quantity of 8 bytes.
#[inline(never)]
pub fn run(ctx: &mut Context<Submit>, books: &[u8]) -> Result<()> {
    let mut items = Vec::new();
    let mut rest = books;
    while !rest.is_empty() {
        let (item, after) = parse(rest).ok_or(fail(IndexError::BadParameter))?;
        items.push(measure(&item)?);
        rest = after;
    }
    if items.is_empty() {
        return Err(fail(IndexError::BadParameter));
    }
    update(ctx, Feed::Data, books, |assets, slots, now| {
        update_market_data(assets, &items).map_err(kernel)?;
        touch(slots, items.iter().map(|item| item.place), now);
        Ok(())
    })
}

/// One asset's book, as it was sent.
struct Book {
    place: Place,
    bids: Vec<Level>,
    asks: Vec<Level>,
}

fn measure(book: &Book) -> Result<DataUpdate> {
    let metrics = metrics_stable(&book.bids, &book.asks).map_err(kernel)?;
    Ok(DataUpdate {
        place: book.place,
        price: metrics.price,
        slope: metrics.slope,
        liquidity: metrics.liquidity,
    })
}

fn parse(bytes: &[u8]) -> Option<(Book, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
    let label = u128::from_le_bytes(*head.first_chunk()?);
    let slot = u16::from_le_bytes([head[16], head[17]]);
    let [price_scale, quantity_scale] = [head[18], head[19]];
    let [bids, asks] = [usize::from(head[20]), usize::from(head[21])];
    if price_scale.max(quantity_scale) > SCALE_MAX || bids.max(asks) > LEVELS_MAX {
        return None;
    }
    let scales = [
        10u128.pow(u32::from(price_scale)),
        10u128.pow(u32::from(quantity_scale)),
    ];
    let (bid_bytes, rest) = rest.split_at_checked(bids * LEVEL_BYTES)?;
    let (ask_bytes, rest) = rest.split_at_checked(asks * LEVEL_BYTES)?;
    let book = Book {
        place: Place::new(Label::new(label), slot),
        bids: levels(bid_bytes, scales),
        asks: levels(ask_bytes, scales),
    };
    Some((book, rest))
}

/// A number of 64 bits times at most 1e18 fits 128 bits.
fn levels(bytes: &[u8], scales: [u128; 2]) -> Vec<Level> {
    let word = |bytes: &[u8]| {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        u128::from(u64::from_le_bytes(word))
    };
    let level = |bytes: &[u8]| Level {
        price: Amount::new(word(&bytes[..8]) * scales[0]),
        quantity: Amount::new(word(&bytes[8..]) * scales[1]),
    };
    bytes.chunks_exact(LEVEL_BYTES).map(level).collect()
}
