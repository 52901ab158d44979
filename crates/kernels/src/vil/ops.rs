//! What the operations do to the stack. None of them knows of code or storage.

use super::error::VilError;
use super::join::{self, JoinCost, JoinRule, JoinVariant};
use super::memory::{Block, Memory, Slot};
use crate::compat;

/// Arithmetic of one pair of elements.
pub(crate) type Binary = fn(u128, u128) -> Result<u128, VilError>;

/// Sum of two numbers with 18 decimals.
pub(crate) fn add(left: u128, right: u128) -> Result<u128, VilError> {
    compat::add(left, right).map_err(VilError::from)
}

/// Difference; an error below zero.
pub(crate) fn sub(left: u128, right: u128) -> Result<u128, VilError> {
    compat::sub(left, right).map_err(VilError::from)
}

/// Difference held at zero.
pub(crate) fn saturating_sub(left: u128, right: u128) -> Result<u128, VilError> {
    Ok(left.saturating_sub(right))
}

/// Product rounded down.
pub(crate) fn mul(left: u128, right: u128) -> Result<u128, VilError> {
    compat::mul(left, right).map_err(VilError::from)
}

/// Quotient rounded down.
pub(crate) fn div(left: u128, right: u128) -> Result<u128, VilError> {
    compat::div(left, right).map_err(VilError::from)
}

/// The lesser.
pub(crate) fn min(left: u128, right: u128) -> Result<u128, VilError> {
    Ok(left.min(right))
}

/// The greater.
pub(crate) fn max(left: u128, right: u128) -> Result<u128, VilError> {
    Ok(left.max(right))
}

/// `top = top op operand`, with a vector on top the operand may be a scalar.
///
/// # Errors
/// [`VilError::InvalidOperand`], [`VilError::NotAligned`], and those of `op`.
pub(crate) fn binary(memory: &mut Memory, position: usize, op: Binary) -> Result<(), VilError> {
    let other = memory.at(position)?;
    let top = memory.index(0)?;
    match (memory.slot(top), other) {
        (Slot::Scalar(left), Slot::Scalar(right)) => {
            memory.replace(top, Slot::Scalar(op(left, right)?));
        }
        (Slot::Vector(block), Slot::Scalar(right)) => {
            memory.charge(block.len())?;
            for element in memory.words_mut(block)? {
                *element = op(*element, right)?;
            }
        }
        (Slot::Vector(block), Slot::Vector(_)) if position == 0 => {
            memory.charge(block.len())?;
            for element in memory.words_mut(block)? {
                *element = op(*element, *element)?;
            }
        }
        (Slot::Vector(left), Slot::Vector(right)) => zip(memory, left, right, op)?,
        _ => return Err(VilError::InvalidOperand),
    }
    Ok(())
}

fn zip(memory: &mut Memory, left: Block, right: Block, op: Binary) -> Result<(), VilError> {
    if left.len() != right.len() {
        return Err(VilError::NotAligned);
    }
    memory.charge(left.len())?;
    let (elements, rest) = memory.isolate(left)?;
    for (element, other) in elements.iter_mut().zip(rest.get(right)?) {
        *element = op(*element, *other)?;
    }
    Ok(())
}

/// `MIN` and `MAX`: as [`binary`], but a scalar is not broadcast and the top is no operand.
///
/// # Errors
/// [`VilError::OutOfRange`] for position 0, else as [`binary`].
pub(crate) fn extremum(memory: &mut Memory, position: usize, op: Binary) -> Result<(), VilError> {
    let other = below(memory, position)?;
    match (memory.at(0)?, memory.slot(other)) {
        (Slot::Scalar(_), Slot::Scalar(_)) | (Slot::Vector(_), Slot::Vector(_)) => {
            binary(memory, position, op)
        }
        _ => Err(VilError::InvalidOperand),
    }
}

/// Slot of an operand that must not be the top.
///
/// # Errors
/// Those of [`Memory::index`], then [`VilError::OutOfRange`] for the top itself.
pub(crate) fn below(memory: &Memory, position: usize) -> Result<usize, VilError> {
    let index = memory.index(position)?;
    if position == 0 {
        Err(VilError::OutOfRange)
    } else {
        Ok(index)
    }
}

/// Square root of the top, element by element.
///
/// # Errors
/// [`VilError::InvalidOperand`] on labels.
pub(crate) fn sqrt(memory: &mut Memory) -> Result<(), VilError> {
    let top = memory.index(0)?;
    match memory.slot(top) {
        Slot::Scalar(value) => memory.replace(top, Slot::Scalar(compat::sqrt(value))),
        Slot::Vector(block) => {
            memory.charge(block.len())?;
            for element in memory.words_mut(block)? {
                *element = compat::sqrt(*element);
            }
        }
        _ => return Err(VilError::InvalidOperand),
    }
    Ok(())
}

/// Replaces the vector on top by one number, folding its elements from `start`.
///
/// # Errors
/// [`VilError::InvalidOperand`] on anything else,
/// [`VilError::EmptyVector`] when it must have elements and has none.
pub(crate) fn reduce(
    memory: &mut Memory,
    start: u128,
    op: Binary,
    needs_elements: bool,
) -> Result<(), VilError> {
    let Slot::Vector(block) = memory.at(0)? else {
        return Err(VilError::InvalidOperand);
    };
    if needs_elements && block.len() == 0 {
        return Err(VilError::EmptyVector);
    }
    memory.charge(block.len())?;
    let result = memory
        .words(block)?
        .iter()
        .try_fold(start, |result, element| op(result, *element))?;
    memory.replace_top(Slot::Scalar(result))
}

/// `PKV` (`labels` false) and `PKL`: packs the top `count` operands, the deepest first.
///
/// # Errors
/// [`VilError::StackUnderflow`], [`VilError::InvalidOperand`] on another kind.
pub(crate) fn pack(memory: &mut Memory, count: usize, labels: bool) -> Result<(), VilError> {
    let from = memory.offset(count)?;
    memory.charge(count)?;
    let block = memory.allocate(count)?;
    let mut sorted = true;
    let mut last = None;
    for element in 0..count {
        let value = match (memory.slot(from + element), labels) {
            (Slot::Scalar(value), false) | (Slot::Label(value), true) => value,
            _ => return Err(VilError::InvalidOperand),
        };
        sorted &= last.is_none_or(|last| last < value);
        last = Some(value);
        if let Some(word) = memory.words_mut(block)?.get_mut(element) {
            *word = value;
        }
    }
    memory.truncate(from);
    memory.push(if labels {
        Slot::Labels(block, sorted)
    } else {
        Slot::Vector(block)
    })
}

/// `UNPK`: replaces the list on top by its elements, the last on top.
///
/// # Errors
/// [`VilError::InvalidOperand`] on anything else, [`VilError::StackLimit`].
pub(crate) fn unpack(memory: &mut Memory) -> Result<(), VilError> {
    let list = memory.pop()?;
    let block = list.block().ok_or(VilError::InvalidOperand)?;
    memory.charge(block.len())?;
    for at in 0..block.len() {
        // Pushing does not allocate, so the popped list is still in its place.
        let element = element(memory, list, at)?;
        memory.push(element)?;
    }
    memory.release(list);
    Ok(())
}

/// One element of a list, as an operand.
///
/// # Errors
/// [`VilError::OutOfRange`] past its end, [`VilError::InvalidOperand`] on no list.
pub(crate) fn element(memory: &Memory, list: Slot, at: usize) -> Result<Slot, VilError> {
    let block = list.block().ok_or(VilError::InvalidOperand)?;
    let value = *memory.words(block)?.get(at).ok_or(VilError::OutOfRange)?;
    Ok(match list {
        Slot::Labels(..) => Slot::Label(value),
        _ => Slot::Scalar(value),
    })
}

/// `T`: the top `count` vectors of one length become as many vectors of length `count`.
///
/// # Errors
/// [`VilError::InvalidOperand`] for a count of 0, another kind or unequal lengths.
pub(crate) fn transpose(memory: &mut Memory, count: usize) -> Result<(), VilError> {
    if count == 0 {
        return Err(VilError::InvalidOperand);
    }
    let from = memory.offset(count)?;
    let mut length = None;
    for index in from..from + count {
        let Slot::Vector(block) = memory.slot(index) else {
            return Err(VilError::InvalidOperand);
        };
        if *length.get_or_insert(block.len()) != block.len() {
            return Err(VilError::InvalidOperand);
        }
    }
    let length = length.unwrap_or(0);
    let elements = count.checked_mul(length).ok_or(VilError::MemoryLimit)?;
    memory.charge(elements)?;
    let mut all = memory.allocate(elements)?;
    for column in 0..count {
        let Slot::Vector(block) = memory.slot(from + column) else {
            return Err(VilError::InvalidOperand);
        };
        let (into, rest) = memory.isolate(all)?;
        let column_of_rows = into.iter_mut().skip(column).step_by(count);
        for (to, value) in column_of_rows.zip(rest.get(block)?) {
            *to = *value;
        }
    }
    // The rows lie above the columns, whose words are a gap until the next slide.
    memory.truncate(from);
    for _ in 0..length {
        memory.push(Slot::Vector(all.take_front(count)))?;
    }
    Ok(())
}

/// `VPUSH` and `LPUSH`: appends to the list on top.
///
/// # Errors
/// [`VilError::InvalidOperand`] on another kind, [`VilError::MemoryLimit`].
pub(crate) fn append(memory: &mut Memory, value: u128, labels: bool) -> Result<(), VilError> {
    let old = list_on_top(memory, labels)?;
    memory.charge(old.len() + 1)?;
    let grown = memory.allocate(old.len() + 1)?;
    let old = list_on_top(memory, labels)?;
    let (into, rest) = memory.isolate(grown)?;
    let old_words = rest.get(old)?;
    let sorted =
        join::strictly_increasing(old_words) && old_words.last().is_none_or(|last| *last < value);
    for (to, from) in into
        .iter_mut()
        .zip(old_words.iter().chain(core::iter::once(&value)))
    {
        *to = *from;
    }
    memory.replace_top(if labels {
        Slot::Labels(grown, sorted)
    } else {
        Slot::Vector(grown)
    })
}

/// `VPOP` and `LPOP`: takes the last element off the list on top and pushes it above.
///
/// # Errors
/// [`VilError::InvalidOperand`] on another kind, [`VilError::OutOfRange`] on an empty list.
pub(crate) fn take_last(memory: &mut Memory, labels: bool) -> Result<(), VilError> {
    let block = list_on_top(memory, labels)?;
    let last = block.len().checked_sub(1).ok_or(VilError::OutOfRange)?;
    let top = memory.index(0)?;
    let value = element(memory, memory.slot(top), last)?;
    memory.charge(block.len())?;
    memory.shorten_top(last)?;
    if let Slot::Labels(block, _) = memory.slot(top) {
        let sorted = join::strictly_increasing(memory.words(block)?);
        memory.replace(top, Slot::Labels(block, sorted));
    }
    memory.push(value)
}

fn list_on_top(memory: &Memory, labels: bool) -> Result<Block, VilError> {
    match (memory.at(0)?, labels) {
        (Slot::Vector(block), false) | (Slot::Labels(block, _), true) => Ok(block),
        _ => Err(VilError::InvalidOperand),
    }
}

/// `ZEROS` and `ONES`: pushes a vector of `value` as long as the list at a position.
///
/// # Errors
/// [`VilError::InvalidOperand`] when there is no list.
pub(crate) fn constant(memory: &mut Memory, position: usize, value: u128) -> Result<(), VilError> {
    let length = memory
        .at(position)?
        .block()
        .ok_or(VilError::InvalidOperand)?
        .len();
    memory.charge(length)?;
    let block = memory.allocate(length)?;
    memory.words_mut(block)?.fill(value);
    memory.push(Slot::Vector(block))
}

/// `LUNION`: the labels on top become their union with the labels at a position.
///
/// # Errors
/// [`VilError::InvalidOperand`], [`VilError::OutOfRange`] for position 0,
/// [`VilError::LabelsUnsorted`] unless `tolerant`.
pub(crate) fn union(
    memory: &mut Memory,
    position: usize,
    lossy: bool,
    tolerant: bool,
) -> Result<(), VilError> {
    let other = below(memory, position)?;
    let top = memory.index(0)?;
    let left = labels_in(memory, top, tolerant)?;
    let right = labels_in(memory, other, tolerant)?;
    let room = left.len() + right.len();
    memory.charge(room)?;
    let block = memory.allocate(room)?;
    let left = labels_in(memory, top, tolerant)?;
    let right = labels_in(memory, other, tolerant)?;
    let (into, rest) = memory.isolate(block)?;
    let length = join::union(rest.get(left)?, rest.get(right)?, into, lossy)?;
    let sorted = join::strictly_increasing(into.get(..length).unwrap_or_default());
    memory.replace(top, Slot::Labels(block, sorted));
    memory.shorten_top(length)
}

fn labels_in(memory: &Memory, index: usize, tolerant: bool) -> Result<Block, VilError> {
    match memory.slot(index) {
        Slot::Labels(_, false) if !tolerant => Err(VilError::LabelsUnsorted),
        Slot::Labels(block, _) => Ok(block),
        _ => Err(VilError::InvalidOperand),
    }
}

/// `JFLT`: keeps the elements of the top whose labels are at `keep`; its own are at `labels`.
///
/// # Errors
/// Those of [`join::filter`], [`VilError::LabelsUnsorted`] unless `tolerant`.
pub(crate) fn join_filter(
    memory: &mut Memory,
    [labels, keep]: [usize; 2],
    rule: JoinRule,
    tolerant: bool,
) -> Result<(), VilError> {
    let labels = memory.index(labels)?;
    let keep = memory.index(keep)?;
    let Slot::Vector(values) = memory.at(0)? else {
        return Err(VilError::InvalidOperand);
    };
    let labels = labels_in(memory, labels, tolerant)?;
    let keep = labels_in(memory, keep, tolerant)?;
    memory.charge(labels.len() + keep.len())?;
    let (elements, rest) = memory.isolate(values)?;
    let (labels, keep) = (rest.get(labels)?, rest.get(keep)?);
    if rule.variant != JoinVariant::InPlace {
        let kept = join::filter(rule, elements, labels, keep, &mut ())?;
        return memory.shorten_top(kept);
    }
    // Removing one by one moves what follows, again and again: that is paid for as well.
    let mut cost = JoinCost::default();
    let kept = join::filter(rule, elements, labels, keep, &mut cost)?;
    memory.charge(usize::try_from(cost.moves).unwrap_or(usize::MAX))?;
    memory.shorten_top(kept)
}

/// `JUPD` (`adds` false) and `JADD`: scatters the vector at `from`, whose labels are at
/// `joined`, into the top, whose labels are at `labels`.
///
/// # Errors
/// Those of [`join::update`], [`VilError::LabelsUnsorted`] unless `tolerant`.
pub(crate) fn join_scatter(
    memory: &mut Memory,
    [from, labels, joined]: [usize; 3],
    rule: JoinRule,
    tolerant: bool,
    adds: bool,
) -> Result<(), VilError> {
    let from = below(memory, from)?;
    let labels = memory.index(labels)?;
    let joined = memory.index(joined)?;
    let (Slot::Vector(values), Slot::Vector(from)) = (memory.at(0)?, memory.slot(from)) else {
        return Err(VilError::InvalidOperand);
    };
    let labels = labels_in(memory, labels, tolerant)?;
    let joined = labels_in(memory, joined, tolerant)?;
    memory.charge(labels.len() + joined.len())?;
    let (elements, rest) = memory.isolate(values)?;
    let target = (elements, rest.get(labels)?);
    let source = (rest.get(from)?, rest.get(joined)?);
    if adds {
        join::add(rule, target, source, &mut (), add)
    } else {
        join::update(rule, target.0, target.1, source.0, source.1, &mut ())
    }
}
