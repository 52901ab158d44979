//! A price account as Pyth's receiver program would write it, for instruments
//! of the embedded chain.

use super::session::{Failure, Receipt, Session};
use crate::slab;
use flagstone_interface::{Key, PYTH_RECEIVER_ID};
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::layout::Rules;
use flagstone_slab_engine::oracle::{OraclePrice, PRICE_UPDATE_BYTES, PRICE_UPDATE_DISCRIMINATOR};
use flagstone_units::{Lots, Ppm, Slot, Ticks};
use solana_account::Account;
use solana_address::Address;
use solana_clock::Clock;

/// What a price account says, as Pyth's receiver program writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PriceUpdate {
    /// Feed.
    pub feed: Key,
    /// Verification: `[1]` is full, `[0, signatures]` is partial.
    pub verification: Vec<u8>,
    /// Price, in units of ten to the exponent.
    pub price: i64,
    /// Half width of the confidence interval, in the same units.
    pub confidence: u64,
    /// Exponent of ten.
    pub exponent: i32,
    /// Publish time, in unix seconds.
    pub publish_time: i64,
    /// Slot in which it was posted.
    pub posted_slot: u64,
}

impl PriceUpdate {
    /// The account's data.
    pub fn data(&self) -> Vec<u8> {
        let mut data = PRICE_UPDATE_DISCRIMINATOR.to_vec();
        // Who may write it.
        data.extend([5; 32]);
        data.extend(&self.verification);
        data.extend(self.feed);
        data.extend(self.price.to_le_bytes());
        data.extend(self.confidence.to_le_bytes());
        data.extend(self.exponent.to_le_bytes());
        data.extend(self.publish_time.to_le_bytes());
        data.extend(self.publish_time.saturating_sub(1).to_le_bytes());
        // Moving averages, which nothing reads.
        data.extend([0xee; 16]);
        data.extend(self.posted_slot.to_le_bytes());
        // Room for a partial verification, which is a byte longer.
        data.resize(PRICE_UPDATE_BYTES + 1, 0);
        data
    }

    /// Writes the account at any address, for any owner: the program that does
    /// it on a cluster is not deployed here.
    pub fn put(&self, session: &mut Session, key: Address, owner: Address) {
        let data = self.data();
        let account = Account {
            lamports: session.svm.minimum_balance_for_rent_exemption(data.len()),
            data,
            owner,
            ..Account::default()
        };
        // An account of a program that is not deployed is accepted as it is.
        let _ = session.svm.set_account(key, account);
    }
}

/// An oracle of the embedded chain: prices are ticks of 0.01.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oracle {
    /// Its account.
    pub key: Address,
    /// Feed that it carries.
    pub feed: Key,
}

impl Oracle {
    /// The oracle of a feed, at the feed's own number as its address.
    pub const fn new(feed: Key) -> Self {
        Self {
            key: Address::new_from_array(feed),
            feed,
        }
    }

    /// Publishes and posts a price, fully verified and certain, now.
    pub fn post(&self, session: &mut Session, ticks: u32) {
        let clock = session.svm.get_sysvar::<Clock>();
        // Whole seconds, and later than the last: two may follow in one second.
        let last = OraclePrice::read(&session.data(&self.key));
        let published = last.map_or(1, |last| last.publish_time + 1);
        let update = PriceUpdate {
            feed: self.feed,
            verification: vec![1],
            price: ticks.into(),
            confidence: 0,
            exponent: -2,
            publish_time: published.max(clock.unix_timestamp),
            posted_slot: clock.slot,
        };
        let owner = Address::new_from_array(PYTH_RECEIVER_ID);
        update.put(session, self.key, owner);
    }

    /// Posts a price and has instrument 0 of a slab take it.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn update(
        &self,
        session: &mut Session,
        slab: &Address,
        ticks: u32,
    ) -> Result<Receipt, Box<Failure>> {
        self.post(session, ticks);
        session.send(&[slab::update_mark(slab, &self.key, 0)], &[])
    }
}

/// An instrument that an oracle marks and that can be liquidated: as the
/// standard one, a liquidation fee of 0.5 % of which the keeper gets 40 %, and a
/// band that widens from 0.5 % to 2 %.
///
/// The mark moves by 0.01 % of its start per slot: what a liquidation can lose
/// is then within the maintenance margin of 5 %.
pub fn oracle_instrument(mark: Ticks, oracle: &Oracle) -> InstrumentParams {
    InstrumentParams {
        mark_move_max: Ticks((mark.0 / 10_000).max(1)),
        mark_lots_min: Lots(u32::MAX),
        oracle: oracle.key.to_bytes(),
        oracle_feed: oracle.feed,
        oracle_scale: 100_000_000,
        rules: Rules {
            oracle_age_max: Slot(10),
            oracle_confidence_max: Ppm(10_000),
            liquidation_fee: Ppm(5_000),
            keeper_share: Ppm(400_000),
            liquidation_band_min: Ppm(5_000),
            liquidation_band_max: Ppm(20_000),
            ..Rules::default()
        },
        ..super::exchange::standard_instrument(mark)
    }
}
