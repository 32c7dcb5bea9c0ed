//! `check --uninstall` refuses the uninstall while a user would be lost.

use cluster::Cluster;
use elasticache_user_operator::api;
use serde_json::{Value, json};

use super::{check, run};
use crate::control_plane;
use crate::fixture::{Fixture, Setup, iam, prevent_deletion, until, with};

#[tokio::test]
async fn check_refuses_the_uninstall_while_a_user_would_be_lost() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    // With pages of two objects, check has to read three pages.
    let env = [("ELASTICACHE_USERS_PAGE_SIZE", "2")];
    let answer = check(&fixture, &["--uninstall"], &env).await;
    answer.ok("objects", "of 0 objects none");

    fixture.create("kept", with(iam(), json!({ "deletionPolicy": "Retain" }))).await;
    fixture.create("seen", with(iam(), json!({ "managementPolicy": "Observe" }))).await;
    let answer = check(&fixture, &["--uninstall"], &env).await;
    answer.ok("objects", "of 2 objects none");

    fixture.create("slept", with(iam(), json!({ "suspend": true }))).await;
    for name in ["a", "b"] {
        fixture.create(name, iam()).await;
    }
    let answer = check(&fixture, &["--uninstall"], &env).await;
    let ns = &fixture.ns;
    let names = format!(
        "(deletionPolicy Delete). Without the operator it would be left behind: {ns}/a, {ns}/b, {ns}/slept."
    );
    answer.fails(
        "objects-delete",
        "3 objects have an AWS user that should be deleted with the object",
        "--force",
    );
    answer.fails("objects-delete", &names, "");
    let suspended =
        format!("These are suspended, so their deletion waits until spec.suspend is false: {ns}/slept.");
    answer.fails("objects-delete", &suspended, "");
    assert_eq!(answer.rows.len(), 2, "AWS and the rest are none of its business: {}", answer.page);

    let forced = check(&fixture, &["--uninstall", "--force"], &env).await;
    forced.warns("objects-delete", "--force", "Retain");
    assert_eq!(forced.code, Some(0));
    let retained = check(&fixture, &["--uninstall", "--default-deletion-policy", "Retain"], &env).await;
    assert_eq!(retained.code, Some(0), "{}", retained.page);

    // The first solution that the row names.
    let fix = answer.row("objects-delete")["fix"].as_str().unwrap().to_owned();
    let keep = fix.lines().find_map(|line| line.strip_prefix("to keep the AWS users: ")).unwrap();
    run(control_plane::shared(), keep).await;
    let answer = check(&fixture, &["--uninstall"], &env).await;
    answer.ok("objects", "of 5 objects none");
}

#[tokio::test]
async fn check_refuses_the_uninstall_while_a_deletion_is_under_way() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    fixture.patch("app", prevent_deletion(true)).await;
    fixture.delete("app").await;
    fixture.reason("app", "DeletionProtected").await;
    let answer = check(&fixture, &["--uninstall"], &[]).await;
    let names = "1 object is being deleted. Without the operator the deletion never ends, and the AWS user is left behind";
    answer.fails("objects-deleting", &format!("{names}: {}/app.", fixture.ns), "describe ecu app");
    answer.fails(
        "objects-deleting",
        &format!("prevent-deletion prevents the deletion of {}/app.", fixture.ns),
        "",
    );
    fixture.patch("app", prevent_deletion(false)).await;
    fixture.gone("app").await;
    assert_eq!(check(&fixture, &["--uninstall"], &[]).await.code, Some(0));

    // An object with `Retain` does not block the uninstall. A row says that its finalizer stays.
    fixture.ready("kept", with(iam(), json!({ "deletionPolicy": "Retain" }))).await;
    let answer = check(&fixture, &["--uninstall"], &[]).await;
    answer.warns("objects-finalizer", "1 object has an AWS user that stays", "get ecu");
    assert_eq!(answer.code, Some(0));
    fixture.end().await;
}

#[tokio::test]
async fn check_refuses_the_uninstall_if_it_may_not_list_objects() {
    let fixture = Fixture::without_operator(Setup::default()).await;
    let account = fixture.service_account("blind").await;
    let env = [("KUBECONFIG", &*account)];
    let answer = check(&fixture, &["--uninstall"], &env).await;
    answer.fails("objects", "cannot be listed", "--verb=list");
    let forced = check(&fixture, &["--uninstall", "--force"], &env).await;
    assert_eq!((forced.code, forced.with("warning")), (Some(0), vec!["objects"]));
    super::fix(control_plane::shared(), answer.row("objects")).await;
    until("check may list objects", async || check(&fixture, &["--uninstall"], &env).await.code == Some(0))
        .await;
}

/// The CRD without rules and fields.
pub(super) fn lax_definition() -> Value {
    let mut definition = serde_json::to_value(api::crd()).unwrap();
    let version = &mut definition["spec"]["versions"][0];
    version["schema"] =
        json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    version.as_object_mut().unwrap().remove("selectableFields");
    definition
}

/// Objects whose fields have other types than in any version of the CRD are counted like other objects.
pub(super) async fn odd_objects_count(fixture: &Fixture, cluster: &Cluster, env: &[(&str, &str)]) {
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
    let answer = check(fixture, &["--uninstall"], env).await;
    answer.fails("objects-delete", "3 objects have", "for ns in default;");
    run(cluster, "kubectl delete ecu --all").await;
}

#[tokio::test]
async fn check_names_the_objects_of_a_namespace_that_is_not_watched_any_more() {
    let fixture = Fixture::new().await;
    fixture.ready("app", iam()).await;
    fixture.kill();
    fixture.delete("app").await;
    let named = format!("{}/app (is being deleted)", fixture.ns);
    for args in [&[][..], &["--uninstall"]] {
        let answer = check(&fixture, args, &[("ELASTICACHE_USERS_NAMESPACE", "default")]).await;
        // Other tests have objects in other namespaces too, and the message may not name all of them.
        let row = answer.find("unwatched").unwrap_or_else(|| panic!("{args:?}"));
        assert_eq!(row["status"], "warning", "{row:#}");
        let message = row["message"].as_str().unwrap();
        assert!(message.contains(&named) || message.contains(" more"), "{message}");
    }
    let own = check(&fixture, &[], &[]).await;
    assert!(!own.find("unwatched").is_some_and(|row| row["message"].as_str().unwrap().contains(&named)));
    fixture.start();
    fixture.gone("app").await;
    fixture.end().await;
}
