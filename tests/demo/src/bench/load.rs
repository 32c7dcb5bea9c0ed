//! How long a person waits while many other objects wait, and what a Secret costs that changes often.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use elasticache_emulator::user_of;
use serde_json::{Value, json};
use support::wait::pause;

use super::{Measurement, objects};
use crate::fixture::NAMESPACE;
use crate::shell::progress;

const DELETED: u32 = 8;
const CREATED: u32 = 4;
/// An operation that takes longer counts as never done.
const LONGEST: Duration = Duration::from_secs(120);

/// How long the deletions and creations of an overload waited, in seconds.
pub(super) struct Waits {
    pub(super) first_call: Spread,
    pub(super) done: Spread,
}

/// The times of the operations that were done in time, and the number of the others.
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) longest: f64,
    pub(super) never: usize,
}

impl Spread {
    fn of(times: impl Iterator<Item = Option<Duration>>) -> Self {
        let (came, never): (Vec<_>, Vec<_>) = times.partition(Option::is_some);
        let mut came: Vec<f64> = came.into_iter().flatten().map(|time| time.as_secs_f64()).collect();
        came.sort_by(f64::total_cmp);
        let at = |index: usize| came.get(index).copied().unwrap_or_default();
        Self { median: at(came.len() / 2), longest: at(came.len().saturating_sub(1)), never: never.len() }
    }
}

/// When the user was first named in a call, and when its object was as it should be.
type Times = BTreeMap<String, (Option<Duration>, Option<Duration>)>;

impl Measurement<'_> {
    pub(super) fn overload(&mut self) -> Result<()> {
        let waiting = self.bench.waiting;
        self.leaving(Vec::new(), 0)?;
        let named = |number| objects::with_secret(&format!("waiting-{number}"), "not-there");
        self.apply((0..waiting).map(named).collect())?;
        self.all_waiting("SecretNotFound", waiting as usize)?;
        self.beside("overload", waiting)
    }

    /// Like `overload`, but the others wait for AWS users that stay `modifying`.
    pub(super) fn stuck(&mut self) -> Result<()> {
        let stuck = self.bench.stuck;
        let objects = |rules: &str| -> Vec<Value> {
            (0..stuck)
                .map(|number| {
                    let mut object = objects::iam(&format!("stuck-{number}"));
                    object["spec"]["accessString"] = json!(rules);
                    object
                })
                .collect()
        };
        self.leaving(objects("on ~a* -@all +@read"), stuck)?;
        for number in 0..stuck {
            let modifying = json!({ "Status": "modifying" });
            self.fixture.aws().ask(async |aws| aws.put_user(&format!("stuck-{number}"), modifying).await);
        }
        self.apply(objects("on ~b* -@all +@read"))?;
        self.all_waiting("WaitingForUserActive", stuck as usize)?;
        self.beside("stuck users", stuck)
    }

    /// The objects that the measurement deletes, and `others`.
    fn leaving(&mut self, others: Vec<Value>, count: u32) -> Result<()> {
        let leaving = (0..DELETED).map(|number| objects::iam(&format!("leaving-{number}")));
        self.apply(leaving.chain(others).collect())?;
        self.count_to("Ready", (DELETED + count) as usize, |this| {
            Ok(this.kubernetes.seen().values().filter(|object| object.ready).count())
        })
    }

    /// Deletes and creates while `waiting` others wait.
    fn beside(&mut self, name: &'static str, waiting: u32) -> Result<()> {
        progress(&format!("{name}: {DELETED} deletions and {CREATED} creations beside {waiting} .."));
        let mark = self.mark()?;
        for number in 0..DELETED {
            self.kubernetes.delete("ElastiCacheUser", NAMESPACE, &format!("leaving-{number}"))?;
        }
        self.apply((0..CREATED).map(|number| objects::iam(&format!("coming-{number}"))).collect())?;
        let names = (0..DELETED)
            .map(|number| format!("leaving-{number}"))
            .chain((0..CREATED).map(|number| format!("coming-{number}")));
        let times = self.times(names, mark.at)?;
        let waits = Waits {
            first_call: Spread::of(times.values().map(|(first, _)| *first)),
            done: Spread::of(times.values().map(|(_, done)| *done)),
        };
        self.ended(name, DELETED + CREATED, &mark, Some(waits))
    }

    /// Waits until this many objects report this reason. If the queue starves objects, some never do.
    fn all_waiting(&mut self, reason: &str, waiting: usize) -> Result<()> {
        let (began, mut told) = (Instant::now(), Instant::now());
        let patience = LONGEST + Duration::from_secs(waiting as u64 / 3);
        while began.elapsed() < patience {
            self.fixture.check_alive()?;
            let found = self.kubernetes.seen().values().filter(|object| object.reason == reason).count();
            if found == waiting {
                return Ok(());
            }
            if told.elapsed() > Duration::from_secs(5) {
                told = Instant::now();
                progress(&format!("  {reason}: {found} of {waiting}"));
            }
            pause(Duration::from_millis(200));
        }
        progress("  some were not looked at: they wait as they are");
        Ok(())
    }

    fn times(&mut self, names: impl Iterator<Item = String>, since: Instant) -> Result<Times> {
        let mut times: Times = names.map(|name| (name, (None, None))).collect();
        while times.values().any(|(_, done)| done.is_none()) && since.elapsed() < LONGEST {
            self.fixture.check_alive()?;
            let calls = self.fixture.aws().calls()?;
            let now = since.elapsed();
            let seen = self.kubernetes.seen().clone();
            for (name, (first, done)) in &mut times {
                if first.is_none() && calls.iter().any(|call| user_of(call) == name) {
                    *first = Some(now);
                }
                let object = seen.get(&format!("{NAMESPACE}/{name}"));
                let is_done = if name.starts_with("leaving-") {
                    object.is_none()
                } else {
                    object.is_some_and(|object| object.ready)
                };
                if is_done && done.is_none() {
                    *done = Some(now);
                }
            }
            pause(Duration::from_millis(100));
        }
        Ok(times)
    }

    pub(super) fn churn(&mut self) -> Result<()> {
        const CHANGES: u32 = 150;
        let between = Duration::from_millis(200);
        self.apply(vec![
            objects::secret("churn", "first-passphrase"),
            objects::with_secret("churn", "churn"),
        ])?;
        self.count_to("Ready", 1, |this| {
            Ok(this.kubernetes.seen().values().filter(|object| object.ready).count())
        })?;
        // Work that the creation still causes must not count for the churn.
        self.idle(Duration::from_secs(5))?;
        progress(&format!("churn: {CHANGES} changes of a label .."));
        let mark = self.mark()?;
        for number in 0..CHANGES {
            let label = json!({ "metadata": { "labels": { "touched": number.to_string() } } });
            self.kubernetes.merge("Secret", NAMESPACE, "churn", &label)?;
            pause((mark.at + between * (number + 1)).saturating_duration_since(Instant::now()));
        }
        // Work that the last change still causes counts for the churn.
        self.idle(Duration::from_secs(10))?;
        self.ended("Secret churn", 1, &mark, None)?;
        self.kubernetes.delete("ElastiCacheUser", NAMESPACE, "churn")?;
        self.count_to("gone", 0, |this| Ok(this.kubernetes.seen().len()))
    }
}
