//! `status.lastApplied`: what was sent to AWS, and how a pass changes this record.

use crate::access_string::same_meaning;
use crate::changes::tags_match;
use crate::verdict::Outcome;
use crate::{
    Action, Authentication, Create, Desired, Goal, Lifecycle, Modify, Mutation, OWNER_TAG_PREFIX, Observed,
    RemoteUser, SecretVersion, TagsObservation, UserObservation, WriteIntent,
};

/// If `access_string` differs from the spec, somebody edited the spec. If `expanded_access_string` differs from AWS,
/// somebody changed the AWS user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LastApplied {
    /// As it was sent.
    pub access_string: Option<String>,
    /// AWS's form of it, from the first answer that showed the user `active` afterwards.
    pub expanded_access_string: Option<String>,
    /// Of the passwords that were sent. Sorted.
    pub password_versions: Vec<SecretVersion>,
    /// Of the spec's tags that were sent, or are about to be sent.
    pub tag_keys: Vec<String>,
}

impl LastApplied {
    /// Something was applied to the user.
    #[must_use]
    pub fn manages(&self) -> bool {
        self.access_string.is_some()
    }
}

/// `lastApplied` after the pass. `before` includes the writes of this pass. `None` if nothing changes.
#[must_use]
pub fn next_last_applied(
    goal: &Goal,
    observed: &Observed,
    action: &Action,
    outcome: &Outcome,
    before: LastApplied,
) -> Option<LastApplied> {
    if let Action::WriteIntent(intent) = action {
        return after_intent(intent, before);
    }
    match (action.mutation(), outcome) {
        (Some(Mutation::Create(create)), Outcome::Accepted(user)) => Some(created(&create, outcome, user)),
        (Some(Mutation::Modify(modify)), Outcome::Accepted(_)) => Some(modified(&modify, goal, before)),
        // If the answer to an earlier removal was lost, this answer shows its effect.
        (Some(Mutation::Tag(_)), Outcome::Tagged(tags)) => {
            let mut last = before;
            last.tag_keys.retain(|key| tags.contains_key(key));
            Some(last)
        }
        (Some(Mutation::Untag(untag)), Outcome::Tagged(_)) => {
            let mut last = before;
            last.tag_keys.retain(|key| !untag.keys.contains(key));
            Some(last)
        }
        (None, _) if *action == Action::InSync => match (goal, &observed.user) {
            (Goal::Present(desired), UserObservation::Found(user)) => Some(in_sync(desired, user, observed)),
            _ => None,
        },
        (
            Some(
                Mutation::Create(_)
                | Mutation::Modify(_)
                | Mutation::Tag(_)
                | Mutation::Untag(_)
                // The delete request has removed everything.
                | Mutation::Delete(_),
            )
            | None,
            _,
        ) => None,
    }
}

fn after_intent(intent: &WriteIntent, before: LastApplied) -> Option<LastApplied> {
    match intent {
        // What was applied before was applied to an earlier user.
        WriteIntent::Create { tag_keys } => {
            Some(LastApplied { tag_keys: tag_keys.clone(), ..LastApplied::default() })
        }
        WriteIntent::Tags { tag_keys, forget_passwords } => {
            let mut last = LastApplied { tag_keys: tag_keys.clone(), ..before };
            if *forget_passwords {
                last.password_versions.clear();
            }
            Some(last)
        }
        WriteIntent::Modify { expanded_access_string, forget_passwords } => {
            let mut last = before;
            last.expanded_access_string = expanded_access_string.clone().or(last.expanded_access_string);
            if *forget_passwords {
                last.password_versions.clear();
            }
            Some(last)
        }
        // If the answer to DeleteUser is lost, status must not claim that AWS still has the user. A refusal does not
        // restore it either, so that repeated refusals write nothing.
        WriteIntent::Delete => Some(LastApplied::default()),
        WriteIntent::Reclaim { last_applied } => Some(last_applied.clone()),
    }
}

fn created(create: &Create, outcome: &Outcome, user: &RemoteUser) -> LastApplied {
    let of_spec = |key: &&String| !key.starts_with(OWNER_TAG_PREFIX);
    LastApplied {
        access_string: Some(create.access_string.clone()),
        expanded_access_string: outcome.shows_active().then(|| user.access_string.clone()),
        password_versions: create.authentication.password_versions().to_vec(),
        tag_keys: create.tags.keys().filter(of_spec).cloned().collect(),
    }
}

fn modified(modify: &Modify, goal: &Goal, before: LastApplied) -> LastApplied {
    let mut last = before;
    if let Some(sent) = &modify.changes.access_string {
        last.access_string = Some(sent.clone());
        last.expanded_access_string = None;
    } else if let Goal::Present(desired) = goal {
        // AWS has what is not sent, even if the answer that showed it was lost.
        record_as_applied(&mut last, desired);
    }
    if let Some(authentication) = &modify.changes.authentication {
        last.password_versions = authentication.password_versions().to_vec();
    }
    last
}

/// AWS has what the spec asks for. Record it as applied even if the answer to ModifyUser was lost or a person made the
/// change. Otherwise a later change by somebody else would count as an edit of the spec.
fn record_as_applied(last: &mut LastApplied, desired: &Desired) {
    let noted = last.access_string.as_ref().is_some_and(|sent| same_meaning(sent, &desired.access_string));
    if !noted {
        last.access_string = Some(desired.access_string.clone());
        last.expanded_access_string = None;
    }
}

/// `lastApplied` of a user that matches the spec.
#[must_use]
pub fn in_sync(desired: &Desired, user: &RemoteUser, observed: &Observed) -> LastApplied {
    let mut last = observed.record.last_applied.clone().unwrap_or_default();
    record_as_applied(&mut last, desired);
    if last.expanded_access_string.is_none() && user.lifecycle == Lifecycle::Active {
        last.expanded_access_string = Some(user.access_string.clone());
    }
    match &desired.authentication {
        // The Secret was written again with the same passwords.
        Authentication::Password(Ok(passwords)) => last.password_versions = passwords.versions().to_vec(),
        Authentication::Password(Err(_)) => {}
        Authentication::ExternalPassword(_) | Authentication::Iam | Authentication::NoPassword => {
            last.password_versions = Vec::new();
        }
    }
    if matches!(&observed.tags, TagsObservation::Read(tags) if tags_match(desired, tags, &observed.record)) {
        last.tag_keys = desired.tags.keys().cloned().collect();
    }
    last
}
