//! Collateral at a desk: custody, positions, deposits and withdrawals.

use super::{SYSTEM, instruction, readable, signer, writable};
use crate::address;
use crate::read_record;
use flagstone_index_engine::collateral::{CollateralLot, CollateralPosition, SpendLot};
use flagstone_index_engine::records::Custody;
use flagstone_interface::instruction::index as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// Opens the custody of the desk of `admin`, who signs and pays; the desk is
/// paid to the token account `payout`.
pub fn open_custody(admin: &Address, mint: &Address, payout: &Address) -> Instruction {
    let desk = address::desk(admin);
    instruction(
        vec![number::OPEN_CUSTODY],
        vec![
            AccountMeta::new(*admin, true),
            writable(&desk),
            readable(mint),
            writable(&address::desk_custody(&desk)),
            writable(&address::desk_vault(&desk)),
            readable(payout),
            readable(&address::TOKEN),
            readable(&SYSTEM),
        ],
    )
}

/// Sets where the desk of `admin`, who signs, is paid.
pub fn set_payout(admin: &Address, payout: &Address) -> Instruction {
    let desk = address::desk(admin);
    instruction(
        vec![number::SET_PAYOUT],
        vec![
            signer(admin),
            writable(&desk),
            writable(&address::desk_custody(&desk)),
            readable(payout),
        ],
    )
}

/// A user's collateral at a desk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The desk.
    pub desk: Address,
    /// Whose it is.
    pub owner: Address,
}

impl Position {
    /// Address of the position's account.
    pub fn address(&self) -> Address {
        address::collateral_position(&self.desk, &self.owner)
    }

    /// Opens it with room for open deposits and for spend lots, 150 together;
    /// the owner signs and pays.
    pub fn open(&self, lots: u32, spends: u32) -> Instruction {
        let mut data = vec![number::OPEN_POSITION];
        data.extend(lots.to_le_bytes());
        data.extend(spends.to_le_bytes());
        instruction(
            data,
            vec![
                AccountMeta::new(self.owner, true),
                readable(&self.desk),
                writable(&self.address()),
                readable(&SYSTEM),
            ],
        )
    }

    /// Deposits from `source`, whose owner `payer` signs: the position's owner,
    /// or the collateral manager. `payment` is above all before it.
    pub fn deposit(
        &self,
        payer: &Address,
        source: &Address,
        payment: u64,
        amount_atoms: u64,
    ) -> Instruction {
        let mut data = vec![number::DEPOSIT];
        data.extend(payment.to_le_bytes());
        data.extend(amount_atoms.to_le_bytes());
        instruction(
            data,
            vec![
                signer(payer),
                readable(&self.desk),
                writable(&self.address()),
                writable(&address::desk_custody(&self.desk)),
                writable(source),
                writable(&address::desk_vault(&self.desk)),
                readable(&address::TOKEN),
            ],
        )
    }

    /// Says that collateral was routed; the collateral manager signs.
    pub fn make_ready(&self, manager: &Address, amount_atoms: u64) -> Instruction {
        let mut data = vec![number::MAKE_READY];
        data.extend(amount_atoms.to_le_bytes());
        let accounts = vec![
            signer(manager),
            readable(&self.desk),
            writable(&self.address()),
        ];
        instruction(data, accounts)
    }

    /// Pays ready collateral to `destination`; the owner signs.
    pub fn withdraw(&self, destination: &Address, amount_atoms: u64) -> Instruction {
        self.pay(number::WITHDRAW, destination, amount_atoms)
    }

    /// Pays collateral that was not routed in time to `destination`; the owner signs.
    pub fn reclaim(&self, destination: &Address, amount_atoms: u64) -> Instruction {
        self.pay(number::RECLAIM, destination, amount_atoms)
    }

    fn pay(&self, number: u8, destination: &Address, amount_atoms: u64) -> Instruction {
        let mut data = vec![number];
        data.extend(amount_atoms.to_le_bytes());
        instruction(
            data,
            vec![
                signer(&self.owner),
                writable(&self.address()),
                writable(&address::desk_custody(&self.desk)),
                writable(destination),
                writable(&address::desk_vault(&self.desk)),
                readable(&address::TOKEN),
            ],
        )
    }
}

/// The custody of a desk.
pub fn read_custody(data: &[u8]) -> Option<Custody> {
    read_record(data)
}

/// A position's head, its open lots and its spend lots, oldest first.
pub fn read_position(
    data: &[u8],
) -> Option<(CollateralPosition, Vec<CollateralLot>, Vec<SpendLot>)> {
    let head: CollateralPosition = read_record(data)?;
    let mut copy = super::Aligned::new(data);
    let view = flagstone_index_engine::collateral::Collateral::open(copy.bytes()).ok()?;
    let lots = view.lots().copied().collect();
    let spends = view.spends().copied().collect();
    Some((head, lots, spends))
}
