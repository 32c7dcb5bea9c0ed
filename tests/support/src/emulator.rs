//! The emulator's program as a process.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use cluster::Process;

use crate::repository::program;
use crate::wait::{PATIENCE, until_blocking};

/// Starts the emulator with these arguments, waits until it listens, and returns its URL.
///
/// # Errors
/// If the emulator is not built, or ends early.
pub fn start(arguments: &[&str], log: &Path) -> Result<(Process, String)> {
    let mut command = Command::new(program("elasticache-emulator")?);
    command.env_clear().args(["--addr", "127.0.0.1:0"]).args(arguments);
    let mut emulator = Process::start("emulator", command, log)?;
    let url = until_blocking("the emulator listens", PATIENCE, || {
        emulator.check_alive()?;
        let text = std::fs::read_to_string(log)?;
        let url = text.split_once("listening on ").and_then(|(_, rest)| rest.split_once('\n'));
        Ok(url.map(|(url, _)| url.to_owned()))
    })?;
    Ok((emulator, url))
}
