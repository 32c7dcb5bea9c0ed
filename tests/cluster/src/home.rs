//! The directory of one cluster.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::janitor::Janitor;

const PREFIX: &str = "cluster-";
const LOCK: &str = "owner.lock";

/// A cluster's directory. It is removed when this is dropped. If this process ends before, the janitor removes it.
#[derive(Debug)]
pub(crate) struct Home {
    // Rust drops the fields in this order. If the directory cannot be removed here, the janitor tries again.
    directory: TempDir,
    _janitor: Janitor,
    /// The owner holds this lock until it ends. A directory whose lock is free has lost its owner.
    _lock: File,
}

impl Home {
    /// Creates the directory, readable for this user only, and removes directories that other processes left behind.
    pub(crate) fn create() -> Result<Home> {
        let parent = crate::environment::temporary();
        sweep(&parent);
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent);
        let directory =
            directory.with_context(|| format!("failed to make a directory in {}", parent.display()))?;
        let janitor = Janitor::watch(directory.path())?;
        let lock = lock(directory.path()).context("failed to lock the cluster's directory")?;
        fs::create_dir(directory.path().join("logs")).context("failed to make the folder for logs")?;
        Ok(Home { directory, _janitor: janitor, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn logs(&self) -> PathBuf {
        self.path().join("logs")
    }

    /// Moves the logs out of the directory, so that they outlive it, and returns their new folder.
    pub(crate) fn keep_logs(&self) -> io::Result<PathBuf> {
        let kept = tempfile::Builder::new().prefix("cluster-logs-").tempdir()?.keep();
        fs::rename(self.logs(), &kept)?;
        Ok(kept)
    }

    /// Writes a file into the directory and returns its path.
    pub(crate) fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.path().join(name);
        fs::write(&path, content).with_context(|| format!("failed to write {}", path.display()))?;
        Ok(path)
    }
}

fn lock(directory: &Path) -> io::Result<File> {
    // The file is locked before it gets its name, so that nobody sees it unlocked while its owner lives.
    let unnamed = directory.join("owner.lock.new");
    let file = File::create(&unnamed)?;
    file.try_lock()?;
    fs::rename(&unnamed, directory.join(LOCK))?;
    Ok(file)
}

/// Removes directories that lost both owner and janitor, for example because a whole session was killed. If that fails, the directory
/// stays until the next time.
fn sweep(parent: &Path) {
    let Ok(entries) = fs::read_dir(parent) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let Ok(lock) = File::open(entry.path().join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            let _next_time = fs::remove_dir_all(entry.path());
        }
    }
}
