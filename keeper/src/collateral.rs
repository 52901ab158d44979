//! Auctions of collateral that are worth buying in.
//!
//! A [`Bidder`] looks at every frozen account of a slab whose owner holds a
//! collateral mint, and works out what the Router would sell now, and for how
//! much. It begins an auction that could become worth it, buys when the
//! collateral is worth more at the oracle's price than it costs by a threshold,
//! and moves the margin on in the same transaction.

use crate::chain::Chain;
use crate::chain::record;
use crate::snapshot::Snapshot;
use flagstone_sdk::interface::collateral::{CollateralPosition, CollateralTerms};
use flagstone_sdk::interface::router::{Escrow, Portfolio};
use flagstone_sdk::interface::slab::{SlabAccount, account_flags};
use flagstone_sdk::margin::Reading;
use flagstone_sdk::margin::collateral::{OraclePrice, Price, Sale, asked_atoms};
use flagstone_sdk::router::Bid;
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;

/// Sysvar of the clock, and where in it the unix time is.
const CLOCK: Address = Address::from_str_const("SysvarC1ock11111111111111111111111111111111");
const UNIX_TIME_AT: usize = 32;

/// Where a token account holds its balance.
const BALANCE_AT: usize = 64;

/// The keeper of one collateral mint at one slab. The chain's payer buys.
#[derive(Clone, Copy, Debug)]
pub struct Bidder {
    /// The slab.
    pub slab: Address,
    /// The quote mint.
    pub mint: Address,
    /// The collateral mint.
    pub collateral: Address,
    /// The payer's token account of the quote mint.
    pub source: Address,
    /// The payer's token account of the collateral mint.
    pub destination: Address,
    /// Least profit at the oracle's price for which it buys, in quote atoms.
    pub profit_min_atoms: u64,
}

/// What can be done in the auction of one owner's collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Owner of the collateral.
    pub owner: Address,
    /// Slab account that lacks margin.
    pub account: u32,
    /// Escrow of that account.
    pub escrow: Address,
    /// What would be bought; `None` when the auction has to begin first.
    pub sale: Option<Sale>,
    /// What it is worth at the oracle's price above its cost, in quote atoms;
    /// for an auction that has not begun, at its end.
    pub profit_atoms: u64,
}

/// What a bidder reads once for all accounts.
struct Quote {
    terms: CollateralTerms,
    price: Price,
    slot: Slot,
    funds_atoms: u64,
}

impl Bidder {
    /// Offers of at least the least profit, the best first.
    pub fn offers<C: Chain>(&self, chain: &C) -> Vec<Offer> {
        let snapshot = chain.data(&self.slab).as_deref().and_then(Snapshot::of);
        let (Some(slab), Some(quote)) = (snapshot, self.quote(chain)) else {
            return Vec::new();
        };
        let open = |(_, account): &(u32, &SlabAccount)| account.flags & account_flags::OPEN != 0;
        let accounts = slab.accounts().filter(open);
        let mut offers: Vec<_> = accounts
            .filter_map(|(index, account)| self.offer(chain, &quote, &slab, index, account))
            .filter(|offer| offer.profit_atoms >= self.profit_min_atoms)
            .collect();
        offers.sort_by_key(|offer| (core::cmp::Reverse(offer.profit_atoms), offer.account));
        offers
    }

    /// Takes the best offer, if there is one. Returns it, and why it failed if
    /// it did.
    pub fn step<C: Chain>(&self, chain: &mut C) -> Option<(Offer, Option<String>)> {
        let offer = *self.offers(chain).first()?;
        let sent = chain.send(&self.instructions(chain, &offer));
        Some((offer, sent.err().map(|failure| failure.to_string())))
    }

    /// The transaction that takes an offer.
    pub fn instructions<C: Chain>(&self, chain: &C, offer: &Offer) -> Vec<Instruction> {
        let terms: Option<CollateralTerms> =
            record(chain, &address::collateral_terms(&self.collateral));
        let sale = offer.sale.unwrap_or(Sale {
            amount_atoms: 1,
            cost_atoms: 1,
        });
        let bid = Bid {
            buyer: chain.payer(),
            source: self.source,
            destination: self.destination,
            collateral: self.collateral,
            oracle: terms.map_or(Address::default(), |terms| terms.oracle.into()),
            amount_max_atoms: sale.amount_atoms,
            pay_max_atoms: sale.cost_atoms,
        };
        let (owner, at, mint) = (&offer.owner, &self.slab, &self.mint);
        let mut all = vec![router::liquidate_collateral(owner, at, mint, &bid)];
        if offer.sale.is_some() {
            all.push(router::shift_margin(owner, at, mint));
            all.push(slab::sync(at, &offer.escrow, offer.account as u16));
        }
        all
    }

    /// Terms, price and what the payer has; `None` when nothing can be sold.
    fn quote<C: Chain>(&self, chain: &C) -> Option<Quote> {
        let terms: CollateralTerms = record(chain, &address::collateral_terms(&self.collateral))?;
        let oracle = OraclePrice::read(&chain.data(&Address::from(terms.oracle))?).ok()?;
        let slot = Slot::from_clock(chain.slot());
        let unix_time = word(&chain.data(&CLOCK)?, UNIX_TIME_AT)? as i64;
        Some(Quote {
            terms,
            price: Price::of(&terms, &oracle, slot, unix_time).ok()?,
            slot,
            funds_atoms: word(&chain.data(&self.source)?, BALANCE_AT)?,
        })
    }

    /// What the Router would do for one account.
    fn offer<C: Chain>(
        &self,
        chain: &C,
        quote: &Quote,
        slab: &Snapshot,
        index: u32,
        account: &SlabAccount,
    ) -> Option<Offer> {
        let key = Address::from(account.escrow);
        let escrow: Escrow = record(chain, &key)?;
        let owner = Address::from(escrow.owner);
        let holder = address::portfolio(&owner);
        let portfolio: Portfolio = record(chain, &holder)?;
        let position = address::collateral_holding(&holder, &self.collateral);
        let position: CollateralPosition = record(chain, &position)?;
        let reading = Reading::of(slab.bytes(), account, &escrow, quote.slot).ok()?;
        let asked = asked_atoms(&reading, &escrow, portfolio.cash_atoms).min(quote.funds_atoms);
        if quote.slot < escrow.grace_until {
            return None;
        }
        let (terms, held) = (&quote.terms, position.amount_atoms);
        let running = position.auction_elapsed(terms, portfolio.episode, quote.slot);
        let elapsed = running.unwrap_or(Slot(terms.auction_slots));
        let sale = Sale::of(quote.price.in_auction(terms, elapsed), asked, held)?;
        let worth = quote.price.value_atoms(sale.amount_atoms);
        Some(Offer {
            owner,
            account: index,
            escrow: key,
            sale: running.map(|_| sale),
            profit_atoms: worth.checked_sub(sale.cost_atoms)?,
        })
    }
}

/// Eight bytes of an account, little-endian.
fn word(data: &[u8], at: usize) -> Option<u64> {
    let bytes = data.get(at..at.checked_add(8)?)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
