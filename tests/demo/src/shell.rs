//! Commands, shown as a person types them, with what they really print.

use std::io::{self, Write};
use std::process::Command;

use anyhow::Result;
use support::command::{run, typed};

/// Prints a line.
pub(crate) fn say(line: &str) {
    // An error is ignored, because maybe nobody reads the output. The exit code shows the result.
    let mut output = io::stdout().lock();
    let _nobody_reads = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// Prints the progress of a long task to standard error.
pub(crate) fn progress(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{line}");
}

/// Prints the next step of the demonstration.
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
