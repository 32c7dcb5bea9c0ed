//! The only file that reads a clock. It is read once for each request; everything else is given the time.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch. Absolute, so that a state which is read back from the data file goes on where
/// it was, also when the process was down in between.
pub(crate) type Millis = u64;

/// Tells the time; never goes backwards while the process lives, even when somebody sets the machine's clock.
#[derive(Debug)]
pub(crate) struct Clock {
    started_at: Millis,
    started: Instant,
}

impl Clock {
    #[allow(clippy::disallowed_methods, reason = "this is the file that reads the clock")]
    pub(crate) fn start() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { started_at: millis(since_epoch), started: Instant::now() }
    }

    pub(crate) fn now(&self) -> Millis {
        self.started_at.saturating_add(millis(self.started.elapsed()))
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The time `duration` after `now`.
pub(crate) fn after(now: Millis, duration: Duration) -> Millis {
    now.saturating_add(millis(duration))
}
