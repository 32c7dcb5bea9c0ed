//! Rows of `verdict` about the whole life of a user: changes, drift, tags, adoption, suspension, observation.

use plan::pace::Requeue;
use plan::verdict::{Completed, Outcome, Progress, Reason};
use plan::*;

use super::common::verdicts::*;
use super::common::*;

pub(crate) fn rows() -> Vec<Row> {
    [changing(), tagging(), taking_over(), watching(), suspended(), failing()].concat()
}

fn differing() -> Vec<String> {
    vec![
        "engine was valkey instead of redis".into(),
        "authentication type was iam instead of password".into(),
    ]
}

fn caused(cause: Cause) -> Action {
    let Action::Modify(modify) = modify() else { panic!("modify() is a Modify") };
    Action::Modify(Modify { cause, ..modify })
}

/// CreateUser and ModifyUser tell why they were sent.
fn changing() -> Vec<Row> {
    use Progress::{Ready, Reconciling};
    use Reason::*;
    use Requeue::{Backoff, Poll, Resync};
    let created_again = || {
        let Action::Create(create) = create() else { panic!("create() is a Create") };
        Action::Create(Create { cause: Cause::Drift(vec!["the AWS user was missing".into()]), ..create })
    };
    let modifying = || accepted(Lifecycle::Modifying);
    let gone = || Completed::Corrected(vec!["the AWS user was missing".into()]);
    rows! {
        ("passwords alone are a rotation",
            caused(Cause::Rotation), modifying(), fresh(), Reconciling, Modifying, Poll, vec![Completed::Rotated], "applying the change to user \"app\""),
        ("drift is told with all that differed, and goes before a modification",
            caused(Cause::Drift(differing())), modifying(), settled(), Reconciling, Modifying, Poll, vec![Completed::Corrected(differing())], "applying the change"),
        ("a change that was not accepted tells of nothing",
            caused(Cause::Drift(differing())), Outcome::NotFound, settled(), Reconciling, Modifying, Backoff, vec![], "ModifyUser answered UserNotFound"),
        ("a user that was gone and is created again tells both",
            created_again(), accepted(Lifecycle::Active), settled(), Ready, Active, Resync, vec![Completed::Created, gone()], "is active"),
        ("also where AWS does not show it active yet",
            created_again(), accepted(Lifecycle::Creating), settled(), Reconciling, Creating, Poll, vec![Completed::Created, gone()], "Creating AWS user \"app\""),
        ("one that is there again tells of nothing",
            created_again(), Outcome::AlreadyExists, settled(), Reconciling, Creating, Backoff, vec![], "UserAlreadyExists"),
    }
}

fn edit_of_tags(cause: Cause) -> Action {
    Action::Tag(Tag { arn: arn(), tags: tags(&[("team", "shop")]), cause })
}

fn untag() -> Action {
    Action::Untag(Untag { arn: arn(), keys: vec!["old".into()] })
}

/// The spec's tags.
fn tagging() -> Vec<Row> {
    use Progress::Reconciling;
    use Reason::*;
    use Requeue::{Now, Poll};
    let words = "The tags of AWS user \"app\" are being changed.";
    let drift = || vec!["tag \"team\" was missing".to_owned()];
    let keys = || Action::WriteIntent(WriteIntent::Tags { tag_keys: vec!["team".into()] });
    let tagged = || Outcome::Tagged(our_tags());
    rows! {
        ("keys that were announced are gone on with at once",
            keys(), Outcome::Decided, fresh(), Reconciling, Modifying, Now, vec![], words),
        ("tags that the spec asked for are shown by AWS's answer: nothing is waited for",
            edit_of_tags(Cause::Edit), tagged(), fresh(), Reconciling, Modifying, Now, vec![Completed::Modified], words),
        ("tags that somebody changed are drift",
            edit_of_tags(Cause::Drift(drift())), tagged(), settled(), Reconciling, Modifying, Now, vec![Completed::Corrected(drift())], words),
        ("UserNotFound from a tagging call means nothing: it is polled",
            edit_of_tags(Cause::Edit), Outcome::NotFound, fresh(), Reconciling, WaitingForUserActive, Poll, vec![], words),
        ("tags that left the spec are a modification",
            untag(), tagged(), fresh(), Reconciling, Modifying, Now, vec![Completed::Modified], words),
        ("UserNotFound from the removal means nothing either",
            untag(), Outcome::NotFound, fresh(), Reconciling, WaitingForUserActive, Poll, vec![], words),
    }
}

/// Users that are there and not ours.
fn taking_over() -> Vec<Row> {
    use Progress::{Reconciling, Stalled};
    use Reason::*;
    use Requeue::{Now, Poll, Resync};
    let d = Outcome::Decided;
    let adopt = || Action::Tag(Tag { arn: arn(), tags: our_tags(), cause: Cause::Adoption });
    let refuse = Action::Refuse;
    let former = || refuse(Refusal::UserAlreadyExists { former: Some(owner_named("other")) });
    let prefix = || refuse(Refusal::UserIdNotAllowed { user_id: id(), prefix: "shop-".into() });
    rows! {
        ("a user that is taken over is gone on with at once",
            adopt(), Outcome::Tagged(our_tags()), fresh(), Reconciling, Modifying, Now, vec![Completed::Adopted], "AWS user \"app\" belonged to no object and is adopted"),
        ("tags that AWS does not take now are tried again",
            adopt(), Outcome::NotFound, fresh(), Reconciling, WaitingForUserActive, Poll, vec![], "is to be adopted, but AWS does not accept its owner tags now. Retrying."),
        ("a user that belongs to nobody is told with the ways out",
            refuse(Refusal::UserAlreadyExists { former: None }), d.clone(), fresh(), Stalled, UserAlreadyExists, Resync, vec![],
            "Set adoptionPolicy to Adopt to adopt it, delete this object and create one with another userID, or delete the AWS user."),
        ("the object that it belonged to is named",
            former(), d.clone(), fresh(), Stalled, UserAlreadyExists, Resync, vec![],
            "the owner tags of ElastiCacheUser \"other\" in namespace \"shop\" of cluster \"prod\", which no longer exists. The operator does not change it."),
        ("a namespace without leave is told who can give it",
            refuse(Refusal::AdoptionNotAllowed), d.clone(), fresh(), Stalled, AdoptionNotAllowed, Resync, vec![], "--adoption-namespace"),
        ("an ID that the policy does not allow is told with what it would have to begin with",
            prefix(), d, fresh(), Stalled, UserIDNotAllowed, Resync, vec![],
            "The user ID \"app\" is not allowed in this namespace: the operator's --required-user-id-prefix requires IDs that begin with \"shop-\"."),
    }
}

/// `managementPolicy: Observe`.
fn watching() -> Vec<Row> {
    use Progress::{Deleting, Ready, Reconciling, Unchanged};
    use Reason::*;
    use Requeue::{Backoff, Resync};
    let d = Outcome::Decided;
    let compare = Action::ObserveOnly;
    let differs =
        || vec!["engine valkey would become redis".to_owned(), "passwords would be sent".to_owned()];
    let lets_go = |deletion_accepted| Action::ReleaseFinalizer(ReleaseReason::Observes { deletion_accepted });
    rows! {
        ("a user that matches is Ready",
            compare(Comparison::Matches), d.clone(), fresh(), Ready, Observed, Resync, vec![], "AWS user \"app\" is active and matches the spec. The operator only observes it."),
        ("a user that differs is told field by field",
            compare(Comparison::Differs(differs())), d.clone(), fresh(), Reconciling, Differs, Resync, vec![],
            "is not changed because managementPolicy is Observe: engine valkey would become redis; passwords would be sent."),
        ("also where it was Ready",
            compare(Comparison::Differs(differs())), d.clone(), settled(), Reconciling, Differs, Resync, vec![], "\"app\" differs from the spec"),
        ("a user that is not there is not created",
            compare(Comparison::Missing), d.clone(), settled(), Reconciling, UserMissing, Resync, vec![], "There is no AWS user \"app\", and none is created"),
        ("an outage does not unmake Ready",
            failed_read(unavailable()), d, settled(), Unchanged, AWSUnavailable, Backoff, vec![], "DescribeUsers"),
        ("on the way out the user is left, and that is told",
            lets_go(false), Outcome::Released, out_there(), Deleting, Retained, Resync, vec![Completed::Retained], "is retained because managementPolicy is Observe."),
        ("after a DeleteUser it does not claim so",
            lets_go(true), Outcome::Released, out_there(), Deleting, DeletingUser, Resync, vec![Completed::DeletionStarted], "AWS had accepted DeleteUser before"),
    }
}

/// `suspend`.
fn suspended() -> Vec<Row> {
    use Progress::{Deleting, SuspendedNotReady, SuspendedReady};
    use Reason::*;
    use Requeue::{Poll, Resync};
    let d = Outcome::Decided;
    let words = "spec.suspend is true: AWS is not called for this object until it is false.";
    rows! {
        ("a suspended object that was Ready stays so",
            Action::Suspended { ready: true }, d.clone(), fresh(), SuspendedReady, Suspended, Resync, vec![], words),
        ("one that was not is not, and nothing reconciles",
            Action::Suspended { ready: false }, d.clone(), fresh(), SuspendedNotReady, Suspended, Resync, vec![], words),
        ("on the way out it holds the object, and names both ways on",
            Action::Wait(Wait::Suspended), d.clone(), out_there(), Deleting, Suspended, Resync, vec![], "nothing is deleted until it is false. To remove only the object, set deletionPolicy to Retain."),
        ("a creation in doubt is waited for without a look",
            Action::Wait(Wait::CreationOpen), d, out_there(), Deleting, WaitingForUserActive, Poll, vec![], "no AWS user is left behind"),
    }
}

/// Tagging calls that failed.
fn failing() -> Vec<Row> {
    use Progress::{Reconciling, Stalled};
    use Reason::*;
    use Requeue::{Backoff, Slow};
    let rejection = || failed(rejected(Rejection::ParameterValue));
    rows! {
        ("a removal of tags that is throttled is named",
            untag(), failed(throttled()), fresh(), Reconciling, Throttled, Backoff, vec![], "throttles RemoveTagsFromResource of \"app\""),
        ("a removal that is denied for long needs a person",
            untag(), failed(denied()), long_denied(fresh()), Stalled, AccessDenied, Slow, vec![], "may not call RemoveTagsFromResource for \"app\""),
        ("tags that AWS refuses are retried slowly",
            edit_of_tags(Cause::Edit), rejection(), fresh(), Reconciling, AWSRefused, Slow, vec![], "AddTagsToResource of \"app\" was refused"),
        ("more tags than a resource may have are over a quota",
            edit_of_tags(Cause::Edit), failed(rejected(Rejection::Quota)), fresh(), Reconciling, QuotaExceeded, Slow, vec![], "AddTagsToResource of \"app\" was refused: Refused: Because. Delete what is not needed"),
        ("a rotation that is lost unmakes Ready",
            caused(Cause::Rotation), failed(unavailable()), settled(), Reconciling, AWSUnavailable, Backoff, vec![], "ModifyUser of \"app\" got no usable answer"),
        ("a user that is busy when its drift is corrected is tried again",
            caused(Cause::Drift(differing())), failed(busy()), settled(), Reconciling, WaitingForUserActive, Backoff, vec![], "ModifyUser of \"app\" must wait"),
    }
}
