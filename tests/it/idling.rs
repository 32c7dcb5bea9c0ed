//! Objects that nobody changes cost no write, and only one listing of all users for each drift check and after a restart.

use std::time::Duration;

use elasticache_emulator::user_of;
use serde_json::Value;

use crate::audit::Writes;
use crate::drifting::tagged;
use crate::fixture::{Fixture, PASSWORD, Setup, iam, until, with_password};
use crate::load::passes;
use crate::policies::ended;

/// Two objects of each kind. All of them are Ready, and their passes are over.
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
        // The event is the last thing that a pass writes.
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

/// The number of writes of finalizers, statuses and events, and of reads of Secrets, by the fixture's operators so far. `None` if
/// there is no audit log.
fn asked_of_kubernetes(fixture: &Fixture) -> Option<[usize; 4]> {
    let count = |writes: Writes| [writes.finalizers, writes.statuses, writes.events, writes.secret_reads];
    fixture.writes().map(count)
}

/// When the emulator got the calls of this action about this user, without the first `after` calls. Without a user: calls about all.
fn times(calls: &[Value], after: usize, action: &str, id: &str) -> Vec<Duration> {
    let about = calls.iter().skip(after).filter(|call| call["Action"] == action && user_of(call) == id);
    about.map(|call| Duration::from_millis(call["At"].as_u64().unwrap())).collect()
}

#[tokio::test]
async fn a_check_of_all_idle_objects_costs_one_listing_and_no_write() {
    const RESYNCS: usize = 8;
    let fixture = Fixture::with(Setup::env(&[("ELASTICACHE_USERS_RESYNC", "1s")])).await;
    let names = objects(&fixture).await;
    let (before, calls) = (versions(&fixture, &names).await, fixture.aws.calls().await.len());
    let (asked, changes) = (asked_of_kubernetes(&fixture), fixture.aws.mutations().await.len());
    let had = passes(&fixture);
    let tags = |all: &[Value], name: &str| times(all, calls, "ListTagsForResource", name);
    until("all are compared again and again, tags included", || async {
        let all = fixture.aws.calls().await;
        times(&all, calls, "DescribeUsers", "").len() >= RESYNCS
            && names.iter().all(|name| !tags(&all, name).is_empty())
    })
    .await;
    let all = fixture.aws.calls().await;
    let walks = times(&all, calls, "DescribeUsers", "");
    let gaps: Vec<Duration> = walks.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // Drift checks vary by a tenth in both directions.
    assert!(gaps.iter().all(|gap| *gap >= Duration::from_millis(890)), "{gaps:?}");
    let mut compared = 0;
    for name in &names {
        // Once in six resyncs a pass reads the tags, and the user before.
        let tags = tags(&all, name);
        let looks = times(&all, calls, "DescribeUsers", name);
        assert!(looks.len() <= tags.len() + 1, "{name}: {looks:?}, but tags at {tags:?}");
        let far_apart = tags.windows(2).all(|pair| pair[1] - pair[0] >= Duration::from_millis(5300));
        assert!(far_apart, "{name}: {tags:?}");
        compared += looks.len();
    }
    assert!(
        passes(&fixture) - had <= compared as f64,
        "there were other passes than those that compare tags"
    );
    assert_eq!(fixture.aws.mutations().await.len(), changes);
    assert_eq!(versions(&fixture, &names).await, before);
    // Each comparison of tags is a pass, which reads the Secret.
    let same =
        |now: [usize; 4], before: [usize; 4]| now[..3] == before[..3] && now[3] <= before[3] + compared;
    let now = asked_of_kubernetes(&fixture);
    assert!(now.zip(asked).is_none_or(|(now, before)| same(now, before)), "{now:?} after {asked:?}");
    ended(fixture).await;
}

#[tokio::test]
async fn a_restart_with_idle_objects_costs_one_listing_and_nothing_else() {
    let fixture = Fixture::new().await;
    let names = objects(&fixture).await;
    fixture.kill();
    let (before, calls) = (versions(&fixture, &names).await, fixture.aws.calls().await.len());
    let asked = asked_of_kubernetes(&fixture);
    fixture.start();
    until("all users are listed", || async {
        !times(&fixture.aws.calls().await, calls, "DescribeUsers", "").is_empty()
    })
    .await;
    // This object comes after all others. When it is Ready, further calls for the others would have been made.
    fixture.ready("later", iam()).await;
    fixture.event("later", "UserCreated").await;
    let all = fixture.aws.calls().await;
    assert_eq!(times(&all, calls, "DescribeUsers", "").len(), 1);
    for name in &names {
        let about = all.iter().skip(calls).filter(|call| user_of(call) == name);
        assert_eq!(about.count(), 0, "{name}");
    }
    assert_eq!(
        passes(&fixture),
        all.iter().skip(calls).filter(|call| call["Action"] == "CreateUser").count() as f64
    );
    assert_eq!(versions(&fixture, &names).await, before);
    // Only the requests for the later object.
    let wanted = asked
        .map(|[finalizers, statuses, events, secrets]| [finalizers + 1, statuses + 2, events + 1, secrets]);
    assert_eq!(asked_of_kubernetes(&fixture), wanted);
    ended(fixture).await;
}
