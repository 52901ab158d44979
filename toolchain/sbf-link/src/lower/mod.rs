//! Rewrites a module into what LLVM's BPF code generator can compile.

mod abi;
mod arith;
mod memory;
mod refuse;
mod std_hooks;

use anyhow::Result;

pub(crate) use refuse::Refusal;

use crate::llvm::{Linkage, Machine, Module, Value};

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
    internalize(module, &KEPT);
    module.run_passes("default<O3>,lower-atomic", machine)?;

    module.link(module.cx.parse("arith.ll", ARITH)?, "arith.ll")?;
    arith::lower(module)?;
    module.verify("lowering arithmetic")?;
    internalize(module, &[ENTRYPOINT]);
    let tidy = "function(sroa,instsimplify,early-cse,simplifycfg),globaldce";
    module.run_passes(&format!("always-inline,globaldce,{tidy}"), machine)?;

    memory::lower(module)?;
    abi::lower(module)?;
    module.verify("lowering calls")?;
    module.run_passes(tidy, machine)?;
    refuse::check(module)
}

/// rustc marks functions with its idea of the processor, and LLVM puts barriers
/// into them that help the verifier of Linux and mean nothing here.
fn forget_source_target(module: &Module) {
    for function in module.functions() {
        if function.name().starts_with("llvm.bpf.passthrough.") {
            for call in function.users() {
                call.replace_uses_with(call.operand(1));
                call.erase();
            }
        }
        for name in ["target-cpu", "target-features", "probe-stack"] {
            function.remove_text_attribute(name);
        }
    }
}

/// Hides all definitions but `keep`, so that LLVM may drop or change them.
fn internalize(module: &Module, keep: &[&str]) {
    let hide = |value: Value| {
        if !value.is_declaration() && !keep.contains(&value.name().as_str()) {
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
