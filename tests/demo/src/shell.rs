//! Commands, shown as a person types them, with what they really print.

use std::io::{self, Write};
use std::process::Command;

use anyhow::Result;
use support::command::{run, typed};

/// Says a line.
pub(crate) fn say(line: &str) {
    // Nobody may be reading; the exit code still tells.
    let mut output = io::stdout().lock();
    let _nobody_reads = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Says on standard error how far a long task is.
pub(crate) fn progress(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{line}");
}

/// Says where the story is.
pub(crate) fn heading(line: &str) {
    say(&format!("\n=== {line}\n"));
}

/// Shows a command and what it prints. A failure is an error.
pub(crate) fn show(command: &mut Command) -> Result<String> {
    say(&format!("$ {}", typed(command)));
    let text = run(command)?;
    say(text.trim_end());
    Ok(text)
}
