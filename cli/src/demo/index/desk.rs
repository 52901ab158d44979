//! Part three: two orders through a desk's six roles, from deposit to invoice.
//!
//! Every step is signed by the role that it takes, each with a key of its own:
//! solver, collateral manager, order manager, batch manager, inventory manager,
//! chain connector.

use super::deal::{self, Deal};
use super::market::{Part, SOLVER, decimal};
use super::stage::{By, JUDY, KARL, Stage};
use super::view::tokens;
use crate::checks::Check;
use crate::demo::story::say;
use crate::flow::generated::Random;
use crate::print::tell;
use crate::table::{grouped, money, numbers};
use anyhow::{Context, Result, ensure};
use flagstone_sdk::address;
use flagstone_sdk::events::index_invoices;
use flagstone_sdk::index::custody::{self, Position};
use flagstone_sdk::index::intents::{self, Intent, Wish};
use flagstone_sdk::index::stock::Stock;
use flagstone_sdk::index_engine::amounts::Atoms;
use flagstone_sdk::index_engine::inventory::Assignment;
use flagstone_sdk::index_engine::invoice::Invoice;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::orders::IndexOrder;
use flagstone_sdk::index_engine::records::IntentTerms;
use flagstone_sdk::index_engine::roles::Role;
use solana_instruction::Instruction;

const CM: By = By::Desk(Role::CollateralManager);
pub(super) const OM: By = By::Desk(Role::OrderManager);
pub(super) const BM: By = By::Desk(Role::BatchManager);
pub(super) const IM: By = By::Desk(Role::InventoryManager);
const CC: By = By::Desk(Role::ChainConnector);

/// What each deposits in two payments, in atoms.
const DEPOSITS: [[u64; 2]; 2] = [[1_500_000_000, 1_000_000_000], [900_000_000, 700_000_000]];
/// What a hop of the collateral costs, in atoms.
const HOP: u64 = 1_250_000;

/// From deposit to invoice.
///
/// # Errors
/// The failed transaction.
pub(super) fn tell(stage: &mut Stage, parts: &[Part], random: &mut Random) -> Result<()> {
    let intents = money_arrives(stage)?;
    barrier(stage, &intents)?;
    let mut deal = deal::build(stage, parts, intents)?;
    deal::lock(stage, &mut deal)?;
    deal::trade(stage, parts, &mut deal, random)?;
    pay(stage, &mut deal)?;
    for who in [JUDY, KARL] {
        invoice(stage, &deal, who)?;
    }
    attribute(stage, &deal)
}

impl Stage {
    /// One instruction in the name of a role.
    pub(super) fn by(
        &mut self,
        by: By,
        name: &'static str,
        instruction: Instruction,
    ) -> Result<()> {
        self.send(by, name, &[instruction]).map(|_| ())
    }
}

/// Custody, positions, deposits; the orders.
fn money_arrives(stage: &mut Stage) -> Result<Vec<Intent>> {
    let (admin, mint, payout, desk) = (
        stage.key(By::Admin),
        stage.exchange.mint,
        stage.payout,
        stage.desk(),
    );
    stage.accounts.push(address::desk_custody(&desk));
    stage.by(
        By::Admin,
        "open_custody",
        custody::open_custody(&admin, &mint, &payout),
    )?;
    let mut intents = Vec::new();
    for who in [JUDY, KARL] {
        let (owner, source) = (stage.people[who].key(), stage.people[who].collateral);
        let position = Position { desk, owner };
        stage.accounts.push(position.address());
        stage.by(By::User(who), "open_position", position.open(8, 8))?;
        for (at, atoms) in DEPOSITS[who].into_iter().enumerate() {
            let deposit = position.deposit(&owner, &source, at as u64 + 1, atoms);
            stage.by(By::User(who), "deposit", deposit)?;
        }
        let intent = Intent {
            pair: stage.pair,
            desk,
            owner,
            order_id: 7,
        };
        let wish = Wish {
            amount: Atoms(DEPOSITS[who].iter().sum()),
            limit_atoms: 103_000_000,
            routing_fee_max: 2 * HOP,
        };
        stage.accounts.push(intent.address());
        stage.by(By::User(who), "submit_intent", intent.submit(&wish))?;
        let [first, second] = DEPOSITS[who].map(money);
        say!(
            "{} deposits {first} and {second} at the desk and orders for all of it, at 103 dollars a token at most.",
            stage.people[who].name
        );
        intents.push(intent);
    }
    Ok(intents)
}

/// Routing, its fee, and both halves of the barrier.
fn barrier(stage: &mut Stage, intents: &[Intent]) -> Result<()> {
    let payout = stage.payout;
    let none = Atoms::ZERO;
    for (who, intent) in intents.iter().enumerate() {
        let accept = intent.step(&stage.key(OM), Action::Accept, none);
        stage.by(OM, "step_intent: accept", accept)?;
        let route = intent.step(&stage.key(SOLVER), Action::Route, none);
        stage.by(SOLVER, "step_intent: route", route)?;
        let manager = stage.key(CM);
        stage.by(CM, "hop", intent.hop(&manager, &payout, Atoms(HOP)))?;
        let rest: u64 = DEPOSITS[who].iter().sum::<u64>() - HOP;
        stage.by(
            CM,
            "make_ready",
            intent.position().make_ready(&manager, rest),
        )?;
        if who == JUDY {
            // The other half of the barrier is not the order manager's to give.
            let other = intent.preauthorise(&stage.key(OM), Atoms(rest));
            let refusal = stage.refused(OM, "preauthorise", other)?;
            say!(
                "The collateral manager routes it for {}. The order manager tries to set it aside:",
                money(HOP)
            );
            say!("  \"{}\"", refusal.message().trim());
        }
        let own = intent.preauthorise(&manager, Atoms(rest));
        stage.by(CM, "preauthorise", own)?;
        ensure!(
            state(stage, intent)? == State::Routing,
            "one half opened the barrier"
        );
        let confirm = intent.step(&stage.key(OM), Action::ConfirmReady, Atoms(rest));
        stage.by(OM, "step_intent: confirm_ready", confirm)?;
        ensure!(
            state(stage, intent)? == State::Ready,
            "the barrier is closed"
        );
    }
    say!("The collateral manager does; the order manager confirms. Both halves of the barrier are");
    say!("given, by two keys, and the orders are ready.");
    Ok(())
}

pub(super) fn state(stage: &Stage, intent: &Intent) -> Result<State> {
    let (order, _) = read(stage, intent)?;
    Ok(order.state()?)
}

pub(super) fn read(stage: &Stage, intent: &Intent) -> Result<(IndexOrder, IntentTerms)> {
    intents::read_intent(&stage.data(&intent.address())).context("an order is gone")
}

/// Payment, mint; what was not spent is free again and goes home.
fn pay(stage: &mut Stage, deal: &mut Deal) -> Result<()> {
    let (manager, payout, connector) = (stage.key(CM), stage.payout, stage.key(CC));
    for (who, intent) in deal.intents.iter().enumerate() {
        stage.by(
            CM,
            "confirm_payment",
            intent.confirm_payment(&manager, &payout),
        )?;
        let (collateral, wallet) = (stage.people[who].collateral, stage.people[who].tokens);
        stage.by(CC, "mint_index", intent.mint(&connector, &wallet))?;
        let position = custody::read_position(&stage.data(&intent.position().address()));
        let (head, _, _) = position.context("a position is gone")?;
        let withdraw = intent.position().withdraw(&collateral, head.totals.ready.0);
        stage.by(By::User(who), "withdraw", withdraw)?;
    }
    say!(
        "The collateral manager confirms exactly what was spent, the chain connector mints, and both"
    );
    say!("take home what was not.");
    Ok(())
}

/// The invoice, with every lot.
fn invoice(stage: &mut Stage, deal: &Deal, who: usize) -> Result<()> {
    let (intent, manager) = (&deal.intents[who], stage.key(OM));
    let written = stage.send(OM, "write_invoice", &[intent.write_invoice(&manager)])?;
    let invoices = index_invoices(&written.logs);
    let invoice = invoices.first().context("no invoice was written")?;
    let name = stage.people[who].name;
    tell!("\n  Invoice of {name}, order {}", invoice.order_id);
    let rows = deal.lines[who].iter().map(|line| {
        let (order, fill) = (
            &deal.orders[line.asset as usize],
            deal.fills[line.fill as usize - 1],
        );
        let ticker = order.label.to_be_bytes();
        vec![
            String::from_utf8_lossy(&ticker[..4]).into_owned(),
            grouped(line.fill),
            decimal(line.quantity.get(), 9),
            decimal(fill.price.get(), 6),
            money(line.cost.0),
            money(line.fee.0),
        ]
    });
    let headers = ["asset", "fill", "units", "price", "cost", "fee"];
    tell!("{}", numbers(&headers, rows.collect()));
    tell!("{}", totals(invoice));
    let (cost, fee) = deal.lines[who]
        .iter()
        .fold((0u64, 0u64), |(cost, fee), line| {
            (cost + line.cost.0, fee + line.fee.0)
        });
    stage.found.push(Check::new(
        format!(
            "invoice of {name}: {} lots cost {cost} + {fee} fees = {} paid; + {} for routing = {} of {} deposited, {} returned",
            deal.lines[who].len(),
            invoice.paid.0,
            invoice.routing_fee.0,
            invoice.total.0,
            DEPOSITS[who].iter().sum::<u64>(),
            invoice.returned.0
        ),
        cost + fee == invoice.paid.0
            && invoice.total.0 + invoice.returned.0 == DEPOSITS[who].iter().sum::<u64>()
            && invoice.routing_fee.0 == HOP,
    ));
    Ok(())
}

fn totals(invoice: &Invoice) -> comfy_table::Table {
    let rows = [
        ("assets", money(invoice.assets_value.0)),
        ("exchange fees", money(invoice.exchange_fee.0)),
        ("routing", money(invoice.routing_fee.0)),
        ("total", money(invoice.total.0)),
        ("returned", money(invoice.returned.0)),
        ("index tokens minted", tokens(invoice.minted.0)),
        (
            "share of the collateral spent",
            format!("{} ppm", grouped(invoice.fill_rate.0)),
        ),
    ];
    let rows = rows.map(|(name, amount)| vec![name.to_owned(), amount]);
    numbers(&["invoice", "amount"], rows.to_vec())
}

/// The lots of the first asset are attributed; spend lots are dropped; the batch is closed.
fn attribute(stage: &mut Stage, deal: &Deal) -> Result<()> {
    let keeper = stage.key(IM);
    for (who, intent) in deal.intents.iter().enumerate() {
        for line in deal.lines[who].iter().filter(|line| line.asset == 0) {
            let assigned = Assignment {
                order: *intent.address().as_array(),
                lot: line.fill,
                quantity: line.quantity,
            };
            let stock = Stock {
                desk: deal.batch.desk,
                label: deal.orders[0].label,
            };
            let assign = stock.assign(&keeper, intent, assigned.lot, assigned.quantity);
            stage.by(IM, "assign_lot", assign)?;
        }
        stage.by(By::Anyone, "archive_spends", intent.archive_spends())?;
    }
    Ok(())
}
