//! Governance, hashes and claims: rare, and measured once on a small slab,
//! because none of it depends on the book.

use crate::matrix::{Row, SAMPLES, row, shown};
use anyhow::{Context, Result};
use flagstone_sdk::embedded::{Exchange, Receipt, Session};
use flagstone_sdk::engine::SlabSize;
use flagstone_sdk::interface::governance::{ProgramHash, Proposal};
use flagstone_sdk::interface::limits::RECENT_WINDOW_SLOTS;
use flagstone_sdk::interface::router::RouterConfig;
use flagstone_sdk::router::Change;
use flagstone_sdk::{address, router, slab};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use std::path::Path;

/// Limit of the vault while claims are measured, in atoms, and its window.
const LIMIT: u64 = 1 << 30;
const WINDOW_SLOTS: u32 = 1_000;
/// What the claimant has.
const FUNDS: u64 = 1 << 40;
/// Slots after which the guardian may pause again, and some more.
const COOL_SLOTS: u64 = 500_000;

struct Governance {
    exchange: Exchange,
    payer: Keypair,
}

/// Measures every instruction.
pub(crate) fn measure(programs: &Path) -> Result<Vec<Row>> {
    let session = Session::start(programs)?;
    let mut exchange = Exchange::open(session, SlabSize::Dev).map_err(shown)?;
    let payer = exchange.session.new_wallet();
    let mut bench = Governance { exchange, payer };
    let (propose, execute) = bench.proposals()?;
    let pause = bench.pauses()?;
    let (hash, confirm) = bench.hashes()?;
    let root = bench.root()?;
    let (claim, pay) = bench.claims()?;
    let rows = [
        ("propose", propose),
        ("execute", execute),
        ("pause", pause),
        ("hash_program_1", hash),
        ("confirm_program", confirm),
        ("verify_root", root),
        ("claim_withdrawal", claim),
        ("pay_claim", pay),
    ];
    let bytes = SlabSize::Dev.account_bytes();
    let rows = rows.into_iter();
    Ok(rows
        .map(|(op, samples)| row(op, 0, bytes, samples))
        .collect())
}

impl Governance {
    fn send(&mut self, instruction: Instruction, signer: &Keypair) -> Result<Receipt> {
        let asked = instruction
            .accounts
            .iter()
            .any(|meta| meta.is_signer && meta.pubkey == signer.pubkey());
        let signers = [signer];
        let session = &mut self.exchange.session;
        session.svm.expire_blockhash();
        let sent = session.send(&[instruction], &signers[..usize::from(asked)]);
        sent.map_err(shown)
    }

    /// Proposes a change and executes it; what both cost.
    fn change(&mut self, change: &Change) -> Result<(u64, u64)> {
        let admin = self.exchange.admin.insecure_clone();
        let config: Option<RouterConfig> = self.exchange.session.record(&address::config());
        let id = config.context("a configuration")?.proposals_total + 1;
        let proposed = self.send(change.propose(&admin.pubkey(), id), &admin)?;
        let session = &mut self.exchange.session;
        let proposal: Option<Proposal> = session.record(&address::proposal(id));
        let due = u64::from(proposal.context("a proposal")?.due_slot.0);
        session.warp_to(due.max(session.slot()));
        let payer = self.payer.insecure_clone();
        let executed = self.send(change.execute(&payer.pubkey(), id), &payer)?;
        Ok((proposed.compute_units, executed.compute_units))
    }

    fn proposals(&mut self) -> Result<(Vec<u64>, Vec<u64>)> {
        let vault = address::vault(&self.exchange.mint);
        let each = (0..SAMPLES).map(|sample| {
            let limit = LIMIT + u64::from(SAMPLES - 1 - sample);
            self.change(&Change::set_limit(&vault, limit, WINDOW_SLOTS))
        });
        let both: Result<Vec<(u64, u64)>> = each.collect();
        Ok(both?.into_iter().unzip())
    }

    fn pauses(&mut self) -> Result<Vec<u64>> {
        let guardian = self.exchange.session.new_wallet();
        self.change(&Change::set_guardian(&guardian.pubkey()))?;
        let mut samples = Vec::new();
        for _ in 0..SAMPLES {
            let pause = router::pause(&guardian.pubkey(), 5);
            samples.push(self.send(pause, &guardian)?.compute_units);
            self.exchange.session.wait(COOL_SLOTS);
        }
        Ok(samples)
    }

    /// One chunk of the Slab's code, and its confirmation once it is hashed.
    fn hashes(&mut self) -> Result<(Vec<u64>, Vec<u64>)> {
        let payer = self.payer.insecure_clone();
        let key = address::program_hash(&address::program_data(&address::SLAB));
        let chunk = router::hash_program(&payer.pubkey(), &address::SLAB, 1);
        // The first one also makes the record.
        self.send(chunk.clone(), &payer)?;
        let mut hashes = Vec::new();
        while !self.is_hashed(&key)? {
            hashes.push(self.send(chunk.clone(), &payer)?.compute_units);
        }
        // The last one is short.
        hashes.pop();
        let confirm = router::confirm_program(&self.exchange.slab, &address::SLAB);
        let mut confirms = Vec::new();
        for _ in 0..SAMPLES {
            confirms.push(self.send(confirm.clone(), &payer)?.compute_units);
        }
        Ok((hashes, confirms))
    }

    fn is_hashed(&self, key: &Address) -> Result<bool> {
        let record: Option<ProgramHash> = self.exchange.session.record(key);
        Ok(record.context("a hash")?.done == 1)
    }

    /// A root is copied once.
    fn root(&mut self) -> Result<Vec<u64>> {
        let (slab_key, mint) = (self.exchange.slab, self.exchange.mint);
        let payer = self.payer.insecure_clone();
        loop {
            let publish = slab::publish_root(&slab_key, 4);
            let session = &mut self.exchange.session;
            session.svm.expire_blockhash();
            session.send_large(&[publish], &[]).map_err(shown)?;
            let pages = session.with_slab(&slab_key, |slab| slab.header.root_page_next);
            if pages? == 0 {
                break;
            }
        }
        let verify = router::verify_root(&slab_key, &address::SLAB, &mint);
        Ok(vec![self.send(verify, &payer)?.compute_units])
    }

    fn claims(&mut self) -> Result<(Vec<u64>, Vec<u64>)> {
        let member = self.exchange.open_member(FUNDS).map_err(shown)?;
        self.exchange.deposit(&member, FUNDS).map_err(shown)?;
        self.exchange
            .session
            .wait(2 * u64::from(RECENT_WINDOW_SLOTS));
        let (owner, mint) = (member.wallet.pubkey(), self.exchange.mint);
        let payer = self.payer.insecure_clone();
        let (mut claims, mut pays) = (Vec::new(), Vec::new());
        for _ in 0..SAMPLES {
            let claim = router::claim_withdrawal(&owner, &mint, &member.tokens, LIMIT / 2);
            claims.push(self.send(claim, &member.wallet)?.compute_units);
            let pay = router::pay_claim(&owner, &mint, &member.tokens);
            pays.push(self.send(pay, &payer)?.compute_units);
            self.exchange.session.wait(WINDOW_SLOTS.into());
        }
        Ok((claims, pays))
    }
}
