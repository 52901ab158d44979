//! Compute units and balances.

use super::story::{Step, Story};
use crate::compute::Spread;
use crate::table::{grouped, money, numbers};
use crate::venue;
use anyhow::{Context, Result};
use comfy_table::Table;
use flagstone_sdk::engine::Slab;
use flagstone_sdk::units::notional_atoms;

/// What one person has, in atoms.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Balance {
    name: &'static str,
    wallet_atoms: u64,
    /// Free cash at the Router.
    pub(crate) router_atoms: u64,
    slab_atoms: i64,
    /// Position.
    pub(crate) lots: i32,
    /// Profit or loss of the position at the mark.
    pub(crate) unrealised_atoms: i64,
}

impl Balance {
    /// All of it at the mark.
    pub(crate) fn equity_atoms(&self) -> i128 {
        i128::from(self.wallet_atoms)
            + i128::from(self.router_atoms)
            + i128::from(self.slab_atoms)
            + i128::from(self.unrealised_atoms)
    }
}

/// What everyone has now.
///
/// # Errors
/// When the slab cannot be read.
pub(crate) fn balances(story: &Story) -> Result<Vec<Balance>> {
    let exchange = &story.exchange;
    let balances = exchange.session.with_slab(&exchange.slab, |slab| {
        let people = story.people.iter();
        people
            .map(|person| {
                let portfolio = exchange.portfolio(&person.member);
                Balance {
                    name: person.name,
                    wallet_atoms: exchange.session.token_balance(&person.member.tokens),
                    router_atoms: portfolio.map_or(0, |portfolio| portfolio.cash_atoms),
                    ..on_slab(slab, person.member.account)
                }
            })
            .collect()
    })?;
    Ok(balances)
}

/// What an account has on a slab.
pub(crate) fn on_slab(slab: &Slab<'_>, account: u16) -> Balance {
    let mut balance = Balance::default();
    let Ok(account) = slab.open_account_at(account.into()) else {
        return balance;
    };
    balance.slab_atoms = account.cash_atoms;
    let mut index = account.positions_head;
    while index != 0 {
        let position = &slab.positions[index];
        let instrument = &slab.instruments[usize::from(position.instrument)];
        let size = position.lots.magnitude();
        let value = notional_atoms(instrument.mark, size, instrument.atoms_per_tick) as i64;
        balance.lots += position.lots.0;
        balance.unrealised_atoms +=
            value * i64::from(position.lots.0.signum()) - position.cost_atoms;
        index = position.next_in_account;
    }
    balance
}

/// Mark of the story's instrument.
///
/// # Errors
/// When the slab cannot be read.
pub(crate) fn mark(story: &Story) -> Result<u32> {
    let exchange = &story.exchange;
    Ok(exchange
        .session
        .with_slab(&exchange.slab, |slab| slab.instruments[0].mark.0)?)
}

/// Fees that the slab has kept, in atoms.
///
/// # Errors
/// When the slab cannot be read.
pub(crate) fn fees(story: &Story) -> Result<i128> {
    let exchange = &story.exchange;
    let fees = exchange.session.with_slab(&exchange.slab, |slab| {
        slab.header.fees_out_total.get() + slab.header.insurance_due_total.get()
    })?;
    Ok(fees as i128)
}

/// One row per person.
pub(crate) fn people(balances: &[Balance]) -> Table {
    let rows = balances.iter().map(|balance| {
        vec![
            balance.name.to_string(),
            money(balance.wallet_atoms),
            money(balance.router_atoms),
            money(balance.slab_atoms),
            grouped(balance.lots),
            money(balance.unrealised_atoms),
            money(balance.equity_atoms()),
        ]
    });
    let headers = [
        "",
        "wallet",
        "Router cash",
        "slab cash",
        "lots",
        "unrealised PnL",
        "equity",
    ];
    numbers(&headers, rows.collect())
}

/// What the exchange holds.
///
/// # Errors
/// When a record cannot be read.
pub(crate) fn exchange(story: &Story) -> Result<Table> {
    let members: Vec<_> = story.people.iter().map(|person| &person.member).collect();
    let custody = venue::custody(&story.exchange, &members).context("a Router record is gone")?;
    let rows = [
        ("vault tokens", i128::from(custody.vault_atoms)),
        ("vault booked", custody.booked_atoms.into()),
        ("backing of the slab", custody.backing_atoms.into()),
        ("portfolios", custody.cash_atoms.into()),
        ("fees kept by the slab", fees(story)?),
    ];
    let rows = rows.map(|(name, atoms)| vec![name.to_string(), money(atoms)]);
    Ok(numbers(&["", "quote units"], rows.to_vec()))
}

/// One row per instruction, in order of appearance.
pub(crate) fn compute_units(steps: &[Step]) -> Table {
    let mut names: Vec<&str> = Vec::new();
    for step in steps {
        if !names.contains(&step.name) {
            names.push(step.name);
        }
    }
    let rows = names.iter().map(|name| {
        let of_name = steps.iter().filter(|step| step.name == *name);
        let mut sample: Vec<u64> = of_name.clone().map(|step| step.compute_units).collect();
        let spread = Spread::of(&mut sample);
        let mut who: Vec<_> = of_name.map(|step| step.who).collect();
        who.sort_unstable();
        who.dedup();
        let counts = [spread.count as u64, spread.p50, spread.max].map(grouped);
        let [count, p50, max] = counts;
        vec![name.to_string(), count, p50, max, who.join(", ")]
    });
    numbers(
        &["instruction", "times", "p50", "max", "sent by"],
        rows.collect(),
    )
}
