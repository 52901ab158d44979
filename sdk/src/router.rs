//! Instructions of the Router.

mod claims;
mod collateral;
mod exits;
mod governance;
mod grid;
mod liquidation;
mod registry;

pub use claims::*;
pub use collateral::*;
pub use exits::*;
pub use governance::*;
pub use grid::*;
pub use liquidation::*;
pub use registry::*;

use crate::address;
use flagstone_interface::instruction::router as number;
use solana_address::Address;
use solana_instruction::{AccountMeta, Instruction};

const SYSTEM: Address = solana_system_interface::program::ID;

/// Sysvar that shows a transaction's instructions.
const INSTRUCTIONS: Address =
    Address::from_str_const("Sysvar1nstructions1111111111111111111111111");

fn instruction(data: Vec<u8>, accounts: Vec<AccountMeta>) -> Instruction {
    Instruction {
        program_id: address::ROUTER,
        accounts,
        data,
    }
}

/// Delays that the Router's configuration fixes for good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delays {
    /// Slots between registering an instrument and its entry counting.
    pub instrument_slots: u32,
    /// Least delay of new terms that a slab has to have to be registered, in slots.
    pub terms_slots_min: u32,
}

/// Creates the configuration and the quote vault, without any delays; for
/// development. Else as [`initialize_with`].
pub fn initialize(admin: &Address, mint: &Address) -> Instruction {
    initialize_with(admin, mint, &Delays::default())
}

/// Creates the configuration and the quote vault; `admin` signs and pays. It
/// has to be the program's upgrade authority, unless the program is final.
pub fn initialize_with(admin: &Address, mint: &Address, delays: &Delays) -> Instruction {
    let mut data = vec![number::INITIALIZE];
    data.extend(delays.instrument_slots.to_le_bytes());
    data.extend(delays.terms_slots_min.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new(*admin, true),
            AccountMeta::new(address::config(), false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new_readonly(address::vault_authority(), false),
            AccountMeta::new_readonly(address::ROUTER, false),
            AccountMeta::new_readonly(address::program_data(&address::ROUTER), false),
            AccountMeta::new_readonly(address::TOKEN, false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Adds a slab to the registry; the administrator signs and pays.
pub fn register_slab(admin: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::REGISTER_SLAB],
        vec![
            AccountMeta::new(*admin, true),
            AccountMeta::new(address::config(), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::SLAB, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
            AccountMeta::new(address::slab_entry(slab), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Opens the portfolio of `owner`, who signs and pays.
pub fn open_portfolio(owner: &Address) -> Instruction {
    instruction(
        vec![number::OPEN_PORTFOLIO],
        vec![
            AccountMeta::new(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new_readonly(SYSTEM, false),
        ],
    )
}

/// Moves `amount_atoms` of `mint` from `source` into the vault; `owner` signs.
pub fn deposit(
    owner: &Address,
    mint: &Address,
    source: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::DEPOSIT];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new(*source, false),
            AccountMeta::new_readonly(address::TOKEN, false),
        ],
    )
}

/// Opens the escrow of `owner` at `slab`, to be traded by the session key
/// `trader`; `owner` signs and pays.
pub fn open_escrow(
    owner: &Address,
    slab: &Address,
    mint: &Address,
    trader: &Address,
) -> Instruction {
    let mut data = vec![number::OPEN_ESCROW];
    data.extend(trader.as_ref());
    instruction(
        data,
        vec![
            AccountMeta::new(*owner, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new(address::escrow(slab, owner, mint), false),
            AccountMeta::new_readonly(SYSTEM, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
        ],
    )
}

/// Binds the escrow to the slab account that opens next; `owner` signs.
///
/// [`crate::slab::open_account`] has to follow in the same transaction.
pub fn bind_escrow(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(
        vec![number::BIND_ESCROW],
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::escrow(slab, owner, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
            AccountMeta::new(address::portfolio(owner), false),
        ],
    )
}

/// Moves `amount_atoms` of portfolio cash to a slab as standing margin; `owner` signs.
///
/// [`crate::slab::sync`] credits it.
pub fn fund_slab(
    owner: &Address,
    slab: &Address,
    mint: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::FUND_SLAB];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::escrow(slab, owner, mint), false),
            AccountMeta::new(address::slab_ledger(slab, mint), false),
            AccountMeta::new_readonly(address::slab_entry(slab), false),
            AccountMeta::new_readonly(*slab, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
        ],
    )
}

/// Moves `amount_atoms` of portfolio cash to the token account `destination`;
/// `owner` signs.
pub fn withdraw(
    owner: &Address,
    mint: &Address,
    destination: &Address,
    amount_atoms: u64,
) -> Instruction {
    let mut data = vec![number::WITHDRAW];
    data.extend(amount_atoms.to_le_bytes());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::portfolio(owner), false),
            AccountMeta::new(address::vault(mint), false),
            AccountMeta::new(address::vault_tokens(mint), false),
            AccountMeta::new_readonly(address::vault_authority(), false),
            AccountMeta::new(*destination, false),
            AccountMeta::new_readonly(address::TOKEN, false),
        ],
    )
}

/// Changes the session key of an escrow; `owner` signs. The slab takes it over
/// on the next [`crate::slab::sync`].
pub fn set_trader(
    owner: &Address,
    slab: &Address,
    mint: &Address,
    trader: &Address,
) -> Instruction {
    let mut data = vec![number::SET_TRADER];
    data.extend(trader.as_ref());
    instruction(
        data,
        vec![
            AccountMeta::new_readonly(*owner, true),
            AccountMeta::new(address::escrow(slab, owner, mint), false),
        ],
    )
}

/// Books what one slab account owes and is owed. Anyone may send it.
pub fn settle(owner: &Address, slab: &Address, mint: &Address) -> Instruction {
    instruction(vec![number::SETTLE], settle_accounts(owner, slab, mint))
}

/// Returns what the expired capability `cap` has left. Anyone may send it.
pub fn refund(owner: &Address, slab: &Address, mint: &Address, cap: u8) -> Instruction {
    instruction(
        vec![number::REFUND, cap],
        settle_accounts(owner, slab, mint),
    )
}

fn settle_accounts(owner: &Address, slab: &Address, mint: &Address) -> Vec<AccountMeta> {
    vec![
        AccountMeta::new(address::portfolio(owner), false),
        AccountMeta::new(address::escrow(slab, owner, mint), false),
        AccountMeta::new(address::slab_ledger(slab, mint), false),
        AccountMeta::new(address::slab_entry(slab), false),
        AccountMeta::new_readonly(*slab, false),
        AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
    ]
}

/// Records the deployment of the slab's program anew; the administrator signs.
pub fn attest_slab(admin: &Address, slab: &Address) -> Instruction {
    instruction(
        vec![number::ATTEST_SLAB],
        vec![
            AccountMeta::new_readonly(*admin, true),
            AccountMeta::new_readonly(address::config(), false),
            AccountMeta::new(address::slab_entry(slab), false),
            AccountMeta::new_readonly(address::SLAB, false),
            AccountMeta::new_readonly(address::program_data(&address::SLAB), false),
        ],
    )
}
