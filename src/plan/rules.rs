//! The rules of the operator's administrator that an object breaks.

use crate::{Action, Desired, Refusal, UserId, Wait};

/// A rule that holds when a user would be created or adopted, because a user that is in use must stay managed if the
/// administrator sets the rule later.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BrokenRule {
    /// `--required-user-id-prefix`.
    UserId { user_id: UserId, prefix: String },
    /// `--allowed-tag-key` allows none of these keys. They are not sent.
    TagKeys(Vec<String>),
    /// `--forbid`.
    Forbidden(Feature),
}

/// What `--forbid` can forbid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// `deletionPolicy: Retain`.
    Retain,
    /// `managementPolicy: Observe`.
    Observe,
    /// `suspend: true`.
    Suspend,
    /// The annotation `prevent-deletion`.
    PreventDeletion,
    /// `adoptionPolicy: Adopt`.
    Adopt,
}

impl Feature {
    pub const ALL: [Self; 5] =
        [Self::Retain, Self::Observe, Self::Suspend, Self::PreventDeletion, Self::Adopt];

    /// The word of `--forbid`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Retain => "retain",
            Self::Observe => "observe",
            Self::Suspend => "suspend",
            Self::PreventDeletion => "prevent-deletion",
            Self::Adopt => "adopt",
        }
    }
}

/// What happens instead of CreateUser or an adoption. `None` if the administrator's rules allow it.
pub(crate) fn barred(desired: &Desired) -> Option<Action> {
    match desired.broken_rules.first() {
        Some(rule) => Some(Action::Refuse(Refusal::BreaksRule(rule.clone()))),
        None => desired.full.map(|limit| Action::Wait(Wait::NamespaceFull { limit })),
    }
}
