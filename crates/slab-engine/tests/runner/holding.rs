//! Random reserves, commits and ends of holds; the Router in between.

use super::Run;
use crate::common::router::{handle, hash};
use crate::common::{Handle, Outcome, key_of};
use crate::reference::setting::{Raw, deed};
use crate::reference::{Deed, Payment, Secret};
use flagstone_interface::event::{Held, HeldSlice, HoldEnded};
use flagstone_interface::router::cap_state;
use flagstone_slab_engine::holds::{Reserve, Reveal};
use flagstone_units::{Lots, Slot, Ticks};

impl Run {
    pub(super) fn reserve(&mut self, raw: Raw) {
        let lots = self.lots(raw);
        let limit = self.price(raw, false);
        let secret = self.secret(raw, lots, limit);
        let (side, instrument) = (Self::side(raw), self.market(raw));
        let route_id = u64::from(raw.option >> 14);
        let order = Reserve {
            account: self.account(raw),
            instrument,
            side,
            limit,
            lots,
            lots_min: match raw.option >> 3 & 7 {
                0 => lots,
                1 => Lots(lots.0 / 2),
                2 => Lots(u32::from(raw.option >> 12) + lots.0),
                _ => Lots(1),
            },
            // Mostly until the end of the slot, now and then for long.
            ttl: match raw.option >> 6 & 7 {
                0 => Slot(u32::from(raw.option >> 9) * 3),
                1..=3 => Slot(u32::from(raw.option >> 13)),
                _ => Slot(0),
            },
            route_id,
            commitment: secret.map_or([0; 32], |secret| {
                revealed(secret).digest(route_id, instrument, side)
            }),
        };
        let expected = self.model.reserve(&order, self.engine.slot);
        match (self.engine.reserve(&order), expected) {
            (Ok(held), Ok(expected)) => {
                self.compare_hold(&order, &held, &expected);
                let handle = handle(&held);
                assert!(self.held_out.insert(handle), "a hold was handed out twice");
                let hold = self.model.holds.last_mut().unwrap();
                (hold.handle, hold.secret) = (handle, secret);
                self.held.push(held);
                self.note(format!(
                    "reserved {:?}",
                    held.expiry_slot == self.engine.slot
                ));
                if held.slices().len() == 32 {
                    self.note("32 slices");
                }
                if raw.market & 64 == 0 {
                    // As a route does it; the others wait for what comes.
                    self.commit(Raw { price: 1, ..raw });
                }
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{order:?}");
                self.note(format!("reserve {}", error.name()));
            }
        }
    }

    /// What some holds commit to: mostly what they ask for, now and then a
    /// smaller quantity or a better price.
    fn secret(&self, raw: Raw, lots: Lots, limit: Ticks) -> Option<Secret> {
        let mut secret = Secret {
            lots: lots.0,
            limit: limit.0,
            salt: [raw.extra as u8; 16],
        };
        match raw.extra >> 8 & 31 {
            0 => secret.lots -= secret.lots / 2,
            1 => secret.limit = self.model.markets[usize::from(self.market(raw))].mark,
            2..=9 => {}
            _ => return None,
        }
        Some(secret)
    }

    fn compare_hold(&mut self, order: &Reserve, held: &Held, expected: &crate::reference::Hold) {
        let slices: Vec<HeldSlice> = held.slices().to_vec();
        let pieces = expected.pieces.iter().map(|piece| HeldSlice {
            order: piece.order.0,
            ticks: piece.ticks,
            lots: piece.lots,
        });
        assert_eq!(slices, pieces.collect::<Vec<_>>(), "{order:?}");
        let lots: u32 = expected.pieces.iter().map(|piece| piece.lots).sum();
        assert_eq!({ held.lots }, lots);
        assert_eq!(i128::from(held.notional_atoms), expected.notional);
        assert_eq!(
            i128::from(held.max_charge_atoms),
            expected.max_charge,
            "{order:?}"
        );
        assert_eq!({ held.expiry_slot }, expected.expiry);
        let bond = self.engine.record(held.hold).bond_atoms;
        assert_eq!(i128::from(bond), expected.bond);
    }

    /// A hold of the last few, and rarely a handle that never was.
    fn some_hold(&self, raw: Raw) -> Option<Held> {
        let recent = self.held.len().min(40);
        if recent == 0 {
            return None;
        }
        // Mostly the latest: holds are short.
        let reach = if raw.price & 3 == 0 {
            recent
        } else {
            recent.min(4)
        };
        let mut held = self.held[self.held.len() - 1 - usize::from(raw.price >> 2) % reach];
        if raw.option & 127 == 1 {
            held.generation += 1;
        }
        Some(held)
    }

    pub(super) fn commit(&mut self, raw: Raw) {
        let Some(held) = self.some_hold(raw) else {
            return;
        };
        let owner = u32::from(held.account);
        let cap = self.some_cap(raw, &held);
        let account = if raw.lots & 63 == 0 {
            self.account(raw)
        } else {
            owner
        };
        let payer = if raw.lots & 63 == 1 {
            self.account(raw)
        } else {
            account
        };
        let escrow = self.engine.escrows[payer as usize - 1];
        let reveal = self.reveal(raw, handle(&held));
        let payment = Payment {
            account,
            hold: handle(&held),
            payer,
            escrow: &escrow,
            cap,
            reveal,
        };
        let expected = self.model.commit(&payment, self.engine.slot);
        let (shown, reveal) = ((&key_of(9, payer), &escrow), reveal.map(revealed));
        let got = self
            .engine
            .commit_revealing(account, handle(&held), cap, shown, reveal);
        match (got, expected) {
            (Ok(traded), Ok(expected)) => {
                let got = Deed {
                    charge: traded.charge_atoms.into(),
                    ..deed(&traded, None)
                };
                assert_eq!(got, expected, "{payment:?}");
                assert_eq!({ traded.hold }, { held.hold });
                let result = self.engine.record(held.hold).result().unwrap();
                let stored = (result.charge_atoms, result.notional_atoms, result.fee_atoms);
                let wanted = (traded.charge_atoms, traded.notional_atoms, traded.fee_atoms);
                assert_eq!(stored, wanted);
                self.note(format!("committed, charged {}", expected.charge > 0));
                self.note_meetings(&traded);
            }
            (got, expected) => {
                let error = got.map(|_| ()).unwrap_err();
                assert_eq!(Err(error), expected.map(|_| ()), "{payment:?}");
                self.note(format!("commit {}", error.name()));
            }
        }
    }

    /// The terms of the hold if it has any, now and then wrong ones or none.
    fn reveal(&self, raw: Raw, hold: Handle) -> Option<Secret> {
        let mut holds = self.model.holds.iter();
        let mut secret = holds.find(|known| known.handle == hold)?.secret?;
        match raw.extra >> 13 {
            0 => return None,
            1 => match raw.extra % 3 {
                0 => secret.lots += 1,
                1 => secret.limit += 1,
                _ => secret.salt[15] ^= 1,
            },
            _ => {}
        }
        Some(secret)
    }

    /// The capability for a hold: the one that exists, else a new one, which
    /// as a rule is worth what the hold asked for and lives as long.
    fn some_cap(&mut self, raw: Raw, held: &Held) -> u8 {
        let account = u32::from(held.account);
        let caps = &self.engine.escrows[account as usize - 1].caps;
        let wanted = handle(held);
        let mine = caps.iter().position(|cap| {
            cap.state == cap_state::LIVE && (cap.hold, cap.hold_generation) == wanted
        });
        let room = caps.iter().any(|cap| cap.state != cap_state::LIVE);
        match mine {
            _ if raw.option >> 9 & 31 == 0 => (raw.option >> 14) as u8 * 6,
            Some(at) => at as u8,
            // The Router mints for holds that stand, and one at a time.
            None if self.model.standing_at(account, wanted).is_err() => 0,
            None if !room => {
                self.engine.settle(account);
                0
            }
            None => {
                let mut terms = (held.route_id, held.max_charge_atoms, held.expiry_slot);
                match raw.lots >> 6 & 31 {
                    0 => terms.0 += 1,
                    1..=3 => terms.1 /= 2,
                    4 => terms.1 = terms.1.saturating_sub(1),
                    5 => terms.2 = self.engine.slot - 1,
                    _ => {}
                }
                self.engine.mint(account, wanted, terms)
            }
        }
    }

    pub(super) fn cancel_hold(&mut self, raw: Raw) {
        let Some(held) = self.some_hold(raw) else {
            return;
        };
        let account = if raw.lots & 15 == 0 {
            self.account(raw)
        } else {
            held.account.into()
        };
        let expected = self
            .model
            .cancel_hold(account, handle(&held), self.engine.slot);
        let got = self.engine.cancel_hold(account, handle(&held));
        let got: Outcome<_> = got.map(|event| event.map(paid));
        assert_eq!(got, expected);
        self.note(format!(
            "cancel_hold {:?}",
            got.map(|paid| paid.map(|fee| fee > 0))
        ));
    }

    /// A keeper tries one record, or all of them.
    pub(super) fn expire(&mut self, raw: Raw) {
        let records = self.model.limits.holds as u32;
        let one = 1 + u32::from(raw.price) % records;
        let tried = if raw.option & 3 == 0 {
            1..=records
        } else {
            one..=one
        };
        for index in tried {
            let expected = self.model.expire_hold(index, self.engine.slot);
            let got = self.engine.expire_hold(index).unwrap().map(paid);
            assert_eq!(got, expected, "expiry of hold {index}");
            self.note(format!("expire {:?}", got.map(|fee| fee > 0)));
        }
    }

    /// The Router books, and a keeper frees what is booked.
    pub(super) fn settle(&mut self, raw: Raw) {
        let account = self.account(raw);
        if raw.option & 1 == 0 {
            self.engine.settle(account);
        } else {
            // Out of order: one capability of the account, whichever it is.
            let cap = (raw.price & 15) as u8;
            let caps = &self.engine.escrows[account as usize - 1].caps;
            if caps[usize::from(cap)].state == cap_state::LIVE {
                self.engine.book(account, cap);
            }
        }
        for index in 1..=self.model.limits.holds as u32 {
            let record = self.engine.record(index);
            let shown = match raw.option >> 1 & 7 {
                0 => account,
                _ => u32::from(record.account).max(1),
            };
            let escrow = self.engine.escrows[shown as usize - 1];
            let expected = self.model.free_hold(index, shown, &escrow);
            let got = self.engine.free_hold(index, shown);
            assert_eq!(got, expected, "freeing hold {index}");
            self.note(format!("free {got:?}"));
        }
    }

    pub(super) fn release(&mut self, raw: Raw) {
        let (account, slot) = (self.account(raw), self.engine.slot);
        let most = self.engine.slab().releasable_atoms(account, Slot(slot));
        assert_eq!(i128::from(most), self.model.releasable(account, slot));
        let atoms = match raw.option & 7 {
            0 => most,
            1 => most + 1,
            _ => (most * u64::from(raw.price)) >> 18,
        };
        let expected = self.model.release(account, atoms, slot);
        let got = self.engine.release(account, atoms).map(i128::from);
        assert_eq!(got, expected);
        self.note(format!("release {}", got.is_ok()));
    }
}

fn revealed(secret: Secret) -> Reveal {
    Reveal {
        lots: Lots(secret.lots),
        limit: Ticks(secret.limit),
        salt: secret.salt,
        sha256: hash,
    }
}

fn paid(event: HoldEnded) -> i128 {
    event.fee_atoms.into()
}
