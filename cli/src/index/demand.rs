//! Demand: which quantities the chunks and mints of an index stand for.
//!
//! A chunk's event only hashes the quantities of its assets. They follow from
//! the tokens and the index's weights, so they are worked out again by the
//! kernels: every hash must be theirs, their sum must be the market's demand,
//! and what members of an allotment drew must be in its cells.

use super::audit::Case;
use super::money::sum;
use super::records::Kind;
use super::report::{Finding, Report};
use flagstone_sdk::events::sha256;
use flagstone_sdk::index;
use flagstone_sdk::index_engine::allotment::Allotment;
use flagstone_sdk::index_engine::amounts::Quantity;
use flagstone_sdk::index_engine::audit::Recorded;
use flagstone_sdk::index_engine::machine::Action;
use flagstone_sdk::index_engine::orders::{IndexOrder, OrderMoved};
use flagstone_sdk::index_engine::pending::{PendingAction, PendingMoved, PendingOrder};
use flagstone_sdk::kernels::arithmetic::{Arithmetic, Stable};
use flagstone_sdk::kernels::factor::Factor;
use flagstone_sdk::kernels::index::Constituent;
use flagstone_sdk::read_record;
use flagstone_sdk::units::Side;
use solana_address::Address;
use std::collections::BTreeMap;

/// The least part of an index token (nine decimals), in the kernels' units.
const TOKEN: u128 = 1_000_000_000;

/// Net demand of the assets of a market, by slot; and whether it is known.
#[derive(Default)]
struct Net {
    units: BTreeMap<u16, i128>,
    unknown: bool,
}

/// What members of allotments drew: by allotment and order, one per asset.
type Drawn = BTreeMap<(Address, Address), Vec<u128>>;

/// Works every chunk's quantities out again.
pub(super) fn check(case: &Case, report: &mut Report) {
    let mut nets: BTreeMap<Address, Net> = BTreeMap::new();
    let mut drawn = Drawn::new();
    for kept in case.records.of(Kind::Index) {
        let Some((head, constituents)) = index::read_index(kept.data) else {
            continue;
        };
        let net = nets.entry(Address::from(head.market)).or_default();
        if head.state.weights_version > 1 {
            // Quantities of other weights cannot be worked out from the account.
            net.unknown = true;
            let what = format!(
                "index {}: demand is not compared, its weights changed",
                kept.address
            );
            report.notes.push(what);
            continue;
        }
        let mut of = Of {
            case,
            key: kept.address,
            constituents: &constituents,
            net,
            drawn: &mut drawn,
        };
        of.orders(report);
        of.intents();
    }
    for (market, net) in &nets {
        compare(case, market, net, report);
    }
    shares(case, &drawn, report);
}

struct Of<'a> {
    case: &'a Case<'a>,
    key: Address,
    constituents: &'a [Constituent],
    net: &'a mut Net,
    drawn: &'a mut Drawn,
}

impl Of<'_> {
    /// Quantities that so many parts of a token stand for, in the index's order.
    fn quantities(&self, side: Side, tokens: u64) -> Option<Vec<Quantity>> {
        let factor = Factor::new(u128::from(tokens) * TOKEN);
        let quantity = |constituent: &Constituent| {
            let weight = constituent.weight.get();
            let units = match side {
                Side::Bid => Stable::bought(&factor, weight),
                Side::Ask => Stable::sold(&factor, weight),
            };
            units.ok().map(Quantity::new)
        };
        self.constituents.iter().map(quantity).collect()
    }

    fn book(&mut self, side: Side, quantities: &[Quantity]) {
        for (constituent, quantity) in self.constituents.iter().zip(quantities) {
            let net = self.net.units.entry(constituent.place.slot).or_default();
            *net += match side {
                Side::Bid => quantity.get() as i128,
                Side::Ask => -(quantity.get() as i128),
            };
        }
    }

    fn orders(&mut self, report: &mut Report) {
        for kept in self.case.records.of(Kind::Order) {
            let order = read_record::<PendingOrder>(kept.data);
            let Some(order) = order.filter(|order| order.index == *self.key.as_array()) else {
                continue;
            };
            let Some(side) = Side::from_byte(order.side) else {
                continue;
            };
            let mut allotment = None;
            for bytes in self.case.events(&kept.address) {
                let event = Recorded::parse(bytes);
                let Some((event, moved)) = event.and_then(|e| Some((e, e.body::<PendingMoved>()?)))
                else {
                    continue;
                };
                match PendingAction::from_code(moved.action) {
                    Ok(PendingAction::Bind) => allotment = Some(Address::from(moved.amounts_hash)),
                    Ok(PendingAction::Unbind) => allotment = None,
                    Ok(PendingAction::Chunk) => {
                        let tokens = match side {
                            Side::Bid => moved.received,
                            Side::Ask => moved.amount,
                        };
                        let Some(quantities) = self.quantities(side, tokens) else {
                            continue;
                        };
                        if sha256(&[bytemuck::cast_slice(&quantities)]) != moved.amounts_hash {
                            let what = "the weights give other quantities for its tokens";
                            let number = Some(event.head.sequence);
                            report
                                .findings
                                .push(Finding::at(&kept.address, number, what));
                        }
                        self.book(side, &quantities);
                        if let Some(allotment) = allotment {
                            let taken = self.drawn.entry((allotment, kept.address)).or_default();
                            taken.resize(quantities.len(), 0);
                            for (sum, quantity) in taken.iter_mut().zip(&quantities) {
                                *sum += quantity.get();
                            }
                        }
                    }
                    _ => {}
                }
            }
        }
    }

    /// Orders of the desk: what was filled is bought, asset by asset.
    fn intents(&mut self) {
        for kept in self.case.records.of(Kind::Intent) {
            let order = read_record::<IndexOrder>(kept.data);
            if order.is_none_or(|order| order.index != *self.key.as_array()) {
                continue;
            }
            for bytes in self.case.events(&kept.address) {
                let moved = Recorded::parse(bytes).and_then(|event| event.body::<OrderMoved>());
                let Some(moved) = moved else { continue };
                // A fill is backed from then on, a denied payment no more.
                let (side, tokens) = match Action::from_code(moved.action) {
                    Ok(Action::Fill) => (Side::Bid, moved.step.quantity.0),
                    Ok(Action::DenyPayment) => (Side::Ask, moved.after.filled.0),
                    _ => continue,
                };
                if tokens > 0
                    && let Some(quantities) = self.quantities(side, tokens)
                {
                    self.book(side, &quantities);
                }
            }
        }
    }
}

/// Demand of a market's assets against what its indices' orders add up to.
fn compare(case: &Case, key: &Address, net: &Net, report: &mut Report) {
    let market = case.recording.account(key);
    let market = market.and_then(|account| index::read_market(&account.data));
    let Some((_, assets)) = market.filter(|_| !net.unknown) else {
        return;
    };
    let (mut equal, mut wanted) = (0, 0);
    for (slot, asset) in assets.iter().enumerate() {
        let units = net.units.get(&(slot as u16)).copied().unwrap_or_default();
        let demand = asset.demand_long.get() as i128 - asset.demand_short.get() as i128;
        equal += usize::from(demand == units);
        wanted += usize::from(units != 0);
    }
    let what = format!(
        "market: demand of {equal} of {} assets is what orders bought and sold, to 1e-18; {wanted} are in demand",
        assets.len()
    );
    sum(report, key, what, equal == assets.len());
}

/// What members drew against the cells of their allotments.
fn shares(case: &Case, drawn: &Drawn, report: &mut Report) {
    for kept in case.records.of(Kind::Allotment) {
        let mut words = vec![0u64; kept.data.len().div_ceil(8)];
        let copy: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
        copy[..kept.data.len()].copy_from_slice(kept.data);
        let Ok(allotment) = Allotment::open(copy) else {
            continue;
        };
        let mut equal = true;
        for (at, member) in allotment.members().iter().enumerate() {
            let order = case
                .records
                .find::<PendingOrder>(Kind::Order, &member.order);
            equal &= order.is_some_and(|order| order.index == allotment.head.index);
            let taken = drawn.get(&(kept.address, Address::from(member.order)));
            let cells = allotment.cells(at).iter().enumerate();
            for (asset, cell) in cells {
                let units = taken.and_then(|taken| taken.get(asset)).copied();
                let share = allotment.capacities()[asset].share(cell.fraction);
                let drawn = share.and_then(|share| share.minus(cell.left));
                equal &= drawn.is_ok_and(|drawn| drawn.get() == units.unwrap_or(0));
            }
        }
        let what = format!(
            "allotment: {} members drew what their chunks bought",
            allotment.members().len()
        );
        sum(report, &kept.address, what, equal);
    }
}
