//! Programs of the vector machine, stored and run on a market's vectors.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::plant_copy;
use flagstone_e2e_tests::index::Fair;
use flagstone_e2e_tests::ok;
use flagstone_e2e_tests::refusal::{refused, snapshot};
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::interface::index::vil as ids;
use flagstone_sdk::kernels::asm::listings::UPDATE_QUOTE;
use flagstone_sdk::kernels::asm::{Assembly, Symbols, assemble};
use flagstone_sdk::kernels::index::update_quote_compat;
use flagstone_sdk::{address, index};
use solana_signer::Signer;

/// Where the quote is stored.
const QUOTE_ID: u128 = ids::OUTPUTS_FROM + 1;

fn quote_program(quote_id: u128) -> Assembly {
    let mut symbols = Symbols::new();
    for (name, id) in [
        ("weights_id", ids::INDEX_WEIGHTS),
        ("index_asset_names_id", ids::INDEX_LABELS),
        ("market_asset_names_id", ids::MARKET_LABELS),
        ("asset_prices_id", ids::PRICES),
        ("asset_slopes_id", ids::SLOPES),
        ("asset_liquidity_id", ids::LIQUIDITY),
        ("quote_id", quote_id),
    ] {
        symbols.define(name, id);
    }
    assemble(UPDATE_QUOTE.text, &symbols).expect("a listing")
}

/// The bytes of a line of the log.
fn decoded(line: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = line.bytes().filter_map(|byte| {
        let value = DIGITS.iter().position(|digit| *digit == byte)?;
        Some(value as u32)
    });
    let digits: Vec<u32> = digits.collect();
    let mut bytes = Vec::new();
    for group in digits.chunks(4) {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        let count = group.len() * 6 / 8;
        bytes.extend(bits.to_be_bytes()[1..=count].iter());
    }
    bytes
}

#[test]
fn k6_ix11_a_stored_listing_quotes_as_the_native_kernel_does_and_changes_nothing() {
    let mut fair = Fair::open(150, 50);
    let author = fair.exchange.session.new_wallet();
    let program = quote_program(QUOTE_ID);
    let store = index::store_program(&author.pubkey(), 1, program.registers, &program.code);
    ok(fair.send(std::slice::from_ref(&store), &[&author]));
    let key = address::vil_program(&author.pubkey(), 1);
    let before = snapshot(&fair.exchange.session);
    let run = index::execute_vil(&fair.pair, &key);
    let receipt = ok(fair.send(&[run], &[]));
    assert!(
        before == snapshot(&fair.exchange.session),
        "nothing changed"
    );
    println!("VIL update_quote 50/150: {} CU", receipt.compute_units);
    let line = receipt
        .logs
        .iter()
        .find_map(|line| line.strip_prefix("Program data: "));
    let bytes = decoded(line.expect("a record"));
    let words: Vec<u128> = bytes
        .chunks_exact(16)
        .map(|word| u128::from_le_bytes(word.try_into().expect("sixteen bytes")))
        .collect();
    let (_, assets) = fair.market();
    let (_, constituents) = fair.index();
    let quote = update_quote_compat(&assets, &constituents).expect("a quote");
    let expected = [quote.capacity, quote.price, quote.slope].map(|amount| amount.get());
    assert_eq!(words[..2], [QUOTE_ID, 3]);
    assert_eq!(words[2..], expected);
    // A program is stored once.
    let slot = fair.exchange.session.slot();
    fair.exchange.session.warp_to(slot + 1);
    let session = &mut fair.exchange.session;
    refused(
        session,
        &[store],
        &[&author],
        IndexError::AlreadyInitialized,
    );
}

#[test]
fn ix11_bad_programs_are_not_stored_and_failing_ones_do_nothing() {
    let mut fair = Fair::open(20, 10);
    let author = fair.exchange.session.new_wallet();
    let good = quote_program(QUOTE_ID);
    let mut cut = good.code.clone();
    cut.pop();
    let store =
        |id, registers, code: &[u8]| index::store_program(&author.pubkey(), id, registers, code);
    for (registers, code) in [
        (good.registers, &cut[..]),
        (good.registers - 1, &good.code[..]),
        (4, &[][..]),
        (4, &[255, 255, 255][..]),
        (4, &[50, 0][..]),
    ] {
        let session = &mut fair.exchange.session;
        refused(
            session,
            &[store(1, registers, code)],
            &[&author],
            IndexError::BadProgram,
        );
    }
    // One that would overwrite the market's prices, and one that loads nothing known.
    let overwrite = quote_program(ids::PRICES);
    ok(fair.send(
        &[store(2, overwrite.registers, &overwrite.code)],
        &[&author],
    ));
    let mut symbols = Symbols::new();
    symbols.define("nothing", 777);
    let lost = assemble("LDV nothing", &symbols).expect("a listing");
    ok(fair.send(&[store(3, lost.registers, &lost.code)], &[&author]));
    for id in [2, 3] {
        let run = index::execute_vil(&fair.pair, &address::vil_program(&author.pubkey(), id));
        let session = &mut fair.exchange.session;
        refused(session, &[run], &[], IndexError::ProgramFailed);
    }
    // Code that nobody validated.
    let key = address::vil_program(&author.pubkey(), 2);
    let forged = plant_copy(&mut fair.exchange.session, &key, |account| {
        account.owner = author.pubkey();
    });
    let run = index::execute_vil(&fair.pair, &forged);
    let session = &mut fair.exchange.session;
    refused(session, &[run], &[], IndexError::WrongRecord);
    let run = index::execute_vil(&fair.pair, &fair.pair.index);
    let session = &mut fair.exchange.session;
    refused(session, &[run], &[], IndexError::WrongRecord);
}
