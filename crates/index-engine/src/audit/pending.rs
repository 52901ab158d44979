//! Replays of orders against the market.

use super::replay::{party, run};
use super::{Audited, DeskHistory, Reason, Recorded, fault, verify};
use crate::amounts::{Atoms, Tokens};
use crate::chain::{Journal, Sha256};
use crate::market::IndexState;
use crate::pending::{NewPending, PendingAction, PendingMoved, PendingOrder};
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use bytemuck::{Zeroable, bytes_of};
use flagstone_units::Side;

/// What an order did to the totals of its index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traded {
    /// Tokens bought.
    pub minted: Tokens,
    /// Tokens sold.
    pub burned: Tokens,
    /// Tokens burned and not sold.
    pub locked: Tokens,
}

/// Tokens that stand behind a replayed index, so that nothing is refused for
/// what other orders did.
const BEHIND: Tokens = Tokens(u64::MAX / 2);

/// Replays an order against the market and compares it with its account; what
/// it did to its index. `desk` is the index's, if it has one: its solver binds
/// orders to allotments.
///
/// Age of quotes and MaxOrderSize are not in an order's events; its limit
/// price, its sums and every other condition are.
///
/// # Errors
/// As [`verify`], and the first event that the engine does not reproduce.
pub fn pending(
    account: &PendingOrder,
    desk: Option<&DeskHistory>,
    events: &[&[u8]],
    sha256: Sha256,
) -> Audited<Traded> {
    verify(&account.chain, events.iter().copied(), sha256)?;
    let mut order: Option<PendingOrder> = None;
    let mut index = IndexState {
        minted: BEHIND,
        ..IndexState::zeroed()
    };
    for (at, bytes) in events.iter().enumerate() {
        let event = Recorded::parse(bytes);
        let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<PendingMoved>()?))) else {
            return fault(at as u64 + 1, Reason::NotAnEvent);
        };
        let party = signer(&event, account, desk)?;
        run(&events[at..=at], &event, sha256, |journal| {
            again(&mut order, &event, &moved, &party, &mut index, journal)
        })?;
    }
    let same = order.is_some_and(|order| bytes_of(&order) == bytes_of(account));
    if !same {
        return fault(account.chain.sequence, Reason::AccountDiffers);
    }
    Ok(Traded {
        minted: Tokens(index.minted.0 - BEHIND.0),
        burned: index.burned,
        locked: index.locked,
    })
}

/// Who signed: the owner, the solver of the index's desk, or nobody.
fn signer(event: &Recorded, account: &PendingOrder, desk: Option<&DeskHistory>) -> Audited<Party> {
    let wrong = fault(event.head.sequence, Reason::WrongSigner);
    match (Role::from_code(event.head.role), desk) {
        (Ok(Role::Owner), _) => Party::owner(&account.owner, &event.head.signer).or(wrong),
        (Ok(Role::Anyone), _) if event.head.signer == [0; 32] => Ok(Party::ANYONE),
        (Ok(Role::Solver), Some(desk)) => party(event, desk),
        _ => wrong,
    }
}

/// Takes a recorded action again.
fn again(
    order: &mut Option<PendingOrder>,
    event: &Recorded,
    moved: &PendingMoved,
    party: &Party,
    index: &mut IndexState,
    journal: &mut Journal,
) -> Result<()> {
    use PendingAction as A;
    let action = A::from_code(moved.action)?;
    let side = Side::from_byte(moved.side).ok_or(IndexError::UnknownCode)?;
    let Some(order) = order else {
        if action != A::Made {
            return Err(IndexError::IllegalTransition);
        }
        let new = NewPending {
            stream: event.head.stream,
            index: moved.index,
            order_id: moved.received,
            side,
            given: moved.amount,
            limit_atoms: Atoms(moved.market_sequence),
        };
        *order = Some(PendingOrder::make(&new, party, index, journal)?);
        return Ok(());
    };
    match action {
        A::Made => Err(IndexError::IllegalTransition),
        A::Chunk => {
            order.must_be_open()?;
            let (atoms, tokens) = match side {
                Side::Bid => (moved.amount, moved.received),
                Side::Ask => (moved.received, moved.amount),
            };
            if atoms == 0 || tokens == 0 {
                return Err(IndexError::ZeroAmount);
            }
            order.check_price(Atoms(atoms), Tokens(tokens))?;
            index.quote.market_sequence = moved.market_sequence;
            order.book([atoms, tokens], moved.amounts_hash, index, journal)
        }
        A::Cancel => order.cancel(party, index, journal).map(|_| ()),
        A::Claim => order.claim(party, journal).map(|_| ()),
        A::Bind => {
            party.must_be(Role::Solver, &party.desk())?;
            order.must_be_open()?;
            order.bind(Some(&moved.amounts_hash), party, journal)
        }
        A::Unbind => order.bind(None, party, journal),
    }
}
