//! The program: the line with its address, its end, its errors, its help.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use crate::fixture::{ACCOUNT, REGION, client};

/// The running program. It is killed when this is dropped.
pub(crate) struct Program {
    child: Child,
    stdout: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Program {
    /// Starts the program on a free port, and waits for the line with its address.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child =
            command(&["--addr", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.strip_suffix('\n'));
        let url = url.unwrap_or_else(|| panic!("unexpected line {line:?}")).to_owned();
        Self { child, stdout, url }
    }

    /// Sends SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends a signal. Returns the exit code and the rest of the output.
    fn end(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The program may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_elasticache-emulator"));
    command.args(arguments);
    command
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command(arguments).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[tokio::test]
async fn the_emulator_prints_its_address_and_ends_on_a_signal() {
    for signal in ["-TERM", "-INT"] {
        let program = Program::start(&[]);
        let users = client(&program.url, ACCOUNT, REGION).describe_users().send().await.unwrap();
        assert_eq!(users.users().len(), 1);
        assert_eq!(
            program.end(signal),
            (Some(0), String::new()),
            "the program must print one line and exit with 0"
        );
    }
}

#[tokio::test]
async fn flags_of_the_emulator_change_its_settings() {
    let program = Program::start(&[
        "--modify-time",
        "5s",
        "--rate",
        "10:20",
        "--user-quota",
        "3",
        "--no-service-linked-role",
        "--modify-answer",
        "old",
    ]);
    let url = format!("{}/_emulator/settings", program.url);
    let settings: serde_json::Value = reqwest::get(url).await.unwrap().json().await.unwrap();
    assert_eq!(settings["modify-time"], "5s");
    assert_eq!((&settings["rate"], &settings["modify-answer"]), (&"10:20".into(), &"old".into()));
    assert_eq!((&settings["user-quota"], &settings["no-service-linked-role"]), (&3.into(), &true.into()));
}

#[test]
fn the_emulator_explains_in_a_sentence_that_its_address_is_in_use() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = taken.local_addr().unwrap().to_string();
    let (code, stdout, stderr) = run(&["--addr", &addr]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains(&addr) && stderr.contains("another program"), "{stderr}");
}

#[test]
fn the_emulator_explains_in_a_sentence_that_a_file_is_no_data_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("novel");
    std::fs::write(&path, "It was a dark night.\n").unwrap();
    for path in [path, folder.path().to_owned(), folder.path().join("no/such/folder")] {
        let path = path.to_str().unwrap();
        let (code, stdout, stderr) = run(&["--addr", "127.0.0.1:0", "--data", path]);
        assert_eq!((code, stdout.as_str()), (Some(1), ""));
        assert_eq!(stderr.lines().count(), 1, "{stderr}");
        assert!(stderr.contains(path), "{stderr}");
    }
}

#[test]
fn a_wrong_flag_of_the_emulator_is_refused_with_what_would_be_valid() {
    for (arguments, right) in [
        (&["--modify-tiem", "2s"][..], "--modify-time"),
        (&["--bananas"], "--create-time"),
        (&["--modify-time", "2"], "500ms"),
        (&["--rate", "fast"], "10:20"),
        (&["--modify-answer", "both"], "new, old"),
        (&["--user-quota", "many"], "--user-quota"),
        (&["--addr", "nowhere"], "127.0.0.1:4510"),
    ] {
        let (code, stdout, stderr) = run(arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(stderr.contains(right), "{arguments:?}: {stderr}");
    }
}

#[test]
fn the_help_of_the_emulator_shows_every_flag_and_an_example() {
    let (code, stdout, stderr) = run(&["--help"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(
        stdout.contains("aws elasticache describe-users --endpoint-url http://127.0.0.1:4510"),
        "{stdout}"
    );
    for flag in [
        "addr",
        "create-time",
        "modify-time",
        "delete-time",
        "group-time",
        "tag-window",
        "user-quota",
        "group-quota",
        "users-per-group-quota",
        "rate",
        "no-service-linked-role",
        "modify-answer",
        "data",
    ] {
        assert!(stdout.contains(&format!("--{flag}")), "{flag}");
    }
}
