//! Pure: the user should be there.

use std::collections::BTreeSet;

use crate::access_string::same_meaning;
use crate::changes::{AuthenticationChange, TagChange, changes, tag_change, unannounced_keys};
use crate::location::{NotFoundMeaning, not_found_meaning, wrong_location};
use crate::ownership::{
    OwnerKnowledge, before_tags_change, owner_tags_missing, ownership, put_tags_back, still_ours,
};
use crate::{
    Account, Action, Adoption, Authentication, Cause, Changes, Create, Creation, Desired, Fetch, Lifecycle,
    Modify, Observed, Owner, OwnerObservation, Ownership, Read, Record, Refusal, RemoteUser, SecretProblem,
    Tag, Tags, TagsObservation, Untag, UserObservation, Wait, WriteIntent,
};

/// The user should be there.
pub(crate) fn ensure_present(desired: &Desired, observed: &Observed) -> Action {
    match &observed.user {
        UserObservation::NotRead => Action::Fetch(Fetch::User(desired.user_id.clone())),
        UserObservation::Failed(fault) => Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())),
        UserObservation::Absent => match not_found_meaning(observed) {
            NotFoundMeaning::Absent => create(desired, observed),
            NotFoundMeaning::WrongLocation(elsewhere) => Action::Refuse(Refusal::WrongLocation(elsewhere)),
            NotFoundMeaning::Unknown(action) => action,
        },
        UserObservation::Found(user) => match wrong_location(&observed.record, user) {
            Some(elsewhere) => Action::Refuse(Refusal::WrongLocation(elsewhere)),
            None => ensure_in_sync(desired, user, observed),
        },
    }
}

fn create(desired: &Desired, observed: &Observed) -> Action {
    let authentication = match AuthenticationChange::to(&desired.authentication) {
        Ok(authentication) => authentication,
        Err(problem) => return secret_problem(&problem),
    };
    if observed.source.account == Account::NotAsked && !observed.caller_asked {
        // The location of the user has to stand in status before CreateUser is sent. If STS does not answer, it has the
        // region alone until AWS has shown the user.
        return Action::Fetch(Fetch::Caller);
    }
    if !observed.intent_written {
        let mut tag_keys: BTreeSet<String> = desired.tags.keys().cloned().collect();
        if observed.record.creation == Creation::Open {
            // The user of the CreateUser before may show yet, with the tags that the spec had then.
            let before = observed.record.last_applied.as_ref().map(|last| last.tag_keys.clone());
            tag_keys.extend(before.unwrap_or_default());
        }
        let tag_keys = tag_keys.into_iter().collect();
        return Action::WriteIntent(WriteIntent::Create { tag_keys });
    }
    let mut tags = desired.tags.clone();
    tags.extend(desired.owner.tags(&desired.uid));
    let record = &observed.record;
    // A DeleteUser of ours means that the object goes too: a user that was managed and went did so by somebody else's hand.
    let cause = match record.readiness.was_ready() || record.arn.is_some() && record.manages() {
        true => Cause::Drift(vec!["the AWS user was missing".to_owned()]),
        false => Cause::Edit,
    };
    Action::Create(Create {
        user_id: desired.user_id.clone(),
        user_name: desired.user_name.clone(),
        engine: desired.engine,
        access_string: desired.access_string.clone(),
        authentication,
        tags,
        cause,
    })
}

/// A user of this ID is there, in the right place.
fn ensure_in_sync(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    if user.lifecycle == Lifecycle::Deleting {
        return Action::Wait(Wait::PreviousUser);
    }
    match ownership(&desired.owner, user, observed) {
        OwnerKnowledge::Pending(action) => action,
        OwnerKnowledge::Known(Ownership::Ours) => match &user.lifecycle {
            _ if user.user_name != desired.user_name => Action::Refuse(other_name(desired, user)),
            Lifecycle::Active => change(desired, user, observed),
            Lifecycle::Creating => Action::Wait(Wait::Creating),
            Lifecycle::Modifying if is_applying(desired, &observed.record) => Action::Wait(Wait::Modifying),
            busy @ (Lifecycle::Modifying | Lifecycle::Deleting | Lifecycle::Unrecognized(_)) => {
                Action::Wait(Wait::UserNotActive(busy.clone()))
            }
        },
        OwnerKnowledge::Known(Ownership::Another(owner)) => match other(&desired.owner, &owner, observed) {
            OwnerObservation::NotRead => Action::Fetch(Fetch::Owner(owner)),
            OwnerObservation::Gone => adopt(desired, user, observed, Some(owner)),
            OwnerObservation::Exists | OwnerObservation::Unknown => {
                Action::Refuse(Refusal::UserOwnedByAnother(owner))
            }
        },
        OwnerKnowledge::Known(Ownership::Unowned) if still_ours(&observed.record, user) => {
            put_tags_back(&desired.owner, &desired.uid, user, observed)
        }
        OwnerKnowledge::Known(Ownership::Unowned) => adopt(desired, user, observed, None),
    }
}

/// AWS is applying a ModifyUser of ours: this process sent it, or status says that all of the spec was sent already.
fn is_applying(desired: &Desired, record: &Record) -> bool {
    let sent = record.last_applied.as_ref().and_then(|last| last.access_string.as_ref());
    let all_sent = sent.is_some_and(|sent| same_meaning(sent, &desired.access_string));
    record.modify_sent || all_sent && !record.readiness.was_ready()
}

fn other_name(desired: &Desired, user: &RemoteUser) -> Refusal {
    Refusal::InvalidSpec(format!(
        "AWS user \"{}\" has the user name \"{}\", not \"{}\", and a user name cannot change",
        user.user_id, user.user_name, desired.user_name
    ))
}

/// Whether the object that the tags name can be, and is, there. Another cluster's cannot be looked at from here.
fn other(own: &Owner, owner: &Owner, observed: &Observed) -> OwnerObservation {
    let whole = owner.namespace != Owner::MISSING && owner.name != Owner::MISSING;
    if owner.cluster == own.cluster && whole { observed.other_owner } else { OwnerObservation::Unknown }
}

/// The user is nobody's.
fn adopt(desired: &Desired, user: &RemoteUser, observed: &Observed, former: Option<Owner>) -> Action {
    match desired.adoption {
        Adoption::Never => return Action::Refuse(Refusal::UserAlreadyExists { former }),
        Adoption::NotAllowed => return Action::Refuse(Refusal::AdoptionNotAllowed),
        Adoption::Allowed => {}
    }
    if user.user_name != desired.user_name {
        return Action::Refuse(other_name(desired, user));
    }
    before_tags_change(user, observed).unwrap_or_else(|| {
        let mut tags = desired.tags.clone();
        tags.extend(desired.owner.tags(&desired.uid));
        let keys = unannounced_keys(desired, &observed.record);
        send_tags(user, tags, Cause::Adoption, keys, observed)
    })
}

/// The user is ours and `active`.
fn change(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    match changes(desired, user, observed) {
        Err(problem) => return secret_problem(&problem),
        Ok(Some((changes, cause))) => {
            let user_id = desired.user_id.clone();
            return owner_tags_missing(user, observed)
                .or_else(|| overwritten(&changes, user, observed))
                .unwrap_or_else(|| Action::Modify(Modify { user_id, changes, cause }));
        }
        Ok(None) => {}
    }
    if let Some(action) = retag(desired, user, observed) {
        return action;
    }
    match &desired.authentication {
        Authentication::Password(Err(problem)) => secret_problem(problem),
        Authentication::Password(Ok(_)) | Authentication::Iam | Authentication::NoPassword => Action::InSync,
    }
}

/// The announcement of a change, where status would be wrong without it should the change's answer be lost.
fn overwritten(changes: &Changes, user: &RemoteUser, observed: &Observed) -> Option<Action> {
    let last = observed.record.last_applied.as_ref().filter(|_| !observed.intent_written)?;
    let unseen = last.access_string.is_some() && last.expanded_access_string.is_none();
    let expanded_access_string =
        (changes.access_string.is_some() && unseen).then(|| user.access_string.clone());
    let forget_passwords = changes.authentication.is_some() && !last.password_versions.is_empty();
    (expanded_access_string.is_some() || forget_passwords)
        .then_some(Action::WriteIntent(WriteIntent::Modify { expanded_access_string, forget_passwords }))
}

/// What is to be done about the spec's tags; `None` where they are right, or it is not time to look.
fn retag(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Option<Action> {
    match &observed.tags {
        TagsObservation::NotRead | TagsObservation::Unreadable | TagsObservation::Failed(_)
            if !observed.tags_due =>
        {
            None
        }
        TagsObservation::NotRead => Some(Action::Fetch(Fetch::Tags(user.arn.clone()))),
        // They were as they should be, and somebody changed them a moment ago: there will be another look.
        TagsObservation::Unreadable if observed.record.readiness.is_ready() => None,
        TagsObservation::Unreadable => Some(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone()))),
        TagsObservation::Failed(fault) => {
            Some(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone())))
        }
        TagsObservation::Read(tags) => match tag_change(desired, tags, &observed.record)? {
            TagChange::Remove(keys) => Some(Action::Untag(Untag { arn: user.arn.clone(), keys })),
            TagChange::Add(tags, cause) => {
                let keys = unannounced_keys(desired, &observed.record);
                Some(send_tags(user, tags, cause, keys, observed))
            }
        },
    }
}

/// AddTagsToResource, once status says which keys are ours and the object was read again.
fn send_tags(
    user: &RemoteUser,
    tags: Tags,
    cause: Cause,
    keys: Option<Vec<String>>,
    observed: &Observed,
) -> Action {
    match keys {
        Some(tag_keys) if !observed.intent_written => Action::WriteIntent(WriteIntent::Tags { tag_keys }),
        _ if !observed.object_confirmed => Action::Fetch(Fetch::Object),
        _ => Action::Tag(Tag { arn: user.arn.clone(), tags, cause }),
    }
}

/// A Secret that is missing may come; a value that cannot be a password needs a person.
pub(crate) fn secret_problem(problem: &SecretProblem) -> Action {
    match problem {
        SecretProblem::NotFound { .. }
        | SecretProblem::KeyNotFound { .. }
        | SecretProblem::Forbidden { .. }
        | SecretProblem::Unreadable { .. } => Action::Wait(Wait::Secret(problem.clone())),
        SecretProblem::Invalid { .. } => Action::Refuse(Refusal::InvalidPassword(problem.clone())),
    }
}
