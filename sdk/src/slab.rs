//! Instructions of the Slab, and creating one.

mod admin;
mod ends;
mod liquidation;

pub use admin::*;
pub use ends::*;
pub use liquidation::*;

use crate::address;
use flagstone_interface::Record;
use flagstone_interface::instruction::slab as number;
use flagstone_interface::slab::{PoolId, Reservation, SlabHeader, item_at, next_generation};
use flagstone_slab_engine::holds::{Reserve, Reveal};
use flagstone_slab_engine::requests::{Place, Take};
use flagstone_slab_engine::{Capacities, SlabSize};
use flagstone_units::Side;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};
use solana_system_interface::instruction as system;

fn instruction(data: Vec<u8>, slab: &Address, other: AccountMeta) -> Instruction {
    let accounts = vec![AccountMeta::new(*slab, false), other];
    Instruction {
        program_id: address::SLAB,
        accounts,
        data,
    }
}

/// A slab to create.
#[derive(Clone, Debug)]
pub struct NewSlab<'a> {
    /// Becomes the slab's authority, signs and pays the rent.
    pub authority: Address,
    /// Seed of the address, at most 32 bytes.
    pub seed: &'a str,
    /// Quote mint.
    pub mint: Address,
    /// Data length of the account.
    pub account_bytes: u64,
    /// Items per pool.
    pub capacities: Capacities,
    /// Least deposit that opens an account, in atoms.
    pub account_deposit_min_atoms: u64,
    /// Slots between proposing terms of an instrument and applying them. The
    /// Router registers no slab below its own least delay; presets have none,
    /// which is for development.
    pub terms_delay_slots: u32,
    /// Rent of the account, from the rent sysvar. 10 MiB cost about 73 SOL.
    pub rent_lamports: u64,
    /// Lamports that lie at the address already, 0 as a rule. Anyone may send
    /// some there, and then the plain way of creating the account fails.
    pub prefunded_lamports: u64,
}

impl<'a> NewSlab<'a> {
    /// A slab of a preset size.
    pub fn preset(authority: Address, seed: &'a str, mint: Address, size: SlabSize) -> Self {
        Self {
            authority,
            seed,
            mint,
            account_bytes: size.account_bytes(),
            capacities: size.capacities(),
            account_deposit_min_atoms: 0,
            terms_delay_slots: 0,
            rent_lamports: 0,
            prefunded_lamports: 0,
        }
    }

    /// Address of the slab.
    pub fn address(&self) -> Option<Address> {
        address::slab_with_seed(&self.authority, self.seed)
    }

    /// The instructions that create and initialise the slab, for one
    /// transaction; `None` when the seed is too long.
    pub fn instructions(&self) -> Option<Vec<Instruction>> {
        let slab = self.address()?;
        let mut all = if self.prefunded_lamports == 0 {
            vec![self.create(&slab)]
        } else {
            self.take_over(&slab)
        };
        all.push(self.initialize(&slab));
        Some(all)
    }

    fn create(&self, slab: &Address) -> Instruction {
        system::create_account_with_seed(
            &self.authority,
            slab,
            &self.authority,
            self.seed,
            self.rent_lamports,
            self.account_bytes,
            &address::SLAB,
        )
    }

    /// Tops up, allocates and assigns an account that lamports were sent to.
    fn take_over(&self, slab: &Address) -> Vec<Instruction> {
        let lacking = self.rent_lamports.saturating_sub(self.prefunded_lamports);
        let (base, seed) = (&self.authority, self.seed);
        vec![
            system::transfer(base, slab, lacking),
            system::allocate_with_seed(slab, base, seed, self.account_bytes, &address::SLAB),
            system::assign_with_seed(slab, base, seed, &address::SLAB),
        ]
    }

    fn initialize(&self, slab: &Address) -> Instruction {
        let mut data = vec![number::INITIALIZE];
        data.extend(address::ROUTER.as_ref());
        data.extend(self.mint.as_ref());
        data.extend(self.account_deposit_min_atoms.to_le_bytes());
        data.extend(self.terms_delay_slots.to_le_bytes());
        for items in self.capacities.items {
            data.extend(items.to_le_bytes());
        }
        data.extend((self.seed.len() as u32).to_le_bytes());
        data.extend(self.seed.as_bytes());
        instruction(data, slab, AccountMeta::new_readonly(self.authority, true))
    }
}

/// Opens the account that `escrow` was bound to. Anyone may send it.
pub fn open_account(slab: &Address, escrow: &Address) -> Instruction {
    let data = vec![number::OPEN_ACCOUNT];
    instruction(data, slab, AccountMeta::new_readonly(*escrow, false))
}

/// Credits the deposits recorded in `escrow` to `account`. Anyone may send it.
pub fn sync(slab: &Address, escrow: &Address, account: u16) -> Instruction {
    let mut data = vec![number::SYNC];
    data.extend(account.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*escrow, false))
}

/// Places an order; the account's session key signs.
pub fn place(slab: &Address, trader: &Address, order: &Place) -> Instruction {
    let mut data = vec![number::PLACE];
    data.extend((order.account as u16).to_le_bytes());
    data.extend([
        order.instrument,
        order.side as u8,
        order.kind as u8,
        order.self_trade as u8,
        order.reduce_only as u8,
    ]);
    for word in [order.ticks.0, order.lots.0, order.expiry.0] {
        data.extend(word.to_le_bytes());
    }
    data.extend(order.client_id.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Cancels the live order `handle` and places another in its stead; the
/// account's session key signs. Fails when the order is gone.
pub fn replace(slab: &Address, trader: &Address, handle: (u32, u32), order: &Place) -> Instruction {
    let place = place(slab, trader, order);
    let mut data = vec![number::REPLACE];
    data.extend(handle.0.to_le_bytes());
    data.extend(handle.1.to_le_bytes());
    data.extend(&place.data[1..]);
    Instruction { data, ..place }
}

/// Cancels `cancels` and places `places`, all of `account` and `instrument`,
/// in one instruction, 32 in all; the account's session key signs.
pub fn batch_update(
    slab: &Address,
    trader: &Address,
    (account, instrument): (u16, u8),
    cancels: &[(u32, u32)],
    places: &[Place],
) -> Instruction {
    let mut data = vec![number::BATCH_UPDATE];
    data.extend(account.to_le_bytes());
    data.push(instrument);
    data.extend((cancels.len() as u32 * 8).to_le_bytes());
    for (order, generation) in cancels {
        data.extend(order.to_le_bytes());
        data.extend(generation.to_le_bytes());
    }
    data.extend((places.len() as u32 * 24).to_le_bytes());
    for order in places {
        // What follows account and instrument in a placement of its own.
        data.extend(&self::place(slab, trader, order).data[4..]);
    }
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Takes `lots` off a resting order, which keeps its place in the queue; the
/// account's session key signs.
pub fn reduce(
    slab: &Address,
    trader: &Address,
    account: u16,
    handle: (u32, u32),
    lots: u32,
) -> Instruction {
    let mut data = vec![number::REDUCE];
    data.extend(account.to_le_bytes());
    for word in [handle.0, handle.1, lots] {
        data.extend(word.to_le_bytes());
    }
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Cancels orders of an account, newest first, 32 at most; the account's
/// session key signs. `None` stands for every instrument, or both sides.
pub fn cancel_all(
    slab: &Address,
    trader: &Address,
    account: u16,
    instrument: Option<u8>,
    side: Option<Side>,
    most: u8,
) -> Instruction {
    let mut data = vec![number::CANCEL_ALL];
    data.extend(account.to_le_bytes());
    let side = side.map_or(255, |side| side as u8);
    data.extend([instrument.unwrap_or(255), side, most]);
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Sets the slot after which anyone may cancel the account's orders, 0 for
/// off; the account's session key signs.
pub fn set_dead_man(
    slab: &Address,
    trader: &Address,
    account: u16,
    dead_man_slot: u32,
) -> Instruction {
    let mut data = vec![number::SET_DEAD_MAN];
    data.extend(account.to_le_bytes());
    data.extend(dead_man_slot.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Cancels orders of an account whose dead-man slot has passed. Anyone may
/// send it.
pub fn cancel_dead_man(slab: &Address, account: u16, most: u8) -> Instruction {
    let mut data = vec![number::CANCEL_DEAD_MAN];
    data.extend(account.to_le_bytes());
    data.push(most);
    crank(data, slab)
}

/// Removes expired orders among `count` records from `first`. Anyone may send
/// it.
pub fn expire_orders(slab: &Address, first: u32, count: u16) -> Instruction {
    let mut data = vec![number::EXPIRE_ORDERS];
    data.extend(first.to_le_bytes());
    data.extend(count.to_le_bytes());
    crank(data, slab)
}

/// Opens the batch of this window, or goes on promoting pending orders, `most`
/// of them, 16 at most. Anyone may send it.
pub fn batch_open(slab: &Address, instrument: u8, most: u8) -> Instruction {
    crank(vec![number::BATCH_OPEN, instrument, most], slab)
}

/// Accrues funding and takes the Router's shared rate from `grid`, if given.
/// Anyone may send it.
pub fn update_funding(slab: &Address, instrument: u8, grid: Option<&Address>) -> Instruction {
    let mut update = crank(vec![number::UPDATE_FUNDING, instrument], slab);
    // An absent account is written as the program itself.
    let grid = grid.copied().unwrap_or(address::SLAB);
    update.accounts.push(AccountMeta::new_readonly(grid, false));
    update
}

/// Hashes the next `pages` pages of the Merkle root of the accounts, after
/// starting one when none is under construction. Anyone may send it.
///
/// With no pages it only starts one: the moment to read [`crate::root::RootTree`].
/// A page of 64 accounts takes 62,000 compute units where each holds one
/// position, and 673,000 where each holds all 32.
pub fn publish_root(slab: &Address, pages: u16) -> Instruction {
    let mut data = vec![number::PUBLISH_ROOT];
    data.extend(pages.to_le_bytes());
    crank(data, slab)
}

/// An instruction of a crank: nothing but the slab.
fn crank(data: Vec<u8>, slab: &Address) -> Instruction {
    Instruction {
        program_id: address::SLAB,
        accounts: vec![AccountMeta::new(*slab, false)],
        data,
    }
}

/// Cancels a resting order by its handle; the account's session key signs.
///
/// A stale handle is ignored: the order was filled or cancelled before.
pub fn cancel(
    slab: &Address,
    trader: &Address,
    account: u16,
    order: u32,
    generation: u32,
) -> Instruction {
    let mut data = vec![number::CANCEL];
    data.extend(account.to_le_bytes());
    data.extend(order.to_le_bytes());
    data.extend(generation.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Trades against the book at once; the account's session key signs.
pub fn take(slab: &Address, trader: &Address, take: &Take) -> Instruction {
    let mut data = vec![number::TAKE];
    data.extend((take.account as u16).to_le_bytes());
    data.extend([
        take.instrument,
        take.side as u8,
        take.self_trade as u8,
        take.reduce_only as u8,
    ]);
    for word in [take.limit.0, take.lots.0, take.lots_min.0] {
        data.extend(word.to_le_bytes());
    }
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Captures resting quantity; the account's session key signs.
pub fn reserve(slab: &Address, trader: &Address, order: &Reserve) -> Instruction {
    let mut data = vec![number::RESERVE];
    data.extend((order.account as u16).to_le_bytes());
    data.extend([order.instrument, order.side as u8]);
    for word in [order.limit.0, order.lots.0, order.lots_min.0, order.ttl.0] {
        data.extend(word.to_le_bytes());
    }
    data.extend(order.route_id.to_le_bytes());
    if order.commitment == [0; 32] {
        data.push(0);
    } else {
        data.push(1);
        data.extend(order.commitment);
    }
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Trades a hold against the capability `cap` of `escrow`, revealing its terms
/// when it was made with a commitment; the account's session key signs.
pub fn commit(
    slab: &Address,
    trader: &Address,
    escrow: &Address,
    account: u16,
    hold: HoldHandle,
    cap: u8,
    reveal: Option<&Reveal>,
) -> Instruction {
    let mut data = vec![number::COMMIT];
    data.extend(account.to_le_bytes());
    data.extend(hold.index.to_le_bytes());
    data.extend(hold.generation.to_le_bytes());
    data.push(cap);
    data.push(u8::from(reveal.is_some()));
    if let Some(reveal) = reveal {
        data.extend(reveal.lots.0.to_le_bytes());
        data.extend(reveal.limit.0.to_le_bytes());
        data.extend(reveal.salt);
    }
    let mut commit = instruction(data, slab, AccountMeta::new_readonly(*trader, true));
    commit
        .accounts
        .push(AccountMeta::new_readonly(*escrow, false));
    commit
}

/// Ends a hold without trading; the account's session key signs. A stale
/// handle is ignored.
pub fn cancel_hold(
    slab: &Address,
    trader: &Address,
    account: u16,
    hold: HoldHandle,
) -> Instruction {
    let mut data = vec![number::CANCEL_HOLD];
    data.extend(account.to_le_bytes());
    data.extend(hold.index.to_le_bytes());
    data.extend(hold.generation.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Ends the expired holds among `count` records from `first`, 64 at most.
/// Anyone may send it.
pub fn expire_holds(slab: &Address, first: u32, count: u16) -> Instruction {
    let mut data = vec![number::EXPIRE_HOLDS];
    data.extend(first.to_le_bytes());
    data.extend(count.to_le_bytes());
    crank(data, slab)
}

/// Frees the record of a hold that the Router has booked. Anyone may send it.
pub fn free_hold(slab: &Address, escrow: &Address, hold: u32) -> Instruction {
    let mut data = vec![number::FREE_HOLD];
    data.extend(hold.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*escrow, false))
}

/// Gives cash back to the escrow, to be paid by [`crate::router::settle`]; the
/// account's session key signs.
pub fn release(slab: &Address, trader: &Address, account: u16, amount_atoms: u64) -> Instruction {
    let mut data = vec![number::RELEASE];
    data.extend(account.to_le_bytes());
    data.extend(amount_atoms.to_le_bytes());
    instruction(data, slab, AccountMeta::new_readonly(*trader, true))
}

/// Takes the price in `oracle`, the instrument's, and moves the mark. Anyone
/// may send it.
pub fn update_mark(slab: &Address, oracle: &Address, instrument: u8) -> Instruction {
    let data = vec![number::UPDATE_MARK, instrument];
    instruction(data, slab, AccountMeta::new_readonly(*oracle, false))
}

/// Which hold: a slot of the pool and the generation that it was handed out in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HoldHandle {
    /// Index.
    pub index: u32,
    /// Generation of that index.
    pub generation: u32,
}

impl HoldHandle {
    /// The holds that the next `count` reserves on a slab will make, in order,
    /// read from its bytes.
    ///
    /// `None` when the bytes are no slab or fewer holds are free.
    pub fn upcoming(slab_data: &[u8], count: usize) -> Option<Vec<Self>> {
        let header = SlabHeader::read(slab_data)?;
        let mut pool = *header.pool(PoolId::Reservations);
        let mut handles = Vec::with_capacity(count);
        for _ in 0..count {
            let index = pool.next_index()?;
            let record: &Reservation = item_at(slab_data, PoolId::Reservations, index)?;
            let generation = next_generation(record.generation);
            handles.push(Self { index, generation });
            if pool.free_head == index {
                // A free record links to the next one by its first field of links.
                pool.free_head = record.slices_head;
            } else {
                pool.high_water = index;
            }
        }
        Some(handles)
    }

    /// The hold that the next `reserve` on a slab will make, read from its bytes.
    ///
    /// `None` when the bytes are no slab or the pool is full.
    pub fn next(slab_data: &[u8]) -> Option<Self> {
        Self::upcoming(slab_data, 1)?.pop()
    }
}
