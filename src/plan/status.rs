//! The object's status. [`next`] makes the status that follows from a pass.

mod next;
mod readiness;

pub use next::{Report, next_status};
pub use readiness::Readiness;

use crate::{Arn, LastApplied, Lifecycle, Reported, Timestamp, UserGroupId};

/// The fields have the names and meanings of the CRD.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "the CRD documents each field")]
pub struct Status {
    pub observed_generation: Option<i64>,
    pub user_id: Option<String>,
    pub user_name: Option<String>,
    pub arn: Option<Arn>,
    pub location: Option<Location>,
    pub state: Option<Lifecycle>,
    pub engine: Option<String>,
    pub minimum_engine_version: Option<String>,
    pub access_string: Option<String>,
    pub user_group_ids: Vec<String>,
    pub managed_user_group_ids: Vec<UserGroupId>,
    pub authentication_type: Option<String>,
    pub password_count: Option<i32>,
    pub last_applied: Option<LastApplied>,
    pub passwords_applied_at: Option<Timestamp>,
    pub create_requested_at: Option<Timestamp>,
    pub delete_requested_at: Option<Timestamp>,
    pub delete_requested_by: Option<String>,
    pub last_handled_reconcile_at: Option<String>,
    pub conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Location {
    /// `None` if the account is not known yet. Then only the region is compared.
    pub account: Option<String>,
    pub region: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "Kubernetes documents each field")]
pub struct Condition {
    pub kind: ConditionType,
    pub status: ConditionStatus,
    pub reason: String,
    pub message: String,
    pub observed_generation: Option<i64>,
    pub last_transition_time: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "api.md and the CRD say what each means")]
pub enum ConditionType {
    Ready,
    Reconciling,
    Stalled,
    Deleting,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "Kubernetes' own words")]
pub enum ConditionStatus {
    True,
    False,
    Unknown,
}

impl Location {
    #[must_use]
    pub fn of(arn: &Arn) -> Self {
        Self { account: Some(arn.account().to_owned()), region: arn.region().to_owned() }
    }

    /// An account that is not known matches every account.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let accounts = self.account.as_ref().zip(other.account.as_ref());
        self.region == other.region && accounts.is_none_or(|(one, other)| one == other)
    }
}

impl Status {
    #[must_use]
    pub fn condition(&self, kind: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.kind == kind)
    }

    /// Where the user is, or is about to be created. Objects of earlier releases have only the ARN.
    #[must_use]
    pub fn location(&self) -> Option<Location> {
        self.location.clone().or_else(|| self.arn.as_ref().map(Location::of))
    }

    /// `None` if a field is missing.
    #[must_use]
    pub fn reported(&self) -> Option<Reported> {
        Some(Reported {
            user_name: self.user_name.clone()?,
            engine: self.engine.clone()?,
            authentication_type: self.authentication_type.clone()?,
            access_string: self.access_string.clone()?,
        })
    }

    /// Status shows that something was applied to the user.
    #[must_use]
    pub fn manages(&self) -> bool {
        self.last_applied.as_ref().is_some_and(LastApplied::manages)
    }
}

impl ConditionType {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Deleting => "Deleting",
        }
    }

    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Ready, Self::Reconciling, Self::Stalled, Self::Deleting]
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }
}

impl ConditionStatus {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }

    /// Any other word counts as Unknown.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        match word {
            "True" => Self::True,
            "False" => Self::False,
            _ => Self::Unknown,
        }
    }
}
