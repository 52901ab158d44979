//! The order lifecycle: collateral, lots of a batch, inventory, update lots.
//!
//! The cases run through the calls that the program makes, on records of their
//! own: [`trade`] takes one order from a deposit to its payment.

mod trade;

use crate::Result;
use crate::value::{decimal, list, number};
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::{Atoms, Price, Quantity};
use flagstone_index_engine::audit::Recorded;
use flagstone_index_engine::collateral::{CollateralAction, CollateralMoved};
use flagstone_index_engine::inventory::{Fill, InventoryLot, LotEvent, LotMoved};
use flagstone_index_engine::updates::{UpdateLot, Updates};
use flagstone_units::Side;
use serde_json::{Value, json};
use trade::{Bought, Plan};

/// Decimals of an atom of collateral: the files count in whole units.
const ATOM: u128 = 1_000_000_000_000;

/// Where a result says what it does on top of what is expected.
pub const SUPERSEDED: &str = "superseded";

/// Sides as the files of inventories name them.
const SIDES: [&str; 2] = ["long", "short"];

/// Runs a call of a lifecycle case.
///
/// # Errors
/// A sentence when the case cannot be run.
pub fn run(kind: &str, case: &Value, call: &Value) -> Result<Value> {
    let initial = &case["initial"];
    match (kind, call["op"].as_str().unwrap_or("")) {
        ("collateral", "collateral") => collateral(initial),
        ("lots", "fifo_allocate") => lots(initial),
        ("inventory", "inventory") => inventory(initial),
        ("index_order", "index_order") if initial["engage"].is_array() => engaged(initial),
        ("index_order", "index_order") => updated(initial),
        (_, op) => Err(format!("op {op} is unknown")),
    }
}

fn told(error: IndexError) -> String {
    error.message().trim().to_owned()
}

fn atoms(value: &Value) -> Result<Atoms> {
    let number = number(value)?;
    let atoms = u64::try_from(number / ATOM).ok();
    let exact = atoms.filter(|_| number.is_multiple_of(ATOM));
    exact
        .map(Atoms)
        .ok_or_else(|| format!("{value} is no number of atoms"))
}

fn money(atoms: Atoms) -> Value {
    decimal(u128::from(atoms.0) * ATOM)
}

/// A deposit through the two gates: what each step left in the four places.
fn collateral(initial: &Value) -> Result<Value> {
    let plan = Plan {
        deposit: atoms(&initial["deposit"])?,
        ready: atoms(&initial["ready"])?,
        order: atoms(&initial["preauth"])?,
    };
    let spent = atoms(&initial["confirm"])?;
    // One unit at a price of what is to be spent.
    let bought = Bought {
        name: json!("all"),
        price: Price::new(u128::from(spent.0) * ATOM),
        quantity: Quantity::new(trade::UNIT),
        fee: Atoms::ZERO,
    };
    let mut trade = trade::Trade::open(&plan)?;
    trade.buy(&[bought], Quantity::new(trade::UNIT))?;
    trade.pay()?;
    let (mut buckets, mut closed, mut freed) = (Vec::new(), false, Atoms::ZERO);
    for event in trade.events(&trade::POSITION) {
        let recorded = Recorded::parse(&event).ok_or("an event cannot be read")?;
        let moved: CollateralMoved = recorded.body().ok_or("an event of another kind")?;
        if moved.action == CollateralAction::Release as u8 {
            freed = moved.amount;
            continue;
        }
        let after = moved.after;
        closed = after.is_closed();
        let places = [
            after.unconfirmed,
            after.ready,
            after.authorised,
            after.spent,
        ];
        buckets.push(places.map(money).to_vec());
    }
    let mut value = json!({ "buckets": buckets, "lot_closed": closed });
    if freed > Atoms::ZERO {
        let amount = freed.0 / 1_000_000;
        let reason = format!("paying an order frees what it did not spend, {amount} more here");
        value[SUPERSEDED] = reason.into();
    }
    Ok(value)
}

/// Lots of a batch, given to its only order, oldest first.
fn lots(initial: &Value) -> Result<Value> {
    let wanted = Quantity::new(number(&initial["quantity"])?);
    let lot = |lot: &Value| {
        Ok(Bought {
            name: lot[0].clone(),
            price: Price::new(number(&lot[1])?),
            quantity: Quantity::new(number(&lot[2])?),
            fee: atoms(&lot[3])?,
        })
    };
    let bought: Vec<Bought> = list(&initial["lots"])?
        .iter()
        .map(lot)
        .collect::<Result<_>>()?;
    let rich = Atoms(1_000_000_000_000);
    let plan = Plan {
        deposit: rich,
        ready: rich,
        order: rich,
    };
    let mut trade = trade::Trade::open(&plan)?;
    let lines = trade.buy(&bought, wanted)?;
    let of = |fill: u64| &bought[fill as usize - 1];
    let assignments: Vec<Value> = lines
        .iter()
        .map(|line| {
            json!({
                "lot": of(line.fill).name,
                "price": decimal(of(line.fill).price.get()),
                "qty": decimal(line.quantity.get()),
                "fee": money(line.fee),
            })
        })
        .collect();
    let left = trade.lots_left()?;
    let remaining = (1..=bought.len() as u64).map(|fill| {
        let lot = left.iter().find(|(number, _)| *number == fill);
        decimal(lot.map_or(0, |(_, quantity)| quantity.get()))
    });
    Ok(json!({
        "assignments": assignments,
        "remaining": remaining.collect::<Vec<_>>(),
        "spent": money(trade.spent()),
    }))
}

fn inventory(initial: &Value) -> Result<Value> {
    let fills = list(&initial["fills"])?;
    let name = |number: u64| fills[number as usize - 1][1].clone();
    let mut shelf = trade::Shelf::new()?;
    for (at, fill) in fills.iter().enumerate() {
        let side = SIDES.iter().position(|side| fill[0] == *side);
        let side = side.and_then(|side| Side::from_byte(side as u8));
        shelf.fill(&Fill {
            number: at as u64 + 1,
            price: Price::new(number(&fill[2])?),
            quantity: Quantity::new(number(&fill[3])?),
            fee: atoms(&fill[4])?,
            side: side.ok_or("a fill has no side")? as u8,
            ..Fill::default()
        })?;
    }
    let mut events = Vec::new();
    for event in &shelf.events {
        let moved = Recorded::parse(event).and_then(|event| event.body::<LotMoved>());
        if let Some(moved) = moved {
            events.push(lot_event(&moved, name)?);
        }
    }
    let (head, lots) = shelf.read()?;
    let lot = |lot: &InventoryLot| {
        json!({
            "id": name(lot.fill),
            "price": decimal(lot.price.get()),
            "original": decimal(lot.original.get()),
            "remaining": decimal(lot.remaining.get()),
            "fee": money(lot.fee),
        })
    };
    Ok(json!({
        "events": events,
        "position": {
            "side": SIDES[usize::from(head.side)],
            "balance": decimal(head.balance.get()),
            "lots": lots.iter().map(lot).collect::<Vec<_>>(),
        },
    }))
}

fn lot_event(moved: &LotMoved, name: impl Fn(u64) -> Value) -> Result<Value> {
    let quantity = decimal(moved.quantity.get());
    Ok(match LotEvent::from_code(moved.kind).map_err(told)? {
        LotEvent::Open => json!({ "event": "OpenLot", "lot": name(moved.lot), "qty": quantity }),
        LotEvent::Flip => json!({ "event": "Flip", "to": SIDES[usize::from(moved.side)] }),
        LotEvent::Close => json!({
            "event": "CloseLot",
            "lot": name(moved.lot),
            "closing": name(moved.fill),
            "qty": quantity,
            "remaining": decimal(moved.remaining.get()),
            "pnl": signed(moved.atoms),
        }),
        LotEvent::Assign => return Err("nothing was assigned".to_owned()),
    })
}

fn signed(atoms: i64) -> Value {
    let size = decimal(u128::from(atoms.unsigned_abs()) * ATOM);
    match (atoms < 0, size) {
        (true, Value::String(text)) => Value::String(format!("-{text}")),
        (_, size) => size,
    }
}

/// Update lots of an order with the side they are on.
struct Asked {
    updates: Updates,
    side: Value,
    sequence: u64,
}

impl Asked {
    fn new(first: &Value) -> Self {
        let updates = Updates {
            used: 0,
            lots: [UpdateLot::default(); flagstone_index_engine::updates::UPDATES],
        };
        Self {
            updates,
            side: first[0].clone(),
            sequence: 0,
        }
    }

    /// What an update did.
    fn change(&mut self, update: &Value) -> Result<&'static str> {
        self.sequence += 1;
        let (sequence, amount) = (self.sequence, atoms(&update[1])?);
        if update[0] == self.side {
            self.updates.push(sequence, amount).map_err(told)?;
            return Ok("push");
        }
        let reduced = self.updates.reduce(sequence, amount, true).map_err(told)?;
        if reduced.flipped == Atoms::ZERO {
            return Ok("reduce");
        }
        self.side = update[0].clone();
        Ok("flip")
    }

    fn remaining(&self) -> Result<Atoms> {
        self.updates.remaining().map_err(told)
    }
}

fn updated(initial: &Value) -> Result<Value> {
    let updates = list(&initial["updates"])?;
    let mut asked = Asked::new(&updates[0]);
    let (mut remaining, mut outcome) = (Vec::new(), Vec::new());
    for update in updates {
        outcome.push(asked.change(update)?);
        remaining.push(money(asked.remaining()?));
    }
    Ok(json!({
        "remaining": remaining,
        "outcome": outcome,
        "side": asked.side,
        "open_updates": asked.updates.open().len(),
    }))
}

fn engaged(initial: &Value) -> Result<Value> {
    let updates = list(&initial["updates"])?;
    let mut asked = Asked::new(&updates[0]);
    for update in updates {
        asked.change(update)?;
    }
    for amount in list(&initial["engage"])? {
        let amount = atoms(amount)?;
        asked.updates.engage_oldest(amount).map_err(told)?;
    }
    let before = asked.remaining()?;
    asked.change(&initial["then"])?;
    let remaining = asked.remaining()?;
    let lots = asked.updates.open().iter();
    let engaged: Vec<Atoms> = lots.map(|lot| lot.engaged).collect();
    let whole = engaged.iter().map(|amount| amount.0).sum();
    Ok(json!({
        "removed": money(before.minus(remaining).map_err(told)?),
        "remaining": money(remaining),
        "engaged": money(Atoms(whole)),
        "side": asked.side,
        "engaged_updates": engaged.into_iter().map(money).collect::<Vec<_>>(),
    }))
}
