//! Pure: what an object asks for, resolved and parsed.

use crate::{AuthenticationType, Engine, Owner, Passwords, Refusal, SecretProblem, Tags, UserId};

/// What the object asks for, resolved and parsed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    /// A user like this.
    Present(Desired),
    /// A report of how the user differs from this one; AWS is not changed (`managementPolicy: Observe`).
    ObserveOnly(Desired),
    /// Nothing, for now: no AWS call is made (`suspend`). The spec as far as it can be read, where it can.
    Suspended(Option<Outline>),
    /// Something that cannot be had: a person has to change it.
    Invalid {
        /// What is wrong.
        refusal: Refusal,
        /// The user that the object stands for all the same; `None` if the spec names none that could exist, or only observes.
        subject: Option<Subject>,
    },
    /// No user: the object is on its way out.
    Absent(DeletionGoal),
}

impl Goal {
    /// The object, as owner tags name it; `None` where nothing is asked of AWS.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Present(desired) | Self::ObserveOnly(desired) => Some(&desired.owner),
            Self::Absent(deletion) => Some(&deletion.owner),
            Self::Suspended(_) | Self::Invalid { .. } => None,
        }
    }
}

/// The user that an object stands for, and the object as owner tags name it: enough to know whether the finalizer is needed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    /// The user's ID.
    pub user_id: UserId,
    /// The object, as owner tags name it.
    pub owner: Owner,
}

/// The user that the object asks for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desired {
    /// Its ID.
    pub user_id: UserId,
    /// Its name.
    pub user_name: String,
    /// Its engine.
    pub engine: Engine,
    /// Its access string, as the object has it.
    pub access_string: String,
    /// How it authenticates.
    pub authentication: Authentication,
    /// The tags of the spec.
    pub tags: Tags,
    /// The object, as owner tags name it.
    pub owner: Owner,
    /// The object's uid.
    pub uid: String,
    /// Whether a user that is nobody's may be taken over.
    pub adoption: Adoption,
}

/// Whether a user that is nobody's may be taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adoption {
    /// The object does not ask for it.
    Never,
    /// The object asks for it, and its namespace has no leave (`--adoption-namespace`).
    NotAllowed,
    /// The object asks for it, and may.
    Allowed,
}

/// What of a spec can be held against status without reading a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outline {
    /// The engine.
    pub engine: Engine,
    /// The access string, as the object has it.
    pub access_string: String,
    /// How the user authenticates.
    pub authentication_type: AuthenticationType,
}

/// How the user authenticates, with what that needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    /// With these passwords, or why they are not known.
    Password(Result<Passwords, SecretProblem>),
    /// With AWS IAM.
    Iam,
    /// Not at all.
    NoPassword,
}

impl Authentication {
    /// The type alone.
    #[must_use]
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Password(_) => AuthenticationType::Password,
            Self::Iam => AuthenticationType::Iam,
            Self::NoPassword => AuthenticationType::NoPassword,
        }
    }
}

/// What is left of an object that is being deleted: deliberately little, so that nothing in its spec can block the way out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeletionGoal {
    /// The user it stands for; `None` where its spec names none that could ever exist.
    pub user_id: Option<UserId>,
    /// The object, as owner tags name it.
    pub owner: Owner,
    /// The object's uid.
    pub uid: String,
    /// The annotation `prevent-deletion` is there.
    pub protected: bool,
    /// What becomes of the AWS user.
    pub policy: DeletionPolicy,
    /// `managementPolicy: Observe`: the AWS user is none of this object's business.
    pub observes: bool,
    /// `suspend`: no AWS call is made.
    pub suspended: bool,
}

/// What becomes of the AWS user when its object goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    /// It is deleted.
    Delete,
    /// It stays as it is.
    Retain,
}
