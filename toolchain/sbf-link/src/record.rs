//! The part that rustc calls as its linker. It only writes down what is to be
//! linked: a dependency that is a program too costs nothing, one compilation
//! serves several architectures, and errors are reported without rustc's own.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

/// What rustc wanted to link, written where it expects the program.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Recipe {
    /// Objects and archives of bitcode.
    pub(crate) inputs: Vec<PathBuf>,
}

impl Recipe {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text =
            std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text)
            .with_context(|| format!("{} was not written by sbf-link", path.display()))
    }
}

/// Handles a call by rustc: `-o OUTPUT`, objects, archives, and options that mean nothing here.
pub(crate) fn record(arguments: &[String]) -> Result<()> {
    let mut output = None;
    let mut inputs = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "-o" {
            output = words.next().map(PathBuf::from);
        } else if [".o", ".rlib", ".a"].iter().any(|end| word.ends_with(end)) {
            inputs.push(std::path::absolute(word)?);
        }
    }
    let Some(output) = output else {
        bail!("sbf-link: no output named; expected rustc's arguments or `build`");
    };
    keep_objects(&output, &mut inputs)?;
    let text = serde_json::to_vec(&Recipe { inputs })?;
    std::fs::write(&output, text).with_context(|| format!("cannot write {}", output.display()))
}

/// rustc deletes a crate's own objects after linking: they are moved beside the output.
fn keep_objects(output: &Path, inputs: &mut [PathBuf]) -> Result<()> {
    let mut folder = output.as_os_str().to_owned();
    folder.push(".objects");
    let folder = PathBuf::from(folder);
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    for (index, input) in inputs.iter_mut().enumerate() {
        if input.extension().is_some_and(|e| e == "o") {
            let kept = folder.join(format!("{index}.o"));
            std::fs::copy(&*input, &kept)
                .with_context(|| format!("cannot copy {}", input.display()))?;
            *input = kept;
        }
    }
    Ok(())
}
