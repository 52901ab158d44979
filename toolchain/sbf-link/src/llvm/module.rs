//! Modules: reading, linking, running LLVM's own passes, verifying.

use std::ffi::{CStr, c_char, c_void};
use std::sync::Mutex;

use anyhow::{Context as _, Result, bail};
use bpf_linker::llvm_sys::analysis::{LLVMVerifierFailureAction, LLVMVerifyModule};
use bpf_linker::llvm_sys::bit_reader::LLVMParseBitcodeInContext2;
use bpf_linker::llvm_sys::core::*;
use bpf_linker::llvm_sys::debuginfo::LLVMStripModuleDebugInfo;
use bpf_linker::llvm_sys::error::{LLVMDisposeErrorMessage, LLVMGetErrorMessage};
use bpf_linker::llvm_sys::error_handling::LLVMInstallFatalErrorHandler;
use bpf_linker::llvm_sys::ir_reader::LLVMParseIRInContext2;
use bpf_linker::llvm_sys::linker::LLVMLinkModules2;
use bpf_linker::llvm_sys::prelude::{LLVMContextRef, LLVMDiagnosticInfoRef, LLVMModuleRef};
use bpf_linker::llvm_sys::transforms::pass_builder::*;
use bpf_linker::llvm_sys::{LLVMDiagnosticSeverity, LLVMValue};

use super::ir::c_string;
use super::{Machine, Type, Value};

/// Errors that LLVM reported through its diagnostic handler since last asked.
static ERRORS: Mutex<Vec<String>> = Mutex::new(Vec::new());

extern "C" fn on_diagnostic(info: LLVMDiagnosticInfoRef, _: *mut c_void) {
    if ffi!(LLVMGetDiagInfoSeverity(info)) != LLVMDiagnosticSeverity::LLVMDSError {
        return;
    }
    let raw = ffi!(LLVMGetDiagInfoDescription(info));
    // SAFETY: LLVM returns a NUL-terminated string that we own and free below.
    let text = unsafe { CStr::from_ptr(raw) }
        .to_string_lossy()
        .into_owned();
    ffi!(LLVMDisposeMessage(raw));
    if let Ok(mut errors) = ERRORS.lock() {
        errors.push(text);
    }
}

extern "C" fn on_fatal(reason: *const c_char) {
    // SAFETY: LLVM passes a NUL-terminated string.
    let reason = unsafe { CStr::from_ptr(reason) }.to_string_lossy();
    eprintln!("error: LLVM cannot compile this program: {reason}");
    std::process::exit(1);
}

/// Takes the errors that LLVM has reported since the last call.
pub(super) fn take_errors() -> Vec<String> {
    ERRORS
        .lock()
        .map(|mut errors| std::mem::take(&mut *errors))
        .unwrap_or_default()
}

/// LLVM's context. There is one, made at the start and never freed.
#[derive(Clone, Copy)]
pub(crate) struct Context(pub(super) LLVMContextRef);

impl Context {
    pub(crate) fn new() -> Self {
        let raw = ffi!(LLVMContextCreate());
        ffi!(LLVMContextSetDiagnosticHandler(
            raw,
            Some(on_diagnostic),
            std::ptr::null_mut()
        ));
        ffi!(LLVMInstallFatalErrorHandler(Some(on_fatal)));
        Self(raw)
    }

    pub(crate) fn int(self, width: u32) -> Type {
        Type(ffi!(LLVMIntTypeInContext(self.0, width)))
    }

    pub(crate) fn void(self) -> Type {
        Type(ffi!(LLVMVoidTypeInContext(self.0)))
    }

    pub(crate) fn pointer(self) -> Type {
        Type(ffi!(LLVMPointerTypeInContext(self.0, 0)))
    }

    pub(crate) fn structure(self, fields: &[Type]) -> Type {
        let mut fields: Vec<_> = fields.iter().map(|f| f.0).collect();
        let count = u32::try_from(fields.len()).unwrap_or(u32::MAX);
        Type(ffi!(LLVMStructTypeInContext(
            self.0,
            fields.as_mut_ptr(),
            count,
            0
        )))
    }

    /// Reads bitcode or, where the bytes are not bitcode, LLVM's text.
    pub(crate) fn parse(self, name: &str, bytes: &[u8]) -> Result<Module> {
        let label = c_string(name);
        let buffer = ffi!(LLVMCreateMemoryBufferWithMemoryRangeCopy(
            bytes.as_ptr().cast(),
            bytes.len(),
            label.as_ptr()
        ));
        let mut raw: LLVMModuleRef = std::ptr::null_mut();
        let failed = if bytes.starts_with(b"BC\xC0\xDE") {
            ffi!(LLVMParseBitcodeInContext2(self.0, buffer, &mut raw))
        } else {
            let mut message = std::ptr::null_mut();
            let failed = ffi!(LLVMParseIRInContext2(
                self.0,
                buffer,
                &mut raw,
                &mut message
            ));
            if failed != 0 {
                bail!("{name}: {}", take_message(message));
            }
            failed
        };
        ffi!(LLVMDisposeMemoryBuffer(buffer));
        if failed != 0 {
            bail!(
                "{name}: not bitcode that LLVM 22 reads: {}",
                take_errors().join("; ")
            );
        }
        Ok(Module { raw, cx: self })
    }
}

fn take_message(message: *mut c_char) -> String {
    if message.is_null() {
        return String::new();
    }
    // SAFETY: LLVM hands over a NUL-terminated string that we own and free below.
    let text = unsafe { CStr::from_ptr(message) }
        .to_string_lossy()
        .trim()
        .to_owned();
    ffi!(LLVMDisposeMessage(message));
    text
}

/// A module of bitcode.
pub(crate) struct Module {
    pub(super) raw: LLVMModuleRef,
    pub(crate) cx: Context,
}

impl Module {
    /// Links `other` into this module.
    pub(crate) fn link(&self, other: Self, name: &str) -> Result<()> {
        if ffi!(LLVMLinkModules2(self.raw, other.raw)) != 0 {
            bail!("cannot link {name}: {}", take_errors().join("; "));
        }
        Ok(())
    }

    pub(crate) fn strip_debug_info(&self) {
        ffi!(LLVMStripModuleDebugInfo(self.raw));
    }

    fn list(
        &self,
        first: *mut LLVMValue,
        next: impl Fn(*mut LLVMValue) -> *mut LLVMValue,
    ) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor = first;
        while !cursor.is_null() {
            all.push(Value(cursor));
            cursor = next(cursor);
        }
        all
    }

    pub(crate) fn functions(&self) -> Vec<Value> {
        self.list(ffi!(LLVMGetFirstFunction(self.raw)), |f| {
            ffi!(LLVMGetNextFunction(f))
        })
    }

    pub(crate) fn variables(&self) -> Vec<Value> {
        self.list(ffi!(LLVMGetFirstGlobal(self.raw)), |g| {
            ffi!(LLVMGetNextGlobal(g))
        })
    }

    pub(crate) fn aliases(&self) -> Vec<Value> {
        self.list(ffi!(LLVMGetFirstGlobalAlias(self.raw)), |g| {
            ffi!(LLVMGetNextGlobalAlias(g))
        })
    }

    pub(crate) fn function(&self, name: &str) -> Option<Value> {
        let raw = ffi!(LLVMGetNamedFunctionWithLength(
            self.raw,
            name.as_ptr().cast(),
            name.len()
        ));
        (!raw.is_null()).then_some(Value(raw))
    }

    /// The function of that name, declared with that type where it is missing.
    pub(crate) fn declare(&self, name: &str, ty: Type) -> Value {
        self.function(name)
            .unwrap_or_else(|| self.add_function(name, ty))
    }

    pub(crate) fn add_function(&self, name: &str, ty: Type) -> Value {
        let name = c_string(name);
        Value(ffi!(LLVMAddFunction(self.raw, name.as_ptr(), ty.0)))
    }

    /// Appends an empty block to `function`.
    pub(crate) fn append_block(&self, function: Value) -> super::Block {
        super::Block(ffi!(LLVMAppendBasicBlockInContext(
            self.cx.0,
            function.0,
            c"".as_ptr()
        )))
    }

    /// The declaration of an intrinsic, with its overloaded types.
    pub(crate) fn intrinsic(&self, name: &str, overloads: &[Type]) -> Value {
        let id = ffi!(LLVMLookupIntrinsicID(name.as_ptr().cast(), name.len()));
        let mut types: Vec<_> = overloads.iter().map(|t| t.0).collect();
        Value(ffi!(LLVMGetIntrinsicDeclaration(
            self.raw,
            id,
            types.as_mut_ptr(),
            types.len()
        )))
    }

    /// Runs a pipeline written as for LLVM's `opt -passes=`. Vectors are never wanted.
    pub(crate) fn run_passes(&self, pipeline: &str, machine: &Machine) -> Result<()> {
        let passes = c_string(pipeline);
        let options = ffi!(LLVMCreatePassBuilderOptions());
        ffi!(LLVMPassBuilderOptionsSetLoopVectorization(options, 0));
        ffi!(LLVMPassBuilderOptionsSetSLPVectorization(options, 0));
        let error = ffi!(LLVMRunPasses(
            self.raw,
            passes.as_ptr(),
            machine.raw,
            options
        ));
        ffi!(LLVMDisposePassBuilderOptions(options));
        if error.is_null() {
            return Ok(());
        }
        let raw = ffi!(LLVMGetErrorMessage(error));
        // SAFETY: LLVM hands over a NUL-terminated string that we own and free below.
        let text = unsafe { CStr::from_ptr(raw) }
            .to_string_lossy()
            .into_owned();
        ffi!(LLVMDisposeErrorMessage(raw));
        bail!("LLVM's passes `{pipeline}` failed: {text}")
    }

    /// LLVM's own consistency check; a failure is a fault of this tool's.
    pub(crate) fn verify(&self, after: &str) -> Result<()> {
        let mut message = std::ptr::null_mut();
        let action = LLVMVerifierFailureAction::LLVMReturnStatusAction;
        let failed = ffi!(LLVMVerifyModule(self.raw, action, &mut message)) != 0;
        let text = take_message(message);
        if failed {
            bail!("the module is inconsistent after {after}: {text}");
        }
        Ok(())
    }

    /// Writes the module as text, for debugging.
    pub(crate) fn write_text(&self, path: &str) -> Result<()> {
        let raw = ffi!(LLVMPrintModuleToString(self.raw));
        std::fs::write(path, take_message(raw)).with_context(|| format!("cannot write {path}"))
    }
}
