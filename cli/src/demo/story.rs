//! The stage: people, their money, telling and measuring.

use crate::compute;
use crate::table::price;
use anyhow::{Context, Result, anyhow, bail};
use flagstone_sdk::address;
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Member, Receipt};
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::router::Escrow;
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{router, slab};
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::venue::{self, Chains, Handle};

/// Mark that the instrument starts from, in ticks of 0.01.
pub(crate) const MARK: u32 = 10_000;
/// One unit of the quote mint, in atoms.
pub(crate) const QUOTE: u64 = 1_000_000;

/// Atoms of one tick on one lot of the instrument.
const ATOMS_PER_TICK: u32 = 10_000;

/// A price of the instrument, for people.
pub(crate) fn ticks(ticks: u32) -> String {
    price(ticks, ATOMS_PER_TICK)
}

/// Someone with a wallet.
pub(crate) struct Person {
    /// Name.
    pub(crate) name: &'static str,
    /// Keys and addresses; the account is 0 until it is opened.
    pub(crate) member: Member,
}

/// One instruction that ran.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// Instruction.
    pub(crate) name: &'static str,
    /// Whose.
    pub(crate) who: &'static str,
    /// What it took.
    pub(crate) compute_units: u64,
}

/// An exchange, its people and what has happened so far.
pub(crate) struct Story {
    /// The exchange.
    pub(crate) exchange: Exchange,
    /// Everyone, in order of appearance.
    pub(crate) people: Vec<Person>,
    /// Instructions that ran.
    pub(crate) steps: Vec<Step>,
}

/// Says a sentence.
macro_rules! say {
    ($($part:tt)*) => { $crate::print::tell!("  {}", format_args!($($part)*)) };
}
pub(crate) use say;

impl Story {
    /// An exchange with a full slab, and nobody on it.
    ///
    /// # Errors
    /// When a program is missing or a transaction failed.
    pub(crate) fn open(chains: &Chains) -> Result<Self> {
        Ok(Self {
            exchange: venue::open(chains, &standard_instrument(Ticks(MARK)))?,
            people: Vec::new(),
            steps: Vec::new(),
        })
    }

    /// A new wallet with `tokens_atoms` and nothing else.
    ///
    /// # Errors
    /// When the tokens cannot be minted.
    pub(crate) fn meet(&mut self, name: &'static str, tokens_atoms: u64) -> Result<usize> {
        let (wallet, trader) = (self.exchange.session.new_wallet(), Keypair::new());
        let owner = wallet.pubkey();
        let tokens = self.exchange.create_tokens(&owner, tokens_atoms)?;
        let escrow = address::escrow(&self.exchange.slab, &owner, &self.exchange.mint);
        let member = Member {
            wallet,
            trader,
            tokens,
            escrow,
            account: 0,
        };
        self.people.push(Person { name, member });
        Ok(self.people.len() - 1)
    }

    /// Someone by number.
    pub(crate) fn person(&self, who: usize) -> &Person {
        &self.people[who]
    }

    /// Remembers what the instructions of a transaction took.
    pub(crate) fn note(&mut self, who: usize, names: &[&'static str], logs: &[String]) {
        let who = self.people[who].name;
        for (part, name) in compute::instructions(logs).iter().zip(names) {
            self.steps.push(Step {
                name,
                who,
                compute_units: part.compute_units,
            });
        }
    }

    /// Deposits, opens escrow and account, and pledges.
    ///
    /// # Errors
    /// The failed transaction.
    pub(crate) fn join(&mut self, who: usize, deposit: u64, pledge: u64) -> Result<()> {
        let person = &self.people[who];
        let (owner, trader) = (person.member.wallet.pubkey(), person.member.trader.pubkey());
        let (tokens, escrow) = (person.member.tokens, person.member.escrow);
        let (book, mint) = (self.exchange.slab, self.exchange.mint);

        self.by_wallet(who, &["open_portfolio"], &[router::open_portfolio(&owner)])?;
        let paid = router::deposit(&owner, &mint, &tokens, deposit);
        self.by_wallet(who, &["deposit"], &[paid])?;
        let opened = router::open_escrow(&owner, &book, &mint, &trader);
        self.by_wallet(who, &["open_escrow"], &[opened])?;
        let bind = router::bind_escrow(&owner, &book, &mint);
        let names = ["bind_escrow", "open_account"];
        self.by_wallet(who, &names, &[bind, slab::open_account(&book, &escrow)])?;
        let record = self.exchange.session.record::<Escrow>(&escrow);
        let account = record.context("the escrow was not opened")?.bound_account as u16;
        self.people[who].member.account = account;
        let fund = router::fund_slab(&owner, &book, &mint, pledge);
        let sync = slab::sync(&book, &escrow, account);
        self.by_wallet(who, &["fund_slab", "sync"], &[fund, sync])?;
        Ok(())
    }

    fn by_wallet(
        &mut self,
        who: usize,
        names: &[&'static str],
        instructions: &[solana_instruction::Instruction],
    ) -> Result<()> {
        let wallet = &self.people[who].member.wallet;
        let receipt = self.exchange.session.send_large(instructions, &[wallet])?;
        self.note(who, names, &receipt.logs);
        Ok(())
    }

    /// Rests a post-only order and returns its handle.
    ///
    /// # Errors
    /// The failed transaction.
    pub(crate) fn quote(
        &mut self,
        who: usize,
        side: Side,
        ticks: u32,
        lots: u32,
    ) -> Result<Handle> {
        let member = &self.people[who].member;
        let receipt = self
            .exchange
            .place(member, OrderKind::PostOnly, side, ticks, lots)?;
        self.note(who, &["place"], &receipt.logs);
        match receipt.events[..] {
            [Event::OrderPlaced(order)] => Ok((order.order, order.generation)),
            _ => bail!("an order was placed without its event"),
        }
    }

    /// Tries an order that has to be refused; returns the reason.
    ///
    /// # Errors
    /// When it goes through.
    pub(crate) fn refused(
        &mut self,
        who: usize,
        side: Side,
        ticks: u32,
        lots: u32,
    ) -> Result<String> {
        let member = &self.people[who].member;
        match self
            .exchange
            .place(member, OrderKind::PostOnly, side, ticks, lots)
        {
            Ok(_) => Err(anyhow!("an order that should be refused went through")),
            Err(failure) => {
                self.note(who, &["place, refused"], &failure.logs);
                let error = failure
                    .code
                    .and_then(flagstone_sdk::engine::SlabError::from_code);
                let error = error.with_context(|| failure.to_string())?;
                Ok(error.message().trim().to_string())
            }
        }
    }

    /// Takes what is there, up to a limit.
    ///
    /// # Errors
    /// The failed transaction.
    pub(crate) fn take(
        &mut self,
        who: usize,
        side: Side,
        limit: u32,
        lots: u32,
    ) -> Result<Box<flagstone_sdk::interface::event::Traded>> {
        let receipt = self
            .exchange
            .take(&self.people[who].member, side, limit, lots, 0)?;
        self.note(who, &["take"], &receipt.logs);
        match receipt.events[..] {
            [Event::Traded(traded)] => Ok(Box::new(traded)),
            _ => bail!("a trade wrote no event"),
        }
    }

    /// Cancels by handle; `None` when the handle was stale.
    ///
    /// # Errors
    /// The failed transaction.
    pub(crate) fn cancel(&mut self, who: usize, handle: Handle) -> Result<Option<u32>> {
        let member = &self.people[who].member;
        let receipt: Receipt = self.exchange.cancel(member, handle.0, handle.1)?;
        match receipt.events[..] {
            [Event::OrderCancelled(left)] => {
                self.note(who, &["cancel"], &receipt.logs);
                Ok(Some(left.lots))
            }
            _ => {
                self.note(who, &["cancel, stale handle"], &receipt.logs);
                Ok(None)
            }
        }
    }

    /// Lets slots pass.
    pub(crate) fn wait(&mut self, slots: u64) {
        let slot = self.exchange.session.slot();
        self.exchange.session.warp_to(slot + slots);
    }
}
