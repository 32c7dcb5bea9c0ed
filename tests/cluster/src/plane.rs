//! The processes of a control plane: in which order they start, and when they are ready.

use std::{
    fs::File,
    io::Read,
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::Signal;

use crate::{
    assets::{Assets, Scope},
    audit::AuditLevel,
    home::Home,
    kubeconfig::Server,
    pki::Pki,
    port::Port,
    process::Process,
    programs::{CONTROLLER_MANAGER_USER, Setting},
    wait,
};

/// How long the start may take. Usually it takes 4 s, and longer on machines that compile at the same time.
const PATIENCE: Duration = Duration::from_secs(90);

/// A running control plane. When it is dropped, its processes are killed.
#[derive(Debug)]
pub(crate) struct Plane {
    // Rust drops the fields in this order: clients before their servers.
    /// Not in [`Scope::Api`].
    controller_manager: Option<Process>,
    apiserver: Mutex<Process>,
    etcd: Process,
    port: Port,
    pki: Pki,
    tokens: PathBuf,
    audit: Option<(AuditLevel, PathBuf)>,
    /// The kubeconfig file of the administrator.
    pub(crate) kubeconfig: PathBuf,
    pub(crate) server: Server,
}

impl Plane {
    /// Starts everything in `home` and waits until it is ready.
    pub(crate) fn start(
        scope: Scope,
        assets: &Assets,
        home: &Home,
        audit: Option<AuditLevel>,
    ) -> Result<Plane> {
        let deadline = Instant::now() + PATIENCE;
        let port = Port::reserve()?;
        let pki = Pki::create(home)?;
        let server = Server::new(&format!("https://127.0.0.1:{}", port.number()), &pki.authority)?;
        let credentials = Credentials::create(home, &server)?;
        if let Some(level) = audit {
            home.write("audit-policy.yaml", &level.policy())?;
        }
        let audit = audit.map(|level| (level, home.logs().join("audit.log")));
        let setting = Setting {
            assets,
            home,
            pki: &pki,
            tokens: &credentials.tokens,
            audit: audit.as_ref().map(|(level, log)| (*level, log.as_path())),
        };

        let mut etcd = Process::start("etcd", setting.etcd(), &home.logs().join("etcd.log"))?;
        let listens = || setting.etcd_socket().exists();
        ready(deadline, &mut [&mut etcd], listens)?;

        let mut apiserver = start_apiserver(&setting, &port)?;
        let api =
            Api { kubectl: assets.program("kubectl"), kubeconfig: &credentials.admin, port: &port, home };
        ready(deadline, &mut [&mut apiserver, &mut etcd], || api.serves())?;

        let mut controller_manager = None;
        if scope == Scope::Full {
            let command = setting.controller_manager(&credentials.controller_manager);
            let log = home.logs().join("kube-controller-manager.log");
            let process =
                controller_manager.insert(Process::start("kube-controller-manager", command, &log)?);
            ready(deadline, &mut [process, &mut apiserver, &mut etcd], || api.controls())?;
        }

        Ok(Plane {
            controller_manager,
            apiserver: Mutex::new(apiserver),
            etcd,
            port,
            tokens: credentials.tokens,
            audit,
            kubeconfig: credentials.admin,
            server,
            pki,
        })
    }

    /// The audit log, if there is one.
    pub(crate) fn audit_log(&self) -> Option<&Path> {
        self.audit.as_ref().map(|(_, log)| log.as_path())
    }

    /// Pauses the API server (SIGSTOP). Connections stay open and get no answer.
    pub(crate) fn pause_apiserver(&self) -> Result<()> {
        self.apiserver().signal(Signal::STOP)
    }

    /// Resumes a paused API server.
    pub(crate) fn resume_apiserver(&self) -> Result<()> {
        self.apiserver().signal(Signal::CONT)
    }

    /// Kills the API server. Its port stays reserved, so connections are refused.
    pub(crate) fn kill_apiserver(&self) {
        self.apiserver().kill();
    }

    /// Kills the API server if it runs, starts it again on the same port and waits until it is ready.
    pub(crate) fn restart_apiserver(&self, assets: &Assets, home: &Home) -> Result<()> {
        let setting = Setting {
            assets,
            home,
            pki: &self.pki,
            tokens: &self.tokens,
            audit: self.audit.as_ref().map(|(level, log)| (*level, log.as_path())),
        };
        let api =
            Api { kubectl: assets.program("kubectl"), kubeconfig: &self.kubeconfig, port: &self.port, home };
        let mut apiserver = self.apiserver();
        apiserver.kill();
        *apiserver = start_apiserver(&setting, &self.port)?;
        ready(Instant::now() + PATIENCE, &mut [&mut *apiserver], || api.serves())
    }

    /// The identifiers of etcd, kube-apiserver and, if it runs, kube-controller-manager.
    pub(crate) fn pids(&self) -> Vec<u32> {
        let controllers = self.controller_manager.iter().map(Process::pid);
        [self.etcd.pid(), self.apiserver().pid()].into_iter().chain(controllers).collect()
    }

    fn apiserver(&self) -> MutexGuard<'_, Process> {
        // The process is valid also if another thread panicked.
        self.apiserver.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn start_apiserver(setting: &Setting<'_>, port: &Port) -> Result<Process> {
    let log = setting.home.logs().join("kube-apiserver.log");
    Process::start("kube-apiserver", setting.apiserver(port), &log)
}

/// The users with all rights, and their credentials.
struct Credentials {
    tokens: PathBuf,
    admin: PathBuf,
    controller_manager: PathBuf,
}

impl Credentials {
    fn create(home: &Home, server: &Server) -> Result<Credentials> {
        let (admin, manager) = (secret()?, secret()?);
        let tokens = format!(
            "{admin},admin,admin,\"system:masters\"\n{manager},{CONTROLLER_MANAGER_USER},manager,\"system:masters\"\n"
        );
        let manager = server.kubeconfig(CONTROLLER_MANAGER_USER, &manager, "default");
        Ok(Credentials {
            tokens: home.write("tokens.csv", &tokens)?,
            admin: home.write("admin.kubeconfig", &server.kubeconfig("admin", &admin, "default"))?,
            controller_manager: home.write("kube-controller-manager.kubeconfig", &manager)?,
        })
    }
}

/// 128 random bits in hexadecimal.
fn secret() -> Result<String> {
    let mut bytes = [0; 16];
    let random = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    random.context("failed to read /dev/urandom")?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Checks whether the control plane is ready.
struct Api<'a> {
    kubectl: PathBuf,
    kubeconfig: &'a Path,
    port: &'a Port,
    home: &'a Home,
}

impl Api<'_> {
    /// Whether the API server says that it is ready.
    fn serves(&self) -> bool {
        // kubectl costs 50 ms of CPU, so first check that the port is open.
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port.number())).is_ok()
            && self.asks(&["get", "--raw", "/readyz"])
    }

    /// Whether a controller has done its work.
    fn controls(&self) -> bool {
        self.asks(&["wait", "--for=create", "serviceaccount/default", "--namespace=default", "--timeout=3s"])
    }

    fn asks(&self, arguments: &[&str]) -> bool {
        let mut kubectl = kubectl(&self.kubectl, self.kubeconfig, self.home);
        kubectl.arg("--request-timeout=5s").args(arguments);
        kubectl.output().is_ok_and(|output| output.status.success())
    }
}

/// A kubectl that neither reads nor writes the user's own files.
pub(crate) fn kubectl(program: &Path, kubeconfig: &Path, home: &Home) -> Command {
    let mut command = Command::new(program);
    command.env("KUBECONFIG", kubeconfig).env("KUBERC", "off");
    command.env("KUBECACHEDIR", home.path().join("kubectl-cache"));
    command
}

/// Waits until `fact` is true while the processes live.
fn ready(deadline: Instant, processes: &mut [&mut Process], fact: impl Fn() -> bool) -> Result<()> {
    loop {
        for process in processes.iter_mut() {
            process.check_alive()?;
        }
        if fact() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let Some(newest) = processes.first() else { bail!("nothing was started") };
            return Err(anyhow!("{} was not ready in {PATIENCE:?}; {}", newest.name(), newest.last_words()));
        }
        wait::a_moment();
    }
}
