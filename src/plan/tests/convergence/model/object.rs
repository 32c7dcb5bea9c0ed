//! The object as the API server has it, and the goal that follows from it.

use std::collections::BTreeMap;

use plan::*;

use super::aws::ACCESS;
use crate::common::{deletion_goal, desired, id, owner, tags};

/// One version of the object.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Object {
    pub(crate) version: u64,
    pub(crate) generation: i64,
    pub(crate) spec: Spec,
    /// The annotation `prevent-deletion`.
    pub(crate) protected: bool,
    /// The annotation `reconcile-requested-at`; 0: none.
    pub(crate) requested: u32,
    pub(crate) terminating: bool,
    pub(crate) has_finalizer: bool,
    pub(crate) status: Status,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Spec {
    pub(crate) sense: Sense,
    pub(crate) engine: Engine,
    /// Which of [`ACCESS`].
    pub(crate) access: usize,
    pub(crate) authentication: AuthenticationType,
    /// `passwordSource: External`.
    pub(crate) external: bool,
    /// Which of [`super::secrets::SOURCES`].
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

/// Whether the spec is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sense {
    Sound,
    Broken,
    /// The operator's policy does not allow its user ID.
    Disallowed,
    /// It has no valid user ID.
    Nameless,
}

impl Object {
    pub(crate) fn facts(&self) -> ObjectFacts {
        ObjectFacts {
            uid: "uid-1".to_owned(),
            namespace: "shop".to_owned(),
            name: "app".to_owned(),
            version: ResourceVersion(self.version.to_string()),
            generation: Some(self.generation),
            created_at: None,
            terminating: self.terminating,
            has_finalizer: self.has_finalizer,
            has_other_finalizers: false,
            reconcile_requested_at: (self.requested > 0).then(|| self.requested.to_string()),
            has_overlong_request: false,
            annotations: self.annotations(),
            status: self.status.clone(),
        }
    }

    fn annotations(&self) -> BTreeMap<String, String> {
        let requested =
            (self.requested > 0).then(|| ("reconcile-requested-at".to_owned(), self.requested.to_string()));
        let protected = self.protected.then(|| ("prevent-deletion".to_owned(), "true".to_owned()));
        requested.into_iter().chain(protected).collect()
    }

    /// Without passwords, because a pass reads them when it needs them.
    pub(crate) fn goal(&self) -> Goal {
        let Spec { sense, engine, access, authentication, policy, .. } = self.spec;
        let Spec { observes, suspended, adoption, tags: at, external, sources, .. } = self.spec;
        if self.terminating {
            let user_id = deletion_goal().user_id.filter(|_| sense != Sense::Nameless);
            let protected = self.protected;
            return Goal::Absent(DeletionGoal {
                user_id,
                protected,
                policy,
                observes,
                suspended,
                ..deletion_goal()
            });
        }
        let access_string = ACCESS[access].0.to_owned();
        if suspended {
            let outline = Outline {
                engine,
                access_string,
                authentication_type: authentication,
                user_groups: Default::default(),
            };
            return Goal::Suspended((sense != Sense::Broken).then_some(outline));
        }
        let rule = || BrokenRule::UserId { user_id: id(), prefix: "shop-".to_owned() };
        let broken_rules = match sense {
            Sense::Sound => vec![],
            Sense::Broken | Sense::Nameless => {
                let refusal = Refusal::InvalidSpec("it makes no sense".to_owned());
                return Goal::Invalid { refusal, subject: self.subject() };
            }
            Sense::Disallowed if observes => {
                return Goal::Invalid { refusal: Refusal::BreaksRule(rule()), subject: None };
            }
            Sense::Disallowed => vec![rule()],
        };
        let authentication = match authentication {
            AuthenticationType::Password if external && sources == 0 => {
                Authentication::ExternalPassword(FirstPassword::Random)
            }
            AuthenticationType::Password if external => {
                Authentication::ExternalPassword(FirstPassword::FromSecrets(Err(SecretProblem::NotRead)))
            }
            AuthenticationType::Password => Authentication::Password(Err(SecretProblem::NotRead)),
            AuthenticationType::Iam => Authentication::Iam,
            AuthenticationType::NoPassword => Authentication::NoPassword,
        };
        let tags = tags(TAGS[at]);
        let desired =
            Desired { engine, access_string, authentication, tags, adoption, broken_rules, ..desired() };
        if observes { Goal::ObserveOnly(desired) } else { Goal::Present(desired) }
    }

    /// The user that the object would leave behind if it had no finalizer.
    pub(crate) fn subject(&self) -> Option<Subject> {
        let Spec { sense, observes, suspended, .. } = self.spec;
        let stands_for_it = !observes && !suspended && sense != Sense::Nameless;
        stands_for_it.then(|| Subject { user_id: id(), owner: owner() })
    }

    /// The spec asks for a user and lets the operator change it.
    pub(crate) fn manages(&self) -> bool {
        let Spec { sense, observes, suspended, .. } = self.spec;
        let makes_sense = matches!(sense, Sense::Sound | Sense::Disallowed);
        !self.terminating && makes_sense && !observes && !suspended
    }

    /// The object may get a user that it does not have yet.
    pub(crate) fn may_get_one(&self) -> bool {
        self.manages() && self.spec.sense != Sense::Disallowed
    }

    pub(crate) fn asks_for(&self, tag_key: &str) -> bool {
        TAGS[self.spec.tags].iter().any(|(asked, _)| *asked == tag_key)
    }
}
