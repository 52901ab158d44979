//! Program ids and derived addresses.

use flagstone_interface::collateral::seeds as collateral_seeds;
use flagstone_interface::grid::seeds as grid_seeds;
use flagstone_interface::index::seeds as index_seeds;
use flagstone_interface::router::seeds;
use flagstone_interface::{INDEX_VAULT_ID, ROUTER_ID, SLAB_ID};
use solana_address::Address;

/// Address of the Router program.
pub const ROUTER: Address = Address::new_from_array(ROUTER_ID);
/// Address of the Slab program.
pub const SLAB: Address = Address::new_from_array(SLAB_ID);
/// Address of the index-vault program.
pub const INDEX_VAULT: Address = Address::new_from_array(INDEX_VAULT_ID);
/// Address of the SPL Token program.
pub const TOKEN: Address = Address::from_str_const("TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA");

/// Address of the loader that deploys upgradeable programs.
pub const LOADER: Address = Address::from_str_const("BPFLoaderUpgradeab1e11111111111111111111111");

/// Account that holds a program's code and the slot of its deployment.
pub fn program_data(program: &Address) -> Address {
    Address::find_program_address(&[program.as_ref()], &LOADER).0
}

fn router(seeds: &[&[u8]]) -> Address {
    Address::find_program_address(seeds, &ROUTER).0
}

/// The Router's configuration.
pub fn config() -> Address {
    router(&[seeds::CONFIG])
}

/// Authority of the vaults' token accounts.
pub fn vault_authority() -> Address {
    router(&[seeds::AUTHORITY])
}

/// Vault record of a mint.
pub fn vault(mint: &Address) -> Address {
    router(&[seeds::VAULT, mint.as_ref()])
}

/// Token account of a mint's vault.
pub fn vault_tokens(mint: &Address) -> Address {
    router(&[seeds::TOKENS, mint.as_ref()])
}

/// Portfolio of a wallet.
pub fn portfolio(owner: &Address) -> Address {
    router(&[seeds::PORTFOLIO, owner.as_ref()])
}

/// Registry entry of a slab.
pub fn slab_entry(slab: &Address) -> Address {
    router(&[seeds::SLAB, slab.as_ref()])
}

/// What the Router holds for a slab in one mint.
pub fn slab_ledger(slab: &Address, mint: &Address) -> Address {
    router(&[seeds::LEDGER, slab.as_ref(), mint.as_ref()])
}

/// Escrow of a wallet at a slab.
pub fn escrow(slab: &Address, owner: &Address, mint: &Address) -> Address {
    router(&[seeds::PLEDGE, slab.as_ref(), owner.as_ref(), mint.as_ref()])
}

/// Registry entry of one instrument of a slab.
pub fn instrument_entry(slab: &Address, instrument: u8) -> Address {
    router(&[seeds::INSTRUMENT, slab.as_ref(), &[instrument]])
}

/// Liquidation ticket of an escrow.
pub fn ticket(escrow: &Address) -> Address {
    router(&[seeds::TICKET, escrow.as_ref()])
}

/// Ticket to shift margin from an escrow.
pub fn shift_ticket(escrow: &Address) -> Address {
    router(&[seeds::SHIFT, escrow.as_ref()])
}

/// Funding grid of an underlying for intervals of this length, in slots.
pub fn grid(underlying_id: u64, interval_slots: u32) -> Address {
    let underlying = underlying_id.to_le_bytes();
    router(&[seeds::GRID, &underlying, &interval_slots.to_le_bytes()])
}

/// What the account of an escrow holds at its slab.
pub fn exposure(escrow: &Address) -> Address {
    router(&[grid_seeds::EXPOSURE, escrow.as_ref()])
}

/// Terms on which a mint is collateral.
pub fn collateral_terms(mint: &Address) -> Address {
    router(&[collateral_seeds::COLLATERAL, mint.as_ref()])
}

/// What a portfolio holds of a collateral mint.
pub fn collateral_holding(portfolio: &Address, mint: &Address) -> Address {
    router(&[collateral_seeds::HOLDING, portfolio.as_ref(), mint.as_ref()])
}

/// Proposal with this number.
pub fn proposal(id: u64) -> Address {
    router(&[seeds::PROPOSAL, &id.to_le_bytes()])
}

/// Hash of a program's code, by its program data account.
pub fn program_hash(program_data: &Address) -> Address {
    router(&[seeds::HASH, program_data.as_ref()])
}

/// Address of a slab created by `authority` with `seed`; `None` when the seed
/// is longer than 32 bytes.
pub fn slab_with_seed(authority: &Address, seed: &str) -> Option<Address> {
    Address::create_with_seed(authority, seed, &SLAB).ok()
}

fn index(seeds: &[&[u8]]) -> Address {
    Address::find_program_address(seeds, &INDEX_VAULT).0
}

/// Signs for a market's collateral and mints its indices' tokens.
pub fn market_authority(market: &Address) -> Address {
    index(&[index_seeds::AUTHORITY, market.as_ref()])
}

/// Token account of a market's collateral.
pub fn market_tokens(market: &Address) -> Address {
    index(&[index_seeds::TOKENS, market.as_ref()])
}

/// Mint of an index.
pub fn index_mint(index_key: &Address) -> Address {
    index(&[index_seeds::MINT, index_key.as_ref()])
}

/// An order of `owner` for an index.
pub fn index_order(index_key: &Address, owner: &Address, order_id: u64) -> Address {
    let number = order_id.to_le_bytes();
    index(&[
        index_seeds::ORDER,
        index_key.as_ref(),
        owner.as_ref(),
        &number,
    ])
}

/// The desk of an administrator.
pub fn desk(admin: &Address) -> Address {
    index(&[index_seeds::DESK, admin.as_ref()])
}

/// Address of an index-vault account created by `base` with `seed`; `None`
/// when the seed is longer than 32 bytes.
pub fn index_with_seed(base: &Address, seed: &str) -> Option<Address> {
    Address::create_with_seed(base, seed, &INDEX_VAULT).ok()
}

/// A program that `owner` stored.
pub fn vil_program(owner: &Address, id: u64) -> Address {
    index(&[index_seeds::VIL, owner.as_ref(), &id.to_le_bytes()])
}

/// Custody of a desk; signs for the tokens in its vault.
pub fn desk_custody(desk_key: &Address) -> Address {
    index(&[index_seeds::CUSTODY, desk_key.as_ref()])
}

/// Token account of a desk's collateral.
pub fn desk_vault(desk_key: &Address) -> Address {
    index(&[index_seeds::VAULT, desk_key.as_ref()])
}

/// Collateral position of `owner` at a desk.
pub fn collateral_position(desk_key: &Address, owner: &Address) -> Address {
    index(&[index_seeds::POSITION, desk_key.as_ref(), owner.as_ref()])
}

/// An order of `owner` to the desk of an index.
pub fn index_intent(index_key: &Address, owner: &Address, order_id: u64) -> Address {
    let number = order_id.to_le_bytes();
    index(&[
        index_seeds::INTENT,
        index_key.as_ref(),
        owner.as_ref(),
        &number,
    ])
}

/// A desk's inventory of the asset with this label.
pub fn inventory(desk_key: &Address, label: u64) -> Address {
    let label = label.to_le_bytes();
    index(&[index_seeds::INVENTORY, desk_key.as_ref(), &label])
}

/// A desk's carry-over of the asset with this label.
pub fn carry_over(desk_key: &Address, label: u64) -> Address {
    let label = label.to_le_bytes();
    index(&[index_seeds::CARRY, desk_key.as_ref(), &label])
}
