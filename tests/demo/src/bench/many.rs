//! Many objects at once that wait for AWS: for two groups that they join, or for their deletion.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{Measurement, objects};
use crate::fixture::Setup;
use crate::shell::progress;

/// As many as a group has members at most.
const JOINING: u32 = 100;
const GROUPS: [&str; 2] = ["orders", "billing"];
/// How long AWS takes for each deletion.
const DELETION: Duration = Duration::from_secs(60);

impl Measurement<'_> {
    /// Objects that join two groups as soon as their users are there.
    pub(super) fn joining(&mut self, setup: &Setup<'_>) -> Result<()> {
        let flags = ["--allowed-user-group", "*"].map(str::to_owned);
        self.restart(&Setup { flags: &flags, operator: setup.operator.clone(), ..*setup })?;
        for group in GROUPS {
            self.fixture.aws().ask(async |aws| aws.put_group(group, json!({ "Engine": "valkey" })).await);
        }
        progress(&format!("{JOINING} users join {} groups ..", GROUPS.len()));
        let mark = self.mark()?;
        let joining = |number| {
            let mut object = objects::iam(&format!("joining-{number}"));
            object["spec"]["userGroupIDs"] = json!(GROUPS);
            object
        };
        self.apply((0..JOINING).map(joining).collect())?;
        self.count_ready(JOINING)?;
        self.ended("two groups", JOINING, &mark, None)?;
        self.delete_all()
    }

    /// All objects are deleted at once, and AWS takes a minute for each user.
    pub(super) fn departing(&mut self) -> Result<()> {
        let departing = self.bench.departing;
        self.apply((0..departing).map(|number| objects::iam(&format!("departing-{number}"))).collect())?;
        self.count_ready(departing)?;
        self.take_for_deletions(DELETION);
        progress(&format!("{departing} deletions at once, AWS takes {DELETION:?} for each .."));
        let mark = self.mark()?;
        self.delete_all()?;
        self.ended("departures", departing, &mark, None)?;
        self.take_for_deletions(super::DELETE_TIME);
        Ok(())
    }

    fn take_for_deletions(&self, time: Duration) {
        let settings: Value = json!({ "delete-time": format!("{}s", time.as_secs()) });
        self.fixture.aws().ask(async |aws| aws.settings(settings).await);
    }

    fn count_ready(&mut self, goal: u32) -> Result<()> {
        self.count_to("Ready", goal as usize, |this| {
            Ok(this.kubernetes.seen().values().filter(|object| object.ready).count())
        })
    }
}
