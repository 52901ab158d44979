//! Where all the money and all the tokens are, and whether they add up.

use super::stage::Stage;
use crate::checks::Check;
use crate::table::{money, numbers};
use anyhow::{Context, Result};
use comfy_table::Table;
use flagstone_sdk::address;
use flagstone_sdk::index::{self, custody, intents};
use flagstone_sdk::index_engine::machine::State;
use flagstone_sdk::index_engine::market::IndexState;
use flagstone_sdk::units::Side;

/// What one user has.
#[derive(Clone, Copy, Debug, Default)]
struct Purse {
    name: &'static str,
    /// Collateral in the wallet.
    collateral: u64,
    /// Collateral that open buys have left and sells have not claimed.
    ordered: u64,
    /// Collateral at the desk: unconfirmed, ready or authorised.
    at_desk: u64,
    /// Index tokens in the wallet.
    tokens: u64,
    /// Index tokens that buys have not claimed.
    unclaimed: u64,
    /// Index tokens burned for sells and not yet sold.
    locked: u64,
}

/// A look at everything.
#[derive(Clone, Debug)]
pub(super) struct View {
    purses: Vec<Purse>,
    vendor: u64,
    payout: u64,
    vault: u64,
    booked: u64,
    reserve: u64,
    desk_vault: u64,
    desk_booked: u64,
    supply: u64,
    index: IndexState,
    brought: u64,
}

impl View {
    /// A look now; `None` until there is an index.
    ///
    /// # Errors
    /// When an account cannot be read.
    pub(super) fn of(stage: &Stage) -> Result<Option<Self>> {
        let session = &stage.exchange.session;
        let Some((index, _)) = index::read_index(&stage.data(&stage.pair.index)) else {
            return Ok(None);
        };
        let market = index::read_market(&stage.data(&stage.pair.market));
        let (market, _) = market.context("the market is gone")?;
        let mut purses: Vec<Purse> = Vec::new();
        for person in &stage.people {
            let position = custody::Position {
                desk: stage.desk(),
                owner: person.key(),
            };
            let position = custody::read_position(&stage.data(&position.address()));
            let at_desk = position.map_or(0, |(head, _, _)| {
                let totals = head.totals;
                totals.unconfirmed.0 + totals.ready.0 + totals.authorised.0
            });
            purses.push(Purse {
                name: person.name,
                collateral: session.token_balance(&person.collateral),
                tokens: session.token_balance(&person.tokens),
                at_desk,
                ..Purse::default()
            });
        }
        for key in &stage.orders {
            let order = index::read_order(&stage.data(key)).context("an order is gone")?;
            let owner = stage
                .people
                .iter()
                .position(|person| person.key().as_array() == &order.owner);
            let purse = &mut purses[owner.context("an order of nobody")?];
            if order.side == Side::Bid as u8 {
                purse.ordered += order.remaining;
                purse.unclaimed += order.claimable;
            } else {
                purse.ordered += order.claimable;
                purse.locked += order.remaining;
            }
        }
        // What the desk bought and did not mint yet is theirs too.
        for key in &stage.accounts {
            let order = intents::read_intent(&stage.data(key)).map(|(order, _)| order);
            let Some(order) = order.filter(|one| one.state() != Ok(State::InvalidCollateral))
            else {
                continue;
            };
            let mut people = stage.people.iter();
            let owner = people.position(|person| person.key().as_array() == &order.owner);
            let purse = &mut purses[owner.context("an order of nobody")?];
            purse.unclaimed += order.holdings.filled.0 - order.holdings.minted.0;
        }
        let mint = stage.data(&address::index_mint(&stage.pair.index));
        let supply = mint.get(36..44).context("the mint is gone")?;
        let desk = address::desk_custody(&stage.desk());
        let desk_booked =
            custody::read_custody(&stage.data(&desk)).map_or(0, |custody| custody.booked_atoms);
        Ok(Some(Self {
            purses,
            vendor: session.token_balance(&stage.vendor_collateral),
            payout: session.token_balance(&stage.payout),
            vault: session.token_balance(&address::market_tokens(&stage.pair.market)),
            booked: market.booked_atoms,
            reserve: market.reserve_atoms,
            desk_vault: session.token_balance(&address::desk_vault(&stage.desk())),
            desk_booked,
            supply: u64::from_le_bytes(supply.try_into()?),
            index: index.state,
            brought: stage.brought,
        }))
    }

    fn sum(&self, of: fn(&Purse) -> u64) -> u64 {
        self.purses.iter().map(of).sum()
    }

    /// Whether everything adds up to the last atom and the last part of a token.
    pub(super) fn checks(&self) -> Vec<Check> {
        let Self {
            vault,
            booked,
            reserve,
            desk_vault,
            desk_booked,
            supply,
            ..
        } = *self;
        let ordered = self.sum(|purse| purse.ordered);
        let at_desk = self.sum(|purse| purse.at_desk);
        let (unclaimed, locked) = (
            self.sum(|purse| purse.unclaimed),
            self.sum(|purse| purse.locked),
        );
        let wallets = self.sum(|purse| purse.collateral);
        let whole = wallets + self.vendor + self.payout + vault + desk_vault;
        let (minted, burned) = (self.index.minted.0, self.index.burned.0);
        vec![
            Check::new(
                format!(
                    "market: {vault} atoms in custody = {booked} booked = {reserve} reserve + {ordered} of orders"
                ),
                vault == booked && vault == reserve + ordered,
            ),
            Check::new(
                format!(
                    "desk: {desk_vault} atoms in custody = {desk_booked} booked = {at_desk} of positions"
                ),
                desk_vault == desk_booked && desk_vault == at_desk,
            ),
            Check::new(
                format!(
                    "collateral: {whole} atoms in wallets and custody = {} minted",
                    self.brought
                ),
                whole == self.brought,
            ),
            Check::new(
                format!(
                    "index tokens: {supply} supply + {unclaimed} unclaimed + {locked} burned and unsold = {minted} bought - {burned} sold"
                ),
                u128::from(supply) + u128::from(unclaimed) + u128::from(locked)
                    == u128::from(minted) - u128::from(burned)
                    && locked == self.index.locked.0,
            ),
        ]
    }

    /// What everyone has.
    pub(super) fn purses(&self) -> Table {
        let mut rows: Vec<Vec<String>> = self
            .purses
            .iter()
            .map(|purse| {
                vec![
                    purse.name.to_owned(),
                    money(purse.collateral),
                    money(purse.ordered),
                    money(purse.at_desk),
                    tokens(purse.tokens),
                    tokens(purse.unclaimed),
                    tokens(purse.locked),
                ]
            })
            .collect();
        let alone = |name: &str, atoms: u64| {
            let mut row = vec![name.to_owned(), money(atoms)];
            row.resize(7, String::new());
            row
        };
        rows.push(alone("the vendor", self.vendor));
        rows.push(alone("the desk", self.payout));
        let headers = [
            "",
            "collateral",
            "in orders",
            "at the desk",
            "index tokens",
            "unclaimed",
            "burned, unsold",
        ];
        numbers(&headers, rows)
    }

    /// What market, desk and index hold.
    pub(super) fn holdings(&self) -> Table {
        let rows = [
            ("market: collateral in custody", money(self.vault)),
            ("market: booked", money(self.booked)),
            ("market: reserve", money(self.reserve)),
            ("desk: collateral in custody", money(self.desk_vault)),
            ("desk: booked", money(self.desk_booked)),
            ("index: supply of the mint", tokens(self.supply)),
            ("index: bought", tokens(self.index.minted.0)),
            ("index: sold", tokens(self.index.burned.0)),
        ];
        let rows = rows.map(|(name, amount)| vec![name.to_owned(), amount]);
        numbers(&["", "amount"], rows.to_vec())
    }
}

/// Index tokens with nine decimals, to the last part.
pub(super) fn tokens(parts: u64) -> String {
    let whole = crate::table::grouped(i128::from(parts / 1_000_000_000));
    format!("{whole}.{:09}", parts % 1_000_000_000)
}
