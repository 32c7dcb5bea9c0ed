//! The object as the API server has it, and the goal that follows from it.

use plan::verdict::{Progress, Reason};
use plan::*;

use crate::common::{departure, desired, id, owner, tags};
use crate::secrets::Secrets;
use crate::service::ACCESS;

/// One version of the object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) version: u32,
    pub(crate) generation: u32,
    pub(crate) spec: Spec,
    /// The annotation `prevent-deletion`.
    pub(crate) protected: bool,
    /// The annotation `reconcile-requested-at`.
    pub(crate) requested: u32,
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
    /// Which of [`crate::secrets::SOURCES`].
    pub(crate) sources: usize,
    pub(crate) policy: DeletionPolicy,
    /// `managementPolicy: Observe`.
    pub(crate) observes: bool,
    pub(crate) suspended: bool,
    pub(crate) adoption: Adoption,
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
    /// Its user ID is not one that this namespace may have.
    Disallowed,
    /// It does not even name a user that could exist.
    Nameless,
}

/// `status`, as far as later passes rest on it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    pub(crate) arn: Option<Arn>,
    pub(crate) state: Option<Lifecycle>,
    pub(crate) reported: Option<Reported>,
    pub(crate) last_applied: Option<LastApplied>,
    /// `createRequestedAt`.
    pub(crate) request: Option<u32>,
    /// `lastHandledReconcileAt`.
    pub(crate) handled: u32,
    pub(crate) conditions: Option<Conditions>,
}

/// All conditions: on any version they have one reason and one message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conditions {
    pub(crate) progress: Progress,
    pub(crate) reason: Reason,
    pub(crate) message: String,
    pub(crate) generation: u32,
}

impl Conditions {
    pub(crate) fn ready(&self) -> bool {
        matches!(self.progress, Progress::Done | Progress::PausedReady)
    }
}

impl Status {
    /// The reason of `Deleting`.
    pub(crate) fn departing(&self) -> Option<Reason> {
        let leaving = self.conditions.as_ref().filter(|conditions| conditions.progress == Progress::Leaving);
        leaving.map(|conditions| conditions.reason)
    }
}

impl Object {
    pub(crate) fn goal(&self, secrets: &Secrets) -> Goal {
        let Spec { sense, engine, access, authentication, sources, policy, .. } = self.spec;
        let Spec { observes, suspended, adoption, tags: at, .. } = self.spec;
        if self.terminating {
            let user_id = departure().user_id.filter(|_| sense != Sense::Nameless);
            let protected = self.protected;
            return Goal::Gone(Departure { user_id, protected, policy, observes, suspended, ..departure() });
        }
        let access_string = ACCESS[access].0.to_owned();
        if suspended {
            let outline = Outline { engine, access_string, authentication_type: authentication };
            return Goal::Suspended((sense != Sense::Broken).then_some(outline));
        }
        match sense {
            Sense::Sound => {}
            Sense::Broken | Sense::Nameless => {
                let refusal = Refusal::InvalidSpec("it makes no sense".to_owned());
                return Goal::Unattainable { refusal, subject: self.subject() };
            }
            Sense::Disallowed => {
                let prefix = "shop-".to_owned();
                let refusal = Refusal::UserIdNotAllowed { user_id: id(), prefix };
                return Goal::Unattainable { refusal, subject: self.subject() };
            }
        }
        let authentication = match authentication {
            AuthenticationType::Password => Authentication::Password(secrets.read(sources)),
            AuthenticationType::Iam => Authentication::Iam,
            AuthenticationType::NoPassword => Authentication::NoPassword,
        };
        let tags = tags(TAGS[at]);
        let desired = Desired { engine, access_string, authentication, tags, adoption, ..desired() };
        if observes { Goal::Compared(desired) } else { Goal::Present(desired) }
    }

    /// The user that the object stands for, and would leave behind without a finalizer.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let Spec { sense, observes, suspended, .. } = self.spec;
        let stands_for_it = !observes && !suspended && sense != Sense::Nameless;
        stands_for_it.then(|| Subject { user_id: id(), owner: owner() })
    }

    /// Ready, where it speaks of the generation at hand.
    pub(crate) fn conditions_now(&self) -> Option<&Conditions> {
        self.status.conditions.as_ref().filter(|conditions| conditions.generation == self.generation)
    }

    /// The generation at hand is the one that is Ready.
    pub(crate) fn settled(&self) -> bool {
        self.conditions_now()
            .is_some_and(|conditions| conditions.ready() || conditions.progress == Progress::Unknown)
    }

    /// `tag`'s key is one of the spec's.
    pub(crate) fn asks_for(&self, key: &str) -> bool {
        TAGS[self.spec.tags].iter().any(|(asked, _)| *asked == key)
    }
}
