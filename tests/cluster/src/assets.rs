//! Where the programs come from: a folder that the user names, the cache, this machine, or a build.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{
    environment::{self, ASSETS, KUBECONFIG, USE_KUBECONFIG},
    go::Go,
    lock::BuildLock,
    recipe::{CONTROL_PLANE, Recipe},
    version::Version,
};

/// The programs of a control plane.
pub const PROGRAMS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

/// The oldest Kubernetes that the operator works with: that of the chart's `kubeVersion`.
const OLDEST: Version = Version(1, 33, 0);

/// How much of a control plane is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// All of [`PROGRAMS`].
    #[default]
    Full,
    /// The API alone, without kube-controller-manager. A deleted namespace stays, no owned object is collected, and no namespace
    /// has a ServiceAccount `default`.
    Api,
}

impl Scope {
    pub fn programs(self) -> Vec<&'static str> {
        PROGRAMS.into_iter().filter(|program| self == Scope::Full || *program != CONTROLLERS).collect()
    }

    fn missing(self, dir: &Path) -> Vec<&'static str> {
        let is_missing = |program: &&str| !environment::is_executable(&dir.join(program));
        self.programs().into_iter().filter(is_missing).collect()
    }

    fn is_complete(self, dir: &Path) -> bool {
        self.missing(dir).is_empty()
    }
}

const CONTROLLERS: &str = "kube-controller-manager";

/// A folder with the programs of a [`Scope`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assets {
    dir: PathBuf,
}

impl Assets {
    /// The folder `KUBEBUILDER_ASSETS` if it is set. Otherwise the folder in the user's cache. What is missing there is built first,
    /// which takes some minutes for each version. `progress` gets lines for people.
    ///
    /// For [`Scope::Api`], whose programs may have another version, nothing is built if setup-envtest has downloaded them, or `PATH` has
    /// them.
    ///
    /// Two processes do not build at once: the second waits for the first.
    ///
    /// # Errors
    /// If `KUBEBUILDER_ASSETS` lacks a program, if there is neither a folder nor Go, or if the build fails.
    pub fn locate_or_build(scope: Scope, progress: &mut dyn FnMut(&str)) -> Result<Assets> {
        if let Some(dir) = environment::assets() {
            return Assets::given(dir, scope);
        }
        let recipe = Recipe::of(&CONTROL_PLANE)?;
        let root = environment::cache("control-plane")?;
        let dir = root.join(recipe.key());
        if scope.is_complete(&dir) {
            return Ok(Assets { dir });
        }
        if scope == Scope::Api
            && let Some((dir, version)) = on_this_machine()
        {
            progress(&format!("using {version} in {}", dir.display()));
            return Ok(Assets { dir });
        }
        let Some(go) = Go::find() else { bail!(three_ways_on(&recipe)) };
        let _lock = BuildLock::acquire(&root, CONTROL_PLANE.what, progress)?;
        // Another process may have built while this one waited.
        let missing = scope.missing(&dir);
        if !missing.is_empty() {
            go.build(&recipe, &missing, &root, &dir, progress)?;
        }
        Ok(Assets { dir })
    }

    /// The folder that [`Assets::locate_or_build`] returns for [`Scope::Full`], without a build.
    ///
    /// # Errors
    /// If `KUBEBUILDER_ASSETS` lacks a program, or nothing is built yet.
    pub fn locate() -> Result<Assets> {
        if let Some(dir) = environment::assets() {
            return Assets::given(dir, Scope::Full);
        }
        let dir = environment::cache("control-plane")?.join(Recipe::of(&CONTROL_PLANE)?.key());
        if !Scope::Full.is_complete(&dir) {
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

    fn given(dir: PathBuf, scope: Scope) -> Result<Assets> {
        let missing = scope.missing(&dir);
        if missing.is_empty() {
            // The path must be absolute, because the programs run in another working directory.
            let dir = dir.canonicalize().with_context(|| format!("failed to resolve {ASSETS}"))?;
            return Ok(Assets { dir });
        }
        let mut message = format!("{ASSETS} is {}, which lacks {}", dir.display(), missing.join(", "));
        if missing == [CONTROLLERS] {
            message.push_str(" (envtest's own bundles never have it; here namespaces are deleted for real)");
        }
        bail!("{message}. Add it, or unset {ASSETS} to have everything built from Go modules")
    }
}

/// A folder with the programs of [`Scope::Api`] that somebody else has installed, and their version. setup-envtest's newest comes first.
fn on_this_machine() -> Option<(PathBuf, String)> {
    let mut downloaded: Vec<PathBuf> = environment::setup_envtest()
        .and_then(|folder| folder.join("k8s").read_dir().ok())
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default();
    downloaded.sort_by_key(|dir| std::cmp::Reverse(version_in_name(dir)));
    let folders = downloaded.into_iter().chain(environment::path());
    folders.filter(|dir| Scope::Api.is_complete(dir)).find_map(|dir| {
        let said = Command::new(dir.join("kube-apiserver")).arg("--version").output().ok()?;
        let said = String::from_utf8(said.stdout).ok()?;
        let version = Version::parse(said.trim().strip_prefix("Kubernetes v")?)?;
        (version >= OLDEST).then(|| (dir, said.trim().to_owned()))
    })
}

/// The version of a folder of setup-envtest, for example `1.34.1-linux-amd64`.
fn version_in_name(dir: &Path) -> Option<Version> {
    Version::parse(dir.file_name()?.to_str()?.split('-').next()?)
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
