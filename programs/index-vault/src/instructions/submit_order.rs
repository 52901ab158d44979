use crate::access::{
    Owned, create, current_slot, fail, journaled, key_of, require_same, require_top_level,
};
use crate::market::{Index, Market};
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::{System, Token};
use flagstone_index_engine::IndexError;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::pending::{NewPending, PendingOrder};
use flagstone_index_engine::records::OrderTerms;
use flagstone_index_engine::roles::Party;
use flagstone_interface::index::seeds;
use flagstone_units::{Side, Slot};
use pinocchio_token::instructions::Burn;

/// Bytes of an order's account.
const ORDER_BYTES: usize = size_of::<PendingOrder>() + size_of::<OrderTerms>();

/// Accounts of `submit_order`.
#[derive(Accounts)]
pub struct SubmitOrder {
    /// Owner of the order and of the tokens; pays for the account.
    #[account(mut)]
    pub owner: Signer,
    /// The market.
    #[account(mut)]
    pub market: Owned,
    /// The index.
    #[account(mut)]
    pub index: Owned,
    /// `"order"`, index, owner, number.
    #[account(mut)]
    pub order: UncheckedAccount,
    /// Token account that pays: collateral for a buy, index tokens for a sell.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// The market's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// The index's mint.
    #[account(mut)]
    pub mint: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
    /// System.
    pub system_program: Program<System>,
}

/// What an order gives is taken at once: a sell burns before anything is sold.
#[inline(never)]
pub fn run(
    ctx: &mut Context<SubmitOrder>,
    side: u8,
    order_id: u64,
    given: u64,
    limit_atoms: u64,
    deadline_slot: u32,
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let side = Side::from_byte(side).ok_or(fail(IndexError::UnknownCode))?;
    let deadline_slot = Slot(deadline_slot);
    if deadline_slot != Slot(0) && now > deadline_slot {
        return Err(fail(IndexError::TooLate));
    }
    if given == 0 {
        return Err(fail(IndexError::ZeroAmount));
    }
    take(accounts, side, given)?;
    let owner = *key_of(&accounts.owner);
    let index_key = *accounts.index.key();
    let number = order_id.to_le_bytes();
    create(
        &accounts.owner,
        &accounts.order,
        &[seeds::ORDER, &index_key, &owner, &number],
        ORDER_BYTES,
        &crate::ID,
    )?;
    let new = NewPending {
        stream: *accounts.order.address().as_array(),
        index: index_key,
        order_id,
        side,
        given,
        limit_atoms: Atoms(limit_atoms),
    };
    let market_key = *accounts.market.key();
    let index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    let order = journaled(now, |journal| {
        let party = Party::owner(&owner, &owner)?;
        PendingOrder::make(&new, &party, &mut index.head.state, journal)
    })?;
    let terms = OrderTerms {
        deadline_slot,
        ..OrderTerms::default()
    };
    let mut view = *accounts.order.account();
    let mut data = view.try_borrow_mut()?;
    let (head, tail) = data.split_at_mut(size_of::<PendingOrder>());
    head.copy_from_slice(bytemuck::bytes_of(&order));
    tail.copy_from_slice(bytemuck::bytes_of(&terms));
    Ok(())
}

/// Takes collateral in, or burns index tokens.
fn take(accounts: &mut SubmitOrder, side: Side, given: u64) -> Result<()> {
    let market_key = *accounts.market.key();
    let market = Market::open(accounts.market.bytes_mut())?;
    let index = Index::open_sealed(accounts.index.bytes_mut(), &market_key)?;
    match side {
        Side::Bid => {
            let booked = market.head.booked_atoms.checked_add(given);
            market.head.booked_atoms = booked.ok_or(fail(IndexError::AmountOverflow))?;
            token::take_in(
                market.head,
                accounts.source.account(),
                accounts.tokens.account(),
                accounts.owner.account(),
                given,
            )
        }
        Side::Ask => {
            let mint = *accounts.mint.address().as_array();
            require_same(&index.head.mint, &mint)?;
            token::balance_atoms(&accounts.source, &mint)?;
            Burn::new(
                accounts.source.account(),
                accounts.mint.account(),
                accounts.owner.account(),
                given,
            )
            .invoke()?;
            Ok(())
        }
    }
}
