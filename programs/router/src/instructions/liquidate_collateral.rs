use crate::access::{fail, require_direct};
use crate::collateral::{leave, read_oracle};
use crate::instructions::deposit_collateral::require_position;
use crate::log;
use crate::record::Stored;
// All of it: the nested accounts bring generated modules along.
use crate::seat::*;
use crate::token;
use anchor_lang::pinocchio::sysvars::{Sysvar, clock::Clock};
use anchor_lang::prelude::*;
use anchor_lang::programs::Token;
use flagstone_interface::collateral::{CollateralPosition, CollateralTerms, CollateralVault};
use flagstone_interface::error::RouterError;
use flagstone_interface::event::router::{Booked, CollateralSold};
use flagstone_interface::key_eq;
use flagstone_interface::router::{RouterConfig, Vault};
use flagstone_margin::collateral::{Price, Sale, asked_atoms};
use flagstone_units::Slot;

/// Accounts of `liquidate_collateral`.
#[derive(Accounts)]
pub struct LiquidateCollateral {
    /// Who buys; owns `source`.
    pub buyer: Signer,
    /// The configuration.
    pub config: Stored<RouterConfig>,
    /// The seat that lacks margin.
    pub seat: Nested<Seat>,
    /// Terms of the mint.
    pub terms: Stored<CollateralTerms>,
    /// The portfolio's position in the mint.
    #[account(mut)]
    pub position: Stored<CollateralPosition>,
    /// The vault of the mint.
    #[account(mut)]
    pub vault: Stored<CollateralVault>,
    /// That vault's token account.
    #[account(mut)]
    pub tokens: UncheckedAccount,
    /// Token account that receives the collateral.
    #[account(mut)]
    pub destination: UncheckedAccount,
    /// The vault of the quote mint.
    #[account(mut)]
    pub quote_vault: Stored<Vault>,
    /// The quote vault's token account.
    #[account(mut)]
    pub quote_tokens: UncheckedAccount,
    /// Token account that pays.
    #[account(mut)]
    pub source: UncheckedAccount,
    /// `"authority"`.
    pub authority: UncheckedAccount,
    /// The mint's oracle.
    pub oracle: UncheckedAccount,
    /// SPL Token.
    pub token_program: Program<Token>,
}

impl LiquidateCollateral {
    /// Whether the records are of one portfolio and one mint, and the money is
    /// that of the account.
    fn check(&self) -> Result<()> {
        let (mint, quote) = (&self.terms.mint, &self.config.quote_mint);
        require_position(&self.position, self.seat.0.portfolio.key(), mint)?;
        let fits = key_eq(&self.vault.0.mint, mint)
            && key_eq(&self.quote_vault.mint, quote)
            && key_eq(&self.seat.0.escrow.mint, quote);
        if fits {
            Ok(())
        } else {
            Err(fail(RouterError::WrongRecord))
        }
    }

    /// What the seat asks for now, in quote atoms, and what was booked before.
    #[inline(never)]
    fn asked(&mut self, slot: Slot) -> Result<(u64, Booked)> {
        let seat = &mut self.seat.0;
        let (reading, booked) = seat.read(slot)?;
        let asked = asked_atoms(&reading, &seat.escrow, seat.portfolio.cash_atoms);
        if asked == 0 || self.position.amount_atoms == 0 {
            return Err(fail(RouterError::NoDeficit));
        }
        if slot < seat.escrow.grace_until {
            return Err(fail(RouterError::BidTooLow));
        }
        Ok((asked, booked))
    }

    /// Takes the quote in and books the sale on all sides.
    #[inline(never)]
    fn book(&mut self, sale: Sale, slot: Slot) -> Result<()> {
        let arrived = token::take_in(
            &self.quote_vault,
            self.quote_tokens.account(),
            self.source.account(),
            self.buyer.account(),
            sale.cost_atoms,
        )?;
        let overflow = fail(RouterError::AmountOverflow);
        if arrived != sale.cost_atoms {
            return Err(overflow);
        }
        let portfolio = &mut self.seat.0.portfolio;
        let booked = self.quote_vault.booked_atoms.checked_add(arrived);
        let cash = portfolio.cash_atoms.checked_add(arrived);
        self.quote_vault.booked_atoms = booked.ok_or(overflow.clone())?;
        portfolio.cash_atoms = cash.ok_or(overflow.clone())?;
        let position = &mut self.position;
        let raised = position.raised_total_atoms.checked_add(arrived);
        let sold = position.sold_total_atoms.checked_add(sale.amount_atoms);
        position.raised_total_atoms = raised.ok_or(overflow.clone())?;
        position.sold_total_atoms = sold.ok_or(overflow)?;
        // Sold, so no deposit of late that may leave uncounted.
        position.recent.take(slot, sale.amount_atoms);
        leave(portfolio, position, &mut self.vault.0, sale.amount_atoms)
    }

    /// The event, in a frame of its own.
    #[inline(never)]
    fn tell(&self, sale: Sale, booked: Booked) {
        let (seat, position) = (&self.seat.0, &self.position);
        log::write(&CollateralSold {
            tag: CollateralSold::TAG,
            portfolio: position.portfolio,
            escrow: *seat.escrow.key(),
            mint: position.mint,
            buyer: *self.buyer.address().as_array(),
            amount_atoms: sale.amount_atoms,
            paid_atoms: sale.cost_atoms,
            balance_atoms: position.amount_atoms,
            auction_slot: position.auction_slot.0,
            booked,
            cash_atoms: seat.portfolio.cash_atoms,
            booked_atoms: self.quote_vault.booked_atoms,
        });
    }
}

/// Permissionless. Sells collateral of a portfolio under liquidation for the
/// margin that one of its frozen accounts lacks, within its owner's consent and
/// after its grace (rule LQ7). The quote becomes portfolio cash, which
/// `shift_margin` moves on.
///
/// The first call begins the auction and buys nothing. Later ones buy up to
/// `amount_max_atoms`, and pay for an atom no more than `pay_max_atoms` is for
/// all of them. What is sold does not count against the vault's limit: it was
/// paid for.
#[inline(never)]
pub fn run(
    ctx: &mut Context<LiquidateCollateral>,
    amount_max_atoms: u64,
    pay_max_atoms: u64,
) -> Result<()> {
    require_direct(ctx.accounts.buyer.address().as_array())?;
    let clock = Clock::get()?;
    let slot = Slot::from_clock(clock.slot);
    let accounts = &mut ctx.accounts;
    if amount_max_atoms == 0 || pay_max_atoms == 0 {
        return Err(fail(RouterError::ZeroAmount));
    }
    if !accounts.config.may_liquidate(slot) {
        return Err(fail(RouterError::Paused));
    }
    accounts.check()?;
    let (asked, booked) = accounts.asked(slot)?;
    let oracle = read_oracle(accounts.oracle.account(), &accounts.terms.oracle)?;
    let price = Price::of(&accounts.terms, &oracle, slot, clock.unix_timestamp)
        .map_err(|_| fail(RouterError::BadCollateralPrice))?;
    let episode = accounts.seat.0.portfolio.episode;
    let position = &mut accounts.position;
    let Some(elapsed) = position.auction_elapsed(&accounts.terms, episode, slot) else {
        position.auction_episode = episode;
        position.auction_slot = slot;
        accounts.tell(Sale::default(), booked);
        return Ok(());
    };
    let price = price.in_auction(&accounts.terms, elapsed);
    let offered = amount_max_atoms.min(position.amount_atoms);
    let sale = Sale::of(price, asked, offered).ok_or(fail(RouterError::NoDeficit))?;
    if !sale.is_within(pay_max_atoms, amount_max_atoms) {
        return Err(fail(RouterError::BidTooLow));
    }
    accounts.book(sale, slot)?;
    token::pay_out_collateral(
        &accounts.config,
        &accounts.vault,
        accounts.tokens.account(),
        accounts.authority.account(),
        accounts.destination.account(),
        sale.amount_atoms,
    )?;
    accounts.tell(sale, booked);
    Ok(())
}
