//! A cluster ends when its owner ends in any way. The owner is the process that started it.

use std::{
    env, fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Stdio},
    sync::OnceLock,
    thread,
};

use cluster::{Assets, Cluster, Options, Scope};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::tools::{Up, binary, children, eventually, has_ended, run, script, signal};

/// etcd, kube-apiserver, kube-controller-manager and the janitor.
const CHILDREN: usize = 4;

/// Starts `cluster up` with its own folder for temporary files, so that a test can check that nothing stays in the folder.
fn up() -> (Up, TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let up = Up::start(binary().arg("up").env("TMPDIR", temporary.path()));
    assert_eq!(up.children.len(), CHILDREN);
    assert!(up.directory.starts_with(temporary.path()));
    (up, temporary)
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().count() == 0
}

#[test]
fn a_cluster_ends_when_the_process_that_started_it_is_killed() {
    let (mut up, temporary) = up();
    signal(up.owner.id(), Signal::KILL);
    up.is_gone_completely();
    assert!(is_empty(temporary.path()));
}

#[test]
fn ctrl_c_ends_a_cluster_and_leaves_no_file_or_process() {
    for end in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (mut up, temporary) = up();
        signal(up.owner.id(), end);
        let status = up.owner.wait().unwrap();
        assert!(status.success(), "{end:?}: {status}");
        // The children have ended already, because the owner waits for their end.
        assert!(up.children.iter().all(|child| has_ended(*child)), "{end:?}");
        assert!(is_empty(temporary.path()), "{end:?}");
    }
}

#[test]
fn ctrl_c_in_a_terminal_signals_only_the_process_that_started_the_cluster() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = binary();
    // A process group like that of a foreground job in a shell.
    command.arg("up").env("TMPDIR", temporary.path()).process_group(0);
    let mut up = Up::start(&mut command);
    let group =
        |process: u32| rustix::process::getpgid(rustix::process::Pid::from_raw(process as i32)).unwrap();
    let foreground = group(up.owner.id());
    assert!(up.children.iter().all(|child| group(*child) != foreground));
    rustix::process::kill_process_group(foreground, Signal::INT).unwrap();
    up.is_gone_completely();
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_cluster_ends_when_its_owner_is_killed_while_it_starts() {
    let temporary = tempfile::tempdir().unwrap();
    let mut owner = binary().arg("up").env("TMPDIR", temporary.path()).stdout(Stdio::null()).spawn().unwrap();
    eventually("the API server is starting", || children(owner.id()).len() >= 3);
    let children = children(owner.id());
    owner.kill().unwrap();
    owner.wait().unwrap();
    for child in children {
        eventually("a child has ended", || has_ended(child));
    }
    eventually("nothing is left", || is_empty(temporary.path()));
}

#[test]
fn a_cluster_with_a_paused_api_server_ends_with_its_owner() {
    let cluster = Cluster::start(Options::default()).unwrap();
    let (pids, directory) = (cluster.pids().unwrap(), cluster.dir().to_owned());
    cluster.pause_apiserver().unwrap();
    drop(cluster);
    assert!(pids.iter().all(|pid| has_ended(*pid)));
    assert!(!directory.exists());
}

#[test]
fn a_static_cluster_ends_with_its_test_binary() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "ending::the_test_binary_with_a_static_cluster", "--ignored", "--nocapture"]);
    let mut up = Up::start(command.env("TMPDIR", temporary.path()).stdin(Stdio::piped()));
    assert_eq!(up.children.len(), CHILDREN);
    drop(up.owner.stdin.take());
    let status = up.owner.wait().unwrap();
    assert!(status.success(), "{status}");
    up.is_gone_completely();
    assert!(is_empty(temporary.path()));
}

#[test]
#[ignore = "is started by another test"]
fn the_test_binary_with_a_static_cluster() {
    static NEVER_DROPPED: OnceLock<Cluster> = OnceLock::new();
    let start = || NEVER_DROPPED.get_or_init(|| Cluster::start(Options::default()).unwrap()).kubeconfig();
    let kubeconfig = thread::spawn(start).join().unwrap();
    println!("\nKUBECONFIG={}", kubeconfig.display());
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

#[test]
fn a_cluster_whose_owner_and_janitor_were_killed_is_removed_by_the_next_cluster() {
    let (up, temporary) = up();
    // Kill the janitor first, and then the owner.
    let name = |process: &u32| fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap();
    let janitor = up.children.iter().find(|child| name(child).contains("cluster-janitor")).unwrap();
    signal(*janitor, Signal::KILL);
    let (owner, children, directory) = (up.owner.id(), up.children.clone(), up.directory.clone());
    signal(owner, Signal::KILL);
    drop(up);
    for child in children {
        eventually("a child has ended", || has_ended(child));
    }
    assert!(directory.exists());

    let mut next = Up::start(binary().arg("up").env("TMPDIR", temporary.path()));
    assert!(!directory.exists());
    signal(next.owner.id(), Signal::INT);
    next.is_gone_completely();
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_cluster_that_fails_to_start_says_why_and_keeps_the_logs() {
    let (temporary, broken) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let real = Assets::locate_or_build(Scope::Full, &mut |_| ()).unwrap();
    for program in cluster::PROGRAMS {
        std::os::unix::fs::symlink(real.program(program), broken.path().join(program)).unwrap();
    }
    let apiserver = broken.path().join("kube-apiserver");
    fs::remove_file(&apiserver).unwrap();
    script(&apiserver, "echo no such luck; exit 3");

    let mut command = binary();
    command.arg("up").env("TMPDIR", temporary.path()).env("KUBEBUILDER_ASSETS", broken.path());
    let (success, said) = run(&mut command);
    assert!(!success);
    for part in ["kube-apiserver ended early", "exit status: 3", "    no such luck"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    let left: Vec<_> = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [logs] = left.as_slice() else { panic!("{left:?}") };
    assert!(said.contains(logs.to_str().unwrap()), "{said}");
    assert!(logs.join("kube-apiserver.log").is_file() && logs.join("etcd.log").is_file());
}
