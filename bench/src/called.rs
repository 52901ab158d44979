//! The same route by cross-program call: what the suite would cost if its
//! programs called each other, or a Router called the slabs.
//!
//! The owner is the program of `bench/programs/cpi-router`: one instruction of it
//! makes every call of the route, on the same slabs and books. The runtime
//! charges a unit for 250 bytes of every account that a call passes, so a full
//! slab costs 41,943 each time that it is named.

use crate::batch::{self, batch};
use crate::matrix::{SAMPLES, shown};
use crate::routes::{FUNDS, Routes};
use anyhow::{Context, Result, anyhow};
use flagstone_sdk::embedded::{Failure, Receipt, Seat};
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::{address, router, slab};
use solana_account::Account;
use solana_address::Address;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use std::path::Path;

/// Bytes of an account that a call passes for one compute unit.
const BYTES_PER_UNIT: u64 = 250;
/// Compute units of a call by itself.
const INVOKE: u64 = 1_000;
/// Most compute units of a transaction.
const UNITS_MAX: u32 = 1_400_000;

/// What the route costs by call.
pub(crate) struct Called {
    /// Compute units of whole transactions, measured.
    pub(crate) measured: Vec<u64>,
    /// What the runtime's rule charges for the calls alone, computed.
    pub(crate) rule: u64,
}

/// Measures the route over all slabs of the bench by call.
pub(crate) fn measure(bench: &mut Routes, programs: &Path) -> Result<Called> {
    let file = programs.join("flagstone_cpi_router.so");
    let added = bench
        .exchange
        .session
        .svm
        .add_program_from_file(batch::CPI_ROUTER, &file);
    added.map_err(|error| {
        let file = file.display();
        anyhow!("{file}: {error}: run `cargo xtask build-sbf --program cpi-router`")
    })?;
    let seats = open(bench)?;
    let route = bench.route_by((batch::owner(), batch::trader()), &seats, 0, 1)?;
    let once = batch(&route.instructions());
    let mut named: Vec<Address> = once.accounts.iter().map(|meta| meta.pubkey).collect();
    named.extend(route.lookup_addresses());
    named.dedup();
    let session = &mut bench.exchange.session;
    let table = session.create_lookup_table(&named).map_err(shown)?;
    let rule = rule(bench, &route.instructions())?;
    let mut measured = Vec::new();
    for sample in 0..SAMPLES {
        let before = bench.snapshot(&batch::owner(), &seats)?;
        let route = bench.route_by((batch::owner(), batch::trader()), &seats, sample, 1)?;
        let instructions = [limit(), batch(&route.instructions())];
        let session = &mut bench.exchange.session;
        let receipt = session
            .send_with_table(&instructions, &[], &table)
            .map_err(shown)?;
        measured.push(receipt.compute_units);
        bench.restore(before)?;
    }
    Ok(Called { measured, rule })
}

/// A unit for 250 bytes of every account of every call, and the call itself.
fn rule(bench: &Routes, calls: &[Instruction]) -> Result<u64> {
    let mut units = 0;
    for call in calls {
        units += INVOKE;
        let mut passed: Vec<Address> = call.accounts.iter().map(|meta| meta.pubkey).collect();
        passed.sort_unstable();
        passed.dedup();
        for key in passed {
            let bytes = bench.exchange.session.data(&key).len() as u64;
            units += bytes / BYTES_PER_UNIT;
        }
    }
    anyhow::ensure!(units < UNITS_MAX.into(), "the calls fit no transaction");
    Ok(units)
}

/// Opens the program's portfolio and an account of it at every slab, all by call.
fn open(bench: &mut Routes) -> Result<Vec<Seat>> {
    let owner = batch::owner();
    let rent = Account {
        lamports: 1_000_000_000,
        ..Account::default()
    };
    let set = bench.exchange.session.svm.set_account(owner, rent);
    set.map_err(|error| anyhow!("{error:?}"))?;
    let tokens = bench.exchange.create_tokens(&owner, FUNDS).map_err(shown)?;
    let mint = bench.exchange.mint;
    let begin = [
        router::open_portfolio(&owner),
        router::deposit(&owner, &mint, &tokens, FUNDS),
    ];
    send(bench, &begin).map_err(shown)?;
    let mut seats = Vec::new();
    for at in bench.seats.clone() {
        let escrow = address::escrow(&at.slab, &owner, &mint);
        let join = [
            router::open_escrow(&owner, &at.slab, &mint, &batch::trader()),
            router::bind_escrow(&owner, &at.slab, &mint),
            slab::open_account(&at.slab, &escrow),
        ];
        send(bench, &join).map_err(shown)?;
        let bound: Escrow = bench
            .exchange
            .session
            .record(&escrow)
            .context("an escrow")?;
        seats.push(Seat {
            slab: at.slab,
            escrow,
            account: bound.bound_account as u16,
        });
    }
    Ok(seats)
}

fn send(bench: &mut Routes, calls: &[Instruction]) -> Result<Receipt, Box<Failure>> {
    bench.exchange.session.send(&[limit(), batch(calls)], &[])
}

fn limit() -> Instruction {
    ComputeBudgetInstruction::set_compute_unit_limit(UNITS_MAX)
}
