//! Helpers that the tests share.

use std::{
    fs,
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

use cluster::{AuditLevel, Cluster, Options};
use rustix::process::{Pid, Signal, kill_process};

/// The shared cluster, with an audit log. It is never dropped, and ends with the process.
pub(crate) fn shared() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(|| {
        Cluster::start(Options { audit: Some(AuditLevel::Metadata), ..Options::default() })
            .expect("a cluster")
    })
}

/// Waits until `fact` is true.
#[allow(clippy::disallowed_methods, reason = "between two looks at the fact, with a deadline")]
pub(crate) fn eventually(claim: &str, fact: impl Fn() -> bool) {
    const PATIENCE: Duration = Duration::from_secs(60);
    let deadline = Instant::now() + PATIENCE;
    while !fact() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {claim}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs a command to its end. Returns whether it succeeded, and both outputs.
pub(crate) fn run(command: &mut Command) -> (bool, String) {
    let output = command.output().expect("a command that starts");
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// Runs a command, and returns its output. Fails if the command fails.
pub(crate) fn succeed(command: &mut Command) -> String {
    let (success, text) = run(command);
    assert!(success, "{command:?}: {text}");
    text
}

/// This package's binary.
pub(crate) fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cluster"));
    command.env_remove("CLUSTER_USE_KUBECONFIG");
    command
}

/// The running processes that `parent` has started.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter(|id| state(*id).is_some_and(|(state, of)| state != 'Z' && of == parent)).collect()
}

/// Whether a process has ended. A process in state `Z` has ended, but its parent has not read its exit status.
pub(crate) fn has_ended(process: u32) -> bool {
    state(process).is_none_or(|(state, _)| state == 'Z')
}

/// A process's state and its parent.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The process name before may contain any characters. It ends with the last parenthesis.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

pub(crate) fn signal(process: u32, signal: Signal) {
    let process = Pid::from_raw(i32::try_from(process).unwrap()).unwrap();
    kill_process(process, signal).expect("a process that runs");
}

/// A `cluster up` that is ready, its children and its directory.
pub(crate) struct Up {
    pub(crate) owner: Child,
    pub(crate) children: Vec<u32>,
    pub(crate) directory: PathBuf,
}

impl Up {
    /// Starts `command` and waits until it has printed where its kubeconfig is.
    pub(crate) fn start(command: &mut Command) -> Up {
        let mut owner = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("an owner");
        let output = BufReader::new(owner.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let kubeconfig =
            lines.find_map(|line| line.split_once("KUBECONFIG=").map(|(_, file)| PathBuf::from(file)));
        let mut stderr = owner.stderr.take().unwrap();
        let Some(kubeconfig) = kubeconfig else {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            panic!("no kubeconfig: {said}");
        };
        // This thread reads the output, because a full pipe would block the owner and a closed pipe could end it.
        thread::spawn(move || lines.count());
        thread::spawn(move || io::copy(&mut stderr, &mut io::sink()));
        let children = children(owner.id());
        Up { children, owner, directory: kubeconfig.parent().unwrap().to_owned() }
    }

    /// Waits until the owner, its children and its directory are gone.
    pub(crate) fn is_gone_completely(&mut self) {
        let status = self.owner.wait().expect("an owner that ended");
        for child in &self.children {
            eventually(&format!("{child}, a child of the owner that {status}, has ended"), || {
                has_ended(*child)
            });
        }
        eventually("the cluster's directory is gone", || !self.directory.exists());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // This matters after a failed assertion. Everything else ends with the owner.
        let _ended = self.owner.kill();
        let _status = self.owner.wait();
    }
}

/// Writes a program that a shell runs.
pub(crate) fn script(file: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    // Another process writes the file. Otherwise it could not be started while a child of another thread still has it open for writing.
    let mut install = Command::new("/bin/sh");
    install
        .args(["-c", "printf '%s' \"$2\" > \"$1\"", "install"])
        .arg(file)
        .arg(format!("#!/bin/sh\n{text}"));
    succeed(&mut install);
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}
