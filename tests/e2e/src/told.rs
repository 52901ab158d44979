//! Is what the events told what the account holds?

use flagstone_sdk::embedded::{Exchange, Receipt};
use flagstone_sdk::interface::event::{Event, Fill, cancel_reason, outcome};
use flagstone_sdk::replica::{AccountView, InstrumentView, OrderView, Replica};
use flagstone_sdk::units::Side;
use std::collections::BTreeMap;

/// How often each kind of thing was told.
#[derive(Clone, Debug, Default)]
pub struct Seen(pub BTreeMap<&'static str, u32>);

impl Seen {
    fn count(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Counts an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::OrderPlaced(_) => self.count("placed"),
            Event::OrderCancelled(event) => self.count(reason_name(event.reason)),
            Event::OrderReduced(_) => self.count("reduced"),
            Event::OrderPending(_) => self.count("pending"),
            Event::OrderPromoted(_) => self.count("promoted"),
            Event::BatchOpened(_) => self.count("batch"),
            Event::Held(_) => self.count("held"),
            Event::HoldEnded(_) => self.count("hold ended"),
            Event::HoldFreed(_) => self.count("hold freed"),
            Event::Traded(event) => {
                self.count(if event.hold == 0 {
                    "taken"
                } else {
                    "committed"
                });
                event.fills().iter().for_each(|fill| self.fill(fill));
            }
            Event::AccountSynced(_) => self.count("synced"),
            Event::Released(_) => self.count("released"),
            Event::MarkUpdated(_) => self.count("mark"),
            Event::FundingUpdated(_) => self.count("funding"),
            Event::DeadManSet(_) => self.count("dead man set"),
            Event::RootPublished(_) => self.count("root"),
            _ => self.count("other"),
        }
    }

    fn fill(&mut self, fill: &Fill) {
        self.count(match fill.outcome {
            outcome::PARTIAL => "fill: partial",
            outcome::FULL => "fill: full",
            outcome::DUST => "fill: dust",
            outcome::EXPIRED => "fill: expired",
            outcome::SELF_TRADE => "fill: self-trade",
            outcome::MARGIN => "fill: margin",
            outcome::OUTSIDE_BAND => "fill: outside band",
            outcome::SKIPPED => "fill: skipped",
            outcome::NOT_REDUCING => "fill: not reducing",
            _ => "fill: unknown",
        });
    }

    /// Adds the counts of another session.
    pub fn add(&mut self, other: &Self) {
        for (kind, count) in &other.0 {
            *self.0.entry(kind).or_default() += count;
        }
    }
}

fn reason_name(reason: u8) -> &'static str {
    match reason {
        cancel_reason::OWNER => "cancelled",
        cancel_reason::EVICTED => "evicted",
        cancel_reason::EXPIRED => "expired",
        cancel_reason::DEAD_MAN => "dead man",
        cancel_reason::OUTSIDE_BAND => "outside band",
        cancel_reason::NO_ROOM => "no room",
        cancel_reason::REPLACED => "replaced",
        _ => "another reason",
    }
}

/// Applies the events of a transaction.
///
/// # Panics
/// When one does not follow.
pub fn tell(replica: &mut Replica, receipt: &Receipt, seen: &mut Seen) {
    for event in &receipt.events {
        seen.event(event);
        let applied = replica.apply(event);
        applied.unwrap_or_else(|error| panic!("{error}\nin {:?}", receipt.events));
        if let Event::OrderCancelled(event) = event
            && replica.order(event.order, event.generation).is_some()
        {
            seen.count("cancelled while reserved");
        }
    }
}

/// Orders of one queue, first to trade first.
fn queue<'a>(orders: impl Iterator<Item = (u32, &'a OrderView)>) -> Vec<(u32, OrderView)> {
    orders
        .map(|(index, order)| (index, order.clone()))
        .collect()
}

/// Without what events tell only now and then.
fn told(instrument: &InstrumentView) -> InstrumentView {
    InstrumentView {
        mark_ticks: 0,
        funding_rate: 0,
        funding_index: 0,
        ..instrument.clone()
    }
}

fn told_account(account: &AccountView) -> AccountView {
    AccountView {
        cash_atoms: 0,
        ..account.clone()
    }
}

/// Fails unless the slab's account holds exactly what its events told.
///
/// # Panics
/// On the first difference.
#[track_caller]
pub fn assert_told(replica: &Replica, exchange: &Exchange) {
    let data = exchange.session.data(&exchange.slab);
    let account = Replica::from_account(&data).expect("a slab");
    assert_eq!(replica.seq(), account.seq(), "events missing at the end");
    assert_eq!(replica.authority(), account.authority());
    let numbers = account.instruments().map(|(number, _)| number);
    for number in numbers {
        for side in [Side::Bid, Side::Ask] {
            let (left, right) = (replica.book(number, side), account.book(number, side));
            assert_eq!(queue(left), queue(right), "book {number} {side:?}");
        }
        let (left, right) = (replica.pending(number), account.pending(number));
        assert_eq!(queue(left), queue(right), "pending {number}");
    }
    let instruments = |of: &Replica| -> Vec<_> {
        of.instruments()
            .map(|(number, view)| (number, told(view)))
            .collect()
    };
    assert_eq!(instruments(replica), instruments(&account), "instruments");
    let accounts = |of: &Replica| -> Vec<_> {
        of.accounts()
            .map(|(index, view)| (index, told_account(view)))
            .collect()
    };
    assert_eq!(accounts(replica), accounts(&account), "accounts");
    let positions = |of: &Replica| of.positions().collect::<Vec<_>>();
    assert_eq!(positions(replica), positions(&account), "positions");
    let holds = |of: &Replica| -> Vec<_> {
        of.holds()
            .map(|(index, hold)| (index, hold.clone()))
            .collect()
    };
    assert_eq!(holds(replica), holds(&account), "holds");
    assert_eq!(replica.trades_total(), account.trades_total(), "trades");
    let trades = |of: &Replica| of.trades().copied().collect::<Vec<_>>();
    let (left, right) = (trades(replica), trades(&account));
    let both = left.len().min(right.len());
    assert_eq!(
        left[left.len() - both..],
        right[right.len() - both..],
        "fills"
    );
}
