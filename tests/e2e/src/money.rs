//! Where every atom is: the independent bookkeeper of the money path.
//!
//! It reads accounts by their layouts and adds up; it calls no code of the
//! programs or the engine but the slab's own audit.

use flagstone_sdk::address;
use flagstone_sdk::embedded::Session;
use flagstone_sdk::engine::Slab;
use flagstone_sdk::interface::Record;
use flagstone_sdk::interface::collateral::{CollateralPosition, CollateralTerms, CollateralVault};
use flagstone_sdk::interface::router::{
    Cap, Escrow, Portfolio, RouterConfig, ShiftTicket, SlabEntry, SlabLedger, Ticket, Vault,
    cap_state,
};
use flagstone_sdk::interface::slab::SlabAccount;
use solana_address::Address;

/// What the Router's records say, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Books {
    /// Free cash of all portfolios.
    pub cash: u64,
    /// Claims that wait to be withdrawn.
    pub claims: u64,
    /// Balances of all escrows.
    pub pledged: u64,
    /// Backings of all slabs.
    pub backing: u64,
    /// Insurance of all slabs.
    pub insurance: u64,
    /// Fees collected for the slabs' LPs.
    pub fees: u64,
    /// Deposits and insurance ever brought, less withdrawals.
    pub paid_in: u64,
    /// Tokens in the vault.
    pub tokens: u64,
}

impl Books {
    /// Everything that somebody owns.
    pub fn booked(&self) -> u64 {
        self.cash + self.claims + self.pledged + self.backing + self.insurance + self.fees
    }
}

/// Every record of a kind, with its address.
pub(crate) fn records<T: Record>(session: &Session) -> Vec<(Address, T)> {
    let accounts = &session.svm.accounts_db().inner;
    let keys = accounts.iter().filter_map(|(key, account)| {
        use solana_account::ReadableAccount;
        (account.owner() == &address::ROUTER).then_some(*key)
    });
    let read = |key: Address| session.record(&key).map(|record| (key, record));
    keys.filter_map(read).collect()
}

/// Adds everything up and fails unless it agrees: per escrow, per slab, and
/// with the tokens in the vault (invariant V).
#[track_caller]
pub fn audit_money(session: &Session) -> Books {
    let escrows = records::<Escrow>(session);
    for (_, ledger) in records::<SlabLedger>(session) {
        audit_slab(session, &ledger, &escrows);
        audit_insurance(&ledger, &escrows);
    }
    for (key, portfolio) in records::<Portfolio>(session) {
        audit_episode(session, &key, &portfolio, &escrows);
    }
    audit_custody(session)
}

/// The same without looking into the slabs: holds whatever a slab does.
#[track_caller]
pub fn audit_custody(session: &Session) -> Books {
    let mut books = Books::default();
    for (_, portfolio) in records::<Portfolio>(session) {
        books.cash += portfolio.cash_atoms;
        books.claims += portfolio.claim_atoms;
        books.paid_in += portfolio.deposited_total_atoms - portfolio.withdrawn_total_atoms;
    }
    for (_, escrow) in records::<Escrow>(session) {
        books.pledged += escrow.balance_atoms;
        audit_escrow(&escrow);
    }
    for (_, ledger) in records::<SlabLedger>(session) {
        let here = records::<Escrow>(session);
        let here = here.iter().filter(|(_, one)| one.slab == ledger.slab);
        let principal: u64 = here.map(|(_, one)| one.principal_atoms()).sum();
        assert_eq!(ledger.principal_total_atoms, principal, "principals add up");
        books.backing += ledger.backing_atoms;
        books.insurance += ledger.insurance_atoms;
        books.fees += ledger.fees_atoms;
        books.paid_in += ledger.insurance_funded_total_atoms;
        books.paid_in -= ledger.fees_withdrawn_total_atoms;
    }
    // What collateral was sold for came in as well.
    let positions = records::<CollateralPosition>(session);
    books.paid_in += positions
        .iter()
        .map(|(_, one)| one.raised_total_atoms)
        .sum::<u64>();
    audit_collateral(session, &positions);
    let vaults = records::<Vault>(session);
    let [(_, vault)] = vaults[..] else {
        panic!("one vault")
    };
    assert_eq!(books.claims, vault.claims_atoms, "claims add up");
    books.tokens = session.token_balance(&Address::from(vault.tokens));
    assert_eq!(books.booked(), vault.booked_atoms, "the books add up");
    assert_eq!(books.booked(), books.paid_in, "nothing came from nowhere");
    assert!(books.tokens >= vault.booked_atoms, "invariant V");
    assert_eq!(records::<RouterConfig>(session).len(), 1);
    books
}

/// Every collateral vault holds what is booked, which is what its positions
/// hold; nothing of a position came from nowhere (invariant V per mint).
fn audit_collateral(session: &Session, positions: &[(Address, CollateralPosition)]) {
    for (key, CollateralVault(vault)) in records::<CollateralVault>(session) {
        let mint = Address::from(vault.mint);
        assert_eq!(key, address::vault(&mint));
        assert_eq!(vault.tokens, address::vault_tokens(&mint).to_bytes());
        let terms: CollateralTerms = session
            .record(&address::collateral_terms(&mint))
            .expect("terms");
        assert!(terms.mint == vault.mint && terms.are_sound());
        let here = positions.iter().filter(|(_, one)| one.mint == vault.mint);
        let held: u64 = here.map(|(_, one)| one.amount_atoms).sum();
        assert_eq!(vault.booked_atoms, held, "positions in {mint} add up");
        let tokens = session.token_balance(&Address::from(vault.tokens));
        assert!(tokens >= vault.booked_atoms, "invariant V of {mint}");
        assert_eq!(vault.claims_total, 0, "collateral has no claims");
    }
    for (key, position) in positions {
        let (portfolio, mint) = (Address::from(position.portfolio), position.mint.into());
        assert_eq!(*key, address::collateral_holding(&portfolio, &mint));
        let gone = position.withdrawn_total_atoms + position.sold_total_atoms;
        assert_eq!(position.deposited_total_atoms, position.amount_atoms + gone);
        assert!(position.sold_total_atoms > 0 || position.raised_total_atoms == 0);
    }
    for (key, portfolio) in records::<Portfolio>(session) {
        let own = |(_, one): &&(Address, CollateralPosition)| {
            one.portfolio == key.to_bytes() && one.amount_atoms > 0
        };
        let count = positions.iter().filter(own).count();
        assert_eq!(
            portfolio.collateral_count as usize, count,
            "collateral held"
        );
    }
}

/// An escrow's balance is the sum of its live capabilities (rule X4).
fn audit_escrow(escrow: &Escrow) {
    let live = |cap: &&Cap| cap.state == cap_state::LIVE;
    let remaining: u64 = escrow
        .caps
        .iter()
        .filter(live)
        .map(|cap| cap.remaining_atoms)
        .sum();
    assert_eq!(escrow.balance_atoms, remaining, "escrow balance");
    for cap in &escrow.caps {
        assert!(cap.remaining_atoms <= cap.amount_max_atoms);
        assert!(
            cap.nonce <= escrow.cap_nonce,
            "a serial number from nowhere"
        );
        let burned = cap.state != cap_state::LIVE;
        assert!(
            !burned || cap.remaining_atoms == 0,
            "a dead capability holds money"
        );
        let twice = |other: &&Cap| {
            other.state == cap_state::LIVE
                && (other.hold, other.hold_generation) == (cap.hold, cap.hold_generation)
        };
        let named = escrow.caps.iter().filter(twice).count();
        assert!(burned || named == 1, "two capabilities for one hold");
    }
}

/// What came in for insurance and fees is there or went where it may go
/// (rule X7).
fn audit_insurance(ledger: &SlabLedger, escrows: &[(Address, Escrow)]) {
    let funded = u128::from(ledger.insurance_funded_total_atoms);
    assert_eq!(
        u128::from(ledger.insurance_atoms) + ledger.covered_total.get(),
        ledger.insurance_due_seen.get() + funded,
        "insurance"
    );
    assert_eq!(
        u128::from(ledger.fees_atoms) + u128::from(ledger.fees_withdrawn_total_atoms),
        ledger.fees_seen.get(),
        "fees"
    );
    let here = escrows.iter().filter(|(_, one)| one.slab == ledger.slab);
    let covered: u64 = here.map(|(_, one)| one.covered_total_atoms).sum();
    assert_eq!(u128::from(covered), ledger.covered_total.get(), "cover");
}

/// A portfolio lists its bound escrows, and is liquidating exactly while one of
/// them is frozen (rules LQ4 and LQ6).
fn audit_episode(
    session: &Session,
    key: &Address,
    portfolio: &Portfolio,
    escrows: &[(Address, Escrow)],
) {
    let own = escrows
        .iter()
        .filter(|(_, one)| one.owner == portfolio.owner);
    let mut frozen = 0;
    let mut bound = 0;
    for (address, escrow) in own {
        let listed = portfolio.place_of(&address.to_bytes()).is_some();
        assert_eq!(listed, escrow.is_bound(), "listed while bound");
        bound += usize::from(listed);
        frozen += u32::from(escrow.frozen);
        assert!(escrow.frozen == 0 || listed, "frozen without an account");
        let ticket: Option<Ticket> = session.record(&address::ticket(address));
        if let Some(ticket) = ticket {
            assert_eq!(ticket.portfolio, key.to_bytes());
            assert_eq!(ticket.escrow, address.to_bytes());
            assert_eq!(ticket.slab, escrow.slab);
            assert!(ticket.nonce <= portfolio.ticket_nonce);
            let void = ticket.nonce == 0;
            assert!(void || escrow.frozen == 1, "a ticket outlives its episode");
        }
        let shift: Option<ShiftTicket> = session.record(&address::shift_ticket(address));
        if let Some(shift) = shift {
            assert_eq!(shift.portfolio, key.to_bytes());
            assert_eq!(shift.escrow, address.to_bytes());
            assert_eq!(shift.slab, escrow.slab);
            assert!(shift.nonce > 0 && shift.nonce <= portfolio.ticket_nonce);
            let named = |one: &&(Address, Escrow)| one.0.to_bytes() == shift.target;
            let target = escrows.iter().find(named).expect("a target");
            assert_eq!(target.1.owner, escrow.owner, "a shift to a stranger");
            assert_ne!(shift.target, shift.escrow, "a shift to itself");
        }
    }
    let listed = portfolio.escrows.iter().filter(|one| **one != [0; 32]);
    assert_eq!(listed.count(), bound, "nothing is listed twice");
    assert_eq!(portfolio.frozen_count, frozen);
    assert!(portfolio.shift_nonce <= portfolio.ticket_nonce);
    assert_eq!(portfolio.is_liquidating(), frozen > 0);
}

/// Backing is what the slab received, but for what is still on its way.
fn audit_slab(session: &Session, ledger: &SlabLedger, escrows: &[(Address, Escrow)]) {
    let key = Address::from(ledger.slab);
    let entry: SlabEntry = session
        .record(&address::slab_entry(&key))
        .expect("an entry");
    assert_eq!(entry.slab, ledger.slab);
    let law = |slab: &Slab<'_>| {
        let totals = slab.audit().unwrap_or_else(|broken| panic!("{broken}"));
        let mut expected = totals.received_atoms;
        let here = escrows.iter().filter(|(_, one)| one.slab == ledger.slab);
        // Nothing is on its way to or from an escrow that is not bound.
        for (address, escrow) in here.filter(|(_, one)| one.is_bound()) {
            let account: SlabAccount = slab.accounts[escrow.bound_account];
            assert_eq!(account.escrow, address.to_bytes(), "bound both ways");
            let way = |total: u64, seen: u64| i128::from(total) - i128::from(seen);
            expected += way(escrow.deposited_total_atoms, account.deposited_seen_atoms);
            expected -= way(account.debited_total_atoms, escrow.debited_seen_atoms);
            expected += way(account.released_total_atoms, escrow.released_seen_atoms);
            expected += way(escrow.covered_total_atoms, account.covered_seen_atoms);
        }
        let (fees, dues) = (ledger.fees_seen.get(), ledger.insurance_due_seen.get());
        assert!(
            fees <= slab.header.fees_out_total.get(),
            "fees from nowhere"
        );
        let due = slab.header.insurance_due_total.get();
        assert!(dues <= due, "dues from nowhere");
        expected -= (fees + dues) as i128;
        assert_eq!(
            i128::from(ledger.backing_atoms),
            expected,
            "backing of {key}"
        );
    };
    session.with_slab(&key, law).expect("a slab");
}
