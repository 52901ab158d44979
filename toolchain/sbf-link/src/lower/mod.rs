//! Rewrites a module into what LLVM's BPF code generator can compile.

mod abi;
mod arith;
mod floats;
mod memory;
mod refuse;
mod std_hooks;

use anyhow::Result;

pub(crate) use refuse::Refusal;

use crate::llvm::{Builder, IntPredicate, Linkage, Machine, Module, Value};

/// The one symbol that the SVM looks for.
pub(crate) const ENTRYPOINT: &str = "entrypoint";

/// Called by lowered code, so kept until lowering is done.
const KEPT: [&str; 2] = [ENTRYPOINT, "flagstone_udivrem128"];

const ARITH: &[u8] = include_bytes!("arith.ll");
const SYSCALLS: &[u8] = include_bytes!("syscalls.ll");

/// Takes the linked inputs to a module that can be compiled.
pub(crate) fn lower(module: &Module, machine: &Machine) -> Result<()> {
    module.strip_debug_info();
    module.link(module.cx.parse("syscalls.ll", SYSCALLS)?, "syscalls.ll")?;
    std_hooks::replace(module)?;
    forget_source_target(module);
    // Lists of what a linker must keep: here only the entry point must be kept.
    for variable in module.variables() {
        if matches!(variable.name().as_str(), "llvm.used" | "llvm.compiler.used") {
            variable.delete_variable();
        }
    }
    let mut kept = floats::routines();
    kept.extend(KEPT.map(str::to_owned));
    internalize(module, &kept);
    // Vectors are rare, made of arrays by some passes: taken apart while they still can be.
    let whole = "default<O3>,function(scalarizer<load-store>,instcombine<no-verify-fixpoint>,simplifycfg),lower-atomic";
    module.run_passes(whole, machine)?;
    restore_comparisons(module);

    module.link(module.cx.parse("arith.ll", ARITH)?, "arith.ll")?;
    arith::lower(module)?;
    module.verify("lowering arithmetic")?;
    internalize(module, &[ENTRYPOINT.to_owned()]);
    let tidy = "function(sroa,instsimplify,early-cse,simplifycfg),globaldce";
    module.run_passes(&format!("always-inline,globaldce,{tidy}"), machine)?;

    memory::lower(module)?;
    abi::lower(module)?;
    module.verify("lowering calls")?;
    module.run_passes(tidy, machine)?;
    refuse::check(module)
}

/// rustc marks functions with its idea of the processor; ours decides.
fn forget_source_target(module: &Module) {
    for function in module.functions() {
        for name in ["target-cpu", "target-features", "probe-stack"] {
            function.remove_text_attribute(name);
        }
    }
}

/// LLVM's BPF pipeline hides some comparisons in calls, so that the code is
/// easier to verify for Linux. They are comparisons again, for the passes to come.
fn restore_comparisons(module: &Module) {
    let functions = module.functions().into_iter();
    for function in functions.filter(|f| f.name().starts_with("llvm.bpf.compare.")) {
        for call in function.users() {
            let predicate = call.operand(0).as_constant().and_then(int_predicate);
            // Unknown ones stay, and are refused later by name.
            if let Some(predicate) = predicate {
                let b = Builder::before(module.cx, call);
                call.replace_uses_with(b.icmp(predicate, call.operand(1), call.operand(2)));
                call.erase();
            }
        }
    }
}

/// A predicate by its number in LLVM.
fn int_predicate(number: u64) -> Option<IntPredicate> {
    use IntPredicate::*;
    let all = [
        LLVMIntEQ, LLVMIntNE, LLVMIntUGT, LLVMIntUGE, LLVMIntULT, LLVMIntULE, LLVMIntSGT,
        LLVMIntSGE, LLVMIntSLT, LLVMIntSLE,
    ];
    all.into_iter().find(|p| *p as u64 == number)
}

/// Hides all definitions but `keep`, so that LLVM may drop or change them.
fn internalize(module: &Module, keep: &[String]) {
    let hide = |value: Value| {
        if !value.is_declaration() && !keep.contains(&value.name()) {
            value.set_linkage(Linkage::LLVMInternalLinkage);
        }
    };
    module.functions().into_iter().for_each(hide);
    module.aliases().into_iter().for_each(hide);
    let variables = module.variables().into_iter();
    variables
        .filter(|v| !v.name().starts_with("llvm."))
        .for_each(hide);
}
