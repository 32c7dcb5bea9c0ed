//! `check --orphans`: AWS users whose owner tags name an object that is not there, and what is not known about others.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, check, command, run};
use crate::control_plane;
use crate::fixture::{ACCOUNT, Fixture, REGION, Setup, iam, until};

/// Many calls at once, so that nothing but what a test is about takes time.
const FAST: [&str; 5] = ["--orphans", "--aws-rate", "1000", "--aws-burst", "1000"];

fn tags(cluster: &str, namespace: &str, name: &str) -> Value {
    json!({
        "elasticache-users.dev/cluster": cluster,
        "elasticache-users.dev/namespace": namespace,
        "elasticache-users.dev/name": name,
        "elasticache-users.dev/uid": "1",
    })
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

/// Fails unless nothing was asked of AWS but what changes nothing.
async fn only_read(fixture: &Fixture) {
    for call in fixture.aws.calls().await {
        let action = call["Action"].as_str().unwrap();
        assert!(["DescribeUsers", "ListTagsForResource"].contains(&action), "{call}");
    }
}

#[tokio::test]
async fn a_retained_user_is_listed_and_the_command_in_its_row_adopts_it() {
    let fixture = Fixture::with(Setup { leaves_users: true, ..Setup::default() }).await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Retain");
    spec["accessString"] = json!("on ~it's:* +@all");
    fixture.ready("retained", spec).await;
    let before = check(&fixture, &FAST, &[]).await;
    assert!(about(&before, "retained").is_none(), "its object is there: {}", before.page);
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
    assert_eq!(
        (after.code, after.row("orphans")["status"].as_str()),
        (Some(0), Some("ok")),
        "{}",
        after.page
    );
    fixture.deleted("retained").await;
    fixture.end().await;
}

#[tokio::test]
async fn the_tags_and_the_object_that_they_name_tell_an_orphan() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    for (name, user_id) in [("owning", "owned"), ("elsewhere", "other"), ("successor", "claimed")] {
        let mut spec = iam();
        spec["userID"] = json!(user_id);
        fixture.create(name, spec).await;
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
    fixture
        .aws
        .put_user("odd", json!({ "Tags": tags(&fixture.cluster_id, "a/b;reboot", "$(reboot)") }))
        .await;
    fixture.aws.put_user("worded", json!({ "Passwords": ["a-long-enough-passphrase"] })).await;
    fixture.aws.put_user("worded", json!({ "Tags": tags(&fixture.cluster_id, &fixture.ns, "worded") })).await;

    let answer = check(&fixture, &FAST, &[]).await;
    let none: Vec<&str> = ["owned", "leaving", "untagged", "foreign", "default"]
        .into_iter()
        .filter(|id| about(&answer, id).is_some())
        .collect();
    assert!(none.is_empty(), "{none:?}: {}", answer.page);
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
async fn a_user_of_a_namespace_that_may_not_be_read_is_not_known() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    for line in [
        "create role lists --verb=list --resource=elasticacheusers.elasticache-users.dev",
        "create serviceaccount lean",
    ] {
        run(control_plane::shared(), &format!("kubectl --namespace {} {line}", fixture.ns)).await;
    }
    let binding = format!(
        "kubectl --namespace {0} create rolebinding lists --role=lists --serviceaccount={0}:lean",
        fixture.ns
    );
    run(control_plane::shared(), &binding).await;
    user_of(&fixture, "here", "nobody").await;
    fixture.aws.put_user("there", json!({ "Tags": tags(&fixture.cluster_id, "hidden", "app") })).await;
    let cluster = control_plane::shared();
    let namespace = fixture.ns.clone();
    let account =
        tokio::task::spawn_blocking(move || cluster.service_account_kubeconfig(&namespace, "lean").unwrap());
    let account = account.await.unwrap();
    let env = [("KUBECONFIG", account.to_str().unwrap()), ("CLUSTER_ID", &*fixture.cluster_id)];
    let answer = until("the binding is known", || async {
        let answer = check(&fixture, &FAST, &env).await;
        (about(&answer, "here")?["check"] == "orphan").then_some(answer)
    })
    .await;
    let row = about(&answer, "there").unwrap();
    assert_eq!(
        (row["check"].as_str(), row["status"].as_str()),
        (Some("orphan-unknown"), Some("failed")),
        "{row:#}"
    );
    assert!(row["fix"].is_null(), "no command for a user that may have its object: {row:#}");
    answer.says(
        "how to read it",
        "permission-objects",
        "failed",
        "in the namespace hidden",
        "--namespace hidden create role",
    );
    assert_eq!(answer.code, Some(1), "something could not be asked");
    fixture.end().await;
}

#[tokio::test]
async fn pages_are_walked_through_throttling_and_the_progress_is_said() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    for number in 0..230 {
        fixture.aws.put_user(&format!("many-{number:03}"), json!({})).await;
    }
    user_of(&fixture, "zz-last", "nobody").await;
    for action in ["DescribeUsers", "ListTagsForResource"] {
        fixture.aws.fault(json!({ "Action": action, "Kind": "throttle", "Skip": 1, "Times": 2 })).await;
    }
    let answer = check(&fixture, &FAST, &[]).await;
    assert!(about(&answer, "zz-last").is_some() && answer.code == Some(0), "{}", answer.page);
    answer.says(
        "all pages",
        "aws-users",
        "ok",
        "231 AWS users and their tags were read in account 123456789012",
        "",
    );
    for says in
        ["100 AWS users listed so far", "reading the tags of 231 AWS users", "tags of 231 of 231 AWS users"]
    {
        assert!(answer.errors.contains(says), "{says}: {}", answer.errors);
    }
    only_read(&fixture).await;
    fixture.end().await;
}

#[tokio::test]
async fn the_walk_keeps_to_the_rate() {
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
async fn tags_that_aws_does_not_show_are_asked_for_again() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    user_of(&fixture, "later", "nobody").await;
    user_of(&fixture, "never", "nobody").await;
    user_of(&fixture, "vanishes", "nobody").await;
    let hidden = |id: &str, times: Value| {
        json!({
            "Action": "ListTagsForResource", "UserId": id, "Times": times,
            "Kind": "error", "Code": "UserNotFound", "Status": 404,
        })
    };
    fixture.aws.fault(hidden("later", json!(2))).await;
    fixture.aws.fault(hidden("never", Value::Null)).await;
    let last = fixture.aws.fault(hidden("vanishes", Value::Null)).await;
    let vanish = async {
        fixture.aws.struck(last, 1).await;
        fixture.aws.remove_user("vanishes").await;
    };
    let (answer, ()) = tokio::join!(check(&fixture, &FAST, &[]), vanish);
    assert_eq!(about(&answer, "later").unwrap()["check"], "orphan", "{}", answer.page);
    let never = about(&answer, "never").unwrap();
    assert_eq!(
        (never["check"].as_str(), never["fix"].is_null()),
        (Some("orphan-unknown"), true),
        "{never:#}"
    );
    assert!(about(&answer, "vanishes").is_none(), "a user that is gone is none: {}", answer.page);
    assert_eq!(fixture.aws.calls_of("ListTagsForResource", "never").await.len(), 4);
    assert_eq!(answer.code, Some(1), "something could not be asked");
    fixture.end().await;
}

#[tokio::test]
async fn a_user_that_goes_during_the_walk_is_no_orphan() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    user_of(&fixture, "quick", "nobody").await;
    fixture.aws.put_user("slow", json!({})).await;
    let slow = json!({ "Action": "ListTagsForResource", "UserId": "slow", "Kind": "slow", "Ms": 3000 });
    let slow = fixture.aws.fault(slow).await;
    let vanish = async {
        fixture.aws.struck(slow, 1).await;
        until("the tags were read", || async {
            (fixture.aws.accepted("ListTagsForResource", "quick").await == 1).then_some(())
        })
        .await;
        fixture.aws.remove_user("quick").await;
    };
    let (answer, ()) = tokio::join!(check(&fixture, &FAST, &[]), vanish);
    assert!(about(&answer, "quick").is_none(), "{}", answer.page);
    assert_eq!(answer.code, Some(0));
    fixture.end().await;
}

#[tokio::test]
async fn a_walk_that_is_interrupted_tells_what_it_found_and_fails() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    for number in 0..120 {
        fixture.aws.put_user(&format!("many-{number:03}"), json!({})).await;
    }
    user_of(&fixture, "aa-first", "nobody").await;
    let down = json!({ "Action": "DescribeUsers", "Kind": "unavailable", "Skip": 1, "Times": 6 });
    fixture.aws.fault(down).await;
    let answer = check(&fixture, &FAST, &[]).await;
    answer.says("the pages", "aws-users", "failed", "the list below is not complete", "HTTPS");
    assert!(about(&answer, "aa-first").is_some() && answer.code == Some(1), "{}", answer.page);
    fixture.aws.clear_faults().await;

    let expired = json!({ "Action": "ListTagsForResource", "Kind": "error", "Code": "ExpiredToken", "Status": 403, "Skip": 60, "Times": null });
    fixture.aws.fault(expired).await;
    let answer = check(&fixture, &FAST, &[]).await;
    answer.says("the tags", "aws-users", "failed", "does not accept the credentials", "IAM role");
    assert!(answer.row("orphans")["message"].as_str().unwrap().contains("are not known"), "{}", answer.page);
    assert_eq!(answer.code, Some(1));
    fixture.aws.clear_faults().await;

    let denied = json!({ "Action": "ListTagsForResource", "UserId": "aa-first", "Kind": "error", "Code": "AccessDenied", "Status": 403, "Times": null });
    fixture.aws.fault(denied).await;
    let answer = check(&fixture, &FAST, &[]).await;
    answer.says(
        "one user",
        "aws-list-tags",
        "failed",
        "which objects these AWS users belong to: aa-first.",
        "deploy/iam/policy.json",
    );
    assert_eq!(answer.code, Some(1));
    fixture.end().await;
}

#[tokio::test]
async fn without_the_definition_every_user_of_the_cluster_lacks_its_object() {
    let fixture = Fixture::without_operator(Setup { leaves_users: true, ..Setup::default() }).await;
    let cluster =
        tokio::task::spawn_blocking(|| cluster::Cluster::start(cluster::Options::default()).unwrap());
    let cluster = cluster.await.unwrap();
    user_of(&fixture, "kept", "kept").await;
    let env = [("KUBECONFIG", cluster.kubeconfig().to_str().unwrap()), ("CLUSTER_ID", &*fixture.cluster_id)];
    let answer = check(&fixture, &FAST, &env).await;
    assert_eq!(about(&answer, "kept").unwrap()["check"], "orphan", "{}", answer.page);
    answer.says("the definition", "orphans", "warning", "is not installed", "crd | kubectl apply");
    assert_eq!(answer.code, Some(0), "{}", answer.page);
    fixture.end().await;
}

#[tokio::test]
async fn flags_that_do_not_go_together_are_usage_errors() {
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
async fn a_reader_that_goes_away_ends_it_quietly() {
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
