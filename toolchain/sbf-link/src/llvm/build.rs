//! Building instructions.

use std::ffi::c_uint;

use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::prelude::LLVMBuilderRef;

use super::{Block, Context, IntPredicate, Opcode, Type, Value};

/// Inserts instructions at one place.
pub(crate) struct Builder {
    raw: LLVMBuilderRef,
    cx: Context,
}

impl Drop for Builder {
    fn drop(&mut self) {
        ffi!(LLVMDisposeBuilder(self.raw));
    }
}

impl Builder {
    fn new(cx: Context) -> Self {
        Self {
            raw: ffi!(LLVMCreateBuilderInContext(cx.0)),
            cx,
        }
    }

    /// Inserts in front of `inst`.
    pub(crate) fn before(cx: Context, inst: Value) -> Self {
        let builder = Self::new(cx);
        ffi!(LLVMPositionBuilderBefore(builder.raw, inst.0));
        builder
    }

    /// Inserts at the end of `block`.
    pub(crate) fn at_end(cx: Context, block: Block) -> Self {
        let builder = Self::new(cx);
        ffi!(LLVMPositionBuilderAtEnd(builder.raw, block.0));
        builder
    }

    /// Inserts at the start of `function`'s entry block, which must exist.
    pub(crate) fn at_entry(cx: Context, function: Value) -> Option<Self> {
        let first = function.blocks().first()?.first_instruction()?;
        Some(Self::before(cx, first))
    }

    pub(crate) fn call(&self, function: Value, arguments: &[Value]) -> Value {
        self.call_as(function.function_type(), function, arguments)
    }

    /// A call whose function type is not read off the callee: it may be any pointer.
    pub(crate) fn call_as(&self, ty: Type, callee: Value, arguments: &[Value]) -> Value {
        let mut arguments: Vec<_> = arguments.iter().map(|a| a.0).collect();
        let count = c_uint::try_from(arguments.len()).unwrap_or(c_uint::MAX);
        Value(ffi!(LLVMBuildCall2(
            self.raw,
            ty.0,
            callee.0,
            arguments.as_mut_ptr(),
            count,
            c"".as_ptr()
        )))
    }

    pub(crate) fn binary(&self, opcode: Opcode, a: Value, b: Value) -> Value {
        Value(ffi!(LLVMBuildBinOp(
            self.raw,
            opcode,
            a.0,
            b.0,
            c"".as_ptr()
        )))
    }

    pub(crate) fn cast(&self, opcode: Opcode, value: Value, ty: Type) -> Value {
        if value.ty() == ty {
            return value;
        }
        Value(ffi!(LLVMBuildCast(
            self.raw,
            opcode,
            value.0,
            ty.0,
            c"".as_ptr()
        )))
    }

    pub(crate) fn icmp(&self, predicate: IntPredicate, a: Value, b: Value) -> Value {
        Value(ffi!(LLVMBuildICmp(
            self.raw,
            predicate,
            a.0,
            b.0,
            c"".as_ptr()
        )))
    }

    pub(crate) fn select(&self, condition: Value, yes: Value, no: Value) -> Value {
        Value(ffi!(LLVMBuildSelect(
            self.raw,
            condition.0,
            yes.0,
            no.0,
            c"".as_ptr()
        )))
    }

    pub(crate) fn extract(&self, aggregate: Value, index: u32) -> Value {
        Value(ffi!(LLVMBuildExtractValue(
            self.raw,
            aggregate.0,
            index,
            c"".as_ptr()
        )))
    }

    /// The pair `{a, b}` as a value of the struct type `ty`.
    pub(crate) fn pair(&self, ty: Type, a: Value, b: Value) -> Value {
        let first = ffi!(LLVMBuildInsertValue(
            self.raw,
            ty.undef().0,
            a.0,
            0,
            c"".as_ptr()
        ));
        Value(ffi!(LLVMBuildInsertValue(
            self.raw,
            first,
            b.0,
            1,
            c"".as_ptr()
        )))
    }

    /// Space on the frame. The caller sees to it that the builder stands in the entry block.
    pub(crate) fn alloca(&self, ty: Type, align: u32) -> Value {
        let slot = Value(ffi!(LLVMBuildAlloca(self.raw, ty.0, c"".as_ptr())));
        slot.set_alignment(align);
        slot
    }

    pub(crate) fn load(&self, ty: Type, from: Value, align: u32) -> Value {
        let load = Value(ffi!(LLVMBuildLoad2(self.raw, ty.0, from.0, c"".as_ptr())));
        load.set_alignment(align);
        load
    }

    pub(crate) fn store(&self, value: Value, to: Value, align: u32) {
        Value(ffi!(LLVMBuildStore(self.raw, value.0, to.0))).set_alignment(align);
    }

    /// The address of a field of the struct type `ty`.
    pub(crate) fn field(&self, ty: Type, base: Value, index: u32) -> Value {
        Value(ffi!(LLVMBuildStructGEP2(
            self.raw,
            ty.0,
            base.0,
            index,
            c"".as_ptr()
        )))
    }

    /// The address `offset` bytes after `base`.
    pub(crate) fn offset(&self, base: Value, offset: u64) -> Value {
        if offset == 0 {
            return base;
        }
        let mut index = [self.cx.int(64).constant(offset).0];
        Value(ffi!(LLVMBuildGEP2(
            self.raw,
            self.cx.int(8).0,
            base.0,
            index.as_mut_ptr(),
            1,
            c"".as_ptr()
        )))
    }

    pub(crate) fn ret_void(&self) {
        ffi!(LLVMBuildRetVoid(self.raw));
    }

    pub(crate) fn unreachable(&self) {
        ffi!(LLVMBuildUnreachable(self.raw));
    }
}
