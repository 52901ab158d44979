//! Orders against the market: chunks by anyone, never more than was given,
//! never on old data, never worse than allowed.

use super::support::{INDEX, World, key, owner};
use crate::amounts::{Atoms, Quantity, Tokens};
use crate::market::{Feed, IndexState, MarketState, QuoteSide, oldest};
use crate::pending::{Chunk, NewPending, PendingOrder, PendingState};
use crate::roles::{Party, Role};
use crate::{IndexError, Result};
use flagstone_units::{Side, Slot};
use proptest::prelude::*;

pub(super) const VENDOR: [u8; 32] = key(0xfe);
const UNIT: u64 = 1_000_000_000;

/// A market with fresh data and an index with a fresh quote.
pub(super) fn fresh(world: &World) -> (MarketState, IndexState) {
    let now = Slot(world.slot);
    let mut market = MarketState {
        vendor: VENDOR,
        data_slots_max: Slot(10),
        supply_slots_max: Slot(20),
        ..MarketState::default()
    };
    for feed in Feed::ALL {
        market.update(&VENDOR, *feed, now).unwrap();
    }
    let mut index = IndexState {
        order_atoms_max: Atoms(1_000),
        quote_slots_max: Slot(5),
        chunk_gap_slots: Slot(2),
        minted: Tokens(50 * UNIT),
        ..IndexState::default()
    };
    let sides = [QuoteSide::default(); 2];
    index.set_quote(&market, sides, now, now).unwrap();
    (market, index)
}

pub(super) fn make(
    world: &mut World,
    index: &mut IndexState,
    name: u8,
    side: Side,
    given: u64,
) -> Result<PendingOrder> {
    let new = NewPending {
        stream: key(name),
        index: INDEX,
        order_id: 1,
        side,
        given,
        limit_atoms: Atoms(110),
    };
    world.run(|journal| PendingOrder::make(&new, &owner(), index, journal))
}

/// A chunk of so many atoms for so many tokens.
pub(super) const fn chunk(atoms: u64, tokens: u64) -> Chunk<'static> {
    Chunk {
        atoms: Atoms(atoms),
        tokens: Tokens(tokens),
        quantities: &[],
    }
}

pub(super) fn book(
    world: &mut World,
    order: &mut PendingOrder,
    chunk: &Chunk,
    (market, index): &mut (MarketState, IndexState),
) -> Result<()> {
    let before = (*order, *index);
    let done = world.run(|journal| order.book_chunk(chunk, market, index, None, journal));
    if done.is_err() {
        (*order, *index) = before;
    }
    done
}

/// Lets the gap pass and the vendor and the keeper do their work.
pub(super) fn renew(world: &mut World, (market, index): &mut (MarketState, IndexState)) {
    world.slot += 2;
    let now = Slot(world.slot);
    market.update(&VENDOR, Feed::Data, now).unwrap();
    market.update(&VENDOR, Feed::Supply, now).unwrap();
    index
        .set_quote(market, [QuoteSide::default(); 2], now, now)
        .unwrap();
}

proptest! {
    #[test]
    fn ix4_chunks_by_anyone_never_overspend(
        sell: bool,
        given in 1u64..20_000,
        chunks in prop::collection::vec((0u64..1_300, 0u64..30 * UNIT, any::<bool>(), 0u8..20), 1..60),
    ) {
        let mut world = World::new();
        let mut state = fresh(&world);
        let side = if sell { Side::Ask } else { Side::Bid };
        let given = if sell { given * UNIT / 1_000 } else { given };
        let mut order = make(&mut world, &mut state.1, 0x0e, side, given).unwrap();
        let (minted, locked) = (state.1.minted, state.1.locked);
        let (mut atoms, mut tokens, mut claimed, mut live) = (0u64, 0u64, 0u64, true);
        for (paid, size, renewed, other) in chunks {
            if renewed {
                renew(&mut world, &mut state);
            }
            if other == 0 {
                claimed += world.run(|j| order.claim(&owner(), j)).unwrap_or(0);
            }
            if other == 1 && live && order.must_be_open().is_ok() {
                let rest = world.run(|j| order.cancel(&owner(), &mut state.1, j)).unwrap();
                prop_assert_eq!(rest, given - if sell { tokens } else { atoms });
                live = false;
            }
            let used = if sell { size } else { paid };
            let left = given - if sell { tokens } else { atoms };
            let early = order.chunks > 0 && world.slot < order.chunk_slot.0 + 2;
            let worse = u128::from(paid) * u128::from(UNIT) > u128::from(size) * 110;
            let done = book(&mut world, &mut order, &chunk(paid, size), &mut state);
            let expected = if !live || left == 0 {
                Err(IndexError::IllegalTransition)
            } else if early {
                Err(IndexError::TooEarly)
            } else if paid == 0 || size == 0 {
                Err(IndexError::ZeroAmount)
            } else if paid > 1_000 {
                Err(IndexError::AboveMaxOrder)
            } else if used > left {
                Err(IndexError::Overspend)
            } else if if sell { u128::from(paid) * u128::from(UNIT) < u128::from(size) * 110 } else { worse } {
                Err(IndexError::WorsePrice)
            } else {
                atoms += paid;
                tokens += size;
                Ok(())
            };
            prop_assert_eq!(done, expected);
            let index = &state.1;
            let (used, received) = if sell { (tokens, atoms) } else { (atoms, tokens) };
            prop_assert_eq!((order.used, order.received), (used, received));
            prop_assert_eq!(order.claimable + claimed, received);
            prop_assert_eq!(order.remaining, if live { given - used } else { 0 });
            let bought = if sell { 0 } else { tokens };
            prop_assert_eq!(index.minted.0, minted.0 + bought);
            let still = if sell && live { locked.0 - tokens } else { 0 };
            prop_assert_eq!((index.locked.0, index.burned.0), (still, if sell { tokens } else { 0 }));
        }
    }
}

#[test]
fn ix8_nothing_trades_on_old_data() {
    let mut world = World::new();
    let mut state = fresh(&world);
    let order = make(&mut world, &mut state.1, 0x0e, Side::Bid, 5_000).unwrap();
    let start = world.slot;
    let mut attempt = |slot: u32, change: &dyn Fn(&mut MarketState, &mut IndexState)| {
        world.slot = slot;
        let (mut order, mut state) = (order, state);
        change(&mut state.0, &mut state.1);
        book(&mut world, &mut order, &chunk(100, UNIT), &mut state)
    };
    let old_quote = Err(IndexError::StaleQuote);
    let old_market = Err(IndexError::StaleMarket);
    assert_eq!(attempt(start + 5, &|_, _| {}), Ok(()));
    assert_eq!(
        attempt(start + 6, &|_, _| {}),
        old_quote,
        "the quote's own age"
    );
    let lasting = |index: &mut IndexState| index.quote_slots_max = Slot(1_000);
    assert_eq!(attempt(start + 10, &|_, i| lasting(i)), Ok(()));
    assert_eq!(
        attempt(start + 11, &|_, i| lasting(i)),
        old_market,
        "the data it was made from"
    );
    let newer = |m: &mut MarketState, i: &mut IndexState| {
        lasting(i);
        m.data_slot = Slot(start + 11);
    };
    assert_eq!(
        attempt(start + 11, &newer),
        old_market,
        "newer data does not heal an old quote"
    );
    let supply = |m: &mut MarketState, i: &mut IndexState| {
        lasting(i);
        m.data_slots_max = Slot(1_000);
    };
    assert_eq!(attempt(start + 20, &supply), Ok(()));
    assert_eq!(
        attempt(start + 21, &supply),
        old_market,
        "supply has an age of its own"
    );
    // Each update puts the quote one behind.
    let behind = |m: &mut MarketState, _: &mut IndexState| {
        m.update(&VENDOR, Feed::Margin, Slot(start)).unwrap();
    };
    assert_eq!(attempt(start, &behind), old_quote);
    assert_eq!(
        attempt(start, &|m, i| {
            behind(m, i);
            i.quote_lag_max = 1
        }),
        Ok(())
    );
    assert_eq!(
        attempt(start, &|_, i| i.weights_version += 1),
        old_quote,
        "other weights"
    );
    assert_eq!(
        attempt(start - 1, &|_, _| {}),
        Err(IndexError::SequenceBackwards)
    );
    assert_eq!(
        attempt(start, &|m, _| m.sequence -= 1),
        Err(IndexError::SequenceBackwards)
    );
    let paused = Err(IndexError::IllegalTransition);
    assert_eq!(attempt(start, &|m, _| m.paused = 1), paused);
    assert_eq!(attempt(start, &|_, i| i.paused = 1), paused);
}

#[test]
fn ix8_market_and_quote_sequences_only_grow() {
    let world = World::new();
    let (mut market, mut index) = fresh(&world);
    let now = Slot(world.slot);
    assert_eq!(market.sequence, 3);
    assert_eq!(index.quote.market_sequence, 3);
    assert_eq!(
        market.update(&key(1), Feed::Data, now),
        Err(IndexError::WrongSigner)
    );
    let back = market.update(&VENDOR, Feed::Data, Slot(now.0 - 1));
    assert_eq!(back, Err(IndexError::SequenceBackwards));
    assert_eq!(market.update(&VENDOR, Feed::Data, now), Ok(4));
    let sides = [QuoteSide::default(); 2];
    let mut older = market;
    older.sequence = 2;
    let back = index.set_quote(&older, sides, now, now);
    assert_eq!(back, Err(IndexError::SequenceBackwards));
    let without_data = index.set_quote(&market, sides, oldest([]), now);
    assert_eq!(without_data, Err(IndexError::StaleMarket));
    let with_a_hole = oldest([now, Slot(0), now]);
    let early = Slot(5);
    market.supply_slot = early;
    assert_eq!(
        market.check_fresh(with_a_hole, early),
        Err(IndexError::StaleMarket)
    );
    market.vendor = [0; 32];
    let nobody = market.update(&[0; 32], Feed::Data, now);
    assert_eq!(nobody, Err(IndexError::WrongSigner));
}

#[test]
fn a_sell_locks_its_tokens_and_a_cancel_gives_them_back_even_when_paused() {
    let mut world = World::new();
    let (_, mut index) = fresh(&world);
    let all = index.circulating().unwrap();
    let more = make(&mut world, &mut index, 1, Side::Ask, all.0 + 1);
    assert_eq!(more, Err(IndexError::AmountOverflow));
    let mut order = make(&mut world, &mut index, 1, Side::Ask, all.0).unwrap();
    assert_eq!(index.circulating(), Ok(Tokens(0)));
    assert_eq!(index.backed(), Ok(all), "locked tokens are still backed");
    let twice = make(&mut world, &mut index, 2, Side::Ask, 1);
    assert_eq!(twice, Err(IndexError::AmountOverflow));
    index.paused = 1;
    let buy = make(&mut world, &mut index, 3, Side::Bid, 1);
    assert_eq!(buy, Err(IndexError::IllegalTransition));
    let stranger = Party::owner(&key(2), &key(2)).unwrap();
    for party in [stranger, Party::ANYONE, world.role(Role::Solver)] {
        let done = world.run(|j| order.cancel(&party, &mut index, j));
        assert_eq!(done, Err(IndexError::WrongSigner));
        assert_eq!(
            world.run(|j| order.claim(&party, j)),
            Err(IndexError::WrongSigner)
        );
    }
    assert_eq!(
        world.run(|j| order.cancel(&owner(), &mut index, j)),
        Ok(all.0)
    );
    assert_eq!(order.state, PendingState::Cancelled as u8);
    assert_eq!((index.locked, index.circulating()), (Tokens(0), Ok(all)));
    let again = world.run(|j| order.cancel(&owner(), &mut index, j));
    assert_eq!(again, Err(IndexError::IllegalTransition));
    assert_eq!(
        world.run(|j| order.claim(&owner(), j)),
        Err(IndexError::ZeroAmount)
    );
}

#[test]
fn ix6_quantities_are_bound_by_hash_into_the_orders_chain() {
    let mut world = World::new();
    let mut state = fresh(&world);
    let mut order = make(&mut world, &mut state.1, 0x0e, Side::Bid, 5_000).unwrap();
    assert_eq!(order.chunk_max(&state.1), Ok(1_000));
    let quantities = [Quantity::new(3), Quantity::new(5)];
    let executed = Chunk {
        quantities: &quantities,
        ..chunk(100, UNIT)
    };
    book(&mut world, &mut order, &executed, &mut state).unwrap();
    let events = world.events(&key(0x0e));
    let last = crate::audit::Recorded::parse(events.last().unwrap()).unwrap();
    let moved = last.body::<crate::pending::PendingMoved>().unwrap();
    assert_eq!(
        moved.amounts_hash,
        super::support::sha256(&[bytemuck::cast_slice(&quantities)])
    );
    assert_eq!(moved.market_sequence, state.1.quote.market_sequence);
    let verified = crate::audit::verify(&order.chain, events, super::support::sha256);
    assert_eq!(verified, Ok(()));
}
