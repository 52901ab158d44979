//! Events are enough: a reader that sees nothing else knows the slab.
//!
//! Random sessions of thousands of instructions on small slabs, so that pools
//! fill; after every transaction that went through, what the events told is
//! compared with the account. The seed replays everything.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::market::send_as;
use flagstone_e2e_tests::pyth::{self, Price, with_oracle};
use flagstone_e2e_tests::random::Random;
use flagstone_e2e_tests::tiny::{capacities, new_slab};
use flagstone_e2e_tests::told::{Seen, assert_told, tell};
use flagstone_e2e_tests::{MARK, QUOTE, ok, session};
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{Exchange, Failure, Member, Receipt};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::engine::holds::Reserve;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::{Rules, switches};
use flagstone_sdk::engine::matching::SelfTrade;
use flagstone_sdk::engine::requests::{OrderKind, Place};
use flagstone_sdk::interface::event::Event;
use flagstone_sdk::interface::slab::PoolId;
use flagstone_sdk::replica::{Replica, ReplicaError};
use flagstone_sdk::route::{Route, RouteLeg};
use flagstone_sdk::slab::HoldHandle;
use flagstone_sdk::units::{Lots, Side, Slot, Ticks};
use flagstone_sdk::{address, router, slab};
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::collections::BTreeMap;

type Outcome = Result<Receipt, Box<Failure>>;

const MEMBERS: usize = 5;

/// Slots of a batch.
const BATCH: u32 = 6;

/// A route that was reserved and is under way.
struct UnderWay {
    who: usize,
    route: Route,
    step: usize,
}

/// A session under way.
struct World {
    exchange: Exchange,
    members: Vec<Member>,
    replica: Replica,
    seen: Seen,
    random: Random,
    /// Handles that ever were, with the member that placed each.
    handles: Vec<(usize, (u32, u32))>,
    holds: Vec<(usize, HoldHandle)>,
    routes: Vec<UnderWay>,
    refusals: BTreeMap<String, u32>,
    route_id: u64,
    sent: u32,
}

/// Waits for batches, and freezes two levels.
fn batched() -> InstrumentParams {
    InstrumentParams {
        order_lots_min: Lots(3),
        rules: Rules {
            switches: switches::PENDING | switches::JIT_PENALTY,
            freeze_levels: 2,
            freeze_slots: Slot(2),
            ..Rules::default()
        },
        ..standard_instrument(Ticks(MARK))
    }
}

impl World {
    fn open(seed: u64) -> Self {
        let mut exchange = Exchange::open(session(), SlabSize::Dev).expect("an exchange");
        // The pool that fills differs from seed to seed.
        let mut pools = [
            (PoolId::Orders, 60),
            (PoolId::Levels, 50),
            (PoolId::Reservations, 12),
        ];
        pools[seed as usize % 3].1 = [26, 16, 4][seed as usize % 3];
        let new = new_slab(&exchange, "replica", capacities(&pools));
        let create = new.instructions().expect("a short seed");
        let admin = exchange.admin.insecure_clone();
        let created = ok(exchange.session.send_large(&create, &[&admin]));
        exchange.slab = new.address().expect("a short seed");
        let register = router::register_slab(&admin.pubkey(), &exchange.slab, &exchange.mint);
        ok(exchange.session.send_large(&[register], &[&admin]));
        let mut world = Self {
            exchange,
            members: Vec::new(),
            replica: Replica::new(),
            seen: Seen::default(),
            random: Random::new(seed),
            handles: Vec::new(),
            holds: Vec::new(),
            routes: Vec::new(),
            refusals: BTreeMap::new(),
            route_id: 0,
            sent: 0,
        };
        world.read(&created);
        let plain = InstrumentParams {
            order_lots_min: Lots(3),
            ..standard_instrument(Ticks(MARK))
        };
        let spoken = InstrumentParams {
            order_lots_min: Lots(2),
            ..with_oracle()
        };
        // A slab is marked by oracles or by its books. To have all kinds in one
        // session the third starts with a book's mark and gets its oracle here.
        let silent = InstrumentParams {
            oracle: [0; 32],
            oracle_feed: [0; 32],
            oracle_scale: 0,
            rules: Default::default(),
            ..spoken
        };
        for params in [plain, batched(), silent] {
            let added = ok(world.exchange.add_instrument(&params));
            world.read(&added);
        }
        let give = |slab: &mut flagstone_sdk::engine::Slab<'_>| {
            let instrument = &mut slab.instruments[2];
            instrument.oracle = spoken.oracle;
            instrument.oracle_feed = spoken.oracle_feed;
            instrument.oracle_scale = spoken.oracle_scale;
            instrument.rules = spoken.rules;
            instrument.fresh_until = Slot(0);
        };
        let slab_key = world.exchange.slab;
        let given = world.exchange.session.edit_slab(&slab_key, give);
        given.expect("a slab");
        for number in 0..MEMBERS as u32 {
            world.join(number);
        }
        let slab_key = world.exchange.slab;
        let batches = |slab: &mut flagstone_sdk::engine::Slab<'_>| slab.header.batch_slots = BATCH;
        let edited = world.exchange.session.edit_slab(&slab_key, batches);
        edited.expect("a slab");
        pyth::wait(&mut world.exchange.session, 1);
        world.compare();
        world
    }

    /// A member whose every step at the slab is read.
    fn join(&mut self, number: u32) {
        let exchange = &mut self.exchange;
        let (wallet, trader) = (exchange.session.new_wallet(), Keypair::new());
        let (owner, mint, slab_key) = (wallet.pubkey(), exchange.mint, exchange.slab);
        let tokens = ok(exchange.create_tokens(&owner, 100_000 * QUOTE));
        let escrow = address::escrow(&slab_key, &owner, &mint);
        let open = [
            router::open_portfolio(&owner),
            router::open_escrow(&owner, &slab_key, &mint, &trader.pubkey()),
            router::bind_escrow(&owner, &slab_key, &mint),
            slab::open_account(&slab_key, &escrow),
        ];
        let opened = ok(exchange.session.send_large(&open, &[&wallet]));
        let Some(Event::AccountOpened(event)) = opened.events.first() else {
            panic!("{:?}", opened.events)
        };
        let member = Member {
            wallet,
            trader,
            tokens,
            escrow,
            account: event.account,
        };
        ok(exchange.deposit(&member, 60_000 * QUOTE));
        // From well to hardly funded.
        let funded = ok(exchange.fund(&member, (16_000 * QUOTE) >> number));
        self.members.push(member);
        self.read(&opened);
        self.read(&funded);
    }

    fn read(&mut self, receipt: &Receipt) {
        tell(&mut self.replica, receipt, &mut self.seen);
    }

    #[track_caller]
    fn compare(&self) {
        assert_told(&self.replica, &self.exchange);
    }

    /// One random transaction, read and compared.
    fn step(&mut self) {
        if self.random.chance(30) {
            let slots = 1 + self.random.below(4);
            pyth::wait(&mut self.exchange.session, slots);
        }
        let who = self.random.below(MEMBERS as u32) as usize;
        let outcome = match self.random.below(40) {
            0..=9 => self.place(who),
            10..=13 => self.take(who),
            14 | 15 => self.cancel(who),
            16 => self.cancel_all(who),
            17 | 18 => self.reduce(who),
            19 | 20 => self.replace(who),
            21..=23 => self.batch_update(who),
            24..=26 => self.reserve(who),
            27 | 28 => self.go_on(),
            29 => self.cancel_hold(who),
            30 => self.crank(slab::expire_holds(&self.exchange.slab, 1, 64)),
            31 => self.crank(slab::expire_orders(&self.exchange.slab, 1, 255)),
            32 | 33 => {
                let most = 1 + self.random.below(16) as u8;
                self.crank(slab::batch_open(&self.exchange.slab, 1, most))
            }
            34 => self.dead_man(who),
            35 => self.money(who),
            36 => self.route(who),
            37 => self.speak(),
            38 => self.crank(slab::update_funding(&self.exchange.slab, 2, None)),
            _ => {
                let root = slab::publish_root(&self.exchange.slab, 64);
                self.exchange.session.send_large(&[root], &[])
            }
        };
        match outcome {
            Ok(receipt) => {
                self.sent += 1;
                for event in &receipt.events {
                    self.note(who, event);
                }
                self.read(&receipt);
                self.compare();
            }
            Err(failure) => {
                let name = failure.to_string();
                *self.refusals.entry(name).or_default() += 1;
            }
        }
    }

    fn note(&mut self, who: usize, event: &Event) {
        match event {
            Event::OrderPlaced(placed) => {
                self.handles.push((who, (placed.order, placed.generation)));
            }
            Event::OrderPending(placed) => {
                self.handles.push((who, (placed.order, placed.generation)));
            }
            Event::Held(held) => {
                let hold = HoldHandle {
                    index: held.hold,
                    generation: held.generation,
                };
                self.holds.push((who, hold));
            }
            _ => {}
        }
    }

    fn crank(&mut self, instruction: Instruction) -> Outcome {
        self.exchange.session.send(&[instruction], &[])
    }

    fn trade(&mut self, who: usize, instruction: Instruction) -> Outcome {
        self.exchange.trade(&self.members[who], instruction)
    }

    fn trader(&self, who: usize) -> solana_address::Address {
        self.members[who].trader.pubkey()
    }

    fn side(&mut self) -> Side {
        Side::from_byte(self.random.below(2) as u8).expect("a side")
    }

    fn order(&mut self, who: usize) -> Place {
        let side = self.side();
        let kind = OrderKind::from_byte(self.random.below(5) as u8).expect("a kind");
        // Mostly on the own side of the mark, sometimes across, rarely far.
        let away = i64::from(self.random.below(60)) - 10;
        let far = if self.random.chance(5) { 800 } else { 0 };
        let ticks = i64::from(MARK) - side.signed(away + far);
        let lots = 2 + self.random.below(25);
        let mut order = self.members[who].order(kind, side, ticks as u32, lots);
        order.instrument = self.random.below(3) as u8;
        order.self_trade = self.self_trade();
        order.client_id = self.random.word();
        order.reduce_only = self.random.chance(15);
        if self.random.chance(30) {
            order.expiry = Slot(self.exchange.session.slot() as u32 + self.random.below(12));
        }
        order
    }

    fn self_trade(&mut self) -> SelfTrade {
        SelfTrade::from_byte(self.random.below(3) as u8).expect("a mode")
    }

    fn place(&mut self, who: usize) -> Outcome {
        let order = self.order(who);
        let place = slab::place(&self.exchange.slab, &self.trader(who), &order);
        self.trade(who, place)
    }

    fn take(&mut self, who: usize) -> Outcome {
        let side = self.side();
        let limit = i64::from(MARK) + side.signed(i64::from(self.random.below(80)));
        let lots = 3 + self.random.below(50);
        let lots_min = if self.random.chance(20) { lots } else { 0 };
        let mut take = self.members[who].taking(side, limit as u32, lots, lots_min);
        take.instrument = self.random.below(3) as u8;
        take.self_trade = self.self_trade();
        take.reduce_only = self.random.chance(15);
        let take = slab::take(&self.exchange.slab, &self.trader(who), &take);
        self.trade(who, take)
    }

    /// Some order that ever was, mostly a recent one, and its member.
    fn handle(&mut self) -> (usize, (u32, u32)) {
        if self.handles.is_empty() {
            return (0, (1, 1));
        }
        let back = self.random.below(self.handles.len().min(40) as u32) as usize;
        self.handles[self.handles.len() - 1 - back]
    }

    fn cancel(&mut self, _: usize) -> Outcome {
        let (who, handle) = self.handle();
        self.exchange.cancel(&self.members[who], handle.0, handle.1)
    }

    fn cancel_all(&mut self, who: usize) -> Outcome {
        let instrument = self.random.chance(50).then(|| self.random.below(3) as u8);
        let side = if self.random.chance(50) {
            Some(self.side())
        } else {
            None
        };
        let most = 1 + self.random.below(12) as u8;
        let (trader, account) = (self.trader(who), self.members[who].account);
        let slab_key = self.exchange.slab;
        let all = slab::cancel_all(&slab_key, &trader, account, instrument, side, most);
        self.trade(who, all)
    }

    fn reduce(&mut self, _: usize) -> Outcome {
        let (who, handle) = self.handle();
        let lots = 1 + self.random.below(8);
        let (trader, account) = (self.trader(who), self.members[who].account);
        let reduce = slab::reduce(&self.exchange.slab, &trader, account, handle, lots);
        self.trade(who, reduce)
    }

    fn replace(&mut self, _: usize) -> Outcome {
        let (who, handle) = self.handle();
        let order = self.order(who);
        let replace = slab::replace(&self.exchange.slab, &self.trader(who), handle, &order);
        self.trade(who, replace)
    }

    fn batch_update(&mut self, who: usize) -> Outcome {
        let own = self.handles.iter().rev().filter(|(owner, _)| *owner == who);
        let most = self.random.below(5) as usize;
        let cancels: Vec<_> = own.take(most).map(|(_, handle)| *handle).collect();
        let instrument = self.random.below(3) as u8;
        let places: Vec<_> = (0..1 + self.random.below(4))
            .map(|_| Place {
                instrument,
                kind: OrderKind::PostOnlySlide,
                reduce_only: false,
                ..self.order(who)
            })
            .collect();
        let (trader, account) = (self.trader(who), self.members[who].account);
        let slab_key = self.exchange.slab;
        let place = (account, instrument);
        let update = slab::batch_update(&slab_key, &trader, place, &cancels, &places);
        self.trade(who, update)
    }

    fn leg(&mut self, who: usize, ttl: u32) -> Option<RouteLeg> {
        let side = self.side();
        let limit = i64::from(MARK) + side.signed(i64::from(self.random.below(60)));
        let hold = HoldHandle::next(&self.exchange.session.data(&self.exchange.slab))?;
        Some(RouteLeg {
            slab: self.exchange.slab,
            reserve: Reserve {
                account: self.members[who].account.into(),
                instrument: self.random.below(3) as u8,
                side,
                limit: Ticks(limit as u32),
                lots: Lots(3 + self.random.below(40)),
                lots_min: Lots(3),
                ttl: Slot(ttl),
                route_id: 0,
                commitment: [0; 32],
            },
            hold,
            cap: self.random.below(4) as u8,
            salt: self.random.chance(30).then_some([3; 16]),
            max_charge_atoms: 5_000 * QUOTE,
        })
    }

    fn route_of(&mut self, who: usize, ttl: u32) -> Option<Route> {
        let leg = self.leg(who, ttl)?;
        self.route_id += 1;
        let (owner, trader) = (self.members[who].wallet.pubkey(), self.trader(who));
        let limit = match leg.reserve.side {
            Side::Bid => u64::MAX,
            Side::Ask => 0,
        };
        let (id, mint) = (self.route_id, self.exchange.mint);
        Route::new(owner, trader, mint, id, 1, limit, vec![leg]).ok()
    }

    /// All steps of a route in one transaction.
    fn route(&mut self, who: usize) -> Outcome {
        match self.route_of(who, 0) {
            Some(route) => send_as(
                &mut self.exchange,
                &self.members[who],
                &route.instructions(),
            ),
            None => self.reserve(who),
        }
    }

    fn reserve(&mut self, who: usize) -> Outcome {
        let ttl = self.random.below(9);
        let Some(route) = self.route_of(who, ttl) else {
            return self.go_on();
        };
        let outcome = send_as(&mut self.exchange, &self.members[who], &route.reserve());
        if outcome.is_ok() {
            let step = 1;
            self.routes.push(UnderWay { who, route, step });
        }
        outcome
    }

    /// The next step of a route under way.
    fn go_on(&mut self) -> Outcome {
        let Some(mut under_way) = self.routes.pop() else {
            return self.crank(slab::expire_holds(&self.exchange.slab, 1, 64));
        };
        let [_, open, commit, settle] = under_way.route.steps();
        // The Router's opening, which tells nothing, goes with the commit.
        let next = match under_way.step {
            1 => [open, commit].concat(),
            _ => settle,
        };
        let who = under_way.who;
        let outcome = send_as(&mut self.exchange, &self.members[who], &next);
        if outcome.is_ok() && under_way.step == 1 {
            under_way.step = 2;
            self.routes.insert(0, under_way);
        }
        outcome
    }

    fn cancel_hold(&mut self, who: usize) -> Outcome {
        let Some((who, hold)) = self.holds.pop() else {
            return self.take(who);
        };
        let (trader, account) = (self.trader(who), self.members[who].account);
        let cancel = slab::cancel_hold(&self.exchange.slab, &trader, account, hold);
        self.trade(who, cancel)
    }

    fn dead_man(&mut self, who: usize) -> Outcome {
        let account = self.members[who].account;
        if self.random.chance(50) {
            return self.crank(slab::cancel_dead_man(&self.exchange.slab, account, 5));
        }
        let after = self.exchange.session.slot() as u32 + self.random.below(6);
        let set = slab::set_dead_man(&self.exchange.slab, &self.trader(who), account, after);
        self.trade(who, set)
    }

    fn money(&mut self, who: usize) -> Outcome {
        if self.random.chance(50) {
            return self.exchange.fund(&self.members[who], 50 * QUOTE);
        }
        let (trader, account) = (self.trader(who), self.members[who].account);
        let release = slab::release(&self.exchange.slab, &trader, account, 10 * QUOTE);
        self.trade(who, release)
    }

    fn speak(&mut self) -> Outcome {
        let ticks = MARK - 20 + self.random.below(41);
        Price::now(&self.exchange.session, ticks).post(&mut self.exchange.session);
        let outcome = self.crank(slab::update_mark(&self.exchange.slab, &pyth::ORACLE, 2));
        if let Ok(receipt) = &outcome {
            let mark = |slab: &flagstone_sdk::engine::Slab<'_>| slab.instruments[2].mark.0;
            let now = self.exchange.session.with_slab(&self.exchange.slab, mark);
            let [Event::MarkUpdated(event)] = receipt.events[..] else {
                panic!("{:?}", receipt.events)
            };
            assert_eq!(Ok(event.mark_ticks), now);
        }
        outcome
    }
}

fn run(seed: u64, steps: u32) -> World {
    let mut world = World::open(seed);
    for step in 0..steps {
        let caught = std::panic::AssertUnwindSafe(|| world.step());
        if let Err(panic) = std::panic::catch_unwind(caught) {
            eprintln!("seed {seed}, step {step}");
            std::panic::resume_unwind(panic);
        }
    }
    world
}

#[test]
fn ev1_what_the_events_tell_is_what_the_account_holds() {
    let (mut seen, mut refusals, mut sent) = (Seen::default(), BTreeMap::new(), 0);
    for seed in 0..9 {
        let world = run(seed, 2_000);
        seen.add(&world.seen);
        sent += world.sent;
        for (name, count) in world.refusals {
            *refusals.entry(name).or_insert(0) += count;
        }
    }
    println!("{sent} transactions\n{:#?}\nrefusals {refusals:#?}", seen.0);
    // A session that never got there proves nothing.
    let kinds = [
        "placed",
        "pending",
        "promoted",
        "batch",
        "cancelled",
        "cancelled while reserved",
        "evicted",
        "expired",
        "dead man",
        "replaced",
        "reduced",
        "held",
        "hold ended",
        "hold freed",
        "taken",
        "committed",
        "fill: partial",
        "fill: full",
        "fill: dust",
        "fill: expired",
        "fill: self-trade",
        "synced",
        "released",
        "mark",
        "funding",
        "dead man set",
        "root",
    ];
    for kind in kinds {
        let count = seen.0.get(kind).copied().unwrap_or_default();
        assert!(count >= 3, "too few of {kind}: {seen:?}");
    }
    assert!(sent > 8_000, "{sent}");
}

/// Events of placements, one each.
fn placements(world: &mut World, count: u32) -> Vec<Event> {
    let place = |world: &mut World| {
        let who = &world.members[0];
        let placed = ok(world
            .exchange
            .place(who, OrderKind::PostOnly, Side::Bid, MARK - 700, 3));
        placed.events[0]
    };
    (0..count).map(|_| place(world)).collect()
}

#[test]
fn ev2_a_lost_event_is_noticed_at_the_next_one_and_healed_from_the_account() {
    let mut world = run(11, 150);
    // Room for what follows.
    let (trader, account) = (world.trader(0), world.members[0].account);
    let all = slab::cancel_all(&world.exchange.slab, &trader, account, None, None, 32);
    let gone = ok(world.trade(0, all));
    world.read(&gone);
    let seq = world.replica.seq();
    let events = placements(&mut world, 5);
    assert_eq!(world.replica.apply(&events[0]), Ok(()));
    // Two are lost. Every later one says so, and changes nothing.
    for (event, missing) in [(&events[3], 2), (&events[4], 3), (&events[3], 2)] {
        let gap = ReplicaError::Gap {
            expected: seq + 2,
            missing,
        };
        assert_eq!(world.replica.apply(event), Err(gap));
        assert_eq!(world.replica.seq(), seq + 1);
    }
    let mut healed =
        Replica::from_account(&world.exchange.session.data(&world.exchange.slab)).expect("a slab");
    assert_eq!(healed.seq(), seq + 5);
    assert_told(&healed, &world.exchange);
    // What it holds already is refused, what follows is taken.
    let old = ReplicaError::Old {
        expected: seq + 6,
        found: seq + 4,
    };
    assert_eq!(healed.apply(&events[3]), Err(old));
    assert_eq!(healed.apply(&placements(&mut world, 1)[0]), Ok(()));
    assert_told(&healed, &world.exchange);
    // The lost ones, found again in order, heal as well.
    for event in &events[1..] {
        assert_eq!(world.replica.apply(event), Ok(()));
    }
}

#[test]
fn ev2_a_replica_healed_in_mid_session_goes_on() {
    for seed in 20..23 {
        let mut world = run(seed, 250);
        let data = world.exchange.session.data(&world.exchange.slab);
        world.replica = Replica::from_account(&data).expect("a slab");
        for _ in 0..250 {
            world.step();
        }
    }
}

#[test]
fn ev2_events_in_the_wrong_order_or_twice_are_refused() {
    let mut world = World::open(5);
    let seq = world.replica.seq();
    let events = placements(&mut world, 2);
    let gap = ReplicaError::Gap {
        expected: seq + 1,
        missing: 1,
    };
    assert_eq!(world.replica.apply(&events[1]), Err(gap));
    assert_eq!(world.replica.apply(&events[0]), Ok(()));
    let old = ReplicaError::Old {
        expected: seq + 2,
        found: seq + 1,
    };
    assert_eq!(world.replica.apply(&events[0]), Err(old));
    assert_eq!(world.replica.apply(&events[1]), Ok(()));
    assert_told(&world.replica, &world.exchange);
}

#[test]
fn ev2_events_of_another_slab_contradict() {
    let mut world = World::open(6);
    let mut event = placements(&mut world, 1)[0];
    assert_eq!(world.replica.apply(&event), Ok(()));
    // The same order again, with a number that fits.
    let Event::OrderPlaced(placed) = &mut event else {
        panic!("{event:?}")
    };
    placed.seq += 1;
    let seq = placed.seq;
    let refused = world.replica.apply(&event);
    assert!(
        matches!(refused, Err(ReplicaError::Contradiction { seq: at, .. }) if at == seq),
        "{refused:?}"
    );
    // It stays so: whatever follows may be wrong.
    let next = placements(&mut world, 1)[0];
    assert_eq!(world.replica.apply(&next), refused);
}
