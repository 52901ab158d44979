use crate::access::{create, require_direct, store};
use crate::log;
use anchor_lang::prelude::*;
use anchor_lang::programs::System;
use bytemuck::Zeroable;
use flagstone_interface::Record;
use flagstone_interface::event::router::PortfolioOpened;
use flagstone_interface::router::{Portfolio, seeds};

/// Accounts of `open_portfolio`.
#[derive(Accounts)]
pub struct OpenPortfolio {
    /// Owns the portfolio and pays for it.
    #[account(mut)]
    pub owner: Signer,
    /// `"portfolio"`, owner.
    #[account(mut)]
    pub portfolio: UncheckedAccount,
    /// System.
    pub system_program: Program<System>,
}

#[inline(never)]
pub fn run(ctx: &mut Context<OpenPortfolio>) -> Result<()> {
    require_direct(ctx.accounts.owner.address().as_array())?;
    let accounts = &mut ctx.accounts;
    let owner = *accounts.owner.address().as_array();
    let mut view = *accounts.portfolio.account();
    let bump = create::<Portfolio>(&accounts.owner, &view, &[seeds::PORTFOLIO, &owner])?;
    let portfolio = Portfolio {
        discriminator: Portfolio::DISCRIMINATOR,
        version: Portfolio::VERSION,
        bump,
        owner,
        ..Portfolio::zeroed()
    };
    store(&mut view, &portfolio)?;
    log::write(&PortfolioOpened {
        tag: PortfolioOpened::TAG,
        portfolio: *view.address().as_array(),
        owner,
    });
    Ok(())
}
