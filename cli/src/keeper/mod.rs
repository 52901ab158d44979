//! `flagstone keeper`: the keepers at work in a market that crashes.
//!
//! | module | room for |
//! |---|---|
//! | [`world`] | the market: who is in it, and what they do by themselves |
//!
//! The keepers are those of `flagstone-keeper`, on the embedded chain: the
//! liquidation keeper, and the cranks that need nobody's signature. They see
//! what any keeper sees and sign with the fee payer's key alone.

mod world;

use crate::checks::{self, Check};
use crate::metrics;
use crate::print::tell;
use crate::table::{grouped, money, numbers, price};
use crate::venue::Chains;
use anyhow::{Result, ensure};
use flagstone_keeper::{Cranks, Liquidator, Step, Turn};
use flagstone_sdk::embedded::Journal;
use flagstone_sdk::engine::risk::Health;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use world::World;

/// Fees and dues that are worth a transaction, in atoms: a tenth of a unit.
const FEES_MIN_ATOMS: u64 = 100_000;

/// Value of one tick on one lot of the market's instrument, in atoms.
const ATOMS_PER_TICK: u32 = 10_000;

/// Arguments of `flagstone keeper`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Looks of the keeper, ten slots apart
    #[arg(long, value_name = "N", default_value_t = 240, value_parser = clap::value_parser!(u64).range(12..=100_000))]
    steps: u64,
    /// Seed of the market
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Stop after the first look at which an account was due
    #[arg(long)]
    once: bool,
    /// Print one JSON object instead of tables
    #[arg(long)]
    json: bool,
    /// Writes every transaction to a file, one JSON object a line, as `flagstone metrics` reads them
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Folder of the built programs
    #[arg(long, value_name = "DIR", default_value = "target/deploy")]
    programs: PathBuf,
}

/// Equity and margins of an account, in atoms.
#[derive(Clone, Copy, Debug, Serialize)]
struct Margins {
    equity_atoms: i64,
    initial_atoms: u64,
    maintenance_atoms: u64,
}

impl From<Health> for Margins {
    fn from(health: Health) -> Self {
        Self {
            equity_atoms: health.equity_atoms,
            initial_atoms: health.initial_atoms,
            maintenance_atoms: health.maintenance_atoms,
        }
    }
}

/// What the liquidation keeper sent for an account.
#[derive(Clone, Debug, Serialize)]
struct Sent {
    slot: u64,
    price_ticks: u32,
    mark_ticks: u32,
    account: u32,
    task: String,
    failure: Option<String>,
    before: Option<Margins>,
    after: Option<Margins>,
    /// What the keeper earned with this look, told with its last transaction.
    reward_atoms: i64,
}

/// Everything that happened.
#[derive(Debug, Default, Serialize)]
struct Report {
    seed: u64,
    looks: u64,
    sent: Vec<Sent>,
    /// Cranks that went through, and that did not, by kind.
    cranks: BTreeMap<String, (u64, u64)>,
    reward_atoms: i64,
    checks: Vec<Check>,
}

/// Runs the command.
///
/// # Errors
/// When a program is missing, a transaction of the market's opening failed, or
/// the books do not add up after some look.
pub(crate) fn run(args: &Args) -> Result<()> {
    let mut chains = Chains::new(&args.programs);
    let journal = Journal::new();
    chains.journal = args.log.as_ref().map(|_| journal.clone());
    let mut world = World::open(&chains, args.seed, args.steps)?;
    let mut report = Report {
        seed: args.seed,
        ..Report::default()
    };
    let mut kept = Ok(());
    for _ in 0..args.steps {
        kept = look(&mut world, &mut report);
        if kept.is_err() || args.once && !report.sent.is_empty() {
            break;
        }
    }
    if let Some(file) = &args.log {
        metrics::write(file, &journal.take())?;
    }
    match args.json {
        true => tell!("{}", serde_json::to_string_pretty(&report)?),
        false => report.print(),
    }
    kept
}

/// One look: time passes, the keepers do what is due, the others act.
///
/// # Errors
/// When the books do not add up afterwards.
fn look(world: &mut World, report: &mut Report) -> Result<()> {
    world.pass();
    report.looks += 1;
    let exchange = &world.exchange;
    let (slab, mint) = (exchange.slab, exchange.mint);
    let liquidator = Liquidator {
        slab,
        mint,
        keeper: world.keeper.account,
    };
    let cranks = Cranks {
        slab,
        mint,
        fees_min_atoms: FEES_MIN_ATOMS,
    };
    // Bookings first: what is on its way counts for nobody's margin.
    report.turns(&cranks.step(&mut world.exchange.session));
    let (before, cash) = (world.health(), world.keeper_cash());
    let steps = liquidator.step(&mut world.exchange.session);
    let reward = world.keeper_cash() - cash;
    report.liquidations(world, &steps, &before, reward);
    world.act();
    report.checks = world.audit()?;
    let holds = report.checks.iter().all(|check| check.holds);
    ensure!(holds, "the books do not add up after look {}", report.looks);
    Ok(())
}

impl Report {
    fn liquidations(
        &mut self,
        world: &World,
        steps: &[Step],
        before: &BTreeMap<u32, Health>,
        reward: i64,
    ) {
        let after = world.health();
        let slot = world.exchange.session.slot();
        let (price_ticks, mark_ticks) = (world.price, world.mark());
        let sent = steps.iter().map(|step| Sent {
            slot,
            price_ticks,
            mark_ticks,
            account: step.account,
            task: format!("{:?}", step.task),
            failure: step.failure.clone(),
            before: before.get(&step.account).copied().map(Margins::from),
            after: after.get(&step.account).copied().map(Margins::from),
            reward_atoms: 0,
        });
        self.sent.extend(sent);
        self.reward_atoms += reward;
        if let Some(last) = self.sent.last_mut().filter(|_| reward != 0) {
            last.reward_atoms += reward;
        }
    }

    fn turns(&mut self, turns: &[Turn]) {
        for turn in turns {
            let name = format!("{:?}", turn.crank);
            let kind = name
                .split_once([' ', '{'])
                .map_or(name.as_str(), |(kind, _)| kind);
            let counts = self.cranks.entry(kind.to_string()).or_default();
            match turn.failure {
                None => counts.0 += 1,
                Some(_) => counts.1 += 1,
            }
        }
    }

    /// One row per transaction; what was refused again and again is one row.
    fn rows(&self) -> Vec<Vec<String>> {
        let mut rows: Vec<Vec<String>> = Vec::new();
        let mut refusals: BTreeMap<u32, (&str, usize, u32)> = BTreeMap::new();
        for sent in &self.sent {
            let again = refusals.get_mut(&sent.account);
            if sent.failure.is_some()
                && let Some((task, at, times)) = again
                && *task == sent.task
            {
                *times += 1;
                rows[*at][5] = format!("refused {times} times");
                continue;
            }
            refusals.remove(&sent.account);
            if sent.failure.is_some() {
                refusals.insert(sent.account, (&sent.task, rows.len(), 1));
            }
            rows.push(row(sent));
        }
        rows
    }

    fn print(&self) {
        tell!(
            "The keepers, market of seed {}, {} looks\n",
            self.seed,
            self.looks
        );
        let headers = [
            "slot",
            "price",
            "mark",
            "account",
            "sent",
            "",
            "equity",
            "maintenance",
            "equity after",
            "maintenance after",
            "reward",
        ];
        let rows = self.rows();
        match rows.is_empty() {
            true => tell!("Nobody was below the maintenance margin."),
            false => tell!("{}", numbers(&headers, rows)),
        }
        let rows = self
            .cranks
            .iter()
            .map(|(kind, (done, failed))| vec![kind.clone(), grouped(*done), grouped(*failed)]);
        tell!(
            "Cranks\n{}",
            numbers(&["", "went through", "did not"], rows.collect())
        );
        tell!("The keeper earned {}.\n", money(self.reward_atoms));
        tell!("Checks");
        checks::print(&self.checks);
    }
}

fn row(sent: &Sent) -> Vec<String> {
    let ticks = |ticks| price(ticks, ATOMS_PER_TICK);
    let equity = |margins: &Option<Margins>| {
        margins.map_or(String::new(), |margins| money(margins.equity_atoms))
    };
    let maintenance = |margins: &Option<Margins>| {
        margins.map_or(String::new(), |margins| money(margins.maintenance_atoms))
    };
    let outcome = match sent.failure {
        None => "",
        Some(_) => "refused",
    };
    let reward = match sent.reward_atoms {
        0 => String::new(),
        atoms => money(atoms),
    };
    vec![
        sent.slot.to_string(),
        ticks(sent.price_ticks),
        ticks(sent.mark_ticks),
        sent.account.to_string(),
        sent.task.clone(),
        outcome.to_string(),
        equity(&sent.before),
        maintenance(&sent.before),
        equity(&sent.after),
        maintenance(&sent.after),
        reward,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn world() -> World {
        let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/deploy");
        let programs = std::env::var_os("FLAGSTONE_PROGRAMS").map_or(programs, PathBuf::from);
        World::open(&Chains::new(&programs), 3, 60).expect("built programs")
    }

    #[test]
    fn books_that_do_not_add_up_are_an_error() {
        let mut world = world();
        let mut report = Report::default();
        look(&mut world, &mut report).expect("books that add up");
        world::spoil(&mut world);
        let error = look(&mut world, &mut report).expect_err("an atom too much");
        assert!(error.to_string().contains("after look 2"), "{error}");
        let broken: Vec<_> = report.checks.iter().filter(|check| !check.holds).collect();
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert!(broken[0].what.starts_with("vault:"), "{broken:?}");
    }

    #[test]
    fn a_keeper_that_starts_anew_every_time_leaves_the_same_books() {
        // It keeps no state: each look above makes new ones. So here a second
        // one follows at once, and finds nothing to do.
        let mut world = world();
        let mut report = Report::default();
        for _ in 0..60 {
            look(&mut world, &mut report).expect("books that add up");
            let exchange = &world.exchange;
            let cranks = Cranks {
                slab: exchange.slab,
                mint: exchange.mint,
                fees_min_atoms: FEES_MIN_ATOMS,
            };
            while !cranks.step(&mut world.exchange.session).is_empty() {}
            let late = cranks.step(&mut world.exchange.session);
            assert!(late.is_empty(), "{late:?}");
            assert!(
                world
                    .audit()
                    .expect("records")
                    .iter()
                    .all(|check| check.holds)
            );
        }
    }
}
