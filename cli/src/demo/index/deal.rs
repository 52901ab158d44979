//! The desk's batch: what both orders need, its fractions, and its fills.

use super::books::Listed;
use super::desk::{BM, IM, OM, read, state};
use super::market::{Part, SOLVER};
use super::stage::{By, JUDY, KARL, Stage};
use super::view::tokens;
use crate::demo::story::say;
use crate::flow::generated::Random;
use crate::table::money;
use anyhow::{Context, Result, ensure};
use flagstone_sdk::address;
use flagstone_sdk::events::index_events;
use flagstone_sdk::index::batches::{self, Batch};
use flagstone_sdk::index::intents::Intent;
use flagstone_sdk::index::stock::Stock;
use flagstone_sdk::index_engine::amounts::{
    Atoms, Price, Quantity, Tokens, mul_div_ceil, ppm_ceil, value_ceil, value_floor,
};
use flagstone_sdk::index_engine::audit::Recorded;
use flagstone_sdk::index_engine::batch::BatchSize;
use flagstone_sdk::index_engine::engage::{AssetOrder, Share, fraction_of};
use flagstone_sdk::index_engine::inventory::Fill;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::members::{Line, LotsTaken};
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::kernels::arithmetic::{Arithmetic, Stable};
use flagstone_sdk::kernels::factor::Factor;

/// Largest price over the middle, as a share of it: a percent in ten thousandths.
const ABOVE: u128 = 100;
/// Padding of exchange orders: a hundredth of a percent, in millionths.
const PADDING: u128 = 100;
/// Exchange fee of a fill, in millionths of its value.
const FEE: u32 = 1_000;
/// Number of the batch.
const NUMBER: u64 = 1;

/// A batch of both orders.
pub(super) struct Deal {
    pub(super) intents: Vec<Intent>,
    pub(super) batch: Batch,
    pub(super) orders: Vec<AssetOrder>,
    pub(super) tokens: Vec<Tokens>,
    pub(super) lines: Vec<Vec<Line>>,
    pub(super) fills: Vec<Fill>,
}

/// The batch: what each needs of every asset, and its fraction of what is bought.
pub(super) fn build(stage: &mut Stage, parts: &[Part], intents: Vec<Intent>) -> Result<Deal> {
    let prices: Vec<Price> = parts
        .iter()
        .map(|part| limit(&stage.listed[part.asset]))
        .collect();
    let mut shares = Vec::new();
    let mut tokens = Vec::new();
    for intent in &intents {
        let engaged = read(stage, intent)?.0.holdings.remaining;
        let wanted = affordable(parts, &prices, engaged)?;
        shares.push(contributions(parts, wanted)?);
        tokens.push(wanted);
    }
    let orders = exchange_orders(stage, parts, &prices, &shares)?;
    let (desk, market) = (stage.desk(), stage.pair.market);
    let size = BatchSize {
        assets: parts.len() as u32,
        members: intents.len() as u32,
        lots: 3 * parts.len() as u32,
    };
    let account = stage.seeded(SOLVER, "batch 1", size.bytes());
    let key = account.address().context("a seed is too long")?;
    let create = batches::create_batch(&account, &desk, &market, NUMBER, size);
    stage.accounts.push(key);
    stage.send(
        SOLVER,
        "create_batch",
        &create.context("a seed is too long")?,
    )?;
    let deal = Deal {
        intents,
        batch: Batch { key, desk },
        orders,
        tokens,
        lines: vec![Vec::new(), Vec::new()],
        fills: Vec::new(),
    };
    let solver = stage.key(SOLVER);
    for (at, orders) in deal.orders.chunks(20).enumerate() {
        let set = deal.batch.set_assets(&solver, at as u32 * 20, orders);
        stage.by(SOLVER, "set_batch_assets", set)?;
    }
    for (who, intent) in deal.intents.iter().enumerate() {
        let engaged = read(stage, intent)?.0.holdings.remaining;
        let join = deal.batch.join(&solver, intent, engaged, deal.tokens[who]);
        stage.by(SOLVER, "join_batch", join)?;
        let cells = cells(&shares, who)?;
        for (at, cells) in cells.chunks(30).enumerate() {
            let set = deal.batch.set_cells(&solver, intent, at as u32 * 30, cells);
            stage.by(SOLVER, "set_batch_cells", set)?;
        }
    }
    stage.by(SOLVER, "seal_batch", deal.batch.seal(&solver))?;
    say!(
        "The solver builds a batch of both: {} exchange orders, {} and {} tokens.",
        deal.orders.len(),
        tokens_text(deal.tokens[JUDY]),
        tokens_text(deal.tokens[KARL])
    );
    say!(
        "Contributions are held against the index's weights, fractions sum to one at most and are frozen."
    );
    Ok(deal)
}

/// What the batch orders of each asset: what all need, and a little padding.
fn exchange_orders(
    stage: &Stage,
    parts: &[Part],
    prices: &[Price],
    shares: &[Vec<Quantity>],
) -> Result<Vec<AssetOrder>> {
    let mut orders = Vec::new();
    for (at, part) in parts.iter().enumerate() {
        let mut whole = Quantity::ZERO;
        for own in shares {
            whole = whole.plus(own[at])?;
        }
        let padding = mul_div_ceil(whole.get(), PADDING, 1_000_000)?;
        let label = stage.listed[part.asset].place.label.get();
        orders.push(AssetOrder {
            label: u64::try_from(label)?,
            limit: prices[at],
            quantity: whole.plus(Quantity::new(padding))?,
        });
    }
    Ok(orders)
}

fn tokens_text(parts: Tokens) -> String {
    tokens(parts.0)
}

/// Highest price to pay for an asset: a percent over its middle.
fn limit(asset: &Listed) -> Price {
    Price::new(asset.price() * (10_000 + ABOVE) / 10_000)
}

/// Asset quantities that so many tokens stand for, as the program works them out.
fn contributions(parts: &[Part], tokens: Tokens) -> Result<Vec<Quantity>> {
    let factor = Factor::new(u128::from(tokens.0) * 1_000_000_000);
    let units = |part: &Part| {
        let units = Stable::bought(&factor, part.weight);
        units
            .map(Quantity::new)
            .map_err(|_| IndexError::AmountOverflow)
    };
    Ok(parts.iter().map(units).collect::<Result<_, _>>()?)
}

/// Most tokens whose assets cost no more than is engaged, at the limit prices
/// and with the largest fee.
fn affordable(parts: &[Part], prices: &[Price], engaged: Atoms) -> Result<Tokens> {
    let cost = |tokens: u64| -> Result<u128> {
        let mut sum = 0;
        for (quantity, price) in contributions(parts, Tokens(tokens))?
            .into_iter()
            .zip(prices)
        {
            let value = value_ceil(quantity, *price)?;
            sum += u128::from(value.0) + u128::from(ppm_ceil(value, 2_000)?.0);
        }
        Ok(sum)
    };
    let (mut low, mut high) = (0, 1 << 40);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if cost(middle)? <= u128::from(engaged.0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    Ok(Tokens(low))
}

/// The cells of a member: what it contributes, and its fraction of each asset.
fn cells(shares: &[Vec<Quantity>], who: usize) -> Result<Vec<Share>> {
    let mut cells = Vec::new();
    for (at, own) in shares[who].iter().enumerate() {
        let mut whole = Quantity::ZERO;
        for all in shares {
            whole = whole.plus(all[at])?;
        }
        cells.push(Share {
            fraction: fraction_of(*own, whole)?,
            contribution: *own,
        });
    }
    Ok(cells)
}

/// Locks both orders, and sends the batch to the venues.
pub(super) fn lock(stage: &mut Stage, deal: &mut Deal) -> Result<()> {
    let manager = stage.key(OM);
    for intent in &deal.intents {
        stage.by(OM, "engage", deal.batch.engage(&manager, intent))?;
    }
    let (runner, keeper) = (stage.key(BM), stage.key(IM));
    stage.by(BM, "send_batch", deal.batch.send(&runner))?;
    for order in &deal.orders {
        let stock = Stock {
            desk: deal.batch.desk,
            label: order.label,
        };
        stage.accounts.push(stock.inventory());
        stage.by(IM, "open_inventory", stock.open_inventory(&keeper, 8))?;
        stage.accounts.push(stock.carry());
        stage.by(BM, "open_carry", stock.open_carry(&runner, 8))?;
    }
    Ok(())
}

/// The venues fill: every exchange order at the asks of its book, one level
/// after the other; what the first level does not give comes from the second.
pub(super) fn trade(
    stage: &mut Stage,
    parts: &[Part],
    deal: &mut Deal,
    random: &mut Random,
) -> Result<()> {
    let keeper = stage.key(IM);
    let (mut value, mut number) = (0u128, 0);
    for (at, part) in parts.iter().enumerate() {
        let (order, asset) = (deal.orders[at], stage.listed[part.asset].clone());
        let asks = asset.side(false);
        // A third to all of it at the best price.
        let first = order.quantity.get() * u128::from(33 + random.below(68)) / 100;
        let rest = order.quantity.get() - first;
        for (quantity, level) in [first, rest].into_iter().zip(&asks) {
            if quantity == 0 {
                continue;
            }
            number += 1;
            let (quantity, price) = (Quantity::new(quantity), Price::new(level.price.get()));
            let cost = value_floor(quantity, price)?;
            let fill = Fill {
                number,
                batch: NUMBER,
                venue: venue_reference(number),
                quantity,
                price,
                fee: ppm_ceil(cost, FEE)?,
                ..Fill::default()
            };
            let report = deal
                .batch
                .report_fill(&keeper, (at as u32, order.label), &fill);
            stage.by(IM, "report_fill", report)?;
            deal.fills.push(fill);
            value += u128::from(cost.0);
        }
    }
    say!(
        "The inventory manager reports {} fills worth {}; each is a lot of the batch and of the inventory.",
        deal.fills.len(),
        money(value as i128)
    );
    share_out(stage, deal)
}

/// Lots go to the orders by their fractions; what is left, to the carry-over.
fn share_out(stage: &mut Stage, deal: &mut Deal) -> Result<()> {
    let runner = stage.key(BM);
    for (who, intent) in deal.intents.iter().enumerate() {
        let account = stage.data(&deal.batch.key);
        let most = batches::available(&account, &intent.address()).context("no batch")?;
        let fill = deal.batch.fill(&runner, intent, most);
        let receipt = stage.send(BM, "fill_intent", &[fill])?;
        deal.lines[who] = lines(&receipt.logs);
    }
    stage.by(By::Anyone, "complete_batch", deal.batch.complete())?;
    stage.exchange.session.wait(26);
    for intent in &deal.intents {
        if state(stage, intent)? != State::FullyMintable {
            stage.by(By::Anyone, "carry_over", deal.batch.carry_over(intent))?;
        }
        if state(stage, intent)? == State::Ready {
            let anyone = stage.exchange.session.payer();
            let settle = intent.step(&anyone, Action::Settle, Atoms::ZERO);
            stage.by(By::Anyone, "step_intent: settle", settle)?;
        }
        ensure!(
            state(stage, intent)? == State::FullyMintable,
            "nothing to mint"
        );
    }
    for (at, order) in deal.orders.iter().enumerate() {
        let retire = deal.batch.retire_lots((at as u32, order.label));
        stage.by(By::Anyone, "retire_lots", retire)?;
    }
    say!(
        "The batch manager books what the fractions give; the rest of {} lots is carried over for the next batch.",
        carried(stage, deal)?
    );
    Ok(())
}

/// A venue's reference of a fill.
fn venue_reference(number: u64) -> [u8; 32] {
    let mut reference = [0; 32];
    reference[..8].copy_from_slice(&number.to_le_bytes());
    reference
}

fn carried(stage: &Stage, deal: &Deal) -> Result<usize> {
    let mut lots = 0;
    for order in &deal.orders {
        let carry = address::carry_over(&deal.batch.desk, order.label);
        let carry = batches::read_carry(&stage.data(&carry)).context("a carry-over is gone")?;
        lots += carry.lots.live as usize;
    }
    Ok(lots)
}

/// The slices of lots that a fill of an order wrote.
fn lines(logs: &[String]) -> Vec<Line> {
    let mut lines = Vec::new();
    for event in index_events(logs) {
        let Some(event) = Recorded::parse(&event) else {
            continue;
        };
        if event.body::<LotsTaken>().is_some() {
            let list = event.list::<LotsTaken>();
            let items = list.chunks_exact(size_of::<Line>());
            lines.extend(items.map(bytemuck::pod_read_unaligned::<Line>));
        }
    }
    lines
}
