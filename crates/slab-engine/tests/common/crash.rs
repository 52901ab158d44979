//! The Router's side of a liquidation: tickets, cover, and the ledger that says
//! what insurance has left.

use super::{Exchange, Outcome, key_of, params};
use bytemuck::Zeroable;
use flagstone_interface::Key;
use flagstone_interface::event::Traded;
use flagstone_interface::router::{Portfolio, SlabLedger, Ticket, portfolio_status};
use flagstone_slab_engine::deficits::Allocation;
use flagstone_slab_engine::deleverages::{Deleverage, Deleverages};
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_slab_engine::liquidations::{Liquidation, LiquidationCall};
use flagstone_slab_engine::tickets::Warrant;
use flagstone_units::{Lots, Ppm, Side, Slot, Ticks};

/// Address of the slab.
pub const SLAB: Key = [5; 32];

/// An instrument that can be liquidated: mark 100,000, 10 % initial margin, 5 %
/// maintenance, a fee of 0.5 % of which the keeper gets 40 %, and a band that
/// widens from 0.5 % to 2 %. Orders count after 5 slots.
pub fn crash_params() -> InstrumentParams {
    InstrumentParams {
        price_max: Ticks(10_000_000),
        mark: Ticks(100_000),
        mark_age: Slot(5),
        // No look at the book ever moves the mark: tests set it.
        mark_lots_min: Lots(u32::MAX),
        oracle: [1; 32],
        oracle_feed: [2; 32],
        oracle_scale: 1_000_000,
        rules: Rules {
            oracle_age_max: Slot(10),
            oracle_confidence_max: Ppm(10_000),
            liquidation_fee: Ppm(5_000),
            keeper_share: Ppm(400_000),
            liquidation_band_min: Ppm(5_000),
            liquidation_band_max: Ppm(20_000),
            ..Rules::default()
        },
        ..params()
    }
}

/// A ticket and the portfolio that it belongs to.
#[derive(Clone, Copy, Debug)]
pub struct Papers {
    pub ticket: Ticket,
    pub portfolio: Portfolio,
    pub portfolio_key: Key,
    pub slab: Key,
}

impl Papers {
    pub fn warrant(&self) -> Warrant<'_> {
        Warrant {
            slab: &self.slab,
            ticket: &self.ticket,
            portfolio_key: &self.portfolio_key,
            portfolio: &self.portfolio,
        }
    }
}

impl Exchange {
    /// Accounts with these deposits, in an instrument that can be liquidated.
    pub fn crash(deposits: &[u64]) -> Self {
        Self::crash_with(&crash_params(), deposits)
    }

    /// As [`Exchange::crash`], with other parameters.
    pub fn crash_with(params: &InstrumentParams, deposits: &[u64]) -> Self {
        let mut exchange = Self::new(params, 0);
        for atoms in deposits {
            exchange.open(*atoms);
        }
        exchange.set_mark(0, params.mark.0);
        exchange
    }

    /// Sets a mark, fresh from now on.
    pub fn set_mark(&mut self, instrument: usize, ticks: u32) {
        let slot = Slot(self.slot);
        let mut slab = self.slab();
        let instrument = &mut slab.instruments[instrument];
        instrument.mark = Ticks(ticks);
        instrument.index = Ticks(ticks);
        instrument.index_slot = slot;
        instrument.mark_slot = slot;
        instrument.fresh_until = Slot(u32::MAX);
    }

    /// `buyer` buys from `seller`.
    pub fn pair(&mut self, buyer: u32, seller: u32, ticks: u32, lots: u32) {
        self.post(seller, Side::Ask, ticks, lots).unwrap();
        assert_eq!(self.ioc(buyer, Side::Bid, ticks, lots), Ok(lots));
    }

    /// A ticket for an account, issued now for 75 slots, first of its
    /// portfolio, without a grace and with every bound wide open.
    pub fn ticket(&self, account: u32, lots_max: u32) -> Papers {
        let portfolio_key = key_of(3, account);
        let ticket = Ticket {
            slab: SLAB,
            escrow: key_of(9, account),
            portfolio: portfolio_key,
            episode: 4,
            nonce: 1,
            lots_max,
            issued_slot: Slot(self.slot),
            expiry_slot: Slot(self.slot + 75),
            band_max_ppm: 1_000_000,
            deficit_max_atoms: u64::MAX,
            ..Ticket::zeroed()
        };
        let portfolio = Portfolio {
            status: portfolio_status::LIQUIDATING,
            episode: 4,
            grace_until: Slot(self.slot),
            ..Portfolio::zeroed()
        };
        Papers {
            ticket,
            portfolio,
            portfolio_key,
            slab: SLAB,
        }
    }

    /// Liquidates without keeper or holds; returns the lots closed.
    pub fn liquidate(&mut self, account: u32, papers: &Papers) -> Outcome<u32> {
        let done = self.liquidation_call(account, 0, [(0, 0); 4], papers)?;
        Ok(done.1.liquidated.lots)
    }

    /// Calls for a liquidation.
    pub fn liquidation_call(
        &mut self,
        account: u32,
        keeper: u32,
        holds: [(u32, u32); 4],
        papers: &Papers,
    ) -> Outcome<(Traded, Liquidation)> {
        let (slot, mut traded) = (Slot(self.slot), Traded::zeroed());
        let mut done = Liquidation::none();
        let call = LiquidationCall {
            account,
            keeper,
            holds,
            warrant: papers.warrant(),
        };
        self.run(|slab| slab.liquidation_call(&call, slot, &mut traded, &mut done))?;
        Ok((traded, done))
    }

    /// Deleverages an account against the positions of these accounts.
    pub fn deleverage(
        &mut self,
        account: u32,
        counters: &[u32],
        papers: &Papers,
    ) -> Outcome<Deleverages> {
        let counters: Vec<_> = counters
            .iter()
            .map(|counter| self.slab().accounts[*counter].positions_head)
            .collect();
        let slot = Slot(self.slot);
        let mut done = Deleverages::none();
        let deleverage = Deleverage {
            account,
            counters: &counters,
            warrant: papers.warrant(),
        };
        self.run(|slab| slab.deleverage(&deleverage, slot, &mut done))?;
        Ok(done)
    }

    /// The Router moves insurance to the slab's backing for an account.
    pub fn cover(&mut self, account: u32, atoms: u64) {
        self.escrows[account as usize - 1].covered_total_atoms += atoms;
        self.backing_atoms += i128::from(atoms);
    }

    /// What the Router holds for the slab: this much insurance, all booked.
    pub fn ledger(&mut self, insurance_atoms: u64) -> SlabLedger {
        SlabLedger {
            slab: SLAB,
            mint: self.slab().header.quote_mint,
            insurance_atoms,
            insurance_due_seen: self.slab().header.insurance_due_total,
            ..SlabLedger::zeroed()
        }
    }

    /// Allocates an account's debt while insurance is empty; returns the atoms.
    pub fn allocate(&mut self, account: u32) -> Outcome<u64> {
        let ledger = self.ledger(0);
        self.allocate_with(account, &ledger)
    }

    /// Allocates an account's debt, showing a ledger.
    pub fn allocate_with(&mut self, account: u32, ledger: &SlabLedger) -> Outcome<u64> {
        let (slot, escrow_key) = (Slot(self.slot), key_of(9, account));
        let escrow = self.escrows[account as usize - 1];
        let allocation = Allocation {
            account,
            escrow_key: &escrow_key,
            escrow: &escrow,
            slab: &SLAB,
            ledger,
        };
        let event = self.run(|slab| slab.allocate_deficit(&allocation, slot))?;
        Ok(event.deficit_atoms)
    }

    /// Equity, initial and maintenance margin of an account.
    pub fn health(&mut self, account: u32) -> (i64, u64, u64) {
        let health = self.slab().health(account, None);
        (
            health.equity_atoms,
            health.initial_atoms,
            health.maintenance_atoms,
        )
    }

    /// Recognised and unallocated deficit.
    pub fn deficit(&mut self) -> u64 {
        self.slab().header.deficit_atoms
    }

    /// Panics when an invariant of the slab, or its law with the Router, is broken.
    pub fn audit_all(&mut self) {
        self.audit();
        self.audit_router();
    }
}
