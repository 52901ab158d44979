//! Shift tickets: what a slab releases for an account at another slab.
#![allow(missing_docs, reason = "tests explain themselves")]

mod common;

use common::shift::ShiftPapers;
use common::{Exchange, Outcome, key_of, params};
use flagstone_interface::router::portfolio_status;
use flagstone_slab_engine::SlabError;
use flagstone_slab_engine::shifts::Shifted;
use flagstone_units::{Side, Slot};

fn release(exchange: &mut Exchange, papers: &ShiftPapers) -> Outcome<Shifted> {
    let done = exchange.release_shift(papers);
    exchange.audit();
    exchange.audit_router();
    done
}

/// Two accounts; the second has 10,000 atoms of principal.
fn opened() -> Exchange {
    let mut exchange = Exchange::new(&params(), 1);
    exchange.open(10_000);
    exchange.slot = 5_000;
    exchange
}

#[test]
fn lq4_a_shift_ticket_counts_once() {
    let mut exchange = opened();
    let papers = exchange.shift_papers(2, 4_000, 9_000);
    let done = release(&mut exchange, &papers).unwrap();
    assert_eq!((done.amount_atoms, done.cash_atoms), (4_000, 6_000));
    assert_eq!(exchange.cash(2), 6_000);
    let account = exchange.slab().accounts[2];
    assert_eq!((account.ticket_nonce, account.ticket_lots_used), (7, 0));
    assert_eq!(release(&mut exchange, &papers), Err(SlabError::BadShift));
    // Nor an older one, whatever the portfolio says is out.
    let mut older = papers;
    older.ticket.nonce = 6;
    older.portfolio.shift_nonce = 6;
    assert_eq!(release(&mut exchange, &older), Err(SlabError::BadShift));
    let mut newer = papers;
    newer.ticket.nonce = 8;
    newer.portfolio.shift_nonce = 8;
    assert_eq!(release(&mut exchange, &newer).unwrap().amount_atoms, 4_000);
    assert_eq!(exchange.pay_released(2), 8_000);
}

#[test]
fn lq4_a_shift_ticket_is_for_one_account_and_one_pair_of_escrows() {
    let mut exchange = opened();
    let good = exchange.shift_papers(2, 4_000, 9_000);
    let spoil: [fn(&mut ShiftPapers); 9] = [
        |it| it.slab = [6; 32],
        |it| it.ticket.slab = [6; 32],
        |it| it.portfolio_key = [6; 32],
        |it| it.escrow_key = key_of(9, 1),
        |it| it.target_key = [6; 32],
        |it| it.ticket.account = 1,
        |it| it.escrow.bound_account = 1,
        |it| it.escrow.bound_generation += 1,
        |it| (it.ticket.escrow, it.escrow_key) = (key_of(9, 1), key_of(9, 1)),
    ];
    for change in spoil {
        let mut bad = good;
        change(&mut bad);
        assert_eq!(release(&mut exchange, &bad), Err(SlabError::WrongRecord));
    }
    let mut none = good;
    none.ticket.account = 0;
    assert_eq!(release(&mut exchange, &none), Err(SlabError::NoAccount));
    // An account that the index was handed out to later.
    let mut later = good;
    later.ticket.generation += 1;
    assert_eq!(release(&mut exchange, &later), Err(SlabError::BadShift));
    release(&mut exchange, &good).unwrap();
}

#[test]
fn lq4_a_shift_ticket_is_void_once_what_it_was_issued_for_is_over() {
    let mut exchange = opened();
    let good = exchange.shift_papers(2, 4_000, 9_000);
    let spoil: [fn(&mut ShiftPapers); 10] = [
        |it| it.portfolio.status = portfolio_status::OPEN,
        |it| it.portfolio.episode += 1,
        // Booked, or another one was issued.
        |it| it.portfolio.shift_nonce = 0,
        |it| it.portfolio.shift_nonce = 8,
        // The target is well, or was in between.
        |it| it.target.frozen = 0,
        |it| it.target.restored_slot = it.ticket.issued_slot,
        // The giver is not well itself.
        |it| it.escrow.frozen = 1,
        |it| it.ticket.nonce = 0,
        |it| (it.ticket.nonce, it.portfolio.shift_nonce) = (0, 0),
        |it| it.ticket.expiry_slot = Slot(4_999),
    ];
    for change in spoil {
        let mut bad = good;
        change(&mut bad);
        assert_eq!(release(&mut exchange, &bad), Err(SlabError::BadShift));
    }
    exchange.slot += 26;
    assert_eq!(release(&mut exchange, &good), Err(SlabError::BadShift));
    exchange.slot -= 1;
    release(&mut exchange, &good).unwrap();
}

#[test]
fn lq4_money_that_arrives_meanwhile_leaves_less_to_shift() {
    let amount = |change: fn(&mut ShiftPapers)| {
        let mut exchange = opened();
        let mut papers = exchange.shift_papers(2, 4_000, 9_000);
        change(&mut papers);
        release(&mut exchange, &papers).map(|done| done.amount_atoms)
    };
    assert_eq!(amount(|it| it.portfolio.cash_atoms = 5_000), Ok(4_000));
    assert_eq!(amount(|it| it.portfolio.cash_atoms = 5_001), Ok(3_999));
    assert_eq!(amount(|it| it.target.deposited_total_atoms = 9_999), Ok(1));
    let none = Err(SlabError::BadShift);
    assert_eq!(amount(|it| it.target.deposited_total_atoms = 10_000), none);
    assert_eq!(
        amount(|it| it.target.deposited_total_atoms = u64::MAX),
        none
    );
    assert_eq!(amount(|it| it.portfolio.cash_atoms = u64::MAX), none);
    // A consent that shrank, or was used.
    assert_eq!(amount(|it| it.target.liability_max_atoms = 300), Ok(300));
    assert_eq!(amount(|it| it.target.shifted_atoms = 8_999), Ok(1));
    assert_eq!(amount(|it| it.target.liability_max_atoms = 0), none);
}

#[test]
fn lq4_t2_a_shift_leaves_initial_margin_and_profit_that_is_young() {
    let mut exchange = opened();
    // Long 50 at 1,000: 5,000 of initial margin stay.
    exchange.post(1, Side::Ask, 1_000, 50).unwrap();
    assert_eq!(exchange.ioc(2, Side::Bid, 1_000, 50), Ok(50));
    let all = exchange.shift_papers(2, u64::MAX, u64::MAX - 1_000);
    let done = release(&mut exchange, &all).unwrap();
    assert_eq!(done.amount_atoms, 5_000);
    let (equity, initial, _) = exchange.health(2);
    assert_eq!(equity, initial as i64);
    let mut again = all;
    again.ticket.nonce = 8;
    again.portfolio.shift_nonce = 8;
    let refused = release(&mut exchange, &again);
    assert_eq!(refused, Err(SlabError::ReleaseTooLarge));
    // A profit of 500, made now, stays.
    exchange.post(1, Side::Bid, 1_010, 50).unwrap();
    assert_eq!(exchange.ioc(2, Side::Ask, 1_010, 50), Ok(50));
    assert_eq!(exchange.cash(2), 5_500);
    assert_eq!(release(&mut exchange, &again).unwrap().amount_atoms, 5_000);
    let mut last = again;
    last.ticket.nonce = 9;
    last.portfolio.shift_nonce = 9;
    let refused = release(&mut exchange, &last);
    assert_eq!(refused, Err(SlabError::ReleaseTooLarge));
}

#[test]
fn lq4_t2_nothing_is_shifted_out_of_a_slab_with_a_deficit() {
    let mut exchange = opened();
    exchange.slab().header.deficit_atoms = 1;
    let papers = exchange.shift_papers(2, 4_000, 9_000);
    let refused = exchange.release_shift(&papers);
    assert_eq!(refused, Err(SlabError::ReleaseTooLarge));
}

#[test]
fn lq4_t6_the_opening_deposit_stays_unless_everything_leaves() {
    let shifted = |exchange: &mut Exchange, amount| {
        let papers = exchange.shift_papers(2, amount, 1 << 40);
        release(exchange, &papers).map(|done| done.amount_atoms)
    };
    let mut exchange = opened();
    exchange.slab().header.account_deposit_min_atoms = 1_000;
    // 9,500 would leave half of it.
    assert_eq!(shifted(&mut exchange, 9_500), Ok(9_000));
    let mut exchange = opened();
    exchange.slab().header.account_deposit_min_atoms = 1_000;
    assert_eq!(shifted(&mut exchange, 10_000), Ok(10_000));
    // Not from one that holds a position: 20 lots need 2,000, so 8,000 are free.
    let mut exchange = opened();
    exchange.slab().header.account_deposit_min_atoms = 3_000;
    exchange.post(1, Side::Ask, 1_000, 20).unwrap();
    assert_eq!(exchange.ioc(2, Side::Bid, 1_000, 20), Ok(20));
    assert_eq!(shifted(&mut exchange, 10_000), Ok(7_000));
}

#[test]
fn lq2_lq4_tickets_of_both_kinds_share_one_row_of_numbers() {
    // A shift that was used makes older tickets to liquidate void, and the lots
    // of a newer one start from none.
    let mut exchange = opened();
    exchange.slab().accounts[2].ticket_nonce = 5;
    exchange.slab().accounts[2].ticket_lots_used = 40;
    let papers = exchange.shift_papers(2, 4_000, 9_000);
    release(&mut exchange, &papers).unwrap();
    let account = exchange.slab().accounts[2];
    assert_eq!((account.ticket_nonce, account.ticket_lots_used), (7, 0));
}

#[test]
fn x9_a_ticket_is_void_some_time_after_it_expired() {
    use common::crash::crash_params;
    use flagstone_slab_engine::deleverages::DELEVERAGE_SLOTS;
    let mut exchange = Exchange::crash_with(&crash_params(), &[150_000, 10_000_000, 10_000_000]);
    exchange.pair(1, 3, 100_000, 10);
    exchange.set_mark(0, 86_000);
    let papers = exchange.ticket(1, 10);
    exchange.slot = papers.ticket.expiry_slot.0 + DELEVERAGE_SLOTS.0 + 1;
    let refused = exchange.deleverage(1, &[3], &papers).err();
    assert_eq!(refused, Some(SlabError::BadTicket));
    exchange.slot -= 1;
    exchange.deleverage(1, &[3], &papers).unwrap();
    exchange.audit_all();
}
