//! A small wrapper of LLVM's C interface.
//!
//! Contract of every handle given out here ([`Value`], [`Type`], [`Block`]):
//! it points into the one [`Context`] of the process, which is never freed, so
//! types stay valid for ever, and values and blocks until the pass that holds
//! them erases them. LLVM is used from one thread only. Inside the wrapper
//! calls go through the `ffi!` macro, which states that contract once.

/// Calls LLVM's C interface.
macro_rules! ffi {
    ($call:expr) => {{
        // SAFETY: handles are live by the contract of the module `llvm`, strings
        // are NUL-terminated or come with their length, and LLVM runs on one thread.
        unsafe { $call }
    }};
}

mod attributes;
mod build;
mod codegen;
mod ir;
mod module;

pub(crate) use build::Builder;
pub(crate) use codegen::Machine;
pub(crate) use ir::{Block, Type, Value};
pub(crate) use module::{Context, Module};

pub(crate) use bpf_linker::llvm_sys::{
    LLVMIntPredicate as IntPredicate, LLVMLinkage as Linkage, LLVMOpcode as Opcode,
    LLVMRealPredicate as RealPredicate, LLVMTypeKind as TypeKind,
};
