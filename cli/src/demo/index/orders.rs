//! Part two: two buys in one batch, in chunks; minting; a sell; the vendor's hedge.

use super::market::{self, CONSTITUENTS, Part, SOLVER, mint};
use super::stage::{By, JUDY, KARL, Stage};
use super::view::tokens;
use crate::checks::Check;
use crate::demo::story::say;
use crate::flow::generated::Random;
use crate::print::tell;
use crate::table::{grouped, money, numbers};
use anyhow::{Context, Result, bail, ensure};
use flagstone_sdk::index::{self, NewOrder};
use flagstone_sdk::index_engine::allotment::allotment_bytes;
use flagstone_sdk::index_engine::amounts::Quantity;
use flagstone_sdk::index_engine::engage::fraction_of;
use flagstone_sdk::index_engine::pending::{PendingOrder, PendingState};
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::units::Side;
use solana_address::Address;

/// What the two spend, in atoms.
const SPENT: [u64; 2] = [5_000_000_000, 3_000_000_000];
/// Tokens that Judy sells.
const SOLD: u64 = 25_000_000_000;
/// What the vendor takes out of the reserve to buy assets with, in atoms.
const HEDGE: u64 = 4_000_000_000;

/// Orders of the story, and their chunks as they were executed.
#[derive(Debug, Default)]
pub(super) struct Trades {
    /// One row per chunk.
    rows: Vec<Vec<String>>,
    /// The two buys.
    pub(super) buys: Vec<Address>,
}

impl Trades {
    /// Executes the next chunk of an order, in a batch or by itself; `None`
    /// when nothing more can be executed now.
    fn chunk(
        &mut self,
        stage: &mut Stage,
        who: usize,
        order: &Address,
        allotment: Option<&Address>,
    ) -> Result<Option<IndexError>> {
        let pair = stage.pair;
        let (name, execute) = match allotment {
            Some(share) => ("execute_member", pair.execute_member(order, share, 0)),
            None => ("execute", pair.execute(order, 0)),
        };
        let before = read(stage, order)?;
        stage.tick();
        let slot = stage.exchange.session.slot();
        match stage.attempt(By::Anyone, name, &[execute])? {
            Ok(_) => {}
            Err(failure) => {
                let error = failure.code.and_then(IndexError::from_code);
                return Ok(Some(error.with_context(|| failure.to_string())?));
            }
        }
        let after = read(stage, order)?;
        let (used, received) = (after.used - before.used, after.received - before.received);
        let (atoms, parts) = match before.side {
            0 => (used, received),
            _ => (received, used),
        };
        let units = stage.steps.last().map_or(0, |step| step.compute_units);
        // Dollars a token, to six places.
        let price = u128::from(atoms) * 1_000_000_000 / u128::from(parts);
        self.rows.push(vec![
            stage.people[who].name.to_owned(),
            grouped(after.chunks),
            grouped(slot),
            if before.side == 0 { "buys" } else { "sells" }.to_owned(),
            tokens(parts),
            money(atoms),
            money(price as i128),
            grouped(units),
        ]);
        Ok(None)
    }

    /// Executes chunks until the order is done, or what is left is worth less
    /// than it takes to trade.
    fn finish(&mut self, stage: &mut Stage, who: usize, order: &Address) -> Result<()> {
        while read(stage, order)?.state == PendingState::Open as u8 {
            match self.chunk(stage, who, order, None)? {
                None => {}
                Some(IndexError::ZeroAmount) => break,
                Some(error) => bail!("a chunk was refused: {error}"),
            }
        }
        Ok(())
    }

    fn show(&mut self) {
        let headers = [
            "", "chunk", "slot", "side", "tokens", "dollars", "each", "CU",
        ];
        tell!("{}", numbers(&headers, std::mem::take(&mut self.rows)));
    }
}

fn read(stage: &Stage, order: &Address) -> Result<PendingOrder> {
    index::read_order(&stage.data(order)).context("an order is gone")
}

fn submit(stage: &mut Stage, who: usize, side: Side, number: u64, given: u64) -> Result<Address> {
    let person = &stage.people[who];
    let (owner, source) = match side {
        Side::Bid => (person.key(), person.collateral),
        Side::Ask => (person.key(), person.tokens),
    };
    let new = NewOrder {
        side,
        order_id: number,
        given,
        // At most 102 dollars, at least 98 for a token.
        limit_atoms: if side == Side::Bid {
            102_000_000
        } else {
            98_000_000
        },
        deadline_slot: 0,
    };
    let submit = stage.pair.submit_order(&owner, &source, &new);
    let order = stage.pair.order(&owner, number);
    // The books are looked over right after, so the order has to be known.
    stage.orders.push(order);
    stage.send(By::User(who), "submit_order", &[submit])?;
    Ok(order)
}

/// Two buys share what the market can take, whoever comes first.
///
/// # Errors
/// The failed transaction.
pub(super) fn batch(stage: &mut Stage, scarce: &Part) -> Result<Trades> {
    let mut trades = Trades::default();
    for who in [JUDY, KARL] {
        let order = submit(stage, who, Side::Bid, 1, SPENT[who])?;
        trades.buys.push(order);
        say!(
            "{} orders index tokens for {}.",
            stage.people[who].name,
            money(SPENT[who])
        );
    }
    market::make_scarce(stage, scarce)?;
    let ticker = stage.listed[scarce.asset].ticker.clone();
    say!(
        "The vendor's margin in {ticker} is good for {} tokens only. The solver opens an allotment: what",
        market::SCARCE_TOKENS
    );
    say!("the market can take of each constituent is measured once, and each order gets a fixed");
    say!("fraction of it, by what it spends. Anyone may execute chunks, in any order:");
    let allotment = allot(stage, &trades.buys)?;
    // Karl goes first; it does not help him.
    for who in [KARL, JUDY] {
        let order = trades.buys[who];
        let refusal = loop {
            if let Some(refusal) = trades.chunk(stage, who, &order, Some(&allotment))? {
                break refusal;
            }
        };
        ensure!(refusal == IndexError::ZeroAmount, "{refusal}");
    }
    trades.show();
    check_shares(stage, &trades.buys)?;
    for who in [JUDY, KARL] {
        let leave =
            index::leave_allotment(&allotment, &trades.buys[who], &stage.key(By::User(who)));
        stage.send(By::User(who), "leave_allotment", &[leave])?;
    }
    Ok(trades)
}

/// Creates the allotment with one fraction for each order, and seals it.
fn allot(stage: &mut Stage, orders: &[Address]) -> Result<Address> {
    let (pair, desk) = (stage.pair, stage.desk());
    let members = orders.len() as u32;
    let bytes = allotment_bytes(CONSTITUENTS as u32, members);
    let account = stage.seeded(SOLVER, "allotment", bytes);
    let allotment = account.address().context("a seed is too long")?;
    let create = pair.create_allotment(&account, &desk, Side::Bid, CONSTITUENTS as u32, members);
    stage.accounts.push(allotment);
    stage.send(
        SOLVER,
        "create_allotment",
        &create.context("a seed is too long")?,
    )?;
    let whole = Quantity::new(SPENT.iter().map(|atoms| u128::from(*atoms)).sum());
    let solver = stage.key(SOLVER);
    for (order, atoms) in orders.iter().zip(SPENT) {
        let fraction = fraction_of(Quantity::new(atoms.into()), whole)?;
        let join = index::join_allotment(&allotment, &solver, &desk, order, &[fraction]);
        stage.send(SOLVER, "join_allotment", &[join])?;
    }
    let seal = index::seal_allotment(&allotment, &solver, &desk);
    stage.send(SOLVER, "seal_allotment", &[seal])?;
    Ok(allotment)
}

/// Each got its fraction of the scarce asset's tokens, to one part of a token.
fn check_shares(stage: &mut Stage, orders: &[Address]) -> Result<()> {
    let whole: u64 = SPENT.iter().sum();
    for (who, order) in orders.iter().enumerate() {
        let got = read(stage, order)?.received;
        let due =
            market::SCARCE_TOKENS * 1_000_000_000 * u128::from(SPENT[who]) / u128::from(whole);
        let name = stage.people[who].name;
        stage.found.push(Check::new(
            format!(
                "batch: {name} has {} tokens of {} that the share is good for",
                tokens(got),
                tokens(due as u64)
            ),
            u128::from(got) <= due && due - u128::from(got) < 10,
        ));
    }
    Ok(())
}

/// There is more again; what is left of the orders is executed, and refunded to the last atom.
///
/// # Errors
/// The failed transaction.
pub(super) fn rest(stage: &mut Stage, trades: &mut Trades, scarce: &Part) -> Result<()> {
    let (margin, long) = market::plenty(stage, scarce);
    market::restock(stage, scarce, margin, long)?;
    say!(
        "The vendor finds more of it. MaxOrderSize still cuts the orders into chunks of {}.",
        money(market::CHUNK_ATOMS)
    );
    for who in [JUDY, KARL] {
        let order = trades.buys[who];
        trades.finish(stage, who, &order)?;
    }
    trades.show();
    for who in [JUDY, KARL] {
        let order = trades.buys[who];
        let left = read(stage, &order)?;
        let person = &stage.people[who];
        let (name, owner, collateral, wallet) =
            (person.name, person.key(), person.collateral, person.tokens);
        if left.state == PendingState::Open as u8 {
            let cancel = stage.pair.cancel(&owner, 1, &collateral);
            stage.send(By::User(who), "cancel_order", &[cancel])?;
        }
        let claim = stage.pair.claim(&owner, 1, &wallet);
        stage.send(By::User(who), "claim", &[claim])?;
        say!(
            "{name} is minted {} tokens for {}, and gets {} back.",
            tokens(left.received),
            money(left.used),
            money(left.remaining)
        );
    }
    Ok(())
}

/// Prices move; Judy sells: her tokens are burned before anything is sold.
///
/// # Errors
/// The failed transaction.
pub(super) fn sell(stage: &mut Stage, trades: &mut Trades, random: &mut Random) -> Result<()> {
    market::raise_limits(stage)?;
    say!(
        "The administrator raises MaxOrderSize to {}.",
        money(market::LATER_CHUNK_ATOMS)
    );
    market::prices_move(stage, random)?;
    let (market, vendor, to) = (
        stage.pair.market,
        stage.key(By::Vendor),
        stage.vendor_collateral,
    );
    let draw = index::draw_reserve(&market, &vendor, &to, HEDGE);
    stage.send(By::Vendor, "draw_reserve", &[draw])?;
    say!(
        "Prices move, and the vendor reports new books. It takes {} of the reserve to buy assets with.",
        money(HEDGE)
    );
    let supply = |stage: &Stage| -> Result<u64> {
        let mint = stage.data(&mint(stage));
        let bytes = mint.get(36..44).context("the mint is gone")?;
        Ok(u64::from_le_bytes(bytes.try_into()?))
    };
    let before = supply(stage)?;
    let order = submit(stage, JUDY, Side::Ask, 2, SOLD)?;
    let burned = before - supply(stage)?;
    say!(
        "Judy sells {} tokens. They are burned as the order is made: the mint's supply falls from",
        tokens(SOLD)
    );
    say!(
        "{} to {}, before a dollar is paid.",
        tokens(before),
        tokens(before - burned)
    );
    stage.found.push(Check::new(
        format!(
            "sell: {} tokens burned before the first chunk of {}",
            tokens(burned),
            tokens(SOLD)
        ),
        burned == SOLD && read(stage, &order)?.chunks == 0,
    ));
    trades.finish(stage, JUDY, &order)?;
    trades.show();
    let (owner, wallet) = (stage.people[JUDY].key(), stage.people[JUDY].collateral);
    let sold = read(stage, &order)?;
    let claim = stage.pair.claim(&owner, 2, &wallet);
    stage.send(By::User(JUDY), "claim", &[claim])?;
    say!("She is paid {} out of the reserve.", money(sold.received));
    Ok(())
}
