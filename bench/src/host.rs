//! The engine on the host: time per operation at half utilisation.
//!
//! Wall-clock figures; on a shared machine they are ratios at best. Each sample
//! is the mean of a run of [`RUN`] equal operations, so that reading the clock
//! does not count; the median over the samples is reported.

use crate::book::{self, LOTS, MARK, TOUCH};
use anyhow::{Context, Result};
use bytemuck::Zeroable;
use flagstone_sdk::engine::book::Evictions;
use flagstone_sdk::engine::commits::Commit;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::{OrderKind, Place, Take};
use flagstone_sdk::engine::{Slab, SlabSize};
use flagstone_sdk::interface::event::{Held, Traded};
use flagstone_sdk::interface::router::{Cap, Escrow, cap_state};
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::interface::{Key, key_eq};
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use serde::Serialize;
use std::time::Instant;

/// Orders in the book: half of the pool.
const RESTING: u32 = 30_000;
/// Operations of one sample.
const RUN: u32 = 200;
/// Samples of one operation.
const SAMPLES: usize = 101;
/// Money of the measured accounts.
const FUNDS: u64 = 1 << 45;
/// Slot of everything; the mark has been looked at before.
const SLOT: Slot = Slot(1_000);

/// One line.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Figure {
    op: &'static str,
    resting_orders: u32,
    n: usize,
    ns_p50: f64,
    ops_per_s: f64,
}

/// Measures every operation.
pub(crate) fn measure() -> Result<Vec<Figure>> {
    let mut host = Host::new()?;
    let (insert, cancel) = host.insert_and_cancel()?;
    let take = host.take()?;
    let (reserve, commit) = host.reserve_and_commit()?;
    Ok(vec![
        figure("insert", insert),
        figure("cancel", cancel),
        figure("take", take),
        figure("reserve_5", reserve),
        figure("commit_5", commit),
    ])
}

/// Prints the figures as a table.
pub(crate) fn print(figures: &[Figure]) {
    println!("| operation | resting orders | ns (p50) | operations per second |");
    println!("|---|---:|---:|---:|");
    for figure in figures {
        let Figure {
            op,
            resting_orders,
            ns_p50,
            ops_per_s,
            ..
        } = figure;
        println!("| {op} | {resting_orders} | {ns_p50:.0} | {ops_per_s:.0} |");
    }
}

fn figure(op: &'static str, mut samples: Vec<f64>) -> Figure {
    samples.sort_by(f64::total_cmp);
    let ns_p50 = samples[samples.len() / 2];
    Figure {
        op,
        resting_orders: RESTING,
        n: samples.len() * RUN as usize,
        ns_p50,
        ops_per_s: 1e9 / ns_p50,
    }
}

/// Nanoseconds per operation of a run of them.
fn timed(run: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    run()?;
    Ok(start.elapsed().as_nanos() as f64 / f64::from(RUN))
}

struct Host {
    words: Vec<u64>,
    trader: u32,
    escrow_key: Key,
    escrow: Escrow,
}

impl Host {
    fn new() -> Result<Self> {
        let capacities = SlabSize::Full.capacities();
        let mut words = vec![0u64; capacities.layout_bytes().div_ceil(8) as usize];
        let data: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        Slab::initialize(data, &capacities)?;
        let mut slab = Slab::open(data)?;
        slab.add_instrument(&book::instrument(), Slot(100))?;
        book::fill(&mut slab, RESTING, Slot(100))?;
        let escrow_key = [7; 32];
        let (trader, escrow) = join(&mut slab, &escrow_key)?;
        slab.touch_mark(0, SLOT);
        Ok(Self {
            words,
            trader,
            escrow_key,
            escrow,
        })
    }

    /// Post-only orders near and far, and their cancels in another order.
    fn insert_and_cancel(&mut self) -> Result<(Vec<f64>, Vec<f64>)> {
        let (mut inserts, mut cancels) = (Vec::new(), Vec::new());
        let account = self.trader;
        let key = self.escrow.trader;
        let mut slab = Slab::open(bytemuck::cast_slice_mut(&mut self.words))?;
        for sample in 0..SAMPLES as u32 {
            let mut handles = Vec::with_capacity(RUN as usize);
            inserts.push(timed(|| {
                for number in 0..RUN {
                    let order = order(account, sample, number);
                    let mut traded = Traded::zeroed();
                    let placed = slab.place(&key, &order, SLOT, &mut traded)?;
                    let Evictions { count, .. } = placed.evicted;
                    anyhow::ensure!(count == 0, "the pool is full");
                    let rested = placed.rested.context("the order does not rest")?;
                    handles.push((rested.order, rested.generation));
                }
                Ok(())
            })?);
            let half = handles.len() / 2;
            handles.rotate_left(half);
            cancels.push(timed(|| {
                for (order, generation) in handles {
                    let gone = slab.cancel(&key, account, order, generation)?;
                    anyhow::ensure!(gone.is_some(), "the order was gone");
                }
                Ok(())
            })?);
        }
        Ok((inserts, cancels))
    }

    /// One lot from the best order, from either side in turn.
    fn take(&mut self) -> Result<Vec<f64>> {
        let mut samples = Vec::new();
        let copy = self.words.clone();
        for _ in 0..SAMPLES {
            let mut slab = Slab::open(bytemuck::cast_slice_mut(&mut self.words))?;
            samples.push(timed(|| {
                for number in 0..RUN {
                    let side = side_of(number);
                    let take = Take {
                        account: self.trader,
                        instrument: 0,
                        side,
                        self_trade: SelfTrade::CancelResting,
                        limit: Ticks(if side == Side::Bid { MARK * 2 } else { 1 }),
                        lots: Lots(1),
                        lots_min: Lots(1),
                        reduce_only: false,
                    };
                    let mut traded = Traded::zeroed();
                    slab.take(&self.escrow.trader, &take, SLOT, &mut traded)?;
                }
                Ok(())
            })?);
            self.words.copy_from_slice(&copy);
        }
        Ok(samples)
    }

    /// Holds of five slices, eight at a time, and their commits. Each capability
    /// is what the Router would have minted.
    fn reserve_and_commit(&mut self) -> Result<(Vec<f64>, Vec<f64>)> {
        const HOLDS: u32 = 8;
        let (mut reserves, mut commits) = (Vec::new(), Vec::new());
        let copy = self.words.clone();
        for _ in 0..SAMPLES {
            let (mut reserving, mut committing) = (0.0, 0.0);
            for _ in 0..RUN / HOLDS {
                let mut slab = Slab::open(bytemuck::cast_slice_mut(&mut self.words))?;
                let mut holds = [Held::zeroed(); HOLDS as usize];
                reserving += timed(|| {
                    for (number, held) in holds.iter_mut().enumerate() {
                        let order = reserve(self.trader, number as u32);
                        slab.reserve(&self.escrow.trader, &order, SLOT, held)?;
                    }
                    Ok(())
                })?;
                for (at, held) in holds.iter().enumerate() {
                    mint(&mut self.escrow, at, held);
                }
                committing += timed(|| {
                    for (at, held) in holds.iter().enumerate() {
                        let commit = Commit {
                            account: self.trader,
                            hold: held.hold,
                            generation: held.generation,
                            cap: at as u8,
                            escrow_key: &self.escrow_key,
                            escrow: &self.escrow,
                            reveal: None,
                        };
                        let mut traded = Traded::zeroed();
                        slab.commit(&self.escrow.trader, &commit, SLOT, &mut traded)?;
                        anyhow::ensure!(traded.fills().len() == 5, "five slices trade");
                    }
                    Ok(())
                })?;
                self.words.copy_from_slice(&copy);
            }
            reserves.push(reserving);
            commits.push(committing);
        }
        Ok((reserves, commits))
    }
}

/// Opens an account with money, as the Router would have it opened.
fn join(slab: &mut Slab<'_>, key: &Key) -> Result<(u32, Escrow)> {
    let next = slab.pool(PoolId::Accounts).next_index();
    let account = next.context("no account is free")?;
    let escrow = Escrow {
        trader: [9; 32],
        bound_account: account,
        bound_generation: slab.accounts[account].generation + 1,
        deposited_total_atoms: FUNDS,
        balance_atoms: FUNDS,
        ..Escrow::zeroed()
    };
    slab.open_account(key, &escrow, Slot(100))?;
    slab.sync(account, key, &escrow, Slot(100))?;
    anyhow::ensure!(key_eq(&slab.accounts[account].escrow, key), "bound");
    Ok((account, escrow))
}

fn side_of(number: u32) -> Side {
    if number.is_multiple_of(2) {
        Side::Bid
    } else {
        Side::Ask
    }
}

fn order(account: u32, sample: u32, number: u32) -> Place {
    let side = side_of(number);
    // Spread over the book, at levels that exist and at new ones.
    let distance = TOUCH - 20 + (number * 131 + sample * 17) % 40_000;
    Place {
        account,
        instrument: 0,
        side,
        kind: OrderKind::PostOnly,
        self_trade: SelfTrade::CancelResting,
        ticks: Ticks(match side {
            Side::Bid => MARK - distance,
            Side::Ask => MARK + distance,
        }),
        lots: Lots(1 + number % 7),
        expiry: Slot::ZERO,
        client_id: number.into(),
        reduce_only: false,
    }
}

/// Four whole orders and a part of the fifth.
fn reserve(account: u32, number: u32) -> Reserve {
    let side = side_of(number);
    let lots = Lots(4 * LOTS + LOTS / 2);
    Reserve {
        account,
        instrument: 0,
        side,
        limit: Ticks(if side == Side::Bid { MARK * 2 } else { 1 }),
        lots,
        lots_min: lots,
        ttl: Slot::ZERO,
        route_id: 1,
        commitment: [0; 32],
    }
}

fn mint(escrow: &mut Escrow, at: usize, held: &Held) {
    escrow.caps[at] = Cap {
        route_id: 1,
        amount_max_atoms: FUNDS / 8,
        remaining_atoms: FUNDS / 8,
        hold: held.hold,
        hold_generation: held.generation,
        expiry_slot: SLOT,
        state: cap_state::LIVE,
        ..Cap::zeroed()
    };
}
