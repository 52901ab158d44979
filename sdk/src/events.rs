//! Events and failures out of transaction logs.
//!
//! Any program can log bytes that look like an event of ours, or call ours and
//! log something itself. So a record counts only when the program whose event
//! it is was the one that ran: [`records`] follows every `invoke`, `success`
//! and `failed` line of the runtime, which no program can write.
//!
//! An event of the Slab does not name its slab: it belongs to the slab that its
//! instruction names first. Anybody may create a slab with a Router of their
//! own, so a reader goes by the slabs it knows.

use crate::address;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_index_engine::invoice::Invoice;
use flagstone_interface::error::{IndexError, RouterError, SlabError};
use flagstone_interface::event::{Event, RouterEvent, decode_all, router};
use flagstone_interface::index::INVOICE;
use solana_address::Address;

/// Prefix of a data record in a transaction's log.
const DATA: &str = "Program data: ";

/// Last line of a log that was cut: what follows is missing.
const CUT: &str = "Log truncated";

/// A data record in a log, and who wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Program that ran.
    pub program: &'a str,
    /// Calls that led to it: 1 is an instruction of the transaction itself.
    pub depth: usize,
    /// How many instructions of the transaction had started in the log, this
    /// one included. Precompiles leave no line.
    pub instruction: usize,
    /// The record, as the log shows it: one base64 piece or several.
    pub text: &'a str,
}

/// An event of one of our programs.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "read one at a time")]
pub enum Told {
    /// Of the Slab.
    Slab(Event),
    /// Of the Router.
    Router(RouterEvent),
    /// Of the index-vault: see [`index_events`].
    Index(Vec<u8>),
}

/// Why a transaction failed, as its log tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failed<'a> {
    /// Program that failed first.
    pub program: &'a str,
    /// Number of the program's own error, if it was one.
    pub code: Option<u32>,
    /// What the runtime says.
    pub reason: &'a str,
}

/// A line of the runtime about a program.
enum Turn<'a> {
    Invoke(&'a str, usize),
    Success(&'a str),
    Failed(&'a str, &'a str),
}

impl<'a> Turn<'a> {
    /// Reads a line; `None` for a line that a program may have written, or that
    /// says neither start nor end.
    fn of(line: &'a str) -> Option<Self> {
        let (program, what) = line.strip_prefix("Program ")?.split_once(' ')?;
        if program.ends_with(':') {
            // `Program log:`, `Program data:`, `Program return:`.
            return None;
        }
        if what == "success" {
            return Some(Self::Success(program));
        }
        if let Some(reason) = what.strip_prefix("failed: ") {
            return Some(Self::Failed(program, reason));
        }
        let depth = what.strip_prefix("invoke [")?.strip_suffix(']')?;
        Some(Self::Invoke(program, depth.parse().ok()?))
    }
}

/// The data records of a log, each with the program that ran when it was
/// written, in order.
pub fn records(logs: &[String]) -> impl Iterator<Item = Record<'_>> {
    let mut running: Vec<&str> = Vec::new();
    let mut instruction = 0;
    logs.iter().filter_map(move |line| {
        if let Some(text) = line.strip_prefix(DATA) {
            return Some(Record {
                program: running.last()?,
                depth: running.len(),
                instruction,
                text,
            });
        }
        match Turn::of(line)? {
            Turn::Invoke(program, depth) => {
                instruction += usize::from(depth == 1);
                running.truncate(depth.saturating_sub(1));
                running.push(program);
            }
            Turn::Success(program) | Turn::Failed(program, _) => {
                if running.last() == Some(&program) {
                    running.pop();
                }
            }
        }
        None
    })
}

/// The programs of a log's instructions, in order, without precompiles.
pub fn instructions(logs: &[String]) -> impl Iterator<Item = &str> {
    logs.iter().filter_map(|line| match Turn::of(line)? {
        Turn::Invoke(program, 1) => Some(program),
        _ => None,
    })
}

/// Whether the end of a log is missing, and maybe events with it.
pub fn is_cut(logs: &[String]) -> bool {
    logs.iter().any(|line| line == CUT)
}

/// Which program failed first, and why; `None` when the log shows none.
pub fn failed(logs: &[String]) -> Option<Failed<'_>> {
    logs.iter().find_map(|line| match Turn::of(line)? {
        Turn::Failed(program, reason) => {
            let code = reason.strip_prefix("custom program error: 0x");
            Some(Failed {
                program,
                code: code.and_then(|code| u32::from_str_radix(code, 16).ok()),
                reason,
            })
        }
        _ => None,
    })
}

/// Name of an error of one of our programs. The same number is another error,
/// or none, in a foreign program.
pub fn error_name(program: &str, code: u32) -> Option<&'static str> {
    let is = |id: Address| program == id.to_string();
    if is(address::SLAB) {
        SlabError::from_code(code).map(SlabError::name)
    } else if is(address::ROUTER) {
        RouterError::from_code(code).map(RouterError::name)
    } else if is(address::INDEX_VAULT) {
        IndexError::from_code(code).map(IndexError::name)
    } else {
        None
    }
}

/// Every event of our programs in a log, in order, with its record.
///
/// A failed transaction shows events of what it did until it failed: they were
/// taken back with everything else.
pub fn all(logs: &[String]) -> Vec<(Record<'_>, Told)> {
    let ids = [address::SLAB, address::ROUTER, address::INDEX_VAULT];
    let [slab, router, index] = ids.map(|id| id.to_string());
    let mut told = Vec::new();
    for record in records(logs) {
        let mut add = |one: Told| told.push((record, one));
        if record.program == slab {
            decode_all(&bytes(record.text)).for_each(|event| add(Told::Slab(event)));
        } else if record.program == router {
            router::decode_all(&bytes(record.text)).for_each(|event| add(Told::Router(event)));
        } else if record.program == index
            && let Some(event) = index_event(record.text)
        {
            add(Told::Index(event));
        }
    }
    told
}

/// The Slab's events in a log, in order.
pub fn decode(logs: &[String]) -> Vec<Event> {
    let slab = |(_, told)| match told {
        Told::Slab(event) => Some(event),
        _ => None,
    };
    all(logs).into_iter().filter_map(slab).collect()
}

/// The Router's events in a log, in order.
pub fn router_events(logs: &[String]) -> Vec<RouterEvent> {
    let router = |(_, told)| match told {
        Told::Router(event) => Some(event),
        _ => None,
    };
    all(logs).into_iter().filter_map(router).collect()
}

/// The index-vault's events in a log, in order: bytes of an
/// [`flagstone_index_engine::chain::EventHead`] and its body, as
/// `flagstone_index_engine::audit::verify` takes them.
///
/// Other data that the index-vault logs, such as what a stored program
/// computed, does not start as an event does.
pub fn index_events(logs: &[String]) -> Vec<Vec<u8>> {
    let index = |(_, told)| match told {
        Told::Index(event) => Some(event),
        _ => None,
    };
    all(logs).into_iter().filter_map(index).collect()
}

/// The invoices that a transaction wrote, in order. Each has its hash in the
/// event of its order that says so.
pub fn index_invoices(logs: &[String]) -> Vec<Invoice> {
    let program = address::INDEX_VAULT.to_string();
    let invoice = |record: Record<'_>| {
        let bytes = bytes(record.text);
        let body = bytes.strip_prefix(&INVOICE)?;
        (body.len() == size_of::<Invoice>()).then(|| bytemuck::pod_read_unaligned(body))
    };
    let ours = records(logs).filter(|record| record.program == program);
    ours.filter_map(invoice).collect()
}

/// The hash function of the index-vault's chains.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    solana_sha256_hasher::hashv(parts).to_bytes()
}

/// Bytes of a record: several pieces are read as one.
fn bytes(text: &str) -> Vec<u8> {
    let pieces = text.split_ascii_whitespace();
    pieces
        .flat_map(|piece| STANDARD.decode(piece).unwrap_or_default())
        .collect()
}

fn index_event(text: &str) -> Option<Vec<u8>> {
    let bytes = bytes(text);
    bytes
        .starts_with(&flagstone_index_engine::chain::DOMAIN)
        .then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use flagstone_interface::event::HoldFreed;
    use flagstone_interface::event::router::PortfolioClosed;

    const FOREIGN: &str = "Foreign111111111111111111111111111111111111";

    fn data<T: bytemuck::Pod>(event: &T) -> String {
        format!("{DATA}{}", STANDARD.encode(bytemuck::bytes_of(event)))
    }

    fn closed() -> String {
        data(&PortfolioClosed {
            tag: PortfolioClosed::TAG,
            portfolio: [1; 32],
        })
    }

    fn freed() -> String {
        data(&HoldFreed {
            tag: HoldFreed::TAG,
            ..HoldFreed::zeroed()
        })
    }

    /// `start`, what happens inside, `success`.
    fn run(program: &str, depth: usize, inside: Vec<String>) -> Vec<String> {
        let mut lines = vec![format!("Program {program} invoke [{depth}]")];
        lines.extend(inside);
        lines.push(format!("Program {program} consumed 5 of 9 compute units"));
        lines.push(format!("Program {program} success"));
        lines
    }

    fn names(logs: &[String]) -> Vec<&'static str> {
        let name = |(_, told): (Record<'_>, Told)| match told {
            Told::Slab(event) => event.name(),
            Told::Router(event) => event.name(),
            Told::Index(_) => "index",
        };
        all(logs).into_iter().map(name).collect()
    }

    #[test]
    fn obs2_events_count_only_while_their_own_program_runs() {
        let (router, slab) = (address::ROUTER.to_string(), address::SLAB.to_string());
        let token = address::TOKEN.to_string();
        // After its call of the Token program the Router goes on.
        let own = run(
            &router,
            1,
            [run(&token, 2, vec![]), vec![closed()]].concat(),
        );
        assert_eq!(names(&own), ["PortfolioClosed"]);
        // A called program cannot speak for its caller, nor a caller for it.
        let called = run(&router, 1, run(&token, 2, vec![closed()]));
        assert!(names(&called).is_empty());
        let calls = [run(&router, 2, vec![]), vec![closed()]].concat();
        assert!(names(&run(FOREIGN, 1, calls)).is_empty());
        // Our programs do not speak for each other.
        assert!(names(&run(&slab, 1, vec![closed()])).is_empty());
        assert!(names(&run(&router, 1, vec![freed()])).is_empty());
        // What ours logs when a foreign program calls it is its own.
        let within = run(FOREIGN, 1, run(&slab, 2, vec![freed()]));
        assert_eq!(names(&within), ["HoldFreed"]);
        let [(record, _)] = all(&within)[..] else {
            panic!("one event")
        };
        assert_eq!((record.depth, record.instruction), (2, 1));
        // Nobody runs before the first line and after the last.
        assert!(names(&[closed()]).is_empty());
        assert!(names(&[own.clone(), vec![closed()]].concat()[own.len()..]).is_empty());
    }

    #[test]
    fn obs2_lines_that_programs_write_start_and_end_nothing() {
        let router = address::ROUTER.to_string();
        let forged = vec![
            format!("Program log: Program {router} invoke [1]"),
            format!("Program return: {router} invoke [1]"),
            closed(),
        ];
        assert!(names(&run(FOREIGN, 1, forged)).is_empty());
        let ended = vec![format!("Program log: Program {router} success"), closed()];
        assert_eq!(names(&run(&router, 1, ended)), ["PortfolioClosed"]);
        // The end of another program ends nothing.
        let other = vec![format!("Program {FOREIGN} success"), closed()];
        assert_eq!(names(&run(&router, 1, other)), ["PortfolioClosed"]);
    }

    #[test]
    fn a_failure_is_that_of_the_program_that_failed_first() {
        let (router, token) = (address::ROUTER.to_string(), address::TOKEN.to_string());
        let failing = |program: &str| {
            vec![
                format!("Program {router} invoke [1]"),
                format!("Program {program} failed: custom program error: 0x1b5e"),
                format!("Program {router} failed: custom program error: 0x1b5e"),
            ]
        };
        let logs = failing(&token);
        let failure = failed(&logs).expect("a failure");
        assert_eq!(
            (failure.program, failure.code),
            (token.as_str(), Some(7006))
        );
        assert_eq!(error_name(failure.program, 7006), None);
        assert_eq!(error_name(&router, 7006), Some("NotEnoughCash"));
        assert_eq!(error_name(&router, 6000), None);
        assert_eq!(
            error_name(&address::SLAB.to_string(), 6036),
            Some("MarkMoved")
        );
        let logs = [format!("Program {router} failed: exceeded CUs meter")];
        let failure = failed(&logs).expect("a failure");
        assert_eq!((failure.code, failure.reason), (None, "exceeded CUs meter"));
        assert_eq!(failed(&run(&router, 1, vec![])), None);
    }
}
