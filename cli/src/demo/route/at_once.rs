//! Two slabs, three legs, one transaction.

use super::order::{ALL, Bytes, Order, Part, helds, locked, traded};
use super::stage::{A, B, By, DAVE, ERIN, NAMES, Stage};
use super::trip::Trip;
use super::view::{Moved, View};
use crate::checks::Check;
use crate::compute;
use crate::demo::story::{MARK, QUOTE, say, ticks};
use crate::print::tell;
use crate::table::{grouped, money, numbers};
use anyhow::{Result, anyhow};
use flagstone_sdk::embedded::Receipt;
use flagstone_sdk::units::Side;

/// What the maker deposits, and pledges to each slab.
const MAKER_DEPOSIT: u64 = 20_000 * QUOTE;
const MAKER_PLEDGE: u64 = 8_000 * QUOTE;
/// What the taker deposits; nothing of it goes to a slab.
const TAKER_DEPOSIT: u64 = 5_000 * QUOTE;

/// What Erin wants.
const PARTS: [Part; 3] = [
    Part {
        at: A,
        limit: MARK + 5,
        lots: 6,
    },
    Part {
        at: A,
        limit: MARK + 10,
        lots: 4,
    },
    Part {
        at: B,
        limit: MARK + 8,
        lots: 5,
    },
];
/// Most that she pays for all of it: 100.10 a lot.
const LIMIT: u64 = 15 * 100_100_000;
/// Most bytes of a transaction on the wire.
const BYTES_MAX: u64 = 1_232;

/// Money arrives and a maker quotes on both slabs.
pub(super) fn quotes(stage: &mut Stage) -> Result<()> {
    stage.deposit(DAVE, MAKER_DEPOSIT)?;
    for (at, name) in NAMES.iter().enumerate() {
        stage.pledge(DAVE, at, MAKER_PLEDGE)?;
        stage.quote(at, Side::Bid, MARK - 5, 20)?;
        let asks: &[_] = if at == A {
            &[(5, 6), (10, 20)]
        } else {
            &[(8, 20)]
        };
        let mut told = Vec::new();
        for (distance, lots) in asks {
            stage.quote(at, Side::Ask, MARK + distance, *lots)?;
            told.push(format!("{lots} at {}", ticks(MARK + distance)));
        }
        say!(
            "Dave pledges {} to slab {name}, bids 20 at {} and asks {}.",
            money(MAKER_PLEDGE),
            ticks(MARK - 5),
            told.join(" and ")
        );
    }
    stage.trip = Trip::start(stage)?;
    stage.deposit(ERIN, TAKER_DEPOSIT)?;
    say!(
        "Erin deposits {} and leaves it all at the Router: at the slabs she has accounts",
        money(TAKER_DEPOSIT)
    );
    say!("and not one atom.");
    Ok(())
}

/// The route: on a copy step by step, then at once.
pub(super) fn three_legs(stage: &mut Stage) -> Result<()> {
    let order = stage.order(1, &PARTS, 0, LIMIT)?;
    let table = &mut stage.exchange.session;
    stage.table = Some(table.create_lookup_table(&order.route.lookup_addresses())?);
    say!(
        "Erin wants 15 lots: 6 of A up to {}, 4 more of A up to {}, 5 of B up to {}; all of",
        ticks(PARTS[0].limit),
        ticks(PARTS[1].limit),
        ticks(PARTS[2].limit)
    );
    say!("them or none, and for {} at most.", money(LIMIT));
    say!("Nobody sees the steps inside a transaction, so a copy of the chain takes them one");
    say!("at a time:");
    let chain = stage.exchange.session.svm.clone();
    let journal = stage.exchange.session.keep(None);
    let copied = rehearse(stage, &order)?;
    stage.exchange.session.svm = chain;
    stage.exchange.session.keep(journal);

    let receipt = stage
        .send_with_table(&order.route.instructions())?
        .map_err(|failure| anyhow!("the route failed: {failure}"))?;
    stage.done(By::Both(ERIN), &ALL, &receipt)?;
    say!(
        "Now all {} instructions in one transaction: {} compute units, {} bytes on the wire",
        ALL.len(),
        grouped(receipt.compute_units),
        receipt.bytes
    );
    say!(
        "with a lookup table. The four transactions together took {}.",
        grouped(copied.compute_units)
    );
    let differ = Bytes::of(&stage.exchange.session).differ(&copied.bytes);
    stage.found.push(Check::new(
        format!("one transaction and four leave the same chain: {differ} accounts differ"),
        differ == 0,
    ));
    costs(&copied, &receipt);
    say!("The last three free the records of the holds, which anyone may do once they are");
    say!("booked.");
    let (notional_atoms, fee_atoms) = traded(&receipt.events);
    stage.trip.bought_atoms = notional_atoms.into();
    stage.trip.fees_atoms = fee_atoms.into();
    Ok(())
}

/// What the steps took and left.
struct Copied {
    /// Bytes on the wire of each step.
    bytes_alone: Vec<usize>,
    /// Compute units of all steps.
    compute_units: u64,
    /// The chain afterwards.
    bytes: Bytes,
}

/// Takes the four steps in a transaction each, telling what they move.
fn rehearse(stage: &mut Stage, order: &Order) -> Result<Copied> {
    let ran = stage.steps.len();
    let [reserve, open, commit, settle] = order.route.steps();
    let steps = [
        (By::Session(ERIN), &ALL[..3], reserve),
        (By::Wallet(ERIN), &ALL[3..4], open),
        (By::Session(ERIN), &ALL[4..7], commit),
        (By::Anyone, &ALL[7..], settle),
    ];
    let mut moments = vec![("before", View::of(stage)?)];
    let (mut bytes_alone, mut compute_units) = (Vec::new(), 0);
    for (by, names, instructions) in steps {
        let receipt = stage.send(by, names, &instructions)?;
        bytes_alone.push(receipt.bytes);
        compute_units += receipt.compute_units;
        let after = View::of(stage)?;
        if names[0] == "reserve" {
            let helds = helds(&receipt.events);
            let most: u64 = helds.iter().map(|held| held.max_charge_atoms).sum();
            say!("reserve locks {}.", locked(&helds, &PARTS));
            say!(
                "  No money moves; the holds may charge {} at most.",
                money(most)
            );
        } else {
            explain(
                names[0],
                &Moved::between(&moments[moments.len() - 1].1, &after),
            );
        }
        moments.push((names[0], after));
    }
    // They ran on the copy only.
    stage.steps.truncate(ran);
    tell!("{}", View::steps(&moments));
    let bytes = Bytes::of(&stage.exchange.session);
    Ok(Copied {
        bytes_alone,
        compute_units,
        bytes,
    })
}

/// What a step of the route did, in words.
fn explain(step: &str, moved: &Moved) {
    match step {
        "open_route" => {
            say!(
                "open_route moves {} of Router cash to the escrows: one capability per hold,",
                money(moved.to_escrows_atoms)
            );
            say!("  and no other slab, hold or slot can use it.");
        }
        "commit" => {
            say!(
                "commit trades at the locked prices and charges {}, what initial margin and",
                money(moved.charged_atoms)
            );
            say!(
                "  fees lack: {} of fees, {} of cash at the slabs. The Router has yet to",
                money(moved.charged_atoms - moved.to_slabs_atoms),
                money(moved.to_slabs_atoms)
            );
            say!("  book it, so its escrows and backings stand as before.");
        }
        _ => {
            say!(
                "settle_route books it: {} of the escrows now backs the slabs, {} is",
                money(-moved.to_escrows_atoms - moved.to_router_atoms),
                money(moved.to_router_atoms)
            );
            say!("  Router cash again, and the capabilities are burned.");
        }
    }
}

/// Compute units and bytes of the steps and of the whole.
fn costs(copied: &Copied, whole: &Receipt) {
    let parts = compute::instructions(&whole.logs);
    let steps = [
        "reserve",
        "open_route",
        "commit",
        "settle_route",
        "free_hold",
    ];
    let mut rows = Vec::new();
    // Settling and freeing share a transaction.
    let mut bytes_alone = copied.bytes_alone.iter();
    for step in steps {
        let bytes = bytes_alone.next().map(|bytes| grouped(*bytes as u64));
        let of_step = parts.iter().zip(ALL).filter(|(_, name)| *name == step);
        let units: Vec<u64> = of_step.map(|(part, _)| part.compute_units).collect();
        let each = units.iter().map(|units| grouped(*units));
        rows.push(vec![
            step.to_string(),
            each.collect::<Vec<_>>().join(" + "),
            grouped(units.iter().sum::<u64>()),
            bytes.unwrap_or_default(),
        ]);
    }
    rows.push(vec![
        "the whole route".to_string(),
        String::new(),
        grouped(whole.compute_units),
        grouped(whole.bytes as u64),
    ]);
    tell!("The route over two slabs of 10 MiB");
    let headers = ["step", "compute units", "together", "bytes on the wire"];
    tell!("{}", numbers(&headers, rows));
    tell!(
        "  Steps without a lookup table, the whole with one; {} bytes are allowed.",
        grouped(BYTES_MAX)
    );
}
