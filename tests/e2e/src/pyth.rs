//! Prices in ticks that a test may spoil, and an instrument that has one of
//! them for its oracle. The account itself is the SDK's [`PriceUpdate`].

use crate::MARK;
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::embedded::{PriceUpdate, Session};
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::Rules;
use flagstone_sdk::interface::PYTH_RECEIVER_ID;
use flagstone_sdk::units::{Ppm, Slot, Ticks};
use solana_address::Address;
use solana_clock::Clock;

/// Feed of the test instrument.
pub const FEED: [u8; 32] = [7; 32];

/// Address of its price account.
pub const ORACLE: Address = Address::new_from_array([9; 32]);

/// Slots for which its price is good.
pub const AGE_MAX: u32 = 25;

/// Slots of its funding interval.
pub const FUNDING_SLOTS: u32 = 40;

/// The standard instrument with an oracle: prices good for [`AGE_MAX`] slots.
pub fn with_oracle() -> InstrumentParams {
    InstrumentParams {
        mark_move_max: Ticks(3),
        mmr: Ppm(90_000),
        oracle: ORACLE.to_bytes(),
        oracle_feed: FEED,
        // A tick is a hundredth of the price's unit.
        oracle_scale: 100_000_000,
        rules: Rules {
            oracle_age_max: Slot(AGE_MAX),
            oracle_confidence_max: Ppm(10_000),
            premium_max: Ppm(20_000),
            premium_slots: Slot(50),
            funding_slots: Slot(FUNDING_SLOTS),
            funding_max: Ppm(1_000),
            funding_spread_max: Ppm(50_000),
            ..Rules::default()
        },
        ..standard_instrument(Ticks(MARK))
    }
}

/// What a price account says.
#[derive(Clone, Debug)]
pub struct Price {
    /// Feed.
    pub feed: [u8; 32],
    /// Verification: `[1]` is full, `[0, signatures]` is partial.
    pub verification: Vec<u8>,
    /// Price in ticks of the test instrument.
    pub ticks: u32,
    /// Half width of the confidence interval, in hundredths of a tick.
    pub confidence: u64,
    /// Publish time, in unix seconds.
    pub publish_time: i64,
    /// Slot in which it was posted.
    pub posted_slot: u64,
}

impl Price {
    /// A good price, published and posted just now.
    pub fn now(session: &Session, ticks: u32) -> Self {
        let clock = session.svm.get_sysvar::<Clock>();
        Self {
            feed: FEED,
            verification: vec![1],
            ticks,
            confidence: 100,
            publish_time: clock.unix_timestamp,
            posted_slot: clock.slot,
        }
    }

    fn update(&self) -> PriceUpdate {
        PriceUpdate {
            feed: self.feed,
            verification: self.verification.clone(),
            // Ticks are hundredths, prices hundredths of those.
            price: i64::from(self.ticks) * 100,
            confidence: self.confidence,
            exponent: -4,
            publish_time: self.publish_time,
            posted_slot: self.posted_slot,
        }
    }

    /// The account's data.
    pub fn data(&self) -> Vec<u8> {
        self.update().data()
    }

    /// Writes the account at [`ORACLE`], as the receiver would.
    pub fn post(&self, session: &mut Session) {
        self.post_at(session, ORACLE, Address::new_from_array(PYTH_RECEIVER_ID));
    }

    /// The same at any address, for any owner.
    pub fn post_at(&self, session: &mut Session, key: Address, owner: Address) {
        self.update().put(session, key, owner);
    }
}

/// Moves the clock by slots and as many seconds.
pub fn wait(session: &mut Session, slots: u32) {
    let slot = session.slot() + u64::from(slots);
    session.warp_to(slot);
    let mut clock = session.svm.get_sysvar::<Clock>();
    clock.unix_timestamp = 1_700_000_000 + slot as i64;
    session.svm.set_sysvar(&clock);
}
