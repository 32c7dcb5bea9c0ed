//! Renders the Helm chart, for tests and for the manifests in `deploy/`.
//!
//! ```no_run
//! # fn main() -> anyhow::Result<()> {
//! let helm = chart::Helm::new(cluster::Tool::Helm4)?;
//! let rendered = helm.template("operator", "system", &["--set=aws.region=eu-west-1"])?;
//! let objects = chart::objects(&rendered)?;
//! # drop(objects); Ok(())
//! # }
//! ```

mod helm;
mod manifests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cluster::Tool;
use serde_json::Value;
use support::command::run;
use support::repository::path;

pub use helm::Helm;
pub use manifests::{Manifest, manifests, write};

/// The chart's folder.
pub const CHART: &str = "charts/elasticache-user-operator";

/// The objects of a stream of YAML documents.
///
/// # Errors
/// If the text is no YAML.
pub fn objects(rendered: &str) -> Result<Vec<Value>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(rendered).context("this is no YAML")?;
    Ok(documents.into_iter().filter(|document| !document.is_null()).collect())
}

/// Whether the object is a ServiceAccount, a role or a binding.
pub fn is_role(object: &Value) -> bool {
    ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"]
        .iter()
        .any(|kind| object["kind"] == *kind)
}

/// Whether it is a ValidatingAdmissionPolicy or the binding of one.
pub fn is_policy(object: &Value) -> bool {
    ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
        .iter()
        .any(|kind| object["kind"] == *kind)
}

/// Writes an imitation of an older chart. `former` turns today's CRD into the older one. Returns the folder of the chart.
///
/// # Errors
/// If a file cannot be copied, read or written, or Chart.yaml has another version than expected.
pub fn former_chart(folder: &Path, former: impl FnOnce(&str) -> String) -> Result<PathBuf> {
    let chart = folder.join("former");
    run(Command::new("cp").arg("-r").arg(path(CHART)).arg(&chart))?;
    let (about, definition) = (chart.join("Chart.yaml"), chart.join("files/crd.yaml"));
    let (now, then) = ("\nversion: 0.1.0", "\nversion: 0.0.9");
    let text = fs::read_to_string(&about)?;
    ensure!(text.contains(now), "{} has another version than 0.1.0", about.display());
    fs::write(&about, text.replace(now, then))?;
    fs::write(&definition, former(&fs::read_to_string(&definition)?))?;
    Ok(chart)
}

/// The chart's README, which helm-docs writes from the comments of the values.
///
/// # Errors
/// If helm-docs fails.
pub fn readme() -> Result<String> {
    let mut command = Command::new(Tool::HelmDocs.path()?);
    command.arg("--dry-run").arg("--chart-search-root").arg(path(CHART)).args(["--log-level", "warning"]);
    run(&mut command)
}
