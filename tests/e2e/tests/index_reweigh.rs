//! New weights of an index: announced, in force, traded in steps by anyone.
#![allow(missing_docs, reason = "tests")]

use flagstone_e2e_tests::forge::{plant_copy, swapped};
use flagstone_e2e_tests::hostile::{called, deploy};
use flagstone_e2e_tests::index::{Fair, ONE, User, limits, place};
use flagstone_e2e_tests::refusal::refused;
use flagstone_e2e_tests::{QUOTE, ok};
use flagstone_sdk::events::sha256;
use flagstone_sdk::index::{self, IndexLimits, Pair, Reweighing};
use flagstone_sdk::index_engine::amounts::{Fraction, ONE as WHOLE};
use flagstone_sdk::index_engine::audit;
use flagstone_sdk::index_engine::chain::EventHead;
use flagstone_sdk::index_engine::rebalance::{LegTraded, RebalanceExecuted};
use flagstone_sdk::interface::error::IndexError;
use flagstone_sdk::kernels::Amount;
use flagstone_sdk::kernels::market::{Asset, MarginUpdate, Place, SupplyUpdate};
use flagstone_sdk::kernels::rebalance::Leg;
use flagstone_sdk::units::Side;
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// Slots between announcement and change.
const NOTICE: u32 = 10;
/// Part of a token's value that a change may move: 1 %.
const VALUE_MAX_PPM: u32 = 10_000;
/// All of the market's capacity.
const ALL: u64 = ONE as u64;

/// A fair whose index can be re-weighed, and a user who holds it.
struct Scene {
    fair: Fair,
    user: User,
    own: Reweighing,
    orders: u64,
}

impl Scene {
    fn open(assets: u16, constituents: u16) -> Self {
        let mut fair = Fair::open(assets, constituents);
        let user = fair.join(50_000 * QUOTE);
        let pair = fair.pair;
        let bytes = index::rebalance_bytes(constituents.into());
        let seeded = fair.seeded(&fair.admin.pubkey(), "weights", bytes);
        let count = u32::from(constituents);
        let made = Reweighing::create(&pair, &seeded, count, NOTICE, VALUE_MAX_PPM);
        let (own, create) = made.expect("a short seed");
        fair.exchange
            .session
            .warp_to(fair.exchange.session.slot() + 1);
        let mut scene = Self {
            fair,
            user,
            own,
            orders: 0,
        };
        scene.admin(&create);
        scene
    }

    fn admin(&mut self, instructions: &[Instruction]) {
        let admin = self.fair.admin.insecure_clone();
        ok(self.fair.send(instructions, &[&admin]));
    }

    fn wait(&mut self, slots: u64) {
        let slot = self.fair.exchange.session.slot();
        self.fair.exchange.session.warp_to(slot + slots);
    }

    /// Fresh data of all assets, and a quote from it.
    fn refresh(&mut self, assets: u16) {
        self.wait(1);
        self.fair.report(0..assets);
        ok(self.fair.send(&[self.own.pair.update_quote()], &[]));
    }

    /// Next to no supply and little margin.
    fn scarce(&mut self, assets: u16) {
        let (market, vendor) = (self.own.pair.market, self.fair.vendor.key());
        let slots: Vec<u16> = (0..assets).collect();
        for slots in slots.chunks(14) {
            let supply = |slot: &u16| SupplyUpdate {
                place: place(*slot),
                long: Amount::new(ONE),
                short: Amount::ZERO,
            };
            let margin = |slot: &u16| MarginUpdate {
                place: place(*slot),
                margin: Amount::new(ONE),
            };
            let supplies: Vec<_> = slots.iter().map(supply).collect();
            let margins: Vec<_> = slots.iter().map(margin).collect();
            let updates = [
                index::submit_supply(&market, &vendor, &supplies),
                index::submit_margin(&market, &vendor, &margins),
            ];
            let wallet = self.fair.vendor.wallet.insecure_clone();
            for update in updates {
                ok(self.fair.send(&[update], &[&wallet]));
            }
        }
    }

    /// Buys for this much.
    fn buy(&mut self, atoms: u64) -> Address {
        self.orders += 1;
        let order = self.fair.order(&self.user, Side::Bid, self.orders, atoms);
        self.execute(&order);
        order
    }

    fn execute(&mut self, order: &Address) {
        let execute = self.fair.pair.execute(order, 0);
        ok(self.fair.send(&[execute], &[]));
        self.wait(1);
    }

    /// Weights of the assets from `first` on, equal in value, whose token is
    /// worth what the present one is.
    fn weights(&self, first: u16, count: u16) -> Vec<(Place, Amount)> {
        let (_, assets) = self.fair.market();
        let (_, constituents) = self.fair.index();
        let price = |slot: u16| assets[usize::from(slot)].price.get();
        let milli = |value: u128| value / 1_000_000_000;
        let worth: u128 = constituents
            .iter()
            .map(|one| milli(price(one.place.slot)) * milli(one.weight.get()))
            .sum();
        let each = worth / u128::from(count);
        (first..first + count)
            .map(|slot| (place(slot), Amount::new(each * ONE / price(slot))))
            .collect()
    }

    /// Proposes and announces weights in two parts; their hash.
    fn announce(&mut self, weights: &[(Place, Amount)]) -> [u8; 32] {
        let admin = self.fair.admin.pubkey();
        let half = weights.len() / 2;
        let first = self.own.propose(&admin, 0, false, &weights[..half]);
        let rest = self
            .own
            .propose(&admin, half as u32, true, &weights[half..]);
        self.admin(&[first]);
        self.admin(&[rest]);
        index::weights_hash(weights).expect("weights of an index")
    }

    fn change(&mut self, hash: &[u8; 32]) {
        let change = self.own.change(&self.fair.admin.pubkey(), hash);
        self.admin(&[change]);
    }

    fn legs(&self) -> Vec<Leg> {
        let data = self.fair.exchange.session.data(&self.own.account);
        index::read_rebalance(&data).expect("an account").2
    }

    /// Trades legs with this part of the capacity; what its event says.
    fn trade(&mut self, count: u32, factor: u64) -> (RebalanceExecuted, Vec<LegTraded>) {
        let execute = self.own.execute(count, factor);
        let receipt = ok(self.fair.send(&[execute], &[]));
        self.wait(1);
        println!("{count} legs: {} CU", receipt.compute_units);
        let history = self.fair.history(&self.own.pair.index);
        let event = history.last().expect("an event");
        let body = &event[size_of::<EventHead>()..];
        let (head, list) = body.split_at(size_of::<RebalanceExecuted>());
        let list = list.chunks_exact(size_of::<LegTraded>());
        (
            bytemuck::pod_read_unaligned(head),
            list.map(bytemuck::pod_read_unaligned).collect(),
        )
    }

    /// Fails unless every asset's demand and what is left to trade are together
    /// what the outstanding tokens stand for, but for a unit per rounding.
    #[track_caller]
    fn audit(&self, roundings: u128) {
        let (_, assets) = self.fair.market();
        let (index, constituents) = self.fair.index();
        let backed = u128::from(index.state.backed().expect("a sound record").0);
        let legs = self.legs();
        for (slot, asset) in assets.iter().enumerate() {
            let here = |place: Place| usize::from(place.slot) == slot;
            let weight = constituents.iter().find(|one| here(one.place));
            let weight = weight.map_or(0, |one| one.weight.get());
            let pending = legs.iter().find(|leg| here(leg.place));
            let long = pending.map_or(0, |leg| leg.long.get());
            let short = pending.map_or(0, |leg| leg.short.get());
            // Tokens have nine decimals, weights eighteen.
            let exact = backed * (weight / 1_000_000_000)
                + backed * (weight % 1_000_000_000) / 1_000_000_000;
            let have = asset.demand_long.get() + long;
            let owed = asset.demand_short.get() + short;
            assert!(have >= owed, "slot {slot}");
            let have = have - owed;
            assert!(
                have >= exact && have <= exact + roundings,
                "slot {slot}: {have} for {exact}"
            );
        }
    }
}

fn demand(asset: &Asset) -> i128 {
    asset.demand_long.get() as i128 - asset.demand_short.get() as i128
}

#[test]
fn ix9_k5_two_changes_of_weights_move_exactly_the_demand_that_they_trade() {
    let mut scene = Scene::open(60, 30);
    scene.buy(900 * QUOTE);
    let waiting = scene.buy(1_900 * QUOTE);
    scene.audit(2);
    let first = scene.weights(10, 30);
    let hash = scene.announce(&first);
    scene.refresh(60);
    scene.wait(u64::from(NOTICE) - 2);
    let version = scene.fair.index().0.state.weights_version;
    scene.refresh(60);
    scene.change(&hash);
    assert_eq!(scene.fair.index().0.state.weights_version, version + 1);
    let weights = scene.fair.index().1;
    let in_force: Vec<_> = weights.iter().map(|one| (one.place, one.weight)).collect();
    assert_eq!(in_force, first);
    assert_eq!(scene.legs().len(), 40, "old and new assets");
    scene.audit(3);
    // The quote of the old weights is void; a new one trades the new weights.
    let execute = scene.fair.pair.execute(&waiting, 0);
    let session = &mut scene.fair.exchange.session;
    refused(session, &[execute], &[], IndexError::StaleQuote);
    scene.refresh(60);
    scene.execute(&waiting);
    scene.audit(4);

    // Some of it is traded, in the order of the legs, by anyone.
    let before: Vec<i128> = scene.fair.market().1.iter().map(demand).collect();
    let legs = scene.legs();
    // No call is so small that it only keeps others from trading.
    let little = scene.own.execute(16, ALL / 10 - 1);
    let session = &mut scene.fair.exchange.session;
    refused(session, &[little], &[], IndexError::BadParameter);
    scene.scarce(60);
    let (event, traded) = scene.trade(16, ALL / 10);
    assert_eq!((event.first, event.count, event.legs), (0, 16, 40));
    assert_eq!(event.factor, [ALL / 10, 0]);
    assert!(!traded.is_empty() && event.traded as usize == traded.len());
    let mut moved = before;
    for one in &traded {
        let quantity = one.quantity[0] as i128 | (one.quantity[1] as i128) << 64;
        moved[one.slot as usize] += if one.side == 0 { quantity } else { -quantity };
    }
    let after: Vec<i128> = scene.fair.market().1.iter().map(demand).collect();
    assert_eq!(moved, after, "demand moved by what the event says");
    let left = scene.legs();
    let limited = |leg: &Leg| leg.long > Amount::ZERO || leg.short > Amount::ZERO;
    let mut pairs = legs.iter().zip(&left);
    assert!(
        pairs.any(|(old, new)| old != new && limited(new)),
        "capacity was the limit"
    );
    assert!(legs[16..] == left[16..], "the other legs wait");
    scene.audit(4);

    // A second change on top of what the first left.
    let second = scene.weights(0, 25);
    let hash = scene.announce(&second);
    scene.wait(NOTICE.into());
    scene.refresh(60);
    scene.change(&hash);
    scene.audit(6);
    scene.refresh(60);
    scene.buy(500 * QUOTE);
    scene.audit(7);
    let mut calls = 0;
    while !scene.legs().is_empty() {
        scene.trade(32, ALL);
        scene.audit(7);
        calls += 1;
        assert!(calls < 10, "it never ends");
    }
    let nothing = scene.own.execute(16, ALL);
    let session = &mut scene.fair.exchange.session;
    refused(session, &[nothing], &[], IndexError::ZeroAmount);
    let (_, assets) = scene.fair.market();
    for asset in &assets[25..] {
        assert!(
            demand(asset) <= 7,
            "nothing is left of an asset that was dropped"
        );
    }
    // The history of the index has it all, and leads to its account.
    let (head, constituents) = scene.fair.index();
    let history = scene.fair.history(&scene.own.pair.index);
    let admin = scene.fair.admin.pubkey();
    let weights: &[u8] = bytemuck::cast_slice(&constituents);
    // The first weights are gone: what was added is counted, not hashed.
    let replay = |weights: &[u8]| {
        audit::index(
            &head,
            admin.as_array(),
            (&[], 40),
            weights,
            &history,
            sha256,
        )
    };
    assert_eq!(replay(weights), Ok(()));
    let other = vec![0; weights.len()];
    assert!(replay(&other).is_err(), "other weights");
}

#[test]
fn ix9_an_unannounced_early_foreign_or_costly_change_is_refused() {
    let mut scene = Scene::open(40, 20);
    scene.buy(900 * QUOTE);
    let admin = scene.fair.admin.insecure_clone();
    let thief = scene.fair.exchange.session.new_wallet();
    let (own, key) = (scene.own, admin.pubkey());
    let weights = scene.weights(10, 20);
    let hash = index::weights_hash(&weights).expect("weights");
    let parts = |from: usize, to: usize| &weights[from..to];
    macro_rules! refuse {
        ($instruction:expr, $signer:expr, $error:expr) => {
            refused(
                &mut scene.fair.exchange.session,
                &[$instruction],
                &[$signer],
                $error,
            )
        };
    }
    // Not the administrator.
    let foreign = own.propose(&thief.pubkey(), 0, true, parts(0, 20));
    refuse!(foreign, &thief, IndexError::WrongSigner);
    let foreign = own.change(&thief.pubkey(), &hash);
    refuse!(foreign, &thief, IndexError::WrongSigner);
    // Nothing is announced.
    refuse!(own.change(&key, &hash), &admin, IndexError::OldWeights);
    refuse!(
        own.change(&key, &[0; 32]),
        &admin,
        IndexError::IllegalTransition
    );
    // Parts out of order, assets twice, unknown ones, weights of nothing.
    refuse!(
        own.propose(&key, 3, false, parts(3, 6)),
        &admin,
        IndexError::OutOfOrder
    );
    let twice = [weights[3], weights[3]];
    refuse!(
        own.propose(&key, 0, true, &twice),
        &admin,
        IndexError::AssetRepeated
    );
    let unknown = [(place(777), weights[0].1)];
    refuse!(
        own.propose(&key, 0, true, &unknown),
        &admin,
        IndexError::WrongAsset
    );
    let nothing = [(place(7), Amount::ZERO)];
    refuse!(
        own.propose(&key, 0, true, &nothing),
        &admin,
        IndexError::BadWeight
    );
    scene.admin(&[own.propose(&key, 0, false, parts(0, 10))]);
    refuse!(
        own.propose(&key, 10, true, parts(5, 15)),
        &admin,
        IndexError::AssetRepeated
    );
    refuse!(own.change(&key, &hash), &admin, IndexError::OldWeights);
    scene.admin(&[own.propose(&key, 10, true, parts(10, 20))]);
    // Too early; and what is proposed anew is no longer announced.
    refuse!(own.change(&key, &hash), &admin, IndexError::TooEarly);
    scene.wait(u64::from(NOTICE) - 1);
    refuse!(own.change(&key, &hash), &admin, IndexError::TooEarly);
    scene.wait(1);
    scene.admin(&[own.propose(&key, 0, false, parts(0, 10))]);
    refuse!(own.change(&key, &hash), &admin, IndexError::OldWeights);
    scene.admin(&[own.propose(&key, 10, true, parts(10, 20))]);
    refuse!(own.change(&key, &hash), &admin, IndexError::TooEarly);
    // Another proposal than the one that was signed for.
    scene.wait(NOTICE.into());
    let mut other = hash;
    other[0] ^= 1;
    refuse!(own.change(&key, &other), &admin, IndexError::OldWeights);
    // Old data, a paused market.
    scene.wait(200);
    refuse!(own.change(&key, &hash), &admin, IndexError::StaleMarket);
    scene.refresh(40);
    let vendor = scene.fair.vendor.key();
    let market = own.pair.market;
    let pause = |paused| index::set_market(&market, &key, &vendor, 100, 1_000, paused);
    scene.admin(&[pause(true)]);
    refuse!(
        own.change(&key, &hash),
        &admin,
        IndexError::IllegalTransition
    );
    scene.admin(&[pause(false)]);
    // A token worth two per cent more.
    let dear: Vec<_> = weights
        .iter()
        .map(|(place, weight)| (*place, Amount::new(weight.get() / 50 * 51)))
        .collect();
    let dear_hash = scene.announce(&dear);
    scene.wait(NOTICE.into());
    refuse!(own.change(&key, &dear_hash), &admin, IndexError::ValueMoved);
    scene.audit(1);
    assert!(scene.legs().is_empty());
}

#[test]
fn ix9_forged_and_foreign_accounts_of_weights_are_refused() {
    let mut scene = Scene::open(40, 20);
    scene.buy(900 * QUOTE);
    let admin = scene.fair.admin.insecure_clone();
    let thief = scene.fair.exchange.session.new_wallet();
    let (own, key) = (scene.own, admin.pubkey());
    // A second account for the same index; one that another made.
    let bytes = index::rebalance_bytes(20);
    let create = |scene: &Scene, base: &Keypair, pair: &Pair, value: u32| {
        let seeded = scene.fair.seeded(&base.pubkey(), "more", bytes);
        let made = Reweighing::create(pair, &seeded, 20, NOTICE, value);
        made.expect("a short seed").1
    };
    let again = create(&scene, &admin, &own.pair, VALUE_MAX_PPM);
    let session = &mut scene.fair.exchange.session;
    refused(session, &again, &[&admin], IndexError::AlreadyInitialized);
    let stolen = create(&scene, &thief, &own.pair, VALUE_MAX_PPM);
    let session = &mut scene.fair.exchange.session;
    refused(session, &stolen, &[&thief], IndexError::WrongSigner);
    // An index of its own, not sealed, then with bounds that bound nothing.
    let other = scene.fair.open_index("other", 20);
    for (value, error) in [
        (0, IndexError::BadParameter),
        (1_000_001, IndexError::BadParameter),
    ] {
        let create = create(&scene, &admin, &other, value);
        let session = &mut scene.fair.exchange.session;
        refused(session, &create, &[&admin], error);
    }
    let weights = scene.weights(10, 20);
    let hash = scene.announce(&weights);
    scene.wait(NOTICE.into());
    scene.refresh(40);
    // The account of one index for another.
    let change = own.change(&key, &hash);
    let session = &mut scene.fair.exchange.session;
    let crossed = swapped(&change, 1, other.index);
    refused(session, &[crossed], &[&admin], IndexError::WrongCounterpart);
    scene.change(&hash);
    // Legs that no change left: a copy of the account with more to sell.
    let session = &mut scene.fair.exchange.session;
    let copy = plant_copy(session, &own.account, |_| {});
    let execute = own.execute(40, ALL);
    let forged = swapped(&execute, 0, copy);
    refused(session, &[forged], &[], IndexError::WrongCounterpart);
    let crossed = swapped(&execute, 1, other.index);
    refused(session, &[crossed], &[], IndexError::WrongCounterpart);
    let crossed = swapped(&execute, 0, own.pair.market);
    // One writable account twice.
    refused(
        session,
        &[crossed],
        &[],
        flagstone_e2e_tests::refusal::DUPLICATE,
    );
    for (count, factor, error) in [
        (0, ALL, IndexError::BadParameter),
        (129, ALL, IndexError::BadParameter),
        (40, 0, IndexError::BadParameter),
        (40, ALL + 1, IndexError::FractionsAboveOne),
    ] {
        refused(session, &[own.execute(count, factor)], &[], error);
    }
    // Not through another program.
    deploy(session);
    refused(
        session,
        &[called(&execute)],
        &[],
        IndexError::CalledByProgram,
    );
    // Neither index nor market trades while paused, nor on old data.
    let paused = IndexLimits {
        paused: true,
        ..limits()
    };
    scene.admin(&[own.pair.set_limits(&key, &paused)]);
    let session = &mut scene.fair.exchange.session;
    let execute = own.execute(40, ALL);
    refused(session, &[execute], &[], IndexError::IllegalTransition);
    scene.admin(&[own.pair.set_limits(&key, &limits())]);
    scene.wait(200);
    let execute = own.execute(40, ALL);
    let session = &mut scene.fair.exchange.session;
    refused(session, &[execute], &[], IndexError::StaleMarket);
    scene.audit(2);
}

#[test]
fn ix9_shares_of_old_weights_are_void_and_their_members_free() {
    let mut scene = Scene::open(40, 20);
    scene.buy(900 * QUOTE);
    let pair = scene.own.pair;
    let desk = flagstone_sdk::address::desk(&scene.fair.admin.pubkey());
    let solver = scene.fair.solver.insecure_clone();
    let bytes = flagstone_sdk::index_engine::allotment::allotment_bytes(20, 2);
    scene.refresh(40);
    let seeded = scene.fair.seeded(&solver.pubkey(), "share", bytes);
    let allotment = seeded.address().expect("a short seed");
    let create = pair.create_allotment(&seeded, &desk, Side::Bid, 20, 2);
    ok(scene.fair.send(&create.expect("a short seed"), &[&solver]));
    let order = scene.fair.order(&scene.user, Side::Bid, 77, 500 * QUOTE);
    let half = [Fraction(WHOLE / 2)];
    let join = index::join_allotment(&allotment, &solver.pubkey(), &desk, &order, &half);
    let seal = index::seal_allotment(&allotment, &solver.pubkey(), &desk);
    ok(scene.fair.send(&[join, seal], &[&solver]));
    let weights = scene.weights(10, 20);
    let hash = scene.announce(&weights);
    scene.wait(NOTICE.into());
    scene.refresh(40);
    scene.change(&hash);
    scene.refresh(40);
    let execute = pair.execute_member(&order, &allotment, 0);
    let session = &mut scene.fair.exchange.session;
    refused(session, &[execute], &[], IndexError::OldWeights);
    let owner = scene.user.wallet.insecure_clone();
    let leave = index::leave_allotment(&allotment, &order, &owner.pubkey());
    ok(scene.fair.send(&[leave], &[&owner]));
    scene.execute(&order);
    scene.audit(3);
}

#[test]
fn ix9_an_index_of_256_changes_all_its_weights_in_one_transaction() {
    let mut scene = Scene::open(512, 256);
    scene.buy(900 * QUOTE);
    let weights = scene.weights(128, 256);
    let admin = scene.fair.admin.pubkey();
    for (part, items) in weights.chunks(20).enumerate() {
        let from = part * 20;
        let last = from + items.len() == weights.len();
        let propose = scene.own.propose(&admin, from as u32, last, items);
        scene.admin(&[propose]);
    }
    let hash = index::weights_hash(&weights).expect("weights");
    scene.wait(NOTICE.into());
    scene.fair.report(0..512);
    let change = scene.own.change(&admin, &hash);
    let signer = scene.fair.admin.insecure_clone();
    let receipt = ok(scene.fair.send(&[change], &[&signer]));
    println!("256 weights: {} CU", receipt.compute_units);
    assert_eq!(scene.legs().len(), 384);
    scene.audit(2);
    for _ in 0..3 {
        let (event, traded) = scene.trade(128, ALL);
        assert_eq!(event.count, 128);
        assert!(!traded.is_empty());
        scene.audit(2);
    }
    assert!(scene.legs().is_empty());
}
