//! Bad debt: recognised once, paid once, by insurance, owner or profits.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::router::{handle, reserve};
use common::{Exchange, ioc, key_of, limit};
use flagstone_interface::slab::account_flags;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::releases::WARMUP_SLOTS;
use flagstone_units::{Side::Ask, Side::Bid, Slot};

const RICH: u64 = 1_000_000_000;

/// `loser`, who has 150,000, buys ten lots from `winner` at 100,000 and is
/// closed by it at the price that leaves `debt`; the winner makes 150,000 more
/// than that.
fn crash(exchange: &mut Exchange, loser: u32, winner: u32, debt: u32) {
    exchange.set_mark(0, 100_000);
    exchange.pair(loser, winner, 100_000, 10);
    let price = 100_000 - (150_000 + debt) / 10;
    exchange.set_mark(0, price);
    exchange.post(winner, Bid, price, 10).unwrap();
    exchange.slot += 5;
    let papers = exchange.ticket(loser, 10);
    let done = exchange.liquidation_call(loser, 0, [(0, 0); 4], &papers);
    let event = done.unwrap().1.recognised.unwrap();
    assert_eq!({ event.deficit_atoms }, u64::from(debt));
    assert_eq!(exchange.cash(loser), -i64::from(debt));
    exchange.set_mark(0, 100_000);
    exchange.audit_all();
}

/// Account 1 won 200,000, account 2 owes 50,000, account 3 is rich and idle.
fn crashed() -> Exchange {
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH]);
    crash(&mut exchange, 2, 1, 50_000);
    exchange
}

fn profit(exchange: &mut Exchange, account: u32) -> u64 {
    exchange.slab().accounts[account].profit_atoms()
}

fn is_bankrupt(exchange: &mut Exchange, account: u32) -> bool {
    exchange.slab().accounts[account].flags & account_flags::BANKRUPT != 0
}

#[test]
fn x7_cover_pays_a_debt_once_and_clears_it() {
    let mut exchange = crashed();
    assert_eq!(
        (exchange.deficit(), is_bankrupt(&mut exchange, 2)),
        (50_000, true)
    );
    exchange.cover(2, 30_000);
    exchange.sync(2).unwrap();
    exchange.sync(2).unwrap();
    assert_eq!((exchange.deficit(), exchange.cash(2)), (20_000, -20_000));
    exchange.cover(2, 20_000);
    exchange.sync(2).unwrap();
    assert_eq!((exchange.deficit(), exchange.cash(2)), (0, 0));
    assert!(!is_bankrupt(&mut exchange, 2));
    assert_eq!(exchange.slab().header.covered_total.get(), 50_000);
    assert_eq!(exchange.slab().accounts[2].principal_atoms, 0);
    exchange.audit_all();
}

#[test]
fn x7_cover_never_makes_anybody_rich() {
    let mut exchange = crashed();
    exchange.cover(2, 50_001);
    assert_eq!(exchange.sync(2), Err(SlabError::NoDeficit));
    exchange.cover(3, 1);
    assert_eq!(exchange.sync(3), Err(SlabError::NoDeficit));
    assert_eq!(exchange.slab().header.covered_total.get(), 0);
    exchange.escrows[1].covered_total_atoms = 40_000;
    exchange.sync(2).unwrap();
    exchange.escrows[1].covered_total_atoms = 39_999;
    assert_eq!(exchange.sync(2), Err(SlabError::CounterBackwards));
}

#[test]
fn x7_cover_of_a_debt_in_open_positions_is_refused() {
    let mut exchange = Exchange::crash(&[RICH, 150_000]);
    exchange.pair(2, 1, 100_000, 10);
    exchange.set_mark(0, 80_000);
    assert_eq!(exchange.health(2).0, -50_000);
    exchange.cover(2, 50_000);
    assert_eq!(exchange.sync(2), Err(SlabError::NoDeficit));
}

#[test]
fn x7_deposits_and_cover_in_one_sync_both_count() {
    // The Router measured the cover before the deposit, or knew of it: either
    // way nothing is stuck and nothing counts twice.
    let mut exchange = crashed();
    exchange.cover(2, 50_000);
    assert_eq!(exchange.deposit(2, 70_000), Ok(70_000));
    assert_eq!((exchange.cash(2), exchange.deficit()), (70_000, 0));
    assert_eq!(exchange.slab().accounts[2].principal_atoms, 70_000);
    exchange.audit_all();
}

#[test]
fn x7_a_deposit_of_the_owner_cures_like_cover_and_is_principal_only_beyond_the_debt() {
    let mut exchange = crashed();
    exchange.deposit(2, 20_000).unwrap();
    assert_eq!(
        (exchange.deficit(), is_bankrupt(&mut exchange, 2)),
        (30_000, true)
    );
    exchange.deposit(2, 31_000).unwrap();
    assert_eq!(
        (exchange.deficit(), is_bankrupt(&mut exchange, 2)),
        (0, false)
    );
    let account = exchange.slab().accounts[2];
    assert_eq!(
        (account.cash_atoms, account.principal_atoms),
        (1_000, 1_000)
    );
    // What paid the debt must not let later profit out at once.
    assert_eq!(exchange.release(2, 1_001), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(2, 1_000), Ok(0));
    exchange.audit();
}

#[test]
fn x7_a_bankrupt_account_does_nothing() {
    let mut exchange = crashed();
    let frozen = SlabError::AccountFrozen;
    assert_eq!(
        exchange.place(&limit(2, Bid, 99_000, 1)).err(),
        Some(frozen)
    );
    assert_eq!(exchange.take(&ioc(2, Bid, 100_000, 1)).err(), Some(frozen));
    exchange.post(1, Ask, 100_000, 1).unwrap();
    assert_eq!(
        exchange.reserve(&reserve(2, Bid, 100_000, 1)).err(),
        Some(frozen)
    );
    assert_eq!(exchange.release(2, 1).err(), Some(frozen));
    let papers = exchange.ticket(2, 10);
    assert_eq!(exchange.liquidate(2, &papers), Err(SlabError::BadTicket));
    assert_eq!(
        exchange.liquidation_call(1, 2, [(0, 0); 4], &papers).err(),
        Some(SlabError::WrongRecord)
    );
    exchange.deposit(2, 90_000).unwrap();
    assert_eq!(exchange.ioc(2, Bid, 100_000, 1), Ok(1));
    exchange.audit_all();
}

#[test]
fn lq6_a_debt_is_recognised_when_nothing_else_is_left() {
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH]);
    exchange.deposit(2, 50_000).unwrap();
    exchange.pair(2, 1, 100_000, 10);
    // A hold of account 3 keeps an order of account 2 in the book.
    exchange.post(2, Bid, 99_000, 3).unwrap();
    let mut wanted = reserve(3, Ask, 99_000, 3);
    wanted.ttl = Slot(100);
    let held = exchange.reserve(&wanted).unwrap();
    exchange.set_mark(0, 75_000);
    exchange.post(3, Bid, 75_000, 10).unwrap();
    exchange.slot += 5;
    let papers = exchange.ticket(2, 10);
    let (_, done) = exchange
        .liquidation_call(2, 0, [(0, 0); 4], &papers)
        .unwrap();
    assert_eq!(exchange.position(2, 0).0, 0);
    assert!(done.recognised.is_none() && exchange.deficit() == 0);
    exchange.audit_all();
    exchange.cancel_hold(3, handle(&held)).unwrap();
    let debt = exchange.cash(2).unsigned_abs();
    // The maker's share of the hold fee came on top of its cash.
    assert!(debt > 0 && debt <= 50_000);
    exchange.sync(2).unwrap();
    assert_eq!(exchange.deficit(), debt);
    exchange.audit_all();
}

#[test]
fn t2_no_profit_leaves_while_a_deficit_stands() {
    let mut exchange = crashed();
    exchange.slot += WARMUP_SLOTS.0;
    assert_eq!(exchange.release(1, 1), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.release(3, 1), Err(SlabError::ReleaseTooLarge));
    assert_eq!(exchange.allocate(2), Ok(50_000));
    assert!(exchange.release(3, 1).is_ok());
    // The winner's profit is down to 150,000, all of it matured.
    assert_eq!(
        exchange.release(1, RICH + 150_001),
        Err(SlabError::ReleaseTooLarge)
    );
    assert_eq!(exchange.release(1, RICH + 150_000), Ok(0));
    exchange.audit_all();
}

#[test]
fn t2_two_keys_of_one_owner_cannot_make_insurance_pay_them() {
    // One goes bankrupt, the other wins: what it won beyond what its twin had
    // is what is cut, before any of it can leave.
    let mut exchange = Exchange::crash(&[1_500_000, 150_000]);
    crash(&mut exchange, 2, 1, 50_000);
    exchange.slot += WARMUP_SLOTS.0 - 1;
    assert_eq!(exchange.allocate(2), Ok(50_000));
    exchange.slot += 2;
    exchange
        .run(|slab| slab.release(&key_of(7, 1), 1, 1_650_000, Slot(10_000)))
        .unwrap();
    assert_eq!((exchange.cash(1), exchange.cash(2)), (0, 0));
    exchange.audit_all();
}

#[test]
fn t9_profits_pay_in_proportion_and_principal_never() {
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH, 150_000, RICH]);
    crash(&mut exchange, 2, 1, 50_000);
    crash(&mut exchange, 4, 3, 150_000);
    assert_eq!(
        (profit(&mut exchange, 1), profit(&mut exchange, 3)),
        (200_000, 300_000)
    );
    // A tenth of all profit.
    assert_eq!(exchange.allocate(2), Ok(50_000));
    for account in [1, 3, 5] {
        exchange.sync(account).unwrap();
    }
    assert_eq!(
        (profit(&mut exchange, 1), profit(&mut exchange, 3)),
        (179_999, 269_999)
    );
    assert_eq!(exchange.cash(5), RICH as i64);
    for account in [1, 3] {
        assert_eq!(exchange.slab().accounts[account].principal_atoms, RICH);
    }
    exchange.audit_all();
    assert_eq!(exchange.allocate(4), Ok(150_000));
    exchange.sync(1).unwrap();
    exchange.sync(3).unwrap();
    let left = profit(&mut exchange, 1) + profit(&mut exchange, 3);
    assert!((299_990..=300_000).contains(&left), "{left}");
    assert!(exchange.slab().header.haircut_pool_atoms >= 0);
    exchange.audit_all();
}

#[test]
fn t9_what_exceeds_the_profits_waits_and_a_wiped_index_starts_again() {
    // An index that reaches zero once stayed there, and took all later profit.
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH, 150_000]);
    crash(&mut exchange, 2, 1, 50_000);
    exchange.slot += WARMUP_SLOTS.0;
    // The winner takes a matured profit for principal with its next gain.
    exchange.pair(3, 1, 100_010, 1);
    exchange.pair(1, 3, 100_000, 1);
    assert_eq!(profit(&mut exchange, 1), 10);
    assert_eq!(exchange.allocate(2), Ok(10));
    assert_eq!((exchange.deficit(), exchange.cash(2)), (49_990, -49_990));
    assert_eq!(exchange.allocate(2), Err(SlabError::NoDeficit));
    exchange.sync(1).unwrap();
    assert_eq!(exchange.cash(1), RICH as i64 + 200_000);
    assert_eq!(exchange.slab().header.haircut_index, 1 << 32);
    exchange.audit_all();
    // Profit made after the wipe is whole, and pays what still stands.
    crash(&mut exchange, 4, 3, 50_000);
    assert_eq!(profit(&mut exchange, 3), 200_000);
    assert_eq!(exchange.allocate(2), Ok(49_990));
    exchange.sync(3).unwrap();
    assert!((150_008..=150_010).contains(&profit(&mut exchange, 3)));
    exchange.audit_all();
}

#[test]
fn t9_a_new_depositor_is_not_cut_for_an_old_crisis() {
    // A fresh account once started from an index of one and lost a tenth.
    let mut exchange = crashed();
    exchange.allocate(2).unwrap();
    let new = exchange.open(100_000);
    assert_eq!(exchange.cash(new), 100_000);
    exchange.deposit(3, 100_000).unwrap();
    assert_eq!(exchange.cash(3), RICH as i64 + 100_000);
    // A winner who deposits before its first touch loses profit, not deposit.
    exchange.deposit(1, 1_000_000).unwrap();
    assert_eq!(exchange.cash(1), RICH as i64 + 1_000_000 + 150_000);
    // And profit made after the crisis is whole.
    exchange.pair(1, new, 100_000, 1);
    exchange.pair(3, 1, 100_100, 1);
    exchange.audit_all();
    assert_eq!(profit(&mut exchange, 1), 150_100);
}

#[test]
fn t9_insurance_is_not_counted_twice() {
    // Drawing insurance once made the deficit larger, so that equity was cut
    // by more than was missing and the insurance was lost as well.
    let mut exchange = crashed();
    exchange.cover(2, 30_000);
    exchange.sync(2).unwrap();
    assert_eq!(exchange.allocate(2), Ok(20_000));
    exchange.sync(1).unwrap();
    assert_eq!(profit(&mut exchange, 1), 180_000 - 1);
    assert_eq!(exchange.deficit(), 0);
    exchange.audit_all();
}

#[test]
fn t9_the_cut_comes_before_any_other_change() {
    type Change = fn(&mut Exchange);
    let changes: [(&str, Change, i64); 5] = [
        ("sync", |exchange| exchange.sync(1).map(drop).unwrap(), 0),
        (
            "release",
            |exchange| exchange.release(1, 1_000).map(drop).unwrap(),
            -1_000,
        ),
        ("maker", |exchange| exchange.pair(3, 1, 100_000, 1), 0),
        ("taker", |exchange| exchange.pair(1, 3, 100_000, 1), 0),
        (
            "reserve",
            |exchange| {
                exchange.post(3, Ask, 100_000, 1).unwrap();
                exchange
                    .reserve(&reserve(1, Bid, 100_000, 1))
                    .map(drop)
                    .unwrap();
            },
            0,
        ),
    ];
    for (name, change, moved) in changes {
        let mut exchange = crashed();
        exchange.allocate(2).unwrap();
        assert_eq!(
            exchange.cash(1),
            RICH as i64 + 200_000,
            "{name}: nobody was touched"
        );
        change(&mut exchange);
        assert_eq!(exchange.cash(1), RICH as i64 + 150_000 + moved, "{name}");
        assert_eq!(exchange.slab().header.haircut_pool_atoms, 0, "{name}");
        exchange.audit_all();
    }
}

#[test]
fn t9_a_keeper_is_cut_before_it_is_paid() {
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH, 150_000]);
    crash(&mut exchange, 2, 1, 50_000);
    exchange.allocate(2).unwrap();
    exchange.pair(4, 3, 100_000, 10);
    exchange.set_mark(0, 89_000);
    exchange.post(3, Bid, 89_000, 10).unwrap();
    exchange.slot += 5;
    let papers = exchange.ticket(4, 10);
    let done = exchange
        .liquidation_call(4, 1, [(0, 0); 4], &papers)
        .unwrap()
        .1;
    let reward = done.liquidated.reward_atoms as i64;
    assert!(reward > 0);
    assert_eq!(exchange.cash(1), RICH as i64 + 150_000 + reward);
    exchange.audit_all();
}

#[test]
fn t9_cuts_that_were_not_seen_add_up() {
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH, 150_000, 150_000]);
    crash(&mut exchange, 2, 1, 50_000);
    exchange.allocate(2).unwrap();
    crash(&mut exchange, 4, 3, 50_000);
    exchange.allocate(4).unwrap();
    crash(&mut exchange, 5, 3, 50_000);
    exchange.allocate(5).unwrap();
    for account in 1..=5 {
        exchange.sync(account).unwrap();
        exchange.audit_all();
    }
    // 600,000 were won and 150,000 of it was owed.
    let left = profit(&mut exchange, 1) + profit(&mut exchange, 3);
    assert!((449_990..=450_000).contains(&left), "{left}");
    let pool = exchange.slab().header.haircut_pool_atoms;
    assert_eq!(left as i64 + pool, 450_000);
}

#[test]
fn t9_what_rounding_took_pays_the_next_deficit() {
    // Each cut rounds the index; tiny debts must not cost a step of it each.
    let mut exchange = Exchange::crash(&[RICH, 150_000, RICH]);
    crash(&mut exchange, 2, 1, 100);
    let mut slab = exchange.slab();
    slab.header.profit_total_atoms += 1 << 60;
    slab.accounts[3].cash_atoms += 1 << 60;
    let ledger = exchange.ledger(0);
    exchange.deposit(2, 90).unwrap();
    assert_eq!(exchange.allocate_with(2, &ledger), Ok(10));
    let index = exchange.slab().header.haircut_index;
    let spare = exchange.slab().header.haircut_spare_atoms;
    // One step of 2^32 is about 2^28 atoms of 2^60.
    assert!(index == 1 && spare > 200_000_000, "{index} {spare}");
    let loser = exchange.open(150_000);
    crash_quietly(&mut exchange, loser);
    assert_eq!(exchange.allocate(loser), Ok(100));
    assert_eq!(exchange.slab().header.haircut_index, index);
    assert_eq!(exchange.slab().header.haircut_spare_atoms, spare - 100);
}

/// As [`crash`] against account 1 with a debt of 100, on a slab whose money was
/// conjured up, so without an audit.
fn crash_quietly(exchange: &mut Exchange, loser: u32) {
    exchange.pair(loser, 1, 100_000, 10);
    exchange.set_mark(0, 84_990);
    exchange.post(1, Bid, 84_990, 10).unwrap();
    exchange.slot += 5;
    let papers = exchange.ticket(loser, 10);
    exchange.liquidate(loser, &papers).unwrap();
    assert_eq!(exchange.cash(loser), -100);
}

#[test]
fn e2e4_insurance_pays_only_by_the_routers_counter_and_first() {
    let mut exchange = crashed();
    // Nothing that a slab does moves insurance: without a counter, no cover.
    exchange.sync(2).unwrap();
    assert_eq!(exchange.cash(2), -50_000);
    // While insurance could pay, profits do not, for as long as it may take.
    let full = exchange.ledger(1);
    let mut due = exchange.ledger(0);
    due.insurance_due_seen.words[0] = due.insurance_due_seen.words[0].wrapping_sub(1);
    for ledger in [&full, &due] {
        assert_eq!(exchange.allocate_with(2, ledger), Err(SlabError::NoDeficit));
    }
    // Cover that was paid and not credited has to be credited first.
    exchange.cover(2, 10_000);
    assert_eq!(exchange.allocate(2), Err(SlabError::NoDeficit));
    exchange.sync(2).unwrap();
    exchange.escrows[1].deposited_total_atoms += 5;
    assert_eq!(exchange.allocate(2), Err(SlabError::NoDeficit));
    exchange.escrows[1].deposited_total_atoms -= 5;
    let mut other = exchange.ledger(0);
    other.slab[3] ^= 1;
    assert_eq!(
        exchange.allocate_with(2, &other),
        Err(SlabError::WrongRecord)
    );
    other = exchange.ledger(0);
    other.mint[3] ^= 1;
    assert_eq!(
        exchange.allocate_with(2, &other),
        Err(SlabError::WrongRecord)
    );
    assert_eq!(exchange.allocate(3), Err(SlabError::NoDeficit));
    exchange.slot += WARMUP_SLOTS.0 - 1;
    assert_eq!(exchange.allocate_with(2, &full), Err(SlabError::NoDeficit));
    exchange.slot += 1;
    assert_eq!(exchange.allocate_with(2, &full), Ok(40_000));
    assert_eq!((exchange.deficit(), exchange.cash(2)), (0, 0));
    assert!(!is_bankrupt(&mut exchange, 2));
    exchange.audit_all();
}

#[test]
fn e2e4_an_account_is_bound_to_its_escrow() {
    let mut exchange = crashed();
    exchange.escrows[1].bound_generation += 1;
    assert_eq!(exchange.allocate(2), Err(SlabError::NotBound));
}

#[test]
fn x7_cover_of_an_earlier_account_is_not_credited_to_the_next() {
    let mut exchange = Exchange::crash(&[RICH]);
    let escrow = flagstone_interface::router::Escrow {
        trader: key_of(7, 2),
        bound_account: 2,
        bound_generation: 1,
        deposited_total_atoms: 70,
        covered_total_atoms: 5_000,
        ..bytemuck::Zeroable::zeroed()
    };
    let (address, slot) = (key_of(9, 2), Slot(exchange.slot));
    exchange
        .run(|slab| slab.open_account(&address, &escrow, slot))
        .unwrap();
    let synced = exchange
        .run(|slab| slab.sync(2, &address, &escrow, slot))
        .unwrap();
    assert_eq!(
        (
            synced.credited_atoms,
            synced.covered_atoms,
            synced.cash_atoms
        ),
        (70, 0, 70)
    );
    exchange.audit();
}

#[test]
fn t2_a_charge_that_pays_an_old_loss_is_no_principal() {
    // Cash is negative while a profit that is not realised carries it.
    let mut exchange = Exchange::crash(&[RICH, 150_000]);
    exchange.pair(2, 1, 100_000, 10);
    let mut slab = exchange.slab();
    slab.instruments[0].mark.0 = 120_000;
    (
        slab.accounts[2].cash_atoms,
        slab.accounts[2].principal_atoms,
    ) = (-50_000, 0);
    slab.header.released_total.add(200_000);
    exchange.backing_atoms -= 200_000;
    exchange.post(1, Ask, 120_000, 20).unwrap();
    let held = exchange.reserve(&reserve(2, Bid, 120_000, 20)).unwrap();
    let traded = exchange.mint_and_commit(&held).unwrap();
    let charge = traded.charge_atoms;
    assert!(charge > 50_000);
    let account = exchange.slab().accounts[2];
    assert_eq!(account.cash_atoms, charge as i64 - 50_000);
    assert_eq!(account.principal_atoms, charge - 50_000);
    exchange.audit();
}
