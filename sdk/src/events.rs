//! Events out of transaction logs.
//!
//! An event does not name its slab: it belongs to the slab that its
//! instruction names first. Anybody may create a slab with a Router of their
//! own, so a reader goes by the slabs it knows.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_interface::event::{Event, decode_all};

/// Prefix of a data record in a transaction's log.
const DATA: &str = "Program data: ";

/// The Slab's events in a transaction's log, in order.
///
/// Only records written while the Slab itself runs count: any program can
/// write bytes that look like an event. The Slab calls no program, so whatever
/// lies between the lines about its start and its end is its own; it may have
/// been called, since `sync` and `open_account` are open to everyone.
pub fn decode(logs: &[String]) -> Vec<Event> {
    let about_the_slab = format!("Program {} ", crate::address::SLAB);
    let mut inside = false;
    let mut events = Vec::new();
    for line in logs {
        if let Some(what) = line.strip_prefix(&about_the_slab) {
            inside = what.starts_with("invoke [");
        } else if let Some(record) = line.strip_prefix(DATA)
            && inside
        {
            let bytes = STANDARD.decode(record).unwrap_or_default();
            events.extend(decode_all(&bytes));
        }
    }
    events
}

/// The index-vault's events in a transaction's log, in order: bytes of an
/// [`flagstone_index_engine::chain::EventHead`] and its body, as
/// `flagstone_index_engine::audit::verify` takes them.
///
/// Only records written while the index-vault itself runs count. It calls
/// System and SPL Token, which write no such records; other data that it logs,
/// such as what a stored program computed, does not start as an event does.
pub fn index_events(logs: &[String]) -> Vec<Vec<u8>> {
    let about = format!("Program {} ", crate::address::INDEX_VAULT);
    let mut inside = false;
    let mut events = Vec::new();
    for line in logs {
        if let Some(what) = line.strip_prefix(&about) {
            inside = what.starts_with("invoke [");
        } else if let Some(record) = line.strip_prefix(DATA)
            && inside
        {
            // One event is several pieces, hashed and read as one.
            let pieces = record.split_ascii_whitespace();
            let bytes: Vec<u8> = pieces
                .flat_map(|piece| STANDARD.decode(piece).unwrap_or_default())
                .collect();
            if bytes.starts_with(&flagstone_index_engine::chain::DOMAIN) {
                events.push(bytes);
            }
        }
    }
    events
}
