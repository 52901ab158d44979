//! Several slabs, a maker who quotes on each and takers with cash at the
//! Router only: what tests of the money path start from.

use crate::money::audit_money;
use crate::refusal::{Why, refused};
use crate::{MARK, QUOTE, exchange, ok};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt, Seat};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::router::{Escrow, SlabEntry, SlabLedger};
use flagstone_sdk::interface::slab::{PoolId, Reservation, SlabAccount};
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Number of the routes that [`Market::route`] builds.
pub const ROUTE: u64 = 7;

/// Most that a leg of those routes may charge.
pub const CHARGE_MAX: u64 = 5_000 * QUOTE;

/// What every taker deposits.
pub const TAKER_CASH: u64 = 50_000 * QUOTE;

/// Hold fee of ten lots at the maker's ask, per slot: 1 ppm, rounded up.
pub const HOLD_FEE_PER_SLOT: u64 = 1_001;

const SEEDS: [&str; 4] = ["second", "third", "fourth", "fifth"];

/// An exchange of one to five slabs.
pub struct Market {
    /// The exchange; its slab is the first one.
    pub exchange: Exchange,
    /// Quotes 40 lots at `MARK + 10` and at `MARK - 10` on every slab.
    pub maker: Member,
    /// The maker's accounts, one per slab.
    pub maker_seats: Vec<Seat>,
    /// Has cash at the Router and none at any slab.
    pub taker: Member,
    /// The taker's accounts, in the order of the maker's.
    pub seats: Vec<Seat>,
}

impl Market {
    /// Opens `slabs` slabs.
    pub fn open(slabs: usize) -> Self {
        Self::open_with(slabs, SlabSize::Dev)
    }

    /// As [`Market::open`], with slabs of any size.
    pub fn open_with(slabs: usize, size: SlabSize) -> Self {
        let mut exchange = exchange(size);
        let maker = ok(exchange.open_member(1_000_000 * QUOTE));
        ok(exchange.deposit(&maker, 500_000 * QUOTE));
        let taker = ok(exchange.open_member(100_000 * QUOTE));
        ok(exchange.deposit(&taker, TAKER_CASH));
        let (maker_seat, seat) = (maker.seat(&exchange), taker.seat(&exchange));
        let mut market = Self {
            exchange,
            maker,
            maker_seats: vec![maker_seat],
            taker,
            seats: vec![seat],
        };
        for seed in &SEEDS[..slabs - 1] {
            market.add_slab(seed, size);
        }
        for at in 0..slabs {
            market.quote(at);
        }
        market
    }

    fn add_slab(&mut self, seed: &str, size: SlabSize) {
        let exchange = &mut self.exchange;
        let slab_key = ok(exchange.add_slab(seed, size));
        let params = standard_instrument(Ticks(MARK));
        ok(exchange.add_instrument_at(&slab_key, &params));
        self.maker_seats
            .push(ok(exchange.add_seat(&self.maker, &slab_key)));
        self.seats
            .push(ok(exchange.add_seat(&self.taker, &slab_key)));
    }

    fn quote(&mut self, at: usize) {
        let seat = self.maker_seats[at];
        let (owner, mint) = (self.maker.wallet.pubkey(), self.exchange.mint);
        let fund = [
            router::fund_slab(&owner, &seat.slab, &mint, 20_000 * QUOTE),
            slab::sync(&seat.slab, &seat.escrow, seat.account),
        ];
        ok(self.exchange.session.send(&fund, &[&self.maker.wallet]));
        for (side, ticks) in [(Side::Ask, MARK + 10), (Side::Bid, MARK - 10)] {
            let mut order = self.maker.order(OrderKind::PostOnly, side, ticks, 40);
            order.account = seat.account.into();
            let place = slab::place(&seat.slab, &self.maker.trader.pubkey(), &order);
            ok(self.exchange.session.send(&[place], &[&self.maker.trader]));
        }
    }

    /// A further taker with [`TAKER_CASH`] and an account at the first slab.
    pub fn join(&mut self) -> Member {
        let member = ok(self.exchange.open_member(100_000 * QUOTE));
        ok(self.exchange.deposit(&member, TAKER_CASH));
        member
    }

    /// A leg that buys `lots` at the taker's seat number `at`.
    pub fn leg(&self, at: usize, lots: u32, ttl: u32) -> RouteLeg {
        self.leg_of(&self.seats[at], lots, ttl)
    }

    /// A leg that buys `lots` at a seat.
    pub fn leg_of(&self, seat: &Seat, lots: u32, ttl: u32) -> RouteLeg {
        let data = self.exchange.session.data(&seat.slab);
        RouteLeg {
            slab: seat.slab,
            reserve: Reserve {
                account: seat.account.into(),
                instrument: 0,
                side: Side::Bid,
                limit: Ticks(MARK + 100),
                lots: Lots(lots),
                lots_min: Lots(lots),
                ttl: Slot(ttl),
                route_id: 0,
                commitment: [0; 32],
            },
            hold: HoldHandle::next(&data).expect("a free hold"),
            cap: 0,
            salt: None,
            max_charge_atoms: CHARGE_MAX,
        }
    }

    /// The taker's route over these legs.
    pub fn route_of(&self, legs: Vec<RouteLeg>) -> Route {
        self.route_by(&self.taker, legs)
    }

    /// A member's route over these legs.
    pub fn route_by(&self, member: &Member, legs: Vec<RouteLeg>) -> Route {
        let (owner, trader) = (member.wallet.pubkey(), member.trader.pubkey());
        let lots_min = legs.iter().map(|leg| u64::from(leg.reserve.lots_min.0));
        let lots_min = lots_min.sum();
        Route::new(
            owner,
            trader,
            self.exchange.mint,
            ROUTE,
            lots_min,
            u64::MAX,
            legs,
        )
        .expect("a route")
    }

    /// The taker's route that buys `lots` at every slab.
    pub fn route(&self, lots: u32, ttl: u32) -> Route {
        let legs = (0..self.seats.len()).map(|at| self.leg(at, lots, ttl));
        self.route_of(legs.collect())
    }

    /// Sends as the taker: the wallet and the session key sign as far as the
    /// instructions ask them to.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn send(&mut self, instructions: &[Instruction]) -> Result<Receipt, Box<Failure>> {
        send_as(&mut self.exchange, &self.taker, instructions)
    }

    /// Sends as the taker and adds the books up.
    #[track_caller]
    pub fn step(&mut self, instructions: &[Instruction]) -> Receipt {
        let receipt = ok(self.send(instructions));
        audit_money(&self.exchange.session);
        receipt
    }

    /// Sends as the taker what has to fail for this reason and change nothing.
    #[track_caller]
    pub fn refuse(&mut self, instruction: &Instruction, why: impl Into<Why>) {
        let one = std::slice::from_ref(instruction);
        let signers = signers(&self.taker, one);
        refused(&mut self.exchange.session, one, &signers, why);
    }

    /// Sends what nobody has to sign for and adds the books up.
    #[track_caller]
    pub fn crank(&mut self, instruction: Instruction) -> Receipt {
        let receipt = ok(self.exchange.session.send(&[instruction], &[]));
        audit_money(&self.exchange.session);
        receipt
    }

    /// The first two steps of [`Market::route`], in a transaction each.
    #[track_caller]
    pub fn reserve_and_open(&mut self, lots: u32, ttl: u32) -> Route {
        let route = self.route(lots, ttl);
        self.step(&route.reserve());
        self.step(&[route.open()]);
        route
    }

    /// Gives the taker free cash at a slab.
    pub fn fund(&mut self, at: usize, atoms: u64) {
        let (seat, owner) = (self.seats[at], self.taker.wallet.pubkey());
        ok(self.send(&[
            router::fund_slab(&owner, &seat.slab, &self.exchange.mint, atoms),
            slab::sync(&seat.slab, &seat.escrow, seat.account),
        ]));
    }

    /// `router.settle` of the taker at a slab.
    pub fn settle(&self, at: usize) -> Instruction {
        let owner = self.taker.wallet.pubkey();
        router::settle(&owner, &self.seats[at].slab, &self.exchange.mint)
    }

    /// `router.refund` of the taker at a slab.
    pub fn refund(&self, at: usize, cap: u8) -> Instruction {
        let owner = self.taker.wallet.pubkey();
        router::refund(&owner, &self.seats[at].slab, &self.exchange.mint, cap)
    }

    /// `slab.release` of the taker at a slab.
    pub fn release(&self, at: usize, atoms: u64) -> Instruction {
        let (seat, trader) = (&self.seats[at], self.taker.trader.pubkey());
        slab::release(&seat.slab, &trader, seat.account, atoms)
    }

    /// The taker's free cash at the Router.
    pub fn cash(&self) -> u64 {
        let portfolio = self.exchange.portfolio(&self.taker);
        portfolio.expect("a portfolio").cash_atoms
    }

    /// The taker's escrow at a slab.
    pub fn escrow(&self, at: usize) -> Escrow {
        let session = &self.exchange.session;
        session.record(&self.seats[at].escrow).expect("an escrow")
    }

    /// What the Router holds for a slab.
    pub fn ledger(&self, at: usize) -> SlabLedger {
        let key = address::slab_ledger(&self.seats[at].slab, &self.exchange.mint);
        self.exchange.session.record(&key).expect("a ledger")
    }

    /// Status of a slab in the registry.
    pub fn status(&self, at: usize) -> u8 {
        let key = address::slab_entry(&self.seats[at].slab);
        let entry: SlabEntry = self.exchange.session.record(&key).expect("an entry");
        entry.status
    }

    /// The taker's account at a slab.
    pub fn account(&self, at: usize) -> SlabAccount {
        let seat = &self.seats[at];
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.accounts[seat.account.into()];
        let session = &self.exchange.session;
        session.with_slab(&seat.slab, read).expect("a slab")
    }

    /// Record of a hold at a slab.
    pub fn hold(&self, at: usize, index: u32) -> Reservation {
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.reservations[index];
        let session = &self.exchange.session;
        session
            .with_slab(&self.seats[at].slab, read)
            .expect("a slab")
    }

    /// Holds in use at a slab.
    pub fn holds(&self, at: usize) -> u32 {
        let read =
            |slab: &flagstone_sdk::engine::Slab<'_>| slab.header.pool(PoolId::Reservations).live;
        let session = &self.exchange.session;
        session
            .with_slab(&self.seats[at].slab, read)
            .expect("a slab")
    }

    /// Position of the taker at a slab, in lots.
    pub fn position(&self, at: usize) -> i32 {
        let head = self.account(at).positions_head;
        let read = |slab: &flagstone_sdk::engine::Slab<'_>| slab.positions[head].lots.0;
        if head == 0 {
            return 0;
        }
        let session = &self.exchange.session;
        session
            .with_slab(&self.seats[at].slab, read)
            .expect("a slab")
    }

    /// Moves the clock.
    pub fn wait(&mut self, slots: u64) {
        let slot = self.exchange.session.slot();
        self.exchange.session.warp_to(slot + slots);
    }

    /// Every slab, in the order of the seats.
    pub fn slabs(&self) -> Vec<Address> {
        self.seats.iter().map(|seat| seat.slab).collect()
    }
}

/// Sends as a member: wallet and session key sign as far as they are asked to.
///
/// # Errors
/// The failed transaction.
pub fn send_as(
    exchange: &mut Exchange,
    member: &Member,
    instructions: &[Instruction],
) -> Result<Receipt, Box<Failure>> {
    let signers = signers(member, instructions);
    exchange.session.send(instructions, &signers)
}

/// The keys of a member that these instructions ask for.
fn signers<'a>(member: &'a Member, instructions: &[Instruction]) -> Vec<&'a Keypair> {
    let asked = |key: Address| {
        let mut metas = instructions.iter().flat_map(|one| &one.accounts);
        metas.any(|meta| meta.is_signer && meta.pubkey == key)
    };
    let keys = [&member.wallet, &member.trader];
    keys.into_iter().filter(|key| asked(key.pubkey())).collect()
}
