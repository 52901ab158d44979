//! Numbers that would take from others: unbacked tokens, shares above one,
//! prices above the owner's, payments and mints twice.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::desk::{Office, Part, name};
use flagstone_e2e_tests::forge::{plant_copy, swapped};
use flagstone_e2e_tests::index::{ONE, TOKEN};
use flagstone_e2e_tests::orders::{AMOUNT, mintable, ready, refuse, wish};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::address;
use flagstone_sdk::index::intents::Wish;
use flagstone_sdk::index_engine::amounts::{Atoms, Fraction, ONE as WHOLE, Quantity, Tokens};
use flagstone_sdk::index_engine::engage::Share;
use flagstone_sdk::index_engine::machine::Action;
use flagstone_sdk::index_engine::roles::Role;
use flagstone_sdk::interface::error::IndexError;
use solana_signer::Signer;

#[test]
fn a_solver_cannot_have_more_minted_than_bought_or_charge_more_than_allowed() {
    let (mut office, intent) = ready();
    let solver = office.holder(Role::Solver);
    let orders = office.holder(Role::OrderManager);
    // Twice the tokens for the same assets.
    let parts: [Part; 1] = [(intent, 90 * QUOTE, 100 * TOKEN)];
    let thin = office.create_batch("thin", 1, 1);
    office.build(&thin, &parts, 0);
    let doubled = office.create_batch("double", 2, 1);
    office.build(&doubled, &[], 10 * ONE);
    let join = doubled.join(
        &solver.pubkey(),
        &intent,
        Atoms(90 * QUOTE),
        Tokens(200 * TOKEN),
    );
    office.by(Role::Solver, "join_batch", &join);
    let half = Share {
        fraction: Fraction(WHOLE),
        contribution: Quantity::new(Office::units_of(200 * TOKEN) - 1),
    };
    let cells = doubled.set_cells(&solver.pubkey(), &intent, 0, &[half; 3]);
    office.by(Role::Solver, "set_batch_cells", &cells);
    // More may be spent on it than it engages.
    let seal = doubled.seal(&solver.pubkey());
    refuse(&mut office, &seal, &[&solver], IndexError::Overspend);
    let unbacked = office.create_batch("unbacked", 3, 1);
    office.build(&unbacked, &[], 10 * ONE);
    let join = unbacked.join(
        &solver.pubkey(),
        &intent,
        Atoms(90 * QUOTE),
        Tokens(100 * TOKEN),
    );
    office.by(Role::Solver, "join_batch", &join);
    let mut shares = [Share {
        fraction: Fraction(WHOLE),
        contribution: Quantity::new(Office::units_of(100 * TOKEN)),
    }; 3];
    shares[2].contribution = Quantity::new(Office::units_of(100 * TOKEN) - 1);
    let cells = unbacked.set_cells(&solver.pubkey(), &intent, 0, &shares);
    office.by(Role::Solver, "set_batch_cells", &cells);
    office.by(Role::Solver, "seal_batch", &unbacked.seal(&solver.pubkey()));
    let engage = unbacked.engage(&orders.pubkey(), &intent);
    refuse(&mut office, &engage, &[&orders], IndexError::AboveFill);
    // Another index, whose weights it would fit.
    let pair = office.fair.open_index("light", 2);
    let light = swapped(&engage, 4, pair.index);
    refuse(
        &mut office,
        &light,
        &[&orders],
        IndexError::WrongCounterpart,
    );
    // More than is set aside for the order.
    let greedy: [Part; 1] = [(intent, AMOUNT + 1, 100 * TOKEN)];
    let over = office.seal("over", 4, &greedy, 0);
    let engage = over.engage(&orders.pubkey(), &intent);
    refuse(
        &mut office,
        &engage,
        &[&orders],
        IndexError::NotEnoughCollateral,
    );
    // A price above the owner's.
    let capped = Wish {
        limit_atoms: 899_999,
        ..wish()
    };
    let second = office.submit(0, 2, &capped);
    office.make_ready(&second, 0);
    let dear = office.seal("dear", 5, &[(second, 90 * QUOTE, 100 * TOKEN)], 0);
    let engage = dear.engage(&orders.pubkey(), &second);
    refuse(&mut office, &engage, &[&orders], IndexError::WorsePrice);
    office.audit();
    office.prove();
}

#[test]
fn shares_sum_to_one_and_an_order_is_in_one_batch() {
    let (mut office, intent) = ready();
    let ben = office.join(500 * QUOTE);
    office.deposit(ben, 1, 200 * QUOTE);
    let second = office.submit(ben, 1, &wish());
    office.make_ready(&second, 0);
    let solver = office.holder(Role::Solver);
    let key = solver.pubkey();
    let batch = office.create_batch("one", 1, 2);
    office.build(&batch, &[], 40 * ONE);
    let share = |fraction| Share {
        fraction: Fraction(fraction),
        contribution: Quantity::new(Office::units_of(100 * TOKEN)),
    };
    for order in [&intent, &second] {
        let join = batch.join(&key, order, Atoms(90 * QUOTE), Tokens(100 * TOKEN));
        office.by(Role::Solver, "join_batch", &join);
        refuse(&mut office, &join, &[&solver], IndexError::NotAMember);
    }
    let own = batch.set_cells(&key, &intent, 0, &[share(WHOLE / 2); 3]);
    office.by(Role::Solver, "set_batch_cells", &own);
    let above = [share(WHOLE / 2), share(WHOLE / 2), share(WHOLE / 2 + 1)];
    let above = batch.set_cells(&key, &second, 0, &above);
    refuse(
        &mut office,
        &above,
        &[&solver],
        IndexError::FractionsAboveOne,
    );
    let rest = batch.set_cells(&key, &second, 0, &[share(WHOLE / 2); 3]);
    office.by(Role::Solver, "set_batch_cells", &rest);
    office.by(Role::Solver, "seal_batch", &batch.seal(&key));
    let other = office.seal("two", 2, &[(intent, 90 * QUOTE, 100 * TOKEN)], 0);
    let parts = [(intent, 0, 0), (second, 0, 0)];
    office.launch(&batch, &parts);
    // Locked in one batch, an order cannot be locked in another, taken from
    // by another, or taken back by its owner.
    let orders = office.holder(Role::OrderManager);
    let again = other.engage(&orders.pubkey(), &intent);
    refuse(
        &mut office,
        &again,
        &[&orders],
        IndexError::IllegalTransition,
    );
    let runner = office.holder(Role::BatchManager);
    let foreign = other.fill(&runner.pubkey(), &intent, Tokens(1));
    refuse(
        &mut office,
        &foreign,
        &[&runner],
        IndexError::WrongCounterpart,
    );
    let wallet = office.wallet(0);
    let cancel = intent.end(&wallet.pubkey(), Action::Cancel);
    refuse(
        &mut office,
        &cancel,
        &[&wallet],
        IndexError::IllegalTransition,
    );
    // Two members take no more together than was bought, nor more than reported.
    let venue = office.holder(Role::InventoryManager);
    let mut fill = office.fill_of(1, 0, 40 * ONE, 1_000);
    let report = batch.report_fill(&venue.pubkey(), Office::place(0), &fill);
    let elsewhere = swapped(&report, 3, office.stock(1).inventory());
    refuse(
        &mut office,
        &elsewhere,
        &[&venue],
        IndexError::WrongCounterpart,
    );
    office.by(Role::InventoryManager, "report_fill", &report);
    refuse(&mut office, &report, &[&venue], IndexError::FillRepeated);
    (fill.number, fill.batch) = (99, 2);
    let mixed = batch.report_fill(&venue.pubkey(), Office::place(0), &fill);
    refuse(&mut office, &mixed, &[&venue], IndexError::WrongCounterpart);
    (fill.number, fill.batch) = (99, 1);
    let more = batch.report_fill(&venue.pubkey(), Office::place(0), &fill);
    refuse(&mut office, &more, &[&venue], IndexError::AboveOrdered);
    let dear = office.fill_of(1, 1, ONE, 1_011);
    let report = batch.report_fill(&venue.pubkey(), Office::place(1), &dear);
    refuse(&mut office, &report, &[&venue], IndexError::AboveLimitPrice);
    for slot in [1, 2] {
        let fill = office.fill_of(1, slot, 10 * ONE, 1_000);
        let report = batch.report_fill(&venue.pubkey(), (slot.into(), name(slot)), &fill);
        office.by(Role::InventoryManager, "report_fill", &report);
    }
    let too_much = batch.fill(&runner.pubkey(), &intent, Tokens(50 * TOKEN + 1));
    refuse(&mut office, &too_much, &[&runner], IndexError::AboveFill);
    assert_eq!(office.take(&batch, &intent), 50 * TOKEN);
    let nothing = batch.fill(&runner.pubkey(), &intent, Tokens(1));
    refuse(&mut office, &nothing, &[&runner], IndexError::AboveFill);
    assert_eq!(office.take(&batch, &second), 50 * TOKEN);
    office.finish(&batch, &parts);
    office.prove();
}

#[test]
fn a_payment_is_confirmed_once_and_a_token_minted_once_for_it() {
    let (mut office, intent, _) = mintable(50);
    let (manager, connector) = (
        office.holder(Role::CollateralManager),
        office.holder(Role::ChainConnector),
    );
    let tokens = office.users[0].tokens;
    let mint = intent.mint(&connector.pubkey(), &tokens);
    refuse(
        &mut office,
        &mint,
        &[&connector],
        IndexError::IllegalTransition,
    );
    // The desk is paid where its administrator said, with this position's collateral.
    let confirm = intent.confirm_payment(&manager.pubkey(), &office.payout);
    let purse = office.users[0].collateral;
    let away = swapped(&confirm, 6, purse);
    refuse(
        &mut office,
        &away,
        &[&manager],
        IndexError::WrongCounterpart,
    );
    let ben = office.join(500 * QUOTE);
    office.deposit(ben, 1, 200 * QUOTE);
    let other = office.position_of(&office.users[ben].key()).address();
    let charged = swapped(&confirm, 3, other);
    refuse(
        &mut office,
        &charged,
        &[&manager],
        IndexError::WrongCounterpart,
    );
    let before = office.order(&intent).holdings;
    ok(office.send("confirm_payment", &confirm, &[&manager]));
    refuse(
        &mut office,
        &confirm,
        &[&manager],
        IndexError::IllegalTransition,
    );
    assert_eq!(office.order(&intent).holdings.paid, before.spent);
    let deny = intent.end(&manager.pubkey(), Action::DenyPayment);
    refuse(
        &mut office,
        &deny,
        &[&manager],
        IndexError::IllegalTransition,
    );
    // The tokens are the owner's, of this index, and there once.
    let loot = office.users[ben].tokens;
    let stolen = intent.mint(&connector.pubkey(), &loot);
    refuse(&mut office, &stolen, &[&connector], IndexError::WrongMint);
    let wrong = intent.mint(&connector.pubkey(), &purse);
    refuse(&mut office, &wrong, &[&connector], IndexError::WrongMint);
    let pair = office.fair.open_index("other", 2);
    let other = swapped(&mint, 4, pair.index);
    refuse(
        &mut office,
        &other,
        &[&connector],
        IndexError::WrongCounterpart,
    );
    let other = swapped(&mint, 5, address::index_mint(&pair.index));
    refuse(
        &mut office,
        &other,
        &[&connector],
        IndexError::WrongCounterpart,
    );
    let forged = plant_copy(
        &mut office.fair.exchange.session,
        &intent.address(),
        |account| account.owner = address::TOKEN,
    );
    let other = swapped(&mint, 2, forged);
    refuse(&mut office, &other, &[&connector], IndexError::WrongRecord);
    ok(office.send("mint_index", &mint, &[&connector]));
    refuse(
        &mut office,
        &mint,
        &[&connector],
        IndexError::IllegalTransition,
    );
    let got = office.fair.exchange.session.token_balance(&tokens);
    assert_eq!(got, before.filled.0);
    // A lot is attributed to what was minted, and no further than it reaches.
    let venue = office.holder(Role::InventoryManager);
    let lot = office.stock(0);
    let assign = |units| lot.assign(&venue.pubkey(), &intent, 1, Quantity::new(units));
    ok(office.send("assign_lot", &assign(8 * ONE), &[&venue]));
    refuse(&mut office, &assign(1), &[&venue], IndexError::NoLot);
    let waiting = office.submit(ben, 1, &wish());
    let early = lot.assign(&venue.pubkey(), &waiting, 1, Quantity::new(1));
    refuse(
        &mut office,
        &early,
        &[&venue],
        IndexError::IllegalTransition,
    );
    // Spends are dropped at the end, once.
    let archive = intent.archive_spends();
    refuse(&mut office, &archive, &[], IndexError::IllegalTransition);
    let invoice = intent.write_invoice(&office.key(2));
    office.by(Role::OrderManager, "write_invoice", &invoice);
    ok(office.send("archive_spends", &archive, &[]));
    refuse(&mut office, &archive, &[], IndexError::NoLot);
    office.audit();
    office.prove();
}
