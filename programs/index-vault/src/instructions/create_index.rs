use crate::access::{
    Owned, create, current_slot, fail, journaled, key_of, require_same, require_seeded,
    require_top_level,
};
use crate::instructions::set_index::{IndexLimits, apply};
use crate::market::{Index, MarketRef};
use crate::token;
use anchor_lang::prelude::*;
use anchor_lang::programs::{System, Token};
use bytemuck::Zeroable;
use flagstone_index_engine::chain::Chain;
use flagstone_index_engine::records::{IndexEvent, IndexHead};
use flagstone_index_engine::roles::Party;
use flagstone_index_engine::store;
use flagstone_interface::Record;
use flagstone_interface::index::seeds;
use pinocchio_token::instructions::InitializeMint2;

/// Decimals of an index token.
const DECIMALS: u8 = 9;

/// Accounts of `create_index`.
#[derive(Accounts)]
pub struct CreateIndex {
    /// Zeroed account of this program, created with `admin` as base.
    #[account(mut)]
    pub index: Owned,
    /// Administrator of the market; pays for the mint.
    #[account(mut)]
    pub admin: Signer,
    /// The market.
    pub market: Owned,
    /// `"mint"`, index.
    #[account(mut)]
    pub mint: UncheckedAccount,
    /// `"authority"`, market.
    pub authority: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
    /// System.
    pub system_program: Program<System>,
}

/// The mint has no freeze authority: a token, once minted, is its holder's.
#[inline(never)]
pub fn run(
    ctx: &mut Context<CreateIndex>,
    limits: IndexLimits,
    desk: [u8; 32],
    seed: &str,
) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let (key, admin) = (*accounts.index.key(), *key_of(&accounts.admin));
    require_seeded(&key, &admin, seed)?;
    store::must_be_new(accounts.index.bytes()).map_err(fail)?;
    let market_key = *accounts.market.key();
    let market = MarketRef::open(accounts.market.bytes())?.head;
    let party = Party::owner(&market.admin, &admin).map_err(fail)?;
    require_same(&market.authority, accounts.authority.address().as_array())?;
    let mint_bump = create(
        &accounts.admin,
        &accounts.mint,
        &[seeds::MINT, &key],
        token::MINT_BYTES,
        &pinocchio_token::ID,
    )?;
    InitializeMint2::new(&accounts.mint, DECIMALS, accounts.authority.address(), None).invoke()?;

    let mut head = IndexHead {
        discriminator: IndexHead::DISCRIMINATOR,
        version: IndexHead::VERSION,
        mint_bump,
        market: market_key,
        mint: *accounts.mint.address().as_array(),
        desk,
        chain: Chain::new(key),
        capacity: Index::capacity(accounts.index.bytes().len())?,
        ..IndexHead::zeroed()
    };
    apply(&mut head.state, &limits)?;
    let (place, _) = store::split_record::<IndexHead>(accounts.index.bytes_mut()).map_err(fail)?;
    *place = head;
    let mut index = Index::open(accounts.index.bytes_mut())?;
    journaled(now, |journal| {
        index.changed(IndexEvent::Created, &party, &desk, journal)
    })
}
