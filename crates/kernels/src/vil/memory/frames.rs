//! Frames: entering a subroutine and leaving it.

use super::{Memory, Slot};
use crate::vil::error::VilError;

/// The bounds of one frame, kept by its callee.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bounds {
    pub(super) floor: usize,
    pub(super) file: usize,
    pub(super) registers: usize,
}

impl Memory<'_> {
    /// Opens a frame over the top `inputs` operands, with empty registers.
    ///
    /// # Errors
    /// [`VilError::StackUnderflow`] when there are fewer operands,
    /// [`VilError::StackLimit`] when the registers meet the stack.
    pub(crate) fn enter(&mut self, inputs: usize, registers: usize) -> Result<Bounds, VilError> {
        let caller = self.bounds;
        let floor = self
            .depth
            .checked_sub(inputs)
            .filter(|floor| *floor >= caller.floor)
            .ok_or(VilError::StackUnderflow)?;
        let file = caller
            .file
            .checked_sub(registers)
            .filter(|file| *file >= self.depth)
            .ok_or(VilError::StackLimit)?;
        self.slots
            .get_mut(file..caller.file)
            .unwrap_or_default()
            .fill(Slot::Empty);
        self.bounds = Bounds {
            floor,
            file,
            registers,
        };
        Ok(caller)
    }

    /// Hides the last register from the program: it holds what a fold goes through.
    pub(crate) fn hide_last_register(&mut self) {
        self.bounds.registers = self.bounds.registers.saturating_sub(1);
    }

    /// Slot of the register that [`Self::hide_last_register`] hid.
    pub(crate) const fn hidden_register(&self) -> usize {
        self.bounds.file + self.bounds.registers
    }

    /// Closes a frame: its registers and all but its top `outputs` operands go,
    /// and those become operands of the caller.
    ///
    /// # Errors
    /// [`VilError::StackUnderflow`] when there are fewer.
    pub(crate) fn leave(&mut self, caller: Bounds, outputs: usize) -> Result<(), VilError> {
        let Bounds { floor, file, .. } = self.bounds;
        let dropped = self
            .count()
            .checked_sub(outputs)
            .ok_or(VilError::StackUnderflow)?;
        if dropped > 0 {
            for index in floor..self.depth {
                if index < floor + dropped {
                    let operand = self.slot(index);
                    self.replace(index, Slot::Empty);
                    self.release(operand);
                } else {
                    self.swap(index - dropped, index);
                }
            }
            self.depth -= dropped;
        }
        for register in file..caller.file {
            let operand = self.slot(register);
            self.replace(register, Slot::Empty);
            self.release(operand);
        }
        self.bounds = caller;
        Ok(())
    }
}
