//! Validation of a program before it runs.
//!
//! VIL is straight-line code, so one pass over the bytes decides almost
//! everything: every operation is known and whole, every register is in the
//! file and written before it is read, every position is on the stack. The one
//! thing that only a run can know is how many operands `UNPK` and `T` push;
//! after them the depth is unknown and positions are left to the machine, which
//! checks everything again anyway. Validation refuses only what must fail when
//! it is reached; the program of a fold counts as reached.
//!
//! In [`super::Mode::Compat`] only the encoding is checked, and that programs
//! are there and end: the paper's runtimes report whatever goes wrong first.

use super::error::{Fault, VilError};
use super::machine::DEPTH_MAX;
use super::opcode::{Byte, Instruction, Op, decode};
use super::store::Library;
use super::{Config, Mode};

/// Code that was validated, and the size of its register file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program<'a> {
    code: &'a [u8],
    registers: u8,
}

impl<'a> Program<'a> {
    /// Code that was validated before, for example when an account was written.
    ///
    /// The machine stays safe if it was not: it only fails later.
    pub const fn validated_before(code: &'a [u8], registers: u8) -> Self {
        Self { code, registers }
    }

    /// Bytecode.
    pub const fn code(&self) -> &'a [u8] {
        self.code
    }

    /// Registers that a run gives to the program.
    pub const fn registers(&self) -> u8 {
        self.registers
    }
}

/// What validation found out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Instructions in the code, not counting those of subroutines.
    pub instructions: u32,
    /// Subroutine calls and folds in the code.
    pub calls: u32,
    /// Operands on the stack at the end, when that is known.
    pub operands_left: Option<u32>,
    /// Most operands on the stack, as far as known.
    pub operands_peak: u32,
}

/// Where a frame starts: its file and what is on its stack.
#[derive(Clone, Copy)]
struct Entry {
    registers: u8,
    /// Operands at the start; `None` when it depends on the data.
    operands: Option<u32>,
}

/// One pass over code.
struct Pass {
    strict: bool,
    entry: Entry,
    depth: Option<u32>,
    written: [u128; 2],
    summary: Summary,
}

/// Validates one program without looking at those that it runs.
///
/// # Errors
/// The first instruction that cannot succeed.
pub fn validate<'a>(
    code: &'a [u8],
    registers: u8,
    config: &Config,
) -> Result<(Program<'a>, Summary), Fault> {
    validate_subroutine(code, registers, 0, config)
}

/// As [`validate`], of a subroutine that starts with `inputs` operands.
///
/// # Errors
/// As [`validate`].
pub fn validate_subroutine<'a>(
    code: &'a [u8],
    registers: u8,
    inputs: u8,
    config: &Config,
) -> Result<(Program<'a>, Summary), Fault> {
    let entry = Entry {
        registers,
        operands: Some(u32::from(inputs)),
    };
    let summary = pass(code, entry, config, 0, &mut |_, _| Ok(()))?;
    Ok((Program { code, registers }, summary))
}

/// Validates a program and all that it can reach.
///
/// `instructions_max` bounds the work: a subroutine that is reached twice is
/// validated twice, since its stack may differ.
///
/// # Errors
/// As [`validate`], and [`VilError::NotFound`], [`VilError::DepthLimit`],
/// [`VilError::Recursion`] for what is reached; [`VilError::StepLimit`] when
/// there is more than `instructions_max` to look at.
pub fn validate_tree<'a, L: Library + ?Sized>(
    code: &'a [u8],
    registers: u8,
    library: &L,
    instructions_max: u32,
    config: &Config,
) -> Result<(Program<'a>, Summary), Fault> {
    let entry = Entry {
        registers,
        operands: Some(0),
    };
    let mut tree = Tree {
        library,
        config,
        left: instructions_max,
        path: [0; DEPTH_MAX],
    };
    let summary = tree.visit(code, entry, 0)?;
    Ok((Program { code, registers }, summary))
}

struct Tree<'l, L: ?Sized> {
    library: &'l L,
    config: &'l Config,
    left: u32,
    path: [u128; DEPTH_MAX],
}

impl<L: Library + ?Sized> Tree<'_, L> {
    /// Recurses at most [`DEPTH_MAX`] deep.
    fn visit(&mut self, code: &[u8], entry: Entry, depth: usize) -> Result<Summary, Fault> {
        let config = self.config;
        let summary = pass(code, entry, config, depth, &mut |call, at| {
            let fault = |error| Fault {
                error,
                at,
                op: Some(call.op),
                depth: depth as u8,
            };
            let limit = (config.limits.depth_max as usize).min(DEPTH_MAX);
            if depth >= limit {
                return Err(fault(VilError::DepthLimit));
            }
            let library = self.library;
            let code = library.code(call.word).ok_or(fault(VilError::NotFound))?;
            if self.path.iter().take(depth).any(|id| *id == call.word) {
                return Err(fault(VilError::Recursion));
            }
            if let Some(step) = self.path.get_mut(depth) {
                *step = call.word;
            }
            let [inputs, outputs, registers] = call.bytes;
            // How many elements a fold pushes is not known; a subroutine starts with its inputs.
            let operands = (call.op == Op::Branch).then_some(u32::from(inputs));
            let inner = self.visit(
                code,
                Entry {
                    registers,
                    operands,
                },
                depth + 1,
            )?;
            match inner.operands_left {
                Some(left) if left < u32::from(outputs) => Err(fault(VilError::StackUnderflow)),
                _ => Ok(()),
            }
        })?;
        self.left = self.left.checked_sub(summary.instructions).ok_or(Fault {
            error: VilError::StepLimit,
            at: 0,
            op: None,
            depth: depth as u8,
        })?;
        Ok(summary)
    }
}

/// What to do at a call: the instruction and its offset.
type OnCall<'f> = dyn FnMut(&Instruction, u32) -> Result<(), Fault> + 'f;

fn pass(
    code: &[u8],
    entry: Entry,
    config: &Config,
    depth: usize,
    on_call: &mut OnCall<'_>,
) -> Result<Summary, Fault> {
    let fault = |error, at: usize, op| Fault {
        error,
        at: at as u32,
        op,
        depth: depth as u8,
    };
    if code.len() > config.limits.code_bytes_max as usize {
        return Err(fault(VilError::CodeTooLong, 0, None));
    }
    let mut pass = Pass {
        strict: config.mode == Mode::Strict,
        entry,
        depth: entry.operands,
        written: [0; 2],
        summary: Summary::default(),
    };
    let mut next = 0;
    while next < code.len() {
        let at = next;
        let (instruction, after) = decode(code, at).map_err(|error| fault(error, at, None))?;
        next = after;
        pass.summary.instructions += 1;
        if matches!(instruction.op, Op::Branch | Op::Fold) {
            pass.summary.calls += 1;
            on_call(&instruction, at as u32)?;
        }
        pass.check(&instruction)
            .map_err(|error| fault(error, at, Some(instruction.op)))?;
    }
    pass.summary.operands_left = pass.depth;
    Ok(pass.summary)
}

impl Pass {
    fn check(&mut self, instruction: &Instruction) -> Result<(), VilError> {
        if !self.strict {
            self.depth = None;
            return Ok(());
        }
        for (kind, byte) in instruction.op.bytes().iter().zip(instruction.bytes) {
            match kind {
                Byte::Position => self.position(byte)?,
                Byte::Below if byte == 0 => return Err(VilError::OutOfRange),
                Byte::Below => self.position(byte)?,
                Byte::Register => self.register(instruction.op, byte)?,
                Byte::Count | Byte::Inputs | Byte::Outputs | Byte::File => {}
            }
        }
        self.needs(instruction)?;
        self.depth = self.depth_after(instruction);
        let known = self.depth.unwrap_or(0);
        self.summary.operands_peak = self.summary.operands_peak.max(known);
        Ok(())
    }

    fn position(&self, position: u8) -> Result<(), VilError> {
        match self.depth {
            Some(0) => Err(VilError::StackUnderflow),
            Some(depth) if u32::from(position) >= depth => Err(VilError::PositionTooDeep),
            _ => Ok(()),
        }
    }

    fn register(&mut self, op: Op, register: u8) -> Result<(), VilError> {
        if register >= self.entry.registers {
            return Err(VilError::OutOfRange);
        }
        let half = usize::from(register) / 128;
        let bit = 1u128 << (register % 128);
        let Some(written) = self.written.get_mut(half) else {
            return Err(VilError::OutOfRange);
        };
        match op {
            Op::StoreRegister => *written |= bit,
            _ if *written & bit == 0 => return Err(VilError::EmptyRegister),
            Op::MoveRegister => *written &= !bit,
            _ => {}
        }
        Ok(())
    }

    /// Refuses an operation that needs more operands than there are.
    fn needs(&self, instruction: &Instruction) -> Result<(), VilError> {
        let count = u32::from(instruction.bytes[0]);
        let least = match instruction.op {
            Op::LoadLabels | Op::LoadVector | Op::LoadRegister | Op::MoveRegister => 0,
            Op::ImmediateScalar | Op::ImmediateLabel => 0,
            Op::PackVector | Op::PackLabels | Op::Drop => count.max(1),
            Op::Transpose if count == 0 => return Err(VilError::InvalidOperand),
            Op::Transpose => count,
            Op::Branch => count,
            Op::Fold => count + 1,
            _ => 1,
        };
        match self.depth {
            Some(depth) if depth < least => Err(VilError::StackUnderflow),
            _ => Ok(()),
        }
    }

    /// Operands on the stack after an operation that succeeded.
    fn depth_after(&self, instruction: &Instruction) -> Option<u32> {
        let depth = self.depth?;
        let [first, second, _] = instruction.bytes.map(u32::from);
        let (pops, pushes) = match instruction.op {
            Op::LoadLabels | Op::LoadVector | Op::LoadRegister | Op::MoveRegister => (0, 1),
            Op::Duplicate | Op::ImmediateScalar | Op::ImmediateLabel => (0, 1),
            Op::Zeros | Op::Ones | Op::PopScalar | Op::PopLabel => (0, 1),
            Op::StoreLabels | Op::StoreVector | Op::StoreRegister => (1, 0),
            Op::PackVector | Op::PackLabels => (first, 1),
            Op::Drop => (first, 0),
            Op::Branch => (first, second),
            Op::Fold => (first + 1, second),
            // As many as the list has elements, which only a run knows.
            Op::Unpack | Op::Transpose => return None,
            _ => (0, 0),
        };
        Some(depth.saturating_sub(pops) + pushes)
    }
}
