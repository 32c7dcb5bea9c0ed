//! No I/O: keeps an outage, which fails every pass, from flooding the log.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// At most one warning in this time.
const PAUSE: Duration = Duration::from_secs(10);

/// Decides which of many equal warnings are logged as such.
#[derive(Debug, Default)]
pub struct SparseWarnings(Mutex<Option<Logged>>);

#[derive(Clone, Copy, Debug)]
struct Logged {
    at: Instant,
    left_out: u64,
}

impl SparseWarnings {
    /// The number of warnings that were left out since the last one. `None`: leave out this one too.
    pub fn due(&self) -> Option<u64> {
        let mut logged = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left_out = match logged.as_mut() {
            Some(Logged { at, left_out }) if at.elapsed() < PAUSE => {
                *left_out += 1;
                return None;
            }
            Some(Logged { left_out, .. }) => *left_out,
            None => 0,
        };
        *logged = Some(Logged { at: Instant::now(), left_out: 0 });
        Some(left_out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_outage_warns_at_once_and_then_every_ten_seconds() {
        let warnings = SparseWarnings::default();
        let mut due = Vec::new();
        for _ in 0..250 {
            due.extend(warnings.due());
            tokio::time::advance(Duration::from_millis(100)).await;
        }
        assert_eq!(due, [0, 99, 99]);
    }
}
