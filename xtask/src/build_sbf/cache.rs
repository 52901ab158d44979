//! Things that are compiled once and used by every checkout of the repository.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// `${XDG_CACHE_HOME:-$HOME/.cache}/flagstone/sbf`
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    pub(crate) fn open() -> Result<Self> {
        let base = std::env::var_os("XDG_CACHE_HOME")
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))
            .context("neither XDG_CACHE_HOME nor HOME is set, so there is no place for a cache")?;
        let root = base.join("flagstone/sbf");
        std::fs::create_dir_all(&root)
            .with_context(|| format!("cannot make {}", root.display()))?;
        Ok(Self { root })
    }

    /// The folder `<kind>-<key>`, made by `make` if it is missing. `make` fills a
    /// scratch folder that takes the final name only when it succeeds, so that an
    /// interrupted build leaves nothing that looks finished.
    pub(crate) fn folder(
        &self,
        kind: &str,
        key: &str,
        make: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let name = format!("{kind}-{}", key.get(..16).unwrap_or(key));
        let done = self.root.join(&name);
        if done.is_dir() {
            return Ok(done);
        }
        let _lock = self.lock()?;
        // Another process may have made it while we waited.
        if done.is_dir() {
            return Ok(done);
        }
        let scratch = self.root.join(format!("{name}.unfinished"));
        if scratch.exists() {
            std::fs::remove_dir_all(&scratch)?;
        }
        std::fs::create_dir_all(&scratch)?;
        make(&scratch)?;
        std::fs::rename(&scratch, &done)
            .with_context(|| format!("cannot finish {}", done.display()))?;
        Ok(done)
    }

    /// Held while something is made; released when dropped, or when the process dies.
    fn lock(&self) -> Result<File> {
        let path = self.root.join("lock");
        let file =
            File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }
}
