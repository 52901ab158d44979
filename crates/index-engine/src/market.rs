//! What trading against the market needs to know besides its vectors: how old
//! the data is, and which data a quote was made from.
//!
//! [`MarketState`] and [`IndexState`] are parts of the market's and an index's
//! account; the vectors beside them belong to the kernels. The paper's
//! contracts track no age at all, so an order could trade at any old price.

use crate::amounts::{Atoms, Tokens};
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, assert_layout, key_eq};
use flagstone_units::{Side, Slot};

/// Age of a market's data.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct MarketState {
    /// Who provides prices, slopes, liquidity and supply.
    pub vendor: Key,
    /// Updates so far, of any kind. Each makes older quotes older by one.
    pub sequence: u64,
    /// Slot of the last update of prices, slopes and liquidity.
    pub data_slot: Slot,
    /// Slot of the last update of supply.
    pub supply_slot: Slot,
    /// Slot of the last update of margins.
    pub margin_slot: Slot,
    /// Age that the data of any asset traded may have, in slots.
    pub data_slots_max: Slot,
    /// Age that supply may have, in slots.
    pub supply_slots_max: Slot,
    /// 1 while trading is paused.
    pub paused: u32,
}
assert_layout!(MarketState, 64, sequence @ 32);

crate::roles::codes! {
    /// What a vendor updates.
    Feed {
        /// Prices, slopes, liquidity.
        Data = 1,
        /// Supply, long and short.
        Supply = 2,
        /// Margins.
        Margin = 3,
    }
}

impl MarketState {
    /// Counts an update by the vendor; its number. The caller writes the vectors.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::SequenceBackwards`] when the clock ran back.
    pub fn update(&mut self, vendor: &Key, feed: Feed, now: Slot) -> Result<u64> {
        if !key_eq(&self.vendor, vendor) || self.vendor == [0; 32] {
            return Err(IndexError::WrongSigner);
        }
        let slot = match feed {
            Feed::Data => &mut self.data_slot,
            Feed::Supply => &mut self.supply_slot,
            Feed::Margin => &mut self.margin_slot,
        };
        if now < *slot {
            return Err(IndexError::SequenceBackwards);
        }
        let next = self.sequence.checked_add(1);
        self.sequence = next.ok_or(IndexError::AmountOverflow)?;
        *slot = now;
        Ok(self.sequence)
    }

    /// Passes when data as old as `oldest` may still be traded on.
    ///
    /// A market is updated in pieces, so every asset has a slot of its own;
    /// `oldest` is the smallest among the assets traded, see [`oldest`].
    ///
    /// # Errors
    /// [`IndexError::StaleMarket`] when data or supply are too old,
    /// [`IndexError::SequenceBackwards`] for a slot in the future, and
    /// [`IndexError::IllegalTransition`] while paused.
    pub fn check_fresh(&self, oldest: Slot, now: Slot) -> Result<()> {
        if self.paused != 0 {
            return Err(IndexError::IllegalTransition);
        }
        if oldest > now || self.supply_slot > now {
            return Err(IndexError::SequenceBackwards);
        }
        let data = now.saturating_sub(oldest) <= self.data_slots_max;
        let supply = now.saturating_sub(self.supply_slot) <= self.supply_slots_max;
        // Slot 0 means never: an asset without data is not a young market's.
        if !data || !supply || oldest == Slot(0) {
            return Err(IndexError::StaleMarket);
        }
        Ok(())
    }
}

/// The oldest of the assets' slots; slot 0, never fresh, for no assets.
pub fn oldest(slots: impl IntoIterator<Item = Slot>) -> Slot {
    slots.into_iter().min().unwrap_or(Slot(0))
}

/// One side of an index's quote, from the kernels (all at 1e-18, low word first).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct QuoteSide {
    /// Largest quantity, in index units.
    pub capacity: [u64; 2],
    /// Price of the first unit, in quote units.
    pub price: [u64; 2],
    /// Rise of the price per unit, in quote units per index unit.
    pub slope: [u64; 2],
}
assert_layout!(QuoteSide, 48);

/// A two-sided quote and what it was made from.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Quote {
    /// For those who sell the index.
    pub bid: QuoteSide,
    /// For those who buy the index.
    pub ask: QuoteSide,
    /// [`MarketState::sequence`] that it was made from.
    pub market_sequence: u64,
    /// Weights that it was made with.
    pub weights_version: u64,
    /// Slot in which it was made.
    pub slot: Slot,
    /// Slot of the oldest asset data in it.
    pub oldest_slot: Slot,
}
assert_layout!(Quote, 120, market_sequence @ 96);

/// What orders need to know of an index besides its vectors.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct IndexState {
    /// The last quote.
    pub quote: Quote,
    /// Version of the weights; grows with every change.
    pub weights_version: u64,
    /// Tokens that buys have bought so far, minted when claimed.
    pub minted: Tokens,
    /// Tokens whose sale was executed.
    pub burned: Tokens,
    /// Tokens burned from their holder and not yet sold: still backed.
    pub locked: Tokens,
    /// Largest value of one chunk of an order, in atoms (the paper's MaxOrderSize).
    pub order_atoms_max: Atoms,
    /// Age that a quote may have, in slots.
    pub quote_slots_max: Slot,
    /// Market updates that a quote may be behind; 0 demands the newest.
    pub quote_lag_max: u32,
    /// Slots between two chunks of one order.
    pub chunk_gap_slots: Slot,
    /// 0 open, 1 paused: no new orders and no chunks; orders can be cancelled.
    pub paused: u32,
    /// Tokens bought since `traded_since`.
    pub quote_bought: Tokens,
    /// Tokens sold since `traded_since`.
    pub quote_sold: Tokens,
    /// Slot of the quote that was the first without any data older than it.
    pub traded_since: Slot,
    /// Reserved; zero.
    pub padding: u32,
}
assert_layout!(IndexState, 200, weights_version @ 120, quote_bought @ 176);

impl IndexState {
    /// Stores a quote that the kernels made now.
    ///
    /// # Errors
    /// [`IndexError::SequenceBackwards`] when a newer one is stored, and as
    /// [`MarketState::check_fresh`].
    pub fn set_quote(
        &mut self,
        market: &MarketState,
        sides: [QuoteSide; 2],
        oldest_slot: Slot,
        now: Slot,
    ) -> Result<()> {
        market.check_fresh(oldest_slot, now)?;
        let old = &self.quote;
        if market.sequence < old.market_sequence || now < old.slot {
            return Err(IndexError::SequenceBackwards);
        }
        let [bid, ask] = sides;
        // What was traded moves the price until there is data that knows of it,
        // of every asset: a market is updated in pieces, and neither a piece
        // without the index's assets nor supply or margins say anything new.
        if oldest_slot > self.traded_since {
            self.quote_bought = Tokens::ZERO;
            self.quote_sold = Tokens::ZERO;
            self.traded_since = now;
        }
        self.quote = Quote {
            bid,
            ask,
            market_sequence: market.sequence,
            weights_version: self.weights_version,
            slot: now,
            oldest_slot,
        };
        Ok(())
    }

    /// Passes when the quote may be traded on.
    ///
    /// # Errors
    /// As [`MarketState::check_fresh`] for the data that the quote was made
    /// from, [`IndexError::StaleQuote`] when the quote itself is too old, too
    /// many updates behind, or made with other weights, and
    /// [`IndexError::IllegalTransition`] while paused.
    pub fn check_quote(&self, market: &MarketState, now: Slot) -> Result<()> {
        if self.paused != 0 {
            return Err(IndexError::IllegalTransition);
        }
        let quote = &self.quote;
        market.check_fresh(quote.oldest_slot, now)?;
        if quote.slot > now || quote.market_sequence > market.sequence {
            return Err(IndexError::SequenceBackwards);
        }
        let young = now.saturating_sub(quote.slot) <= self.quote_slots_max;
        let lag = market.sequence - quote.market_sequence;
        let near = lag <= u64::from(self.quote_lag_max);
        if !young || !near || quote.weights_version != self.weights_version {
            return Err(IndexError::StaleQuote);
        }
        Ok(())
    }

    /// Tokens traded on the quote's data on this side, from which the next
    /// order's price starts: an order costs the same in one chunk or in many,
    /// from one account or from several.
    pub fn traded(&self, side: Side) -> Tokens {
        match side {
            Side::Bid => self.quote_bought,
            Side::Ask => self.quote_sold,
        }
    }

    /// Tokens that assets have to back: in circulation, or locked for sale.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] on a broken record.
    pub fn backed(&self) -> Result<Tokens> {
        self.minted.minus(self.burned)
    }

    /// Tokens in circulation: the mint's supply and what buyers can still claim.
    ///
    /// # Errors
    /// [`IndexError::AmountOverflow`] on a broken record.
    pub fn circulating(&self) -> Result<Tokens> {
        self.backed()?.minus(self.locked)
    }
}
