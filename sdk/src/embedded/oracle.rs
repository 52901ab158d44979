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
        let published = published.max(clock.unix_timestamp);
        let mut data = Vec::with_capacity(PRICE_UPDATE_BYTES);
        data.extend(PRICE_UPDATE_DISCRIMINATOR);
        data.extend([0; 32]);
        // Verified in full.
        data.push(1);
        data.extend(self.feed);
        data.extend(i64::from(ticks).to_le_bytes());
        data.extend(0u64.to_le_bytes());
        data.extend((-2i32).to_le_bytes());
        data.extend(published.to_le_bytes());
        data.extend([0; 24]);
        data.extend(clock.slot.to_le_bytes());
        let account = Account {
            lamports: session.svm.minimum_balance_for_rent_exemption(data.len()),
            data,
            owner: Address::new_from_array(PYTH_RECEIVER_ID),
            ..Account::default()
        };
        // An account of a program that is not deployed is accepted as it is.
        let _ = session.svm.set_account(self.key, account);
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
