//! Helm, without the settings and caches of the user.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use cluster::Tool;
use support::command::run;
use support::repository::path;
use tempfile::TempDir;

use crate::CHART;

/// A Helm with settings and caches of its own.
#[derive(Debug)]
pub struct Helm {
    program: PathBuf,
    home: TempDir,
}

impl Helm {
    /// Helm 3 or Helm 4.
    ///
    /// # Errors
    /// If the program is missing and cannot be built.
    pub fn new(tool: Tool) -> Result<Helm> {
        let home = tempfile::tempdir().context("failed to make a folder for Helm")?;
        Ok(Helm { program: tool.path()?, home })
    }

    /// The command `helm`, without a cluster.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.home.path()).env("HOME", self.home.path());
        for name in ["KUBECONFIG", "HELM_NAMESPACE", "HELM_KUBECONTEXT", "HELM_DRIVER", "HELM_DEBUG"] {
            command.env_remove(name);
        }
        for name in ["CONFIG", "CACHE", "DATA"] {
            command.env(format!("HELM_{name}_HOME"), self.home.path().join(name));
        }
        command
    }

    /// Renders the chart with these further arguments.
    ///
    /// # Errors
    /// If Helm fails, with its output.
    pub fn template(&self, release: &str, namespace: &str, arguments: &[&str]) -> Result<String> {
        let mut command = self.command();
        command.args(["template", release]).arg(path(CHART)).args(["--namespace", namespace]).args(arguments);
        run(&mut command)
    }

    /// A folder that is removed when this value is dropped.
    pub fn home(&self) -> &Path {
        self.home.path()
    }
}
