//! `check --orphans`: AWS users whose owner tags name an object that is not there, and what is not known about others.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, check, command, run};
use crate::stage::{ACCOUNT, REGION, Setting, Stage, iam, until};
use crate::world;

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

/// Makes a user in AWS that carries the tags of the object of this name in the stage's namespace.
async fn user_of(stage: &Stage, id: &str, name: &str) {
    let members =
        json!({ "Tags": tags(&stage.cluster_id, &stage.ns, name), "Authentication": { "Type": "iam" } });
    stage.aws.put_user(id, members).await;
}

/// The row about a user.
fn about<'a>(answer: &'a Answer, id: &str) -> Option<&'a Value> {
    answer.rows.iter().find(|row| row["userID"] == id)
}

fn fix(row: &Value, way: &str) -> String {
    let lines = row["mend"].as_str().unwrap_or_default().lines();
    lines.filter_map(|line| line.strip_prefix(way)).collect()
}

/// Fails unless nothing was asked of AWS but what changes nothing.
async fn only_read(stage: &Stage) {
    for call in stage.aws.calls().await {
        let action = call["Action"].as_str().unwrap();
        assert!(["DescribeUsers", "ListTagsForResource"].contains(&action), "{call}");
    }
}

#[tokio::test]
async fn a_retained_user_is_listed_and_the_command_in_its_row_adopts_it() {
    let stage = Stage::set(Setting { leaves_users: true, ..Setting::default() }).await;
    let mut spec = iam();
    spec["deletionPolicy"] = json!("Retain");
    spec["accessString"] = json!("on ~it's:* +@all");
    stage.ready("retained", spec).await;
    let before = check(&stage, &FAST, &[]).await;
    assert!(about(&before, "retained").is_none(), "its object is there: {}", before.page);
    stage.deleted("retained").await;

    let answer = check(&stage, &FAST, &[]).await;
    let row = about(&answer, "retained").unwrap_or_else(|| panic!("{}", answer.page));
    assert_eq!((row["check"].as_str(), row["status"].as_str()), (Some("orphan"), Some("warning")), "{row:#}");
    assert_eq!((row["namespace"].as_str(), row["name"].as_str()), (Some(&*stage.ns), Some("retained")));
    assert_eq!(row["arn"], format!("arn:aws:elasticache:{REGION}:{ACCOUNT}:user:retained"));
    let owner =
        format!("names as its owner the ElastiCacheUser {}/retained, which does not exist.", stage.ns);
    assert!(row["message"].as_str().unwrap().ends_with(&owner), "{row:#}");
    let delete = format!("aws elasticache delete-user --user-id retained --region {REGION}");
    assert_eq!(fix(row, "to delete it: "), delete);
    assert_eq!(answer.code, Some(0), "an orphan is no failure: {}", answer.page);
    assert_eq!(answer.row("orphans")["status"], "warning");

    run(world::control_plane(), &fix(row, "to adopt it: ")).await;
    stage.is_ready("retained").await;
    assert_eq!(stage.aws.accepted("CreateUser", "retained").await, 1, "the user is the same one");
    let after = check(&stage, &FAST, &[]).await;
    assert_eq!(
        (after.code, after.row("orphans")["status"].as_str()),
        (Some(0), Some("ok")),
        "{}",
        after.page
    );
    stage.deleted("retained").await;
    stage.end().await;
}

#[tokio::test]
async fn the_tags_and_the_object_that_they_name_tell_an_orphan() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    for (name, user_id) in [("owning", "owned"), ("elsewhere", "other"), ("successor", "claimed")] {
        let mut spec = iam();
        spec["userID"] = json!(user_id);
        stage.create(name, spec).await;
    }
    user_of(&stage, "owned", "owning").await;
    user_of(&stage, "gone", "nobody").await;
    user_of(&stage, "left", "elsewhere").await;
    user_of(&stage, "claimed", "predecessor").await;
    user_of(&stage, "leaving", "nobody").await;
    stage.aws.put_user("leaving", json!({ "Status": "deleting" })).await;
    stage.aws.put_user("untagged", json!({})).await;
    stage.aws.put_user("foreign", json!({ "Tags": tags("another-cluster", &stage.ns, "nobody") })).await;
    let mut part = tags(&stage.cluster_id, &stage.ns, "nobody");
    part.as_object_mut().unwrap().remove("elasticache-users.dev/name");
    stage.aws.put_user("partial", json!({ "Tags": part })).await;
    stage.aws.put_user("odd", json!({ "Tags": tags(&stage.cluster_id, "a/b;reboot", "$(reboot)") })).await;
    stage.aws.put_user("worded", json!({ "Passwords": ["a-long-enough-passphrase"] })).await;
    stage.aws.put_user("worded", json!({ "Tags": tags(&stage.cluster_id, &stage.ns, "worded") })).await;

    let answer = check(&stage, &FAST, &[]).await;
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
        assert!(row["mend"].as_str().unwrap().contains(command), "{row:#}");
    }
    assert_eq!(fix(about(&answer, "odd").unwrap(), "to adopt it: "), "", "no object can have this name");
    assert_eq!(answer.code, Some(0), "{}", answer.page);
    let summary = "Of 9 AWS users, 1 belong to an object of this cluster, 2 carry another cluster's owner tags or none, 6 lack their object, 0 could not be told.";
    assert_eq!(answer.row("orphans")["message"], summary);
    only_read(&stage).await;
    stage.end().await;
}

#[tokio::test]
async fn a_user_of_a_namespace_that_may_not_be_read_is_not_known() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    for line in [
        "create role lists --verb=list --resource=elasticacheusers.elasticache-users.dev",
        "create serviceaccount lean",
    ] {
        run(world::control_plane(), &format!("kubectl --namespace {} {line}", stage.ns)).await;
    }
    let binding = format!(
        "kubectl --namespace {0} create rolebinding lists --role=lists --serviceaccount={0}:lean",
        stage.ns
    );
    run(world::control_plane(), &binding).await;
    user_of(&stage, "here", "nobody").await;
    stage.aws.put_user("there", json!({ "Tags": tags(&stage.cluster_id, "hidden", "app") })).await;
    let cluster = world::control_plane();
    let namespace = stage.ns.clone();
    let account =
        tokio::task::spawn_blocking(move || cluster.service_account_kubeconfig(&namespace, "lean").unwrap());
    let account = account.await.unwrap();
    let env = [("KUBECONFIG", account.to_str().unwrap()), ("CLUSTER_ID", &*stage.cluster_id)];
    let answer = until("the binding is known", || async {
        let answer = check(&stage, &FAST, &env).await;
        (about(&answer, "here")?["check"] == "orphan").then_some(answer)
    })
    .await;
    let row = about(&answer, "there").unwrap();
    assert_eq!(
        (row["check"].as_str(), row["status"].as_str()),
        (Some("orphan-unknown"), Some("failed")),
        "{row:#}"
    );
    assert!(row["mend"].is_null(), "no command for a user that may have its object: {row:#}");
    answer.says(
        "how to read it",
        "permission-objects",
        "failed",
        "in the namespace hidden",
        "--namespace hidden create role",
    );
    assert_eq!(answer.code, Some(1), "something could not be asked");
    stage.end().await;
}

#[tokio::test]
async fn pages_are_walked_through_throttling_and_the_progress_is_said() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    for number in 0..230 {
        stage.aws.put_user(&format!("many-{number:03}"), json!({})).await;
    }
    user_of(&stage, "zz-last", "nobody").await;
    for action in ["DescribeUsers", "ListTagsForResource"] {
        stage.aws.fault(json!({ "Action": action, "Kind": "throttle", "Skip": 1, "Times": 2 })).await;
    }
    let answer = check(&stage, &FAST, &[]).await;
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
    only_read(&stage).await;
    stage.end().await;
}

#[tokio::test]
async fn the_walk_keeps_to_the_rate() {
    let stage = Stage::dark(Setting::default()).await;
    for number in 0..40 {
        stage.aws.put_user(&format!("many-{number}"), json!({})).await;
    }
    let slow = ["--orphans", "--aws-rate", "20", "--aws-burst", "1"];
    assert_eq!(check(&stage, &slow, &[]).await.code, Some(0));
    let calls = stage.aws.calls().await;
    let at = |call: &Value| call["At"].as_u64().unwrap();
    let took = Duration::from_millis(at(calls.last().unwrap()) - at(&calls[0]));
    assert_eq!(calls.len(), 41);
    assert!(took >= Duration::from_millis(1900), "41 calls at 20 a second took {took:?}");
    stage.end().await;
}

#[tokio::test]
async fn tags_that_aws_does_not_show_are_asked_for_again() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    user_of(&stage, "later", "nobody").await;
    user_of(&stage, "never", "nobody").await;
    user_of(&stage, "vanishes", "nobody").await;
    let hidden = |id: &str, times: Value| {
        json!({
            "Action": "ListTagsForResource", "UserId": id, "Times": times,
            "Kind": "error", "Code": "UserNotFound", "Status": 404,
        })
    };
    stage.aws.fault(hidden("later", json!(2))).await;
    stage.aws.fault(hidden("never", Value::Null)).await;
    let last = stage.aws.fault(hidden("vanishes", Value::Null)).await;
    let vanish = async {
        stage.aws.struck(last, 1).await;
        stage.aws.remove_user("vanishes").await;
    };
    let (answer, ()) = tokio::join!(check(&stage, &FAST, &[]), vanish);
    assert_eq!(about(&answer, "later").unwrap()["check"], "orphan", "{}", answer.page);
    let never = about(&answer, "never").unwrap();
    assert_eq!(
        (never["check"].as_str(), never["mend"].is_null()),
        (Some("orphan-unknown"), true),
        "{never:#}"
    );
    assert!(about(&answer, "vanishes").is_none(), "a user that is gone is none: {}", answer.page);
    assert_eq!(stage.aws.calls_of("ListTagsForResource", "never").await.len(), 4);
    assert_eq!(answer.code, Some(1), "something could not be asked");
    stage.end().await;
}

#[tokio::test]
async fn a_user_that_goes_during_the_walk_is_no_orphan() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    user_of(&stage, "quick", "nobody").await;
    stage.aws.put_user("slow", json!({})).await;
    let slow = json!({ "Action": "ListTagsForResource", "UserId": "slow", "Kind": "slow", "Ms": 3000 });
    let slow = stage.aws.fault(slow).await;
    let vanish = async {
        stage.aws.struck(slow, 1).await;
        until("the tags were read", || async {
            (stage.aws.accepted("ListTagsForResource", "quick").await == 1).then_some(())
        })
        .await;
        stage.aws.remove_user("quick").await;
    };
    let (answer, ()) = tokio::join!(check(&stage, &FAST, &[]), vanish);
    assert!(about(&answer, "quick").is_none(), "{}", answer.page);
    assert_eq!(answer.code, Some(0));
    stage.end().await;
}

#[tokio::test]
async fn a_walk_that_is_interrupted_tells_what_it_found_and_fails() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    for number in 0..120 {
        stage.aws.put_user(&format!("many-{number:03}"), json!({})).await;
    }
    user_of(&stage, "aa-first", "nobody").await;
    let down = json!({ "Action": "DescribeUsers", "Kind": "unavailable", "Skip": 1, "Times": 6 });
    stage.aws.fault(down).await;
    let answer = check(&stage, &FAST, &[]).await;
    answer.says("the pages", "aws-users", "failed", "the list below is not complete", "HTTPS");
    assert!(about(&answer, "aa-first").is_some() && answer.code == Some(1), "{}", answer.page);
    stage.aws.heal().await;

    let expired = json!({ "Action": "ListTagsForResource", "Kind": "error", "Code": "ExpiredToken", "Status": 403, "Skip": 60, "Times": null });
    stage.aws.fault(expired).await;
    let answer = check(&stage, &FAST, &[]).await;
    answer.says("the tags", "aws-users", "failed", "does not take the credentials", "IAM role");
    assert!(
        answer.row("orphans")["message"].as_str().unwrap().contains("could not be told"),
        "{}",
        answer.page
    );
    assert_eq!(answer.code, Some(1));
    stage.aws.heal().await;

    let denied = json!({ "Action": "ListTagsForResource", "UserId": "aa-first", "Kind": "error", "Code": "AccessDenied", "Status": 403, "Times": null });
    stage.aws.fault(denied).await;
    let answer = check(&stage, &FAST, &[]).await;
    answer.says(
        "one user",
        "aws-list-tags",
        "failed",
        "1 AWS user are, is not known: aa-first.",
        "deploy/iam/policy.json",
    );
    assert_eq!(answer.code, Some(1));
    stage.end().await;
}

#[tokio::test]
async fn without_the_definition_every_user_of_the_cluster_lacks_its_object() {
    let stage = Stage::dark(Setting { leaves_users: true, ..Setting::default() }).await;
    let cluster =
        tokio::task::spawn_blocking(|| cluster::Cluster::start(cluster::Options::default()).unwrap());
    let cluster = cluster.await.unwrap();
    user_of(&stage, "kept", "kept").await;
    let env = [("KUBECONFIG", cluster.kubeconfig().to_str().unwrap()), ("CLUSTER_ID", &*stage.cluster_id)];
    let answer = check(&stage, &FAST, &env).await;
    assert_eq!(about(&answer, "kept").unwrap()["check"], "orphan", "{}", answer.page);
    answer.says("the definition", "orphans", "warning", "is not installed", "crd | kubectl apply");
    assert_eq!(answer.code, Some(0), "{}", answer.page);
    stage.end().await;
}

#[tokio::test]
async fn flags_that_do_not_go_together_are_usage_errors() {
    let stage = Stage::dark(Setting::default()).await;
    let rows: [(&[&str], &str); 3] = [
        (&["--force"], "--force is about --uninstall"),
        (&["--orphans", "--force"], "--force is about --uninstall"),
        (&["--orphans", "--uninstall"], "two checks"),
    ];
    for (flags, says) in rows {
        let mut command = command(&stage);
        command.args(flags);
        let output = world::output(command).await;
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{flags:?}: {errors}");
        assert!(errors.contains(says) && errors.contains("check"), "{flags:?}: {errors}");
        assert!(output.stdout.is_empty(), "nothing was checked");
    }
    assert_eq!(stage.aws.calls().await.len(), 0);
}

#[tokio::test]
async fn a_reader_that_goes_away_ends_it_quietly() {
    let stage = Stage::dark(Setting::default()).await;
    for table in [true, false] {
        let mut command = command(&stage);
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
