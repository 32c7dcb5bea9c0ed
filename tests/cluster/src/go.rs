//! Building the programs from Go modules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{assets, environment, janitor::Janitor, process::Process, wait};

/// The module is part of this library: whoever has a built test has the recipe as well.
const GO_MOD: &str = include_str!("../tools/go.mod");
const GO_SUM: &str = include_str!("../tools/go.sum");

const PACKAGES: [&str; 4] = [
    "go.etcd.io/etcd/server/v3",
    "k8s.io/kubernetes/cmd/kube-apiserver",
    "k8s.io/kubernetes/cmd/kube-controller-manager",
    "k8s.io/kubernetes/cmd/kubectl",
];
/// The name that Go gives to etcd, whose package is the module's root.
const ETCD_BUILT_AS: &str = "server";
const BUILDING: &str = "building-";
const REMIND: Duration = Duration::from_secs(15);

/// What is built, and how.
#[derive(Debug)]
pub(crate) struct Recipe {
    /// For example `v1.37.2`.
    kubernetes: String,
    /// The oldest Go that can build it.
    go: Version,
    flags: Vec<String>,
}

impl Recipe {
    /// The recipe of `tools/go.mod`.
    pub(crate) fn committed() -> Result<Recipe> {
        let word_after = |name: &str| {
            GO_MOD.lines().find_map(|line| {
                let mut words = line.split_whitespace().skip_while(|word| *word == "require");
                (words.next() == Some(name)).then(|| words.next()).flatten()
            })
        };
        let kubernetes =
            word_after("k8s.io/kubernetes").context("tools/go.mod requires no k8s.io/kubernetes")?;
        let go = word_after("go").and_then(Version::parse).context("tools/go.mod names no version of Go")?;
        let mut numbers = kubernetes.trim_start_matches('v').split('.');
        let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
        let version = "-X k8s.io/component-base/version.git";
        let link = format!(
            "-s -w {version}Version={kubernetes} {version}Major={major} {version}Minor={minor} {version}TreeState=clean"
        );
        let flags = vec!["-mod=readonly".into(), "-trimpath".into(), "-ldflags".into(), link];
        Ok(Recipe { kubernetes: kubernetes.to_owned(), go, flags })
    }

    /// The name of the result in the cache: another recipe or another machine has another name.
    pub(crate) fn key(&self) -> String {
        let parts = [GO_MOD, GO_SUM].into_iter().chain(self.flags.iter().map(String::as_str));
        let hash = fnv1a(parts);
        format!("{}-{hash:016x}-{}-{}", self.kubernetes, std::env::consts::OS, std::env::consts::ARCH)
    }

    /// The oldest Go that can build it, for people.
    pub(crate) fn go_version(&self) -> String {
        format!("{}.{}.{}", self.go.0, self.go.1, self.go.2)
    }
}

/// The `go` command.
#[derive(Debug)]
pub(crate) struct Go {
    program: PathBuf,
}

impl Go {
    /// The one in `PATH`.
    pub(crate) fn find() -> Option<Go> {
        environment::in_path("go").map(|program| Go { program })
    }

    /// Builds into a folder beside `target` and gives it its name at the end. To be called under the build
    /// lock.
    pub(crate) fn build(
        &self,
        recipe: &Recipe,
        root: &Path,
        target: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let begin = Instant::now();
        let toolchain = self.toolchain(recipe, progress)?;
        progress(&format!(
            "building {} {} from Go modules, once, into {}: usually 7 to 10 minutes on 2 cores, less where Go has them cached",
            assets::PROGRAMS.join(", "),
            recipe.kubernetes,
            target.display()
        ));
        let stage = stage(root)?;
        let _janitor = Janitor::watch(stage.path())?;
        fs::write(stage.path().join("go.mod"), GO_MOD).context("failed to write go.mod")?;
        fs::write(stage.path().join("go.sum"), GO_SUM).context("failed to write go.sum")?;
        fs::create_dir(stage.path().join("tmp")).context("failed to make a folder for temporary files")?;
        let mut steps = Steps { begin, log: root.join("build.log"), progress };

        let mut list = self.command(stage.path(), toolchain);
        list.args(["list", "-mod=readonly", "-deps"]).args(PACKAGES);
        let total = steps.run(list, |lines| format!("fetching modules, {lines} of them"))?;

        let bin = stage.path().join("bin");
        fs::create_dir(&bin).context("failed to make a folder for the programs")?;
        let mut build = self.command(stage.path(), toolchain);
        build.args(["build", "-v"]).args(&recipe.flags).arg("-o").arg(&bin).args(PACKAGES);
        steps.run(build, |lines| format!("compiled {lines} packages of at most {total}"))?;

        fs::rename(bin.join(ETCD_BUILT_AS), bin.join("etcd")).context("failed to rename etcd")?;
        if !assets::is_complete(&bin) {
            bail!("go build ended well, but not all programs are there; its log is {}", steps.log.display());
        }
        if target.exists() {
            fs::remove_dir_all(target)
                .with_context(|| format!("failed to remove the incomplete {}", target.display()))?;
        }
        fs::rename(&bin, target).with_context(|| format!("failed to make {}", target.display()))?;
        progress(&format!("built in {}", minutes(begin.elapsed())));
        Ok(())
    }

    /// What `GOTOOLCHAIN` has to be, where it must not stay as it is: a Go that is too old can fetch a newer
    /// one, as a module.
    fn toolchain(&self, recipe: &Recipe, progress: &mut dyn FnMut(&str)) -> Result<Option<&'static str>> {
        /// The first that can fetch another.
        const FETCHES: Version = Version(1, 21, 0);
        let output =
            Command::new(&self.program).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").output();
        let output = output.with_context(|| format!("failed to start {}", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // A version of an unknown form is a development version, and new.
        let Some(installed) = Version::parse(text.trim().trim_start_matches("go")) else { return Ok(None) };
        if installed >= recipe.go {
            return Ok(None);
        }
        let (installed, needed) = (text.trim().to_owned(), recipe.go_version());
        if Version::parse(installed.trim_start_matches("go")).is_some_and(|version| version < FETCHES) {
            bail!("{} is {installed}; install Go {needed} or newer", self.program.display());
        }
        progress(&format!("{installed} is older than go{needed}: go fetches a newer one (GOTOOLCHAIN=auto)"));
        Ok(Some("auto"))
    }

    fn command(&self, module: &Path, toolchain: Option<&str>) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(module);
        // For this machine and of this module alone, whatever the user builds otherwise. Caches and proxies
        // stay the user's.
        command.env("CGO_ENABLED", "0").env("GOWORK", "off");
        command.env_remove("GOOS").env_remove("GOARCH");
        // Go removes its temporary files at its end, but not when it is killed; these go with the stage.
        command.env("GOTMPDIR", module.join("tmp"));
        if let Some(toolchain) = toolchain {
            command.env("GOTOOLCHAIN", toolchain);
        }
        command
    }
}

/// Runs of `go`, one after the other, and what they tell about themselves.
struct Steps<'a> {
    begin: Instant,
    log: PathBuf,
    progress: &'a mut dyn FnMut(&str),
}

impl Steps<'_> {
    /// Runs `command` to its end and returns how many packages it named. What it writes goes to the log, and the
    /// number of these lines, worded by `state`, to the user.
    fn run(&mut self, command: Command, state: impl Fn(usize) -> String) -> Result<usize> {
        let log = self.log.display();
        fs::write(&self.log, "").with_context(|| format!("failed to write {log}"))?;
        let mut go = Process::start("go", command, &self.log)?;
        let mut told = Instant::now();
        let status = loop {
            if let Some(status) = go.status()? {
                break status;
            }
            if told.elapsed() >= REMIND {
                told = Instant::now();
                let state = state(self.lines()?.lines().count());
                (self.progress)(&format!("{state}, {} so far", minutes(self.begin.elapsed())));
            }
            wait::a_moment();
        };
        if !status.success() {
            bail!(
                "building the control plane failed: go ended with {status}; all it said is in {log}; {}",
                go.last_words()
            );
        }
        // Lines of its own, about downloads for example, go begins with its name.
        Ok(self.lines()?.lines().filter(|line| !line.starts_with("go: ")).count())
    }

    fn lines(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("failed to read {}", self.log.display()))
    }
}

/// A fresh folder to build in. Under the build lock nobody else builds: what is there was left by a builder
/// that died.
fn stage(root: &Path) -> Result<TempDir> {
    let entries = fs::read_dir(root).with_context(|| format!("failed to read {}", root.display()))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(BUILDING) {
            let _next_time = fs::remove_dir_all(entry.path());
        }
    }
    let stage = tempfile::Builder::new().prefix(BUILDING).tempdir_in(root);
    stage.with_context(|| format!("failed to make a folder in {}", root.display()))
}

fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 { format!("{seconds} s") } else { format!("{} min {} s", seconds / 60, seconds % 60) }
}

/// A version of Go: major, minor, patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

impl Version {
    /// `1.26.8`, `1.26`, `1.27rc1` (which counts as 1.27.0).
    fn parse(text: &str) -> Option<Version> {
        let text = text.split_whitespace().next()?;
        let mut numbers = text.splitn(3, '.').map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..digits).and_then(|digits| digits.parse().ok())
        });
        let (major, minor) = (numbers.next()??, numbers.next()??);
        Some(Version(major, minor, numbers.next().flatten().unwrap_or(0)))
    }
}

/// FNV-1a, 64 bits: the standard library's hash may change with the compiler, and with it the name of the
/// folder.
fn fnv1a<'a>(parts: impl Iterator<Item = &'a str>) -> u64 {
    // A byte that no text contains keeps parts apart.
    let bytes = parts.flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_comes_from_go_mod() {
        let recipe = Recipe::committed().unwrap();
        assert!(recipe.kubernetes.starts_with("v1."), "{recipe:?}");
        assert!(recipe.key().starts_with(&recipe.kubernetes));
        assert!(recipe.go >= Version(1, 26, 0));
        for package in PACKAGES {
            assert!(GO_MOD.contains(&format!("\t{package}\n")), "{package} is no tool of go.mod");
        }
    }

    #[test]
    fn versions_of_go_are_read_and_ordered() {
        let parse = |text| Version::parse(text).unwrap();
        assert_eq!(parse("1.26.8"), Version(1, 26, 8));
        assert_eq!(parse("1.26"), Version(1, 26, 0));
        assert_eq!(parse("1.27rc1"), Version(1, 27, 0));
        assert_eq!(parse("1.26.8 X:nocoverageredesign"), Version(1, 26, 8));
        assert!(parse("1.9.7") < parse("1.21.0"));
        assert_eq!(Version::parse("devel"), None);
    }

    #[test]
    fn the_hash_is_the_published_one() {
        assert_eq!(fnv1a(std::iter::empty()), 0xcbf2_9ce4_8422_2325);
        let differs = fnv1a(["ab", "c"].into_iter()) != fnv1a(["a", "bc"].into_iter());
        assert!(differs, "parts are kept apart");
    }
}
