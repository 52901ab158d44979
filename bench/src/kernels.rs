//! The index kernels on SBF, over the golden vectors' markets of 150 assets.
//!
//! A figure is what the kernel alone costs: from the units of a transaction that runs
//! it those of the same transaction are taken that only finds the parts of the
//! account, so input parsing and account checks are apart. Each run happens a second
//! time on the host, on the same bytes, and both must leave the same bytes behind;
//! the first sample of an order must be what the vectors expect.

use crate::matrix::{Row, SAMPLES, row, shown};
use crate::work::{self, Head, JoinHead, id};
use anyhow::{Context, Result, anyhow, ensure};
use bytemuck::Zeroable;
use flagstone_kernels::Amount;
use flagstone_kernels::asm::{Symbols, assemble, listings};
use flagstone_kernels::index::{Constituent, update_quote_compat};
use flagstone_kernels::market::{Asset, Place};
use flagstone_kernels::vil::JoinVariant;
use flagstone_sdk::embedded::Session;
use flagstone_vectors::{state, value};
use serde_json::Value;
use solana_account::Account;
use solana_address::Address;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use std::path::{Path, PathBuf};

pub(crate) const BUY_50: &str = "own/2_buy_50_of_150";
const BUY_100: &str = "own/3_buy_100_of_150";
const SELL_50: &str = "own/6_sell_50_of_150";

/// Where the golden vectors are: `FLAGSTONE_VECTORS`, else beside the repository.
pub(crate) fn vectors() -> Option<PathBuf> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors"));
    let folder = std::env::var_os("FLAGSTONE_VECTORS").map_or_else(beside, PathBuf::from);
    let file = folder.join("vil.json");
    file.is_file().then_some(file)
}

/// Rows of the kernels.
pub(crate) fn measure(programs: &Path, vectors: &Path) -> Result<Vec<Row>> {
    let mut chain = Chain::start(programs)?;
    let cases = Cases::read(vectors)?;
    let (buy_50, buy_100) = (cases.get(BUY_50)?, cases.get(BUY_100)?);
    let mut sell_50 = cases.get(SELL_50)?;
    // The same index; the vector has no fractions of its own and expects none.
    chain.expect(work::SELL, &sell_50)?;
    sell_50.fractions.clone_from(&buy_50.fractions);
    chain.expect(work::BUY, &buy_50)?;
    chain.expect(work::BUY, &buy_100)?;
    Ok(vec![
        chain.row("update_quote_50_150", work::QUOTE, &buy_50)?,
        chain.row("buy_50_150", work::BUY, &buy_50)?,
        chain.row("buy_100_150", work::BUY, &buy_100)?,
        chain.row("sell_50_150", work::SELL, &sell_50)?,
        chain.row("buy_50_150_compat", work::BUY_COMPAT, &buy_50)?,
        chain.row("buy_50_150_vil", work::BUY_VIL, &buy_50)?,
    ])
}

/// Units of one join variant, alone and in the listing of a buy.
pub(crate) struct JoinUnits {
    /// Which.
    pub(crate) variant: JoinVariant,
    /// Contiguous labels and the vectors' mixed ones.
    pub(crate) sets: [SetUnits; 2],
}

/// Units on one set of labels.
pub(crate) struct SetUnits {
    /// `JFLT`, `JUPD`, `JADD` alone.
    pub(crate) joins: [u64; 3],
    /// The whole buy on the machine.
    pub(crate) buy: u64,
}

/// The four join variants on 50 of 150 labels.
pub(crate) fn joins(programs: &Path, vectors: &Path) -> Result<Vec<JoinUnits>> {
    let mut chain = Chain::start(programs)?;
    let mixed = Cases::read(vectors)?.get(BUY_50)?;
    let mut contiguous = mixed.clone();
    let places = contiguous.assets.iter().enumerate().skip(50);
    for (one, (slot, asset)) in contiguous.constituents.iter_mut().zip(places) {
        one.place = Place::new(asset.label, slot as u16);
    }
    let mut all = Vec::new();
    for (option, variant) in JoinVariant::ALL.into_iter().enumerate() {
        let mut set = |case: &Case| -> Result<SetUnits> {
            let option = option as u8;
            let alone = case.join_words();
            let mut joins = [0; 3];
            let ops = [work::JOIN_FILTER, work::JOIN_UPDATE, work::JOIN_ADD];
            for (units, op) in joins.iter_mut().zip(ops) {
                *units = chain.run(op, option, &alone)?.0;
            }
            let buy = chain.run(work::BUY_VIL, option, &case.words()?)?.0;
            Ok(SetUnits { joins, buy })
        };
        let sets = [set(&contiguous)?, set(&mixed)?];
        all.push(JoinUnits { variant, sets });
    }
    Ok(all)
}

/// A chain with the test program on it.
struct Chain {
    session: Session,
    program: Address,
    account: Address,
}

impl Chain {
    fn start(programs: &Path) -> Result<Self> {
        let mut session = Session::start(programs)?;
        let program = Address::new_unique();
        let file = programs.join("flagstone_kernels_bench.so");
        let advice = "run `cargo xtask build-sbf --program kernels`";
        ensure!(file.is_file(), "{} is missing: {advice}", file.display());
        session
            .svm
            .add_program_from_file(program, &file)
            .map_err(|error| anyhow!("{}: {error:?}", file.display()))?;
        Ok(Self {
            session,
            program,
            account: Address::new_unique(),
        })
    }

    /// Units of an operation, and the bytes that it leaves, here and on chain.
    fn run(&mut self, op: u8, option: u8, before: &[u128]) -> Result<(u64, Vec<u128>)> {
        let idle = if op >= work::JOIN_IDLE {
            work::JOIN_IDLE
        } else {
            work::IDLE
        };
        let (nothing, untouched) = self.transact(idle, option, before)?;
        ensure!(untouched == before, "doing nothing changed something");
        let (units, after) = self.transact(op, option, before)?;
        let mut here = before.to_vec();
        let mut heap = vec![0; work::HEAP_WORDS];
        work::run(op, option, bytemuck::cast_slice_mut(&mut here), &mut heap)
            .map_err(|code| anyhow!("operation {op} fails on the host: {code}"))?;
        ensure!(here == after, "operation {op}: host and SBF differ");
        ensure!(
            after != before || op == work::QUOTE,
            "operation {op} changed nothing"
        );
        Ok((units - nothing, after))
    }

    fn transact(&mut self, op: u8, option: u8, before: &[u128]) -> Result<(u64, Vec<u128>)> {
        let account = Account {
            lamports: 10_000_000_000,
            data: bytemuck::cast_slice(before).to_vec(),
            owner: self.program,
            executable: false,
            rent_epoch: u64::MAX,
        };
        let set = self.session.svm.set_account(self.account, account);
        set.map_err(|error| anyhow!("{error:?}"))?;
        let heap = (work::HEAP_WORDS * size_of::<u128>()) as u32;
        let call = Instruction {
            program_id: self.program,
            accounts: vec![AccountMeta::new(self.account, false)],
            data: vec![op, option],
        };
        let heap = ComputeBudgetInstruction::request_heap_frame(heap);
        let sent = self.session.send_large(&[heap, call], &[]);
        let units = sent.map_err(shown)?.compute_units;
        let mut after = vec![0; before.len()];
        let data = self.session.data(&self.account);
        bytemuck::cast_slice_mut(&mut after).copy_from_slice(&data);
        Ok((units, after))
    }

    /// An order must leave what the vectors expect of it in stable arithmetic.
    fn expect(&mut self, op: u8, case: &Case) -> Result<()> {
        let (_, after) = self.run(op, 0, &case.words()?)?;
        let row = state::row_value(&head(&after)?.row);
        ensure!(row == case.expected, "{row} instead of {}", case.expected);
        Ok(())
    }

    /// A line of the matrix; the first sample is the vector itself.
    fn row(&mut self, op: &str, number: u8, case: &Case) -> Result<Row> {
        let mut samples = Vec::new();
        let option = default_join();
        for sample in 0..SAMPLES {
            let before = case.varied(sample)?.words()?;
            let (units, after) = self.run(number, option, &before)?;
            if number == work::BUY_VIL {
                let (_, native) = self.run(work::BUY_COMPAT, option, &before)?;
                ensure!(
                    unfilled(&after)? == unfilled(&native)?,
                    "listing and kernel differ"
                );
            }
            samples.push(units);
        }
        Ok(row(op, 0, 0, samples))
    }
}

/// Number of the machine's default join variant.
fn default_join() -> u8 {
    let default = JoinVariant::default();
    let position = JoinVariant::ALL.iter().position(|one| *one == default);
    position.unwrap_or(0) as u8
}

fn head(words: &[u128]) -> Result<Head> {
    let bytes: &[u8] = bytemuck::cast_slice(words);
    let head = bytes.get(..size_of::<Head>()).context("an empty account")?;
    Ok(bytemuck::pod_read_unaligned(head))
}

/// The account without what only native orders write.
fn unfilled(words: &[u128]) -> Result<Vec<u8>> {
    let head = Head {
        fill: Zeroable::zeroed(),
        ..head(words)?
    };
    let mut bytes = bytemuck::cast_slice(words).to_vec();
    bytes[..size_of::<Head>()].copy_from_slice(bytemuck::bytes_of(&head));
    Ok(bytes)
}

/// The golden vectors.
pub(crate) struct Cases(Value);

impl Cases {
    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("{} cannot be read", file.display()))?;
        Ok(Self(serde_json::from_str(&text).context("not JSON")?))
    }

    pub(crate) fn get(&self, id: &str) -> Result<Case> {
        let cases = self.0["cases"].as_array().context("no cases")?;
        let case = cases.iter().find(|case| case["id"] == id);
        let case = case.with_context(|| format!("there is no case {id}"))?;
        Case::read(case).map_err(|reason| anyhow!("{id}: {reason}"))
    }
}

/// A market, an index and an order.
#[derive(Clone)]
pub(crate) struct Case {
    head: Head,
    pub(crate) assets: Vec<Asset>,
    pub(crate) constituents: Vec<Constituent>,
    fractions: Vec<Amount>,
    /// The order's row after it, in stable arithmetic.
    expected: Value,
}

impl Case {
    fn read(case: &Value) -> flagstone_vectors::Result<Self> {
        let initial = &case["initial"];
        let assets = state::market(&initial["market"])?;
        let names = value::labels(&initial["index"]["labels"])?;
        let weights = value::numbers(&initial["index"]["W"])?;
        let constituents = state::constituents(&assets, &names, &weights)?;
        let fractions = match &initial["F"] {
            Value::Null => Vec::new(),
            some => value::numbers(some)?.into_iter().map(Amount::new).collect(),
        };
        let calls = value::list(&case["calls"])?;
        let is_order = |call: &&Value| call["mode"] == "stable" && call["op"] != "update_quote";
        let call = calls.iter().find(is_order).ok_or("no stable order")?;
        let part = |name: &str| match &initial[name] {
            Value::Null => Ok(0),
            some => value::number(some),
        };
        let added = part("collateral_added")? + part("itp_added")?;
        let removed = part("collateral_removed")? + part("itp_removed")?;
        // Orders of the vectors trade at the paper's quote.
        let quote = update_quote_compat(&assets, &constituents);
        Ok(Self {
            head: Head {
                quote: quote.map_err(|error| error.to_string())?,
                row: state::row(&initial["order"])?,
                added: Amount::new(added),
                removed: Amount::new(removed),
                order_size_max: state::amount_or(&initial["max_order_size"], u128::MAX)?,
                ..Head::default()
            },
            assets,
            constituents,
            fractions,
            expected: call["expected"]["orders"][0].clone(),
        })
    }

    /// The case with its scarcities elsewhere and its order smaller, from sample to sample.
    pub(crate) fn varied(&self, sample: u32) -> Result<Self> {
        let mut case = self.clone();
        let by = sample as usize;
        if !case.fractions.is_empty() {
            let length = case.fractions.len();
            case.fractions.rotate_left(by % length);
        }
        let assets = case.assets.len();
        for (slot, asset) in case.assets.iter_mut().enumerate() {
            let other = &self.assets[(slot + by) % assets];
            asset.liquidity = other.liquidity;
            asset.margin = other.margin;
        }
        let size = self.head.order_size_max.get();
        case.head.order_size_max = Amount::new(size / 64 * u128::from(64 - sample));
        if sample == 0 {
            case.head.order_size_max = self.head.order_size_max;
        }
        Ok(case)
    }

    /// The account.
    fn words(&self) -> Result<Vec<u128>> {
        let (code, registers) = self.assembled(listings::BUY.text)?;
        let (subroutine, _) = self.assembled(listings::SOLVE_QUADRATIC.text)?;
        let head = Head {
            assets: self.assets.len() as u64,
            constituents: self.constituents.len() as u64,
            fractions: self.fractions.len() as u64,
            code: code.len() as u64,
            subroutine: subroutine.len() as u64,
            registers: registers.into(),
            ..self.head
        };
        let traded = vec![Amount::ZERO; self.constituents.len()];
        Ok(aligned(&[
            bytemuck::bytes_of(&head),
            bytemuck::cast_slice(&self.assets),
            bytemuck::cast_slice(&self.constituents),
            bytemuck::cast_slice(&self.fractions),
            bytemuck::cast_slice(&traded),
            &code,
            &subroutine,
        ]))
    }

    /// The account of the joins: prices of the market, and weights in their place.
    fn join_words(&self) -> Vec<u128> {
        let head = JoinHead {
            market: self.assets.len() as u64,
            index: self.constituents.len() as u64,
        };
        let labels = self.assets.iter().map(|asset| asset.label.get());
        let values = self.assets.iter().map(|asset| asset.price.get());
        let joined = self.constituents.iter().map(|one| one.place.label.get());
        let from = self.constituents.iter().map(|one| one.weight.get());
        let lists: Vec<u128> = labels.chain(values).chain(joined).chain(from).collect();
        aligned(&[bytemuck::bytes_of(&head), bytemuck::cast_slice(&lists)])
    }

    fn assembled(&self, listing: &str) -> Result<(Vec<u8>, u8)> {
        let column = |number: u128| id::COLUMN + number;
        let names = [
            ("asset_names_id", id::ASSET_NAMES),
            ("market_asset_names_id", id::MARKET_ASSET_NAMES),
            ("asset_weights_id", id::WEIGHTS),
            ("asset_contribution_fractions_id", id::FRACTIONS),
            ("order_id", id::ORDER),
            ("index_quote_id", id::QUOTE),
            ("executed_asset_quantities_id", id::EXECUTED_ASSETS),
            ("executed_fill_id", id::EXECUTED_FILL),
            ("executed_index_quantities_id", id::EXECUTED_INDEX),
            ("solve_quadratic_id", id::SOLVE_QUADRATIC),
            ("margin_id", column(4)),
            ("supply_long_id", column(5)),
            ("supply_short_id", column(6)),
            ("demand_long_id", column(7)),
            ("demand_short_id", column(8)),
            ("delta_long_id", column(9)),
            ("delta_short_id", column(10)),
            ("collateral_added", self.head.added.get()),
            ("collateral_removed", self.head.removed.get()),
            ("max_order_size", self.head.order_size_max.get()),
        ];
        let symbols = Symbols::from_iter(names);
        let assembly = assemble(listing, &symbols).map_err(|error| anyhow!("{error}"))?;
        Ok((assembly.code, assembly.registers))
    }
}

/// Parts one after the other, in memory that 128-bit integers may lie in.
fn aligned(parts: &[&[u8]]) -> Vec<u128> {
    let bytes = parts.concat();
    let mut words = vec![0u128; bytes.len().div_ceil(size_of::<u128>())];
    let into: &mut [u8] = bytemuck::cast_slice_mut(&mut words);
    into[..bytes.len()].copy_from_slice(&bytes);
    words
}
