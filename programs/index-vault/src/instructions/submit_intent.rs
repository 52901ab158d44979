use crate::access::{
    Owned, create, current_slot, fail, journaled, key_of, require_same, require_top_level,
};
use crate::desk::{INTENT_BYTES, desk};
use crate::market::{MarketRef, read_head, read_index};
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::collateral::CollateralPosition;
use flagstone_index_engine::orders::{IndexOrder, Submission};
use flagstone_index_engine::records::{Custody, IntentTerms};
use flagstone_index_engine::roles::Party;
use flagstone_index_engine::{IndexError, store};
use flagstone_interface::Key;
use flagstone_interface::index::seeds;
use flagstone_units::Side;

/// Accounts of `submit_intent`.
#[derive(Accounts)]
pub struct SubmitIntent {
    /// Owner of the order; pays for the account.
    #[account(mut)]
    pub owner: Signer,
    /// Desk of the index.
    pub desk: Owned,
    /// Market of the index.
    pub market: Owned,
    /// The index.
    pub index: Owned,
    /// The desk's custody.
    pub custody: Owned,
    /// The owner's collateral position at the desk.
    pub position: Owned,
    /// `"intent"`, index, owner, number.
    #[account(mut)]
    pub intent: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

/// What a desk's order asks for.
#[derive(Clone, Copy)]
pub struct Asked {
    /// Number chosen by the owner.
    pub order_id: u64,
    /// Collateral offered.
    pub amount: Atoms,
    /// What the owner allows.
    pub terms: IntentTerms,
}

/// A desk buys; who sells burns tokens with `submit_order` and is paid by the market.
#[inline(never)]
pub fn run(ctx: &mut Context<SubmitIntent>, side: u8, asked: &Asked) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    match Side::from_byte(side) {
        Some(Side::Bid) => {}
        Some(Side::Ask) => return Err(fail(IndexError::WrongSide)),
        None => return Err(fail(IndexError::UnknownCode)),
    }
    let owner = *key_of(&accounts.owner);
    require_served(accounts, &owner)?;
    let index = *accounts.index.key();
    create(
        &accounts.owner,
        &accounts.intent,
        &[seeds::INTENT, &index, &owner, &asked.order_id.to_le_bytes()],
        INTENT_BYTES,
        &crate::ID,
    )?;
    let submission = Submission {
        stream: *accounts.intent.address().as_array(),
        desk: *accounts.desk.key(),
        index,
        order_id: asked.order_id,
        side: Side::Bid,
        amount: asked.amount,
    };
    let mut view = *accounts.intent.account();
    let mut data = view.try_borrow_mut()?;
    let (order, rest) = store::split_record::<IndexOrder>(&mut data).map_err(fail)?;
    rest.copy_from_slice(bytemuck::bytes_of(&asked.terms));
    journaled(now, |journal| {
        let party = Party::owner(&owner, &owner)?;
        order.submit_here(&submission, &party, journal)
    })
}

/// Refuses an order that its desk could not serve, or could not let go of.
fn require_served(accounts: &SubmitIntent, owner: &Key) -> Result<()> {
    let key = accounts.desk.key();
    desk(&accounts.desk)?;
    let market = MarketRef::open(accounts.market.bytes())?.head;
    let (index, constituents) = read_index(accounts.index.bytes())?;
    // A fill takes a lot of each at least, and could not be written to the log.
    if constituents.len() > super::fill_intent::LINES_MAX {
        return Err(fail(IndexError::BadCapacity));
    }
    require_same(&index.market, accounts.market.key())?;
    require_same(&index.desk, key)?;
    let paused = index.state.paused != 0 || market.state.paused != 0;
    if index.sealed == 0 || paused {
        return Err(fail(IndexError::IllegalTransition));
    }
    let custody = read_head::<Custody>(accounts.custody.bytes())?;
    require_same(&custody.desk, key)?;
    require_same(&custody.mint, &market.mint)?;
    let position = read_head::<CollateralPosition>(accounts.position.bytes())?;
    require_same(&position.desk, key)?;
    require_same(&position.owner, owner)
}
