//! `managementPolicy: Observe`: reports how the user differs from the spec, and never changes AWS.

use crate::changes::differences;
use crate::ensure_present::secret_problem;
use crate::finalize::release_finalizer;
use crate::location::{NotFoundMeaning, not_found_meaning, wrong_location};
use crate::{
    Action, Authentication, Comparison, Desired, Fetch, Lifecycle, Observed, Read, Record, Refusal,
    ReleaseReason, RemoteUser, TagsObservation, UserObservation, Wait, WantedGroups,
};

pub(crate) fn observe_only(desired: &Desired, observed: &Observed) -> Action {
    if observed.record.has_finalizer {
        // The object managed the user before. Now it must not need a finalizer.
        return release_finalizer(
            &desired.user_id,
            false,
            observed,
            ReleaseReason::Observes { deletion_accepted: false },
        );
    }
    match &observed.user {
        UserObservation::NotRead => Action::Fetch(Fetch::User(desired.user_id.clone())),
        UserObservation::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        UserObservation::Absent => match not_found_meaning(observed) {
            NotFoundMeaning::Absent => Action::ObserveOnly(Comparison::Missing),
            NotFoundMeaning::WrongLocation(elsewhere) => Action::Refuse(Refusal::WrongLocation(elsewhere)),
            NotFoundMeaning::Unknown(action) => action,
        },
        UserObservation::Found(user) => match wrong_location(&observed.record, user) {
            Some(elsewhere) => Action::Refuse(Refusal::WrongLocation(elsewhere)),
            None => diff(desired, user, observed),
        },
    }
}

fn diff(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    if user.lifecycle != Lifecycle::Active {
        return Action::Wait(Wait::UserNotActive(user.lifecycle.clone()));
    }
    if let Authentication::Password(Err(problem)) = &desired.authentication {
        return secret_problem(problem);
    }
    let tags = match &observed.tags {
        _ if desired.tags.is_empty() => None,
        TagsObservation::NotRead => return Action::Fetch(Fetch::Tags(user.arn.clone())),
        TagsObservation::Unreadable => return Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone())),
        TagsObservation::Failed(fault) => {
            return Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone()));
        }
        TagsObservation::Read(tags) => Some(tags),
    };
    let mut differences = differences(desired, user, tags);
    differences.extend(group_differences(&desired.user_groups, user, &observed.record));
    Action::ObserveOnly(match differences.is_empty() {
        true => Comparison::Matches,
        false => Comparison::Differs(differences),
    })
}

/// DescribeUsers shows the memberships.
fn group_differences(wanted: &WantedGroups, user: &RemoteUser, record: &Record) -> Vec<String> {
    let is_member = |id: &str| user.user_group_ids.iter().any(|group| group == id);
    let joins = wanted.keys().filter(|group| !is_member(group.as_str()));
    let is_left = |group: &&crate::UserGroupId| !wanted.contains_key(*group) && is_member(group.as_str());
    let leaves = record.managed_groups.iter().filter(is_left);
    let joins = joins.map(|group| format!("user group \"{group}\" would be joined"));
    joins.chain(leaves.map(|group| format!("user group \"{group}\" would be left"))).collect()
}
