//! The packages that the portable back end takes from Debian.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Result, bail};

use super::shell;

/// A package, and a file that shows that it is there.
const PACKAGES: [(&str, &str); 6] = [
    ("rustc-web", "/usr/bin/rustc"),
    ("cargo-web", "/usr/bin/cargo"),
    (
        "rust-web-src",
        "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    ),
    ("llvm-22", "/usr/lib/llvm-22/bin/llvm-config"),
    ("llvm-22-dev", "/usr/lib/llvm-22/include/llvm-c/Core.h"),
    // Links sbf-link, and brings the C++ library that LLVM wants.
    ("g++", "/usr/bin/g++"),
];

/// Debian's compiler, whatever else is on PATH.
pub(crate) const RUSTC: &str = "/usr/bin/rustc";
pub(crate) const CARGO: &str = "/usr/bin/cargo";
pub(crate) const LLVM: &str = "/usr/lib/llvm-22";

/// Makes sure that the packages are installed and are the ones meant.
pub(crate) fn ensure_packages() -> Result<()> {
    let missing: Vec<&str> = PACKAGES
        .iter()
        .filter(|(_, file)| !Path::new(file).exists())
        .map(|(package, _)| *package)
        .collect();
    if !missing.is_empty() {
        install(&missing)?;
    }
    let version = shell::try_output(shell::command(RUSTC).arg("-vV")).unwrap_or_default();
    if !version.contains("LLVM version: 22.") {
        bail!(
            "{RUSTC} is not built on LLVM 22, so it is not Debian's rustc-web; install it with \
             `apt-get install rustc-web cargo-web rust-web-src` in place of the package rustc"
        );
    }
    Ok(())
}

fn install(missing: &[&str]) -> Result<()> {
    let packages = missing.join(" ");
    let advice = format!("apt-get update && apt-get install -y {packages}");
    if shell::on_path("apt-get").is_none() {
        bail!(
            "the portable build needs the Debian packages {packages}, and this system has no \
             apt-get: install the Solana platform tools, or build on Debian 12"
        );
    }
    let root = std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0);
    if !root {
        bail!("the portable build needs the packages {packages}; as root, run: {advice}");
    }
    shell::progress(&format!(
        "installing {packages} with apt-get (about 400 MB, a minute or two)"
    ));
    let apt = |arguments: &[&str]| {
        let mut command = shell::command("apt-get");
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["-q", "-y"]);
        command.args(arguments);
        // Our standard output is the report.
        command.stdout(std::io::stderr());
        shell::run(&mut command, "apt-get")
    };
    // An image's package lists are missing or old. If they cannot be renewed
    // the installation may still succeed from what is there.
    let updated = apt(&["update"]);
    let mut arguments = vec!["install", "--no-install-recommends"];
    arguments.extend(missing);
    if apt(&arguments).is_err() {
        let cause = match updated {
            Ok(()) => "apt-get could not install them",
            Err(_) => "the package lists could not be fetched (is there a network?)",
        };
        bail!("the portable build needs the packages {packages}: {cause}; try: {advice}");
    }
    let still = PACKAGES.iter().find(|(_, file)| !Path::new(file).exists());
    if let Some((package, file)) = still {
        bail!("{package} was installed and {file} is not there: is this Debian 12?");
    }
    Ok(())
}
