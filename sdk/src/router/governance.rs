//! Proposals, pauses, and the hashes of slab programs.

use super::{INSTRUCTIONS, SYSTEM, instruction, registry::InstrumentRules};
use crate::address;
use flagstone_interface::governance::{hash_payload, kind};
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// What a proposal changes: its payload and the accounts that execution needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    payload: Vec<u8>,
    accounts: Vec<AccountMeta>,
}

impl Change {
    pub(super) fn new(kind: u8, fields: &[&[u8]], accounts: Vec<AccountMeta>) -> Self {
        let mut payload = vec![kind];
        fields.iter().for_each(|field| payload.extend(*field));
        Self { payload, accounts }
    }

    /// Adds a slab of `program`, whose code has this hash, to the registry.
    pub fn register_slab(
        slab: &Address,
        program: &Address,
        hash: &[u8; 32],
        mint: &Address,
    ) -> Self {
        let data = address::program_data(program);
        let accounts = vec![
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(*program, false),
            AccountMeta::new_readonly(data, false),
            AccountMeta::new_readonly(address::program_hash(&data), false),
            AccountMeta::new(address::slab_entry(slab), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(SYSTEM, false),
        ];
        let fields: [&[u8]; 3] = [slab.as_ref(), program.as_ref(), hash];
        Self::new(kind::REGISTER_SLAB, &fields, accounts)
    }

    /// Sets the status of a slab, one of
    /// [`flagstone_interface::router::slab_status`].
    pub fn set_slab_status(slab: &Address, mint: &Address, status: u8) -> Self {
        let accounts = vec![
            AccountMeta::new(address::slab_entry(slab), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
        ];
        let fields: [&[u8]; 2] = [slab.as_ref(), &[status]];
        Self::new(kind::SET_SLAB_STATUS, &fields, accounts)
    }

    /// Sets what an instrument of a slab may be.
    pub fn register_instrument(slab: &Address, instrument: u8, rules: &InstrumentRules) -> Self {
        let accounts = vec![
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new(address::instrument_entry(slab, instrument), false),
            AccountMeta::new_readonly(SYSTEM, false),
        ];
        let fields: [&[u8]; 3] = [slab.as_ref(), &[instrument], &rules.encode()];
        Self::new(kind::REGISTER_INSTRUMENT, &fields, accounts)
    }

    /// Limits what leaves: at most `limit_atoms`, and as much again in every
    /// `window_slots`; 0 for no limit. `target` is a vault or a slab's ledger.
    pub fn set_limit(target: &Address, limit_atoms: u64, window_slots: u32) -> Self {
        let fields: [&[u8]; 3] = [
            target.as_ref(),
            &limit_atoms.to_le_bytes(),
            &window_slots.to_le_bytes(),
        ];
        let accounts = vec![AccountMeta::new(*target, false)];
        Self::new(kind::SET_LIMIT, &fields, accounts)
    }

    /// Sets which parts of a slab's insurance one event and one day may take, in
    /// basis points; 0 and 0 for the defaults.
    pub fn set_cover_caps(slab: &Address, mint: &Address, event_bps: u16, day_bps: u16) -> Self {
        let fields: [&[u8]; 3] = [
            slab.as_ref(),
            &event_bps.to_le_bytes(),
            &day_bps.to_le_bytes(),
        ];
        let accounts = vec![AccountMeta::new(address::slab_ledger(slab, mint), false)];
        Self::new(kind::SET_COVER_CAPS, &fields, accounts)
    }

    /// Replaces the guardian.
    pub fn set_guardian(guardian: &Address) -> Self {
        Self::new(kind::SET_GUARDIAN, &[guardian.as_ref()], Vec::new())
    }

    /// Sets the delay and the life of proposals, in slots.
    pub fn set_delays(delay_slots: u32, life_slots: u32) -> Self {
        let fields: [&[u8]; 2] = [&delay_slots.to_le_bytes(), &life_slots.to_le_bytes()];
        Self::new(kind::SET_DELAYS, &fields, Vec::new())
    }

    /// Names the next administrator, who then takes over.
    pub fn hand_over(admin: &Address) -> Self {
        Self::new(kind::HAND_OVER, &[admin.as_ref()], Vec::new())
    }

    /// Takes the new program of a slab, whose code has this hash.
    pub fn accept_program(slab: &Address, program: &Address, hash: &[u8; 32]) -> Self {
        let data = address::program_data(program);
        let accounts = vec![
            AccountMeta::new(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*program, false),
            AccountMeta::new_readonly(data, false),
            AccountMeta::new_readonly(address::program_hash(&data), false),
        ];
        Self::new(kind::ACCEPT_PROGRAM, &[slab.as_ref(), hash], accounts)
    }

    /// Lets a slab vote in the funding grids, and one day take part in netting,
    /// or no longer; `equity_max_atoms` bounds what equity of one account there
    /// may ever count for elsewhere, 0 with the flag off.
    /// [`super::list_in_grid`] takes it to a grid.
    pub fn set_netting(slab: &Address, netting: bool, equity_max_atoms: u64) -> Self {
        let fields: [&[u8]; 3] = [
            slab.as_ref(),
            &[netting.into()],
            &equity_max_atoms.to_le_bytes(),
        ];
        let accounts = vec![AccountMeta::new(address::slab_entry(slab), false)];
        Self::new(kind::SET_NETTING, &fields, accounts)
    }

    /// The payload, as execution shows it.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// Proposes it as number `id`, the next one; the administrator signs and pays.
    pub fn propose(&self, admin: &Address, id: u64) -> Instruction {
        let mut data = vec![number::PROPOSE, self.payload[0]];
        data.extend(hash_payload(&self.payload));
        instruction(
            data,
            vec![
                AccountMeta::new(*admin, true),
                AccountMeta::new(address::config(), false),
                AccountMeta::new(address::proposal(id), false),
                AccountMeta::new_readonly(INSTRUCTIONS, false),
                AccountMeta::new_readonly(SYSTEM, false),
            ],
        )
    }

    /// Executes it after its delay; anyone may send it, and pays for what it
    /// creates.
    pub fn execute(&self, payer: &Address, id: u64) -> Instruction {
        let mut data = vec![number::EXECUTE];
        data.extend((self.payload.len() as u32).to_le_bytes());
        data.extend(&self.payload);
        let mut accounts = vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(address::config(), false),
            AccountMeta::new(address::proposal(id), false),
            AccountMeta::new_readonly(INSTRUCTIONS, false),
        ];
        accounts.extend(self.accounts.iter().cloned());
        instruction(data, accounts)
    }
}

/// Cancels a proposal; the guardian or the administrator signs.
pub fn cancel_proposal(signer: &Address, id: u64) -> Instruction {
    instruction(
        vec![number::CANCEL_PROPOSAL],
        vec![
            AccountMeta::new_readonly(*signer, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::proposal(id), false),
            AccountMeta::new_readonly(INSTRUCTIONS, false),
        ],
    )
}

fn by_key(data: Vec<u8>, signer: &Address) -> Instruction {
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*signer, true),
            AccountMeta::new(address::config(), false),
            AccountMeta::new_readonly(INSTRUCTIONS, false),
        ],
    )
}

/// Pauses new risk; the guardian signs.
pub fn pause(guardian: &Address, slots: u32) -> Instruction {
    let mut data = vec![number::PAUSE];
    data.extend(slots.to_le_bytes());
    by_key(data, guardian)
}

/// Ends a pause early; the guardian signs.
pub fn unpause(guardian: &Address) -> Instruction {
    by_key(vec![number::UNPAUSE], guardian)
}

/// The administrator that a proposal named takes over, and signs.
pub fn take_over(admin: &Address) -> Instruction {
    by_key(vec![number::TAKE_OVER], admin)
}

/// Hashes up to `chunks` more chunks of a program; anyone may send it, and pays
/// for the record when it is the first.
pub fn hash_program(payer: &Address, program: &Address, chunks: u8) -> Instruction {
    let data = address::program_data(program);
    instruction(
        vec![number::HASH_PROGRAM, chunks],
        vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new_readonly(data, false),
            AccountMeta::new(address::program_hash(&data), false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Records the hash of a slab's program, or finds a later deployment unchanged.
/// Anyone may send it.
pub fn confirm_program(slab: &Address, program: &Address) -> Instruction {
    let data = address::program_data(program);
    instruction(
        vec![number::CONFIRM_PROGRAM],
        vec![
            AccountMeta::new(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*program, false),
            AccountMeta::new_readonly(data, false),
            AccountMeta::new_readonly(address::program_hash(&data), false),
        ],
    )
}
