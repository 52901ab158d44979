//! Everything together: state, steps, properties.

use crate::honest::{Account, Hold};
use crate::router::{Escrow, Purses, Refusal, View};
use crate::{CHARGE_MAX, LIFE, Rules};
use stateright::{Model, Property};

/// Users.
pub const USERS: usize = 2;
/// The slab that follows the rules.
pub const HONEST: usize = 0;
/// The slab that shows whatever it likes.
pub const HOSTILE: usize = 1;

/// What each user starts with at the Router.
const CASH: u8 = 4;
/// Standing margin of the second user at the hostile slab.
const MARGIN: u8 = 1;
/// All there is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Clock.
    pub slot: u8,
    /// Free cash of each user.
    pub cash: [u8; USERS],
    /// Backing of each slab.
    pub backing: [u8; 2],
    /// Whether each slab is quarantined.
    pub quarantined: [bool; 2],
    /// Money of each user at each slab.
    pub escrows: [[Escrow; 2]; USERS],
    /// Accounts at the honest slab.
    pub accounts: [Account; USERS],
    /// Capabilities ever minted; bounds the exploration.
    pub opens: u8,
    /// A refund was paid; only for the properties.
    pub refunded: bool,
    /// A release found the backing too small; only for the properties.
    pub short: bool,
}

/// A transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The clock moves.
    Tick,
    /// `slab.reserve` at the honest slab.
    Reserve(usize),
    /// `slab.commit` at the honest slab, which then charges so much.
    Commit(usize, u8),
    /// `slab.cancel_hold` at the honest slab.
    Cancel(usize),
    /// `slab.expire_holds` at the honest slab.
    Expire(usize),
    /// `slab.free_hold` at the honest slab.
    Free(usize),
    /// `slab.release` at the honest slab.
    Release(usize),
    /// `router.open_route` with one leg.
    Open(usize, usize, View),
    /// `router.settle`, alone: records evidence.
    Settle(usize, usize, View),
    /// `router.refund`.
    Refund(usize, usize, View),
    /// All four steps over both slabs in one transaction; the charges of each.
    Route(usize, u8, u8),
}

/// The model: the protocol, or the protocol with a rule switched off.
#[derive(Clone, Debug)]
pub struct World {
    /// The rules.
    pub rules: Rules,
    /// Capabilities that are minted at most.
    pub opens_max: u8,
    /// Users that act; the others only have money that could be lost.
    pub active: usize,
    /// Last slot.
    pub slot_max: u8,
}

impl State {
    /// Money of a user that only the user's own trades can take: all but what
    /// the hostile slab was paid or given.
    pub fn wealth(&self, user: usize) -> i16 {
        let [honest, hostile] = &self.escrows[user];
        let account = &self.accounts[user];
        let signed = i16::from;
        signed(self.cash[user]) + signed(honest.balance) + signed(hostile.balance)
            // A charge that is not booked is still in the balance.
            + signed(account.cash)
            - (signed(account.debited) - signed(honest.debited_seen))
            + (signed(account.released) - signed(honest.released_seen))
    }

    /// Everything that the Router holds.
    fn booked(&self) -> u32 {
        let escrows = self.escrows.iter().flatten();
        let pledged: u32 = escrows.map(|escrow| u32::from(escrow.balance)).sum();
        let other = self.cash.iter().chain(&self.backing);
        pledged + other.map(|atoms| u32::from(*atoms)).sum::<u32>()
    }

    /// What the slab shows of a user when the hostile one shows `forged`.
    fn view(&self, user: usize, slab: usize, forged: &View) -> View {
        match slab {
            HONEST => self.accounts[user].view(&self.escrows[user][HONEST]),
            _ => *forged,
        }
    }

    /// Runs one of the Router's instructions for a user at a slab.
    fn router(
        &mut self,
        user: usize,
        slab: usize,
        run: impl FnOnce(&mut Escrow, &mut Purses<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        if self.quarantined[slab] {
            return Err(Refusal::Error);
        }
        let mut purses = Purses {
            cash: &mut self.cash[user],
            backing: &mut self.backing[slab],
        };
        run(&mut self.escrows[user][slab], &mut purses)
    }

    fn open(&mut self, user: usize, slab: usize, forged: &View, rules: &Rules) -> Option<()> {
        let (view, slot) = (self.view(user, slab, forged), self.slot);
        let open =
            |escrow: &mut Escrow, purses: &mut Purses<'_>| escrow.open(&view, slot, rules, purses);
        self.router(user, slab, open).ok()?;
        self.opens += 1;
        Some(())
    }

    fn settle(
        &mut self,
        user: usize,
        slab: usize,
        forged: &View,
        rules: &Rules,
    ) -> Result<(), Refusal> {
        let view = self.view(user, slab, forged);
        let book = |escrow: &mut Escrow, purses: &mut Purses<'_>| escrow.book(&view, rules, purses);
        self.router(user, slab, book)?;
        self.short |= view.released > self.escrows[user][slab].released_seen;
        Ok(())
    }

    fn refund(&mut self, user: usize, slab: usize, forged: &View, rules: &Rules) -> Option<()> {
        let (view, slot) = (self.view(user, slab, forged), self.slot);
        let refund = |escrow: &mut Escrow, purses: &mut Purses<'_>| {
            escrow.refund(&view, slot, rules, purses)
        };
        self.router(user, slab, refund).ok()?;
        self.refunded = true;
        Some(())
    }

    fn commit(&mut self, user: usize, charge: u8) -> Option<()> {
        self.accounts[user].commit(&self.escrows[user][HONEST], self.slot, charge)
    }

    /// What the hostile slab shows so that it proves nothing, with a charge.
    fn plausible(&self, user: usize, charge: Option<u8>) -> View {
        let escrow = &self.escrows[user][HOSTILE];
        View {
            held: Some((escrow.opened + 1, CHARGE_MAX, self.slot)),
            result: charge,
            debited: escrow.debited_seen + charge.unwrap_or(0),
            released: escrow.released_seen,
        }
    }

    /// Reserve, open, commit, settle over both slabs, or nothing of it.
    fn route(&mut self, user: usize, charge: u8, forged: u8, rules: &Rules) -> Option<()> {
        self.accounts[user].reserve(self.slot)?;
        let held = self.plausible(user, None);
        for slab in [HONEST, HOSTILE] {
            self.open(user, slab, &held, rules)?;
        }
        self.commit(user, charge)?;
        let traded = self.plausible(user, Some(forged));
        for slab in [HONEST, HOSTILE] {
            self.settle(user, slab, &traded, rules).ok()?;
            // `settle_route` wants every capability spent.
            self.escrows[user][slab].cap.is_none().then_some(())?;
        }
        Some(())
    }

    /// What anybody can do for a user once every capability has expired: the
    /// cash that it leads to. The hostile slab helps or does not.
    pub fn recovered(&self, user: usize, hostile_helps: bool, rules: &Rules) -> i16 {
        let mut end = self.clone();
        end.slot = u8::MAX;
        for slab in [HONEST, HOSTILE] {
            if slab == HOSTILE && !hostile_helps {
                continue;
            }
            let view = end.plausible(user, None);
            let _ = end.refund(user, slab, &view, rules);
        }
        let _ = end.accounts[user].end(end.slot, true);
        let _ = end.settle(user, HONEST, &View::default(), rules);
        let _ = end.accounts[user].release();
        let _ = end.settle(user, HONEST, &View::default(), rules);
        i16::from(end.cash[user])
    }

    /// Sees to it that a forged view is worth a look: the counters around what
    /// was seen, results up to more than any capability.
    fn forged_views(&self, user: usize, mut visit: impl FnMut(View)) {
        let escrow = &self.escrows[user][HOSTILE];
        let around = |seen: u8, more: u8| seen.saturating_sub(1)..=seen + more;
        let results = [
            None,
            Some(0),
            Some(1),
            Some(CHARGE_MAX),
            Some(CHARGE_MAX + 1),
        ];
        for debited in around(escrow.debited_seen, CHARGE_MAX + 1) {
            for released in around(escrow.released_seen, 1) {
                // Only a live capability looks for its result.
                let count = if escrow.cap.is_some() {
                    results.len()
                } else {
                    1
                };
                for result in &results[..count] {
                    visit(View {
                        held: None,
                        result: *result,
                        debited,
                        released,
                    });
                }
            }
        }
    }
}

impl Model for World {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let mut cash = [CASH; USERS];
        cash[1] -= MARGIN;
        vec![State {
            slot: 0,
            cash,
            backing: [0, MARGIN],
            quarantined: [false; 2],
            escrows: Default::default(),
            accounts: Default::default(),
            opens: 0,
            refunded: false,
            short: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        if state.slot < self.slot_max {
            steps.push(Step::Tick);
        }
        for user in 0..self.active {
            if state.opens < self.opens_max && state.accounts[user].generation < self.opens_max {
                steps.push(Step::Reserve(user));
            }
            steps.extend((0..=CHARGE_MAX).map(|charge| Step::Commit(user, charge)));
            steps.extend([
                Step::Cancel(user),
                Step::Expire(user),
                Step::Free(user),
                Step::Release(user),
                Step::Settle(user, HONEST, View::default()),
                Step::Refund(user, HONEST, View::default()),
            ]);
            let cap = state.escrows[user][HOSTILE].cap;
            let due = cap.is_some_and(|cap| state.slot > cap.expiry);
            if !state.quarantined[HOSTILE] {
                state.forged_views(user, |view| {
                    steps.push(Step::Settle(user, HOSTILE, view));
                    steps.extend(due.then_some(Step::Refund(user, HOSTILE, view)));
                });
            }
            if state.opens < self.opens_max {
                steps.push(Step::Open(user, HONEST, View::default()));
                for (charge, life) in [(1, 0), (CHARGE_MAX, LIFE), (CHARGE_MAX, u8::MAX)] {
                    let mut view = state.plausible(user, None);
                    let expiry = state.slot.saturating_add(life);
                    view.held = Some((state.escrows[user][HOSTILE].opened + 1, charge, expiry));
                    steps.push(Step::Open(user, HOSTILE, view));
                }
            }
            if state.opens + 1 < self.opens_max {
                for charge in 0..=CHARGE_MAX {
                    steps.push(Step::Route(user, charge, CHARGE_MAX - charge));
                    steps.push(Step::Route(user, charge, CHARGE_MAX + 1));
                }
            }
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut state = last.clone();
        let rules = &self.rules;
        match step {
            Step::Tick => state.slot += 1,
            Step::Reserve(user) => state.accounts[user].reserve(last.slot)?,
            Step::Commit(user, charge) => state.commit(user, charge)?,
            Step::Cancel(user) => state.accounts[user].end(last.slot, false)?,
            Step::Expire(user) => state.accounts[user].end(last.slot, true)?,
            Step::Free(user) => state.accounts[user].free(&last.escrows[user][HONEST], rules)?,
            Step::Release(user) => state.accounts[user].release()?,
            Step::Open(user, slab, view) => state.open(user, slab, &view, rules)?,
            Step::Settle(user, slab, view) => match state.settle(user, slab, &view, rules) {
                Ok(()) => {}
                Err(Refusal::Error) => return None,
                Err(Refusal::Evidence) => {
                    state = last.clone();
                    state.quarantined[slab] = true;
                }
            },
            Step::Refund(user, slab, view) => state.refund(user, slab, &view, rules)?,
            Step::Route(user, charge, forged) => state.route(user, charge, forged, rules)?,
        }
        Some(state)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = always();
        all.extend(sometimes());
        if self.active == USERS {
            all.extend(sometimes_both());
        }
        all
    }
}

/// Holds for one escrow in every state, whichever slab it is at.
fn each(state: &State, holds: impl Fn(&Escrow) -> bool) -> bool {
    state.escrows.iter().flatten().all(holds)
}

fn always() -> Vec<Property<World>> {
    vec![
        Property::always("money is conserved", |_, state: &State| {
            state.booked() == u32::from(CASH) * USERS as u32
        }),
        Property::always("a balance is its live capability", |_, state: &State| {
            each(state, |one| {
                one.balance == one.cap.map_or(0, |cap| cap.remaining)
            })
        }),
        Property::always("charges stay within what was minted", |_, state: &State| {
            each(state, |one| one.debited_seen <= one.minted)
        }),
        Property::always("a capability ends once", |_, state: &State| {
            each(state, |one| {
                one.opened == one.ended + u8::from(one.cap.is_some())
            })
        }),
        Property::always(
            "the hostile slab takes what it was given",
            |_, state: &State| {
                (0..USERS).all(|user| {
                    let given = state.escrows[user][HOSTILE].debited_seen;
                    let margin = if user == 1 { MARGIN } else { 0 };
                    state.wealth(user) + i16::from(given + margin) >= i16::from(CASH)
                })
            },
        ),
        Property::always("the honest slab is never evidence", |_, state: &State| {
            !state.quarantined[HONEST]
        }),
        Property::always("the honest slab's backing covers it", |_, state: &State| {
            let owed = (0..USERS).map(|user| {
                let (account, escrow) = (&state.accounts[user], &state.escrows[user][HONEST]);
                i16::from(account.cash) + i16::from(account.released)
                    - i16::from(escrow.released_seen)
                    - i16::from(account.debited - escrow.debited_seen)
            });
            owed.sum::<i16>() == i16::from(state.backing[HONEST])
        }),
        Property::always("capabilities end soon", |_, state: &State| {
            each(state, |one| {
                one.cap.is_none_or(|cap| cap.expiry <= state.slot + LIFE)
            })
        }),
        Property::always(
            "everything else comes back",
            |world: &World, state: &State| {
                (0..USERS).all(|user| {
                    let withheld = i16::from(state.escrows[user][HOSTILE].balance);
                    state.recovered(user, false, &world.rules) + withheld == state.wealth(user)
                })
            },
        ),
        Property::always(
            "and that too unless it is quarantined",
            |world: &World, state: &State| {
                (0..USERS).all(|user| {
                    state.quarantined[HOSTILE]
                        || state.recovered(user, true, &world.rules) == state.wealth(user)
                })
            },
        ),
    ]
}

fn sometimes() -> Vec<Property<World>> {
    vec![
        Property::sometimes("booked and freed", |_, state: &State| {
            state.accounts[0].hold == Hold::None && state.escrows[0][HONEST].debited_seen > 0
        }),
        Property::sometimes("refunded", |_, state: &State| state.refunded),
        Property::sometimes("refunded after a commit", |_, state: &State| {
            state.refunded && state.opens == 1 && state.escrows[0][HONEST].debited_seen == 1
        }),
        Property::sometimes("the hostile slab takes all it may", |_, state: &State| {
            state.escrows[0][HOSTILE].debited_seen == 2 * CHARGE_MAX
        }),
        Property::sometimes(
            "the hostile slab gives one user another's margin",
            |_, state: &State| state.wealth(0) > i16::from(CASH),
        ),
        Property::sometimes("a release is owed", |_, state: &State| state.short),
        Property::sometimes("all cash is back after trading", |_, state: &State| {
            state.cash[0] == CASH && state.accounts[0].released > 0
        }),
        Property::sometimes("both slabs were routed to at once", |_, state: &State| {
            state.slot == 0 && state.escrows[0].iter().all(|one| one.ended == 1)
        }),
    ]
}

fn sometimes_both() -> Vec<Property<World>> {
    vec![
        Property::sometimes("committed and not booked", |_, state: &State| {
            let waits = |user: usize| {
                state.accounts[user].debited > state.escrows[user][HONEST].debited_seen
            };
            waits(0) && waits(1)
        }),
        Property::sometimes("quarantined with money pledged", |_, state: &State| {
            state.quarantined[HOSTILE] && state.escrows.iter().all(|both| both[HOSTILE].balance > 0)
        }),
    ]
}
