//! What is printed about a built program.

use std::path::Path;

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::{Job, Layout, fingerprint};

/// The SVM gives every call a frame of this size.
pub(crate) const FRAME_BYTES: u64 = 4096;

/// A function and the stack that it takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Frame {
    pub(crate) function: String,
    pub(crate) bytes: u64,
}

/// Figures of one program.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    bytes: usize,
    pub(crate) sha256: String,
    /// The largest frames, first the largest. Unknown where another tool compiled.
    frames: Option<Vec<Frame>>,
}

impl Report {
    pub(crate) fn of(output: &Path, frames: Option<Vec<Frame>>) -> Result<Self> {
        let file = std::fs::read(output)
            .with_context(|| format!("the build left no {}", output.display()))?;
        // The largest is reported, and all that are too large.
        let shown = |frames: Vec<Frame>| {
            let large = frames.iter().take_while(|f| f.bytes > FRAME_BYTES).count();
            frames.into_iter().take(large.max(1)).collect()
        };
        Ok(Self {
            bytes: file.len(),
            sha256: fingerprint::digest(&file),
            frames: frames.map(shown),
        })
    }

    pub(crate) fn show(&self, layout: &Layout, job: &Job<'_>, unchanged: bool) {
        let path = job.output.strip_prefix(&layout.root).unwrap_or(&job.output);
        let note = if unchanged {
            "  (unchanged, not rebuilt)"
        } else {
            ""
        };
        println!("{}  {}{note}", job.program.package, path.display());
        println!("  size    {} bytes, SBF {}", self.bytes, job.arch.name());
        println!("  sha256  {}", self.sha256);
        if let Some(frame) = self.frames.as_ref().and_then(|f| f.first()) {
            println!(
                "  frame   {} bytes at most, in {}",
                frame.bytes,
                readable(&frame.function)
            );
        }
    }

    /// Functions whose frame does not fit, for the error message.
    pub(crate) fn too_deep(&self) -> Vec<String> {
        let frames = self.frames.iter().flatten();
        let large = frames.filter(|f| f.bytes > FRAME_BYTES);
        large
            .map(|f| format!("{} ({} bytes)", readable(&f.function), f.bytes))
            .collect()
    }
}

/// The identifiers of a mangled Rust name joined by `::`; other names as they are.
/// Good enough to find a function, without a dependency that knows all of the scheme.
fn readable(symbol: &str) -> String {
    let Some(mangled) = symbol.strip_prefix("_R") else {
        return symbol.to_owned();
    };
    let bytes = mangled.as_bytes();
    let mut parts: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let digits = bytes[at..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let length = mangled[at..at + digits].parse::<usize>().unwrap_or(0);
        // A separator keeps the length apart from a name that starts with a digit or `_`.
        let start = at + digits + usize::from(bytes.get(at + digits) == Some(&b'_'));
        match mangled.get(start..start + length) {
            Some(name) if digits > 0 && length > 0 => {
                parts.push(name);
                at = start + length;
            }
            _ => at += digits.max(1),
        }
        // `s`, `C`-and-hash disambiguators look like `Cs<base62>_` and hold digits too.
        if bytes.get(at) == Some(&b's') {
            let end = mangled[at..].find('_').map_or(1, |i| i + 1);
            at += end;
        }
    }
    if parts.is_empty() {
        symbol.to_owned()
    } else {
        parts.join("::")
    }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn mangled_names_become_readable() {
        let symbol = "_RNvNtCsjGRWSzZXzUE_4prog10___handlers4math";
        assert_eq!(readable(symbol), "prog::__handlers::math");
        assert_eq!(readable("entrypoint"), "entrypoint");
    }
}
