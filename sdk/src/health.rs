//! Health of a portfolio, out of the accounts as they lie on the chain.
//!
//! The same reading and the same formulas as the Router's
//! ([`flagstone_margin`]): what is shown here is what a liquidation would find.
//! Positions are keyed by slab and instrument number, and marked by the slab.

use crate::address;
use flagstone_interface::grid::Exposure;
use flagstone_interface::router::{Escrow, Portfolio};
use flagstone_interface::slab::{PoolId, SlabAccount, account_flags, item_at};
use flagstone_interface::{Key, Record};
use flagstone_margin::health::{liquidation_ticks, mark_in};
use flagstone_margin::{AccountHealth, PortfolioHealth, Unreadable, exposure};
use flagstone_units::{Slot, Ticks};
use solana_address::Address;

/// A position, or open orders of an instrument without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionHealth {
    /// Number of the instrument in its slab.
    pub instrument: u8,
    /// Number of the underlying.
    pub underlying_id: u64,
    /// Size in lots; negative is short.
    pub lots: i32,
    /// The slab's mark.
    pub mark: Ticks,
    /// Unrealised profit at the mark, less funding owed, in atoms.
    pub profit_atoms: i64,
    /// First price at which the account falls below its maintenance margin when
    /// only this instrument moves; `None` when no price does that.
    pub liquidation: Option<Ticks>,
}

/// A portfolio's account at one slab.
#[derive(Clone, Debug)]
pub struct SeatHealth {
    /// The slab.
    pub slab: Address,
    /// Escrow of the account.
    pub escrow: Address,
    /// What it holds.
    pub exposure: Exposure,
    /// Equity and margins at the slab's marks.
    pub account: AccountHealth,
    /// Its positions.
    pub positions: Vec<PositionHealth>,
}

/// A portfolio and its accounts.
#[derive(Clone, Debug)]
pub struct Health {
    /// Everything together; the accounts' margins add up, none helps another.
    pub total: PortfolioHealth,
    /// Accounts that could be read.
    pub seats: Vec<SeatHealth>,
}

/// Bytes at the alignment that layouts need.
struct Aligned {
    words: Vec<u64>,
    length: usize,
}

impl Aligned {
    fn new(data: &[u8]) -> Self {
        let mut words = vec![0u64; data.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..data.len()].copy_from_slice(data);
        Self {
            words,
            length: data.len(),
        }
    }

    fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.words)[..self.length]
    }
}

/// Reads the portfolio of `owner` and every account that it lists; `fetch` gives
/// the bytes of an account. `None` without a portfolio.
///
/// Cash is what no slab holds: free cash, a claim that waits, what live
/// capabilities have left after charges that are not booked yet, and releases
/// that are not paid yet.
pub fn of(
    owner: &Address,
    slot: Slot,
    fetch: impl Fn(&Address) -> Option<Vec<u8>>,
) -> Option<Health> {
    let data = Aligned::new(&fetch(&address::portfolio(owner))?);
    let portfolio = Portfolio::read(data.bytes())?;
    let mut health = Health {
        total: PortfolioHealth::default(),
        seats: Vec::new(),
    };
    let total = &mut health.total;
    total.add_cash(signed(portfolio.cash_atoms));
    total.add_cash(signed(portfolio.claim_atoms));
    for key in portfolio.escrows.iter().filter(|key| **key != [0; 32]) {
        match seat(key, slot, &fetch) {
            Ok((seat, elsewhere)) => {
                total.add_cash(elsewhere);
                total.add(&Ok(seat.account));
                health.seats.push(seat);
            }
            Err(unreadable) => total.add(&Err(unreadable)),
        }
    }
    Some(health)
}

/// An account, and what of its money neither slab nor portfolio holds, in atoms.
fn seat(
    key: &Key,
    slot: Slot,
    fetch: impl Fn(&Address) -> Option<Vec<u8>>,
) -> Result<(SeatHealth, i64), Unreadable> {
    let escrow_key = Address::from(*key);
    let record = Aligned::new(&fetch(&escrow_key).ok_or(Unreadable)?);
    let escrow = Escrow::read(record.bytes()).ok_or(Unreadable)?;
    let slab_key = Address::from(escrow.slab);
    let slab = Aligned::new(&fetch(&slab_key).ok_or(Unreadable)?);
    let data = slab.bytes();
    let account: &SlabAccount =
        item_at(data, PoolId::Accounts, escrow.bound_account).ok_or(Unreadable)?;
    let bound = account.flags & account_flags::OPEN != 0
        && account.is_bound(escrow.bound_account, key, escrow);
    if !bound {
        return Err(Unreadable);
    }
    let mut held: Exposure = bytemuck::Zeroable::zeroed();
    held.escrow = *key;
    exposure::take(data, account, escrow, slot, &mut held)?;
    let unbooked = account
        .debited_total_atoms
        .checked_sub(escrow.debited_seen_atoms)
        .ok_or(Unreadable)?;
    let elsewhere = signed(escrow.balance_atoms) - signed(unbooked);
    let elsewhere = elsewhere.saturating_add(signed(held.released_owed_atoms));

    let mark_of = |instrument: u8| mark_in(data, instrument, slot);
    let account = AccountHealth::of(&held, mark_of)?;
    let mut positions = Vec::new();
    for one in held.held() {
        let mark = mark_of(one.instrument).ok_or(Unreadable)?.ticks;
        // Within the bounds that `AccountHealth::of` checked.
        let value = i128::from(one.lots) * i128::from(mark.0) * i128::from(one.atoms_per_tick);
        let profit = value - i128::from(one.cost_atoms) - i128::from(one.funding_atoms);
        positions.push(PositionHealth {
            instrument: one.instrument,
            underlying_id: one.underlying_id,
            lots: one.lots,
            mark,
            profit_atoms: i64::try_from(profit).map_err(|_| Unreadable)?,
            liquidation: liquidation_ticks(&held, mark_of, one.instrument)?,
        });
    }
    let seat = SeatHealth {
        slab: slab_key,
        escrow: escrow_key,
        exposure: held,
        account,
        positions,
    };
    Ok((seat, elsewhere))
}

/// Amounts are far below 2^63; what is not is no amount.
fn signed(atoms: u64) -> i64 {
    i64::try_from(atoms).unwrap_or(i64::MAX)
}
