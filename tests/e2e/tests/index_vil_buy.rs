//! The paper's buy order as a stored program with a subroutine, on chain.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::plant_copy;
use flagstone_e2e_tests::index::{Fair, ONE};
use flagstone_e2e_tests::refusal::{Why, refused, snapshot};
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::address;
use flagstone_sdk::index::{self, VilRun};
use flagstone_sdk::index_engine::table::TableSpec;
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::interface::index::vil as ids;
use flagstone_sdk::kernels::asm::listings::{BUY, SOLVE_QUADRATIC};
use flagstone_sdk::kernels::asm::{Assembly, Symbols, assemble};
use flagstone_sdk::kernels::index::Quote;
use flagstone_sdk::kernels::orders::{OrderRow, Terms, buy};
use flagstone_sdk::kernels::{Amount, Compat};
use flagstone_sdk::units::Side;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Numbers under which the programs are stored.
const BUY_ID: u64 = 1;
const SOLVER_ID: u64 = 7;

/// Ids of the table's vectors.
const ORDER: u128 = ids::OUTPUTS_FROM + 1;
const FRACTIONS: u128 = ids::OUTPUTS_FROM + 2;
const EXECUTED_FILL: u128 = ids::OUTPUTS_FROM + 3;
const EXECUTED_INDEX: u128 = ids::OUTPUTS_FROM + 4;
const EXECUTED_ASSETS: u128 = ids::OUTPUTS_FROM + 5;

/// What each run of the buy adds to its order, and the most that one trades.
const ADDED: u128 = 700 * ONE;
const ORDER_SIZE_MAX: u128 = 500 * ONE;

/// Most that the listing may cost: six times the native kernel in the paper's
/// arithmetic (`buy_50_150_compat` of `bench/baseline.json`).
const LISTING_UNITS_MAX: u64 = 6 * 58_614;

fn listing(text: &str) -> Assembly {
    let names = [
        ("asset_names_id", ids::INDEX_LABELS),
        ("market_asset_names_id", ids::MARKET_LABELS),
        ("asset_weights_id", ids::INDEX_WEIGHTS),
        ("asset_contribution_fractions_id", FRACTIONS),
        ("order_id", ORDER),
        ("index_quote_id", ids::QUOTE_ASK),
        ("executed_asset_quantities_id", EXECUTED_ASSETS),
        ("executed_fill_id", EXECUTED_FILL),
        ("executed_index_quantities_id", EXECUTED_INDEX),
        ("solve_quadratic_id", SOLVER_ID.into()),
        ("margin_id", ids::MARGINS),
        ("supply_long_id", ids::SUPPLY_LONG),
        ("supply_short_id", ids::SUPPLY_SHORT),
        ("demand_long_id", ids::DEMAND_LONG),
        ("demand_short_id", ids::DEMAND_SHORT),
        ("delta_long_id", ids::DELTA_LONG),
        ("delta_short_id", ids::DELTA_SHORT),
        ("collateral_added", ADDED),
        ("collateral_removed", 0),
        ("max_order_size", ORDER_SIZE_MAX),
    ];
    assemble(text, &Symbols::from_iter(names)).expect("a listing")
}

fn specs(assets: u32, constituents: u32) -> Vec<TableSpec> {
    let spec = |(id, capacity): (u128, u32)| TableSpec {
        id: [id as u64, 0],
        capacity,
        kind: 0,
    };
    let vectors = [
        (ids::DEMAND_LONG, assets),
        (ids::DEMAND_SHORT, assets),
        (ids::DELTA_LONG, assets),
        (ids::DELTA_SHORT, assets),
        (ORDER, 3),
        (FRACTIONS, constituents),
        (EXECUTED_FILL, 2),
        (EXECUTED_INDEX, 2),
        (EXECUTED_ASSETS, constituents),
    ];
    vectors.map(spec).to_vec()
}

/// A market, an author of programs and a table.
struct Desk {
    fair: Fair,
    author: Keypair,
    table: Address,
}

impl Desk {
    /// A market in which something was bought, the two programs, and a table.
    fn open(assets: u16, constituents: u16) -> Self {
        let mut fair = Fair::open(assets, constituents);
        let user = fair.join(5_000 * QUOTE);
        let order = fair.order(&user, Side::Bid, 1, 900 * QUOTE);
        fair.finish(&order);
        ok(fair.send(&[fair.pair.update_quote()], &[]));
        let author = fair.exchange.session.new_wallet();
        let specs = specs(assets.into(), constituents.into());
        let account = fair.seeded(&author.pubkey(), "table", index::table_bytes(&specs));
        let table = account.address().expect("a short seed");
        let create = index::create_table(&account, &specs).expect("a short seed");
        ok(fair.send(&create, &[&author]));
        let mut desk = Self {
            fair,
            author,
            table,
        };
        let fractions: Vec<u128> = (0..u128::from(constituents))
            .map(|at| ONE / 2 + at * 1_000_000_007)
            .collect();
        for (part, fractions) in fractions.chunks(40).enumerate() {
            desk.write(FRACTIONS, part as u32 * 40, fractions);
        }
        desk.write(ORDER, 0, &[0, 0, 0]);
        let (buy, solver) = (listing(BUY.text), listing(SOLVE_QUADRATIC.text));
        desk.store(BUY_ID, 0, &buy);
        desk.store(SOLVER_ID, 3, &solver);
        desk
    }

    fn write(&mut self, id: u128, from: u32, numbers: &[u128]) {
        let owner = self.author.pubkey();
        let write = index::write_table(&self.table, &owner, id, from, numbers);
        ok(self.fair.send(&[write], &[&self.author]));
    }

    fn store(&mut self, id: u64, inputs: u8, program: &Assembly) {
        let owner = self.author.pubkey();
        let (registers, code) = (program.registers, &program.code);
        let store = index::store_subroutine(&owner, id, registers, inputs, code);
        ok(self.fair.send(&[store], &[&self.author]));
    }

    fn program(&self, id: u64) -> Address {
        address::vil_program(&self.author.pubkey(), id)
    }

    /// A run of the buy with these subroutines.
    fn run(&self, subroutines: &[Address]) -> [Instruction; 2] {
        let run = VilRun {
            program: self.program(BUY_ID),
            subroutines,
            table: Some(self.table),
            owner: Some(self.author.pubkey()),
            words: 2_048,
        };
        let heap = run.heap().expect("more than there is");
        [heap, run.instruction(&self.fair.pair)]
    }

    fn vector(&self, id: u128) -> Vec<u128> {
        let data = self.fair.exchange.session.data(&self.table);
        index::read_table(&data, id, 0).expect("a vector")
    }

    #[track_caller]
    fn refused(&mut self, instructions: &[Instruction], signs: bool, why: impl Into<Why>) {
        let signers: &[&Keypair] = if signs { &[&self.author] } else { &[] };
        let session = &mut self.fair.exchange.session;
        refused(session, instructions, signers, why);
    }
}

#[test]
fn k6_the_papers_buy_runs_from_accounts_and_is_the_native_kernel_to_the_unit() {
    let mut desk = Desk::open(150, 50);
    let (_, mut assets) = desk.fair.market();
    let (head, constituents) = desk.fair.index();
    let side = head.state.quote.ask;
    let amount = |words: [u64; 2]| Amount::new(u128::from(words[0]) | u128::from(words[1]) << 64);
    let quote = Quote {
        capacity: amount(side.capacity),
        price: amount(side.price),
        slope: amount(side.slope),
    };
    let fractions: Vec<Amount> = desk
        .vector(FRACTIONS)
        .into_iter()
        .map(Amount::new)
        .collect();
    assert_eq!(fractions.len(), 50);
    let solver = desk.program(SOLVER_ID);
    let mut row = OrderRow::default();
    // The second run goes on from what the first left in the table.
    for run in 0..2 {
        let before = snapshot(&desk.fair.exchange.session);
        let run_it = desk.run(&[solver]);
        let receipt = ok(desk.fair.send(&run_it, &[&desk.author]));
        println!("VIL buy 50/150, run {run}: {} CU", receipt.compute_units);
        assert!(receipt.compute_units <= LISTING_UNITS_MAX);
        let mut after = snapshot(&desk.fair.exchange.session);
        after.insert(desk.table, before[&desk.table].clone());
        assert!(before == after, "nothing but the table changed");

        let terms = Terms {
            quote: &quote,
            added: Amount::new(ADDED),
            removed: Amount::ZERO,
            order_size_max: Amount::new(ORDER_SIZE_MAX),
            fractions: Some(&fractions),
        };
        let mut traded = Vec::new();
        let bought = buy::<Compat>(&mut assets, &constituents, &mut row, &terms, |_, units| {
            traded.push(units);
        });
        let fill = bought.expect("a fill");
        assert!(fill.got > Amount::ZERO);
        let column = |read: fn(&flagstone_sdk::kernels::market::Asset) -> Amount| -> Vec<u128> {
            assets.iter().map(|asset| read(asset).get()).collect()
        };
        assert_eq!(desk.vector(ids::DEMAND_LONG), column(|a| a.demand_long));
        assert_eq!(desk.vector(ids::DEMAND_SHORT), column(|a| a.demand_short));
        assert_eq!(desk.vector(ids::DELTA_LONG), column(|a| a.delta_long));
        assert_eq!(desk.vector(ids::DELTA_SHORT), column(|a| a.delta_short));
        assert_eq!(desk.vector(EXECUTED_ASSETS), traded);
        let numbers = [row.remaining, row.given, row.got].map(Amount::get);
        assert_eq!(desk.vector(ORDER), numbers);
        let filled = [fill.given, fill.got].map(Amount::get);
        let mut listed = desk.vector(EXECUTED_FILL);
        listed.sort_unstable();
        let mut expected = filled.to_vec();
        expected.sort_unstable();
        assert_eq!(listed, expected);
        let slot = desk.fair.exchange.session.slot();
        desk.fair.exchange.session.warp_to(slot + 1);
    }
    assert!(row.given.get() > 0 && row.remaining.get() == 2 * ADDED - row.given.get());
}

#[test]
fn ix11_a_missing_foreign_forged_or_circular_subroutine_is_refused_by_name() {
    let mut desk = Desk::open(20, 10);
    let solver = desk.program(SOLVER_ID);
    let lonely = desk.run(&[]);
    desk.refused(&lonely, true, IndexError::SubroutineMissing);
    let twice = desk.run(&[solver, solver]);
    desk.refused(&twice, true, IndexError::OutOfOrder);
    // Another author's program of the same number.
    let other = desk.fair.exchange.session.new_wallet();
    let code = listing(SOLVE_QUADRATIC.text);
    let store = index::store_subroutine(&other.pubkey(), SOLVER_ID, code.registers, 3, &code.code);
    ok(desk.fair.send(&[store], &[&other]));
    let foreign = desk.run(&[address::vil_program(&other.pubkey(), SOLVER_ID)]);
    desk.refused(&foreign, true, IndexError::WrongCounterpart);
    // Bytes of the right shape that the program does not own.
    let session = &mut desk.fair.exchange.session;
    let forged = plant_copy(session, &solver, |account| account.owner = other.pubkey());
    let forged = desk.run(&[forged]);
    desk.refused(&forged, true, IndexError::WrongRecord);
    let index_as_program = desk.run(&[desk.fair.pair.index]);
    desk.refused(&index_as_program, true, IndexError::WrongRecord);
    // A program that calls itself through another.
    let symbols = Symbols::from_iter([("first", 20u128), ("second", 21), ("lone", 22)]);
    let assembled = |text: &str| assemble(text, &symbols).expect("a listing");
    desk.store(20, 0, &assembled("B second 0 0 0"));
    desk.store(21, 0, &assembled("B first 0 0 0"));
    desk.store(22, 0, &assembled("B lone 0 0 0"));
    for (first, second) in [(20, 21), (21, 20), (22, 22)] {
        let pair = desk.fair.pair;
        let (both, lone) = (
            [desk.program(first), desk.program(second)],
            [desk.program(first)],
        );
        let run = VilRun {
            program: desk.program(first),
            subroutines: if first == second { &lone } else { &both },
            ..VilRun::default()
        };
        let run = run.instruction(&pair);
        desk.refused(&[run], false, IndexError::SubroutineMissing);
    }
}

#[test]
fn ix11_folds_within_folds_end_at_the_limit_of_steps() {
    let mut desk = Desk::open(150, 50);
    let symbols = Symbols::from_iter([
        ("labels", ids::MARKET_LABELS),
        ("inner", 31u128),
        ("innermost", 32),
    ]);
    let assembled = |text: &str| assemble(text, &symbols).expect("a listing");
    desk.store(30, 0, &assembled("LDL labels\nFOLD inner 0 0 0"));
    desk.store(
        31,
        1,
        &assembled("POPN 1\nLDL labels\nFOLD innermost 0 0 0"),
    );
    desk.store(
        32,
        1,
        &assembled("POPN 1\nLDL labels\nPOPN 1\nLDL labels\nPOPN 1"),
    );
    let subroutines = [desk.program(31), desk.program(32)];
    let run = VilRun {
        program: desk.program(30),
        subroutines: &subroutines,
        ..VilRun::default()
    };
    let run = run.instruction(&desk.fair.pair);
    let mut limit = desk.run(&[])[0].clone();
    // `SetComputeUnitLimit`.
    limit.data = [&[2][..], &1_400_000u32.to_le_bytes()[..]].concat();
    desk.refused(&[limit, run], false, IndexError::OutOfSteps);
}

#[test]
fn ix11_a_table_is_written_by_its_owner_alone() {
    let mut desk = Desk::open(20, 10);
    let solver = desk.program(SOLVER_ID);
    let thief = desk.fair.exchange.session.new_wallet();
    // Without the owner's signature, or with another's.
    let [heap, mut run] = desk.run(&[solver]);
    run.accounts.pop();
    desk.refused(&[heap.clone(), run.clone()], false, IndexError::WrongSigner);
    run.accounts
        .push(solana_instruction::AccountMeta::new_readonly(
            thief.pubkey(),
            true,
        ));
    let session = &mut desk.fair.exchange.session;
    refused(
        session,
        &[heap.clone(), run],
        &[&thief],
        IndexError::WrongSigner,
    );
    // A table that is only read takes no stores.
    let read_only = VilRun {
        program: desk.program(BUY_ID),
        subroutines: &[solver],
        table: Some(desk.table),
        owner: None,
        words: 2_048,
    };
    let run = read_only.instruction(&desk.fair.pair);
    desk.refused(&[heap.clone(), run], false, IndexError::ProgramFailed);
    // Too much memory, and two tables.
    let greedy = VilRun {
        words: 12_289,
        ..read_only
    };
    let run = greedy.instruction(&desk.fair.pair);
    desk.refused(&[heap.clone(), run], false, IndexError::BadParameter);
    let mut run = read_only.instruction(&desk.fair.pair);
    run.accounts.push(run.accounts[4].clone());
    desk.refused(&[heap, run], false, IndexError::OutOfOrder);
    // By hand: a thief, an unknown vector, a gap, more than its room.
    let (table, owner) = (desk.table, desk.author.pubkey());
    let write = index::write_table(&table, &thief.pubkey(), ORDER, 0, &[1]);
    let session = &mut desk.fair.exchange.session;
    refused(session, &[write], &[&thief], IndexError::WrongSigner);
    for (id, from, numbers, error) in [
        (999, 0, &[1][..], IndexError::NoLot),
        (EXECUTED_FILL, 1, &[1], IndexError::OutOfOrder),
        (ORDER, 0, &[1, 2, 3, 4], IndexError::MarketFull),
        (ORDER, u32::MAX, &[1], IndexError::OutOfOrder),
    ] {
        let write = index::write_table(&table, &owner, id, from, numbers);
        desk.refused(&[write], true, error);
    }
    // Nobody takes an account over, nor makes it twice.
    let specs = specs(20, 10);
    let seeded = desk
        .fair
        .seeded(&owner, "table", index::table_bytes(&specs));
    let again = index::create_table(&seeded, &specs).expect("a short seed");
    desk.refused(&again[1..], true, IndexError::AlreadyInitialized);
    let mut stolen = again[1].clone();
    stolen.accounts[1].pubkey = thief.pubkey();
    let session = &mut desk.fair.exchange.session;
    refused(session, &[stolen], &[&thief], IndexError::WrongAddress);
}
