//! I/O: a writer for log lines of the text format, and for what `check` prints.

use std::io::{self, Write};

use plan::text::escaped;

/// Writes each line with its invisible characters escaped. Each `write` must be one whole event, which is what `fmt::Layer` does:
/// only a line feed at its end ends the line.
pub struct EscapedLines<W>(W);

impl<W: Write> EscapedLines<W> {
    pub fn new(writer: W) -> Self {
        Self(writer)
    }
}

impl<W: Write> Write for EscapedLines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        let line = text.strip_suffix('\n').unwrap_or(&text);
        self.0.write_all(format!("{}\n", escaped(line)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
