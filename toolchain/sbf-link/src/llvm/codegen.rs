//! LLVM's BPF code generator.

use std::ffi::CStr;

use anyhow::{Result, bail};
use bpf_linker::llvm_sys::core::{
    LLVMDisposeMemoryBuffer, LLVMDisposeMessage, LLVMGetBufferSize, LLVMGetBufferStart,
};
use bpf_linker::llvm_sys::support::LLVMParseCommandLineOptions;
use bpf_linker::llvm_sys::target::{
    LLVMInitializeBPFAsmPrinter, LLVMInitializeBPFTarget, LLVMInitializeBPFTargetInfo,
    LLVMInitializeBPFTargetMC,
};
use bpf_linker::llvm_sys::target_machine::*;

use super::Module;
use super::module::take_errors;

/// The code generator, set up for SBF.
pub(crate) struct Machine {
    pub(super) raw: LLVMTargetMachineRef,
}

impl Machine {
    /// Sets LLVM's options, which are global to the process: call it once, first.
    pub(crate) fn new(stack_bytes: u32) -> Result<Self> {
        ffi!(LLVMInitializeBPFTargetInfo());
        ffi!(LLVMInitializeBPFTarget());
        ffi!(LLVMInitializeBPFTargetMC());
        ffi!(LLVMInitializeBPFAsmPrinter());
        let stack = super::ir::c_string(&format!("--bpf-stack-size={stack_bytes}"));
        let options = [
            c"sbf-link".as_ptr(),
            stack.as_ptr(),
            // Else `unreachable` becomes a call that only Linux resolves.
            c"--bpf-disable-trap-unreachable".as_ptr(),
            // What helps the verifier of Linux only costs instructions here.
            c"--bpf-disable-serialize-icmp".as_ptr(),
            c"--bpf-disable-avoid-speculation".as_ptr(),
            // There are no vectors; the pass builder's own switches miss some places.
            c"--vectorize-slp=false".as_ptr(),
            c"--vectorize-loops=false".as_ptr(),
            c"--disable-vector-combine".as_ptr(),
        ];
        ffi!(LLVMParseCommandLineOptions(
            i32::try_from(options.len())?,
            options.as_ptr(),
            c"".as_ptr()
        ));

        let mut target = std::ptr::null_mut();
        let mut message = std::ptr::null_mut();
        if ffi!(LLVMGetTargetFromTriple(
            c"bpfel".as_ptr(),
            &mut target,
            &mut message
        )) != 0
        {
            ffi!(LLVMDisposeMessage(message));
            bail!("this LLVM has no BPF back end");
        }
        // v2 is the last BPF instruction set that SBF contains whole. Misaligned
        // access is what the SVM offers and the BPF of Linux does not.
        let raw = ffi!(LLVMCreateTargetMachine(
            target,
            c"bpfel".as_ptr(),
            c"v2".as_ptr(),
            c"+allows-misaligned-mem-access".as_ptr(),
            LLVMCodeGenOptLevel::LLVMCodeGenLevelAggressive,
            LLVMRelocMode::LLVMRelocStatic,
            LLVMCodeModel::LLVMCodeModelDefault
        ));
        if raw.is_null() {
            bail!("LLVM cannot make a BPF code generator");
        }
        Ok(Self { raw })
    }

    /// Compiles the module to an object file. Errors name functions by LLVM's text.
    pub(crate) fn compile(&self, module: &Module) -> Result<Vec<u8>> {
        take_errors();
        let mut buffer = std::ptr::null_mut();
        let mut message = std::ptr::null_mut();
        let kind = LLVMCodeGenFileType::LLVMObjectFile;
        let failed = ffi!(LLVMTargetMachineEmitToMemoryBuffer(
            self.raw,
            module.raw,
            kind,
            &mut message,
            &mut buffer
        )) != 0;
        if failed {
            // SAFETY: on failure LLVM hands over a NUL-terminated string.
            let text = unsafe { CStr::from_ptr(message) }
                .to_string_lossy()
                .into_owned();
            ffi!(LLVMDisposeMessage(message));
            bail!("code generation failed: {text}");
        }
        let size = ffi!(LLVMGetBufferSize(buffer));
        let start = ffi!(LLVMGetBufferStart(buffer)).cast::<u8>();
        // SAFETY: the buffer holds `size` bytes from `start` until it is disposed of below.
        let object = unsafe { std::slice::from_raw_parts(start, size) }.to_vec();
        ffi!(LLVMDisposeMemoryBuffer(buffer));
        let mut errors = take_errors();
        // Large frames are not LLVM's to judge: the caller measures and names them.
        errors.retain(|error| !error.contains("stack limit"));
        if !errors.is_empty() {
            bail!("code generation failed:\n  {}", errors.join("\n  "));
        }
        Ok(object)
    }
}
