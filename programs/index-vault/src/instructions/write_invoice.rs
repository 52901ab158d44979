use crate::access::{current_slot, journaled, require_top_level};
use crate::desk::{actor, desk, intent};
use crate::instructions::step_intent::OnIntent;
use anchor_lang::prelude::*;
use flagstone_index_engine::machine::Action;
use flagstone_interface::index::INVOICE;

/// Writes the invoice to the log. Its hash is in the order and its chain, and
/// the lots that it lists by hash are in the chains of the order's batches.
#[inline(never)]
pub fn run(ctx: &mut Context<OnIntent>) -> Result<()> {
    require_top_level()?;
    let now = current_slot()?;
    let accounts = &mut ctx.accounts;
    let key = *accounts.desk.key();
    let desk = desk(&accounts.desk)?;
    let order = intent(&mut accounts.intent, &key)?;
    let party = actor(order, Action::Invoice, desk, &accounts.who)?;
    let invoice = journaled(now, |journal| {
        let (invoice, _) = order.write_invoice(&party, &desk.limits, journal)?;
        Ok(invoice)
    })?;
    anchor_lang::sol_log_data(&[&INVOICE, bytemuck::bytes_of(&invoice)]);
    Ok(())
}
