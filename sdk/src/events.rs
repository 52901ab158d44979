//! Events out of transaction logs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_interface::event::Event;

/// Prefix of a data record in a transaction's log.
const DATA: &str = "Program data: ";

/// The Slab's events in a transaction's log, in order.
///
/// Only records written while the Slab program runs at the top level count:
/// any program can write bytes that look like an event.
pub fn decode(logs: &[String]) -> Vec<Event> {
    let slab = crate::address::SLAB.to_string();
    let invoke = format!("Program {slab} invoke [1]");
    let mut inside = false;
    let mut events = Vec::new();
    for line in logs {
        if line.contains(" invoke [") {
            inside = *line == invoke;
        } else if let Some(record) = line.strip_prefix(DATA)
            && inside
        {
            let bytes = STANDARD.decode(record).unwrap_or_default();
            events.extend(Event::decode(&bytes));
        }
    }
    events
}
