//! Handles of types, values and blocks, and walking over them.

use std::ffi::{CStr, CString, c_uint};

use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::prelude::{LLVMBasicBlockRef, LLVMTypeRef, LLVMValueRef};

use super::{Linkage, Opcode, TypeKind};

/// A type of LLVM's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Type(pub(super) LLVMTypeRef);

/// A function, global, constant, argument or instruction.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Value(pub(super) LLVMValueRef);

/// A basic block.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block(pub(super) LLVMBasicBlockRef);

/// Follows a linked list of LLVM's until its null end.
fn chain<T: Copy>(first: Option<T>, next: impl Fn(T) -> Option<T>) -> Vec<T> {
    let mut all = Vec::new();
    let mut cursor = first;
    while let Some(item) = cursor {
        all.push(item);
        cursor = next(item);
    }
    all
}

impl Type {
    pub(crate) fn kind(self) -> TypeKind {
        ffi!(LLVMGetTypeKind(self.0))
    }

    /// The width of an integer type, `None` for any other type.
    pub(crate) fn int_width(self) -> Option<u32> {
        (self.kind() == TypeKind::LLVMIntegerTypeKind).then(|| ffi!(LLVMGetIntTypeWidth(self.0)))
    }

    pub(crate) fn is_float(self) -> bool {
        matches!(
            self.kind(),
            TypeKind::LLVMHalfTypeKind
                | TypeKind::LLVMBFloatTypeKind
                | TypeKind::LLVMFloatTypeKind
                | TypeKind::LLVMDoubleTypeKind
                | TypeKind::LLVMFP128TypeKind
                | TypeKind::LLVMX86_FP80TypeKind
                | TypeKind::LLVMPPC_FP128TypeKind
        )
    }

    /// The width of a float type that the soft-float routines know.
    pub(crate) fn float_width(self) -> Option<u32> {
        match self.kind() {
            TypeKind::LLVMFloatTypeKind => Some(32),
            TypeKind::LLVMDoubleTypeKind => Some(64),
            _ => None,
        }
    }

    pub(crate) fn is_vector(self) -> bool {
        matches!(
            self.kind(),
            TypeKind::LLVMVectorTypeKind | TypeKind::LLVMScalableVectorTypeKind
        )
    }

    /// Whether a vector hides anywhere inside.
    pub(crate) fn contains_vector(self) -> bool {
        match self.kind() {
            TypeKind::LLVMArrayTypeKind => Self(ffi!(LLVMGetElementType(self.0))).contains_vector(),
            TypeKind::LLVMStructTypeKind => {
                let count = ffi!(LLVMCountStructElementTypes(self.0));
                (0..count)
                    .any(|i| Self(ffi!(LLVMStructGetTypeAtIndex(self.0, i))).contains_vector())
            }
            _ => self.is_vector(),
        }
    }

    /// A function type of these parts, without variadic arguments.
    pub(crate) fn function(result: Self, params: &[Self]) -> Self {
        let mut params: Vec<_> = params.iter().map(|p| p.0).collect();
        let count = c_uint::try_from(params.len()).unwrap_or(c_uint::MAX);
        Self(ffi!(LLVMFunctionType(
            result.0,
            params.as_mut_ptr(),
            count,
            0
        )))
    }

    pub(crate) fn is_variadic(self) -> bool {
        ffi!(LLVMIsFunctionVarArg(self.0)) != 0
    }

    pub(crate) fn result(self) -> Self {
        Self(ffi!(LLVMGetReturnType(self.0)))
    }

    pub(crate) fn params(self) -> Vec<Self> {
        let count = ffi!(LLVMCountParamTypes(self.0));
        let mut params = vec![std::ptr::null_mut(); count as usize];
        ffi!(LLVMGetParamTypes(self.0, params.as_mut_ptr()));
        params.into_iter().map(Self).collect()
    }

    pub(crate) fn undef(self) -> Value {
        Value(ffi!(LLVMGetUndef(self.0)))
    }

    /// The constant `value`, cut or extended with zeros to this integer type.
    pub(crate) fn constant(self, value: u64) -> Value {
        let value = match self.int_width() {
            Some(width @ 0..64) => value & ((1 << width) - 1),
            _ => value,
        };
        Value(ffi!(LLVMConstInt(self.0, value, 0)))
    }
}

impl Value {
    fn some(raw: LLVMValueRef) -> Option<Self> {
        (!raw.is_null()).then_some(Self(raw))
    }

    pub(crate) fn ty(self) -> Type {
        Type(ffi!(LLVMTypeOf(self.0)))
    }

    pub(crate) fn name(self) -> String {
        let mut len = 0;
        let text = ffi!(LLVMGetValueName2(self.0, &mut len));
        // SAFETY: LLVM returns a pointer to `len` bytes that live as long as the value's name.
        let bytes = unsafe { std::slice::from_raw_parts(text.cast::<u8>(), len) };
        String::from_utf8_lossy(bytes).into_owned()
    }

    pub(crate) fn set_name(self, name: &str) {
        ffi!(LLVMSetValueName2(self.0, name.as_ptr().cast(), name.len()));
    }

    /// The value as LLVM prints it, for messages.
    pub(crate) fn text(self) -> String {
        let raw = ffi!(LLVMPrintValueToString(self.0));
        // SAFETY: LLVM returns a NUL-terminated string that we own and free below.
        let text = unsafe { CStr::from_ptr(raw) }
            .to_string_lossy()
            .trim()
            .to_owned();
        ffi!(LLVMDisposeMessage(raw));
        text
    }

    pub(crate) fn replace_uses_with(self, other: Self) {
        ffi!(LLVMReplaceAllUsesWith(self.0, other.0));
    }

    pub(crate) fn has_uses(self) -> bool {
        !ffi!(LLVMGetFirstUse(self.0)).is_null()
    }

    /// The values that use this one.
    pub(crate) fn users(self) -> Vec<Self> {
        let mut users = Vec::new();
        let mut cursor = ffi!(LLVMGetFirstUse(self.0));
        while !cursor.is_null() {
            users.push(Self(ffi!(LLVMGetUser(cursor))));
            cursor = ffi!(LLVMGetNextUse(cursor));
        }
        users
    }

    pub(crate) fn operand(self, index: u32) -> Self {
        Self(ffi!(LLVMGetOperand(self.0, index)))
    }

    pub(crate) fn operands(self) -> Vec<Self> {
        let count = u32::try_from(ffi!(LLVMGetNumOperands(self.0))).unwrap_or(0);
        (0..count).map(|i| self.operand(i)).collect()
    }

    /// The value of an integer constant of at most 64 bits.
    pub(crate) fn as_constant(self) -> Option<u64> {
        let constant = !ffi!(LLVMIsAConstantInt(self.0)).is_null();
        (constant && self.ty().int_width().is_some_and(|w| w <= 64))
            .then(|| ffi!(LLVMConstIntGetZExtValue(self.0)))
    }

    pub(crate) fn is_constant_int(self) -> bool {
        !ffi!(LLVMIsAConstantInt(self.0)).is_null()
    }
}

/// Globals and functions.
impl Value {
    /// The function or variable itself where this value names one.
    pub(crate) fn as_function(self) -> Option<Self> {
        Self::some(ffi!(LLVMIsAFunction(self.0)))
    }

    pub(crate) fn is_declaration(self) -> bool {
        ffi!(LLVMIsDeclaration(self.0)) != 0
    }

    pub(crate) fn is_writable_variable(self) -> bool {
        ffi!(LLVMIsGlobalConstant(self.0)) == 0
    }

    pub(crate) fn is_thread_local(self) -> bool {
        ffi!(LLVMIsThreadLocal(self.0)) != 0
    }

    pub(crate) fn set_linkage(self, linkage: Linkage) {
        ffi!(LLVMSetLinkage(self.0, linkage));
        if linkage == Linkage::LLVMInternalLinkage {
            ffi!(LLVMSetVisibility(
                self.0,
                bpf_linker::llvm_sys::LLVMVisibility::LLVMDefaultVisibility
            ));
        }
    }

    pub(crate) fn function_type(self) -> Type {
        Type(ffi!(LLVMGlobalGetValueType(self.0)))
    }

    pub(crate) fn is_intrinsic(self) -> bool {
        ffi!(LLVMGetIntrinsicID(self.0)) != 0
    }

    pub(crate) fn params(self) -> Vec<Self> {
        let count = ffi!(LLVMCountParams(self.0));
        (0..count)
            .map(|i| Self(ffi!(LLVMGetParam(self.0, i))))
            .collect()
    }

    pub(crate) fn blocks(self) -> Vec<Block> {
        let wrap = |raw: LLVMBasicBlockRef| (!raw.is_null()).then_some(Block(raw));
        chain(wrap(ffi!(LLVMGetFirstBasicBlock(self.0))), |b| {
            wrap(ffi!(LLVMGetNextBasicBlock(b.0)))
        })
    }

    /// Every instruction of the function, in order.
    pub(crate) fn instructions(self) -> Vec<Self> {
        self.blocks()
            .into_iter()
            .flat_map(Block::instructions)
            .collect()
    }

    /// Removes the body, leaving a function without blocks.
    pub(crate) fn clear_body(self) {
        for block in self.blocks() {
            for inst in block.instructions().into_iter().rev() {
                if inst.has_uses() {
                    inst.replace_uses_with(inst.ty().undef());
                }
                inst.erase();
            }
        }
        for block in self.blocks() {
            ffi!(LLVMDeleteBasicBlock(block.0));
        }
    }

    pub(crate) fn delete_variable(self) {
        ffi!(LLVMDeleteGlobal(self.0));
    }

    pub(crate) fn delete_function(self) {
        ffi!(LLVMDeleteFunction(self.0));
    }

    /// Copies calling convention, section and the like to a function of another type.
    pub(crate) fn copy_shape_from(self, old: Self) {
        ffi!(LLVMSetFunctionCallConv(
            self.0,
            LLVMGetFunctionCallConv(old.0)
        ));
        ffi!(LLVMSetLinkage(self.0, LLVMGetLinkage(old.0)));
        ffi!(LLVMSetVisibility(self.0, LLVMGetVisibility(old.0)));
        ffi!(LLVMSetUnnamedAddress(self.0, LLVMGetUnnamedAddress(old.0)));
    }

    /// Moves the body of `old` into this function, which has none.
    pub(crate) fn take_blocks(self, old: Self) {
        let mut last: Option<Block> = None;
        for block in old.blocks() {
            match last {
                Some(last) => ffi!(LLVMMoveBasicBlockAfter(block.0, last.0)),
                None => {
                    // An empty function has no place to move to: append an
                    // anchor block, move after it, and drop it.
                    let anchor = ffi!(LLVMAppendBasicBlockInContext(
                        LLVMGetTypeContext(LLVMTypeOf(self.0)),
                        self.0,
                        c"".as_ptr()
                    ));
                    ffi!(LLVMMoveBasicBlockAfter(block.0, anchor));
                    ffi!(LLVMDeleteBasicBlock(anchor));
                }
            }
            last = Some(block);
        }
    }
}

/// Instructions.
impl Value {
    pub(crate) fn opcode(self) -> Opcode {
        ffi!(LLVMGetInstructionOpcode(self.0))
    }

    pub(crate) fn is_instruction(self) -> bool {
        !ffi!(LLVMIsAInstruction(self.0)).is_null()
    }

    pub(crate) fn erase(self) {
        ffi!(LLVMInstructionEraseFromParent(self.0));
    }

    pub(crate) fn parent_function(self) -> Self {
        Self(ffi!(LLVMGetBasicBlockParent(LLVMGetInstructionParent(
            self.0
        ))))
    }

    pub(crate) fn icmp_predicate(self) -> super::IntPredicate {
        ffi!(LLVMGetICmpPredicate(self.0))
    }

    pub(crate) fn fcmp_predicate(self) -> super::RealPredicate {
        ffi!(LLVMGetFCmpPredicate(self.0))
    }

    pub(crate) fn is_atomic(self) -> bool {
        ffi!(LLVMIsAtomic(self.0)) != 0
    }

    /// What a call calls: a function, or a pointer computed at run time.
    pub(crate) fn callee(self) -> Self {
        Self(ffi!(LLVMGetCalledValue(self.0)))
    }

    pub(crate) fn called_type(self) -> Type {
        Type(ffi!(LLVMGetCalledFunctionType(self.0)))
    }

    /// Whether a callee is inline assembly that holds an instruction. Empty
    /// assembly is a barrier for the optimiser (`core::hint::black_box`).
    pub(crate) fn is_inline_asm(self) -> bool {
        self.is_any_asm() && {
            let mut len = 0;
            ffi!(LLVMGetInlineAsmAsmString(self.0, &mut len));
            len != 0
        }
    }

    /// Whether a callee is inline assembly, empty or not.
    pub(crate) fn is_any_asm(self) -> bool {
        !ffi!(LLVMIsAInlineAsm(self.0)).is_null()
    }

    /// The arguments of a call.
    pub(crate) fn arguments(self) -> Vec<Self> {
        (0..ffi!(LLVMGetNumArgOperands(self.0)))
            .map(|i| self.operand(i))
            .collect()
    }

    pub(crate) fn set_operand(self, index: usize, value: Self) {
        let index = c_uint::try_from(index).unwrap_or(c_uint::MAX);
        ffi!(LLVMSetOperand(self.0, index, value.0));
    }

    pub(crate) fn operand_bundle_count(self) -> u32 {
        ffi!(LLVMGetNumOperandBundles(self.0))
    }

    pub(crate) fn is_must_tail(self) -> bool {
        ffi!(LLVMGetTailCallKind(self.0))
            == bpf_linker::llvm_sys::LLVMTailCallKind::LLVMTailCallKindMustTail
    }

    pub(crate) fn clear_tail(self) {
        ffi!(LLVMSetTailCall(self.0, 0));
    }

    pub(crate) fn copy_call_convention(self, old: Self) {
        ffi!(LLVMSetInstructionCallConv(
            self.0,
            LLVMGetInstructionCallConv(old.0)
        ));
    }

    pub(crate) fn set_alignment(self, bytes: u32) {
        ffi!(LLVMSetAlignment(self.0, bytes));
    }
}

impl Block {
    pub(crate) fn instructions(self) -> Vec<Value> {
        chain(Value::some(ffi!(LLVMGetFirstInstruction(self.0))), |i| {
            Value::some(ffi!(LLVMGetNextInstruction(i.0)))
        })
    }

    pub(crate) fn first_instruction(self) -> Option<Value> {
        Value::some(ffi!(LLVMGetFirstInstruction(self.0)))
    }
}

/// A string for LLVM. Names with a NUL inside do not occur in bitcode that rustc wrote.
pub(super) fn c_string(text: &str) -> CString {
    CString::new(text.replace('\0', "")).unwrap_or_default()
}
