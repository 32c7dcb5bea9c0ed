//! No I/O: parses the values of flags.

use std::time::Duration;

use clap::ValueEnum;
use plan::{DeletionPolicy, Feature};

use crate::resolve::in_namespace;

/// clap prints it after the flag's name and its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidValue {
    #[error("must not be empty: leave it out to use the UID of the namespace kube-system")]
    EmptyClusterId,
    #[error("must be at most 256 characters, because it is the value of a tag")]
    LongClusterId,
    #[error("may contain letters, digits, spaces and + - = . _ : / @, because it is the value of a tag")]
    ClusterId,
    #[error(
        "must be the beginning of a user ID: lower-case letters, digits and single hyphens, and {{namespace}} for the \
         object's namespace, for example {{namespace}}-"
    )]
    UserIdPrefix,
    #[error(
        "must be the ID of a user group or a pattern: lower-case letters, digits, hyphens, * for any characters and \
         {{namespace}} for the object's namespace, for example {{namespace}}-*"
    )]
    GroupPattern,
    #[error("must be a name of a Kubernetes object: lower-case letters, digits, hyphens and dots")]
    LeaseName,
    #[error("must be a DNS label: at most 63 lower-case letters, digits and hyphens, for example blue")]
    Class,
    #[error("must be a number of calls in a second from 0.01 to 10000, for example 10 or 2.5")]
    Rate,
    #[error("must be a duration of at least a second, for example 30s, 10m or 1h30m")]
    Duration,
}

/// Refuses an empty ID, because it would make all clusters the same.
pub(super) fn parse_cluster_id(text: &str) -> Result<String, InvalidValue> {
    let allowed = |c: char| c.is_alphanumeric() || " +-=._:/@".contains(c);
    match text.trim() {
        "" => Err(InvalidValue::EmptyClusterId),
        id if id.chars().count() > 256 => Err(InvalidValue::LongClusterId),
        id if !id.chars().all(allowed) => Err(InvalidValue::ClusterId),
        id => Ok(id.to_owned()),
    }
}

/// Accepts a template that begins a valid user ID once the namespace is filled in.
pub(super) fn parse_user_id_prefix(text: &str) -> Result<String, InvalidValue> {
    let filled = in_namespace(text, "a");
    let begins = filled.starts_with(|c: char| c.is_ascii_lowercase());
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if begins && filled.chars().all(allowed) && !filled.contains("--") {
        Ok(text.to_owned())
    } else {
        Err(InvalidValue::UserIdPrefix)
    }
}

/// Accepts an empty text, because an empty environment variable counts as one that is not set.
pub(super) fn parse_group_pattern(text: &str) -> Result<String, InvalidValue> {
    let filled = in_namespace(text.trim(), "a");
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-*".contains(c);
    if filled.chars().all(allowed) { Ok(text.trim().to_owned()) } else { Err(InvalidValue::GroupPattern) }
}

/// Accepts an empty text, because an empty environment variable counts as one that is not set.
pub(super) fn parse_class(text: &str) -> Result<String, InvalidValue> {
    let valid = text.is_empty() || plan::is_dns_label(text);
    valid.then(|| text.to_owned()).ok_or(InvalidValue::Class)
}

pub(super) fn parse_lease_name(text: &str) -> Result<String, InvalidValue> {
    plan::is_object_name(text).then(|| text.to_owned()).ok_or(InvalidValue::LeaseName)
}

pub(super) fn parse_rate(text: &str) -> Result<f64, InvalidValue> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && (0.01..=10_000.0).contains(&rate) => Ok(rate),
        Ok(_) | Err(_) => Err(InvalidValue::Rate),
    }
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, InvalidValue> {
    let parsed: jiff::SignedDuration = text.trim().parse().map_err(|_| InvalidValue::Duration)?;
    let duration = Duration::try_from(parsed).map_err(|_| InvalidValue::Duration)?;
    if duration < Duration::from_secs(1) { Err(InvalidValue::Duration) } else { Ok(duration) }
}

/// What `--forbid` can forbid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ForbiddenFeature {
    /// deletionPolicy Retain
    Retain,
    /// managementPolicy Observe
    Observe,
    /// spec.suspend
    Suspend,
    /// The annotation elasticache-users.dev/prevent-deletion
    PreventDeletion,
    /// adoptionPolicy Adopt
    Adopt,
}

impl From<ForbiddenFeature> for Feature {
    fn from(feature: ForbiddenFeature) -> Self {
        match feature {
            ForbiddenFeature::Retain => Self::Retain,
            ForbiddenFeature::Observe => Self::Observe,
            ForbiddenFeature::Suspend => Self::Suspend,
            ForbiddenFeature::PreventDeletion => Self::PreventDeletion,
            ForbiddenFeature::Adopt => Self::Adopt,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum DefaultDeletionPolicy {
    /// The AWS user is deleted.
    Delete,
    /// The AWS user stays.
    Retain,
}

impl DefaultDeletionPolicy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delete => "Delete",
            Self::Retain => "Retain",
        }
    }
}

impl From<DefaultDeletionPolicy> for DeletionPolicy {
    fn from(policy: DefaultDeletionPolicy) -> Self {
        match policy {
            DefaultDeletionPolicy::Delete => Self::Delete,
            DefaultDeletionPolicy::Retain => Self::Retain,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}
