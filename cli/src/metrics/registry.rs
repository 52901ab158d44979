//! Which metrics there are: names, what they count, labels.

use anyhow::Result;
use prometheus::{IntCounterVec, IntGaugeVec, Opts, Registry};

macro_rules! metrics {
    (
        counters { $($counter:ident: $cname:literal, [$($clabel:literal),*], $chelp:literal;)* }
        gauges { $($gauge:ident: $gname:literal, [$($glabel:literal),*], $ghelp:literal;)* }
    ) => {
        /// Every metric.
        pub(crate) struct Metrics {
            registry: Registry,
            $(#[doc = $chelp] pub(super) $counter: IntCounterVec,)*
            $(#[doc = $ghelp] pub(super) $gauge: IntGaugeVec,)*
        }

        impl Metrics {
            /// All of them, at nothing.
            ///
            /// # Errors
            /// When two have the same name: the table in this file is wrong.
            pub(crate) fn new() -> Result<Self> {
                let registry = Registry::new();
                $(
                    let $counter = IntCounterVec::new(Opts::new($cname, $chelp), &[$($clabel),*])?;
                    registry.register(Box::new($counter.clone()))?;
                )*
                $(
                    let $gauge = IntGaugeVec::new(Opts::new($gname, $ghelp), &[$($glabel),*])?;
                    registry.register(Box::new($gauge.clone()))?;
                )*
                Ok(Self { registry, $($counter,)* $($gauge,)* })
            }
        }

        /// Names, in the order of the table.
        #[cfg(test)]
        pub(crate) const NAMES: &[&str] = &[$($cname,)* $($gname,)*];
    };
}

metrics! {
    counters {
        transactions: "flagstone_transactions_total", ["outcome"], "Transactions read, ok or failed.";
        logs_cut: "flagstone_logs_cut_total", [], "Transactions whose log is gone or cut: events may be missing.";
        events: "flagstone_events_total", ["program", "event"], "Events of each kind.";
        failures: "flagstone_failures_total", ["program", "error"], "Failed transactions by the program that failed first and the name of its error.";
        kill_band: "flagstone_kill_band_rejects_total", [], "Commits refused because the mark left the kill band since the hold was made.";

        orders_placed: "flagstone_orders_placed_total", ["slab", "instrument", "side"], "Orders that came to rest at once.";
        orders_pending: "flagstone_orders_pending_total", ["slab", "instrument", "side"], "Orders that began to wait for a batch.";
        orders_promoted: "flagstone_orders_promoted_total", ["slab"], "Pending orders that came to rest.";
        orders_cancelled: "flagstone_orders_cancelled_total", ["slab", "instrument", "reason"], "Orders that left the book without a trade.";
        orders_reduced: "flagstone_orders_reduced_total", ["slab"], "Orders that lost lots and kept their place.";
        trades: "flagstone_trades_total", ["slab", "instrument", "how"], "Takers that met the book, by take or by commit.";
        fills: "flagstone_fills_total", ["slab", "instrument"], "Resting orders that traded, in part or in full.";
        volume_lots: "flagstone_volume_lots_total", ["slab", "instrument"], "Lots traded.";
        volume_atoms: "flagstone_volume_atoms_total", ["slab", "instrument"], "Value traded, in quote atoms.";
        arg_clips: "flagstone_arg_clips_total", ["slab", "instrument"], "Trades whose profit was clipped by the tax on aggressive round trips.";
        arg_tax: "flagstone_arg_tax_atoms_total", ["slab", "instrument"], "Tax on aggressive round trips, in quote atoms.";
        reserves: "flagstone_reserves_total", ["slab", "instrument", "side"], "Holds made.";
        reserved_total: "flagstone_reserves_lots_total", ["slab", "instrument", "side"], "Lots that holds captured.";
        holds_ended: "flagstone_holds_ended_total", ["slab", "how"], "Holds that ended without a trade: cancelled, expired, or unknown when the hold was made before the first line.";
        hold_fees: "flagstone_hold_fees_atoms_total", ["slab"], "Fees that ended holds paid, in quote atoms.";
        liquidated_lots: "flagstone_liquidated_lots_total", ["slab", "instrument"], "Lots that liquidations swept.";
        keeper_rewards: "flagstone_keeper_rewards_atoms_total", ["slab"], "Liquidation fees credited to keepers, in quote atoms.";
        deleveraged_lots: "flagstone_deleveraged_lots_total", ["slab", "instrument"], "Lots closed against opposite positions.";
        deficit_recognised: "flagstone_deficits_recognised_atoms_total", ["slab"], "Debts of accounts without positions, in quote atoms.";
        deficit_allocated: "flagstone_deficits_allocated_atoms_total", ["slab"], "Debts cut from the slab's profits, in quote atoms.";
        haircuts: "flagstone_haircuts_total", ["slab"], "Cuts of the slab's profits.";
        roots: "flagstone_roots_total", ["slab", "what"], "Merkle roots: published or refused by the slab, copied by the Router.";

        deposits: "flagstone_deposits_total", [], "Deposits.";
        deposited: "flagstone_deposited_atoms_total", [], "Deposited, in quote atoms.";
        withdrawals: "flagstone_withdrawals_total", [], "Withdrawals, claims not included.";
        withdrawn: "flagstone_withdrawn_atoms_total", [], "Withdrawn and paid for claims, in quote atoms.";
        claims: "flagstone_claims_total", ["what"], "Claims: queued, paid in part or in full, returned, cancelled.";
        funded: "flagstone_funded_atoms_total", [], "Cash that became standing margin, in quote atoms.";
        routes: "flagstone_routes_total", ["what"], "Routes opened and settled.";
        pledged: "flagstone_routes_pledged_atoms_total", [], "Cash that opened routes pledged, in quote atoms.";
        booked: "flagstone_booked_atoms_total", ["what"], "What was booked of slab accounts, in quote atoms: charged to escrows, returned and released to cash.";
        refunds: "flagstone_refunds_atoms_total", [], "What expired capabilities gave back, in quote atoms.";
        liquidations: "flagstone_liquidations_total", ["slab", "what"], "Liquidations begun and ended.";
        tickets: "flagstone_tickets_total", ["slab"], "Liquidation tickets issued.";
        shifted: "flagstone_shifted_atoms_total", ["slab"], "Free cash moved to accounts under liquidation, in quote atoms.";
        covers: "flagstone_covers_total", ["slab"], "Payments of insurance for debts.";
        covered: "flagstone_covered_atoms_total", ["slab"], "Insurance paid for debts, in quote atoms.";
        fees_collected: "flagstone_fees_collected_atoms_total", ["slab"], "Fees booked for the slab's LP, in quote atoms.";
        insured: "flagstone_insurance_in_atoms_total", ["slab"], "What came into insurance, from fees or from tokens, in quote atoms.";
        exits: "flagstone_exits_atoms_total", ["slab"], "Paid to those who left a quarantined slab, in quote atoms.";
        standing: "flagstone_slab_standing_total", ["slab", "what"], "Slabs registered, attested, confirmed, suspended, quarantined.";
        proposals: "flagstone_proposals_total", ["what"], "Proposals made, executed and cancelled.";
        pauses: "flagstone_pauses_total", [], "Pauses of new risk.";
    }
    gauges {
        slot: "flagstone_slot", [], "Slot of the last transaction read.";
        book_best: "flagstone_book_best_ticks", ["slab", "instrument", "side"], "Best price that rests, in ticks.";
        book_spread: "flagstone_book_spread_ticks", ["slab", "instrument"], "Best ask less best bid, in ticks.";
        book_depth: "flagstone_book_depth_lots", ["slab", "instrument", "side"], "Lots that rest.";
        book_near: "flagstone_book_depth_near_lots", ["slab", "instrument", "side"], "Lots that rest within 1 % of the best price.";
        book_orders: "flagstone_book_orders", ["slab", "instrument", "side"], "Orders that rest.";
        book_reserved: "flagstone_book_reserved_lots", ["slab", "instrument", "side"], "Lots at rest that holds have reserved.";
        mark: "flagstone_mark_ticks", ["slab", "instrument"], "Mark as last told, in ticks.";
        vault_booked: "flagstone_vault_booked_atoms", [], "What the vault owes to all, as last told, in quote atoms.";
        insurance: "flagstone_insurance_atoms", ["slab"], "Insurance as last told, in quote atoms.";
        claims_waiting: "flagstone_claims_waiting_atoms", [], "Claims that wait, as last told, in quote atoms.";
        grid_rate: "flagstone_grid_rate_ppm", ["underlying", "interval_slots"], "Shared funding rate of one interval as last computed; longs pay when positive.";
        liquidating: "flagstone_accounts_under_liquidation", ["slab"], "Accounts found below maintenance margin and not restored, since the first line.";
    }
}

impl Metrics {
    /// What was counted, sorted by name and labels.
    pub(crate) fn gather(&self) -> Vec<prometheus::proto::MetricFamily> {
        self.registry.gather()
    }
}
