//! What cannot be lowered is refused in a sentence that names the function and
//! the instruction. Feeds small modules of LLVM's text to `sbf-link`.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The linker that the last build used.
fn linker() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/sbf/sbf-link");
    assert!(
        path.exists(),
        "{}: run `cargo xtask build-sbf --backend portable`",
        path.display()
    );
    path
}

/// Links a module whose entry point calls `@subject`, and returns what is said if that fails.
fn link(name: &str, body: &str) -> Result<String, String> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let source = folder.join(format!("{name}.ll"));
    let head = "target datalayout = \"e-m:e-p:64:64-i64:64-i128:128-n32:64-S128\"\n\
                target triple = \"bpfel\"\n";
    std::fs::write(&source, format!("{head}{body}")).expect("a writable folder");
    let done = Command::new(linker())
        .args(["build", "--recipe"])
        .arg(&source)
        .arg("--output")
        .arg(folder.join(format!("{name}.so")))
        .output()
        .expect("sbf-link starts");
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(String::from_utf8_lossy(&done.stderr).into_owned())
}

/// A module in which the entry point itself is the subject.
fn entry(body: &str) -> String {
    format!("define i64 @entrypoint(ptr %in) {{\n{body}\n}}\n")
}

#[track_caller]
fn assert_refused(name: &str, module: &str, parts: &[&str]) {
    let said = link(name, module).expect_err("the module should be refused");
    assert!(said.starts_with("error: "), "{said}");
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in {said:?}");
    }
}

#[test]
fn what_can_be_lowered_is_not_refused() {
    let module = entry(
        "  %a = load i128, ptr %in, align 8\n  %b = mul i128 %a, %a\n  %c = sdiv i128 %b, 77\n  \
         %d = trunc i128 %c to i64\n  ret i64 %d",
    );
    let report = link("fine", &format!("{module}{UDIVREM}")).expect("nothing to refuse");
    assert!(report.contains("\"function\":\"entrypoint\""), "{report}");
}

/// Stands in for the runtime, which is not linked here.
const UDIVREM: &str = "define void @flagstone_udivrem128(ptr %o, i64 %a, i64 %b, i64 %c, i64 %d) \
                       noinline { store i64 %a, ptr %o\n ret void }\n";

#[test]
fn inline_assembly_is_refused() {
    let body = "  call void asm sideeffect \"exit\", \"\"()\n  ret i64 0";
    assert_refused(
        "asm",
        &entry(body),
        &["inline assembly", "`entrypoint`", "asm sideeffect"],
    );
}

#[test]
fn exception_handling_is_refused() {
    let module = "declare i64 @sol_get_stack_height()\ndeclare i32 @personality(...)\n\
        define i64 @entrypoint(ptr %in) personality ptr @personality {\n  \
        %r = invoke i64 @sol_get_stack_height() to label %fine unwind label %bad\n\
        fine:\n  ret i64 %r\nbad:\n  %p = landingpad { ptr, i32 } cleanup\n  ret i64 1\n}\n";
    assert_refused("invoke", module, &["`entrypoint`", "invoke"]);
}

#[test]
fn writable_statics_are_refused() {
    let body = "  %n = load i64, ptr @counter\n  %m = add i64 %n, 1\n  \
                store i64 %m, ptr @counter\n  ret i64 %m";
    let module = format!("@counter = global i64 5\n{}", entry(body));
    assert_refused(
        "static",
        &module,
        &["writable statics", "`counter`", "`entrypoint`"],
    );
}

#[test]
fn thread_locals_are_refused() {
    let body = "  %n = load volatile i64, ptr @counter\n  ret i64 %n";
    let module = format!("@counter = thread_local global i64 5\n{}", entry(body));
    assert_refused("tls", &module, &["thread-local", "`counter`"]);
}

#[test]
fn unknown_functions_are_refused() {
    let module = format!(
        "declare i64 @printf(ptr)\n{}",
        entry("  %r = call i64 @printf(ptr %in)\n  ret i64 %r")
    );
    let parts = ["neither defined nor a syscall", "`entrypoint`", "@printf"];
    assert_refused("unknown", &module, &parts);
}

#[test]
fn unknown_intrinsics_are_refused() {
    let body = "  %x = load double, ptr %in\n  %y = call double @llvm.sin.f64(double %x)\n  \
                store double %y, ptr %in\n  ret i64 0";
    let module = format!("declare double @llvm.sin.f64(double)\n{}", entry(body));
    assert_refused(
        "sin",
        &module,
        &["intrinsic", "`entrypoint`", "llvm.sin.f64"],
    );
}

#[test]
fn odd_floats_are_refused() {
    let body = "  %x = load fp128, ptr %in\n  %y = fadd fp128 %x, %x\n  \
                store fp128 %y, ptr %in\n  ret i64 0";
    assert_refused(
        "fp128",
        &entry(body),
        &["floats", "`entrypoint`", "fadd fp128"],
    );
}

#[test]
fn very_wide_arithmetic_is_refused() {
    let body = "  %x = load i512, ptr %in\n  %y = mul i512 %x, %x\n  \
                store i512 %y, ptr %in\n  ret i64 0";
    assert_refused("i512", &entry(body), &["width", "`entrypoint`", "mul i512"]);
    let body = "  %x = load i256, ptr %in\n  %p = getelementptr i8, ptr %in, i64 32\n  \
                %z = load i256, ptr %p\n  %y = udiv i256 %x, %z\n  \
                store i256 %y, ptr %in\n  ret i64 0";
    assert_refused(
        "i256",
        &entry(body),
        &["width", "`entrypoint`", "udiv i256"],
    );
}

#[test]
fn stack_space_of_unknown_size_is_refused() {
    let module = format!(
        "declare void @sol_log_(ptr, i64)\n{}",
        entry(
            "  %n = load i64, ptr %in\n  %p = alloca i8, i64 %n\n  \
             call void @sol_log_(ptr %p, i64 %n)\n  ret i64 0"
        )
    );
    assert_refused(
        "alloca",
        &module,
        &["run time", "`entrypoint`", "alloca i8"],
    );
}

#[test]
fn variadic_functions_are_refused() {
    let module = format!(
        "declare i64 @sol_many(ptr, ...)\n{}",
        entry("  %r = call i64 (ptr, ...) @sol_many(ptr %in, i64 3)\n  ret i64 %r")
    );
    assert_refused(
        "variadic",
        &module,
        &["variadic", "`entrypoint`", "@sol_many"],
    );
}

/// Large frames are reported; `cargo xtask build-sbf` then fails and names them.
#[test]
fn large_frames_are_measured() {
    let module = format!(
        "declare void @sol_log_(ptr, i64)\n{}",
        entry(
            "  %p = alloca [5000 x i8], align 8\n  call void @sol_log_(ptr %p, i64 9)\n  \
             %q = getelementptr i8, ptr %p, i64 3\n  store i8 1, ptr %q\n  ret i64 0"
        )
    );
    let report = link("large", &module).expect("the linker only measures");
    assert!(
        report.contains("{\"function\":\"entrypoint\",\"bytes\":5000}"),
        "{report}"
    );
}
