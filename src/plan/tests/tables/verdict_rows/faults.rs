//! Rows of `verdict` about calls that failed.

use plan::pace::Requeue::{Backoff, Resync, Slow};
use plan::verdict::Progress::{Deleting, Stalled, Unchanged, Unknown};
use plan::verdict::Reason::*;
use plan::*;

use super::common::plans::{failed_tags, fetch};
use super::common::verdicts::*;
use super::common::*;

/// Faults that pass by themselves, or that heal when somebody repairs something outside of the object.
pub(crate) fn rows() -> Vec<Row> {
    let deletes = || Row { action: delete(), ..terminating() };
    let way_out = "To remove only the object and keep the AWS user, set deletionPolicy to Retain.";
    let mut rows = rows! { Row { action: create(), requeue: Backoff, ..living() };
        { claim: "the user is busy", action: modify(), outcome: failed(busy()), reason: WaitingForUserActive,
          message: "ModifyUser of \"app\" must wait: InvalidUserState" },
        { claim: "the user is busy when drift is corrected", action: modify_because(Cause::Drift(vec![])), outcome: failed(busy()), context: ready(),
          reason: WaitingForUserActive, message: "ModifyUser of \"app\" must wait" },
        { claim: "CreateUser is throttled", outcome: failed(throttled()), reason: Throttled,
          message: "throttles CreateUser of \"app\": Throttling: Rate exceeded. Retrying" },
        { claim: "RemoveTagsFromResource is throttled", action: untag(), outcome: failed(throttled()), reason: Throttled,
          message: "throttles RemoveTagsFromResource of \"app\"" },
        { claim: "ListTagsForResource is throttled", action: failed_tags(throttled()), reason: Throttled, message: "throttles ListTagsForResource" },
        { claim: "CreateUser has no answer", outcome: failed(unavailable()), reason: AWSUnavailable,
          message: "InternalFailure: The request processing has failed. Retrying" },
        { claim: "credentials do not work",
          outcome: failed(credentials()), reason: CredentialsUnavailable, requeue: Slow, message: "Check its IAM role" },
        { claim: "a denied call is not Stalled at first",
          action: tag(), outcome: failed(denied()), reason: AccessDenied, requeue: Slow, message: "may not call AddTagsToResource for \"app\"" },
        { claim: "a call that is denied for long needs a person", outcome: failed(denied()), context: long_denied(fresh()), progress: Stalled,
          reason: AccessDenied, requeue: Slow, message: "may not call CreateUser" },
        { claim: "RemoveTagsFromResource that is denied for long needs a person", action: untag(), outcome: failed(denied()),
          context: long_denied(fresh()), progress: Stalled, reason: AccessDenied, requeue: Slow, message: "may not call RemoveTagsFromResource for \"app\"" },
    };
    rows.extend(rows! { Row { requeue: Backoff, ..deletes() };
        { claim: "terminating: the reason for a busy user is AWS's word",
          outcome: failed(busy()), reason: InvalidUserState, message: "DeleteUser of \"app\" must wait" },
        { claim: "terminating: DeleteUser is throttled", outcome: failed(throttled()), reason: Throttled, message: "throttles DeleteUser" },
        { claim: "terminating: DeleteUser has no answer", outcome: failed(unavailable()), reason: AWSUnavailable, message: "no usable answer" },
        { claim: "terminating: DescribeUsers has no answer", action: failed_read(unavailable()), reason: AWSUnavailable,
          message: "DescribeUsers of \"app\" got no usable answer" },
        { claim: "terminating: credentials do not work",
          outcome: failed(credentials()), reason: CredentialsUnavailable, requeue: Slow, message: "ExpiredToken" },
        { claim: "terminating: the message about credentials names the way out",
          outcome: failed(credentials()), reason: CredentialsUnavailable, requeue: Slow, message: way_out },
        { claim: "terminating: the message about a denied read names the way out",
          action: failed_read(denied()), reason: AccessDenied, requeue: Slow, message: way_out },
        { claim: "terminating: a call that is denied for long is never Stalled", outcome: failed(denied()), context: long_denied(deleting_context()),
          reason: AccessDenied, requeue: Slow, message: "may not call DeleteUser" },
    });
    rows
}

fn refused(why: Rejection) -> plan::verdict::Outcome {
    failed(rejected(why))
}

/// AWS refused the call.
pub(crate) fn refusals() -> Vec<Row> {
    let value = |message| failed(rejected_saying(Rejection::ParameterValue, message));
    let slowly = "Retrying slowly";
    let edit = || tag_because(Cause::Edit);
    let mut rows = rows! { Row { action: create(), reason: AWSRefused, requeue: Slow, message: slowly, ..living() };
        { claim: "a missing service-linked role: the message has the command", outcome: refused(Rejection::ServiceLinkedRole),
          reason: ServiceLinkedRoleMissing, message: "aws iam create-service-linked-role --aws-service-name elasticache.amazonaws.com" },
        { claim: "a quota", outcome: refused(Rejection::Quota), reason: QuotaExceeded, message: "raise the quota" },
        { claim: "more tags than a user may have", action: edit(), outcome: refused(Rejection::Quota), reason: QuotaExceeded,
          message: "AddTagsToResource of \"app\" was refused: Refused: Because. Delete what is not needed" },
        { claim: "AWS does not raise the number of tags", action: edit(),
          outcome: failed(Fault::Rejected(Rejection::Quota, aws_error("TagQuotaPerResourceExceeded", "Too many."))), reason: QuotaExceeded,
          message: "A user has at most 50 tags, and AWS does not raise this limit. Remove tags from spec.tags" },
        { claim: "DefaultUserAssociatedToUserGroup outside of a deletion",
          action: modify(), outcome: refused(Rejection::DefaultUserInGroup), message: "Because. " },
        { claim: "a combination in AddTagsToResource", action: tag(), outcome: refused(Rejection::ParameterCombination) },
        { claim: "a value in AddTagsToResource", action: edit(), outcome: refused(Rejection::ParameterValue), message: "AddTagsToResource of \"app\" was refused" },
        { claim: "any other refusal", outcome: refused(Rejection::Other), message: "CreateUser of \"app\" was refused: Refused: Because. Retrying slowly" },
    };
    rows.extend(rows! { Row { action: create(), progress: Stalled, reason: InvalidAccessString, requeue: Resync, ..living() };
        { claim: "a combination in CreateUser", outcome: refused(Rejection::ParameterCombination), reason: AuthenticationConflict,
          message: "Change spec.authentication or spec.engine, because AWS does not accept them together." },
        { claim: "a combination in ModifyUser",
          action: modify(), outcome: refused(Rejection::ParameterCombination), reason: AuthenticationConflict, message: "ModifyUser of \"app\" was refused" },
        { claim: "a value about passwords", outcome: value("Passwords length must be between 16-128 characters."), reason: InvalidPassword,
          message: "Change the password in the Secret that the spec names." },
        { claim: "a value about the access string", action: modify(), outcome: value("The access-string is invalid."), message: "The access-string is invalid." },
        { claim: "AccessString in one word", outcome: value("Bad AccessString"), message: "Bad AccessString. Change" },
        { claim: "a category of the access string",
          outcome: value("Access string contains invalid category(s)"), message: "category(s). Change spec.accessString." },
        { claim: "a category, without the access string", outcome: value("Unknown category"), message: "Unknown category" },
        { claim: "a rule of the access string, although it mentions passwords",
          outcome: value("Password rules are not supported in Elasticache access string."), message: "Password rules" },
        { claim: "a rule, without the access string", outcome: value("reset rule is not supported in Elasticache user api"), message: "reset rule" },
        { claim: "any other value", outcome: value("Engine must be redis."), reason: InvalidSpec, message: "Engine must be redis. Change the spec." },
    });
    rows.extend(rows! { Row { action: delete(), reason: AWSRefused, requeue: Slow, message: slowly, ..terminating() };
        { claim: "terminating: a missing service-linked role",
          outcome: refused(Rejection::ServiceLinkedRole), reason: ServiceLinkedRoleMissing, message: "create-service-linked-role" },
        { claim: "terminating: a quota has no reason of its own", outcome: refused(Rejection::Quota), message: "Because. " },
        { claim: "terminating: a combination", outcome: refused(Rejection::ParameterCombination) },
        { claim: "terminating: a value", outcome: value("Passwords") },
        { claim: "terminating: any other refusal", outcome: refused(Rejection::Other), message: "DeleteUser of \"app\" was refused" },
    });
    rows.extend(rows! { Row { action: delete(), outcome: refused(Rejection::DefaultUserInGroup), reason: DefaultUserInGroup, requeue: Slow, ..terminating() };
        { claim: "the user group of a default user is named", context: grouped(&["games"]), message: "It is in user group \"games\"." },
        { claim: "several user groups are named", context: grouped(&["games", "web"]), message: "the user groups \"games\", \"web\"" },
        { claim: "AWS shows no user group", context: grouped(&[]), message: "does not say which group" },
        { claim: "the user was not read", message: "does not say which group" },
    });
    rows
}

/// AWS did not show the user's state.
pub(crate) fn silence() -> Vec<Row> {
    let quiet = || Row {
        context: ready(),
        progress: Unchanged,
        requeue: Backoff,
        message: "DescribeUsers",
        ..living()
    };
    let mut rows = rows! { Row { reason: AWSUnavailable, ..quiet() };
        { claim: "an outage leaves Ready unchanged", action: failed_read(unavailable()) },
        { claim: "an outage that the driver reports leaves Ready unchanged", action: fetch(Fetch::User(id())), outcome: failed(unavailable()) },
        { claim: "throttled reads leave Ready unchanged", action: failed_read(throttled()), reason: Throttled },
        { claim: "credentials that do not work leave Ready unchanged",
          action: failed_read(credentials()), reason: CredentialsUnavailable, requeue: Slow },
        { claim: "a denied read leaves Ready unchanged", action: failed_read(denied()), reason: AccessDenied, requeue: Slow },
        { claim: "a read that is refused for any other reason leaves Ready unchanged",
          action: failed_read(rejected(Rejection::Other)), reason: AWSRefused, requeue: Slow },
        { claim: "a read that is refused because of the service-linked role leaves Ready unchanged",
          action: failed_read(rejected(Rejection::ServiceLinkedRole)), reason: ServiceLinkedRoleMissing, requeue: Slow },
        { claim: "a read that is refused for long makes Ready Unknown",
          action: failed_read(rejected(Rejection::Other)), context: stale(ready()), progress: Unknown, reason: AWSRefused, requeue: Slow },
        { claim: "a read that is denied for long leaves Ready unchanged",
          action: failed_read(denied()), context: long_denied(ready()), reason: AccessDenied, requeue: Slow },
        { claim: "tags that cannot be read leave Ready unchanged", action: failed_tags(unavailable()), message: "ListTagsForResource" },
        { claim: "an outage that lasts makes Ready Unknown", action: failed_read(unavailable()), context: stale(ready()), progress: Unknown },
        { claim: "terminating: an outage that lasts",
          action: failed_read(unavailable()), context: stale(Context { is_ready: true, ..deleting_context() }), progress: Deleting },
    };
    rows.extend(rows! { Row { reason: AWSUnavailable, progress: living().progress, ..quiet() };
        { claim: "tags that cannot be read, and the user is known to differ",
          action: failed_tags(denied()), context: differing(ready()), reason: AccessDenied, requeue: Slow, message: "ListTagsForResource" },
        { claim: "tags that are denied for long, and the user is known to differ", action: failed_tags(denied()),
          context: long_denied(differing(ready())), progress: Stalled, reason: AccessDenied, requeue: Slow, message: "ListTagsForResource" },
        { claim: "a new generation is not Ready during an outage", action: failed_read(unavailable()), context: fresh() },
        { claim: "a new generation is not Ready during an outage that lasts", action: failed_read(unavailable()), context: stale(fresh()) },
        { claim: "CreateUser is sent only if the user is missing, so its failure ends Ready",
          action: create(), outcome: failed(throttled()), reason: Throttled, message: "CreateUser" },
        { claim: "ModifyUser is sent only if the user differs, so its failure ends Ready",
          action: modify(), outcome: failed(unavailable()), context: stale(ready()), message: "ModifyUser" },
        { claim: "a rotation without an answer ends Ready", action: modify_because(Cause::Rotation), outcome: failed(unavailable()),
          message: "ModifyUser of \"app\" got no usable answer" },
        { claim: "ModifyUser that is denied for long needs a person", action: modify(), outcome: failed(denied()), context: long_denied(ready()),
          progress: Stalled, reason: AccessDenied, requeue: Slow, message: "ModifyUser" },
        { claim: "owner tags that cannot be restored end Ready",
          action: tag(), outcome: failed(throttled()), reason: Throttled, message: "AddTagsToResource" },
    });
    rows
}
