//! Records of a desk's order lifecycle, opened from their accounts.
//!
//! Each helper refuses a record of another desk: the engine checks that a
//! signer holds a role of the record's desk, but what anyone may do, and which
//! limits are in force, it takes from the desk that it is given.

use crate::access::{Owned, fail, key_of, require_same};
use crate::market::read_head;
use anchor_lang::prelude::*;
use flagstone_index_engine::IndexError;
use flagstone_index_engine::batch::Batch;
use flagstone_index_engine::collateral::Collateral;
use flagstone_index_engine::inventory::{Fill, Stock};
use flagstone_index_engine::machine::{Action, transition};
use flagstone_index_engine::orders::IndexOrder;
use flagstone_index_engine::records::IntentTerms;
use flagstone_index_engine::roles::{Desk, Party, Role};
use flagstone_interface::Key;

/// Bytes of an index order's account.
pub const INTENT_BYTES: usize = size_of::<IndexOrder>() + size_of::<IntentTerms>();
/// Largest account that a program can create.
pub const CREATED_BYTES_MAX: usize = 10_240;

/// A desk.
pub fn desk(account: &Owned) -> Result<&Desk> {
    read_head(account.bytes())
}

/// The signer in a role of the desk.
pub fn holder(desk: &Desk, role: Role, signer: &Signer) -> Result<Party> {
    desk.party(role, key_of(signer)).map_err(fail)
}

/// An index order of the desk.
pub fn intent<'a>(account: &'a mut Owned, desk: &Key) -> Result<&'a mut IndexOrder> {
    let order = IndexOrder::open(account.bytes_mut()).map_err(fail)?;
    require_same(&order.desk, desk)?;
    Ok(order)
}

/// An index order of the desk that is only read; its address is its name in
/// other records.
pub fn read_intent<'a>(account: &'a Owned, desk: &Key) -> Result<&'a IndexOrder> {
    let order = read_head::<IndexOrder>(account.bytes())?;
    require_same(&order.desk, desk)?;
    Ok(order)
}

/// What the owner of an index order allows.
pub fn terms(account: &Owned) -> Result<IntentTerms> {
    let bytes = account.bytes().get(size_of::<IndexOrder>()..INTENT_BYTES);
    let bytes = bytes.ok_or(fail(IndexError::WrongRecord))?;
    Ok(bytemuck::pod_read_unaligned(bytes))
}

/// Writes what the program keeps with an index order.
pub fn set_terms(account: &mut Owned, terms: &IntentTerms) -> Result<()> {
    let bytes = account.bytes_mut();
    let place = bytes.get_mut(size_of::<IndexOrder>()..INTENT_BYTES);
    let place = place.ok_or(fail(IndexError::WrongRecord))?;
    place.copy_from_slice(bytemuck::bytes_of(terms));
    Ok(())
}

/// The signer in the role that the table of orders names for an action; an
/// action without a row for the order's state is refused first.
pub fn actor(order: &IndexOrder, action: Action, desk: &Desk, signer: &Signer) -> Result<Party> {
    let state = order.state().map_err(fail)?;
    match transition(state, action).map_err(fail)?.role {
        Role::Anyone => Ok(Party::ANYONE),
        Role::Owner => Party::owner(&order.owner, key_of(signer)).map_err(fail),
        role => holder(desk, role, signer),
    }
}

/// A collateral position of the desk.
pub fn position<'a>(account: &'a mut Owned, desk: &Key) -> Result<Collateral<'a>> {
    let collateral = Collateral::open(account.bytes_mut()).map_err(fail)?;
    require_same(&collateral.position.desk, desk)?;
    Ok(collateral)
}

/// A batch of the desk.
pub fn batch<'a>(account: &'a mut Owned, desk: &Key) -> Result<Batch<'a>> {
    let batch = Batch::open(account.bytes_mut()).map_err(fail)?;
    require_same(&batch.head.desk, desk)?;
    Ok(batch)
}

/// An inventory of the desk.
pub fn stock<'a>(account: &'a mut Owned, desk: &Key) -> Result<Stock<'a>> {
    let stock = Stock::open(account.bytes_mut()).map_err(fail)?;
    require_same(&stock.inventory.desk, desk)?;
    Ok(stock)
}

/// The one fill that an argument holds.
pub fn fill(bytes: &[u8]) -> Result<Fill> {
    match crate::access::records::<Fill>(bytes)?.as_slice() {
        [fill] if fill.padding == [0; 7] => Ok(*fill),
        _ => Err(fail(IndexError::BadParameter)),
    }
}
