//! Files of the repository, and the programs that cargo built, wherever the test is run from.
#![allow(clippy::panic, reason = "a test stops if a file is missing")]

use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file or folder of the repository.
pub fn path(file: &str) -> String {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).join(file).to_string_lossy().into_owned()
}

/// The text of a file of the repository.
///
/// # Panics
/// If the file cannot be read.
pub fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A file of the repository that holds one document of YAML or JSON.
///
/// # Panics
/// If the file cannot be read or parsed.
pub fn yaml(file: &str) -> Value {
    serde_saphyr::from_str(&read(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// A program of the workspace, beside this one. `cargo test --workspace` builds all of them, `-p CRATE` does not.
///
/// # Errors
/// If the program has not been built.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().unwrap_or(Path::new("."));
    // Test programs are one folder deeper.
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let program = folder.join(name);
    anyhow::ensure!(
        program.is_file(),
        "{} is not there: `cargo build --workspace --bins` builds it",
        program.display()
    );
    Ok(program)
}
