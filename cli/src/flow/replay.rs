//! Sends a feed's operations to a venue and compares every answer with the model.

use super::model::{Filled, Model};
use super::report::Report;
use super::rules::{Operation, Rules};
use super::{Feed, MAKERS, Mode, SlotClock, maker_of};
use crate::venue::{Call, Done, Handle, Reply, Request, Venue};
use anyhow::Result;
use flagstone_sdk::engine::SlabError;
use flagstone_sdk::interface::event::{FILLS_MAX, outcome};
use flagstone_sdk::units::Side;
use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::time::Instant;

/// Slot in which a replay starts; the embedded chain starts there too.
const FIRST_SLOT: u32 = 101;

/// What the model says that a request will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Placed,
    WouldCross,
    Cancelled(u32),
    Reduced(u32),
    Stale,
}

/// A request with the feed's order number and the model's expectation.
#[derive(Clone, Copy, Debug)]
struct Queued {
    id: u64,
    request: Request,
    expected: Expected,
}

/// A running replay.
pub(crate) struct Replay<'a> {
    venue: &'a mut dyn Venue,
    book: Model,
    rules: Rules,
    handles: HashMap<u64, Handle>,
    ids: HashMap<Handle, u64>,
    queue: Vec<Queued>,
    /// Most instructions of one transaction.
    batch: usize,
    report: Report,
}

/// Replays `feed` on `venue`, with up to `batch` instructions per transaction.
///
/// # Errors
/// When the venue fails; a disagreement with the model is part of the report.
pub(crate) fn run(feed: &Feed, mode: Mode, venue: &mut dyn Venue, batch: usize) -> Result<Report> {
    let mut replay = Replay {
        venue,
        book: Model::default(),
        rules: Rules::new(mode),
        handles: HashMap::new(),
        ids: HashMap::new(),
        queue: Vec::new(),
        batch: batch.max(1),
        report: Report::new(feed, mode),
    };
    let started = Instant::now();
    replay.all(feed)?;
    replay.report.elapsed = started.elapsed();
    let Replay {
        venue,
        book,
        rules,
        mut report,
        ..
    } = replay;
    report.finish(venue, &book, rules)?;
    Ok(report)
}

impl Replay<'_> {
    fn all(&mut self, feed: &Feed) -> Result<()> {
        let start = feed.records.first().map_or(0, |record| record.time_ns);
        let mut clock = SlotClock::start(start, FIRST_SLOT);
        self.venue.set_slot(FIRST_SLOT);
        let (mut slot, mut shown) = (FIRST_SLOT, Instant::now());
        for (at, record) in feed.records.iter().enumerate() {
            let now = clock.at(record.time_ns);
            if now != slot {
                self.flush()?;
                self.venue.set_slot(now);
                slot = now;
            }
            *self.report.used.entry(record.action).or_default() += 1;
            for operation in self.rules.operations(record, &self.book) {
                self.operate(operation)?;
            }
            if shown.elapsed().as_millis() >= 500 {
                progress(at + 1, feed.records.len());
                shown = Instant::now();
            }
        }
        self.flush()?;
        self.report.slots = slot - FIRST_SLOT;
        progress_done();
        Ok(())
    }

    fn operate(&mut self, operation: Operation) -> Result<()> {
        match operation {
            Operation::Place {
                id,
                side,
                ticks,
                lots,
            } => self.place(id, side, ticks, lots),
            Operation::Cancel { id } => self.cancel(id),
            Operation::Reduce { id, lots } => self.reduce(id, lots),
            Operation::Take { side, limit, lots } => self.take(side, limit, lots),
        }
    }

    fn place(&mut self, id: u64, side: Side, ticks: u32, lots: u32) -> Result<()> {
        let crosses = self.book.crosses(side, ticks);
        let call = Call::Place {
            id,
            side,
            ticks,
            lots,
        };
        let request = Request {
            user: maker_of(id),
            call,
            may_fail: crosses,
        };
        if crosses {
            // A refusal undoes the whole transaction, so it goes alone.
            self.flush()?;
            self.queue.push(Queued {
                id,
                request,
                expected: Expected::WouldCross,
            });
            return self.flush();
        }
        self.forget(id);
        self.book.put(side, ticks, id, lots);
        self.enqueue(Queued {
            id,
            request,
            expected: Expected::Placed,
        })
    }

    fn cancel(&mut self, id: u64) -> Result<()> {
        if self.book.order(id).is_some() && !self.handles.contains_key(&id) {
            // It was placed in the batch that has not been sent yet.
            self.flush()?;
        }
        let Some(handle) = self.handles.get(&id).copied() else {
            self.rules.skip("cancels of orders that never rested");
            return Ok(());
        };
        let expected = self
            .book
            .cancel(id)
            .map_or(Expected::Stale, Expected::Cancelled);
        let call = Call::Cancel { handle };
        let request = Request {
            user: maker_of(id),
            call,
            may_fail: false,
        };
        self.enqueue(Queued {
            id,
            request,
            expected,
        })
    }

    fn reduce(&mut self, id: u64, lots: u32) -> Result<()> {
        if !self.handles.contains_key(&id) {
            // It was placed in the batch that has not been sent yet.
            self.flush()?;
        }
        let Some(handle) = self.handles.get(&id).copied() else {
            self.rules.skip("reductions of orders that never rested");
            return Ok(());
        };
        if !self.book.reduce(id, lots) {
            self.rules.skip("reductions by more than rests");
            return Ok(());
        }
        let request = Request {
            user: maker_of(id),
            call: Call::Reduce { handle, lots },
            may_fail: false,
        };
        self.enqueue(Queued {
            id,
            request,
            expected: Expected::Reduced(lots),
        })
    }

    /// A trade goes alone: the model follows once the slab has agreed to it.
    fn take(&mut self, side: Side, limit: u32, lots: u32) -> Result<()> {
        self.flush()?;
        let call = Call::Take { side, limit, lots };
        let request = Request {
            user: MAKERS,
            call,
            may_fail: false,
        };
        for Done {
            reply,
            compute_units,
        } in self.venue.execute(&[request])?
        {
            self.report.units("take", compute_units);
            let fills = match reply {
                Reply::Taken(fills) => fills,
                Reply::Refused(error) => {
                    self.report.refuse(error);
                    continue;
                }
                other => {
                    self.report
                        .disagree(format!("a trade was answered with {other:?}"));
                    continue;
                }
            };
            let seen: Vec<Filled> = fills
                .iter()
                .map(|fill| {
                    let handle = (fill.order, fill.generation);
                    let id = self.ids.get(&handle).copied().unwrap_or(0);
                    // A removal is no trade; the model would not know of it.
                    let lots = if outcome::traded(fill.outcome) {
                        fill.lots
                    } else {
                        0
                    };
                    Filled {
                        id,
                        ticks: fill.ticks,
                        lots,
                    }
                })
                .collect();
            let expected = self.book.take(side, limit, lots, FILLS_MAX);
            self.report.count_trade(&seen);
            if seen != expected {
                self.report.disagree(format!(
                    "{lots} lots at {limit} filled {seen:?}, the model {expected:?}"
                ));
            }
        }
        Ok(())
    }

    fn enqueue(&mut self, queued: Queued) -> Result<()> {
        self.queue.push(queued);
        if self.queue.len() >= self.batch {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Sends what is queued.
    fn flush(&mut self) -> Result<()> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let queue = std::mem::take(&mut self.queue);
        let requests: Vec<Request> = queue.iter().map(|queued| queued.request).collect();
        for (queued, done) in queue.iter().zip(self.venue.execute(&requests)?) {
            self.settle(queued, done);
        }
        Ok(())
    }

    fn settle(&mut self, queued: &Queued, done: Done) {
        let id = queued.id;
        let operation = match (queued.request.call, &done.reply) {
            (_, Reply::Refused(_)) => "refused order",
            (Call::Cancel { .. }, Reply::Stale) => "stale cancel",
            (Call::Cancel { .. }, _) => "cancel",
            (Call::Reduce { .. }, _) => "reduce",
            _ => "place",
        };
        self.report.units(operation, done.compute_units);
        match (queued.expected, done.reply) {
            (Expected::Placed, Reply::Placed(handle, evicted)) => {
                self.report.placed += 1;
                self.handles.insert(id, handle);
                self.ids.insert(handle, id);
                for gone in evicted {
                    self.report.evicted += 1;
                    if let Some(gone) = self.ids.get(&gone) {
                        self.book.cancel(*gone);
                    }
                }
            }
            (Expected::Cancelled(lots), Reply::Cancelled(left)) if lots == left => {
                self.report.cancelled += 1;
            }
            (Expected::Reduced(lots), Reply::Reduced(less)) if lots == less => {
                self.report.reduced += 1;
            }
            (Expected::Stale, Reply::Stale) => self.report.stale += 1,
            (Expected::WouldCross, Reply::Refused(error @ SlabError::WouldCross)) => {
                self.report.refuse(error);
            }
            // The slab has limits that the model does not know.
            (Expected::Placed, Reply::Refused(error)) => {
                self.report.refuse(error);
                self.book.cancel(id);
            }
            (expected, reply) => {
                let told = format!("order {id}: the model expected {expected:?}, got {reply:?}");
                self.report.disagree(told);
            }
        }
    }

    /// An order number that is used again has no handle until it rests.
    fn forget(&mut self, id: u64) {
        self.handles.remove(&id);
    }
}

fn progress(done: usize, all: usize) {
    if std::io::stderr().is_terminal() {
        eprint!("\r  {done} of {all} records ");
        // Nothing depends on the line being shown.
        let _ = std::io::stderr().flush();
    }
}

fn progress_done() {
    if std::io::stderr().is_terminal() {
        eprint!("\r{:40}\r", "");
    }
}
