//! The linker of the portable SBF back end.
//!
//! rustc calls it with its linker's arguments, and it writes down what is to be
//! linked. `sbf-link build` then links that, lowers it, and makes the program.

mod frames;
mod inputs;
mod llvm;
mod lower;
mod record;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use sbpf_linker::{OptimizationConfig, ProgramOptions, SbpfArch, SbpfLinkerError, link_program};
use serde::Serialize;

use crate::frames::Frame;
use crate::record::Recipe;

/// The SVM gives every call a frame of this size.
const FRAME_BYTES: u32 = 4096;

/// Arguments of `sbf-link build`.
struct Build {
    recipe: PathBuf,
    also: Vec<PathBuf>,
    arch: SbpfArch,
    output: PathBuf,
    emit_ir: Option<String>,
}

/// Printed as JSON for the caller.
#[derive(Serialize)]
struct Report {
    frames: Vec<Frame>,
    bytes: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.first().map(String::as_str) {
        Some("build") => parse(&arguments[1..]).and_then(|build| run(&build)),
        _ => record::record(&arguments),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse(words: &[String]) -> Result<Build> {
    let mut words = words.iter();
    let (mut recipe, mut output, mut emit_ir) = (None, None, None);
    let (mut also, mut arch) = (Vec::new(), SbpfArch::V3);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} wants a value"))
        };
        match word.as_str() {
            "--recipe" => recipe = Some(PathBuf::from(value()?)),
            "--with" => also.push(PathBuf::from(value()?)),
            "--output" => output = Some(PathBuf::from(value()?)),
            "--emit-ir" => emit_ir = Some(value()?.clone()),
            "--arch" => {
                arch = match value()?.as_str() {
                    "v0" => SbpfArch::V0,
                    "v3" => SbpfArch::V3,
                    other => bail!("unknown architecture {other}: v0 or v3"),
                };
            }
            other => bail!("unknown argument {other}"),
        }
    }
    Ok(Build {
        recipe: recipe.context("--recipe is missing")?,
        output: output.context("--output is missing")?,
        also,
        arch,
        emit_ir,
    })
}

fn run(build: &Build) -> Result<()> {
    let cx = llvm::Context::new();
    let machine = llvm::Machine::new(FRAME_BYTES)?;
    let text = build.recipe.extension().is_some_and(|e| e == "ll");
    let mut inputs = match text {
        true => vec![build.recipe.clone()],
        false => Recipe::read(&build.recipe)?.inputs,
    };
    inputs.extend_from_slice(&build.also);
    let module = inputs::link_all(cx, &inputs)?;
    lower::lower(&module, &machine)?;
    if let Some(path) = &build.emit_ir {
        module.write_text(path)?;
    }
    let object = machine.compile(&module)?;
    let frames = frames::measure(&object)?;
    let frame = i32::try_from(FRAME_BYTES)?;
    let options = ProgramOptions::new(OptimizationConfig::enabled(), build.arch, frame);
    let program = link_program(&object, options)
        .map_err(|errors| anyhow::anyhow!("{}", SbpfLinkerError::format_errors(&errors)))?;
    std::fs::write(&build.output, &program)
        .with_context(|| format!("cannot write {}", build.output.display()))?;
    let report = Report {
        frames,
        bytes: program.len(),
    };
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
