//! One builder at a time.

use std::{
    fs::{self, File, TryLockError},
    io::{Seek, Write},
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::wait;

const REMIND: Duration = Duration::from_secs(30);

/// The right to build, until this is dropped or its holder dies. It is a kernel lock and not a file that could stay behind.
#[derive(Debug)]
pub(crate) struct BuildLock {
    _file: File,
}

impl BuildLock {
    /// Waits for the right to build `what` in `root`, and prints what it waits for.
    pub(crate) fn acquire(root: &Path, what: &str, progress: &mut dyn FnMut(&str)) -> Result<BuildLock> {
        fs::create_dir_all(root).with_context(|| format!("failed to make {}", root.display()))?;
        let path = root.join("build.lock");
        let file = File::options().create(true).truncate(false).read(true).write(true).open(&path);
        let mut file = file.with_context(|| format!("failed to open {}", path.display()))?;
        let begin = Instant::now();
        let mut told: Option<Instant> = None;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(error).with_context(|| format!("failed to lock {}", path.display()));
                }
            }
            if told.is_none_or(|told| told.elapsed() >= REMIND) {
                told = Some(Instant::now());
                progress(&waiting(&path, what, begin.elapsed()));
            }
            wait::a_moment();
        }
        // This is only for the message of processes that wait, so an error is ignored.
        let _unsaid = file.set_len(0).and_then(|()| file.rewind());
        let _unsaid = write!(file, "{}", std::process::id());
        Ok(BuildLock { _file: file })
    }
}

fn waiting(path: &Path, what: &str, since: Duration) -> String {
    let holder = fs::read_to_string(path).unwrap_or_default();
    let holder = match holder.trim() {
        "" => "another process".to_owned(),
        pid => format!("process {pid}"),
    };
    format!("waiting for {holder}, which is building {what} ({} s so far)", since.as_secs())
}
