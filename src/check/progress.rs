//! I/O: prints the progress of a long check to standard error, because scripts read standard output.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::time::Duration;

use tokio::time::Instant;

/// Lines that report only progress are at least this far apart.
const INTERVAL: Duration = Duration::from_secs(2);

pub(crate) struct ProgressLines<'a> {
    out: RefCell<&'a mut dyn Write>,
    printed: Cell<Option<Instant>>,
}

impl<'a> ProgressLines<'a> {
    pub(crate) fn new(out: &'a mut dyn Write) -> Self {
        Self { out: RefCell::new(out), printed: Cell::new(None) }
    }

    /// If standard error is closed, the check continues.
    pub(crate) fn line(&self, text: &str) {
        let _ = writeln!(self.out.borrow_mut(), "{text}");
        self.printed.set(Some(Instant::now()));
    }

    /// Prints the line unless another one has just been printed.
    pub(crate) fn sometimes(&self, text: impl FnOnce() -> String) {
        if self.printed.get().is_none_or(|printed| printed.elapsed() >= INTERVAL) {
            self.line(&text());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn progress_lines_are_printed_at_most_once_an_interval() {
        let mut out = Vec::new();
        let progress = ProgressLines::new(&mut out);
        progress.sometimes(|| "first".to_owned());
        progress.sometimes(|| "too early".to_owned());
        tokio::time::advance(INTERVAL).await;
        progress.sometimes(|| "second".to_owned());
        progress.line("last");
        assert_eq!(String::from_utf8(out).unwrap(), "first\nsecond\nlast\n");
    }
}
