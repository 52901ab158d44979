//! Running a program: frames, dispatch and limits.
//!
//! One loop runs all frames; subroutines are records in an array, not calls of
//! the host's stack, which is small on chain.

use super::error::{Fault, VilError};
use super::join::strictly_increasing;
use super::memory::{Bounds, Memory, Slot, Workspace};
use super::opcode::{Instruction, Op, decode};
use super::ops;
use super::program::Program;
use super::store::{Library, LoadError, Store};
use super::{Config, Era};
use crate::compat;

/// Deepest nesting of subroutines that a [`super::Limits`] may ask for.
pub const DEPTH_MAX: usize = 8;

/// What a finished run used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Work done, in steps.
    pub steps: u64,
    /// Operands that the program left on the stack.
    pub operands_left: u16,
    /// Most words of the arena in use at once.
    pub words_peak: u32,
}

/// A caller, while its subroutine runs.
#[derive(Clone, Copy, Default)]
struct Frame<'c> {
    code: &'c [u8],
    at: usize,
    next: usize,
    bounds: Bounds,
    outputs: u8,
    /// Element that a fold takes next; `None` for a plain subroutine.
    fold: Option<u32>,
}

struct Machine<'c, 'w, 's, L: ?Sized, S: ?Sized> {
    config: Config,
    memory: Memory<'w>,
    library: &'c L,
    store: &'s mut S,
    frames: [Frame<'c>; DEPTH_MAX],
    depth: usize,
    code: &'c [u8],
    at: usize,
    next: usize,
    op: Option<Op>,
}

/// Runs a program.
///
/// `library` holds the programs that it may run, `store` its named values. The
/// stack is empty at first and what is left on it is dropped.
///
/// # Errors
/// The first failure and its place. Values stored before it stay stored: run in
/// a transaction, or on a copy.
pub fn run<L: Library + ?Sized, S: Store + ?Sized>(
    program: &Program<'_>,
    library: &L,
    store: &mut S,
    workspace: Workspace<'_>,
    config: &Config,
) -> Result<Outcome, Fault> {
    let start = Fault {
        error: VilError::CodeTooLong,
        at: 0,
        op: None,
        depth: 0,
    };
    if program.code().len() > config.limits.code_bytes_max as usize {
        return Err(start);
    }
    let steps = config.limits.steps_max;
    let memory = Memory::new(workspace, program.registers() as usize, steps)
        .map_err(|error| Fault { error, ..start })?;
    let mut machine = Machine {
        config: *config,
        memory,
        library,
        store,
        frames: [Frame::default(); DEPTH_MAX],
        depth: 0,
        code: program.code(),
        at: 0,
        next: 0,
        op: None,
    };
    match machine.run() {
        Ok(()) => Ok(Outcome {
            steps: steps.saturating_sub(machine.memory.steps_left()),
            operands_left: machine.memory.count().try_into().unwrap_or(u16::MAX),
            words_peak: machine.memory.words_peak as u32,
        }),
        Err(error) => Err(Fault {
            error,
            at: machine.at as u32,
            op: machine.op,
            depth: machine.depth as u8,
        }),
    }
}

impl<'c, L: Library + ?Sized, S: Store + ?Sized> Machine<'c, '_, '_, L, S> {
    fn run(&mut self) -> Result<(), VilError> {
        loop {
            while self.next < self.code.len() {
                self.at = self.next;
                self.op = None;
                let (instruction, next) = decode(self.code, self.at)?;
                self.next = next;
                self.op = Some(instruction.op);
                self.memory.charge(1)?;
                self.execute(instruction)?;
            }
            if self.depth == 0 {
                return Ok(());
            }
            self.continue_caller()?;
        }
    }

    #[inline(always)]
    fn execute(&mut self, instruction: Instruction) -> Result<(), VilError> {
        let Instruction { op, word, bytes } = instruction;
        let [first, second, third] = bytes.map(usize::from);
        let strict = self.config.era().is_none();
        let memory = &mut self.memory;
        match op {
            Op::LoadLabels | Op::LoadVector => self.load(op, word),
            Op::StoreLabels | Op::StoreVector => self.keep(op, word),
            Op::Duplicate => {
                let copy = memory
                    .index(first)
                    .and_then(|index| memory.copy_of(index))?;
                memory.push(copy)
            }
            Op::LoadRegister | Op::MoveRegister => load_register(memory, first, op, strict),
            Op::StoreRegister => store_register(memory, first),
            Op::PackVector => ops::pack(memory, first, false),
            Op::PackLabels => ops::pack(memory, first, true),
            Op::Unpack => ops::unpack(memory),
            // Upstream a transposition of one vector unpacks it into scalars.
            Op::Transpose if first == 1 && !strict => ops::unpack(memory),
            Op::Transpose => ops::transpose(memory, first),
            Op::PushScalar => ops::append(memory, word, false),
            Op::PushLabel => ops::append(memory, word, true),
            Op::PopScalar => ops::take_last(memory, false),
            Op::PopLabel => ops::take_last(memory, true),
            Op::Union => {
                let lossy = self.config.era() == Some(Era::November2025);
                ops::union(memory, first, lossy, !strict)
            }
            Op::JoinFilter => self.join_filter([first, second]),
            Op::JoinUpdate | Op::JoinAdd => {
                self.join_scatter([first, second, third], op == Op::JoinAdd)
            }
            Op::Add => ops::binary(memory, first, ops::add),
            Op::Sub => ops::binary(memory, first, ops::sub),
            Op::SaturatingSub => ops::binary(memory, first, ops::saturating_sub),
            Op::Mul => ops::binary(memory, first, ops::mul),
            Op::Div => ops::binary(memory, first, ops::div),
            Op::Sqrt => ops::sqrt(memory),
            Op::Min => ops::extremum(memory, first, ops::min),
            Op::Max => ops::extremum(memory, first, ops::max),
            Op::VectorSum => ops::reduce(memory, 0, ops::add, false),
            // Upstream the least of nothing is the greatest number there is:
            // an index without constituents would have unlimited capacity.
            Op::VectorMin => ops::reduce(memory, u128::MAX, ops::min, strict),
            Op::VectorMax => ops::reduce(memory, 0, ops::max, false),
            Op::ImmediateScalar => memory.push(Slot::Scalar(word)),
            Op::ImmediateLabel => memory.push(Slot::Label(word)),
            Op::Zeros => ops::constant(memory, first, 0),
            Op::Ones => ops::constant(memory, first, compat::ONE),
            Op::Drop => memory.offset(first).map(|from| memory.truncate(from)),
            Op::Swap => {
                let (top, other) = (memory.index(0)?, ops::below(memory, first)?);
                memory.swap(top, other);
                Ok(())
            }
            Op::Branch | Op::Fold => self.call(op, word, [first, second, third]),
        }
    }

    /// `LDL`, `LDV`.
    #[inline(never)]
    fn load(&mut self, op: Op, id: u128) -> Result<(), VilError> {
        let store = &*self.store;
        let labels = op == Op::LoadLabels;
        let block = self.memory.allocate_with(|into| {
            let loaded = match labels {
                true => store.load_labels(id, into),
                false => store.load_vector(id, into),
            };
            loaded.map_err(|error| match error {
                LoadError::NotFound => VilError::NotFound,
                LoadError::TooLong => VilError::MemoryLimit,
            })
        })?;
        self.memory.charge(block.len())?;
        let operand = if labels {
            Slot::Labels(block, strictly_increasing(self.memory.words(block)?))
        } else {
            Slot::Vector(block)
        };
        self.memory.push(operand)
    }

    /// `STL`, `STV`.
    #[inline(never)]
    fn keep(&mut self, op: Op, id: u128) -> Result<(), VilError> {
        let operand = self.memory.pop()?;
        let kept = match (op, operand) {
            (Op::StoreLabels, Slot::Labels(block, _)) => {
                self.memory.charge(block.len())?;
                self.store.store_labels(id, self.memory.words(block)?)
            }
            (Op::StoreVector, Slot::Vector(block)) => {
                self.memory.charge(block.len())?;
                self.store.store_vector(id, self.memory.words(block)?)
            }
            _ => return Err(VilError::InvalidOperand),
        };
        kept.map_err(|_| VilError::StoreRefused)?;
        self.memory.release(operand);
        Ok(())
    }

    /// `JFLT`.
    #[inline(never)]
    fn join_filter(&mut self, positions: [usize; 2]) -> Result<(), VilError> {
        if let Some(era) = self.config.era() {
            if positions[0] == positions[1] {
                return Ok(());
            }
            refuse_label_positions(&positions, era)?;
        }
        let tolerant = self.config.era().is_some();
        ops::join_filter(
            &mut self.memory,
            positions,
            self.config.join_rule(),
            tolerant,
        )
    }

    /// `JUPD`, `JADD`.
    #[inline(never)]
    fn join_scatter(&mut self, positions: [usize; 3], adds: bool) -> Result<(), VilError> {
        if let Some(era) = self.config.era() {
            if positions[1] == positions[2] {
                // Upstream adds the operand below the top, whatever was asked for.
                return ops::binary(&mut self.memory, 1, ops::add);
            }
            refuse_label_positions(&positions[1..], era)?;
        }
        let tolerant = self.config.era().is_some();
        ops::join_scatter(
            &mut self.memory,
            positions,
            self.config.join_rule(),
            tolerant,
            adds,
        )
    }

    /// `B`, `FOLD`: opens a frame. The fold's list waits in a hidden register.
    #[inline(never)]
    fn call(
        &mut self,
        op: Op,
        id: u128,
        [inputs, outputs, file]: [usize; 3],
    ) -> Result<(), VilError> {
        let code = self.library.code(id).ok_or(VilError::NotFound)?;
        if code.len() > self.config.limits.code_bytes_max as usize {
            return Err(VilError::CodeTooLong);
        }
        let folds = op == Op::Fold;
        let limit = (self.config.limits.depth_max as usize).min(DEPTH_MAX);
        if self.depth >= limit {
            return Err(VilError::DepthLimit);
        }
        let list = if folds {
            self.memory.pop()?
        } else {
            Slot::Empty
        };
        let bounds = self.memory.enter(inputs, file + usize::from(folds))?;
        if folds {
            if list.block().is_none() {
                return Err(VilError::InvalidOperand);
            }
            self.memory.hide_last_register();
            self.memory.replace(self.memory.hidden_register(), list);
        }
        let frame = Frame {
            code: self.code,
            at: self.at,
            next: self.next,
            bounds,
            outputs: outputs as u8,
            fold: folds.then_some(0),
        };
        *self
            .frames
            .get_mut(self.depth)
            .ok_or(VilError::DepthLimit)? = frame;
        self.depth += 1;
        self.code = code;
        // A fold starts as if it had just finished an element.
        self.next = if folds { code.len() } else { 0 };
        Ok(())
    }

    /// The code of a frame has ended: takes a fold's next element, or returns.
    fn continue_caller(&mut self) -> Result<(), VilError> {
        let caller = self.depth - 1;
        let frame = self.frames.get_mut(caller).ok_or(VilError::DepthLimit)?;
        if let Some(at) = &mut frame.fold {
            let list = self.memory.slot(self.memory.hidden_register());
            if (*at as usize) < list.block().map_or(0, |block| block.len()) {
                let element = ops::element(&self.memory, list, *at as usize)?;
                *at += 1;
                self.memory.charge(1)?;
                self.memory.push(element)?;
                self.next = 0;
                return Ok(());
            }
        }
        let frame = *frame;
        self.depth = caller;
        (self.code, self.at, self.next) = (frame.code, frame.at, frame.next);
        self.op = self.code.get(self.at).copied().and_then(Op::from_number);
        self.memory.leave(frame.bounds, frame.outputs as usize)
    }
}

/// Positions at which the paper's runtimes refuse labels.
fn refuse_label_positions(positions: &[usize], era: Era) -> Result<(), VilError> {
    let least = match era {
        Era::November2025 => 2,
        Era::January2026 => 1,
    };
    if positions.iter().any(|position| *position < least) {
        return Err(VilError::InvalidOperand);
    }
    Ok(())
}

/// `LDR`, `LDM`.
fn load_register(
    memory: &mut Memory,
    register: usize,
    op: Op,
    strict: bool,
) -> Result<(), VilError> {
    let index = memory.register(register)?;
    if strict && memory.slot(index) == Slot::Empty {
        return Err(VilError::EmptyRegister);
    }
    let value = match op {
        Op::LoadRegister => memory.copy_of(index)?,
        _ => memory.slot(index),
    };
    memory.push(value)?;
    if op == Op::MoveRegister {
        memory.replace(index, Slot::Empty);
    }
    Ok(())
}

/// `STR`.
fn store_register(memory: &mut Memory, register: usize) -> Result<(), VilError> {
    let index = memory.register(register)?;
    let value = memory.pop()?;
    let old = memory.slot(index);
    memory.replace(index, value);
    memory.release(old);
    Ok(())
}
