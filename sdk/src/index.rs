//! Instructions of the index-vault, and views of its accounts.
//!
//! Orders to a desk are in [`intents`], with [`custody`], [`batches`] and [`stock`].
//!
//! A list that exceeds a transaction is sent in parts: [`submit_books`],
//! [`submit_data`], [`add_constituents`] and the others may be repeated.

mod aligned;
pub mod batches;
pub mod custody;
pub mod intents;
mod rebalance;
pub mod stock;
mod vil;

pub use rebalance::{Reweighing, read_rebalance, rebalance_bytes, weights_hash};
pub use vil::{VilRun, create_table, execute_vil, read_table, store_program, store_subroutine};
pub use vil::{table_bytes, write_table};

use crate::address;
use crate::read_record;
use aligned::Aligned;
use flagstone_index_engine::allotment::allotment_bytes;
use flagstone_index_engine::amounts::Fraction;
use flagstone_index_engine::pending::PendingOrder;
use flagstone_index_engine::records::{IndexHead, MarketHead};
use flagstone_index_engine::roles::{Limits, Role};
use flagstone_interface::instruction::index as number;
use flagstone_kernels::index::Constituent;
use flagstone_kernels::market::{Asset, DataUpdate, MarginUpdate, Place, SupplyUpdate};
use flagstone_kernels::{Amount, Label};
use flagstone_units::{Side, Slot};
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_system_interface::instruction as system;

const SYSTEM: Address = solana_system_interface::program::ID;

fn instruction(data: Vec<u8>, accounts: Vec<AccountMeta>) -> Instruction {
    Instruction {
        program_id: address::INDEX_VAULT,
        accounts,
        data,
    }
}

fn writable(key: &Address) -> AccountMeta {
    AccountMeta::new(*key, false)
}

fn readable(key: &Address) -> AccountMeta {
    AccountMeta::new_readonly(*key, false)
}

fn signer(key: &Address) -> AccountMeta {
    AccountMeta::new_readonly(*key, true)
}

fn list(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut data = vec![number];
    data.extend((bytes.len() as u32).to_le_bytes());
    data.extend(bytes);
    data
}

/// An account that is created with a seed, because it exceeds what a program
/// can create, and initialised in the same transaction.
#[derive(Clone, Copy, Debug)]
pub struct Seeded<'a> {
    /// Signs, pays the rent, and is the base of the address.
    pub base: Address,
    /// Seed of the address, at most 32 bytes.
    pub seed: &'a str,
    /// Rent of the account, from the rent sysvar.
    pub rent_lamports: u64,
    /// Lamports that lie at the address already, 0 as a rule. Anyone may send
    /// some there, and then the plain way of creating the account fails.
    pub prefunded_lamports: u64,
}

impl Seeded<'_> {
    /// Address of the account; `None` when the seed is too long.
    pub fn address(&self) -> Option<Address> {
        address::index_with_seed(&self.base, self.seed)
    }

    /// The instructions that create the account with `bytes` of data.
    pub fn create(&self, bytes: usize) -> Option<Vec<Instruction>> {
        let (key, base, seed) = (self.address()?, &self.base, self.seed);
        let (bytes, owner) = (bytes as u64, &address::INDEX_VAULT);
        if self.prefunded_lamports == 0 {
            let rent = self.rent_lamports;
            let create =
                system::create_account_with_seed(base, &key, base, seed, rent, bytes, owner);
            return Some(vec![create]);
        }
        let lacking = self.rent_lamports.saturating_sub(self.prefunded_lamports);
        Some(vec![
            system::transfer(base, &key, lacking),
            system::allocate_with_seed(&key, base, seed, bytes, owner),
            system::assign_with_seed(&key, base, seed, owner),
        ])
    }

    fn argument(&self, data: &mut Vec<u8>) {
        data.extend((self.seed.len() as u32).to_le_bytes());
        data.extend(self.seed.as_bytes());
    }
}

/// Bytes of a market's account with room for so many assets.
pub const fn market_bytes(assets: usize) -> usize {
    size_of::<MarketHead>() + assets * (size_of::<Asset>() + size_of::<Slot>())
}

/// Bytes of an index's account with room for so many constituents.
pub const fn index_bytes(constituents: usize) -> usize {
    size_of::<IndexHead>() + constituents * size_of::<Constituent>()
}

/// Creates and initialises a market; the base becomes its administrator.
pub fn create_market(
    account: &Seeded<'_>,
    assets: usize,
    mint: &Address,
    vendor: &Address,
    data_slots_max: u32,
    supply_slots_max: u32,
) -> Option<Vec<Instruction>> {
    let market = account.address()?;
    let mut all = account.create(market_bytes(assets))?;
    let mut data = vec![number::CREATE_MARKET];
    data.extend(vendor.as_ref());
    data.extend(data_slots_max.to_le_bytes());
    data.extend(supply_slots_max.to_le_bytes());
    account.argument(&mut data);
    all.push(instruction(
        data,
        vec![
            writable(&market),
            AccountMeta::new(account.base, true),
            readable(mint),
            writable(&address::market_tokens(&market)),
            readable(&address::market_authority(&market)),
            readable(&address::TOKEN),
            readable(&SYSTEM),
        ],
    ));
    Some(all)
}

/// Sets a market's vendor, ages and pause; its administrator signs.
pub fn set_market(
    market: &Address,
    admin: &Address,
    vendor: &Address,
    data_slots_max: u32,
    supply_slots_max: u32,
    paused: bool,
) -> Instruction {
    let mut data = vec![number::SET_MARKET];
    data.extend(vendor.as_ref());
    data.extend(data_slots_max.to_le_bytes());
    data.extend(supply_slots_max.to_le_bytes());
    data.push(u8::from(paused));
    instruction(data, vec![writable(market), signer(admin)])
}

/// Adds assets to a market; its administrator signs.
pub fn add_assets(market: &Address, admin: &Address, labels: &[Label]) -> Instruction {
    let data = list(number::ADD_ASSETS, bytemuck::cast_slice(labels));
    instruction(data, vec![writable(market), signer(admin)])
}

fn submit(number: u8, bytes: &[u8], market: &Address, vendor: &Address) -> Instruction {
    instruction(list(number, bytes), vec![writable(market), signer(vendor)])
}

/// Reports prices, slopes and liquidity; the vendor signs. 14 fit a transaction.
pub fn submit_data(market: &Address, vendor: &Address, updates: &[DataUpdate]) -> Instruction {
    let bytes = bytemuck::cast_slice(updates);
    submit(number::SUBMIT_DATA, bytes, market, vendor)
}

/// Reports supply; the vendor signs. 18 fit a transaction.
pub fn submit_supply(market: &Address, vendor: &Address, updates: &[SupplyUpdate]) -> Instruction {
    let bytes = bytemuck::cast_slice(updates);
    submit(number::SUBMIT_SUPPLY, bytes, market, vendor)
}

/// Sets margins; the vendor signs. 25 fit a transaction.
pub fn submit_margin(market: &Address, vendor: &Address, updates: &[MarginUpdate]) -> Instruction {
    let bytes = bytemuck::cast_slice(updates);
    submit(number::SUBMIT_MARGIN, bytes, market, vendor)
}

/// The best levels of an asset's order book, best first.
#[derive(Clone, Debug)]
pub struct Book {
    /// Which asset.
    pub place: Place,
    /// Power of ten of a price's unit, in units of 1e-18; at most 18.
    pub price_scale: u8,
    /// Power of ten of a quantity's unit, in units of 1e-18; at most 18.
    pub quantity_scale: u8,
    /// Bids: price and quantity, at most 16.
    pub bids: Vec<[u64; 2]>,
    /// Asks: price and quantity, at most 16.
    pub asks: Vec<[u64; 2]>,
}

/// Reports order books; the vendor signs. Five books of five levels fit a transaction.
pub fn submit_books(market: &Address, vendor: &Address, books: &[Book]) -> Instruction {
    let mut bytes = Vec::new();
    for book in books {
        bytes.extend(bytemuck::bytes_of(&book.place.label));
        bytes.extend(book.place.slot.to_le_bytes());
        bytes.extend([book.price_scale, book.quantity_scale]);
        bytes.extend([book.bids.len() as u8, book.asks.len() as u8]);
        for level in book.bids.iter().chain(&book.asks) {
            bytes.extend(bytemuck::bytes_of(level));
        }
    }
    submit(number::SUBMIT_BOOKS, &bytes, market, vendor)
}

/// Limits of an index, as in the program's argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexLimits {
    /// Largest value of one chunk of an order, in atoms.
    pub order_atoms_max: u64,
    /// Age that a quote may have, in slots.
    pub quote_slots_max: u32,
    /// Market updates that a quote may be behind.
    pub quote_lag_max: u32,
    /// Slots between two chunks of one order.
    pub chunk_gap_slots: u32,
    /// Whether nobody may trade.
    pub paused: bool,
}

impl IndexLimits {
    fn argument(&self, data: &mut Vec<u8>) {
        data.extend(self.order_atoms_max.to_le_bytes());
        for word in [
            self.quote_slots_max,
            self.quote_lag_max,
            self.chunk_gap_slots,
            u32::from(self.paused),
        ] {
            data.extend(word.to_le_bytes());
        }
    }
}

/// Creates and initialises an index; the base is the market's administrator.
/// `desk` may be the zero address.
pub fn create_index(
    account: &Seeded<'_>,
    constituents: usize,
    market: &Address,
    limits: &IndexLimits,
    desk: &Address,
) -> Option<Vec<Instruction>> {
    let index = account.address()?;
    let mut all = account.create(index_bytes(constituents))?;
    let mut data = vec![number::CREATE_INDEX];
    limits.argument(&mut data);
    data.extend(desk.as_ref());
    account.argument(&mut data);
    all.push(instruction(
        data,
        vec![
            writable(&index),
            AccountMeta::new(account.base, true),
            readable(market),
            writable(&address::index_mint(&index)),
            readable(&address::market_authority(market)),
            readable(&address::TOKEN),
            readable(&SYSTEM),
        ],
    ));
    Some(all)
}

/// An index and its market, as instructions name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The market.
    pub market: Address,
    /// The index.
    pub index: Address,
}

impl Pair {
    fn administer(&self, data: Vec<u8>, admin: &Address) -> Instruction {
        let accounts = vec![writable(&self.index), readable(&self.market), signer(admin)];
        instruction(data, accounts)
    }

    /// Adds constituents, in increasing order of slots; 25 fit a transaction.
    pub fn add_constituents(&self, admin: &Address, added: &[(Place, Amount)]) -> Instruction {
        let mut bytes = Vec::new();
        for (place, weight) in added {
            bytes.extend(bytemuck::bytes_of(place));
            bytes.extend(bytemuck::bytes_of(weight));
        }
        self.administer(list(number::ADD_CONSTITUENTS, &bytes), admin)
    }

    /// Ends the making of the index.
    pub fn seal(&self, admin: &Address) -> Instruction {
        self.administer(vec![number::SEAL_INDEX], admin)
    }

    /// Sets limits and pause.
    pub fn set_limits(&self, admin: &Address, limits: &IndexLimits) -> Instruction {
        let mut data = vec![number::SET_INDEX];
        limits.argument(&mut data);
        self.administer(data, admin)
    }

    /// Makes the quote. Anyone may send it.
    pub fn update_quote(&self) -> Instruction {
        let accounts = vec![writable(&self.index), readable(&self.market)];
        instruction(vec![number::UPDATE_QUOTE], accounts)
    }

    /// Makes an order; `owner` signs and pays.
    pub fn submit_order(&self, owner: &Address, source: &Address, new: &NewOrder) -> Instruction {
        let mut data = vec![number::SUBMIT_ORDER, new.side as u8];
        data.extend(new.order_id.to_le_bytes());
        data.extend(new.given.to_le_bytes());
        data.extend(new.limit_atoms.to_le_bytes());
        data.extend(new.deadline_slot.to_le_bytes());
        instruction(
            data,
            vec![
                AccountMeta::new(*owner, true),
                writable(&self.market),
                writable(&self.index),
                writable(&self.order(owner, new.order_id)),
                writable(source),
                writable(&address::market_tokens(&self.market)),
                writable(&address::index_mint(&self.index)),
                readable(&address::TOKEN),
                readable(&SYSTEM),
            ],
        )
    }

    /// Address of an order.
    pub fn order(&self, owner: &Address, order_id: u64) -> Address {
        address::index_order(&self.index, owner, order_id)
    }

    /// Executes the next chunk of an order, which must receive at least
    /// `received_min`. Anyone may send it.
    pub fn execute(&self, order: &Address, received_min: u64) -> Instruction {
        let mut data = vec![number::EXECUTE];
        data.extend(received_min.to_le_bytes());
        let accounts = [&self.market, &self.index, order].map(writable);
        instruction(data, accounts.to_vec())
    }

    /// The same for a member of an allotment.
    pub fn execute_member(
        &self,
        order: &Address,
        allotment: &Address,
        received_min: u64,
    ) -> Instruction {
        let mut data = vec![number::EXECUTE_MEMBER];
        data.extend(received_min.to_le_bytes());
        let accounts = [&self.market, &self.index, order, allotment].map(writable);
        instruction(data, accounts.to_vec())
    }

    fn payout(
        &self,
        number: u8,
        owner: &Address,
        order_id: u64,
        destination: &Address,
    ) -> Instruction {
        instruction(
            vec![number],
            vec![
                signer(owner),
                writable(&self.market),
                writable(&self.index),
                writable(&self.order(owner, order_id)),
                writable(destination),
                writable(&address::market_tokens(&self.market)),
                writable(&address::index_mint(&self.index)),
                readable(&address::market_authority(&self.market)),
                readable(&address::TOKEN),
            ],
        )
    }

    /// Pays out what an order received; its owner signs.
    pub fn claim(&self, owner: &Address, order_id: u64, destination: &Address) -> Instruction {
        self.payout(number::CLAIM, owner, order_id, destination)
    }

    /// Ends an order; its owner signs, and gets the rest at `destination`.
    pub fn cancel(&self, owner: &Address, order_id: u64, destination: &Address) -> Instruction {
        self.payout(number::CANCEL_ORDER, owner, order_id, destination)
    }

    /// Creates and initialises an allotment of `constituents` for `members`;
    /// the base is the solver of `desk`.
    pub fn create_allotment(
        &self,
        account: &Seeded<'_>,
        desk: &Address,
        side: Side,
        constituents: u32,
        members: u32,
    ) -> Option<Vec<Instruction>> {
        let allotment = account.address()?;
        let mut all = account.create(allotment_bytes(constituents, members))?;
        let mut data = vec![number::CREATE_ALLOTMENT, side as u8];
        data.extend(members.to_le_bytes());
        account.argument(&mut data);
        all.push(instruction(
            data,
            vec![
                writable(&allotment),
                signer(&account.base),
                readable(desk),
                readable(&self.market),
                readable(&self.index),
            ],
        ));
        Some(all)
    }
}

/// An order to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Buy (bid) or sell (ask).
    pub side: Side,
    /// Number chosen by the owner, once.
    pub order_id: u64,
    /// Atoms to spend, or tokens to sell.
    pub given: u64,
    /// Worst price, in atoms per 1e9 token units; 0 for a sell at any price.
    pub limit_atoms: u64,
    /// Last slot in which a chunk may be executed; 0 for no end.
    pub deadline_slot: u32,
}

/// Adds collateral to a market's reserve; `owner` signs.
pub fn fund_reserve(
    market: &Address,
    owner: &Address,
    source: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::FUND_RESERVE];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            signer(owner),
            writable(market),
            writable(source),
            writable(&address::market_tokens(market)),
            readable(&address::TOKEN),
        ],
    )
}

/// Takes collateral out of a market's reserve; the vendor signs.
pub fn draw_reserve(
    market: &Address,
    vendor: &Address,
    destination: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::DRAW_RESERVE];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            signer(vendor),
            writable(market),
            writable(destination),
            writable(&address::market_tokens(market)),
            readable(&address::market_authority(market)),
            readable(&address::TOKEN),
        ],
    )
}

/// Opens the desk of `admin`, who signs and pays.
pub fn open_desk(admin: &Address, limits: &Limits) -> Instruction {
    instruction(
        list(number::OPEN_DESK, bytemuck::bytes_of(limits)),
        vec![
            AccountMeta::new(*admin, true),
            writable(&address::desk(admin)),
            readable(&SYSTEM),
        ],
    )
}

/// Grants a role of the desk of `admin`, who signs.
pub fn grant_role(admin: &Address, role: Role, key: &Address) -> Instruction {
    let mut data = vec![number::GRANT_ROLE, role as u8];
    data.extend(key.as_ref());
    instruction(data, vec![writable(&address::desk(admin)), signer(admin)])
}

/// Replaces the limits of the desk of `admin`, who signs.
pub fn set_desk_limits(admin: &Address, limits: &Limits) -> Instruction {
    let data = list(number::SET_LIMITS, bytemuck::bytes_of(limits));
    instruction(data, vec![writable(&address::desk(admin)), signer(admin)])
}

/// Adds an order to an allotment with one fraction per constituent, or a single
/// one for all; the solver signs.
pub fn join_allotment(
    allotment: &Address,
    solver: &Address,
    desk: &Address,
    order: &Address,
    fractions: &[Fraction],
) -> Instruction {
    instruction(
        list(number::JOIN_ALLOTMENT, bytemuck::cast_slice(fractions)),
        vec![
            writable(allotment),
            signer(solver),
            readable(desk),
            writable(order),
        ],
    )
}

/// Freezes the shares of an allotment; the solver signs.
pub fn seal_allotment(allotment: &Address, solver: &Address, desk: &Address) -> Instruction {
    let accounts = vec![writable(allotment), signer(solver), readable(desk)];
    instruction(vec![number::SEAL_ALLOTMENT], accounts)
}

/// Takes an order out of an allotment; its owner signs, or anyone after the expiry.
pub fn leave_allotment(allotment: &Address, order: &Address, who: &Address) -> Instruction {
    let accounts = vec![writable(allotment), writable(order), signer(who)];
    instruction(vec![number::LEAVE_ALLOTMENT], accounts)
}

/// A market's head and the assets in use.
pub fn read_market(data: &[u8]) -> Option<(MarketHead, Vec<Asset>)> {
    let head = read_record::<MarketHead>(data)?;
    let bytes = data.get(size_of::<MarketHead>()..)?;
    let assets = bytes.chunks_exact(size_of::<Asset>());
    let used = assets.take(head.assets as usize);
    Some((head, used.map(bytemuck::pod_read_unaligned).collect()))
}

/// An index's head and the constituents in use.
pub fn read_index(data: &[u8]) -> Option<(IndexHead, Vec<Constituent>)> {
    let head = read_record::<IndexHead>(data)?;
    let bytes = data.get(size_of::<IndexHead>()..)?;
    let items = bytes.chunks_exact(size_of::<Constituent>());
    let used = items.take(head.constituents as usize);
    Some((head, used.map(bytemuck::pod_read_unaligned).collect()))
}

/// An order.
pub fn read_order(data: &[u8]) -> Option<PendingOrder> {
    read_record(data)
}
