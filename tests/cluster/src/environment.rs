//! The only reader of the environment.

use std::{
    env,
    ffi::OsString,
    os::unix::fs::PermissionsExt,
    path::{self, Path, PathBuf},
};

use anyhow::{Context, Result};

/// A folder with ready-made programs, envtest's convention.
pub(crate) const ASSETS: &str = "KUBEBUILDER_ASSETS";
/// A folder with built tools, each with the name of its [`crate::Tool`].
pub(crate) const TOOLS: &str = "CLUSTER_TOOLS";
/// `1`: use the cluster of `KUBECONFIG` and start nothing.
pub(crate) const USE_KUBECONFIG: &str = "CLUSTER_USE_KUBECONFIG";
/// The variable of kubectl.
pub(crate) const KUBECONFIG: &str = "KUBECONFIG";

/// `KUBEBUILDER_ASSETS`, if it is set and not empty.
pub(crate) fn assets() -> Option<PathBuf> {
    set(ASSETS).map(PathBuf::from)
}

/// `CLUSTER_TOOLS`, if it is set and not empty.
pub(crate) fn tools() -> Option<PathBuf> {
    set(TOOLS).map(PathBuf::from)
}

/// Whether the user allows tests to use the cluster of `KUBECONFIG`. Any value except `0` and `false` allows it.
pub(crate) fn use_kubeconfig() -> bool {
    set(USE_KUBECONFIG).is_some_and(|value| value != "0" && value != "false")
}

/// `KUBECONFIG`, if it is set and not empty.
pub(crate) fn kubeconfig() -> Option<OsString> {
    set(KUBECONFIG)
}

/// `~/.kube/config`, if it exists. kubectl uses it if `KUBECONFIG` is not set.
pub(crate) fn default_kubeconfig() -> Option<OsString> {
    let file = PathBuf::from(set("HOME")?).join(".kube/config");
    file.is_file().then(|| file.into())
}

/// The folder in the user's cache for builds of this kind. The cache is `XDG_CACHE_HOME`, or `~/.cache` if that is not set or relative.
/// The specification says that a relative path must be ignored.
///
/// # Errors
/// If the environment names no cache and no home.
pub(crate) fn cache(kind: &str) -> Result<PathBuf> {
    let xdg = set("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let home = xdg.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".cache")));
    let home =
        home.context("neither XDG_CACHE_HOME nor HOME is set: there is no folder for what is built")?;
    Ok(home.join("elasticache-user-operator").join(kind))
}

/// The folder of temporary directories: `TMPDIR`, or `/tmp`. The path is absolute, because the programs run in another directory.
pub(crate) fn temporary() -> PathBuf {
    path::absolute(env::temp_dir()).unwrap_or_else(|_| env::temp_dir())
}

/// The folder into which setup-envtest downloads programs, unless it is told otherwise.
pub(crate) fn setup_envtest() -> Option<PathBuf> {
    let data = set("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.or_else(|| set("HOME").map(|home| PathBuf::from(home).join(".local/share")));
    data.map(|data| data.join("kubebuilder-envtest"))
}

/// The folders of `PATH`.
pub(crate) fn path() -> Vec<PathBuf> {
    let path = set("PATH").unwrap_or_default();
    env::split_paths(&path).filter(|folder| folder.is_absolute()).collect()
}

/// The first `program` in `PATH`.
pub(crate) fn in_path(program: &str) -> Option<PathBuf> {
    path().into_iter().map(|folder| folder.join(program)).find(|file| is_executable(file))
}

/// Whether `file` is a regular file that somebody may execute.
pub(crate) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[allow(clippy::disallowed_methods, reason = "this file is this crate's only reader of the environment")]
fn set(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}
