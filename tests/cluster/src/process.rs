//! A program that ends with the process that started it.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{LazyLock, mpsc},
    thread,
};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process};

/// A running program. When it is dropped, the program is killed.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, and appends its output to `log`. The kernel kills it when this process ends in any way.
    ///
    /// # Errors
    /// If the log cannot be opened or the program cannot be started.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Process> {
        let output = File::options().create(true).append(true).open(log);
        let output = output.with_context(|| format!("failed to open the log {}", log.display()))?;
        let copy = output.try_clone().context("failed to duplicate the log's descriptor")?;
        // The program has its own process group, because on Ctrl-C in a terminal the owner must stop its programs in order.
        command.stdin(Stdio::null()).stdout(output).stderr(copy).process_group(0);
        let child = spawn_tied(command).with_context(|| format!("failed to start {name}"))?;
        Ok(Process { name, child, log: log.to_owned() })
    }

    /// The name in messages.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`. It is an error if the program has ended, because another process may have its number by now.
    ///
    /// # Errors
    /// If the program has ended, or the signal cannot be sent.
    pub fn signal(&mut self, signal: Signal) -> Result<()> {
        self.check_alive()?;
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| anyhow!("{} has no valid process id", self.name))?;
        kill_process(pid, signal).with_context(|| format!("failed to signal {}", self.name))
    }

    /// How the program ended, if it has.
    ///
    /// # Errors
    /// If the operating system does not say it.
    pub fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("failed to look after {}", self.name))
    }

    /// Checks that the program still runs.
    ///
    /// # Errors
    /// If the program has ended, with its exit status and the end of its log.
    pub fn check_alive(&mut self) -> Result<()> {
        match self.status()? {
            None => Ok(()),
            Some(status) => Err(anyhow!("{} ended early ({status}); {}", self.name, self.last_words())),
        }
    }

    /// The end of the log, as a part of an error message.
    pub fn last_words(&self) -> String {
        match tail(&self.log) {
            Ok(text) if text.trim().is_empty() => format!("{} logged nothing", self.name),
            Ok(text) => format!("the end of {}'s log:\n{}", self.name, indent(&text)),
            Err(error) => format!("its log {} cannot be read: {error}", self.log.display()),
        }
    }

    /// Kills the program and waits for its end. SIGKILL ends a paused process too.
    pub fn kill(&mut self) {
        // An error means that the program has already ended.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// The thread that starts programs, see [`spawn_tied`]. It lives as long as the process, because its sender is never dropped.
static SPAWNER: LazyLock<io::Result<mpsc::Sender<Job>>> = LazyLock::new(|| {
    let (sender, jobs) = mpsc::channel::<Job>();
    thread::Builder::new().name("cluster-spawner".into()).spawn(move || {
        for (mut command, answer) in jobs {
            tie(&mut command);
            let _nobody_waits = answer.send(command.spawn());
        }
    })?;
    Ok(sender)
});

/// Spawns `command` so that the kernel kills it when this process ends.
///
/// The kernel's "parent" is the *thread* that forked, and threads of tests and runtimes end early. So one thread that lives until the
/// process ends starts all programs.
fn spawn_tied(command: Command) -> io::Result<Child> {
    let gone = || io::Error::other("the spawning thread could not be started");
    let spawner = SPAWNER.as_ref().map_err(|error| io::Error::new(error.kind(), error.to_string()))?;
    let (answer, child) = mpsc::sync_channel(1);
    spawner.send((command, answer)).map_err(|_| gone())?;
    child.recv().map_err(|_| gone())?
}

#[cfg(target_os = "linux")]
fn tie(command: &mut Command) {
    let owner = rustix::process::getpid();
    let tie = move || {
        rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
        // If the owner died before the call above, the kernel would not kill this process.
        if rustix::process::getppid() == Some(owner) { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    };
    // SAFETY: only async-signal-safe calls are allowed between fork and exec. The closure makes two system calls (prctl, getppid) and
    // builds an `io::Error` from a number. It does not allocate, takes no lock, and uses no memory that it shares with the parent.
    #[allow(unsafe_code)]
    unsafe {
        command.pre_exec(tie);
    }
}

#[cfg(not(target_os = "linux"))]
fn tie(_command: &mut Command) {}

/// The last lines of a file, some thousand characters at most.
fn tail(file: &Path) -> io::Result<String> {
    const LINES: usize = 15;
    const BYTES: u64 = 16 * 1024;
    let length = fs::metadata(file)?.len();
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(length.saturating_sub(BYTES)))?;
    let mut bytes = Vec::new();
    file.take(BYTES).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    let lines = lines.get(lines.len().saturating_sub(LINES)..).unwrap_or_default();
    Ok(lines.iter().map(|line| shorten(line)).collect::<Vec<_>>().join("\n"))
}

fn shorten(line: &str) -> String {
    const WIDTH: usize = 400;
    let mut short: String = line.chars().take(WIDTH).collect();
    if short.len() < line.len() {
        short.push_str(" ..");
    }
    short
}

/// `text` with every line indented.
fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
