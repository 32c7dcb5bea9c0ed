//! Removes a directory when its owner is gone.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// What the janitor does: wait until the last writer of its standard input is gone, then remove the
/// directory. Programs that are being killed at that moment may still write, hence the repetition, which ends
/// after 20 s.
///
/// A shell, since a library has no program of its own that it could start: a test binary that uses it is
/// built without this package's binary.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r _
tries=0
until rm -rf -- "$1" || [ "$tries" -ge 200 ]; do tries=$((tries + 1)); sleep 0.1; done
"#;

/// A process that waits for the end of a pipe whose only writer is this process: when the janitor is dropped,
/// and when this process ends, however it ends, the directory is removed.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    /// Starts watching over `directory`.
    pub(crate) fn watch(directory: &Path) -> Result<Janitor> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "cluster-janitor"]).arg(directory).current_dir("/");
        // No output: whoever reads this process's output to its end would wait for the janitor. Its own
        // process group: a terminal's Ctrl-C is not for it.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map(Janitor).context("failed to start the janitor (/bin/sh)")
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Back only when the directory is gone.
        let _status = self.0.wait();
    }
}
