//! Sums over streams: what custody owes, tokens in circulation, and demand.

use super::audit::Case;
use super::records::{Kept, Kind};
use super::report::{Finding, Report, Sum};
use flagstone_sdk::address;
use flagstone_sdk::events::sha256;
use flagstone_sdk::index_engine::audit::{Recorded, Traded};
use flagstone_sdk::index_engine::collateral::CollateralPosition;
use flagstone_sdk::index_engine::machine::{Action, State};
use flagstone_sdk::index_engine::orders::{IndexOrder, OrderMoved};
use flagstone_sdk::index_engine::pending::{PendingAction, PendingMoved, PendingOrder};
use flagstone_sdk::index_engine::records::{
    Custody, IndexHead, MarketChanged, MarketEvent, MarketHead,
};
use flagstone_sdk::index_engine::roles::CustodySet;
use flagstone_sdk::read_record;
use flagstone_sdk::units::Side;
use solana_address::Address;
use std::collections::BTreeMap;

/// Compares every sum.
pub(super) fn check(case: &Case, traded: &BTreeMap<Address, Traded>, report: &mut Report) {
    for kept in case.records.of(Kind::Market) {
        if let Some(market) = read_record::<MarketHead>(kept.data) {
            reserve(case, kept, &market, report);
            custody(case, kept, &market, report);
        }
    }
    for kept in case.records.of(Kind::Index) {
        if let Some(index) = read_record::<IndexHead>(kept.data) {
            tokens(case, kept, &index, traded, report);
        }
    }
    desks(case, report);
    super::demand::check(case, report);
    invoices(case, report);
}

/// Notes a sum; one that does not hold is a finding.
pub(super) fn sum(report: &mut Report, of: &Address, what: String, holds: bool) {
    if !holds {
        let what = format!("the sums differ: {what}");
        report.findings.push(Finding::at(of, None, what));
    }
    report.sums.push(Sum { what, holds });
}

/// Orders against the market of one index, or of all of a market's.
fn orders<'c>(case: &'c Case, index: &'c [u8; 32]) -> impl Iterator<Item = PendingOrder> + 'c {
    let orders = case.records.of(Kind::Order);
    let orders = orders.filter_map(|kept| read_record::<PendingOrder>(kept.data));
    orders.filter(move |order| order.index == *index)
}

/// Indices of a market.
fn indices(case: &Case, market: &Address) -> Vec<Address> {
    let indices = case.records.of(Kind::Index).filter(|kept| {
        let index = read_record::<IndexHead>(kept.data);
        index.is_some_and(|index| index.market == *market.as_array())
    });
    indices.map(|kept| kept.address).collect()
}

/// The reserve event by event, in the order in which things happened.
fn reserve(case: &Case, kept: &Kept, market: &MarketHead, report: &mut Report) {
    let indices = indices(case, &kept.address);
    let mut reserve = 0i128;
    for (stream, at) in &case.history.order {
        let event = case.events(stream)[*at];
        let Some(event) = Recorded::parse(event) else {
            continue;
        };
        if let Some(moved) = event.body::<PendingMoved>() {
            let ours = indices.contains(&Address::from(moved.index));
            if ours && moved.action == PendingAction::Chunk as u8 {
                reserve += match moved.side {
                    0 => i128::from(moved.amount),
                    _ => -i128::from(moved.received),
                };
            }
        } else if let Some(changed) = event.body::<MarketChanged>()
            && *stream == kept.address
        {
            match MarketEvent::from_code(changed.kind) {
                Ok(MarketEvent::Funded) => reserve += i128::from(changed.amount_atoms),
                Ok(MarketEvent::Drawn) => reserve -= i128::from(changed.amount_atoms),
                _ => {}
            }
            if i128::from(changed.reserve_atoms) != reserve {
                let what = format!(
                    "it says that the reserve is {} atoms; {reserve} follow from what was traded",
                    changed.reserve_atoms
                );
                let number = Some(event.head.sequence);
                report.findings.push(Finding::at(stream, number, what));
                reserve = i128::from(changed.reserve_atoms);
            }
        }
    }
    let what = format!(
        "market: reserve of {} atoms = {reserve} spent by buyers and funded, less what sellers and the vendor got",
        market.reserve_atoms
    );
    let holds = i128::from(market.reserve_atoms) == reserve;
    sum(report, &kept.address, what, holds);
}

/// What a market owes, and what it holds.
fn custody(case: &Case, kept: &Kept, market: &MarketHead, report: &mut Report) {
    let mut owed = u128::from(market.reserve_atoms);
    for index in indices(case, &kept.address) {
        for order in orders(case, index.as_array()) {
            owed += u128::from(match order.side {
                0 => order.remaining,
                _ => order.claimable,
            });
        }
    }
    let booked = market.booked_atoms;
    let Some(held) = token_balance(case, &address::market_tokens(&kept.address)) else {
        report
            .findings
            .push(Finding::at(&kept.address, None, NO_TOKENS));
        return;
    };
    let what =
        format!("market: {held} atoms in custody = {booked} booked = {owed} of reserve and orders");
    let holds = held == booked && u128::from(booked) == owed;
    sum(report, &kept.address, what, holds);
}

const NO_TOKENS: &str = "its token account is not among the accounts";

/// Balance of a token account; `None` when it is not there, or no token account.
fn token_balance(case: &Case, key: &Address) -> Option<u64> {
    let account = case.recording.account(key)?;
    let amount = account.data.get(64..72)?.try_into().ok()?;
    let ours = account.owner == address::TOKEN && account.data.len() == 165;
    ours.then(|| u64::from_le_bytes(amount))
}

/// Supply of a mint.
fn supply(case: &Case, key: &Address) -> Option<u64> {
    let account = case.recording.account(key)?;
    let amount = account.data.get(36..44)?.try_into().ok()?;
    let ours = account.owner == address::TOKEN && account.data.len() == 82;
    ours.then(|| u64::from_le_bytes(amount))
}

/// An index's totals from its orders, and its mint.
fn tokens(
    case: &Case,
    kept: &Kept,
    index: &IndexHead,
    traded: &BTreeMap<Address, Traded>,
    report: &mut Report,
) {
    let (mut minted, mut burned, mut locked) = (0u128, 0u128, 0u128);
    let mut unclaimed = 0u128;
    for order in orders(case, kept.address.as_array()) {
        let key = Address::from(order.chain.stream);
        let totals = traded.get(&key).copied().unwrap_or_default();
        minted += u128::from(totals.minted.0);
        burned += u128::from(totals.burned.0);
        locked += u128::from(totals.locked.0);
        if order.side == Side::Bid as u8 {
            unclaimed += u128::from(order.claimable);
        }
    }
    for intent in case.records.of(Kind::Intent) {
        let order = read_record::<IndexOrder>(intent.data);
        if let Some(order) = order.filter(|order| order.index == *kept.address.as_array())
            && order.state() != Ok(State::InvalidCollateral)
        {
            minted += u128::from(order.holdings.filled.0);
            unclaimed += u128::from(order.holdings.filled.0 - order.holdings.minted.0);
        }
    }
    let state = &index.state;
    let totals = [state.minted, state.burned, state.locked].map(|tokens| u128::from(tokens.0));
    let what = format!(
        "index: {} tokens bought, {} sold, {} burned and unsold, as its orders did",
        totals[0], totals[1], totals[2]
    );
    sum(
        report,
        &kept.address,
        what,
        totals == [minted, burned, locked],
    );
    let Some(supply) = supply(case, &address::index_mint(&kept.address)) else {
        let what = "its mint is not among the accounts";
        report.findings.push(Finding::at(&kept.address, None, what));
        return;
    };
    let what = format!(
        "index: {supply} parts in the mint's supply + {unclaimed} unclaimed = {} bought - {} sold - {} unsold",
        totals[0], totals[1], totals[2]
    );
    let holds = u128::from(supply) + unclaimed + totals[1] + totals[2] == totals[0];
    sum(report, &kept.address, what, holds);
}

/// What desks owe their users, and what they hold and were paid.
fn desks(case: &Case, report: &mut Report) {
    for (key, custody) in &case.records.custodies {
        let desk = Address::from(custody.desk);
        if *key != address::desk_custody(&desk) {
            let what = "the custody does not lie where its desk's does";
            report.findings.push(Finding::at(key, None, what));
            continue;
        }
        set_by_desk(case, key, custody, report);
        let (mut open, mut spent) = (0u128, 0u128);
        for kept in case.records.of(Kind::Position) {
            let position = read_record::<CollateralPosition>(kept.data);
            if let Some(position) = position.filter(|position| position.desk == custody.desk) {
                let totals = &position.totals;
                let places = [totals.unconfirmed, totals.ready, totals.authorised];
                open += places.iter().map(|place| u128::from(place.0)).sum::<u128>();
                spent += u128::from(totals.spent.0);
            }
        }
        let Some(held) = token_balance(case, &address::desk_vault(&desk)) else {
            report.findings.push(Finding::at(key, None, NO_TOKENS));
            continue;
        };
        let booked = custody.booked_atoms;
        let what = format!("desk: {held} atoms in custody = {booked} booked = {open} of positions");
        sum(
            report,
            key,
            what,
            held == booked && u128::from(booked) == open,
        );
        let paid = custody.paid_atoms;
        let what = format!("desk: {paid} atoms paid to it = {spent} that positions spent");
        sum(report, key, what, u128::from(paid) == spent);
    }
    for kept in case.records.of(Kind::Position) {
        let position = read_record::<CollateralPosition>(kept.data);
        let mut custodies = case.records.custodies.iter();
        let known = position
            .is_some_and(|position| custodies.any(|(_, custody)| custody.desk == position.desk));
        if !known {
            let what = "the custody of its desk is not among the accounts";
            report.findings.push(Finding::at(&kept.address, None, what));
        }
    }
}

/// A custody is what its desk's history last said.
fn set_by_desk(case: &Case, key: &Address, custody: &Custody, report: &mut Report) {
    let events = case.events(&Address::from(custody.desk));
    let set = events.iter().rev().find_map(|bytes| {
        let event = Recorded::parse(bytes)?;
        event.body::<CustodySet>()
    });
    let own = CustodySet {
        mint: custody.mint,
        vault: custody.vault,
        payout: custody.payout,
    };
    let vault = Address::from(custody.vault) == address::desk_vault(&Address::from(custody.desk));
    if set != Some(own) || !vault {
        let what = "the custody is not what its desk's history says";
        report.findings.push(Finding::at(key, None, what));
    }
}

/// Every invoice that an order speaks of was written, and no other.
fn invoices(case: &Case, report: &mut Report) {
    let mut written: Vec<(Address, [u8; 32])> = Vec::new();
    for invoice in &case.history.invoices {
        let hash = sha256(&[bytemuck::bytes_of(invoice)]);
        written.push((Address::from(invoice.order), hash));
    }
    for kept in case.records.of(Kind::Intent) {
        for bytes in case.events(&kept.address) {
            let event = Recorded::parse(bytes);
            let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<OrderMoved>()?)))
            else {
                continue;
            };
            if moved.action != Action::Invoice as u8 {
                continue;
            }
            let named = (kept.address, moved.step.subject);
            let before = written.len();
            written.retain(|invoice| *invoice != named);
            if written.len() == before {
                let what = "the logs have no invoice with this hash";
                let number = Some(event.head.sequence);
                report
                    .findings
                    .push(Finding::at(&kept.address, number, what));
            }
        }
    }
    for (order, _) in written {
        let what = "an invoice was logged that the order does not speak of";
        report.findings.push(Finding::at(&order, None, what));
    }
}
