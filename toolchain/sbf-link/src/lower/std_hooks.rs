//! The standard library's panic machinery keeps counters and hooks in writable
//! statics, which a program cannot have. Its entry points get bodies that call
//! `toolchain/runtime`, before the optimiser can inline what they replace.

use anyhow::Result;

use crate::llvm::{Builder, Module, Value};

/// Entry point of std (a part of its mangled name), and what replaces it.
const HOOKS: [(&str, &str, Pass); 5] = [
    (
        "7___rustc17rust_begin_unwind",
        "flagstone_panic",
        Pass::Argument(0),
    ),
    (
        "3std9panicking20rust_panic_with_hook",
        "flagstone_panic_at",
        Pass::Argument(2),
    ),
    (
        "3std9panicking15panic_with_hook",
        "flagstone_panic_at",
        Pass::Argument(2),
    ),
    (
        "3std5alloc8rust_oom",
        "flagstone_out_of_memory",
        Pass::Nothing,
    ),
    ("3std7process5abort", "abort", Pass::Nothing),
];

#[derive(Clone, Copy)]
enum Pass {
    Argument(usize),
    Nothing,
}

pub(crate) fn replace(module: &Module) -> Result<()> {
    for function in module.functions() {
        if function.is_declaration() {
            continue;
        }
        let name = function.name();
        let hook = HOOKS.iter().find(|(part, ..)| name.contains(part));
        if let Some((part, target, pass)) = hook {
            // A program without std may define its own panic handler: that one stays.
            if part.contains("rust_begin_unwind") && !mentions_std(function) {
                continue;
            }
            divert(module, function, target, *pass);
        }
    }
    Ok(())
}

/// Whether the body calls into std.
fn mentions_std(function: Value) -> bool {
    let instructions = function.instructions();
    instructions
        .iter()
        .flat_map(|inst| inst.operands())
        .filter_map(Value::as_function)
        .any(|callee| callee.name().contains("3std"))
}

/// Replaces the body of `function` by a call of `target` that does not return.
fn divert(module: &Module, function: Value, target: &str, pass: Pass) {
    let params = function.params();
    let arguments: Vec<_> = match pass {
        Pass::Argument(index) => params.get(index).copied().into_iter().collect(),
        Pass::Nothing => Vec::new(),
    };
    let types: Vec<_> = arguments.iter().map(|a| a.ty()).collect();
    let ty = crate::llvm::Type::function(module.cx.void(), &types);
    let target = module.declare(target, ty);
    function.clear_body();
    let block = module.append_block(function);
    let b = Builder::at_end(module.cx, block);
    b.call_as(ty, target, &arguments);
    b.unreachable();
}
