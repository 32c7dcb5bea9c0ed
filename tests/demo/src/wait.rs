//! Waiting for facts, with a deadline.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Longest time that a fact may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// Waits until `fact` answers something. An error ends the wait.
pub(crate) fn until<T>(what: &str, fact: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    until_within(what, PATIENCE, fact)
}

/// The same with a patience of its own.
pub(crate) fn until_within<T>(
    what: &str,
    patience: Duration,
    mut fact: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = fact()? {
            return Ok(found);
        }
        if Instant::now() > deadline {
            bail!("waited {} s in vain: {what}", patience.as_secs());
        }
        pause(Duration::from_millis(100));
    }
}

/// The time between two looks.
#[allow(clippy::disallowed_methods, reason = "every caller looks at a fact of another process in between")]
pub(crate) fn pause(time: Duration) {
    thread::sleep(time);
}
