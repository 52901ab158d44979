//! What is measured.

use crate::book::{self, LOTS, MARK, TOUCH};
use anyhow::{Context, Result, anyhow};
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt, Session};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::units::{Side, Slot};
use serde::{Deserialize, Serialize};
use solana_signer::Signer;
use std::path::Path;

/// Book sizes.
const RESTING: [u32; 3] = [1_000, 30_000, 59_000];
/// Samples per operation.
pub(crate) const SAMPLES: u32 = 21;
/// Money of the measured trader.
const FUNDS: u64 = 1 << 45;

/// One line of the matrix.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// Operation.
    pub(crate) op: String,
    /// Orders in the book before it.
    pub(crate) resting_orders: u64,
    /// Length of the slab account.
    pub(crate) slab_bytes: u64,
    /// Samples.
    pub(crate) n: u64,
    /// Median compute units.
    pub(crate) p50: u64,
    /// Fewest compute units.
    pub(crate) min: u64,
    /// Most compute units.
    pub(crate) max: u64,
    /// What the specification allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) budget: Option<u64>,
}

/// Measures every operation that exists; the index kernels need the golden
/// vectors.
pub(crate) fn measure(programs: &Path, vectors: Option<&Path>) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for resting in RESTING {
        let mut bench = Bench::new(programs, resting)?;
        rows.extend(bench.run()?);
        rows.extend(crate::routes::measure(programs, resting)?);
        rows.extend(crate::liquidations::measure(programs, resting)?);
    }
    rows.extend(crate::governance::measure(programs)?);
    match vectors {
        Some(vectors) => {
            rows.extend(crate::kernels::measure(programs, vectors)?);
            rows.extend(crate::index::measure(programs, vectors)?);
        }
        None => eprintln!(
            "SKIPPED: the index kernels; name the folder of the golden vectors in FLAGSTONE_VECTORS"
        ),
    }
    let order = |row: &Row| {
        crate::report::OPERATIONS
            .iter()
            .position(|op| *op == row.op)
    };
    rows.sort_by_key(order);
    Ok(rows)
}

struct Bench {
    exchange: Exchange,
    trader: Member,
    resting: u32,
    slab_bytes: u64,
}

impl Bench {
    /// A full slab with a filled book and a trader who holds one position.
    fn new(programs: &Path, resting: u32) -> Result<Self> {
        let session = Session::start(programs)?;
        let mut exchange = Exchange::open(session, SlabSize::Full).map_err(shown)?;
        exchange
            .add_instrument(&book::instrument())
            .map_err(shown)?;
        let trader = exchange.join(2 * FUNDS, FUNDS).map_err(shown)?;
        let slot = Slot::from_clock(exchange.session.slot());
        // Two orders more, which the trader's first position consumes.
        let slab = exchange.slab;
        exchange
            .session
            .edit_slab(&slab, |slab| book::fill(slab, resting + 2, slot))
            .context("the slab")??;
        let slab_bytes = exchange.session.data(&slab).len() as u64;
        let mut bench = Self {
            exchange,
            trader,
            resting,
            slab_bytes,
        };
        bench.take(Side::Bid, 1)?;
        bench.take(Side::Ask, 1)?;
        bench.take(Side::Bid, 3)?;
        let rest = bench
            .exchange
            .session
            .with_slab(&slab, |slab| {
                slab.header
                    .pool(flagstone_sdk::interface::slab::PoolId::Orders)
                    .live
            })
            .context("the slab")?;
        anyhow::ensure!(rest == resting + 2, "the book holds {rest} orders");
        Ok(bench)
    }

    fn run(&mut self) -> Result<Vec<Row>> {
        let (mut place, mut cancel) = (Vec::new(), Vec::new());
        for sample in 0..SAMPLES {
            let (placed, cancelled) = self.place_and_cancel(sample)?;
            place.push(placed);
            cancel.push(cancelled);
        }
        let mut rows = vec![
            self.row("place_post_only", place),
            self.row("cancel_handle", cancel),
        ];
        let batches = self.batches()?;
        rows.push(self.row("batch_5c5p", batches));
        for levels in [1u32, 5, 10] {
            let samples = self.take_samples(levels)?;
            rows.push(self.row(&format!("take_{levels}"), samples));
        }
        if self.resting == RESTING[0] {
            let mut deposits = Vec::new();
            for sample in 0..SAMPLES {
                let receipt = self
                    .exchange
                    .deposit(&self.trader, 1_000 + u64::from(sample));
                deposits.push(receipt.map_err(shown)?.compute_units);
            }
            rows.push(self.row("deposit", deposits));
        }
        Ok(rows)
    }

    /// A post-only order at a level that exists or not, near and far, and its cancel.
    fn place_and_cancel(&mut self, sample: u32) -> Result<(u64, u64)> {
        let side = if sample.is_multiple_of(2) {
            Side::Bid
        } else {
            Side::Ask
        };
        let distance = TOUCH - 20 + sample * sample * 3;
        let ticks = if side == Side::Bid {
            MARK - distance
        } else {
            MARK + distance
        };
        let placed = self
            .exchange
            .place(&self.trader, OrderKind::PostOnly, side, ticks, 2 + sample)
            .map_err(shown)?;
        let Some(Event::OrderPlaced(order)) = placed.events.last().copied() else {
            return Err(anyhow!("no order was placed"));
        };
        let cancelled = self
            .exchange
            .cancel(&self.trader, order.order, order.generation)
            .map_err(shown)?;
        Ok((placed.compute_units, cancelled.compute_units))
    }

    /// A maker moves five quotes: five cancels and five placements at other
    /// prices, in one instruction.
    fn batches(&mut self) -> Result<Vec<u64>> {
        let mut quotes: Vec<(u32, u32)> = Vec::new();
        let mut samples = Vec::new();
        for sample in 0..=SAMPLES {
            let orders: Vec<_> = (0..5)
                .map(|number| {
                    let distance = TOUCH - 30 + sample * 11 + number * 40;
                    let (side, ticks) = if number % 2 == 0 {
                        (Side::Bid, MARK - distance)
                    } else {
                        (Side::Ask, MARK + distance)
                    };
                    self.trader.order(OrderKind::PostOnly, side, ticks, 3)
                })
                .collect();
            let update = flagstone_sdk::slab::batch_update(
                &self.exchange.slab,
                &self.trader.trader.pubkey(),
                (self.trader.account, 0),
                &quotes,
                &orders,
            );
            let receipt = self
                .exchange
                .session
                .send(&[update], &[&self.trader.trader])
                .map_err(shown)?;
            let placed = receipt.events.iter().filter_map(|event| match event {
                Event::OrderPlaced(order) => Some((order.order, order.generation)),
                _ => None,
            });
            // The first one only places.
            if !quotes.is_empty() {
                samples.push(receipt.compute_units);
            }
            quotes = placed.collect();
            anyhow::ensure!(quotes.len() == 5, "five quotes rest");
        }
        let clear = flagstone_sdk::slab::batch_update(
            &self.exchange.slab,
            &self.trader.trader.pubkey(),
            (self.trader.account, 0),
            &quotes,
            &[],
        );
        let sent = self.exchange.session.send(&[clear], &[&self.trader.trader]);
        sent.map_err(shown)?;
        Ok(samples)
    }

    /// Takes that walk `levels` levels, each time on the same book.
    fn take_samples(&mut self, levels: u32) -> Result<Vec<u64>> {
        let slab = self.exchange.slab;
        let before = self
            .exchange
            .session
            .svm
            .get_account(&slab)
            .context("the slab")?;
        let mut samples = Vec::new();
        for sample in 0..SAMPLES {
            let side = if sample.is_multiple_of(2) {
                Side::Bid
            } else {
                Side::Ask
            };
            let lots = self.lots_on_levels(side, levels)?;
            let receipt = self.take(side, lots)?;
            samples.push(receipt.compute_units);
            self.exchange
                .session
                .svm
                .set_account(slab, before.clone())
                .map_err(|error| anyhow!("{error:?}"))?;
        }
        Ok(samples)
    }

    /// Lots that trade with the one order on each of the best levels.
    fn lots_on_levels(&self, side: Side, levels: u32) -> Result<u32> {
        let read = self
            .exchange
            .session
            .with_slab(&self.exchange.slab, |slab| {
                let mut level = slab.instruments[0].books[side.contra().index()].best;
                let mut lots = 0;
                for _ in 1..levels {
                    lots += slab.levels[level].lots.0;
                    level = slab.levels[level].next;
                }
                lots + 1
            });
        Ok(read?)
    }

    fn take(&mut self, side: Side, lots: u32) -> Result<Receipt> {
        let limit = if side == Side::Bid { MARK * 2 } else { 1 };
        self.exchange
            .take(&self.trader, side, limit, lots, lots)
            .map_err(shown)
    }

    fn row(&self, op: &str, samples: Vec<u64>) -> Row {
        row(op, self.resting, self.slab_bytes, samples)
    }
}

/// A line of the matrix out of its samples.
pub(crate) fn row(op: &str, resting: u32, slab_bytes: u64, mut samples: Vec<u64>) -> Row {
    samples.sort_unstable();
    Row {
        op: op.to_owned(),
        resting_orders: u64::from(resting),
        slab_bytes,
        n: samples.len() as u64,
        p50: samples[samples.len() / 2],
        min: samples[0],
        max: samples[samples.len() - 1],
        budget: crate::report::budget(op),
    }
}

pub(crate) fn shown(failure: Box<Failure>) -> anyhow::Error {
    anyhow!("{failure}\n{}", failure.logs.join("\n"))
}

// Every resting order is larger than what the set-up takes from the touch.
const _: () = assert!(LOTS > 5);
