//! Objects that nobody changes cost little: no write, one read for each drift check, and no read right after a restart.

use std::time::Duration;

use elasticache_emulator::user_of;
use serde_json::Value;

use crate::drifting::tagged;
use crate::fixture::{Fixture, PASSWORD, Setup, iam, until, with_password};
use crate::policies::ended;

/// Two objects of each kind. All are Ready, and no pass is under way.
async fn objects(fixture: &Fixture) -> Vec<String> {
    fixture.secret("pw", PASSWORD).await;
    let mut names = Vec::new();
    for number in 0..2 {
        let kinds = [("password", with_password("pw")), ("iam", iam()), ("tags", tagged())];
        for (kind, spec) in kinds {
            let name = format!("{kind}-{number}");
            fixture.create(&name, spec).await;
            names.push(name);
        }
    }
    for name in &names {
        fixture.wait_ready(name).await;
        // A pass writes this last.
        fixture.event(name, "UserCreated").await;
    }
    names
}

async fn versions(fixture: &Fixture, names: &[String]) -> Vec<Option<String>> {
    let users = fixture.users();
    let mut versions = Vec::new();
    for name in names {
        versions.push(users.get(name).await.unwrap().metadata.resource_version);
    }
    versions
}

/// The finalizers, statuses and events that the fixture's operators have written, according to the audit log. `None` if there is
/// no audit log.
fn written(fixture: &Fixture) -> Option<[usize; 3]> {
    fixture.writes().map(|writes| [writes.finalizers, writes.statuses, writes.events])
}

/// The times of the calls of this action for this user, without the first `after` calls.
fn times(calls: &[Value], after: usize, action: &str, id: &str) -> Vec<Duration> {
    let about = calls.iter().skip(after).filter(|call| call["Action"] == action && user_of(call) == id);
    about.map(|call| Duration::from_millis(call["At"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn idle_objects_cost_one_look_each_resync_and_no_write() {
    const RESYNCS: usize = 8;
    let fixture = Fixture::with(Setup::env(&[("RESYNC", "1s")])).await;
    let names = objects(&fixture).await;
    let (before, calls) = (versions(&fixture, &names).await, fixture.aws.calls().await.len());
    let (wrote, changes) = (written(&fixture), fixture.aws.mutations().await.len());
    for name in &names {
        until(&format!("{name} is looked at {RESYNCS} times"), || async {
            times(&fixture.aws.calls().await, calls, "DescribeUsers", name).len() >= RESYNCS
        })
        .await;
    }
    let all = fixture.aws.calls().await;
    for name in &names {
        let looks = times(&all, calls, "DescribeUsers", name);
        let gaps: Vec<Duration> = looks.windows(2).map(|pair| pair[1] - pair[0]).collect();
        // The interval varies by a tenth.
        assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(890)), "{name}: {gaps:?}");
        // Once in six resyncs, and the whole was a little longer than eight.
        let tags = times(&all, 0, "ListTagsForResource", name);
        assert!(!tags.is_empty(), "{name}: its tags are never compared");
        let far_apart = tags.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(5300));
        assert!(far_apart, "{name}: {tags:?}");
    }
    assert_eq!(fixture.aws.mutations().await.len(), changes);
    assert_eq!(versions(&fixture, &names).await, before);
    assert_eq!(written(&fixture), wrote);
    assert!(wrote.is_none_or(|wrote| wrote.iter().all(|count| *count >= names.len())), "{wrote:?}");
    ended(fixture).await;
}

#[tokio::test]
async fn a_restart_costs_one_look_for_each_object_and_no_write() {
    let fixture = Fixture::new().await;
    let names = objects(&fixture).await;
    fixture.kill();
    let (before, calls) = (versions(&fixture, &names).await, fixture.aws.calls().await.len());
    let wrote = written(&fixture);
    fixture.start();
    for name in &names {
        until(&format!("{name} is looked at"), || async {
            !times(&fixture.aws.calls().await, calls, "DescribeUsers", name).is_empty()
        })
        .await;
    }
    // Work that began later is done, so a further call would show by now.
    fixture.ready("later", iam()).await;
    let all = fixture.aws.calls().await;
    for name in &names {
        assert_eq!(times(&all, calls, "DescribeUsers", name).len(), 1, "{name}");
    }
    let lists = all.iter().skip(calls).filter(|call| call["Action"] == "ListTagsForResource").count();
    assert!(lists <= 1, "{lists} of {} objects have their tags read at once", names.len());
    assert_eq!(versions(&fixture, &names).await, before);
    fixture.event("later", "UserCreated").await;
    // The calls for the later object, and no other.
    let wanted = wrote.map(|[finalizers, statuses, events]| [finalizers + 1, statuses + 2, events + 1]);
    assert_eq!(written(&fixture), wanted);
    ended(fixture).await;
}
