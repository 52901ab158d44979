//! Floating point becomes calls of the soft-float routines that every Rust
//! program carries in `compiler_builtins`. Values stay of their float type, which
//! the code generator keeps in ordinary registers.

use anyhow::Result;

use super::Refusal;
use crate::llvm::{Builder, IntPredicate, Module, Opcode, RealPredicate, Type, Value};

/// Routines for one float type, named after it.
const BY_TYPE: [&str; 19] = [
    "__add*3",
    "__sub*3",
    "__mul*3",
    "__div*3",
    "__le*2",
    "__ge*2",
    "__unord*2",
    "__floatsi*",
    "__floatdi*",
    "__floatti*",
    "__floatunsi*",
    "__floatundi*",
    "__floatunti*",
    "__fix*si",
    "__fix*di",
    "__fix*ti",
    "__fixuns*si",
    "__fixuns*di",
    "__fixuns*ti",
];

/// All routines that lowering may call, to be kept until it is done.
pub(crate) fn routines() -> Vec<String> {
    let named = |letters: &'static str| BY_TYPE.iter().map(move |n| n.replace('*', letters));
    let conversions = ["__extendsfdf2", "__truncdfsf2"].map(str::to_owned);
    named("sf").chain(named("df")).chain(conversions).collect()
}

/// The letters for a float type in the names of routines.
fn letters(ty: Type, inst: Value) -> Result<&'static str> {
    match ty.float_width() {
        Some(32) => Ok("sf"),
        Some(64) => Ok("df"),
        _ => Refusal::at(
            inst,
            "floats of other widths than 32 and 64 bits are not lowered",
        ),
    }
}

/// Lowers one instruction, if it computes with floats. Returns whether it did.
pub(crate) fn lower_instruction(module: &Module, inst: Value) -> Result<bool> {
    let ty = inst.ty();
    match inst.opcode() {
        Opcode::LLVMFAdd => binary(module, inst, "__add*3"),
        Opcode::LLVMFSub => binary(module, inst, "__sub*3"),
        Opcode::LLVMFMul => binary(module, inst, "__mul*3"),
        Opcode::LLVMFDiv => binary(module, inst, "__div*3"),
        Opcode::LLVMFNeg => sign_bit(module, inst, Opcode::LLVMXor),
        Opcode::LLVMFCmp => compare(module, inst),
        Opcode::LLVMFPExt => call(module, inst, "__extendsfdf2"),
        Opcode::LLVMFPTrunc => call(module, inst, "__truncdfsf2"),
        Opcode::LLVMUIToFP => from_integer(module, inst, "__floatun", Opcode::LLVMZExt),
        Opcode::LLVMSIToFP => from_integer(module, inst, "__float", Opcode::LLVMSExt),
        Opcode::LLVMFPToUI => to_integer(module, inst, false),
        Opcode::LLVMFPToSI => to_integer(module, inst, true),
        Opcode::LLVMCall => {
            let name = inst.callee().name();
            if name.starts_with("llvm.fptoui.sat.") {
                to_integer(module, inst, false)
            } else if name.starts_with("llvm.fptosi.sat.") {
                to_integer(module, inst, true)
            } else if name.starts_with("llvm.fabs.") && ty.is_float() {
                sign_bit(module, inst, Opcode::LLVMAnd)
            } else {
                Ok(false)
            }
        }
        _ => Ok(false),
    }
}

fn replace(inst: Value, with: Value) -> Result<bool> {
    inst.replace_uses_with(with);
    inst.erase();
    Ok(true)
}

fn routine(module: &Module, name: &str, result: Type, params: &[Type]) -> Value {
    module.declare(name, Type::function(result, params))
}

fn binary(module: &Module, inst: Value, name: &str) -> Result<bool> {
    let ty = inst.ty();
    let name = name.replace('*', letters(ty, inst)?);
    let function = routine(module, &name, ty, &[ty, ty]);
    let b = Builder::before(module.cx, inst);
    replace(inst, b.call(function, &[inst.operand(0), inst.operand(1)]))
}

/// Widening or narrowing between the two types.
fn call(module: &Module, inst: Value, name: &str) -> Result<bool> {
    let from = inst.operand(0).ty();
    letters(from, inst)?;
    letters(inst.ty(), inst)?;
    let function = routine(module, name, inst.ty(), &[from]);
    let b = Builder::before(module.cx, inst);
    replace(inst, b.call(function, &[inst.operand(0)]))
}

/// Flips (`xor`) or clears (`and`) the sign.
fn sign_bit(module: &Module, inst: Value, opcode: Opcode) -> Result<bool> {
    letters(inst.ty(), inst)?;
    let width = inst.ty().float_width().unwrap_or(64);
    let word = module.cx.int(width);
    let sign = 1u64 << (width - 1);
    let mask = if opcode == Opcode::LLVMAnd {
        sign - 1
    } else {
        sign
    };
    let b = Builder::before(module.cx, inst);
    let bits = b.cast(Opcode::LLVMBitCast, inst.operand(0), word);
    let bits = b.binary(opcode, bits, word.constant(mask));
    replace(inst, b.cast(Opcode::LLVMBitCast, bits, inst.ty()))
}

/// `__le` gives -1, 0 or 1, and 1 for a NaN; `__ge` the same, and -1 for a NaN.
fn compare(module: &Module, inst: Value) -> Result<bool> {
    use IntPredicate::*;
    use RealPredicate::*;
    let ty = inst.operand(0).ty();
    let letters = letters(ty, inst)?;
    let word = module.cx.int(32);
    let b = Builder::before(module.cx, inst);
    let test = |name: &str, predicate| {
        let function = routine(module, &name.replace('*', letters), word, &[ty, ty]);
        let order = b.call(function, &[inst.operand(0), inst.operand(1)]);
        b.icmp(predicate, order, order.ty().constant(0))
    };
    let (le, ge, unordered) = ("__le*2", "__ge*2", "__unord*2");
    let flag = module.cx.int(1);
    let result = match inst.fcmp_predicate() {
        LLVMRealOEQ => test(le, LLVMIntEQ),
        LLVMRealOGT => test(ge, LLVMIntSGT),
        LLVMRealOGE => test(ge, LLVMIntSGE),
        LLVMRealOLT => test(le, LLVMIntSLT),
        LLVMRealOLE => test(le, LLVMIntSLE),
        LLVMRealUNE => test(le, LLVMIntNE),
        LLVMRealUGT => test(le, LLVMIntSGT),
        LLVMRealUGE => test(le, LLVMIntSGE),
        LLVMRealULT => test(ge, LLVMIntSLT),
        LLVMRealULE => test(ge, LLVMIntSLE),
        LLVMRealORD => test(unordered, LLVMIntEQ),
        LLVMRealUNO => test(unordered, LLVMIntNE),
        LLVMRealONE => b.binary(Opcode::LLVMOr, test(le, LLVMIntSLT), test(ge, LLVMIntSGT)),
        LLVMRealUEQ => {
            let differ = b.binary(Opcode::LLVMOr, test(le, LLVMIntSLT), test(ge, LLVMIntSGT));
            b.binary(Opcode::LLVMXor, differ, flag.constant(1))
        }
        LLVMRealPredicateFalse => flag.constant(0),
        LLVMRealPredicateTrue => flag.constant(1),
    };
    replace(inst, result)
}

/// The integer width that a routine works on, and its letters.
fn routine_width(width: u32, inst: Value) -> Result<(u32, &'static str)> {
    match width {
        0..=32 => Ok((32, "si")),
        33..=64 => Ok((64, "di")),
        65..=128 => Ok((128, "ti")),
        _ => Refusal::at(inst, "integers of this width cannot be computed with"),
    }
}

fn from_integer(module: &Module, inst: Value, name: &str, extend: Opcode) -> Result<bool> {
    let float = letters(inst.ty(), inst)?;
    let (width, integer) = routine_width(inst.operand(0).ty().int_width().unwrap_or(0), inst)?;
    let word = module.cx.int(width);
    let function = routine(
        module,
        &format!("{name}{integer}{float}"),
        inst.ty(),
        &[word],
    );
    let b = Builder::before(module.cx, inst);
    let value = b.cast(extend, inst.operand(0), word);
    replace(inst, b.call(function, &[value]))
}

/// The routines saturate, which is what Rust's casts want and what LLVM's plain
/// conversions leave open. Narrow results are clamped to their own range.
fn to_integer(module: &Module, inst: Value, signed: bool) -> Result<bool> {
    let from = inst.operand(0).ty();
    let float = letters(from, inst)?;
    let wanted = inst.ty().int_width().unwrap_or(0);
    let (width, integer) = routine_width(wanted, inst)?;
    let word = module.cx.int(width);
    let name = format!("__fix{}{float}{integer}", if signed { "" } else { "uns" });
    let function = routine(module, &name, word, &[from]);
    let b = Builder::before(module.cx, inst);
    let mut value = b.call(function, &[inst.operand(0)]);
    if wanted < width {
        if width != 32 {
            return Refusal::at(inst, "a conversion to an integer of odd width");
        }
        let clamp = |value, predicate, bound: i64| {
            let bound = word.constant(bound.cast_unsigned());
            b.select(b.icmp(predicate, value, bound), bound, value)
        };
        if signed {
            let bound = 1i64 << (wanted - 1);
            value = clamp(value, IntPredicate::LLVMIntSGT, bound - 1);
            value = clamp(value, IntPredicate::LLVMIntSLT, -bound);
        } else {
            value = clamp(value, IntPredicate::LLVMIntUGT, (1i64 << wanted) - 1);
        }
    }
    replace(inst, b.cast(Opcode::LLVMTrunc, value, inst.ty()))
}
