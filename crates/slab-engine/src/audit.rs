//! Every invariant of a slab, recomputed from nothing.
//!
//! Slow and independent of the code that maintains them; for tests, the demo
//! and simulations. Whatever bytes [`Slab::open`] accepted, it answers, and never
//! panics.

mod queues;

use crate::Slab;
use crate::deficits::profit_left;
use crate::layout::{Instrument, Level, Order, Position};
use crate::pools::{Item, Pool};
use flagstone_interface::slab::{
    PoolHeader, PoolId, Reservation, SlabAccount, WideTotal, account_flags,
};
use flagstone_units::{Side, Ticks};

/// Sums over a slab, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Cash of all accounts.
    pub cash_atoms: i128,
    /// Cost of all positions; unrealised PnL at any mark sums to minus this.
    pub cost_atoms: i128,
    /// Fees kept.
    pub fees_atoms: i128,
    /// Collected by haircuts and funding, less what they paid.
    pub pools_atoms: i128,
    /// What rounding took of the funding paid and still to be paid: never negative.
    pub funding_left_atoms: i128,
    /// Deposits and cover received, less releases.
    pub received_atoms: i128,
}

/// What a link outside its pool breaks.
const NOWHERE: &str = "a link leads nowhere";

/// The first broken invariant, in words.
pub type Audited = Result<Totals, &'static str>;

macro_rules! ensure {
    ($condition:expr, $broken:literal) => {
        if !$condition {
            return Err($broken);
        }
    };
}
use ensure;

impl Slab<'_> {
    /// Checks pools, books, accounts and conservation.
    ///
    /// # Errors
    /// The first invariant that does not hold.
    pub fn audit(&self) -> Audited {
        self.audit_pools()?;
        let mut orders = 0;
        let mut levels = 0;
        for number in 0..self.header.pool(PoolId::Instruments).high_water {
            for side in [Side::Bid, Side::Ask] {
                let (book_levels, book_orders) = self.audit_book(number as u8, side)?;
                levels += book_levels;
                orders += book_orders;
            }
            orders += self.audit_pending(number as u8)?;
        }
        ensure!(
            orders == self.header.pool(PoolId::Orders).live,
            "an order neither rests nor waits"
        );
        ensure!(
            levels == self.header.pool(PoolId::Levels).live,
            "a level belongs to no book"
        );
        self.audit_accounts()?;
        self.audit_instruments()?;
        self.audit_holds()?;
        self.audit_root()?;
        self.audit_held_lots()?;
        self.audit_deficit()?;
        self.audit_profits()?;
        self.conservation()
    }

    /// Sum of cash less cost plus fees and pools equals what came in, to the atom.
    ///
    /// # Errors
    /// When it does not.
    pub fn conservation(&self) -> Audited {
        let mut totals = Totals::default();
        for (_, account) in self.accounts.iter() {
            if account.flags & account_flags::OPEN != 0 {
                totals.cash_atoms += i128::from(account.cash_atoms);
            }
        }
        for (_, position) in self
            .positions
            .iter()
            .filter(|(_, position)| position.used != 0)
        {
            totals.cost_atoms += i128::from(position.cost_atoms);
        }
        let header = &self.header;
        totals.fees_atoms = narrow(header.fees_out_total)? + narrow(header.insurance_due_total)?;
        totals.funding_left_atoms = i128::from(header.funding_pool_atoms) + self.funding_owed()?;
        totals.received_atoms = narrow(header.deposits_total)?
            + narrow(header.debits_total)?
            + narrow(header.covered_total)?
            - narrow(header.released_total)?;
        totals.pools_atoms =
            i128::from(header.haircut_pool_atoms) + i128::from(header.funding_pool_atoms);
        let held = totals.cash_atoms - totals.cost_atoms + totals.fees_atoms + totals.pools_atoms;
        ensure!(held == totals.received_atoms, "value was lost or created");
        // Longs and shorts are equal, so what is left over is what rounding
        // took from them.
        ensure!(
            totals.funding_left_atoms >= 0,
            "more funding is due than was paid"
        );
        Ok(totals)
    }

    fn audit_pools(&self) -> Result<(), &'static str> {
        audit_pool(
            self.header.pool(PoolId::Orders),
            &self.orders,
            |order: &Order| order.next,
        )?;
        audit_pool(
            self.header.pool(PoolId::Levels),
            &self.levels,
            |level: &Level| level.head,
        )?;
        audit_pool(
            self.header.pool(PoolId::Positions),
            &self.positions,
            |position: &Position| position.next_in_account,
        )?;
        audit_pool(
            self.header.pool(PoolId::Accounts),
            &self.accounts,
            |account| account.positions_head,
        )?;
        audit_pool(
            self.header.pool(PoolId::Reservations),
            &self.reservations,
            |hold| hold.slices_head,
        )?;
        audit_pool(self.header.pool(PoolId::Slices), &self.slices, |slice| {
            slice.next
        })
    }

    /// Levels and orders of one side.
    fn audit_book(&self, number: u8, side: Side) -> Result<(u32, u32), &'static str> {
        let book = &self.instruments[number as usize].books[side.index()];
        let (mut levels, mut orders) = (0, 0);
        let (mut index, mut before, mut lots) = (book.best, 0, 0u64);
        while index != 0 {
            let level = self.levels.get(index).ok_or(NOWHERE)?;
            ensure!(
                level.prev == before,
                "a level does not know its better neighbour"
            );
            ensure!(
                level.side == side as u8 && level.instrument == number,
                "a level is misfiled"
            );
            ensure!(
                self.find(book.root, side, level.ticks) == index,
                "a level is not in the tree"
            );
            if before != 0 {
                let better = self.levels.get(before).ok_or(NOWHERE)?.ticks;
                let ordered = match side {
                    Side::Bid => better > level.ticks,
                    Side::Ask => better < level.ticks,
                };
                ensure!(ordered, "levels are out of order");
            }
            orders += self.audit_level(index)?;
            levels += 1;
            lots += u64::from(level.lots.0);
            (before, index) = (index, level.next);
        }
        ensure!(levels == book.levels, "the count of levels is wrong");
        ensure!(orders == book.orders, "the count of orders is wrong");
        let resting = self.instruments[number as usize].resting_lots[side.index()];
        ensure!(lots == resting, "the lots of a side are wrong");
        Ok((levels, orders))
    }

    fn audit_level(&self, index: u32) -> Result<u32, &'static str> {
        let level = self.levels.get(index).ok_or(NOWHERE)?;
        ensure!(level.head != 0, "a level is empty");
        let tail = self.orders.get(level.head).ok_or(NOWHERE)?.prev;
        let (mut order_index, mut before, mut count, mut lots) = (level.head, tail, 0, 0u64);
        while order_index != 0 {
            let order = self.orders.get(order_index).ok_or(NOWHERE)?;
            // The head's `prev` is the tail, so a circle has correct links.
            ensure!(count < self.orders.capacity(), "a queue does not end");
            ensure!(order.is_live(), "a freed order rests at a level");
            ensure!(!order.is_pending(), "an order that waits rests at a level");
            let filed = order.side() as u8 == level.side && order.instrument == level.instrument;
            ensure!(filed, "an order rests in another's book");
            ensure!(
                order.level == index && order.ticks == level.ticks,
                "an order is misfiled"
            );
            ensure!(order.prev == before, "an order does not know its elder");
            ensure!(
                order.reserved_lots <= order.lots,
                "more is reserved than rests"
            );
            ensure!(order.lots.0 > 0, "an order is empty");
            lots += u64::from(order.lots.0);
            count += 1;
            (before, order_index) = (order_index, order.next);
        }
        ensure!(before == tail, "a level does not know its youngest order");
        ensure!(
            lots == u64::from(level.lots.0),
            "the quantity of a level is wrong"
        );
        Ok(count)
    }

    /// Searches the tree without the engine's own code.
    fn find(&self, root: u32, side: Side, ticks: Ticks) -> u32 {
        let key = if side == Side::Bid { !ticks.0 } else { ticks.0 };
        let mut link = root;
        for _ in 0..=32 {
            if link & 1 == 1 {
                return link >> 1;
            }
            let Some(node) = self.levels.get(link >> 1) else {
                return 0;
            };
            link = node.child[usize::from(key & (1 << (node.bit & 31)) != 0)];
        }
        0
    }

    fn audit_accounts(&self) -> Result<(), &'static str> {
        let (mut orders, mut positions) = (0, 0);
        let mut taken = 0;
        for (index, account) in self.accounts.iter() {
            taken += audit_stage(account)?;
            if account.flags & account_flags::OPEN == 0 {
                continue;
            }
            let owned = self.count_orders(index, account.orders_head)?;
            ensure!(
                owned == u32::from(account.orders_count),
                "an account miscounts its orders"
            );
            let held = self.audit_positions(index, account.positions_head)?;
            ensure!(
                held == u32::from(account.positions_count),
                "an account miscounts positions"
            );
            orders += owned;
            positions += held;
        }
        ensure!(
            taken == self.header.pool(PoolId::Accounts).live,
            "an account is neither open, closed nor free"
        );
        ensure!(
            orders == self.header.pool(PoolId::Orders).live,
            "an order belongs to no account"
        );
        ensure!(
            positions == self.header.pool(PoolId::Positions).live,
            "a position has no account"
        );
        Ok(())
    }

    fn count_orders(&self, account: u32, head: u32) -> Result<u32, &'static str> {
        let (mut index, mut before, mut count) = (head, 0, 0);
        while index != 0 {
            let order = self.orders.get(index).ok_or(NOWHERE)?;
            ensure!(
                u32::from(order.account) == account,
                "an order is in another's list"
            );
            ensure!(
                order.prev_in_account == before,
                "an account's order list is broken"
            );
            let position = self.positions.get(order.position).ok_or(NOWHERE)?;
            let matches = position.used != 0
                && u32::from(position.account) == account
                && position.instrument == order.instrument;
            ensure!(matches, "an order points to another's position");
            count += 1;
            (before, index) = (index, order.next_in_account);
        }
        Ok(count)
    }

    fn audit_positions(&self, account: u32, head: u32) -> Result<u32, &'static str> {
        let (mut index, mut count, mut seen) = (head, 0, 0u32);
        while index != 0 {
            let position = self.positions.get(index).ok_or(NOWHERE)?;
            ensure!(
                u32::from(position.account) == account,
                "a position is in another's list"
            );
            let instruments = self.header.pool(PoolId::Instruments).high_water;
            ensure!(
                u32::from(position.instrument) < instruments,
                "a position is in no instrument"
            );
            ensure!(
                seen & 1 << position.instrument == 0,
                "two positions in one instrument"
            );
            ensure!(
                position.lots.0 != 0 || position.cost_atoms == 0,
                "a flat position has a cost"
            );
            seen |= 1 << position.instrument;
            let (mut bids, mut asks) = (0u64, 0u64);
            let mut order_index = self.accounts[account].orders_head;
            while order_index != 0 {
                let order = self.orders.get(order_index).ok_or(NOWHERE)?;
                if order.position == index {
                    match order.side() {
                        Side::Bid => bids += u64::from(order.lots.0),
                        Side::Ask => asks += u64::from(order.lots.0),
                    }
                }
                order_index = order.next_in_account;
            }
            let open = (
                u64::from(position.open_bid_lots.0),
                u64::from(position.open_ask_lots.0),
            );
            ensure!((bids, asks) == open, "open lots are wrong");
            let used = position.lots.0 != 0 || open != (0, 0);
            ensure!(used, "an empty position takes room");
            count += 1;
            index = position.next_in_account;
        }
        Ok(count)
    }

    /// Longs equal shorts in every instrument.
    fn audit_instruments(&self) -> Result<(), &'static str> {
        for number in 0..self.header.pool(PoolId::Instruments).high_water {
            let (mut net, mut long) = (0i64, 0u64);
            for (_, position) in self
                .positions
                .iter()
                .filter(|(_, position)| position.used != 0)
            {
                if u32::from(position.instrument) == number {
                    net += i64::from(position.lots.0);
                    long += position.lots.0.max(0) as u64;
                }
            }
            ensure!(net == 0, "longs and shorts differ");
            let interest = self.instruments[number as usize].open_interest_lots;
            ensure!(long == interest, "open interest is wrong");
            audit_mark(&self.instruments[number as usize])?;
        }
        Ok(())
    }
}

/// A total as a number that can be added to others.
fn narrow(total: WideTotal) -> Result<i128, &'static str> {
    match i128::try_from(total.get()) {
        Ok(atoms) if atoms < 1 << 100 => Ok(atoms),
        _ => Err("a total is out of range"),
    }
}

/// Mark and index are prices, and only an oracle's mark can go stale.
fn audit_mark(instrument: &Instrument) -> Result<(), &'static str> {
    let is_price = |ticks: Ticks| ticks.0 > 0 && ticks <= instrument.price_max;
    ensure!(is_price(instrument.mark), "the mark is no price");
    ensure!(
        instrument.mark_moved <= instrument.mark_slot,
        "the mark moved without a look"
    );
    if !instrument.has_oracle() {
        let never = instrument.index == Ticks::ZERO && instrument.index_slot.0 == 0;
        ensure!(never, "a book's mark has an index");
        let forever = instrument.fresh_until.0 == u32::MAX;
        ensure!(forever, "a book's mark goes stale");
        return Ok(());
    }
    if instrument.index == Ticks::ZERO {
        let silent = instrument.fresh_until.0 == 0 && instrument.index_slot.0 == 0;
        ensure!(silent, "the mark is fresh without an index");
        return Ok(());
    }
    ensure!(is_price(instrument.index), "the index is no price");
    let dated = instrument.index_slot.0 > 0 && instrument.index_slot <= instrument.fresh_until;
    ensure!(dated, "the index is stale before it was posted");
    Ok(())
}

impl Slab<'_> {
    fn open_accounts(&self) -> impl Iterator<Item = &SlabAccount> {
        let accounts = self.accounts.iter().map(|(_, account)| account);
        accounts.filter(|account| account.flags & account_flags::OPEN != 0)
    }

    /// The recognised deficit is what bankrupt accounts owe, and they have
    /// nothing left that could change it.
    fn audit_deficit(&self) -> Result<(), &'static str> {
        let mut deficit = 0u128;
        for account in self.open_accounts() {
            let principal = i128::from(account.principal_atoms);
            let cash = i128::from(account.cash_atoms.max(0));
            ensure!(principal <= cash, "principal was lost and still counts");
            if account.is_bankrupt() {
                let empty = account.positions_head == 0
                    && account.orders_head == 0
                    && account.holds_count == 0;
                ensure!(empty, "a bankrupt account still trades");
                ensure!(account.cash_atoms < 0, "a bankrupt account owes nothing");
                deficit += u128::from(account.debt_atoms());
            }
        }
        ensure!(
            deficit == u128::from(self.header.deficit_atoms),
            "the recognised deficit is wrong"
        );
        Ok(())
    }

    /// Profits, as stored and as they are after every haircut, agree with the
    /// header; what was paid ahead can be collected.
    fn audit_profits(&self) -> Result<(), &'static str> {
        let header = &self.header;
        let (mut stored, mut real) = (0i128, 0i128);
        for account in self.open_accounts() {
            let profit = account.profit_atoms();
            let left = profit_left(profit, account.haircut_index, header.haircut_index);
            stored += i128::from(profit);
            real += i128::from(left);
        }
        let pool = i128::from(header.haircut_pool_atoms);
        let total = i128::from(header.profit_total_atoms);
        let spare = i128::from(header.haircut_spare_atoms);
        ensure!(total + spare == stored + pool, "profits are miscounted");
        ensure!(real <= total, "profits are above their sum");
        ensure!(
            pool + stored - real >= 0,
            "a haircut paid what it cannot collect"
        );
        Ok(())
    }
}

/// What the live holds add up to.
#[derive(Clone, Copy, Default)]
struct HoldSums {
    holds: u64,
    slices: u32,
    lots: u64,
    bonds: u128,
}

impl Slab<'_> {
    /// Reserved quantity is exactly what live holds captured.
    fn audit_holds(&self) -> Result<(), &'static str> {
        let mut sums = HoldSums::default();
        let mut records = 0;
        for (_, hold) in self.reservations.iter() {
            records += u32::from(hold.is_held() || hold.is_committed());
            if hold.is_held() {
                self.audit_hold(hold, &mut sums)?;
            }
            sums.holds += u64::from(hold.is_held() || hold.is_committed());
        }
        let pool = self.header.pool(PoolId::Reservations);
        ensure!(records == pool.live, "a hold record was lost");
        self.audit_wheel()?;
        ensure!(
            sums.slices == self.header.pool(PoolId::Slices).live,
            "a slice belongs to no hold"
        );
        let reserved = self.orders.iter().filter(|(_, order)| order.is_live());
        let reserved: u64 = reserved
            .map(|(_, order)| u64::from(order.reserved_lots.0))
            .sum();
        ensure!(reserved == sums.lots, "reserved lots belong to no hold");
        let open = self
            .accounts
            .iter()
            .filter(|(_, account)| account.flags & account_flags::OPEN != 0);
        let (mut holds, mut bonds) = (0u64, 0u128);
        for (_, account) in open {
            holds += u64::from(account.holds_count);
            bonds += u128::from(account.bond_atoms);
        }
        ensure!(holds == sums.holds, "an account miscounts its holds");
        ensure!(bonds == sums.bonds, "a bond belongs to no hold");
        Ok(())
    }

    fn audit_hold(&self, hold: &Reservation, sums: &mut HoldSums) -> Result<(), &'static str> {
        let (mut index, mut lots) = (hold.slices_head, 0u64);
        while index != 0 {
            ensure!(
                sums.slices < self.slices.capacity(),
                "a list of slices does not end"
            );
            let slice = self.slices.get(index).ok_or(NOWHERE)?;
            let order = self.orders.get(slice.order).ok_or(NOWHERE)?;
            ensure!(order.is_live(), "a slice captured a freed order");
            ensure!(order.ticks == slice.ticks, "a slice captured another price");
            ensure!(slice.lots <= order.reserved_lots, "a slice is not reserved");
            lots += u64::from(slice.lots.0);
            sums.slices += 1;
            index = slice.next;
        }
        ensure!(lots == u64::from(hold.lots), "a hold miscounts its lots");
        sums.lots += lots;
        sums.bonds += u128::from(hold.bond_atoms);
        Ok(())
    }
}

/// An account is open, closed or free; 1 when it is not free.
fn audit_stage(account: &SlabAccount) -> Result<u32, &'static str> {
    let open = account.flags & account_flags::OPEN != 0;
    let closed = account.flags & account_flags::CLOSED != 0;
    let bound = account.escrow != [0; 32];
    ensure!(!(open && closed), "an account is open and closed");
    ensure!(bound == (open || closed), "a free account has an escrow");
    ensure!(
        open || account.is_empty() && account.orders_head == 0 && account.principal_atoms == 0,
        "an account that is not open holds something"
    );
    ensure!(
        !closed || account.positions_head == 0,
        "a closed account has a position"
    );
    Ok(u32::from(open || closed))
}

/// The free list is as long as the directory says, and ends.
fn audit_pool<T: Item>(
    header: &PoolHeader,
    pool: &Pool<'_, T>,
    link: impl Fn(&T) -> u32,
) -> Result<(), &'static str> {
    ensure!(
        header.high_water <= pool.capacity(),
        "a pool's mark is beyond its end"
    );
    let (mut index, mut free) = (header.free_head, 0);
    while index != 0 {
        ensure!(
            index <= header.high_water,
            "a free item lies above the mark"
        );
        ensure!(free < pool.capacity(), "a free list does not end");
        free += 1;
        index = link(pool.get(index).ok_or(NOWHERE)?);
    }
    ensure!(
        header.live.checked_add(free) == Some(header.high_water),
        "a pool lost an item"
    );
    Ok(())
}
