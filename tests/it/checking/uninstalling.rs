//! `check --uninstall`: it refuses while a user would be lost.

use cluster::Cluster;
use elasticache_user_operator::api;
use serde_json::{Value, json};

use super::{check, run};
use crate::stage::{Setting, Stage, iam, until};
use crate::world;

/// A spec with more members.
fn with(members: &Value) -> Value {
    let mut spec = iam();
    spec.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    spec
}

#[tokio::test]
async fn it_refuses_while_a_user_would_be_lost() {
    let stage = Stage::dark(Setting::default()).await;
    // So that three pages are read.
    let env = [("PAGE_SIZE", "2")];
    let answer = check(&stage, &["--uninstall"], &env).await;
    answer.says("nothing there", "objects", "ok", "of 0 objects none", "");

    stage.create("kept", with(&json!({ "deletionPolicy": "Retain" }))).await;
    stage.create("seen", with(&json!({ "managementPolicy": "Observe" }))).await;
    let answer = check(&stage, &["--uninstall"], &env).await;
    answer.says("nothing to lose", "objects", "ok", "of 2 objects none", "");

    stage.create("slept", with(&json!({ "suspend": true }))).await;
    for name in ["a", "b"] {
        stage.create(name, iam()).await;
    }
    let answer = check(&stage, &["--uninstall"], &env).await;
    let names = format!(
        "3 objects have an AWS user that should go with the object (deletionPolicy Delete) and would be left without an owner: {0}/a, {0}/b, {0}/slept.",
        stage.ns
    );
    answer.says("Delete", "objects-delete", "failed", &names, "--force");
    answer.says(
        "suspended",
        "objects-delete",
        "failed",
        &format!("Suspended, so that their deletion waits until spec.suspend is false: {}/slept.", stage.ns),
        "",
    );
    assert_eq!(answer.rows.len(), 2, "AWS and the rest are none of its business: {}", answer.page);

    let forced = check(&stage, &["--uninstall", "--force"], &env).await;
    forced.says("by force", "objects-delete", "warning", "--force", "Retain");
    assert_eq!(forced.code, Some(0));
    let retained = check(&stage, &["--uninstall", "--default-deletion-policy", "Retain"], &env).await;
    assert_eq!(retained.code, Some(0), "{}", retained.page);

    // The first way out that it names.
    let mend = answer.row("objects-delete")["mend"].as_str().unwrap().to_owned();
    let keep = mend.lines().find_map(|line| line.strip_prefix("to keep the AWS users: ")).unwrap();
    run(world::control_plane(), keep).await;
    let answer = check(&stage, &["--uninstall"], &env).await;
    answer.says("all retained", "objects", "ok", "of 5 objects none", "");
}

#[tokio::test]
async fn it_refuses_while_a_deletion_is_under_way() {
    let stage = Stage::new().await;
    stage.ready("app", iam()).await;
    let held = json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": "true" } } });
    stage.patch("app", held).await;
    stage.delete("app").await;
    stage.reason("app", "DeletionProtected").await;
    let answer = check(&stage, &["--uninstall"], &[]).await;
    let names = format!(
        "1 object is on the way out, and would hang there with the AWS user left behind: {}/app.",
        stage.ns
    );
    answer.says("leaving", "objects-deleting", "failed", &names, "describe ecu app");
    answer.says(
        "held",
        "objects-deleting",
        "failed",
        &format!("prevent-deletion holds {}/app.", stage.ns),
        "",
    );
    let free = json!({ "metadata": { "annotations": { "elasticache-users.dev/prevent-deletion": null } } });
    stage.patch("app", free).await;
    stage.gone("app").await;
    assert_eq!(check(&stage, &["--uninstall"], &[]).await.code, Some(0));

    // Retained, and looked after: the operator can go, and is told what the object will miss.
    stage.ready("kept", with(&json!({ "deletionPolicy": "Retain" }))).await;
    let answer = check(&stage, &["--uninstall"], &[]).await;
    answer.says("retained", "objects-finalizer", "warning", "1 object has an AWS user that stays", "get ecu");
    assert_eq!(answer.code, Some(0));
    stage.end().await;
}

#[tokio::test]
async fn it_refuses_where_it_may_not_look() {
    let stage = Stage::dark(Setting::default()).await;
    let namespace = stage.ns.clone();
    let account = tokio::task::spawn_blocking(move || {
        world::control_plane().service_account_kubeconfig(&namespace, "blind").unwrap()
    });
    let account = account.await.unwrap();
    let env = [("KUBECONFIG", account.to_str().unwrap())];
    let answer = check(&stage, &["--uninstall"], &env).await;
    answer.says("no list", "objects", "failed", "cannot be listed", "--verb=list");
    let forced = check(&stage, &["--uninstall", "--force"], &env).await;
    assert_eq!((forced.code, forced.with("warning")), (Some(0), vec!["objects"]));
    super::mend(world::control_plane(), answer.row("objects")).await;
    until("it may look", || async {
        (check(&stage, &["--uninstall"], &env).await.code == Some(0)).then_some(())
    })
    .await;
}

/// The definition without rules and fields.
pub(super) fn lax_definition() -> Value {
    let mut definition = serde_json::to_value(api::crd()).unwrap();
    let version = &mut definition["spec"]["versions"][0];
    version["schema"] =
        json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    version.as_object_mut().unwrap().remove("selectableFields");
    definition
}

/// Objects whose members are of other types than any version has known are counted like others.
pub(super) async fn odd_objects_count(stage: &Stage, cluster: &Cluster, env: &[(&str, &str)]) {
    let specs = [json!(5), json!({ "deletionPolicy": 7, "authentication": "x", "tags": [] }), json!(null)];
    let odd = specs.iter().enumerate().map(|(number, spec)| {
        json!({
            "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
            "metadata": { "name": format!("odd-{number}"), "namespace": "default" },
            "spec": spec, "status": [],
        })
    });
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": odd.collect::<Vec<_>>() });
    let file = cluster.dir().join("odd.json");
    std::fs::write(&file, list.to_string()).unwrap();
    run(cluster, &format!("kubectl create --validate=false -f {}", file.display())).await;
    let answer = check(stage, &["--uninstall"], env).await;
    answer.says("odd objects", "objects-delete", "failed", "3 objects have", "for ns in default;");
    run(cluster, "kubectl delete ecu --all").await;
}
