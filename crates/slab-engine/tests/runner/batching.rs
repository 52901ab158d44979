//! Random batches, premiums, marks, statuses: what happens to a whole market.

use super::Run;
use crate::reference::Opened;
use crate::reference::setting::Raw;
use bytemuck::Zeroable;
use flagstone_interface::router::FundingGrid;
use flagstone_interface::slab::status;
use flagstone_slab_engine::batches::Batch;
use flagstone_units::{Slot, Ticks};

impl Run {
    pub(super) fn batch_open(&mut self, raw: Raw) {
        let market = self.market(raw);
        let most = match raw.option & 7 {
            0 => usize::from(raw.price % 4),
            _ => 16,
        };
        let expected = self.model.batch_open(market, most, self.engine.slot);
        match (self.engine.batch_open(market, most), expected) {
            (Ok(batch), Ok(expected)) => {
                assert_eq!(opened(&batch), expected);
                self.note(format!("batch, promoted {}", !expected.promoted.is_empty()));
                for (_, _, reason) in expected.cancelled {
                    self.note(format!("promotion refused {reason}"));
                }
                if !expected.evicted.is_empty() {
                    self.note("promotion evicted");
                }
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()));
                self.note(format!("batch {}", error.name()));
            }
        }
    }

    /// Moves the mark as an oracle would, against the book: the only way by
    /// which an order on the touch comes to lie outside the band.
    pub(super) fn jolt(&mut self, raw: Raw) {
        let market = usize::from(self.market(raw));
        let start = self.setting.markets[market].unwrap().mark.0;
        let mark = start / 2 + ((u64::from(start) * u64::from(raw.price)) >> 16) as u32;
        self.engine.slab().instruments[market].mark = Ticks(mark);
        self.model.markets[market].mark = mark;
    }

    /// What funding depends on: samples of the premium, the oracle's price and
    /// the shared rate; and now and then a long silence.
    pub(super) fn premium(&mut self, raw: Raw) {
        let market = usize::from(self.market(raw));
        let params = self.setting.markets[market].unwrap();
        if params.oracle_scale == 0 {
            return;
        }
        match raw.option & 7 {
            0 => self.engine.slot += params.rules.funding_slots.0 * u32::from(raw.price % 4),
            1 | 2 => self.share_rate(raw),
            3 => {
                let slot = self.engine.slot;
                let slab = &mut self.engine.slab();
                slab.accrue_funding(market as u8, Slot(slot));
                self.model.accrue(market, slot);
            }
            _ => {
                let weight = 1 + u32::from(raw.lots % 50);
                let mean = i64::from(raw.price as i16) >> (raw.option >> 3 & 7);
                let sum = mean * i64::from(weight) + i64::from(raw.option % 7);
                let index = params.mark.0 / 2 + u32::from(raw.extra) % params.mark.0;
                let slot = Slot(self.engine.slot);
                let mut slab = self.engine.slab();
                let stored = &mut slab.instruments[market];
                (stored.premium_sum, stored.premium_weight) = (sum, weight);
                (stored.index, stored.index_slot) = (Ticks(index), slot);
                let known = &mut self.model.markets[market];
                known.index_slot = slot.0;
                known.funding.premium = (sum.into(), weight.into());
                known.funding.index = index.into();
            }
        }
    }

    fn share_rate(&mut self, raw: Raw) {
        let (number, slot) = (self.market(raw), self.engine.slot);
        let market = usize::from(number);
        let params = self.setting.markets[market].unwrap();
        let rate = i32::from(raw.price as i16) >> (raw.option >> 3 & 7);
        let grid = FundingGrid {
            underlying_id: params.underlying_id + u64::from(raw.lots & 15 == 0),
            rate_ppm: rate,
            interval_slots: params.rules.funding_slots.0,
            slot: Slot(slot),
            ..FundingGrid::zeroed()
        };
        let fresh = slot > self.model.markets[market].funding.grid.1;
        let fits = raw.lots & 15 != 0 && fresh;
        let got = self
            .engine
            .run(|slab| slab.update_funding(number, Some(&grid), Slot(slot)));
        assert_eq!(got.is_ok(), fits);
        self.note(format!("shared rate {fits}"));
        if fits {
            let before = self.model.markets[market].funding.start;
            self.model.share_rate(market, rate, slot);
            let began = self.model.markets[market].funding.start != before;
            assert_eq!(got.unwrap().is_some(), began);
        }
    }

    /// Statuses of slab and market, and who is designated.
    pub(super) fn govern(&mut self, raw: Raw) {
        let market = usize::from(self.market(raw));
        // Mostly open again soon.
        let closing = raw.option & 31 == 0;
        match raw.extra % 3 {
            0 => {
                let account = self.account(raw);
                let designated = raw.option & 1 == 0;
                self.engine.designate(account, designated);
                self.model.people[account as usize - 1].designated = designated;
            }
            1 => {
                let status = if closing {
                    status::REDUCE_ONLY
                } else {
                    status::NONE
                };
                self.engine.slab().header.status = status;
                self.model.reduce_only = closing;
            }
            _ => {
                let status = if closing {
                    status::REDUCE_ONLY
                } else {
                    status::ACTIVE
                };
                self.engine.slab().instruments[market].status = status;
                self.model.markets[market].reduce_only = closing;
            }
        }
    }
}

/// What the engine did, in the model's terms.
fn opened(batch: &Batch) -> Opened {
    let promoted = batch.promoted[..batch.promoted_count].iter();
    let cancelled = batch.cancelled[..batch.cancelled_count].iter();
    let evicted = batch.evicted.orders[..batch.evicted.count].iter();
    Opened {
        promoted: promoted
            .map(|event| ((event.order, event.generation), event.ticks))
            .collect(),
        cancelled: cancelled
            .map(|event| ((event.order, event.generation), event.lots, event.reason))
            .collect(),
        evicted: evicted
            .map(|event| ((event.order, event.generation), event.lots))
            .collect(),
        left: batch.opened.pending_count as usize,
    }
}
