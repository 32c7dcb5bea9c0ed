//! Pure: the sentences that people read in conditions and events. What happened, to what, AWS's code, what to do; never
//! anything that changes from pass to pass.

use super::{Outcome, Reason, VerdictContext};
use crate::{
    Action, Cause, Comparison, Fault, Lifecycle, Location, Read, Refusal, Rejection, ReleaseReason,
    SecretProblem, Wait, WriteIntent, WrongLocation,
};

const ROLE_COMMAND: &str = "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com";

/// The sentence for an action that did not fail.
pub(super) fn message(action: &Action, outcome: &Outcome, context: &VerdictContext<'_>) -> String {
    let id = context.user_id;
    match action {
        Action::Fetch(_) | Action::AddFinalizer => format!("Looking at AWS user \"{id}\"."),
        Action::WriteIntent(WriteIntent::Create { .. }) => format!("Creating AWS user \"{id}\"."),
        Action::WriteIntent(WriteIntent::Tags { .. }) | Action::Untag(_) => tagging(id),
        Action::WriteIntent(WriteIntent::Modify { .. }) => format!("Changing AWS user \"{id}\"."),
        Action::WriteIntent(WriteIntent::Delete) => {
            format!("Deleting AWS user \"{id}\". This object goes once AWS no longer has it.")
        }
        Action::Create(_) if outcome.shows_active() => is_active(id),
        Action::Create(_) if *outcome == Outcome::AlreadyExists => format!(
            "CreateUser answered UserAlreadyExists for \"{id}\", which AWS did not show before. Looking again at whose it is."
        ),
        Action::Create(_) => format!("Creating AWS user \"{id}\"."),
        Action::Modify(_) | Action::Delete(_) if *outcome == Outcome::NotFound => format!(
            "{} answered UserNotFound for \"{id}\". Looking again: DescribeUsers decides.",
            call(action)
        ),
        Action::Modify(_) => modifying(id),
        Action::Delete(_) => deleting(id),
        Action::Tag(tag) if tag.cause == Cause::Adoption => match outcome {
            Outcome::Tagged(_) => format!(
                "AWS user \"{id}\" was nobody's and is taken over: it carries this object's owner tags now."
            ),
            Outcome::Decided
            | Outcome::Accepted(_)
            | Outcome::Released
            | Outcome::AlreadyExists
            | Outcome::NotFound
            | Outcome::CredentialsChanged
            | Outcome::Failed(_) => format!(
                "AWS user \"{id}\" is nobody's and is to be taken over; AWS does not take its owner tags now. Trying again."
            ),
        },
        Action::Tag(tag) if !tag.tags.contains_key(crate::CLUSTER_TAG) => tagging(id),
        Action::Tag(_) | Action::WriteIntent(WriteIntent::Reclaim { .. }) => format!(
            "AWS user \"{id}\" had lost its owner tags; they are put back. Waiting until AWS shows them, which takes some seconds."
        ),
        Action::ReleaseFinalizer(why) => release(why, id, context),
        Action::Wait(wait) => waiting(wait, id, context),
        Action::Refuse(refusal) => refusing(refusal, id),
        Action::InSync => is_active(id),
        Action::Suspended { .. } => {
            "spec.suspend is true: AWS is not called for this object until it is false.".to_owned()
        }
        Action::Compared(comparison) => compared(comparison, id),
    }
}

fn compared(comparison: &Comparison, id: &str) -> String {
    match comparison {
        Comparison::Matches => {
            format!("AWS user \"{id}\" is active and matches the spec. It is only observed.")
        }
        Comparison::Differs(differences) => format!(
            "AWS user \"{id}\" differs from the spec, and nothing is changed as managementPolicy is Observe: {}.",
            differences.join("; ")
        ),
        Comparison::Missing => {
            format!(
                "There is no AWS user \"{id}\", and none is created as managementPolicy is Observe. Check the user ID and the operator's account and region, or set managementPolicy to Manage to create it."
            )
        }
    }
}

fn tagging(id: &str) -> String {
    format!("The tags of AWS user \"{id}\" are being changed.")
}

fn is_active(id: &str) -> String {
    format!("AWS user \"{id}\" is active and matches the spec.")
}

fn modifying(id: &str) -> String {
    format!("AWS is applying the change to user \"{id}\". This takes from seconds to some minutes.")
}

fn deleting(id: &str) -> String {
    format!(
        "AWS is deleting user \"{id}\". This takes from seconds to some minutes; the object goes once AWS no longer has it."
    )
}

fn release(why: &ReleaseReason, id: &str, context: &VerdictContext<'_>) -> String {
    let promised = |accepted: bool| {
        if accepted {
            " DeleteUser had been accepted before, so AWS is deleting the user all the same."
        } else {
            ""
        }
    };
    match why {
        ReleaseReason::UserGone => format!("AWS user \"{id}\" is gone."),
        ReleaseReason::NoSuchUser => {
            "The spec names no user that AWS could have; there is nothing to delete.".to_owned()
        }
        ReleaseReason::Retained { deletion_accepted } if *deletion_accepted => {
            format!("deletionPolicy is Retain.{}", promised(true))
        }
        ReleaseReason::Retained { .. } => format!(
            "AWS user \"{id}\" stays, as deletionPolicy is Retain. It keeps its owner tags, so that the same object applied again takes it on; for a hand-over remove them: {}",
            untag_command(context)
        ),
        ReleaseReason::DefinitionDeleted { deletion_accepted } => format!(
            "The CustomResourceDefinition is being deleted, so AWS users are left as they are.{}",
            promised(*deletion_accepted)
        ),
        ReleaseReason::Observes { deletion_accepted } => format!(
            "AWS user \"{id}\" is left as it is, as managementPolicy is Observe.{}",
            promised(*deletion_accepted)
        ),
        ReleaseReason::LeftToOwner(owner) => {
            format!("AWS user \"{id}\" belongs to {owner} by its tags and was left alone.")
        }
        ReleaseReason::LeftUnowned => {
            format!("AWS user \"{id}\" does not carry this object's owner tags and was left alone.")
        }
    }
}

fn untag_command(context: &VerdictContext<'_>) -> String {
    let arn = context.arn.map_or_else(|| "ARN".to_owned(), ToString::to_string);
    let keys = [crate::CLUSTER_TAG, crate::NAMESPACE_TAG, crate::NAME_TAG, crate::UID_TAG].join(" ");
    format!("aws elasticache remove-tags-from-resource --resource-name {arn} --tag-keys {keys}")
}

fn waiting(wait: &Wait, id: &str, context: &VerdictContext<'_>) -> String {
    let then = match context.deleting {
        true => "DeleteUser is called once it is active.",
        false => "The operator goes on once it is active.",
    };
    match wait {
        Wait::Protected => format!(
            "The annotation elasticache-users.dev/prevent-deletion is \"true\": nothing is deleted until it is removed, for example with: kubectl annotate ecu -n {} {} elasticache-users.dev/prevent-deletion-",
            context.namespace, context.name
        ),
        Wait::Suspended => {
            "spec.suspend is true: nothing is deleted until it is false, or deletionPolicy is Retain."
                .to_owned()
        }
        Wait::CreationOpen => format!(
            "A CreateUser for \"{id}\" was sent a moment ago and its outcome may still show. Waiting for up to a minute, so that no AWS user is left behind."
        ),
        Wait::UserDeleting => deleting(id),
        Wait::PreviousUser => format!(
            "AWS is still deleting an earlier user \"{id}\". The new one is created once that is gone."
        ),
        Wait::Creating => format!("Creating AWS user \"{id}\"."),
        Wait::Modifying => modifying(id),
        Wait::UserNotActive(state) => {
            format!("AWS user \"{id}\" is in state \"{}\". {then}", state.as_str())
        }
        Wait::OwnerUnknown(Lifecycle::Active) => format!(
            "AWS does not show the tags of user \"{id}\" now, which happens for some seconds after a change of tags. Nothing is changed until its owner is known."
        ),
        Wait::OwnerUnknown(state) => format!(
            "AWS user \"{id}\" is in state \"{}\", in which AWS does not show its tags. Nothing is changed until its owner is known.",
            state.as_str()
        ),
        Wait::Secret(problem) => secret(problem),
        Wait::DefinitionUnreadable => format!(
            "AWS user \"{id}\" is not deleted yet: the API server does not tell whether the CustomResourceDefinition elasticacheusers.elasticache-users.dev is being deleted too, in which case the user would have to stay."
        ),
        Wait::WrongLocation(there) => format!(
            "{} Give the operator the former account and region to delete the user, or set deletionPolicy to Retain to leave it there.",
            wrong_location(there, id)
        ),
        Wait::Failed(_, fault) => self::fault(&Action::Wait(wait.clone()), fault, context),
    }
}

fn secret(problem: &SecretProblem) -> String {
    match problem {
        SecretProblem::NotFound { secret } => {
            format!(
                "Secret \"{secret}\" does not exist in this namespace. The operator goes on once it does."
            )
        }
        SecretProblem::KeyNotFound { secret, key } => {
            format!("Secret \"{secret}\" has no key \"{key}\". The operator goes on once it has.")
        }
        SecretProblem::Forbidden { secret } => format!(
            "The operator may not read Secret \"{secret}\". Give its ServiceAccount the verb get on it, for example with the chart's value for Secrets of this namespace."
        ),
        SecretProblem::Unreadable { secret } => {
            format!("The API server did not answer when Secret \"{secret}\" was read. Retrying.")
        }
        SecretProblem::Invalid { secret, key, why } => {
            format!(
                "Key \"{key}\" of Secret \"{secret}\" {}. Change the Secret; the operator goes on by itself.",
                why.sentence()
            )
        }
    }
}

fn refusing(refusal: &Refusal, id: &str) -> String {
    match refusal {
        Refusal::InvalidSpec(why) => sentence(why),
        Refusal::InvalidPassword(problem) => secret(problem),
        Refusal::UserAlreadyExists { former } => {
            let owner = former.as_ref().map_or_else(
                || "carries no owner tags of this operator".to_owned(),
                |owner| format!("carries the owner tags of {owner}, which is no longer there"),
            );
            format!(
                "AWS user \"{id}\" exists already and {owner}. It is left alone. Set adoptionPolicy to Adopt to take it over, delete this object and make one with another userID, or delete the AWS user."
            )
        }
        Refusal::AdoptionNotAllowed => format!(
            "AWS user \"{id}\" exists already, and objects of this namespace may not take users over. It is left alone. Ask the operator's administrator for --adoption-namespace, or delete this object and make one with another userID."
        ),
        Refusal::UserIdNotAllowed { user_id, prefix } => format!(
            "The user ID \"{user_id}\" is not allowed in this namespace: the operator's --required-user-id-prefix asks for IDs that begin with \"{prefix}\". Delete this object and make one with such a userID."
        ),
        Refusal::UserOwnedByAnother(owner) => format!(
            "AWS user \"{id}\" belongs to {owner} by its tags. It is left alone. Delete this object and make one with another userID, or delete the other object."
        ),
        Refusal::WrongLocation(there) => format!(
            "{} Give the operator the former account and region, or delete this object with deletionPolicy Retain and apply it again.",
            wrong_location(there, id)
        ),
    }
}

fn wrong_location(there: &WrongLocation, id: &str) -> String {
    let user = match &there.arn {
        Some(arn) => arn.to_string(),
        None => format!("\"{id}\" in {}", place(&there.recorded)),
    };
    format!(
        "This object's AWS user is {user}, but the operator talks to {}. Nothing is changed there.",
        place(&there.called)
    )
}

fn place(location: &Location) -> String {
    let account = location.account.as_deref().map(|account| format!(" of account {account}"));
    format!("region {}{}", location.region, account.unwrap_or_default())
}

/// The sentence for a call that failed.
pub(super) fn fault(action: &Action, fault: &Fault, context: &VerdictContext<'_>) -> String {
    let id = context.user_id;
    let call = call(action);
    let said = sentence(&fault.error().to_string());
    let written = matches!(action, Action::Create(_) | Action::Modify(_));
    match fault {
        Fault::Busy(_) => format!("{call} of \"{id}\" must wait: {said} Retrying until AWS allows it."),
        Fault::Throttled(_) => format!("AWS throttles {call} of \"{id}\": {said} Retrying more slowly."),
        Fault::Unavailable(_) => format!("{call} of \"{id}\" got no usable answer: {said} Retrying."),
        Fault::Credentials(_) => format!(
            "The operator's AWS credentials do not work ({call} of \"{id}\"): {said} Check its IAM role, ServiceAccount annotation or credentials. Retrying."
        ),
        Fault::Denied(_) => format!(
            "The operator's AWS role may not call {call} for \"{id}\": {said} Attach a policy that allows it. Retrying."
        ),
        Fault::Rejected(Rejection::ServiceLinkedRole, _) => format!(
            "{call} of \"{id}\" was refused: {said} The account lacks ElastiCache's service-linked role; create it once with: {ROLE_COMMAND}"
        ),
        Fault::Rejected(Rejection::DefaultUserInGroup, _) => format!(
            "AWS user \"{id}\" is the default user of a user group and cannot be deleted: {said} {} Put another user named \"default\" into the group, or delete the group; the deletion then goes on by itself.",
            groups(context)
        ),
        Fault::Rejected(Rejection::Quota, _) => {
            format!(
                "{call} of \"{id}\" was refused: {said} Delete what is not needed, or ask AWS to raise the quota. Retrying."
            )
        }
        Fault::Rejected(Rejection::ParameterCombination, _) if written => {
            format!(
                "{call} of \"{id}\" was refused: {said} Change spec.authentication, or the spec.engine that it does not go with."
            )
        }
        Fault::Rejected(Rejection::ParameterValue, answer) if written => {
            let about = super::about(&answer.message);
            let what = if about == Reason::InvalidAccessString {
                "spec.accessString"
            } else if about == Reason::InvalidPassword {
                "the password in the Secret that the spec names"
            } else {
                "the spec"
            };
            format!("{call} of \"{id}\" was refused: {said} Change {what}.")
        }
        Fault::Rejected(
            Rejection::ParameterValue | Rejection::ParameterCombination | Rejection::Other,
            _,
        ) => format!("{call} of \"{id}\" was refused: {said} Retrying slowly."),
    }
}

/// AWS ends some of its sentences with a full stop, and some not.
fn sentence(said: &str) -> String {
    if said.ends_with(['.', '!', '?']) { said.to_owned() } else { format!("{said}.") }
}

fn groups(context: &VerdictContext<'_>) -> String {
    match context.user.map(|user| user.user_group_ids.as_slice()) {
        None | Some([]) => "AWS does not say which group.".to_owned(),
        Some([one]) => format!("It is in user group \"{one}\"."),
        Some(several) => format!("It is in the user groups \"{}\".", several.join("\", \"")),
    }
}

/// AWS's name of the call that the action makes, or waits for.
fn call(action: &Action) -> &'static str {
    match action {
        Action::Create(_) => "CreateUser",
        Action::Modify(_) => "ModifyUser",
        Action::Delete(_) => "DeleteUser",
        Action::Tag(_) => "AddTagsToResource",
        Action::Untag(_) => "RemoveTagsFromResource",
        Action::Wait(Wait::Failed(Read::ListTagsForResource, _)) => "ListTagsForResource",
        Action::Fetch(_)
        | Action::AddFinalizer
        | Action::WriteIntent(_)
        | Action::ReleaseFinalizer(_)
        | Action::Wait(_)
        | Action::Refuse(_)
        | Action::InSync
        | Action::Suspended { .. }
        | Action::Compared(_) => "DescribeUsers",
    }
}
