//! Did the Router's events tell what its records hold?
//!
//! Every record is read once; from then on only events change this copy, by
//! the amounts that they name. The totals that they name have to be the copy's,
//! and in the end the copy has to be what the records hold.

use crate::money::records;
use flagstone_sdk::address;
use flagstone_sdk::embedded::{Journal, Sent, Session};
use flagstone_sdk::events::{self, Told};
use flagstone_sdk::interface::Key;
use flagstone_sdk::interface::collateral::CollateralPosition;
use flagstone_sdk::interface::event::router::{
    FIRST_TAG, ProposalExecuted, SlabQuarantined, SlabSuspended,
};
use flagstone_sdk::interface::governance::{ProgramHash, Proposal};
use flagstone_sdk::interface::grid::Grid;
use flagstone_sdk::interface::instruction::router as number;
use flagstone_sdk::interface::router::{
    Escrow, InstrumentEntry, Portfolio, RouterConfig, ShiftTicket, SlabEntry, SlabLedger, Ticket,
    Vault, escrow_state, portfolio_status,
};
use solana_address::Address;
use std::collections::{BTreeMap, BTreeSet};

mod apply;

/// What events tell of a portfolio.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct PortfolioTold {
    owner: Key,
    cash: u64,
    /// In the escrows of the portfolio, all together.
    pledged: u64,
    deposited: u64,
    withdrawn: u64,
    claim: u64,
    claim_serial: u64,
    delegate: Key,
    /// Its allowance of a day, in atoms, and its band, in ppm.
    delegate_bounds: (u64, u32),
    episode: u32,
    ticket_nonce: u32,
    frozen: u32,
    closed: bool,
}

/// What events tell of an escrow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct EscrowTold {
    slab: Key,
    portfolio: Key,
    trader: Key,
    bound: (u32, u32),
    deposited: u64,
    covered: u64,
    liability_max: u64,
    shifted: u64,
    frozen: bool,
    grace_until: u32,
    exited: bool,
}

/// What events tell of a slab.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct SlabTold {
    backing: u64,
    insurance: u64,
    fees: u64,
    status: u8,
    deploy_slot: u64,
    /// Numerator, denominator, mode and root slot of the exits.
    exit: (u64, u64, u32, u32),
    root: (Key, u32),
}

/// Slabs and instruments of a grid.
type Members = BTreeSet<(Key, u8)>;

/// What events tell of everything else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rest {
    booked: u64,
    claims: u64,
    admin: Key,
    slabs_total: u64,
    paused: (u32, u32),
    /// State, kind and slots of a proposal.
    proposals: BTreeMap<u64, (u8, u8, u32, u32)>,
    instruments: BTreeMap<(Key, u8), u32>,
    tickets: BTreeMap<Key, (u32, u32, u64)>,
    /// Target, number, most atoms and last slot of a shift ticket.
    shifts: BTreeMap<Key, (Key, u32, u64, u32)>,
    hashes: BTreeMap<Key, (u32, u8)>,
    /// Rate and members of a grid.
    grids: BTreeMap<(u64, u32), (i32, Members)>,
    /// Amount and slot of the last auction, by portfolio and mint.
    collateral: BTreeMap<(Key, Key), (u64, u32)>,
}

/// The Router's records as events tell them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterTold {
    portfolios: BTreeMap<Key, PortfolioTold>,
    escrows: BTreeMap<Key, EscrowTold>,
    slabs: BTreeMap<Key, SlabTold>,
    rest: Rest,
}

/// A chain that is followed by its events alone.
pub struct Story {
    journal: Journal,
    told: RouterTold,
    /// Kinds of events seen so far.
    pub kinds: BTreeSet<&'static str>,
}

impl Story {
    /// Begins to listen.
    pub fn of(session: &mut Session) -> Self {
        let journal = Journal::new();
        session.keep(Some(journal.clone()));
        Self {
            journal,
            told: RouterTold::of(session),
            kinds: BTreeSet::new(),
        }
    }

    /// Reads what was sent since, and compares with the records.
    #[track_caller]
    pub fn check(&mut self, session: &Session) {
        for sent in self.journal.take() {
            self.follow(&sent);
        }
        let found = RouterTold::of(session);
        assert_eq!(self.told.portfolios, found.portfolios);
        assert_eq!(self.told.escrows, found.escrows);
        assert_eq!(self.told.slabs, found.slabs);
        assert_eq!(self.told.rest, found.rest);
    }

    /// Every instruction of the Router leaves its event and no other.
    #[track_caller]
    fn follow(&mut self, sent: &Sent) {
        if sent.error.is_some() {
            return;
        }
        assert!(!events::is_cut(&sent.logs), "{:#?}", sent.logs);
        let all = events::all(&sent.logs);
        for (at, instruction) in sent.instructions.iter().enumerate() {
            if instruction.program_id != address::ROUTER {
                continue;
            }
            let own = all
                .iter()
                .filter(|(record, _)| record.instruction == at + 1);
            let own: Vec<_> = own
                .map(|(_, told)| match told {
                    Told::Router(event) => *event,
                    other => panic!("{other:?} in an instruction of the Router"),
                })
                .collect();
            let number = instruction.data[0];
            let tags: Vec<u8> = own.iter().map(|event| event.as_bytes()[0]).collect();
            match (number, &tags[..]) {
                (number::SETTLE, [SlabSuspended::TAG | SlabQuarantined::TAG]) => {}
                (number::EXECUTE, [SlabQuarantined::TAG, ProposalExecuted::TAG]) => {}
                (_, [tag]) => assert_eq!(*tag, FIRST_TAG + number),
                _ => panic!("instruction {number} left {tags:?}"),
            }
            for event in &own {
                self.kinds.insert(event.name());
                self.told.apply(event);
            }
        }
    }
}

impl RouterTold {
    /// Reads every record.
    pub fn of(session: &Session) -> Self {
        let mut told = Self::default();
        for (key, one) in records::<Portfolio>(session) {
            let portfolio = PortfolioTold {
                owner: one.owner,
                cash: one.cash_atoms,
                pledged: 0,
                deposited: one.deposited_total_atoms,
                withdrawn: one.withdrawn_total_atoms,
                claim: one.claim_atoms,
                claim_serial: one.claim_serial,
                delegate: one.delegate,
                delegate_bounds: (one.allowance.limit_atoms, one.delegate_band_ppm),
                episode: one.episode,
                ticket_nonce: one.ticket_nonce,
                frozen: one.frozen_count,
                closed: one.status == portfolio_status::CLOSED,
            };
            told.portfolios.insert(key.to_bytes(), portfolio);
        }
        for (key, one) in records::<Escrow>(session) {
            let portfolio = address::portfolio(&Address::from(one.owner)).to_bytes();
            let escrow = EscrowTold {
                slab: one.slab,
                portfolio,
                trader: one.trader,
                bound: (one.bound_account, one.bound_generation),
                deposited: one.deposited_total_atoms,
                covered: one.covered_total_atoms,
                liability_max: one.liability_max_atoms,
                shifted: one.shifted_atoms,
                frozen: one.frozen != 0,
                grace_until: one.grace_until.0,
                exited: one.state == escrow_state::EXITED,
            };
            told.escrows.insert(key.to_bytes(), escrow);
            told.portfolio(&portfolio).pledged += one.balance_atoms;
        }
        for (_, one) in records::<SlabLedger>(session) {
            let exit = &one.exit;
            let (numerator, denominator) = (exit.numerator_atoms, exit.denominator_atoms);
            let slab = SlabTold {
                backing: one.backing_atoms,
                insurance: one.insurance_atoms,
                fees: one.fees_atoms,
                exit: (numerator, denominator, exit.mode, exit.root_slot.0),
                root: (one.roots[0].root, one.roots[0].slot.0),
                ..SlabTold::default()
            };
            told.slabs.insert(one.slab, slab);
        }
        for (_, one) in records::<SlabEntry>(session) {
            let slab = told.slab(&one.slab);
            (slab.status, slab.deploy_slot) = (one.status, one.deploy_slot);
        }
        told.rest = Rest::of(session);
        told
    }

    #[track_caller]
    fn portfolio(&mut self, key: &Key) -> &mut PortfolioTold {
        self.portfolios.get_mut(key).expect("a portfolio was told")
    }

    #[track_caller]
    fn slab(&mut self, key: &Key) -> &mut SlabTold {
        self.slabs.get_mut(key).expect("a slab was told")
    }
}

impl Rest {
    fn of(session: &Session) -> Self {
        let mut rest = Self::default();
        for (_, vault) in records::<Vault>(session) {
            (rest.booked, rest.claims) = (vault.booked_atoms, vault.claims_atoms);
        }
        for (_, config) in records::<RouterConfig>(session) {
            rest.admin = config.admin;
            rest.slabs_total = config.slabs_total;
            rest.paused = (config.paused_until.0, config.pause_again_slot.0);
        }
        for (_, one) in records::<Proposal>(session) {
            let told = (one.state, one.kind, one.due_slot.0, one.expiry_slot.0);
            rest.proposals.insert(one.id, told);
        }
        for (_, one) in records::<InstrumentEntry>(session) {
            let key = (one.slab, one.instrument);
            rest.instruments.insert(key, one.active_slot.0);
        }
        for (key, one) in records::<Ticket>(session) {
            let told = (one.nonce, one.lots_max, one.deficit_max_atoms);
            rest.tickets.insert(key.to_bytes(), told);
        }
        for (_, one) in records::<Grid>(session) {
            let members = one.listed().iter().map(|one| (one.slab, one.instrument));
            let shared = &one.shared;
            let told = (shared.rate_ppm, members.collect());
            let key = (shared.underlying_id, shared.interval_slots);
            rest.grids.insert(key, told);
        }
        for (key, one) in records::<ShiftTicket>(session) {
            let told = (
                one.target,
                one.nonce,
                one.amount_max_atoms,
                one.expiry_slot.0,
            );
            rest.shifts.insert(key.to_bytes(), told);
        }
        for (_, one) in records::<ProgramHash>(session) {
            rest.hashes.insert(one.program_data, (one.chunk, one.done));
        }
        for (_, one) in records::<CollateralPosition>(session) {
            let told = (one.amount_atoms, one.auction_slot.0);
            rest.collateral.insert((one.portfolio, one.mint), told);
        }
        rest
    }
}
