//! Lots of a batch changing hands: to members, from and to the carry-over.

use crate::amounts::{ONE, Quantity, Tokens, mul_div_ceil, mul_div_floor, slice};
use crate::batch::{Batch, BatchLot, Cell};
use crate::members::Line;
use crate::{IndexError, Result};

impl Batch<'_> {
    /// Takes lots for `quantity` more tokens of a member; how many lines it wrote.
    pub(crate) fn take_lots(
        &mut self,
        position: usize,
        quantity: Tokens,
        lines: &mut [Line],
    ) -> Result<usize> {
        let member = self.members[position];
        let target = member.filled.plus(quantity)?;
        let mut used = 0;
        for at in 0..self.assets().len() {
            let cell = self.cells(position).get(at).copied();
            let cell = cell.ok_or(IndexError::OutOfOrder)?;
            // Cumulative and rounded up: at the last token it is the contribution.
            let due = needed(&cell, target, member.tokens)?;
            let mut left = due.minus(cell.taken)?;
            self.cells[position * self.assets.len() + at].taken = due;
            self.assets[at].taken = self.assets[at].taken.plus(left)?;
            while !left.is_zero() {
                let line = lines.get_mut(used).ok_or(IndexError::ScratchFull)?;
                *line = self.take_oldest(at, left)?;
                left = left.minus(line.quantity)?;
                used += 1;
            }
        }
        Ok(used)
    }

    /// Takes up to `most` of the oldest lot of an asset.
    fn take_oldest(&mut self, at: usize, most: Quantity) -> Result<Line> {
        let mut list = self.assets[at].lots;
        let index = list.first;
        let mut pool = self.lot_pool();
        let lot = pool.at_mut(index).map_err(|_| IndexError::AboveFill)?;
        let quantity = most.least(lot.remaining);
        let line = Line {
            asset: at as u32,
            padding: 0,
            fill: lot.fill,
            quantity,
            cost: slice(lot.cost, quantity, lot.remaining, lot.original)?,
            fee: slice(lot.fee, quantity, lot.remaining, lot.original)?,
        };
        lot.remaining = lot.remaining.minus(quantity)?;
        if lot.remaining.is_zero() {
            pool.remove(&mut list, 0, index)?;
            self.assets[at].lots = list;
        }
        Ok(line)
    }

    pub(crate) fn append_lot(&mut self, asset: u32, lot: BatchLot) -> Result<()> {
        let mut list = self.asset(asset as usize)?.lots;
        self.lot_pool()
            .append(&mut list, lot, IndexError::LotsFull)?;
        self.assets[asset as usize].lots = list;
        Ok(())
    }

    /// Takes a carried lot in; it cancels as much of the exchange order.
    pub(crate) fn take_in(&mut self, asset: u32, lot: &BatchLot) -> Result<()> {
        let target = self.asset(asset as usize)?;
        target.carried = target.carried.plus(lot.remaining)?;
        self.append_lot(asset, *lot)
    }

    /// Gives the oldest lot of an asset out.
    pub(crate) fn give_out(&mut self, asset: u32) -> Result<Option<BatchLot>> {
        let mut list = self.asset(asset as usize)?.lots;
        if list.first == 0 {
            return Ok(None);
        }
        let lot = self.lot_pool().at(list.first).copied()?;
        let first = list.first;
        self.lot_pool().remove(&mut list, 0, first)?;
        self.assets[asset as usize].lots = list;
        Ok(Some(lot))
    }
}

/// Tokens that a position supports for a cell: `floor(min(P F, C) tokens / C)`.
pub(crate) fn supported(cell: &Cell, position: Quantity, tokens: Tokens) -> Result<Tokens> {
    let share = mul_div_floor(position.get(), u128::from(cell.fraction.0), u128::from(ONE))?;
    let available = Quantity::new(share).least(cell.contribution);
    let most = mul_div_floor(
        available.get(),
        u128::from(tokens.0),
        cell.contribution.get(),
    )?;
    Ok(Tokens(most as u64))
}

/// Quantity of a cell's asset in `filled` of `tokens` tokens, rounded up.
fn needed(cell: &Cell, filled: Tokens, tokens: Tokens) -> Result<Quantity> {
    let due = mul_div_ceil(
        cell.contribution.get(),
        u128::from(filled.0),
        u128::from(tokens.0),
    )?;
    Ok(Quantity::new(due))
}
