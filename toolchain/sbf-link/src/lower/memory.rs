//! Copies, fills and comparisons of memory. Small ones of known size become
//! loads and stores, the others the SVM's syscalls, which cost about fourteen
//! compute units with the call.

use anyhow::Result;

use crate::llvm::{Builder, IntPredicate, Module, Opcode, Type, Value};

/// Largest sizes, in bytes, that are cheaper inline.
const COPY_INLINE: u64 = 64;
const MOVE_INLINE: u64 = 32;
const FILL_INLINE: u64 = 96;
const COMPARE_INLINE: u64 = 64;

pub(crate) fn lower(module: &Module) -> Result<()> {
    for function in module.functions() {
        for inst in function.instructions() {
            if inst.opcode() != Opcode::LLVMCall {
                continue;
            }
            let name = inst.callee().name();
            if name.starts_with("llvm.mem") && !name.contains(".inline.") {
                lower_intrinsic(module, inst, &name);
            } else if name.starts_with("llvm.trap") || name.starts_with("llvm.ubsantrap") {
                lower_trap(module, inst);
            } else if name == "memcmp" || name == "bcmp" {
                lower_equality(module, inst);
            }
        }
    }
    Ok(())
}

fn lower_trap(module: &Module, call: Value) {
    let abort = module.declare("abort", Type::function(module.cx.void(), &[]));
    Builder::before(module.cx, call).call(abort, &[]);
    call.erase();
}

fn lower_intrinsic(module: &Module, call: Value, name: &str) {
    let cx = module.cx;
    let (syscall, limit) = if name.starts_with("llvm.memcpy.") {
        ("sol_memcpy_", COPY_INLINE)
    } else if name.starts_with("llvm.memmove.") {
        ("sol_memmove_", MOVE_INLINE)
    } else {
        ("sol_memset_", FILL_INLINE)
    };
    if call.operand(2).as_constant().is_some_and(|n| n <= limit) {
        return;
    }
    let (pointer, word) = (cx.pointer(), cx.int(64));
    let fill = syscall == "sol_memset_";
    let second = if fill { word } else { pointer };
    let ty = Type::function(cx.void(), &[pointer, second, word]);
    let target = module.declare(syscall, ty);
    let b = Builder::before(cx, call);
    let source = match fill {
        true => b.cast(Opcode::LLVMZExt, call.operand(1), word),
        false => call.operand(1),
    };
    let length = b.cast(Opcode::LLVMZExt, call.operand(2), word);
    b.call(target, &[call.operand(0), source, length]);
    call.erase();
}

/// Whether a comparison's result is only asked for equality.
fn only_equality(call: Value) -> bool {
    call.users().into_iter().all(|user| {
        user.is_instruction()
            && user.opcode() == Opcode::LLVMICmp
            && matches!(
                user.icmp_predicate(),
                IntPredicate::LLVMIntEQ | IntPredicate::LLVMIntNE
            )
            && user.operands().iter().any(|o| o.as_constant() == Some(0))
    })
}

/// `memcmp(a, b, n) == 0` for a small constant `n`: the differing bits of all words.
fn lower_equality(module: &Module, call: Value) {
    let Some(size) = call.operand(2).as_constant() else {
        return;
    };
    if size > COMPARE_INLINE || !only_equality(call) {
        return;
    }
    let cx = module.cx;
    let b = Builder::before(cx, call);
    let word = cx.int(64);
    let mut difference = word.constant(0);
    let mut at = 0;
    while at < size {
        let bytes = [8, 4, 2, 1]
            .into_iter()
            .find(|w| at + w <= size)
            .unwrap_or(1);
        let ty = cx.int(u32::try_from(bytes * 8).unwrap_or(8));
        let load = |base| b.load(ty, b.offset(base, at), 1);
        let (left, right) = (load(call.operand(0)), load(call.operand(1)));
        let bits = b.binary(Opcode::LLVMXor, left, right);
        let bits = b.cast(Opcode::LLVMZExt, bits, word);
        difference = b.binary(Opcode::LLVMOr, difference, bits);
        at += bytes;
    }
    let differs = b.icmp(IntPredicate::LLVMIntNE, difference, word.constant(0));
    call.replace_uses_with(b.cast(Opcode::LLVMZExt, differs, call.ty()));
    call.erase();
}
