//! What is said about the rules of the operator's administrator.

use crate::{BrokenRule, Feature, Goal};

/// Why the operator does nothing in AWS for the object.
pub(super) fn breaks_rule(rule: &BrokenRule) -> String {
    match rule {
        BrokenRule::UserId { user_id, prefix } => format!(
            "The user ID \"{user_id}\" is not allowed in this namespace: the operator's --required-user-id-prefix requires IDs that begin with \"{prefix}\". Delete this object and create one with such a userID."
        ),
        BrokenRule::TagKeys(keys) => format!(
            "spec.tags has keys that the operator's administrator does not allow (--allowed-tag-key): {}. Remove them. Until then no AWS user is created or adopted.",
            listed_keys(keys)
        ),
        BrokenRule::Forbidden(feature) => {
            let meanwhile = match feature {
                Feature::Retain | Feature::PreventDeletion | Feature::Adopt => {
                    "no AWS user is created or adopted"
                }
                Feature::Observe | Feature::Suspend => {
                    "AWS is not changed, but if you delete the object, its AWS user is deleted too"
                }
            };
            format!("{}. Remove it. Until then {meanwhile}.", forbidden(*feature))
        }
    }
}

/// What the rules mean for the user that the object has, one sentence each.
pub(crate) fn notices(goal: &Goal) -> Vec<String> {
    match goal {
        Goal::Present(desired) => desired.broken_rules.iter().map(notice).collect(),
        Goal::Absent(deletion) => deletion.ignored.iter().map(|feature| ignores(*feature)).collect(),
        Goal::ObserveOnly(_) | Goal::Suspended(_) | Goal::Invalid { .. } | Goal::Orphaned(_) => Vec::new(),
    }
}

fn notice(rule: &BrokenRule) -> String {
    match rule {
        BrokenRule::UserId { user_id: _, prefix } => format!(
            "The operator's --required-user-id-prefix requires IDs that begin with \"{prefix}\": this user stays managed, but would not be created again."
        ),
        BrokenRule::TagKeys(keys) => format!(
            "The operator's administrator does not allow these keys of spec.tags (--allowed-tag-key), so they are left out: {}.",
            listed_keys(keys)
        ),
        BrokenRule::Forbidden(feature) => ignores(*feature),
    }
}

fn ignores(feature: Feature) -> String {
    let meaning = match feature {
        Feature::Retain | Feature::Observe => "the AWS user is deleted with the object",
        Feature::Suspend | Feature::PreventDeletion => "it holds up no deletion",
        Feature::Adopt => "no user is adopted",
    };
    format!("{}, so it is ignored: {meaning}.", forbidden(feature))
}

fn forbidden(feature: Feature) -> String {
    let field = match feature {
        Feature::Retain => "deletionPolicy Retain",
        Feature::Observe => "managementPolicy Observe",
        Feature::Suspend => "spec.suspend",
        Feature::PreventDeletion => "the annotation elasticache-users.dev/prevent-deletion",
        Feature::Adopt => "adoptionPolicy Adopt",
    };
    format!("The operator's administrator forbids {field} in this namespace (--forbid={})", feature.word())
}

fn listed_keys(keys: &[String]) -> String {
    keys.iter().map(|key| format!("\"{key}\"")).collect::<Vec<_>>().join(", ")
}
