//! What each action does to the amounts of an order, and where it leads.

use crate::amounts::{Atoms, Tokens};
use crate::machine::{Action, BARRIER_BOTH, BARRIER_COLLATERAL, Next, State, Transition};
use crate::orders::{IndexOrder, Step};
use crate::roles::{Limits, Party};
use crate::{IndexError, Result};
use flagstone_interface::key_eq;
use flagstone_units::{Side, Slot};

/// Changes the amounts of an order; returns the collateral that it lets go of.
pub(crate) fn change(
    order: &mut IndexOrder,
    action: Action,
    step: &Step,
    limits: &Limits,
    now: Slot,
) -> Result<Atoms> {
    match action {
        Action::Submit => return Err(IndexError::IllegalTransition),
        Action::Reject => order.holdings.remaining = drop_rest(order)?,
        Action::Accept => {
            order.deadline_slot = Slot(now.0.saturating_add(limits.collateral_slots.0))
        }
        Action::Push => push(order, step)?,
        Action::Reduce => return reduce(order, step),
        Action::Route => route(order)?,
        Action::CheckLater => check_later(order)?,
        Action::Hop => hop(order, step)?,
        Action::Preauthorise => preauthorise(order, step)?,
        Action::ConfirmReady => confirm_ready(order, step)?,
        Action::Expire => must_be_past(order.deadline_slot, now)?,
        Action::Cancel | Action::DenyCollateral | Action::Fail => {}
        Action::Engage => engage(order, step, limits)?,
        Action::Fill => fill(order, step, now)?,
        Action::CarryOver => leave_batch(order)?,
        Action::Settle => settle(order, limits, now)?,
        Action::ConfirmPayment => return confirm_payment(order, step),
        Action::DenyPayment => return deny_payment(order),
        Action::Mint => mint(order, step)?,
        Action::Invoice => invoice(order, step)?,
    }
    if matches!(
        action,
        Action::Expire | Action::Cancel | Action::DenyCollateral | Action::Fail
    ) {
        return let_go(order);
    }
    Ok(Atoms::ZERO)
}

/// Decides the state after.
pub(crate) fn next(
    order: &mut IndexOrder,
    row: &Transition,
    limits: &Limits,
    party: &Party,
    now: Slot,
) -> Result<State> {
    match row.next {
        Next::To(state) => Ok(state),
        Next::Barrier(bit) => barrier(order, bit, party, now),
        Next::ByFillRate => by_fill_rate(order, limits),
        Next::ByPatience => Ok(by_patience(order, limits, now)),
        Next::ByHoldings if order.holdings.filled > Tokens::ZERO => Ok(State::FullyMintable),
        Next::ByHoldings if row.action == Action::Fail => Ok(State::Failed),
        Next::ByHoldings => Ok(State::Cancelled),
    }
}

/// One half of the barrier. The second half must come from another signer:
/// the bits alone say that both roles answered, not that two parties did.
fn barrier(order: &mut IndexOrder, bit: u8, party: &Party, now: Slot) -> Result<State> {
    if order.barrier & bit != 0 {
        return Err(IndexError::BarrierRepeated);
    }
    if order.barrier != 0 && key_eq(&order.barrier_signer, &party.key()) {
        return Err(IndexError::SameSigner);
    }
    if order.barrier == 0 {
        order.barrier_signer = party.key();
    }
    order.barrier |= bit;
    if order.barrier != BARRIER_BOTH {
        return Ok(State::Routing);
    }
    order.improved_slot = now;
    Ok(State::Ready)
}

fn by_fill_rate(order: &mut IndexOrder, limits: &Limits) -> Result<State> {
    let rate = order.fill_rate();
    if rate > limits.fill_threshold {
        // Done with this batch; what it did not use is released with the payment.
        leave_batch(order)?;
        return Ok(State::FullyMintable);
    }
    if rate > limits.mint_threshold {
        return Ok(State::PartlyMintable);
    }
    Ok(State::Engaged)
}

fn by_patience(order: &IndexOrder, limits: &Limits, now: Slot) -> State {
    let held = &order.holdings;
    let nothing_left = held.remaining == Atoms::ZERO && held.carried == Atoms::ZERO;
    let waited = now.0.saturating_sub(order.improved_slot.0) >= limits.patience_slots.0;
    let enough = order.fill_rate() > limits.mint_threshold && waited;
    if held.filled > Tokens::ZERO && (nothing_left || enough) {
        State::FullyMintable
    } else {
        State::Ready
    }
}

fn must_be_past(deadline: Slot, now: Slot) -> Result<()> {
    (now > deadline).then_some(()).ok_or(IndexError::TooEarly)
}

fn push(order: &mut IndexOrder, step: &Step) -> Result<()> {
    order.updates.push(order.chain.sequence + 1, step.amount)?;
    order.holdings.remaining = order.updates.remaining()?;
    Ok(())
}

/// Takes off the newest lots. Before collateral is authorised the rest may
/// turn the order to its other side; afterwards what is removed is released.
fn reduce(order: &mut IndexOrder, step: &Step) -> Result<Atoms> {
    // By state, not by amount: an order reduced to nothing is still past the gate.
    let authorised = !matches!(order.state()?, State::Submitted | State::Open);
    let sequence = order.chain.sequence + 1;
    let reduced = order.updates.reduce(sequence, step.amount, !authorised)?;
    if reduced.removed == Atoms::ZERO && reduced.flipped == Atoms::ZERO {
        return Err(IndexError::NotEnoughCollateral);
    }
    if reduced.flipped > Atoms::ZERO {
        order.side = order.side()?.contra() as u8;
    }
    order.holdings.remaining = order.updates.remaining()?;
    if !authorised {
        return Ok(Atoms::ZERO);
    }
    order.holdings.authorised = order.holdings.authorised.minus(reduced.removed)?;
    Ok(reduced.removed)
}

/// Sells go through the market's pending orders, which burn tokens first.
fn route(order: &IndexOrder) -> Result<()> {
    if order.side()? != Side::Bid {
        return Err(IndexError::WrongSide);
    }
    if order.holdings.remaining == Atoms::ZERO {
        return Err(IndexError::ZeroAmount);
    }
    Ok(())
}

fn check_later(order: &mut IndexOrder) -> Result<()> {
    if order.barrier & BARRIER_COLLATERAL != 0 {
        return Err(IndexError::BarrierRepeated);
    }
    order.barrier = 0;
    order.barrier_signer = [0; 32];
    Ok(())
}

/// A hop's fee comes off the order before either half of the barrier is
/// given, so that both speak of the same amount.
fn hop(order: &mut IndexOrder, step: &Step) -> Result<()> {
    if order.barrier != 0 {
        return Err(IndexError::BarrierRepeated);
    }
    if step.amount >= order.holdings.remaining {
        return Err(IndexError::NotEnoughCollateral);
    }
    order.updates.charge_oldest(step.amount)?;
    order.holdings.remaining = order.updates.remaining()?;
    order.holdings.routing_fee = order.holdings.routing_fee.plus(step.amount)?;
    order.hops = order
        .hops
        .checked_add(1)
        .ok_or(IndexError::AmountOverflow)?;
    Ok(())
}

fn preauthorise(order: &mut IndexOrder, step: &Step) -> Result<()> {
    confirm_ready(order, step)?;
    order.holdings.authorised = step.amount;
    Ok(())
}

fn confirm_ready(order: &IndexOrder, step: &Step) -> Result<()> {
    if step.amount != order.holdings.remaining {
        return Err(IndexError::WrongAmount);
    }
    Ok(())
}

fn engage(order: &mut IndexOrder, step: &Step, limits: &Limits) -> Result<()> {
    if step.amount == Atoms::ZERO || step.quantity == Tokens::ZERO {
        return Err(IndexError::ZeroAmount);
    }
    if step.amount.0 > limits.order_atoms_max {
        return Err(IndexError::AboveVolley);
    }
    let held = &mut order.holdings;
    let from_carried = step.amount.min(held.carried);
    held.carried = held.carried.minus(from_carried)?;
    order
        .updates
        .engage_oldest(step.amount.minus(from_carried)?)?;
    held.remaining = order.updates.remaining()?;
    held.engaged = step.amount;
    held.engaged_tokens = step.quantity;
    order.batch = step.subject;
    Ok(())
}

fn fill(order: &mut IndexOrder, step: &Step, now: Slot) -> Result<()> {
    if step.quantity == Tokens::ZERO {
        return Err(IndexError::ZeroAmount);
    }
    let held = &mut order.holdings;
    if step.amount > held.engaged || step.fee > step.amount {
        return Err(IndexError::Overspend);
    }
    held.engaged = held.engaged.minus(step.amount)?;
    held.spent = held.spent.plus(step.amount)?;
    held.exchange_fee = held.exchange_fee.plus(step.fee)?;
    held.filled = held.filled.plus(step.quantity)?;
    order.improved_slot = now;
    Ok(())
}

fn leave_batch(order: &mut IndexOrder) -> Result<()> {
    let held = &mut order.holdings;
    held.carried = held.carried.plus(held.engaged)?;
    held.engaged = Atoms::ZERO;
    held.engaged_tokens = Tokens::ZERO;
    order.batch = [0; 32];
    Ok(())
}

fn settle(order: &IndexOrder, limits: &Limits, now: Slot) -> Result<()> {
    if order.holdings.filled == Tokens::ZERO {
        return Err(IndexError::Incomplete);
    }
    let waited = now.0.saturating_sub(order.improved_slot.0);
    if waited < limits.patience_slots.0 {
        return Err(IndexError::TooEarly);
    }
    Ok(())
}

/// Charges exactly what was spent and lets go of the rest. (The authors
/// charge the whole routed collateral.)
fn confirm_payment(order: &mut IndexOrder, step: &Step) -> Result<Atoms> {
    if step.amount != order.holdings.spent {
        return Err(IndexError::WrongAmount);
    }
    order.holdings.paid = step.amount;
    order.deposit_last = step.deposit;
    order.payment = step.link;
    let_go(order)
}

/// Nothing is charged; what was bought stays with the desk's inventory.
fn deny_payment(order: &mut IndexOrder) -> Result<Atoms> {
    let released = let_go(order)?.plus(order.holdings.authorised)?;
    order.holdings.authorised = Atoms::ZERO;
    order.returned = released;
    Ok(released)
}

fn mint(order: &mut IndexOrder, step: &Step) -> Result<()> {
    let held = &mut order.holdings;
    if step.quantity != held.filled || held.minted != Tokens::ZERO {
        return Err(IndexError::WrongAmount);
    }
    if held.paid != held.spent {
        return Err(IndexError::WrongAmount);
    }
    held.minted = step.quantity;
    Ok(())
}

fn invoice(order: &mut IndexOrder, step: &Step) -> Result<()> {
    if step.subject == [0; 32] {
        return Err(IndexError::ZeroAmount);
    }
    order.invoice_hash = step.subject;
    Ok(())
}

/// Empties the update lots; returns nothing left.
fn drop_rest(order: &mut IndexOrder) -> Result<Atoms> {
    let rest = order.updates.remaining()?;
    order.updates.cancel_newest(rest)?;
    Ok(Atoms::ZERO)
}

/// Gives up everything that is not spent; returns what had been authorised of it.
fn let_go(order: &mut IndexOrder) -> Result<Atoms> {
    order.holdings.remaining = drop_rest(order)?;
    let held = &mut order.holdings;
    held.carried = Atoms::ZERO;
    if held.authorised == Atoms::ZERO {
        return Ok(Atoms::ZERO);
    }
    let released = held.authorised.minus(held.spent)?;
    held.authorised = held.spent;
    order.returned = order.returned.plus(released)?;
    Ok(released)
}
