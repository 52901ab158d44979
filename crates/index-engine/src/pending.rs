//! Pending orders: buys and sells against the market, continued in chunks.
//!
//! One account per order, since anyone may continue it and orders of one index
//! would otherwise queue for one lock. A chunk is what the kernels executed in
//! one instruction, at most MaxOrderSize; its amounts are arguments here, and
//! this module decides whether they may be booked.
//!
//! The owner's collateral (buy) or tokens (sell) are taken when the order is
//! made: a sell burns its tokens first and locks as many, so that nobody can
//! sell them twice; cancelling mints back what was not sold.

use crate::allotment::Allotment;
use crate::amounts::{Atoms, Quantity, Tokens};
use crate::chain::{Chain, Event, Journal};
use crate::market::{IndexState, MarketState};
use crate::roles::Party;
use crate::{IndexError, Result};
use bytemuck::{Pod, Zeroable};
use flagstone_interface::{Key, Record, assert_layout, key_eq};
use flagstone_units::{Side, Slot};

crate::roles::codes! {
    /// Where a pending order is in its life.
    PendingState {
        /// Chunks may be executed.
        Open = 1,
        /// Nothing remains.
        Done = 2,
        /// Ended by its owner.
        Cancelled = 3,
    }
}

/// An order against the market.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct PendingOrder {
    /// Record discriminator.
    pub discriminator: [u8; 8],
    /// Layout version.
    pub version: u32,
    /// [`PendingState`].
    pub state: u8,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 2],
    /// Index traded.
    pub index: Key,
    /// Whose it is.
    pub owner: Key,
    /// Frozen share that it draws on, zero for none.
    pub allotment: Key,
    /// Its history.
    pub chain: Chain,
    /// Number chosen by the owner.
    pub order_id: u64,
    /// Given when the order was made: atoms for a buy, tokens for a sell.
    pub given: u64,
    /// Not yet executed, in the same unit.
    pub remaining: u64,
    /// Executed: atoms spent by a buy, tokens sold by a sell.
    pub used: u64,
    /// Received: tokens of a buy, atoms of a sell.
    pub received: u64,
    /// Received and not yet claimed, in the same unit.
    pub claimable: u64,
    /// Worst price: atoms per 1e9 token units; at most for a buy, at least for a sell.
    pub limit_atoms: Atoms,
    /// Chunks executed.
    pub chunks: u64,
    /// Market sequence of the last chunk's quote.
    pub market_sequence: u64,
    /// Slot of the last chunk.
    pub chunk_slot: Slot,
    /// Slot of the order.
    pub made_slot: Slot,
    /// Reserved; zero.
    pub reserved: [u64; 8],
}
assert_layout!(PendingOrder, 328, index @ 16, chain @ 112, order_id @ 184, remaining @ 200);

impl Record for PendingOrder {
    const DISCRIMINATOR: [u8; 8] = [0x25, 0x21, 0x87, 0x5d, 0x99, 0x78, 0xce, 0x5f];
    const VERSION: u32 = 1;
}

crate::roles::codes! {
    /// What happened to a pending order.
    PendingAction {
        /// It was made.
        Made = 1,
        /// A chunk was executed.
        Chunk = 2,
        /// Its owner ended it.
        Cancel = 3,
        /// Its owner took what was received.
        Claim = 4,
        /// It draws on an allotment from now on.
        Bind = 5,
        /// It left its allotment.
        Unbind = 6,
    }
}

/// A pending order changed.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct PendingMoved {
    /// [`PendingAction`].
    pub action: u8,
    /// [`PendingState`] afterwards.
    pub state: u8,
    /// 0 buy, 1 sell.
    pub side: u8,
    /// Reserved; zero.
    pub padding: [u8; 5],
    /// Index traded.
    pub index: Key,
    /// Given, used, refunded or claimed, in the unit of the action.
    pub amount: u64,
    /// Received by a chunk; the order's number when it is made.
    pub received: u64,
    /// Remaining afterwards.
    pub remaining: u64,
    /// Market sequence of the chunk's quote; the limit when it is made.
    pub market_sequence: u64,
    /// Hash of the asset quantities of the chunk; the allotment when bound or unbound.
    pub amounts_hash: [u8; 32],
}
assert_layout!(PendingMoved, 104);

impl Event for PendingMoved {
    const TAG: u8 = 10;
}

/// What the kernels executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Atoms spent by a buy or gained by a sell.
    pub atoms: Atoms,
    /// Tokens bought or sold.
    pub tokens: Tokens,
    /// Quantity of each constituent, in the index's order.
    pub quantities: &'a [Quantity],
}

/// A new order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewPending {
    /// Address of the order's account.
    pub stream: Key,
    /// Index traded.
    pub index: Key,
    /// Number chosen by the owner.
    pub order_id: u64,
    /// Buy or sell.
    pub side: Side,
    /// Atoms to spend or tokens to sell.
    pub given: u64,
    /// Worst price, in atoms per 1e9 token units; 0 for a sell at any price.
    pub limit_atoms: Atoms,
}

const TOKENS_PER_UNIT: u128 = 1_000_000_000;

impl PendingOrder {
    /// A new order. For a sell the program has burned the tokens in the same
    /// instruction, before it calls this.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::ZeroAmount`],
    /// [`IndexError::IllegalTransition`] while the index is paused,
    /// [`IndexError::BadParameter`] for a buy without a limit, and
    /// [`IndexError::AmountOverflow`] when more is sold than circulates.
    pub fn make(
        new: &NewPending,
        owner: &Party,
        index: &mut IndexState,
        journal: &mut Journal,
    ) -> Result<Self> {
        owner.must_own(&owner.key())?;
        if new.given == 0 {
            return Err(IndexError::ZeroAmount);
        }
        if index.paused != 0 {
            return Err(IndexError::IllegalTransition);
        }
        if new.side == Side::Bid && new.limit_atoms == Atoms::ZERO {
            return Err(IndexError::BadParameter);
        }
        if new.side == Side::Ask {
            index.circulating()?.minus(Tokens(new.given))?;
            index.locked = index.locked.plus(Tokens(new.given))?;
        }
        let mut order = Self::zeroed();
        order.discriminator = Self::DISCRIMINATOR;
        order.version = Self::VERSION;
        order.state = PendingState::Open as u8;
        order.side = new.side as u8;
        order.index = new.index;
        order.owner = owner.key();
        order.chain = Chain::new(new.stream);
        order.order_id = new.order_id;
        order.given = new.given;
        order.remaining = new.given;
        order.limit_atoms = new.limit_atoms;
        order.made_slot = journal.slot();
        let event = PendingMoved {
            amount: new.given,
            received: new.order_id,
            market_sequence: new.limit_atoms.0,
            ..PendingMoved::default()
        };
        order.moved(PendingAction::Made, event, owner, journal)?;
        Ok(order)
    }

    /// Views account bytes as a pending order.
    ///
    /// # Errors
    /// [`IndexError::WrongRecord`].
    pub fn open(data: &mut [u8]) -> Result<&mut Self> {
        crate::store::record(data)
    }

    /// Buy or sell.
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] on a broken record.
    pub fn side(&self) -> Result<Side> {
        Side::from_byte(self.side).ok_or(IndexError::UnknownCode)
    }

    /// Most that the next chunk may be given: atoms for a buy, tokens for a
    /// sell (whose value the kernel caps by MaxOrderSize).
    ///
    /// # Errors
    /// [`IndexError::UnknownCode`] on a broken record.
    pub fn chunk_max(&self, index: &IndexState) -> Result<u64> {
        Ok(match self.side()? {
            Side::Bid => self.remaining.min(index.order_atoms_max.0),
            Side::Ask => self.remaining,
        })
    }

    /// Books a chunk; anyone may. A member of an allotment draws on its share.
    ///
    /// # Errors
    /// [`IndexError::IllegalTransition`] unless open, [`IndexError::TooEarly`]
    /// before the gap between chunks has passed, as
    /// [`IndexState::check_quote`], [`IndexError::ZeroAmount`] without
    /// progress, [`IndexError::AboveMaxOrder`], [`IndexError::Overspend`],
    /// [`IndexError::WorsePrice`], [`IndexError::WrongCounterpart`],
    /// [`IndexError::OldWeights`] and [`IndexError::AboveAllotment`].
    pub fn book_chunk(
        &mut self,
        chunk: &Chunk,
        market: &MarketState,
        index: &mut IndexState,
        allotment: Option<&mut Allotment>,
        journal: &mut Journal,
    ) -> Result<()> {
        self.check_chunk(chunk, market, index, journal.slot())?;
        if let Some(share) = &allotment {
            share.check_weights(index)?;
        }
        self.draw(chunk, allotment, journal.slot())?;
        let amounts_hash = journal.hash(&[bytemuck::cast_slice(chunk.quantities)]);
        self.book(
            [chunk.atoms.0, chunk.tokens.0],
            amounts_hash,
            index,
            journal,
        )
    }

    /// Books what a chunk traded, in atoms and tokens, once it may be.
    pub(crate) fn book(
        &mut self,
        [atoms, tokens]: [u64; 2],
        amounts_hash: [u8; 32],
        index: &mut IndexState,
        journal: &mut Journal,
    ) -> Result<()> {
        let (used, received) = match self.side()? {
            Side::Bid => (atoms, tokens),
            Side::Ask => (tokens, atoms),
        };
        let overflow = IndexError::AmountOverflow;
        self.remaining = self.remaining.checked_sub(used).ok_or(overflow)?;
        self.used = self.used.checked_add(used).ok_or(overflow)?;
        self.received = self.received.checked_add(received).ok_or(overflow)?;
        self.claimable = self.claimable.checked_add(received).ok_or(overflow)?;
        match self.side()? {
            Side::Bid => {
                index.minted = index.minted.plus(Tokens(tokens))?;
                index.quote_bought = index.quote_bought.plus(Tokens(tokens))?;
            }
            Side::Ask => {
                index.quote_sold = index.quote_sold.plus(Tokens(tokens))?;
                index.locked = index.locked.minus(Tokens(tokens))?;
                index.burned = index.burned.plus(Tokens(tokens))?;
            }
        }
        self.chunks += 1;
        self.chunk_slot = journal.slot();
        self.market_sequence = index.quote.market_sequence;
        if self.remaining == 0 {
            self.state = PendingState::Done as u8;
        }
        let event = PendingMoved {
            amount: used,
            received,
            market_sequence: self.market_sequence,
            amounts_hash,
            ..PendingMoved::default()
        };
        self.moved(PendingAction::Chunk, event, &Party::ANYONE, journal)
    }

    /// Ends the order; returns what was not executed: atoms to refund, or
    /// tokens to mint back. Works while everything is paused.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::IllegalTransition`] unless open.
    pub fn cancel(
        &mut self,
        owner: &Party,
        index: &mut IndexState,
        journal: &mut Journal,
    ) -> Result<u64> {
        owner.must_own(&self.owner)?;
        self.must_be_open()?;
        let rest = self.remaining;
        if self.side()? == Side::Ask {
            index.locked = index.locked.minus(Tokens(rest))?;
        }
        self.remaining = 0;
        self.state = PendingState::Cancelled as u8;
        let event = PendingMoved {
            amount: rest,
            ..PendingMoved::default()
        };
        self.moved(PendingAction::Cancel, event, owner, journal)?;
        Ok(rest)
    }

    /// Takes what was received: tokens to mint for a buy, atoms to pay for a sell.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::ZeroAmount`].
    pub fn claim(&mut self, owner: &Party, journal: &mut Journal) -> Result<u64> {
        owner.must_own(&self.owner)?;
        if self.claimable == 0 {
            return Err(IndexError::ZeroAmount);
        }
        let amount = core::mem::take(&mut self.claimable);
        let event = PendingMoved {
            amount,
            ..PendingMoved::default()
        };
        self.moved(PendingAction::Claim, event, owner, journal)?;
        Ok(amount)
    }

    /// Binds the order to an allotment, or frees it from one.
    pub(crate) fn bind(
        &mut self,
        allotment: Option<&Key>,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let action = match allotment {
            Some(_) => PendingAction::Bind,
            None => PendingAction::Unbind,
        };
        let named = allotment.copied().unwrap_or(self.allotment);
        self.allotment = allotment.copied().unwrap_or([0; 32]);
        let event = PendingMoved {
            amounts_hash: named,
            ..PendingMoved::default()
        };
        self.moved(action, event, party, journal)
    }

    pub(crate) fn must_be_open(&self) -> Result<()> {
        match PendingState::from_code(self.state)? {
            PendingState::Open => Ok(()),
            _ => Err(IndexError::IllegalTransition),
        }
    }

    fn check_chunk(
        &self,
        chunk: &Chunk,
        market: &MarketState,
        index: &IndexState,
        now: Slot,
    ) -> Result<()> {
        self.must_be_open()?;
        let waited = now.saturating_sub(self.chunk_slot) >= index.chunk_gap_slots;
        if self.chunks > 0 && !waited {
            return Err(IndexError::TooEarly);
        }
        index.check_quote(market, now)?;
        if chunk.tokens == Tokens::ZERO || chunk.atoms == Atoms::ZERO {
            return Err(IndexError::ZeroAmount);
        }
        if chunk.atoms > index.order_atoms_max {
            return Err(IndexError::AboveMaxOrder);
        }
        let used = match self.side()? {
            Side::Bid => chunk.atoms.0,
            Side::Ask => chunk.tokens.0,
        };
        if used > self.remaining {
            return Err(IndexError::Overspend);
        }
        self.check_price(chunk.atoms, chunk.tokens)
    }

    /// Passes when a chunk is no worse than the order's limit.
    pub(crate) fn check_price(&self, atoms: Atoms, tokens: Tokens) -> Result<()> {
        let paid = u128::from(atoms.0) * TOKENS_PER_UNIT;
        let bound = u128::from(tokens.0) * u128::from(self.limit_atoms.0);
        let fair = match self.side()? {
            Side::Bid => paid <= bound,
            Side::Ask => paid >= bound,
        };
        fair.then_some(()).ok_or(IndexError::WorsePrice)
    }

    fn draw(&self, chunk: &Chunk, allotment: Option<&mut Allotment>, now: Slot) -> Result<()> {
        let named = self.allotment != [0; 32];
        match allotment {
            None if named => Err(IndexError::WrongCounterpart),
            None => Ok(()),
            Some(share) => {
                let same = key_eq(&self.allotment, &share.head.chain.stream);
                if !named || !same || !key_eq(&share.head.index, &self.index) {
                    return Err(IndexError::WrongCounterpart);
                }
                share.draw(&self.chain.stream, self.side()?, chunk.quantities, now)
            }
        }
    }

    fn moved(
        &mut self,
        action: PendingAction,
        event: PendingMoved,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = PendingMoved {
            action: action as u8,
            state: self.state,
            side: self.side,
            index: self.index,
            remaining: self.remaining,
            ..event
        };
        journal.record(&mut self.chain, party, &event)
    }
}
