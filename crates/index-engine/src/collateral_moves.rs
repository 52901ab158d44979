//! What moves collateral between its places, oldest lot first.

use crate::amounts::Atoms;
use crate::chain::Journal;
use crate::collateral::{
    Buckets, Collateral, CollateralAction, CollateralLot, CollateralMoved, Place, SpendLot,
};
use crate::roles::{Party, Role};
use crate::store::Pool;
use crate::{IndexError, Result};
use flagstone_interface::Key;

/// What a move touched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Touched {
    /// Number of the newest deposit touched.
    pub deposit: u64,
    /// Hash over deposit number and amount of each lot touched, chained.
    pub lots_hash: [u8; 32],
}

impl Touched {
    fn add(&mut self, deposit: u64, amount: Atoms, journal: &Journal) {
        self.deposit = self.deposit.max(deposit);
        let line = [deposit.to_le_bytes(), amount.0.to_le_bytes()];
        self.lots_hash = journal.hash(&[&self.lots_hash, &line[0], &line[1]]);
    }
}

const NOBODY: Key = [0; 32];

/// How long a deposit waits for the collateral manager before its owner may
/// take it back, in slots: about two hours. Not a limit of the desk, which
/// could then keep deposits for ever.
pub const RECLAIM_SLOTS: u32 = 18_000;

impl Collateral<'_> {
    /// Books a deposit: the collateral manager's, who saw it arrive, or the
    /// owner's, who sent it.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::ZeroAmount`],
    /// [`IndexError::DepositRepeated`], [`IndexError::LotsFull`].
    pub fn deposit(
        &mut self,
        party: &Party,
        deposit: u64,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<()> {
        if party.role() == Role::Owner {
            party.must_own(&self.position.owner)?;
            must_be_some(amount)?;
        } else {
            self.must_be_manager(party, amount)?;
        }
        if deposit <= self.position.deposit_last {
            return Err(IndexError::DepositRepeated);
        }
        self.position.totals.total()?.plus(amount)?;
        let lot = CollateralLot {
            deposit,
            original: amount,
            buckets: Buckets {
                unconfirmed: amount,
                ..Buckets::default()
            },
            slot: journal.slot(),
            next: 0,
        };
        let mut list = self.position.lot_list;
        self.lot_pool()
            .append(&mut list, lot, IndexError::LotsFull)?;
        self.position.lot_list = list;
        self.position.deposit_last = deposit;
        let unconfirmed = &mut self.position.totals.unconfirmed;
        *unconfirmed = unconfirmed.plus(amount)?;
        let mut touched = Touched::default();
        touched.add(deposit, amount, journal);
        self.moved(
            CollateralAction::Deposit,
            NOBODY,
            amount,
            touched,
            party,
            journal,
        )
    }

    /// Routed collateral is ready.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`], [`IndexError::ZeroAmount`],
    /// [`IndexError::NotEnoughCollateral`].
    pub fn make_ready(
        &mut self,
        manager: &Party,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<()> {
        self.must_be_manager(manager, amount)?;
        let touched = self.shift(Place::Unconfirmed, Place::Ready, amount, journal)?;
        self.moved(
            CollateralAction::MakeReady,
            NOBODY,
            amount,
            touched,
            manager,
            journal,
        )
    }

    /// Gives ready collateral back to its owner; the program pays it out.
    ///
    /// # Errors
    /// [`IndexError::WrongSigner`] unless the owner signs,
    /// [`IndexError::ZeroAmount`], [`IndexError::NotEnoughCollateral`].
    pub fn withdraw(&mut self, owner: &Party, amount: Atoms, journal: &mut Journal) -> Result<()> {
        owner.must_own(&self.position.owner)?;
        must_be_some(amount)?;
        let touched = self.shift(Place::Ready, Place::Withdrawn, amount, journal)?;
        self.moved(
            CollateralAction::Withdraw,
            NOBODY,
            amount,
            touched,
            owner,
            journal,
        )
    }

    /// Gives collateral that was never routed back to its owner, when the
    /// collateral manager has had [`RECLAIM_SLOTS`] for it; the program pays it out.
    ///
    /// # Errors
    /// As [`Collateral::withdraw`], and [`IndexError::TooEarly`] when a deposit
    /// that it would take from is younger.
    pub fn reclaim(&mut self, owner: &Party, amount: Atoms, journal: &mut Journal) -> Result<()> {
        owner.must_own(&self.position.owner)?;
        must_be_some(amount)?;
        let (now, mut left) = (journal.slot().0, amount);
        // Deposits are listed by age: those needed are the oldest unrouted.
        for lot in self
            .lots()
            .filter(|lot| lot.buckets.unconfirmed > Atoms::ZERO)
        {
            if left == Atoms::ZERO {
                break;
            }
            if now.saturating_sub(lot.slot.0) <= RECLAIM_SLOTS {
                return Err(IndexError::TooEarly);
            }
            left = left.minus(left.min(lot.buckets.unconfirmed))?;
        }
        let touched = self.shift(Place::Unconfirmed, Place::Withdrawn, amount, journal)?;
        self.moved(
            CollateralAction::Reclaim,
            NOBODY,
            amount,
            touched,
            owner,
            journal,
        )
    }

    /// Charges a routing fee to collateral that is still on its way.
    pub(crate) fn charge(
        &mut self,
        party: &Party,
        order: Key,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<()> {
        let touched = self.shift(Place::Unconfirmed, Place::Spent, amount, journal)?;
        self.moved(
            CollateralAction::Charge,
            order,
            amount,
            touched,
            party,
            journal,
        )
    }

    /// Sets ready collateral aside for an order, with a spend lot per deposit.
    pub(crate) fn authorise(
        &mut self,
        party: &Party,
        order: Key,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<()> {
        let mut left = amount;
        let mut touched = Touched::default();
        let mut index = self.position.lot_list.first;
        while left > Atoms::ZERO && index != 0 {
            let lot = self.lot_pool().at(index).copied()?;
            let part = left.min(lot.buckets.ready);
            if part > Atoms::ZERO {
                let mut pool = self.lot_pool();
                let buckets = &mut pool.at_mut(index)?.buckets;
                buckets.shift(Place::Ready, Place::Authorised, part)?;
                self.append_spend(order, index, lot.deposit, part)?;
                touched.add(lot.deposit, part, journal);
                left = left.minus(part)?;
            }
            index = lot.next;
        }
        if left > Atoms::ZERO {
            return Err(IndexError::NotEnoughCollateral);
        }
        let totals = &mut self.position.totals;
        totals.shift(Place::Ready, Place::Authorised, amount)?;
        self.moved(
            CollateralAction::Authorise,
            order,
            amount,
            touched,
            party,
            journal,
        )
    }

    /// Pays `amount` of what an order has set aside, oldest deposit first.
    pub(crate) fn confirm(
        &mut self,
        party: &Party,
        order: Key,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<Touched> {
        let touched = self.settle_spends(order, amount, Place::Spent, journal)?;
        self.moved(
            CollateralAction::Confirm,
            order,
            amount,
            touched,
            party,
            journal,
        )?;
        Ok(touched)
    }

    /// Frees `amount` of what an order has set aside. Oldest deposit first as
    /// everything else, so that the lots stay in order.
    pub(crate) fn release(
        &mut self,
        party: &Party,
        order: Key,
        amount: Atoms,
        journal: &mut Journal,
    ) -> Result<()> {
        let touched = self.settle_spends(order, amount, Place::Ready, journal)?;
        self.moved(
            CollateralAction::Release,
            order,
            amount,
            touched,
            party,
            journal,
        )
    }

    /// Drops the spend lots of an order that has nothing set aside any more,
    /// so that their places can be used again. The chain keeps them.
    pub(crate) fn archive(
        &mut self,
        party: &Party,
        order: Key,
        journal: &mut Journal,
    ) -> Result<()> {
        let mut touched = Touched::default();
        let mut amount = Atoms::ZERO;
        let (mut before, mut index) = (0, self.position.spend_list.first);
        while index != 0 {
            let spend = self.spend_pool().at(index).copied()?;
            if spend.order == order {
                if spend.authorised > Atoms::ZERO {
                    return Err(IndexError::Incomplete);
                }
                amount = amount.plus(spend.spent)?;
                touched.add(spend.deposit, spend.spent, journal);
                self.remove_spend(before, index)?;
            } else {
                before = index;
            }
            index = spend.next;
        }
        self.moved(
            CollateralAction::Archive,
            order,
            amount,
            touched,
            party,
            journal,
        )
    }

    fn must_be_manager(&self, manager: &Party, amount: Atoms) -> Result<()> {
        manager.must_be(Role::CollateralManager, &self.position.desk)?;
        must_be_some(amount)
    }

    /// Moves `amount` between two places, oldest lots first.
    fn shift(
        &mut self,
        from: Place,
        to: Place,
        amount: Atoms,
        journal: &Journal,
    ) -> Result<Touched> {
        let mut left = amount;
        let mut touched = Touched::default();
        let (mut before, mut index) = (0, self.position.lot_list.first);
        while left > Atoms::ZERO && index != 0 {
            let mut pool = self.lot_pool();
            let lot = pool.at_mut(index)?;
            let (deposit, next) = (lot.deposit, lot.next);
            let part = left.min(*lot.buckets.place(from));
            if part > Atoms::ZERO {
                lot.buckets.shift(from, to, part)?;
                touched.add(deposit, part, journal);
                left = left.minus(part)?;
            }
            if !self.close(before, index)? {
                before = index;
            }
            index = next;
        }
        if left > Atoms::ZERO {
            return Err(IndexError::NotEnoughCollateral);
        }
        self.position.totals.shift(from, to, amount)?;
        Ok(touched)
    }

    /// Moves what an order has set aside to `to`, oldest deposit first.
    fn settle_spends(
        &mut self,
        order: Key,
        amount: Atoms,
        to: Place,
        journal: &Journal,
    ) -> Result<Touched> {
        let mut left = amount;
        let mut touched = Touched::default();
        let (mut before, mut index) = (0, self.position.spend_list.first);
        while left > Atoms::ZERO && index != 0 {
            let mut spend = self.spend_pool().at(index).copied()?;
            let next = spend.next;
            let part = left.min(spend.authorised);
            if spend.order != order || part == Atoms::ZERO {
                (before, index) = (index, next);
                continue;
            }
            spend.authorised = spend.authorised.minus(part)?;
            if to == Place::Spent {
                spend.spent = spend.spent.plus(part)?;
            }
            *self.spend_pool().at_mut(index)? = spend;
            self.lot_pool()
                .at_mut(spend.lot)?
                .buckets
                .shift(Place::Authorised, to, part)?;
            touched.add(spend.deposit, part, journal);
            left = left.minus(part)?;
            if spend.authorised == Atoms::ZERO && spend.spent == Atoms::ZERO {
                self.remove_spend(before, index)?;
            } else {
                before = index;
            }
            index = next;
        }
        if left > Atoms::ZERO {
            return Err(IndexError::NotEnoughCollateral);
        }
        self.close_lots()?;
        self.position.totals.shift(Place::Authorised, to, amount)?;
        Ok(touched)
    }

    fn append_spend(&mut self, order: Key, lot: u32, deposit: u64, amount: Atoms) -> Result<()> {
        let spend = SpendLot {
            order,
            authorised: amount,
            spent: Atoms::ZERO,
            deposit,
            lot,
            next: 0,
        };
        let mut list = self.position.spend_list;
        self.spend_pool()
            .append(&mut list, spend, IndexError::SpendsFull)?;
        self.position.spend_list = list;
        Ok(())
    }

    fn remove_spend(&mut self, before: u32, index: u32) -> Result<()> {
        let mut list = self.position.spend_list;
        self.spend_pool().remove(&mut list, before, index)?;
        self.position.spend_list = list;
        Ok(())
    }

    /// Frees the lot if nothing in it can move any more.
    fn close(&mut self, before: u32, index: u32) -> Result<bool> {
        if !self.lot_pool().at(index)?.buckets.is_closed() {
            return Ok(false);
        }
        let mut list = self.position.lot_list;
        self.lot_pool().remove(&mut list, before, index)?;
        self.position.lot_list = list;
        Ok(true)
    }

    fn close_lots(&mut self) -> Result<()> {
        let (mut before, mut index) = (0, self.position.lot_list.first);
        while index != 0 {
            let next = self.lot_pool().after(index)?;
            if !self.close(before, index)? {
                before = index;
            }
            index = next;
        }
        Ok(())
    }

    fn spend_pool(&mut self) -> Pool<'_, SpendLot> {
        Pool {
            head: &mut self.position.spends,
            items: self.spends,
        }
    }

    fn moved(
        &mut self,
        action: CollateralAction,
        order: Key,
        amount: Atoms,
        touched: Touched,
        party: &Party,
        journal: &mut Journal,
    ) -> Result<()> {
        let event = CollateralMoved {
            action: action as u8,
            padding: [0; 7],
            order,
            amount,
            deposit: touched.deposit,
            lots_hash: touched.lots_hash,
            after: self.position.totals,
        };
        journal.record(&mut self.position.chain, party, &event)
    }
}

fn must_be_some(amount: Atoms) -> Result<()> {
    if amount == Atoms::ZERO {
        return Err(IndexError::ZeroAmount);
    }
    Ok(())
}
