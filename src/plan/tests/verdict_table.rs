//! `verdict`, one sentence a row: (claim, action, outcome, standing, progress, reason, visit, event, words of the message).
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod common;

use std::collections::HashSet;

use common::verdicts::*;
use common::*;
use plan::pace::Visit;
use plan::verdict::{Done, Outcome, Progress, Reason, verdict};
use plan::*;

/// Braces, so that rustfmt leaves a row a row.
macro_rules! rows {
    { $($row:expr),* $(,)? } => { vec![$($row),*] };
}

/// The user should be there, and nothing failed.
fn staying() -> Vec<Row> {
    use Progress::{Done as Ready, Reconciling, Stalled};
    use Reason::*;
    use Visit::{Backoff, Now, Poll, Resync};
    let d = Outcome::Decided;
    let other = || SecretProblem::KeyNotFound { secret: "s".into(), key: "password".into() };
    let secret = |problem| Action::Wait(Wait::Secret(problem));
    let forbidden = || SecretProblem::Forbidden { secret: "s".into() };
    let unreadable = || SecretProblem::Unreadable { secret: "s".into() };
    let newline = || SecretProblem::Invalid {
        secret: "s".into(),
        key: "k".into(),
        why: plan::InvalidPassword::TrailingNewline,
    };
    let missing = || SecretProblem::NotFound { secret: "s".into() };
    let owned = Refusal::UserOwnedByAnother(owner_named("other"));
    rows! {
        ("a user that is as it should be is Ready",
            Action::Rest, d.clone(), fresh(), Ready, Active, Resync, None, "\"app\" is active and matches the spec"),
        ("a created user that AWS shows active is Ready at once",
            create(), accepted(Lifecycle::Active), fresh(), Ready, Active, Resync, Some(Done::Created), "is active"),
        ("a created user that is not active yet is polled",
            create(), accepted(Lifecycle::Creating), fresh(), Reconciling, Creating, Poll, Some(Done::Created), "Creating AWS user \"app\""),
        ("UserAlreadyExists says nothing of the owner: look again",
            create(), Outcome::AlreadyExists, fresh(), Reconciling, Creating, Backoff, None, "UserAlreadyExists"),
        ("a change that is being applied is polled",
            modify(), accepted(Lifecycle::Modifying), fresh(), Reconciling, Modifying, Poll, Some(Done::Modified), "applying the change"),
        ("a change that AWS shows active is polled all the same",
            modify(), accepted(Lifecycle::Active), fresh(), Reconciling, Modifying, Poll, Some(Done::Modified), "applying the change"),
        ("UserNotFound from ModifyUser is looked at again",
            modify(), Outcome::NotFound, fresh(), Reconciling, Modifying, Backoff, None, "ModifyUser answered UserNotFound"),
        ("tags that were put back show after some seconds",
            tag(), Outcome::Tagged(owner_tags()), fresh(), Reconciling, WaitingForUserActive, Poll, None, "had lost its owner tags"),
        ("UserNotFound from AddTagsToResource means nothing",
            tag(), Outcome::NotFound, fresh(), Reconciling, WaitingForUserActive, Poll, None, "had lost its owner tags"),
        ("a look that something else interrupted is taken up at once",
            Action::Look(Look::User(id())), d.clone(), fresh(), Reconciling, WaitingForUserActive, Now, None, "Looking at AWS user \"app\""),
        ("a creation that was announced is gone on with at once",
            Action::Announce(Announcement::Creation { tag_keys: vec![] }), d.clone(), fresh(), Reconciling, Creating, Now, None, "Creating AWS user"),
        ("a user that AWS creates is polled",
            Action::Wait(Wait::Creating), d.clone(), fresh(), Reconciling, Creating, Poll, None, "Creating AWS user"),
        ("our change is polled",
            Action::Wait(Wait::Modifying), d.clone(), fresh(), Reconciling, Modifying, Poll, None, "seconds to some minutes"),
        ("somebody else's change is polled",
            Action::Wait(Wait::UserNotActive(Lifecycle::Modifying)), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, None, "\"modifying\". The operator goes on"),
        ("a state that is not known is named",
            Action::Wait(Wait::UserNotActive(odd())), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, None, "\"hibernating\""),
        ("an owner that cannot be read keeps us waiting",
            Action::Wait(Wait::OwnerUnknown(Lifecycle::Active)), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, None, "does not show the tags"),
        ("the state that hides the owner is named",
            Action::Wait(Wait::OwnerUnknown(Lifecycle::Modifying)), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, None, "\"modifying\", in which AWS does not show"),
        ("a creation in doubt is waited for",
            Action::Wait(Wait::CreationOpen), d.clone(), fresh(), Reconciling, WaitingForUserActive, Poll, None, "outcome may still show"),
        ("an earlier user is waited for",
            Action::Wait(Wait::PreviousUser), d.clone(), fresh(), Reconciling, WaitingForPreviousUser, Poll, None, "still deleting an earlier user"),
        ("a Secret that is missing is named",
            secret(missing()), d.clone(), fresh(), Reconciling, SecretNotFound, Backoff, None, "Secret \"s\" does not exist"),
        ("a Secret that cannot be read is retried",
            secret(unreadable()), d.clone(), fresh(), Reconciling, SecretNotFound, Backoff, None, "did not answer"),
        ("a key that is missing is named",
            secret(other()), d.clone(), fresh(), Reconciling, SecretKeyNotFound, Backoff, None, "has no key \"password\""),
        ("a Secret that may not be read is retried slowly",
            secret(forbidden()), d.clone(), fresh(), Reconciling, SecretForbidden, Visit::Slowly, None, "may not read Secret \"s\""),
        ("the commonest slip is named",
            Action::Refuse(Refusal::InvalidPassword(newline())), d.clone(), fresh(), Stalled, InvalidPassword, Resync, None, "Key \"k\" of Secret \"s\" ends with a newline"),
        ("a spec that cannot be had needs a person",
            Action::Refuse(Refusal::InvalidSpec("userID \"x y\" is no ID".into())), d.clone(), fresh(), Stalled, InvalidSpec, Resync, None, "userID \"x y\" is no ID."),
        ("a user that belongs to nobody needs a person",
            Action::Refuse(Refusal::UserAlreadyExists), d.clone(), fresh(), Stalled, UserAlreadyExists, Resync, None, "Delete this object and make one with another userID, or delete the AWS user."),
        ("another's user needs a person, and its owner is named",
            Action::Refuse(owned), d.clone(), fresh(), Stalled, UserOwnedByAnother, Resync, None, "ElastiCacheUser \"other\" in namespace \"shop\" of cluster \"prod\""),
        ("a user in another place needs a person, and both places are named",
            Action::Refuse(Refusal::Elsewhere(there())), d, fresh(), Stalled, WrongAWSAccount, Resync, None, "region us-east-1 of account 111111111111"),
    }
}

/// The object is on its way out, and nothing failed.
fn leaving() -> Vec<Row> {
    use Progress::Leaving;
    use Reason::*;
    use Visit::{Backoff, Now, Poll, Resync};
    let d = Outcome::Decided;
    let out = Outcome::Released;
    let unasked = Elsewhere { account: None, ..there() };
    let release = |why| Action::Release(why);
    let retained = |deletion_accepted| release(Release::Retained { deletion_accepted });
    let going = |deletion_accepted| release(Release::DefinitionGoing { deletion_accepted });
    let left = |reason| Some(Done::Left(reason));
    rows! {
        ("prevent-deletion holds, and says how it goes",
            Action::Wait(Wait::Protected), d.clone(), out_there(), Leaving, DeletionProtected, Resync, None, "prevent-deletion-"),
        ("the deletion is announced and gone on with",
            Action::Announce(Announcement::Departure), d.clone(), out_there(), Leaving, DeletingUser, Now, None, "Deleting AWS user \"app\""),
        ("a confirmation that failed is taken up at once",
            Action::Look(Look::Object), d.clone(), out_there(), Leaving, DeletingUser, Now, None, "Looking at"),
        ("a deletion that AWS accepted is polled",
            delete(), accepted(Lifecycle::Deleting), out_there(), Leaving, DeletingUser, Poll, Some(Done::DeletionStarted), "AWS is deleting user \"app\""),
        ("UserNotFound from DeleteUser is looked at again",
            delete(), Outcome::NotFound, out_there(), Leaving, DeletingUser, Backoff, None, "DeleteUser answered UserNotFound"),
        ("a user that is being deleted is polled",
            Action::Wait(Wait::UserDeleting), d.clone(), out_there(), Leaving, DeletingUser, Poll, None, "AWS is deleting user"),
        ("a busy user is waited for",
            Action::Wait(Wait::UserNotActive(Lifecycle::Modifying)), d.clone(), out_there(), Leaving, WaitingForUserActive, Poll, None, "DeleteUser is called once it is active"),
        ("a creation in doubt is waited for",
            Action::Wait(Wait::CreationOpen), d.clone(), out_there(), Leaving, WaitingForUserActive, Poll, None, "no AWS user is left behind"),
        ("an owner that is not known is waited for",
            Action::Wait(Wait::OwnerUnknown(Lifecycle::Deleting)), d.clone(), out_there(), Leaving, WaitingForUserActive, Poll, None, "Nothing is changed"),
        ("tags that were put back are waited for, and no deletion is claimed",
            tag(), Outcome::Tagged(owner_tags()), out_there(), Leaving, WaitingForUserActive, Poll, None, "they are put back"),
        ("a definition that cannot be read is waited for",
            Action::Wait(Wait::DefinitionUnreadable), d.clone(), out_there(), Leaving, DeletingUser, Backoff, None, "CustomResourceDefinition"),
        ("a user in another place is waited for, with the two ways out",
            Action::Wait(Wait::Elsewhere(there())), d.clone(), out_there(), Leaving, WrongAWSAccount, Visit::Slowly, None, "set deletionPolicy to Retain"),
        ("an account that is not known is not named",
            Action::Wait(Wait::Elsewhere(unasked)), d, out_there(), Leaving, WrongAWSAccount, Visit::Slowly, None, "talks to region us-east-1. Nothing"),
        ("a user that is gone lets the object go",
            release(Release::UserGone), out.clone(), out_there(), Leaving, DeletingUser, Resync, Some(Done::Deleted), "\"app\" is gone"),
        ("an object without a user goes silently",
            release(Release::NoSuchUser), out.clone(), out_there(), Leaving, DeletingUser, Resync, None, "nothing to delete"),
        ("Retain names the command for a hand-over",
            retained(false), out.clone(), seeing(out_there()), Leaving, Retained, Resync, Some(Done::Retained),
            "aws elasticache remove-tags-from-resource --resource-name arn:aws:elasticache:us-east-1:111111111111:user:app --tag-keys elasticache-users.dev/cluster"),
        ("Retain without a look leaves the ARN to be filled in",
            retained(false), out.clone(), out_there(), Leaving, Retained, Resync, Some(Done::Retained), "--resource-name ARN"),
        ("Retain after a DeleteUser does not claim to retain",
            retained(true), out.clone(), out_there(), Leaving, DeletingUser, Resync, Some(Done::DeletionStarted), "DeleteUser had been accepted"),
        ("an uninstall keeps the user",
            going(false), out.clone(), out_there(), Leaving, Retained, Resync, Some(Done::Retained), "CustomResourceDefinition is being deleted, so AWS users are left as they are."),
        ("an uninstall after a DeleteUser does not claim to retain",
            going(true), out.clone(), out_there(), Leaving, DeletingUser, Resync, Some(Done::DeletionStarted), "DeleteUser had been accepted"),
        ("another's user stays, and its owner is named",
            release(Release::LeftToOwner(owner_named("other"))), out.clone(), out_there(), Leaving, Retained, Resync, left(UserOwnedByAnother), "ElastiCacheUser \"other\""),
        ("nobody's user stays",
            release(Release::LeftUnowned), out, out_there(), Leaving, Retained, Resync, left(UserAlreadyExists), "does not carry this object's owner tags"),
        ("a release that did not come about tells of nothing",
            release(Release::UserGone), Outcome::Decided, out_there(), Leaving, DeletingUser, Resync, None, "gone"),
    }
}

/// A call failed.
fn failing() -> Vec<Row> {
    use Progress::{Leaving, Reconciling, Stalled};
    use Reason::*;
    use Visit::{Backoff, Resync, Slowly};
    let value = |sentence| failed(rejected_saying(Rejection::ParameterValue, sentence));
    let refused = |why| failed(rejected(why));
    let because = "Because. ";
    rows! {
        ("a busy user is retried",
            modify(), failed(busy()), fresh(), Reconciling, WaitingForUserActive, Backoff, None, "ModifyUser of \"app\" must wait: InvalidUserState"),
        ("on the way out its reason is AWS's word",
            delete(), failed(busy()), out_there(), Leaving, InvalidUserState, Backoff, None, "DeleteUser of \"app\" must wait"),
        ("throttling is retried",
            create(), failed(throttled()), fresh(), Reconciling, Throttled, Backoff, None, "throttles CreateUser of \"app\": Throttling: Rate exceeded. Retrying"),
        ("throttling is retried on the way out",
            delete(), failed(throttled()), out_there(), Leaving, Throttled, Backoff, None, "throttles DeleteUser"),
        ("no answer is retried",
            create(), failed(unavailable()), fresh(), Reconciling, AWSUnavailable, Backoff, None, "InternalFailure: The request processing has failed. Retrying"),
        ("no answer is retried on the way out",
            delete(), failed(unavailable()), out_there(), Leaving, AWSUnavailable, Backoff, None, "no usable answer"),
        ("credentials are retried slowly",
            create(), failed(credentials()), fresh(), Reconciling, CredentialsUnavailable, Slowly, None, "Check its IAM role"),
        ("credentials are retried slowly on the way out",
            delete(), failed(credentials()), out_there(), Leaving, CredentialsUnavailable, Slowly, None, "ExpiredToken"),
        ("a denial heals at first",
            tag(), failed(denied()), fresh(), Reconciling, AccessDenied, Slowly, None, "may not call AddTagsToResource for \"app\""),
        ("a denial that lasts needs a person",
            create(), failed(denied()), long_denied(fresh()), Stalled, AccessDenied, Slowly, None, "may not call CreateUser"),
        ("a denial on the way out is never terminal",
            delete(), failed(denied()), long_denied(out_there()), Leaving, AccessDenied, Slowly, None, "may not call DeleteUser"),
        ("a missing role is named with its command",
            create(), refused(Rejection::ServiceLinkedRole), fresh(), Reconciling, ServiceLinkedRoleMissing, Slowly, None, "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com"),
        ("on the way out too",
            delete(), refused(Rejection::ServiceLinkedRole), out_there(), Leaving, ServiceLinkedRoleMissing, Slowly, None, "create-service-linked-role"),
        ("a quota is retried slowly",
            create(), refused(Rejection::Quota), fresh(), Reconciling, QuotaExceeded, Slowly, None, "raise the quota"),
        ("a quota on the way out has no reason of its own",
            delete(), refused(Rejection::Quota), out_there(), Leaving, AWSRefused, Slowly, None, because),
        ("the group of a default user is named",
            delete(), refused(Rejection::DefaultUserInGroup), grouped(&["games"]), Leaving, DefaultUserInGroup, Slowly, None, "It is in user group \"games\"."),
        ("several groups are named",
            delete(), refused(Rejection::DefaultUserInGroup), grouped(&["games", "web"]), Leaving, DefaultUserInGroup, Slowly, None, "the user groups \"games\", \"web\""),
        ("no groups are no sentence about one",
            delete(), refused(Rejection::DefaultUserInGroup), grouped(&[]), Leaving, DefaultUserInGroup, Slowly, None, "does not say which group"),
        ("without a look the group is not known",
            delete(), refused(Rejection::DefaultUserInGroup), out_there(), Leaving, DefaultUserInGroup, Slowly, None, "does not say which group"),
        ("outside a deletion it is any refusal",
            modify(), refused(Rejection::DefaultUserInGroup), fresh(), Reconciling, AWSRefused, Slowly, None, because),
        ("what does not go together is for a person",
            create(), refused(Rejection::ParameterCombination), fresh(), Stalled, AuthenticationConflict, Resync, None, "Change the spec."),
        ("in a change as well",
            modify(), refused(Rejection::ParameterCombination), fresh(), Stalled, AuthenticationConflict, Resync, None, "ModifyUser of \"app\" was refused"),
        ("in a deletion it is any refusal",
            delete(), refused(Rejection::ParameterCombination), out_there(), Leaving, AWSRefused, Slowly, None, "Retrying slowly"),
        ("in a tagging call too",
            tag(), refused(Rejection::ParameterCombination), fresh(), Reconciling, AWSRefused, Slowly, None, "Retrying slowly"),
        ("a value in a deletion is any refusal",
            delete(), value("Passwords"), out_there(), Leaving, AWSRefused, Slowly, None, "Retrying slowly"),
        ("a value about passwords",
            create(), value("Passwords length must be between 16-128 characters."), fresh(), Stalled, InvalidPassword, Resync, None, "Change the password in the Secret that the spec names."),
        ("a value about the access string",
            modify(), value("The access-string is invalid."), fresh(), Stalled, InvalidAccessString, Resync, None, "The access-string is invalid."),
        ("in AWS's other spelling",
            create(), value("Bad AccessString"), fresh(), Stalled, InvalidAccessString, Resync, None, "Bad AccessString. Change"),
        ("a category is part of the access string",
            create(), value("Access string contains invalid category(s)"), fresh(), Stalled, InvalidAccessString, Resync, None, "category(s). Change spec.accessString."),
        ("a category alone as well",
            create(), value("Unknown category"), fresh(), Stalled, InvalidAccessString, Resync, None, "Unknown category"),
        ("a rule is part of the access string, though it names passwords",
            create(), value("Password rules are not supported in Elasticache access string."), fresh(), Stalled, InvalidAccessString, Resync, None, "Password rules"),
        ("a rule alone as well",
            create(), value("reset rule is not supported in Elasticache user api"), fresh(), Stalled, InvalidAccessString, Resync, None, "reset rule"),
        ("any other value is the spec's",
            create(), value("Engine must be redis."), fresh(), Stalled, InvalidSpec, Resync, None, "Engine must be redis. Change the spec."),
        ("any other refusal is retried slowly",
            create(), refused(Rejection::Other), fresh(), Reconciling, AWSRefused, Slowly, None, "CreateUser of \"app\" was refused: Refused: Because. Retrying slowly"),
        ("on the way out too",
            delete(), refused(Rejection::Other), out_there(), Leaving, AWSRefused, Slowly, None, "DeleteUser of \"app\" was refused"),
        ("a reading of tags that fails is named",
            Action::Wait(Wait::Failed(Read::ListTagsForResource, throttled())), Outcome::Decided, fresh(), Reconciling, Throttled, Backoff, None, "throttles ListTagsForResource"),
        ("a look that fails is named",
            failed_read(unavailable()), Outcome::Decided, out_there(), Leaving, AWSUnavailable, Backoff, None, "DescribeUsers of \"app\" got no usable answer"),
    }
}

/// AWS did not tell the state of an object that is Ready, or is thought to be.
fn silent() -> Vec<Row> {
    use Progress::{Leaving, Reconciling, Stalled, Unchanged, Unknown};
    use Reason::*;
    use Visit::{Backoff, Slowly};
    let read = |fault| Action::Wait(Wait::Failed(Read::DescribeUsers, fault));
    let d = Outcome::Decided;
    let words = "DescribeUsers";
    rows! {
        ("an outage does not unmake Ready",
            read(unavailable()), d.clone(), settled(), Unchanged, AWSUnavailable, Backoff, None, words),
        ("nor does throttling",
            read(throttled()), d.clone(), settled(), Unchanged, Throttled, Backoff, None, words),
        ("nor do credentials",
            read(credentials()), d.clone(), settled(), Unchanged, CredentialsUnavailable, Slowly, None, words),
        ("nor does a read that is denied",
            read(denied()), d.clone(), settled(), Unchanged, AccessDenied, Slowly, None, words),
        ("not even one that is denied for long",
            read(denied()), d.clone(), long_denied(settled()), Unchanged, AccessDenied, Slowly, None, words),
        ("nor tags that cannot be read",
            Action::Wait(Wait::Failed(Read::ListTagsForResource, unavailable())), d.clone(), settled(), Unchanged, AWSUnavailable, Backoff, None, "ListTagsForResource"),
        ("nor a look that the shell reports as failed",
            Action::Look(Look::User(id())), failed(unavailable()), settled(), Unchanged, AWSUnavailable, Backoff, None, words),
        ("an outage that lasts makes Ready Unknown",
            read(unavailable()), d.clone(), stale(settled()), Unknown, AWSUnavailable, Backoff, None, words),
        ("a new generation is not Ready without an answer",
            read(unavailable()), d.clone(), fresh(), Reconciling, AWSUnavailable, Backoff, None, words),
        ("however long it takes",
            read(unavailable()), d.clone(), stale(fresh()), Reconciling, AWSUnavailable, Backoff, None, words),
        ("a refusal is an answer",
            read(rejected(Rejection::Other)), d.clone(), settled(), Reconciling, AWSRefused, Slowly, None, words),
        ("on the way out nothing is Ready",
            read(unavailable()), d, stale(settled_leaving()), Leaving, AWSUnavailable, Backoff, None, words),
        ("a creation that is throttled unmakes Ready: the user is not there",
            create(), failed(throttled()), settled(), Reconciling, Throttled, Backoff, None, "CreateUser"),
        ("a change that is lost unmakes Ready: the user differs",
            modify(), failed(unavailable()), stale(settled()), Reconciling, AWSUnavailable, Backoff, None, "ModifyUser"),
        ("a change that is denied for long needs a person",
            modify(), failed(denied()), long_denied(settled()), Stalled, AccessDenied, Slowly, None, "ModifyUser"),
        ("tags that cannot be put back unmake Ready",
            tag(), failed(throttled()), settled(), Reconciling, Throttled, Backoff, None, "AddTagsToResource"),
    }
}

fn all_rows() -> Vec<Row> {
    [staying(), leaving(), failing(), silent()].concat()
}

#[test]
fn a_pass_amounts_to_what_its_row_says() {
    for (claim, action, outcome, standing, progress, reason, visit, done, words) in all_rows() {
        let verdict = verdict(&action, &outcome, &standing.standing());
        let got = (verdict.progress, verdict.reason, verdict.visit, verdict.done.clone());
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
    for progress in EVERY_PROGRESS {
        assert!(rows.iter().any(|row| row.4 == progress), "no row with {progress:?}");
    }
    for visit in EVERY_VISIT {
        assert!(rows.iter().any(|row| row.6 == visit), "no row with {visit:?}");
    }
    for event in EVERY_EVENT {
        let told = |row: &Row| row.7.as_ref().is_some_and(|done| done.reason() == event);
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
        let quiet = matches!(reason, Active | Creating | Modifying | DeletingUser | Retained);
        assert_eq!(warning, (!quiet).then_some(reason), "{claim}");
        assert!(!matches!(done, Some(Done::Left(_))) || warning.is_none(), "{claim}: told once");
    }
}
