//! A real Kubernetes control plane on loopback, for tests and demonstrations.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let cluster = cluster::Cluster::start(cluster::Options::default())?;
//! let status = cluster.kubectl().args(["get", "namespaces"]).status()?;
//! # drop(status); Ok(())
//! # }
//! ```
//!
//! etcd, kube-apiserver, kube-controller-manager and kubectl are built once from Go modules into the user's
//! cache folder ([`Assets`]); a [`Cluster`] starts them in a directory of its own. There are no nodes: Pods
//! are stored and never run.
//!
//! # Everything ends with its owner
//! The owner is the process that called [`Cluster::start`]. Two mechanisms, neither of which needs the
//! owner's help:
//! - the kernel kills every program when the owner ends, however it ends (`PR_SET_PDEATHSIG`, see
//!   `process.rs`);
//! - a janitor, waiting for the end of a pipe that only the owner holds, removes the directory (see
//!   `janitor.rs`).
//!
//! So a `static` cluster that is never dropped is fine, and so are SIGKILL and Ctrl-C. Linux only.
//!
//! # Map
//! `assets` where the programs come from · `tool` others, Helm for example · `recipe` what is built, `go` how,
//! `version` with which Go · `lock` one builder at a time · `cluster`
//! the handle · `plane` its processes · `programs` their arguments · `process` one process · `home` the
//! directory · `janitor` removes it · `port` a port nobody else gets · `pki` keys and certificates ·
//! `kubeconfig` · `audit` · `environment` every variable that is read · `wait` between two looks.

mod assets;
mod audit;
mod cluster;
mod environment;
mod go;
mod home;
mod janitor;
mod kubeconfig;
mod lock;
mod pki;
mod plane;
mod port;
mod process;
mod programs;
mod recipe;
mod tool;
mod version;
mod wait;

pub use assets::{Assets, PROGRAMS, Scope};
pub use audit::{AuditLevel, AuditLog};
pub use cluster::{Cluster, Options};
pub use process::Process;
pub use rustix::process::Signal;
pub use tool::Tool;
