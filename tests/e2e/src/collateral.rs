//! A crash whose victim holds a second mint as collateral: what tests of its
//! auction start from.

use crate::crash::Crash;
use crate::govern::change;
use crate::refusal::{Why, refused};
use crate::{QUOTE, ok};
use flagstone_sdk::embedded::{Member, Oracle, Receipt};
use flagstone_sdk::interface::collateral::{CollateralPosition, CollateralTerms, CollateralVault};
use flagstone_sdk::interface::router::Vault;
use flagstone_sdk::router::{Bid, Change, CollateralRules};
use flagstone_sdk::{address, router};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;

/// One whole token of the collateral mint, in atoms.
pub const TOKEN: u64 = 1_000_000_000;

/// Price of the collateral, in hundredths of a quote token.
pub const PRICE: u32 = 15_000;

/// What the victim deposits of it.
pub const HELD: u64 = 20 * TOKEN;

/// What its owner consents to bring.
pub const CONSENT: u64 = 5_000 * QUOTE;

/// What the frozen account lacks after [`Crash::sink`] beyond the cash that the
/// victim left at the Router.
pub const ASKED: u64 = 870 * QUOTE;

/// Slots of an auction.
pub const LENGTH: u32 = 100;

/// Terms for tests: from 5 % above the oracle to 10 % below it.
pub const fn rules(oracle: &Oracle) -> CollateralRules {
    CollateralRules {
        oracle: oracle.key,
        oracle_feed: oracle.feed,
        haircut_ppm: 200_000,
        oracle_age_slots: 25,
        confidence_max_ppm: 10_000,
        premium_ppm: 50_000,
        discount_ppm: 100_000,
        auction_slots: LENGTH,
        deposit_cap_atoms: 1_000 * TOKEN,
        enabled: true,
    }
}

/// A user's token accounts of the quote and of the collateral mint.
#[derive(Debug)]
pub struct Purse {
    /// Owns both.
    pub wallet: Keypair,
    /// Of the quote mint.
    pub quote: Address,
    /// Of the collateral mint.
    pub tokens: Address,
}

/// A [`Crash`] with a collateral mint.
pub struct Pledge {
    /// The exchange, its victim and its makers.
    pub crash: Crash,
    /// The collateral mint, nine decimals.
    pub mint: Address,
    /// Its oracle.
    pub oracle: Oracle,
    /// Last price posted, in hundredths.
    pub price: u32,
    /// The victim's token account of the collateral mint.
    pub tokens: Address,
    /// Somebody with quote to spend.
    pub buyer: Purse,
}

impl Pledge {
    /// The victim holds [`HELD`] and has not consented to anything.
    pub fn open() -> Self {
        let mut crash = Crash::open();
        let exchange = &mut crash.exchange;
        let mint = ok(exchange.create_mint(9));
        let oracle = Oracle::new([0xc0; 32]);
        oracle.post(&mut exchange.session, PRICE);
        let quote = exchange.mint;
        change(
            exchange,
            &Change::add_collateral(&mint, &quote, &rules(&oracle)),
        );
        let owner = crash.owner();
        let tokens = ok(crash.exchange.create_tokens_of(&mint, &owner, 50 * TOKEN));
        let buyer = Self::purse(&mut crash, &mint, 100_000 * QUOTE);
        let mut pledge = Self {
            crash,
            mint,
            oracle,
            price: PRICE,
            tokens,
            buyer,
        };
        let deposit = pledge.deposit(HELD);
        pledge.send(&[deposit]);
        pledge
    }

    /// [`Pledge::open`], with [`CONSENT`], sunk, frozen and past its grace.
    pub fn frozen() -> Self {
        let mut pledge = Self::open();
        pledge.consent(CONSENT);
        pledge.crash.sink();
        pledge.freeze();
        pledge
    }

    /// [`Pledge::frozen`], some slots into its auction.
    pub fn in_auction(slots: u64) -> Self {
        let mut pledge = Self::frozen();
        let begin = pledge.bid(1, 1);
        pledge.buy(&[begin]);
        if slots > 0 {
            pledge.wait(slots);
        }
        pledge
    }

    /// A wallet with both kinds of token accounts and some quote.
    pub fn purse(crash: &mut Crash, mint: &Address, quote_atoms: u64) -> Purse {
        let exchange = &mut crash.exchange;
        let wallet = exchange.session.new_wallet();
        let key = wallet.pubkey();
        Purse {
            quote: ok(exchange.create_tokens(&key, quote_atoms)),
            tokens: ok(exchange.create_tokens_of(mint, &key, 0)),
            wallet,
        }
    }

    /// Moves the clock and keeps both oracles fresh.
    pub fn wait(&mut self, slots: u64) {
        self.crash.wait(slots);
        self.post();
    }

    /// Posts the collateral's price, now.
    pub fn post(&mut self) {
        self.oracle
            .post(&mut self.crash.exchange.session, self.price);
    }

    /// Freezes the victim, and waits for the end of its grace.
    pub fn freeze(&mut self) {
        let begin = [self.crash.begin(), self.crash.sync()];
        self.crash.crank(&begin);
        let over = u64::from(self.crash.portfolio().grace_until.0);
        let left = over.saturating_sub(self.crash.exchange.session.slot());
        // A price is newer only in a later slot.
        self.wait(left.max(1));
    }

    /// The owner replaces its consent.
    pub fn consent(&mut self, atoms: u64) {
        let (owner, slab, mint) = self.crash.at();
        self.send(&[router::set_liability_max(&owner, &slab, &mint, atoms)]);
    }

    /// The victim's deposit.
    pub fn deposit(&self, atoms: u64) -> Instruction {
        router::deposit_collateral(&self.crash.owner(), &self.mint, &self.tokens, atoms)
    }

    /// The victim's withdrawal.
    pub fn withdraw(&self, atoms: u64) -> Instruction {
        router::withdraw_collateral(&self.crash.owner(), &self.mint, &self.tokens, atoms)
    }

    /// The bid of a purse.
    pub fn bid_of(&self, purse: &Purse, amount: u64, pay: u64) -> Instruction {
        let (owner, slab, mint) = self.crash.at();
        let bid = Bid {
            buyer: purse.wallet.pubkey(),
            source: purse.quote,
            destination: purse.tokens,
            collateral: self.mint,
            oracle: self.oracle.key,
            amount_max_atoms: amount,
            pay_max_atoms: pay,
        };
        router::liquidate_collateral(&owner, &slab, &mint, &bid)
    }

    /// The buyer's bid.
    pub fn bid(&self, amount: u64, pay: u64) -> Instruction {
        self.bid_of(&self.buyer, amount, pay)
    }

    /// Sends what the victim has to sign for, and adds the books up.
    #[track_caller]
    pub fn send(&mut self, instructions: &[Instruction]) -> Receipt {
        let wallet = self.crash.victim.wallet.insecure_clone();
        self.send_as(&wallet, instructions)
    }

    /// Sends what the buyer has to sign for, and adds the books up.
    #[track_caller]
    pub fn buy(&mut self, instructions: &[Instruction]) -> Receipt {
        let wallet = self.buyer.wallet.insecure_clone();
        self.send_as(&wallet, instructions)
    }

    /// Sends what a wallet has to sign for, and adds the books up.
    #[track_caller]
    pub fn send_as(&mut self, wallet: &Keypair, instructions: &[Instruction]) -> Receipt {
        let session = &mut self.crash.exchange.session;
        session.svm.expire_blockhash();
        let receipt = ok(session.send_large(instructions, &[wallet]));
        self.crash.audit();
        receipt
    }

    /// Sends what the victim signs and has to fail.
    #[track_caller]
    pub fn refuse(&mut self, instruction: &Instruction, why: impl Into<Why>) {
        let wallet = self.crash.victim.wallet.insecure_clone();
        self.refuse_as(&wallet, instruction, why);
    }

    /// Sends what the buyer signs and has to fail.
    #[track_caller]
    pub fn refuse_bid(&mut self, instruction: &Instruction, why: impl Into<Why>) {
        let wallet = self.buyer.wallet.insecure_clone();
        self.refuse_as(&wallet, instruction, why);
    }

    /// Sends what a wallet signs and has to fail.
    #[track_caller]
    pub fn refuse_as(&mut self, wallet: &Keypair, instruction: &Instruction, why: impl Into<Why>) {
        let session = &mut self.crash.exchange.session;
        session.svm.expire_blockhash();
        refused(session, std::slice::from_ref(instruction), &[wallet], why);
    }

    /// The victim's position.
    pub fn position(&self) -> CollateralPosition {
        let portfolio = address::portfolio(&self.crash.owner());
        let key = address::collateral_holding(&portfolio, &self.mint);
        let session = &self.crash.exchange.session;
        session.record(&key).expect("a position")
    }

    /// The mint's terms.
    pub fn terms(&self) -> CollateralTerms {
        let key = address::collateral_terms(&self.mint);
        self.crash.exchange.session.record(&key).expect("terms")
    }

    /// The mint's vault.
    pub fn vault(&self) -> Vault {
        let key = address::vault(&self.mint);
        let session = &self.crash.exchange.session;
        let vault: CollateralVault = session.record(&key).expect("a vault");
        vault.0
    }

    /// Balance of a token account.
    pub fn balance(&self, tokens: &Address) -> u64 {
        self.crash.exchange.session.token_balance(tokens)
    }

    /// A further member who holds some of the mint.
    pub fn add_holder(&mut self, atoms: u64) -> (Member, Address) {
        let member = ok(self.crash.exchange.open_member(1_000 * QUOTE));
        let owner = member.wallet.pubkey();
        let exchange = &mut self.crash.exchange;
        let tokens = ok(exchange.create_tokens_of(&self.mint, &owner, atoms));
        let deposit = router::deposit_collateral(&owner, &self.mint, &tokens, atoms);
        self.send_as(&member.wallet, &[deposit]);
        (member, tokens)
    }
}
