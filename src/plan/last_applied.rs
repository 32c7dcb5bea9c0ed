//! Pure: what status remembers of what was sent (`status.lastApplied`), and how a pass changes it.

use crate::access_string::same_meaning;
use crate::changes::tags_match;
use crate::verdict::Outcome;
use crate::{
    Action, Authentication, Create, Desired, Goal, Lifecycle, Modify, Mutation, OWNER_TAG_PREFIX, Observed,
    RemoteUser, TagsObservation, UserObservation, WriteIntent,
};

/// What was last sent, and what AWS made of it. The first one differing from the spec is a new request, the second one
/// differing from AWS is drift.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct LastApplied {
    /// The access string as it was sent.
    pub access_string: Option<String>,
    /// The first answer that showed the user `active` after it.
    pub expanded_access_string: Option<String>,
    /// The Secret versions whose passwords were sent, sorted.
    pub password_versions: Vec<String>,
    /// Keys of the spec's tags that were sent, or are about to be.
    pub tag_keys: Vec<String>,
}

impl LastApplied {
    /// Whether something was applied to the user.
    #[must_use]
    pub fn manages(&self) -> bool {
        self.access_string.is_some()
    }
}

/// What status remembers after a pass, of what it remembered until now (`before`, writes of this pass included); `None`
/// where that stays.
#[must_use]
pub fn next_last_applied(
    goal: &Goal,
    observed: &Observed,
    action: &Action,
    outcome: &Outcome,
    before: LastApplied,
) -> Option<LastApplied> {
    if let Action::WriteIntent(announcement) = action {
        return announced(announcement, before);
    }
    match (action.mutation(), outcome) {
        (Some(Mutation::Create(create)), Outcome::Accepted(user)) => Some(created(&create, outcome, user)),
        (Some(Mutation::Modify(modify)), Outcome::Accepted(_)) => Some(modified(&modify, goal, before)),
        // Of a removal whose answer was lost, this answer tells.
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
                // Its announcement took out all there was.
                | Mutation::Delete(_),
            )
            | None,
            _,
        ) => None,
    }
}

fn announced(announcement: &WriteIntent, before: LastApplied) -> Option<LastApplied> {
    match announcement {
        // Whatever was applied before went with the user.
        WriteIntent::Create { tag_keys } => {
            Some(LastApplied { tag_keys: tag_keys.clone(), ..LastApplied::default() })
        }
        WriteIntent::Tags { tag_keys } => Some(LastApplied { tag_keys: tag_keys.clone(), ..before }),
        WriteIntent::Modify { expanded_access_string, forget_passwords } => {
            let mut last = before;
            last.expanded_access_string = expanded_access_string.clone().or(last.expanded_access_string);
            if *forget_passwords {
                last.password_versions.clear();
            }
            Some(last)
        }
        // Should what came of DeleteUser be lost: nothing in status may still pass for what AWS has. Not even a refusal puts it
        // back, so that one that is repeated writes nothing.
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
        // What is not sent is there already, though the answer that told so may have been lost.
        take_on(&mut last, desired);
    }
    if let Some(authentication) = &modify.changes.authentication {
        last.password_versions = authentication.password_versions().to_vec();
    }
    last
}

/// AWS has what this spec asks for: was that never noted as sent, as a ModifyUser's answer was lost or a person came first,
/// it is now. Else somebody who changes it afterwards would pass for an edit of the spec.
fn take_on(last: &mut LastApplied, desired: &Desired) {
    let noted = last.access_string.as_ref().is_some_and(|sent| same_meaning(sent, &desired.access_string));
    if !noted {
        last.access_string = Some(desired.access_string.clone());
        last.expanded_access_string = None;
    }
}

/// What status should remember of a user that is as it should be: taken on where nothing was remembered, completed with
/// AWS's form where the user is `active` for the first time since the last request.
#[must_use]
pub fn in_sync(desired: &Desired, user: &RemoteUser, observed: &Observed) -> LastApplied {
    let mut last = observed.record.last_applied.clone().unwrap_or_default();
    take_on(&mut last, desired);
    if last.expanded_access_string.is_none() && user.lifecycle == Lifecycle::Active {
        last.expanded_access_string = Some(user.access_string.clone());
    }
    match &desired.authentication {
        // The same passwords in a Secret that was written again.
        Authentication::Password(Ok(passwords)) => last.password_versions = passwords.versions().to_vec(),
        Authentication::Password(Err(_)) => {}
        Authentication::Iam | Authentication::NoPassword => last.password_versions = Vec::new(),
    }
    if matches!(&observed.tags, TagsObservation::Read(tags) if tags_match(desired, tags, &observed.record)) {
        last.tag_keys = desired.tags.keys().cloned().collect();
    }
    last
}
