//! `verdict`, one sentence a row: (claim, action, outcome, standing, progress, reason, visit, event, words of the message).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

#[macro_use]
pub(crate) mod common;
mod verdict_living;

use std::collections::HashSet;

use common::verdicts::*;
use common::*;
use plan::pace::Requeue;
use plan::verdict::{Completed, Outcome, Progress, Reason, verdict};
use plan::*;

/// The user should be there, and nothing failed.
fn staying() -> Vec<Row> {
    use Progress::{Ready, Reconciling, Stalled};
    use Reason::*;
    use Requeue::{Backoff, Now, Poll, Resync};
    let d = Outcome::Decided;
    let other = || SecretProblem::KeyNotFound { secret: "s".into(), key: "password".into() };
    let secret = |problem| Action::Wait(Wait::Secret(problem));
    let forbidden = || SecretProblem::Forbidden { secret: "s".into() };
    let newline = || SecretProblem::Invalid {
        secret: "s".into(),
        key: "k".into(),
        why: plan::InvalidPassword::TrailingNewline,
    };
    let missing = || SecretProblem::NotFound { secret: "s".into() };
    let owned = Refusal::UserOwnedByAnother(owner_named("other"));
    rows! {
        ("a user that is as it should be is Ready",
            Action::InSync, d.clone(), fresh(), Ready, Active, Resync, vec![], "\"app\" is active and matches the spec"),
        ("a created user that AWS shows active is Ready at once",
            create(), accepted(Lifecycle::Active), fresh(), Ready, Active, Resync, vec![Completed::Created], "is active"),
        ("a created user that is not active yet is polled",
            create(), accepted(Lifecycle::Creating), fresh(), Reconciling, Creating, Poll, vec![Completed::Created], "Creating AWS user \"app\""),
        ("UserAlreadyExists says nothing of the owner: look again",
            create(), Outcome::AlreadyExists, fresh(), Reconciling, Creating, Backoff, vec![], "UserAlreadyExists"),
        ("a change that is being applied is polled",
            modify(), accepted(Lifecycle::Modifying), fresh(), Reconciling, Modifying, Poll, vec![Completed::Modified], "applying the change"),
        ("a change that AWS shows active is polled all the same",
            modify(), accepted(Lifecycle::Active), fresh(), Reconciling, Modifying, Poll, vec![Completed::Modified], "applying the change"),
        ("UserNotFound from ModifyUser is looked at again",
            modify(), Outcome::NotFound, fresh(), Reconciling, Modifying, Backoff, vec![], "ModifyUser answered UserNotFound"),
        ("tags that were put back show after some seconds",
            tag(), Outcome::Tagged(owner_tags()), fresh(), Reconciling, WaitingForUserActive, Poll, tags_back(), "lost its owner tags"),
        ("UserNotFound from AddTagsToResource means nothing",
            tag(), Outcome::NotFound, fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "lost its owner tags"),
        ("a look that something else interrupted is taken up at once",
            Action::Fetch(Fetch::User(id())), d.clone(), fresh(), Reconciling, WaitingForUserActive, Now, vec![], "Reading the state of AWS user \"app\""),
        ("a finalizer that was put on is gone on from at once",
            Action::AddFinalizer, d.clone(), fresh(), Reconciling, WaitingForUserActive, Now, vec![], "Reading the state of AWS user \"app\""),
        ("a creation that was announced is gone on with at once",
            Action::WriteIntent(WriteIntent::Create { tag_keys: vec![] }), d.clone(), fresh(), Reconciling, Creating, Now, vec![], "Creating AWS user"),
        ("a user that AWS creates is polled",
            Action::Wait(Wait::Creating), d.clone(), fresh(), Reconciling, Creating, Poll, vec![], "Creating AWS user"),
        ("our change is polled",
            Action::Wait(Wait::Modifying), d.clone(), fresh(), Reconciling, Modifying, Poll, vec![], "seconds to some minutes"),
        ("somebody else's change is polled",
            Action::Wait(Wait::UserNotActive(Lifecycle::Modifying)), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "\"modifying\". The operator continues when the user is active."),
        ("a state that is not known is named",
            Action::Wait(Wait::UserNotActive(odd())), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "\"hibernating\""),
        ("an owner that cannot be read keeps us waiting",
            Action::Wait(Wait::OwnerUnknown(Lifecycle::Active)), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "does not show the tags"),
        ("the state that hides the owner is named",
            Action::Wait(Wait::OwnerUnknown(Lifecycle::Modifying)), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "\"modifying\", in which AWS does not show"),
        ("a creation in doubt is waited for",
            Action::Wait(Wait::CreationOpen), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "may still take effect"),
        ("an earlier user is waited for",
            Action::Wait(Wait::PreviousUser), d.clone(), fresh(), Reconciling, WaitingForPreviousUser, Poll, vec![], "still deleting an earlier user"),
        ("a Secret that is missing is named",
            secret(missing()), d.clone(), fresh(), Reconciling, SecretNotFound, Backoff, vec![], "Secret \"s\" does not exist"),
        ("a key that is missing is named",
            secret(other()), d.clone(), fresh(), Reconciling, SecretKeyNotFound, Backoff, vec![], "has no key \"password\""),
        ("a Secret that may not be read is retried slowly",
            secret(forbidden()), d.clone(), fresh(), Reconciling, SecretForbidden, Requeue::Slow, vec![], "may not read Secret \"s\""),
        ("the commonest slip is named",
            Action::Refuse(Refusal::InvalidPassword(newline())), d.clone(), fresh(), Stalled, InvalidPassword, Resync, vec![], "Key \"k\" of Secret \"s\" ends with a newline"),
        ("a spec that cannot be had needs a person",
            Action::Refuse(Refusal::InvalidSpec("userID \"x y\" is no ID".into())), d.clone(), fresh(), Stalled, InvalidSpec, Resync, vec![], "userID \"x y\" is no ID."),
        ("a user that belongs to nobody needs a person",
            Action::Refuse(Refusal::UserAlreadyExists { former: None }), d.clone(), fresh(), Stalled, UserAlreadyExists, Resync, vec![], "delete this object and create one with another userID, or delete the AWS user."),
        ("another's user needs a person, and its owner is named",
            Action::Refuse(owned), d.clone(), fresh(), Stalled, UserOwnedByAnother, Resync, vec![], "ElastiCacheUser \"other\" in namespace \"shop\" of cluster \"prod\""),
        ("a user in another place needs a person, and both places are named",
            Action::Refuse(Refusal::WrongLocation(there())), d, fresh(), Stalled, WrongAWSAccount, Resync, vec![], "region us-east-1 of account 111111111111"),
    }
}

/// The object is on its way out, and nothing failed.
fn leaving() -> Vec<Row> {
    use Progress::Deleting;
    use Reason::*;
    use Requeue::{Backoff, Now, Poll, Resync};
    let d = Outcome::Decided;
    let out = Outcome::Released;
    let unasked = WrongLocation { called: Location { account: None, ..there().called }, ..there() };
    let release = |why| Action::ReleaseFinalizer(why);
    let retained = |deletion_accepted| release(ReleaseReason::Retained { deletion_accepted });
    let going = |deletion_accepted| release(ReleaseReason::DefinitionDeleted { deletion_accepted });
    let left = |reason| vec![Completed::LeftAlone(reason)];
    rows! {
        ("prevent-deletion holds, and says how it goes",
            Action::Wait(Wait::Protected), d.clone(), out_there(), Deleting, DeletionProtected, Resync, vec![], "kubectl annotate ecu -n shop orders elasticache-users.dev/prevent-deletion-"),
        ("the deletion is announced and gone on with",
            Action::WriteIntent(WriteIntent::Delete), d.clone(), out_there(), Deleting, DeletingUser, Now, vec![], "Deleting AWS user \"app\". "),
        ("a user that lost its tags is claimed, and gone on with",
            Action::WriteIntent(WriteIntent::Reclaim { last_applied: LastApplied::default() }), d.clone(), out_there(), Deleting, WaitingForUserActive, Now, vec![], "lost its owner tags"),
        ("a confirmation that failed is taken up at once",
            Action::Fetch(Fetch::ObjectAndDefinition), d.clone(), out_there(), Deleting, DeletingUser, Now, vec![], "Reading the state of"),
        ("a deletion that AWS accepted is polled",
            delete(), accepted(Lifecycle::Deleting), out_there(), Deleting, DeletingUser, Poll, vec![Completed::DeletionStarted], "AWS is deleting user \"app\""),
        ("UserNotFound from DeleteUser is looked at again",
            delete(), Outcome::NotFound, out_there(), Deleting, DeletingUser, Backoff, vec![], "DeleteUser answered UserNotFound"),
        ("a user that is being deleted is polled",
            Action::Wait(Wait::UserDeleting), d.clone(), out_there(), Deleting, DeletingUser, Poll, vec![], "AWS is deleting user"),
        ("a busy user is waited for",
            Action::Wait(Wait::UserNotActive(Lifecycle::Modifying)), d.clone(), out_there(), Deleting, WaitingForUserActive, Poll, vec![], "The operator calls DeleteUser when the user is active"),
        ("a creation in doubt is waited for",
            Action::Wait(Wait::CreationOpen), d.clone(), out_there(), Deleting, WaitingForUserActive, Poll, vec![], "no AWS user is left behind"),
        ("an owner that is not known is waited for",
            Action::Wait(Wait::OwnerUnknown(Lifecycle::Deleting)), d.clone(), out_there(), Deleting, WaitingForUserActive, Poll, vec![], "The operator changes nothing until it knows the owner."),
        ("tags that were put back are waited for, and no deletion is claimed",
            tag(), Outcome::Tagged(owner_tags()), out_there(), Deleting, WaitingForUserActive, Poll, tags_back(), "The operator restores them"),
        ("a definition that cannot be read is waited for",
            Action::Wait(Wait::DefinitionUnreadable), d.clone(), out_there(), Deleting, DeletingUser, Backoff, vec![], "CustomResourceDefinition"),
        ("a user in another place is waited for, with the two ways out",
            Action::Wait(Wait::WrongLocation(there())), d.clone(), out_there(), Deleting, WrongAWSAccount, Requeue::Slow, vec![], "set deletionPolicy to Retain"),
        ("an account that is not known is not named",
            Action::Wait(Wait::WrongLocation(unasked)), d, out_there(), Deleting, WrongAWSAccount, Requeue::Slow, vec![], "works in region us-east-1. The operator changes nothing there."),
        ("a user that is gone lets the object go",
            release(ReleaseReason::UserGone), out.clone(), out_there(), Deleting, DeletingUser, Resync, vec![Completed::Deleted], "\"app\" is gone"),
        ("an object without a user goes silently",
            release(ReleaseReason::NoSuchUser), out.clone(), out_there(), Deleting, DeletingUser, Resync, vec![], "nothing to delete"),
        ("Retain names the command for a hand-over",
            retained(false), out.clone(), seeing(out_there()), Deleting, Retained, Resync, vec![Completed::Retained],
            "aws elasticache remove-tags-from-resource --resource-name arn:aws:elasticache:us-east-1:111111111111:user:app --tag-keys elasticache-users.dev/cluster"),
        ("Retain without a look leaves the ARN to be filled in",
            retained(false), out.clone(), out_there(), Deleting, Retained, Resync, vec![Completed::Retained], "--resource-name ARN"),
        ("Retain after a DeleteUser does not claim to retain",
            retained(true), out.clone(), out_there(), Deleting, DeletingUser, Resync, vec![Completed::DeletionStarted], "AWS had accepted DeleteUser"),
        ("an uninstall keeps the user",
            going(false), out.clone(), out_there(), Deleting, Retained, Resync, vec![Completed::Retained], "CustomResourceDefinition is being deleted, so AWS users are retained."),
        ("an uninstall after a DeleteUser does not claim to retain",
            going(true), out.clone(), out_there(), Deleting, DeletingUser, Resync, vec![Completed::DeletionStarted], "AWS had accepted DeleteUser"),
        ("another's user stays, and its owner is named",
            release(ReleaseReason::LeftToOwner(owner_named("other"))), out.clone(), out_there(), Deleting, Retained, Resync, left(UserOwnedByAnother), "ElastiCacheUser \"other\""),
        ("nobody's user stays",
            release(ReleaseReason::LeftUnowned), out, out_there(), Deleting, Retained, Resync, left(UserAlreadyExists), "does not carry this object's owner tags"),
        ("a release that did not come about tells of nothing",
            release(ReleaseReason::UserGone), Outcome::Decided, out_there(), Deleting, DeletingUser, Resync, vec![], "gone"),
    }
}

/// A call failed.
fn failing() -> Vec<Row> {
    use Progress::{Deleting, Reconciling, Stalled};
    use Reason::*;
    use Requeue::{Backoff, Resync, Slow};
    let value = |sentence| failed(rejected_saying(Rejection::ParameterValue, sentence));
    let refused = |why| failed(rejected(why));
    let because = "Because. ";
    rows! {
        ("a busy user is retried",
            modify(), failed(busy()), fresh(), Reconciling, WaitingForUserActive, Backoff, vec![], "ModifyUser of \"app\" must wait: InvalidUserState"),
        ("on the way out its reason is AWS's word",
            delete(), failed(busy()), out_there(), Deleting, InvalidUserState, Backoff, vec![], "DeleteUser of \"app\" must wait"),
        ("throttling is retried",
            create(), failed(throttled()), fresh(), Reconciling, Throttled, Backoff, vec![], "throttles CreateUser of \"app\": Throttling: Rate exceeded. Retrying"),
        ("throttling is retried on the way out",
            delete(), failed(throttled()), out_there(), Deleting, Throttled, Backoff, vec![], "throttles DeleteUser"),
        ("no answer is retried",
            create(), failed(unavailable()), fresh(), Reconciling, AWSUnavailable, Backoff, vec![], "InternalFailure: The request processing has failed. Retrying"),
        ("no answer is retried on the way out",
            delete(), failed(unavailable()), out_there(), Deleting, AWSUnavailable, Backoff, vec![], "no usable answer"),
        ("credentials are retried slowly",
            create(), failed(credentials()), fresh(), Reconciling, CredentialsUnavailable, Slow, vec![], "Check its IAM role"),
        ("credentials are retried slowly on the way out",
            delete(), failed(credentials()), out_there(), Deleting, CredentialsUnavailable, Slow, vec![], "ExpiredToken"),
        ("a denial heals at first",
            tag(), failed(denied()), fresh(), Reconciling, AccessDenied, Slow, vec![], "may not call AddTagsToResource for \"app\""),
        ("a denial that lasts needs a person",
            create(), failed(denied()), long_denied(fresh()), Stalled, AccessDenied, Slow, vec![], "may not call CreateUser"),
        ("a denial on the way out is never terminal",
            delete(), failed(denied()), long_denied(out_there()), Deleting, AccessDenied, Slow, vec![], "may not call DeleteUser"),
        ("a missing role is named with its command",
            create(), refused(Rejection::ServiceLinkedRole), fresh(), Reconciling, ServiceLinkedRoleMissing, Slow, vec![], "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com"),
        ("on the way out too",
            delete(), refused(Rejection::ServiceLinkedRole), out_there(), Deleting, ServiceLinkedRoleMissing, Slow, vec![], "create-service-linked-role"),
        ("a quota is retried slowly",
            create(), refused(Rejection::Quota), fresh(), Reconciling, QuotaExceeded, Slow, vec![], "raise the quota"),
        ("a quota on the way out has no reason of its own",
            delete(), refused(Rejection::Quota), out_there(), Deleting, AWSRefused, Slow, vec![], because),
        ("the group of a default user is named",
            delete(), refused(Rejection::DefaultUserInGroup), grouped(&["games"]), Deleting, DefaultUserInGroup, Slow, vec![], "It is in user group \"games\"."),
        ("several groups are named",
            delete(), refused(Rejection::DefaultUserInGroup), grouped(&["games", "web"]), Deleting, DefaultUserInGroup, Slow, vec![], "the user groups \"games\", \"web\""),
        ("no groups are no sentence about one",
            delete(), refused(Rejection::DefaultUserInGroup), grouped(&[]), Deleting, DefaultUserInGroup, Slow, vec![], "does not say which group"),
        ("without a look the group is not known",
            delete(), refused(Rejection::DefaultUserInGroup), out_there(), Deleting, DefaultUserInGroup, Slow, vec![], "does not say which group"),
        ("outside a deletion it is any refusal",
            modify(), refused(Rejection::DefaultUserInGroup), fresh(), Reconciling, AWSRefused, Slow, vec![], because),
        ("what does not go together is for a person",
            create(), refused(Rejection::ParameterCombination), fresh(), Stalled, AuthenticationConflict, Resync, vec![], "Change spec.authentication or spec.engine, because AWS does not accept them together."),
        ("in a change as well",
            modify(), refused(Rejection::ParameterCombination), fresh(), Stalled, AuthenticationConflict, Resync, vec![], "ModifyUser of \"app\" was refused"),
        ("in a deletion it is any refusal",
            delete(), refused(Rejection::ParameterCombination), out_there(), Deleting, AWSRefused, Slow, vec![], "Retrying slowly"),
        ("in a tagging call too",
            tag(), refused(Rejection::ParameterCombination), fresh(), Reconciling, AWSRefused, Slow, vec![], "Retrying slowly"),
        ("a value in a deletion is any refusal",
            delete(), value("Passwords"), out_there(), Deleting, AWSRefused, Slow, vec![], "Retrying slowly"),
        ("a value about passwords",
            create(), value("Passwords length must be between 16-128 characters."), fresh(), Stalled, InvalidPassword, Resync, vec![], "Change the password in the Secret that the spec names."),
        ("a value about the access string",
            modify(), value("The access-string is invalid."), fresh(), Stalled, InvalidAccessString, Resync, vec![], "The access-string is invalid."),
        ("in AWS's other spelling",
            create(), value("Bad AccessString"), fresh(), Stalled, InvalidAccessString, Resync, vec![], "Bad AccessString. Change"),
        ("a category is part of the access string",
            create(), value("Access string contains invalid category(s)"), fresh(), Stalled, InvalidAccessString, Resync, vec![], "category(s). Change spec.accessString."),
        ("a category alone as well",
            create(), value("Unknown category"), fresh(), Stalled, InvalidAccessString, Resync, vec![], "Unknown category"),
        ("a rule is part of the access string, though it names passwords",
            create(), value("Password rules are not supported in Elasticache access string."), fresh(), Stalled, InvalidAccessString, Resync, vec![], "Password rules"),
        ("a rule alone as well",
            create(), value("reset rule is not supported in Elasticache user api"), fresh(), Stalled, InvalidAccessString, Resync, vec![], "reset rule"),
        ("any other value is the spec's",
            create(), value("Engine must be redis."), fresh(), Stalled, InvalidSpec, Resync, vec![], "Engine must be redis. Change the spec."),
        ("any other refusal is retried slowly",
            create(), refused(Rejection::Other), fresh(), Reconciling, AWSRefused, Slow, vec![], "CreateUser of \"app\" was refused: Refused: Because. Retrying slowly"),
        ("on the way out too",
            delete(), refused(Rejection::Other), out_there(), Deleting, AWSRefused, Slow, vec![], "DeleteUser of \"app\" was refused"),
        ("a reading of tags that fails is named",
            Action::Wait(Wait::Failed(Read::ListTagsForResource, throttled())), Outcome::Decided, fresh(), Reconciling, Throttled, Backoff, vec![], "throttles ListTagsForResource"),
        ("a look that fails is named",
            failed_read(unavailable()), Outcome::Decided, out_there(), Deleting, AWSUnavailable, Backoff, vec![], "DescribeUsers of \"app\" got no usable answer"),
    }
}

/// AWS did not tell the state of an object that is Ready, or is thought to be.
fn silent() -> Vec<Row> {
    use Progress::{Deleting, Reconciling, Stalled, Unchanged, Unknown};
    use Reason::*;
    use Requeue::{Backoff, Slow};
    let read = |fault| Action::Wait(Wait::Failed(Read::DescribeUsers, fault));
    let d = Outcome::Decided;
    let words = "DescribeUsers";
    rows! {
        ("an outage does not unmake Ready",
            read(unavailable()), d.clone(), settled(), Unchanged, AWSUnavailable, Backoff, vec![], words),
        ("nor does throttling",
            read(throttled()), d.clone(), settled(), Unchanged, Throttled, Backoff, vec![], words),
        ("nor do credentials",
            read(credentials()), d.clone(), settled(), Unchanged, CredentialsUnavailable, Slow, vec![], words),
        ("nor does a read that is denied",
            read(denied()), d.clone(), settled(), Unchanged, AccessDenied, Slow, vec![], words),
        ("not even one that is denied for long",
            read(denied()), d.clone(), long_denied(settled()), Unchanged, AccessDenied, Slow, vec![], words),
        ("nor tags that cannot be read",
            Action::Wait(Wait::Failed(Read::ListTagsForResource, unavailable())), d.clone(), settled(), Unchanged, AWSUnavailable, Backoff, vec![], "ListTagsForResource"),
        ("unless AWS has told already that the user differs",
            Action::Wait(Wait::Failed(Read::ListTagsForResource, denied())), d.clone(), differing(settled()), Reconciling, AccessDenied, Slow, vec![], "ListTagsForResource"),
        ("which a person has to mend where it lasts",
            Action::Wait(Wait::Failed(Read::ListTagsForResource, denied())), d.clone(), long_denied(differing(settled())), Stalled, AccessDenied, Slow, vec![], "ListTagsForResource"),
        ("nor a look that the shell reports as failed",
            Action::Fetch(Fetch::User(id())), failed(unavailable()), settled(), Unchanged, AWSUnavailable, Backoff, vec![], words),
        ("an outage that lasts makes Ready Unknown",
            read(unavailable()), d.clone(), stale(settled()), Unknown, AWSUnavailable, Backoff, vec![], words),
        ("a new generation is not Ready without an answer",
            read(unavailable()), d.clone(), fresh(), Reconciling, AWSUnavailable, Backoff, vec![], words),
        ("however long it takes",
            read(unavailable()), d.clone(), stale(fresh()), Reconciling, AWSUnavailable, Backoff, vec![], words),
        ("a refusal is an answer",
            read(rejected(Rejection::Other)), d.clone(), settled(), Reconciling, AWSRefused, Slow, vec![], words),
        ("on the way out nothing is Ready",
            read(unavailable()), d, stale(settled_leaving()), Deleting, AWSUnavailable, Backoff, vec![], words),
        ("a creation that is throttled unmakes Ready: the user is not there",
            create(), failed(throttled()), settled(), Reconciling, Throttled, Backoff, vec![], "CreateUser"),
        ("a change that is lost unmakes Ready: the user differs",
            modify(), failed(unavailable()), stale(settled()), Reconciling, AWSUnavailable, Backoff, vec![], "ModifyUser"),
        ("a change that is denied for long needs a person",
            modify(), failed(denied()), long_denied(settled()), Stalled, AccessDenied, Slow, vec![], "ModifyUser"),
        ("tags that cannot be put back unmake Ready",
            tag(), failed(throttled()), settled(), Reconciling, Throttled, Backoff, vec![], "AddTagsToResource"),
    }
}

pub(crate) fn all_rows() -> Vec<Row> {
    [staying(), leaving(), failing(), silent(), verdict_living::rows()].concat()
}

#[test]
fn a_pass_amounts_to_what_its_row_says() {
    for (claim, action, outcome, standing, progress, reason, visit, done, words) in all_rows() {
        let verdict = verdict(&action, &outcome, &standing.standing());
        let got = (verdict.progress, verdict.reason, verdict.requeue, verdict.completed.clone());
        assert_eq!(got, (progress, reason, visit, done), "{claim}");
        assert!(verdict.message.contains(words), "{claim}: {}", verdict.message);
    }
}

#[test]
fn every_reason_progress_visit_and_event_stands_in_a_row() {
    let rows = all_rows();
    let reasons: HashSet<Reason> = rows.iter().map(|row| row.5).collect();
    for reason in Reason::ALL {
        assert!(reasons.contains(&reason), "no row with {reason:?}");
    }
    for progress in Progress::ALL {
        assert!(rows.iter().any(|row| row.4 == progress), "no row with {progress:?}");
    }
    for visit in EVERY_VISIT {
        assert!(rows.iter().any(|row| row.6 == visit), "no row with {visit:?}");
    }
    for event in EVERY_EVENT {
        let told = |row: &Row| row.7.iter().any(|done| done.reason() == event);
        assert!(rows.iter().any(told), "no row with {event}");
    }
    for kind in EVERY_ACTION {
        assert!(rows.iter().any(|row| kind_of(&row.1) == kind), "no row with {kind}");
    }
    for kind in EVERY_OUTCOME {
        assert!(rows.iter().any(|row| outcome_kind(&row.2) == kind), "no row with {kind}");
    }
}

#[test]
fn conditions_have_the_reasons_that_the_contract_lists_for_them() {
    for (claim, action, outcome, standing, progress, reason, ..) in all_rows() {
        assert!(reasons::of(progress).contains(&reason), "{claim}: {progress:?} with {reason:?}");
        assert_eq!(progress == Progress::Deleting, standing.leaving, "{claim}: {action:?} {outcome:?}");
    }
    let rows = all_rows();
    for progress in Progress::ALL.into_iter().filter(|progress| *progress != Progress::Unknown) {
        for reason in reasons::of(progress) {
            let stands = rows.iter().any(|row| (row.4, row.5) == (progress, *reason));
            assert!(stands, "no row has {progress:?} with {reason:?}");
        }
    }
}

#[test]
fn every_reason_is_read_back_from_its_word() {
    for reason in Reason::ALL {
        assert_eq!(Reason::parse(reason.as_str()), Some(reason));
        assert_eq!(reason.as_str(), format!("{reason:?}"));
    }
    assert_eq!(Reason::parse("Suspicious"), None);
}

#[test]
fn a_warning_goes_with_every_reason_that_keeps_a_person_waiting() {
    use Reason::*;
    for (claim, action, outcome, standing, _, reason, _, done, _) in all_rows() {
        let warning = verdict(&action, &outcome, &standing.standing()).warning();
        let quiet = matches!(
            reason,
            Active | Creating | Modifying | Observed | Differs | UserMissing | DeletingUser | Retained
        ) || reason == Suspended && !standing.leaving;
        assert_eq!(warning, (!quiet).then_some(reason), "{claim}");
        assert!(
            !done.iter().any(|done| matches!(done, Completed::LeftAlone(_))) || warning.is_none(),
            "{claim}: told once"
        );
    }
}

#[test]
fn no_sentence_and_no_event_holds_a_password() {
    for (claim, action, outcome, standing, ..) in all_rows() {
        let said = verdict(&action, &outcome, &standing.standing());
        assert!(!format!("{said:?}").contains(SECRET_TEXT), "{claim}");
        assert!(!format!("{action:?} {outcome:?}").contains(SECRET_TEXT), "{claim}, in a panic");
    }
}
