//! Removes a directory after its owner has ended.

use std::{
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// The janitor waits until the last writer of its standard input is gone. Then it removes the directory. Programs that are being killed
/// at that moment may still write files, so it tries again for 20 s.
///
/// It is a shell script, because a library cannot rely on a program of its own: cargo builds a test binary that uses this library
/// without this package's binary.
const SCRIPT: &str = r#"
trap '' HUP INT TERM
read -r _
tries=0
until rm -rf -- "$1" || [ "$tries" -ge 200 ]; do tries=$((tries + 1)); sleep 0.1; done
"#;

/// A process that waits for the end of a pipe whose only writer is this process. So the directory is removed when the janitor is
/// dropped, and when this process ends in any way.
#[derive(Debug)]
pub(crate) struct Janitor(Child);

impl Janitor {
    /// Starts a janitor for `directory`.
    pub(crate) fn watch(directory: &Path) -> Result<Janitor> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", SCRIPT, "cluster-janitor"]).arg(directory).current_dir("/");
        // The janitor has no output, because a reader of this process's output would wait for the janitor too. It has its own process
        // group, so that Ctrl-C in a terminal does not end it.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        command.spawn().map(Janitor).context("failed to start the janitor (/bin/sh)")
    }
}

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // The janitor ends when the directory is removed.
        let _status = self.0.wait();
    }
}
