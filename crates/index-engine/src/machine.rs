//! The life of an index order as one explicit table.
//!
//! A transition exists when [`TABLE`] has a row for its state and action, and
//! only for the row's role. Source: the consensus paper's three phases and the
//! authors' solver (states Open to Minted), with these differences on purpose:
//!
//! - the barrier counts two bits of distinct signers, where theirs passes on
//!   two answers of one party;
//! - an order cannot be cancelled while it is engaged (theirs then charges and
//!   never mints); cancelled afterwards, what was filled is still minted;
//! - a refusal to authorise collateral or payment ends the order instead of
//!   leaving it hanging;
//! - waits for collateral, for fills and for a batch have an end that anyone
//!   can call. The three approvals of money (authorise, confirm, mint) do not:
//!   nobody can give them in another's place.

use crate::roles::{Role, codes};
use crate::{IndexError, Result};

codes! {
    /// Where an order is in its life.
    State {
        /// No order.
        Vacant = 0,
        /// Submitted by its owner, not yet accepted.
        Submitted = 1,
        /// Accepted; waits in the solver's queue.
        Open = 2,
        /// Its collateral is routed and waits for both halves of the barrier.
        Routing = 3,
        /// Collateral authorised and confirmed; may be engaged.
        Ready = 4,
        /// Locked in a batch.
        Engaged = 5,
        /// In a batch, filled above the mint threshold.
        PartlyMintable = 6,
        /// Nothing more to buy; waits for the payment.
        FullyMintable = 7,
        /// Payment confirmed; may be minted.
        Paid = 8,
        /// Tokens minted.
        Minted = 9,
        /// Minted and invoiced. Final.
        Invoiced = 10,
        /// Cancelled by its owner. Final.
        Cancelled = 11,
        /// Refused by the order manager. Final.
        Rejected = 12,
        /// Collateral or payment refused or expired. Final.
        InvalidCollateral = 13,
        /// The solver could not serve it. Final.
        Failed = 14,
    }
}

codes! {
    /// What can be done to an order.
    Action {
        /// A new order.
        Submit = 1,
        /// The order is managed from now on.
        Accept = 2,
        /// The order is not served.
        Reject = 3,
        /// More of the same side.
        Push = 4,
        /// Less, or the other side.
        Reduce = 5,
        /// End it, keeping what was bought.
        Cancel = 6,
        /// Ask for collateral.
        Route = 7,
        /// Collateral has not arrived: back to the queue.
        CheckLater = 8,
        /// Collateral moved one hop further, for a fee.
        Hop = 9,
        /// Half of the barrier: collateral is set aside for this order.
        Preauthorise = 10,
        /// Half of the barrier: the order stands as routed.
        ConfirmReady = 11,
        /// Collateral is refused.
        DenyCollateral = 12,
        /// The wait for collateral is over.
        Expire = 13,
        /// The solver gives up.
        Fail = 14,
        /// Lock the order into a batch.
        Engage = 15,
        /// Book what the batch bought for it.
        Fill = 16,
        /// The batch is over: unused collateral is carried over.
        CarryOver = 17,
        /// No improvement for a while: mint what there is.
        Settle = 18,
        /// Charge what was spent.
        ConfirmPayment = 19,
        /// Payment is refused.
        DenyPayment = 20,
        /// Mint the tokens.
        Mint = 21,
        /// Write the invoice.
        Invoice = 22,
    }
}

impl State {
    /// Whether nothing can happen any more.
    pub const fn is_final(self) -> bool {
        self as u8 >= Self::Invoiced as u8
    }
}

impl Action {
    /// Whether the action needs more than the order, so that it can only be
    /// taken through [`crate::gates`] or [`crate::members`], which change the
    /// other record too, or [`IndexOrder::write_invoice`](crate::orders::IndexOrder::write_invoice).
    pub const fn needs_counterpart(self) -> bool {
        matches!(
            self,
            Self::Reduce
                | Self::Cancel
                | Self::Hop
                | Self::Preauthorise
                | Self::DenyCollateral
                | Self::Expire
                | Self::Fail
                | Self::Engage
                | Self::Fill
                | Self::CarryOver
                | Self::ConfirmPayment
                | Self::DenyPayment
                | Self::Invoice
        )
    }
}

/// Where a transition leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To this state.
    To(State),
    /// Gives this bit of the barrier; to [`State::Ready`] once both are given.
    Barrier(u8),
    /// By fill rate: engaged, partly or fully mintable.
    ByFillRate,
    /// Back to the queue, or to be minted when full or without improvement for long.
    ByPatience,
    /// [`State::Cancelled`], or to be minted when something was bought.
    ByHoldings,
}

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// State before.
    pub from: State,
    /// What is done.
    pub action: Action,
    /// Who may do it.
    pub role: Role,
    /// State after.
    pub next: Next,
}

/// Bit of the barrier given by the collateral manager.
pub const BARRIER_COLLATERAL: u8 = 1;
/// Bit of the barrier given by the order manager.
pub const BARRIER_ORDER: u8 = 2;
/// Both bits.
pub const BARRIER_BOTH: u8 = BARRIER_COLLATERAL | BARRIER_ORDER;

const fn row(from: State, action: Action, role: Role, next: Next) -> Transition {
    Transition {
        from,
        action,
        role,
        next,
    }
}

/// Every transition there is.
pub const TABLE: [Transition; 33] = {
    use Action as A;
    use Next::{Barrier, ByFillRate, ByHoldings, ByPatience, To};
    use Role as R;
    use State as S;
    [
        row(S::Vacant, A::Submit, R::Owner, To(S::Submitted)),
        row(S::Submitted, A::Accept, R::OrderManager, To(S::Open)),
        row(S::Submitted, A::Reject, R::OrderManager, To(S::Rejected)),
        row(S::Submitted, A::Push, R::Owner, To(S::Submitted)),
        row(S::Submitted, A::Reduce, R::Owner, To(S::Submitted)),
        row(S::Submitted, A::Cancel, R::Owner, To(S::Cancelled)),
        row(S::Open, A::Push, R::Owner, To(S::Open)),
        row(S::Open, A::Reduce, R::Owner, To(S::Open)),
        row(S::Open, A::Cancel, R::Owner, To(S::Cancelled)),
        row(S::Open, A::Route, R::Solver, To(S::Routing)),
        row(S::Open, A::Expire, R::Anyone, To(S::InvalidCollateral)),
        row(S::Open, A::Fail, R::Solver, To(S::Failed)),
        row(S::Routing, A::CheckLater, R::CollateralManager, To(S::Open)),
        row(S::Routing, A::Hop, R::CollateralManager, To(S::Routing)),
        row(
            S::Routing,
            A::Preauthorise,
            R::CollateralManager,
            Barrier(BARRIER_COLLATERAL),
        ),
        row(
            S::Routing,
            A::ConfirmReady,
            R::OrderManager,
            Barrier(BARRIER_ORDER),
        ),
        row(
            S::Routing,
            A::DenyCollateral,
            R::CollateralManager,
            To(S::InvalidCollateral),
        ),
        row(S::Routing, A::Expire, R::Anyone, To(S::InvalidCollateral)),
        row(S::Routing, A::Cancel, R::Owner, To(S::Cancelled)),
        row(S::Ready, A::Reduce, R::Owner, To(S::Ready)),
        row(S::Ready, A::Cancel, R::Owner, ByHoldings),
        row(S::Ready, A::Engage, R::OrderManager, To(S::Engaged)),
        row(S::Ready, A::Settle, R::Anyone, To(S::FullyMintable)),
        row(S::Ready, A::Fail, R::Solver, ByHoldings),
        row(S::Engaged, A::Reduce, R::Owner, To(S::Engaged)),
        row(S::Engaged, A::Fill, R::BatchManager, ByFillRate),
        row(S::Engaged, A::CarryOver, R::Anyone, ByPatience),
        row(S::PartlyMintable, A::Fill, R::BatchManager, ByFillRate),
        row(S::PartlyMintable, A::CarryOver, R::Anyone, ByPatience),
        row(
            S::FullyMintable,
            A::ConfirmPayment,
            R::CollateralManager,
            To(S::Paid),
        ),
        row(
            S::FullyMintable,
            A::DenyPayment,
            R::CollateralManager,
            To(S::InvalidCollateral),
        ),
        row(S::Paid, A::Mint, R::ChainConnector, To(S::Minted)),
        row(S::Minted, A::Invoice, R::OrderManager, To(S::Invoiced)),
    ]
};

/// The row of a state and an action.
///
/// # Errors
/// [`IndexError::IllegalTransition`] when there is none.
pub fn transition(from: State, action: Action) -> Result<&'static Transition> {
    let mut rows = TABLE.iter();
    let found = rows.find(|row| row.from == from && row.action == action);
    found.ok_or(IndexError::IllegalTransition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn a_state_and_an_action_have_at_most_one_row() {
        let keys: BTreeSet<_> = TABLE.iter().map(|row| (row.from, row.action)).collect();
        assert_eq!(keys.len(), TABLE.len());
    }

    #[test]
    fn every_action_has_a_row_and_final_states_have_none() {
        for action in Action::ALL {
            assert!(TABLE.iter().any(|row| row.action == *action), "{action:?}");
        }
        for state in State::ALL {
            let leaves = TABLE.iter().any(|row| row.from == *state);
            assert_eq!(leaves, !state.is_final(), "{state:?}");
        }
    }

    /// States that `next` can lead to.
    fn targets(next: Next) -> Vec<State> {
        use State::{Cancelled, Engaged, Failed, FullyMintable, PartlyMintable, Ready, Routing};
        match next {
            Next::To(state) => vec![state],
            Next::Barrier(_) => vec![Routing, Ready],
            Next::ByFillRate => vec![Engaged, PartlyMintable, FullyMintable],
            Next::ByPatience => vec![Ready, FullyMintable],
            Next::ByHoldings => vec![Cancelled, Failed, FullyMintable],
        }
    }

    #[test]
    fn from_every_state_an_end_can_be_reached() {
        let mut ends: BTreeSet<State> = State::ALL
            .iter()
            .copied()
            .filter(|s| s.is_final())
            .collect();
        loop {
            let before = ends.len();
            for row in &TABLE {
                if targets(row.next).iter().any(|state| ends.contains(state)) {
                    ends.insert(row.from);
                }
            }
            if ends.len() == before {
                break;
            }
        }
        assert_eq!(ends.len(), State::ALL.len());
    }
}
