//! `cargo xtask fuzz`: every fuzz target for a while.
//!
//! Fuzzing takes a nightly compiler, a C++ compiler for libFuzzer and
//! cargo-fuzz; what is missing and can be had is installed, the last of them
//! under `target/tools`, so that nothing of the user's changes. The committed
//! inputs are the start; what grows from them stays in `target/fuzz-corpus`.

use crate::build_sbf::shell;
use anyhow::{Context as _, Result, bail};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Version of cargo-fuzz that runs the targets.
const CARGO_FUZZ: &str = "0.13.2";

/// Longest input, in bytes.
const INPUT_BYTES_MAX: u32 = 2_048;

/// Seconds after which one input counts as a hang.
const HANG_SECONDS: u32 = 10;

/// Options of `cargo xtask fuzz`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Seconds for each target
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Run this target instead of all; may be repeated
    #[arg(long = "target", value_name = "NAME")]
    targets: Vec<String>,
    /// Where fuzzing is not possible, or what it needs is not installed within
    /// three minutes, replay the committed inputs on the stable compiler
    #[arg(long)]
    or_replay: bool,
}

/// Fuzzes, or replays where that is asked for.
pub(crate) fn run(args: &Args) -> Result<()> {
    let targets = targets(&args.targets)?;
    let patience = if args.or_replay { 180 } else { 3_600 };
    let fuzzer = match Fuzzer::ready(Duration::from_secs(patience)) {
        Ok(fuzzer) => fuzzer,
        Err(error) if args.or_replay => {
            println!("fuzz: cannot fuzz here ({error:#}); replaying the committed inputs instead");
            return replay();
        }
        Err(error) => return Err(error),
    };
    for target in &targets {
        println!("fuzz: {target} for {} seconds", args.seconds);
        fuzzer.run(target, args.seconds)?;
    }
    println!("fuzz: nothing found in {}", targets.join(", "));
    Ok(())
}

/// The targets there are, or those of them that were asked for.
fn targets(asked: &[String]) -> Result<Vec<String>> {
    let folder = root().join("fuzz/fuzz_targets");
    let entries = std::fs::read_dir(&folder)
        .with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut all = Vec::new();
    for entry in entries {
        let file = entry?.path();
        if let (Some("rs"), Some(stem)) = (
            file.extension().and_then(|extension| extension.to_str()),
            file.file_stem().and_then(|stem| stem.to_str()),
        ) {
            all.push(stem.to_owned());
        }
    }
    all.sort();
    if let Some(unknown) = asked.iter().find(|name| !all.contains(name)) {
        bail!("there is no target {unknown}, but {}", all.join(", "));
    }
    Ok(if asked.is_empty() {
        all
    } else {
        asked.to_vec()
    })
}

/// Every committed input on the stable compiler.
fn replay() -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["test", "--package", "flagstone-fuzz-bodies"])
        .current_dir(root());
    shell::run(&mut command, "replaying the committed inputs")
}

/// What it takes to fuzz.
struct Fuzzer {
    /// Name of the nightly toolchain.
    nightly: String,
    /// The `cargo-fuzz` program.
    cargo_fuzz: PathBuf,
}

impl Fuzzer {
    /// Finds what is needed, and installs what is missing.
    fn ready(patience: Duration) -> Result<Self> {
        let until = Instant::now() + patience;
        if !["c++", "g++", "clang++"]
            .iter()
            .any(|name| shell::on_path(name).is_some())
        {
            bail!("libFuzzer needs a C++ compiler: `apt-get install g++`");
        }
        Ok(Self {
            nightly: nightly(until)?,
            cargo_fuzz: cargo_fuzz(until)?,
        })
    }

    fn run(&self, target: &str, seconds: u32) -> Result<()> {
        let corpus = root().join("target/fuzz-corpus").join(target);
        std::fs::create_dir_all(&corpus)
            .with_context(|| format!("{} cannot be made", corpus.display()))?;
        let mut command = shell::command("rustup");
        command
            .args(["run", &self.nightly])
            .arg(&self.cargo_fuzz)
            .args(["fuzz", "run", "--fuzz-dir"])
            .arg(root().join("fuzz"))
            .arg("--target-dir")
            .arg(root().join("target/fuzz"))
            .arg(target)
            .arg(corpus)
            .arg(root().join("fuzz/seeds").join(target))
            .arg("--")
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={INPUT_BYTES_MAX}"))
            .arg(format!("-timeout={HANG_SECONDS}"))
            .current_dir(root());
        shell::run(&mut command, &format!("fuzzing {target}"))
    }
}

/// A nightly toolchain, by name.
fn nightly(until: Instant) -> Result<String> {
    let installed = || -> Option<String> {
        let list = shell::try_output(shell::command("rustup").args(["toolchain", "list"]))?;
        let mut names = list
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        names
            .find(|name| name.starts_with("nightly"))
            .map(str::to_owned)
    };
    if let Some(name) = installed() {
        return Ok(name);
    }
    if shell::on_path("rustup").is_none() {
        bail!("a nightly compiler comes from rustup, which is not installed");
    }
    eprintln!("fuzz: installing a nightly compiler with rustup");
    let mut command = shell::command("rustup");
    command.args(["toolchain", "install", "nightly", "--profile", "minimal"]);
    run_until(&mut command, until).context(
        "no nightly compiler: `rustup toolchain install nightly` has to work, or to have been done",
    )?;
    installed().context("rustup has installed no nightly compiler")
}

/// The pinned cargo-fuzz: the user's own, ours, or installed now.
fn cargo_fuzz(until: Instant) -> Result<PathBuf> {
    let wanted = format!("cargo-fuzz {CARGO_FUZZ}");
    let is_it = |program: &Path| {
        let version = shell::try_output(shell::command(program).args(["fuzz", "--version"]));
        version.is_some_and(|version| version.trim() == wanted)
    };
    let tools = root().join("target/tools");
    let ours = tools.join("bin/cargo-fuzz");
    let known = shell::on_path("cargo-fuzz").into_iter();
    if let Some(found) = known.chain([ours.clone()]).find(|program| is_it(program)) {
        return Ok(found);
    }
    eprintln!("fuzz: installing {wanted} under target/tools");
    let mut command = shell::command("cargo");
    command
        .args(["install", "cargo-fuzz", "--locked", "--version", CARGO_FUZZ])
        .arg("--root")
        .arg(&tools);
    run_until(&mut command, until).with_context(|| format!("{wanted} was not installed"))?;
    Ok(ours)
}

/// Runs a command, and ends it when the time is up.
fn run_until(command: &mut Command, until: Instant) -> Result<()> {
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .context("it cannot be started")?;
    loop {
        if let Some(status) = child.try_wait()? {
            if status.success() {
                return Ok(());
            }
            bail!("it failed ({status})");
        }
        if Instant::now() >= until {
            child.kill()?;
            child.wait()?;
            bail!("it took too long");
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}
