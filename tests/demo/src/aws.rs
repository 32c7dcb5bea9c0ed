//! The emulator's records, read through its control API and not through the ElastiCache API.

use anyhow::{Context, Result};
use elasticache_emulator::Control;
use serde_json::Value;
use support::operator::{ACCOUNT, REGION};
use tokio::runtime::{Builder, Runtime};

/// The emulator's control API, without async.
#[derive(Debug)]
pub(crate) struct Aws {
    control: Control,
    runtime: Runtime,
}

impl Aws {
    /// An emulator at `url`.
    pub(crate) fn at(url: String) -> Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { control: Control::new(url, ACCOUNT, REGION), runtime })
    }

    pub(crate) fn url(&self) -> &str {
        self.control.url()
    }

    /// The URL of all users in the control API.
    pub(crate) fn users_url(&self) -> String {
        self.control.url_of("users")
    }

    /// All users, the user `default` among them.
    pub(crate) fn users(&self) -> Result<Vec<Value>> {
        self.list("users")
    }

    pub(crate) fn user(&self, id: &str) -> Result<Option<Value>> {
        Ok(self.users()?.into_iter().find(|user| user["UserId"] == id))
    }

    /// All calls so far, in order.
    pub(crate) fn calls(&self) -> Result<Vec<Value>> {
        self.list("calls")
    }

    pub(crate) fn forget_calls(&self) {
        self.runtime.block_on(self.control.forget_calls());
    }

    /// Runs another request of the control API.
    pub(crate) fn ask<T>(&self, question: impl AsyncFnOnce(&Control) -> T) -> T {
        self.runtime.block_on(question(&self.control))
    }

    fn list(&self, list: &str) -> Result<Vec<Value>> {
        let answer = self.runtime.block_on(self.control.list(list));
        answer.with_context(|| format!("failed to ask the emulator for its {list}"))
    }
}
