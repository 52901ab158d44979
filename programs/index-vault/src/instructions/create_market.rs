use crate::access::{
    Owned, create, current_slot, derive, fail, journaled, key_of, require_seeded, require_top_level,
};
use crate::market::Market;
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::{System, Token};
use bytemuck::Zeroable;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::chain::Chain;
use flagstone_index_engine::records::{MarketEvent, MarketHead};
use flagstone_index_engine::roles::Party;
use flagstone_index_engine::store;
use flagstone_interface::Record;
use flagstone_interface::index::seeds;
use flagstone_units::Slot;
use pinocchio_token::instructions::InitializeAccount3;

/// Accounts of `create_market`.
#[derive(Accounts)]
pub struct CreateMarket {
    /// Zeroed account of this program, created with `admin` as base.
    #[account(mut)]
    pub market: Owned,
    /// Becomes the administrator and pays for the token account.
    #[account(mut)]
    pub admin: Signer,
    /// Collateral mint.
    pub mint: UncheckedAccount,
    /// `"tokens"`, market.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// `"authority"`, market.
    pub authority: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
    /// System.
    pub system_program: Program<System>,
}

#[inline(never)]
pub fn run(
    ctx: &mut Context<CreateMarket>,
    vendor: [u8; 32],
    data_slots_max: u32,
    supply_slots_max: u32,
    seed: &str,
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (key, admin) = (*accounts.market.key(), *key_of(&accounts.admin));
    require_seeded(&key, &admin, seed)?;
    store::must_be_new(accounts.market.bytes()).map_err(fail)?;
    token::require_mint(&accounts.mint)?;
    if vendor == [0; 32] {
        return Err(fail(IndexError::BadParameter));
    }
    let authority_bump = derive(&accounts.authority, &[seeds::AUTHORITY, &key])?;
    let tokens_bump = create(
        &accounts.admin,
        &accounts.tokens,
        &[seeds::TOKENS, &key],
        token::ACCOUNT_BYTES,
        &pinocchio_token::ID,
    )?;
    InitializeAccount3::new(
        &accounts.tokens,
        &accounts.mint,
        accounts.authority.address(),
    )
    .invoke()?;

    let mut head = MarketHead {
        discriminator: MarketHead::DISCRIMINATOR,
        version: MarketHead::VERSION,
        authority_bump,
        tokens_bump,
        admin,
        mint: *accounts.mint.address().as_array(),
        tokens: *accounts.tokens.address().as_array(),
        authority: *accounts.authority.address().as_array(),
        chain: Chain::new(key),
        capacity: Market::capacity(accounts.market.bytes().len())?,
        ..MarketHead::zeroed()
    };
    head.state.vendor = vendor;
    head.state.data_slots_max = Slot(data_slots_max);
    head.state.supply_slots_max = Slot(supply_slots_max);
    let (place, _) =
        store::split_record::<MarketHead>(accounts.market.bytes_mut()).map_err(fail)?;
    *place = head;
    let mut market = Market::open(accounts.market.bytes_mut())?;
    journaled(now, |journal| {
        let party = Party::owner(&admin, &admin)?;
        market.changed(MarketEvent::Created, &party, 0, &vendor, journal)
    })
}
