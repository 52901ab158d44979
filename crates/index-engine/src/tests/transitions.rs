//! Every state with every action by every role: what the table has succeeds,
//! everything else is refused and changes nothing.

use super::support::{DESK, GRANTED, LIMITS, World, key, owner};
use crate::IndexError;
use crate::amounts::{Atoms, Tokens};
use crate::chain::Chain;
use crate::machine::{Action, Next, State, TABLE, transition};
use crate::orders::{IndexOrder, Moved, Step, Submission};
use crate::roles::{Party, Role};
use flagstone_units::{Side, Slot};

/// An order in `state` for which every action that the table has would go through.
fn order_in(world: &mut World, state: State) -> IndexOrder {
    let mut order = world.order(key(0x0e), 1_000);
    order.deadline_slot = Slot(world.slot - 1);
    order.state = state as u8;
    let held = &mut order.holdings;
    if matches!(
        state,
        State::Vacant | State::Submitted | State::Open | State::Routing
    ) {
        return order;
    }
    held.spent = Atoms(100);
    held.filled = Tokens(7);
    held.authorised = Atoms(1_000);
    match state {
        State::Ready => {
            order.updates.engage_oldest(Atoms(400)).unwrap();
            held.carried = Atoms(300);
        }
        State::Engaged | State::PartlyMintable => {
            order.updates.engage_oldest(Atoms(500)).unwrap();
            held.engaged = Atoms(400);
            order.batch = key(0xba);
        }
        State::FullyMintable => {
            order.updates.engage_oldest(Atoms(1_000)).unwrap();
            held.carried = Atoms(900);
        }
        _ => {
            order.updates.engage_oldest(Atoms(1_000)).unwrap();
            held.authorised = Atoms(100);
            held.paid = Atoms(100);
        }
    }
    if matches!(state, State::Minted | State::Invoiced) {
        held.minted = Tokens(7);
    }
    order.holdings.remaining = order.updates.remaining().unwrap();
    assert!(order.is_balanced(), "{state:?}");
    order
}

/// What the action is given so that nothing but state and role decides.
fn step_for(action: Action) -> Step {
    let mut step = Step::default();
    match action {
        Action::Push | Action::Reduce | Action::Hop => step.amount = Atoms(10),
        Action::Preauthorise | Action::ConfirmReady => step.amount = Atoms(1_000),
        Action::Engage => {
            (step.amount, step.quantity, step.subject) = (Atoms(350), Tokens(5), key(0xba));
        }
        Action::Fill => (step.amount, step.fee, step.quantity) = (Atoms(10), Atoms(1), Tokens(1)),
        Action::ConfirmPayment => step.amount = Atoms(100),
        Action::Mint => step.quantity = Tokens(7),
        Action::Invoice => step.subject = key(0x11),
        _ => {}
    }
    step
}

/// Every kind of signer: each role of the desk, the owner, nobody, the
/// administrator, and those that only look right.
fn everybody(world: &World) -> Vec<(Party, bool)> {
    let mut other = world.desk;
    other.chain = Chain::new(key(0xd1));
    let mut all: Vec<(Party, bool)> = vec![(Party::ANYONE, true), (owner(), true)];
    all.push((Party::owner(&key(2), &key(2)).unwrap(), false));
    all.push((
        world.desk.party(Role::Admin, &world.desk.admin).unwrap(),
        true,
    ));
    for role in GRANTED {
        all.push((world.role(role), true));
        let foreign = other.party(role, &key(role as u8 + 0x40)).unwrap();
        all.push((foreign, false));
    }
    all
}

fn try_it(
    world: &mut World,
    order: &mut IndexOrder,
    action: Action,
    party: &Party,
) -> Result<Moved, IndexError> {
    let step = step_for(action);
    world.run(|journal| order.apply(action, &step, &LIMITS, party, journal))
}

#[test]
fn ix1_every_state_with_every_action_by_everybody() {
    let mut world = World::new();
    let (mut allowed, mut refused) = (0, 0);
    for state in State::ALL {
        for action in Action::ALL {
            for (party, genuine) in everybody(&world) {
                let before = order_in(&mut world, *state);
                let mut order = before;
                let done = try_it(&mut world, &mut order, *action, &party);
                let row = transition(*state, *action).ok();
                let right = row.is_some_and(|row| {
                    row.role == Role::Anyone || (row.role == party.role() && genuine)
                });
                let case = format!("{state:?} {action:?} by {party:?}: {done:?}");
                if right && *action != Action::Submit {
                    let moved = done.unwrap_or_else(|_| panic!("{case}"));
                    assert!(
                        targets(*action, row.unwrap().next).contains(&moved.state),
                        "{case}"
                    );
                    assert_eq!(order.state, moved.state as u8);
                    assert_eq!(order.chain.sequence, before.chain.sequence + 1);
                    assert!(order.is_balanced(), "{case}");
                    allowed += 1;
                    continue;
                }
                let error = match row {
                    Some(row) if row.action != Action::Submit => IndexError::WrongSigner,
                    Some(_) if !right => IndexError::WrongSigner,
                    _ => IndexError::IllegalTransition,
                };
                assert_eq!(done, Err(error), "{case}");
                assert_eq!(order, before, "{case}");
                refused += 1;
            }
        }
    }
    let signers = everybody(&world).len();
    assert_eq!(
        allowed + refused,
        State::ALL.len() * Action::ALL.len() * signers
    );
    // One signer per row, all of them where a row is open to all; a submission makes a record.
    let open = TABLE.iter().filter(|row| row.role == Role::Anyone).count();
    assert_eq!(allowed, TABLE.len() - 1 + open * (signers - 1));
}

fn targets(action: Action, next: Next) -> Vec<State> {
    match next {
        Next::To(state) => vec![state],
        // The fixture has neither bit yet.
        Next::Barrier(_) => vec![State::Routing],
        Next::ByFillRate => vec![State::Engaged, State::PartlyMintable, State::FullyMintable],
        // Something is filled, but far below the threshold.
        Next::ByPatience => vec![State::Ready],
        Next::ByHoldings => {
            assert!(matches!(action, Action::Cancel | Action::Fail));
            vec![State::FullyMintable]
        }
    }
}

#[test]
fn only_an_owner_submits() {
    let mut world = World::new();
    let submission = Submission {
        stream: key(0x0e),
        desk: DESK,
        index: key(3),
        order_id: 1,
        side: Side::Bid,
        amount: Atoms(5),
    };
    for (party, _) in everybody(&world) {
        let made = world.run(|journal| IndexOrder::submit(&submission, &party, journal));
        if party.role() == Role::Owner {
            assert_eq!(made.unwrap().owner, party.key());
        } else {
            assert_eq!(made, Err(IndexError::WrongSigner));
        }
    }
    let nothing = Submission {
        amount: Atoms(0),
        ..submission
    };
    let made = world.run(|journal| IndexOrder::submit(&nothing, &owner(), journal));
    assert_eq!(made, Err(IndexError::ZeroAmount));
}

#[test]
fn ix1_actions_on_two_records_cannot_be_taken_on_one() {
    let mut world = World::new();
    for row in TABLE.iter().filter(|row| row.action.needs_counterpart()) {
        let mut order = order_in(&mut world, row.from);
        let before = order;
        let step = step_for(row.action);
        let by = match row.role {
            Role::Anyone => Party::ANYONE,
            Role::Owner => owner(),
            role => world.role(role),
        };
        let done = world.run(|journal| order.act(row.action, &step, &LIMITS, &by, journal));
        assert_eq!(done, Err(IndexError::NeedsCounterpart), "{row:?}");
        assert_eq!(order, before);
    }
}

#[test]
fn ix2_the_barrier_needs_both_bits_in_either_order() {
    use Action::{ConfirmReady, Preauthorise};
    for order_of in [[Preauthorise, ConfirmReady], [ConfirmReady, Preauthorise]] {
        let mut world = World::new();
        let role = |action| match action {
            Preauthorise => Role::CollateralManager,
            _ => Role::OrderManager,
        };
        let mut order = order_in(&mut world, State::Routing);
        let first = world.role(role(order_of[0]));
        let moved = try_it(&mut world, &mut order, order_of[0], &first).unwrap();
        assert_eq!(moved.state, State::Routing);
        let again = try_it(&mut world, &mut order, order_of[0], &first);
        assert_eq!(again, Err(IndexError::BarrierRepeated));
        let second = world.role(role(order_of[1]));
        let moved = try_it(&mut world, &mut order, order_of[1], &second).unwrap();
        assert_eq!(moved.state, State::Ready);
    }
}

/// A desk refuses to give one key two roles; should a key get there by a new
/// grant between the two answers, the barrier still counts one party.
#[test]
fn ix2_the_barrier_refuses_one_signer_twice_even_in_two_roles() {
    let mut world = World::new();
    let mut order = order_in(&mut world, State::Routing);
    let first = world.role(Role::CollateralManager);
    try_it(&mut world, &mut order, Action::Preauthorise, &first).unwrap();
    let mut desk = world.desk;
    let admin = desk.party(Role::Admin, &desk.admin).unwrap();
    for (role, key) in [
        (Role::CollateralManager, key(0x77)),
        (Role::OrderManager, first.key()),
    ] {
        world
            .run(|journal| desk.grant(&admin, role, key, journal))
            .unwrap();
    }
    let same = desk.party(Role::OrderManager, &first.key()).unwrap();
    let before = order;
    let done = try_it(&mut world, &mut order, Action::ConfirmReady, &same);
    assert_eq!(done, Err(IndexError::SameSigner));
    assert_eq!(order, before);
}

#[test]
fn ix2_ix5_the_barrier_and_the_payment_speak_of_the_very_amount() {
    let mut world = World::new();
    let cases = [
        (
            State::Routing,
            Action::Preauthorise,
            Role::CollateralManager,
        ),
        (State::Routing, Action::ConfirmReady, Role::OrderManager),
        (
            State::FullyMintable,
            Action::ConfirmPayment,
            Role::CollateralManager,
        ),
    ];
    for (state, action, role) in cases {
        for wrong in [-1i64, 1] {
            let mut order = order_in(&mut world, state);
            let mut step = step_for(action);
            step.amount = Atoms(step.amount.0.strict_add_signed(wrong));
            let party = world.role(role);
            let done = world.run(|j| order.apply(action, &step, &LIMITS, &party, j));
            assert_eq!(done, Err(IndexError::WrongAmount));
        }
    }
    let mut order = order_in(&mut world, State::Paid);
    let party = world.role(Role::ChainConnector);
    for quantity in [6, 8] {
        let step = Step {
            quantity: Tokens(quantity),
            ..Step::default()
        };
        let done = world.run(|j| order.apply(Action::Mint, &step, &LIMITS, &party, j));
        assert_eq!(done, Err(IndexError::WrongAmount));
    }
    order.holdings.paid = Atoms(99);
    let done = try_it(&mut world, &mut order, Action::Mint, &party);
    assert_eq!(done, Err(IndexError::WrongAmount), "minted without payment");
}

#[test]
fn collateral_cannot_fall_back_or_be_charged_once_a_half_is_given() {
    let mut world = World::new();
    let manager = world.role(Role::CollateralManager);
    let mut order = order_in(&mut world, State::Routing);
    try_it(&mut world, &mut order, Action::Preauthorise, &manager).unwrap();
    for action in [Action::CheckLater, Action::Hop] {
        let done = try_it(&mut world, &mut order, action, &manager);
        assert_eq!(done, Err(IndexError::BarrierRepeated), "{action:?}");
    }
    // Back in the queue, the order manager's half counts no longer.
    let mut order = order_in(&mut world, State::Routing);
    let orders = world.role(Role::OrderManager);
    try_it(&mut world, &mut order, Action::ConfirmReady, &orders).unwrap();
    try_it(&mut world, &mut order, Action::CheckLater, &manager).unwrap();
    assert_eq!((order.barrier, order.barrier_signer), (0, [0; 32]));
}

#[test]
fn deadlines_and_patience_hold_to_the_slot() {
    let mut world = World::new();
    let mut order = order_in(&mut world, State::Routing);
    order.deadline_slot = Slot(world.slot);
    let early = try_it(&mut world, &mut order, Action::Expire, &Party::ANYONE);
    assert_eq!(early, Err(IndexError::TooEarly));
    world.slot += 1;
    try_it(&mut world, &mut order, Action::Expire, &Party::ANYONE).unwrap();

    let mut order = order_in(&mut world, State::Ready);
    order.improved_slot = Slot(world.slot - LIMITS.patience_slots.0 + 1);
    let early = try_it(&mut world, &mut order, Action::Settle, &Party::ANYONE);
    assert_eq!(early, Err(IndexError::TooEarly));
    order.holdings.filled = Tokens(0);
    world.slot += 1;
    let empty = try_it(&mut world, &mut order, Action::Settle, &Party::ANYONE);
    assert_eq!(empty, Err(IndexError::Incomplete));
    order.holdings.filled = Tokens(7);
    try_it(&mut world, &mut order, Action::Settle, &Party::ANYONE).unwrap();
}

#[test]
fn fill_rates_decide_strictly_above_their_thresholds() {
    // Of 100,000: 99 % is not above 99 %, one atom more is; the same at 99.99 %.
    let cases = [
        (99_000, State::Engaged),
        (99_001, State::PartlyMintable),
        (99_990, State::PartlyMintable),
        (99_991, State::FullyMintable),
        (100_000, State::FullyMintable),
    ];
    for (spent, state) in cases {
        let mut world = World::new();
        let mut order = world.order(key(0x0e), 100_000);
        order.updates.engage_oldest(Atoms(100_000)).unwrap();
        order.state = State::Engaged as u8;
        order.holdings.remaining = Atoms(0);
        order.holdings.engaged = Atoms(100_000);
        order.holdings.authorised = Atoms(100_000);
        let step = Step {
            amount: Atoms(spent),
            quantity: Tokens(1),
            ..Step::default()
        };
        let party = world.role(Role::BatchManager);
        let moved = world.run(|j| order.apply(Action::Fill, &step, &LIMITS, &party, j));
        assert_eq!(moved.unwrap().state, state, "{spent}");
        assert!(order.is_balanced());
        let over = Step {
            amount: Atoms(100_001 - spent),
            ..step
        };
        order.state = State::Engaged as u8;
        let done = world.run(|j| order.apply(Action::Fill, &over, &LIMITS, &party, j));
        assert_eq!(done, Err(IndexError::Overspend));
    }
}

#[test]
fn an_order_cancelled_before_it_bought_anything_is_cancelled() {
    for (action, role, end) in [
        (Action::Cancel, Role::Owner, State::Cancelled),
        (Action::Fail, Role::Solver, State::Failed),
    ] {
        let mut world = World::new();
        let mut order = order_in(&mut world, State::Ready);
        order.holdings.filled = Tokens(0);
        order.holdings.carried = Atoms(400);
        order.holdings.spent = Atoms(0);
        let party = if role == Role::Owner {
            owner()
        } else {
            world.role(role)
        };
        let moved = try_it(&mut world, &mut order, action, &party).unwrap();
        assert_eq!((moved.state, moved.released), (end, Atoms(1_000)));
        assert_eq!(order.holdings.authorised, Atoms(0));
    }
}
