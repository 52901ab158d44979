//! Batches of a desk: building, sending, filling, carrying over.

use super::intents::Intent;
use super::{Aligned, Seeded, instruction, list, readable, signer, writable};
use crate::address;
use crate::read_record;
use flagstone_index_engine::amounts::{Atoms, Tokens};
use flagstone_index_engine::batch::{Batch as View, BatchAsset, BatchSize, Member, OrderBatch};
use flagstone_index_engine::carry::CarryOver;
use flagstone_index_engine::engage::{AssetOrder, Share};
use flagstone_index_engine::inventory::Fill;
use flagstone_interface::instruction::index as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// A batch of a desk, as instructions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its account.
    pub key: Address,
    /// The desk.
    pub desk: Address,
}

/// Creates and initialises a batch of `desk`; the base is its solver. `market`
/// is the one whose data the batch was solved with, `batch_number` not zero.
pub fn create_batch(
    account: &Seeded<'_>,
    desk: &Address,
    market: &Address,
    batch_number: u64,
    size: BatchSize,
) -> Option<Vec<Instruction>> {
    let batch = account.address()?;
    let mut all = account.create(size.bytes())?;
    let mut data = vec![number::CREATE_BATCH];
    data.extend(batch_number.to_le_bytes());
    for count in [size.assets, size.members, size.lots] {
        data.extend(count.to_le_bytes());
    }
    account.argument(&mut data);
    all.push(instruction(
        data,
        vec![
            writable(&batch),
            signer(&account.base),
            readable(desk),
            readable(market),
        ],
    ));
    Some(all)
}

impl Batch {
    fn alone(&self, data: Vec<u8>, who: &Address) -> Instruction {
        let accounts = vec![writable(&self.key), signer(who), readable(&self.desk)];
        instruction(data, accounts)
    }

    fn of_member(&self, data: Vec<u8>, solver: &Address, intent: &Intent) -> Instruction {
        let accounts = vec![
            writable(&self.key),
            signer(solver),
            readable(&self.desk),
            readable(&intent.address()),
        ];
        instruction(data, accounts)
    }

    /// Sets the next assets from position `first`, with ascending labels; the
    /// solver signs. 21 fit a transaction.
    pub fn set_assets(&self, solver: &Address, first: u32, assets: &[AssetOrder]) -> Instruction {
        let bytes = bytemuck::cast_slice(assets);
        self.alone(numbered(number::SET_BATCH_ASSETS, first, bytes), solver)
    }

    /// Adds an order that engages `amount` for `tokens`; the solver signs.
    pub fn join(
        &self,
        solver: &Address,
        intent: &Intent,
        amount: Atoms,
        tokens: Tokens,
    ) -> Instruction {
        let mut data = vec![number::JOIN_BATCH];
        data.extend(amount.0.to_le_bytes());
        data.extend(tokens.0.to_le_bytes());
        self.of_member(data, solver, intent)
    }

    /// Sets the next contributions and fractions of a member, from asset
    /// `first`; the solver signs. 34 fit a transaction.
    pub fn set_cells(
        &self,
        solver: &Address,
        intent: &Intent,
        first: u32,
        shares: &[Share],
    ) -> Instruction {
        let bytes = bytemuck::cast_slice(shares);
        let data = numbered(number::SET_BATCH_CELLS, first, bytes);
        self.of_member(data, solver, intent)
    }

    /// Freezes the batch; the solver signs.
    pub fn seal(&self, solver: &Address) -> Instruction {
        self.alone(vec![number::SEAL_BATCH], solver)
    }

    /// Drops a member that was not locked; the solver signs.
    pub fn drop_member(&self, solver: &Address, intent: &Intent) -> Instruction {
        self.of_member(vec![number::DROP_MEMBER], solver, intent)
    }

    /// Locks a member's order; the order manager signs.
    pub fn engage(&self, manager: &Address, intent: &Intent) -> Instruction {
        let accounts = vec![
            writable(&self.key),
            signer(manager),
            readable(&self.desk),
            writable(&intent.address()),
            readable(&intent.pair.index),
        ];
        instruction(vec![number::ENGAGE], accounts)
    }

    /// Sends the batch to the venues; the batch manager signs.
    pub fn send(&self, manager: &Address) -> Instruction {
        self.alone(vec![number::SEND_BATCH], manager)
    }

    /// Books a venue's fill of the asset at position `asset` with this label;
    /// the inventory manager signs. The fill names the batch's number.
    pub fn report_fill(
        &self,
        manager: &Address,
        (asset, label): (u32, u64),
        fill: &Fill,
    ) -> Instruction {
        let bytes = bytemuck::bytes_of(fill);
        let accounts = vec![
            writable(&self.key),
            signer(manager),
            readable(&self.desk),
            writable(&address::inventory(&self.desk, label)),
        ];
        instruction(numbered(number::REPORT_FILL, asset, bytes), accounts)
    }

    /// Cancels what is open of an asset; the inventory manager signs, or
    /// anyone after the deadline.
    pub fn cancel_rest(&self, who: &Address, asset: u32) -> Instruction {
        let mut data = vec![number::CANCEL_REST];
        data.extend(asset.to_le_bytes());
        self.alone(data, who)
    }

    /// Books `tokens` for a member's order, see [`available`]; the batch
    /// manager signs.
    pub fn fill(&self, manager: &Address, intent: &Intent, tokens: Tokens) -> Instruction {
        let mut data = vec![number::FILL_INTENT];
        data.extend(tokens.0.to_le_bytes());
        let accounts = vec![
            writable(&self.key),
            signer(manager),
            readable(&self.desk),
            writable(&intent.address()),
            writable(&intent.pair.market),
            writable(&intent.pair.index),
        ];
        instruction(data, accounts)
    }

    /// Ends the batch. Anyone may send it.
    pub fn complete(&self) -> Instruction {
        instruction(vec![number::COMPLETE_BATCH], vec![writable(&self.key)])
    }

    /// Lets an order leave. Anyone may send it.
    pub fn carry_over(&self, intent: &Intent) -> Instruction {
        let accounts = vec![
            writable(&self.key),
            readable(&self.desk),
            writable(&intent.address()),
        ];
        instruction(vec![number::CARRY_OVER], accounts)
    }

    /// Moves carried lots of the asset at position `asset` with this label in,
    /// up to ten; the batch manager signs.
    pub fn draw_carry(&self, manager: &Address, (asset, label): (u32, u64)) -> Instruction {
        let mut data = vec![number::DRAW_CARRY];
        data.extend(asset.to_le_bytes());
        let accounts = vec![
            writable(&self.key),
            signer(manager),
            readable(&self.desk),
            writable(&address::carry_over(&self.desk, label)),
        ];
        instruction(data, accounts)
    }

    /// Moves lots that no order took out, up to ten. Anyone may send it.
    pub fn retire_lots(&self, (asset, label): (u32, u64)) -> Instruction {
        let mut data = vec![number::RETIRE_LOTS];
        data.extend(asset.to_le_bytes());
        let carry = address::carry_over(&self.desk, label);
        instruction(data, vec![writable(&self.key), writable(&carry)])
    }

    /// Frees the room of a batch that is over; the solver signs and gets the rent.
    pub fn close(&self, solver: &Address) -> Instruction {
        let accounts = vec![
            writable(&self.key),
            AccountMeta::new(*solver, true),
            readable(&self.desk),
        ];
        instruction(vec![number::CLOSE_BATCH], accounts)
    }
}

fn numbered(number: u8, first: u32, bytes: &[u8]) -> Vec<u8> {
    let mut data = vec![number];
    data.extend(first.to_le_bytes());
    data.extend(&list(0, bytes)[1..]);
    data
}

/// A batch's head, assets and members.
pub fn read_batch(data: &[u8]) -> Option<(OrderBatch, Vec<BatchAsset>, Vec<Member>)> {
    let mut copy = Aligned::new(data);
    let view = View::open(copy.bytes()).ok()?;
    let (assets, members) = (view.assets().to_vec(), view.members().to_vec());
    Some((*view.head, assets, members))
}

/// Tokens that a batch can book for an order now.
pub fn available(data: &[u8], order: &Address) -> Option<Tokens> {
    let mut copy = Aligned::new(data);
    let mut view = View::open(copy.bytes()).ok()?;
    view.available(order.as_array()).ok()
}

/// A carry-over.
pub fn read_carry(data: &[u8]) -> Option<CarryOver> {
    read_record(data)
}
