//! One order at a desk of its own, from a deposit to its payment.

use super::told;
use crate::Result;
use bytemuck::Zeroable;
use flagstone_index_engine::amounts::{Atoms, Fraction, ONE, Price, Quantity, Tokens};
use flagstone_index_engine::batch::{Batch, BatchSize};
use flagstone_index_engine::chain::Journal;
use flagstone_index_engine::collateral::{Collateral, collateral_bytes};
use flagstone_index_engine::engage::{AssetOrder, BatchPlan, Share};
use flagstone_index_engine::gates::Gate;
use flagstone_index_engine::inventory::{Fill, Inventory, InventoryLot, Stock, inventory_bytes};
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::members::{BatchFill, Line};
use flagstone_index_engine::orders::{IndexOrder, Step, Submission};
use flagstone_index_engine::roles::{Desk, Limits, Party, Role};
use flagstone_units::{PPM_ONE, Ppm, Side, Slot};
use serde_json::Value;
use sha2::{Digest, Sha256};

/// One unit of an asset.
pub(super) const UNIT: u128 = ONE as u128;
/// Address of the collateral position.
pub(super) const POSITION: [u8; 32] = [0xc0; 32];

const DESK: [u8; 32] = [0xd0; 32];
const ADMIN: [u8; 32] = [0xad; 32];
const OWNER: [u8; 32] = [0x01; 32];
const ORDER: [u8; 32] = [0x0e; 32];
const BATCH: [u8; 32] = [0xba; 32];
const STOCK: [u8; 32] = [0x57; 32];

/// Index tokens that the order engages.
const TOKENS: Tokens = Tokens(1_000_000_000);

/// The files know no limits but the authors' largest exchange fee.
const LIMITS: Limits = Limits {
    order_atoms_max: u64::MAX,
    batch_atoms_max: u64::MAX,
    mint_threshold: Ppm(PPM_ONE as u32),
    fill_threshold: Ppm(PPM_ONE as u32),
    exchange_fee_max: Ppm(2_000),
    patience_slots: Slot(1),
    collateral_slots: Slot(100),
    batch_slots: Slot(100),
};

const SIZE: BatchSize = BatchSize {
    assets: 1,
    members: 1,
    lots: 8,
};

/// What is deposited, what of it is routed, and how much is ordered.
pub(super) struct Plan {
    /// Deposited.
    pub(super) deposit: Atoms,
    /// Routed.
    pub(super) ready: Atoms,
    /// Ordered, and authorised for it.
    pub(super) order: Atoms,
}

/// A lot that the batch buys.
pub(super) struct Bought {
    /// What the file calls it.
    pub(super) name: Value,
    /// Price.
    pub(super) price: Price,
    /// Quantity.
    pub(super) quantity: Quantity,
    /// Exchange fee.
    pub(super) fee: Atoms,
}

/// A desk with its roles, a clock and the log.
struct Desks {
    desk: Desk,
    slot: u32,
    log: Vec<Vec<u8>>,
}

impl Desks {
    fn new() -> Result<Self> {
        let desk = Desk::new(DESK, ADMIN, LIMITS).map_err(told)?;
        let mut desks = Self {
            desk,
            slot: 1,
            log: Vec::new(),
        };
        let mut desk = desks.desk;
        let admin = desk.party(Role::Admin, &ADMIN).map_err(told)?;
        for role in Role::ALL {
            if desk.record(*role).is_ok() {
                let key = [0x40 + *role as u8; 32];
                desks.run(|journal| desk.grant(&admin, *role, key, journal))?;
            }
        }
        desks.desk = desk;
        Ok(desks)
    }

    fn role(&self, role: Role) -> Result<Party> {
        let key = [0x40 + role as u8; 32];
        self.desk.party(role, &key).map_err(told)
    }

    fn run<T>(
        &mut self,
        act: impl FnOnce(&mut Journal<'_>) -> flagstone_index_engine::Result<T>,
    ) -> Result<T> {
        let log = &mut self.log;
        let mut sink = |pieces: &[&[u8]]| log.push(pieces.concat());
        act(&mut Journal::new(sha256, Slot(self.slot), &mut sink)).map_err(told)
    }
}

fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// Zeroed account bytes, aligned as records need them.
fn account(bytes: usize) -> Vec<u64> {
    vec![0; bytes.div_ceil(8)]
}

/// An order with the records around it.
pub(super) struct Trade {
    desks: Desks,
    order: IndexOrder,
    collateral: Vec<u64>,
    batch: Vec<u64>,
}

impl Trade {
    /// A deposit, and an order whose collateral is authorised and confirmed.
    ///
    /// # Errors
    /// What the engine refused.
    pub(super) fn open(plan: &Plan) -> Result<Self> {
        let mut desks = Desks::new()?;
        let mut collateral = account(collateral_bytes(4, 4));
        let data = bytemuck::cast_slice_mut(&mut collateral);
        let manager = desks.role(Role::CollateralManager)?;
        let mut position = Collateral::create(data, POSITION, DESK, OWNER, [4, 4]).map_err(told)?;
        desks.run(|journal| position.deposit(&manager, 1, plan.deposit, journal))?;
        desks.run(|journal| position.make_ready(&manager, plan.ready, journal))?;
        let submission = Submission {
            stream: ORDER,
            desk: DESK,
            index: [0x1d; 32],
            order_id: 1,
            side: Side::Bid,
            amount: plan.order,
        };
        let owner = Party::owner(&OWNER, &OWNER).map_err(told)?;
        let order = desks.run(|journal| IndexOrder::submit(&submission, &owner, journal))?;
        let mut trade = Self {
            desks,
            order,
            collateral,
            batch: account(SIZE.bytes()),
        };
        trade.act(Action::Accept, Atoms::ZERO, Role::OrderManager)?;
        trade.act(Action::Route, Atoms::ZERO, Role::Solver)?;
        trade.gate(|gate, journal| gate.preauthorise(&manager, plan.order, journal).map(|_| ()))?;
        trade.act(Action::ConfirmReady, plan.order, Role::OrderManager)?;
        Ok(trade)
    }

    fn act(&mut self, action: Action, amount: Atoms, role: Role) -> Result<()> {
        let party = match role {
            Role::Anyone => Party::ANYONE,
            role => self.desks.role(role)?,
        };
        let step = Step {
            amount,
            ..Step::default()
        };
        let order = &mut self.order;
        self.desks
            .run(|journal| order.act(action, &step, &LIMITS, &party, journal))
            .map(|_| ())
    }

    fn gate(
        &mut self,
        act: impl FnOnce(&mut Gate<'_, '_>, &mut Journal<'_>) -> flagstone_index_engine::Result<()>,
    ) -> Result<()> {
        let data = bytemuck::cast_slice_mut(&mut self.collateral);
        let mut position = Collateral::open(data).map_err(told)?;
        let mut gate = Gate::new(&mut self.order, &mut position, LIMITS).map_err(told)?;
        self.desks.run(|journal| act(&mut gate, journal))
    }

    /// Buys lots in a batch and gives the order `wanted` of them; the slices
    /// that it got.
    ///
    /// # Errors
    /// What the engine refused.
    pub(super) fn buy(&mut self, bought: &[Bought], wanted: Quantity) -> Result<Vec<Line>> {
        self.send_batch(bought, wanted)?;
        let manager = self.desks.role(Role::InventoryManager)?;
        let mut shelf = account(inventory_bytes(8));
        let data = bytemuck::cast_slice_mut(&mut shelf);
        let mut stock = Stock::create(data, STOCK, DESK, 1, 8).map_err(told)?;
        let mut batch = Batch::open(bytemuck::cast_slice_mut(&mut self.batch)).map_err(told)?;
        for (at, lot) in bought.iter().enumerate() {
            let fill = BatchFill {
                asset: 0,
                number: at as u64 + 1,
                venue: [0; 32],
                quantity: lot.quantity,
                price: lot.price,
                fee: lot.fee,
            };
            self.desks
                .run(|journal| batch.report_fill(&mut stock, &manager, &fill, &LIMITS, journal))?;
        }
        let tokens = batch.available(&ORDER).map_err(told)?;
        let mut lines = [Line::zeroed(); 8];
        if tokens > Tokens::ZERO {
            let (runner, order) = (self.desks.role(Role::BatchManager)?, &mut self.order);
            self.desks.run(|journal| {
                batch.fill_order(order, tokens, &runner, &LIMITS, &mut lines, journal)
            })?;
        }
        let used = lines.iter().filter(|line| line.fill != 0);
        Ok(used.copied().collect())
    }

    /// A batch of one asset, at the venues. One that buys nothing orders a unit.
    fn send_batch(&mut self, bought: &[Bought], wanted: Quantity) -> Result<()> {
        let (solver, orders) = (
            self.desks.role(Role::Solver)?,
            self.desks.role(Role::OrderManager)?,
        );
        let (runner, desk) = (self.desks.role(Role::BatchManager)?, self.desks.desk);
        let unit = Quantity::new(UNIT);
        let mut whole = Quantity::ZERO;
        for lot in bought {
            whole = whole.plus(lot.quantity).map_err(told)?;
        }
        let dearest = bought.iter().map(|lot| lot.price.get()).max();
        let asset = AssetOrder {
            label: 1,
            limit: Price::new(dearest.unwrap_or(UNIT)),
            quantity: if whole.is_zero() { unit } else { whole },
        };
        let share = Share {
            fraction: Fraction(ONE),
            contribution: if wanted.is_zero() { unit } else { wanted },
        };
        let plan = BatchPlan {
            stream: BATCH,
            number: 1,
            market_sequence: 1,
            size: SIZE,
        };
        let (order, account) = (&mut self.order, &mut self.batch);
        let engaged = order.holdings.remaining;
        self.desks.run(|journal| {
            let data = bytemuck::cast_slice_mut(account);
            let mut batch = Batch::create(data, &desk, &solver, &plan, journal)?;
            batch.set_assets(&solver, 0, &[asset], journal)?;
            batch.join(&solver, ORDER, engaged, TOKENS, &LIMITS, journal)?;
            batch.set_cells(&solver, &ORDER, 0, &[share], &LIMITS, journal)?;
            batch.seal(&solver, journal)?;
            batch.engage(order, &orders, &LIMITS, journal)?;
            batch.send(&runner, journal)
        })
    }

    /// Ends the batch, and charges what the order spent.
    ///
    /// # Errors
    /// What the engine refused.
    pub(super) fn pay(&mut self) -> Result<()> {
        let (order, account) = (&mut self.order, &mut self.batch);
        self.desks.run(|journal| {
            let mut batch = Batch::open(bytemuck::cast_slice_mut(account))?;
            batch.complete(journal)?;
            batch.carry_over(order, &LIMITS, journal)
        })?;
        self.desks.slot += LIMITS.patience_slots.0;
        self.act(Action::Settle, Atoms::ZERO, Role::Anyone)?;
        let manager = self.desks.role(Role::CollateralManager)?;
        self.gate(|gate, journal| gate.confirm_payment(&manager, journal).map(|_| ()))
    }

    /// What the order has spent.
    pub(super) const fn spent(&self) -> Atoms {
        self.order.holdings.spent
    }

    /// Lots that no order took: number of the fill, and what is left of it.
    ///
    /// # Errors
    /// When the batch cannot be read.
    pub(super) fn lots_left(&mut self) -> Result<Vec<(u64, Quantity)>> {
        let batch = Batch::open(bytemuck::cast_slice_mut(&mut self.batch)).map_err(told)?;
        Ok(batch.lots(0).map(|lot| (lot.fill, lot.remaining)).collect())
    }

    /// The events of one record, oldest first.
    pub(super) fn events(&self, stream: &[u8; 32]) -> Vec<Vec<u8>> {
        let of = |event: &&Vec<u8>| event[8..40] == *stream;
        self.desks.log.iter().filter(of).cloned().collect()
    }
}

/// An inventory and its history.
pub(super) struct Shelf {
    desks: Desks,
    account: Vec<u64>,
    /// Its events.
    pub(super) events: Vec<Vec<u8>>,
}

impl Shelf {
    /// An empty inventory.
    ///
    /// # Errors
    /// What the engine refused.
    pub(super) fn new() -> Result<Self> {
        let mut account = account(inventory_bytes(8));
        let data = bytemuck::cast_slice_mut(&mut account);
        Stock::create(data, STOCK, DESK, 1, 8).map_err(told)?;
        Ok(Self {
            desks: Desks::new()?,
            account,
            events: Vec::new(),
        })
    }

    /// Books a fill.
    ///
    /// # Errors
    /// What the engine refused.
    pub(super) fn fill(&mut self, fill: &Fill) -> Result<()> {
        let manager = self.desks.role(Role::InventoryManager)?;
        let data = bytemuck::cast_slice_mut(&mut self.account);
        let mut stock = Stock::open(data).map_err(told)?;
        self.desks.log.clear();
        self.desks
            .run(|journal| stock.fill(&manager, fill, journal))?;
        self.events.append(&mut self.desks.log);
        Ok(())
    }

    /// Head and open lots, oldest first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn read(&mut self) -> Result<(Inventory, Vec<InventoryLot>)> {
        let data = bytemuck::cast_slice_mut(&mut self.account);
        let stock = Stock::open(data).map_err(told)?;
        let lots = stock.lots().copied().collect();
        Ok((*stock.inventory, lots))
    }
}
