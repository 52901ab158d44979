//! Chores that run something, most of them on the built programs: test, demo, bench, layout, vectors.
//!
//! Each that needs the programs builds them first (a no-op when nothing changed), with the
//! build's report on standard error, so that standard output belongs to the
//! chore alone and `--json` stays JSON.

use anyhow::{Context as _, Result, bail};
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

/// Arguments handed on to the command that does the work.
#[derive(clap::Args)]
pub(crate) struct Rest {
    /// Options of the command; `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

/// Builds everything, then runs every test of the workspace.
pub(crate) fn test(rest: &Rest) -> Result<()> {
    build(&[])?;
    for program in test_programs()? {
        build(&["--program", &program])?;
    }
    build(&["--program", "cpi-router"])?;
    // The lowering is compared with the host in both versions of the format.
    build(&["--program", "lowering", "--arch", "v0"])?;
    let mut arguments = vec!["test", "--workspace"];
    arguments.extend(rest.rest.iter().map(String::as_str));
    cargo(&arguments)
}

/// Programs that only tests deploy, by folder.
fn test_programs() -> Result<Vec<String>> {
    let folder = root().join("tests/programs");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

/// Runs a subcommand of `flagstone` on freshly built programs.
pub(crate) fn flagstone(subcommand: &str, rest: &Rest) -> Result<()> {
    build(&[])?;
    run_package("flagstone-cli", subcommand, rest)
}

/// Prints the layout of a slab; needs no programs.
pub(crate) fn layout(rest: &Rest) -> Result<()> {
    run_package("flagstone-cli", "layout", rest)
}

/// Looks into a recording of the index-vault; needs no programs.
pub(crate) fn index(rest: &Rest) -> Result<()> {
    run_package("flagstone-cli", "index", rest)
}

/// Runs files of golden vectors; needs no programs.
pub(crate) fn vectors(rest: &Rest) -> Result<()> {
    let mut arguments = vec!["run", "--quiet", "--package", "flagstone-vectors", "--"];
    arguments.extend(rest.rest.iter().map(String::as_str));
    cargo(&arguments)
}

/// Runs the benchmarks on freshly built programs.
pub(crate) fn bench(rest: &Rest) -> Result<()> {
    build(&[])?;
    build(&["--program", "kernels", "--program", "cpi-router"])?;
    let Some((kind, options)) = rest.rest.split_first() else {
        bail!("say what to measure: `cargo xtask bench cu` or `cargo xtask bench host`");
    };
    let options = Rest {
        rest: options.to_vec(),
    };
    run_package("flagstone-bench", kind, &options)
}

fn run_package(package: &str, subcommand: &str, rest: &Rest) -> Result<()> {
    let mut arguments = vec!["run", "--quiet", "--package", package, "--", subcommand];
    arguments.extend(rest.rest.iter().map(String::as_str));
    cargo(&arguments)
}

/// Runs `build-sbf` of this very program.
fn build(options: &[&str]) -> Result<()> {
    let xtask = std::env::current_exe().context("cannot find the running program")?;
    let status = Command::new(xtask)
        .arg("build-sbf")
        .args(options)
        .current_dir(root())
        .stdout(Stdio::from(io::stderr()))
        .status()
        .context("cannot start build-sbf")?;
    if !status.success() {
        bail!("the programs were not built");
    }
    Ok(())
}

fn cargo(arguments: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(arguments)
        .env("FLAGSTONE_PROGRAMS", root().join("target/deploy"))
        .status()
        .context("cannot start cargo")?;
    if !status.success() {
        // The command has said why.
        std::process::exit(status.code().unwrap_or(1));
    }
    Ok(())
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
