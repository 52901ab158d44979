//! The portable back end: Debian's rustc and LLVM 22, and our `sbf-link`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::cache::Cache;
use super::debian::{self, CARGO, LLVM, RUSTC};
use super::fingerprint::Hasher;
use super::report::Frame;
use super::{Job, Layout, shell};

/// rustc names a target after its file.
pub(crate) const TARGET: &str = "flagstone-sbf";

/// What is compiled once per machine.
pub(crate) struct Tools {
    linker: PathBuf,
    sysroot: PathBuf,
    runtime: PathBuf,
}

/// What `sbf-link build` prints.
#[derive(Deserialize)]
struct Linked {
    frames: Vec<Frame>,
}

/// Flags for all code that is compiled for the target.
pub(crate) fn common_flags() -> Vec<String> {
    let flags = [
        // Solana's crates ask for this before they use syscalls. rustc frowns on
        // setting it by hand; `os` in target.json is the standard library's port.
        "--cfg=target_os=\"solana\"",
        "--check-cfg=cfg(target_os,values(\"solana\"))",
        "-Aexplicit_builtin_cfgs_in_flags",
        "-Cpanic=abort",
    ];
    flags.map(str::to_owned).to_vec()
}

/// sbf-link optimises the whole program, so rustc should only prepare for that.
fn portable_flags() -> Vec<String> {
    let mut flags = common_flags();
    let more = [
        "-Clinker-plugin-lto",
        "-Cno-vectorize-loops",
        "-Cno-vectorize-slp",
        // What helps the verifier of Linux only costs instructions here.
        "-Cllvm-args=--bpf-disable-serialize-icmp --bpf-disable-avoid-speculation",
    ];
    flags.extend(more.map(str::to_owned));
    flags
}

/// Where cargo keeps the sources of dependencies.
fn cargo_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")))
}

/// Debian's cargo, with the unstable options that custom targets need.
fn cargo() -> Command {
    let mut command = shell::command(CARGO);
    command
        .env("PATH", "/usr/bin:/bin")
        .env("RUSTC", RUSTC)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1");
    // Our standard output is the report.
    command.stdout(std::io::stderr());
    command
}

impl Tools {
    /// Finds what was compiled before, and installs and compiles what is missing.
    pub(crate) fn prepare(layout: &Layout) -> Result<Self> {
        debian::ensure_packages()?;
        let cache = Cache::open()?;
        let version = shell::output(shell::command(RUSTC).arg("-vV"), "rustc -vV")?;
        let linker = linker(layout, &cache, &version)?;
        link_for_tests(layout, &linker)?;
        let sysroot = sysroot(layout, &cache, &version)?;
        let runtime = runtime(layout, &cache, &sysroot)?;
        Ok(Self {
            linker,
            sysroot,
            runtime,
        })
    }

    /// Compiles one program and returns its frames.
    pub(crate) fn build(&self, layout: &Layout, job: &Job<'_>) -> Result<Vec<Frame>> {
        let scratch = layout.scratch().join("portable");
        self.compile(layout, job, &scratch)?;
        let recipe = scratch
            .join(TARGET)
            .join("release")
            .join(format!("lib{}.so", job.program.library));
        shell::progress(&format!(
            "linking {} for SBF {}",
            job.program.package,
            job.arch.name()
        ));
        let mut link = shell::command(&self.linker);
        link.arg("build")
            .arg("--recipe")
            .arg(&recipe)
            .arg("--with")
            .arg(&self.runtime)
            .arg("--arch")
            .arg(job.arch.name())
            .arg("--output")
            .arg(&job.output);
        if job.emit_ir {
            link.arg("--emit-ir").arg(job.output.with_extension("ll"));
        }
        let text = shell::output(&mut link, &format!("linking {}", job.program.package))?;
        let linked: Linked = serde_json::from_str(&text).context("sbf-link's report")?;
        Ok(linked.frames)
    }

    /// Runs cargo, which leaves sbf-link's recipe where it expects the program.
    fn compile(&self, layout: &Layout, job: &Job<'_>, scratch: &Path) -> Result<()> {
        let mut flags = portable_flags();
        flags.push(format!("--sysroot={}", shell::text(&self.sysroot)));
        flags.push(format!("-Clinker={}", shell::text(&self.linker)));
        // Panics name files: by paths that do not depend on whose machine it is.
        flags.push(format!(
            "--remap-path-prefix={}=.",
            shell::text(&layout.root)
        ));
        if let Some(home) = cargo_home() {
            let registry = home.join("registry/src");
            flags.push(format!(
                "--remap-path-prefix={}=registry",
                shell::text(&registry)
            ));
        }
        let mut command = cargo();
        command
            .args([
                "build",
                "--release",
                "--locked",
                "-Zjson-target-spec",
                "--lib",
            ])
            .args(["-p", &job.program.package])
            .arg("--manifest-path")
            .arg(layout.programs().join("Cargo.toml"))
            .arg("--target")
            .arg(self.sysroot.join(format!("{TARGET}.json")))
            .arg("--target-dir")
            .arg(scratch)
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
        shell::run(&mut command, &format!("compiling {}", job.program.package))
    }
}

/// sbf-link, linked against LLVM 22.
fn linker(layout: &Layout, cache: &Cache, version: &str) -> Result<PathBuf> {
    let toolchain = layout.toolchain();
    let mut key = Hasher::default();
    key.text(version);
    key.folder(&toolchain, &toolchain.join("sbf-link"))?;
    key.file(&toolchain, &toolchain.join("Cargo.toml"))?;
    key.file(&toolchain, &toolchain.join("Cargo.lock"))?;
    let folder = cache.folder("linker", &key.finish(), |folder| {
        shell::progress("compiling sbf-link (once, about 80 s on two cores)");
        // Kept between versions of the tool: its dependencies rarely change.
        let scratch = folder.with_file_name("linker-build");
        let mut command = cargo();
        command
            .args(["build", "--release", "--locked", "-p", "flagstone-sbf-link"])
            .arg("--manifest-path")
            .arg(toolchain.join("Cargo.toml"))
            .arg("--target-dir")
            .arg(&scratch)
            .env("LLVM_SYS_221_PREFIX", LLVM)
            .env("RUSTFLAGS", format!("-Lnative={LLVM}/lib"));
        shell::run(&mut command, "compiling sbf-link")
            .context("the first build needs crates.io; cargo says above what went wrong")?;
        std::fs::copy(scratch.join("release/sbf-link"), folder.join("sbf-link"))?;
        Ok(())
    })?;
    Ok(folder.join("sbf-link"))
}

/// `target/sbf/sbf-link` leads to the linker in use, for the tests of its refusals.
fn link_for_tests(layout: &Layout, linker: &Path) -> Result<()> {
    let link = layout.scratch().join("sbf-link");
    if std::fs::read_link(&link).is_ok_and(|to| to == linker) {
        return Ok(());
    }
    std::fs::create_dir_all(layout.scratch())?;
    if link.symlink_metadata().is_ok() {
        std::fs::remove_file(&link)?;
    }
    std::os::unix::fs::symlink(linker, &link)
        .with_context(|| format!("cannot make {}", link.display()))
}

/// The standard library for the target, laid out as rustc expects a sysroot.
fn sysroot(layout: &Layout, cache: &Cache, version: &str) -> Result<PathBuf> {
    let target = layout.toolchain().join("target.json");
    let mut key = Hasher::default();
    key.text(version);
    key.file(&layout.toolchain(), &target)?;
    key.text(&portable_flags().join(" "));
    cache.folder("sysroot", &key.finish(), |folder| {
        shell::progress("compiling the standard library for SBF (once, about 30 s on two cores)");
        let spec = folder.join(format!("{TARGET}.json"));
        std::fs::copy(&target, &spec)?;
        let built = compile_std(folder, &spec)?;
        let libraries = folder.join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&libraries)?;
        for entry in std::fs::read_dir(built)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default();
            let is_seed = name.to_string_lossy().starts_with("libseed");
            if path.extension().is_some_and(|e| e == "rlib") && !is_seed {
                std::fs::copy(&path, libraries.join(name))?;
            }
        }
        std::fs::remove_dir_all(folder.join("build"))?;
        Ok(())
    })
}

/// cargo compiles std only along with a package: an empty one does.
fn compile_std(folder: &Path, spec: &Path) -> Result<PathBuf> {
    const MANIFEST: &str = "[package]\nname = \"seed\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\
        [workspace]\n[profile.release]\nopt-level = 3\npanic = \"abort\"\ncodegen-units = 1\n";
    let build = folder.join("build");
    std::fs::create_dir_all(build.join("src"))?;
    std::fs::write(build.join("Cargo.toml"), MANIFEST)?;
    std::fs::write(build.join("src/lib.rs"), "")?;
    let mut flags = portable_flags();
    // std wants to know the alignment of malloc and has no entry for this target.
    flags.push("--cfg=target_arch=\"m68k\"".to_owned());
    let mut command = cargo();
    command
        .args([
            "build",
            "--release",
            "-Zjson-target-spec",
            "-Zbuild-std=std,panic_abort",
        ])
        .arg("--manifest-path")
        .arg(build.join("Cargo.toml"))
        .arg("--target")
        .arg(spec)
        .arg("--target-dir")
        .arg(build.join("target"))
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f"));
    shell::run(&mut command, "compiling the standard library")?;
    Ok(build.join("target").join(TARGET).join("release/deps"))
}

/// `toolchain/runtime` as bitcode.
fn runtime(layout: &Layout, cache: &Cache, sysroot: &Path) -> Result<PathBuf> {
    let source = layout.toolchain().join("runtime");
    let mut key = Hasher::default();
    key.text(&sysroot.file_name().unwrap_or_default().to_string_lossy());
    key.folder(&layout.toolchain(), &source)?;
    let folder = cache.folder("runtime", &key.finish(), |folder| {
        let mut command = shell::command(RUSTC);
        command
            .env("RUSTC_BOOTSTRAP", "1")
            .env("RUSTC_BOOTSTRAP_SYNTHETIC_TARGET", "1")
            .args([
                "--edition=2024",
                "--crate-type=lib",
                "--crate-name=flagstone_sbf_runtime",
            ])
            .args(["-Copt-level=3", "-Ccodegen-units=1", "-Zunstable-options"])
            .arg("--check-cfg=cfg(test)")
            .args(portable_flags())
            .arg("--target")
            .arg(sysroot.join(format!("{TARGET}.json")))
            .arg("--sysroot")
            .arg(sysroot)
            .arg(format!(
                "--emit=llvm-bc={}",
                shell::text(&folder.join("runtime.bc"))
            ))
            .arg(source.join("src/lib.rs"));
        shell::run(&mut command, "compiling the SBF runtime")
    })?;
    Ok(folder.join("runtime.bc"))
}
