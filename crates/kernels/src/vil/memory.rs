//! The machine's memory: one stack of slots, register files, and words for lists.
//!
//! ```text
//! slots  | caller's operands | this frame's operands | free | this frame's registers | caller's |
//!        0                 floor                   depth   file
//! words  | lists, each owned by exactly one slot, with gaps              | free |
//!        0                                                              top
//! ```
//!
//! A subroutine's operands are the top of its caller's, so entering and leaving
//! moves at most its results. Lists are allocated at `top`. A list that is
//! dropped while it is the last gives its words back at once; other gaps are
//! closed by sliding all live lists down when the words run out. Memory is thus
//! used up only by lists that are alive, and the caller's slices are the limit.
//!
//! [`Block`]s are invalidated by [`Memory::allocate`], which may slide: they are
//! read from their slots again afterwards.

mod frames;

use super::error::VilError;

pub(crate) use frames::Bounds;

/// A list of words inside the arena.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    start: u32,
    length: u32,
}

impl Block {
    /// Number of elements.
    #[inline(always)]
    pub(crate) const fn len(self) -> usize {
        self.length as usize
    }

    #[inline(always)]
    const fn range(self) -> core::ops::Range<usize> {
        self.start as usize..self.start as usize + self.length as usize
    }

    /// Cuts `length` elements off the front; the block keeps the rest.
    #[inline]
    pub(crate) const fn take_front(&mut self, length: usize) -> Self {
        let taken = if length as u32 > self.length {
            self.length
        } else {
            length as u32
        };
        let front = Self {
            start: self.start,
            length: taken,
        };
        self.start += taken;
        self.length -= taken;
        front
    }
}

/// One operand: on the stack or in a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slot {
    /// Nothing; what a register holds before it is written and after it is moved.
    #[default]
    Empty,
    /// A number with 18 decimals.
    Scalar(u128),
    /// A label.
    Label(u128),
    /// A list of numbers.
    Vector(Block),
    /// A list of labels, and whether they are strictly increasing.
    Labels(Block, bool),
}

impl Slot {
    /// The list that this slot owns.
    #[inline]
    pub(crate) const fn block(&self) -> Option<Block> {
        match self {
            Self::Vector(block) | Self::Labels(block, _) => Some(*block),
            _ => None,
        }
    }

    fn block_mut(&mut self) -> Option<&mut Block> {
        match self {
            Self::Vector(block) | Self::Labels(block, _) => Some(block),
            _ => None,
        }
    }
}

/// Memory that a caller lends for one run. Its contents before do not matter.
#[derive(Debug)]
pub struct Workspace<'a> {
    /// Operands and registers of all frames together.
    pub slots: &'a mut [Slot],
    /// Elements of all vectors and labels together.
    pub words: &'a mut [u128],
}

/// Everything in the arena but one block.
pub(crate) struct Rest<'w> {
    before: &'w [u128],
    after: &'w [u128],
    after_start: usize,
}

impl Rest<'_> {
    /// Elements of another block. Blocks never overlap, so it is on one side.
    #[inline]
    pub(crate) fn get(&self, block: Block) -> Result<&[u128], VilError> {
        if block.length == 0 {
            // It owns no words, so that its place may be anywhere.
            return Ok(&[]);
        }
        let range = block.range();
        let found = if range.end <= self.before.len() {
            self.before.get(range)
        } else {
            range
                .start
                .checked_sub(self.after_start)
                .and_then(|start| self.after.get(start..start + block.len()))
        };
        found.ok_or(VilError::InvalidOperand)
    }
}

/// See the module's documentation.
pub(crate) struct Memory<'a> {
    slots: &'a mut [Slot],
    words: &'a mut [u128],
    bounds: Bounds,
    depth: usize,
    top: usize,
    steps_left: u64,
    /// Most words in use at once, gaps included.
    pub(crate) words_peak: usize,
}

impl<'a> Memory<'a> {
    /// Empty memory with the register file of the first frame.
    ///
    /// # Errors
    /// [`VilError::StackLimit`] when the slots cannot hold the registers,
    /// [`VilError::MemoryLimit`] when there are more words than a block can address.
    pub(crate) fn new(
        workspace: Workspace<'a>,
        registers: usize,
        steps: u64,
    ) -> Result<Self, VilError> {
        let Workspace { slots, words } = workspace;
        if u32::try_from(words.len()).is_err() {
            return Err(VilError::MemoryLimit);
        }
        slots.fill(Slot::Empty);
        let file = slots
            .len()
            .checked_sub(registers)
            .ok_or(VilError::StackLimit)?;
        let bounds = Bounds {
            floor: 0,
            file,
            registers,
        };
        Ok(Self {
            slots,
            words,
            bounds,
            depth: 0,
            top: 0,
            steps_left: steps,
            words_peak: 0,
        })
    }

    /// Steps not yet used.
    pub(crate) const fn steps_left(&self) -> u64 {
        self.steps_left
    }

    /// Pays for work: one step per instruction and per element read or written.
    ///
    /// # Errors
    /// [`VilError::StepLimit`] when it was the last.
    #[inline]
    pub(crate) fn charge(&mut self, steps: usize) -> Result<(), VilError> {
        self.steps_left = self
            .steps_left
            .checked_sub(steps as u64)
            .ok_or(VilError::StepLimit)?;
        Ok(())
    }

    /// Operands of this frame.
    #[inline(always)]
    pub(crate) const fn count(&self) -> usize {
        self.depth - self.bounds.floor
    }

    /// Slot of the operand at `position` below the top.
    ///
    /// # Errors
    /// [`VilError::StackUnderflow`] on an empty stack, [`VilError::PositionTooDeep`]
    /// below its bottom.
    #[inline]
    pub(crate) fn index(&self, position: usize) -> Result<usize, VilError> {
        let last = self
            .count()
            .checked_sub(1)
            .ok_or(VilError::StackUnderflow)?;
        if position > last {
            return Err(VilError::PositionTooDeep);
        }
        Ok(self.depth - 1 - position)
    }

    /// Slot of the deepest of the top `count` operands.
    ///
    /// # Errors
    /// [`VilError::StackUnderflow`] when there are fewer, or none at all: upstream
    /// refuses even a count of 0 on an empty stack.
    #[inline]
    pub(crate) fn offset(&self, count: usize) -> Result<usize, VilError> {
        if self.count() == 0 || count > self.count() {
            return Err(VilError::StackUnderflow);
        }
        Ok(self.depth - count)
    }

    /// What is in a slot.
    #[inline(always)]
    pub(crate) fn slot(&self, index: usize) -> Slot {
        self.slots.get(index).copied().unwrap_or_default()
    }

    /// The operand at `position` below the top; errors as [`Self::index`].
    #[inline]
    pub(crate) fn at(&self, position: usize) -> Result<Slot, VilError> {
        Ok(self.slot(self.index(position)?))
    }

    /// Overwrites a slot whose list, if it had one, is reused or released by the caller.
    #[inline]
    pub(crate) fn replace(&mut self, index: usize, with: Slot) {
        if let Some(slot) = self.slots.get_mut(index) {
            *slot = with;
        }
    }

    /// Overwrites the top and releases what it owned.
    ///
    /// # Errors
    /// [`VilError::StackUnderflow`] when there is no top.
    pub(crate) fn replace_top(&mut self, with: Slot) -> Result<(), VilError> {
        let top = self.index(0)?;
        let old = self.slot(top);
        self.replace(top, with);
        self.release(old);
        Ok(())
    }

    /// Exchanges two slots.
    #[inline]
    pub(crate) fn swap(&mut self, left: usize, right: usize) {
        if left < self.slots.len() && right < self.slots.len() {
            self.slots.swap(left, right);
        }
    }

    /// Pushes an operand, which takes over its list.
    ///
    /// # Errors
    /// [`VilError::StackLimit`] when the stack meets the registers.
    #[inline]
    pub(crate) fn push(&mut self, operand: Slot) -> Result<(), VilError> {
        if self.depth >= self.bounds.file {
            return Err(VilError::StackLimit);
        }
        *self.slots.get_mut(self.depth).ok_or(VilError::StackLimit)? = operand;
        self.depth += 1;
        Ok(())
    }

    /// Takes the top off the stack. Its list stays alive until the next allocation.
    ///
    /// # Errors
    /// [`VilError::StackUnderflow`] when there is none.
    #[inline]
    pub(crate) fn pop(&mut self) -> Result<Slot, VilError> {
        let top = self
            .depth
            .checked_sub(1)
            .filter(|top| *top >= self.bounds.floor);
        let top = top.ok_or(VilError::StackUnderflow)?;
        self.depth = top;
        let operand = self.slot(top);
        self.replace(top, Slot::Empty);
        Ok(operand)
    }

    /// Drops all operands from slot `from` up.
    pub(crate) fn truncate(&mut self, from: usize) {
        while self.depth > from.max(self.bounds.floor) {
            self.depth -= 1;
            let operand = self.slot(self.depth);
            self.replace(self.depth, Slot::Empty);
            self.release(operand);
        }
    }

    /// Gives the words of an operand back if they are the last ones in use.
    #[inline]
    pub(crate) fn release(&mut self, operand: Slot) {
        if let Some(block) = operand.block()
            && block.range().end == self.top
        {
            self.top = block.start as usize;
        }
    }

    /// Index of the slot behind a register.
    ///
    /// # Errors
    /// [`VilError::OutOfRange`] outside the file.
    #[inline]
    pub(crate) fn register(&self, register: usize) -> Result<usize, VilError> {
        if register >= self.bounds.registers {
            return Err(VilError::OutOfRange);
        }
        Ok(self.bounds.file + register)
    }

    /// Reserves `length` words. They are owned by nobody until they are put in a
    /// slot, which the caller does before it allocates again.
    ///
    /// # Errors
    /// [`VilError::MemoryLimit`] when the live lists leave too little.
    #[inline]
    pub(crate) fn allocate(&mut self, length: usize) -> Result<Block, VilError> {
        if length > self.words.len() - self.top {
            self.slide()?;
        }
        let end = self
            .top
            .checked_add(length)
            .filter(|end| *end <= self.words.len());
        let end = end.ok_or(VilError::MemoryLimit)?;
        let block = Block {
            start: self.top as u32,
            length: length as u32,
        };
        self.top = end;
        self.words_peak = self.words_peak.max(end);
        Ok(block)
    }

    /// Lets `fill` write a list of a length that only it knows.
    ///
    /// # Errors
    /// What `fill` returns; [`VilError::MemoryLimit`] from it is tried once more
    /// after the gaps are closed.
    pub(crate) fn allocate_with(
        &mut self,
        mut fill: impl FnMut(&mut [u128]) -> Result<usize, VilError>,
    ) -> Result<Block, VilError> {
        let mut written = fill(self.free());
        if written == Err(VilError::MemoryLimit) {
            self.slide()?;
            written = fill(self.free());
        }
        let length = written?;
        if length > self.free().len() {
            return Err(VilError::MemoryLimit);
        }
        self.allocate(length)
    }

    fn free(&mut self) -> &mut [u128] {
        self.words.get_mut(self.top..).unwrap_or_default()
    }

    /// Closes the gaps: moves every live list down, in the order of their places.
    #[cold]
    fn slide(&mut self) -> Result<(), VilError> {
        let (mut to, mut from) = (0, 0);
        loop {
            self.charge(self.slots.len())?;
            let next = self
                .slots
                .iter_mut()
                .filter_map(Slot::block_mut)
                .filter(|block| block.length > 0 && block.start as usize >= from)
                .min_by_key(|block| block.start);
            let Some(block) = next else { break };
            let range = block.range();
            let length = block.len();
            block.start = to as u32;
            from = range.end;
            if range.start != to {
                self.words.copy_within(range, to);
                self.charge(length)?;
            }
            to += length;
        }
        self.top = to;
        Ok(())
    }

    /// Elements of a list.
    #[inline]
    pub(crate) fn words(&self, block: Block) -> Result<&[u128], VilError> {
        self.words
            .get(block.range())
            .ok_or(VilError::InvalidOperand)
    }

    /// Elements of a list, to be changed.
    #[inline]
    pub(crate) fn words_mut(&mut self, block: Block) -> Result<&mut [u128], VilError> {
        self.words
            .get_mut(block.range())
            .ok_or(VilError::InvalidOperand)
    }

    /// Elements of a list to be changed, with all others to be read.
    #[inline]
    pub(crate) fn isolate(&mut self, block: Block) -> Result<(&mut [u128], Rest<'_>), VilError> {
        let range = block.range();
        let (before, from_here) = self
            .words
            .split_at_mut_checked(range.start)
            .ok_or(VilError::InvalidOperand)?;
        let (this, after) = from_here
            .split_at_mut_checked(block.len())
            .ok_or(VilError::InvalidOperand)?;
        Ok((
            this,
            Rest {
                before,
                after,
                after_start: range.end,
            },
        ))
    }

    /// Shortens the list of the top operand, which stays where it is.
    pub(crate) fn shorten_top(&mut self, length: usize) -> Result<(), VilError> {
        let index = self.index(0)?;
        let top = self.top;
        let slot = self.slots.get_mut(index).and_then(Slot::block_mut);
        let block = slot.ok_or(VilError::InvalidOperand)?;
        let old_end = block.range().end;
        block.length = block.length.min(length as u32);
        if old_end == top {
            self.top = block.range().end;
        }
        Ok(())
    }

    /// A copy of a slot, with a list of its own.
    ///
    /// # Errors
    /// [`VilError::MemoryLimit`], [`VilError::StepLimit`].
    pub(crate) fn copy_of(&mut self, index: usize) -> Result<Slot, VilError> {
        let length = match self.slot(index).block() {
            None => return Ok(self.slot(index)),
            Some(block) => block.len(),
        };
        self.charge(length)?;
        let to = self.allocate(length)?;
        // The original may have moved just now.
        let mut copy = self.slot(index);
        if let Some(block) = copy.block_mut() {
            self.words.copy_within(block.range(), to.start as usize);
            *block = to;
        }
        Ok(copy)
    }
}
