//! `cluster`: the control plane for tests, by hand.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use cluster::{Assets, AuditLevel, Cluster, Options};
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
  cluster build         build the programs, 7 to 10 minutes once; `cluster up` does it too
  cluster up            start; paste the two `export` lines that it prints into another shell, then
                          kubectl get namespaces
                        Ctrl-C ends everything and removes every trace
  cluster up --audit    the same with an audit log of who asked for what

Environment:
  KUBEBUILDER_ASSETS      a folder with the four programs, to be used instead of building
  XDG_CACHE_HOME          where the built programs are kept (default ~/.cache)
  TMPDIR                  where the directories of running clusters are made (default /tmp)
  CLUSTER_USE_KUBECONFIG  1: start nothing and use the cluster of KUBECONFIG; only for one that may be used for tests";

#[derive(Subcommand)]
enum Verb {
    /// Build the programs, if they are not there yet
    Build,
    /// Print the folder of the programs
    Assets,
    /// Start a control plane and keep it until Ctrl-C
    Up(Up),
}

#[derive(clap::Args)]
struct Up {
    /// Keep an audit log: who asked for what, and how it ended
    #[arg(long)]
    audit: bool,
}

fn main() -> ExitCode {
    let end = match Arguments::parse().command {
        Verb::Build => build(),
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

fn build() -> Result<()> {
    let assets = Assets::locate_or_build(&mut tell)?;
    tell(&format!("everything is in {}", assets.dir().display()));
    Ok(())
}

fn assets() -> Result<()> {
    print(&format!("{}\n", Assets::locate()?.dir().display()))
}

fn up(options: &Up) -> Result<()> {
    let audit = options.audit.then_some(AuditLevel::Metadata);
    let cluster = Cluster::start(Options { audit, assets: None })?;
    // Until here a signal ends this process at once, which is clean as well: see the library's documentation.
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

/// Standard output is for other programs, and what cannot be written is an error.
fn print(text: &str) -> Result<()> {
    let mut output = io::stdout().lock();
    output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush())
        .context("failed to write to standard output")
}

/// Standard error is for people.
fn tell(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "cluster: {line}");
}
