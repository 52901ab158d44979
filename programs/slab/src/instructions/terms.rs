use anchor_lang::prelude::*;
use bytemuck::{Pod, Zeroable};
use flagstone_slab_engine::layout::Terms;

/// Terms of an instrument that can change; the engine's `Terms` and `Rules`
/// explain them.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable, AnchorSerialize, AnchorDeserialize, IdlType)]
pub struct TermsArgs {
    pub order_lots_min: u32,
    pub order_lots_max: u32,
    pub position_lots_max: u32,
    pub imr_ppm: u32,
    pub mmr_ppm: u32,
    pub taker_fee_ppm: i32,
    pub maker_fee_ppm: i32,
    pub band_ppm: u32,
    pub mark_move_ticks_max: u32,
    pub mark_age_slots: u32,
    pub mark_lots_min: u32,
    pub kill_band_ppm: u32,
    pub hold_fee_ppm: u32,
    pub oracle_age_slots_max: u32,
    pub oracle_confidence_ppm_max: u32,
    pub premium_ppm_max: u32,
    pub premium_slots: u32,
    pub funding_slots: u32,
    pub funding_ppm_max: u32,
    pub funding_spread_ppm_max: u32,
    pub switches: u32,
    pub freeze_levels: u32,
    pub freeze_slots: u32,
    pub round_trip_tax_ppm: u32,
    pub reveal_slots: u32,
    pub hold_lots_min: u32,
    pub hold_share_ppm_max: u32,
    pub liquidation_fee_ppm: u32,
    pub keeper_share_ppm: u32,
    pub liquidation_band_ppm_min: u32,
    pub liquidation_band_ppm_max: u32,
}

impl TermsArgs {
    /// The engine's form: the same words in the same order.
    pub fn terms(&self) -> Terms {
        bytemuck::cast(*self)
    }
}
