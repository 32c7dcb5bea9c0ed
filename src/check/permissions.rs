//! No I/O: what the operator must be allowed in the cluster, and what it means where it is not.

use super::row::{Row, Status, named};
use crate::api::GROUP;

/// Where something must be allowed: a namespace, or the whole cluster.
pub(crate) type Place = Option<String>;

/// Verbs on a resource that go together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rule {
    /// The row that tells of it.
    pub(crate) check: &'static str,
    /// The API group.
    pub(crate) group: &'static str,
    /// The plural.
    pub(crate) resource: &'static str,
    /// The part of it.
    pub(crate) subresource: Option<&'static str>,
    /// The only object that matters.
    pub(crate) name: Option<&'static str>,
    /// What must be allowed.
    pub(crate) verbs: &'static [&'static str],
    /// How bad it is where it is not.
    missing: Status,
    /// What does not work then.
    without: &'static str,
}

const PLAIN: Rule = Rule {
    check: "",
    group: GROUP,
    resource: "elasticacheusers",
    subresource: None,
    name: None,
    verbs: &[],
    missing: Status::Failed,
    without: "",
};

/// The objects themselves; the finalizer is a patch.
pub(crate) const OBJECTS: Rule = Rule {
    check: "permission-objects",
    verbs: &["get", "list", "watch", "patch"],
    without: "The operator cannot do its work.",
    ..PLAIN
};
/// What an uninstall needs of them.
pub(crate) const LISTING: Rule = Rule { verbs: &["list"], ..OBJECTS };
/// What the operator reports.
pub(crate) const STATUS: Rule = Rule {
    check: "permission-status",
    subresource: Some("status"),
    verbs: &["patch"],
    without: "No user is created: what is begun must stand in status first.",
    ..PLAIN
};
/// What admission plugins ask for.
pub(crate) const FINALIZERS: Rule = Rule {
    check: "permission-finalizers",
    subresource: Some("finalizers"),
    verbs: &["update"],
    missing: Status::Warning,
    without: "Some clusters' admission asks for it where an object has a finalizer.",
    ..PLAIN
};
/// Events.
pub(crate) const EVENTS: Rule = Rule {
    check: "permission-events",
    group: "events.k8s.io",
    resource: "events",
    verbs: &["create", "patch"],
    missing: Status::Warning,
    without: "kubectl describe will not show what happened.",
    ..PLAIN
};
/// The definition, which is read before each deletion.
pub(crate) const DEFINITION: Rule = Rule {
    check: "permission-crd",
    group: "apiextensions.k8s.io",
    resource: "customresourcedefinitions",
    name: Some("elasticacheusers.elasticache-users.dev"),
    verbs: &["get"],
    missing: Status::Warning,
    without: "Whether it is being deleted, so that every AWS user is retained, is asked of discovery instead.",
    ..PLAIN
};
/// The namespace whose UID names the cluster in owner tags.
pub(crate) const KUBE_SYSTEM: Rule = Rule {
    check: "cluster-id",
    group: "",
    resource: "namespaces",
    name: Some("kube-system"),
    verbs: &["get"],
    without: "Its UID names the cluster in owner tags.",
    ..PLAIN
};
/// The lease of the leader. Its creation cannot be allowed by name.
pub(crate) const LEASE: Rule = Rule {
    check: "permission-lease",
    group: "coordination.k8s.io",
    resource: "leases",
    verbs: &["get", "create", "update"],
    without: "With --leader-elect no replica ever begins to work.",
    ..PLAIN
};
/// Passwords.
pub(crate) const SECRETS: Rule = Rule {
    check: "permission-secrets",
    group: "",
    resource: "secrets",
    verbs: &["get"],
    missing: Status::Warning,
    without: "Users with passwords wait there as SecretForbidden; others work.",
    ..PLAIN
};
/// News of passwords.
pub(crate) const SECRETS_WATCH: Rule = Rule {
    check: "permission-secrets-watch",
    verbs: &["list", "watch"],
    without: "A changed Secret is noticed at the next --resync only.",
    ..SECRETS
};

impl Rule {
    /// The resource as kubectl writes it.
    fn kubectl_resource(&self) -> String {
        let group = if self.group.is_empty() { String::new() } else { format!(".{}", self.group) };
        let part = self.subresource.map(|part| format!("/{part}")).unwrap_or_default();
        format!("{}{group}{part}", self.resource)
    }

    /// The same for people.
    fn what(&self) -> String {
        let part = self.subresource.map(|part| format!("/{part}")).unwrap_or_default();
        let name = self.name.map(|name| format!("/{name}")).unwrap_or_default();
        format!("{}{part}{name}", self.resource)
    }
}

/// One question, answered.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// Where.
    pub(crate) place: Place,
    /// What.
    pub(crate) verb: &'static str,
    /// Whether it is allowed, or why nobody knows.
    pub(crate) allowed: Result<bool, String>,
}

/// Makes a row of the answers to one rule. `who` is the user that asked.
#[must_use]
pub(crate) fn judge(rule: &Rule, answers: &[Answered], who: Option<&str>) -> Row {
    if let Some(why) = answers.iter().find_map(|answer| answer.allowed.as_ref().err()) {
        let message = format!("Whether {} may be used could not be asked: {why}", rule.what());
        return Row { status: rule.missing, ..Row::failed(rule.check, message, "kubectl auth can-i --list") };
    }
    let denied: Vec<&Answered> = answers.iter().filter(|answer| answer.allowed == Ok(false)).collect();
    let (verbs, places) = (verbs_of(rule, &denied), places_of(&denied));
    if denied.is_empty() {
        let (verbs, places) = (rule.verbs.join(", "), places_of(&answers.iter().collect::<Vec<_>>()));
        return Row::ok(rule.check, format!("May {verbs} {} {}.", rule.what(), told(&places)));
    }
    let message = format!("May not {} {} {}. {}", verbs.join(", "), rule.what(), told(&places), rule.without);
    Row { status: rule.missing, ..Row::failed(rule.check, message, grant(rule, &verbs, &places, who)) }
}

fn verbs_of(rule: &Rule, answers: &[&Answered]) -> Vec<&'static str> {
    rule.verbs.iter().copied().filter(|verb| answers.iter().any(|answer| answer.verb == *verb)).collect()
}

fn places_of(answers: &[&Answered]) -> Vec<Place> {
    let mut places: Vec<Place> = answers.iter().map(|answer| answer.place.clone()).collect();
    places.dedup();
    places
}

fn told(places: &[Place]) -> String {
    let names: Vec<String> = places.iter().flatten().cloned().collect();
    match names.len() {
        0 => "in the whole cluster".to_owned(),
        1 => format!("in the namespace {}", named(&names)),
        _ => format!("in the namespaces {}", named(&names)),
    }
}

/// The commands that allow it.
fn grant(rule: &Rule, verbs: &[&str], places: &[Place], who: Option<&str>) -> String {
    let name = format!("elasticache-user-operator-{}", rule.check);
    let verbs = verbs.join(",");
    let resource = rule.kubectl_resource();
    let only = rule.name.map(|name| format!(" --resource-name={name}")).unwrap_or_default();
    let subject = subject(who);
    let namespaces: Vec<&str> = places.iter().flatten().map(String::as_str).collect();
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

/// Who is to be allowed, as kubectl wants it.
fn subject(who: Option<&str>) -> String {
    let Some(who) = who else { return "--serviceaccount=NAMESPACE:NAME".to_owned() };
    match who.strip_prefix("system:serviceaccount:") {
        Some(account) => format!("--serviceaccount={account}"),
        None => format!("--user='{}'", who.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(rule: &Rule, denied: &[(&str, &str)], places: &[Option<&str>]) -> Vec<Answered> {
        let mut answers = Vec::new();
        for place in places {
            for verb in rule.verbs {
                let here = place.unwrap_or("*");
                let allowed = Ok(!denied.contains(&(here, *verb)));
                answers.push(Answered { place: place.map(str::to_owned), verb, allowed });
            }
        }
        answers
    }

    const WHO: Option<&str> = Some("system:serviceaccount:ops:operator");

    #[test]
    fn what_is_allowed_everywhere_is_ok() {
        let row = judge(&OBJECTS, &answered(&OBJECTS, &[], &[None]), WHO);
        assert_eq!(row.status, Status::Ok);
        assert_eq!(row.message, "May get, list, watch, patch elasticacheusers in the whole cluster.");
    }

    #[test]
    fn what_is_missing_is_told_with_the_command_that_allows_it() {
        let denied = [("b", "create"), ("c", "create"), ("c", "patch")];
        let answers = answered(&EVENTS, &denied, &[Some("a"), Some("b"), Some("c")]);
        let row = judge(&EVENTS, &answers, WHO);
        assert_eq!(row.status, Status::Warning);
        assert!(row.message.starts_with("May not create, patch events in the namespaces b, c. "), "{row:?}");
        let mend = row.mend.unwrap();
        let role = "kubectl --namespace b create role elasticache-user-operator-permission-events --verb=create,patch --resource=events.events.k8s.io";
        assert_eq!(mend.lines().next(), Some(role));
        assert!(mend.lines().nth(1).unwrap().ends_with("--serviceaccount=ops:operator"), "{mend}");
        assert_eq!(mend.lines().count(), 4);
    }

    #[test]
    fn the_whole_cluster_takes_a_cluster_role() {
        let row = judge(&STATUS, &answered(&STATUS, &[("*", "patch")], &[None]), Some("O'Neill"));
        assert_eq!(row.status, Status::Failed);
        let mend = row.mend.unwrap();
        assert!(mend.contains("create clusterrole "), "{mend}");
        assert!(mend.contains("--resource=elasticacheusers.elasticache-users.dev/status\n"), "{mend}");
        assert!(mend.ends_with(r"--user='O'\''Neill'"), "{mend}");
        let named = judge(&DEFINITION, &answered(&DEFINITION, &[("*", "get")], &[None]), None);
        let mend = named.mend.unwrap();
        assert!(mend.contains("--resource-name=elasticacheusers.elasticache-users.dev\n"), "{mend}");
        assert!(mend.ends_with("--serviceaccount=NAMESPACE:NAME"), "{mend}");
    }

    #[test]
    fn an_answer_that_is_missing_is_no_permission() {
        let mut answers = answered(&LEASE, &[], &[Some("ops")]);
        answers[1].allowed = Err("a time-out".to_owned());
        let row = judge(&LEASE, &answers, WHO);
        assert_eq!(row.status, Status::Failed);
        assert!(row.message.contains("could not be asked: a time-out"), "{row:?}");
    }

    #[test]
    fn secrets_and_what_only_people_read_are_no_reason_to_fail() {
        for rule in [SECRETS, SECRETS_WATCH, EVENTS, FINALIZERS, DEFINITION] {
            assert_eq!(rule.missing, Status::Warning, "{}", rule.check);
        }
        for rule in [OBJECTS, STATUS, LEASE] {
            assert_eq!(rule.missing, Status::Failed, "{}", rule.check);
        }
    }
}
