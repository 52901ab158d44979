//! A leg under liquidation: the Router's ticket, and the slab's sweep of five
//! resting orders.

use crate::book::{self, MARK};
use crate::matrix::{Row, SAMPLES, row, shown};
use anyhow::{Context, Result, anyhow};
use flagstone_sdk::embedded::{Exchange, Member, Oracle, Session};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::Rules;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::Ticket;
use flagstone_sdk::slab::LiquidationRecords;
use flagstone_sdk::units::{Lots, Ppm, Side, Slot, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_signer::Signer;
use std::path::Path;

/// Lots that the victim is long: one order each on the 15 best levels.
const HELD: u32 = 150;
/// What that takes at 10 % and 15 lots more, in atoms: a lot is worth 100.
const PLEDGE: u64 = 1_600_000_000;
/// Mark after the crash.
const CRASHED: u32 = 940_000;
/// Orders that the sweep meets.
const ORDERS: u32 = 5;

/// The bench's instrument, marked by an oracle.
fn instrument(oracle: &Oracle) -> InstrumentParams {
    InstrumentParams {
        mark_move_max: Ticks(100),
        mark_lots_min: Lots(u32::MAX),
        oracle: oracle.key.to_bytes(),
        oracle_feed: oracle.feed,
        oracle_scale: 100_000_000,
        rules: Rules {
            oracle_age_max: Slot(10),
            oracle_confidence_max: Ppm(10_000),
            liquidation_fee: Ppm(5_000),
            keeper_share: Ppm(400_000),
            liquidation_band_min: Ppm(5_000),
            liquidation_band_max: Ppm(20_000),
            ..Rules::default()
        },
        ..book::instrument()
    }
}

struct Liquidations {
    exchange: Exchange,
    oracle: Oracle,
    victim: Member,
    keeper: Member,
}

/// Measures ticket and sweep on a book of `resting` orders.
pub(crate) fn measure(programs: &Path, resting: u32) -> Result<Vec<Row>> {
    let mut bench = Liquidations::new(programs, resting)?;
    bench.crash()?;
    let samples = bench.samples()?;
    let bytes = SlabSize::Full.account_bytes();
    Ok(vec![row("liquidate_leg_5", resting, bytes, samples)])
}

impl Liquidations {
    /// A full slab with a filled book, of which the victim has bought the best asks.
    fn new(programs: &Path, resting: u32) -> Result<Self> {
        let session = Session::start(programs)?;
        let mut exchange = Exchange::open(session, SlabSize::Full).map_err(shown)?;
        let oracle = Oracle::new([0xfe; 32]);
        exchange
            .add_instrument(&instrument(&oracle))
            .map_err(shown)?;
        let victim = exchange.join(2 * PLEDGE, PLEDGE).map_err(shown)?;
        let keeper = exchange.join(1_000, 1_000).map_err(shown)?;
        let mut bench = Self {
            exchange,
            oracle,
            victim,
            keeper,
        };
        bench.price(MARK, 1)?;
        let slot = Slot::from_clock(bench.exchange.session.slot());
        let slab = bench.exchange.slab;
        let orders = resting + HELD / book::LOTS;
        bench
            .exchange
            .session
            .edit_slab(&slab, |slab| book::fill(slab, orders, slot))
            .context("the slab")??;
        let exchange = &mut bench.exchange;
        exchange
            .take(&bench.victim, Side::Bid, 2 * MARK, HELD, HELD)
            .map_err(shown)?;
        Ok(bench)
    }

    /// Lets slots pass and the slab take a price.
    fn price(&mut self, ticks: u32, slots: u64) -> Result<()> {
        let slab = self.exchange.slab;
        let session = &mut self.exchange.session;
        session.wait(slots);
        self.oracle.update(session, &slab, ticks).map_err(shown)?;
        Ok(())
    }

    /// The mark falls, and the victim is frozen; no cash, no grace.
    fn crash(&mut self) -> Result<()> {
        let slab = self.exchange.slab;
        loop {
            let mark = self
                .exchange
                .session
                .with_slab(&slab, |slab| slab.instruments[0].mark.0)?;
            if mark == CRASHED {
                break;
            }
            self.price(CRASHED, 25)?;
        }
        let (owner, mint) = (self.victim.wallet.pubkey(), self.exchange.mint);
        let begin = [
            router::begin_liquidation(&owner, &slab, &mint),
            slab::sync(&slab, &self.victim.escrow, self.victim.account),
            self.issue(),
        ];
        let ticket = self.ticket();
        let session = &mut self.exchange.session;
        session.send_large(&begin, &[]).map_err(shown)?;
        // As after an earlier ticket: its account exists, and it is void.
        let mut account = session.svm.get_account(&ticket).context("the ticket")?;
        let record: &mut Ticket = bytemuck::from_bytes_mut(&mut account.data);
        record.nonce = 0;
        session
            .svm
            .set_account(ticket, account)
            .map_err(|error| anyhow!("{error:?}"))
    }

    fn ticket(&self) -> Address {
        address::ticket(&self.victim.escrow)
    }

    fn issue(&self) -> Instruction {
        let owner = self.victim.wallet.pubkey();
        let payer = self.exchange.session.payer();
        router::issue_ticket(&payer, &owner, &self.exchange.slab, &self.exchange.mint)
    }

    /// Ticket and sweep, each time on the same book.
    fn samples(&mut self) -> Result<Vec<u64>> {
        let owner = self.victim.wallet.pubkey();
        let slab = self.exchange.slab;
        let records = LiquidationRecords {
            ticket: self.ticket(),
            portfolio: address::portfolio(&owner),
        };
        let (victim, keeper) = (self.victim.account, self.keeper.account);
        let sweep = slab::liquidation_call(&slab, &records, victim, keeper, &[]);
        let touched = [
            slab,
            records.ticket,
            records.portfolio,
            self.victim.escrow,
            address::slab_ledger(&slab, &self.exchange.mint),
        ];
        let issue = self.issue();
        let session = &mut self.exchange.session;
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            let before: Option<Vec<_>> = touched
                .iter()
                .map(|key| Some((*key, session.svm.get_account(key)?)))
                .collect();
            let receipt = session
                .send(&[issue.clone(), sweep.clone()], &[])
                .map_err(shown)?;
            let met = receipt.events.iter().find_map(|event| match event {
                Event::Traded(traded) => Some(traded.fills_count),
                _ => None,
            });
            anyhow::ensure!(met == Some(ORDERS), "{met:?} orders were met");
            samples.push(receipt.compute_units);
            for (key, account) in before.context("an account")? {
                session
                    .svm
                    .set_account(key, account)
                    .map_err(|error| anyhow!("{error:?}"))?;
            }
        }
        Ok(samples)
    }
}
