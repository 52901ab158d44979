//! The real programs in the embedded SVM.

use super::{Call, Custody, Done, Reply, Request, Venue, taking};
use crate::compute;
use anyhow::{Context, Result, anyhow, bail, ensure};
use flagstone_sdk::embedded::{Exchange, Failure, Journal, Member, Session};
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::{Slab, SlabError, SlabSize};
use flagstone_sdk::events;
use flagstone_sdk::interface::event::{Event, cancel_reason};
use flagstone_sdk::slab;
use solana_signer::Signer;
use std::path::{Path, PathBuf};

/// Where embedded chains come from.
#[derive(Clone, Debug)]
pub(crate) struct Chains {
    /// Folder of the built programs.
    pub(crate) programs: PathBuf,
    /// Notes what is sent, if anyone wants to know.
    pub(crate) journal: Option<Journal>,
}

impl Chains {
    /// Chains with the programs in a folder, of which nobody takes notes.
    pub(crate) fn new(programs: &Path) -> Self {
        Self {
            programs: programs.to_path_buf(),
            journal: None,
        }
    }
}

/// A full slab on the embedded chain.
pub(crate) struct Svm {
    exchange: Exchange,
    members: Vec<Member>,
    sent: u64,
    bytes_max: usize,
}

impl Svm {
    /// Starts a chain, and `users` participants of `atoms` each.
    ///
    /// # Errors
    /// When a program is missing or a transaction failed.
    pub(crate) fn start(
        chains: &Chains,
        params: &InstrumentParams,
        users: usize,
        atoms: u64,
    ) -> Result<Self> {
        let mut exchange = open(chains, params)?;
        let members = (0..users)
            .map(|_| exchange.join(atoms, atoms))
            .collect::<Result<Vec<_>, Box<Failure>>>()?;
        Ok(Self {
            exchange,
            members,
            sent: 0,
            bytes_max: 0,
        })
    }

    fn member(&self, user: usize) -> Result<&Member> {
        self.members
            .get(user)
            .ok_or_else(|| anyhow!("there is no participant {user}"))
    }

    fn send(&mut self, requests: &[Request]) -> Result<Result<Vec<Done>, Box<Failure>>> {
        let mut instructions = Vec::with_capacity(requests.len());
        let mut users: Vec<usize> = Vec::new();
        for request in requests {
            let member = self.member(request.user)?;
            let (key, account) = (member.trader.pubkey(), member.account);
            let book = &self.exchange.slab;
            instructions.push(match (request.call, request.call.order(account.into())) {
                (Call::Cancel { handle }, _) => {
                    slab::cancel(book, &key, account, handle.0, handle.1)
                }
                (Call::Reduce { handle, lots }, _) => {
                    slab::reduce(book, &key, account, handle, lots)
                }
                (Call::Take { side, limit, lots }, _) => {
                    slab::take(book, &key, &taking(account.into(), side, limit, lots))
                }
                (Call::Place { .. }, Some(order)) => slab::place(book, &key, &order),
                (Call::Place { .. }, None) => bail!("a placement without an order"),
            });
            if !users.contains(&request.user) {
                users.push(request.user);
            }
        }
        let signers: Vec<_> = users
            .iter()
            .map(|user| &self.members[*user].trader)
            .collect();
        self.sent += 1;
        let receipt = match self.exchange.session.send(&instructions, &signers) {
            Ok(receipt) => receipt,
            Err(failure) => return Ok(Err(failure)),
        };
        self.bytes_max = self.bytes_max.max(receipt.bytes);
        let parts = compute::instructions(&receipt.logs);
        if parts.len() != requests.len() {
            bail!(
                "a transaction of {} instructions logged {}",
                requests.len(),
                parts.len()
            );
        }
        let done = parts.iter().zip(requests).map(|(part, request)| {
            let reply = reply(&request.call, &events::decode(part.logs))?;
            Ok(Done {
                reply,
                compute_units: Some(part.compute_units),
            })
        });
        done.collect::<Result<Vec<_>>>().map(Ok)
    }
}

/// Reads the events of one instruction.
fn reply(call: &Call, events: &[Event]) -> Result<Reply> {
    match call {
        Call::Place { .. } => {
            let evicted = events.iter().filter_map(|event| match event {
                Event::OrderCancelled(left) if left.reason == cancel_reason::EVICTED => {
                    Some((left.order, left.generation))
                }
                _ => None,
            });
            let evicted = evicted.collect();
            let rested = events.iter().find_map(|event| match event {
                Event::OrderPlaced(order) => Some((order.order, order.generation)),
                _ => None,
            });
            let handle = rested.context("an order was placed without its event")?;
            Ok(Reply::Placed(handle, evicted))
        }
        Call::Cancel { .. } => Ok(match events {
            [Event::OrderCancelled(left)] => Reply::Cancelled(left.lots),
            [] => Reply::Stale,
            _ => bail!("a cancel wrote another event"),
        }),
        Call::Reduce { .. } => Ok(match events {
            [Event::OrderReduced(reduced)] => Reply::Reduced(reduced.lots),
            [Event::OrderCancelled(left)] => Reply::Cancelled(left.lots),
            _ => bail!("a reduction wrote no event, or another one"),
        }),
        Call::Take { .. } => Ok(match events {
            [Event::Traded(traded)] => Reply::Taken(traded.fills().to_vec()),
            _ => bail!("a trade wrote no event, or another one"),
        }),
    }
}

impl Venue for Svm {
    fn set_slot(&mut self, slot: u32) {
        self.exchange.session.warp_to(slot.into());
    }

    fn execute(&mut self, requests: &[Request]) -> Result<Vec<Done>> {
        match (self.send(requests)?, requests) {
            (Ok(done), _) => Ok(done),
            (Err(failure), [_]) => {
                let error = failure.code.and_then(SlabError::from_code);
                let error = error.with_context(|| format!("a transaction failed: {failure}"))?;
                let parts = compute::instructions(&failure.logs);
                let compute_units = parts.last().map(|part| part.compute_units);
                Ok(vec![Done {
                    reply: Reply::Refused(error),
                    compute_units,
                }])
            }
            // The transaction undid them all: find out which one it was.
            (Err(_), _) => {
                let alone = requests.iter().map(|request| self.execute(&[*request]));
                Ok(alone.collect::<Result<Vec<_>>>()?.concat())
            }
        }
    }

    fn inspect(&mut self, look: &mut dyn FnMut(&Slab<'_>)) -> Result<()> {
        Ok(self
            .exchange
            .session
            .with_slab(&self.exchange.slab, |slab| look(slab))?)
    }

    fn custody(&self) -> Option<Custody> {
        custody(&self.exchange, &self.members.iter().collect::<Vec<_>>())
    }

    fn transactions(&self) -> Option<(u64, usize)> {
        Some((self.sent, self.bytes_max))
    }

    fn name(&self) -> &'static str {
        "the SBF programs in the embedded SVM"
    }
}

/// A new chain, and an exchange with one instrument on a full slab.
///
/// # Errors
/// When a program is missing or not of this build, or the slab refuses the
/// instrument.
pub(crate) fn open(chains: &Chains, params: &InstrumentParams) -> Result<Exchange> {
    open_sized(chains, params, SlabSize::Full)
}

/// As [`open`], on a slab of any size.
///
/// # Errors
/// As [`open`].
pub(crate) fn open_sized(
    chains: &Chains,
    params: &InstrumentParams,
    size: SlabSize,
) -> Result<Exchange> {
    let mismatch = || {
        format!(
            "the programs in {} are not those of this build: run `cargo xtask build-sbf`",
            chains.programs.display()
        )
    };
    let mut session = Session::start(&chains.programs)?;
    session.keep(chains.journal.clone());
    // Nothing but other programs can fail on a chain where nothing happened yet.
    let mut exchange = Exchange::open(session, size).with_context(mismatch)?;
    if let Err(failure) = exchange.add_instrument(params) {
        let refused = failure.code.is_some();
        let error = anyhow::Error::from(failure);
        return Err(match refused {
            true => error.context("the slab refused the instrument"),
            false => error.context(mismatch()),
        });
    }
    // Programs that know their instructions may still write other layouts.
    let slab = exchange
        .session
        .with_slab(&exchange.slab, |slab| slab.audit().is_ok());
    let records = exchange.vault().is_some() && exchange.ledger().is_some();
    ensure!(slab == Ok(true) && records, mismatch());
    Ok(exchange)
}

/// What the Router holds, its depositors being `members`.
pub(crate) fn custody(exchange: &Exchange, members: &[&Member]) -> Option<Custody> {
    let portfolios: Option<Vec<_>> = members
        .iter()
        .map(|member| exchange.portfolio(member))
        .collect();
    let portfolios = portfolios?;
    Some(Custody {
        vault_atoms: exchange.vault_tokens(),
        booked_atoms: exchange.vault()?.booked_atoms,
        backing_atoms: exchange.ledger()?.backing_atoms,
        cash_atoms: portfolios
            .iter()
            .map(|portfolio| portfolio.cash_atoms)
            .sum(),
        deposits_atoms: portfolios
            .iter()
            .map(|portfolio| portfolio.deposited_total_atoms)
            .sum(),
    })
}
