//! `cluster`: starts the control plane of the tests from a shell.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cluster::{Assets, AuditLevel, Cluster, Options, Scope, Tool};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

/// A real Kubernetes control plane on loopback, for tests and demonstrations.
///
/// etcd, kube-apiserver, kube-controller-manager and kubectl are built once from Go modules into the user's
/// cache folder. There are no nodes: Pods are stored and never run.
#[derive(Parser)]
#[command(version, after_long_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Verb,
}

const EXAMPLES: &str = "\
Examples:
  cluster build         build the programs and the tools of `make test`, some 20 minutes once
  cluster build helm-4  build this alone; `control-plane` are the programs, and `cluster up` builds them too;
                        `api` are the same without kube-controller-manager, which is enough for `make demo`
  cluster tool helm-4   print where a tool is; it is built first where it is missing
  cluster up            start; paste the two `export` lines that it prints into another shell, then
                          kubectl get namespaces
                        Ctrl-C ends everything and removes every trace
  cluster up --audit    the same with an audit log of who asked for what

Environment:
  KUBEBUILDER_ASSETS      a folder with the four programs, to be used instead of building
  CLUSTER_TOOLS           a folder with tools, each by its name (helm-4), to be used instead of building them
  XDG_CACHE_HOME          where the built programs are kept (default ~/.cache)
  TMPDIR                  where the directories of running clusters are made (default /tmp)
  CLUSTER_USE_KUBECONFIG  1: start nothing and use the cluster of KUBECONFIG; only for one that may be used for tests";

#[derive(Subcommand)]
enum Verb {
    /// Build the programs and the tools of `make test`, where they are not there yet
    Build(Build),
    /// Print the path of a tool
    Tool {
        /// Its name, for example helm-4
        #[arg(value_parser = tool)]
        name: Tool,
    },
    /// Print the folder of the programs
    Assets,
    /// Start a control plane and keep it until Ctrl-C
    Up(Up),
}

#[derive(clap::Args)]
struct Build {
    /// These alone: control-plane, api, or the name of a tool
    #[arg(value_parser = target)]
    only: Vec<Target>,
}

/// A target of `cluster build`.
#[derive(Clone, Copy)]
enum Target {
    ControlPlane(Scope),
    Tool(Tool),
}

#[derive(clap::Args)]
struct Up {
    /// Keep an audit log: who asked for what, and how it ended
    #[arg(long)]
    audit: bool,
}

fn main() -> ExitCode {
    let end = match Arguments::parse().command {
        Verb::Build(Build { only }) => build(&only),
        Verb::Tool { name } => {
            name.locate_or_build(&mut tell).and_then(|path| print(&format!("{}\n", path.display())))
        }
        Verb::Assets => assets(),
        Verb::Up(options) => up(&options),
    };
    match end {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn tool(name: &str) -> Result<Tool, String> {
    let names = || Tool::ALL.map(Tool::name).join(", ");
    Tool::named(name).ok_or_else(|| format!("there are {}", names()))
}

fn target(name: &str) -> Result<Target, String> {
    match name {
        "control-plane" => Ok(Target::ControlPlane(Scope::Full)),
        "api" => Ok(Target::ControlPlane(Scope::Api)),
        name => tool(name).map(Target::Tool).map_err(|others| format!("{others}, control-plane and api")),
    }
}

fn build(only: &[Target]) -> Result<()> {
    let tools = || Tool::ALL.into_iter().filter(|tool| tool.is_for_every_run()).map(Target::Tool);
    let all = || std::iter::once(Target::ControlPlane(Scope::Full)).chain(tools()).collect();
    let targets: Vec<Target> = if only.is_empty() { all() } else { only.to_vec() };
    for target in targets {
        match target {
            Target::ControlPlane(scope) => {
                let assets = Assets::locate_or_build(scope, &mut tell)?;
                tell(&format!("the control plane is in {}", assets.dir().display()));
            }
            Target::Tool(tool) => {
                let path = tool.locate_or_build(&mut tell)?;
                tell(&format!("{} is {}", tool.name(), path.display()));
            }
        }
    }
    Ok(())
}

fn assets() -> Result<()> {
    print(&format!("{}\n", Assets::locate()?.dir().display()))
}

fn up(options: &Up) -> Result<()> {
    let audit = options.audit.then_some(AuditLevel::Metadata);
    let cluster = Cluster::start(Options { audit, ..Options::default() })?;
    // Before this line a signal ends this process at once. That leaves nothing behind either: see the library's documentation.
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGTERM]).context("failed to wait for signals")?;
    tell(&format!("Kubernetes is ready at {}; logs are in {}", cluster.url(), cluster.logs_dir().display()));
    if options.audit {
        tell(&format!("the audit log is {}", cluster.logs_dir().join("audit.log").display()));
    }
    tell("Ctrl-C ends it. In another shell:");
    print(&format!(
        "export KUBECONFIG={}\nexport PATH={}:$PATH\n",
        quoted(cluster.kubeconfig()),
        quoted(cluster.bin_dir())
    ))?;
    let _signal = signals.forever().next();
    drop(cluster);
    tell("ended");
    Ok(())
}

/// A path as one word of a shell.
fn quoted(path: &std::path::Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// Prints to standard output, which is for other programs. A failed write is an error.
fn print(text: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .context("failed to write to standard output")
}

/// Prints to standard error, which is for people.
fn tell(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "cluster: {line}");
}
