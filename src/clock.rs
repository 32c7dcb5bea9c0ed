//! I/O: the wall clock. Durations are measured by tokio's clock, which tests can pause.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

#[allow(clippy::disallowed_methods, reason = "the one reader of the wall clock")]
#[must_use]
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
}

/// Rounded to seconds, as conditions and status store it.
#[must_use]
pub fn now_for_status() -> Time {
    Time(now().round(jiff::Unit::Second).unwrap_or_else(|_| now()))
}
