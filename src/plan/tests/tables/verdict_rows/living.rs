//! Rows of `verdict` about objects that are not terminating. No call failed.

use plan::verdict::Progress::{Ready, Stalled, SuspendedNotReady, SuspendedReady};
use plan::verdict::Reason::*;
use plan::verdict::{Completed, Outcome};
use plan::*;

use super::common::plans::{drift, fetch, refuse, tags_intent, wait};
use super::common::verdicts::*;
use super::common::*;
use plan::pace::Requeue::{Backoff, Now, Poll, Resync, Slow};

fn differences() -> Vec<String> {
    texts(&["engine was valkey instead of redis", "authentication type was iam instead of password"])
}

/// CreateUser, ModifyUser and tagging calls.
pub(crate) fn rows() -> Vec<Row> {
    [creating(), modifying(), tagging(), waiting(), refusing()].concat()
}

fn creating() -> Vec<Row> {
    let again = || create_because(drift(&["the AWS user was missing"]));
    let both = || vec![Completed::Created, Completed::Corrected(texts(&["the AWS user was missing"]))];
    rows! { Row { action: create(), outcome: accepted(Lifecycle::Creating), reason: Creating, requeue: Poll, ..living() };
        { claim: "the intent to create is followed at once", action: Action::WriteIntent(WriteIntent::Create { tag_keys: vec![] }),
          outcome: Outcome::Decided, requeue: Now, message: "Creating AWS user" },
        { claim: "a created user that AWS shows active is Ready at once", outcome: accepted(Lifecycle::Active), progress: Ready, reason: Active,
          requeue: Resync, completed: vec![Completed::Created], message: "is active" },
        { claim: "a created user that is not active is polled", completed: vec![Completed::Created], message: "Creating AWS user \"app\"" },
        { claim: "UserAlreadyExists says nothing about the owner", outcome: Outcome::AlreadyExists, requeue: Backoff, message: "UserAlreadyExists" },
        { claim: "the credentials changed before CreateUser was sent", outcome: Outcome::CredentialsChanged, requeue: Backoff,
          message: "Creating AWS user" },
        { claim: "a user that was missing is created and active", action: again(), outcome: accepted(Lifecycle::Active), context: ready(),
          progress: Ready, reason: Active, requeue: Resync, completed: both(), message: "is active" },
        { claim: "a user that was missing is created and not active",
          action: again(), context: ready(), completed: both(), message: "Creating AWS user \"app\"" },
        { claim: "a user that was missing exists again",
          action: again(), outcome: Outcome::AlreadyExists, context: ready(), requeue: Backoff, message: "UserAlreadyExists" },
    }
}

fn modifying() -> Vec<Row> {
    rows! { Row { action: modify(), outcome: accepted(Lifecycle::Modifying), reason: Modifying, requeue: Poll, message: "applying the change", ..living() };
        { claim: "a change that AWS applies is polled", completed: vec![Completed::Modified] },
        { claim: "a change is polled although AWS shows the user active",
          outcome: accepted(Lifecycle::Active), completed: vec![Completed::Modified] },
        { claim: "ModifyUser answers UserNotFound", outcome: Outcome::NotFound, requeue: Backoff, message: "ModifyUser answered UserNotFound" },
        { claim: "passwords alone are a rotation",
          action: modify_because(Cause::Rotation), completed: vec![Completed::Rotated], message: "applying the change to user \"app\"" },
        { claim: "drift is published with all differences",
          action: modify_because(Cause::Drift(differences())), context: ready(), completed: vec![Completed::Corrected(differences())] },
        { claim: "drift that was not corrected is not published", action: modify_because(Cause::Drift(differences())),
          outcome: Outcome::NotFound, context: ready(), requeue: Backoff, message: "ModifyUser answered UserNotFound" },
    }
}

fn tagging() -> Vec<Row> {
    let missing = || texts(&["tag \"team\" was missing"]);
    let adopt = || Action::Tag(Tag { arn: arn(), tags: our_tags(), cause: Cause::Adoption });
    let base = || Row {
        outcome: Outcome::Tagged(our_tags()),
        reason: Modifying,
        requeue: Now,
        message: "The tags of AWS user \"app\" are being changed.",
        ..living()
    };
    let lost = || Row {
        action: tag(),
        reason: WaitingForUserActive,
        requeue: Poll,
        message: "lost its owner tags",
        ..base()
    };
    let mut rows = rows! { base();
        { claim: "the intent to tag is followed at once",
          action: tags_intent(&["team"]), outcome: Outcome::Decided },
        { claim: "AWS's answer shows the tags of an edit", action: tag_because(Cause::Edit), completed: vec![Completed::Modified] },
        { claim: "tags that somebody changed are drift",
          action: tag_because(Cause::Drift(missing())), context: ready(), completed: vec![Completed::Corrected(missing())] },
        { claim: "AddTagsToResource answers UserNotFound for an edit",
          action: tag_because(Cause::Edit), outcome: Outcome::NotFound, reason: WaitingForUserActive, requeue: Poll },
        { claim: "tags that left the spec are removed", action: untag(), completed: vec![Completed::Modified] },
        { claim: "RemoveTagsFromResource answers UserNotFound",
          action: untag(), outcome: Outcome::NotFound, reason: WaitingForUserActive, requeue: Poll },
        { claim: "an adopted user is worked on at once", action: adopt(), completed: vec![Completed::Adopted],
          message: "AWS user \"app\" belonged to no object and is adopted" },
        { claim: "AWS does not accept the tags of an adoption now", action: adopt(), outcome: Outcome::NotFound, reason: WaitingForUserActive,
          requeue: Poll, message: "is to be adopted, but AWS does not accept its owner tags now. Retrying." },
    };
    rows.extend(rows! { lost();
        { claim: "AWS shows restored owner tags after some seconds", outcome: Outcome::Tagged(owner_tags()), completed: tags_restored() },
        { claim: "AddTagsToResource answers UserNotFound for lost owner tags", outcome: Outcome::NotFound },
    });
    rows
}

fn waiting() -> Vec<Row> {
    let secret = |problem| wait(Wait::Secret(problem));
    let (s, key) = (|| "s".to_owned(), || "password".to_owned());
    let reads = "Reading the state of AWS user \"app\"";
    rows! { Row { reason: WaitingForUserActive, requeue: Poll, ..living() };
        { claim: "an interrupted read is repeated at once", action: fetch(Fetch::User(id())), requeue: Now, message: reads },
        { claim: "the pass continues at once with the finalizer", action: Action::AddFinalizer, requeue: Now, message: reads },
        { claim: "AWS creates the user", action: wait(Wait::Creating), reason: Creating, message: "Creating AWS user" },
        { claim: "AWS applies our change", action: wait(Wait::Modifying), reason: Modifying, message: "seconds to some minutes" },
        { claim: "AWS applies somebody else's change", action: wait(Wait::UserNotActive(Lifecycle::Modifying)),
          message: "\"modifying\". The operator continues when the user is active." },
        { claim: "an unknown state is named", action: wait(Wait::UserNotActive(odd())), message: "\"hibernating\"" },
        { claim: "AWS does not show the tags of an active user",
          action: wait(Wait::OwnerUnknown(Lifecycle::Active)), message: "does not show the tags" },
        { claim: "the state that hides the tags is named",
          action: wait(Wait::OwnerUnknown(Lifecycle::Modifying)), message: "\"modifying\", in which AWS does not show" },
        { claim: "CreateUser may still take effect", action: wait(Wait::CreationOpen), message: "may still take effect" },
        { claim: "AWS deletes an earlier user", action: wait(Wait::PreviousUser), reason: WaitingForPreviousUser, message: "still deleting an earlier user" },
        { claim: "the missing Secret is named", action: secret(SecretProblem::NotFound { secret: s() }), reason: SecretNotFound, requeue: Backoff,
          message: "Secret \"s\" does not exist" },
        { claim: "the missing key is named", action: secret(SecretProblem::KeyNotFound { secret: s(), key: key() }), reason: SecretKeyNotFound,
          requeue: Backoff, message: "has no key \"password\"" },
        { claim: "a full namespace needs no person and no poll",
          action: wait(Wait::NamespaceFull { limit: 3 }), reason: QuotaExceeded, requeue: Resync, message: "--max-users-per-namespace allows 3 AWS users" },
        { claim: "a Secret that may not be read is retried slowly",
          action: secret(SecretProblem::Forbidden { secret: s() }), reason: SecretForbidden, requeue: Slow, message: "may not read Secret \"s\"" },
    }
}

fn refusing() -> Vec<Row> {
    let newline = SecretProblem::Invalid {
        secret: "s".into(),
        key: "k".into(),
        why: plan::InvalidPassword::TrailingNewline,
    };
    let former = || Refusal::UserAlreadyExists { former: Some(owner_named("other")) };
    rows! { Row { progress: Stalled, ..living() };
        { claim: "a password that ends with a newline is named", action: refuse(Refusal::InvalidPassword(newline)), reason: InvalidPassword,
          message: "Key \"k\" of Secret \"s\" ends with a newline" },
        { claim: "an invalid spec", action: refuse(Refusal::InvalidSpec("userID \"x y\" is no ID".into())), reason: InvalidSpec,
          message: "userID \"x y\" is no ID." },
        { claim: "an unowned user: the message has all ways out", action: refuse(Refusal::UserAlreadyExists { former: None }), reason: UserAlreadyExists,
          message: "Set adoptionPolicy to Adopt to adopt it, delete this object and create one with another userID, or delete the AWS user." },
        { claim: "a former owner is named", action: refuse(former()), reason: UserAlreadyExists,
          message: "the owner tags of ElastiCacheUser \"other\" in namespace \"shop\" of cluster \"prod\", which no longer exists. The operator does not change it." },
        { claim: "the namespace does not allow adoption",
          action: refuse(Refusal::AdoptionNotAllowed { namespace: "web".into(), former: Some(owner_named("old")) }),
          reason: AdoptionNotAllowed, message: "carries the owner tags of ElastiCacheUser \"old\" in namespace \"shop\" of cluster \"prod\", which no longer exists. The operator does not change it, because its --adoption-namespace does not allow namespace \"web\"." },
        { claim: "the required prefix is named",
          action: refuse(Refusal::BreaksRule(BrokenRule::UserId { user_id: id(), prefix: "shop-".into() })), reason: UserIDNotAllowed,
          message: "The user ID \"app\" is not allowed in this namespace: the operator's --required-user-id-prefix requires IDs that begin with \"shop-\"." },
        { claim: "adoption is forbidden", action: refuse(Refusal::AdoptionForbidden), reason: AdoptionNotAllowed, message: "(--forbid=adopt)" },
        { claim: "tag keys that are not allowed are named",
          action: refuse(Refusal::BreaksRule(BrokenRule::TagKeys(texts(&["a", "b"])))), reason: InvalidSpec,
          message: "does not allow (--allowed-tag-key): \"a\", \"b\"." },
        { claim: "what is forbidden is named",
          action: refuse(Refusal::BreaksRule(BrokenRule::Forbidden(Feature::Retain))), reason: InvalidSpec,
          message: "forbids deletionPolicy Retain in this namespace (--forbid=retain). Remove it." },
        { claim: "the other owner is named", action: refuse(Refusal::UserOwnedByAnother(owner_named("other"))), reason: UserOwnedByAnother,
          message: "ElastiCacheUser \"other\" in namespace \"shop\" of cluster \"prod\"" },
        { claim: "both accounts are named",
          action: refuse(Refusal::WrongLocation(there())), reason: WrongAWSAccount, message: "region us-east-1 of account 111111111111" },
    }
}

/// In sync, `managementPolicy: Observe`, and `suspend`.
pub(crate) fn other_goals() -> Vec<Row> {
    let observe = Action::ObserveOnly;
    let differences = || texts(&["engine valkey would become redis", "passwords would be sent"]);
    let suspended = "spec.suspend is true: AWS is not called for this object until it is false.";
    rows! { Row { reason: Differs, ..living() };
        { claim: "a user in sync is Ready", action: Action::InSync, progress: Ready, reason: Active, message: "\"app\" is active and matches the spec" },
        { claim: "observing: a user that matches is Ready", action: observe(Comparison::Matches), progress: Ready, reason: Observed,
          message: "AWS user \"app\" is active and matches the spec. The operator only observes it." },
        { claim: "observing: each difference is named", action: observe(Comparison::Differs(differences())),
          message: "is not changed because managementPolicy is Observe: engine valkey would become redis; passwords would be sent." },
        { claim: "observing: a user that differs is no longer Ready",
          action: observe(Comparison::Differs(differences())), context: ready(), message: "\"app\" differs from the spec" },
        { claim: "observing: a missing user is not created", action: observe(Comparison::Missing), context: ready(), reason: UserMissing,
          message: "There is no AWS user \"app\", and none is created" },
        { claim: "observing: an outage leaves Ready unchanged", action: failed_read(unavailable()), context: ready(),
          progress: plan::verdict::Progress::Unchanged, reason: AWSUnavailable, requeue: Backoff, message: "DescribeUsers" },
        { claim: "suspended: an object that was Ready stays Ready",
          action: Action::Suspended { ready: true }, progress: SuspendedReady, reason: Suspended, message: suspended },
        { claim: "suspended: an object that was not Ready does not reconcile",
          action: Action::Suspended { ready: false }, progress: SuspendedNotReady, reason: Suspended, message: suspended },
    }
}
