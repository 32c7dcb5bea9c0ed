//! `check --orphans` lists AWS users whose owner tags name an object that does not exist, and users of which it cannot know that.

use std::process::Stdio;
use std::time::Duration;

use elasticache_emulator::Rule;
use serde_json::{Value, json};

use super::{Answer, check, command, run};
use crate::control_plane;
use crate::fixture::{ACCOUNT, Fixture, REGION, Setup, iam, owner_tags, until, with};

/// A high rate, so that the rate limit takes no time.
const FAST: [&str; 5] = ["--orphans", "--aws-rate", "1000", "--aws-burst", "1000"];

fn tags(cluster: &str, namespace: &str, name: &str) -> Value {
    with(owner_tags(cluster, namespace, name), json!({ "elasticache-users.dev/uid": "1" }))
}

/// Makes a user in AWS that carries the tags of the object of this name in the fixture's namespace.
async fn user_of(fixture: &Fixture, id: &str, name: &str) {
    let members =
        json!({ "Tags": tags(&fixture.cluster_id, &fixture.ns, name), "Authentication": { "Type": "iam" } });
    fixture.aws.put_user(id, members).await;
}

/// The row about a user.
fn about<'a>(answer: &'a Answer, id: &str) -> Option<&'a Value> {
    answer.rows.iter().find(|row| row["userID"] == id)
}

fn fix(row: &Value, way: &str) -> String {
    let lines = row["fix"].as_str().unwrap_or_default().lines();
    lines.filter_map(|line| line.strip_prefix(way)).collect()
}

/// Fails if AWS got a call that changes something.
async fn only_read(fixture: &Fixture) {
    for call in fixture.aws.calls().await {
        let action = call["Action"].as_str().unwrap();
        assert!(["DescribeUsers", "ListTagsForResource"].contains(&action), "{call}");
    }
}

#[tokio::test]
async fn a_retained_user_is_listed_and_the_command_in_its_row_adopts_it() {
    let fixture = Fixture::with(Setup::leaving_users()).await;
    let spec = json!({ "deletionPolicy": "Retain", "accessString": "on ~it's:* +@all" });
    fixture.ready("retained", with(iam(), spec)).await;
    let before = check(&fixture, &FAST, &[]).await;
    assert!(about(&before, "retained").is_none(), "the object of this user exists: {}", before.page);
    fixture.deleted("retained").await;

    let answer = check(&fixture, &FAST, &[]).await;
    let row = about(&answer, "retained").unwrap_or_else(|| panic!("{}", answer.page));
    assert_eq!((row["check"].as_str(), row["status"].as_str()), (Some("orphan"), Some("warning")), "{row:#}");
    assert_eq!((row["namespace"].as_str(), row["name"].as_str()), (Some(&*fixture.ns), Some("retained")));
    assert_eq!(row["arn"], format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:user:retained"));
    let owner =
        format!("names as its owner the ElastiCacheUser {}/retained, which does not exist.", fixture.ns);
    assert!(row["message"].as_str().unwrap().ends_with(&owner), "{row:#}");
    let delete = format!("aws elasticache delete-user --user-id retained --region {REGION}");
    assert_eq!(fix(row, "to delete it: "), delete);
    assert_eq!(answer.code, Some(0), "an orphan is no failure: {}", answer.page);
    assert_eq!(answer.row("orphans")["status"], "warning");

    run(control_plane::shared(), &fix(row, "to adopt it: ")).await;
    fixture.wait_ready("retained").await;
    assert_eq!(fixture.aws.accepted("CreateUser", "retained").await, 1, "the user is the same one");
    let after = check(&fixture, &FAST, &[]).await;
    assert_eq!((after.code, &after.row("orphans")["status"]), (Some(0), &json!("ok")), "{}", after.page);
    fixture.deleted("retained").await;
    fixture.end().await;
}

#[tokio::test]
async fn check_recognizes_an_orphan_by_its_tags_and_the_object_that_they_name() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    for (name, user_id) in [("owning", "owned"), ("elsewhere", "other"), ("successor", "claimed")] {
        fixture.create(name, with(iam(), json!({ "userID": user_id }))).await;
    }
    user_of(&fixture, "owned", "owning").await;
    user_of(&fixture, "gone", "nobody").await;
    user_of(&fixture, "left", "elsewhere").await;
    user_of(&fixture, "claimed", "predecessor").await;
    user_of(&fixture, "leaving", "nobody").await;
    fixture.aws.put_user("leaving", json!({ "Status": "deleting" })).await;
    fixture.aws.put_user("untagged", json!({})).await;
    fixture.aws.put_user("foreign", json!({ "Tags": tags("another-cluster", &fixture.ns, "nobody") })).await;
    let mut part = tags(&fixture.cluster_id, &fixture.ns, "nobody");
    part.as_object_mut().unwrap().remove("elasticache-users.dev/name");
    fixture.aws.put_user("partial", json!({ "Tags": part })).await;
    let odd = tags(&fixture.cluster_id, "a/b;reboot", "$(reboot)");
    fixture.aws.put_user("odd", json!({ "Tags": odd })).await;
    let worded = tags(&fixture.cluster_id, &fixture.ns, "worded");
    fixture
        .aws
        .put_user("worded", json!({ "Passwords": ["a-long-enough-passphrase"], "Tags": worded }))
        .await;

    let answer = check(&fixture, &FAST, &[]).await;
    for id in ["owned", "leaving", "untagged", "foreign", "default"] {
        assert!(about(&answer, id).is_none(), "{id}: {}", answer.page);
    }
    let rows: [(&str, &str, &str, &str); 6] = [
        ("gone", "orphan", "which does not exist", "create --filename -"),
        ("left", "orphan", "wants AWS user \"other\"", "remove-tags-from-resource"),
        ("claimed", "orphan", "/successor wants it", "patch ecu successor"),
        ("partial", "orphan-partly-tagged", "its object is not known", "list-tags-for-resource"),
        ("odd", "orphan", "\"a/b;reboot/$(reboot)\"", "delete-user --user-id odd"),
        ("worded", "orphan", "which does not exist", "\"secretKeyRef\""),
    ];
    for (id, kind, message, command) in rows {
        let row = about(&answer, id).unwrap_or_else(|| panic!("{id}: {}", answer.page));
        assert_eq!((&row["check"], row["status"].as_str()), (&json!(kind), Some("warning")), "{row:#}");
        assert!(row["message"].as_str().unwrap().contains(message), "{row:#}");
        assert!(row["fix"].as_str().unwrap().contains(command), "{row:#}");
    }
    assert_eq!(fix(about(&answer, "odd").unwrap(), "to adopt it: "), "", "no object can have this name");
    assert_eq!(answer.code, Some(0), "{}", answer.page);
    let summary = "Of 9 AWS users, 1 belong to an object of this cluster, 2 carry another cluster's owner tags or none, 6 lack their object, 0 are not known.";
    assert_eq!(answer.row("orphans")["message"], summary);
    only_read(&fixture).await;
    fixture.end().await;
}

#[tokio::test]
async fn a_user_of_a_namespace_that_check_may_not_read_is_unknown_and_no_orphan() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    let account = fixture.service_account("lean").await;
    for line in [
        "create role lists --verb=list --resource=elasticacheusers.elasticache-users.dev".to_owned(),
        format!("create rolebinding lists --role=lists --serviceaccount={}:lean", fixture.ns),
    ] {
        run(control_plane::shared(), &format!("kubectl --namespace {} {line}", fixture.ns)).await;
    }
    user_of(&fixture, "here", "nobody").await;
    fixture.aws.put_user("there", json!({ "Tags": tags(&fixture.cluster_id, "hidden", "app") })).await;
    let env = [("KUBECONFIG", &*account), ("ELASTICACHE_USERS_CLUSTER_ID", &*fixture.cluster_id)];
    let answer = until("the binding is known", || async {
        let answer = check(&fixture, &FAST, &env).await;
        (about(&answer, "here")?["check"] == "orphan").then_some(answer)
    })
    .await;
    let row = about(&answer, "there").unwrap();
    assert_eq!((&row["check"], &row["status"]), (&json!("orphan-unknown"), &json!("failed")), "{row:#}");
    assert!(row["fix"].is_null(), "no command for a user that may have its object: {row:#}");
    answer.fails("permission-objects", "in the namespace hidden", "--namespace hidden create role");
    assert_eq!(answer.code, Some(1), "the exit code must be 1 if something is unknown");
    fixture.end().await;
}

#[tokio::test]
async fn check_for_orphans_survives_throttling_and_prints_its_progress() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    for number in 0..230 {
        fixture.aws.put_user(&format!("many-{number:03}"), json!({})).await;
    }
    user_of(&fixture, "zz-last", "nobody").await;
    for action in ["DescribeUsers", "ListTagsForResource"] {
        fixture.aws.fault(Rule::on(action).throttle().skip(1).times(2)).await;
    }
    let answer = check(&fixture, &FAST, &[]).await;
    assert!(about(&answer, "zz-last").is_some() && answer.code == Some(0), "{}", answer.page);
    answer.ok("aws-users", "231 AWS users and their tags were read in account 123456789012");
    for says in
        ["100 AWS users listed so far", "reading the tags of 231 AWS users", "tags of 231 of 231 AWS users"]
    {
        assert!(answer.errors.contains(says), "{says}: {}", answer.errors);
    }
    only_read(&fixture).await;
    fixture.end().await;
}

#[tokio::test]
async fn check_for_orphans_keeps_to_the_rate_limit() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    for number in 0..40 {
        fixture.aws.put_user(&format!("many-{number}"), json!({})).await;
    }
    let slow = ["--orphans", "--aws-rate", "20", "--aws-burst", "1"];
    assert_eq!(check(&fixture, &slow, &[]).await.code, Some(0));
    let calls = fixture.aws.calls().await;
    let at = |call: &Value| call["At"].as_u64().unwrap();
    let took = Duration::from_millis(at(calls.last().unwrap()) - at(&calls[0]));
    assert_eq!(calls.len(), 41);
    assert!(took >= Duration::from_millis(1900), "41 calls at 20 a second took {took:?}");
    fixture.end().await;
}

#[tokio::test]
async fn check_for_orphans_reads_tags_again_if_aws_does_not_show_them() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    user_of(&fixture, "later", "nobody").await;
    user_of(&fixture, "never", "nobody").await;
    user_of(&fixture, "vanishes", "nobody").await;
    let hidden = |id: &str| Rule::on("ListTagsForResource").user(id).error("UserNotFound", 404);
    fixture.aws.fault(hidden("later").times(2)).await;
    fixture.aws.fault(hidden("never").always()).await;
    let last = fixture.aws.fault(hidden("vanishes").always()).await;
    let vanish = async {
        fixture.aws.struck(last, 1).await;
        fixture.aws.remove_user("vanishes").await;
    };
    let (answer, ()) = tokio::join!(check(&fixture, &FAST, &[]), vanish);
    assert_eq!(about(&answer, "later").unwrap()["check"], "orphan", "{}", answer.page);
    let never = about(&answer, "never").unwrap();
    assert!(never["check"] == "orphan-unknown" && never["fix"].is_null(), "{never:#}");
    assert!(about(&answer, "vanishes").is_none(), "a user that is gone is none: {}", answer.page);
    assert_eq!(fixture.aws.calls_of("ListTagsForResource", "never").await.len(), 4);
    assert_eq!(answer.code, Some(1), "the exit code must be 1 if something is unknown");
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_is_deleted_during_the_check_is_no_orphan() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    user_of(&fixture, "quick", "nobody").await;
    fixture.aws.put_user("slow", json!({})).await;
    let slow = Rule::on("ListTagsForResource").user("slow").slow(3000);
    let slow = fixture.aws.fault(slow).await;
    let vanish = async {
        fixture.aws.struck(slow, 1).await;
        until("the tags were read", async || fixture.aws.accepted("ListTagsForResource", "quick").await == 1)
            .await;
        fixture.aws.remove_user("quick").await;
    };
    let (answer, ()) = tokio::join!(check(&fixture, &FAST, &[]), vanish);
    assert!(about(&answer, "quick").is_none(), "{}", answer.page);
    assert_eq!(answer.code, Some(0));
    fixture.end().await;
}

#[tokio::test]
async fn a_check_for_orphans_that_is_interrupted_prints_what_it_found_and_fails() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    for number in 0..120 {
        fixture.aws.put_user(&format!("many-{number:03}"), json!({})).await;
    }
    user_of(&fixture, "aa-first", "nobody").await;
    let down = Rule::on("DescribeUsers").unavailable().skip(1).times(6);
    fixture.aws.fault(down).await;
    let answer = check(&fixture, &FAST, &[]).await;
    answer.fails("aws-users", "the list below is not complete", "HTTPS");
    assert!(about(&answer, "aa-first").is_some() && answer.code == Some(1), "{}", answer.page);
    fixture.aws.clear_faults().await;

    let expired = Rule::on("ListTagsForResource").error("ExpiredToken", 403).skip(60).always();
    fixture.aws.fault(expired).await;
    let answer = check(&fixture, &FAST, &[]).await;
    answer.fails("aws-users", "does not accept the credentials", "IAM role");
    let summary = answer.row("orphans")["message"].as_str().unwrap();
    assert!(summary.contains("are not known"), "{summary}");
    assert_eq!(answer.code, Some(1));
    fixture.aws.clear_faults().await;

    let denied = Rule::on("ListTagsForResource").user("aa-first").error("AccessDenied", 403).always();
    fixture.aws.fault(denied).await;
    let answer = check(&fixture, &FAST, &[]).await;
    answer.fails(
        "aws-list-tags",
        "which objects these AWS users belong to: aa-first.",
        "deploy/iam/policy.json",
    );
    assert_eq!(answer.code, Some(1));
    fixture.end().await;
}

#[tokio::test]
async fn without_the_crd_every_user_of_the_cluster_is_an_orphan() {
    let fixture = Fixture::without_operator(Setup::leaving_users()).await;
    let cluster = control_plane::bare().await;
    user_of(&fixture, "kept", "kept").await;
    let env = [
        ("KUBECONFIG", cluster.kubeconfig().to_str().unwrap()),
        ("ELASTICACHE_USERS_CLUSTER_ID", &*fixture.cluster_id),
    ];
    let answer = check(&fixture, &FAST, &env).await;
    assert_eq!(about(&answer, "kept").unwrap()["check"], "orphan", "{}", answer.page);
    answer.warns("orphans", "is not installed", "crd | kubectl apply");
    assert_eq!(answer.code, Some(0), "{}", answer.page);
    fixture.end().await;
}

#[tokio::test]
async fn flags_of_check_that_conflict_are_usage_errors() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let rows: [(&[&str], &str); 3] = [
        (&["--force"], "--force needs --uninstall"),
        (&["--orphans", "--force"], "--force needs --uninstall"),
        (&["--orphans", "--uninstall"], "two checks"),
    ];
    for (flags, says) in rows {
        let mut command = command(&fixture);
        command.args(flags);
        let output = control_plane::output(command).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {errors}");
        assert!(errors.contains(says) && errors.contains("check"), "{flags:?}: {errors}");
        assert!(output.stdout.is_empty(), "nothing was checked");
    }
    assert_eq!(fixture.aws.calls().await.len(), 0);
}

#[tokio::test]
async fn check_ends_quietly_if_its_output_is_closed() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    for table in [true, false] {
        let mut command = command(&fixture);
        if !table {
            command.args(["--output", "json"]);
        }
        let output = tokio::task::spawn_blocking(move || {
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            // The reader is gone before anything is written.
            drop(child.stdout.take());
            child.wait_with_output().unwrap()
        });
        let output = output.await.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        assert_eq!(output.status.code(), Some(1), "not everything was told");
    }
}
