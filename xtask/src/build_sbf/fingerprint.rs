//! Whether a program has to be built again.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::programs::Workspace;
use super::report::Report;
use super::{Job, Layout};

/// A digest of everything that a program is made from.
pub(crate) struct Fingerprint {
    digest: String,
    file: PathBuf,
}

/// What is kept between runs.
#[derive(Serialize, Deserialize)]
struct Memory {
    digest: String,
    report: Report,
}

impl Fingerprint {
    pub(crate) fn of(
        layout: &Layout,
        workspace: &Workspace,
        job: &Job<'_>,
        backend: &str,
    ) -> Result<Self> {
        let mut hasher = Hasher::default();
        hasher.text(backend);
        hasher.text(job.arch.name());
        for folder in workspace.source_folders(job.program)? {
            hasher.folder(&layout.root, &folder)?;
        }
        for file in ["programs/Cargo.toml", "programs/Cargo.lock", "Cargo.toml"] {
            hasher.file(&layout.root, &layout.root.join(file))?;
        }
        // The tool itself: both the part that compiles and the part that drives it.
        hasher.folder(&layout.root, &layout.toolchain())?;
        hasher.folder(&layout.root, &layout.root.join("xtask/src/build_sbf"))?;
        let name = format!("{}.{}.json", job.program.library, job.arch.name());
        Ok(Self {
            digest: hasher.finish(),
            file: layout.scratch().join(name),
        })
    }

    /// The report of the last build, if it was of the same sources and its result is untouched.
    pub(crate) fn recall(&self, job: &Job<'_>) -> Option<Report> {
        let text = std::fs::read(&self.file).ok()?;
        let memory: Memory = serde_json::from_slice(&text).ok()?;
        let same = memory.digest == self.digest;
        let file = std::fs::read(&job.output).ok()?;
        (same && digest(&file) == memory.report.sha256).then_some(memory.report)
    }

    pub(crate) fn remember(&self, report: &Report) -> Result<()> {
        let memory = Memory {
            digest: self.digest.clone(),
            report: report.clone(),
        };
        if let Some(folder) = self.file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&self.file, serde_json::to_vec_pretty(&memory)?)
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// Digests files with their names, so that a moved file is a change.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    /// Lengths keep neighbouring fields apart.
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// A file, named by its path below `root` so that every checkout agrees.
    pub(crate) fn file(&mut self, root: &Path, file: &Path) -> Result<()> {
        let content =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let name = file.strip_prefix(root).unwrap_or(file);
        self.text(&name.to_string_lossy());
        self.bytes(&content);
        Ok(())
    }

    /// All files of a folder but what builds leave there.
    pub(crate) fn folder(&mut self, root: &Path, folder: &Path) -> Result<()> {
        let entries = std::fs::read_dir(folder)
            .with_context(|| format!("cannot read {}", folder.display()))?;
        let mut paths = Vec::new();
        for entry in entries {
            paths.push(entry?.path());
        }
        paths.sort();
        for path in paths {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if name == "target" || name.starts_with('.') {
                continue;
            }
            if path.is_dir() {
                self.folder(root, &path)?;
            } else {
                self.file(root, &path)?;
            }
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> String {
        self.0
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    }
}
