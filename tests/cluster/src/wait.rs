//! Between two looks at a fact.

use std::{thread, time::Duration};

/// How long one waits before looking again: a few per cent of a start, and no load.
#[allow(
    clippy::disallowed_methods,
    reason = "every caller polls a fact of another process, and ends or tells when it takes long"
)]
pub(crate) fn a_moment() {
    thread::sleep(Duration::from_millis(20));
}
