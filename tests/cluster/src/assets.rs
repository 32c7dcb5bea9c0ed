//! Where the programs come from: a folder that the user names, the cache, or a build.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{
    environment::{self, ASSETS, KUBECONFIG, USE_KUBECONFIG},
    go::Go,
    lock::BuildLock,
    recipe::{CONTROL_PLANE, Recipe},
};

/// The programs of a control plane.
pub const PROGRAMS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/// A folder with [`PROGRAMS`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    dir: PathBuf,
}

impl Assets {
    /// The folder `KUBEBUILDER_ASSETS` if it is set. Otherwise the folder in the user's cache. If that is missing, it is built first, which
    /// takes some minutes for each version. `progress` gets lines for people.
    ///
    /// Two processes do not build at once: the second waits for the first.
    ///
    /// # Errors
    /// If `KUBEBUILDER_ASSETS` lacks a program, if there is neither a folder nor Go, or if the build fails.
    pub fn locate_or_build(progress: &mut dyn FnMut(&str)) -> Result<Assets> {
        if let Some(dir) = environment::assets() {
            return Assets::given(dir);
        }
        let recipe = Recipe::of(&CONTROL_PLANE)?;
        let root = environment::cache("control-plane")?;
        let dir = root.join(recipe.key());
        if is_complete(&dir) {
            return Ok(Assets { dir });
        }
        let Some(go) = Go::find() else { bail!(three_ways_on(&recipe)) };
        let _lock = BuildLock::acquire(&root, CONTROL_PLANE.what, progress)?;
        // Another process may have built while this one waited.
        if !is_complete(&dir) {
            go.build(&recipe, &root, &dir, progress)?;
        }
        Ok(Assets { dir })
    }

    /// The folder that [`Assets::locate_or_build`] returns, without a build.
    ///
    /// # Errors
    /// If `KUBEBUILDER_ASSETS` lacks a program, or nothing is built yet.
    pub fn locate() -> Result<Assets> {
        if let Some(dir) = environment::assets() {
            return Assets::given(dir);
        }
        let dir = environment::cache("control-plane")?.join(Recipe::of(&CONTROL_PLANE)?.key());
        if !is_complete(&dir) {
            bail!("nothing is built yet (it would be in {}): run `cluster build`", dir.display());
        }
        Ok(Assets { dir })
    }

    /// A folder with at least kubectl, for a cluster that already runs. Nothing is built.
    pub(crate) fn kubectl_only() -> Result<Assets> {
        let has_kubectl = |dir: &PathBuf| environment::is_executable(&dir.join("kubectl"));
        let given = environment::assets().filter(has_kubectl);
        let in_path = || environment::in_path("kubectl").and_then(|file| file.parent().map(Path::to_owned));
        let dir = given.or_else(in_path).or_else(|| Assets::locate().ok().map(|assets| assets.dir));
        let dir = dir.with_context(|| {
            format!(
                "{USE_KUBECONFIG} is set, but there is no kubectl: neither in PATH nor in {ASSETS} nor built"
            )
        })?;
        Ok(Assets { dir })
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of one of [`PROGRAMS`].
    pub fn program(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn given(dir: PathBuf) -> Result<Assets> {
        let missing = missing(&dir);
        if missing.is_empty() {
            // The path must be absolute, because the programs run in another working directory.
            let dir = dir.canonicalize().with_context(|| format!("failed to resolve {ASSETS}"))?;
            return Ok(Assets { dir });
        }
        let mut message = format!("{ASSETS} is {}, which lacks {}", dir.display(), missing.join(", "));
        if missing == ["kube-controller-manager"] {
            message.push_str(" (envtest's own bundles never have it; here namespaces are deleted for real)");
        }
        bail!("{message}. Add it, or unset {ASSETS} to have everything built from Go modules")
    }
}

fn is_complete(dir: &Path) -> bool {
    missing(dir).is_empty()
}

fn missing(dir: &Path) -> Vec<&'static str> {
    PROGRAMS.into_iter().filter(|program| !environment::is_executable(&dir.join(program))).collect()
}

fn three_ways_on(recipe: &Recipe) -> String {
    format!(
        "a Kubernetes control plane is needed, and there is neither a built one nor Go to build it. One of these helps:\n  \
         1. install Go {} or newer (https://go.dev/dl): the programs are then built once, in about 7 minutes\n  \
         2. set {ASSETS} to a folder with {}\n  \
         3. set {USE_KUBECONFIG}=1, and {KUBECONFIG} to a cluster that may be used for tests: they make and delete objects in it",
        recipe.go,
        PROGRAMS.join(", "),
    )
}
