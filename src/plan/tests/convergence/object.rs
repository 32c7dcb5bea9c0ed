//! The object as the API server has it, and the goal that follows from it.

use plan::verdict::{Progress, Reason};
use plan::*;

use crate::common::{SECRET_TEXT, arn, departure, desired, invalid_secret, secret_not_found, tags};
use crate::service::ACCESS;

/// One version of the object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) version: u32,
    pub(crate) generation: u32,
    pub(crate) spec: Spec,
    /// The annotation `prevent-deletion`.
    pub(crate) protected: bool,
    pub(crate) terminating: bool,
    /// Our finalizer is on it.
    pub(crate) held: bool,
    pub(crate) status: Status,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) sense: Sense,
    pub(crate) engine: Engine,
    /// Which of [`ACCESS`].
    pub(crate) access: usize,
    pub(crate) authentication: AuthenticationType,
    pub(crate) policy: DeletionPolicy,
    /// Which of [`TAGS`].
    pub(crate) tags: usize,
}

/// The tags that a spec may ask for.
pub(crate) const TAGS: [&[(&str, &str)]; 4] =
    [&[("team", "shop")], &[("team", "ops")], &[("team", "shop"), ("tier", "gold")], &[]];

/// What a spec amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    /// It can be had.
    Sound,
    /// It cannot be had.
    Broken,
    /// It does not even name a user that could exist.
    Nameless,
}

/// The Secret that a password comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secret {
    Readable,
    Missing,
    Forbidden,
    Invalid,
}

impl Secret {
    pub(crate) fn read(self) -> Result<Passwords, SecretProblem> {
        match self {
            Self::Readable => {
                let password = Password::parse(SECRET_TEXT.as_bytes()).unwrap();
                Ok(Passwords::new(vec![(password, "uid-s/1".to_owned())]))
            }
            Self::Missing => Err(secret_not_found()),
            Self::Forbidden => Err(SecretProblem::Forbidden { secret: "app-password".to_owned() }),
            Self::Invalid => Err(invalid_secret()),
        }
    }
}

/// `status`, as far as later passes rest on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    pub(crate) arn: Option<Arn>,
    pub(crate) state: Option<Lifecycle>,
    pub(crate) reported: Option<Reported>,
    pub(crate) last_applied: Option<LastApplied>,
    pub(crate) request: Option<Request>,
    pub(crate) conditions: Option<Conditions>,
}

/// `createRequestedAt`, and where the CreateUser was to go.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) at: u32,
    pub(crate) place: Arn,
}

/// All conditions: on any version they have one reason and one message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) progress: Progress,
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) generation: u32,
}

impl Status {
    /// The reason of `Deleting`.
    pub(crate) fn departing(&self) -> Option<Reason> {
        let leaving = self.conditions.as_ref().filter(|conditions| conditions.progress == Progress::Leaving);
        leaving.map(|conditions| conditions.reason)
    }

    /// Where the user is, or may be: a CreateUser that went elsewhere counts as much as an ARN. One that went here does not:
    /// whether it was answered is what the ARN tells.
    pub(crate) fn place(&self) -> Option<&Arn> {
        let asked = self.request.as_ref().map(|request| &request.place);
        self.arn.as_ref().or(asked.filter(|place| !place.same_place(&arn())))
    }
}

impl Object {
    pub(crate) fn goal(&self, secret: Secret) -> Goal {
        let Spec { sense, engine, access, authentication, policy, tags: at } = self.spec;
        if self.terminating {
            let user_id = departure().user_id.filter(|_| sense != Sense::Nameless);
            return Goal::Gone(Departure { user_id, protected: self.protected, policy, ..departure() });
        }
        if sense != Sense::Sound {
            return Goal::Unattainable(Refusal::InvalidSpec("it makes no sense".to_owned()));
        }
        let authentication = match authentication {
            AuthenticationType::Password => Authentication::Password(secret.read()),
            AuthenticationType::Iam => Authentication::Iam,
            AuthenticationType::NoPassword => Authentication::NoPassword,
        };
        let access_string = ACCESS[access].0.to_owned();
        Goal::Present(Desired { engine, access_string, authentication, tags: tags(TAGS[at]), ..desired() })
    }

    /// Ready, where it speaks of the generation at hand.
    pub(crate) fn conditions_now(&self) -> Option<&Conditions> {
        self.status.conditions.as_ref().filter(|conditions| conditions.generation == self.generation)
    }

    /// The generation at hand is the one that is Ready.
    pub(crate) fn settled(&self) -> bool {
        self.conditions_now()
            .is_some_and(|conditions| matches!(conditions.progress, Progress::Done | Progress::Unknown))
    }
}
