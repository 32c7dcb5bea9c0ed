//! `make demo` and `make dev`, as people run them.
//!
//! The other programs are those beside `demo`: `cargo test --workspace` builds them all, `-p demo` does not.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops where something is wrong"
)]

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// etcd, kube-apiserver, kube-controller-manager, the janitor, the emulator and the operator.
const CHILDREN: usize = 6;

fn demo(arguments: &[&str], temporary: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_demo"));
    command.args(arguments).env("TMPDIR", temporary.path()).env_remove("CLUSTER_USE_KUBECONFIG");
    command
}

#[test]
fn the_demonstration_runs_to_its_end_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    // AWS is slow enough that the deletion finds the user still `modifying`, even on a busy machine.
    let Output { status, stdout, stderr } =
        demo(&["demo", "--modify-time", "15"], &temporary).output().unwrap();
    let told = String::from_utf8(stdout).unwrap();
    assert!(status.success(), "{status}: {}\n{told}", String::from_utf8_lossy(&stderr));
    // A person sees these texts in this order.
    let mut rest = told.as_str();
    for part in [
        "=== 1.",
        "=== 2.",
        "$ kubectl apply -f deploy/samples/password.yaml",
        "$ kubectl apply -f deploy/samples/iam.yaml",
        "$ kubectl get ecu\n",
        "orders-api      orders-api      password   True    Active",
        "orders-reader   orders-reader   iam        True    Active",
        "=== 3.",
        "$ kubectl patch ecu/orders-api",
        "$ kubectl delete ecu/orders-api",
        "WaitingForUserActive",
        "=== 4.",
        "modifying    Deleting: WaitingForUserActive",
        "deleting     Deleting: DeletingUser",
        "gone         gone",
        "DeleteUser     accepted\n",
        "UserDeleted",
        "=== 5.",
    ] {
        rest =
            rest.split_once(part).unwrap_or_else(|| panic!("{part:?} is missing or too early in\n{told}")).1;
    }
    assert!(!told.contains("correct-horse"), "the demonstration prints a password");
    assert!(is_empty(temporary.path()));
}

#[test]
fn a_failed_demonstration_says_at_which_step_and_keeps_the_logs() {
    let temporary = tempfile::tempdir().unwrap();
    let mut play = Play::start(demo(&["demo", "--modify-time", "60"], &temporary));
    play.tells("=== 4.");
    kill(play.child_named("elasticache-user-operator"), Signal::KILL);
    let (status, said) = play.end();
    assert!(!status.success());
    for part in [
        "FAILED: step 4, the end of the deletion: operator ended early (signal: 9 (SIGKILL))",
        "orders-api      WaitingForUserActive   AWS user \"orders-api\" is in state",
        "orders-reader   Active",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
    let left: Vec<_> = fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [logs] = left.as_slice() else { panic!("{left:?}") };
    assert!(said.contains(logs.to_str().unwrap()), "{said}");
    for log in ["operator.log", "emulator.log", "kube-apiserver.log"] {
        assert!(logs.join(log).is_file(), "{log}");
    }
}

#[test]
fn commands_that_make_dev_prints_work_in_another_shell_and_ctrl_c_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut play = Play::start(demo(&["dev", "--", "--log-format", "json"], &temporary));
    let told = play.tells("tail -f ");
    let mut script: Vec<&str> = told.lines().filter(|line| line.starts_with("export ")).collect();
    assert_eq!(script.len(), 5, "{told}");
    script.extend(
        told.lines()
            .skip_while(|line| !line.starts_with("kubectl apply"))
            .take_while(|line| !line.is_empty()),
    );
    script.push("kubectl wait --for=condition=Ready ecu --all --timeout=60s");
    script.extend(told.lines().filter(|line| line.ends_with("elasticache-user-operator check")));
    let shell =
        Command::new("/bin/sh").args(["-ec", &script.join("\n")]).env("PATH", "/usr/bin:/bin").output();
    let Output { status, stdout, stderr } = shell.unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    let printed = String::from_utf8(stdout).unwrap();
    assert!(printed.contains("orders-reader condition met"), "{printed}");
    assert!(printed.contains(" 0 warning, 0 failed"), "{printed}");
    play.ends_completely(Signal::INT, &temporary);
}

#[test]
fn make_dev_starts_the_operator_again_with_the_flags_and_variables_of_the_shell() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = demo(&["dev", "--", "--log", "debug"], &temporary);
    command.env("ELASTICACHE_USERS_LOG_FORMAT", "json");
    let mut play = Play::start(command);
    let told = play.tells("tail -f ");
    let log = told.lines().find_map(|line| line.strip_prefix("tail -f ")).unwrap().to_owned();
    let started = || {
        let log = fs::read_to_string(&log).unwrap();
        log.lines().any(|line| line.starts_with('{') && line.contains("\"DEBUG\""))
    };
    assert!(started(), "{}", fs::read_to_string(&log).unwrap());
    kill(play.child_named("elasticache-user-operator"), Signal::KILL);
    play.tells("The operator has ended (signal: 9 (SIGKILL)), and starts again.");
    play.tells("It is ready, and serves its metrics at http://127.0.0.1:");
    assert!(started(), "{}", fs::read_to_string(&log).unwrap());
    play.ends_completely(Signal::TERM, &temporary);
}

#[test]
fn make_dev_ends_on_sigterm() {
    let temporary = tempfile::tempdir().unwrap();
    let mut play = Play::start(demo(&["dev"], &temporary));
    play.tells("tail -f ");
    play.ends_completely(Signal::TERM, &temporary);
}

#[test]
fn make_dev_says_why_a_program_does_not_start() {
    let temporary = tempfile::tempdir().unwrap();
    let Output { status, stderr, .. } = demo(&["dev", "--", "--aws-rate", "0"], &temporary).output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success());
    for part in ["operator ended early", "calls in a second", "All logs are kept in"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

/// The progress of the soak goes to standard error, which the test does not capture. `SOAK_SECONDS` sets the duration.
#[test]
fn all_objects_converge_after_a_minute_of_disturbances() {
    let seconds = std::env::vars().find(|(name, _)| name == "SOAK_SECONDS");
    let seconds = seconds.map_or_else(|| "60".to_owned(), |(_, seconds)| seconds);
    let temporary = tempfile::tempdir().unwrap();
    let flags = ["soak", "--seconds", &seconds, "--objects", "60", "--seed", "11"];
    assert!(demo(&flags, &temporary).status().unwrap().success());
    assert!(is_empty(temporary.path()));
}

fn is_empty(directory: &Path) -> bool {
    fs::read_dir(directory).unwrap().count() == 0
}

/// A `demo` that runs.
struct Play {
    owner: Child,
    output: BufReader<std::process::ChildStdout>,
    errors: Option<JoinHandle<String>>,
}

impl Play {
    fn start(mut command: Command) -> Self {
        let mut owner = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(owner.stdout.take().unwrap());
        let mut stderr = owner.stderr.take().unwrap();
        let errors = thread::spawn(move || {
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            said
        });
        Self { owner, output, errors: Some(errors) }
    }

    /// Reads until a line begins with this text, and returns everything that was read.
    fn tells(&mut self, begin: &str) -> String {
        let mut told = String::new();
        loop {
            let from = told.len();
            if self.output.read_line(&mut told).unwrap() == 0 {
                let (status, said) = self.end();
                panic!("{status} before it told {begin:?}: {told}\n{said}");
            }
            if told.get(from..).is_some_and(|line| line.starts_with(begin)) {
                return told;
            }
        }
    }

    fn children(&self) -> Vec<u32> {
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(|id| state(*id).is_some_and(|(state, of)| state != 'Z' && of == self.owner.id())).collect()
    }

    /// The child that runs this program.
    fn child_named(&self, program: &str) -> u32 {
        let runs = |id: &u32| {
            let file = fs::read_link(format!("/proc/{id}/exe"));
            file.is_ok_and(|file| file.file_name().is_some_and(|name| name == program))
        };
        self.children().into_iter().find(runs).unwrap()
    }

    /// Waits for the end of the process. Returns the exit status and standard error.
    fn end(&mut self) -> (ExitStatus, String) {
        std::io::copy(&mut self.output, &mut std::io::sink()).unwrap();
        let said = self.errors.take().map(|errors| errors.join().unwrap()).unwrap_or_default();
        (self.owner.wait().unwrap(), said)
    }

    /// Checks that the process succeeds after this signal, and that everything that it started ends with it.
    fn ends_completely(mut self, signal: Signal, temporary: &TempDir) {
        let children = self.children();
        assert_eq!(children.len(), CHILDREN);
        kill(self.owner.id(), signal);
        let (status, said) = self.end();
        assert!(status.success(), "{status}: {said}");
        // The children have ended already, because the process waits for their end.
        assert!(children.into_iter().all(|child| state(child).is_none_or(|(state, _)| state == 'Z')));
        assert!(is_empty(temporary.path()));
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        // This matters after a failed assertion. Everything else ends with this process.
        let _ended = self.owner.kill();
        let _status = self.owner.wait();
    }
}

/// A process's state and its parent.
fn state(process: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The process name before may contain any characters. It ends with the last parenthesis.
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace();
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

fn kill(process: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(process).unwrap()).unwrap(), signal).unwrap();
}
