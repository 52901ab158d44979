//! Integer operations that have no BPF instruction become calls of the helpers
//! in `arith.ll`, which are inlined afterwards; floats go to their own module.

use anyhow::{Result, bail};

use super::{Refusal, floats};
use crate::llvm::{Builder, Context, IntPredicate, Module, Opcode, Value};

/// Rewrites every function of the module but the helpers themselves.
pub(crate) fn lower(module: &Module) -> Result<()> {
    for function in module.functions() {
        if function.name().starts_with("sbf.") {
            continue;
        }
        for inst in function.instructions() {
            if !floats::lower_instruction(module, inst)? {
                lower_instruction(module, inst)?;
            }
        }
    }
    Ok(())
}

fn lower_instruction(module: &Module, inst: Value) -> Result<()> {
    let Some(width) = inst.ty().int_width() else {
        return lower_pair_result(module, inst);
    };
    match inst.opcode() {
        Opcode::LLVMSDiv | Opcode::LLVMSRem if width <= 64 => signed_division(module, inst, width),
        Opcode::LLVMMul if width > 128 => very_wide_mul(module, inst, width),
        Opcode::LLVMMul if width > 64 => wide(module, inst, width, wide_mul_name(inst)),
        Opcode::LLVMUDiv if width > 64 => wide(module, inst, width, "sbf.udiv"),
        Opcode::LLVMURem if width > 64 => wide(module, inst, width, "sbf.urem"),
        Opcode::LLVMSDiv => wide(module, inst, width, "sbf.sdiv"),
        Opcode::LLVMSRem => wide(module, inst, width, "sbf.srem"),
        Opcode::LLVMShl if needs_shift_helper(inst, width) => wide(module, inst, width, "sbf.shl"),
        Opcode::LLVMLShr if needs_shift_helper(inst, width) => {
            wide(module, inst, width, "sbf.lshr")
        }
        Opcode::LLVMAShr if needs_shift_helper(inst, width) => {
            wide(module, inst, width, "sbf.ashr")
        }
        Opcode::LLVMCall if width > 64 => funnel_shift(module, inst, width),
        _ => Ok(()),
    }
}

/// Shifts by a constant are split by LLVM itself.
fn needs_shift_helper(inst: Value, width: u32) -> bool {
    width > 64 && !inst.operand(1).is_constant_int()
}

fn helper(module: &Module, name: &str) -> Result<Value> {
    match module.function(name) {
        Some(function) => Ok(function),
        None => bail!("the helper {name} is missing from the module"),
    }
}

/// The value of at most `width` bits that `value` is the zero-extension of.
fn narrow_source(value: Value, width: u32) -> Option<Value> {
    let zext = value.is_instruction() && value.opcode() == Opcode::LLVMZExt;
    let source = zext.then(|| value.operand(0))?;
    (source.ty().int_width()? <= width).then_some(source)
}

/// The standard library takes products of two 128-bit numbers; nothing wider occurs.
fn very_wide_mul(module: &Module, inst: Value, width: u32) -> Result<()> {
    if width != 256 {
        return Refusal::at(inst, "products of this width cannot be computed");
    }
    let (left, right) = (inst.operand(0), inst.operand(1));
    let b = Builder::before(module.cx, inst);
    let product = match (narrow_source(left, 128), narrow_source(right, 128)) {
        (Some(left), Some(right)) => {
            let word = module.cx.int(128);
            let to128 = |v| b.cast(Opcode::LLVMZExt, v, word);
            b.call(
                helper(module, "sbf.widemul128")?,
                &[to128(left), to128(right)],
            )
        }
        _ => b.call(helper(module, "sbf.mul256")?, &[left, right]),
    };
    replace(inst, product);
    Ok(())
}

/// Two zero-extended factors need no product of high halves.
fn wide_mul_name(inst: Value) -> &'static str {
    let both = narrow_source(inst.operand(0), 64).is_some()
        && narrow_source(inst.operand(1), 64).is_some();
    if both { "sbf.widemul" } else { "sbf.mul" }
}

/// Replaces a binary operation wider than a register by a helper on 128 bits.
fn wide(module: &Module, inst: Value, width: u32, name: &str) -> Result<()> {
    if width > 128 {
        return Refusal::at(inst, "integers of this width cannot be computed with");
    }
    let function = helper(module, name)?;
    let cx = module.cx;
    let b = Builder::before(cx, inst);
    let (left, right) = (inst.operand(0), inst.operand(1));
    let result = if name == "sbf.widemul" {
        let to64 = |v: Value| {
            b.cast(
                Opcode::LLVMZExt,
                narrow_source(v, 64).unwrap_or(v),
                cx.int(64),
            )
        };
        b.call(function, &[to64(left), to64(right)])
    } else {
        let signed = matches!(name, "sbf.sdiv" | "sbf.srem" | "sbf.ashr");
        let extend = if signed {
            Opcode::LLVMSExt
        } else {
            Opcode::LLVMZExt
        };
        let left = b.cast(extend, left, cx.int(128));
        // A shift's amount is never negative, whatever the sign of what it shifts.
        let extend = if name == "sbf.ashr" {
            Opcode::LLVMZExt
        } else {
            extend
        };
        b.call(function, &[left, b.cast(extend, right, cx.int(128))])
    };
    replace(inst, b.cast(Opcode::LLVMTrunc, result, inst.ty()));
    Ok(())
}

fn replace(inst: Value, with: Value) {
    inst.replace_uses_with(with);
    inst.erase();
}

/// BPF version 2 divides unsigned numbers only.
fn signed_division(module: &Module, inst: Value, width: u32) -> Result<()> {
    let name = if inst.opcode() == Opcode::LLVMSDiv {
        "sbf.sdiv.i64"
    } else {
        "sbf.srem.i64"
    };
    let function = helper(module, name)?;
    let cx = module.cx;
    let b = Builder::before(cx, inst);
    let extend = |v: Value| b.cast(Opcode::LLVMSExt, v, cx.int(64));
    let result = b.call(
        function,
        &[extend(inst.operand(0)), extend(inst.operand(1))],
    );
    debug_assert!(width <= 64);
    replace(inst, b.cast(Opcode::LLVMTrunc, result, inst.ty()));
    Ok(())
}

/// `llvm.{u,s}mul.with.overflow`. Up to 32 bits LLVM does it in one register.
fn lower_pair_result(module: &Module, inst: Value) -> Result<()> {
    if inst.opcode() != Opcode::LLVMCall {
        return Ok(());
    }
    let name = inst.callee().name();
    let signed = name.starts_with("llvm.smul.with.overflow.");
    if !signed && !name.starts_with("llvm.umul.with.overflow.") {
        return Ok(());
    }
    let Some(width) = inst.operand(0).ty().int_width() else {
        return Refusal::at(inst, "vectors do not exist on SBF");
    };
    match width {
        0..=32 => Ok(()),
        64 | 128 => {
            let name = format!("sbf.{}mulo.i{width}", if signed { 's' } else { 'u' });
            let function = helper(module, &name)?;
            let b = Builder::before(module.cx, inst);
            replace(inst, b.call(function, &[inst.operand(0), inst.operand(1)]));
            Ok(())
        }
        // The product of odd widths is taken at the next helper's width, which
        // holds it whole up to 63 bits; the rest is compared after cutting.
        33..=127 => odd_width_mul(module, inst, width, signed),
        _ => Refusal::at(inst, "integers of this width cannot be computed with"),
    }
}

fn odd_width_mul(module: &Module, inst: Value, width: u32, signed: bool) -> Result<()> {
    let cx = module.cx;
    let room = if width < 64 { 64 } else { 128 };
    let function = helper(
        module,
        &format!("sbf.{}mulo.i{room}", if signed { 's' } else { 'u' }),
    )?;
    let extend = if signed {
        Opcode::LLVMSExt
    } else {
        Opcode::LLVMZExt
    };
    let b = Builder::before(cx, inst);
    let operand = |i| b.cast(extend, inst.operand(i), cx.int(room));
    let pair = b.call(function, &[operand(0), operand(1)]);
    let product = b.extract(pair, 0);
    let cut = b.cast(Opcode::LLVMTrunc, product, cx.int(width));
    let back = b.cast(extend, cut, cx.int(room));
    let differs = b.icmp(IntPredicate::LLVMIntNE, back, product);
    let overflow = b.binary(Opcode::LLVMOr, differs, b.extract(pair, 1));
    replace(inst, b.pair(inst.ty(), cut, overflow));
    Ok(())
}

/// Rotations and funnel shifts of 128 bits by a variable amount.
fn funnel_shift(module: &Module, inst: Value, width: u32) -> Result<()> {
    let name = inst.callee().name();
    let left = name.starts_with("llvm.fshl.");
    if (!left && !name.starts_with("llvm.fshr.")) || inst.operand(2).is_constant_int() {
        return Ok(());
    }
    if width != 128 {
        return Refusal::at(inst, "funnel shifts of this width cannot be lowered");
    }
    let cx: Context = module.cx;
    let b = Builder::before(cx, inst);
    let wide = cx.int(128);
    let by = b.binary(Opcode::LLVMAnd, inst.operand(2), wide.constant(127));
    let rest = b.binary(Opcode::LLVMXor, by, wide.constant(127));
    let one = wide.constant(1);
    let (shl, lshr) = (helper(module, "sbf.shl")?, helper(module, "sbf.lshr")?);
    // As in the helpers, the part that crosses over moves by one and then by 127 - s.
    let (high, low) = (inst.operand(0), inst.operand(1));
    let result = if left {
        let upper = b.call(shl, &[high, by]);
        let crossing = b.binary(Opcode::LLVMLShr, low, one);
        b.binary(Opcode::LLVMOr, upper, b.call(lshr, &[crossing, rest]))
    } else {
        let lower = b.call(lshr, &[low, by]);
        let crossing = b.binary(Opcode::LLVMShl, high, one);
        b.binary(Opcode::LLVMOr, lower, b.call(shl, &[crossing, rest]))
    };
    replace(inst, result);
    Ok(())
}
