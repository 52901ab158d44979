//! The golden vectors of the order lifecycle, read from their file.
//!
//! They lie in the folder named by `FLAGSTONE_VECTORS`, or beside the
//! repository. Without them the test says so; the models of the other tests
//! cover the same ground.

use super::support::{Account, DESK, OWNER, World, key};
use crate::amounts::{Atoms, Price, Quantity, slice, value_floor};
use crate::audit::Recorded;
use crate::collateral::{Buckets, Collateral, collateral_bytes};
use crate::inventory::{Fill, LotEvent, LotMoved, Stock, inventory_bytes};
use crate::roles::Role;
use crate::updates::Updates;
use bytemuck::Zeroable;
use flagstone_units::Side;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn golden() -> Option<Value> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let beside = || {
        let names = here
            .ancestors()
            .flat_map(|folder| ["vectors", "shared/vectors"].map(|name| folder.join(name)));
        names
            .map(|folder| folder.join("vil.json"))
            .find(|file| file.is_file())
    };
    let named = std::env::var_os("FLAGSTONE_VECTORS");
    let Some(file) = named
        .map(|folder| PathBuf::from(folder).join("vil.json"))
        .or_else(beside)
    else {
        eprintln!("SKIPPED: vil.json is not there; set FLAGSTONE_VECTORS");
        return None;
    };
    let text = std::fs::read_to_string(file).expect("the file is readable");
    Some(serde_json::from_str(&text).expect("the file is JSON"))
}

/// A decimal with at most `decimals` places as an integer.
fn scaled(value: &Value, decimals: usize) -> u128 {
    let text = value.as_str().expect("a decimal string");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    assert!(part.len() <= decimals, "{text}");
    format!("{whole}{part:0<decimals$}")
        .parse()
        .expect("a number")
}

fn atoms(value: &Value) -> Atoms {
    Atoms(scaled(value, 6) as u64)
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().expect("a list").iter()
}

fn collateral(case: &Value) {
    let mut world = World::new();
    let mut account = Account::new(collateral_bytes(4, 4));
    let mut position = Collateral::create(account.data(), key(0xc0), DESK, OWNER, [4, 4]).unwrap();
    let manager = world.role(Role::CollateralManager);
    let start = &case["initial"];
    let expected = &case["calls"][0]["expected"];
    let order = key(0x0e);
    for (at, op) in ["deposit", "ready", "preauth", "confirm"]
        .into_iter()
        .enumerate()
    {
        let amount = atoms(&start[op]);
        let done = world.run(|journal| match op {
            "deposit" => position.deposit(&manager, 1, amount, journal),
            "ready" => position.make_ready(&manager, amount, journal),
            "preauth" => position.authorise(&manager, order, amount, journal),
            _ => position
                .confirm(&manager, order, amount, journal)
                .map(|_| ()),
        });
        done.unwrap();
        let wanted: Vec<Atoms> = list(&expected["buckets"][at]).map(atoms).collect();
        let Buckets {
            unconfirmed,
            ready,
            authorised,
            spent,
            ..
        } = position.position.totals;
        assert_eq!(vec![unconfirmed, ready, authorised, spent], wanted, "{op}");
    }
    let closed = position.lots().next().is_none();
    assert_eq!(json!(closed), expected["lot_closed"]);
}

/// Takes a quantity out of lots, oldest first, as a batch does.
fn lots(case: &Value) {
    let expected = &case["calls"][0]["expected"];
    let mut left = Quantity::new(scaled(&case["initial"]["quantity"], 18));
    let (mut spent, mut taken, mut remaining) = (Atoms::ZERO, Vec::new(), Vec::new());
    for lot in list(&case["initial"]["lots"]) {
        let price = Price::new(scaled(&lot[1], 18));
        let original = Quantity::new(scaled(&lot[2], 18));
        let part = left.least(original);
        remaining.push(original.minus(part).unwrap());
        if part.is_zero() {
            continue;
        }
        let cost = value_floor(original, price).unwrap();
        let cost = slice(cost, part, original, original).unwrap();
        let fee = slice(atoms(&lot[3]), part, original, original).unwrap();
        spent = spent.plus(cost).unwrap().plus(fee).unwrap();
        left = left.minus(part).unwrap();
        taken.push((lot[0].clone(), part, fee));
    }
    let wanted = list(&expected["assignments"]).map(|line| {
        let quantity = Quantity::new(scaled(&line["qty"], 18));
        (line["lot"].clone(), quantity, atoms(&line["fee"]))
    });
    assert_eq!(taken, wanted.collect::<Vec<_>>());
    let wanted = list(&expected["remaining"]).map(|rest| Quantity::new(scaled(rest, 18)));
    assert_eq!(remaining, wanted.collect::<Vec<_>>());
    assert_eq!(spent, atoms(&expected["spent"]));
}

fn inventory(case: &Value) {
    let mut world = World::new();
    let mut account = Account::new(inventory_bytes(8));
    let stream = key(0x57);
    let mut stock = Stock::create(account.data(), stream, DESK, 1, 8).unwrap();
    let manager = world.role(Role::InventoryManager);
    let fills: Vec<&Value> = list(&case["initial"]["fills"]).collect();
    let name = |number: u64| fills[number as usize - 1][1].clone();
    for (at, fill) in fills.iter().enumerate() {
        let side = if fill[0] == "long" {
            Side::Bid
        } else {
            Side::Ask
        };
        let fill = Fill {
            number: at as u64 + 1,
            price: Price::new(scaled(&fill[2], 18)),
            quantity: Quantity::new(scaled(&fill[3], 18)),
            fee: atoms(&fill[4]),
            side: side as u8,
            ..Fill::default()
        };
        world
            .run(|journal| stock.fill(&manager, &fill, journal))
            .unwrap();
    }
    let whole = |quantity: Quantity| (quantity.get() / 10u128.pow(18)).to_string();
    let sides = ["long", "short"];
    let mut seen = Vec::new();
    for bytes in world.events(&stream) {
        let Some(moved) = Recorded::parse(bytes).unwrap().body::<LotMoved>() else {
            continue;
        };
        seen.push(match LotEvent::from_code(moved.kind).unwrap() {
            LotEvent::Open => {
                json!({"event": "OpenLot", "lot": name(moved.lot), "qty": whole(moved.quantity)})
            }
            LotEvent::Flip => json!({"event": "Flip", "to": sides[usize::from(moved.side)]}),
            LotEvent::Close => json!({
                "event": "CloseLot", "lot": name(moved.lot), "closing": name(moved.fill),
                "qty": whole(moved.quantity), "remaining": whole(moved.remaining),
                "pnl": (moved.atoms / 1_000_000).to_string(),
            }),
            LotEvent::Assign => panic!("nothing was assigned"),
        });
    }
    let expected = &case["calls"][0]["expected"];
    assert_eq!(json!(seen), expected["events"]);
    let position = &expected["position"];
    assert_eq!(json!(whole(stock.inventory.balance)), position["balance"]);
    assert_eq!(
        json!(sides[usize::from(stock.inventory.side)]),
        position["side"]
    );
    let open = stock
        .lots()
        .map(|lot| (name(lot.fill), whole(lot.remaining)));
    let wanted = list(&position["lots"]).map(|lot| {
        (
            lot["id"].clone(),
            lot["remaining"].as_str().unwrap().to_owned(),
        )
    });
    assert_eq!(open.collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
}

fn index_order(case: &Value) {
    let expected = &case["calls"][0]["expected"];
    let start = &case["initial"];
    let (mut updates, mut side) = (Updates::zeroed(), json!("buy"));
    let (mut remaining, mut outcomes, mut sequence) = (Vec::new(), Vec::new(), 0);
    let mut update = |updates: &mut Updates, change: &Value, may_flip: bool| {
        sequence += 1;
        let amount = atoms(&change[1]);
        let outcome = if change[0] == side {
            updates.push(sequence, amount).unwrap();
            "push"
        } else {
            let reduced = updates.reduce(sequence, amount, may_flip).unwrap();
            let flips = reduced.flipped > Atoms::ZERO;
            if flips {
                side = change[0].clone();
            }
            if flips { "flip" } else { "reduce" }
        };
        remaining.push(updates.remaining().unwrap());
        outcomes.push(json!(outcome));
        side.clone()
    };
    let mut last = json!("buy");
    for change in list(&start["updates"]) {
        last = update(&mut updates, change, true);
    }
    if start["engage"].is_array() {
        for amount in list(&start["engage"]) {
            updates.engage_oldest(atoms(amount)).unwrap();
        }
        let before = updates.remaining().unwrap();
        last = update(&mut updates, &start["then"], true);
        let removed = before.minus(updates.remaining().unwrap()).unwrap();
        assert_eq!(removed, atoms(&expected["removed"]));
        assert_eq!(updates.remaining().unwrap(), atoms(&expected["remaining"]));
        let engaged: Vec<Atoms> = updates.open().iter().map(|lot| lot.engaged).collect();
        let wanted: Vec<Atoms> = list(&expected["engaged_updates"]).map(atoms).collect();
        assert_eq!(engaged, wanted);
    } else {
        let wanted: Vec<Atoms> = list(&expected["remaining"]).map(atoms).collect();
        assert_eq!(remaining, wanted);
        assert_eq!(json!(outcomes), expected["outcome"]);
        assert_eq!(json!(updates.open().len()), expected["open_updates"]);
    }
    assert_eq!(last, expected["side"]);
}

#[test]
fn golden_vectors_of_the_lifecycle_pass_to_the_unit() {
    let Some(file) = golden() else {
        return;
    };
    let mut passed = 0;
    for case in list(&file["cases"]) {
        println!("{}", case["id"]);
        match case["kind"].as_str().expect("a kind") {
            "collateral" => collateral(case),
            "lots" => lots(case),
            "inventory" => inventory(case),
            "index_order" => index_order(case),
            _ => continue,
        }
        passed += 1;
    }
    assert_eq!(passed, 10, "the file has ten of them");
}
