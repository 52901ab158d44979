//! Wrong keys and stale handles: what somebody without the right may try.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::refusal::{UNSIGNED, assert_unchanged, refused, snapshot};
use flagstone_e2e_tests::{MARK, QUOTE, exchange, handle, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::slab::NewSlab;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

fn two_members() -> (Exchange, Member, Member) {
    let mut exchange = exchange(SlabSize::Dev);
    let one = ok(exchange.join(10_000 * QUOTE, 5_000 * QUOTE));
    let other = ok(exchange.join(10_000 * QUOTE, 5_000 * QUOTE));
    (exchange, one, other)
}

/// Cancels by a handle that must be stale: Ok, no event, nothing touched.
#[track_caller]
fn cancel_stale(exchange: &mut Exchange, member: &Member, order: u32, generation: u32) {
    let before = snapshot(&exchange.session);
    let receipt = ok(exchange.cancel(member, order, generation));
    assert!(receipt.events.is_empty(), "{:?}", receipt.events);
    assert_unchanged(&exchange.session, &before);
}

#[test]
fn t5_cancelling_a_filled_order_touches_nothing() {
    let (mut exchange, maker, taker) = two_members();
    let placed = ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, 5));
    let (order, generation) = handle(&placed);
    ok(exchange.take(&taker, Side::Bid, MARK, 5, 5));
    cancel_stale(&mut exchange, &maker, order, generation);
}

#[test]
fn t5_cancelling_twice_touches_nothing() {
    let (mut exchange, maker, _) = two_members();
    let placed = ok(exchange.place(&maker, OrderKind::PostOnly, Side::Ask, MARK, 5));
    let (order, generation) = handle(&placed);
    assert_eq!(
        ok(exchange.cancel(&maker, order, generation)).events.len(),
        1
    );
    cancel_stale(&mut exchange, &maker, order, generation);
}

#[test]
fn t5_an_old_handle_of_a_reused_slot_touches_nothing() {
    let (mut exchange, maker, other) = two_members();
    let first = handle(&ok(exchange.place(
        &maker,
        OrderKind::PostOnly,
        Side::Ask,
        MARK,
        5,
    )));
    ok(exchange.cancel(&maker, first.0, first.1));
    let second = handle(&ok(exchange.place(
        &other,
        OrderKind::PostOnly,
        Side::Ask,
        MARK,
        7,
    )));
    assert_eq!(
        second,
        (first.0, first.1 + 1),
        "the slot is handed out again"
    );
    // Neither the old owner nor the new one can hit it by the old handle.
    cancel_stale(&mut exchange, &maker, first.0, first.1);
    cancel_stale(&mut exchange, &other, first.0, first.1);
    assert_eq!(
        ok(exchange.cancel(&other, second.0, second.1)).events.len(),
        1
    );
}

#[test]
fn t5_handles_that_never_were_touch_nothing() {
    let (mut exchange, maker, _) = two_members();
    let (order, generation) = handle(&ok(exchange.place(
        &maker,
        OrderKind::PostOnly,
        Side::Ask,
        MARK,
        5,
    )));
    let beyond = SlabSize::Dev.capacities().items[3] + 1;
    for stale in [
        (0, 0),
        (0, 1),
        (order, 0),
        (order, generation + 1),
        (order, u32::MAX),
        (order + 1, 0),
        (order + 1, 1),
        (beyond, 1),
        (u32::MAX, 1),
    ] {
        cancel_stale(&mut exchange, &maker, stale.0, stale.1);
    }
}

#[test]
fn nobody_cancels_anothers_order() {
    let (mut exchange, maker, other) = two_members();
    let (order, generation) = handle(&ok(exchange.place(
        &maker,
        OrderKind::PostOnly,
        Side::Ask,
        MARK,
        5,
    )));
    let slab_key = exchange.slab;
    // From the own account: the order is not its own.
    let own = slab::cancel(
        &slab_key,
        &other.trader.pubkey(),
        other.account,
        order,
        generation,
    );
    refused(
        &mut exchange.session,
        &[own],
        &[&other.trader],
        SlabError::NotYourOrder,
    );
    // In the maker's name: the key is not the maker's.
    let theirs = slab::cancel(
        &slab_key,
        &other.trader.pubkey(),
        maker.account,
        order,
        generation,
    );
    refused(
        &mut exchange.session,
        &[theirs],
        &[&other.trader],
        SlabError::WrongTrader,
    );
}

/// The three instructions of a trader, in `member`'s name, signed by `key`.
fn trades_as(exchange: &Exchange, member: &Member, key: &Keypair) -> [Instruction; 3] {
    let (slab_key, key) = (exchange.slab, key.pubkey());
    let order = member.order(OrderKind::Limit, Side::Bid, MARK - 5, 2);
    [
        slab::place(&slab_key, &key, &order),
        slab::take(&slab_key, &key, &member.taking(Side::Bid, MARK, 1, 0)),
        slab::cancel(&slab_key, &key, member.account, 1, 1),
    ]
}

#[test]
fn x6_only_the_session_key_trades() {
    let (mut exchange, member, other) = two_members();
    // Another member's session key; the owner's wallet, which must not sign here; a stranger; the authority.
    let stranger = exchange.session.new_wallet();
    let admin = exchange.admin.insecure_clone();
    for key in [&other.trader, &member.wallet, &stranger, &admin] {
        for trade in trades_as(&exchange, &member, key) {
            refused(
                &mut exchange.session,
                &[trade],
                &[key],
                SlabError::WrongTrader,
            );
        }
    }
    for mut trade in trades_as(&exchange, &member, &member.trader) {
        trade.accounts[1].is_signer = false;
        refused(&mut exchange.session, &[trade], &[], UNSIGNED);
    }
}

#[test]
fn accounts_that_are_not_open_do_not_trade() {
    let (mut exchange, mut member, _) = two_members();
    for account in [0, 3, 128, 129, u16::MAX] {
        member.account = account;
        for trade in trades_as(&exchange, &member, &member.trader) {
            refused(
                &mut exchange.session,
                &[trade],
                &[&member.trader],
                SlabError::NoAccount,
            );
        }
    }
}

#[test]
fn x6_a_wallet_is_refused_as_a_session_key() {
    let mut exchange = exchange(SlabSize::Dev);
    let wallet = exchange.session.new_wallet();
    let owner = wallet.pubkey();
    ok(exchange
        .session
        .send(&[router::open_portfolio(&owner)], &[&wallet]));
    for trader in [owner, Default::default()] {
        let open = router::open_escrow(&owner, &exchange.slab, &exchange.mint, &trader);
        refused(
            &mut exchange.session,
            &[open],
            &[&wallet],
            RouterError::BadTrader,
        );
    }
}

#[test]
fn x6_no_slab_instruction_names_a_wallet() {
    let (exchange, member, _) = two_members();
    let wallet = member.wallet.pubkey();
    let mut all = trades_as(&exchange, &member, &member.trader).to_vec();
    all.push(slab::sync(&exchange.slab, &member.escrow, member.account));
    all.push(slab::open_account(&exchange.slab, &member.escrow));
    for instruction in all {
        assert!(
            instruction
                .accounts
                .iter()
                .all(|account| account.pubkey != wallet)
        );
        let mut signers = instruction
            .accounts
            .iter()
            .filter(|account| account.is_signer);
        assert!(signers.all(|account| account.pubkey == member.trader.pubkey()));
    }
}

#[test]
fn only_the_authority_adds_instruments() {
    let (mut exchange, member, _) = two_members();
    let slab_key = exchange.slab;
    let params = standard_instrument(Ticks(MARK));
    for key in [&member.wallet, &member.trader] {
        let add = slab::add_instrument(&key.pubkey(), &slab_key, 1, &params);
        refused(
            &mut exchange.session,
            &[add],
            &[key],
            SlabError::WrongAuthority,
        );
    }
    let mut unsigned = slab::add_instrument(&exchange.admin.pubkey(), &slab_key, 1, &params);
    unsigned.accounts[1].is_signer = false;
    refused(&mut exchange.session, &[unsigned], &[], UNSIGNED);
}

#[test]
fn only_the_administrator_registers_slabs() {
    let mut exchange = exchange(SlabSize::Dev);
    let stranger = exchange.session.new_wallet();
    let key = stranger.pubkey();
    let mut new = NewSlab::preset(key, "mine", exchange.mint, SlabSize::Dev);
    new.rent_lamports = 2_000_000_000;
    ok(exchange
        .session
        .send(&new.instructions().expect("a short seed"), &[&stranger]));
    let slab_key = new.address().expect("a short seed");
    let register = router::register_slab(&key, &slab_key, &exchange.mint);
    refused(
        &mut exchange.session,
        &[register],
        &[&stranger],
        RouterError::WrongAdmin,
    );
}

#[test]
fn nobody_takes_over_an_uninitialised_slab() {
    let mut exchange = exchange(SlabSize::Dev);
    let (owner, thief) = (exchange.session.new_wallet(), exchange.session.new_wallet());
    let mut new = NewSlab::preset(owner.pubkey(), "fresh", exchange.mint, SlabSize::Dev);
    new.rent_lamports = 2_000_000_000;
    let [create, initialize]: [_; 2] = new
        .instructions()
        .expect("a short seed")
        .try_into()
        .expect("two");
    ok(exchange.session.send(&[create], &[&owner]));
    let mut stolen = initialize.clone();
    stolen.accounts[1].pubkey = thief.pubkey();
    refused(
        &mut exchange.session,
        &[stolen],
        &[&thief],
        SlabError::WrongAddress,
    );
    ok(exchange.session.send(&[initialize], &[&owner]));
}

#[test]
fn only_the_owner_moves_the_money_of_a_portfolio() {
    let (mut exchange, member, thief) = two_members();
    ok(exchange.deposit(&member, 100));
    let (mint, slab_key) = (exchange.mint, exchange.slab);
    let victim = member.wallet.pubkey();
    let instructions = [
        router::deposit(&victim, &mint, &member.tokens, 10),
        router::fund_slab(&victim, &slab_key, &mint, 10),
        router::bind_escrow(&victim, &slab_key, &mint),
    ];
    for instruction in instructions {
        let mut stolen = instruction.clone();
        stolen.accounts[0].pubkey = thief.wallet.pubkey();
        refused(
            &mut exchange.session,
            &[stolen],
            &[&thief.wallet],
            RouterError::WrongOwner,
        );
        let mut unsigned = instruction;
        unsigned.accounts[0].is_signer = false;
        refused(&mut exchange.session, &[unsigned], &[], UNSIGNED);
    }
}

#[test]
fn own_cash_cannot_be_pledged_to_anothers_escrow_nor_the_reverse() {
    let (mut exchange, member, thief) = two_members();
    ok(exchange.deposit(&member, 100));
    ok(exchange.deposit(&thief, 100));
    let (mint, slab_key) = (exchange.mint, exchange.slab);
    let fund = router::fund_slab(&thief.wallet.pubkey(), &slab_key, &mint, 10);
    let victim = address::portfolio(&member.wallet.pubkey());
    for (place, key) in [(1, victim), (2, member.escrow)] {
        let mut crossed = fund.clone();
        crossed.accounts[place].pubkey = key;
        refused(
            &mut exchange.session,
            &[crossed],
            &[&thief.wallet],
            RouterError::WrongOwner,
        );
    }
}

#[test]
fn nobody_opens_an_escrow_for_another() {
    let (mut exchange, member, thief) = two_members();
    let (mint, slab_key) = (exchange.mint, exchange.slab);
    let key = thief.trader.pubkey();
    let mut open = router::open_escrow(&member.wallet.pubkey(), &slab_key, &mint, &key);
    open.accounts[0].pubkey = thief.wallet.pubkey();
    refused(
        &mut exchange.session,
        &[open.clone()],
        &[&thief.wallet],
        RouterError::WrongOwner,
    );
    // With the thief's own portfolio the victim's address is not the one derived.
    open.accounts[2].pubkey = address::portfolio(&thief.wallet.pubkey());
    refused(
        &mut exchange.session,
        &[open],
        &[&thief.wallet],
        RouterError::WrongAddress,
    );
}
