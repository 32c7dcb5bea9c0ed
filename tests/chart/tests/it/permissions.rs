//! What the rendered roles allow, according to the API server's own authorizer.

use chart::is_role;
use serde_json::Value;
use support::repository::path;

use crate::fixture::{
    LEAST, RELEASE, attempt, control_plane, eventually, file, get, kubectl, rendered, values,
};

/// Creates these namespaces, and applies the rendered roles.
fn grant(namespaces: &[&str], arguments: &[&str]) {
    for namespace in namespaces {
        kubectl(&["create", "namespace", namespace]);
    }
    let namespace = namespaces[0];
    let roles: Vec<Value> = rendered(namespace, arguments).into_iter().filter(is_role).collect();
    assert!(roles.len() > 3);
    kubectl(&["apply", "--server-side", "--filename", &file(namespace, &roles)]);
}

/// Whether the operator of that namespace has this right.
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

/// A verb on a resource in a namespace. `*` stands for all namespaces.
struct Right {
    namespace: &'static str,
    verb: &'static str,
    what: &'static str,
    given: bool,
}

fn may_do(namespace: &'static str, verb: &'static str, what: &'static str) -> Right {
    Right { namespace, verb, what, given: true }
}

fn may_not(namespace: &'static str, verb: &'static str, what: &'static str) -> Right {
    Right { namespace, verb, what, given: false }
}

fn holds(operator: &str, rows: &[Right]) {
    // The authorizer learns of a binding by its own watch.
    let holds = |right: &Right| may(operator, right.namespace, right.verb, right.what) == right.given;
    eventually("the first of the rights is there", || holds(&rows[0]).then_some(()));
    for right in rows {
        let Right { namespace, verb, what, given } = right;
        assert!(holds(right), "{operator}: {verb} {what} in {namespace} is not {given}");
    }
}

const USERS: &str = "elasticacheusers.elasticache-users.dev";

#[test]
fn by_default_the_operator_may_read_objects_everywhere_and_no_secret() {
    grant(&["by-default"], LEAST);
    holds(
        "by-default",
        &[
            may_do("*", "watch", USERS),
            may_do("*", "patch", USERS),
            may_do("*", "patch", "elasticacheusers.elasticache-users.dev/status"),
            may_do("*", "create", "events.events.k8s.io"),
            may_not("*", "delete", USERS),
            may_not("*", "create", USERS),
            may_not("by-default", "get", "secrets"),
            may_not("*", "list", "secrets"),
            may_do("kube-system", "get", "namespaces/kube-system"),
            may_not("*", "get", "namespaces/default"),
            may_do("*", "get", "customresourcedefinitions/elasticacheusers.elasticache-users.dev"),
            may_not("*", "list", "customresourcedefinitions"),
            may_do("by-default", "update", "leases.coordination.k8s.io/elasticache-user-operator"),
            may_not("by-default", "update", "leases.coordination.k8s.io/another"),
            may_not("default", "get", "leases.coordination.k8s.io/elasticache-user-operator"),
        ],
    );
}

#[test]
fn the_operator_may_read_secrets_of_listed_namespaces_and_of_no_other() {
    grant(&["listed", "listed-a", "listed-b"], &[LEAST[0], "--set=secrets.namespaces={listed-a}"]);
    holds(
        "listed",
        &[
            may_do("listed-a", "watch", "secrets"),
            may_do("listed-a", "get", "secrets/any"),
            may_not("listed-b", "get", "secrets/any"),
            may_not("listed", "get", "secrets/any"),
            may_not("listed-a", "update", "secrets/any"),
        ],
    );
}

/// The command that NOTES.txt tells.
#[test]
fn a_team_lets_the_operator_read_its_secrets_with_the_role_that_the_chart_makes() {
    grant(&["bindable", "bound"], LEAST);
    holds("bindable", &[may_not("bound", "get", "secrets/any")]);
    let role = format!("--clusterrole=bindable:{RELEASE}-secrets");
    let account = format!("--serviceaccount=bindable:{RELEASE}");
    kubectl(&["create", "rolebinding", "secrets", "--namespace=bound", &role, &account]);
    holds(
        "bindable",
        &[
            may_do("bound", "watch", "secrets"),
            may_do("bound", "get", "secrets/any"),
            may_not("bound", "update", "secrets/any"),
            may_not("bindable", "get", "secrets/any"),
            may_not("*", "list", "secrets"),
        ],
    );
}

/// People who use the plain manifests apply this file, as the file says.
#[test]
fn a_namespace_lets_the_operator_read_its_secrets_with_the_role_in_deploy() {
    kubectl(&["create", "namespace", "opened"]);
    let role = path("deploy/secrets-role.yaml");
    kubectl(&["apply", "--namespace=opened", "--filename", &role]);
    holds(RELEASE, &[may_do("opened", "watch", "secrets"), may_not("default", "get", "secrets/any")]);
}

#[test]
fn the_operator_may_read_named_secrets_and_no_other() {
    let named = [LEAST[0], "--set=secrets.namespaces={named-a},secrets.names={orders-api}"];
    grant(&["named", "named-a"], &named);
    holds(
        "named",
        &[
            may_do("named-a", "get", "secrets/orders-api"),
            may_not("named-a", "get", "secrets/another"),
            may_not("named-a", "list", "secrets"),
        ],
    );
}

#[test]
fn each_namespace_may_name_its_own_secrets() {
    let named = [LEAST[0], "--set=secrets.named.each-a={orders-api},secrets.named.each-b={batch}"];
    grant(&["each", "each-a", "each-b"], &named);
    holds(
        "each",
        &[
            may_do("each-b", "get", "secrets/batch"),
            may_do("each-a", "get", "secrets/orders-api"),
            may_not("each-a", "get", "secrets/batch"),
            may_not("each-a", "list", "secrets"),
            may_not("each", "get", "secrets/batch"),
            may_not("*", "create", "tokenreviews.authentication.k8s.io"),
        ],
    );
}

#[test]
fn secured_metrics_let_the_operator_create_reviews_and_readers_only_read_metrics() {
    let readers = r#"--set-json=metrics.secure.readers=[{"kind":"ServiceAccount","name":"prometheus","namespace":"secured"}]"#;
    let secure = "--set=metrics.secure.enabled=true,metrics.secure.certSecret=tls";
    grant(&["secured"], &[LEAST[0], secure, readers]);
    holds(
        "secured",
        &[
            may_do("*", "create", "tokenreviews.authentication.k8s.io"),
            may_do("*", "create", "subjectaccessreviews.authorization.k8s.io"),
        ],
    );
    let reads = |path: &str| {
        let account = "--as=system:serviceaccount:secured:prometheus";
        attempt(&["auth", "can-i", "get", path, account]).is_ok()
    };
    assert!(reads("/metrics") && !reads("/logs"));
}

#[test]
fn with_roles_only_the_operator_may_do_nothing_outside_the_listed_namespaces() {
    let set = "--set=watch.namespaces={roles-a,roles-b},secrets.namespaces={roles-a}";
    grant(&["roles", "roles-a", "roles-b", "roles-c"], &[&values("roles-only"), set]);
    holds(
        "roles",
        &[
            may_do("roles-b", "watch", USERS),
            may_do("roles-a", "get", "secrets/any"),
            may_not("roles-b", "get", "secrets/any"),
            may_not("roles-c", "get", USERS),
            may_not("*", "list", USERS),
            may_not("kube-system", "get", "namespaces/kube-system"),
            may_do("roles", "create", "leases.coordination.k8s.io"),
        ],
    );
}

#[test]
fn viewers_may_read_users_and_editors_may_not_create_them() {
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
    // `edit` aggregates `view`.
    assert!(!verbs("edit").iter().any(|verb| verb == "create"), "{:?}", verbs("edit"));
}
