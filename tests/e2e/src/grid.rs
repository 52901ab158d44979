//! Several slabs with an oracle and books around it: what tests of the shared
//! funding grid start from.

use crate::govern::change;
use crate::pyth::{FUNDING_SLOTS, ORACLE, Price, wait, with_oracle};
use crate::refusal::{Why, refused};
use crate::{MARK, QUOTE, audit, ok, session};
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt, Seat};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::{OrderKind, Place, Take};
use flagstone_sdk::interface::grid::{GRID_STEP_MAX_PPM, Grid};
use flagstone_sdk::interface::router::{SlabEntry, SlabLedger};
use flagstone_sdk::router::Change;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Number of the underlying.
pub const UNDERLYING: u64 = 1;

/// What each member brings to each slab, in atoms.
pub const CASH: u64 = 20_000 * QUOTE;

/// A premium of one tick, in ppm of the index.
pub const TICK_PPM: i32 = 100;

/// Largest step of the shared rate, in ppm.
pub const STEP: i32 = GRID_STEP_MAX_PPM as i32;

const SEEDS: [&str; 4] = ["second", "third", "fourth", "fifth"];

/// A maker and a user with an account at each of several slabs.
pub struct Floor {
    /// The exchange; its slab is the first one.
    pub exchange: Exchange,
    /// Quotes around the index.
    pub maker: Member,
    /// Trades with the maker.
    pub user: Member,
    /// Accounts of the maker.
    pub maker_seats: Vec<Seat>,
    /// Accounts of the user.
    pub seats: Vec<Seat>,
}

impl Floor {
    /// One slab for each premium, in ticks, that its book stands above the index.
    pub fn open(premiums: &[u32]) -> Self {
        let mut exchange = Exchange::open(session(), SlabSize::Dev).expect("an exchange");
        ok(exchange.add_instrument(&with_oracle()));
        let maker = ok(exchange.open_member(1_000_000 * QUOTE));
        let user = ok(exchange.open_member(1_000_000 * QUOTE));
        for member in [&maker, &user] {
            ok(exchange.deposit(member, 500_000 * QUOTE));
        }
        let seats = vec![user.seat(&exchange)];
        let maker_seats = vec![maker.seat(&exchange)];
        let mut floor = Self {
            exchange,
            maker,
            user,
            maker_seats,
            seats,
        };
        for seed in &SEEDS[..premiums.len() - 1] {
            floor.add_slab(seed, &with_oracle());
        }
        for at in 0..premiums.len() {
            floor.fund(at, false, CASH);
            floor.fund(at, true, CASH);
        }
        wait(&mut floor.exchange.session, 1);
        floor.speak();
        for (at, premium) in premiums.iter().enumerate() {
            floor.quote(at, *premium);
        }
        floor
    }

    /// The same, all of them listed and sampled for more than an interval.
    pub fn sampled(premiums: &[u32]) -> Self {
        let mut floor = Self::open(premiums);
        floor.flag_and_list();
        floor.pass(FUNDING_SLOTS + 10);
        floor
    }

    /// A further slab, and accounts of both members there.
    pub fn add_slab(&mut self, seed: &str, params: &InstrumentParams) {
        let key = ok(self.exchange.add_slab(seed, SlabSize::Dev));
        ok(self.exchange.add_instrument_at(&key, params));
        let seat = ok(self.exchange.add_seat(&self.maker, &key));
        self.maker_seats.push(seat);
        self.seats
            .push(ok(self.exchange.add_seat(&self.user, &key)));
    }

    /// Pledges cash of the maker or the user to a slab.
    pub fn fund(&mut self, at: usize, maker: bool, atoms: u64) {
        let instructions = self.funding(at, maker, atoms);
        let member = if maker { &self.maker } else { &self.user };
        ok(self.exchange.session.send(&instructions, &[&member.wallet]));
    }

    /// The instructions for that.
    pub fn funding(&self, at: usize, maker: bool, atoms: u64) -> [Instruction; 2] {
        let (member, seat) = self.member(at, maker);
        let (owner, mint) = (member.wallet.pubkey(), self.exchange.mint);
        [
            router::fund_slab(&owner, &seat.slab, &mint, atoms),
            slab::sync(&seat.slab, &seat.escrow, seat.account),
        ]
    }

    /// The maker or the user, and the account at a slab.
    pub fn member(&self, at: usize, maker: bool) -> (&Member, Seat) {
        if maker {
            (&self.maker, self.maker_seats[at])
        } else {
            (&self.user, self.seats[at])
        }
    }

    /// Forty lots on either side of the index and a premium.
    pub fn quote(&mut self, at: usize, premium: u32) {
        let (maker, seat) = (&self.maker, self.maker_seats[at]);
        for (side, ticks) in [(Side::Bid, MARK - 5), (Side::Ask, MARK + 5)] {
            let order = Place {
                account: seat.account.into(),
                instrument: 0,
                side,
                kind: OrderKind::PostOnly,
                self_trade: SelfTrade::CancelResting,
                ticks: Ticks(ticks + premium),
                lots: Lots(40),
                expiry: Slot::ZERO,
                client_id: 0,
                reduce_only: false,
            };
            let place = slab::place(&seat.slab, &maker.trader.pubkey(), &order);
            ok(self.exchange.session.send(&[place], &[&maker.trader]));
        }
    }

    /// The user trades with whatever rests.
    pub fn take(&mut self, at: usize, side: Side, lots: u32) {
        let seat = self.seats[at];
        let take = Take {
            account: seat.account.into(),
            instrument: 0,
            side,
            self_trade: SelfTrade::CancelResting,
            limit: Ticks(if side == Side::Bid {
                MARK + 100
            } else {
                MARK - 100
            }),
            lots: Lots(lots),
            lots_min: Lots(lots),
            reduce_only: false,
        };
        let take = slab::take(&seat.slab, &self.user.trader.pubkey(), &take);
        ok(self.exchange.session.send(&[take], &[&self.user.trader]));
    }

    /// The oracle says [`MARK`], and every slab hears it.
    pub fn speak(&mut self) {
        let all: Vec<usize> = (0..self.seats.len()).collect();
        self.speak_to(&all);
    }

    /// The same for some slabs; the others are left alone.
    pub fn speak_to(&mut self, slabs: &[usize]) {
        Price::now(&self.exchange.session, MARK).post(&mut self.exchange.session);
        for at in slabs {
            let update = slab::update_mark(&self.seats[*at].slab, &ORACLE, 0);
            ok(self.exchange.session.send(&[update], &[]));
        }
    }

    /// Lets slots pass, with a price every five of them.
    pub fn pass(&mut self, slots: u32) {
        let all: Vec<usize> = (0..self.seats.len()).collect();
        self.pass_for(slots, &all);
    }

    /// The same with a price for some slabs only.
    pub fn pass_for(&mut self, slots: u32, slabs: &[usize]) {
        for _ in 0..slots / 5 {
            wait(&mut self.exchange.session, 5);
            self.speak_to(slabs);
        }
        wait(&mut self.exchange.session, slots % 5);
        audit(&self.exchange);
    }

    /// On to the next interval of the grid, counted from slot 0.
    pub fn next_interval(&mut self) {
        let all: Vec<usize> = (0..self.seats.len()).collect();
        self.next_interval_for(&all);
    }

    /// The same with prices for some slabs only.
    pub fn next_interval_for(&mut self, slabs: &[usize]) {
        let slot = self.exchange.session.slot() as u32;
        self.pass_for(FUNDING_SLOTS - slot % FUNDING_SLOTS, slabs);
    }

    /// Rate of a slab's running interval, once accrued.
    pub fn running_rate(&mut self, at: usize) -> i64 {
        self.accrue(at, false);
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.instruments[0].funding_rate;
        let session = &self.exchange.session;
        session
            .with_slab(&self.seats[at].slab, read)
            .expect("a slab")
    }

    /// Accrues funding of a slab, with the shared rate or without; the rate of
    /// the interval that began, if one did.
    pub fn accrue(&mut self, at: usize, grid: bool) -> Option<i64> {
        use flagstone_sdk::interface::event::Event;
        let key = address::grid(UNDERLYING, FUNDING_SLOTS);
        let update = slab::update_funding(&self.seats[at].slab, 0, grid.then_some(&key));
        let receipt = ok(self.exchange.session.send(&[update], &[]));
        match receipt.events[..] {
            [] => None,
            [Event::FundingUpdated(event)] => Some(event.funding_rate),
            ref other => panic!("{other:?}"),
        }
    }

    /// Flags slabs for netting.
    pub fn flag(&mut self, slabs: &[usize]) {
        for at in slabs {
            let key = self.seats[*at].slab;
            change(
                &mut self.exchange,
                &Change::set_netting(&key, true, 1_000 * QUOTE),
            );
        }
    }

    /// `router.list_in_grid` of a slab's first instrument, signed by the payer.
    pub fn listing(&self, at: usize) -> Instruction {
        let payer = self.exchange.session.payer();
        let (key, mint) = (self.seats[at].slab, self.exchange.mint);
        router::list_in_grid(&payer, UNDERLYING, FUNDING_SLOTS, &key, 0, &mint)
    }

    /// Brings a slab's place in the grid in line with the registry.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn list(&mut self, at: usize) -> Result<Receipt, Box<Failure>> {
        let list = self.listing(at);
        self.send(&[list], &[])
    }

    /// Flags and lists every slab.
    pub fn flag_and_list(&mut self) {
        for at in 0..self.seats.len() {
            self.flag(&[at]);
            ok(self.list(at));
        }
    }

    /// The grid.
    pub fn grid(&self) -> Grid {
        let key = address::grid(UNDERLYING, FUNDING_SLOTS);
        self.exchange.session.record(&key).expect("a grid")
    }

    /// Slabs of the grid, as numbers of seats.
    pub fn listed(&self) -> Vec<usize> {
        let place = |slab: [u8; 32]| {
            let mut seats = self.seats.iter();
            seats
                .position(|seat| seat.slab.to_bytes() == slab)
                .expect("a slab")
        };
        self.grid()
            .listed()
            .iter()
            .map(|one| place(one.slab))
            .collect()
    }

    /// `router.update_funding_grid`.
    pub fn updating(&self) -> Instruction {
        router::update_funding_grid(&self.grid(), &self.exchange.mint)
    }

    /// Computes the shared rate anew and returns it, in ppm.
    #[track_caller]
    pub fn update(&mut self) -> i32 {
        let update = self.updating();
        ok(self.send(&[update], &[]));
        self.grid().shared.rate_ppm
    }

    /// Sends, with room for what loads many accounts.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn send(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
    ) -> Result<Receipt, Box<Failure>> {
        self.exchange.session.send(instructions, signers)
    }

    /// Sends what nobody signs for and has to fail for this reason.
    #[track_caller]
    pub fn refuse(&mut self, instruction: &Instruction, why: impl Into<Why>) {
        let one = std::slice::from_ref(instruction);
        refused(&mut self.exchange.session, one, &[], why);
    }

    /// What the Router holds for a slab.
    pub fn ledger(&self, at: usize) -> SlabLedger {
        self.record(&address::slab_ledger(
            &self.seats[at].slab,
            &self.exchange.mint,
        ))
    }

    /// A slab's registry entry.
    pub fn entry(&self, at: usize) -> SlabEntry {
        self.record(&address::slab_entry(&self.seats[at].slab))
    }

    fn record<T: flagstone_sdk::interface::Record>(&self, key: &Address) -> T {
        self.exchange.session.record(key).expect("a record")
    }
}
