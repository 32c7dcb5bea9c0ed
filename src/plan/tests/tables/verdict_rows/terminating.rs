//! Rows of `verdict` about terminating objects. No call failed.

use plan::pace::Requeue::{Backoff, Now, Poll, Resync, Slow};
use plan::verdict::Reason::*;
use plan::verdict::{Completed, Outcome};
use plan::*;

use super::common::plans::{fetch, release, wait};
use super::common::verdicts::*;
use super::common::*;

pub(crate) fn rows() -> Vec<Row> {
    [deleting(), waiting(), releasing()].concat()
}

fn deleting() -> Vec<Row> {
    let reclaim = Action::WriteIntent(WriteIntent::Reclaim { last_applied: LastApplied::default() });
    rows! { Row { action: delete(), reason: DeletingUser, requeue: Poll, ..terminating() };
        { claim: "the intent to delete is followed at once",
          action: Action::WriteIntent(WriteIntent::Delete), requeue: Now, message: "Deleting AWS user \"app\". " },
        { claim: "a read before DeleteUser that failed is repeated at once",
          action: fetch(Fetch::ObjectAndDefinition), requeue: Now, message: "Reading the state of" },
        { claim: "a deletion that AWS accepted is polled", outcome: accepted(Lifecycle::Deleting), completed: vec![Completed::DeletionStarted],
          message: "AWS is deleting user \"app\"" },
        { claim: "DeleteUser answers UserNotFound", outcome: Outcome::NotFound, requeue: Backoff, message: "DeleteUser answered UserNotFound" },
        { claim: "status shows a user that lost its owner tags as ours again, and the pass continues",
          action: reclaim, reason: WaitingForUserActive, requeue: Now, message: "lost its owner tags" },
        { claim: "restored owner tags are waited for, and no deletion is claimed", action: tag(), outcome: Outcome::Tagged(owner_tags()),
          reason: WaitingForUserActive, completed: tags_restored(), message: "The operator restores them" },
    }
}

fn waiting() -> Vec<Row> {
    let unknown = WrongLocation { called: Location { account: None, ..there().called }, ..there() };
    rows! { Row { reason: WaitingForUserActive, requeue: Poll, ..terminating() };
        { claim: "prevent-deletion: the message says how to remove it", action: wait(Wait::Protected), reason: DeletionProtected, requeue: Resync,
          message: "kubectl annotate ecu -n shop orders elasticache-users.dev/prevent-deletion-" },
        { claim: "suspend: the message has both ways out", action: wait(Wait::Suspended), reason: Suspended, requeue: Resync,
          message: "nothing is deleted until it is false. To remove only the object, set deletionPolicy to Retain." },
        { claim: "AWS deletes the user", action: wait(Wait::UserDeleting), reason: DeletingUser, message: "AWS is deleting user" },
        { claim: "the user is busy", action: wait(Wait::UserNotActive(Lifecycle::Modifying)),
          message: "The operator calls DeleteUser when the user is active" },
        { claim: "CreateUser may still take effect", action: wait(Wait::CreationOpen), message: "no AWS user is left behind" },
        { claim: "the owner is not known", action: wait(Wait::OwnerUnknown(Lifecycle::Deleting)),
          message: "The operator changes nothing until it knows the owner." },
        { claim: "the definition cannot be read", action: wait(Wait::DefinitionUnreadable), reason: DeletingUser, requeue: Backoff,
          message: "CustomResourceDefinition" },
        { claim: "the user is in another account: the message has both ways out",
          action: wait(Wait::WrongLocation(there())), reason: WrongAWSAccount, requeue: Slow, message: "set deletionPolicy to Retain" },
        { claim: "an account that is not known is not named", action: wait(Wait::WrongLocation(unknown)), reason: WrongAWSAccount, requeue: Slow,
          message: "works in region us-east-1. The operator changes nothing there." },
        { claim: "the object has not vanished", action: wait(Wait::NotVanished), reason: DeletingUser, requeue: Backoff, message: "its own passes manage" },
        { claim: "another object wants the user of a vanished one", action: wait(Wait::Namesake), reason: DeletingUser, requeue: Backoff,
          message: "deletes the user only if that object vanishes too" },
    }
}

fn releasing() -> Vec<Row> {
    let retained = |deletion_accepted| release(ReleaseReason::Retained { deletion_accepted });
    let uninstalled = |deletion_accepted| release(ReleaseReason::DefinitionDeleted { deletion_accepted });
    let observes = |deletion_accepted| release(ReleaseReason::Observes { deletion_accepted });
    let left = |reason| vec![Completed::LeftAlone(reason)];
    let keeps = || Row {
        outcome: Outcome::Released,
        reason: Retained,
        completed: vec![Completed::Retained],
        ..terminating()
    };
    let accepted = || Row {
        reason: DeletingUser,
        completed: vec![Completed::DeletionStarted],
        message: "AWS had accepted DeleteUser before",
        ..keeps()
    };
    let mut rows = rows! { keeps();
        { claim: "AWS no longer has the user",
          action: release(ReleaseReason::UserGone), reason: DeletingUser, completed: vec![Completed::Deleted], message: "\"app\" is gone" },
        { claim: "the finalizer could not be removed", action: release(ReleaseReason::UserGone), outcome: Outcome::Decided, reason: DeletingUser,
          completed: vec![], message: "gone" },
        { claim: "no user ever existed: no event",
          action: release(ReleaseReason::NoSuchUser), reason: DeletingUser, completed: vec![], message: "nothing to delete" },
        { claim: "Retain: the message has the command for a hand-over", action: retained(false), context: seeing(deleting_context()),
          message: "aws elasticache remove-tags-from-resource --resource-name arn:aws:elasticache:us-east-1:111111111111:user:app --tag-keys elasticache-users.dev/cluster elasticache-users.dev/namespace elasticache-users.dev/name elasticache-users.dev/uid --region us-east-1" },
        { claim: "Retain: the command has a placeholder if the ARN is not known", action: retained(false), message: "--resource-name ARN --tag-keys" },
        { claim: "an uninstall retains the user",
          action: uninstalled(false), message: "CustomResourceDefinition is being deleted, so AWS users are retained." },
        { claim: "Observe retains the user", action: observes(false), message: "is retained because managementPolicy is Observe." },
        { claim: "another's user stays, and its owner is named",
          action: release(ReleaseReason::LeftToOwner(owner_named("other"))), completed: left(UserOwnedByAnother), message: "ElastiCacheUser \"other\"" },
        { claim: "an unowned user stays",
          action: release(ReleaseReason::LeftUnowned), completed: left(UserAlreadyExists), message: "does not carry this object's owner tags" },
    };
    rows.extend(rows! { accepted();
        { claim: "Retain after DeleteUser does not claim to retain", action: retained(true) },
        { claim: "an uninstall after DeleteUser does not claim to retain", action: uninstalled(true) },
        { claim: "Observe after DeleteUser does not claim to retain", action: observes(true) },
    });
    rows
}
