//! A pause stops what advances a liquidation, and nothing that cures or pays.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::crash::{Crash, LEFT};
use flagstone_e2e_tests::govern::{config, settle_down};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::rescue::Rescue;
use flagstone_e2e_tests::{QUOTE, forge, ok};
use flagstone_sdk::interface::error::{RouterError, SlabError};
use flagstone_sdk::interface::governance::PAUSE_GRACE_SLOTS;
use flagstone_sdk::interface::router::{RouterConfig, portfolio_status};
use flagstone_sdk::margin::times::{DELEVERAGE_SLOTS, GRACE_SLOTS, TICKET_SLOTS};
use flagstone_sdk::units::Slot;
use flagstone_sdk::{address, router};
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::slice::from_ref;

const PAUSE: u32 = 300;

fn pause(crash: &mut Crash, guardian: &Keypair) {
    let pause = router::pause(&guardian.pubkey(), PAUSE);
    ok(crash.exchange.session.send(&[pause], &[guardian]));
}

#[test]
fn x9_liquidation_stays_off_for_a_grace_after_a_pause() {
    let mut crash = Crash::open();
    let guardian = settle_down(&mut crash.exchange);
    crash.wait(1);
    crash.sink();
    pause(&mut crash, &guardian);
    let begin = crash.begin();
    crash.refuse(&begin, RouterError::Paused);
    // Early ends make the grace no shorter.
    crash.wait(100);
    let unpause = router::unpause(&guardian.pubkey());
    ok(crash.exchange.session.send(&[unpause], &[&guardian]));
    crash.wait(u64::from(PAUSE_GRACE_SLOTS) - 1);
    crash.refuse(&begin, RouterError::Paused);
    crash.wait(1);
    crash.crank(&[begin, crash.sync()]);
    crash.wait(GRACE_SLOTS.0.into());
    crash.crank(&[crash.issue()]);
    crash.crank(&[crash.sweep()]);
}

#[test]
fn x9_no_ticket_is_issued_in_a_pause_and_those_that_are_out_run_out() {
    let mut crash = Crash::open();
    let guardian = settle_down(&mut crash.exchange);
    crash.insure(400 * QUOTE);
    crash.wait(1);
    crash.fall_to(8_500);
    crash.crank(&[crash.begin(), crash.sync(), crash.issue()]);
    let expiry = crash.ticket().expiry_slot;
    pause(&mut crash, &guardian);
    let (issue, sweep) = (crash.issue(), crash.sweep());
    crash.refuse(&issue, RouterError::Paused);
    // A ticket of before the pause sweeps until it expires.
    crash.refuse(&sweep, SlabError::NotFilled);
    crash.wait(u64::from(TICKET_SLOTS.0) + 1);
    crash.refuse(&sweep, SlabError::BadTicket);
    // And is deleveraged for some time after.
    let now = crash.exchange.session.slot() as u32;
    crash.wait(u64::from(expiry.0 + DELEVERAGE_SLOTS.0 + 1 - now));
    let deleverage = crash.deleverage(&[&crash.seller]);
    crash.refuse(&deleverage, SlabError::BadTicket);
    crash.refuse(&issue, RouterError::Paused);
    // When liquidation is on again, it goes on where it was.
    let now = crash.exchange.session.slot();
    let until = u64::from(config(&crash.exchange).paused_until.0 + PAUSE_GRACE_SLOTS);
    crash.wait(until - now - 1);
    crash.refuse(&issue, RouterError::Paused);
    crash.wait(1);
    crash.crank(&[issue]);
    crash.wait(u64::from(TICKET_SLOTS.0) + 1);
    crash.crank(&[deleverage]);
    // Paying is not liquidating.
    crash.wait(1_000);
    pause(&mut crash, &guardian);
    crash.crank(&[crash.cover(), crash.sync(), crash.collect()]);
}

#[test]
fn x9_lq4_margin_is_brought_and_liquidations_end_in_a_pause() {
    let mut rescue = Rescue::open();
    let guardian = settle_down(&mut rescue.crash.exchange);
    rescue.crash.wait(1);
    rescue.crash.sink();
    let begin = [rescue.crash.begin(), rescue.crash.sync()];
    rescue.crank(&begin);
    pause(&mut rescue.crash, &guardian);
    let all = [
        rescue.issue(),
        rescue.release(),
        rescue.settle(),
        rescue.crash.shift(),
        rescue.crash.sync(),
        rescue.crash.end(),
    ];
    rescue.crank(&all);
    assert_eq!(rescue.crash.portfolio().status, portfolio_status::OPEN);
    assert_eq!(rescue.crash.portfolio().cash_atoms, 0);
    assert!(rescue.crash.escrow().shifted_atoms > LEFT);
}

#[test]
fn x9_a_forged_configuration_lifts_no_pause() {
    let mut crash = Crash::open();
    crash.sink();
    let guardian = settle_down(&mut crash.exchange);
    crash.wait(1);
    // Without one everything is as before; the price has stayed.
    crash.fall_to(9_300);
    crash.crank(&[crash.begin(), crash.sync()]);
    crash.wait(50);
    pause(&mut crash, &guardian);
    let key = address::config();
    for (instruction, place) in [(crash.begin(), 6), (crash.issue(), 9)] {
        assert_eq!(instruction.accounts[place].pubkey, key);
        crash.refuse(&instruction, RouterError::Paused);
        for spoil in forge::spoilers() {
            let session = &mut crash.exchange.session;
            let planted = forge::plant_copy(session, &key, |account| {
                let record: &mut RouterConfig = bytemuck::from_bytes_mut(&mut account.data);
                record.paused_until = Slot::ZERO;
                spoil(account);
            });
            let forged = forge::swapped(&instruction, place, planted);
            refused(session, from_ref(&forged), &[], RouterError::WrongRecord);
        }
        let escrow = crash.seller.escrow;
        let forged = forge::swapped(&instruction, place, escrow);
        crash.refuse(&forged, RouterError::WrongRecord);
    }
}

#[test]
fn x9_short_pauses_in_a_row_keep_liquidation_off_half_of_the_time() {
    let mut crash = Crash::open();
    let guardian = settle_down(&mut crash.exchange);
    let key = guardian.pubkey();
    let (mut off, mut all) = (0, 0);
    for _ in 0..3 {
        let pause = router::pause(&key, 1);
        ok(crash.exchange.session.send(&[pause], &[&guardian]));
        let config = config(&crash.exchange);
        let now = crash.exchange.session.slot() as u32;
        let again = config.pause_again_slot.0;
        off += (now..again)
            .filter(|slot| !config.may_liquidate(Slot(*slot)))
            .count();
        all += (again - now) as usize;
        crash.exchange.session.warp_to(u64::from(again) - 1);
        let early = router::pause(&key, 1);
        let session = &mut crash.exchange.session;
        refused(session, &[early], &[&guardian], RouterError::PauseTooLong);
        crash.exchange.session.warp_to(again.into());
    }
    assert!(off > 0 && 2 * off <= all, "{off} of {all} slots");
}
