//! The events about what a pass did.

use super::{Outcome, Reason};
use crate::{Action, Cause, Mutation, ReleaseReason};

/// A Normal event, except that [`Completed::LeftAlone`] is a Warning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Completed {
    /// `UserCreated`: AWS accepted CreateUser.
    Created,
    /// `UserModified`: AWS accepted a change of the user or its tags that the spec asked for.
    Modified,
    /// `PasswordRotated`: AWS accepted new passwords, and nothing else was sent.
    Rotated,
    /// `DriftCorrected`: AWS accepted the correction of what others had changed. The event lists the differences.
    Corrected(Vec<String>),
    /// `AddedToUserGroup`: AWS shows the user in a user group that the spec names, for the first time.
    AddedToUserGroup,
    /// `RemovedFromUserGroup`: AWS does not show the user any more in a user group that the spec does not name any more.
    RemovedFromUserGroup,
    /// `Adopted`: a user that belonged to no object carries this object's owner tags now.
    Adopted,
    /// `DeletionStarted`: AWS accepted DeleteUser.
    DeletionStarted,
    /// `UserDeleted`: AWS no longer has the user, and the object is removed.
    Deleted,
    /// `Retained`: the object is removed, and its AWS user is not changed.
    Retained,
    /// `UserOwnedByAnother`, `UserAlreadyExists`: the object is removed. The AWS user is not changed, because it is not
    /// this object's.
    LeftAlone(Reason),
}

impl Completed {
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Created => "UserCreated",
            Self::Modified => "UserModified",
            Self::Rotated => "PasswordRotated",
            Self::Corrected(_) => "DriftCorrected",
            Self::AddedToUserGroup => "AddedToUserGroup",
            Self::RemovedFromUserGroup => "RemovedFromUserGroup",
            Self::Adopted => "Adopted",
            Self::DeletionStarted => "DeletionStarted",
            Self::Deleted => "UserDeleted",
            Self::Retained => "Retained",
            Self::LeftAlone(reason) => reason.as_str(),
        }
    }
}

pub(super) fn completed(action: &Action, outcome: &Outcome) -> Vec<Completed> {
    let changed = |cause: &Cause| match cause {
        Cause::Edit => Completed::Modified,
        Cause::Rotation => Completed::Rotated,
        Cause::Drift(differences) => Completed::Corrected(differences.clone()),
        Cause::Adoption => Completed::Adopted,
    };
    if let (Action::ReleaseFinalizer(why), Outcome::Released) = (action, outcome) {
        return released_event(why).into_iter().collect();
    }
    match (action.mutation(), outcome) {
        (Some(Mutation::Create(create)), Outcome::Accepted(_)) => match &create.cause {
            drift @ Cause::Drift(_) => vec![Completed::Created, changed(drift)],
            Cause::Edit | Cause::Rotation | Cause::Adoption => vec![Completed::Created],
        },
        (Some(Mutation::Modify(modify)), Outcome::Accepted(_)) => vec![changed(&modify.cause)],
        (Some(Mutation::Tag(tag)), Outcome::Tagged(_)) => vec![changed(&tag.cause)],
        (Some(Mutation::Untag(_)), Outcome::Tagged(_)) => vec![Completed::Modified],
        (Some(Mutation::Delete(_)), Outcome::Accepted(_)) => vec![Completed::DeletionStarted],
        (_, _) => Vec::new(),
    }
}

fn released_event(why: &ReleaseReason) -> Option<Completed> {
    match why {
        ReleaseReason::UserGone => Some(Completed::Deleted),
        ReleaseReason::NoSuchUser => None,
        ReleaseReason::Retained { deletion_accepted: true }
        | ReleaseReason::DefinitionDeleted { deletion_accepted: true }
        | ReleaseReason::Observes { deletion_accepted: true } => Some(Completed::DeletionStarted),
        ReleaseReason::Retained { deletion_accepted: false }
        | ReleaseReason::DefinitionDeleted { deletion_accepted: false }
        | ReleaseReason::Observes { deletion_accepted: false } => Some(Completed::Retained),
        ReleaseReason::LeftToOwner(_) => Some(Completed::LeftAlone(Reason::UserOwnedByAnother)),
        ReleaseReason::LeftUnowned => Some(Completed::LeftAlone(Reason::UserAlreadyExists)),
    }
}
