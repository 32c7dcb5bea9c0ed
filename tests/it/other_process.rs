//! Runs the body of a test in a process of its own, because the test is about the environment or the log of a process.

use std::path::PathBuf;
use std::process::Command;

/// The environment variable that tells the other process the folder that it shares with the test.
const FOLDER: &str = "TEST_OTHER_PROCESS";

/// The shared folder, if this is the other process.
#[allow(clippy::disallowed_methods, reason = "the other process of a test")]
fn shared_folder() -> Option<PathBuf> {
    std::env::var_os(FOLDER).map(PathBuf::from)
}

/// Runs `body` in another process that has only the environment that `environment` returns. Both get a folder that they share.
pub(crate) fn run<V: AsRef<str>>(
    test: &str,
    environment: impl FnOnce(PathBuf) -> Vec<(&'static str, V)>,
    body: impl AsyncFnOnce(PathBuf),
) {
    if let Some(folder) = shared_folder() {
        return tokio::runtime::Runtime::new().unwrap().block_on(body(folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let environment = environment(folder.path().to_owned());
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_clear()
        .env("HOME", "/nonexistent")
        .env(FOLDER, folder.path())
        .envs(environment.iter().map(|(name, value)| (name, value.as_ref())))
        .output()
        .unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}\n{errors}");
}
