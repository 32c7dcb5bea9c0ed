//! The messages of conditions and events: what happened, to what, AWS's code, what to do. They contain nothing that changes
//! from pass to pass.

use super::rules::breaks_rule;
use super::{Outcome, Reason, VerdictContext};
use crate::shell::remove_tags_command;
use crate::{
    Action, Cause, Changes, Comparison, Fault, Lifecycle, Location, Mutation, Owner, Read, Refusal,
    Rejection, ReleaseReason, SecretProblem, Wait, WriteIntent, WrongLocation,
};

/// How to get out if nobody gives the operator what it needs.
const WITHOUT_AWS: &str = " To remove only the object and keep the AWS user, set deletionPolicy to Retain.";
const ROLE_COMMAND: &str = "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com";

/// The message for an action that did not fail.
pub(super) fn message(action: &Action, outcome: &Outcome, context: &VerdictContext<'_>) -> String {
    let id = context.user_id;
    match action {
        Action::Fetch(_) | Action::AddFinalizer => format!("Reading the state of AWS user \"{id}\"."),
        Action::WriteIntent(WriteIntent::Create { .. }) => format!("Creating AWS user \"{id}\"."),
        Action::WriteIntent(WriteIntent::Tags { .. }) | Action::Untag(_) => tagging(id),
        Action::WriteIntent(WriteIntent::Modify { .. }) => format!("Changing AWS user \"{id}\"."),
        Action::WriteIntent(WriteIntent::Delete) => {
            format!("Deleting AWS user \"{id}\". This object is removed when AWS no longer has the user.")
        }
        Action::Create(_) if outcome.shows_active() => is_active(id),
        Action::Create(_) if *outcome == Outcome::AlreadyExists => format!(
            "CreateUser answered UserAlreadyExists for \"{id}\", although AWS did not show this user before. The operator reads the user again to learn who owns it."
        ),
        Action::Create(_) => format!("Creating AWS user \"{id}\"."),
        Action::Modify(_) | Action::Delete(_) if *outcome == Outcome::NotFound => format!(
            "{} answered UserNotFound for \"{id}\". The operator calls DescribeUsers to check.",
            call(action)
        ),
        Action::Modify(_) => modifying(id),
        Action::Delete(_) => deleting(id),
        Action::Tag(tag) if tag.cause == Cause::Adoption => match outcome {
            Outcome::Tagged(_) => format!(
                "AWS user \"{id}\" belonged to no object and is adopted: it carries this object's owner tags now."
            ),
            Outcome::Decided
            | Outcome::Accepted(_)
            | Outcome::Released
            | Outcome::AlreadyExists
            | Outcome::NotFound
            | Outcome::CredentialsChanged
            | Outcome::Failed(_) => format!(
                "AWS user \"{id}\" belongs to no object and is to be adopted, but AWS does not accept its owner tags now. Retrying."
            ),
        },
        Action::Tag(tag) if !tag.tags.contains_key(crate::CLUSTER_TAG) => tagging(id),
        Action::Tag(_) | Action::WriteIntent(WriteIntent::Reclaim { .. }) => format!(
            "AWS user \"{id}\" lost its owner tags. The operator restores them and waits until AWS shows them, which takes some seconds."
        ),
        Action::ReleaseFinalizer(why) => release(why, id, context),
        Action::Wait(wait) => waiting(wait, id, context),
        Action::Refuse(refusal) => refusing(refusal, id),
        Action::InSync => is_active(id),
        Action::Suspended { .. } => {
            "spec.suspend is true: AWS is not called for this object until it is false.".to_owned()
        }
        Action::ObserveOnly(comparison) => compared(comparison, id),
    }
}

fn compared(comparison: &Comparison, id: &str) -> String {
    match comparison {
        Comparison::Matches => {
            format!("AWS user \"{id}\" is active and matches the spec. The operator only observes it.")
        }
        Comparison::Differs(differences) => format!(
            "AWS user \"{id}\" differs from the spec, but is not changed because managementPolicy is Observe: {}.",
            differences.join("; ")
        ),
        Comparison::Missing => {
            format!(
                "There is no AWS user \"{id}\", and none is created because managementPolicy is Observe. Check the user ID and the operator's account and region, or set managementPolicy to Manage to create the user."
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
        "AWS is deleting user \"{id}\". This takes from seconds to some minutes. The object is removed when AWS no longer has the user."
    )
}

fn release(why: &ReleaseReason, id: &str, context: &VerdictContext<'_>) -> String {
    let deletion_note = |accepted: bool| {
        if accepted { " AWS had accepted DeleteUser before, so it deletes the user anyway." } else { "" }
    };
    match why {
        ReleaseReason::UserGone => format!("AWS user \"{id}\" is gone."),
        ReleaseReason::NoSuchUser => {
            "The spec names no valid AWS user, so there is nothing to delete.".to_owned()
        }
        ReleaseReason::Retained { deletion_accepted } if *deletion_accepted => {
            format!("deletionPolicy is Retain.{}", deletion_note(true))
        }
        ReleaseReason::Retained { .. } => format!(
            "AWS user \"{id}\" is retained because deletionPolicy is Retain. It keeps its owner tags, so the same object manages it again if you apply the object again. To give the user to another owner, remove the tags: {}",
            remove_tags_command(context.arn)
        ),
        ReleaseReason::DefinitionDeleted { deletion_accepted } => format!(
            "The CustomResourceDefinition is being deleted, so AWS users are retained.{}",
            deletion_note(*deletion_accepted)
        ),
        ReleaseReason::Observes { deletion_accepted } => format!(
            "AWS user \"{id}\" is retained because managementPolicy is Observe.{}",
            deletion_note(*deletion_accepted)
        ),
        ReleaseReason::LeftToOwner(owner) => {
            format!(
                "AWS user \"{id}\" belongs to {owner}, according to its tags. The operator did not change it."
            )
        }
        ReleaseReason::LeftUnowned => {
            format!(
                "AWS user \"{id}\" does not carry this object's owner tags. The operator did not change it."
            )
        }
    }
}

fn waiting(wait: &Wait, id: &str, context: &VerdictContext<'_>) -> String {
    let then = match context.deleting {
        true => "The operator calls DeleteUser when the user is active.",
        false => "The operator continues when the user is active.",
    };
    match wait {
        Wait::Protected => format!(
            "The annotation elasticache-users.dev/prevent-deletion is \"true\": nothing is deleted until you remove it, for example with: kubectl annotate ecu -n {} {} elasticache-users.dev/prevent-deletion-",
            context.namespace, context.name
        ),
        Wait::Suspended => {
            "spec.suspend is true: nothing is deleted until it is false. To remove only the object, set deletionPolicy to Retain."
                .to_owned()
        }
        Wait::CreationOpen => format!(
            "A CreateUser for \"{id}\" was sent recently and may still take effect. The operator waits for about a minute so that no AWS user is left behind."
        ),
        Wait::UserDeleting => deleting(id),
        Wait::PreviousUser => format!(
            "AWS is still deleting an earlier user \"{id}\". The operator creates the new user when the earlier one is gone."
        ),
        Wait::PreviousOwner(owner) => format!(
            "AWS user \"{id}\" belongs to {owner}, according to its tags. The operator waits while that object is being deleted, and for a minute after this object was created, because that object may be about to go."
        ),
        Wait::Creating => format!("Creating AWS user \"{id}\"."),
        Wait::Modifying => modifying(id),
        Wait::ChangingGroups => format!("AWS is changing the user groups of user \"{id}\"."),
        Wait::BusyForOthers if context.stale => format!("AWS user \"{id}\" has been in state \"modifying\" for long. {then}"),
        Wait::BusyForOthers => format!("AWS user \"{id}\" is in state \"modifying\", because something around it changes. {then}"),
        Wait::LeavingGroups => format!("AWS user \"{id}\" leaves its user groups before it is deleted."),
        Wait::UserNotActive(state) => {
            format!("AWS user \"{id}\" is in state \"{}\". {then}", state.as_str())
        }
        Wait::OwnerUnknown(Lifecycle::Active) => format!(
            "AWS does not show the tags of user \"{id}\" now. This happens for some seconds after CreateUser and after a change of tags. The operator changes nothing until it knows the owner."
        ),
        Wait::OwnerUnknown(state) => format!(
            "AWS user \"{id}\" is in state \"{}\", in which AWS does not show its tags. The operator changes nothing until it knows the owner.",
            state.as_str()
        ),
        Wait::Secret(problem) => secret(problem),
        Wait::DefinitionUnreadable => format!(
            "AWS user \"{id}\" is not deleted yet: the operator cannot read whether the CustomResourceDefinition elasticacheusers.elasticache-users.dev is being deleted too. If it is, the user must be retained. Retrying."
        ),
        Wait::NamespaceFull { limit } => format!(
            "The operator's --max-users-per-namespace allows {limit} AWS users in this namespace, and {limit} other objects have a user or were there before. The operator creates the user when one of them is gone."
        ),
        Wait::NotShown(mutation) => not_shown(mutation, id),
        Wait::NotVanished => format!("The object exists, so its own passes manage AWS user \"{id}\"."),
        Wait::Namesake => format!(
            "Another object of the same name wants AWS user \"{id}\" of the vanished one. The operator deletes the user only if that object vanishes too."
        ),
        Wait::WrongLocation(there) => format!(
            "{} Give the operator the former account and region to delete the user, or set deletionPolicy to Retain to keep it.",
            wrong_location_message(there, id)
        ),
        Wait::Failed(_, fault) => self::fault(&Action::Wait(wait.clone()), fault, context),
    }
}

pub(crate) fn not_shown(mutation: &Mutation, id: &str) -> String {
    let (call, what) = match mutation {
        Mutation::Modify(modify) => {
            let Changes { access_string, engine, authentication } = &modify.changes;
            let fields = [
                access_string.as_ref().map(|_| "accessString"),
                engine.map(|_| "engine"),
                authentication.as_ref().map(|_| "authentication"),
            ];
            ("ModifyUser", fields.into_iter().flatten().collect::<Vec<_>>().join(", "))
        }
        Mutation::Tag(tag) => {
            ("AddTagsToResource", tag.tags.keys().map(String::as_str).collect::<Vec<_>>().join(", "))
        }
        Mutation::Untag(untag) => ("RemoveTagsFromResource", untag.keys.join(", ")),
        Mutation::Create(_) => ("CreateUser", String::new()),
        Mutation::Delete(_) => ("DeleteUser", String::new()),
    };
    format!(
        "AWS accepted {call} of user \"{id}\" and shows another value ({what}). The operator sends it again, less and less often. Compare the spec with what AWS shows."
    )
}

fn secret(problem: &SecretProblem) -> String {
    match problem {
        SecretProblem::NotRead => "The Secrets that the spec names are being read.".to_owned(),
        SecretProblem::NotFound { secret } => {
            format!(
                "Secret \"{secret}\" does not exist in this namespace. The operator continues when it exists."
            )
        }
        SecretProblem::KeyNotFound { secret, key } => {
            format!("Secret \"{secret}\" has no key \"{key}\". The operator continues when the key exists.")
        }
        SecretProblem::Forbidden { secret } => format!(
            "The operator may not read Secret \"{secret}\". Give its ServiceAccount the verb get on it, for example by a RoleBinding in this namespace for the chart's ClusterRole for Secrets."
        ),
        SecretProblem::Unreadable { secret, why: _ } => {
            format!("The API server did not answer when the operator read Secret \"{secret}\". Retrying.")
        }
        SecretProblem::Invalid { secret, key, why } => {
            format!(
                "Key \"{key}\" of Secret \"{secret}\" {}. Change the Secret. The operator continues by itself.",
                why.description()
            )
        }
    }
}

fn former_owner(former: Option<&Owner>) -> String {
    former.map_or_else(
        || "carries no owner tags of this operator".to_owned(),
        |owner| format!("carries the owner tags of {owner}, which no longer exists"),
    )
}

fn refusing(refusal: &Refusal, id: &str) -> String {
    match refusal {
        Refusal::InvalidSpec(why) => sentence(why),
        Refusal::InvalidPassword(problem) => secret(problem),
        Refusal::UserAlreadyExists { former } => {
            let tags = former_owner(former.as_ref());
            format!(
                "AWS user \"{id}\" already exists and {tags}. The operator does not change it. Set adoptionPolicy to Adopt to adopt it, delete this object and create one with another userID, or delete the AWS user."
            )
        }
        Refusal::AdoptionNotAllowed { namespace, former } => {
            let tags = former_owner(former.as_ref());
            format!(
                "AWS user \"{id}\" already exists and {tags}. The operator does not change it, because its --adoption-namespace does not allow namespace \"{namespace}\". Ask the operator's administrator for that, or delete this object and create one with another userID."
            )
        }
        Refusal::AdoptionForbidden => format!(
            "AWS user \"{id}\" already exists, and the operator's administrator forbids adoptionPolicy Adopt in this namespace (--forbid=adopt). The operator does not change it. Ask the administrator for --privileged-namespace, or delete this object and create one with another userID."
        ),
        Refusal::BreaksRule(rule) => breaks_rule(rule),
        Refusal::UserOwnedByAnother(owner) => format!(
            "AWS user \"{id}\" belongs to {owner}, according to its tags. The operator does not change it. Delete this object and create one with another userID, or delete the other object."
        ),
        Refusal::WrongLocation(there) => format!(
            "{} Give the operator the former account and region, or delete this object with deletionPolicy Retain and apply it again.",
            wrong_location_message(there, id)
        ),
    }
}

fn wrong_location_message(there: &WrongLocation, id: &str) -> String {
    let user = match &there.arn {
        Some(arn) => arn.to_string(),
        None => format!("\"{id}\" in {}", place(&there.recorded)),
    };
    format!(
        "This object's AWS user is {user}, but the operator works in {}. The operator changes nothing there.",
        place(&there.called)
    )
}

fn place(location: &Location) -> String {
    let account = location.account.as_deref().map(|account| format!(" of account {account}"));
    format!("region {}{}", location.region, account.unwrap_or_default())
}

/// The message for a call that failed.
pub(super) fn fault(action: &Action, fault: &Fault, context: &VerdictContext<'_>) -> String {
    let id = context.user_id;
    let call = call(action);
    let error = sentence(&fault.error().to_string());
    let written = matches!(action, Action::Create(_) | Action::Modify(_));
    let way_out = if context.deleting { WITHOUT_AWS } else { "" };
    match fault {
        Fault::Busy(_) => format!("{call} of \"{id}\" must wait: {error} Retrying until AWS allows it."),
        Fault::Throttled(_) => format!("AWS throttles {call} of \"{id}\": {error} Retrying more slowly."),
        Fault::Unavailable(_) => format!("{call} of \"{id}\" got no usable answer: {error} Retrying."),
        Fault::Credentials(_) => format!(
            "The operator's AWS credentials do not work ({call} of \"{id}\"): {error} Check its IAM role, ServiceAccount annotation or credentials. Retrying.{way_out}"
        ),
        Fault::Denied(_) => format!(
            "The operator's AWS role may not call {call} for \"{id}\": {error} Attach a policy that allows it. Retrying.{way_out}"
        ),
        Fault::Rejected(Rejection::ServiceLinkedRole, _) => format!(
            "{call} of \"{id}\" was refused: {error} The account lacks ElastiCache's service-linked role; create it once with: {ROLE_COMMAND}"
        ),
        Fault::Rejected(Rejection::DefaultUserInGroup, _) => format!(
            "AWS user \"{id}\" is the default user of a user group and cannot be deleted: {error} {} Put another user named \"default\" into the group, or delete the group. The deletion then continues by itself.",
            groups(context)
        ),
        Fault::Rejected(Rejection::Quota, answer) if answer.code.starts_with("TagQuota") => format!(
            "{call} of \"{id}\" was refused: {error} A user has at most 50 tags, and AWS does not raise this limit. Remove tags from spec.tags, or tags that others set on the user. Retrying."
        ),
        Fault::Rejected(Rejection::Quota, _) => {
            format!(
                "{call} of \"{id}\" was refused: {error} Delete what is not needed, or ask AWS to raise the quota. Retrying."
            )
        }
        Fault::Rejected(Rejection::ParameterCombination, _) if written => {
            format!(
                "{call} of \"{id}\" was refused: {error} Change spec.authentication or spec.engine, because AWS does not accept them together."
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
            format!("{call} of \"{id}\" was refused: {error} Change {what}.")
        }
        Fault::Rejected(
            Rejection::ParameterValue
            | Rejection::ParameterCombination
            | Rejection::DuplicateUserName
            | Rejection::DefaultUserRequired
            | Rejection::MemberNotFound
            | Rejection::Other,
            _,
        ) => format!("{call} of \"{id}\" was refused: {error} Retrying slowly."),
    }
}

/// Adds the full stop that some of AWS's messages lack.
pub(super) fn sentence(text: &str) -> String {
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

fn groups(context: &VerdictContext<'_>) -> String {
    match context.user.map(|user| user.user_group_ids.as_slice()) {
        None | Some([]) => "AWS does not say which group.".to_owned(),
        Some([one]) => format!("It is in user group \"{one}\"."),
        Some(several) => format!("It is in the user groups \"{}\".", several.join("\", \"")),
    }
}

/// AWS's name for the call that the action makes or waits for.
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
        | Action::ObserveOnly(_) => "DescribeUsers",
    }
}
