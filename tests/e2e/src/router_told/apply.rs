//! What each event changes.

use super::{EscrowTold, PortfolioTold, Rest, RouterTold, SlabTold};
use flagstone_sdk::address;
use flagstone_sdk::interface::Key;
use flagstone_sdk::interface::event::RouterEvent;
use flagstone_sdk::interface::event::router::Booked;
use flagstone_sdk::interface::governance::proposal_state;
use flagstone_sdk::interface::router::slab_status;
use solana_address::Address;

impl RouterTold {
    #[track_caller]
    fn escrow(&mut self, key: &Key) -> &mut EscrowTold {
        self.escrows.get_mut(key).expect("an escrow was told")
    }

    /// Books what an escrow's slab account owed and was owed, and returns the
    /// portfolio of the escrow.
    fn book(&mut self, escrow: &Key, booked: &Booked) -> &mut PortfolioTold {
        let escrow = *self.escrow(escrow);
        self.spread(&escrow.portfolio, &[escrow.slab], booked)
    }

    /// Books with a portfolio what happened at one of these slabs: for more than
    /// one of them events do not say at which, and backings cannot be followed.
    fn spread(&mut self, portfolio: &Key, slabs: &[Key], booked: &Booked) -> &mut PortfolioTold {
        let [slab] = slabs else {
            panic!("stories with routes have one slab")
        };
        let slab = self.slab(slab);
        slab.backing = slab.backing + booked.charged_atoms - booked.released_atoms;
        let portfolio = self.portfolio(portfolio);
        portfolio.pledged -= booked.charged_atoms + booked.returned_atoms;
        portfolio.cash += booked.returned_atoms + booked.released_atoms;
        portfolio
    }

    /// Changes what the event says and checks the totals that it names.
    #[track_caller]
    pub(super) fn apply(&mut self, event: &RouterEvent) {
        if self.users(event) || self.liquidations(event) || self.slabs(event) {
            return;
        }
        self.rest.apply(event);
    }

    /// Events about a user's money.
    #[track_caller]
    fn users(&mut self, event: &RouterEvent) -> bool {
        let all: Vec<Key> = self.slabs.keys().copied().collect();
        match *event {
            RouterEvent::PortfolioOpened(e) => {
                let portfolio = PortfolioTold {
                    owner: e.owner,
                    ..PortfolioTold::default()
                };
                self.portfolios.insert(e.portfolio, portfolio);
            }
            RouterEvent::Deposited(e) => {
                self.rest.booked += e.amount_atoms;
                let portfolio = self.portfolio(&e.portfolio);
                portfolio.cash += e.amount_atoms;
                portfolio.deposited += e.amount_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
            }
            RouterEvent::Withdrawn(e) => {
                self.rest.booked -= e.amount_atoms;
                let portfolio = self.portfolio(&e.portfolio);
                portfolio.cash -= e.amount_atoms;
                portfolio.withdrawn += e.amount_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
            }
            RouterEvent::EscrowOpened(e) => {
                let owner = Address::from(e.owner);
                let escrow = EscrowTold {
                    slab: e.slab,
                    portfolio: address::portfolio(&owner).to_bytes(),
                    trader: e.trader,
                    ..EscrowTold::default()
                };
                self.escrows.insert(e.escrow, escrow);
            }
            RouterEvent::EscrowBound(e) => {
                self.escrow(&e.escrow).bound = (e.account, e.generation);
            }
            RouterEvent::EscrowUnbound(e) => {
                let bound = (e.account, e.generation);
                assert_eq!(self.escrow(&e.escrow).bound, bound);
                self.escrow(&e.escrow).bound = (0, 0);
            }
            RouterEvent::TraderSet(e) => self.escrow(&e.escrow).trader = e.trader,
            RouterEvent::SlabFunded(e) => {
                let cash = self.fund(&e.escrow, e.amount_atoms, e.deposited_total_atoms);
                assert_eq!(cash, { e.cash_atoms });
                let slab = self.escrow(&e.escrow).slab;
                assert_eq!(self.slab(&slab).backing, { e.backing_atoms });
            }
            RouterEvent::RouteOpened(e) => {
                let portfolio = self.spread(&e.portfolio, &all, &{ e.booked });
                portfolio.cash -= e.pledged_atoms;
                portfolio.pledged += e.pledged_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
                assert!(e.legs > 0 && e.lots > 0 && e.notional_atoms > 0);
            }
            RouterEvent::RouteSettled(e) => {
                let portfolio = self.spread(&e.portfolio, &all, &{ e.booked });
                portfolio.cash += e.expired_atoms;
                portfolio.pledged -= e.expired_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
            }
            RouterEvent::Settled(e) => {
                let cash = self.book(&e.escrow, &{ e.booked }).cash;
                assert_eq!(cash, { e.cash_atoms });
                let slab = self.escrow(&e.escrow).slab;
                assert_eq!(self.slab(&slab).backing, { e.backing_atoms });
            }
            RouterEvent::Refunded(e) => {
                let portfolio = self.book(&e.escrow, &{ e.booked });
                portfolio.cash += e.refunded_atoms;
                portfolio.pledged -= e.refunded_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
            }
            RouterEvent::ClaimQueued(e) => {
                self.rest.claims += e.amount_atoms;
                let portfolio = self.portfolio(&e.portfolio);
                portfolio.cash -= e.amount_atoms;
                portfolio.claim = e.amount_atoms;
                portfolio.claim_serial = e.serial;
                assert_eq!(portfolio.cash, { e.cash_atoms });
                assert_eq!(self.rest.claims, { e.claims_atoms });
            }
            RouterEvent::ClaimPaid(e) => {
                self.rest.claims -= e.amount_atoms + e.returned_atoms;
                self.rest.booked -= e.amount_atoms;
                let portfolio = self.portfolio(&e.portfolio);
                assert_eq!(portfolio.claim_serial, { e.serial });
                portfolio.withdrawn += e.amount_atoms;
                portfolio.cash += e.returned_atoms;
                portfolio.claim -= e.amount_atoms + e.returned_atoms;
                assert_eq!(portfolio.claim, { e.left_atoms });
                if e.left_atoms == 0 {
                    portfolio.claim_serial = 0;
                }
                assert_eq!(self.rest.claims, { e.claims_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
            }
            RouterEvent::ClaimCancelled(e) => {
                self.rest.claims -= e.amount_atoms;
                let portfolio = self.portfolio(&e.portfolio);
                assert_eq!(portfolio.claim_serial, { e.serial });
                portfolio.cash += e.amount_atoms;
                portfolio.claim -= e.amount_atoms;
                assert_eq!((portfolio.cash, portfolio.claim), (e.cash_atoms, 0));
                assert_eq!(self.rest.claims, { e.claims_atoms });
            }
            RouterEvent::DelegateSet(e) => {
                let portfolio = self.portfolio(&e.portfolio);
                portfolio.delegate = e.delegate;
                portfolio.delegate_bounds = (e.allowance_atoms, e.band_ppm);
            }
            RouterEvent::PortfolioClosed(e) => {
                let portfolio = self.portfolio(&e.portfolio);
                (portfolio.closed, portfolio.delegate) = (true, [0; 32]);
            }
            _ => return false,
        }
        true
    }

    /// Cash became a deposit at a slab; returns what is left of the cash.
    fn fund(&mut self, escrow: &Key, amount: u64, total: u64) -> u64 {
        let told = self.escrow(escrow);
        told.deposited += amount;
        assert_eq!(told.deposited, total);
        let (slab, portfolio) = (told.slab, told.portfolio);
        self.slab(&slab).backing += amount;
        let portfolio = self.portfolio(&portfolio);
        portfolio.cash -= amount;
        portfolio.cash
    }

    /// Events about accounts under liquidation, and about leaving.
    #[track_caller]
    fn liquidations(&mut self, event: &RouterEvent) -> bool {
        match *event {
            RouterEvent::LiquidationBegun(e) => {
                let portfolio = self.book(&e.escrow, &{ e.booked });
                portfolio.frozen += 1;
                portfolio.episode = e.episode;
                assert_eq!(portfolio.cash, { e.cash_atoms });
                assert!(e.equity_atoms < e.maintenance_atoms as i64);
                let escrow = self.escrow(&e.escrow);
                assert_eq!(escrow.slab, { e.slab });
                (escrow.frozen, escrow.grace_until) = (true, e.grace_until);
            }
            RouterEvent::TicketIssued(e) => {
                let portfolio = self.book(&e.escrow, &{ e.booked });
                portfolio.ticket_nonce += 1;
                assert_eq!(portfolio.ticket_nonce, { e.nonce });
                assert_eq!(
                    (portfolio.cash, portfolio.episode),
                    (e.cash_atoms, e.episode)
                );
                let ticket = address::ticket(&Address::from(e.escrow)).to_bytes();
                let terms = (e.nonce, e.lots_max, e.deficit_max_atoms);
                self.rest.tickets.insert(ticket, terms);
            }
            RouterEvent::ShiftIssued(e) => {
                self.book(&e.target, &{ e.target_booked });
                let portfolio = self.book(&e.escrow, &{ e.booked });
                portfolio.ticket_nonce += 1;
                assert_eq!(portfolio.ticket_nonce, { e.nonce });
                assert_eq!(portfolio.cash, { e.cash_atoms });
                let ticket = address::shift_ticket(&Address::from(e.escrow)).to_bytes();
                let terms = (e.target, e.nonce, e.amount_max_atoms, e.expiry_slot);
                self.rest.shifts.insert(ticket, terms);
            }
            RouterEvent::LiquidationEnded(e) => {
                let portfolio = self.book(&e.escrow, &{ e.booked });
                portfolio.frozen -= 1;
                assert_eq!(
                    (portfolio.cash, portfolio.frozen),
                    (e.cash_atoms, e.frozen_count)
                );
                self.escrow(&e.escrow).frozen = false;
                let ticket = address::ticket(&Address::from(e.escrow)).to_bytes();
                if let Some(ticket) = self.rest.tickets.get_mut(&ticket) {
                    ticket.0 = 0;
                }
            }
            RouterEvent::MarginShifted(e) => {
                self.book(&e.escrow, &{ e.booked });
                let cash = self.fund(&e.escrow, e.amount_atoms, e.deposited_total_atoms);
                assert_eq!(cash, { e.cash_atoms });
                let escrow = self.escrow(&e.escrow);
                escrow.shifted += e.amount_atoms;
                assert_eq!(escrow.shifted, { e.shifted_atoms });
            }
            RouterEvent::CollateralSold(e) => {
                self.book(&e.escrow, &{ e.booked });
                self.rest.booked += e.paid_atoms;
                let portfolio = self.portfolio(&e.portfolio);
                portfolio.cash += e.paid_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
                let held = self.rest.collateral.get_mut(&(e.portfolio, e.mint));
                let held = held.expect("it was deposited");
                held.0 -= e.amount_atoms;
                held.1 = e.auction_slot;
                assert_eq!(held.0, { e.balance_atoms });
            }
            RouterEvent::LiabilityMaxSet(e) => {
                let escrow = self.escrow(&e.escrow);
                (escrow.liability_max, escrow.shifted) = (e.amount_atoms, 0);
            }
            RouterEvent::DebtCovered(e) => {
                let cash = self.book(&e.escrow, &{ e.booked }).cash;
                assert_eq!(cash, { e.cash_atoms });
                assert!(e.amount_atoms <= e.debt_atoms);
                self.escrow(&e.escrow).covered += e.amount_atoms;
                let slab = self.slab(&{ e.slab });
                slab.insurance -= e.amount_atoms;
                slab.backing += e.amount_atoms;
                assert_eq!(slab.insurance, { e.insurance_atoms });
                assert_eq!(slab.backing, { e.backing_atoms });
            }
            RouterEvent::ExposureRefreshed(e) => {
                let cash = self.book(&e.escrow, &{ e.booked }).cash;
                assert_eq!(cash, { e.cash_atoms });
            }
            RouterEvent::ExitedByProof(e) => {
                let escrow = self.escrow(&e.escrow);
                escrow.exited = true;
                let frozen = std::mem::take(&mut escrow.frozen);
                let (slab, portfolio) = (escrow.slab, escrow.portfolio);
                let slab = self.slab(&slab);
                slab.backing -= e.paid_atoms;
                assert_eq!(slab.backing, { e.backing_atoms });
                assert!(e.paid_atoms <= e.claim_atoms);
                let portfolio = self.portfolio(&portfolio);
                portfolio.frozen -= u32::from(frozen);
                portfolio.pledged -= e.returned_atoms;
                portfolio.cash += e.paid_atoms + e.returned_atoms;
                assert_eq!(portfolio.cash, { e.cash_atoms });
            }
            _ => return false,
        }
        true
    }

    /// Events about a slab's standing and its own money.
    #[track_caller]
    fn slabs(&mut self, event: &RouterEvent) -> bool {
        match *event {
            RouterEvent::SlabRegistered(e) => {
                let slab = SlabTold {
                    status: slab_status::ACTIVE,
                    deploy_slot: e.deploy_slot,
                    ..SlabTold::default()
                };
                self.slabs.insert(e.slab, slab);
                self.rest.slabs_total += 1;
                assert_eq!(self.rest.slabs_total, { e.slabs_total });
            }
            RouterEvent::SlabAttested(e) => {
                let slab = self.slab(&{ e.slab });
                (slab.status, slab.deploy_slot) = (slab_status::ACTIVE, e.deploy_slot);
            }
            RouterEvent::ProgramConfirmed(e) => {
                let slab = self.slab(&{ e.slab });
                (slab.status, slab.deploy_slot) = (e.status, e.deploy_slot);
            }
            RouterEvent::FeesCollected(e) => {
                let slab = self.slab(&{ e.slab });
                slab.backing -= e.insured_atoms + e.collected_atoms;
                slab.insurance += e.insured_atoms;
                slab.fees += e.collected_atoms;
                let totals = (slab.backing, slab.insurance, slab.fees);
                assert_eq!(totals, (e.backing_atoms, e.insurance_atoms, e.fees_atoms));
            }
            RouterEvent::FeesWithdrawn(e) => {
                self.rest.booked -= e.amount_atoms;
                let slab = self.slab(&{ e.slab });
                slab.fees -= e.amount_atoms;
                assert_eq!(slab.fees, { e.fees_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
            }
            RouterEvent::InsuranceFunded(e) => {
                self.insure(&{ e.slab }, e.amount_atoms);
                assert_eq!(self.slab(&{ e.slab }).insurance, { e.insurance_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
            }
            RouterEvent::SurplusSkimmed(e) => {
                self.insure(&{ e.slab }, e.amount_atoms);
                assert_eq!(self.slab(&{ e.slab }).insurance, { e.insurance_atoms });
                assert_eq!(self.rest.booked, { e.booked_atoms });
            }
            RouterEvent::RootCopied(e) => self.slab(&{ e.slab }).root = (e.root, e.slot),
            RouterEvent::SlabSuspended(e) => {
                self.slab(&{ e.slab }).status = slab_status::SUSPENDED;
            }
            RouterEvent::SlabQuarantined(e) => {
                let slab = self.slab(&{ e.slab });
                slab.status = slab_status::QUARANTINED;
                let (numerator, denominator) = (e.numerator_atoms, e.denominator_atoms);
                slab.exit = (numerator, denominator, u32::from(e.mode), e.root_slot);
            }
            _ => return false,
        }
        true
    }

    fn insure(&mut self, slab: &Key, amount: u64) {
        self.rest.booked += amount;
        self.slab(slab).insurance += amount;
    }
}

impl Rest {
    #[track_caller]
    pub(super) fn apply(&mut self, event: &RouterEvent) {
        match *event {
            RouterEvent::RouterInitialized(e) => self.admin = e.admin,
            RouterEvent::AdminChanged(e) => self.admin = e.admin,
            RouterEvent::InstrumentRegistered(e) => {
                self.instruments
                    .insert((e.slab, e.instrument), e.active_slot);
            }
            RouterEvent::Proposed(e) => {
                let told = (proposal_state::OPEN, e.kind, e.due_slot, e.expiry_slot);
                self.proposals.insert(e.id, told);
            }
            RouterEvent::ProposalExecuted(e) => self.decide(e.id, e.kind, proposal_state::EXECUTED),
            RouterEvent::ProposalCancelled(e) => {
                self.decide(e.id, e.kind, proposal_state::CANCELLED);
            }
            RouterEvent::Paused(e) => self.paused = (e.until_slot, e.again_slot),
            RouterEvent::Unpaused(e) => self.paused.0 = e.until_slot,
            RouterEvent::ProgramHashed(e) => {
                self.hashes.insert(e.program_data, (e.chunks, e.done));
            }
            RouterEvent::GridMemberSet(e) => {
                let grid = self.grids.entry((e.underlying_id, e.interval_slots));
                let (_, members) = grid.or_default();
                match e.listed {
                    1 => members.insert((e.slab, e.instrument)),
                    _ => members.remove(&(e.slab, e.instrument)),
                };
                assert_eq!(members.len(), usize::from(e.members));
            }
            RouterEvent::GridUpdated(e) => {
                let grid = self.grids.get_mut(&(e.underlying_id, e.interval_slots));
                grid.expect("a grid was told").0 = e.rate_ppm;
            }
            RouterEvent::CollateralDeposited(e) => {
                let held = self.collateral.entry((e.portfolio, e.mint)).or_default();
                held.0 += e.amount_atoms;
                assert_eq!(held.0, { e.balance_atoms });
            }
            RouterEvent::CollateralWithdrawn(e) => {
                let held = self.collateral.get_mut(&(e.portfolio, e.mint));
                let held = held.expect("it was deposited");
                held.0 -= e.amount_atoms;
                assert_eq!(held.0, { e.balance_atoms });
            }
            other => panic!("nothing is known of {}", other.name()),
        }
    }

    #[track_caller]
    fn decide(&mut self, id: u64, kind: u8, state: u8) {
        let proposal = self.proposals.get_mut(&id).expect("it was proposed");
        assert_eq!((proposal.0, proposal.1), (proposal_state::OPEN, kind));
        proposal.0 = state;
    }
}
