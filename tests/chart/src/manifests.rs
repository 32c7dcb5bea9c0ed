//! The files in `deploy/` that are generated from the chart.

use std::fs;

use anyhow::{Context, Result};
use cluster::Tool;
use support::repository::path;

use crate::{CHART, Helm};

/// A generated file.
#[derive(Debug)]
pub struct Manifest {
    /// Its path, relative to the root of the repository.
    pub file: &'static str,
    pub text: String,
}

const DEFINITION: &str = "crds/elasticacheusers.yaml";
/// Release and namespace of the plain manifests.
const NAME: &str = "elasticache-user-operator";

const HEADER: &str = "# Made from charts/elasticache-user-operator: make manifests\n";

/// A placeholder for the namespace of people who use passwords. The written files do not have it.
const USERS: &str = "users";
const SECRETS: &str = "\
# Lets the operator read the Secrets of a namespace. Users with passwords need this:
#   kubectl apply --namespace NAMESPACE --filename deploy/secrets-role.yaml
# The operator notices it by itself. A RoleBinding for the ClusterRole elasticache-user-operator-secrets does the same.
";

/// The files, and the chart's copy of the definition.
///
/// # Errors
/// If the definition cannot be read or Helm fails.
pub fn manifests() -> Result<Vec<Manifest>> {
    let definition =
        fs::read_to_string(path(DEFINITION)).with_context(|| format!("failed to read {DEFINITION}"))?;
    let values = format!("--values={}", path("deploy/values.yaml"));
    let helm = Helm::new(Tool::Helm4)?;
    let rendered = helm.template(NAME, NAME, &[&values])?;
    let operator = plain(&rendered);
    let namespace = format!(
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAME}\n  labels:\n    pod-security.kubernetes.io/enforce: restricted\n"
    );
    let listed = "--set=secrets.namespaces={NAMESPACE}".replace("NAMESPACE", USERS);
    let roles = helm.template(NAME, NAME, &[&values, &listed, "--show-only=templates/rbac.yaml"])?;
    Ok(vec![
        Manifest {
            file: "deploy/secrets-role.yaml",
            text: format!("{HEADER}{SECRETS}{}", without_namespace(&plain(&roles))),
        },
        Manifest { file: "charts/elasticache-user-operator/files/crd.yaml", text: definition.clone() },
        Manifest { file: "deploy/crd.yaml", text: format!("{HEADER}{definition}") },
        Manifest { file: "deploy/kustomize/base/operator.yaml", text: format!("{HEADER}{operator}") },
        Manifest { file: "deploy/kustomize/base/crd.yaml", text: format!("{HEADER}{definition}") },
        Manifest {
            file: "deploy/install.yaml",
            text: format!("{HEADER}{namespace}---\n{definition}---\n{operator}"),
        },
    ])
}

/// The rendered text without blank lines and without labels and annotations for Helm.
fn plain(rendered: &str) -> String {
    let helms = ["# Source: ", "app.kubernetes.io/managed-by: Helm", "helm.sh/chart: "];
    let kept = rendered.lines().filter(|line| {
        let line = line.trim_start();
        !line.is_empty() && !helms.iter().any(|begin| line.starts_with(begin))
    });
    let text: String = kept.flat_map(|line| [line, "\n"]).collect();
    text.trim_start_matches("---\n").to_owned()
}

/// The documents in the namespace [`USERS`], without their namespace, so that kubectl sets it.
fn without_namespace(documents: &str) -> String {
    let line = format!("  namespace: {USERS}\n");
    let theirs = documents.split("---\n").filter(|document| document.contains(&line));
    theirs.map(|document| document.replace(&line, "")).collect::<Vec<_>>().join("---\n")
}

/// Writes the files, and the chart's README.
///
/// # Errors
/// If a file cannot be generated or written.
pub fn write() -> Result<()> {
    for Manifest { file, text } in manifests()? {
        fs::write(path(file), text).with_context(|| format!("failed to write {file}"))?;
    }
    let readme = path(&format!("{CHART}/README.md"));
    fs::write(&readme, crate::readme()?).context("failed to write the chart's README")
}
