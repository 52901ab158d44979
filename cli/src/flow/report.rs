//! What a replay says at its end.

use super::model::{Filled, Model, Queue};
use super::rules::{Reasons, Rules};
use super::{Action, Feed, Mode};
use crate::checks::{self, Check};
use crate::compute::Spread;
use crate::print::tell;
use crate::table::{grouped, numbers, price};
use crate::venue::Venue;
use anyhow::Result;
use flagstone_sdk::engine::SlabError;
use flagstone_sdk::units::Side;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Levels per side of the printed book.
const DEPTH: usize = 5;

/// Counts, samples and checks of a replay.
#[derive(Debug)]
pub(crate) struct Report {
    mode: Mode,
    source: String,
    symbol: String,
    venue: &'static str,
    atoms_per_tick: u32,
    left_out: usize,
    opening: usize,
    /// Records used, by kind.
    pub(crate) used: BTreeMap<Action, u64>,
    /// Orders that came to rest.
    pub(crate) placed: u64,
    /// Orders cancelled.
    pub(crate) cancelled: u64,
    /// Orders that lost lots and kept their place.
    pub(crate) reduced: u64,
    /// Cancels with a stale handle.
    pub(crate) stale: u64,
    /// Orders that made room.
    pub(crate) evicted: u64,
    trades: u64,
    fills: u64,
    lots: u64,
    empty_takes: u64,
    refused: Reasons,
    skipped: Reasons,
    corrected: Reasons,
    modifies: Reasons,
    units: BTreeMap<&'static str, Vec<u64>>,
    compared: u64,
    disagreements: u64,
    first_disagreement: Option<String>,
    /// Slots that passed.
    pub(crate) slots: u32,
    /// Wall time of the replay.
    pub(crate) elapsed: Duration,
    transactions: Option<(u64, usize)>,
    book: [Vec<Queue>; 2],
    against_feed: Option<String>,
    mark: u32,
    checks: Vec<Check>,
}

impl Report {
    /// An empty report.
    pub(crate) fn new(feed: &Feed, mode: Mode) -> Self {
        Self {
            mode,
            source: feed.source.clone(),
            symbol: feed.symbol.clone(),
            venue: "",
            atoms_per_tick: feed.atoms_per_tick,
            left_out: feed.left_out,
            opening: feed.opening.min(feed.records.len()),
            used: BTreeMap::new(),
            placed: 0,
            cancelled: 0,
            reduced: 0,
            stale: 0,
            evicted: 0,
            trades: 0,
            fills: 0,
            lots: 0,
            empty_takes: 0,
            refused: Reasons::new(),
            skipped: Reasons::new(),
            corrected: Reasons::new(),
            modifies: Reasons::new(),
            units: BTreeMap::new(),
            compared: 0,
            disagreements: 0,
            first_disagreement: None,
            slots: 0,
            elapsed: Duration::ZERO,
            transactions: None,
            book: [Vec::new(), Vec::new()],
            against_feed: None,
            mark: 0,
            checks: Vec::new(),
        }
    }

    /// Counts an answer and adds to a sample of compute units.
    pub(crate) fn units(&mut self, operation: &'static str, units: Option<u64>) {
        self.compared += 1;
        self.units.entry(operation).or_default().extend(units);
    }

    /// Counts a refusal of the slab.
    pub(crate) fn refuse(&mut self, error: SlabError) {
        *self
            .refused
            .entry(error.message().trim().trim_end_matches('.'))
            .or_default() += 1;
    }

    /// Counts a trade.
    pub(crate) fn count_trade(&mut self, fills: &[Filled]) {
        let traded = fills.iter().filter(|fill| fill.lots > 0);
        self.fills += traded.clone().count() as u64;
        self.lots += traded.map(|fill| u64::from(fill.lots)).sum::<u64>();
        if fills.is_empty() {
            self.empty_takes += 1;
        } else {
            self.trades += 1;
        }
    }

    /// Keeps the first difference to the model and counts them all.
    pub(crate) fn disagree(&mut self, told: String) {
        self.disagreements += 1;
        self.first_disagreement.get_or_insert(told);
    }

    /// Reads the final state and makes the checks.
    ///
    /// # Errors
    /// When the slab cannot be read.
    pub(crate) fn finish(
        &mut self,
        venue: &mut dyn Venue,
        model: &Model,
        rules: Rules,
    ) -> Result<()> {
        self.venue = venue.name();
        self.transactions = venue.transactions();
        let mut received_atoms = 0;
        let mut checks = Vec::new();
        venue.inspect(&mut |slab| {
            self.mark = slab.instruments[0].mark.0;
            self.book = [Side::Bid, Side::Ask].map(|side| checks::queues(slab, side));
            checks.push(checks::books(&self.book, model));
            checks.extend(checks::slab(slab));
            received_atoms = slab
                .conservation()
                .map_or(-1, |totals| totals.received_atoms);
        })?;
        let first = self.first_disagreement.as_deref();
        checks.insert(0, checks::answers(self.compared, self.disagreements, first));
        if let Some(custody) = venue.custody() {
            checks.extend(checks::custody(&custody, received_atoms));
        }
        self.checks = checks;
        if self.mode == Mode::Maintain {
            self.against_feed = Some(against_feed(&self.book, &rules.feed));
        }
        self.skipped = rules.skipped;
        self.corrected = rules.corrected;
        self.modifies = rules.modifies;
        Ok(())
    }

    /// Prints everything; `true` when every check holds.
    pub(crate) fn print(&self) -> bool {
        self.print_flow();
        self.print_book();
        self.print_units();
        tell!("\nChecks");
        checks::print(&self.checks)
    }

    fn print_flow(&self) {
        let mode = match self.mode {
            Mode::Maintain => "maintain",
            Mode::Trade => "trade",
        };
        tell!(
            "Replay of {} ({}), mode {mode}, on {}",
            self.source,
            self.symbol,
            self.venue
        );
        let used: u64 = self.used.values().sum();
        let kinds = Action::ALL.iter().filter_map(|action| {
            let count = self.used.get(action)?;
            Some(format!("{} {}", grouped(*count), action.name()))
        });
        let kinds: Vec<_> = kinds.collect();
        tell!("  records    {} ({})", grouped(used), kinds.join(", "));
        if self.opening > 0 {
            tell!(
                "             {} of them open the book",
                grouped(self.opening as u64)
            );
        }
        if self.left_out > 0 {
            tell!(
                "             {} more left out: not usable",
                grouped(self.left_out as u64)
            );
        }
        tell!("  placed     {} orders", grouped(self.placed));
        tell!(
            "  cancelled  {} orders, {} reduced in place, {} stale handles",
            grouped(self.cancelled),
            grouped(self.reduced),
            self.stale
        );
        let modifies: u64 = self.modifies.values().sum();
        tell!(
            "  modified   {}{}",
            grouped(modifies),
            listed(&self.modifies)
        );
        if self.mode == Mode::Trade {
            tell!(
                "  traded     {} takes, {} fills, {} lots; {} takes met nothing",
                grouped(self.trades),
                grouped(self.fills),
                grouped(self.lots),
                grouped(self.empty_takes)
            );
        }
        if self.evicted > 0 {
            tell!("  evicted    {} orders", grouped(self.evicted));
        }
        for (name, reasons) in [
            ("corrected", &self.corrected),
            ("refused", &self.refused),
            ("skipped", &self.skipped),
        ] {
            let count: u64 = reasons.values().sum();
            tell!("  {name:<9}  {}{}", grouped(count), listed(reasons));
        }
    }

    fn print_book(&self) {
        let count = |side: usize| {
            let orders: usize = self.book[side].iter().map(|(_, queue)| queue.len()).sum();
            format!("{} levels, {} orders", self.book[side].len(), orders)
        };
        tell!("\nFinal book: bids {}; asks {}", count(0), count(1));
        tell!(
            "  mark {}, {} slots passed",
            price(self.mark, self.atoms_per_tick),
            self.slots
        );
        let cell = |side: usize, at: usize| match self.book[side].get(at) {
            Some((ticks, queue)) => {
                let lots: u64 = queue.iter().map(|order| u64::from(order.lots)).sum();
                let price = price(*ticks, self.atoms_per_tick);
                [queue.len().to_string(), lots.to_string(), price]
            }
            None => ["", "", ""].map(str::to_string),
        };
        let rows = (0..DEPTH).map(|at| {
            let ([bid_orders, bid_lots, bid], [ask_orders, ask_lots, ask]) =
                (cell(0, at), cell(1, at));
            vec![
                (at + 1).to_string(),
                bid_orders,
                bid_lots,
                bid,
                ask,
                ask_lots,
                ask_orders,
            ]
        });
        let headers = ["level", "orders", "lots", "bid", "ask", "lots", "orders"];
        tell!("{}", numbers(&headers, rows.collect()));
        if let Some(against_feed) = &self.against_feed {
            tell!("  {against_feed}");
        }
    }

    fn print_units(&self) {
        let rows: Vec<_> = self
            .units
            .iter()
            .filter(|(_, sample)| !sample.is_empty())
            .map(|(operation, sample)| {
                let spread = Spread::of(&mut sample.clone());
                let Spread {
                    count,
                    p50,
                    p95,
                    max,
                } = spread;
                let counts = [count as u64, p50, p95, max].map(grouped);
                std::iter::once(operation.to_string())
                    .chain(counts)
                    .collect()
            })
            .collect();
        if !rows.is_empty() {
            tell!("\nCompute units per instruction");
            tell!(
                "{}",
                numbers(&["operation", "count", "p50", "p95", "max"], rows)
            );
        }
        let seconds = self.elapsed.as_secs_f64().max(1e-9);
        let rate = self.compared as f64 / seconds;
        let transactions = match self.transactions {
            Some((sent, bytes)) => format!(
                "; {} transactions, the largest of {bytes} bytes",
                grouped(sent)
            ),
            None => String::new(),
        };
        tell!(
            "  {} operations in {seconds:.2} s, {rate:.0} a second{transactions}",
            grouped(self.compared)
        );
    }
}

fn listed(reasons: &Reasons) -> String {
    if reasons.is_empty() {
        return String::new();
    }
    let parts: Vec<_> = reasons
        .iter()
        .map(|(reason, count)| format!("{reason}: {}", grouped(*count)))
        .collect();
    format!(" ({})", parts.join("; "))
}

/// How the slab's book differs from the feed's own, which keeps the place of
/// an order that becomes smaller and may be crossed before an auction.
fn against_feed(book: &[Vec<Queue>; 2], feed: &Model) -> String {
    let (mut same, mut quantities, mut orders) = (0, 0, 0);
    for (side, slab) in [Side::Bid, Side::Ask].into_iter().zip(book) {
        let slab: BTreeMap<_, _> = slab.iter().cloned().collect();
        let feed: BTreeMap<_, _> = feed.queues(side).into_iter().collect();
        let prices: BTreeSet<_> = slab.keys().chain(feed.keys()).collect();
        for ticks in prices {
            let queues = [slab.get(ticks), feed.get(ticks)].map(|queue| match queue {
                Some(queue) => queue.iter().map(|order| (order.id, order.lots)).collect(),
                None => Vec::new(),
            });
            let [mut left, mut right] = queues;
            if left == right {
                same += 1;
                continue;
            }
            left.sort_unstable();
            right.sort_unstable();
            *if left == right {
                &mut orders
            } else {
                &mut quantities
            } += 1;
        }
    }
    let total = feed.len();
    format!(
        "Against the feed's own book of {} orders: {} levels are the same, {} differ only in the\n  \
         order of the queue, {} in quantity (orders refused for crossing)",
        grouped(total as u64),
        grouped(same),
        grouped(orders),
        grouped(quantities)
    )
}
