//! Index orders to a desk, from submission to invoice.

use super::{Pair, SYSTEM, instruction, readable, signer, writable};
use crate::address;
use crate::index::custody::Position;
use crate::read_record;
use flagstone_index_engine::amounts::Atoms;
use flagstone_index_engine::machine::Action;
use flagstone_index_engine::orders::IndexOrder;
use flagstone_index_engine::records::IntentTerms;
use flagstone_interface::instruction::index as number;
use flagstone_units::Side;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

/// An order to the desk of an index, as instructions name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intent {
    /// Market and index.
    pub pair: Pair,
    /// Desk of the index.
    pub desk: Address,
    /// Who ordered.
    pub owner: Address,
    /// Number chosen by the owner, once.
    pub order_id: u64,
}

/// What an order asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// Collateral offered.
    pub amount: Atoms,
    /// Most that a whole token may cost, exchange fees included, in atoms;
    /// `u64::MAX` for any price.
    pub limit_atoms: u64,
    /// Most that routing may cost in total, in atoms.
    pub routing_fee_max: u64,
}

impl Intent {
    /// Address of the order's account.
    pub fn address(&self) -> Address {
        address::index_intent(&self.pair.index, &self.owner, self.order_id)
    }

    /// The owner's collateral position at the desk.
    pub const fn position(&self) -> Position {
        Position {
            desk: self.desk,
            owner: self.owner,
        }
    }

    /// Submits the order; the owner signs and pays. Desks only buy: a sell is
    /// made with [`Pair::submit_order`].
    pub fn submit(&self, wish: &Wish) -> Instruction {
        let mut data = vec![number::SUBMIT_INTENT, Side::Bid as u8];
        data.extend(self.order_id.to_le_bytes());
        data.extend(wish.amount.0.to_le_bytes());
        data.extend(wish.limit_atoms.to_le_bytes());
        data.extend(wish.routing_fee_max.to_le_bytes());
        instruction(
            data,
            vec![
                AccountMeta::new(self.owner, true),
                readable(&self.desk),
                readable(&self.pair.market),
                readable(&self.pair.index),
                readable(&address::desk_custody(&self.desk)),
                readable(&self.position().address()),
                writable(&self.address()),
                readable(&SYSTEM),
            ],
        )
    }

    /// Takes an action that changes the order alone; `who` holds the action's
    /// role and signs. `amount` is that of a push, or what a confirmation says
    /// is ready, and otherwise zero.
    pub fn step(&self, who: &Address, action: Action, amount: Atoms) -> Instruction {
        let mut data = vec![number::STEP_INTENT, action as u8];
        data.extend(amount.0.to_le_bytes());
        self.alone(data, who)
    }

    /// Adds to the order; the owner signs.
    pub fn push(&self, amount: Atoms) -> Instruction {
        self.step(&self.owner, Action::Push, amount)
    }

    /// Takes off the order, or turns it around before its collateral is
    /// authorised; the owner signs.
    pub fn reduce(&self, amount: Atoms) -> Instruction {
        let mut data = vec![number::REDUCE_INTENT];
        data.extend(amount.0.to_le_bytes());
        self.gate(data, &self.owner)
    }

    /// Ends the order without payment by cancel, deny, expire or fail; `who`
    /// holds the action's role and signs.
    pub fn end(&self, who: &Address, action: Action) -> Instruction {
        let mut end = self.gate(vec![number::END_INTENT, action as u8], who);
        if action == Action::DenyPayment {
            // The market backs what was bought no more.
            let Pair { market, index, .. } = &self.pair;
            end.accounts.extend([writable(market), writable(index)]);
        }
        end
    }

    /// Sets collateral aside; the collateral manager signs.
    pub fn preauthorise(&self, manager: &Address, amount: Atoms) -> Instruction {
        let mut data = vec![number::PREAUTHORISE];
        data.extend(amount.0.to_le_bytes());
        self.gate(data, manager)
    }

    /// Charges a hop of the collateral; the collateral manager signs. `payout`
    /// is the desk's, see [`super::custody::read_custody`].
    pub fn hop(&self, manager: &Address, payout: &Address, fee: Atoms) -> Instruction {
        let mut data = vec![number::HOP];
        data.extend(fee.0.to_le_bytes());
        self.pay(data, manager, payout)
    }

    /// Charges what was spent and frees the rest; the collateral manager signs.
    pub fn confirm_payment(&self, manager: &Address, payout: &Address) -> Instruction {
        self.pay(vec![number::CONFIRM_PAYMENT], manager, payout)
    }

    /// Mints to `destination`, a token account of the owner; the chain
    /// connector signs.
    pub fn mint(&self, connector: &Address, destination: &Address) -> Instruction {
        instruction(
            vec![number::MINT_INDEX],
            vec![
                signer(connector),
                readable(&self.desk),
                writable(&self.address()),
                readable(&self.pair.market),
                readable(&self.pair.index),
                writable(&address::index_mint(&self.pair.index)),
                readable(&address::market_authority(&self.pair.market)),
                writable(destination),
                readable(&address::TOKEN),
            ],
        )
    }

    /// Writes the invoice; the order manager signs.
    pub fn write_invoice(&self, manager: &Address) -> Instruction {
        self.alone(vec![number::WRITE_INVOICE], manager)
    }

    /// Makes room in the position of an order that has ended. Anyone may send it.
    pub fn archive_spends(&self) -> Instruction {
        let accounts = vec![
            readable(&self.desk),
            writable(&self.address()),
            writable(&self.position().address()),
        ];
        instruction(vec![number::ARCHIVE_SPENDS], accounts)
    }

    fn alone(&self, data: Vec<u8>, who: &Address) -> Instruction {
        let accounts = vec![signer(who), readable(&self.desk), writable(&self.address())];
        instruction(data, accounts)
    }

    fn gate(&self, data: Vec<u8>, who: &Address) -> Instruction {
        let accounts = vec![
            signer(who),
            readable(&self.desk),
            writable(&self.address()),
            writable(&self.position().address()),
        ];
        instruction(data, accounts)
    }

    fn pay(&self, data: Vec<u8>, manager: &Address, payout: &Address) -> Instruction {
        instruction(
            data,
            vec![
                signer(manager),
                readable(&self.desk),
                writable(&self.address()),
                writable(&self.position().address()),
                writable(&address::desk_custody(&self.desk)),
                writable(&address::desk_vault(&self.desk)),
                writable(payout),
                readable(&address::TOKEN),
            ],
        )
    }
}

/// An order and what its owner allows.
pub fn read_intent(data: &[u8]) -> Option<(IndexOrder, IntentTerms)> {
    let order = read_record::<IndexOrder>(data)?;
    let from = size_of::<IndexOrder>();
    let terms = data.get(from..from + size_of::<IntentTerms>())?;
    Some((order, bytemuck::pod_read_unaligned(terms)))
}
