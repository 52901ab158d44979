//! What each transaction and each event adds.

use super::books::{Books, SIDES};
use super::lines::Line;
use super::registry::Metrics;
use flagstone_sdk::address;
use flagstone_sdk::engine::SlabError;
use flagstone_sdk::events::{self, Record, Told};
use flagstone_sdk::index_engine::chain::EventHead;
use flagstone_sdk::interface::Key;
use flagstone_sdk::interface::event::router::Booked;
use flagstone_sdk::interface::event::{Event, Held, RouterEvent, Traded, cancel_reason, outcome};
use prometheus::{IntCounterVec, IntGaugeVec};
use serde_json::Value;
use solana_address::Address;
use std::collections::BTreeSet;

/// Label of what a line does not tell.
const UNKNOWN: &str = "unknown";

/// Label of slabs that are not those asked for.
const OTHER: &str = "other";

/// Counts transactions.
pub(crate) struct Collector {
    metrics: Metrics,
    books: Books,
    seen: BTreeSet<String>,
    /// Slabs with a label of their own; all of them when it is empty.
    known: Vec<String>,
}

impl Collector {
    /// Nothing counted yet. Anybody may create slabs: those that are not among
    /// `known` share a label, unless there are none.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub(crate) fn new(known: &[Address]) -> anyhow::Result<Self> {
        Ok(Self {
            metrics: Metrics::new()?,
            books: Books::default(),
            seen: BTreeSet::new(),
            known: known.iter().map(Address::to_string).collect(),
        })
    }

    /// Every metric after the last line.
    pub(crate) fn finish(self) -> Metrics {
        self.books.tell(&self.metrics);
        self.metrics
    }

    /// Takes the next transaction. One that was taken before counts no more.
    pub(crate) fn transaction(&mut self, line: &Line) {
        if let Some(signature) = &line.signature
            && !self.seen.insert(signature.clone())
        {
            return;
        }
        let metrics = &self.metrics;
        set(&metrics.slot, &[], line.slot);
        let logs = line.logs.as_deref().unwrap_or_default();
        if line.logs.is_none() || events::is_cut(logs) {
            count(&metrics.logs_cut, &[], 1);
        }
        if !line.err.is_null() {
            count(&metrics.transactions, &["failed"], 1);
            // What it did until it failed was taken back.
            return self.failure(line, logs);
        }
        count(&metrics.transactions, &["ok"], 1);
        for (record, told) in events::all(logs) {
            match told {
                Told::Slab(event) => {
                    let slab = slab_of(line, logs, &record);
                    self.slab(&slab, &event, line.slot);
                }
                Told::Router(event) => self.router(&event),
                Told::Index(event) => {
                    let head = event.get(..size_of::<EventHead>());
                    let tag = head.map_or(0, |head| {
                        bytemuck::pod_read_unaligned::<EventHead>(head).tag
                    });
                    let labels = ["index_vault", &format!("Tag{tag}")];
                    count(&self.metrics.events, &labels, 1);
                }
            }
        }
    }

    fn failure(&self, line: &Line, logs: &[String]) {
        let Some(failed) = events::failed(logs) else {
            // The runtime refused it before any program ran.
            count(&self.metrics.failures, &["runtime", reason(&line.err)], 1);
            return;
        };
        let program = program_name(failed.program);
        let error = match failed.code {
            Some(code) => match events::error_name(failed.program, code) {
                Some(name) => name.to_string(),
                None => format!("custom_{code}"),
            },
            // Free text would make a label of every address.
            None if failed.reason.contains("exceeded") => "ComputeBudget".to_string(),
            None => "Other".to_string(),
        };
        count(&self.metrics.failures, &[program, &error], 1);
        if program == "slab" && failed.code == Some(SlabError::MarkMoved.code()) {
            count(&self.metrics.kill_band, &[], 1);
        }
    }

    fn slab(&mut self, slab: &str, event: &Event, slot: u64) {
        let known = self.known.is_empty() || self.known.iter().any(|one| one == slab);
        let slab = if known { slab } else { OTHER };
        let metrics = &self.metrics;
        count(&metrics.events, &["slab", event.name()], 1);
        match *event {
            Event::OrderPlaced(e) => {
                let at = [slab, &e.instrument.to_string(), side(e.side)];
                count(&metrics.orders_placed, &at, 1);
            }
            Event::OrderPending(e) => {
                let at = [slab, &e.instrument.to_string(), side(e.side)];
                count(&metrics.orders_pending, &at, 1);
            }
            Event::OrderPromoted(_) => count(&metrics.orders_promoted, &[slab], 1),
            Event::OrderCancelled(e) => {
                let at = [slab, &e.instrument.to_string(), cancelled(e.reason)];
                count(&metrics.orders_cancelled, &at, 1);
            }
            Event::OrderReduced(_) => count(&metrics.orders_reduced, &[slab], 1),
            Event::Traded(ref e) => traded(metrics, slab, e),
            Event::Held(ref e) => held(metrics, slab, e),
            Event::HoldEnded(e) => {
                let how = match self.books.hold_expiry(slab, e.hold) {
                    Some(expiry) if slot > u64::from(expiry) => "expired",
                    Some(_) => "cancelled",
                    None => UNKNOWN,
                };
                count(&metrics.holds_ended, &[slab, how], 1);
                count(&metrics.hold_fees, &[slab], e.fee_atoms);
            }
            Event::Liquidated(e) => {
                let at = [slab, &e.instrument.to_string()];
                count(&metrics.liquidated_lots, &at, e.lots.into());
                count(&metrics.keeper_rewards, &[slab], e.reward_atoms);
            }
            Event::Deleveraged(e) => {
                let at = [slab, &e.instrument.to_string()];
                count(&metrics.deleveraged_lots, &at, e.lots.into());
            }
            Event::DeficitRecognised(e) => {
                count(&metrics.deficit_recognised, &[slab], e.deficit_atoms);
            }
            Event::DeficitAllocated(e) => {
                count(&metrics.deficit_allocated, &[slab], e.deficit_atoms);
                count(&metrics.haircuts, &[slab], 1);
            }
            Event::RootPublished(_) => count(&metrics.roots, &[slab, "published"], 1),
            Event::RootRefused(_) => count(&metrics.roots, &[slab, "refused"], 1),
            _ => {}
        }
        if ![UNKNOWN, OTHER].contains(&slab) {
            self.books.apply(slab, event);
        }
    }

    fn router(&self, event: &RouterEvent) {
        count(&self.metrics.events, &["router", event.name()], 1);
        money(&self.metrics, event);
        slabs(&self.metrics, event);
    }
}

fn count(counter: &IntCounterVec, labels: &[&str], by: u64) {
    counter.with_label_values(labels).inc_by(by);
}

fn set(gauge: &IntGaugeVec, labels: &[&str], to: u64) {
    let to = i64::try_from(to).unwrap_or(i64::MAX);
    gauge.with_label_values(labels).set(to);
}

/// The slab that an event is of: the first account of its instruction. Of a
/// call by another program the line does not say.
fn slab_of(line: &Line, logs: &[String], record: &Record<'_>) -> String {
    let unknown = || UNKNOWN.to_string();
    if record.depth != 1 {
        return unknown();
    }
    // Precompiles are among the instructions and leave no line in the log.
    let mut given = line.instructions.iter();
    let mut found = None;
    for program in events::instructions(logs).take(record.instruction) {
        found = given.find(|(id, _)| id == program);
    }
    found
        .and_then(|(_, slab)| slab.clone())
        .unwrap_or_else(unknown)
}

fn side(side: u8) -> &'static str {
    SIDES[usize::from(side & 1)].1
}

/// Label of a [`cancel_reason`].
fn cancelled(reason: u8) -> &'static str {
    match reason {
        cancel_reason::OWNER => "owner",
        cancel_reason::EVICTED => "evicted",
        cancel_reason::EXPIRED => "expired",
        cancel_reason::DEAD_MAN => "dead_man",
        cancel_reason::FROZEN => "frozen",
        cancel_reason::LIQUIDATED => "liquidated",
        cancel_reason::OUTSIDE_BAND => "outside_band",
        cancel_reason::NO_ROOM => "no_room",
        cancel_reason::REPLACED => "replaced",
        _ => UNKNOWN,
    }
}

/// Label of an [`outcome`] that took an order from the book without a trade.
fn removed(one: u8) -> Option<&'static str> {
    Some(match one {
        outcome::EXPIRED => "expired",
        outcome::SELF_TRADE => "self_trade",
        outcome::MARGIN => "margin",
        outcome::OUTSIDE_BAND => "outside_band",
        outcome::NOT_REDUCING => "not_reducing",
        _ => return None,
    })
}

fn traded(metrics: &Metrics, slab: &str, event: &Traded) {
    let number = event.instrument.to_string();
    let at = [slab, number.as_str()];
    for fill in event.fills() {
        if outcome::traded(fill.outcome) {
            count(&metrics.fills, &at, 1);
        } else if let Some(reason) = removed(fill.outcome) {
            count(&metrics.orders_cancelled, &[slab, &number, reason], 1);
        }
    }
    if event.lots > 0 {
        let how = if event.hold == 0 { "take" } else { "commit" };
        count(&metrics.trades, &[slab, &number, how], 1);
    }
    count(&metrics.volume_lots, &at, event.lots.into());
    count(&metrics.volume_atoms, &at, event.notional_atoms);
    if event.tax_atoms > 0 {
        count(&metrics.arg_clips, &at, 1);
        count(&metrics.arg_tax, &at, event.tax_atoms);
    }
}

fn held(metrics: &Metrics, slab: &str, event: &Held) {
    let number = event.instrument.to_string();
    let at = [slab, number.as_str(), side(event.side)];
    count(&metrics.reserves, &at, 1);
    count(&metrics.reserved_total, &at, event.lots.into());
}

fn booked(metrics: &Metrics, booked: Booked) {
    for (what, atoms) in [
        ("charged", booked.charged_atoms),
        ("returned", booked.returned_atoms),
        ("released", booked.released_atoms),
    ] {
        count(&metrics.booked, &[what], atoms);
    }
}

/// What users' money did.
fn money(metrics: &Metrics, event: &RouterEvent) {
    match *event {
        RouterEvent::Deposited(e) => {
            count(&metrics.deposits, &[], 1);
            count(&metrics.deposited, &[], e.amount_atoms);
            set(&metrics.vault_booked, &[], e.booked_atoms);
        }
        RouterEvent::Withdrawn(e) => {
            count(&metrics.withdrawals, &[], 1);
            count(&metrics.withdrawn, &[], e.amount_atoms);
            set(&metrics.vault_booked, &[], e.booked_atoms);
        }
        RouterEvent::ClaimQueued(e) => {
            count(&metrics.claims, &["queued"], 1);
            set(&metrics.claims_waiting, &[], e.claims_atoms);
        }
        RouterEvent::ClaimPaid(e) => {
            let what = if e.returned_atoms > 0 {
                "returned"
            } else {
                "paid"
            };
            count(
                &metrics.claims,
                &[what],
                u64::from(e.amount_atoms + e.returned_atoms > 0),
            );
            count(&metrics.withdrawn, &[], e.amount_atoms);
            set(&metrics.claims_waiting, &[], e.claims_atoms);
            set(&metrics.vault_booked, &[], e.booked_atoms);
        }
        RouterEvent::ClaimCancelled(e) => {
            count(&metrics.claims, &["cancelled"], 1);
            set(&metrics.claims_waiting, &[], e.claims_atoms);
        }
        RouterEvent::SlabFunded(e) => count(&metrics.funded, &[], e.amount_atoms),
        RouterEvent::RouteOpened(e) => {
            count(&metrics.routes, &["opened"], 1);
            count(&metrics.pledged, &[], e.pledged_atoms);
            booked(metrics, e.booked);
        }
        RouterEvent::RouteSettled(e) => {
            count(&metrics.routes, &["settled"], 1);
            count(&metrics.refunds, &[], e.expired_atoms);
            booked(metrics, e.booked);
        }
        RouterEvent::Settled(e) => booked(metrics, e.booked),
        RouterEvent::Refunded(e) => {
            count(&metrics.refunds, &[], e.refunded_atoms);
            booked(metrics, e.booked);
        }
        RouterEvent::LiquidationBegun(e) => booked(metrics, e.booked),
        RouterEvent::TicketIssued(e) => booked(metrics, e.booked),
        RouterEvent::LiquidationEnded(e) => booked(metrics, e.booked),
        RouterEvent::MarginShifted(e) => booked(metrics, e.booked),
        RouterEvent::DebtCovered(e) => booked(metrics, e.booked),
        RouterEvent::ExposureRefreshed(e) => booked(metrics, e.booked),
        RouterEvent::ShiftIssued(e) => {
            booked(metrics, e.booked);
            booked(metrics, e.target_booked);
        }
        RouterEvent::Proposed(_) => count(&metrics.proposals, &["made"], 1),
        RouterEvent::ProposalExecuted(_) => count(&metrics.proposals, &["executed"], 1),
        RouterEvent::ProposalCancelled(_) => count(&metrics.proposals, &["cancelled"], 1),
        RouterEvent::Paused(_) => count(&metrics.pauses, &[], 1),
        _ => {}
    }
}

/// What happened to slabs and their accounts.
fn slabs(metrics: &Metrics, event: &RouterEvent) {
    let standing = |slab: Key, what| count(&metrics.standing, &[&name(slab), what], 1);
    match *event {
        RouterEvent::LiquidationBegun(e) => {
            let slab = name(e.slab);
            count(&metrics.liquidations, &[&slab, "begun"], 1);
            metrics.liquidating.with_label_values(&[&slab]).inc();
        }
        RouterEvent::LiquidationEnded(e) => {
            let slab = name(e.slab);
            count(&metrics.liquidations, &[&slab, "ended"], 1);
            metrics.liquidating.with_label_values(&[&slab]).dec();
        }
        RouterEvent::TicketIssued(e) => count(&metrics.tickets, &[&name(e.slab)], 1),
        RouterEvent::MarginShifted(e) => {
            count(&metrics.shifted, &[&name(e.slab)], e.amount_atoms);
        }
        RouterEvent::DebtCovered(e) => {
            let slab = name(e.slab);
            count(&metrics.covers, &[&slab], 1);
            count(&metrics.covered, &[&slab], e.amount_atoms);
            set(&metrics.insurance, &[&slab], e.insurance_atoms);
        }
        RouterEvent::FeesCollected(e) => {
            let slab = name(e.slab);
            count(&metrics.fees_collected, &[&slab], e.collected_atoms);
            count(&metrics.insured, &[&slab], e.insured_atoms);
            set(&metrics.insurance, &[&slab], e.insurance_atoms);
        }
        RouterEvent::InsuranceFunded(e) => {
            let slab = name(e.slab);
            count(&metrics.insured, &[&slab], e.amount_atoms);
            set(&metrics.insurance, &[&slab], e.insurance_atoms);
            set(&metrics.vault_booked, &[], e.booked_atoms);
        }
        RouterEvent::SurplusSkimmed(e) => {
            let slab = name(e.slab);
            count(&metrics.insured, &[&slab], e.amount_atoms);
            set(&metrics.insurance, &[&slab], e.insurance_atoms);
            set(&metrics.vault_booked, &[], e.booked_atoms);
        }
        RouterEvent::GridUpdated(e) => {
            let (underlying, slots) = (e.underlying_id, e.interval_slots);
            let at = [underlying.to_string(), slots.to_string()];
            let gauge = metrics.grid_rate.with_label_values(&at);
            gauge.set(e.rate_ppm.into());
        }
        RouterEvent::FeesWithdrawn(e) => set(&metrics.vault_booked, &[], e.booked_atoms),
        RouterEvent::ExitedByProof(e) => {
            count(&metrics.exits, &[&name(e.slab)], e.paid_atoms);
        }
        RouterEvent::RootCopied(e) => count(&metrics.roots, &[&name(e.slab), "copied"], 1),
        RouterEvent::SlabRegistered(e) => standing(e.slab, "registered"),
        RouterEvent::SlabAttested(e) => standing(e.slab, "attested"),
        RouterEvent::ProgramConfirmed(e) => standing(e.slab, "confirmed"),
        RouterEvent::SlabSuspended(e) => standing(e.slab, "suspended"),
        RouterEvent::SlabQuarantined(e) => standing(e.slab, "quarantined"),
        _ => {}
    }
}

fn name(key: Key) -> String {
    Address::from(key).to_string()
}

/// Label of a program: ours by name, and two that ours call.
fn program_name(program: &str) -> &'static str {
    let known = [
        (address::ROUTER, "router"),
        (address::SLAB, "slab"),
        (address::INDEX_VAULT, "index_vault"),
        (address::TOKEN, "token"),
        (Address::default(), "system"),
    ];
    let found = known.into_iter().find(|(id, _)| id.to_string() == program);
    found.map_or("foreign", |(_, name)| name)
}

/// Label of an error that no program's log explains.
fn reason(err: &Value) -> &str {
    match err {
        Value::String(text) if !text.contains(' ') => text,
        Value::Object(fields) => fields.keys().next().map_or(UNKNOWN, String::as_str),
        _ => UNKNOWN,
    }
}

#[cfg(test)]
#[path = "collect_tests.rs"]
mod tests;
