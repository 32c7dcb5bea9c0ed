//! B111: while the operator walks over the pages of DescribeUsers, users come and go. So rows are in any order, missing, or on
//! two pages.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use crate::fixture::{Fixture, Setup, iam, until};
use crate::load::{create_all, names, unlimited};

/// How many walks over all pages have ended.
async fn walks(fixture: &Fixture) -> usize {
    let pages = fixture.aws.calls_of("DescribeUsers", "").await;
    pages.iter().filter(|page| page["Params"]["Marker"].is_null()).count()
}

/// Users of others appear and disappear.
async fn others_come_and_go(fixture: &Fixture) {
    for number in 0.. {
        fixture.aws.put_user(&format!("other-{}", number % 50), json!({})).await;
        if number >= 25 {
            fixture.aws.remove_user(&format!("other-{}", (number - 25) % 50)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn are_deleted_and_edited(fixture: &Fixture, leaving: &[String], edited: &[String]) {
    let edit = json!({ "spec": { "accessString": "on ~new:* +@all" } });
    join_all(leaving.iter().map(|name| fixture.delete(name))).await;
    join_all(edited.iter().map(|name| fixture.patch(name, edit.clone()))).await;
    for name in leaving {
        assert!(!fixture.gone(name).await.user_left, "{name}");
    }
    for name in edited {
        fixture.wait_ready(name).await;
        assert_eq!(fixture.aws.user(name).await.unwrap()["Status"], "active", "{name}");
    }
    let walked = walks(fixture).await;
    until("more walks over all pages", async || walks(fixture).await >= walked + 3).await;
}

#[tokio::test]
async fn a_listing_that_drops_repeats_and_shuffles_rows_causes_no_wrong_step() {
    let mut setup = Setup::default();
    setup.aws.restless_listing = true;
    (setup.aws.modify_time, setup.aws.delete_time) = (Duration::from_secs(4), Duration::from_secs(4));
    let fixture = Fixture::without_operator(setup).await;
    let [rate, burst] = unlimited();
    fixture.start_with(&[rate, burst, ("ELASTICACHE_USERS_RESYNC", "1s".to_owned())]);
    let (resting, leaving, edited) = (names("resting", 60), names("leaving", 30), names("edited", 30));
    for crowd in [&resting, &leaving, &edited] {
        create_all(&fixture, crowd, |_| iam()).await;
    }
    for name in resting.iter().chain(&leaving).chain(&edited) {
        fixture.wait_ready(name).await;
    }
    let versions = || resting.iter().map(|name| fixture.versions(name).len()).collect::<Vec<_>>();
    let before = versions();
    let changes = async || fixture.aws.mutations().await.len();
    let changed = changes().await;
    tokio::select! {
        () = are_deleted_and_edited(&fixture, &leaving, &edited) => {}
        () = others_come_and_go(&fixture) => {}
    }
    assert_eq!(versions(), before, "an object at rest was written");
    assert_eq!(changes().await, changed + leaving.len() + edited.len(), "one call for each wish");
    for name in &edited {
        assert_eq!(fixture.aws.accepted("ModifyUser", name).await, 1, "{name}");
    }
    fixture.end().await;
}
