//! Which transactions a route takes.
//!
//! One, where it fits: then a failing step undoes all of them. A transaction has
//! 1,232 bytes and loads 64 MiB of accounts at the most; where that does not
//! suffice, the steps follow each other in several, in their order. Each asks for
//! the compute units and for the loaded data that it needs, and no more: the
//! runtime plans by what is asked for.
//!
//! One route never spans more slabs than a transaction can load, because opening
//! and settling it name them all; [`groups`] splits what does into routes.

use super::{LEGS_MAX, Route, RouteError, RouteLeg};
use crate::address;
use solana_address::Address;
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::Instruction;
use solana_message::{AddressLookupTableAccount, VersionedMessage, v0};
use std::collections::BTreeSet;

/// Most bytes of a transaction on the wire.
pub const TRANSACTION_BYTES_MAX: usize = 1_232;

/// Most bytes of accounts that a transaction may load.
pub const LOADED_BYTES_MAX: u64 = 64 << 20;

/// What the runtime counts for an account beside its data.
const ACCOUNT_BYTES: u64 = 64;
/// What it counts for a lookup table, whatever its length.
const TABLE_BYTES: u64 = 8_248;
/// Room for everything but slabs and programs: records of the Router, wallets and
/// lookup tables.
const RECORDS_BYTES: u64 = 256 << 10;
/// Loaded data is charged by the page.
const PAGE_BYTES: u64 = 32 << 10;

/// Most compute units of a transaction.
const UNITS_MAX: u32 = 1_400_000;
/// Compute units to ask for, per instruction: more than the benchmarks measure on
/// full slabs, because a hold of 32 orders takes more than one of five, and what
/// has expired is cleared on the way.
const RESERVE_UNITS: u32 = 30_000;
const COMMIT_UNITS: u32 = 80_000;
const ROUTER_UNITS_PER_LEG: u32 = 10_000;
const FREE_UNITS: u32 = 5_000;

/// What the size of a transaction depends on, beside the route.
pub struct Venue<'a> {
    /// Pays the fee, and signs.
    pub payer: Address,
    /// Lookup tables to name accounts by; [`Route::lookup_addresses`] says which
    /// addresses are worth a place.
    pub tables: &'a [AddressLookupTableAccount],
    /// Length of an account's data, 0 for none; as of late, since only slabs and
    /// programs are large, and neither shrinks.
    pub data_len: &'a dyn Fn(&Address) -> u64,
}

/// One transaction of a route.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its instructions, the limits that it asks for included.
    pub instructions: Vec<Instruction>,
    /// Length on the wire, in bytes.
    pub bytes: usize,
    /// Bytes of accounts that it loads.
    pub loaded_bytes: u64,
}

impl Route {
    /// The transactions of the route, to be sent one after the other: each must
    /// have gone through before the next.
    ///
    /// # Errors
    /// [`RouteError::TooLarge`] when a step fits no transaction: more of its
    /// accounts have to be in a lookup table, or it has to name fewer slabs. [`RouteError::HoldsEndWithSlot`]
    /// when several transactions are needed and a hold would not live to see the
    /// next slot.
    pub fn plan(&self, venue: &Venue<'_>) -> Result<Vec<Part>, RouteError> {
        let mut parts = Vec::new();
        let mut steps: Vec<Step> = Vec::new();
        for step in self.weighed() {
            steps.push(step);
            if part(&steps, venue).is_some() {
                continue;
            }
            let next = steps.pop();
            // Empty when the step is too large by itself.
            parts.push(part(&steps, venue).ok_or(RouteError::TooLarge)?);
            steps = next.into_iter().collect();
        }
        parts.push(part(&steps, venue).ok_or(RouteError::TooLarge)?);
        let lasting = self.legs.iter().all(|leg| leg.reserve.ttl.0 > 0);
        if parts.len() > 1 && !lasting {
            return Err(RouteError::HoldsEndWithSlot);
        }
        Ok(parts)
    }

    /// Every instruction and the compute units to ask for.
    fn weighed(&self) -> Vec<Step> {
        let router = ROUTER_UNITS_PER_LEG * self.legs.len() as u32;
        let each = |all: Vec<Instruction>, units| all.into_iter().map(move |one| (one, units));
        let mut steps: Vec<Step> = each(self.reserve(), RESERVE_UNITS).collect();
        steps.push((self.open(), router));
        steps.extend(each(self.commit(), COMMIT_UNITS));
        steps.push((self.settle(), router));
        steps.extend(each(self.free(), FREE_UNITS));
        steps
    }
}

/// Legs in as few groups as routes can carry: five legs each at the most, over
/// slabs that one transaction can load. Every group becomes a route of its own,
/// with a limit of its own: what is signed for one says nothing of another.
pub fn groups(legs: &[RouteLeg], data_len: &dyn Fn(&Address) -> u64) -> Vec<Vec<RouteLeg>> {
    let programs = [address::ROUTER, address::SLAB];
    let code =
        programs.map(|program| data_len(&program) + data_len(&address::program_data(&program)));
    let room = LOADED_BYTES_MAX - RECORDS_BYTES - code.iter().sum::<u64>();
    let mut groups: Vec<Vec<RouteLeg>> = Vec::new();
    for leg in legs {
        let fits = |group: &&mut Vec<RouteLeg>| {
            let all = group.iter().chain([leg]).map(|leg| leg.slab);
            let slabs: BTreeSet<_> = all.collect();
            let bytes: u64 = slabs.iter().map(data_len).sum();
            group.len() < LEGS_MAX && bytes <= room
        };
        match groups.last_mut().filter(fits) {
            Some(group) => group.push(*leg),
            None => groups.push(vec![*leg]),
        }
    }
    groups
}

/// An instruction and the compute units to ask for.
type Step = (Instruction, u32);

/// A transaction of these steps; `None` when there are none or it is too large.
fn part(steps: &[Step], venue: &Venue<'_>) -> Option<Part> {
    let units: u32 = steps.iter().map(|(_, units)| units).sum();
    if steps.is_empty() || units > UNITS_MAX {
        return None;
    }
    let instructions: Vec<_> = steps.iter().map(|(step, _)| step.clone()).collect();
    let loaded_bytes = loaded(&instructions, venue);
    // The limits' own program and whole pages.
    let asked = (loaded_bytes + PAGE_BYTES).next_multiple_of(PAGE_BYTES);
    let asked = asked.min(LOADED_BYTES_MAX);
    if loaded_bytes > asked {
        return None;
    }
    let mut all = vec![
        ComputeBudgetInstruction::set_compute_unit_limit(units),
        ComputeBudgetInstruction::set_loaded_accounts_data_size_limit(asked as u32),
    ];
    all.extend(instructions);
    let hash = Default::default();
    let message = v0::Message::try_compile(&venue.payer, &all, venue.tables, hash).ok()?;
    let signatures = usize::from(message.header.num_required_signatures);
    let bytes = VersionedMessage::V0(message).serialize().len() + 1 + 64 * signatures;
    (bytes <= TRANSACTION_BYTES_MAX).then_some(Part {
        instructions: all,
        bytes,
        loaded_bytes,
    })
}

/// Bytes that the runtime counts as loaded: every account once, the code behind
/// every program, and the lookup tables.
fn loaded(instructions: &[Instruction], venue: &Venue<'_>) -> u64 {
    let mut keys = BTreeSet::from([venue.payer]);
    for instruction in instructions {
        keys.extend(instruction.accounts.iter().map(|meta| meta.pubkey));
        let program = instruction.program_id;
        keys.extend([program, address::program_data(&program)]);
    }
    let accounts = keys.iter().map(|key| (venue.data_len)(key) + ACCOUNT_BYTES);
    accounts.sum::<u64>() + TABLE_BYTES * venue.tables.len() as u64
}
