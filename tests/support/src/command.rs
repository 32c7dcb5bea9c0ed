//! Commands that are run to their end, and how a person would type them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Runs a command to its end, and returns its output.
///
/// # Errors
/// If the command fails, with both of its outputs.
pub fn run(command: &mut Command) -> Result<String> {
    let shown = typed(command);
    let output = command.output().with_context(|| format!("failed to start `{shown}`"))?;
    let printed =
        String::from_utf8(output.stdout).with_context(|| format!("`{shown}` did not print UTF-8"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{shown}` failed ({}): {}{printed}", output.status, said.trim());
    }
    Ok(printed)
}

/// A command as a person types it.
pub fn typed(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    std::iter::once(program.into_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// One word of a shell.
pub fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_so_that_a_shell_can_run_it() {
        let mut command = Command::new("/somewhere/kubectl");
        command.args(["patch", "ecu/app", "-p", r#"{"spec":"it's"}"#, ""]);
        assert_eq!(typed(&command), r#"kubectl patch ecu/app -p '{"spec":"it'\''s"}' ''"#);
    }

    #[test]
    fn a_failed_command_is_reported_with_its_output() {
        let error = run(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err().to_string();
        assert!(error.contains("`sh -c 'echo broken >&2; exit 3'` failed"), "{error}");
        assert!(error.ends_with("broken"), "{error}");
    }
}
