//! A registered slab program that lies in every way: what it can take is what
//! its own users pledged to it, and nothing else moves by an atom.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::evil::{ACCOMPLICE_PLEDGE, CASH, Evil, VICTIM_PLEDGE, of_evil};
use flagstone_e2e_tests::money::audit_custody;
use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::{QUOTE, code, ok};
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::interface::error::RouterError;
use flagstone_sdk::interface::router::{CAPS_PER_ESCROW, slab_status};
use flagstone_sdk::interface::slab::{
    HoldResult, PoolId, Reservation, SlabAccount, WideTotal, hold_state,
};
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use flagstone_sdk::{address, router};
use solana_instruction::Instruction;
use solana_signer::Signer;

/// What the victim lets one hold charge.
const CHARGE: u64 = 100 * QUOTE;

/// Hold that the hostile slab shows for the victim.
const HOLD: u32 = 1;

type Lie = (&'static str, fn(&mut Evil));

fn everything() -> WideTotal {
    WideTotal {
        words: [u64::MAX; 2],
    }
}

fn result(evil: &mut Evil, charge_atoms: u64) {
    let result = HoldResult {
        charge_atoms,
        notional_atoms: 0,
        fee_atoms: i64::MAX,
        reserved: 0,
    };
    evil.edit_hold(HOLD, |hold| {
        hold.commitment.copy_from_slice(bytemuck::bytes_of(&result));
        hold.side_state = hold.side_state & 1 | hold_state::COMMITTED;
    });
}

/// One lie per kind of thing that the Router reads.
const LIES: [Lie; 22] = [
    ("nothing", |_| ()),
    ("debits run backwards", |evil| {
        evil.edit_account(true, |account| account.debited_total_atoms = u64::MAX);
    }),
    ("debits above the capability", |evil| {
        evil.edit_account(true, |account| account.debited_total_atoms = CHARGE + 1);
        result(evil, CHARGE + 1);
    }),
    ("all of the capability for nothing", |evil| {
        evil.edit_account(true, |account| account.debited_total_atoms = CHARGE);
        result(evil, CHARGE);
    }),
    ("a result without a debit", |evil| result(evil, CHARGE)),
    ("a result below the debit", |evil| {
        evil.edit_account(true, |account| account.debited_total_atoms = CHARGE);
        result(evil, 1);
    }),
    ("everything is released to the accomplice", |evil| {
        evil.edit_account(false, |account| account.released_total_atoms = u64::MAX);
    }),
    ("both at once", |evil| {
        evil.edit_account(true, |account| account.debited_total_atoms = CHARGE);
        result(evil, CHARGE);
        evil.edit_account(false, |account| account.released_total_atoms = u64::MAX);
    }),
    ("the victim's account is the accomplice's", |evil| {
        let key = evil.escrow_key(false).to_bytes();
        evil.edit_account(true, |account| {
            account.escrow = key;
            account.released_total_atoms = u64::MAX;
        });
    }),
    ("the accomplice's account is the victim's", |evil| {
        let key = evil.escrow_key(true).to_bytes();
        evil.edit_account(false, |account| {
            account.escrow = key;
            account.released_total_atoms = u64::MAX;
        });
    }),
    ("bound to the escrow at the honest slab", |evil| {
        let honest = evil.market.seats[0].escrow.to_bytes();
        for victim in [true, false] {
            evil.edit_account(victim, |account| {
                account.escrow = honest;
                account.released_total_atoms = u64::MAX;
            });
        }
    }),
    ("the next generation", |evil| {
        for victim in [true, false] {
            evil.edit_account(victim, |account| account.generation += 1);
        }
    }),
    ("fees without end", |evil| {
        evil.edit_header(|header| header.fees_out_total = everything());
    }),
    ("dues without end", |evil| {
        evil.edit_header(|header| header.insurance_due_total = everything());
    }),
    ("deposits and cover that never came", |evil| {
        evil.edit_header(|header| {
            header.deposits_total = everything();
            header.covered_total = everything();
        });
        evil.edit_account(false, |account| {
            account.deposited_seen_atoms = u64::MAX;
            account.covered_seen_atoms = u64::MAX;
            account.cash_atoms = i64::MAX;
        });
    }),
    ("a root that gives all to one", |evil| {
        evil.edit_header(|header| {
            header.root = [7; 32];
            header.root_sum_atoms = i64::MAX;
            header.roots_total = u32::MAX;
        });
    }),
    ("the next account is any", |evil| {
        evil.edit_header(|header| {
            header.pools[PoolId::Accounts as usize].free_head = u32::MAX;
        });
    }),
    ("pools lie outside the account", |evil| {
        evil.edit_header(|header| {
            for pool in &mut header.pools {
                (pool.offset, pool.capacity) = (u32::MAX - 7, u32::MAX);
            }
        });
    }),
    ("pools lie upon each other", |evil| {
        evil.edit_header(|header| {
            for pool in &mut header.pools {
                pool.offset = 0;
            }
        });
    }),
    ("items of another size", |evil| {
        evil.edit_header(|header| {
            for pool in &mut header.pools {
                pool.item_bytes = 1;
            }
        });
    }),
    ("pools at odd places", |evil| {
        evil.edit_header(|header| {
            for pool in &mut header.pools {
                pool.offset += 1;
            }
        });
    }),
    ("another router and another mint", |evil| {
        evil.edit_header(|header| {
            header.router_program = [9; 32];
            header.quote_mint = [9; 32];
        });
    }),
];

/// A route of one leg at the hostile slab.
fn route(evil: &Evil, victim: bool, hold: u32, charge: u64) -> Route {
    let member = evil.member(victim);
    let leg = RouteLeg {
        slab: evil.slab,
        reserve: Reserve {
            account: evil.escrow(victim).bound_account,
            instrument: 0,
            side: Side::Bid,
            limit: Ticks(1),
            lots: Lots(1),
            lots_min: Lots(0),
            ttl: Slot(20),
            route_id: 0,
            commitment: [0; 32],
        },
        hold: HoldHandle {
            index: hold,
            generation: 1,
        },
        cap: 0,
        salt: None,
        max_charge_atoms: charge,
    };
    Route::new(
        member.wallet.pubkey(),
        member.trader.pubkey(),
        evil.market.exchange.mint,
        u64::from(hold),
        0,
        u64::MAX,
        vec![leg],
    )
    .expect("a route")
}

/// Shows a hold that would be honest, of the victim or the accomplice.
fn show_hold(evil: &mut Evil, victim: bool, index: u32, charge: u64) {
    let slot = evil.market.exchange.session.slot() as u32;
    let hold = Reservation {
        route_id: u64::from(index),
        max_charge_atoms: charge,
        account: evil.escrow(victim).bound_account as u16,
        generation: 1,
        side_state: hold_state::HELD,
        lots: 1,
        filled_lots: 1,
        expiry_slot: Slot(slot + 20),
        ..bytemuck::Zeroable::zeroed()
    };
    evil.write_item(PoolId::Reservations, index, &hold);
}

/// The victim has opened a route: [`CHARGE`] lies in the escrow.
fn with_route() -> Evil {
    let mut evil = Evil::open();
    show_hold(&mut evil, true, HOLD, CHARGE);
    let open = of_evil(route(&evil, true, HOLD, CHARGE).open());
    ok(evil.send(true, &[open]));
    assert_eq!(evil.escrow(true).balance_atoms, CHARGE);
    evil
}

/// Everything that a thief and any bystander may send about the hostile slab.
fn attempts(evil: &Evil) -> Vec<(bool, Instruction)> {
    let mut all = Vec::new();
    let mint = evil.market.exchange.mint;
    for victim in [false, true] {
        let settle_route = of_evil(route(evil, victim, HOLD, CHARGE).settle());
        all.extend([(victim, evil.settle(victim)), (victim, settle_route)]);
        all.extend((0..CAPS_PER_ESCROW as u8).map(|cap| (victim, evil.refund(victim, cap))));
    }
    // What the accomplice signs for alone.
    let owner = evil.accomplice.wallet.pubkey();
    for hold in [HOLD, 2, 3] {
        all.push((
            false,
            of_evil(route(evil, false, hold, u64::MAX / 2).open()),
        ));
    }
    all.push((
        false,
        of_evil(router::bind_escrow(&owner, &evil.slab, &mint)),
    ));
    // The accomplice's records at one slab with those of the other.
    for (from, to) in [
        (evil.slab, evil.market.exchange.slab),
        (evil.market.exchange.slab, evil.slab),
    ] {
        let mut mixed = of_evil(router::settle(&owner, &from, &mint));
        let ledger = address::slab_ledger(&to, &mint);
        mixed.accounts[2].pubkey = ledger;
        all.push((false, mixed));
    }
    all
}

/// Sends all of them, now and after every capability has expired.
fn attack(evil: &mut Evil, before: &flagstone_e2e_tests::evil::Outside, what: &str) {
    for _ in 0..2 {
        for (victim, attempt) in attempts(evil) {
            if let Err(failure) = evil.send(victim, &[attempt]) {
                let text = failure.logs.join("\n");
                let clean = !text.contains("panicked") && !text.contains("Access violation");
                assert!(
                    clean && !text.contains("exceeded CUs"),
                    "{what}: not a clean refusal\n{text}"
                );
            }
            audit_custody(&evil.market.exchange.session);
            evil.assert_outside_untouched(before, what);
        }
        evil.market.wait(30);
    }
}

/// What the victim can lose at the very most, and what the accomplice gained.
fn at_risk(evil: &Evil, what: &str) -> (u64, u64) {
    let gained = evil.portfolio(false).cash_atoms as i64 - (CASH - ACCOMPLICE_PLEDGE) as i64;
    let kept = evil.portfolio(true).cash_atoms + evil.escrow(true).balance_atoms;
    let lost = CASH.saturating_sub(kept);
    let unit = |atoms: i64| atoms / QUOTE as i64;
    println!(
        "{what:44} pledged {:>5}, out of reach of the victim {:>5}, with the accomplice {:>5}",
        unit((VICTIM_PLEDGE + CHARGE) as i64),
        unit(lost as i64),
        unit(gained),
    );
    (lost, gained.max(0) as u64)
}

#[test]
fn p1_x5_adv1_a_hostile_slab_program_risks_only_what_its_own_users_pledged() {
    let mut worst = 0;
    for (what, lie) in LIES {
        let mut evil = with_route();
        let before = evil.outside();
        lie(&mut evil);
        attack(&mut evil, &before, what);
        let (lost, gained) = at_risk(&evil, what);
        assert!(lost <= VICTIM_PLEDGE + CHARGE, "{what}");
        assert!(
            gained <= VICTIM_PLEDGE + CHARGE + ACCOMPLICE_PLEDGE,
            "{what}"
        );
        worst = worst.max(gained);
        // The honest slab works on.
        let other = evil.market.route_of(vec![evil.market.leg(0, 5, 0)]);
        ok(evil.market.send(&other.instructions()));
        audit_custody(&evil.market.exchange.session);
    }
    // The bound is met: the test looks where the money is.
    assert_eq!(worst, VICTIM_PLEDGE + CHARGE + ACCOMPLICE_PLEDGE);
}

#[test]
fn x5_lies_that_counters_prove_quarantine_the_slab_and_book_nothing() {
    for at in [1, 2, 4, 5] {
        let (what, lie) = LIES[at];
        let mut evil = with_route();
        lie(&mut evil);
        let (escrow, ledger) = (evil.escrow(true), evil.ledger());
        let settle = evil.settle(true);
        ok(evil.send(true, &[settle]));
        assert_eq!(evil.entry().status, slab_status::QUARANTINED, "{what}");
        assert_eq!(
            bytemuck::bytes_of(&escrow),
            bytemuck::bytes_of(&evil.escrow(true))
        );
        assert_eq!(ledger.backing_atoms, evil.ledger().backing_atoms);
        // The accomplice comes too late.
        evil.edit_account(false, |account| account.released_total_atoms = u64::MAX);
        let settle = evil.settle(false);
        assert_eq!(
            code(evil.send(false, &[settle])),
            RouterError::WrongSlab.code()
        );
    }
}

#[test]
fn x4_a_hold_charges_no_more_than_its_owner_signed() {
    let mut evil = Evil::open();
    for shown in [CHARGE + 1, CASH, u64::MAX] {
        show_hold(&mut evil, true, HOLD, shown);
        let open = of_evil(route(&evil, true, HOLD, CHARGE).open());
        let refused = code(evil.send(true, &[open]));
        assert_eq!(refused, RouterError::BadRoute.code());
    }
    // Nor may the hold name somebody else's account.
    show_hold(&mut evil, false, HOLD, CHARGE);
    let open = of_evil(route(&evil, true, HOLD, CHARGE).open());
    assert_eq!(code(evil.send(true, &[open])), RouterError::BadHold.code());
    assert_eq!(evil.portfolio(true).cash_atoms, CASH - VICTIM_PLEDGE);
}

#[test]
fn p1_adv1_random_lies_move_nothing_outside_the_slab() {
    let mut random = Random::new(0x5eed);
    let mut gained = 0;
    for run in 0..12 {
        let mut evil = with_route();
        let before = evil.outside();
        for _ in 0..25 {
            let victim = random.below(2) == 0;
            let word = match random.below(4) {
                0 => u64::MAX - random.word() % 3,
                1 => random.word() % (2 * CHARGE),
                2 => CHARGE,
                _ => random.word(),
            };
            match random.below(12) {
                0 => evil.edit_account(victim, |account| account.debited_total_atoms = word),
                1..=4 => evil.edit_account(victim, |account| account.released_total_atoms = word),
                5 => {
                    evil.edit_account(true, |account| account.debited_total_atoms = word);
                    result(&mut evil, word);
                }
                6..=9 => show_hold(&mut evil, victim, 2 + random.below(3), word),
                _ => {
                    let bytes = size_of::<SlabAccount>() as u64;
                    let index = u64::from(evil.escrow(victim).bound_account);
                    let pool = u64::from(evil.header().pool(PoolId::Accounts).offset);
                    let at = pool + (index - 1) * bytes + u64::from(random.below(bytes as u32 - 8));
                    evil.write(at as usize, &word.to_le_bytes());
                }
            }
            let mut all = attempts(&evil);
            // Nothing leaves by a lie until somebody settles.
            if random.below(10) < 6 {
                let victim = random.below(2) == 0;
                all = vec![(victim, evil.settle(victim))];
            }
            let (victim, attempt) = all[random.below(all.len() as u32) as usize].clone();
            let _ = evil.send(victim, &[attempt]);
            audit_custody(&evil.market.exchange.session);
            evil.assert_outside_untouched(&before, "random lies");
            if evil.entry().status != slab_status::ACTIVE {
                break;
            }
        }
        gained += at_risk(&evil, &format!("random lies, run {run}")).1;
    }
    assert!(gained > 0, "the lies were all too bad");
}
