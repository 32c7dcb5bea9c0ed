//! Pure: how far the deletion of the user has come, by status and by what this process knows.

use crate::{LastApplied, Lifecycle, Status};

/// How far the deletion of the user has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeletionProgress {
    /// No process has announced a DeleteUser.
    #[default]
    NotRequested,
    /// A DeleteUser was announced. AWS has not shown what came of it.
    Requested(Requester),
    /// AWS accepted a DeleteUser, or has shown the user `deleting`. A user that is `active` now is another one.
    Accepted(Requester),
}

/// Which process announced the last DeleteUser.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requester {
    /// Another process, or nobody of ours. It may have sent DeleteUser without our knowing.
    Another,
    /// This process.
    ThisProcess {
        /// What was applied to the user, if it is certain that AWS refused every DeleteUser so far. The announcement took
        /// it out of status, so only this process knows it.
        last_applied: Option<LastApplied>,
    },
}

impl DeletionProgress {
    /// Reads status (`deleteRequestedAt`, `deleteRequestedBy`, `state`) in the process of this `identity`, which may know
    /// what was applied before it announced.
    #[must_use]
    pub fn of(status: &Status, identity: &str, before_deletion: Option<&LastApplied>) -> Self {
        let requester = match &status.delete_requested_by {
            Some(process) if process == identity => {
                Requester::ThisProcess { last_applied: before_deletion.cloned() }
            }
            Some(_) | None => Requester::Another,
        };
        let is_requested = status.delete_requested_at.is_some() || status.delete_requested_by.is_some();
        match status.state {
            Some(Lifecycle::Deleting) => Self::Accepted(requester),
            _ if is_requested => Self::Requested(requester),
            _ => Self::NotRequested,
        }
    }

    /// Whether AWS may be deleting the user, or has deleted it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    /// Whether a DeleteUser was announced or accepted.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        !matches!(self, Self::NotRequested)
    }

    /// Whether this process announced the last DeleteUser. Its next one needs no announcement.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Requested(Requester::ThisProcess { .. }) | Self::Accepted(Requester::ThisProcess { .. })
        )
    }

    /// What was applied to the user that is there still, known to this process alone.
    #[must_use]
    pub fn last_applied(&self) -> Option<&LastApplied> {
        match self {
            Self::Requested(Requester::ThisProcess { last_applied })
            | Self::Accepted(Requester::ThisProcess { last_applied }) => last_applied.as_ref(),
            Self::NotRequested | Self::Requested(Requester::Another) | Self::Accepted(Requester::Another) => {
                None
            }
        }
    }
}
