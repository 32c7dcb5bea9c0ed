//! According to status and to what this process remembers.

use crate::{LastApplied, Lifecycle, Status};

/// How far the deletion of the user has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum DeletionProgress {
    #[default]
    NotRequested,
    /// Status has a delete request. AWS has not shown its effect.
    Requested(Requester),
    /// AWS accepted DeleteUser, or has shown the user `deleting`. If a user of this ID is `active` now, it is another user.
    Accepted(Requester),
}

/// Which process wrote the last delete request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Requester {
    /// Another process, which may have sent DeleteUser without our knowledge.
    Another,
    ThisProcess {
        /// What was applied to the user, if AWS certainly refused every DeleteUser so far. The delete request removed it
        /// from status, so only this process knows it.
        last_applied: Option<LastApplied>,
    },
}

impl DeletionProgress {
    /// `before_deletion` is what this process, which has this `identity`, remembers from before its delete request.
    #[must_use]
    pub fn of(status: &Status, identity: &str, before_deletion: Option<&LastApplied>) -> Self {
        let requester = match &status.delete_requested_by {
            Some(process) if process == identity => {
                Requester::ThisProcess { last_applied: before_deletion.cloned() }
            }
            Some(_) | None => Requester::Another,
        };
        let is_requested = status.delete_requested_at.is_some() || status.delete_requested_by.is_some();
        match &status.state {
            Some(Lifecycle::Deleting) => Self::Accepted(requester),
            Some(
                Lifecycle::Creating | Lifecycle::Active | Lifecycle::Modifying | Lifecycle::Unrecognized(_),
            )
            | None => match is_requested {
                true => Self::Requested(requester),
                false => Self::NotRequested,
            },
        }
    }

    #[must_use]
    pub fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted(_))
    }

    #[must_use]
    pub fn is_requested(&self) -> bool {
        !matches!(self, Self::NotRequested)
    }

    /// This process wrote the last delete request, so its next DeleteUser needs no other one.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(
            self,
            Self::Requested(Requester::ThisProcess { .. }) | Self::Accepted(Requester::ThisProcess { .. })
        )
    }

    /// What was applied to the user, if only this process knows it.
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
