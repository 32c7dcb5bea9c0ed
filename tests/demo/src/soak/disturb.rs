//! Disturbances of the objects, of AWS, of the API server and of the operator.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::json;
use support::wait::pause;

use super::{PACE, Run};
use crate::shell::progress;

/// Tries again if the API server has just been restarted.
fn again(mut request: impl FnMut() -> Result<()>) -> Result<()> {
    const TRIES: u32 = 20;
    for _ in 1..TRIES {
        if request().is_ok() {
            return Ok(());
        }
        pause(Duration::from_millis(500));
    }
    request()
}

impl Run {
    /// Disturbs everything until the time is over. Replicas are killed in its first half only, so that in its last quarter
    /// their memory is that of processes that have lived for long.
    pub(super) fn disturb(&mut self) -> Result<()> {
        self.began = Instant::now();
        let time = self.time;
        let mut sampled = Instant::now();
        let mut told = Instant::now();
        let mut kills = [time / 8, time / 4, time * 3 / 8, time / 2].into_iter().peekable();
        let mut restarts = [time / 5, time * 2 / 5, time * 3 / 5, time * 4 / 5].into_iter().peekable();
        while self.began.elapsed() < time {
            let begun = Instant::now();
            self.check_alive()?;
            self.act()?;
            self.done += 1;
            if kills.next_if(|at| self.began.elapsed() > *at).is_some() {
                self.kill_leader()?;
            }
            if restarts.next_if(|at| self.began.elapsed() > *at).is_some() {
                progress("  restarts the API server");
                self.fixture.cluster().restart_apiserver()?;
            }
            if sampled.elapsed() > Duration::from_secs(1) {
                sampled = Instant::now();
                self.sample_memory()?;
            }
            if told.elapsed() > Duration::from_secs(10) {
                told = Instant::now();
                let left = time.saturating_sub(self.began.elapsed()).as_secs();
                progress(&format!("  {} disturbances, {left} s left", self.done));
            }
            pause(PACE.saturating_sub(begun.elapsed()));
        }
        Ok(())
    }

    /// One disturbance.
    fn act(&mut self) -> Result<()> {
        let index = self.rng.usize(..self.world.len());
        let ready = self.kubernetes.seen().get(&self.world.objects[index].key()).map(|seen| seen.ready);
        let kubernetes = &self.kubernetes;
        let wanted = &mut self.world.objects[index];
        let (namespace, name) = (wanted.namespace.clone(), wanted.name.clone());
        match self.rng.u32(..100) {
            // The deletion of a suspended object waits.
            0..10 if wanted.exists && !wanted.suspended => {
                wanted.exists = false;
                again(|| kubernetes.delete("ElastiCacheUser", &namespace, &name))
            }
            // An object is created again only after the former one is gone.
            10..100 if !wanted.exists => {
                if ready.is_some() {
                    return Ok(());
                }
                (wanted.exists, wanted.suspended) = (true, false);
                self.apply(index)
            }
            10..40 => {
                wanted.edit += 1;
                self.apply(index)
            }
            40..55 if wanted.rotation.is_some() => {
                wanted.rotation = wanted.rotation.map(|rotation| rotation + 1);
                wanted.has_secret = true;
                self.apply(index)
            }
            55..60 => {
                wanted.suspended = !wanted.suspended;
                self.apply(index)
            }
            60..65 if wanted.rotation.is_some() => {
                wanted.has_secret = false;
                again(|| kubernetes.delete("Secret", &namespace, &name))
            }
            // If the object is not Ready, its user may be about to go, and this change would create the user again.
            65..80 if ready == Some(true) => self.drift(&name),
            80..100 => {
                self.fault();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Applies an object, and its Secret if it should be there.
    fn apply(&self, index: usize) -> Result<()> {
        let wanted = &self.world.objects[index];
        let secret = wanted.secret().filter(|_| wanted.has_secret);
        let manifests: Vec<_> = secret.into_iter().chain([wanted.manifest()]).collect();
        again(|| self.kubernetes.apply(&wanted.namespace, manifests.clone()))
    }

    /// Somebody changes or removes the user in AWS.
    fn drift(&mut self, name: &str) -> Result<()> {
        // A change of a user that is gone would create a user without an owner.
        if self.fixture.aws().user(name)?.is_none() {
            return Ok(());
        }
        let roll = self.rng.u32(..3);
        self.fixture.aws().ask(async |control| match roll {
            0 => control.remove_user(name).await,
            1 => drop(control.put_user(name, json!({ "Status": "modifying", "For": "3s" })).await),
            _ => drop(control.put_user(name, json!({ "AccessString": "on ~* +@all" })).await),
        });
        Ok(())
    }

    /// Some of the next calls fail.
    fn fault(&mut self) {
        let kinds = ["throttle", "unavailable", "reset", "garbage", "hang", "error", "slow", "truncate"];
        let kind = kinds[self.rng.usize(..kinds.len())];
        let mut rule = json!({ "Kind": kind, "Times": self.rng.u32(1..6) });
        let actions = ["DescribeUsers", "ListTagsForResource", "CreateUser", "ModifyUser", "DeleteUser"];
        if let Some(action) = actions.get(self.rng.usize(..10)) {
            rule["Action"] = json!(action);
        }
        match kind {
            "slow" => rule["Ms"] = json!(2000),
            "truncate" => {}
            _ => rule["When"] = json!(if self.rng.bool() { "before" } else { "after" }),
        }
        match kind {
            "hang" => rule["Ms"] = json!(3000),
            "error" => {
                rule["Code"] = json!("InternalFailure");
                rule["Status"] = json!(500);
            }
            _ => {}
        }
        let _id = self.fixture.aws().ask(async |control| control.fault(rule).await);
    }

    /// Ends all disturbances, and creates everything that an object waits for.
    pub(super) fn calm(&mut self) -> Result<()> {
        progress("nothing is disturbed any more");
        self.fixture.aws().ask(async |control| control.clear_faults().await);
        for wanted in &mut self.world.objects {
            (wanted.suspended, wanted.has_secret) = (false, true);
        }
        let manifests = self.world.manifests();
        again(|| self.kubernetes.apply("default", manifests.clone()))
    }
}
