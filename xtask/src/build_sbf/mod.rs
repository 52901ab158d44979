//! Building the on-chain programs, with or without the Solana platform tools.
//! See docs/build-sbf.md.

mod cache;
mod debian;
mod fingerprint;
mod nightly;
mod platform_tools;
mod portable;
mod programs;
mod report;
pub(crate) mod shell;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::ValueEnum;

use self::fingerprint::Fingerprint;
use self::programs::Program;
use self::report::{Frame, Report};

/// Options of `cargo xtask build-sbf`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Build this program (package, library or directory name) instead of all that are
    /// deployed; may be repeated
    #[arg(long = "program", short = 'p', value_name = "NAME")]
    programs: Vec<String>,
    /// SBF version to build for
    #[arg(long, value_enum, default_value_t = Arch::V3)]
    arch: Arch,
    /// Tool chain to build with, instead of the first that is present
    #[arg(long, value_enum)]
    backend: Option<Backend>,
    /// Build even if nothing has changed
    #[arg(long)]
    force: bool,
    /// Also write the lowered LLVM IR beside the program (portable back end)
    #[arg(long)]
    emit_ir: bool,
}

/// Versions of the SBF format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Arch {
    /// The first version, with section headers and dynamic symbols
    V0,
    /// The current version
    V3,
}

impl Arch {
    fn name(self) -> &'static str {
        match self {
            Self::V0 => "v0",
            Self::V3 => "v3",
        }
    }
}

/// Tool chains that can build programs, in order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Backend {
    /// Solana's own `cargo build-sbf`
    PlatformTools,
    /// A Rust nightly with LLVM 23 and the standard library's source, and sbpf-linker
    Nightly,
    /// Debian's rustc-web and LLVM 22, and this repository's `sbf-link`
    Portable,
}

impl Backend {
    fn first_present() -> Self {
        if platform_tools::is_present() {
            Self::PlatformTools
        } else if nightly::find().is_some() {
            Self::Nightly
        } else {
            Self::Portable
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::PlatformTools => "platform tools",
            Self::Nightly => "nightly",
            Self::Portable => "portable",
        }
    }
}

/// Where things are in this checkout.
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    fn find() -> Result<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here.parent().context("xtask has no parent folder")?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    fn programs(&self) -> PathBuf {
        self.root.join("programs")
    }

    fn toolchain(&self) -> PathBuf {
        self.root.join("toolchain")
    }

    /// Everything that is compiled on the way.
    fn scratch(&self) -> PathBuf {
        self.root.join("target/sbf")
    }

    /// Where the finished program goes.
    fn output(&self, program: &Program, arch: Arch) -> PathBuf {
        let deploy = self.root.join("target/deploy");
        let folder = match arch {
            Arch::V3 => deploy,
            Arch::V0 => deploy.join("v0"),
        };
        folder.join(format!("{}.so", program.library))
    }
}

/// One program to build, and how.
pub(crate) struct Job<'a> {
    program: &'a Program,
    arch: Arch,
    output: PathBuf,
    emit_ir: bool,
}

/// Runs `cargo xtask build-sbf`.
pub(crate) fn run(args: &Args) -> Result<()> {
    let layout = Layout::find()?;
    let backend = args.backend.unwrap_or_else(Backend::first_present);
    let workspace = programs::Workspace::read(&layout)?;
    let mut too_deep = Vec::new();
    let mut portable = None;
    for program in workspace.select(&layout, &args.programs)? {
        let output = layout.output(program, args.arch);
        let job = Job {
            program,
            arch: args.arch,
            output,
            emit_ir: args.emit_ir,
        };
        let print = Fingerprint::of(&layout, &workspace, &job, backend.name())?;
        let known = if args.force { None } else { print.recall(&job) };
        let unchanged = known.is_some() && !args.emit_ir;
        let report = match known {
            Some(report) if unchanged => report,
            _ => {
                let frames = build(&layout, backend, &job, &mut portable)?;
                let report = Report::of(&job.output, frames)?;
                print.remember(&report)?;
                report
            }
        };
        report.show(&layout, &job, unchanged);
        too_deep.extend(report.too_deep());
    }
    if too_deep.is_empty() {
        return Ok(());
    }
    bail!(
        "frames larger than {} bytes: {}",
        report::FRAME_BYTES,
        too_deep.join(", ")
    )
}

/// Builds one program. Only the portable back end knows the frames.
fn build(
    layout: &Layout,
    backend: Backend,
    job: &Job<'_>,
    portable: &mut Option<portable::Tools>,
) -> Result<Option<Vec<Frame>>> {
    if let Some(folder) = job.output.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    match backend {
        Backend::PlatformTools => platform_tools::build(job).map(|()| None),
        Backend::Nightly => nightly::build(layout, job).map(|()| None),
        Backend::Portable => {
            let tools = match portable.take() {
                Some(tools) => tools,
                None => portable::Tools::prepare(layout)?,
            };
            let frames = tools.build(layout, job)?;
            *portable = Some(tools);
            Ok(Some(frames))
        }
    }
}
