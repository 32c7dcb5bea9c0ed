//! Where the programs come from. A script replaces `go`, and waits for a file.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use cluster::PROGRAMS;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::tools::{binary, eventually, has_ended, run, script, signal, succeed};

/// A script that imitates go: `env` prints the version in `$1`, `list` prints a package, and `build` creates empty programs as soon as
/// `$world/release` exists. Each build writes a line to `$world/builds`. `mod download` of a module prints a folder with all files of
/// `$world/module`.
const FAKE_GO: &str = r#"
world=$(dirname "$(dirname "$0")")
case "$1" in
env) cat "$world/version" ;;
list) echo a/package ;;
build)
    echo "GOTOOLCHAIN=$GOTOOLCHAIN" >> "$world/builds"
    echo $$ > "$world/pid"
    : > "$GOTMPDIR/object" || exit 4
    echo some/package >&2
    until [ -e "$world/release" ]; do sleep 0.02; done
    if [ -e "$world/fail" ]; then echo 'undefined: everything' >&2; exit 1; fi
    while [ "$1" != -o ]; do shift; done
    for program in server kube-apiserver kube-controller-manager kubectl helm kustomize-controller; do
        : > "$2/$program"
        chmod 755 "$2/$program"
    done ;;
mod)
    test -f go.mod || exit 5
    echo "go: downloading $4" >&2
    printf '{\n\t"Path": "%s",\n\t"Dir": "%s"\n}\n' "$4" "$world/module" ;;
esac
"#;

/// A machine with a cache and perhaps a `go`.
struct World(TempDir);

impl World {
    fn new() -> World {
        let world = World(tempfile::tempdir().unwrap());
        fs::create_dir_all(world.path("bin")).unwrap();
        world
    }

    fn with_go(version: &str) -> World {
        let world = World::new();
        script(&world.path("bin/go"), FAKE_GO);
        fs::write(world.path("version"), version).unwrap();
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The binary `cluster` with the environment of this machine.
    fn cluster(&self, verb: &str) -> Command {
        let mut command = binary();
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        // If the test wants no `go`, the binary must not find the `go` of the real machine.
        let path = if self.path("bin/go").exists() { path } else { self.path("bin").display().to_string() };
        command.args(verb.split(' ')).env("PATH", path).env("XDG_CACHE_HOME", self.path("cache"));
        command.env_remove("KUBEBUILDER_ASSETS").env_remove("CLUSTER_TOOLS").env_remove("GOTOOLCHAIN");
        command
    }

    fn start(&self, verb: &str) -> Builder {
        let said = self.path(&format!("said-{}", fs::read_dir(self.0.path()).unwrap().count()));
        let output = fs::File::create(&said).unwrap();
        let child = self.cluster(verb).stderr(output).stdout(Stdio::null()).spawn().unwrap();
        Builder { child, said }
    }

    fn release(&self) {
        fs::write(self.path("release"), "").unwrap();
    }

    fn builds(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("builds")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The finished and unfinished builds in the cache.
    fn cached(&self) -> Vec<String> {
        self.cached_of("control-plane")
    }

    fn cached_of(&self, kind: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path("cache/elasticache-user-operator").join(kind)) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| !name.starts_with("build.")).collect()
    }
}

/// A process that builds, and its output.
struct Builder {
    child: Child,
    said: PathBuf,
}

impl Builder {
    fn says(&self, part: &str) {
        eventually(part, || self.said().contains(part));
    }

    fn said(&self) -> String {
        let mut text = String::new();
        fs::File::open(&self.said).unwrap().read_to_string(&mut text).unwrap();
        text
    }

    fn succeeds(&mut self) {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{}", self.said());
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

fn programs(directory: &Path, names: &[&str]) {
    names.iter().for_each(|name| script(&directory.join(name), ""));
}

#[test]
fn two_processes_that_build_at_the_same_time_build_once() {
    let world = World::with_go("go1.26.8");
    let mut first = world.start("build control-plane");
    first.says("building etcd, kube-apiserver, kube-controller-manager, kubectl v1.");
    first.says("usually 7 to 10 minutes on 2 cores");
    eventually("go builds", || world.builds().len() == 1);
    let mut second = world.start("build control-plane");
    second.says(&format!("waiting for process {}", first.child.id()));
    world.release();
    first.succeeds();
    second.succeeds();
    assert_eq!(world.builds().len(), 1);
    let [cached] = world.cached().try_into().unwrap();
    assert!(cached.starts_with("v1."), "{cached}");
    let printed = succeed(&mut world.cluster("assets"));
    assert_eq!(Path::new(printed.trim()).file_name().unwrap().to_str(), Some(cached.as_str()));
}

#[test]
fn a_process_builds_itself_if_the_builder_that_it_waits_for_dies() {
    let world = World::with_go("go1.26.8");
    let first = world.start("build control-plane");
    eventually("go builds", || world.builds().len() == 1);
    let mut second = world.start("build control-plane");
    second.says("waiting for process");
    signal(first.child.id(), Signal::KILL);
    eventually("the other process builds", || world.builds().len() == 2);
    world.release();
    second.succeeds();
    assert_eq!(world.cached().len(), 1, "no unfinished build may be left: {:?}", world.cached());
}

#[test]
fn a_builder_that_is_killed_leaves_nothing_behind() {
    let world = World::with_go("go1.26.8");
    let builder = world.start("build control-plane");
    let pid = || fs::read_to_string(world.path("pid")).ok()?.trim().parse().ok();
    eventually("go builds", || pid().is_some() && world.cached().len() == 1);
    signal(builder.child.id(), Signal::KILL);
    eventually("go has ended", || has_ended(pid().unwrap()));
    eventually("the half result is gone", || world.cached().is_empty());
}

#[test]
fn a_build_that_fails_says_why_and_leaves_no_half_result() {
    let world = World::with_go("go1.26.8");
    world.release();
    fs::write(world.path("fail"), "").unwrap();
    let (success, said) = run(&mut world.cluster("build control-plane"));
    assert!(!success);
    for part in ["go ended with exit status: 1", "    undefined: everything", "build.log"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    assert!(world.cached().is_empty(), "{:?}", world.cached());
    let (success, said) = run(&mut world.cluster("assets"));
    assert!(!success && said.contains("cluster build"), "{said}");
}

#[test]
fn a_result_that_lost_a_program_is_built_again() {
    let world = World::with_go("go1.26.8");
    world.release();
    succeed(&mut world.cluster("build control-plane"));
    let [cached] = world.cached().try_into().unwrap();
    let etcd = world.path("cache/elasticache-user-operator/control-plane").join(cached).join("etcd");
    fs::remove_file(&etcd).unwrap();
    succeed(&mut world.cluster("build control-plane"));
    assert!(etcd.exists());
    assert_eq!(world.builds().len(), 2);
}

#[test]
fn a_go_that_is_too_old_fetches_a_newer_one_if_it_can() {
    for (version, toolchain) in
        [("go1.26.8", "GOTOOLCHAIN="), ("go1.24.1", "GOTOOLCHAIN=auto"), ("devel", "GOTOOLCHAIN=")]
    {
        let world = World::with_go(version);
        world.release();
        succeed(&mut world.cluster("build control-plane"));
        assert_eq!(world.builds(), [toolchain], "{version}");
    }
    let (success, said) = run(&mut World::with_go("go1.20.14").cluster("build control-plane"));
    assert!(!success && said.contains("is go1.20.14; install Go 1.26.0 or newer"), "{said}");
}

#[test]
fn without_go_and_built_programs_the_error_names_three_ways_to_go_on() {
    for verb in ["build control-plane", "up"] {
        let (success, said) = run(&mut World::new().cluster(verb));
        assert!(!success);
        for way in
            ["1. install Go", "2. set KUBEBUILDER_ASSETS", "3. set CLUSTER_USE_KUBECONFIG=1, and KUBECONFIG"]
        {
            assert!(said.contains(way), "{way:?} is not in {said}");
        }
    }
}

#[test]
fn a_folder_of_programs_that_the_user_names_is_used_unchanged() {
    let world = World::new();
    programs(&world.path("bin"), &PROGRAMS);
    let folder = fs::canonicalize(world.path("bin")).unwrap();
    let printed = succeed(world.cluster("assets").env("KUBEBUILDER_ASSETS", &folder));
    assert_eq!(printed.trim(), folder.to_str().unwrap());
    succeed(world.cluster("build control-plane").env("KUBEBUILDER_ASSETS", &folder));
    assert!(world.cached().is_empty(), "nothing is built");
}

#[test]
fn the_error_names_the_programs_that_are_missing_in_a_folder_of_the_user() {
    let world = World::new();
    let refused = || {
        let (success, said) = run(world.cluster("up").env("KUBEBUILDER_ASSETS", world.path("bin")));
        assert!(!success);
        said
    };
    assert!(
        refused().contains("lacks etcd, kube-apiserver, kube-controller-manager, kubectl"),
        "{}",
        refused()
    );
    programs(&world.path("bin"), &["etcd", "kube-apiserver", "kubectl"]);
    assert!(refused().contains("lacks kube-controller-manager (envtest's own bundles"), "{}", refused());
}

/// The programs of `make demo`, of this version of Kubernetes.
fn api(directory: &Path, version: &str) {
    fs::create_dir_all(directory).unwrap();
    programs(directory, &["etcd", "kubectl"]);
    script(&directory.join("kube-apiserver"), &format!("echo Kubernetes v{version}"));
}

#[test]
fn the_api_alone_comes_from_setup_envtest_or_the_path_if_it_is_new_enough() {
    let world = World::new();
    let home = world.path("home");
    let envtest = |name: &str| home.join(".local/share/kubebuilder-envtest/k8s").join(name);
    let build = || {
        let mut command = world.cluster("build api");
        run(command.env("HOME", &home).env_remove("XDG_DATA_HOME"))
    };
    api(&envtest("1.32.0-linux-amd64"), "1.32.0");
    let (success, said) = build();
    assert!(!success && said.contains("1. install Go"), "1.32 is too old: {said}");
    api(&world.path("bin"), "1.35.2");
    let (success, said) = build();
    let path = world.path("bin");
    assert!(success && said.contains(&format!("using Kubernetes v1.35.2 in {}", path.display())), "{said}");
    for version in ["1.34.1", "1.33.10"] {
        api(&envtest(&format!("{version}-linux-amd64")), version);
    }
    fs::remove_file(envtest("1.34.1-linux-amd64").join("etcd")).unwrap();
    let (success, said) = build();
    assert!(success && said.contains("using Kubernetes v1.33.10 in "), "one lacks a program: {said}");
    api(&envtest("1.34.1-linux-amd64"), "1.34.1");
    let (success, said) = build();
    assert!(success && said.contains("using Kubernetes v1.34.1 in "), "the newest is used: {said}");
    // The tests need the version that is pinned, and all four programs.
    let (success, said) = run(world.cluster("build control-plane").env("HOME", &home));
    assert!(!success && said.contains("1. install Go"), "{said}");
}

#[test]
fn the_api_alone_is_built_without_the_controller_manager_which_is_added_later() {
    let world = World::with_go("go1.26.8");
    world.release();
    let said = succeed(world.cluster("build api").env("HOME", world.path("home")));
    assert!(said.contains("building etcd, kube-apiserver, kubectl v1."), "{said}");
    let [cached] = world.cached().try_into().unwrap();
    let dir = world.path("cache/elasticache-user-operator/control-plane").join(cached);
    assert!(dir.join("etcd").exists() && !dir.join("kube-controller-manager").exists());
    let said = succeed(&mut world.cluster("build control-plane"));
    assert!(said.contains("building kube-controller-manager v1."), "{said}");
    assert!(dir.join("kube-controller-manager").exists() && dir.join("etcd").exists());
}

#[test]
fn a_folder_of_envtest_that_the_user_names_is_enough_for_the_api_alone() {
    let world = World::new();
    programs(&world.path("bin"), &["etcd", "kube-apiserver", "kubectl"]);
    succeed(world.cluster("build api").env("KUBEBUILDER_ASSETS", world.path("bin")));
}

#[test]
fn a_tool_is_built_once_by_version_and_printed() {
    let world = World::with_go("go1.26.8");
    world.release();
    let said = succeed(&mut world.cluster("build helm-3"));
    assert!(said.contains("building helm v3."), "{said}");
    assert!(said.contains("minute"), "the output must say how long the build takes: {said}");
    assert!(world.cached().is_empty(), "no control plane");
    let [cached] = world.cached_of("go-tools").try_into().unwrap();
    assert!(cached.starts_with("helm-3-v3."), "{cached}");
    let printed = succeed(&mut world.cluster("tool helm-3"));
    let expected = world.path("cache/elasticache-user-operator/go-tools").join(cached).join("helm");
    assert_eq!(printed.trim(), expected.to_str().unwrap());
    assert_eq!(world.builds().len(), 1);
}

#[test]
fn files_of_other_modules_are_put_beside_a_tool_and_a_lost_one_is_put_there_again() {
    let world = World::with_go("go1.26.8");
    world.release();
    let bases = world.path("module/config/crd/bases");
    fs::create_dir_all(&bases).unwrap();
    let kinds = ["kustomize_kustomizations", "source_gitrepositories", "source_buckets"];
    let kinds = [&kinds[..], &["source_ocirepositories", "helm_helmreleases"]].concat();
    let names: Vec<String> =
        kinds.iter().map(|kind| kind.replace('_', ".toolkit.fluxcd.io_") + ".yaml").collect();
    names.iter().for_each(|name| fs::write(bases.join(name), format!("the text of {name}")).unwrap());
    let said = succeed(&mut world.cluster("build kustomize-controller"));
    let beside = || {
        let printed = succeed(&mut world.cluster("tool kustomize-controller"));
        Path::new(printed.trim()).parent().unwrap().to_owned()
    };
    for name in &names {
        let text =
            fs::read_to_string(beside().join(name)).unwrap_or_else(|error| panic!("{name}: {error}: {said}"));
        assert_eq!(text, format!("the text of {name}"));
    }
    assert_eq!(world.builds().len(), 1);
    fs::remove_file(beside().join(&names[0])).unwrap();
    succeed(&mut world.cluster("build kustomize-controller"));
    assert!(beside().join(&names[0]).is_file());
    assert_eq!(world.builds().len(), 2);
}

#[test]
fn a_tool_that_the_user_provides_is_used_unchanged() {
    let world = World::new();
    programs(&world.path("bin"), &["helm-4"]);
    let printed = succeed(world.cluster("tool helm-4").env("CLUSTER_TOOLS", world.path("bin")));
    assert_eq!(Path::new(printed.trim()), fs::canonicalize(world.path("bin/helm-4")).unwrap());
    let (success, said) = run(world.cluster("tool helm-3").env("CLUSTER_TOOLS", world.path("bin")));
    assert!(!success && said.contains("CLUSTER_TOOLS to a folder that has helm-3 v3."), "{said}");
    let (success, said) = run(&mut world.cluster("tool helm-2"));
    assert!(!success && said.contains("there are helm-4, helm-3, "), "{said}");
}
