//! What a desk holds of an asset: inventory and carry-over.

use super::intents::Intent;
use super::{Aligned, SYSTEM, instruction, list, readable, signer, writable};
use crate::address;
use flagstone_index_engine::amounts::Quantity;
use flagstone_index_engine::inventory::{Assignment, Fill, Inventory, InventoryLot, Stock as View};
use flagstone_interface::instruction::index as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// An asset at a desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stock {
    /// The desk.
    pub desk: Address,
    /// Label of the asset in the market.
    pub label: u64,
}

impl Stock {
    /// Address of the inventory.
    pub fn inventory(&self) -> Address {
        address::inventory(&self.desk, self.label)
    }

    /// Address of the carry-over.
    pub fn carry(&self) -> Address {
        address::carry_over(&self.desk, self.label)
    }

    /// Opens the inventory with room for up to 96 open lots; the inventory
    /// manager signs and pays.
    pub fn open_inventory(&self, manager: &Address, lots: u32) -> Instruction {
        self.open(number::OPEN_INVENTORY, &self.inventory(), manager, lots)
    }

    /// Opens the carry-over with room for up to 114 lots; the batch manager
    /// signs and pays.
    pub fn open_carry(&self, manager: &Address, lots: u32) -> Instruction {
        self.open(number::OPEN_CARRY, &self.carry(), manager, lots)
    }

    fn open(&self, number: u8, record: &Address, manager: &Address, lots: u32) -> Instruction {
        let mut data = vec![number];
        data.extend(self.label.to_le_bytes());
        data.extend(lots.to_le_bytes());
        instruction(
            data,
            vec![
                AccountMeta::new(*manager, true),
                readable(&self.desk),
                writable(record),
                readable(&SYSTEM),
            ],
        )
    }

    /// Makes room for `lots` open lots in all in the inventory, 98 more at a
    /// time; the inventory manager signs and pays.
    pub fn grow_inventory(&self, manager: &Address, lots: u32) -> Instruction {
        self.grow(&self.inventory(), manager, lots)
    }

    /// Makes room for `lots` lots in all in the carry-over, 116 more at a
    /// time; the batch manager signs and pays.
    pub fn grow_carry(&self, manager: &Address, lots: u32) -> Instruction {
        self.grow(&self.carry(), manager, lots)
    }

    fn grow(&self, record: &Address, manager: &Address, lots: u32) -> Instruction {
        let mut data = vec![number::GROW_RECORD];
        data.extend(lots.to_le_bytes());
        instruction(
            data,
            vec![
                AccountMeta::new(*manager, true),
                readable(&self.desk),
                writable(record),
                readable(&SYSTEM),
            ],
        )
    }

    /// Books a fill that is for no batch; the inventory manager signs.
    pub fn fill(&self, manager: &Address, fill: &Fill) -> Instruction {
        let data = list(number::INVENTORY_FILL, bytemuck::bytes_of(fill));
        let accounts = vec![
            signer(manager),
            readable(&self.desk),
            writable(&self.inventory()),
        ];
        instruction(data, accounts)
    }

    /// Attributes part of a lot to a minted order; the inventory manager signs.
    pub fn assign(
        &self,
        manager: &Address,
        intent: &Intent,
        lot: u64,
        quantity: Quantity,
    ) -> Instruction {
        let order = intent.address();
        let assigned = Assignment {
            order: *order.as_array(),
            lot,
            quantity,
        };
        let data = list(number::ASSIGN_LOT, bytemuck::bytes_of(&assigned));
        let accounts = vec![
            signer(manager),
            readable(&self.desk),
            writable(&self.inventory()),
            readable(&order),
        ];
        instruction(data, accounts)
    }
}

/// An inventory's head and its open lots, oldest first.
pub fn read_inventory(data: &[u8]) -> Option<(Inventory, Vec<InventoryLot>)> {
    let mut copy = Aligned::new(data);
    let view = View::open(copy.bytes()).ok()?;
    let lots = view.lots().copied().collect();
    Some((*view.inventory, lots))
}
