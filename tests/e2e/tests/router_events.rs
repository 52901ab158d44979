//! Property OBS2: every instruction of the Router leaves one event, and the
//! events alone tell what its records hold, to the atom.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::collateral::{CONSENT, HELD, Pledge, TOKEN};
use flagstone_e2e_tests::crash::Crash;
use flagstone_e2e_tests::forge::{account, stranger};
use flagstone_e2e_tests::govern::{change, config, execute, proposal, propose, settle_down};
use flagstone_e2e_tests::grid::Floor;
use flagstone_e2e_tests::market::{Market, TAKER_CASH};
use flagstone_e2e_tests::pyth::FUNDING_SLOTS;
use flagstone_e2e_tests::rescue::Rescue;
use flagstone_e2e_tests::router_told::Story;
use flagstone_e2e_tests::{QUOTE, ok, session};
use flagstone_keeper::Liquidator;
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Receipt};
use flagstone_sdk::engine::{Slab, SlabSize};
use flagstone_sdk::interface::event::RouterEvent;
use flagstone_sdk::interface::limits::RECENT_WINDOW_SLOTS;
use flagstone_sdk::interface::router::{ROOT_AGE_SLOTS, slab_status};
use flagstone_sdk::router::Change;
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::Ticks;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_instruction::{AccountMeta, Instruction};
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeSet;

type Kinds = BTreeSet<&'static str>;

/// The one event of a receipt.
#[track_caller]
fn only(receipt: &Receipt) -> RouterEvent {
    let events = receipt.router_events();
    let [event] = events[..] else {
        panic!("{events:?}")
    };
    event
}

fn send(exchange: &mut Exchange, instruction: Instruction, by: &Keypair) -> Receipt {
    exchange.session.svm.expire_blockhash();
    ok(exchange.session.send_large(&[instruction], &[by]))
}

/// From an empty chain to an account with standing margin.
fn beginnings() -> Kinds {
    let mut session = session();
    let mut story = Story::of(&mut session);
    let mut exchange = ok(Exchange::open(session, SlabSize::Dev));
    ok(exchange.add_instrument(&standard_instrument(Ticks(10_000))));
    story.check(&exchange.session);
    let member = ok(exchange.join(1_000 * QUOTE, 300 * QUOTE));
    story.check(&exchange.session);
    let other = ok(exchange.add_slab("other", SlabSize::Dev));
    ok(exchange.add_seat(&member, &other));
    story.check(&exchange.session);
    story.kinds
}

/// Routes in one go, in steps and expired; releases, fees, keys.
fn money() -> Kinds {
    let mut market = Market::open(1);
    let mut story = Story::of(&mut market.exchange.session);
    let route = market.route(10, 0);
    market.step(&route.instructions());
    story.check(&market.exchange.session);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let (slab_key, tokens) = (market.exchange.slab, market.taker.tokens);
    // A deposit and a withdrawal tell the amount and the cash that is left.
    let before = (market.cash(), market.exchange.vault_tokens());
    let pay_out = router::withdraw(&owner, &mint, &tokens, 70 * QUOTE);
    let RouterEvent::Withdrawn(paid) = only(&market.step(&[pay_out])) else {
        panic!("not withdrawn")
    };
    assert_eq!({ paid.cash_atoms }, before.0 - paid.amount_atoms);
    assert_eq!(
        { paid.amount_atoms },
        before.1 - market.exchange.vault_tokens()
    );
    let pay_in = router::deposit(&owner, &mint, &tokens, 30 * QUOTE);
    let RouterEvent::Deposited(paid) = only(&market.step(&[pay_in])) else {
        panic!("not deposited")
    };
    assert_eq!(
        (paid.amount_atoms, paid.cash_atoms),
        (30 * QUOTE, market.cash())
    );
    // Of two holds one is committed and booked by the refund of the other.
    market.fund(0, 5 * QUOTE);
    let mut second = market.leg(0, 5, 20);
    let data = market.exchange.session.data(&slab_key);
    second.hold = HoldHandle::upcoming(&data, 2).expect("two free holds")[1];
    second.cap = 1;
    let both = market.route_of(vec![market.leg(0, 10, 20), second]);
    market.step(&both.reserve());
    market.step(&[both.open()]);
    market.step(&both.commit()[..1]);
    story.check(&market.exchange.session);
    market.wait(25);
    let charged = market.escrow(0).caps[0].remaining_atoms;
    let pledged = market.escrow(0).caps[1].remaining_atoms;
    let refund = market.refund(0, 1);
    let RouterEvent::Refunded(event) = only(&market.crank(refund)) else {
        panic!("not refunded")
    };
    let booked = event.booked;
    assert_eq!({ event.refunded_atoms }, pledged);
    assert_eq!(booked.charged_atoms + booked.returned_atoms, charged);
    assert!(booked.charged_atoms > 0);
    // One that nobody commits: settling the route gives it back.
    market.crank(slab::expire_holds(&slab_key, 0, 8));
    market.fund(0, 20 * QUOTE);
    let route = market.reserve_and_open(10, 20);
    let (pledged, cash) = (market.escrow(0).balance_atoms, market.cash());
    market.wait(25);
    let RouterEvent::RouteSettled(event) = only(&market.crank(route.settle())) else {
        panic!("not settled")
    };
    assert_eq!({ event.expired_atoms }, pledged);
    assert!(pledged > 0);
    assert_eq!(market.cash(), cash + pledged);
    story.check(&market.exchange.session);
    releases(&mut market, &mut story);
    // Keys, consent, fees.
    let admin = market.exchange.admin.insecure_clone();
    let purse = ok(market.exchange.create_tokens(&admin.pubkey(), 100 * QUOTE));
    let insure = router::fund_insurance(&admin.pubkey(), &slab_key, &mint, &purse, 5 * QUOTE);
    send(&mut market.exchange, insure, &admin);
    market.crank(router::collect_fees(&slab_key, &mint));
    let fees = market.ledger(0).fees_atoms;
    assert!(fees > 0);
    let take = router::withdraw_fees(&admin.pubkey(), &slab_key, &mint, &purse, fees);
    send(&mut market.exchange, take, &admin);
    for own in [
        router::set_trader(&owner, &slab_key, &mint, &stranger()),
        router::set_liability_max(&owner, &slab_key, &mint, 9 * QUOTE),
        router::set_delegate(&owner, &stranger(), 4 * QUOTE, 2_500),
    ] {
        market.step(&[own]);
    }
    story.check(&market.exchange.session);
    story.kinds
}

/// A release that waits for the limit, and settlements with nothing to do.
fn releases(market: &mut Market, story: &mut Story) {
    market.fund(0, 900 * QUOTE);
    market.wait(2 * u64::from(RECENT_WINDOW_SLOTS));
    let ledger = address::slab_ledger(&market.exchange.slab, &market.exchange.mint);
    let limit = Change::set_limit(&ledger, 60 * QUOTE, 1_000);
    change(&mut market.exchange, &limit);
    let release = market.release(0, 100 * QUOTE);
    market.step(&[release]);
    let settled = |market: &mut Market| {
        market.exchange.session.svm.expire_blockhash();
        let settle = market.settle(0);
        match only(&market.crank(settle)) {
            RouterEvent::Settled(event) => event,
            other => panic!("{other:?}"),
        }
    };
    let cash = market.cash();
    for (slots, paid, owed) in [(0, 60, 40), (0, 0, 40), (1_000, 40, 0), (0, 0, 0)] {
        market.wait(slots);
        let event = settled(market);
        let booked = event.booked;
        assert_eq!({ booked.released_atoms }, paid * QUOTE);
        assert_eq!({ event.owed_atoms }, owed * QUOTE);
    }
    assert_eq!(market.cash(), cash + 100 * QUOTE);
    story.check(&market.exchange.session);
}

/// Withdrawals above the limit: paid in parts, cancelled, impossible to pay.
fn claims() -> Kinds {
    let mut market = Market::open(1);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let vault = address::vault(&mint);
    let limit = Change::set_limit(&vault, 100 * QUOTE, 1_000);
    change(&mut market.exchange, &limit);
    market.wait(2 * u64::from(RECENT_WINDOW_SLOTS));
    let mut story = Story::of(&mut market.exchange.session);
    let tokens = market.taker.tokens;
    let queue = router::claim_withdrawal(&owner, &mint, &tokens, 150 * QUOTE);
    let pay = router::pay_claim(&owner, &mint, &tokens);
    let amounts = |receipt: &Receipt| match only(receipt) {
        RouterEvent::ClaimPaid(event) => [
            event.amount_atoms / QUOTE,
            event.returned_atoms / QUOTE,
            event.left_atoms / QUOTE,
        ],
        other => panic!("{other:?}"),
    };
    market.step(std::slice::from_ref(&queue));
    assert_eq!(amounts(&market.crank(pay.clone())), [100, 0, 50]);
    market.wait(1_000);
    assert_eq!(amounts(&market.crank(pay.clone())), [50, 0, 0]);
    story.check(&market.exchange.session);
    // Cancelled: its place passes with nothing.
    market.step(std::slice::from_ref(&queue));
    market.step(&[router::cancel_claim(&owner, &mint)]);
    assert_eq!(amounts(&market.crank(pay.clone())), [0, 0, 0]);
    // Its token account is gone: cash again.
    market.exchange.session.svm.expire_blockhash();
    market.step(&[queue]);
    let cash = market.cash();
    let gone = market
        .exchange
        .session
        .svm
        .set_account(tokens, Account::default());
    gone.expect("an account");
    market.exchange.session.svm.expire_blockhash();
    assert_eq!(amounts(&market.crank(pay)), [0, 150, 0]);
    assert_eq!(market.cash(), cash + 150 * QUOTE);
    story.check(&market.exchange.session);
    story.kinds
}

/// A crash that consent cures in part, a keeper and the insurance.
fn liquidation() -> Kinds {
    let mut crash = Crash::open();
    crash.insure(400 * QUOTE);
    let mut story = Story::of(&mut crash.exchange.session);
    let (owner, slab_key, mint) = crash.at();
    let consent = router::set_liability_max(&owner, &slab_key, &mint, 50 * QUOTE);
    let wallet = crash.victim.wallet.insecure_clone();
    send(&mut crash.exchange, consent, &wallet);
    crash.bid(9_290, 5, 10);
    let keeper = Liquidator {
        slab: slab_key,
        mint,
        keeper: crash.keeper.account,
    };
    for (price, looks) in [(9_300, 60), (8_000, 260)] {
        crash.fall_to(price);
        for _ in 0..looks {
            crash.oracle.post(&mut crash.exchange.session, crash.price);
            keeper.step(&mut crash.exchange.session);
            story.check(&crash.exchange.session);
            crash.exchange.session.wait(5);
        }
    }
    let collect = crash.collect();
    crash.crank(&[collect]);
    story.check(&crash.exchange.session);
    assert!(
        crash.ledger().covered_total.get() > 0,
        "no debt was covered"
    );
    assert_eq!(crash.header().deficit_atoms, 0);
    story.kinds
}

/// Collateral that is deposited, sold in part for margin, and withdrawn.
fn collateral() -> Kinds {
    let mut pledge = Pledge::open();
    let mut story = Story::of(&mut pledge.crash.exchange.session);
    let deposit = pledge.deposit(TOKEN);
    let RouterEvent::CollateralDeposited(event) = only(&pledge.send(&[deposit])) else {
        panic!("not deposited")
    };
    assert_eq!(
        (event.amount_atoms, event.balance_atoms),
        (TOKEN, HELD + TOKEN)
    );
    pledge.consent(CONSENT);
    pledge.crash.sink();
    pledge.freeze();
    let bid = pledge.bid(TOKEN, 1_000 * QUOTE);
    let mut sold = |pledge: &mut Pledge| {
        let RouterEvent::CollateralSold(event) = only(&pledge.buy(std::slice::from_ref(&bid)))
        else {
            panic!("not sold")
        };
        story.check(&pledge.crash.exchange.session);
        (event.amount_atoms, event.paid_atoms)
    };
    assert_eq!(sold(&mut pledge), (0, 0), "it began");
    pledge.wait(100);
    assert_eq!(sold(&mut pledge), (TOKEN, 135 * QUOTE));
    pledge.price = 10_000;
    pledge.crash.fall_to(10_000);
    let end = [pledge.crash.end(), pledge.crash.sync()];
    pledge.crash.crank(&end);
    let withdraw = pledge.withdraw(HELD);
    let RouterEvent::CollateralWithdrawn(event) = only(&pledge.send(&[withdraw])) else {
        panic!("not withdrawn")
    };
    assert_eq!((event.amount_atoms, event.balance_atoms), (HELD, 0));
    story.check(&pledge.crash.exchange.session);
    story.kinds
}

/// Proposals, pauses, the office, and the hash of a program.
fn governance() -> Kinds {
    let mut market = Market::open(1);
    let admin = market.exchange.admin.insecure_clone();
    let mut story = Story::of(&mut market.exchange.session);
    let attest = router::attest_slab(&admin.pubkey(), &market.exchange.slab);
    send(&mut market.exchange, attest, &admin);
    let guardian = settle_down(&mut market.exchange);
    let exchange = &mut market.exchange;
    let next = exchange.session.new_wallet();
    let change = Change::hand_over(&next.pubkey());
    let (kept, dropped) = (propose(exchange, &change), propose(exchange, &change));
    let cancel = router::cancel_proposal(&guardian.pubkey(), dropped);
    send(exchange, cancel, &guardian);
    let due = u64::from(proposal(exchange, kept).due_slot.0);
    exchange.session.warp_to(due);
    let RouterEvent::ProposalExecuted(event) = only(&ok(execute(exchange, &change, kept))) else {
        panic!("not executed")
    };
    assert_eq!({ event.target }, next.pubkey().to_bytes());
    send(exchange, router::take_over(&next.pubkey()), &next);
    assert_eq!(config(exchange).admin, next.pubkey().to_bytes());
    story.check(&exchange.session);
    send(exchange, router::pause(&guardian.pubkey(), 200), &guardian);
    story.check(&exchange.session);
    send(exchange, router::unpause(&guardian.pubkey()), &guardian);
    story.check(&exchange.session);
    for _ in 0..20 {
        let step = router::hash_program(&next.pubkey(), &address::SLAB, 3);
        send(exchange, step, &next);
    }
    story.check(&exchange.session);
    let confirm = router::confirm_program(&exchange.slab, &address::SLAB);
    ok(exchange.session.send(&[confirm], &[]));
    story.check(&exchange.session);
    story.kinds
}

/// An account that closes, and the portfolio after it.
fn endings() -> Kinds {
    let mut market = Market::open(1);
    let mut story = Story::of(&mut market.exchange.session);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    let (seat, trader) = (market.seats[0], market.taker.trader.pubkey());
    market.step(&[
        slab::close_account(&seat.slab, &trader, &seat.escrow, seat.account),
        router::unbind_escrow(&owner, &seat.slab, &mint),
        slab::free_account(&seat.slab, &seat.escrow, seat.account),
    ]);
    let tokens = market.taker.tokens;
    market.step(&[router::withdraw(&owner, &mint, &tokens, TAKER_CASH)]);
    market.step(&[router::close_portfolio(&owner)]);
    story.check(&market.exchange.session);
    story.kinds
}

/// A program that was redeployed, and what was made good again.
fn suspension() -> Kinds {
    let mut market = Market::open(1);
    let mut story = Story::of(&mut market.exchange.session);
    let key = address::program_data(&address::SLAB);
    let original = account(&market.exchange.session, &key);
    let mut other = original.clone();
    other.data[4] = other.data[4].wrapping_add(1);
    let svm = &mut market.exchange.session.svm;
    svm.set_account(key, other).expect("program data");
    let settle = market.settle(0);
    let receipt = ok(market.exchange.session.send(&[settle], &[]));
    let RouterEvent::SlabSuspended(event) = only(&receipt) else {
        panic!("not suspended")
    };
    assert_eq!({ event.slab }, market.exchange.slab.to_bytes());
    assert_eq!(market.status(0), slab_status::SUSPENDED);
    story.check(&market.exchange.session);
    let svm = &mut market.exchange.session.svm;
    svm.set_account(key, original).expect("program data");
    let admin = market.exchange.admin.insecure_clone();
    let attest = router::attest_slab(&admin.pubkey(), &market.exchange.slab);
    send(&mut market.exchange, attest, &admin);
    story.check(&market.exchange.session);
    story.kinds
}

/// A grid of two slabs, of which one leaves; an exposure that books a release;
/// tokens that nobody deposited.
fn grid() -> Kinds {
    let mut floor = Floor::open(&[2, 3]);
    let mut story = Story::of(&mut floor.exchange.session);
    floor.flag_and_list();
    story.check(&floor.exchange.session);
    floor.pass(FUNDING_SLOTS + 10);
    floor.next_interval();
    assert_ne!(floor.update(), 0);
    story.check(&floor.exchange.session);
    let (slab_key, mint) = (floor.seats[1].slab, floor.exchange.mint);
    change(
        &mut floor.exchange,
        &Change::set_netting(&slab_key, false, 0),
    );
    ok(floor.list(1));
    assert_eq!(floor.listed(), [0]);
    story.check(&floor.exchange.session);
    let (seat, owner) = (floor.seats[0], floor.user.wallet.pubkey());
    let trader = floor.user.trader.insecure_clone();
    let release = slab::release(&seat.slab, &trader.pubkey(), seat.account, 3 * QUOTE);
    send(&mut floor.exchange, release, &trader);
    let payer = floor.exchange.session.payer();
    let refresh = router::refresh_exposure(&payer, &owner, &seat.slab, &mint);
    let RouterEvent::ExposureRefreshed(event) = only(&ok(floor.send(&[refresh], &[]))) else {
        panic!("not refreshed")
    };
    let booked = event.booked;
    assert_eq!({ booked.released_atoms }, 3 * QUOTE);
    let admin = floor.exchange.admin.insecure_clone();
    let surplus = ok(floor.exchange.create_tokens(&admin.pubkey(), QUOTE));
    // Number 3 of SPL Token: source, destination, owner.
    let transfer = Instruction {
        program_id: address::TOKEN,
        accounts: vec![
            AccountMeta::new(surplus, false),
            AccountMeta::new(address::vault_tokens(&mint), false),
            AccountMeta::new_readonly(admin.pubkey(), true),
        ],
        data: [&[3], &QUOTE.to_le_bytes()[..]].concat(),
    };
    send(&mut floor.exchange, transfer, &admin);
    let skim = router::skim_surplus(&admin.pubkey(), &seat.slab, &mint);
    let RouterEvent::SurplusSkimmed(event) = only(&send(&mut floor.exchange, skim, &admin)) else {
        panic!("not skimmed")
    };
    assert_eq!({ event.amount_atoms }, QUOTE);
    story.check(&floor.exchange.session);
    story.kinds
}

/// Margin that comes from another slab.
fn shift() -> Kinds {
    let mut rescue = Rescue::frozen();
    let mut story = Story::of(&mut rescue.crash.exchange.session);
    let (issue, release) = (rescue.issue(), rescue.release());
    let RouterEvent::ShiftIssued(event) = only(&rescue.crank(&[issue])) else {
        panic!("not issued")
    };
    assert_eq!({ event.target }, rescue.crash.victim.escrow.to_bytes());
    story.check(&rescue.crash.exchange.session);
    rescue.crank(&[release]);
    // What the slab released is booked by whichever instruction comes next.
    let shift = [rescue.crash.shift(), rescue.crash.sync()];
    rescue.crank(&shift);
    let settle = rescue.settle();
    rescue.crank(&[settle]);
    story.check(&rescue.crash.exchange.session);
    let rest = [
        rescue.crash.shift(),
        rescue.crash.sync(),
        rescue.crash.end(),
    ];
    rescue.crank(&rest);
    story.check(&rescue.crash.exchange.session);
    story.kinds
}

/// Bad counters, or a decision, and leaving by what the Router knows.
fn quarantine() -> Kinds {
    let mut kinds = Kinds::new();
    for decided in [false, true] {
        let mut market = Market::open(1);
        let mut story = Story::of(&mut market.exchange.session);
        market.fund(0, 20 * QUOTE);
        let (seat, mint) = (market.seats[0], market.exchange.mint);
        for _ in 0..40 {
            let publish = slab::publish_root(&seat.slab, 4);
            market.exchange.session.svm.expire_blockhash();
            ok(market.exchange.session.send(&[publish], &[]));
            let session = &market.exchange.session;
            let done = session.with_slab(&seat.slab, |slab| slab.header.root_page_next == 0);
            if done.expect("a slab") {
                break;
            }
        }
        market.crank(router::verify_root(&seat.slab, &address::SLAB, &mint));
        story.check(&market.exchange.session);
        if decided {
            market.wait(u64::from(ROOT_AGE_SLOTS));
            let status = slab_status::QUARANTINED;
            let close = Change::set_slab_status(&seat.slab, &mint, status);
            change(&mut market.exchange, &close);
            story.check(&market.exchange.session);
        } else {
            let held = market.reserve_and_open(10, 50);
            assert!(!held.legs().is_empty());
            let lie = |slab: &mut Slab<'_>| {
                slab.accounts[u32::from(seat.account)].debited_total_atoms = 1;
            };
            let edited = market.exchange.session.edit_slab(&seat.slab, lie);
            edited.expect("a slab");
            let settle = market.settle(0);
            let receipt = ok(market.exchange.session.send(&[settle], &[]));
            let RouterEvent::SlabQuarantined(event) = only(&receipt) else {
                panic!("not quarantined")
            };
            assert_eq!({ event.numerator_atoms }, market.ledger(0).backing_atoms);
            story.check(&market.exchange.session);
            let wallet = market.taker.wallet.insecure_clone();
            let exit = router::exit_by_proof(&wallet.pubkey(), &seat.slab, &mint, None);
            let RouterEvent::ExitedByProof(event) =
                only(&send(&mut market.exchange, exit, &wallet))
            else {
                panic!("not left")
            };
            assert_eq!({ event.claim_atoms }, 20 * QUOTE);
            assert!(event.returned_atoms > 0);
            assert_eq!(market.cash(), TAKER_CASH);
            story.check(&market.exchange.session);
        }
        kinds.extend(story.kinds);
    }
    kinds
}

#[test]
fn obs2_every_router_instruction_leaves_one_event_that_says_what_it_did() {
    let stories: [fn() -> Kinds; 11] = [
        beginnings,
        money,
        claims,
        liquidation,
        collateral,
        shift,
        governance,
        endings,
        suspension,
        quarantine,
        grid,
    ];
    let seen: Kinds = stories.into_iter().flat_map(|story| story()).collect();
    let all: Kinds = RouterEvent::KINDS.iter().map(|(_, name)| *name).collect();
    assert_eq!(seen, all, "events of which no story told");
}

#[test]
fn obs2_what_failed_leaves_nothing_that_counts() {
    let mut market = Market::open(1);
    let mut story = Story::of(&mut market.exchange.session);
    let (owner, mint) = (market.taker.wallet.pubkey(), market.exchange.mint);
    // The first one's event stands in the log, and was undone with it.
    let one = router::withdraw(&owner, &mint, &market.taker.tokens, QUOTE);
    let all = router::withdraw(&owner, &mint, &market.taker.tokens, TAKER_CASH);
    let failure = market.send(&[one, all]).expect_err("more than there is");
    let logged = flagstone_sdk::events::router_events(&failure.logs);
    assert!(
        matches!(logged[..], [RouterEvent::Withdrawn(_)]),
        "{logged:?}"
    );
    story.check(&market.exchange.session);
    assert!(story.kinds.is_empty());
}
