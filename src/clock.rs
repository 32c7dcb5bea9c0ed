//! I/O: the wall clock. Durations are measured by tokio's clock, which tests can pause.

use plan::{Moment, Now};
use tokio::time::Instant;

/// The clock of the passes of one process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PassClock {
    /// The zero of [`Moment`].
    started: Instant,
}

impl PassClock {
    pub(crate) fn start() -> Self {
        Self { started: Instant::now() }
    }

    pub(crate) fn now(self) -> Now {
        Now { moment: Moment::after_start(self.started.elapsed()), utc: crate::kubernetes::timestamp(now()) }
    }

    /// Waits until this moment; for ever if there is none.
    pub(crate) async fn until(self, due: Option<Moment>) {
        match due {
            Some(due) => tokio::time::sleep_until(self.started + due.since(Moment::default())).await,
            None => std::future::pending().await,
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
#[must_use]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
