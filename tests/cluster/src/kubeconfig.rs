//! Kubeconfig files: the address of a cluster and the credentials of a client.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The address of a cluster: the value of `clusters[].cluster`.
#[derive(Debug, Clone)]
pub(crate) struct Server(Value);

impl Server {
    /// A server whose certificate is signed by the authority in this file.
    pub(crate) fn new(url: &str, authority: &Path) -> Result<Server> {
        let authority = authority.to_str().context("the cluster's directory has a name that is not UTF-8")?;
        Ok(Server(json!({ "server": url, "certificate-authority": authority })))
    }

    /// The server of a kubeconfig as `kubectl config view --minify --flatten --raw -o json` prints it.
    pub(crate) fn of(view: &[u8]) -> Result<Server> {
        let view: Value = serde_json::from_slice(view).context("failed to read what kubectl printed")?;
        let cluster = view.pointer("/clusters/0/cluster").filter(|cluster| cluster.is_object());
        cluster.cloned().map(Server).context("KUBECONFIG has no current context with a cluster")
    }

    /// The address of the API, for example `https://127.0.0.1:34567`.
    pub(crate) fn url(&self) -> &str {
        self.0.get("server").and_then(Value::as_str).unwrap_or_default()
    }

    /// A kubeconfig for the bearer of `token`, with `namespace` as the default.
    pub(crate) fn kubeconfig(&self, user: &str, token: &str, namespace: &str) -> String {
        // JSON values are YAML values.
        let (server, user, token, namespace) =
            (&self.0, Value::from(user), Value::from(token), Value::from(namespace));
        format!(
            "apiVersion: v1\n\
             kind: Config\n\
             current-context: test\n\
             clusters:\n\
             - name: test\n  cluster: {server}\n\
             users:\n\
             - name: {user}\n  user: {{\"token\": {token}}}\n\
             contexts:\n\
             - name: test\n  context: {{\"cluster\": \"test\", \"user\": {user}, \"namespace\": {namespace}}}\n"
        )
    }
}
