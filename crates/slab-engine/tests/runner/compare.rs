//! Everything that the engine and the model both know.

use super::Run;
use crate::reference::{Market, Resting};
use flagstone_interface::slab::PoolId;
use flagstone_slab_engine::Slab;
use flagstone_slab_engine::layout::{Order, order_flags};
use flagstone_units::Ticks;

impl Run {
    /// Everything that both sides know.
    pub fn compare_all(&mut self) {
        for (number, market) in self.model.markets.iter().enumerate() {
            let slab = self.engine.slab();
            let stored = &slab.instruments[number];
            assert_eq!(
                (stored.mark.0, stored.mark_slot.0, stored.mark_moved.0),
                (market.mark, market.mark_slot, market.mark_moved)
            );
            compare_market(&slab, number as u8, market);
            for ladder in &market.sides {
                for queue in ladder.values() {
                    let mut index = queue[0].handle.0;
                    for expected in queue {
                        let order = &slab.orders[index];
                        let got = (order.generation, u32::from(order.account), order.lots.0);
                        let wanted = (expected.handle.1, expected.account, expected.lots);
                        assert_eq!((index, got), (expected.handle.0, wanted), "queue");
                        let reserved = self.model.reserved(expected.handle);
                        assert_eq!(order.reserved_lots.0, reserved, "reserved");
                        compare_order(order, expected);
                        index = order.next;
                    }
                    assert_eq!(index, 0, "a queue is longer than it should be");
                }
            }
        }
        for account in 1..=self.setting.accounts {
            let person = &self.model.people[account as usize - 1];
            assert_eq!(
                i128::from(self.engine.cash(account)),
                person.cash,
                "cash of {account}"
            );
            for market in 0..self.model.markets.len() {
                let (lots, cost) = self.engine.position(account, market as u8);
                let expected = person.positions.get(&market).copied().unwrap_or_default();
                assert_eq!(
                    (lots.into(), cost.into()),
                    expected,
                    "position of {account}"
                );
            }
        }
        let slab = self.engine.slab();
        let (header, till) = (&*slab.header, &self.model.till);
        let kept = [header.fees_out_total, header.insurance_due_total];
        assert_eq!(
            kept.map(|total| total.get() as i128),
            [till.fees, till.dues]
        );
        assert_eq!(header.trades_total, till.trades);
        assert_eq!(i128::from(header.funding_pool_atoms), till.funding);
        let totals = slab.audit().unwrap();
        // Every settlement rounded by less than an atom, and so would those to come.
        let left = totals.funding_left_atoms;
        let live = i128::from(slab.header.pool(PoolId::Positions).live);
        assert!(left <= till.roundings + live, "funding was lost");
        self.compare_holds();
        self.engine.audit_router();
    }

    fn compare_holds(&mut self) {
        let slab = self.engine.slab();
        for hold in &self.model.holds {
            let record = &slab.reservations[hold.handle.0];
            assert_eq!(record.generation, hold.handle.1);
            assert_eq!(u32::from(record.account), hold.account);
            assert_eq!(record.is_committed(), hold.committed.is_some());
            let mut index = record.slices_head;
            for piece in &hold.pieces {
                let slice = &slab.slices[index];
                let got = (slice.order, slice.ticks, slice.lots.0);
                assert_eq!(
                    got,
                    (piece.order.0, Ticks(piece.ticks), piece.lots),
                    "slice"
                );
                index = slice.next;
            }
            assert_eq!(index, 0, "a hold has more slices than it should");
        }
        let live = slab.reservations.iter();
        let live = live.filter(|(_, record)| record.is_held() || record.is_committed());
        assert_eq!(live.count(), self.model.holds.len());
        // Positions are pool items only while they hold or risk something.
        let mut positions = 0;
        for account in 1..=self.setting.accounts {
            let stored = &slab.accounts[account];
            let bonds = i128::from(stored.bond_atoms);
            assert_eq!(bonds, self.model.bonds(account), "bonds of {account}");
            assert_eq!(
                usize::from(stored.holds_count),
                self.model.standing(account)
            );
            let person = &self.model.people[account as usize - 1];
            let totals = [stored.debited_total_atoms, stored.released_total_atoms];
            assert_eq!(totals.map(i128::from), [person.debited, person.released]);
            assert_eq!(i128::from(stored.principal_atoms), person.principal);
            let slots = (stored.warmup_slot.0, stored.dead_man_slot.0);
            assert_eq!(slots, (person.profit_slot, person.dead_man));
            let used = self.model.positions_of(account);
            assert_eq!(
                usize::from(stored.positions_count),
                used,
                "positions of {account}"
            );
            positions += used;
        }
        let pool = slab.header.pool(PoolId::Positions);
        assert_eq!(pool.live as usize, positions);
    }
}

fn compare_order(order: &Order, expected: &Resting) {
    let closing = order.side_flags & order_flags::CLOSING != 0;
    let flags = (closing, order.is_reduce_only());
    assert_eq!(flags, (expected.closing, expected.reduce_only));
    let times = (order.expiry.0, order.slot.0, order.batch_epoch);
    assert_eq!(times, (expected.expiry, expected.slot, expected.batch));
}

/// Batch, queue of those that wait, and funding.
fn compare_market(slab: &Slab<'_>, number: u8, market: &Market) {
    let stored = &slab.instruments[usize::from(number)];
    let batch = &market.batch;
    assert_eq!(
        (stored.batch_epoch, stored.batch_slot.0),
        (batch.window, batch.slot)
    );
    assert_eq!(stored.freeze_until.0, batch.freeze_until);
    let frozen = batch.frozen.map(Option::unwrap_or_default);
    assert_eq!(stored.freeze_ticks.map(|ticks| ticks.0), frozen);
    let mut index = stored.pending[0];
    for waiting in &market.pending {
        let order = &slab.orders[index];
        let handle = (index, order.generation);
        assert_eq!(handle, waiting.order.handle, "pending queue");
        let terms = (order.side(), order.ticks.0, order.lots.0);
        assert_eq!(terms, (waiting.side, waiting.ticks, waiting.order.lots));
        compare_order(order, &waiting.order);
        index = order.next;
    }
    assert_eq!(index, 0, "more orders wait than should");
    let funding = &market.funding;
    assert_eq!(
        [
            stored.funding_index,
            stored.funding_base,
            stored.funding_rate
        ]
        .map(i128::from),
        [funding.paid, funding.base, funding.rate],
        "funding of {number}"
    );
    let slots = (stored.funding_start.0, stored.funding_slot.0);
    assert_eq!(slots, (funding.start, funding.slot));
    let samples = (
        i128::from(stored.premium_sum),
        i128::from(stored.premium_weight),
    );
    assert_eq!(samples, funding.premium, "samples of {number}");
    assert_eq!(i128::from(stored.premium_average), market.premium);
}
