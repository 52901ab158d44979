//! What the Router's administrator registers.

use super::{SYSTEM, instruction};
use crate::address;
use flagstone_interface::Key;
use flagstone_interface::instruction::router as number;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_units::PPM_ONE;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// What one instrument of a slab is, and may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InstrumentRules {
    /// Number of the underlying.
    pub underlying_id: u64,
    /// Value of one tick on one lot, in quote atoms.
    pub atoms_per_tick: u32,
    /// Oracle account; zero when the book makes the mark.
    pub oracle: Key,
    /// Feed that the oracle account has to carry.
    pub oracle_feed: Key,
    /// Ticks per unit of the oracle's price, in millionths; 0 without an oracle.
    pub oracle_scale: u64,
    /// Least initial margin ratio, in ppm.
    pub imr_min_ppm: u32,
    /// Least maintenance margin ratio, in ppm.
    pub mmr_min_ppm: u32,
    /// Most that the mark may move in one slot, in ticks.
    pub mark_move_ticks_max: u32,
    /// Largest fee of a taker, in ppm.
    pub taker_fee_max_ppm: u32,
    /// Largest fee of a maker, in ppm.
    pub maker_fee_max_ppm: u32,
    /// Largest fee of a liquidation, in ppm.
    pub liquidation_fee_max_ppm: u32,
}

impl InstrumentRules {
    /// The rules in borsh encoding.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut data = Vec::new();
        data.extend(self.underlying_id.to_le_bytes());
        data.extend(self.atoms_per_tick.to_le_bytes());
        data.extend(self.oracle);
        data.extend(self.oracle_feed);
        data.extend(self.oracle_scale.to_le_bytes());
        for word in [
            self.imr_min_ppm,
            self.mmr_min_ppm,
            self.mark_move_ticks_max,
            self.taker_fee_max_ppm,
            self.maker_fee_max_ppm,
            self.liquidation_fee_max_ppm,
        ] {
            data.extend(word.to_le_bytes());
        }
        data
    }

    /// The facts of an instrument, and floors and caps that bar nothing which
    /// the slab itself accepts: for tests, not for money.
    pub const fn wide(params: &InstrumentParams) -> Self {
        Self {
            underlying_id: params.underlying_id,
            atoms_per_tick: params.atoms_per_tick,
            oracle: params.oracle,
            oracle_feed: params.oracle_feed,
            oracle_scale: params.oracle_scale,
            imr_min_ppm: 0,
            mmr_min_ppm: 0,
            mark_move_ticks_max: u32::MAX,
            taker_fee_max_ppm: PPM_ONE as u32,
            maker_fee_max_ppm: PPM_ONE as u32,
            liquidation_fee_max_ppm: PPM_ONE as u32,
        }
    }
}

/// Sets what an instrument of a slab may be, after the registry's delay; the
/// administrator signs and pays.
///
/// Registering again replaces the entry. Until the delay has passed anew, no
/// terms of the instrument change.
pub fn register_instrument(
    admin: &Address,
    slab: &Address,
    instrument: u8,
    rules: &InstrumentRules,
) -> Instruction {
    let mut data = vec![number::REGISTER_INSTRUMENT, instrument];
    data.extend(rules.encode());
    instruction(
        data,
        vec![
            AccountMeta::new(*admin, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new(address::instrument_entry(slab, instrument), false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Unbinds the escrow of `owner` from an account that closed. Anyone may send it.
pub fn unbind_escrow(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::UNBIND_ESCROW],
        vec![
            AccountMeta::new(address::escrow(slab, owner, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
            AccountMeta::new(address::portfolio(owner), false),
        ],
    )
}
