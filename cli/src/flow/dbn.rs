//! Records of a Databento market-by-order file.

use super::{Action, Feed, Mode, Record};
use anyhow::{Context, Result, bail, ensure};
use dbn::decode::dbn::Decoder;
use dbn::decode::{DbnMetadata, DecodeRecord};
use dbn::{MboMsg, Schema, UNDEF_PRICE};
use flagstone_sdk::units::Side;
use std::path::Path;

/// Atoms of the quote mint per unit of its price: 6 decimals.
const NANOS_PER_ATOM: i64 = 1_000;

/// First bytes of a Zstandard frame.
const ZSTD_MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Reads the first instrument of a `.dbn` or `.dbn.zst` file.
///
/// A tick is the largest step of which every price is a multiple; a lot is
/// worth its price.
pub(crate) fn read(path: &Path) -> Result<Feed> {
    let name = path.display();
    let about = std::fs::metadata(path).with_context(|| format!("{name} cannot be read"))?;
    ensure!(about.is_file(), "{name} is not a file");
    ensure!(about.len() > 0, "{name} is empty");
    let bytes = std::fs::read(path).with_context(|| format!("{name} cannot be read"))?;
    let bytes = match bytes.starts_with(&ZSTD_MAGIC) {
        true => zstd::decode_all(&bytes[..])
            .with_context(|| format!("{name} is damaged or cut short"))?,
        false => bytes,
    };
    let mut decoder = Decoder::<_>::new(&bytes[..])
        .with_context(|| format!("{name} is not a Databento (DBN) file"))?;
    ensure!(
        ends_whole(&bytes),
        "{name} is cut short in the middle of a record"
    );
    let metadata = decoder.metadata();
    let symbol = metadata
        .symbols
        .first()
        .cloned()
        .unwrap_or_else(|| "FEED".to_string());
    if let Some(schema) = metadata.schema
        && schema != Schema::Mbo
    {
        bail!("{name} holds {schema} records; a replay needs market-by-order (mbo) records");
    }
    let (mut messages, mut left_out) = (Vec::<MboMsg>::new(), 0);
    loop {
        let next = decoder
            .decode_record::<MboMsg>()
            .with_context(|| format!("{name} is damaged after {} records", messages.len()))?;
        let Some(message) = next else { break };
        let known = messages
            .first()
            .is_none_or(|first| first.hd.instrument_id == message.hd.instrument_id);
        if known && usable(message) {
            messages.push(message.clone());
        } else {
            left_out += 1;
        }
    }
    ensure!(
        !messages.is_empty(),
        "{name} holds no market-by-order records"
    );
    let source = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    build(source, symbol, &messages, left_out)
}

/// Whether the last record is whole, which the decoder does not tell: it takes
/// a file that was cut short for one that ended.
fn ends_whole(bytes: &[u8]) -> bool {
    // "DBN", a version byte, the length of the metadata; then records, each
    // with its length in words as the first byte.
    let length = bytes.get(4..8).and_then(|length| length.try_into().ok());
    let Some(length) = length.map(u32::from_le_bytes) else {
        return false;
    };
    let mut at = 8 + length as usize;
    while let Some(words) = bytes.get(at).filter(|words| **words > 0) {
        at += usize::from(*words) * 4;
    }
    at == bytes.len()
}

/// Whether a message can become a record.
fn usable(message: &MboMsg) -> bool {
    match action(message) {
        Some(Action::Clear) => true,
        Some(_) => message.price > 0 && message.price != UNDEF_PRICE && message.size > 0,
        None => false,
    }
}

fn build(source: String, symbol: String, messages: &[MboMsg], left_out: usize) -> Result<Feed> {
    let priced = messages
        .iter()
        .filter(|message| message.price != UNDEF_PRICE);
    let tick = priced.fold(0, |step, message| {
        greatest_common_divisor(step, message.price)
    });
    ensure!(tick > 0, "{source} has no prices");
    let atoms_per_tick = u32::try_from((tick / NANOS_PER_ATOM).max(1))
        .with_context(|| format!("the price step of {source} is too large"))?;
    let mut records = Vec::with_capacity(messages.len());
    let mut time_ns = 0;
    for message in messages {
        time_ns = message.ts_recv.max(time_ns);
        records.push(record(message, time_ns, tick).with_context(|| {
            format!(
                "{source} has a price of {} billionths, too many steps",
                message.price
            )
        })?);
    }
    let opening = messages
        .iter()
        .take_while(|message| message.flags.is_snapshot())
        .count();
    let mode = Mode::Maintain;
    Ok(Feed {
        source,
        symbol,
        atoms_per_tick,
        opening,
        records,
        mode,
        left_out,
    })
}

/// One message as a record; `None` when the price has too many steps.
fn record(message: &MboMsg, time_ns: u64, tick: i64) -> Option<Record> {
    let ticks = if message.price == UNDEF_PRICE {
        0
    } else {
        message.price / tick
    };
    Some(Record {
        time_ns,
        event_ns: message.hd.ts_event,
        action: action(message)?,
        side: match message.side as u8 {
            b'B' => Some(Side::Bid),
            b'A' => Some(Side::Ask),
            _ => None,
        },
        id: message.order_id,
        ticks: u32::try_from(ticks).ok()?,
        lots: message.size,
    })
}

fn action(message: &MboMsg) -> Option<Action> {
    Some(match message.action as u8 {
        b'A' => Action::Add,
        b'C' => Action::Cancel,
        b'M' => Action::Modify,
        b'T' => Action::Trade,
        b'F' => Action::Fill,
        b'R' => Action::Clear,
        _ => return None,
    })
}

fn greatest_common_divisor(mut left: i64, mut right: i64) -> i64 {
    while right != 0 {
        (left, right) = (right, left % right);
    }
    left.abs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbn::FlagSet;

    fn message(action: u8, side: u8, price: i64, flags: u8) -> MboMsg {
        MboMsg {
            action: action as _,
            side: side as _,
            price,
            size: 3,
            order_id: 9,
            flags: FlagSet::new(flags),
            ..MboMsg::default()
        }
    }

    #[test]
    fn messages_become_records_in_ticks() {
        let messages = [
            message(b'A', b'B', 4_799_000_000_000, 40),
            message(b'T', b'A', 4_799_250_000_000, 0),
            message(b'F', b'N', 4_799_750_000_000, 0),
        ];
        let feed = build("file".to_string(), "ESH4".to_string(), &messages, 0).unwrap();
        assert_eq!((feed.opening, feed.atoms_per_tick), (1, 250_000));
        let seen: Vec<_> = feed
            .records
            .iter()
            .map(|record| (record.action, record.side, record.ticks))
            .collect();
        assert_eq!(
            seen,
            [
                (Action::Add, Some(Side::Bid), 19_196),
                (Action::Trade, Some(Side::Ask), 19_197),
                (Action::Fill, None, 19_199),
            ]
        );
    }

    #[test]
    fn a_file_that_was_cut_short_is_noticed() {
        // Metadata of two bytes, a record of eight.
        let file = [
            b'D', b'B', b'N', 3, 2, 0, 0, 0, 9, 9, 2, 0, 0, 0, 0, 0, 0, 0,
        ];
        assert!(ends_whole(&file) && ends_whole(&file[..10]));
        assert!(!ends_whole(&file[..17]) && !ends_whole(&file[..9]) && !ends_whole(&file[..5]));
    }

    #[test]
    fn what_cannot_rest_is_left_out() {
        assert!(!usable(&message(b'A', b'B', -250_000_000, 0)));
        assert!(!usable(&message(b'A', b'B', UNDEF_PRICE, 0)));
        assert!(!usable(&message(b'N', b'B', 250_000_000, 0)));
        assert!(usable(&message(b'R', b'N', UNDEF_PRICE, 0)));
    }
}
