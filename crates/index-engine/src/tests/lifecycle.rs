//! One order from submission to invoice, through the same calls as a program's.

use super::support::{Account, DESK, LIMITS, OWNER, World, atoms_per_unit, key, owner, units};
use crate::amounts::{Atoms, Fraction, ONE, Quantity, Tokens};
use crate::batch::{Batch, BatchSize};
use crate::collateral::{Collateral, collateral_bytes};
use crate::engage::{AssetOrder, BatchPlan, Share};
use crate::gates::Gate;
use crate::inventory::{Stock, inventory_bytes};
use crate::machine::{Action, State};
use crate::members::{BatchFill, Line};
use crate::orders::{IndexOrder, Step};
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use bytemuck::Zeroable;

pub(super) const ORDER: [u8; 32] = key(0x0e);
pub(super) const BATCH: [u8; 32] = key(0xba);
pub(super) const POSITION: [u8; 32] = key(0xc0);
pub(super) const STOCK: [u8; 32] = key(0x57);

const SIZE: BatchSize = BatchSize {
    assets: 2,
    members: 1,
    lots: 8,
};

/// An order, its collateral, a batch and an inventory.
pub(super) struct Trade {
    pub(super) world: World,
    pub(super) order: IndexOrder,
    pub(super) collateral: Account,
    pub(super) batch: Account,
    pub(super) stock: Account,
}

impl Trade {
    pub(super) fn new() -> Self {
        let mut world = World::new();
        let mut collateral = Account::new(collateral_bytes(8, 8));
        Collateral::create(collateral.data(), POSITION, DESK, OWNER, [8, 8]).unwrap();
        let mut stock = Account::new(inventory_bytes(8));
        Stock::create(stock.data(), STOCK, DESK, 10, 8).unwrap();
        let order = world.order(ORDER, 1_010_000);
        Self {
            world,
            order,
            collateral,
            batch: Account::new(SIZE.bytes()),
            stock,
        }
    }

    fn alone(&mut self, action: Action, step: &Step, role: Role) -> Result<State> {
        let party = match role {
            Role::Owner => owner(),
            Role::Anyone => Party::ANYONE,
            role => self.world.role(role),
        };
        let order = &mut self.order;
        let moved = self
            .world
            .run(|journal| order.act(action, step, &LIMITS, &party, journal));
        moved.map(|moved| moved.state)
    }

    pub(super) fn gate<T>(
        &mut self,
        act: impl FnOnce(&mut Gate, &mut crate::chain::Journal) -> Result<T>,
    ) -> Result<T> {
        let mut collateral = Collateral::open(self.collateral.data())?;
        let mut gate = Gate::new(&mut self.order, &mut collateral, LIMITS)?;
        let done = self.world.run(|journal| act(&mut gate, journal))?;
        assert!(gate.agrees().unwrap(), "order and collateral disagree");
        Ok(done)
    }

    fn deposit(&mut self, number: u64, amount: u64, ready: u64) {
        let manager = self.world.role(Role::CollateralManager);
        let mut position = Collateral::open(self.collateral.data()).unwrap();
        self.world
            .run(|journal| {
                position.deposit(&manager, number, Atoms(amount), journal)?;
                position.make_ready(&manager, Atoms(ready), journal)
            })
            .unwrap();
    }

    /// Up to both halves of the barrier: two deposits, one hop for 10,000.
    pub(super) fn until_ready(&mut self) {
        let manager = self.world.role(Role::CollateralManager);
        self.deposit(1, 300_000, 300_000);
        self.deposit(2, 800_000, 750_000);
        let none = Step::default();
        assert_eq!(
            self.alone(Action::Accept, &none, Role::OrderManager),
            Ok(State::Open)
        );
        assert_eq!(
            self.alone(Action::Route, &none, Role::Solver),
            Ok(State::Routing)
        );
        self.gate(|gate, journal| gate.hop(&manager, Atoms(10_000), journal))
            .unwrap();
        let moved =
            self.gate(|gate, journal| gate.preauthorise(&manager, Atoms(1_000_000), journal));
        assert_eq!(moved.unwrap().state, State::Routing);
        let amount = Step {
            amount: Atoms(1_000_000),
            ..none
        };
        let ready = self.alone(Action::ConfirmReady, &amount, Role::OrderManager);
        assert_eq!(ready, Ok(State::Ready));
    }

    /// Into a batch of two assets, one unit each at up to 0.49, and sent.
    pub(super) fn until_sent(&mut self) {
        let (desk, solver) = (self.world.desk, self.world.role(Role::Solver));
        let orders = self.world.role(Role::OrderManager);
        let runner = self.world.role(Role::BatchManager);
        let (account, order) = (&mut self.batch, &mut self.order);
        let plan = BatchPlan {
            stream: BATCH,
            number: 77,
            market_sequence: 5,
            size: SIZE,
        };
        let assets = [10, 11].map(|label| AssetOrder {
            label,
            limit: atoms_per_unit(498_000),
            quantity: units(1),
        });
        let share = Share {
            fraction: Fraction(ONE),
            contribution: units(1),
        };
        let sent = self.world.run(|journal| {
            let mut batch = Batch::create(account.data(), &desk, &solver, &plan, journal)?;
            batch.set_assets(&solver, 0, &assets, journal)?;
            let (atoms, tokens) = (Atoms(1_000_000), Tokens(2_000_000_000));
            batch.join(&solver, ORDER, atoms, tokens, &LIMITS, journal)?;
            batch.set_cells(&solver, &ORDER, 0, &[share; 2], &LIMITS, journal)?;
            batch.seal(&solver, journal)?;
            batch.engage(order, &orders, &LIMITS, journal)?;
            batch.send(&runner, journal)
        });
        sent.unwrap();
    }

    pub(super) fn report(
        &mut self,
        asset: u32,
        number: u64,
        quantity: Quantity,
        price: u64,
        fee: u64,
    ) {
        let manager = self.world.role(Role::InventoryManager);
        let fill = BatchFill {
            asset,
            number,
            venue: key(0x33),
            quantity,
            price: atoms_per_unit(price),
            fee: Atoms(fee),
        };
        let mut other = Account::new(inventory_bytes(1));
        Stock::create(other.data(), key(0x58), DESK, 11, 1).unwrap();
        let stock = if asset == 0 {
            &mut self.stock
        } else {
            &mut other
        };
        let batch = &mut self.batch;
        let done = self.world.run(|journal| {
            let mut stock = Stock::open(stock.data())?;
            let mut batch = Batch::open(batch.data())?;
            batch.report_fill(&mut stock, &manager, &fill, &LIMITS, journal)
        });
        done.unwrap();
    }

    pub(super) fn take(&mut self, tokens: u64) -> Result<State> {
        let manager = self.world.role(Role::BatchManager);
        let (account, order) = (&mut self.batch, &mut self.order);
        let mut lines = [Line::zeroed(); 8];
        let moved = self.world.run(|journal| {
            let mut batch = Batch::open(account.data())?;
            batch.fill_order(
                order,
                Tokens(tokens),
                &manager,
                &LIMITS,
                &mut lines,
                journal,
            )
        });
        moved.map(|moved| moved.state)
    }

    /// Buys everything in three fills and two attributions, until nothing is left to buy.
    pub(super) fn until_mintable(&mut self) {
        let half = Quantity::new(u128::from(ONE) / 2);
        self.report(0, 1, half, 496_000, 100);
        self.report(1, 2, units(1), 498_000, 990);
        assert_eq!(self.take(1_000_000_001), Err(IndexError::AboveFill));
        assert_eq!(self.take(1_000_000_000), Ok(State::Engaged));
        self.report(0, 3, half, 498_000, 490);
        let state = self.take(1_000_000_000);
        assert_eq!(state, Ok(State::PartlyMintable));
        self.world.slot += LIMITS.patience_slots.0;
        let (account, order) = (&mut self.batch, &mut self.order);
        let moved = self.world.run(|journal| {
            let mut batch = Batch::open(account.data())?;
            batch.complete(journal)?;
            batch.carry_over(order, &LIMITS, journal)
        });
        assert_eq!(moved.unwrap().state, State::FullyMintable);
    }

    pub(super) fn until_invoiced(&mut self) {
        let manager = self.world.role(Role::CollateralManager);
        let paid = self.gate(|gate, journal| gate.confirm_payment(&manager, journal));
        assert_eq!(paid.unwrap().state, State::Paid);
        let all = Step {
            quantity: Tokens(2_000_000_000),
            ..Step::default()
        };
        assert_eq!(
            self.alone(Action::Mint, &all, Role::ChainConnector),
            Ok(State::Minted)
        );
        let orders = self.world.role(Role::OrderManager);
        let order = &mut self.order;
        let written = self
            .world
            .run(|journal| order.write_invoice(&orders, &LIMITS, journal));
        let (invoice, moved) = written.unwrap();
        assert_eq!(moved.state, State::Invoiced);
        assert_eq!(
            self.order.invoice_hash,
            super::support::sha256(&[bytemuck::bytes_of(&invoice)])
        );
    }
}

#[test]
fn ix4_an_order_is_charged_what_it_spent_and_gets_the_rest_back() {
    let mut trade = Trade::new();
    trade.until_ready();
    trade.until_sent();
    trade.until_mintable();
    // 248,000 + 100, 498,000 + 990, 249,000 + 490.
    let spent = 996_580;
    assert_eq!(trade.order.holdings.spent, Atoms(spent));
    trade.until_invoiced();
    let invoice = trade
        .order
        .invoice(flagstone_units::Slot(trade.world.slot))
        .unwrap();
    assert_eq!(invoice.paid, Atoms(spent));
    assert_eq!(invoice.exchange_fee, Atoms(1_580));
    assert_eq!(invoice.assets_value, Atoms(995_000));
    assert_eq!(invoice.routing_fee, Atoms(10_000));
    assert_eq!(invoice.total, Atoms(1_006_580));
    assert_eq!(invoice.returned, Atoms(1_000_000 - spent));
    assert_eq!(invoice.fill_rate.0, 996_580);
    assert_eq!(invoice.minted, Tokens(2_000_000_000));
    assert_eq!(invoice.deposit, 2);
    let position = Collateral::open(trade.collateral.data()).unwrap();
    let totals = position.position.totals;
    assert_eq!(totals.authorised, Atoms(0));
    assert_eq!(totals.spent, Atoms(spent + 10_000));
    assert_eq!(totals.ready, Atoms(1_050_000 - spent));
    assert_eq!(totals.unconfirmed, Atoms(40_000));
    // The lots spent, the deposits and the order match.
    let spends: Vec<_> = position
        .spends()
        .map(|spend| (spend.deposit, spend.spent))
        .collect();
    assert_eq!(spends, [(1, Atoms(300_000)), (2, Atoms(spent - 300_000))]);
    trade.gate(|gate, journal| gate.archive(journal)).unwrap();
    let position = Collateral::open(trade.collateral.data()).unwrap();
    assert_eq!(position.position.spends.live, 0);
}

#[test]
fn ix1_an_engaged_order_cannot_be_cancelled_and_pays_for_nothing_it_did_not_get() {
    let mut trade = Trade::new();
    trade.until_ready();
    trade.until_sent();
    let cancel = |gate: &mut Gate, journal: &mut crate::chain::Journal| {
        gate.give_up(Action::Cancel, &owner(), journal)
    };
    assert_eq!(trade.gate(cancel), Err(IndexError::IllegalTransition));
    trade.world.slot += LIMITS.batch_slots.0 + 1;
    let (account, order) = (&mut trade.batch, &mut trade.order);
    let moved = trade.world.run(|journal| {
        let mut batch = Batch::open(account.data())?;
        batch.cancel_rest(0, &Party::ANYONE, journal)?;
        batch.cancel_rest(1, &Party::ANYONE, journal)?;
        batch.complete(journal)?;
        batch.carry_over(order, &LIMITS, journal)
    });
    assert_eq!(moved.unwrap().state, State::Ready);
    let moved = trade.gate(cancel).unwrap();
    assert_eq!(
        (moved.state, moved.released),
        (State::Cancelled, Atoms(1_000_000))
    );
    let totals = Collateral::open(trade.collateral.data())
        .unwrap()
        .position
        .totals;
    assert_eq!(totals.ready, Atoms(1_050_000));
    assert_eq!(totals.spent, Atoms(10_000), "only the hop was paid");
}

#[test]
fn an_order_cancelled_after_a_fill_is_minted_for_what_was_bought() {
    let mut trade = Trade::new();
    trade.until_ready();
    trade.until_sent();
    let half = Quantity::new(u128::from(ONE) / 2);
    trade.report(0, 1, half, 496_000, 0);
    trade.report(1, 2, half, 496_000, 0);
    trade.take(1_000_000_000).unwrap();
    let manager = trade.world.role(Role::InventoryManager);
    let (account, order) = (&mut trade.batch, &mut trade.order);
    trade
        .world
        .run(|journal| {
            let mut batch = Batch::open(account.data())?;
            batch.cancel_rest(0, &manager, journal)?;
            batch.cancel_rest(1, &manager, journal)?;
            batch.complete(journal)?;
            batch.carry_over(order, &LIMITS, journal)
        })
        .unwrap();
    let moved = trade
        .gate(|gate, journal| gate.give_up(Action::Cancel, &owner(), journal))
        .unwrap();
    assert_eq!(
        (moved.state, moved.released),
        (State::FullyMintable, Atoms(504_000))
    );
    let manager = trade.world.role(Role::CollateralManager);
    let moved = trade
        .gate(|gate, journal| gate.confirm_payment(&manager, journal))
        .unwrap();
    assert_eq!((moved.state, moved.released), (State::Paid, Atoms(0)));
    assert_eq!(trade.order.holdings.paid, Atoms(496_000));
}

#[test]
fn ix5_a_denied_payment_charges_nothing_and_mints_nothing() {
    let mut trade = Trade::new();
    trade.until_ready();
    trade.until_sent();
    trade.until_mintable();
    let manager = trade.world.role(Role::CollateralManager);
    let moved = trade.gate(|gate, journal| gate.give_up(Action::DenyPayment, &manager, journal));
    assert_eq!(moved.unwrap().released, Atoms(1_000_000));
    let totals = Collateral::open(trade.collateral.data())
        .unwrap()
        .position
        .totals;
    assert_eq!(
        (totals.authorised, totals.ready),
        (Atoms(0), Atoms(1_050_000))
    );
    let mint = Step {
        quantity: Tokens(2_000_000_000),
        ..Step::default()
    };
    let minted = trade.alone(Action::Mint, &mint, Role::ChainConnector);
    assert_eq!(minted, Err(IndexError::IllegalTransition));
}

#[test]
fn ix4_collateral_that_is_not_there_cannot_be_authorised() {
    let mut trade = Trade::new();
    trade.deposit(1, 1_020_000, 999_999);
    let none = Step::default();
    trade
        .alone(Action::Accept, &none, Role::OrderManager)
        .unwrap();
    trade.alone(Action::Route, &none, Role::Solver).unwrap();
    let manager = trade.world.role(Role::CollateralManager);
    let before = (trade.order, trade.collateral.clone());
    let moved = trade.gate(|gate, journal| gate.preauthorise(&manager, Atoms(1_010_000), journal));
    assert_eq!(moved, Err(IndexError::NotEnoughCollateral));
    (trade.order, trade.collateral) = before;
    let back = trade.alone(Action::CheckLater, &none, Role::CollateralManager);
    assert_eq!(back, Ok(State::Open));
    let early = trade.gate(|gate, journal| gate.give_up(Action::Expire, &Party::ANYONE, journal));
    assert_eq!(early, Err(IndexError::TooEarly));
    trade.world.slot += LIMITS.collateral_slots.0 + 1;
    let end = trade.gate(|gate, journal| gate.give_up(Action::Expire, &Party::ANYONE, journal));
    assert_eq!(end.unwrap().state, State::InvalidCollateral);
}

#[test]
fn a_reduction_after_the_gate_frees_collateral_and_never_flips() {
    let mut trade = Trade::new();
    trade.until_ready();
    let moved = trade
        .gate(|gate, journal| gate.reduce(&owner(), Atoms(400_000), journal))
        .unwrap();
    assert_eq!(moved.released, Atoms(400_000));
    let moved = trade
        .gate(|gate, journal| gate.reduce(&owner(), Atoms(900_000), journal))
        .unwrap();
    assert_eq!(moved.released, Atoms(600_000));
    assert_eq!(trade.order.side, 0);
    let empty = trade.gate(|gate, journal| gate.reduce(&owner(), Atoms(1), journal));
    assert_eq!(empty, Err(IndexError::NotEnoughCollateral));
    // Before the gate it does turn around, and is then not routed.
    let mut trade = Trade::new();
    trade
        .alone(Action::Accept, &Step::default(), Role::OrderManager)
        .unwrap();
    trade
        .gate(|gate, journal| gate.reduce(&owner(), Atoms(1_010_005), journal))
        .unwrap();
    assert_eq!(
        (trade.order.side, trade.order.holdings.remaining),
        (1, Atoms(5))
    );
    let routed = trade.alone(Action::Route, &Step::default(), Role::Solver);
    assert_eq!(routed, Err(IndexError::WrongSide));
}

#[test]
fn ix10_records_of_others_cannot_be_put_together() {
    let mut trade = Trade::new();
    for spoil in [0, 1] {
        let mut order = trade.order;
        if spoil == 0 {
            order.owner = key(2);
        } else {
            order.desk = key(2);
        }
        let mut collateral = Collateral::open(trade.collateral.data()).unwrap();
        let gate = Gate::new(&mut order, &mut collateral, LIMITS).map(|_| ());
        assert_eq!(gate, Err(IndexError::WrongCounterpart));
    }
}
