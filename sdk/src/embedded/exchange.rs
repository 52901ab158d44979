//! A deployed exchange: mint, Router, one slab with one instrument, members.

use super::session::{Failure, Receipt, Session};
use crate::router::{Delays, InstrumentRules};
use crate::slab::NewSlab;
use crate::{address, router, slab};
use flagstone_interface::Record;
use flagstone_interface::router::{Escrow, Portfolio, SlabLedger, Vault};
use flagstone_interface::slab::{PoolId, SlabHeader};
use flagstone_slab_engine::SlabSize;
use flagstone_slab_engine::instruments::InstrumentParams;
use flagstone_slab_engine::matching::SelfTrade;
use flagstone_slab_engine::requests::{OrderKind, Place, Take};
use flagstone_units::{Lots, Ppm, Side, SignedPpm, Slot, Ticks};
use solana_address::Address;
use solana_instruction::Instruction;
use solana_keypair::Keypair;
use solana_signer::Signer;
use spl_token_interface::instruction as token;
use spl_token_interface::state::{Account as TokenAccount, Mint};

/// Decimals of the quote mint.
const QUOTE_DECIMALS: u8 = 6;

type Outcome<T> = Result<T, Box<Failure>>;

/// A user of the exchange with an account at its slab.
#[derive(Debug)]
pub struct Member {
    /// Wallet: owns the money, never signs for the slab.
    pub wallet: Keypair,
    /// Session key: trades, owns nothing.
    pub trader: Keypair,
    /// Token account of the wallet.
    pub tokens: Address,
    /// Escrow at the slab.
    pub escrow: Address,
    /// Account index at the slab.
    pub account: u16,
}

/// A member's account at one slab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The slab.
    pub slab: Address,
    /// Escrow at it.
    pub escrow: Address,
    /// Account index at it.
    pub account: u16,
}

/// A Router with one registered slab.
pub struct Exchange {
    /// The chain that it runs on.
    pub session: Session,
    /// Administrator of the Router and authority of the slab.
    pub admin: Keypair,
    /// Quote mint, 6 decimals.
    pub mint: Address,
    /// The slab.
    pub slab: Address,
}

/// An instrument for demos and tests: a tick of 0.01 and a lot of one contract
/// worth its price in quote units; 10 % initial and 5 % maintenance margin.
pub fn standard_instrument(mark: Ticks) -> InstrumentParams {
    InstrumentParams {
        underlying_id: 1,
        symbol: *b"TEST-PERP\0\0\0\0\0\0\0",
        atoms_per_tick: 10_000,
        price_max: Ticks(4_000_000),
        order_lots_min: Lots(1),
        order_lots_max: Lots(100_000),
        position_lots_max: Lots(200_000),
        imr: Ppm(100_000),
        mmr: Ppm(50_000),
        taker_fee: SignedPpm(500),
        maker_fee: SignedPpm(-100),
        band: Ppm(90_000),
        mark,
        mark_move_max: Ticks(mark.0 / 200 + 1),
        mark_age: Slot(4),
        mark_lots_min: Lots(5),
        kill_band: Ppm(10_000),
        hold_fee: Ppm(1),
        oracle: [0; 32],
        oracle_feed: [0; 32],
        oracle_scale: 0,
        rules: Default::default(),
    }
}

impl Exchange {
    /// Creates mint, Router, a slab of `size` and its registry entry. Nothing
    /// that governance does has a delay.
    ///
    /// # Errors
    /// The first transaction that failed.
    pub fn open(session: Session, size: SlabSize) -> Outcome<Self> {
        Self::open_with(session, size, &Delays::default())
    }

    /// As [`Exchange::open`], with delays; the slab's own is the least that is
    /// allowed.
    ///
    /// # Errors
    /// The first transaction that failed.
    pub fn open_with(mut session: Session, size: SlabSize, delays: &Delays) -> Outcome<Self> {
        let admin = session.new_wallet();
        let mint = create_mint(&mut session, &admin, QUOTE_DECIMALS)?;
        let initialize = router::initialize_with(&admin.pubkey(), &mint, delays);
        session.send_large(&[initialize], &[&admin])?;
        let mut new = NewSlab::preset(admin.pubkey(), "main", mint, size);
        new.terms_delay_slots = delays.terms_slots_min;
        let slab = create(&mut session, &admin, new)?;
        let register = router::register_slab(&admin.pubkey(), &slab, &mint);
        session.send_large(&[register], &[&admin])?;
        Ok(Self {
            session,
            admin,
            mint,
            slab,
        })
    }

    /// Only a chain and its mint, for what needs neither Router nor slab.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn mint_only(mut session: Session) -> Outcome<Self> {
        let admin = session.new_wallet();
        let mint = create_mint(&mut session, &admin, QUOTE_DECIMALS)?;
        Ok(Self {
            session,
            admin,
            mint,
            slab: Address::default(),
        })
    }

    /// Registers an instrument without limits of its own, and adds it to the slab.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn add_instrument(&mut self, params: &InstrumentParams) -> Outcome<Receipt> {
        let slab = self.slab;
        self.add_instrument_at(&slab, params)
    }

    /// As [`Exchange::add_instrument`], at any slab of the administrator.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn add_instrument_at(
        &mut self,
        slab: &Address,
        params: &InstrumentParams,
    ) -> Outcome<Receipt> {
        let admin = self.admin.pubkey();
        let number = self.next_instrument(slab);
        let rules = InstrumentRules::wide(params);
        let instructions = [
            router::register_instrument(&admin, slab, number, &rules),
            slab::add_instrument(&admin, slab, number, params),
        ];
        self.session.send_large(&instructions, &[&self.admin])
    }

    /// Number of the instrument that a slab gets next.
    pub fn next_instrument(&self, slab: &Address) -> u8 {
        let data = self.session.data(slab);
        SlabHeader::read(&data).map_or(0, |header| {
            header.pool(PoolId::Instruments).high_water as u8
        })
    }

    /// A new user with `tokens_atoms` in the wallet, of which `funds_atoms` are
    /// deposited, pledged to the slab and credited there.
    ///
    /// # Errors
    /// The first transaction that failed.
    pub fn join(&mut self, tokens_atoms: u64, funds_atoms: u64) -> Outcome<Member> {
        let member = self.open_member(tokens_atoms)?;
        self.deposit(&member, funds_atoms)?;
        self.fund(&member, funds_atoms)?;
        Ok(member)
    }

    /// A new user with tokens, a portfolio, an escrow and an empty slab account.
    ///
    /// # Errors
    /// The first transaction that failed.
    pub fn open_member(&mut self, tokens_atoms: u64) -> Outcome<Member> {
        let (wallet, trader) = (self.session.new_wallet(), Keypair::new());
        let owner = wallet.pubkey();
        let tokens = self.create_tokens(&owner, tokens_atoms)?;
        let escrow = address::escrow(&self.slab, &owner, &self.mint);
        let open = [
            router::open_portfolio(&owner),
            router::open_escrow(&owner, &self.slab, &self.mint, &trader.pubkey()),
        ];
        self.session.send_large(&open, &[&wallet])?;
        let bind = [
            router::bind_escrow(&owner, &self.slab, &self.mint),
            slab::open_account(&self.slab, &escrow),
        ];
        self.session.send_large(&bind, &[&wallet])?;
        let bound = self
            .session
            .record::<Escrow>(&escrow)
            .map_or(0, |escrow| escrow.bound_account);
        Ok(Member {
            wallet,
            trader,
            tokens,
            escrow,
            account: bound as u16,
        })
    }

    /// Creates and registers a further slab.
    ///
    /// # Errors
    /// The first transaction that failed.
    pub fn add_slab(&mut self, seed: &str, size: SlabSize) -> Outcome<Address> {
        let slab = create_slab(&mut self.session, &self.admin, &self.mint, seed, size)?;
        let register = router::register_slab(&self.admin.pubkey(), &slab, &self.mint);
        self.session.send_large(&[register], &[&self.admin])?;
        Ok(slab)
    }

    /// Opens an account for a member at a further slab, traded by the same
    /// session key, without any cash.
    ///
    /// # Errors
    /// The first transaction that failed.
    pub fn add_seat(&mut self, member: &Member, slab: &Address) -> Outcome<Seat> {
        let owner = member.wallet.pubkey();
        let escrow = address::escrow(slab, &owner, &self.mint);
        let open = [
            router::open_escrow(&owner, slab, &self.mint, &member.trader.pubkey()),
            router::bind_escrow(&owner, slab, &self.mint),
            slab::open_account(slab, &escrow),
        ];
        self.session.send_large(&open, &[&member.wallet])?;
        let bound = self.session.record::<Escrow>(&escrow);
        let account = bound.map_or(0, |escrow| escrow.bound_account) as u16;
        Ok(Seat {
            slab: *slab,
            escrow,
            account,
        })
    }

    /// A token account of `owner` with freshly minted tokens.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn create_tokens(&mut self, owner: &Address, atoms: u64) -> Outcome<Address> {
        let mint = self.mint;
        self.create_tokens_of(&mint, owner, atoms)
    }

    /// A further mint of SPL Token, of the administrator.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn create_mint(&mut self, decimals: u8) -> Outcome<Address> {
        create_mint(&mut self.session, &self.admin, decimals)
    }

    /// The same as [`Exchange::create_tokens`], of any mint of the administrator.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn create_tokens_of(
        &mut self,
        mint: &Address,
        owner: &Address,
        atoms: u64,
    ) -> Outcome<Address> {
        let account = Keypair::new();
        let key = account.pubkey();
        let space = <TokenAccount as solana_program_pack::Pack>::LEN;
        let create = create_account(&self.session, &key, space);
        let initialize = token::initialize_account3(&address::TOKEN, &key, mint, owner);
        let admin = self.admin.pubkey();
        let fill = token::mint_to(&address::TOKEN, mint, &key, &admin, &[], atoms);
        let instructions = [create, built(initialize), built(fill)];
        self.session
            .send_large(&instructions, &[&account, &self.admin])?;
        Ok(key)
    }

    /// An empty token account of any mint.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn open_tokens(&mut self, owner: &Address, mint: &Address) -> Outcome<Address> {
        let account = Keypair::new();
        let key = account.pubkey();
        let space = <TokenAccount as solana_program_pack::Pack>::LEN;
        let create = create_account(&self.session, &key, space);
        let initialize = token::initialize_account3(&address::TOKEN, &key, mint, owner);
        self.session
            .send_large(&[create, built(initialize)], &[&account])?;
        Ok(key)
    }

    /// Deposits tokens into the member's portfolio.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn deposit(&mut self, member: &Member, atoms: u64) -> Outcome<Receipt> {
        let owner = member.wallet.pubkey();
        let deposit = router::deposit(&owner, &self.mint, &member.tokens, atoms);
        self.session.send(&[deposit], &[&member.wallet])
    }

    /// Pledges portfolio cash to the slab and credits it there.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn fund(&mut self, member: &Member, atoms: u64) -> Outcome<Receipt> {
        let owner = member.wallet.pubkey();
        let instructions = [
            router::fund_slab(&owner, &self.slab, &self.mint, atoms),
            slab::sync(&self.slab, &member.escrow, member.account),
        ];
        self.session.send(&instructions, &[&member.wallet])
    }

    /// Sends one instruction signed by the member's session key.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn trade(&mut self, member: &Member, instruction: Instruction) -> Outcome<Receipt> {
        self.session.send(&[instruction], &[&member.trader])
    }

    /// Places an order on instrument 0.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn place(
        &mut self,
        member: &Member,
        kind: OrderKind,
        side: Side,
        ticks: u32,
        lots: u32,
    ) -> Outcome<Receipt> {
        let order = member.order(kind, side, ticks, lots);
        self.trade(
            member,
            slab::place(&self.slab, &member.trader.pubkey(), &order),
        )
    }

    /// Trades on instrument 0 at once, for at least `lots_min`.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn take(
        &mut self,
        member: &Member,
        side: Side,
        limit: u32,
        lots: u32,
        lots_min: u32,
    ) -> Outcome<Receipt> {
        let take = member.taking(side, limit, lots, lots_min);
        self.trade(
            member,
            slab::take(&self.slab, &member.trader.pubkey(), &take),
        )
    }

    /// Cancels an order by handle.
    ///
    /// # Errors
    /// The failed transaction.
    pub fn cancel(&mut self, member: &Member, order: u32, generation: u32) -> Outcome<Receipt> {
        let trader = member.trader.pubkey();
        let cancel = slab::cancel(&self.slab, &trader, member.account, order, generation);
        self.trade(member, cancel)
    }

    /// The member's portfolio.
    pub fn portfolio(&self, member: &Member) -> Option<Portfolio> {
        self.session
            .record(&address::portfolio(&member.wallet.pubkey()))
    }

    /// The vault of the quote mint.
    pub fn vault(&self) -> Option<Vault> {
        self.session.record(&address::vault(&self.mint))
    }

    /// What the Router holds for the slab.
    pub fn ledger(&self) -> Option<SlabLedger> {
        self.session
            .record(&address::slab_ledger(&self.slab, &self.mint))
    }

    /// Tokens in the vault, in atoms.
    pub fn vault_tokens(&self) -> u64 {
        self.session
            .token_balance(&address::vault_tokens(&self.mint))
    }
}

impl Member {
    /// The member's account at the exchange's first slab.
    pub fn seat(&self, exchange: &Exchange) -> Seat {
        Seat {
            slab: exchange.slab,
            escrow: self.escrow,
            account: self.account,
        }
    }

    /// An order of this member on instrument 0, good till cancelled.
    pub fn order(&self, kind: OrderKind, side: Side, ticks: u32, lots: u32) -> Place {
        Place {
            account: self.account.into(),
            instrument: 0,
            side,
            kind,
            self_trade: SelfTrade::CancelResting,
            ticks: Ticks(ticks),
            lots: Lots(lots),
            expiry: Slot::ZERO,
            client_id: 0,
            reduce_only: false,
        }
    }

    /// A trade of this member on instrument 0.
    pub fn taking(&self, side: Side, limit: u32, lots: u32, lots_min: u32) -> Take {
        Take {
            account: self.account.into(),
            instrument: 0,
            side,
            self_trade: SelfTrade::CancelResting,
            limit: Ticks(limit),
            lots: Lots(lots),
            lots_min: Lots(lots_min),
            reduce_only: false,
        }
    }
}

/// Creates and initialises a slab in one transaction.
///
/// # Errors
/// The failed transaction.
pub fn create_slab(
    session: &mut Session,
    authority: &Keypair,
    mint: &Address,
    seed: &str,
    size: SlabSize,
) -> Outcome<Address> {
    let new = NewSlab::preset(authority.pubkey(), seed, *mint, size);
    create(session, authority, new)
}

fn create(session: &mut Session, authority: &Keypair, mut new: NewSlab<'_>) -> Outcome<Address> {
    new.rent_lamports = session
        .svm
        .minimum_balance_for_rent_exemption(new.account_bytes as usize);
    let slab = new.address().expect("preset seeds are short");
    new.prefunded_lamports = session.svm.get_balance(&slab).unwrap_or(0);
    let instructions = new.instructions().expect("preset seeds are short");
    session.send_large(&instructions, &[authority])?;
    Ok(slab)
}

fn create_mint(session: &mut Session, authority: &Keypair, decimals: u8) -> Outcome<Address> {
    let mint = Keypair::new();
    let key = mint.pubkey();
    let create = create_account(session, &key, <Mint as solana_program_pack::Pack>::LEN);
    let initialize =
        token::initialize_mint2(&address::TOKEN, &key, &authority.pubkey(), None, decimals);
    session.send_large(&[create, built(initialize)], &[&mint])?;
    Ok(key)
}

/// A System instruction that makes a Token account or mint, paid by the session.
fn create_account(session: &Session, key: &Address, space: usize) -> Instruction {
    let rent = session.svm.minimum_balance_for_rent_exemption(space);
    let payer = session.payer();
    solana_system_interface::instruction::create_account(
        &payer,
        key,
        rent,
        space as u64,
        &address::TOKEN,
    )
}

/// The Token builders fail only for a program id that is not theirs.
fn built(instruction: Result<Instruction, solana_program_error::ProgramError>) -> Instruction {
    instruction.expect("built for the SPL Token program")
}
