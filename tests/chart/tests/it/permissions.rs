//! What the rendered roles allow, asked of the API server's own authorizer.

use chart::is_role;
use serde_json::Value;
use support::repository::path;

use crate::fixture::{LEAST, RELEASE, control_plane, eventually, file, get, kubectl, rendered, values};

/// Applies the roles of a rendering; those are its namespaces.
fn grant(namespaces: &[&str], arguments: &[&str]) {
    for namespace in namespaces {
        kubectl(&["create", "namespace", namespace]);
    }
    let namespace = namespaces[0];
    let roles: Vec<Value> = rendered(namespace, arguments).into_iter().filter(is_role).collect();
    assert!(roles.len() > 3);
    kubectl(&["apply", "--server-side", "--filename", &file(namespace, &roles)]);
}

/// Whether the operator of that namespace may.
fn may(operator: &str, namespace: &str, verb: &str, what: &str) -> bool {
    let account = format!("--as=system:serviceaccount:{operator}:{RELEASE}");
    let mut ask = control_plane().kubectl();
    ask.args(["auth", "can-i", verb, what, &account]);
    match namespace {
        "*" => ask.arg("--all-namespaces"),
        namespace => ask.args(["--namespace", namespace]),
    };
    let answer = String::from_utf8(ask.output().unwrap().stdout).unwrap();
    match answer.trim() {
        "yes" => true,
        "no" => false,
        other => panic!("can-i {verb} {what}: {other}"),
    }
}

/// Each row: where, verb, what, and whether.
fn holds(operator: &str, rows: &[(&str, &str, &str, bool)]) {
    // The authorizer learns of a binding by its own watch.
    let (namespace, verb, what, expected) = rows[0];
    eventually("the first of the rights is there", || {
        (may(operator, namespace, verb, what) == expected).then_some(())
    });
    for (namespace, verb, what, expected) in rows {
        assert_eq!(
            may(operator, namespace, verb, what),
            *expected,
            "{operator}: {verb} {what} in {namespace}"
        );
    }
}

const USERS: &str = "elasticacheusers.elasticache-users.dev";

#[test]
fn by_default_the_operator_may_read_all_objects_and_no_secret() {
    grant(&["by-default"], LEAST);
    holds(
        "by-default",
        &[
            ("*", "watch", USERS, true),
            ("*", "patch", USERS, true),
            ("*", "patch", "elasticacheusers.elasticache-users.dev/status", true),
            ("*", "create", "events.events.k8s.io", true),
            ("*", "delete", USERS, false),
            ("*", "create", USERS, false),
            ("by-default", "get", "secrets", false),
            ("*", "list", "secrets", false),
            ("kube-system", "get", "namespaces/kube-system", true),
            ("*", "get", "namespaces/default", false),
            ("*", "get", "customresourcedefinitions/elasticacheusers.elasticache-users.dev", true),
            ("*", "list", "customresourcedefinitions", false),
            ("by-default", "update", "leases.coordination.k8s.io/elasticache-user-operator", true),
            ("by-default", "update", "leases.coordination.k8s.io/another", false),
            ("default", "get", "leases.coordination.k8s.io/elasticache-user-operator", false),
        ],
    );
}

#[test]
fn the_operator_may_read_secrets_of_listed_namespaces_and_of_no_other() {
    grant(&["listed", "listed-a", "listed-b"], &[LEAST[0], "--set=secrets.namespaces={listed-a}"]);
    holds(
        "listed",
        &[
            ("listed-a", "watch", "secrets", true),
            ("listed-a", "get", "secrets/any", true),
            ("listed-b", "get", "secrets/any", false),
            ("listed", "get", "secrets/any", false),
            ("listed-a", "update", "secrets/any", false),
        ],
    );
}

/// The plain manifests' way, as the file says.
#[test]
fn a_namespace_opens_its_secrets_by_a_file() {
    kubectl(&["create", "namespace", "opened"]);
    let role = path("deploy/secrets-role.yaml");
    kubectl(&["apply", "--namespace=opened", "--filename", &role]);
    holds(RELEASE, &[("opened", "watch", "secrets", true), ("default", "get", "secrets/any", false)]);
}

#[test]
fn the_operator_may_read_named_secrets_and_no_other() {
    let named = [LEAST[0], "--set=secrets.namespaces={named-a},secrets.names={orders-api}"];
    grant(&["named", "named-a"], &named);
    holds(
        "named",
        &[
            ("named-a", "get", "secrets/orders-api", true),
            ("named-a", "get", "secrets/another", false),
            ("named-a", "list", "secrets", false),
        ],
    );
}

#[test]
fn roles_alone_reach_no_further_than_their_namespaces() {
    let set = "--set=watch.namespaces={roles-a,roles-b},secrets.namespaces={roles-a}";
    grant(&["roles", "roles-a", "roles-b", "roles-c"], &[&values("roles-only"), set]);
    holds(
        "roles",
        &[
            ("roles-b", "watch", USERS, true),
            ("roles-a", "get", "secrets/any", true),
            ("roles-b", "get", "secrets/any", false),
            ("roles-c", "get", USERS, false),
            ("*", "list", USERS, false),
            ("kube-system", "get", "namespaces/kube-system", false),
            ("roles", "create", "leases.coordination.k8s.io", true),
        ],
    );
}

#[test]
fn viewers_see_users_and_editors_do_not_make_them() {
    grant(&["aggregated"], LEAST);
    let verbs = |role: &str| -> Vec<String> {
        let rules = get(&["clusterrole", role])["rules"].as_array().cloned().unwrap_or_default();
        let ours = rules.into_iter().filter(|rule| rule["apiGroups"][0] == "elasticache-users.dev");
        ours.flat_map(|rule| rule["verbs"].as_array().unwrap().clone())
            .map(|verb| verb.as_str().unwrap().to_owned())
            .collect()
    };
    eventually("view is filled in", || (!verbs("view").is_empty()).then_some(()));
    eventually("admin is filled in", || verbs("admin").contains(&"create".to_owned()).then_some(()));
    assert_eq!(verbs("view"), ["get", "list", "watch"]);
    // `edit` has what `view` has.
    assert!(!verbs("edit").iter().any(|verb| verb == "create"), "{:?}", verbs("edit"));
}
