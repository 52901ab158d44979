//! A Rust nightly whose LLVM is 23 or newer compiles what the portable back end
//! has to lower; sbpf-linker as published then links it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::portable::{self, TARGET};
use super::{Job, Layout, shell};

const LLVM: u32 = 23;

/// The name of an installed toolchain that will do, if sbpf-linker is there too.
pub(crate) fn find() -> Option<String> {
    shell::on_path("sbpf-linker")?;
    let list = shell::try_output(shell::command("rustup").args(["toolchain", "list"]))?;
    let names = list
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    names
        .filter(|name| name.starts_with("nightly"))
        .find(|name| will_do(name).is_some())
        .map(str::to_owned)
}

fn rustc(toolchain: &str) -> std::process::Command {
    let mut command = shell::command("rustc");
    command.arg(format!("+{toolchain}"));
    command
}

fn will_do(toolchain: &str) -> Option<()> {
    let version = shell::try_output(rustc(toolchain).arg("-vV"))?;
    let llvm = version
        .lines()
        .find_map(|l| l.strip_prefix("LLVM version: "))?;
    let major: u32 = llvm.split('.').next()?.parse().ok()?;
    let sysroot = shell::try_output(rustc(toolchain).args(["--print", "sysroot"]))?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    (major >= LLVM && source.is_dir()).then_some(())
}

/// The target under the name that its linker's arguments go by. The price is that
/// `declare_id!` works at run time: see docs/build-sbf.md.
fn target(layout: &Layout, scratch: &Path) -> Result<PathBuf> {
    let text = std::fs::read(layout.toolchain().join("target.json"))?;
    let mut spec: serde_json::Value = serde_json::from_slice(&text).context("target.json")?;
    spec["arch"] = "bpf".into();
    spec["linker-flavor"] = "bpf".into();
    let target = scratch.join(format!("{TARGET}.json"));
    std::fs::write(&target, serde_json::to_vec_pretty(&spec)?)?;
    Ok(target)
}

pub(crate) fn build(layout: &Layout, job: &Job<'_>) -> Result<()> {
    let toolchain = find().with_context(|| {
        format!(
            "this back end needs a Rust nightly with LLVM {LLVM} (`rustup toolchain install nightly \
             --component rust-src`) and `cargo install sbpf-linker`"
        )
    })?;
    let scratch = layout.scratch().join("nightly");
    std::fs::create_dir_all(&scratch)?;
    let target = target(layout, &scratch)?;
    let mut flags = portable::common_flags();
    flags.extend([
        "-Clinker=sbpf-linker".to_owned(),
        "-Ctarget-feature=+allows-misaligned-mem-access".to_owned(),
        // std wants to know the alignment of malloc and has no entry for this target.
        "--cfg=target_arch=\"m68k\"".to_owned(),
        "-Clink-arg=--disable-math-builtins".to_owned(),
        format!("-Clink-arg=--arch={}", job.arch.name()),
        "-Clink-arg=--llvm-args=--bpf-stack-size=4096".to_owned(),
    ]);
    let mut cargo = shell::command("cargo");
    cargo
        .arg(format!("+{toolchain}"))
        .args(["build", "--release", "--locked", "-Zjson-target-spec"])
        .args([
            "-Zbuild-std=std,panic_abort",
            "--lib",
            "-p",
            &job.program.package,
        ])
        .arg("--manifest-path")
        .arg(layout.programs().join("Cargo.toml"))
        .arg("--target")
        .arg(&target)
        .arg("--target-dir")
        .arg(&scratch)
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    shell::run(&mut cargo, "compiling the program")?;
    let built: PathBuf = scratch
        .join(TARGET)
        .join("release")
        .join(format!("lib{}.so", job.program.library));
    std::fs::copy(&built, &job.output)
        .with_context(|| format!("cannot copy {}", built.display()))?;
    Ok(())
}
