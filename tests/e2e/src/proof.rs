//! What must hold of a desk at any time, and the proof of its whole history.

use crate::desk::Office;
use crate::index::desk_limits;
use flagstone_sdk::address;
use flagstone_sdk::events::sha256;
use flagstone_sdk::index::{custody, stock};
use flagstone_sdk::index_engine::amounts::value_floor;
use flagstone_sdk::index_engine::audit::{self, Counterpart, DeskHistory, Recorded};
use flagstone_sdk::index_engine::batch::{BatchLot, OrderBatch};
use flagstone_sdk::index_engine::inventory::Fill;
use flagstone_sdk::index_engine::machine::State;
use flagstone_sdk::index_engine::roles::Desk;
use std::collections::BTreeMap;

/// Lots by label of the asset and number of the fill that bought them.
type Origins = BTreeMap<(u64, u64), BatchLot>;

impl Office {
    /// Fails unless every atom and every token is accounted for: the vault
    /// holds what positions have open, the desk was paid what they spent,
    /// which is what orders were charged, and the mint's supply is what was
    /// minted to them and what the market's orders hold.
    #[track_caller]
    pub fn audit(&self) {
        let session = &self.fair.exchange.session;
        let (mut open, mut spent, mut total) = (0, 0, 0);
        for user in 0..self.users.len() {
            let totals = self.totals(user);
            open += totals.unconfirmed.0 + totals.ready.0 + totals.authorised.0;
            spent += totals.spent.0;
            total += totals.total().expect("a sound record").0 - totals.withdrawn.0;
        }
        let record = session.data(&address::desk_custody(&self.desk));
        let record = custody::read_custody(&record).expect("a custody");
        let vault = session.token_balance(&address::desk_vault(&self.desk));
        assert_eq!(record.booked_atoms, open, "what the custody owes");
        assert_eq!(vault, open, "what the custody holds");
        assert_eq!(record.paid_atoms, spent, "what positions paid");
        assert_eq!(
            session.token_balance(&self.payout),
            spent,
            "what the desk got"
        );
        assert_eq!(open + spent, total);
        let (mut charged, mut minted, mut bought) = (0, 0, 0);
        for intent in &self.intents {
            let order = self.order(intent);
            assert!(order.is_balanced(), "every authorised atom in one place");
            charged += order.holdings.paid.0 + order.holdings.routing_fee.0;
            minted += order.holdings.minted.0;
            if order.holdings.minted.0 > 0 {
                assert_eq!(order.holdings.minted, order.holdings.filled);
            } else if order.state() != Ok(State::InvalidCollateral) {
                bought += order.holdings.filled.0;
            }
        }
        assert_eq!(charged, spent, "what orders were charged");
        let state = self.fair.index().0.state;
        assert!(
            state.minted.0 >= minted + bought,
            "the index knows of every token"
        );
        self.fair.audit_with(bought);
    }

    /// Replays the desk's whole history through the engine from nothing, and
    /// compares it with the accounts that there are.
    #[track_caller]
    pub fn prove(&self) {
        let session = &self.fair.exchange.session;
        let desk: Desk = session.record(&self.desk).expect("a desk");
        let grants = self.fair.history(&self.desk);
        let first = audit::desk(&desk, &grants, sha256);
        assert_eq!(first, Ok(desk_limits()), "the desk's history");
        let history = DeskHistory::new(&desk, desk_limits(), &grants, sha256);
        let history = history.unwrap_or_else(|fault| panic!("desk: {fault}"));
        for user in &self.users {
            let key = self.position_of(&user.key()).address();
            let data = session.data(&key);
            let mut scratch = vec![0u64; data.len() / 8];
            let room = bytemuck::cast_slice_mut(&mut scratch);
            let events = self.fair.history(&key);
            audit::collateral(&data, room, &history, &events, sha256)
                .unwrap_or_else(|fault| panic!("position: {fault}"));
        }
        let mut streams = Vec::new();
        let origins = self.origins();
        for batch in &self.batches {
            let data = session.data(&batch.key);
            let mut account = vec![0u64; data.len() / 8];
            let mut scratch = vec![0u64; data.len() / 4];
            let account = bytemuck::cast_slice_mut(&mut account);
            account.copy_from_slice(&data);
            let room = bytemuck::cast_slice_mut(&mut scratch);
            let events = self.fair.history(&batch.key);
            let origin = |label, fill| origins.get(&(label, fill)).copied();
            let replayed = audit::batch(account, room, &history, &events, &origin, sha256);
            let whole = replayed.unwrap_or_else(|fault| panic!("batch: {fault}"));
            assert_eq!(whole, data.len() > size_of::<OrderBatch>(), "closed");
            streams.push((*batch.key.as_array(), events));
        }
        let streams: Vec<_> = streams.iter().map(|(k, e)| (*k, e.as_slice())).collect();
        for intent in &self.intents {
            let events = self.fair.history(&intent.address());
            audit::order(&self.order(intent), &history, &events, sha256)
                .unwrap_or_else(|fault| panic!("order: {fault}"));
            let position = self.fair.history(&intent.position().address());
            let others = Counterpart {
                collateral: &position,
                batches: &streams,
            };
            audit::links(&events, &others, sha256).unwrap_or_else(|fault| panic!("links: {fault}"));
        }
        for slot in 0..self.assets {
            self.prove_stock(slot, &history, &origins);
        }
        for key in &self.fair.orders {
            let events = self.fair.history(key);
            audit::pending(&self.fair.read(key), Some(&history), &events, sha256)
                .unwrap_or_else(|fault| panic!("market order: {fault}"));
        }
    }

    /// Lots as the fills for batches made them, by label and number.
    fn origins(&self) -> Origins {
        let mut lots = Origins::new();
        for slot in 0..self.assets {
            let stock = self.stock(slot);
            for bytes in self.fair.history(&stock.inventory()) {
                let event = Recorded::parse(bytes).expect("an event");
                let Some(fill) = event.body::<Fill>().filter(|fill| fill.batch != 0) else {
                    continue;
                };
                let lot = BatchLot {
                    fill: fill.number,
                    batch: fill.batch,
                    price: fill.price,
                    original: fill.quantity,
                    remaining: fill.quantity,
                    cost: value_floor(fill.quantity, fill.price).expect("atoms"),
                    fee: fill.fee,
                    slot: event.head.slot,
                    next: 0,
                };
                lots.insert((stock.label, fill.number), lot);
            }
        }
        lots
    }

    #[track_caller]
    fn prove_stock(&self, slot: u16, history: &DeskHistory, origins: &Origins) {
        let session = &self.fair.exchange.session;
        let stock = self.stock(slot);
        let data = session.data(&stock.inventory());
        let mut scratch = vec![0u64; data.len() / 8];
        let room = bytemuck::cast_slice_mut(&mut scratch);
        let events = self.fair.history(&stock.inventory());
        audit::inventory(&data, room, history, &events, sha256)
            .unwrap_or_else(|fault| panic!("inventory: {fault}"));
        let kept = session.data(&stock.carry());
        let mut scratch = vec![0u64; kept.len() / 8];
        let room = bytemuck::cast_slice_mut(&mut scratch);
        let events = self.fair.history(&stock.carry());
        let origin = |label, fill| origins.get(&(label, fill)).copied();
        audit::carry(&kept, room, history, &events, &origin, sha256)
            .unwrap_or_else(|fault| panic!("carry-over: {fault}"));
        stock::read_inventory(&data).expect("an inventory");
    }
}
