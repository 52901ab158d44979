//! What an oracle account says, in ticks.
//!
//! The oracle is Pyth's: an account `PriceUpdateV2` of its receiver program,
//! kept up to date by anybody (a price feed account) or posted for one use.
//! The format, little-endian and without padding:
//!
//! | bytes | field |
//! |---|---|
//! | 8 | discriminator, `sha256("account:PriceUpdateV2")[..8]` |
//! | 32 | key that may overwrite or close the account |
//! | 1 | verification: 1 is full; 0 is partial, and a count of signatures follows in one byte more |
//! | 32 | feed |
//! | 8 | price, signed |
//! | 8 | half width of the confidence interval |
//! | 4 | exponent: prices and intervals are multiples of `10^exponent` |
//! | 8 | publish time, in unix seconds |
//! | 8 | publish time of the price before |
//! | 8 + 8 | moving averages of price and interval |
//! | 8 | slot in which the price was posted |
//!
//! Source: `PriceUpdateV2` and `VerificationLevel` in `price_update.rs` of
//! `pyth-solana-receiver-sdk` 1.1.0 (docs.rs/pyth-solana-receiver-sdk), whose
//! account length of 134 bytes leaves room for the longer, partial form, and
//! `PriceFeedMessage` of `pythnet-sdk`. Only full verification is accepted: a
//! partial one needs fewer guardians to collude.

use crate::{Result, SlabError};
use flagstone_interface::Key;
use flagstone_units::{PPM_ONE, Ppm, Ticks};

/// First bytes of the account.
pub const PRICE_UPDATE_DISCRIMINATOR: [u8; 8] = [0x22, 0xf1, 0x23, 0x63, 0x9d, 0x7e, 0xf4, 0xcd];

/// Bytes of the account that a fully verified price takes.
pub const PRICE_UPDATE_BYTES: usize = 133;

/// [`OraclePrice`]'s verification when two thirds of the guardians signed.
const VERIFIED_FULL: u8 = 1;

/// A price as its oracle published it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OraclePrice {
    /// Feed.
    pub feed: Key,
    /// Price, in units of `10^exponent` of the quote.
    pub price: i64,
    /// Half width of the confidence interval, in the same unit.
    pub confidence: u64,
    /// Power of ten that both are multiples of.
    pub exponent: i32,
    /// When it was published, in unix seconds.
    pub publish_time: i64,
    /// Slot in which it was posted.
    pub posted_slot: u64,
}

/// Takes bytes off the front.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    #[inline(always)]
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*taken)
    }
}

impl OraclePrice {
    /// Reads the data of an oracle account, whose owner and address the caller
    /// has checked. Any bytes may come in.
    ///
    /// # Errors
    /// [`SlabError::WrongOracle`] when it is no price account;
    /// [`SlabError::BadOraclePrice`] when its price is not fully verified.
    #[inline(never)]
    pub fn read(data: &[u8]) -> Result<Self> {
        let mut bytes = Bytes(data);
        if bytes.take() != Some(PRICE_UPDATE_DISCRIMINATOR) {
            return Err(SlabError::WrongOracle);
        }
        let verified = bytes.take::<32>().and_then(|_| bytes.take());
        match verified {
            Some([VERIFIED_FULL]) => Self::message(&mut bytes).ok_or(SlabError::WrongOracle),
            Some([0]) => Err(SlabError::BadOraclePrice),
            _ => Err(SlabError::WrongOracle),
        }
    }

    #[inline(always)]
    fn message(bytes: &mut Bytes<'_>) -> Option<Self> {
        let feed = bytes.take()?;
        let price = i64::from_le_bytes(bytes.take()?);
        let confidence = u64::from_le_bytes(bytes.take()?);
        let exponent = i32::from_le_bytes(bytes.take()?);
        let publish_time = i64::from_le_bytes(bytes.take()?);
        // The price before, and the moving averages.
        let _: [u8; 24] = bytes.take()?;
        let posted_slot = u64::from_le_bytes(bytes.take()?);
        Some(Self {
            feed,
            price,
            confidence,
            exponent,
            publish_time,
            posted_slot,
        })
    }

    /// The price in ticks: `price * 10^exponent * scale / 1e6`, to the nearest,
    /// halves upwards.
    ///
    /// # Errors
    /// [`SlabError::BadOraclePrice`] for a price that is not positive, rounds
    /// to no tick or lies above `price_max`.
    pub fn ticks(&self, scale: u64, price_max: Ticks) -> Result<Ticks> {
        let refused = SlabError::BadOraclePrice;
        let price = u64::try_from(self.price).map_err(|_| refused)?;
        // At most 2^63 * 2^64.
        let scaled = u128::from(price).wrapping_mul(u128::from(scale));
        let million = u128::from(PPM_ONE);
        let power = 10u128
            .checked_pow(self.exponent.unsigned_abs())
            .ok_or(refused)?;
        let (top, bottom) = if self.exponent >= 0 {
            (scaled.checked_mul(power).ok_or(refused)?, million)
        } else {
            (scaled, million.checked_mul(power).ok_or(refused)?)
        };
        // Even, as a multiple of a million.
        let rounded = top.checked_add(bottom / 2).ok_or(refused)? / bottom;
        match u32::try_from(rounded) {
            Ok(ticks) if ticks > 0 && ticks <= price_max.0 => Ok(Ticks(ticks)),
            _ => Err(refused),
        }
    }

    /// Whether the confidence interval is at most `limit` of the price.
    #[inline(always)]
    pub fn is_certain(&self, limit: Ppm) -> bool {
        match u64::try_from(self.price) {
            Ok(price) => {
                u128::from(self.confidence).wrapping_mul(u128::from(PPM_ONE))
                    <= u128::from(price).wrapping_mul(u128::from(limit.0))
            }
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn account(price: &OraclePrice, verification: &[u8]) -> Vec<u8> {
        let mut data = PRICE_UPDATE_DISCRIMINATOR.to_vec();
        data.extend([5; 32]);
        data.extend(verification);
        data.extend(price.feed);
        data.extend(price.price.to_le_bytes());
        data.extend(price.confidence.to_le_bytes());
        data.extend(price.exponent.to_le_bytes());
        data.extend(price.publish_time.to_le_bytes());
        data.extend((price.publish_time - 1).to_le_bytes());
        data.extend([0xee; 16]);
        data.extend(price.posted_slot.to_le_bytes());
        data
    }

    fn quote() -> OraclePrice {
        OraclePrice {
            feed: [3; 32],
            price: 6_543_210,
            confidence: 1_234,
            exponent: -5,
            publish_time: 1_700_000_000,
            posted_slot: 400_000_000,
        }
    }

    #[test]
    fn t3_a_verified_price_is_read_whole() {
        let mut data = account(&quote(), &[1]);
        assert_eq!(data.len(), PRICE_UPDATE_BYTES);
        assert_eq!(OraclePrice::read(&data), Ok(quote()));
        // The account is a byte longer than its full form.
        data.push(0xff);
        assert_eq!(OraclePrice::read(&data), Ok(quote()));
    }

    #[test]
    fn t3_partly_verified_and_foreign_accounts_are_refused() {
        for signatures in [0, 5, 13, 255] {
            let data = account(&quote(), &[0, signatures]);
            assert_eq!(OraclePrice::read(&data), Err(SlabError::BadOraclePrice));
        }
        let data = account(&quote(), &[2]);
        assert_eq!(OraclePrice::read(&data), Err(SlabError::WrongOracle));
        let data = account(&quote(), &[1]);
        for length in 0..PRICE_UPDATE_BYTES {
            let short = OraclePrice::read(&data[..length]);
            assert_eq!(short, Err(SlabError::WrongOracle), "{length}");
        }
        for at in 0..8 {
            let mut other = data.clone();
            other[at] ^= 1;
            assert_eq!(OraclePrice::read(&other), Err(SlabError::WrongOracle));
        }
    }

    #[test]
    fn t3_extreme_prices_are_refused_not_wrapped() {
        let ticks = |price: i64, exponent: i32, scale: u64| {
            let quoted = OraclePrice {
                price,
                exponent,
                ..quote()
            };
            quoted.ticks(scale, Ticks(u32::MAX))
        };
        let refused = Err(SlabError::BadOraclePrice);
        for price in [0, -1, i64::MIN] {
            assert_eq!(ticks(price, 0, 1_000_000), refused);
        }
        for exponent in [i32::MIN, -39, -38, 38, 39, i32::MAX] {
            assert_eq!(ticks(i64::MAX, exponent, u64::MAX), refused, "{exponent}");
        }
        assert_eq!(ticks(i64::MAX, -32, u64::MAX), Ok(Ticks(2)));
        assert_eq!(ticks(i64::MAX, -33, u64::MAX), refused);
        // Half a tick rounds up, less is none.
        assert_eq!(ticks(1, 0, 500_000), Ok(Ticks(1)));
        assert_eq!(ticks(1, 0, 499_999), refused);
        assert_eq!(ticks(u32::MAX.into(), 0, 1_000_000), Ok(Ticks(u32::MAX)));
        assert_eq!(ticks(i64::from(u32::MAX) + 1, 0, 1_000_000), refused);
        let quoted = OraclePrice {
            price: 1_001,
            exponent: 0,
            ..quote()
        };
        assert_eq!(quoted.ticks(1_000_000, Ticks(1_000)), refused);
        assert_eq!(quoted.ticks(1_000_000, Ticks(1_001)), Ok(Ticks(1_001)));
    }

    #[test]
    fn t3_confidence_counts_to_the_last_unit() {
        let quoted = |price, confidence| OraclePrice {
            price,
            confidence,
            ..quote()
        };
        assert!(quoted(1_000_000, 5_000).is_certain(Ppm(5_000)));
        assert!(!quoted(1_000_000, 5_001).is_certain(Ppm(5_000)));
        assert!(!quoted(999_999, 5_000).is_certain(Ppm(5_000)));
        assert!(!quoted(i64::MAX, u64::MAX).is_certain(Ppm(1_000_000)));
        assert!(!quoted(-1, 0).is_certain(Ppm(1_000_000)));
        assert!(quoted(1, 0).is_certain(Ppm(1)));
    }

    proptest! {
        #[test]
        fn t3_no_bytes_make_the_reader_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = OraclePrice::read(&data);
        }

        /// Bytes that pass the first checks, with anything behind them.
        #[test]
        fn t3_no_price_makes_the_conversion_panic(
            rest in proptest::collection::vec(any::<u8>(), 92..100),
            scale: u64,
            limit: u32,
        ) {
            let mut data = PRICE_UPDATE_DISCRIMINATOR.to_vec();
            data.extend([0; 32]);
            data.push(1);
            data.extend(rest);
            let read = OraclePrice::read(&data).unwrap();
            let _ = (read.ticks(scale, Ticks(u32::MAX)), read.is_certain(Ppm(limit)));
        }

        /// Nearest tick, against the rational itself: the distance between
        /// `ticks` and `price * 10^exponent * scale / 1e6` is at most a half.
        #[test]
        fn t3_ticks_are_the_nearest_to_the_exact_price(
            price in 1i64..=1 << 40,
            exponent in -12i32..=4,
            scale in 1u64..=1 << 40,
            price_max in 1u32..=u32::MAX,
        ) {
            let quoted = OraclePrice { price, exponent, ..quote() };
            // The exact price is product / bottom.
            let product = u128::from(price.unsigned_abs()) * u128::from(scale);
            let bottom = 10u128.pow((6 - exponent) as u32);
            let twice = 2 * product;
            let found = quoted.ticks(scale, Ticks(price_max));
            let exceeds = |ticks: u128| twice >= (2 * ticks + 1) * bottom;
            match found {
                Ok(Ticks(ticks)) => {
                    let ticks = u128::from(ticks);
                    prop_assert!(ticks >= 1 && ticks <= u128::from(price_max));
                    // twice lies in [2 ticks - 1, 2 ticks + 1) times bottom.
                    prop_assert!(twice >= (2 * ticks - 1) * bottom && !exceeds(ticks));
                }
                Err(error) => {
                    prop_assert_eq!(error, SlabError::BadOraclePrice);
                    prop_assert!(!exceeds(0) || exceeds(u128::from(price_max)));
                }
            }
        }
    }
}
