//! An index: its constituents and the quote that follows from the market.
//!
//! An index unit of price `P` and slope `S` costs `Q * (P + S * Q)` for `Q`
//! units (paper, section 3). `S` is a price range over a quantity, so the cost
//! is conservative: the integral of such a gradient is `S * Q^2 / 2`.

use crate::amount::Amount;
use crate::compat;
use crate::error::{KernelError, MathError};
use crate::market::{Asset, Place, Result, asset};
use crate::reach::{Reach, Scarcest};
use crate::stable::{self, mul_ceil};
use crate::sum::Sum;
use crate::wide::Wide;
use bytemuck::{Pod, Zeroable};

/// Constituents of an index, at most.
pub const INDEX_CONSTITUENTS_MAX: usize = 256;

/// One asset of an index, with what its weight alone decides worked out once.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Constituent {
    /// Which asset, and where.
    pub place: Place,
    /// `W`: asset units per index unit, above zero.
    pub weight: Amount,
    /// `ceil(W * W)`.
    pub weight_squared: Amount,
    /// `W` to 32 bits, for telling cheaply that an asset is not the scarcest.
    pub reach: Reach,
}

const _: () = assert!(size_of::<Constituent>() == 64);

impl Constituent {
    /// A constituent.
    ///
    /// # Errors
    /// [`KernelError::ZeroWeight`], [`KernelError::Math`] when the weight's square does not fit.
    pub fn new(place: Place, weight: Amount) -> Result<Self> {
        if weight == Amount::ZERO {
            return Err(KernelError::ZeroWeight);
        }
        Ok(Self {
            place,
            weight,
            weight_squared: Amount::new(mul_ceil(weight.get(), weight.get())?),
            reach: Reach::new(weight.get()),
        })
    }
}

/// Checks that no asset is twice in an index: its slots are strictly increasing.
///
/// # Errors
/// [`KernelError::SlotsUnsorted`].
pub fn check_slots(constituents: &[Constituent]) -> Result<()> {
    let increasing = constituents.is_sorted_by(|a, b| a.place.slot < b.place.slot);
    if increasing {
        Ok(())
    } else {
        Err(KernelError::SlotsUnsorted)
    }
}

/// What an index costs and how much of it there is, in the paper's order.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Quote {
    /// `C`: index units that the scarcest constituent's liquidity allows.
    pub capacity: Amount,
    /// `P`: quote units per index unit.
    pub price: Amount,
    /// `S`: rise of the price per index unit.
    pub slope: Amount,
}

impl Quote {
    /// The quote for buying more once `bought` index units were bought on it.
    ///
    /// `(q + b)(P + S(q + b)) - b(P + Sb) = q(P + 2Sb + Sq)`, so the price starts
    /// `2Sb` higher, rounded up, and parts cost together what the whole does.
    ///
    /// # Errors
    /// [`MathError::Overflow`].
    pub fn after_buying(&self, bought: u128) -> stable::Result<Self> {
        let price = self.price.get().checked_add(self.risen(bought)?);
        Ok(Self {
            capacity: Amount::new(self.capacity.get().saturating_sub(bought)),
            price: Amount::new(price.ok_or(MathError::Overflow)?),
            slope: self.slope,
        })
    }

    /// The quote for selling more once `sold` index units were sold on it: the
    /// price starts `2Sb` lower, at least at zero.
    ///
    /// # Errors
    /// [`MathError::Overflow`].
    pub fn after_selling(&self, sold: u128) -> stable::Result<Self> {
        let price = self.price.get().saturating_sub(self.risen(sold)?);
        Ok(Self {
            capacity: Amount::new(self.capacity.get().saturating_sub(sold)),
            price: Amount::new(price),
            slope: self.slope,
        })
    }

    /// How far `traded` index units move the price, rounded up.
    fn risen(&self, traded: u128) -> stable::Result<u128> {
        let once = mul_ceil(self.slope.get(), traded)?;
        once.checked_mul(2).ok_or(MathError::Overflow)
    }
}

/// `update_quote` in the paper's arithmetic: every product floors.
///
/// `P = sum floor(P_i W_i)`, `S = sum floor(S_i floor(W_i^2))`,
/// `C = min floor(L_i / W_i)` (section 3.4); no constituents have all the capacity there is.
///
/// # Errors
/// Those of [`asset`], [`KernelError::Math`].
pub fn update_quote_compat(assets: &[Asset], constituents: &[Constituent]) -> Result<Quote> {
    let (mut price, mut slope, mut capacity) = (0, 0, u128::MAX);
    for constituent in constituents {
        let asset = asset(assets, constituent.place)?;
        let weight = constituent.weight.get();
        price = compat::add(price, compat::mul(asset.price.get(), weight)?)?;
        let squared = compat::mul(weight, weight)?;
        slope = compat::add(slope, compat::mul(asset.slope.get(), squared)?)?;
        capacity = capacity.min(compat::div(asset.liquidity.get(), weight)?);
    }
    Ok(Quote {
        capacity: Amount::new(capacity),
        price: Amount::new(price),
        slope: Amount::new(slope),
    })
}

/// `update_quote` in stable arithmetic: sums are exact and rounded once.
///
/// `P = floor(sum P_i W_i)`, `S = ceil(sum S_i ceil(W_i^2))`, `C = floor(min L_i / W_i)`.
/// The slope is rounded up because both sides pay it. The least ratio is found
/// by comparing, and divided once.
///
/// # Errors
/// Those of [`asset`], [`KernelError::ZeroWeight`], [`KernelError::Math`].
pub fn update_quote_stable(assets: &[Asset], constituents: &[Constituent]) -> Result<Quote> {
    quote_hearing(assets, constituents, |_| {})
}

/// [`update_quote_stable`], and the least of what `slots` says of the assets in
/// it: when their data was reported. All there is for no constituents; 0 for an
/// asset that `slots` does not reach.
///
/// # Errors
/// As [`update_quote_stable`].
pub fn update_quote_dated(
    assets: &[Asset],
    slots: &[u32],
    constituents: &[Constituent],
) -> Result<(Quote, u32)> {
    let mut oldest = u32::MAX;
    let quote = quote_hearing(assets, constituents, |place| {
        let slot = slots.get(usize::from(place)).copied().unwrap_or(0);
        if slot < oldest {
            oldest = slot;
        }
    })?;
    Ok((quote, oldest))
}

/// The quote; `hear` is told the market slot of each constituent.
#[inline(always)]
fn quote_hearing(
    assets: &[Asset],
    constituents: &[Constituent],
    mut hear: impl FnMut(u16),
) -> Result<Quote> {
    let mut price = Sum::ZERO;
    let mut slope = Sum::ZERO;
    let mut least = Scarcest::NONE;
    for constituent in constituents {
        let asset = asset(assets, constituent.place)?;
        hear(constituent.place.slot);
        let weight = constituent.weight.get();
        price.add_product(asset.price.get(), weight);
        slope.add_product(asset.slope.get(), constituent.weight_squared.get());
        least.see(asset.liquidity.get(), weight, constituent.reach)?;
    }
    let round = |sum: Sum| {
        sum.finish()
            .and_then(Wide::div_scale)
            .ok_or(MathError::Overflow)
    };
    let (price, _) = round(price)?;
    let (slope, inexact) = round(slope)?;
    Ok(Quote {
        capacity: Amount::new(least.ratio()),
        price: Amount::new(price),
        slope: Amount::new(compat::add(slope, u128::from(inexact))?),
    })
}
