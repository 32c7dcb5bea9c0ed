//! The pause between two checks of a fact.

use std::{thread, time::Duration};

/// The pause before the next check. It is short compared to a start, and causes no load.
#[allow(
    clippy::disallowed_methods,
    reason = "every caller polls a fact of another process, and ends or tells when it takes long"
)]
pub(crate) fn a_moment() {
    thread::sleep(Duration::from_millis(20));
}
