//! The market: one record per asset, and what a vendor may change.
//!
//! The paper keeps ten vectors over a sorted label list. Here an asset keeps its
//! slot for ever and the ten numbers lie side by side, so filtering by labels is
//! reading by slot, and updating or adding by labels is writing by slot; each
//! touch compares the slot's label with the caller's.
//!
//! # Net exposure
//! `long = (supply_long + demand_short) - (supply_short + demand_long)` held at
//! zero, `short` the reverse (paper, section 4.2), so one of them is 0. It can
//! only change where supply or demand does.

use crate::amount::{Amount, Label};
use crate::compat::{add, div};
use crate::error::KernelError;
use bytemuck::{Pod, Zeroable};

/// Result of a kernel.
pub type Result<T> = core::result::Result<T, KernelError>;

/// Assets in a market, at most.
pub const MARKET_ASSETS_MAX: usize = 512;

/// An asset and the slot where its caller knows it to be.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Place {
    /// Name of the asset.
    pub label: Label,
    /// Its index in the market.
    pub slot: u16,
    /// Zero.
    pub reserved: [u8; 6],
}

impl Place {
    /// The asset named `label` at `slot`.
    pub const fn new(label: Label, slot: u16) -> Self {
        Self {
            label,
            slot,
            reserved: [0; 6],
        }
    }
}

/// One asset of a market.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct Asset {
    /// Name, never reused.
    pub label: Label,
    /// `P`: quote units per asset unit.
    pub price: Amount,
    /// `S`: rise of the price per asset unit.
    pub slope: Amount,
    /// `L`: asset units that the venues offer.
    pub liquidity: Amount,
    /// `M`: bound of the net exposure, in asset units.
    pub margin: Amount,
    /// Asset units the vendor holds.
    pub supply_long: Amount,
    /// Asset units the vendor owes.
    pub supply_short: Amount,
    /// Asset units that index orders have bought.
    pub demand_long: Amount,
    /// Asset units that index orders have sold.
    pub demand_short: Amount,
    /// Net exposure, when the vendor has more than is in demand.
    pub delta_long: Amount,
    /// Net exposure, when the vendor has less than is in demand.
    pub delta_short: Amount,
}

const _: () = assert!(size_of::<Place>() == 24);
const _: () = assert!(size_of::<Asset>() == 176 && align_of::<Asset>() == 8);

impl Asset {
    /// An asset that nobody has or wants.
    pub const fn new(label: Label) -> Self {
        const NONE: Amount = Amount::ZERO;
        Self {
            label,
            price: NONE,
            slope: NONE,
            liquidity: NONE,
            margin: NONE,
            supply_long: NONE,
            supply_short: NONE,
            demand_long: NONE,
            demand_short: NONE,
            delta_long: NONE,
            delta_short: NONE,
        }
    }

    /// Recomputes the net exposure from supply and demand (paper, section 4.2).
    ///
    /// # Errors
    /// [`KernelError::Math`] when a total does not fit 128 bits.
    #[inline(always)]
    pub fn refresh_delta(&mut self) -> Result<()> {
        let long = add(self.supply_long.get(), self.demand_short.get())?;
        let short = add(self.supply_short.get(), self.demand_long.get())?;
        (self.delta_long, self.delta_short) = if long >= short {
            (Amount::new(long - short), Amount::ZERO)
        } else {
            (Amount::ZERO, Amount::new(short - long))
        };
        Ok(())
    }

    /// Books asset units bought for an index: short demand goes first (section 6.5).
    ///
    /// # Errors
    /// [`KernelError::Math`] when demand does not fit 128 bits.
    #[inline(always)]
    pub fn demand_more(&mut self, quantity: u128) -> Result<()> {
        let short = self.demand_short.get();
        let rest = quantity.saturating_sub(short);
        self.demand_long = Amount::new(add(self.demand_long.get(), rest)?);
        self.demand_short = Amount::new(short.saturating_sub(quantity));
        Ok(())
    }

    /// Books asset units sold by an index: long demand goes first.
    ///
    /// # Errors
    /// [`KernelError::Math`] when demand does not fit 128 bits.
    #[inline(always)]
    pub fn demand_less(&mut self, quantity: u128) -> Result<()> {
        let long = self.demand_long.get();
        let rest = quantity.saturating_sub(long);
        self.demand_short = Amount::new(add(self.demand_short.get(), rest)?);
        self.demand_long = Amount::new(long.saturating_sub(quantity));
        Ok(())
    }
}

/// The asset at a place.
///
/// # Errors
/// [`KernelError::SlotOutOfRange`], [`KernelError::LabelMismatch`].
#[inline(always)]
pub fn asset(assets: &[Asset], place: Place) -> Result<&Asset> {
    match assets.get(usize::from(place.slot)) {
        Some(asset) if asset.label == place.label => Ok(asset),
        Some(_) => Err(KernelError::LabelMismatch),
        None => Err(KernelError::SlotOutOfRange),
    }
}

/// The asset at a place, to be changed.
///
/// # Errors
/// [`KernelError::SlotOutOfRange`], [`KernelError::LabelMismatch`].
#[inline(always)]
pub fn asset_mut(assets: &mut [Asset], place: Place) -> Result<&mut Asset> {
    match assets.get_mut(usize::from(place.slot)) {
        Some(asset) if asset.label == place.label => Ok(asset),
        Some(_) => Err(KernelError::LabelMismatch),
        None => Err(KernelError::SlotOutOfRange),
    }
}

/// The place of a label, by looking at every slot: for setting up, not for trading.
pub fn locate(assets: &[Asset], label: Label) -> Option<Place> {
    let slot = assets.iter().position(|asset| asset.label == label)?;
    Some(Place::new(label, u16::try_from(slot).ok()?))
}

/// `update_assets`: the market's new length after appending assets that start at zero.
///
/// `assets` is the whole room of the market, of which `count` are in use. The
/// paper inserts in label order and moves every vector; slots only ever grow.
/// Nothing is written on error.
///
/// # Errors
/// [`KernelError::MarketFull`], [`KernelError::LabelDuplicate`].
pub fn add_assets(assets: &mut [Asset], count: usize, labels: &[Label]) -> Result<usize> {
    let end = count
        .checked_add(labels.len())
        .filter(|end| *end <= assets.len().min(MARKET_ASSETS_MAX))
        .ok_or(KernelError::MarketFull)?;
    let (used, free) = assets.split_at_mut(count.min(end));
    for (position, label) in labels.iter().enumerate() {
        let earlier = labels.iter().take(position);
        if earlier
            .chain(used.iter().map(|asset| &asset.label))
            .any(|known| known == label)
        {
            return Err(KernelError::LabelDuplicate);
        }
    }
    for (asset, label) in free.iter_mut().zip(labels) {
        *asset = Asset::new(*label);
    }
    Ok(end)
}

/// Absolute supply of an asset, as its vendor reports it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct SupplyUpdate {
    /// Which asset.
    pub place: Place,
    /// Asset units held.
    pub long: Amount,
    /// Asset units owed.
    pub short: Amount,
}

/// `update_supply` (paper, section 4): replaces supply and refreshes net exposure.
///
/// Levels are absolute: the paper says "received", its listing replaces.
///
/// # Errors
/// Those of [`asset`] and [`Asset::refresh_delta`]; earlier updates are written.
pub fn update_supply(assets: &mut [Asset], updates: &[SupplyUpdate]) -> Result<()> {
    for update in updates {
        let asset = asset_mut(assets, update.place)?;
        asset.supply_long = update.long;
        asset.supply_short = update.short;
        asset.refresh_delta()?;
    }
    Ok(())
}

/// New market data of an asset.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct DataUpdate {
    /// Which asset.
    pub place: Place,
    /// Quote units per asset unit.
    pub price: Amount,
    /// Rise of the price per asset unit.
    pub slope: Amount,
    /// Asset units on offer.
    pub liquidity: Amount,
}

/// `update_market_data` (paper, section 5.1): replaces price, slope and liquidity.
///
/// Quotes made before are stale from here on.
///
/// # Errors
/// Those of [`asset`]; earlier updates are written.
pub fn update_market_data(assets: &mut [Asset], updates: &[DataUpdate]) -> Result<()> {
    for update in updates {
        let asset = asset_mut(assets, update.place)?;
        asset.price = update.price;
        asset.slope = update.slope;
        asset.liquidity = update.liquidity;
    }
    Ok(())
}

/// New bound of an asset's net exposure.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
pub struct MarginUpdate {
    /// Which asset.
    pub place: Place,
    /// Asset units.
    pub margin: Amount,
}

/// `update_margin` (paper, section 5.2).
///
/// # Errors
/// Those of [`asset`]; earlier updates are written.
pub fn update_margin(assets: &mut [Asset], updates: &[MarginUpdate]) -> Result<()> {
    for update in updates {
        asset_mut(assets, update.place)?.margin = update.margin;
    }
    Ok(())
}

/// Margin of one of `count` assets that share the vendor's reserve evenly:
/// `(reserve / count) / price`, each rounded down, so that all of them at
/// their prices never exceed `reserve` quote units.
///
/// # Errors
/// [`KernelError::Math`] for no assets, no price, or a margin above 128 bits.
pub fn even_margin(reserve: Amount, count: u16, price: Amount) -> Result<Amount> {
    let share = reserve
        .get()
        .checked_div(u128::from(count))
        .ok_or(crate::MathError::DivisionByZero)?;
    Ok(Amount::new(div(share, price.get())?))
}
