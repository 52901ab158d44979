//! A random session of five members: after every transaction all invariants
//! hold, no token appears or vanishes, and a reader of the events alone knows
//! the whole book.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::refusal::{assert_unchanged, snapshot};
use flagstone_e2e_tests::replay::{Handle, Reader};
use flagstone_e2e_tests::tiny::{header, tiny};
use flagstone_e2e_tests::{MARK, QUOTE, audit, ok};
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt};
use flagstone_sdk::engine::Slab;
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::OrderKind;
use flagstone_sdk::interface::error::SlabError;
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::slab;
use flagstone_sdk::units::{Lots, Side, Slot};
use solana_address::Address;
use solana_signer::Signer;
use std::collections::BTreeMap;

const MEMBERS: usize = 5;
const TOKENS: u64 = 20_000 * QUOTE;

type Outcome = Result<Receipt, Box<Failure>>;

/// A session under way.
struct Market {
    exchange: Exchange,
    members: Vec<Member>,
    reader: Reader,
    random: Random,
    /// Handles that ever were, with the member that placed each.
    handles: Vec<(usize, Handle)>,
    /// Price around which everybody quotes; it wanders, so that orders are
    /// left behind outside the band.
    centre: u32,
    refusals: BTreeMap<&'static str, u32>,
    /// Lamports, owner and size of the slab's account at the start.
    place: Option<(u64, Address, usize)>,
}

impl Market {
    fn open(seed: u64) -> Self {
        // Pools small enough that the session fills them, a different one each time.
        let mut pools = [
            (PoolId::Orders, 24),
            (PoolId::Levels, 24),
            (PoolId::Positions, 5),
        ];
        pools[seed as usize % 3].1 -= [12, 16, 1][seed as usize % 3];
        let mut exchange = tiny(&pools);
        let slab_key = exchange.slab;
        let smallest = |slab: &mut Slab<'_>| slab.instruments[0].order_lots_min = Lots(3);
        exchange
            .session
            .edit_slab(&slab_key, smallest)
            .expect("a slab");
        let mut reader = Reader::after(header(&exchange).event_seq);
        let members = (0..MEMBERS as u64).map(|number| {
            // From well to hardly funded.
            let member = ok(exchange.open_member(TOKENS));
            ok(exchange.deposit(&member, 10_000 * QUOTE));
            reader.seq += 1;
            let funded = ok(exchange.fund(&member, (8_000 * QUOTE) >> number));
            funded.events.iter().for_each(|event| reader.read(event));
            member
        });
        let members = members.collect();
        let (random, handles) = (Random::new(seed), Vec::new());
        let refusals = BTreeMap::new();
        let slab = exchange.session.svm.get_account(&slab_key);
        let place = slab.map(|slab| (slab.lamports, slab.owner, slab.data.len()));
        Self {
            place,
            exchange,
            members,
            reader,
            random,
            handles,
            centre: MARK,
            refusals,
        }
    }

    /// One random transaction, and everything that has to hold after it.
    fn step(&mut self) {
        if self.random.chance(25) {
            let slot = self.exchange.session.slot() + 1 + u64::from(self.random.below(6));
            self.exchange.session.warp_to(slot);
            let wandered = self.centre + self.random.below(161) - 80;
            self.centre = wandered.clamp(MARK - 500, MARK + 500);
        }
        let who = self.random.below(MEMBERS as u32) as usize;
        let before = snapshot(&self.exchange.session);
        let outcome = match self.random.below(20) {
            0..=9 => self.place(who),
            10..=14 => self.take(who),
            15..=17 => self.cancel(who),
            18 => self.fund(who),
            _ => self.nonsense(who),
        };
        match outcome {
            Ok(receipt) => self.read(who, &receipt),
            Err(failure) => {
                assert_unchanged(&self.exchange.session, &before);
                let code = failure.code.unwrap_or_else(|| panic!("{failure}"));
                let name = SlabError::from_code(code).map_or("other", SlabError::name);
                *self.refusals.entry(name).or_default() += 1;
            }
        }
        self.check();
    }

    fn place(&mut self, who: usize) -> Outcome {
        let side = if self.random.chance(50) {
            Side::Bid
        } else {
            Side::Ask
        };
        let kind = if self.random.chance(60) {
            OrderKind::PostOnly
        } else {
            OrderKind::Limit
        };
        // Mostly on the own side of the centre, sometimes across.
        let away = self.random.below(120) as i64 - 20;
        let ticks = i64::from(self.centre) - side.signed(away);
        let lots = 2 + self.random.below(30);
        let mut order = self.members[who].order(kind, side, ticks as u32, lots);
        order.self_trade = self.self_trade();
        order.client_id = self.random.word();
        if self.random.chance(30) {
            order.expiry = Slot(self.exchange.session.slot() as u32 + self.random.below(12));
        }
        let trader = self.members[who].trader.pubkey();
        let place = slab::place(&self.exchange.slab, &trader, &order);
        self.exchange.trade(&self.members[who], place)
    }

    fn take(&mut self, who: usize) -> Outcome {
        let side = if self.random.chance(50) {
            Side::Bid
        } else {
            Side::Ask
        };
        let limit = i64::from(self.centre) + side.signed(i64::from(self.random.below(100)));
        let lots = 2 + self.random.below(60);
        let lots_min = if self.random.chance(20) { lots } else { 0 };
        let mut take = self.members[who].taking(side, limit as u32, lots, lots_min);
        take.self_trade = self.self_trade();
        let trader = self.members[who].trader.pubkey();
        let take = slab::take(&self.exchange.slab, &trader, &take);
        self.exchange.trade(&self.members[who], take)
    }

    fn self_trade(&mut self) -> SelfTrade {
        SelfTrade::from_byte(self.random.below(3) as u8).expect("a mode")
    }

    /// Cancels some order that ever was, mostly by its own member.
    fn cancel(&mut self, who: usize) -> Outcome {
        if self.handles.is_empty() {
            return self.exchange.cancel(&self.members[who], 1, 1);
        }
        let recent = self.random.below(self.handles.len().min(40) as u32) as usize;
        let (owner, handle) = self.handles[self.handles.len() - 1 - recent];
        let who = if self.random.chance(90) { owner } else { who };
        self.exchange.cancel(&self.members[who], handle.0, handle.1)
    }

    fn fund(&mut self, who: usize) -> Outcome {
        let atoms = u64::from(self.random.below(200)) * QUOTE;
        self.exchange.fund(&self.members[who], atoms)
    }

    /// A place with one byte of its data changed.
    fn nonsense(&mut self, who: usize) -> Outcome {
        let order = self.members[who].order(OrderKind::Limit, Side::Bid, self.centre, 5);
        let trader = self.members[who].trader.pubkey();
        let mut place = slab::place(&self.exchange.slab, &trader, &order);
        // Account, instrument, side, kind, mode, ticks, lots: never a valid order.
        let at = [2, 3, 4, 5, 6, 10, 14][self.random.below(7) as usize];
        place.data[at] = 0x90;
        self.exchange.trade(&self.members[who], place)
    }

    fn read(&mut self, who: usize, receipt: &Receipt) {
        for event in &receipt.events {
            self.reader.read(event);
            if let Event::OrderPlaced(placed) = event {
                self.handles.push((who, (placed.order, placed.generation)));
            }
        }
    }

    fn check(&self) {
        audit(&self.exchange);
        let session = &self.exchange.session;
        let wallets = self
            .members
            .iter()
            .map(|member| session.token_balance(&member.tokens));
        let tokens = wallets.sum::<u64>() + self.exchange.vault_tokens();
        assert_eq!(
            tokens,
            MEMBERS as u64 * TOKENS,
            "tokens were lost or created"
        );
        let cash = |member: &Member| self.exchange.portfolio(member).expect("one").cash_atoms;
        let free: u64 = self.members.iter().map(cash).sum();
        let backing = self.exchange.ledger().expect("a ledger").backing_atoms;
        let booked = self.exchange.vault().expect("a vault").booked_atoms;
        assert_eq!(free + backing, booked, "what is booked is not what is owed");
        // Rule T11: nothing that happens moves the slab's lamports, owner or size.
        let slab = session.svm.get_account(&self.exchange.slab);
        let place = slab.map(|slab| (slab.lamports, slab.owner, slab.data.len()));
        assert_eq!(place, self.place, "the slab's account changed");
        let compare = |slab: &Slab<'_>| self.reader.assert_equals(slab);
        session
            .with_slab(&self.exchange.slab, compare)
            .expect("a slab");
    }
}

fn run(seed: u64, steps: u32) -> Market {
    let mut market = Market::open(seed);
    for step in 0..steps {
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| market.step()));
        if let Err(panic) = outcome {
            eprintln!("seed {seed}, step {step}: {:?}", market.reader.seen);
            std::panic::resume_unwind(panic);
        }
    }
    market
}

#[test]
fn p1_s1_a_random_session_keeps_every_invariant_and_its_events_tell_all() {
    let mut seen = BTreeMap::<&str, u32>::new();
    let mut refusals = BTreeMap::<&str, u32>::new();
    for seed in 0..6 {
        let market = run(seed, 400);
        market
            .reader
            .seen
            .iter()
            .for_each(|(kind, n)| *seen.entry(kind).or_default() += n);
        market
            .refusals
            .iter()
            .for_each(|(kind, n)| *refusals.entry(kind).or_default() += n);
    }
    println!("events: {seen:?}\nrefusals: {refusals:?}");
    // A session that never got there proves nothing.
    let kinds = [
        "placed",
        "cancelled",
        "evicted",
        "partial",
        "full",
        "dust",
        "expired",
        "self-trade",
    ];
    for kind in kinds {
        assert!(
            seen.get(kind).is_some_and(|n| *n >= 5),
            "too few of {kind}: {seen:?}"
        );
    }
    let names = [
        "WouldCross",
        "BelowInitialMargin",
        "NotFilled",
        "BadOrderKind",
        "NotYourOrder",
    ];
    let full = ["OrdersFull", "LevelsFull", "PositionsFull"];
    for name in names.iter().chain(&full) {
        assert!(refusals.contains_key(*name), "no {name}: {refusals:?}");
    }
}

#[test]
fn a_reader_notices_a_lost_event() {
    let mut market = run(9, 40);
    let place = |market: &mut Market| {
        let who = &market.members[0];
        ok(market
            .exchange
            .place(who, OrderKind::PostOnly, Side::Bid, MARK - 800, 3))
        .events[0]
    };
    let (_lost, next) = (place(&mut market), place(&mut market));
    let read = std::panic::AssertUnwindSafe(|| market.reader.read(&next));
    assert!(
        std::panic::catch_unwind(read).is_err(),
        "a gap went unnoticed"
    );
}
