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
