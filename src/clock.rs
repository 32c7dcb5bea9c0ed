//! I/O: the wall clock. Everything else counts durations by tokio's clock, which tests can pause.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

/// Now, by the wall clock.
#[allow(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
#[must_use]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Now, as conditions and status write it: to the second.
#[must_use]
pub fn now_for_status() -> Time {
    Time(now().round(jiff::Unit::Second).unwrap_or_else(|_| now()))
}
