//! Creates, adopts or changes the user until it matches the spec.

use std::collections::BTreeSet;

use crate::access_string::same_meaning;
use crate::changes::{AuthenticationChange, TagChange, changes, tag_change, unrecorded_tag_keys};
use crate::location::{NotFoundMeaning, not_found_meaning, wrong_location};
use crate::membership::groups_are_unread;
use crate::ownership::{
    OwnerKnowledge, before_tags_change, owner_tags_missing, ownership, restore_owner_tags, still_ours,
};
use crate::rules::barred;
use crate::{
    Account, Action, Adoption, Authentication, Cause, Changes, Create, Creation, Desired, Fault, Fetch,
    FirstPassword, Lifecycle, Modify, Observed, Owner, OwnerObservation, Ownership, Read, Record, Refusal,
    RemoteUser, SecretProblem, Tag, Tags, TagsObservation, Untag, UserObservation, Wait, WriteIntent,
};

pub(crate) fn ensure_present(desired: &Desired, observed: &Observed) -> Action {
    if let Some(action) = waits_for_secret(desired, observed) {
        return action;
    }
    match &observed.user {
        UserObservation::NotRead if needs_no_look(desired, observed) => create(desired, observed),
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

/// If a user of this ID exists, AWS refuses CreateUser, and then the user is looked at. Whatever stops the operator from creating the
/// user, a user of ours may exist already.
fn needs_no_look(desired: &Desired, observed: &Observed) -> bool {
    let may_have_passwords = match &desired.authentication {
        Authentication::Password(passwords)
        | Authentication::ExternalPassword(FirstPassword::FromSecrets(passwords)) => {
            passwords.as_ref().err().is_none_or(|problem| *problem == SecretProblem::NotRead)
        }
        Authentication::ExternalPassword(FirstPassword::Random)
        | Authentication::Iam
        | Authentication::NoPassword => true,
    };
    observed.record.create_needs_no_look
        && desired.adoption == Adoption::Never
        && barred(desired).is_none()
        && may_have_passwords
}

fn create(desired: &Desired, observed: &Observed) -> Action {
    if let Some(action) = barred(desired) {
        return action;
    }
    let authentication = match AuthenticationChange::to(&desired.authentication) {
        Ok(authentication) => authentication,
        Err(problem) => return secret_problem(&problem),
    };
    if let Some(action) = learn_account(observed) {
        return action;
    }
    if !observed.intent_written {
        let mut tag_keys: BTreeSet<String> = desired.tags.keys().cloned().collect();
        if observed.record.creation == Creation::Open {
            // The earlier CreateUser may still take effect, with the tags that the spec had then.
            let before = observed.record.last_applied.as_ref().map(|last| last.tag_keys.clone());
            tag_keys.extend(before.unwrap_or_default());
        }
        let tag_keys = tag_keys.into_iter().collect();
        return Action::WriteIntent(WriteIntent::Create { tag_keys });
    }
    let mut tags = desired.tags.clone();
    tags.extend(desired.owner.tags(&desired.uid));
    let record = &observed.record;
    // The operator deletes a user only with its object. So somebody else deleted this one.
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

/// Status must have the user's location before CreateUser is sent. If the answer to CreateUser is lost and the credentials move to
/// another account, the operator would otherwise create the user there too. STS is asked first, because it costs no call of
/// ElastiCache. `None` if the account is known, or if AWS does not show it: then the location has only the region.
fn learn_account(observed: &Observed) -> Option<Action> {
    match &observed.source.account {
        Account::NotAsked if observed.caller_asked => Some(Action::Fetch(Fetch::Account)),
        Account::NotAsked => Some(Action::Fetch(Fetch::Caller)),
        Account::Failed(fault @ (Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_))) => {
            Some(Action::Wait(Wait::Failed(Read::DescribeUsers, fault.clone())))
        }
        Account::Known(_)
        | Account::Withheld
        | Account::Failed(Fault::Denied(_) | Fault::Rejected(..) | Fault::Busy(_)) => None,
    }
}

/// A user of this ID exists in the right account and region.
fn ensure_in_sync(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    if user.lifecycle == Lifecycle::Deleting {
        return barred(desired).unwrap_or(Action::Wait(Wait::PreviousUser));
    }
    match ownership(&desired.owner, user, observed) {
        OwnerKnowledge::Pending(action) => action,
        OwnerKnowledge::Known(Ownership::Ours) => match &user.lifecycle {
            _ if user.user_name != desired.user_name => Action::Refuse(other_name(desired, user)),
            Lifecycle::Active => change(desired, user, observed),
            Lifecycle::Creating => Action::Wait(Wait::Creating),
            Lifecycle::Modifying => while_modifying(desired, observed),
            busy @ (Lifecycle::Deleting | Lifecycle::Unrecognized(_)) => {
                Action::Wait(Wait::UserNotActive(busy.clone()))
            }
        },
        OwnerKnowledge::Known(Ownership::Unowned) if still_ours(&observed.record, user) => {
            before_tags_change(user, observed)
                .or_else(|| before_restored_tags(observed))
                .unwrap_or_else(|| restore_owner_tags(&desired.owner, &desired.uid, user, observed))
        }
        OwnerKnowledge::Known(Ownership::Unowned | Ownership::Another(_))
            if let Some(action) = barred(desired) =>
        {
            action
        }
        OwnerKnowledge::Known(Ownership::Another(owner)) => match other(&desired.owner, &owner, observed) {
            OwnerObservation::NotRead => Action::Fetch(Fetch::Owner(owner)),
            OwnerObservation::Gone => adopt(desired, user, observed, Some(owner)),
            OwnerObservation::Leaving => Action::Wait(Wait::PreviousOwner(owner)),
            OwnerObservation::Exists if observed.record.is_new => Action::Wait(Wait::PreviousOwner(owner)),
            OwnerObservation::Exists | OwnerObservation::Unknown => {
                Action::Refuse(Refusal::UserOwnedByAnother(owner))
            }
        },
        OwnerKnowledge::Known(Ownership::Unowned) => adopt(desired, user, observed, None),
    }
}

/// AWS is applying a ModifyUser of ours, because this process sent it or because status shows that the whole spec was sent.
fn is_applying(desired: &Desired, record: &Record) -> bool {
    let sent = record.last_applied.as_ref().and_then(|last| last.access_string.as_ref());
    let all_sent = sent.is_some_and(|sent| same_meaning(sent, &desired.access_string));
    record.modify_sent || all_sent && !record.readiness.was_ready()
}

fn while_modifying(desired: &Desired, observed: &Observed) -> Action {
    if groups_are_unread(&desired.user_groups, observed) {
        return Action::Fetch(Fetch::Groups);
    }
    Action::Wait(match observed.record.readiness.is_ready() && !observed.record.modify_sent {
        _ if observed.groups.is_applying() => Wait::ChangingGroups,
        true => Wait::BusyForOthers,
        false if is_applying(desired, &observed.record) => Wait::Modifying,
        false => Wait::UserNotActive(Lifecycle::Modifying),
    })
}

fn other_name(desired: &Desired, user: &RemoteUser) -> Refusal {
    let RemoteUser { user_id: id, user_name: has, .. } = user;
    Refusal::InvalidSpec(format!(
        "AWS user \"{id}\" has the user name \"{has}\", not \"{}\", and AWS cannot change a user name. To keep the user, set deletionPolicy to Retain, delete this object, and create it again with userName \"{has}\"",
        desired.user_name
    ))
}

/// Whether the object exists that the tags name. The operator cannot read objects of other clusters, and must not ask for names
/// that no object can have: they could lead a request to another path.
fn other(own: &Owner, owner: &Owner, observed: &Observed) -> OwnerObservation {
    if owner.cluster == own.cluster && owner.can_exist() {
        observed.other_owner
    } else {
        OwnerObservation::Unknown
    }
}

/// The user belongs to no object. A user of a former object of another namespace is adopted only if that namespace may adopt too:
/// otherwise a waiting object would take the user, with its memberships, in the moment in which its object is applied again.
fn adopt(desired: &Desired, user: &RemoteUser, observed: &Observed, former: Option<Owner>) -> Action {
    let own = &desired.owner.namespace;
    let elsewhere = former.as_ref().map(|former| &former.namespace).filter(|namespace| *namespace != own);
    let forbidden = elsewhere.filter(|namespace| !desired.adoption_namespaces.matches(namespace)).cloned();
    match (desired.adoption, forbidden) {
        (Adoption::Never, _) => return Action::Refuse(Refusal::UserAlreadyExists { former }),
        (Adoption::Forbidden, _) => return Action::Refuse(Refusal::AdoptionForbidden),
        (Adoption::NotAllowed, _) => {
            return Action::Refuse(Refusal::AdoptionNotAllowed { namespace: own.clone(), former });
        }
        (Adoption::Allowed, Some(namespace)) => {
            return Action::Refuse(Refusal::AdoptionNotAllowed { namespace, former });
        }
        (Adoption::Allowed, None) => {}
    }
    if user.user_name != desired.user_name {
        return Action::Refuse(other_name(desired, user));
    }
    before_tags_change(user, observed).unwrap_or_else(|| {
        let mut tags = desired.tags.clone();
        tags.extend(desired.owner.tags(&desired.uid));
        let forget_passwords = has_password_versions(&observed.record);
        let intent = intent_before_tags(desired, &observed.record, forget_passwords);
        send_tags(user, tags, Cause::Adoption, intent, observed)
    })
}

/// Owner tags alone are restored. The next pass sends the passwords, because status has no versions of them.
fn before_restored_tags(observed: &Observed) -> Option<Action> {
    let last = observed.record.last_applied.as_ref().filter(|_| !observed.intent_written)?;
    has_password_versions(&observed.record).then(|| {
        let tag_keys = last.tag_keys.clone();
        Action::WriteIntent(WriteIntent::Tags { tag_keys, forget_passwords: true })
    })
}

fn has_password_versions(record: &Record) -> bool {
    record.last_applied.as_ref().is_some_and(|last| !last.password_versions.is_empty())
}

/// What status must have before the tags of this spec are sent. `None` if it has that.
fn intent_before_tags(desired: &Desired, record: &Record, forget_passwords: bool) -> Option<WriteIntent> {
    let recorded = || record.last_applied.as_ref().map(|last| last.tag_keys.clone());
    let keys = unrecorded_tag_keys(desired, record).or_else(|| recorded().filter(|_| forget_passwords));
    keys.map(|tag_keys| WriteIntent::Tags { tag_keys, forget_passwords })
}

fn change(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Action {
    let is_unread = matches!(desired.authentication, Authentication::Password(Err(SecretProblem::NotRead)));
    if is_unread && !observed.secrets_unchanged {
        // What else differs is sent together with the passwords.
        return Action::Fetch(Fetch::Passwords);
    }
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
        Authentication::Password(Err(problem)) if !is_unread => secret_problem(problem),
        Authentication::Password(_)
        | Authentication::ExternalPassword(_)
        | Authentication::Iam
        | Authentication::NoPassword
            if groups_are_unread(&desired.user_groups, observed) =>
        {
            Action::Fetch(Fetch::Groups)
        }
        Authentication::Password(_)
        | Authentication::ExternalPassword(_)
        | Authentication::Iam
        | Authentication::NoPassword => Action::InSync,
    }
}

/// The status write that must precede ModifyUser. Without it, status would be wrong if the answer were lost.
fn overwritten(changes: &Changes, user: &RemoteUser, observed: &Observed) -> Option<Action> {
    let last = observed.record.last_applied.as_ref().filter(|_| !observed.intent_written)?;
    let unseen = last.access_string.is_some() && last.expanded_access_string.is_none();
    let expanded_access_string =
        (changes.access_string.is_some() && unseen).then(|| user.access_string.clone());
    let forget_passwords = changes.authentication.is_some() && !last.password_versions.is_empty();
    (expanded_access_string.is_some() || forget_passwords)
        .then_some(Action::WriteIntent(WriteIntent::Modify { expanded_access_string, forget_passwords }))
}

/// `None` if the tags match the spec or are not due for a comparison.
fn retag(desired: &Desired, user: &RemoteUser, observed: &Observed) -> Option<Action> {
    match &observed.tags {
        TagsObservation::NotRead | TagsObservation::Unreadable | TagsObservation::Failed(_)
            if !observed.tags_due =>
        {
            None
        }
        TagsObservation::NotRead => Some(Action::Fetch(Fetch::Tags(user.arn.clone()))),
        // The user was Ready, and somebody has just changed its tags. A later pass compares them.
        TagsObservation::Unreadable if observed.record.readiness.is_ready() => None,
        TagsObservation::Unreadable => Some(Action::Wait(Wait::OwnerUnknown(user.lifecycle.clone()))),
        TagsObservation::Failed(fault) => {
            Some(Action::Wait(Wait::Failed(Read::ListTagsForResource, fault.clone())))
        }
        TagsObservation::Read(tags) => match tag_change(desired, tags, &observed.record)? {
            TagChange::Remove(keys) => Some(Action::Untag(Untag { arn: user.arn.clone(), keys })),
            TagChange::Add(tags, cause) => {
                let intent = intent_before_tags(desired, &observed.record, false);
                Some(send_tags(user, tags, cause, intent, observed))
            }
        },
    }
}

/// The intent must be written, and the object must be read again, before AddTagsToResource is sent.
fn send_tags(
    user: &RemoteUser,
    tags: Tags,
    cause: Cause,
    intent: Option<WriteIntent>,
    observed: &Observed,
) -> Action {
    match intent {
        Some(intent) if !observed.intent_written => Action::WriteIntent(intent),
        _ if !observed.object_confirmed => Action::Fetch(Fetch::Object),
        _ => Action::Tag(Tag { arn: user.arn.clone(), tags, cause }),
    }
}

/// AWS was asked before, and nothing can be done without the Secret. So read only the Secret.
fn waits_for_secret(desired: &Desired, observed: &Observed) -> Option<Action> {
    match &desired.authentication {
        Authentication::Password(Err(problem))
        | Authentication::ExternalPassword(FirstPassword::FromSecrets(Err(problem)))
            if observed.record.waits_for_secret && observed.user == UserObservation::NotRead =>
        {
            Some(secret_problem(problem))
        }
        Authentication::Password(_)
        | Authentication::ExternalPassword(_)
        | Authentication::Iam
        | Authentication::NoPassword => None,
    }
}

/// A missing Secret may be created later. An invalid password needs a person.
pub(crate) fn secret_problem(problem: &SecretProblem) -> Action {
    match problem {
        SecretProblem::NotRead => Action::Fetch(Fetch::Passwords),
        SecretProblem::NotFound { .. }
        | SecretProblem::KeyNotFound { .. }
        | SecretProblem::Forbidden { .. }
        | SecretProblem::Unreadable { .. } => Action::Wait(Wait::Secret(problem.clone())),
        SecretProblem::Invalid { .. } => Action::Refuse(Refusal::InvalidPassword(problem.clone())),
    }
}
