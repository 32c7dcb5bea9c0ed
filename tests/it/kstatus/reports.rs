//! The status that each verdict writes, whatever the conditions were before, and how kstatus reads it. The random walks of `plan` know
//! conditions only as a [`Progress`], so these tests check the conditions themselves.

use elasticache_user_operator::api::ElastiCacheUser;
use elasticache_user_operator::kubernetes::{facts, status};
use plan::pace::Requeue;
use plan::verdict::{Outcome, Progress, Reason, Verdict};
use plan::*;
use serde_json::{Value, json};

use super::{assert_as_promised, fault, statuses};
use crate::fixture::{iam, manifest};

/// A reason with this progress, and how kstatus reads the object then. `None` if kstatus reads it as before.
fn meaning(progress: Progress) -> (Reason, Option<&'static str>) {
    match progress {
        Progress::Ready => (Reason::Active, Some("Current")),
        Progress::Reconciling => (Reason::Creating, Some("InProgress")),
        Progress::Unknown => (Reason::AWSUnavailable, Some("InProgress")),
        Progress::Stalled => (Reason::InvalidSpec, Some("Failed")),
        Progress::Deleting => (Reason::DeletingUser, Some("Terminating")),
        Progress::Unchanged => (Reason::Throttled, None),
        Progress::SuspendedReady => (Reason::Suspended, Some("Current")),
        Progress::SuspendedNotReady => (Reason::Suspended, Some("InProgress")),
    }
}

/// The object after a pass with this progress.
fn after(object: &Value, progress: Progress) -> Value {
    let parsed: ElastiCacheUser = serde_json::from_value(object.clone()).unwrap();
    let (reason, _) = meaning(progress);
    let message = format!("{progress:?}.");
    let verdict = Verdict { progress, reason, message, completed: vec![], requeue: Requeue::Resync };
    let next = next_status(&Report {
        object: &facts(&parsed),
        goal: &Goal::Suspended(None),
        observed: &Observed::nothing("us-east-1"),
        action: &Action::InSync,
        outcome: &Outcome::Decided,
        verdict: &verdict,
        former_request: None,
        passwords_accepted_at: None,
        memberships: None,
        repeats_create: false,
        has_unsent_create: false,
        identity: "this process",
        now: Timestamp::default(),
    });
    let mut object = object.clone();
    if let Some(next) = next {
        object["status"] = serde_json::to_value(status(&next)).unwrap();
    }
    object
}

/// The object before its first pass.
fn new() -> Value {
    let mut object = manifest("app", iam());
    object["metadata"]["generation"] = json!(1);
    object["status"] = json!({ "observedGeneration": -1 });
    object
}

/// Somebody edits the object, or deletes it: both are a new generation.
fn edited(object: &Value, deleted: bool) -> Value {
    let mut object = object.clone();
    object["metadata"]["generation"] = json!(object["metadata"]["generation"].as_i64().unwrap() + 1);
    if deleted {
        object["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
    }
    object
}

#[test]
fn a_verdict_has_the_same_kstatus_whatever_the_conditions_were_before() {
    let (mut seen, mut expected) = (vec![new()], vec!["InProgress"]);
    for first in
        Progress::ALL.into_iter().filter(|first| !matches!(first, Progress::Deleting | Progress::Unchanged))
    {
        let once = after(&new(), first);
        seen.push(once.clone());
        let once_means = meaning(first).1.unwrap();
        expected.push(once_means);
        for next in Progress::ALL {
            let leaving = next == Progress::Deleting;
            let mut starts = vec![(edited(&once, leaving), false)];
            if !leaving {
                starts.push((once.clone(), true));
            }
            for (start, same_generation) in starts {
                let means = match meaning(next).1 {
                    Some(means) => means,
                    None if same_generation => once_means,
                    // Status does not report the edit yet: observedGeneration is still the former one.
                    None => "InProgress",
                };
                seen.push(after(&start, next));
                expected.push(means);
            }
        }
    }
    for object in &seen {
        assert_eq!(fault(object), None, "{:#}", object["status"]);
    }
    assert_eq!(statuses(&seen), expected);
    assert_as_promised(&seen);
}

#[test]
fn last_transition_time_changes_only_if_the_status_of_the_condition_changes() {
    let mut object = after(&new(), Progress::Ready);
    for condition in object["status"]["conditions"].as_array_mut().unwrap() {
        condition["lastTransitionTime"] = json!("2026-01-02T03:04:05Z");
    }
    let ready = |object: &Value| object["status"]["conditions"][0]["lastTransitionTime"].clone();
    let before = ready(&object);
    assert_eq!(
        ready(&after(&edited(&object, false), Progress::SuspendedReady)),
        before,
        "Ready stays True, so the time must stay"
    );
    assert_ne!(
        ready(&after(&edited(&object, false), Progress::Reconciling)),
        before,
        "Ready becomes False, so the time must change"
    );
}
