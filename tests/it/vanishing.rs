//! Objects that vanish although the API server accepted their finalizer (kubernetes/kubernetes#77988). The operator deletes the user
//! whose CreateUser was under way, and no other user.

use std::time::Duration;

use elasticache_emulator::Rule;
use futures::StreamExt;
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use serde_json::{Value, json};

use crate::fixture::{Fixture, Setup, iam, is_ready, owner_tags, until, with};

const METRIC: &str = "elasticache_user_orphans_removed_total";

/// A way in which an object vanishes, and what happens to its user.
struct Row {
    name: &'static str,
    spec: Value,
    /// AWS's answers to DeleteUser.
    faults: Vec<Rule>,
    /// The owner of the user when the object vanishes.
    owner: Owner,
    /// The object that somebody creates with the same name.
    namesake: Option<Value>,
    removed: bool,
}

enum Owner {
    Ours,
    /// An object of another cluster.
    WrongLocation,
    /// Another object of the same namespace and name.
    AnotherUid,
    /// The user has lost its owner tags.
    Nobody,
}

fn row(name: &'static str, removed: bool) -> Row {
    Row { name, spec: iam(), faults: Vec::new(), owner: Owner::Ours, namesake: None, removed }
}

fn refusal((code, times): (&str, u64)) -> Rule {
    Rule::on("DeleteUser").error(code, 400).times(times)
}

/// Gives the user the tags of this owner.
async fn give_tags_of(fixture: &Fixture, owner: &Owner, uid: &Value) {
    let theirs = json!("of-another-object");
    let (cluster, uid) = match owner {
        Owner::Ours => return,
        Owner::Nobody => {
            fixture.aws.put_user("app", json!({ "Tags": {} })).await;
            return;
        }
        Owner::WrongLocation => ("elsewhere", uid),
        Owner::AnotherUid => (fixture.cluster_id.as_str(), &theirs),
    };
    let tags = with(owner_tags(cluster, &fixture.ns, "app"), json!({ "elasticache-users.dev/uid": uid }));
    fixture.aws.put_user("app", json!({ "Tags": tags })).await;
}

async fn setup() -> Fixture {
    Fixture::with(Setup::leaving_users()).await
}

/// Creates the object, and removes it with its finalizer while CreateUser is under way, as the API server's race does. AWS creates
/// the user afterwards and answers. If somebody else is to own the user, AWS creates it before and never answers.
async fn vanishes_during_create_user(fixture: &Fixture, spec: Value, owner: &Owner) {
    let is_ours = matches!(owner, Owner::Ours);
    let fault = match is_ours {
        true => Rule::on("CreateUser").slow(1500),
        false => Rule::on("CreateUser").hang_for(1500).after(),
    };
    let fault = fixture.aws.fault(fault).await;
    let created = fixture.create("app", spec).await;
    fixture.aws.struck(fault, 1).await;
    if !is_ours {
        made(fixture).await;
        give_tags_of(fixture, owner, &created["metadata"]["uid"]).await;
    }
    remove_with_finalizer(fixture, "app").await;
}

/// Removes the finalizer and the object, before the operator adds the finalizer again.
async fn remove_with_finalizer(fixture: &Fixture, name: &str) {
    let unheld = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
    until("the object is gone", || async {
        let version =
            fixture.users().patch(name, &PatchParams::default(), &unheld).await.unwrap().resource_version();
        let preconditions = Some(Preconditions { resource_version: version, uid: None });
        let deleted =
            fixture.users().delete(name, &DeleteParams { preconditions, ..DeleteParams::default() }).await;
        deleted.is_ok().then_some(())
    })
    .await;
    assert!(fixture.users().get_opt(name).await.unwrap().is_none());
}

async fn made(fixture: &Fixture) {
    until("the user is made", || async { fixture.aws.user("app").await.map(drop) }).await;
}

async fn removed(fixture: &Fixture) {
    until("the user is removed", async || fixture.aws.user("app").await.is_none()).await;
    until("the deletion is counted", async || fixture.metrics().concat().contains(&format!("{METRIC} 1")))
        .await;
    let told = fixture.logs().lines().any(|line| line.contains("WARN") && line.contains("left behind"));
    assert!(told, "no warning in the log reports it");
    assert_eq!(fixture.aws.accepted("DeleteUser", "app").await, 1);
}

/// Waits until the operator logs that it leaves the user alone.
async fn wait_until_left_alone(fixture: &Fixture, why: &str) {
    fixture.logged(why).await;
    assert!(fixture.aws.user("app").await.is_some());
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len(), 0);
}

async fn vanishes(Row { name, spec, faults, owner, namesake, removed: is_removed }: Row) {
    println!("{name}");
    let fixture = setup().await;
    for fault in faults {
        fixture.aws.fault(fault).await;
    }
    vanishes_during_create_user(&fixture, spec, &owner).await;
    if let Some(spec) = namesake {
        fixture.create("app", spec).await;
    }
    made(&fixture).await;
    if is_removed {
        removed(&fixture).await
    } else {
        wait_until_left_alone(&fixture, "is left alone").await
    }
    fixture.end().await;
}

#[tokio::test]
async fn the_user_of_a_vanished_object_is_deleted_unless_its_policy_retains_it() {
    let rows = vec![
        row("nothing is in the way", true),
        Row {
            faults: [("InvalidUserState", 2), ("Throttling", 2), ("InternalFailure", 1)].map(refusal).into(),
            ..row("DeleteUser is refused again and again", true)
        },
        Row { spec: with(iam(), json!({ "deletionPolicy": "Retain" })), ..row("Retain", false) },
        Row {
            namesake: Some(with(iam(), json!({ "userID": "somebody" }))),
            ..row("another object of its name wants another user", true)
        },
        Row { owner: Owner::WrongLocation, ..row("the user is another cluster's", false) },
        Row { owner: Owner::AnotherUid, ..row("the user is another object's of the same name", false) },
        Row { owner: Owner::Nobody, ..row("the user lost its tags", false) },
    ];
    futures::stream::iter(rows).for_each_concurrent(3, vanishes).await;
}

#[tokio::test]
async fn an_object_of_the_same_name_that_manages_the_user_keeps_it() {
    let fixture = setup().await;
    let fault = fixture.aws.fault(Rule::on("DeleteUser").throttle().always()).await;
    vanishes_during_create_user(&fixture, iam(), &Owner::Ours).await;
    fixture.aws.struck(fault, 1).await;
    let created = fixture.create("app", iam()).await;
    let is_it = |object: &Value| object["metadata"]["uid"] == created["metadata"]["uid"] && is_ready(object);
    fixture.shows("app", "the other object is Ready", is_it).await;
    let refused = fixture.aws.fired(fault).await;
    fixture.aws.clear_faults().await;
    fixture.logged("another object of that name manages it now").await;
    assert!(fixture.aws.user("app").await.is_some());
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len() as u64, refused);
    fixture.delete("app").await;
    until("the object's own deletion removes the user", async || fixture.aws.user("app").await.is_none())
        .await;
    assert!(fixture.metrics().concat().contains(&format!("{METRIC} 0")));
    fixture.end().await;
}

#[tokio::test]
async fn an_object_of_the_same_name_keeps_the_user_as_long_as_it_wants_it() {
    let fixture = setup().await;
    // AWS refuses DeleteUser until the object exists, so that the operator decides afterwards.
    let throttled = Rule::on("DeleteUser").throttle().always();
    let fault = fixture.aws.fault(throttled).await;
    vanishes_during_create_user(&fixture, iam(), &Owner::Ours).await;
    fixture.aws.struck(fault, 1).await;
    // The object is suspended from its creation on. So it gets no finalizer, and the operator makes no call for it.
    fixture.create("app", with(iam(), json!({ "suspend": true }))).await;
    fixture.reason("app", "Suspended").await;
    let struck = fixture.aws.fired(fault).await;
    fixture.aws.clear_faults().await;
    fixture.logged("Another object of the same name wants AWS user").await;
    assert!(fixture.aws.user("app").await.is_some());
    assert_eq!(fixture.aws.calls_of("DeleteUser", "app").await.len() as u64, struck);
    fixture.delete("app").await;
    removed(&fixture).await;
    fixture.end().await;
}

#[tokio::test]
async fn the_user_of_an_object_whose_finalizer_a_person_removed_is_kept() {
    let fixture = setup().await;
    fixture.ready("app", iam()).await;
    fixture.kill();
    fixture.start();
    fixture.ready("young", iam()).await;
    for name in ["app", "young"] {
        remove_with_finalizer(&fixture, name).await;
    }
    // The operator handles events in order. When this object is Ready, it has seen that both objects are gone.
    fixture.ready("later", iam()).await;
    fixture.deleted("later").await;
    for name in ["app", "young"] {
        assert!(fixture.aws.user(name).await.is_some(), "{name}");
        assert_eq!(fixture.aws.calls_of("DeleteUser", name).await.len(), 0, "{name}");
    }
    fixture.end().await;
}

/// The number of objects that are created and deleted at once.
const QUICK: u64 = 300;

/// The users that still exist.
async fn left(fixture: &Fixture) -> Vec<String> {
    let users = fixture.aws.users().await;
    let ids = users.iter().filter_map(|user| user["UserId"].as_str());
    ids.filter(|id| id.starts_with("quick-")).map(str::to_owned).collect()
}

#[tokio::test]
async fn deletions_right_after_the_creation_leave_no_user_behind() {
    let env = [
        ("ELASTICACHE_USERS_AWS_RATE", "1000"),
        ("ELASTICACHE_USERS_AWS_BURST", "1000"),
        ("ELASTICACHE_USERS_CONCURRENCY", "16"),
    ];
    let fixture = Fixture::with(Setup { leaves_users: true, ..Setup::env(&env) }).await;
    fixture.ready("first", iam()).await;
    let quick = |index: u64| {
        let fixture = &fixture;
        async move {
            let name = format!("quick-{index}");
            fixture.create(&name, iam()).await;
            tokio::time::sleep(Duration::from_millis(index * 7 % 81)).await;
            fixture.delete(&name).await;
        }
    };
    futures::stream::iter(0..QUICK).for_each_concurrent(8, quick).await;
    let objects = async || fixture.users().list(&Default::default()).await.unwrap().items;
    until("the objects are gone", async || objects().await.len() == 1).await;
    until("no user is left", async || left(&fixture).await.is_empty()).await;
    let calls = fixture.aws.calls().await;
    let accepted =
        calls.iter().filter(|call| call["Action"] == "CreateUser" && call["Code"].is_null()).count();
    let pages = fixture.metrics().join("\n");
    let orphans = pages.lines().find_map(|line| line.strip_prefix(METRIC).map(str::trim).map(str::to_owned));
    println!(
        "{QUICK} quick deletions: {} CreateUser calls accepted, {orphans:?} orphans removed",
        accepted - 1
    );
    fixture.deleted("first").await;
    fixture.end().await;
}
