//! What an object asks for, after the spec was resolved and parsed.

use std::collections::BTreeSet;

use crate::{
    AuthenticationType, BrokenRule, Engine, Feature, Orphan, Owner, Ownership, Passwords, Patterns, Refusal,
    SecretProblem, Tags, UserGroupId, UserId, WantedGroups,
};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Goal {
    Present(Desired),
    /// `managementPolicy: Observe`: report how the user differs, and change nothing in AWS.
    ObserveOnly(Desired),
    /// `suspend`: make no AWS call. Contains the spec if it can be parsed.
    Suspended(Option<Outline>),
    /// A person has to change the spec.
    Invalid {
        refusal: Refusal,
        /// `None` if the spec names no valid user ID, or only observes.
        subject: Option<Subject>,
    },
    /// The object is terminating.
    Absent(DeletionGoal),
    /// The object vanished in spite of its finalizer. Its user must not stay behind.
    Orphaned(Orphan),
}

impl Goal {
    /// `None` if the goal asks for nothing in AWS.
    #[must_use]
    pub fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Present(desired) | Self::ObserveOnly(desired) => Some(&desired.owner),
            Self::Absent(deletion) => Some(&deletion.owner),
            Self::Orphaned(orphan) => Some(&orphan.owner),
            Self::Suspended(_) | Self::Invalid { .. } => None,
        }
    }

    /// Who owns a user with these tags. `None` if the goal asks for nothing in AWS.
    #[must_use]
    pub fn evaluate(&self, tags: &Tags) -> Option<Ownership> {
        match self {
            Self::Orphaned(orphan) => Some(orphan.evaluate(tags)),
            Self::Present(_)
            | Self::ObserveOnly(_)
            | Self::Absent(_)
            | Self::Suspended(_)
            | Self::Invalid { .. } => Some(self.owner()?.evaluate(tags)),
        }
    }

    /// Somebody else may set other passwords at any time.
    #[must_use]
    pub fn leaves_passwords_to_others(&self) -> bool {
        matches!(self, Self::Present(Desired { authentication: Authentication::ExternalPassword(_), .. }))
    }

    /// The user is to be deleted.
    #[must_use]
    pub fn is_deletion(&self) -> bool {
        match self {
            Self::Absent(_) | Self::Orphaned(_) => true,
            Self::Present(_) | Self::ObserveOnly(_) | Self::Suspended(_) | Self::Invalid { .. } => false,
        }
    }
}

/// What decides whether an object with an invalid spec needs the finalizer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subject {
    pub user_id: UserId,
    pub owner: Owner,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Desired {
    pub user_id: UserId,
    pub user_name: String,
    pub engine: Engine,
    /// As the object has it, not in AWS's form.
    pub access_string: String,
    pub authentication: Authentication,
    /// The spec's tags that the operator's administrator allows, without owner tags.
    pub tags: Tags,
    pub owner: Owner,
    /// Of the object.
    pub uid: String,
    pub adoption: Adoption,
    /// The groups that the user must be a member of.
    pub user_groups: WantedGroups,
    /// `--adoption-namespace`: where objects may adopt, and the users of whose former objects.
    pub adoption_namespaces: Patterns,
    /// No user is created or adopted against these rules. A user that is ours stays managed.
    pub broken_rules: Vec<BrokenRule>,
    /// `--max-users-per-namespace`, if so many other objects of the namespace go before this one.
    pub full: Option<u32>,
}

/// Whether the object may adopt a user that belongs to no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Adoption {
    Never,
    /// The object asks for it, but `--adoption-namespace` does not allow it.
    NotAllowed,
    /// The object asks for it, but `--forbid=adopt` does not allow it.
    Forbidden,
    Allowed,
}

/// The part of a spec that can be compared with status without reading a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Outline {
    pub engine: Engine,
    pub access_string: String,
    pub authentication_type: AuthenticationType,
    pub user_groups: BTreeSet<UserGroupId>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Authentication {
    Password(Result<Passwords, SecretProblem>),
    /// Somebody else sets the passwords at AWS.
    ExternalPassword(FirstPassword),
    Iam,
    NoPassword,
}

impl Authentication {
    #[must_use]
    pub fn kind(&self) -> AuthenticationType {
        match self {
            Self::Password(_) | Self::ExternalPassword(_) => AuthenticationType::Password,
            Self::Iam => AuthenticationType::Iam,
            Self::NoPassword => AuthenticationType::NoPassword,
        }
    }
}

/// What is sent to a user that has no password yet, if somebody else sets its passwords from then on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum FirstPassword {
    /// One that nobody learns.
    Random,
    FromSecrets(Result<Passwords, SecretProblem>),
}

/// What a deletion needs to know of the object. It has few fields, so that an invalid spec cannot block the deletion.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DeletionGoal {
    /// `None` if the spec names no valid user ID.
    pub user_id: Option<UserId>,
    pub owner: Owner,
    /// Of the object.
    pub uid: String,
    /// The annotation `prevent-deletion` is `"true"`.
    pub protected: bool,
    pub policy: DeletionPolicy,
    /// `managementPolicy: Observe`.
    pub observes: bool,
    /// `suspend`.
    pub suspended: bool,
    /// What the object uses although `--forbid` forbids it. The other fields are as if the object did not.
    pub ignored: Vec<Feature>,
}

/// What happens to the AWS user if its object is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeletionPolicy {
    Delete,
    Retain,
}
