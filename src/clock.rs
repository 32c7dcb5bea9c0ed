//! I/O: the wall clock. Durations are measured by tokio's clock, which tests can pause.

#[allow(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
#[must_use]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}
