//! The stage of part two: two slabs, a maker at both, a taker whose cash lies
//! at the Router; sending, and looking over the books after every transaction.

use super::trip::Trip;
use super::view::View;
use crate::checks::Check;
use crate::compute;
use crate::demo::story::{MARK, QUOTE, Step};
use crate::venue::{self, Chains, Handle};
use anyhow::{Context, Result, bail, ensure};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt, Seat};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::event::{Event, Traded};
use flagstone_sdk::units::{Side, Ticks};
use flagstone_sdk::{router, slab};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_message::AddressLookupTableAccount;
use solana_signer::Signer;

/// Slabs of the story.
pub(super) const SLABS: usize = 2;
/// What the story calls them.
pub(super) const NAMES: [&str; SLABS] = ["A", "B"];
/// The first slab.
pub(super) const A: usize = 0;
/// The second slab.
pub(super) const B: usize = 1;
/// The maker.
pub(super) const DAVE: usize = 0;
/// The taker.
pub(super) const ERIN: usize = 1;

/// What each of them has in the wallet at the start, in atoms.
pub(super) const TOKENS: u64 = 50_000 * QUOTE;

/// Someone with a wallet and an account at each slab.
pub(super) struct Person {
    /// Name.
    pub(super) name: &'static str,
    /// Keys.
    pub(super) member: Member,
    /// Accounts.
    pub(super) seats: [Seat; SLABS],
}

/// Who signs a transaction.
#[derive(Clone, Copy, Debug)]
pub(super) enum By {
    /// Somebody's wallet.
    Wallet(usize),
    /// Somebody's session key.
    Session(usize),
    /// Both of them.
    Both(usize),
    /// Nobody but the fee payer.
    Anyone,
}

/// Two slabs and two people.
pub(super) struct Stage {
    /// The exchange; its slab is the first one.
    pub(super) exchange: Exchange,
    /// Maker and taker.
    pub(super) people: [Person; 2],
    /// Instructions that ran.
    pub(super) steps: Vec<Step>,
    /// Orders of the maker that may still rest, and the slab of each.
    pub(super) quotes: Vec<(usize, Handle)>,
    /// The taker's round trip.
    pub(super) trip: Trip,
    /// Round trips that ended.
    pub(super) trips: Vec<Trip>,
    /// The taker's lookup table.
    pub(super) table: Option<AddressLookupTableAccount>,
    /// What chapters found out, for the end.
    pub(super) found: Vec<Check>,
    /// Transactions after which the books were checked.
    pub(super) audits: u32,
    /// The first books that did not agree.
    pub(super) broken: Option<Vec<Check>>,
}

impl Stage {
    /// Two full slabs with one instrument each, a maker and a taker.
    ///
    /// # Errors
    /// When a program is missing or a transaction failed.
    pub(super) fn open(chains: &Chains) -> Result<Self> {
        let params = standard_instrument(Ticks(MARK));
        let mut exchange = venue::open(chains, &params)?;
        let second = exchange.add_slab("second", SlabSize::Full)?;
        exchange.add_instrument_at(&second, &params)?;
        let mut person = |name| -> Result<Person> {
            let member = exchange.open_member(TOKENS)?;
            let seats = [member.seat(&exchange), exchange.add_seat(&member, &second)?];
            Ok(Person {
                name,
                member,
                seats,
            })
        };
        let people = [person("Dave")?, person("Erin")?];
        Ok(Self {
            exchange,
            people,
            steps: Vec::new(),
            quotes: Vec::new(),
            trip: Trip::default(),
            trips: Vec::new(),
            table: None,
            found: Vec::new(),
            audits: 0,
            broken: None,
        })
    }

    /// Sends a transaction, remembers what its instructions took and looks
    /// over the books.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn send(
        &mut self,
        by: By,
        names: &[&'static str],
        instructions: &[Instruction],
    ) -> Result<Receipt> {
        let signers = signers(&self.people, by);
        let sent = self.exchange.session.send(instructions, &signers);
        let receipt = sent.with_context(|| names.join(", "))?;
        self.done(by, names, &receipt)?;
        Ok(receipt)
    }

    /// As [`Stage::send`], with the taker's lookup table.
    ///
    /// # Errors
    /// When there is no table yet.
    pub(super) fn send_with_table(
        &mut self,
        instructions: &[Instruction],
    ) -> Result<Result<Receipt, Box<Failure>>> {
        let table = self.table.as_ref().context("there is no lookup table")?;
        let signers = signers(&self.people, By::Both(ERIN));
        let session = &mut self.exchange.session;
        Ok(session.send_with_table(instructions, &signers, table))
    }

    /// A transaction that has to be refused; returns the reason.
    ///
    /// # Errors
    /// When it goes through, or fails without a reason.
    pub(super) fn refused(
        &mut self,
        by: By,
        name: &'static str,
        instruction: Instruction,
    ) -> Result<String> {
        let signers = signers(&self.people, by);
        match self.exchange.session.send(&[instruction], &signers) {
            Ok(_) => bail!("{name} should be refused and went through"),
            Err(failure) => {
                self.note(by, &[name], &failure.logs)?;
                reason(&failure)
            }
        }
    }

    /// Books a transaction that went through.
    ///
    /// # Errors
    /// When its log does not show what it was made of, or books cannot be read.
    pub(super) fn done(&mut self, by: By, names: &[&'static str], receipt: &Receipt) -> Result<()> {
        self.note(by, names, &receipt.logs)?;
        let checks = View::of(self)?.checks();
        self.audits += 1;
        if self.broken.is_none() && checks.iter().any(|check| !check.holds) {
            self.broken = Some(checks);
        }
        Ok(())
    }

    fn note(&mut self, by: By, names: &[&'static str], logs: &[String]) -> Result<()> {
        let who = match by {
            By::Wallet(who) | By::Session(who) | By::Both(who) => self.people[who].name,
            By::Anyone => "anyone",
        };
        let parts = compute::instructions(logs);
        ensure!(
            parts.len() == names.len(),
            "the log of {} was cut",
            names.join(", ")
        );
        for (part, name) in parts.iter().zip(names) {
            self.steps.push(Step {
                name,
                who,
                compute_units: part.compute_units,
            });
        }
        Ok(())
    }

    /// Lets slots pass.
    pub(super) fn wait(&mut self, slots: u64) {
        let slot = self.exchange.session.slot();
        self.exchange.session.warp_to(slot + slots);
    }

    /// Puts money into somebody's portfolio.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn deposit(&mut self, who: usize, atoms: u64) -> Result<()> {
        let member = &self.people[who].member;
        let owner = member.wallet.pubkey();
        let deposit = router::deposit(&owner, &self.exchange.mint, &member.tokens, atoms);
        self.send(By::Wallet(who), &["deposit"], &[deposit])?;
        Ok(())
    }

    /// Pledges portfolio cash to a slab and credits it there.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn pledge(&mut self, who: usize, at: usize, atoms: u64) -> Result<()> {
        let (owner, seat) = (self.owner(who), self.people[who].seats[at]);
        let fund = router::fund_slab(&owner, &seat.slab, &self.exchange.mint, atoms);
        let sync = slab::sync(&seat.slab, &seat.escrow, seat.account);
        self.send(By::Wallet(who), &["fund_slab", "sync"], &[fund, sync])?;
        Ok(())
    }

    /// Wallet address.
    pub(super) fn owner(&self, who: usize) -> solana_address::Address {
        self.people[who].member.wallet.pubkey()
    }

    /// Rests a post-only order of the maker.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn quote(&mut self, at: usize, side: Side, ticks: u32, lots: u32) -> Result<Handle> {
        let person = &self.people[DAVE];
        let mut order = person.member.order(OrderKind::PostOnly, side, ticks, lots);
        order.account = person.seats[at].account.into();
        let trader = person.member.trader.pubkey();
        let place = slab::place(&person.seats[at].slab, &trader, &order);
        let receipt = self.send(By::Session(DAVE), &["place"], &[place])?;
        match receipt.events[..] {
            [Event::OrderPlaced(order)] => {
                let handle = (order.order, order.generation);
                self.quotes.push((at, handle));
                Ok(handle)
            }
            _ => bail!("an order was placed without its event"),
        }
    }

    /// Cancels an order of the maker; the lots that left, 0 when it was filled.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn cancel(&mut self, at: usize, handle: Handle) -> Result<u32> {
        let person = &self.people[DAVE];
        let (seat, trader) = (person.seats[at], person.member.trader.pubkey());
        let cancel = slab::cancel(&seat.slab, &trader, seat.account, handle.0, handle.1);
        let receipt = self.send(By::Session(DAVE), &["cancel"], &[cancel])?;
        Ok(match receipt.events[..] {
            [Event::OrderCancelled(left)] => left.lots,
            _ => 0,
        })
    }

    /// Takes the maker's whole book away.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn clear(&mut self) -> Result<()> {
        for (at, handle) in std::mem::take(&mut self.quotes) {
            self.cancel(at, handle)?;
        }
        Ok(())
    }

    /// Puts the maker's book at new prices: 20 lots a side on both slabs.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn requote(&mut self, bid: u32, ask: u32) -> Result<()> {
        self.clear()?;
        for at in [A, B] {
            self.quote(at, Side::Bid, bid, 20)?;
            self.quote(at, Side::Ask, ask, 20)?;
        }
        Ok(())
    }

    /// Sells what the taker has, at once and completely.
    ///
    /// # Errors
    /// The failed transaction.
    pub(super) fn sell(&mut self, at: usize, limit: u32, lots: u32) -> Result<Box<Traded>> {
        let person = &self.people[ERIN];
        let mut take = person.member.taking(Side::Ask, limit, lots, lots);
        take.account = person.seats[at].account.into();
        let take = slab::take(
            &person.seats[at].slab,
            &person.member.trader.pubkey(),
            &take,
        );
        let receipt = self.send(By::Session(ERIN), &["take"], &[take])?;
        match receipt.events[..] {
            [Event::Traded(traded)] => Ok(Box::new(traded)),
            _ => bail!("a trade wrote no event"),
        }
    }
}

/// What the program said, in a sentence.
///
/// # Errors
/// When it was none of our programs that refused.
pub(super) fn reason(failure: &Failure) -> Result<String> {
    use flagstone_sdk::interface::error::{RouterError, SlabError};
    let code = failure.code.unwrap_or_default();
    let slab = SlabError::from_code(code).map(SlabError::message);
    let message = slab.or_else(|| RouterError::from_code(code).map(RouterError::message));
    Ok(message
        .with_context(|| failure.to_string())?
        .trim()
        .to_string())
}

fn signers(people: &[Person; 2], by: By) -> Vec<&Keypair> {
    match by {
        By::Wallet(who) => vec![&people[who].member.wallet],
        By::Session(who) => vec![&people[who].member.trader],
        By::Both(who) => vec![&people[who].member.wallet, &people[who].member.trader],
        By::Anyone => Vec::new(),
    }
}
