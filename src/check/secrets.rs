//! I/O: whether the Secrets that objects need may be read.

use std::collections::{BTreeMap, BTreeSet};

use super::cluster::Cluster;
use super::permissions::{self, AccessReview, NAMED_SECRET, SECRETS, Scope};
use super::row::Row;
use super::uninstall::ObjectSummary;
use super::{Check, watched_scopes};
use crate::config::SecretWatch;

/// Whether all Secrets of the watched namespaces may be read. If not, whether those of --secret-namespace may be read and those
/// that objects name. They are asked for by name if not all Secrets of their namespace may be read, because a Role may name them.
pub(super) async fn row(
    flags: &Check,
    cluster: &Cluster,
    objects: &[ObjectSummary],
    caller: Option<&str>,
) -> Row {
    let everywhere = cluster.may(&SECRETS, &watched_scopes(flags)).await;
    let needed = needed(flags, objects);
    if everywhere.iter().all(is_allowed) || needed.is_empty() {
        return permissions::evaluate(&SECRETS, &everywhere, caller);
    }
    let scopes: Vec<Scope> = needed.keys().cloned().map(Some).collect();
    let (mut answers, mut questions) = (Vec::new(), Vec::new());
    for answer in cluster.may(&SECRETS, &scopes).await {
        let names = answer.scope.as_ref().and_then(|namespace| needed.get(namespace));
        match names.filter(|names| !names.is_empty() && matches!(answer.allowed, Ok(false))) {
            None => answers.push(answer),
            Some(names) => {
                questions.extend(names.iter().map(|name| (NAMED_SECRET.named(name), answer.scope.clone())));
            }
        }
    }
    // The rule of single Secrets says best what does not work, unless whole namespaces are missing.
    let rule = if answers.iter().all(is_allowed) { NAMED_SECRET } else { SECRETS };
    answers.extend(cluster.ask(questions).await);
    permissions::evaluate(&rule, &answers, caller)
}

fn is_allowed(answer: &AccessReview) -> bool {
    matches!(answer.allowed, Ok(true))
}

/// The namespaces in which Secrets are needed, with the names of those that objects need.
fn needed(flags: &Check, objects: &[ObjectSummary]) -> BTreeMap<String, BTreeSet<String>> {
    let listed = match flags.run.secret_watch() {
        SecretWatch::WithObjects => flags.run.namespaces(),
        SecretWatch::Listed(listed) => listed,
        SecretWatch::WhereAllowed => Vec::new(),
    };
    let mut needed: BTreeMap<String, BTreeSet<String>> =
        listed.into_iter().map(|namespace| (namespace, BTreeSet::new())).collect();
    for object in objects.iter().filter(|object| !object.secrets.is_empty()) {
        needed.entry(object.namespace.clone()).or_default().extend(object.secrets.iter().cloned());
    }
    needed
}
