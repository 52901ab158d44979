//! Reading the bitcode that a recipe names.

use std::path::Path;

use anyhow::{Context as _, Result};
use object::read::archive::ArchiveFile;

use crate::llvm::{Context, Module};

const BITCODE: &[u8] = b"BC\xC0\xDE";
const ARCHIVE: &[u8] = b"!<arch>\n";

/// Links every module of bitcode in `paths` into one. Members of archives that
/// are no bitcode, such as rustc's metadata, are passed over.
pub(crate) fn link_all<P: AsRef<Path>>(cx: Context, paths: &[P]) -> Result<Module> {
    let whole = cx.parse("start", b"; an empty module\n")?;
    for path in paths {
        let path = path.as_ref();
        let name = path.display().to_string();
        let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
        if bytes.starts_with(ARCHIVE) {
            let archive = ArchiveFile::parse(&*bytes).with_context(|| format!("reading {name}"))?;
            for member in archive.members() {
                let data = member?.data(&*bytes)?;
                link_one(&whole, &name, data)?;
            }
        } else {
            link_one(&whole, &name, &bytes)?;
        }
    }
    Ok(whole)
}

fn link_one(whole: &Module, name: &str, bytes: &[u8]) -> Result<()> {
    let text = name.ends_with(".ll");
    if bytes.starts_with(BITCODE) || text {
        whole.link(whole.cx.parse(name, bytes)?, name)?;
    }
    Ok(())
}
