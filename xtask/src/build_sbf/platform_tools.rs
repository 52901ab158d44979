//! Solana's own tools, where they are installed.

use anyhow::Result;

use super::{Job, shell};

pub(crate) fn is_present() -> bool {
    shell::on_path("cargo-build-sbf").is_some()
}

pub(crate) fn build(job: &Job<'_>) -> Result<()> {
    let mut command = shell::command("cargo-build-sbf");
    command
        .arg("--manifest-path")
        .arg(&job.program.manifest)
        .args(["--arch", job.arch.name()]);
    if let Some(folder) = job.output.parent() {
        command.arg("--sbf-out-dir").arg(folder);
    }
    shell::run(&mut command, "cargo-build-sbf")
}
