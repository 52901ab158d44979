//! What cannot be compiled is refused by name, before LLVM would miscompile it
//! or die of it.

use anyhow::{Result, bail};

use crate::llvm::{Module, Opcode, Value};

/// Makes the error that refuses something.
pub(crate) struct Refusal;

impl Refusal {
    pub(crate) fn at<T>(inst: Value, why: &str) -> Result<T> {
        let function = inst.parent_function().name();
        bail!(
            "{why}: function `{function}`, instruction `{}`",
            inst.text()
        )
    }

    pub(crate) fn of_function<T>(function: Value, why: &str) -> Result<T> {
        bail!("{why}: function `{}`", function.name())
    }
}

/// Intrinsics that the code generator expands into instructions it has, or drops.
const INTRINSICS: &[&str] = &[
    "abs",
    "assume",
    "bitreverse",
    "bswap",
    "ctlz",
    "ctpop",
    "cttz",
    "donothing",
    "expect",
    "experimental.noalias.scope.decl",
    "fshl",
    "fshr",
    "invariant.end",
    "invariant.start",
    "launder.invariant.group",
    "lifetime.end",
    "lifetime.start",
    "memcpy",
    "memmove",
    "memset",
    "sadd.sat",
    "sadd.with.overflow",
    "scmp",
    "sideeffect",
    "smax",
    "smin",
    "smul.with.overflow",
    "ssub.sat",
    "ssub.with.overflow",
    "strip.invariant.group",
    "uadd.sat",
    "uadd.with.overflow",
    "ucmp",
    "umax",
    "umin",
    "umul.with.overflow",
    "usub.sat",
    "usub.with.overflow",
];

pub(crate) fn check(module: &Module) -> Result<()> {
    for variable in module.variables() {
        check_variable(variable)?;
    }
    for function in module.functions() {
        for (index, block) in function.blocks().into_iter().enumerate() {
            for inst in block.instructions() {
                check_types(inst)?;
                check_instruction(inst, index == 0)?;
            }
        }
    }
    Ok(())
}

fn check_variable(variable: Value) -> Result<()> {
    let name = variable.name();
    if variable.is_thread_local() {
        bail!("thread-local variables do not exist on SBF: `{name}`");
    }
    if variable.is_declaration() {
        bail!("the variable `{name}` is defined nowhere");
    }
    if variable.is_writable_variable() {
        let users = variable.users().into_iter().filter(|u| u.is_instruction());
        let at = users.map(|u| u.parent_function().name()).next();
        let at = at
            .map(|f| format!(", used by function `{f}`"))
            .unwrap_or_default();
        bail!("programs have no writable statics: `{name}`{at}");
    }
    Ok(())
}

fn check_types(inst: Value) -> Result<()> {
    let moves = matches!(
        inst.opcode(),
        Opcode::LLVMLoad
            | Opcode::LLVMStore
            | Opcode::LLVMPHI
            | Opcode::LLVMSelect
            | Opcode::LLVMBitCast
            | Opcode::LLVMFreeze
            | Opcode::LLVMRet
            | Opcode::LLVMExtractValue
            | Opcode::LLVMInsertValue
            | Opcode::LLVMCall
    );
    let operands = inst.operands().into_iter().map(Value::ty);
    for ty in operands.chain([inst.ty()]) {
        if ty.contains_vector() {
            return Refusal::at(inst, "vectors do not exist on SBF");
        }
        if ty.is_float() && !moves {
            return Refusal::at(inst, "floating point is not lowered here");
        }
    }
    Ok(())
}

fn check_instruction(inst: Value, in_entry: bool) -> Result<()> {
    use Opcode::*;
    let wide = inst.ty().int_width().is_some_and(|w| w > 64);
    match inst.opcode() {
        LLVMAlloca if !in_entry || inst.operand(0).as_constant().is_none() => {
            Refusal::at(inst, "stack space of a size known only at run time")
        }
        LLVMLoad | LLVMStore if inst.is_atomic() => {
            Refusal::at(inst, "an atomic operation was not lowered")
        }
        LLVMMul | LLVMUDiv | LLVMURem if wide => {
            Refusal::at(inst, "wide arithmetic was not lowered")
        }
        LLVMSDiv | LLVMSRem => Refusal::at(inst, "signed division was not lowered"),
        LLVMShl | LLVMLShr | LLVMAShr if wide && !inst.operand(1).is_constant_int() => {
            Refusal::at(inst, "a wide variable shift was not lowered")
        }
        LLVMRet | LLVMBr | LLVMSwitch | LLVMUnreachable | LLVMAdd | LLVMSub | LLVMMul
        | LLVMUDiv | LLVMURem | LLVMShl | LLVMLShr | LLVMAShr | LLVMAnd | LLVMOr | LLVMXor
        | LLVMAlloca | LLVMLoad | LLVMStore | LLVMGetElementPtr | LLVMTrunc | LLVMZExt
        | LLVMSExt | LLVMPtrToInt | LLVMIntToPtr | LLVMBitCast | LLVMICmp | LLVMPHI
        | LLVMSelect | LLVMExtractValue | LLVMInsertValue | LLVMFreeze => Ok(()),
        LLVMCall => check_call(inst),
        _ => Refusal::at(inst, "an instruction that SBF has no equivalent of"),
    }
}

fn check_call(call: Value) -> Result<()> {
    let callee = call.callee();
    if callee.is_inline_asm() {
        return Refusal::at(call, "inline assembly is not understood");
    }
    let Some(function) = callee.as_function() else {
        return Ok(());
    };
    let name = function.name();
    if let Some(intrinsic) = name.strip_prefix("llvm.") {
        let known = INTRINSICS.iter().any(|known| {
            let rest = intrinsic.strip_prefix(known);
            rest.is_some_and(|r| r.is_empty() || r.starts_with('.'))
        });
        return match known {
            true => Ok(()),
            false => Refusal::at(call, "an intrinsic that is not lowered"),
        };
    }
    if function.is_declaration() && name != "abort" && !name.starts_with("sol_") {
        return Refusal::at(call, "a call of what is neither defined nor a syscall");
    }
    Ok(())
}
