//! Which programs there are, and which folders they are made from.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::{Layout, shell};

/// A program: a package with a `cdylib`.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) package: String,
    pub(crate) library: String,
    pub(crate) manifest: PathBuf,
    id: String,
}

/// The workspace of the programs, as cargo sees it.
pub(crate) struct Workspace {
    pub(crate) programs: Vec<Program>,
    packages: HashMap<String, Package>,
    dependencies: HashMap<String, Vec<String>>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Option<Resolve>,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    source: Option<String>,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

impl Workspace {
    pub(crate) fn read(layout: &Layout) -> Result<Self> {
        let manifest = layout.programs().join("Cargo.toml");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = std::process::Command::new(cargo);
        command
            .args(["metadata", "--format-version=1", "--locked"])
            .arg("--manifest-path")
            .arg(&manifest);
        let text = shell::output(&mut command, "reading the workspace of the programs")?;
        let metadata: Metadata = serde_json::from_str(&text).context("cargo metadata")?;
        let is_member = |p: &&Package| metadata.workspace_members.contains(&p.id);
        let programs = metadata.packages.iter().filter(is_member);
        let programs = programs.filter_map(Program::of).collect();
        let nodes = metadata.resolve.map(|r| r.nodes).unwrap_or_default();
        Ok(Self {
            programs,
            packages: metadata
                .packages
                .into_iter()
                .map(|p| (p.id.clone(), p))
                .collect(),
            dependencies: nodes.into_iter().map(|n| (n.id, n.dependencies)).collect(),
        })
    }

    /// The programs of these names. Where no name is given, all that are deployed:
    /// those in `programs/`, and not those that only tests use.
    pub(crate) fn select(&self, layout: &Layout, names: &[String]) -> Result<Vec<&Program>> {
        if names.is_empty() {
            let deployed = |p: &&Program| p.manifest.starts_with(layout.programs());
            return Ok(self.programs.iter().filter(deployed).collect());
        }
        let find = |name: &String| {
            let found = self.programs.iter().find(|p| p.is_called(name));
            found.with_context(|| {
                let known: Vec<_> = self.programs.iter().map(|p| p.package.as_str()).collect();
                format!(
                    "there is no program `{name}`; there are: {}",
                    known.join(", ")
                )
            })
        };
        names.iter().map(find).collect()
    }

    /// Folders of this repository that a program is compiled from, in a fixed order.
    pub(crate) fn source_folders(&self, program: &Program) -> Result<BTreeSet<PathBuf>> {
        let mut seen = BTreeSet::new();
        let mut todo = vec![program.id.as_str()];
        let mut folders = BTreeSet::new();
        while let Some(id) = todo.pop() {
            let Some(package) = self.packages.get(id) else {
                bail!("cargo names the package {id} and does not describe it");
            };
            // What comes from a registry is fixed by the lock file.
            if package.source.is_some() || !seen.insert(id) {
                continue;
            }
            folders.extend(package.manifest_path.parent().map(Path::to_owned));
            let dependencies = self.dependencies.get(id).into_iter().flatten();
            todo.extend(dependencies.map(String::as_str));
        }
        Ok(folders)
    }
}

impl Program {
    fn of(package: &Package) -> Option<Self> {
        let is_program = |t: &&Target| t.crate_types.iter().any(|c| c == "cdylib");
        let target = package.targets.iter().find(is_program)?;
        Some(Self {
            package: package.name.clone(),
            library: target.name.replace('-', "_"),
            manifest: package.manifest_path.clone(),
            id: package.id.clone(),
        })
    }

    fn is_called(&self, name: &str) -> bool {
        let folder = self.manifest.parent().and_then(Path::file_name);
        self.package == name || self.library == name || folder.is_some_and(|f| f == name)
    }
}
