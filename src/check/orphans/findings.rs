//! No I/O: which AWS users lack their object, as their owner tags and the objects of the cluster say.

use std::collections::{BTreeMap, BTreeSet};

use plan::{CLUSTER_TAG, NAME_TAG, NAMESPACE_TAG, RemoteUser, Tags, is_dns_label, is_object_name};

use super::commands;
use crate::api::APPLY_CRD;
use crate::check::cluster::ListError;
use crate::check::row::{Row, RowUser, counted, named};
use crate::check::survey::{Survey, SurveyedTags, SurveyedUser};
use crate::check::uninstall::ObjectSummary;

/// The objects of the cluster, as far as they could be read.
#[derive(Debug)]
pub(crate) struct KnownObjects {
    pub(crate) objects: Vec<ObjectSummary>,
    /// Namespaces whose objects could not be read, each with the reason.
    pub(crate) unread: BTreeMap<String, ListError>,
    pub(crate) definition_installed: bool,
}

#[derive(Debug)]
pub(super) enum Finding<'a> {
    /// Another cluster's tags, or none.
    NotOurs,
    Owned,
    Orphan(OrphanUser<'a>),
    /// The cluster's tag is there, the tag of the namespace or of the name is not, and no object wants the user.
    PartlyTagged,
    /// The objects of the namespace that the tags name could not be read.
    UnknownObject {
        namespace: &'a str,
        name: &'a str,
        why: &'a ListError,
    },
    HiddenTags,
    DeniedTags,
    NotAsked,
}

/// A user whose tags name an object that is not there or that wants another user.
#[derive(Debug)]
pub(super) struct OrphanUser<'a> {
    pub(super) user: &'a RemoteUser,
    pub(super) namespace: &'a str,
    pub(super) name: &'a str,
    /// The object that the tags name, if it is there and wants another user.
    pub(super) existing: Option<&'a ObjectSummary>,
    /// Another object that wants this user.
    pub(super) claimant: Option<&'a ObjectSummary>,
}

/// The namespaces that the owner tags of this cluster name.
pub(super) fn namespaces(survey: &Survey, cluster: &str) -> BTreeSet<String> {
    let tags = survey.users.iter().filter_map(|surveyed| match &surveyed.tags {
        SurveyedTags::Read(tags) => Some(tags),
        SurveyedTags::NotAsked | SurveyedTags::Hidden | SurveyedTags::Denied(_) => None,
    });
    let ours = tags.filter(|tags| is_of_cluster(tags, cluster));
    ours.filter_map(|tags| tags.get(NAMESPACE_TAG).cloned()).collect()
}

fn is_of_cluster(tags: &Tags, cluster: &str) -> bool {
    tags.get(CLUSTER_TAG).is_some_and(|named| named == cluster)
}

pub(super) fn evaluate<'a>(
    surveyed: &'a SurveyedUser,
    cluster: &str,
    known: &'a KnownObjects,
) -> Finding<'a> {
    let SurveyedUser { user, tags } = surveyed;
    let tags = match tags {
        SurveyedTags::NotAsked => return Finding::NotAsked,
        SurveyedTags::Hidden => return Finding::HiddenTags,
        SurveyedTags::Denied(_) => return Finding::DeniedTags,
        SurveyedTags::Read(tags) if is_of_cluster(tags, cluster) => tags,
        SurveyedTags::Read(_) => return Finding::NotOurs,
    };
    let (Some(namespace), Some(name)) = (tags.get(NAMESPACE_TAG), tags.get(NAME_TAG)) else {
        let wanted = known.objects.iter().any(|object| object.wants(&user.user_id));
        return if wanted { Finding::Owned } else { Finding::PartlyTagged };
    };
    if let Some(why) = known.unread.get(namespace) {
        return Finding::UnknownObject { namespace, name, why };
    }
    // Of several, the one that stands where the owner stood.
    let claimants = known.objects.iter().filter(|object| object.wants(&user.user_id));
    let claimant = claimants.min_by_key(|object| object.namespace != *namespace);
    let is_named = |object: &&ObjectSummary| object.namespace == *namespace && object.name == *name;
    match known.objects.iter().find(is_named) {
        Some(object) if object.wants(&user.user_id) => Finding::Owned,
        existing => Finding::Orphan(OrphanUser { user, namespace, name, existing, claimant }),
    }
}

/// The row of one user; `None` if there is nothing to say about this user alone.
pub(super) fn finding_row(user: &RemoteUser, finding: &Finding<'_>) -> Option<Row> {
    let id = &user.user_id;
    match finding {
        Finding::NotOurs | Finding::Owned | Finding::DeniedTags | Finding::NotAsked => None,
        Finding::Orphan(orphan) => Some(orphan_row(orphan)),
        Finding::PartlyTagged => {
            let message = format!(
                "AWS user {id:?} carries this cluster's tag, but lacks the tag of the namespace or of the name, so its object is not known."
            );
            let look = format!("aws elasticache list-tags-for-resource --resource-name {}", user.arn);
            Some(Row::warning("orphan-partly-tagged", message, look).about(row_user(user, None)))
        }
        Finding::UnknownObject { namespace, name, why } => {
            let message = format!(
                "AWS user {id:?} names the ElastiCacheUser {} as its owner. It is not known whether that object exists: {why}",
                display_name(namespace, name)
            );
            let about = row_user(user, Some((namespace, name)));
            Some(Row::unknown("orphan-unknown", message).about(about))
        }
        Finding::HiddenTags => {
            let message = format!(
                "It is not known which object AWS user {id:?} belongs to. AWS does not show its tags, because the user is {:?} or its tags have just changed. Check again later.",
                user.lifecycle.as_str()
            );
            Some(Row::unknown("orphan-unknown", message).about(row_user(user, None)))
        }
    }
}

fn orphan_row(orphan: &OrphanUser<'_>) -> Row {
    let OrphanUser { user, namespace, name, existing, claimant } = orphan;
    let owner = display_name(namespace, name);
    let why = match existing {
        None => format!("{owner}, which does not exist."),
        Some(existing) => format!("{owner}, which wants AWS user {:?}.", existing.wanted_user),
    };
    let groups = match user.user_group_ids.as_slice() {
        [] => String::new(),
        groups => format!(" It is a member of the user groups {}.", named(groups)),
    };
    let claimed = claimant.map(|claimant| {
        format!(" The ElastiCacheUser {} wants it.", display_name(&claimant.namespace, &claimant.name))
    });
    let message = format!(
        "AWS user {:?} names as its owner the ElastiCacheUser {why}{groups}{}",
        user.user_id,
        claimed.unwrap_or_default()
    );
    let adopt = commands::adopt_command(orphan).map(|command| format!("to adopt it: {command}\n"));
    let fix = format!("{}to delete it: {}", adopt.unwrap_or_default(), commands::delete_command(user));
    Row::warning("orphan", message, fix).about(row_user(user, Some((namespace, name))))
}

fn row_user(user: &RemoteUser, owner: Option<(&str, &str)>) -> RowUser {
    RowUser {
        user_id: user.user_id.clone(),
        arn: user.arn.to_string(),
        namespace: owner.map(|(namespace, _)| namespace.to_owned()),
        name: owner.map(|(_, name)| name.to_owned()),
    }
}

/// `namespace/name` for people. In quotes if no object can have such a name, because anybody may write the tags.
fn display_name(namespace: &str, name: &str) -> String {
    let text = format!("{namespace}/{name}");
    if is_dns_label(namespace) && is_object_name(name) { text } else { format!("{text:?}") }
}

/// The last row: how many users belong to which owner.
pub(super) fn summary_row(findings: &[Finding<'_>], definition_installed: bool) -> Row {
    let count = |wanted: fn(&Finding<'_>) -> bool| findings.iter().filter(|finding| wanted(finding)).count();
    let owned = count(|finding| matches!(finding, Finding::Owned));
    let others = count(|finding| matches!(finding, Finding::NotOurs));
    let orphans = count(|finding| matches!(finding, Finding::Orphan(_) | Finding::PartlyTagged));
    let unknown = findings.len() - owned - others - orphans;
    let without = if definition_installed { "" } else { " The CustomResourceDefinition is not installed." };
    let message = format!(
        "Of {}, {owned} belong to an object of this cluster, {others} carry another cluster's owner tags or none, {orphans} lack their object, {unknown} are not known.{without}",
        counted(findings.len(), "AWS user")
    );
    match (orphans, unknown) {
        (0, 0) => Row::ok("orphans", message),
        (0, _) => Row::warning("orphans", message, "see the rows that failed"),
        (_, _) if !definition_installed => {
            Row::warning("orphans", message, format!("before an adoption: {APPLY_CRD}"))
        }
        (_, _) => Row::warning("orphans", message, "adopt or delete each, as its row says"),
    }
}
