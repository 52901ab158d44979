//! Events of the Router about slabs, their programs, and governance.

use super::event;
use crate::Key;

event! { {}
    /// `initialize`: the deployment was set up.
    RouterInitialized = 128 {
        /// The administrator.
        admin: Key,
        /// The quote mint.
        mint: Key,
        /// Slots between registering an instrument and its entry counting.
        instrument_delay_slots: u32,
        /// Least delay of new terms that a slab has to have, in slots.
        terms_delay_slots_min: u32,
    }
}

event! { {}
    /// `register_slab`: a slab was added to the registry.
    SlabRegistered = 129 {
        /// The slab.
        slab: Key,
        /// Its program.
        program: Key,
        /// Slot of the program's deployment.
        deploy_slot: u64,
        /// Slabs ever registered.
        slabs_total: u64,
    }
}

event! { {}
    /// `attest_slab`: the deployment of a slab's program was recorded anew.
    SlabAttested = 141 {
        /// The slab.
        slab: Key,
        /// Slot of the program's deployment.
        deploy_slot: u64,
        /// Its upgrade authority; zero when it is final.
        authority: Key,
    }
}

event! { {}
    /// `register_instrument`: what an instrument may be was set.
    InstrumentRegistered = 142 {
        /// The slab.
        slab: Key,
        /// Instrument number.
        instrument: u8,
        /// Slot from which the entry counts.
        active_slot: u32,
    }
}

event! { {}
    /// `collect_fees`: what a slab kept was booked.
    FeesCollected = 150 {
        /// The slab.
        slab: Key,
        /// What moved from backing to insurance, in atoms.
        insured_atoms: u64,
        /// What moved from backing to the fees of the slab's LP, in atoms.
        collected_atoms: u64,
        /// Insurance of the slab afterwards, in atoms.
        insurance_atoms: u64,
        /// Fees of the slab's LP afterwards, in atoms.
        fees_atoms: u64,
        /// Backing of the slab afterwards, in atoms.
        backing_atoms: u64,
    }
}

event! { {}
    /// `withdraw_fees`: collected fees left the vault.
    FeesWithdrawn = 151 {
        /// The slab.
        slab: Key,
        /// What left, in atoms.
        amount_atoms: u64,
        /// Fees of the slab's LP afterwards, in atoms.
        fees_atoms: u64,
        /// What the vault owes to all afterwards, in atoms.
        booked_atoms: u64,
    }
}

event! { {}
    /// `fund_insurance`: tokens arrived for a slab's insurance.
    InsuranceFunded = 152 {
        /// The slab.
        slab: Key,
        /// What arrived, in atoms.
        amount_atoms: u64,
        /// Insurance of the slab afterwards, in atoms.
        insurance_atoms: u64,
        /// What the vault owes to all afterwards, in atoms.
        booked_atoms: u64,
    }
}

event! { {}
    /// `update_funding_grid`: the shared rate of an underlying was computed.
    GridUpdated = 155 {
        /// The underlying.
        underlying_id: u64,
        /// Slots of the interval.
        interval_slots: u32,
        /// Slabs that the rate was computed from.
        slabs: u8,
        /// Funding of one interval on notional, in ppm; longs pay when positive.
        rate_ppm: i32,
    }
}

event! { {}
    /// `skim_surplus`: what a vault held beyond its books became insurance.
    SurplusSkimmed = 156 {
        /// The slab.
        slab: Key,
        /// What was booked, in atoms.
        amount_atoms: u64,
        /// Insurance of the slab afterwards, in atoms.
        insurance_atoms: u64,
        /// What the vault owes to all afterwards, in atoms.
        booked_atoms: u64,
    }
}

event! { {}
    /// `list_in_grid`: the place of an instrument in a grid was brought in line
    /// with the registry.
    GridMemberSet = 157 {
        /// The underlying.
        underlying_id: u64,
        /// Slots of the interval.
        interval_slots: u32,
        /// The slab.
        slab: Key,
        /// Instrument number.
        instrument: u8,
        /// 1 while it is listed, 0 once it is struck.
        listed: u8,
        /// Members of the grid afterwards.
        members: u8,
    }
}

event! { {}
    /// `propose`: a change was proposed.
    Proposed = 161 {
        /// Number of the proposal.
        id: u64,
        /// One of [`crate::governance::kind`].
        kind: u8,
        /// First slot in which it may be executed.
        due_slot: u32,
        /// Last slot in which it may be executed.
        expiry_slot: u32,
        /// Hash of what it would change.
        payload_hash: [u8; 32],
    }
}

event! { {}
    /// `execute`: a proposed change was made.
    ProposalExecuted = 162 {
        /// Number of the proposal.
        id: u64,
        /// One of [`crate::governance::kind`].
        kind: u8,
        /// What it changed: the first key of the payload, as the kind lists it;
        /// zero for a kind that names none.
        target: Key,
    }
}

event! { {}
    /// `cancel_proposal`: a proposal was cancelled.
    ProposalCancelled = 163 {
        /// Number of the proposal.
        id: u64,
        /// One of [`crate::governance::kind`].
        kind: u8,
        /// Who cancelled it.
        signer: Key,
    }
}

event! { {}
    /// `pause`: new risk was paused.
    Paused = 164 {
        /// First slot after the pause.
        until_slot: u32,
        /// First slot in which the guardian may pause again.
        again_slot: u32,
    }
}

event! { {}
    /// `unpause`: a pause ended early, or had ended.
    Unpaused = 165 {
        /// First slot after the pause.
        until_slot: u32,
    }
}

event! { {}
    /// `take_over`: the named administrator took office.
    AdminChanged = 166 {
        /// The administrator.
        admin: Key,
    }
}

event! { {}
    /// `hash_program`: more of a program was hashed.
    ProgramHashed = 167 {
        /// Program data account.
        program_data: Key,
        /// Slot of the deployment that is hashed.
        deploy_slot: u64,
        /// Chunks covered so far.
        chunks: u32,
        /// 1 when all are.
        done: u8,
    }
}

event! { {}
    /// `confirm_program`: a program's hash was recorded, or found unchanged.
    ProgramConfirmed = 168 {
        /// The slab.
        slab: Key,
        /// The hash.
        hash: [u8; 32],
        /// Slot of the deployment.
        deploy_slot: u64,
        /// Status of the slab afterwards, one of [`crate::router::slab_status`].
        status: u8,
    }
}

event! { {}
    /// `verify_root`: a root that a slab published was copied.
    RootCopied = 169 {
        /// The slab.
        slab: Key,
        /// Slot that it describes.
        slot: u32,
        /// The root.
        root: [u8; 32],
        /// Sum of the leaves' equity above zero, in atoms.
        sum_atoms: i64,
    }
}

event! { {}
    /// A slab's program is no longer the one on record: nothing is booked until
    /// it is attested anew.
    SlabSuspended = 192 {
        /// The slab.
        slab: Key,
        /// Escrow whose settlement showed it.
        escrow: Key,
    }
}

event! { {}
    /// A slab was closed to its users for good, who leave by exits.
    SlabQuarantined = 193 {
        /// The slab.
        slab: Key,
        /// One of [`quarantine_reason`].
        reason: u8,
        /// How its users leave, one of [`crate::router::exit_mode`].
        mode: u8,
        /// An exit pays claim x numerator / denominator, in atoms.
        numerator_atoms: u64,
        /// See `numerator_atoms`.
        denominator_atoms: u64,
        /// Slot that the root of the exits describes; 0 without one.
        root_slot: u32,
    }
}

/// Values of [`SlabQuarantined::reason`].
pub mod quarantine_reason {
    /// A counter ran backwards, or a charge exceeds its capability.
    pub const COUNTERS: u8 = 0;
    /// The program of a dead slab changed.
    pub const PROGRAM: u8 = 1;
    /// A proposal said so.
    pub const PROPOSAL: u8 = 2;
}
