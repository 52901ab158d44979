//! Price accounts of Pyth's receiver, as its program writes them, and an
//! instrument that has one for its oracle.

use crate::MARK;
use flagstone_sdk::embedded::Session;
use flagstone_sdk::embedded::exchange::standard_instrument;
use flagstone_sdk::engine::instruments::InstrumentParams;
use flagstone_sdk::engine::layout::Rules;
use flagstone_sdk::engine::oracle::PRICE_UPDATE_DISCRIMINATOR;
use flagstone_sdk::interface::PYTH_RECEIVER_ID;
use flagstone_sdk::units::{Ppm, Slot, Ticks};
use solana_account::Account;
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

    /// The account's data.
    pub fn data(&self) -> Vec<u8> {
        let mut data = PRICE_UPDATE_DISCRIMINATOR.to_vec();
        data.extend([5; 32]);
        data.extend(&self.verification);
        data.extend(self.feed);
        data.extend((i64::from(self.ticks) * 100).to_le_bytes());
        data.extend(self.confidence.to_le_bytes());
        // Ticks are hundredths, prices hundredths of those.
        data.extend((-4i32).to_le_bytes());
        data.extend(self.publish_time.to_le_bytes());
        data.extend(self.publish_time.saturating_sub(1).to_le_bytes());
        data.extend([0xee; 16]);
        data.extend(self.posted_slot.to_le_bytes());
        data.resize(134, 0);
        data
    }

    /// Writes the account at [`ORACLE`], as the receiver would.
    pub fn post(&self, session: &mut Session) {
        self.post_at(session, ORACLE, Address::new_from_array(PYTH_RECEIVER_ID));
    }

    /// The same at any address, for any owner.
    pub fn post_at(&self, session: &mut Session, key: Address, owner: Address) {
        let data = self.data();
        let account = Account {
            lamports: session.svm.minimum_balance_for_rent_exemption(data.len()),
            data,
            owner,
            ..Account::default()
        };
        session.svm.set_account(key, account).expect("an account");
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
