//! An order over several slabs: reserve, open, commit, settle.
//!
//! ```text
//! slab.reserve   on every slab   captures quantity at its prices and locks it
//! router.open_route              checks the holds against what the owner
//!                                signed, mints one capability per hold
//! slab.commit    on every slab   trades, charges its capability
//! router.settle_route            books the charges, refunds the rest
//! ```
//! In one transaction a failing step undoes all of them. In several, what is
//! captured and pledged stays so until its expiry; what then is not committed
//! ends by itself and by `refund`. A hold that outlives its slot needs free
//! cash at its slab for the bond ([`Reserve::ttl`] above 0); within its slot
//! none is needed, and all the money may lie at the Router. [`Route::plan`] says
//! how many transactions a route takes, and builds them.

mod plan;

pub use plan::{LOADED_BYTES_MAX, Part, TRANSACTION_BYTES_MAX, Venue, groups};

use crate::address;
use crate::slab::{self, HoldHandle};
use flagstone_interface::instruction::router as number;
use flagstone_slab_engine::holds::{Reserve, Reveal};
use flagstone_units::Side;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Legs of one route: five full slabs are what a transaction can load.
pub const LEGS_MAX: usize = 5;

/// Why a route cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No leg, or more than a transaction can load.
    #[error("a route has one to {LEGS_MAX} legs")]
    BadLegs,
    /// Two legs with one hold.
    #[error("a route names each hold once")]
    SameHold,
    /// Legs that buy and legs that sell.
    #[error("all legs of a route are on one side")]
    MixedSides,
    /// A step that fits no transaction.
    #[error("a step of the route fits no transaction: name more by a lookup table, or fewer slabs")]
    TooLarge,
    /// Several transactions, and holds that end with their slot.
    #[error("the route takes several transactions: its holds have to outlive their slot")]
    HoldsEndWithSlot,
}

/// One leg: what to reserve on one slab, and what it may cost.
#[derive(Clone, Copy, Debug)]
pub struct RouteLeg {
    /// The slab.
    pub slab: Address,
    /// What to reserve; its route id and commitment are set by the route.
    pub reserve: Reserve,
    /// The hold that the reserve will make: [`HoldHandle::upcoming`] of the slab,
    /// in the order of the legs.
    pub hold: HoldHandle,
    /// Capability record of the escrow to use; must not be live, and legs on
    /// one slab need one each.
    pub cap: u8,
    /// Salt of a commitment to the leg's terms, which commit then reveals.
    pub salt: Option<[u8; 16]>,
    /// Most that the hold may charge, in atoms.
    pub max_charge_atoms: u64,
}

impl RouteLeg {
    /// What commit has to reveal.
    fn reveal(&self) -> Option<Reveal> {
        Some(Reveal {
            lots: self.reserve.lots,
            limit: self.reserve.limit,
            salt: self.salt?,
            sha256: |bytes| solana_sha256_hasher::hash(bytes).to_bytes(),
        })
    }
}

/// An order over several slabs.
#[derive(Clone, Debug)]
pub struct Route {
    owner: Address,
    trader: Address,
    mint: Address,
    route_id: u64,
    side: Side,
    lots_min: u64,
    notional_limit_atoms: u64,
    reserves: Vec<RouteLeg>,
    legs: Vec<RouteLeg>,
}

impl Route {
    /// A route of `owner`, traded by the session key `trader` at every slab.
    ///
    /// `notional_limit_atoms` is the blended limit: the most that buying all
    /// legs may cost, the least that selling them must bring.
    ///
    /// # Errors
    /// [`RouteError`].
    pub fn new(
        owner: Address,
        trader: Address,
        mint: Address,
        route_id: u64,
        lots_min: u64,
        notional_limit_atoms: u64,
        mut legs: Vec<RouteLeg>,
    ) -> Result<Self, RouteError> {
        let Some(first) = legs.first() else {
            return Err(RouteError::BadLegs);
        };
        if legs.len() > LEGS_MAX {
            return Err(RouteError::BadLegs);
        }
        let side = first.reserve.side;
        if legs.iter().any(|leg| leg.reserve.side != side) {
            return Err(RouteError::MixedSides);
        }
        for leg in &mut legs {
            leg.reserve.route_id = route_id;
            let Reserve {
                instrument, side, ..
            } = leg.reserve;
            let commitment = leg
                .reveal()
                .map(|reveal| reveal.digest(route_id, instrument, side));
            leg.reserve.commitment = commitment.unwrap_or_default();
        }
        // Holds are made in the order in which the caller foresaw them. The
        // Router wants legs ascending, so that nothing is named twice.
        let reserves = legs.clone();
        legs.sort_by_key(|leg| (leg.slab.to_bytes(), leg.hold.index));
        let same = |pair: &[RouteLeg]| {
            (pair[0].slab, pair[0].hold.index) == (pair[1].slab, pair[1].hold.index)
        };
        if legs.windows(2).any(same) {
            return Err(RouteError::SameHold);
        }
        Ok(Self {
            owner,
            trader,
            mint,
            route_id,
            side,
            lots_min,
            notional_limit_atoms,
            reserves,
            legs,
        })
    }

    /// The legs in the order in which they are opened and committed.
    pub fn legs(&self) -> &[RouteLeg] {
        &self.legs
    }

    /// All four steps and the freeing of the holds, for one transaction. The
    /// owner and the trader sign.
    pub fn instructions(&self) -> Vec<Instruction> {
        let mut all = self.reserve();
        all.push(self.open());
        all.extend(self.commit());
        all.push(self.settle());
        all.extend(self.free());
        all
    }

    /// The four steps apart, for a transaction each.
    pub fn steps(&self) -> [Vec<Instruction>; 4] {
        [
            self.reserve(),
            vec![self.open()],
            self.commit(),
            [vec![self.settle()], self.free()].concat(),
        ]
    }

    /// One `slab.reserve` per leg; the trader signs.
    pub fn reserve(&self) -> Vec<Instruction> {
        let reserve = |leg: &RouteLeg| slab::reserve(&leg.slab, &self.trader, &leg.reserve);
        self.reserves.iter().map(reserve).collect()
    }

    /// `router.open_route`; the owner signs.
    pub fn open(&self) -> Instruction {
        let mut data = vec![number::OPEN_ROUTE];
        data.extend(self.route_id.to_le_bytes());
        data.push(self.side as u8);
        data.extend(self.lots_min.to_le_bytes());
        data.extend(self.notional_limit_atoms.to_le_bytes());
        data.extend((self.legs.len() as u32).to_le_bytes());
        for leg in &self.legs {
            data.extend(leg.hold.index.to_le_bytes());
            data.extend(leg.hold.generation.to_le_bytes());
            data.extend(leg.max_charge_atoms.to_le_bytes());
            data.extend(leg.reserve.lots_min.0.to_le_bytes());
            data.push(leg.cap);
            data.push(leg.reserve.instrument);
        }
        let mut accounts = vec![
            AccountMeta::new_readonly(self.owner, true),
            AccountMeta::new(address::portfolio(&self.owner), false),
            AccountMeta::new_readonly(address::config(), false),
        ];
        accounts.extend(self.leg_accounts());
        Instruction {
            program_id: address::ROUTER,
            accounts,
            data,
        }
    }

    /// One `slab.commit` per leg; the trader signs.
    pub fn commit(&self) -> Vec<Instruction> {
        let commit = |leg: &RouteLeg| {
            let escrow = address::escrow(&leg.slab, &self.owner, &self.mint);
            let account = leg.reserve.account as u16;
            let reveal = leg.reveal();
            slab::commit(
                &leg.slab,
                &self.trader,
                &escrow,
                account,
                leg.hold,
                leg.cap,
                reveal.as_ref(),
            )
        };
        self.legs.iter().map(commit).collect()
    }

    /// `router.settle_route`. Anyone may send it.
    pub fn settle(&self) -> Instruction {
        let mut data = vec![number::SETTLE_ROUTE];
        data.extend(self.route_id.to_le_bytes());
        let mut accounts = vec![AccountMeta::new(address::portfolio(&self.owner), false)];
        // Settling is by slab, however many legs it had.
        let mut slabs = self.legs.clone();
        slabs.dedup_by_key(|leg| leg.slab);
        accounts.extend(slabs.iter().flat_map(|leg| self.accounts_of(leg)));
        Instruction {
            program_id: address::ROUTER,
            accounts,
            data,
        }
    }

    /// One `slab.free_hold` per leg, once the route is settled. Anyone may send
    /// them; an account's holds are limited until they are freed.
    pub fn free(&self) -> Vec<Instruction> {
        let free = |leg: &RouteLeg| {
            let escrow = address::escrow(&leg.slab, &self.owner, &self.mint);
            slab::free_hold(&leg.slab, &escrow, leg.hold.index)
        };
        self.legs.iter().map(free).collect()
    }

    /// Addresses worth a place in a lookup table: all but programs and signers.
    pub fn lookup_addresses(&self) -> Vec<Address> {
        let mut addresses = vec![address::portfolio(&self.owner), address::config()];
        for account in self.leg_accounts() {
            if !addresses.contains(&account.pubkey) {
                addresses.push(account.pubkey);
            }
        }
        addresses
    }

    /// Five accounts per leg, as the Router expects them.
    fn leg_accounts(&self) -> Vec<AccountMeta> {
        self.legs
            .iter()
            .flat_map(|leg| self.accounts_of(leg))
            .collect()
    }

    fn accounts_of(&self, leg: &RouteLeg) -> [AccountMeta; 5] {
        let escrow = address::escrow(&leg.slab, &self.owner, &self.mint);
        let ledger = address::slab_ledger(&leg.slab, &self.mint);
        [
            AccountMeta::new_readonly(address::slab_entry(&leg.slab), false),
            AccountMeta::new_readonly(leg.slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
            AccountMeta::new(escrow, false),
            AccountMeta::new(ledger, false),
        ]
    }
}
