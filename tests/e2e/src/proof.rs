//! What must hold of a desk at any time, and the proof of its whole history.

use crate::desk::Office;
use crate::index::{desk_limits, sha256};
use flagstone_sdk::address;
use flagstone_sdk::index::{batches, custody, stock};
use flagstone_sdk::index_engine::audit::{self, Counterpart, DeskHistory};
use flagstone_sdk::index_engine::batch::OrderBatch;
use flagstone_sdk::index_engine::roles::Desk;

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
        let (mut charged, mut minted) = (0, 0);
        for intent in &self.intents {
            let order = self.order(intent);
            assert!(order.is_balanced(), "every authorised atom in one place");
            charged += order.holdings.paid.0 + order.holdings.routing_fee.0;
            minted += order.holdings.minted.0;
            if order.holdings.minted.0 > 0 {
                assert_eq!(order.holdings.minted, order.holdings.filled);
            }
        }
        assert_eq!(charged, spent, "what orders were charged");
        let state = self.fair.index().0.state;
        assert!(state.minted.0 >= minted, "the index knows of every token");
        self.fair.audit();
    }

    /// Replays the desk's whole history through the engine from nothing, and
    /// compares it with the accounts that there are.
    #[track_caller]
    pub fn prove(&self) {
        let session = &self.fair.exchange.session;
        let desk: Desk = session.record(&self.desk).expect("a desk");
        let grants = self.fair.history(&self.desk);
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
        for batch in &self.batches {
            let head = session.data(&batch.key);
            let chain = bytemuck::pod_read_unaligned::<OrderBatch>(&head[..256]).chain;
            let events = self.fair.history(&batch.key);
            audit::verify(&chain, events.iter().copied(), sha256)
                .unwrap_or_else(|fault| panic!("batch: {fault}"));
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
            self.prove_stock(slot, &history);
        }
    }

    #[track_caller]
    fn prove_stock(&self, slot: u16, history: &DeskHistory) {
        let session = &self.fair.exchange.session;
        let stock = self.stock(slot);
        let data = session.data(&stock.inventory());
        let mut scratch = vec![0u64; data.len() / 8];
        let room = bytemuck::cast_slice_mut(&mut scratch);
        let events = self.fair.history(&stock.inventory());
        audit::inventory(&data, room, history, &events, sha256)
            .unwrap_or_else(|fault| panic!("inventory: {fault}"));
        let carry = batches::read_carry(&session.data(&stock.carry())).expect("a carry-over");
        let events = self.fair.history(&stock.carry());
        audit::verify(&carry.chain, events.iter().copied(), sha256)
            .unwrap_or_else(|fault| panic!("carry-over: {fault}"));
        stock::read_inventory(&data).expect("an inventory");
    }
}
