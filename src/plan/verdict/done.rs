//! Pure: what a pass did, as the events that tell it.

use super::{Outcome, Reason};
use crate::{Action, Cause, Mutation, Release};

/// Something that was done, as a Normal event; [`Done::Left`] is a Warning.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Done {
    /// `UserCreated`: AWS accepted CreateUser.
    Created,
    /// `UserModified`: AWS accepted a change that the spec asked for, of the user or of its tags.
    Modified,
    /// `PasswordRotated`: AWS accepted new passwords, and nothing else was sent.
    Rotated,
    /// `DriftCorrected`: something was put right that others had changed in AWS; the event lists it.
    Corrected(Vec<String>),
    /// `Adopted`: a user that was nobody's carries this object's owner tags now.
    Adopted,
    /// `DeletionStarted`: AWS accepted DeleteUser.
    DeletionStarted,
    /// `UserDeleted`: AWS no longer has the user, and the object goes.
    Deleted,
    /// `Retained`: the object goes, and its AWS user stays as it is.
    Retained,
    /// `UserOwnedByAnother`, `UserAlreadyExists`: the object goes, and the AWS user stays because it is not this object's.
    Left(Reason),
}

impl Done {
    /// The event's reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Created => "UserCreated",
            Self::Modified => "UserModified",
            Self::Rotated => "PasswordRotated",
            Self::Corrected(_) => "DriftCorrected",
            Self::Adopted => "Adopted",
            Self::DeletionStarted => "DeletionStarted",
            Self::Deleted => "UserDeleted",
            Self::Retained => "Retained",
            Self::Left(reason) => reason.as_str(),
        }
    }
}

/// What was done, where anything was.
pub(super) fn done(action: &Action, outcome: &Outcome) -> Vec<Done> {
    let changed = |cause: &Cause| match cause {
        Cause::Edit => Done::Modified,
        Cause::Rotation => Done::Rotated,
        Cause::Drift(differences) => Done::Corrected(differences.clone()),
        Cause::Adoption => Done::Adopted,
    };
    if let (Action::Release(why), Outcome::Released) = (action, outcome) {
        return released_event(why).into_iter().collect();
    }
    match (action.mutation(), outcome) {
        (Some(Mutation::Create(create)), Outcome::Accepted(_)) => match &create.cause {
            drift @ Cause::Drift(_) => vec![Done::Created, changed(drift)],
            Cause::Edit | Cause::Rotation | Cause::Adoption => vec![Done::Created],
        },
        (Some(Mutation::Modify(modify)), Outcome::Accepted(_)) => vec![changed(&modify.cause)],
        (Some(Mutation::Tag(tag)), Outcome::Tagged(_)) => vec![changed(&tag.cause)],
        (Some(Mutation::Untag(_)), Outcome::Tagged(_)) => vec![Done::Modified],
        (Some(Mutation::Delete(_)), Outcome::Accepted(_)) => vec![Done::DeletionStarted],
        (_, _) => Vec::new(),
    }
}

fn released_event(why: &Release) -> Option<Done> {
    match why {
        Release::UserGone => Some(Done::Deleted),
        Release::NoSuchUser => None,
        Release::Retained { deletion_accepted: true }
        | Release::DefinitionGoing { deletion_accepted: true }
        | Release::Observes { deletion_accepted: true } => Some(Done::DeletionStarted),
        Release::Retained { deletion_accepted: false }
        | Release::DefinitionGoing { deletion_accepted: false }
        | Release::Observes { deletion_accepted: false } => Some(Done::Retained),
        Release::LeftToOwner(_) => Some(Done::Left(Reason::UserOwnedByAnother)),
        Release::LeftUnowned => Some(Done::Left(Reason::UserAlreadyExists)),
    }
}
