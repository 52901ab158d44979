//! Where all the money is, and whether it adds up.

use super::stage::{ERIN, NAMES, Person, SLABS, Stage, TOKENS};
use crate::checks::Check;
use crate::demo::tables::on_slab;
use crate::table::{grouped, money, numbers};
use anyhow::{Context, Result};
use comfy_table::Table;
use flagstone_sdk::address;
use flagstone_sdk::embedded::Exchange;
use flagstone_sdk::engine::Slab;
use flagstone_sdk::engine::audit::Audited;
use flagstone_sdk::interface::router::{Escrow, SlabLedger};
use std::array;

/// What one person has at one slab, in atoms.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pledged {
    /// Escrow balance: what the capabilities may still take.
    pub(super) escrow_atoms: u64,
    /// Cash on the slab.
    pub(super) cash_atoms: i64,
    /// Cash that is locked for holds.
    pub(super) bond_atoms: u64,
    /// Position.
    pub(super) lots: i32,
    /// Profit or loss of the position at the mark.
    pub(super) unrealised_atoms: i64,
    /// Funded, and not credited by the slab yet.
    uncredited_atoms: u64,
    /// Charged by the slab, and not booked by the Router yet.
    unbooked_atoms: u64,
    /// Released by the slab, and not paid by the Router yet.
    unpaid_atoms: u64,
}

/// What one person has.
#[derive(Clone, Debug)]
pub(super) struct Purse {
    name: &'static str,
    /// Tokens in the wallet.
    pub(super) wallet_atoms: u64,
    /// Free cash of the portfolio.
    pub(super) router_atoms: u64,
    /// What is at the slabs.
    pub(super) at: [Pledged; SLABS],
}

/// One slab and what the Router holds for it.
#[derive(Clone, Copy, Debug)]
struct Backed {
    backing_atoms: u64,
    fees_atoms: i128,
    audited: Audited,
}

/// All the money of the exchange.
#[derive(Clone, Debug)]
pub(super) struct View {
    /// Maker and taker.
    pub(super) people: Vec<Purse>,
    slabs: [Backed; SLABS],
    /// Tokens in the vault.
    pub(super) vault_atoms: u64,
    booked_atoms: u64,
    deposited_atoms: i128,
}

impl View {
    /// Looks everywhere.
    ///
    /// # Errors
    /// When a record or a slab cannot be read.
    pub(super) fn of(stage: &Stage) -> Result<Self> {
        let exchange = &stage.exchange;
        let mut deposited_atoms = 0;
        let mut people = Vec::new();
        for person in &stage.people {
            let portfolio = exchange.portfolio(&person.member).context("no portfolio")?;
            deposited_atoms += i128::from(portfolio.deposited_total_atoms)
                - i128::from(portfolio.withdrawn_total_atoms);
            people.push(Purse {
                name: person.name,
                wallet_atoms: exchange.session.token_balance(&person.member.tokens),
                router_atoms: portfolio.cash_atoms,
                at: [Pledged::default(); SLABS],
            });
        }
        let mut slabs = Vec::new();
        for at in 0..SLABS {
            let key = stage.people[0].seats[at].slab;
            let ledger: Option<SlabLedger> = exchange
                .session
                .record(&address::slab_ledger(&key, &exchange.mint));
            let backing_atoms = ledger.context("no ledger")?.backing_atoms;
            let look = |slab: &Slab<'_>| -> Result<Backed> {
                for (purse, person) in people.iter_mut().zip(&stage.people) {
                    purse.at[at] = pledged(exchange, person, at, slab)?;
                }
                let fees = slab.header.fees_out_total.get() + slab.header.insurance_due_total.get();
                Ok(Backed {
                    backing_atoms,
                    fees_atoms: fees as i128,
                    audited: slab.audit(),
                })
            };
            slabs.push(exchange.session.with_slab(&key, look)??);
        }
        Ok(Self {
            people,
            slabs: array::from_fn(|at| slabs[at]),
            vault_atoms: exchange.vault_tokens(),
            booked_atoms: exchange.vault().context("no vault")?.booked_atoms,
            deposited_atoms,
        })
    }

    /// Everything that has to agree, whatever has been booked so far.
    pub(super) fn checks(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        for at in 0..SLABS {
            checks.extend(self.slab_checks(at));
        }
        let cash: u64 = self.people.iter().map(|purse| purse.router_atoms).sum();
        let escrows = self.sum(|pledged| pledged.escrow_atoms.into());
        let backings: u64 = self.slabs.iter().map(|slab| slab.backing_atoms).sum();
        let (vault, booked) = (self.vault_atoms, self.booked_atoms);
        checks.push(Check::new(
            format!(
                "books: portfolios {cash} + escrows {escrows} + backings {backings} = {booked} \
                 booked"
            ),
            i128::from(cash) + escrows + i128::from(backings) == i128::from(booked),
        ));
        let deposited = self.deposited_atoms;
        checks.push(Check::new(
            format!("vault: {vault} tokens = {deposited} paid in and not out = {booked} booked"),
            i128::from(vault) == deposited && vault == booked,
        ));
        let (equity, fees) = (
            self.people.iter().map(Purse::equity_atoms).sum::<i128>(),
            self.fees_atoms(),
        );
        let brought = TOKENS as i128 * self.people.len() as i128;
        checks.push(Check::new(
            format!("equity: {equity} of everyone + {fees} fees = {brought} that they came with"),
            equity + fees == brought,
        ));
        checks
    }

    fn slab_checks(&self, at: usize) -> Vec<Check> {
        let (slab, name) = (&self.slabs[at], NAMES[at]);
        let totals = match slab.audited {
            Ok(totals) => totals,
            Err(broken) => return vec![Check::new(format!("slab {name}: {broken}"), false)],
        };
        let (cash, cost) = (totals.cash_atoms, totals.cost_atoms);
        let (fees, received) = (totals.fees_atoms, totals.received_atoms);
        let backing = slab.backing_atoms;
        let of_slab = |what: fn(&Pledged) -> u64| -> i128 {
            let of_person = self.people.iter().map(|purse| what(&purse.at[at]));
            of_person.map(i128::from).sum()
        };
        // What one side has written and the other has not read yet.
        let under_way = of_slab(|pledged| pledged.unbooked_atoms)
            - of_slab(|pledged| pledged.uncredited_atoms)
            - of_slab(|pledged| pledged.unpaid_atoms);
        vec![
            Check::new(
                format!(
                    "slab {name}: every invariant recounts right; cash {cash} - cost {cost} + \
                     fees {fees} = received {received}"
                ),
                cash - cost + fees == received,
            ),
            Check::new(
                format!(
                    "slab {name}: backing {backing} + under way {under_way} = received {received}"
                ),
                i128::from(backing) + under_way == received,
            ),
        ]
    }

    fn sum(&self, what: fn(&Pledged) -> i128) -> i128 {
        let all = self.people.iter().flat_map(|purse| &purse.at);
        all.map(what).sum()
    }

    /// Fees that the slabs have kept.
    pub(super) fn fees_atoms(&self) -> i128 {
        self.slabs.iter().map(|slab| slab.fees_atoms).sum()
    }

    /// The taker's money and what the Router holds, one column per moment.
    pub(super) fn steps(moments: &[(&str, View)]) -> Table {
        let mut headers = vec![""];
        headers.extend(moments.iter().map(|(name, _)| *name));
        let mut rows = Vec::new();
        let mut row = |name: String, what: &dyn Fn(&View) -> i128| {
            let cells = moments.iter().map(|(_, view)| money(what(view)));
            rows.push(std::iter::once(name).chain(cells).collect::<Vec<_>>());
        };
        row("Erin's Router cash".to_string(), &|view| {
            view.people[ERIN].router_atoms.into()
        });
        for (at, slab) in NAMES.iter().enumerate() {
            row(format!("her escrow at {slab}"), &|view| {
                view.people[ERIN].at[at].escrow_atoms.into()
            });
        }
        for (at, slab) in NAMES.iter().enumerate() {
            row(format!("her cash at {slab}"), &|view| {
                view.people[ERIN].at[at].cash_atoms.into()
            });
        }
        for (at, slab) in NAMES.iter().enumerate() {
            row(format!("backing of {slab}"), &|view| {
                view.slabs[at].backing_atoms.into()
            });
        }
        row("vault tokens".to_string(), &|view| view.vault_atoms.into());
        numbers(&headers, rows)
    }

    /// One row per person.
    pub(super) fn purses(&self) -> Table {
        let mut headers = vec!["", "wallet", "Router cash"];
        headers.extend(["cash at A", "lots", "cash at B", "lots", "equity"]);
        let rows = self.people.iter().map(|purse| {
            let mut row = vec![
                purse.name.to_string(),
                money(purse.wallet_atoms),
                money(purse.router_atoms),
            ];
            for pledged in &purse.at {
                row.extend([money(pledged.cash_atoms), grouped(pledged.lots)]);
            }
            row.push(money(purse.equity_atoms()));
            row
        });
        numbers(&headers, rows.collect())
    }

    /// What the exchange holds.
    pub(super) fn exchange(&self) -> Table {
        let mut rows = vec![
            ("vault tokens".to_string(), i128::from(self.vault_atoms)),
            ("vault booked".to_string(), self.booked_atoms.into()),
        ];
        for (slab, name) in self.slabs.iter().zip(NAMES) {
            rows.push((format!("backing of {name}"), slab.backing_atoms.into()));
            rows.push((format!("fees kept by {name}"), slab.fees_atoms));
        }
        let rows = rows
            .into_iter()
            .map(|(name, atoms)| vec![name, money(atoms)]);
        numbers(&["", "quote units"], rows.collect())
    }
}

/// What a step did to the taker's money, in atoms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    /// Into free cash at the Router.
    pub(super) to_router_atoms: i128,
    /// Into the escrows.
    pub(super) to_escrows_atoms: i128,
    /// Into cash at the slabs.
    pub(super) to_slabs_atoms: i128,
    /// Charged by the slabs, and to be booked.
    pub(super) charged_atoms: i128,
}

impl Moved {
    /// The difference between two moments.
    pub(super) fn between(before: &View, after: &View) -> Self {
        let (was, is) = (&before.people[ERIN], &after.people[ERIN]);
        let grown = |what: fn(&Pledged) -> i128| is.at_slabs(what) - was.at_slabs(what);
        Self {
            to_router_atoms: i128::from(is.router_atoms) - i128::from(was.router_atoms),
            to_escrows_atoms: grown(|at| at.escrow_atoms.into()),
            to_slabs_atoms: grown(|at| at.cash_atoms.into()),
            charged_atoms: grown(|at| at.unbooked_atoms.into()),
        }
    }
}

impl Purse {
    /// All of it at the marks; a charge that was not booked counts once.
    pub(super) fn equity_atoms(&self) -> i128 {
        let at = self.at.iter().map(|pledged| {
            i128::from(pledged.escrow_atoms) - i128::from(pledged.unbooked_atoms)
                + i128::from(pledged.uncredited_atoms)
                + i128::from(pledged.unpaid_atoms)
                + i128::from(pledged.cash_atoms)
                + i128::from(pledged.unrealised_atoms)
        });
        i128::from(self.wallet_atoms) + i128::from(self.router_atoms) + at.sum::<i128>()
    }

    /// Sum over both slabs.
    pub(super) fn at_slabs<T: Into<i128>>(&self, what: fn(&Pledged) -> T) -> i128 {
        self.at.iter().map(|pledged| what(pledged).into()).sum()
    }
}

fn pledged(exchange: &Exchange, person: &Person, at: usize, slab: &Slab<'_>) -> Result<Pledged> {
    let seat = person.seats[at];
    let escrow: Option<Escrow> = exchange.session.record(&seat.escrow);
    let escrow = escrow.context("no escrow")?;
    let account = slab.open_account_at(seat.account.into())?;
    let holding = on_slab(slab, seat.account);
    let under_way = |ahead: u64, behind: u64| {
        let behind = ahead.checked_sub(behind);
        behind.context("a counter is behind what was seen of it")
    };
    Ok(Pledged {
        escrow_atoms: escrow.balance_atoms,
        cash_atoms: account.cash_atoms,
        bond_atoms: account.bond_atoms,
        lots: holding.lots,
        unrealised_atoms: holding.unrealised_atoms,
        uncredited_atoms: under_way(escrow.deposited_total_atoms, account.deposited_seen_atoms)?,
        unbooked_atoms: under_way(account.debited_total_atoms, escrow.debited_seen_atoms)?,
        unpaid_atoms: under_way(account.released_total_atoms, escrow.released_seen_atoms)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flagstone_sdk::engine::audit::Totals;

    /// Two people with all their tokens in the wallet and nothing anywhere else.
    fn untouched() -> View {
        let purse = Purse {
            name: "",
            wallet_atoms: TOKENS,
            router_atoms: 0,
            at: [Pledged::default(); SLABS],
        };
        let slab = Backed {
            backing_atoms: 0,
            fees_atoms: 0,
            audited: Ok(Totals::default()),
        };
        View {
            people: vec![purse.clone(), purse],
            slabs: [slab; SLABS],
            vault_atoms: 0,
            booked_atoms: 0,
            deposited_atoms: 0,
        }
    }

    fn broken(change: fn(&mut View)) -> usize {
        let mut view = untouched();
        change(&mut view);
        let checks = view.checks();
        checks.iter().filter(|check| !check.holds).count()
    }

    #[test]
    fn an_atom_at_the_wrong_place_is_found() {
        assert_eq!(broken(|_| ()), 0);
        let changes: [fn(&mut View); 10] = [
            |view| view.vault_atoms += 1,
            |view| view.booked_atoms += 1,
            |view| view.deposited_atoms += 1,
            |view| view.slabs[1].backing_atoms += 1,
            |view| view.slabs[0].fees_atoms += 1,
            |view| view.slabs[0].audited = Err("broken"),
            |view| view.people[0].wallet_atoms -= 1,
            |view| view.people[1].router_atoms += 1,
            |view| view.people[1].at[0].escrow_atoms += 1,
            |view| view.people[1].at[1].unbooked_atoms += 1,
        ];
        for (at, change) in changes.into_iter().enumerate() {
            assert!(broken(change) > 0, "change {at} was not found");
        }
    }
}
