//! The money path: reserve, open, commit, settle on three full slabs.

use crate::book::{self, LOTS, MARK};
use crate::called;
use crate::matrix::{Row, SAMPLES, row, shown};
use anyhow::{Context, Result, anyhow};
use flagstone_sdk::embedded::{Exchange, Member, Seat, Session};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use flagstone_sdk::{address, router};
use solana_address::Address;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::path::Path;

/// Legs of the measured route.
const LEGS: usize = 3;
/// Money of the measured trader, at the Router.
pub(crate) const FUNDS: u64 = 1 << 45;

/// Measures the operations of the money path on books of `resting` orders.
pub(crate) fn measure(programs: &Path, resting: u32) -> Result<Vec<Row>> {
    let mut bench = Routes::new(programs, resting)?;
    let mut rows = Vec::new();
    for slices in [1, 5] {
        let (reserve, commit, settle) = bench.one_leg(slices)?;
        rows.push(bench.row(&format!("reserve_{slices}"), reserve));
        rows.push(bench.row(&format!("commit_{slices}"), commit));
        if slices == 1 {
            rows.push(bench.row("settle", settle));
        }
    }
    let (open, settle, total) = bench.three_legs()?;
    rows.push(bench.row("open_route_3", open));
    rows.push(bench.row("settle_route_3", settle));
    rows.push(bench.row("route_3_total", total));
    let withdrawals = bench.withdrawals()?;
    rows.push(bench.row("withdraw", withdrawals));
    let called = called::measure(&mut bench, programs)?;
    rows.push(bench.row("route_3_by_cpi", called.measured));
    rows.push(bench.row("route_3_cpi_rule", vec![called.rule]));
    Ok(rows)
}

pub(crate) struct Routes {
    pub(crate) exchange: Exchange,
    trader: Member,
    /// The trader's accounts.
    pub(crate) seats: Vec<Seat>,
    resting: u32,
}

impl Routes {
    /// Three full slabs with filled books; the trader's cash is at the Router.
    fn new(programs: &Path, resting: u32) -> Result<Self> {
        let session = Session::start(programs)?;
        let mut exchange = Exchange::open(session, SlabSize::Full).map_err(shown)?;
        let trader = exchange.open_member(2 * FUNDS).map_err(shown)?;
        exchange.deposit(&trader, FUNDS).map_err(shown)?;
        let mut seats = vec![trader.seat(&exchange)];
        for leg in 1..LEGS {
            let slab = exchange
                .add_slab(&format!("bench-{leg}"), SlabSize::Full)
                .map_err(shown)?;
            seats.push(exchange.add_seat(&trader, &slab).map_err(shown)?);
        }
        for seat in &seats {
            exchange
                .add_instrument_at(&seat.slab, &book::instrument())
                .map_err(shown)?;
            let slot = Slot::from_clock(exchange.session.slot());
            exchange
                .session
                .edit_slab(&seat.slab, |slab| book::fill(slab, resting, slot))
                .context("the slab")??;
        }
        Ok(Self {
            exchange,
            trader,
            seats,
            resting,
        })
    }

    /// Reserve, commit and settle of one leg that captures `slices` orders.
    fn one_leg(&mut self, slices: u32) -> Result<(Vec<u64>, Vec<u64>, Vec<u64>)> {
        let (mut reserves, mut commits, mut settles) = (Vec::new(), Vec::new(), Vec::new());
        let seat = self.seats[0];
        for sample in 0..SAMPLES {
            let before = self.snapshot(&self.trader.wallet.pubkey(), &[seat])?;
            let route = self.route(&[seat], sample, slices)?;
            reserves.push(self.send(&route.reserve(), false)?);
            self.send(&[route.open()], true)?;
            commits.push(self.send(&route.commit(), false)?);
            let owner = self.trader.wallet.pubkey();
            let settle = router::settle(&owner, &seat.slab, &self.exchange.mint);
            let receipt = self.exchange.session.send(&[settle], &[]).map_err(shown)?;
            settles.push(receipt.compute_units);
            self.restore(before)?;
        }
        Ok((reserves, commits, settles))
    }

    /// A route over all slabs: open and settle alone, and everything at once.
    fn three_legs(&mut self) -> Result<(Vec<u64>, Vec<u64>, Vec<u64>)> {
        let (mut opens, mut settles, mut totals) = (Vec::new(), Vec::new(), Vec::new());
        let seats = self.seats.clone();
        let addresses = self.route(&seats, 0, 1)?.lookup_addresses();
        let table = self
            .exchange
            .session
            .create_lookup_table(&addresses)
            .map_err(shown)?;
        for sample in 0..SAMPLES {
            let before = self.snapshot(&self.trader.wallet.pubkey(), &seats)?;
            let route = self.route(&seats, sample, 1)?;
            self.send(&route.reserve(), false)?;
            opens.push(self.send(&[route.open()], true)?);
            self.send(&route.commit(), false)?;
            let receipt = self
                .exchange
                .session
                .send(&[route.settle()], &[])
                .map_err(shown)?;
            settles.push(receipt.compute_units);
            self.restore(before.clone())?;

            let route = self.route(&seats, sample, 1)?;
            let signers = [&self.trader.wallet, &self.trader.trader];
            let receipt = self
                .exchange
                .session
                .send_with_table(&route.instructions(), &signers, &table)
                .map_err(shown)?;
            totals.push(receipt.compute_units);
            self.restore(before)?;
        }
        Ok((opens, settles, totals))
    }

    fn withdrawals(&mut self) -> Result<Vec<u64>> {
        let owner = self.trader.wallet.pubkey();
        let mut samples = Vec::new();
        for sample in 0..SAMPLES {
            let amount = 1_000 + u64::from(sample);
            let withdraw =
                router::withdraw(&owner, &self.exchange.mint, &self.trader.tokens, amount);
            samples.push(self.send(&[withdraw], true)?);
        }
        Ok(samples)
    }

    /// The trader's route.
    fn route(&self, seats: &[Seat], sample: u32, slices: u32) -> Result<Route> {
        let keys = (self.trader.wallet.pubkey(), self.trader.trader.pubkey());
        self.route_by(keys, seats, sample, slices)
    }

    /// A route of `owner`, traded by the session key `trader`, that captures
    /// `slices` orders on each slab, within its slot.
    pub(crate) fn route_by(
        &self,
        (owner, trader): (Address, Address),
        seats: &[Seat],
        sample: u32,
        slices: u32,
    ) -> Result<Route> {
        let side = if sample.is_multiple_of(2) {
            Side::Bid
        } else {
            Side::Ask
        };
        let (limit, notional_limit) = match side {
            Side::Bid => (MARK + MARK / 20, u64::MAX),
            Side::Ask => (MARK - MARK / 20, 0),
        };
        let lots = (slices - 1) * LOTS + 1;
        let mut legs = Vec::new();
        for seat in seats {
            let data = self.exchange.session.data(&seat.slab);
            legs.push(RouteLeg {
                slab: seat.slab,
                reserve: Reserve {
                    account: seat.account.into(),
                    instrument: 0,
                    side,
                    limit: Ticks(limit),
                    lots: Lots(lots),
                    lots_min: Lots(lots),
                    ttl: Slot::ZERO,
                    route_id: 0,
                    commitment: [0; 32],
                },
                hold: HoldHandle::next(&data).context("no free hold")?,
                cap: 0,
                salt: None,
                max_charge_atoms: FUNDS / 8,
            });
        }
        let mint = self.exchange.mint;
        Ok(Route::new(
            owner,
            trader,
            mint,
            u64::from(sample) + 1,
            1,
            notional_limit,
            legs,
        )?)
    }

    fn send(
        &mut self,
        instructions: &[solana_instruction::Instruction],
        wallet: bool,
    ) -> Result<u64> {
        let signer: &Keypair = if wallet {
            &self.trader.wallet
        } else {
            &self.trader.trader
        };
        let receipt = self
            .exchange
            .session
            .send(instructions, &[signer])
            .map_err(shown)?;
        Ok(receipt.compute_units)
    }

    /// Every account that a route changes.
    pub(crate) fn snapshot(
        &self,
        owner: &Address,
        seats: &[Seat],
    ) -> Result<Vec<(Address, solana_account::Account)>> {
        let mint = &self.exchange.mint;
        let mut keys = vec![address::portfolio(owner)];
        for seat in seats {
            keys.extend([
                seat.slab,
                seat.escrow,
                address::slab_ledger(&seat.slab, mint),
            ]);
        }
        let svm = &self.exchange.session.svm;
        keys.into_iter()
            .map(|key| Ok((key, svm.get_account(&key).context("an account is missing")?)))
            .collect()
    }

    pub(crate) fn restore(
        &mut self,
        accounts: Vec<(Address, solana_account::Account)>,
    ) -> Result<()> {
        for (key, account) in accounts {
            let set = self.exchange.session.svm.set_account(key, account);
            set.map_err(|error| anyhow!("{error:?}"))?;
        }
        // The same transaction again would count as already processed.
        self.exchange.session.svm.expire_blockhash();
        Ok(())
    }

    fn row(&self, op: &str, samples: Vec<u64>) -> Row {
        let slab_bytes = SlabSize::Full.account_bytes();
        row(op, self.resting, slab_bytes, samples)
    }
}
