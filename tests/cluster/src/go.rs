//! Building the programs from Go modules.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{
    environment,
    janitor::Janitor,
    process::Process,
    recipe::{Files, Recipe},
    version::Version,
    wait,
};

const BUILDING: &str = "building-";
const REMIND: Duration = Duration::from_secs(15);

/// The `go` command.
#[derive(Debug)]
pub(crate) struct Go {
    program: PathBuf,
}

impl Go {
    /// The `go` command in `PATH`.
    pub(crate) fn find() -> Option<Go> {
        environment::in_path("go").map(|program| Go { program })
    }

    /// Builds these programs of the recipe into a folder beside `target`, and moves them to `target` at the end. The caller must have
    /// the build lock.
    pub(crate) fn build(
        &self,
        recipe: &Recipe,
        programs: &[&str],
        root: &Path,
        target: &Path,
        progress: &mut dyn FnMut(&str),
    ) -> Result<()> {
        let begin = Instant::now();
        let module = recipe.module;
        let toolchain = self.toolchain(recipe, progress)?;
        progress(&format!(
            "building {} {} from Go modules, once, into {}: {}, less where Go has them cached",
            programs.join(", "),
            recipe.version,
            target.display(),
            module.takes
        ));
        let stage = stage(root)?;
        let _janitor = Janitor::watch(stage.path())?;
        let files = [("go.mod", module.go_mod), ("go.sum", module.go_sum)];
        for (name, text) in files.iter().chain(module.sources) {
            fs::write(stage.path().join(name), text).with_context(|| format!("failed to write {name}"))?;
        }
        fs::create_dir(stage.path().join("tmp")).context("failed to make a folder for temporary files")?;
        let packages = module.packages_of(programs);
        let mut steps = Steps { what: module.what, begin, log: root.join("build.log"), progress };

        let mut list = self.command(stage.path(), toolchain);
        list.args(["list", "-deps"]).args(&recipe.flags).args(&packages);
        let total = steps.run(list, |lines| format!("fetching modules, {lines} of them"))?;

        let bin = stage.path().join("bin");
        fs::create_dir(&bin).context("failed to make a folder for the programs")?;
        let mut build = self.command(stage.path(), toolchain);
        build.args(["build", "-v"]).args(&recipe.flags).arg("-o").arg(&bin).args(&packages);
        steps.run(build, |lines| format!("compiled {lines} packages of at most {total}"))?;

        if let Some((from, to)) = module.built_as.filter(|(_, to)| programs.contains(to)) {
            fs::rename(bin.join(from), bin.join(to)).with_context(|| format!("failed to rename {to}"))?;
        }
        if !programs.iter().all(|program| environment::is_executable(&bin.join(program))) {
            bail!("go build ended well, but not all programs are there; its log is {}", steps.log.display());
        }
        fs::create_dir_all(target).with_context(|| format!("failed to make {}", target.display()))?;
        // The files come before the programs, so that a result with its programs is complete.
        if let Some(files) = module.files {
            self.copy(files, stage.path(), toolchain, &mut steps, target)?;
        }
        for program in programs {
            fs::rename(bin.join(program), target.join(program))
                .with_context(|| format!("failed to move {program} to {}", target.display()))?;
        }
        progress(&format!("built in {}", minutes(begin.elapsed())));
        Ok(())
    }

    /// Downloads the modules of `files`, and copies the files into `target`.
    fn copy(
        &self,
        files: &Files,
        stage: &Path,
        toolchain: Option<&str>,
        steps: &mut Steps<'_>,
        target: &Path,
    ) -> Result<()> {
        let dir = stage.join("files");
        fs::create_dir(&dir).context("failed to make a folder for a go.mod")?;
        for (name, text) in [("go.mod", files.go_mod), ("go.sum", files.go_sum)] {
            fs::write(dir.join(name), text)
                .with_context(|| format!("failed to write {name} of the files"))?;
        }
        for (module, path) in files.paths {
            let mut download = self.command(&dir, toolchain);
            download.env("GOTMPDIR", stage.join("tmp")).args(["mod", "download", "-json", module]);
            steps.run(download, |_| format!("fetching {module}"))?;
            let log = steps.lines()?;
            // go's own lines, for example about downloads, are before the JSON text.
            let json = log.find('{').and_then(|begin| log.get(begin..)).unwrap_or_default();
            let downloaded: serde_json::Value = serde_json::from_str(json)
                .with_context(|| format!("go mod download of {module} printed no JSON: {log}"))?;
            let folder = downloaded["Dir"].as_str().with_context(|| format!("{module} has no folder"))?;
            let from = Path::new(folder).join(path);
            let name = from.file_name().with_context(|| format!("{path} names no file"))?;
            // Files of the module cache are read-only. The content alone is copied, so that the result can be removed.
            let text = fs::read(&from).with_context(|| format!("failed to read {}", from.display()))?;
            fs::write(target.join(name), text).with_context(|| format!("failed to write {path}"))?;
        }
        Ok(())
    }

    /// The value of `GOTOOLCHAIN`, if it must change. A Go that is too old can fetch a newer one as a module.
    fn toolchain(&self, recipe: &Recipe, progress: &mut dyn FnMut(&str)) -> Result<Option<&'static str>> {
        /// The first version that can fetch another one.
        const FETCHES: Version = Version(1, 21, 0);
        let output =
            Command::new(&self.program).args(["env", "GOVERSION"]).env("GOTOOLCHAIN", "local").output();
        let output = output.with_context(|| format!("failed to start {}", self.program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout);
        // A version of unknown form is a development version, so it is new enough.
        let Some(installed) = Version::parse(text.trim().trim_start_matches("go")) else { return Ok(None) };
        if installed >= recipe.go {
            return Ok(None);
        }
        let (installed, needed) = (text.trim().to_owned(), recipe.go);
        if Version::parse(installed.trim_start_matches("go")).is_some_and(|version| version < FETCHES) {
            bail!("{} is {installed}; install Go {needed} or newer", self.program.display());
        }
        progress(&format!("{installed} is older than go{needed}: go fetches a newer one (GOTOOLCHAIN=auto)"));
        Ok(Some("auto"))
    }

    fn command(&self, module: &Path, toolchain: Option<&str>) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(module);
        // Build for this machine and from this module, whatever the user's settings are. Caches and proxies stay those of the user.
        command.env("CGO_ENABLED", "0").env("GOWORK", "off");
        command.env_remove("GOOS").env_remove("GOARCH");
        // Go does not remove its temporary files if it is killed. Here they are removed with the stage.
        command.env("GOTMPDIR", module.join("tmp"));
        if let Some(toolchain) = toolchain {
            command.env("GOTOOLCHAIN", toolchain);
        }
        command
    }
}

/// Runs `go` several times, and reports the progress.
struct Steps<'a> {
    what: &'static str,
    begin: Instant,
    log: PathBuf,
    progress: &'a mut dyn FnMut(&str),
}

impl Steps<'_> {
    /// Runs `command` to its end, and returns how many packages it named. Its output goes to the log. The user sees the number of these
    /// lines in the words of `state`.
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
                "building {} failed: go ended with {status}; all it said is in {log}; {}",
                self.what,
                go.last_words()
            );
        }
        // go's own lines, for example about downloads, begin with its name.
        Ok(self.lines()?.lines().filter(|line| !line.starts_with("go: ")).count())
    }

    fn lines(&self) -> Result<String> {
        fs::read_to_string(&self.log).with_context(|| format!("failed to read {}", self.log.display()))
    }
}

/// A new folder to build in. The caller has the build lock, so an existing folder was left behind by a builder that died.
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
