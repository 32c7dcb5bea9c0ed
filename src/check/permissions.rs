//! No I/O: what the operator must be allowed in the cluster, and what does not work without it.

use super::cluster::ClusterError;
use super::row::{Row, RowStatus, named};
use crate::api::GROUP;

/// A namespace; `None` stands for the whole cluster.
pub(crate) type Scope = Option<String>;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule<'a> {
    /// The name of its row.
    pub(crate) check: &'static str,
    pub(crate) group: &'static str,
    pub(crate) resource: &'static str,
    pub(crate) subresource: Option<&'static str>,
    /// If only one object matters.
    pub(crate) name: Option<&'a str>,
    pub(crate) verbs: &'static [&'static str],
    /// The status of its row if it is not granted.
    missing: RowStatus,
    /// What does not work without it.
    without: &'static str,
}

const PLAIN: Rule<'static> = Rule {
    check: "",
    group: GROUP,
    resource: "elasticacheusers",
    subresource: None,
    name: None,
    verbs: &[],
    missing: RowStatus::Failed,
    without: "",
};

/// The finalizer is a patch of the object itself.
pub(crate) const OBJECTS: Rule<'static> = Rule {
    check: "permission-objects",
    verbs: &["get", "list", "watch", "patch"],
    without: "The operator cannot do its work.",
    ..PLAIN
};
/// What `--uninstall` and `--orphans` need.
pub(crate) const LISTING: Rule<'static> = Rule { verbs: &["list"], ..OBJECTS };
pub(crate) const STATUS: Rule<'static> = Rule {
    check: "permission-status",
    subresource: Some("status"),
    verbs: &["patch"],
    without: "No user is created, because status must be written before CreateUser.",
    ..PLAIN
};
/// Some admission plugins ask for it.
pub(crate) const FINALIZERS: Rule<'static> = Rule {
    check: "permission-finalizers",
    subresource: Some("finalizers"),
    verbs: &["update"],
    missing: RowStatus::Warning,
    without: "Some clusters' admission requires it if an object has a finalizer.",
    ..PLAIN
};
pub(crate) const EVENTS: Rule<'static> = Rule {
    check: "permission-events",
    group: "events.k8s.io",
    resource: "events",
    verbs: &["create", "patch"],
    missing: RowStatus::Warning,
    without: "kubectl describe will not show what happened.",
    ..PLAIN
};
/// The operator reads the definition before each deletion.
pub(crate) const DEFINITION: Rule<'static> = Rule {
    check: "permission-crd",
    group: "apiextensions.k8s.io",
    resource: "customresourcedefinitions",
    name: Some("elasticacheusers.elasticache-users.dev"),
    verbs: &["get"],
    missing: RowStatus::Warning,
    without: "Instead, the operator asks discovery whether the definition is being deleted. If it is, every AWS user is retained.",
    ..PLAIN
};
/// The namespace whose UID names the cluster in owner tags.
pub(crate) const KUBE_SYSTEM: Rule<'static> = Rule {
    check: "cluster-id",
    group: "",
    resource: "namespaces",
    name: Some("kube-system"),
    verbs: &["get"],
    without: "Its UID names the cluster in owner tags.",
    ..PLAIN
};
/// For --metrics-secure: whose bearer token it is.
pub(crate) const TOKEN_REVIEWS: Rule<'static> = Rule {
    check: "permission-token-reviews",
    group: "authentication.k8s.io",
    resource: "tokenreviews",
    verbs: &["create"],
    missing: RowStatus::Warning,
    without: "With --metrics-secure, nobody can read /metrics.",
    ..PLAIN
};
/// For --metrics-secure: whether that user may read /metrics.
pub(crate) const ACCESS_REVIEWS: Rule<'static> = Rule {
    check: "permission-access-reviews",
    group: "authorization.k8s.io",
    resource: "subjectaccessreviews",
    ..TOKEN_REVIEWS
};
pub(crate) const LEASE: Rule<'static> = Rule {
    check: "permission-lease",
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: &["get", "create", "update"],
    without: "With --leader-elect, no replica works.",
    ..PLAIN
};
/// An administrator has it. The operator itself need not.
pub(crate) const ALL_LEASES: Rule<'static> =
    Rule { check: "", group: "coordination.k8s.io", resource: "leases", verbs: &["list"], ..PLAIN };
pub(crate) const SECRETS: Rule<'static> = Rule {
    check: "permission-secrets",
    group: "",
    resource: "secrets",
    verbs: &["get"],
    missing: RowStatus::Warning,
    without: "Objects with passwords wait there as SecretForbidden, unless a Role allows the Secrets that they name. Others work.",
    ..PLAIN
};
/// Of a Secret that an object names.
pub(crate) const NAMED_SECRET: Rule<'static> =
    Rule { without: "Objects that name them wait as SecretForbidden. Others work.", ..SECRETS };
/// Without it, the operator notices a changed password late.
pub(crate) const SECRETS_WATCH: Rule<'static> = Rule {
    check: "permission-secrets-watch",
    verbs: &["list", "watch"],
    without: "The operator notices a changed Secret only at the next --resync.",
    ..SECRETS
};

impl<'a> Rule<'a> {
    pub(crate) fn named(self, name: &'a str) -> Self {
        Self { name: Some(name), ..self }
    }

    /// The resource as kubectl writes it.
    fn kubectl_resource(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let part = self.subresource.map(|part| format!("/{part}")).unwrap_or_default();
        format!("{}{group}{part}", self.resource)
    }

    fn what(&self, names: &[String]) -> String {
        let part = self.subresource.map(|part| format!("/{part}")).unwrap_or_default();
        let one = |name: &String| format!("{}{part}/{name}", self.resource);
        if names.is_empty() {
            return format!("{}{part}", self.resource);
        }
        named(&names.iter().map(one).collect::<Vec<_>>())
    }
}

#[derive(Debug)]
pub(crate) struct AccessReview {
    pub(crate) scope: Scope,
    pub(crate) name: Option<String>,
    pub(crate) verb: &'static str,
    pub(crate) allowed: Result<bool, ClusterError>,
}

/// The row of one rule. `caller` is the user whose permissions were reviewed.
#[must_use]
pub(crate) fn evaluate(rule: &Rule<'_>, answers: &[AccessReview], caller: Option<&str>) -> Row {
    if let Some((answer, why)) =
        answers.iter().find_map(|answer| Some((answer, answer.allowed.as_ref().err()?)))
    {
        let what = rule.what(answer.name.as_slice());
        let message = format!("The permissions for {what} could not be read: {why}");
        return Row { status: rule.missing, ..Row::failed(rule.check, message, "kubectl auth can-i --list") };
    }
    let denied: Vec<&AccessReview> =
        answers.iter().filter(|answer| matches!(answer.allowed, Ok(false))).collect();
    if denied.is_empty() {
        let places = places_of(&answers.iter().collect::<Vec<_>>());
        return Row::ok(
            rule.check,
            format!("May {} {}.", rule.verbs.join(", "), what_and_where(rule, &places)),
        );
    }
    let (verbs, places) = (verbs_of(rule, &denied), places_of(&denied));
    let message = format!("May not {} {}. {}", verbs.join(", "), what_and_where(rule, &places), rule.without);
    let fix: Vec<String> = places.iter().map(|place| grant(rule, &verbs, place, caller)).collect();
    Row { status: rule.missing, ..Row::failed(rule.check, message, fix.join("\n")) }
}

/// Scopes in which the same names were asked for.
struct ReviewedScopes {
    scopes: Vec<Scope>,
    names: Vec<String>,
}

fn places_of(answers: &[&AccessReview]) -> Vec<ReviewedScopes> {
    let mut places: Vec<ReviewedScopes> = Vec::new();
    for of_scope in answers.chunk_by(|one, other| one.scope == other.scope) {
        let mut names: Vec<String> = of_scope.iter().filter_map(|answer| answer.name.clone()).collect();
        names.dedup();
        let scope = of_scope.iter().map(|answer| answer.scope.clone()).take(1);
        match places.iter_mut().find(|place| place.names == names) {
            Some(place) => place.scopes.extend(scope),
            None => places.push(ReviewedScopes { scopes: scope.collect(), names }),
        }
    }
    places
}

fn what_and_where(rule: &Rule<'_>, places: &[ReviewedScopes]) -> String {
    let one = |place: &ReviewedScopes| format!("{} {}", rule.what(&place.names), where_is(&place.scopes));
    places.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn verbs_of(rule: &Rule<'_>, answers: &[&AccessReview]) -> Vec<&'static str> {
    rule.verbs.iter().copied().filter(|verb| answers.iter().any(|answer| answer.verb == *verb)).collect()
}

fn where_is(scopes: &[Scope]) -> String {
    let names: Vec<String> = scopes.iter().flatten().cloned().collect();
    match names.len() {
        0 => "in the whole cluster".to_owned(),
        1 => format!("in the namespace {}", named(&names)),
        _ => format!("in the namespaces {}", named(&names)),
    }
}

/// The commands that grant the rule.
fn grant(rule: &Rule<'_>, verbs: &[&str], places: &ReviewedScopes, caller: Option<&str>) -> String {
    let name = format!("elasticache-user-operator-{}", rule.check);
    let verbs = verbs.join(",");
    let resource = rule.kubectl_resource();
    // RBAC cannot limit `create` to a name, because the request has no name yet.
    let names = places.names.iter().filter(|_| !verbs.contains("create"));
    let only: String = names.map(|name| format!(" --resource-name={name}")).collect();
    let subject = binding_subject(caller);
    let namespaces: Vec<&str> = places.scopes.iter().flatten().map(String::as_str).collect();
    if namespaces.is_empty() {
        return format!(
            "kubectl create clusterrole {name} --verb={verbs} --resource={resource}{only}\n\
             kubectl create clusterrolebinding {name} --clusterrole={name} {subject}"
        );
    }
    let lines = namespaces.iter().map(|namespace| {
        format!(
            "kubectl --namespace {namespace} create role {name} --verb={verbs} --resource={resource}{only}\n\
             kubectl --namespace {namespace} create rolebinding {name} --role={name} {subject}"
        )
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The subject of a binding, as kubectl takes it.
fn binding_subject(caller: Option<&str>) -> String {
    let Some(caller) = caller else { return "--serviceaccount=NAMESPACE:NAME".to_owned() };
    match caller.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={account}"),
        None => format!("--user='{}'", caller.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn answered(rule: &Rule<'_>, denied: &[(&str, &str)], scopes: &[Option<&str>]) -> Vec<AccessReview> {
        let mut answers = Vec::new();
        for scope in scopes {
            for verb in rule.verbs {
                let here = scope.unwrap_or("*");
                let allowed = Ok(!denied.contains(&(here, *verb)));
                let (scope, name) = (scope.map(str::to_owned), rule.name.map(str::to_owned));
                answers.push(AccessReview { scope, name, verb, allowed });
            }
        }
        answers
    }

    const WHO: Option<&str> = Some("system:serviceaccount:ops:operator");

    #[test]
    fn a_permission_for_the_whole_cluster_is_ok() {
        let row = evaluate(&OBJECTS, &answered(&OBJECTS, &[], &[None]), WHO);
        assert_eq!(row.status, RowStatus::Ok);
        assert_eq!(row.message, "May get, list, watch, patch elasticacheusers in the whole cluster.");
    }

    #[test]
    fn a_missing_permission_names_the_command_that_grants_it() {
        let denied = [("b", "create"), ("c", "create"), ("c", "patch")];
        let answers = answered(&EVENTS, &denied, &[Some("a"), Some("b"), Some("c")]);
        let row = evaluate(&EVENTS, &answers, WHO);
        assert_eq!(row.status, RowStatus::Warning);
        assert!(row.message.starts_with("May not create, patch events in the namespaces b, c. "), "{row:?}");
        let fix = row.fix.unwrap();
        let role = "kubectl --namespace b create role elasticache-user-operator-permission-events --verb=create,patch --resource=events.events.k8s.io";
        assert_eq!(fix.lines().next(), Some(role));
        assert!(fix.lines().nth(1).unwrap().ends_with("--serviceaccount=ops:operator"), "{fix}");
        assert_eq!(fix.lines().count(), 4);
    }

    #[test]
    fn the_fix_for_a_missing_permission_in_the_whole_cluster_creates_a_cluster_role() {
        let row = evaluate(&STATUS, &answered(&STATUS, &[("*", "patch")], &[None]), Some("O'Neill"));
        assert_eq!(row.status, RowStatus::Failed);
        let fix = row.fix.unwrap();
        assert!(fix.contains("create clusterrole "), "{fix}");
        assert!(fix.contains("--resource=elasticacheusers.elasticache-users.dev/status\n"), "{fix}");
        assert!(fix.ends_with(r"--user='O'\''Neill'"), "{fix}");
        let named = evaluate(&DEFINITION, &answered(&DEFINITION, &[("*", "get")], &[None]), None);
        let fix = named.fix.unwrap();
        assert!(fix.contains("--resource-name=elasticacheusers.elasticache-users.dev\n"), "{fix}");
        assert!(fix.ends_with("--serviceaccount=NAMESPACE:NAME"), "{fix}");
    }

    #[test]
    fn a_permission_that_the_api_server_does_not_answer_about_counts_as_missing() {
        let mut answers = answered(&LEASE, &[], &[Some("ops")]);
        answers[1].allowed = Err(ClusterError::Timeout(Duration::from_secs(1)));
        let row = evaluate(&LEASE, &answers, WHO);
        assert_eq!(row.status, RowStatus::Failed);
        assert!(row.message.contains("could not be read: no answer within 1 s"), "{row:?}");
    }

    #[test]
    fn the_fix_for_secrets_that_objects_name_allows_these_secrets_and_no_other() {
        let review = |namespace: &str, name: &str, allowed| AccessReview {
            scope: Some(namespace.into()),
            name: Some(name.into()),
            verb: "get",
            allowed: Ok(allowed),
        };
        let answers = [review("a", "api", false), review("a", "web", true), review("b", "x", false)];
        let row = evaluate(&NAMED_SECRET, &answers, WHO);
        let said = "May not get secrets/api in the namespace a; secrets/x in the namespace b. ";
        assert!(row.message.starts_with(said), "{row:?}");
        let fix = row.fix.unwrap();
        for (namespace, name) in [("a", "api"), ("b", "x")] {
            let role = format!(
                "kubectl --namespace {namespace} create role elasticache-user-operator-permission-secrets --verb=get --resource=secrets --resource-name={name}\n"
            );
            assert!(fix.contains(&role), "{fix}");
        }
        let two = [review("a", "api", true), review("a", "web", true), review("b", "api", true)];
        let row = evaluate(&NAMED_SECRET, &two, WHO);
        let said = "May get secrets/api, secrets/web in the namespace a; secrets/api in the namespace b.";
        assert_eq!(row.message, said);
    }

    #[test]
    fn a_missing_permission_fails_the_check_only_if_the_operator_cannot_work_without_it() {
        for rule in [SECRETS, SECRETS_WATCH, EVENTS, FINALIZERS, DEFINITION, TOKEN_REVIEWS, ACCESS_REVIEWS] {
            assert_eq!(rule.missing, RowStatus::Warning, "{}", rule.check);
        }
        for rule in [OBJECTS, STATUS, LEASE] {
            assert_eq!(rule.missing, RowStatus::Failed, "{}", rule.check);
        }
    }
}
