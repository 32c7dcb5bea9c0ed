//! The object, its goal and AWS's user in the types of the product, and the answers to requests in a short form.

use plan::pass::Response;
use plan::verdict::Outcome;
use plan::*;

use crate::state::{Holder, Life, ObjectId, Place};
use crate::switches::Faults;

/// The answer to a request, in a form that is short enough for a key of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Answer {
    Described(Place, Option<(Life, Holder)>),
    DescribeFailed(Place),
    Tags(Holder),
    TagsUnreadable,
    Identified(Place),
    IdentifyFailed(Place),
    /// The request needs no answer.
    Nothing,
    Object(Option<ObjectId>),
    Written(ObjectId),
    Conflict,
    /// The API server's answer was lost, or it refused.
    KubernetesFailed,
    Called(Called),
    Owner(OwnerObservation),
    Definition(Definition),
    /// The pass took too long: it ends without the answer.
    TimedOut,
}

/// How a mutation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Called {
    Created(Place),
    Tagged,
    Deleting(Place, Holder),
    AlreadyExists,
    NotFound,
    /// AWS refused, and did nothing.
    Refused,
    /// The credentials have changed: nothing was sent.
    NotSent,
    /// No answer, so the call may have taken effect.
    Lost,
}

/// What the two places are, and which answers are possible in this run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Map {
    /// Abroad is another account of the same region, not another region.
    pub(crate) accounts: bool,
    pub(crate) retain: bool,
    /// The operator may be told to work abroad.
    pub(crate) moves: bool,
    /// The object may adopt a user whose owner is gone.
    pub(crate) owners: bool,
    /// The CustomResourceDefinition may be deleted.
    pub(crate) definition: bool,
}

const ACCESS: &str = "on ~* +@all";

impl Map {
    pub(crate) fn of(faults: Faults) -> Self {
        let Faults { accounts, retain, moves, owners, definition, .. } = faults;
        Self { accounts, retain, moves, owners, definition }
    }

    pub(crate) fn region(self, place: Place) -> &'static str {
        if place == Place::Abroad && !self.accounts { "eu-west-1" } else { "us-east-1" }
    }

    fn account(self, place: Place) -> &'static str {
        if place == Place::Abroad && self.accounts { "222222222222" } else { "111111111111" }
    }

    fn arn(self, place: Place) -> Arn {
        let (region, account) = (self.region(place), self.account(place));
        Arn::parse(&format!("arn:aws:elasticache:{region}:{account}:user:app")).unwrap()
    }

    /// The place in status. `None` if status has none that the model knows.
    pub(crate) fn place(self, status: &Status) -> Option<Place> {
        let location = status.location()?;
        Place::ALL.into_iter().find(|place| Location::of(&self.arn(*place)).may_be(&location))
    }

    /// The source of an answer. The process has to read the account of its credentials separately.
    fn source(self, place: Place, account: Account) -> CallSource {
        CallSource { region: self.region(place).to_owned(), credentials: self.credentials(place), account }
    }

    /// The credentials that sign the calls to this place.
    pub(crate) fn credentials(self, place: Place) -> CredentialsId {
        CredentialsId(if self.accounts { 1 + place as u32 } else { 1 })
    }

    fn remote(self, place: Place, life: Life, holder: Holder) -> RemoteUser {
        let lifecycle = match life {
            Life::Active => Lifecycle::Active,
            Life::Modifying => Lifecycle::Modifying,
            Life::Deleting | Life::DeletedByUs => Lifecycle::Deleting,
            Life::Late => panic!("nobody sees a user that is late"),
        };
        RemoteUser {
            user_id: "app".into(),
            user_name: if holder.has_our_name() { "app" } else { "somebody" }.into(),
            lifecycle,
            engine: "redis".into(),
            minimum_engine_version: None,
            access_string: ACCESS.into(),
            user_group_ids: vec![],
            authentication_type: "iam".into(),
            password_count: None,
            arn: self.arn(place),
        }
    }

    /// What the object asks for.
    pub(crate) fn goal(self, object: &ObjectFacts) -> Goal {
        let user_id = UserId::parse("app").unwrap();
        if object.terminating {
            let policy = if self.retain { DeletionPolicy::Retain } else { DeletionPolicy::Delete };
            return Goal::Absent(DeletionGoal {
                user_id: Some(user_id),
                owner: owner("app"),
                uid: "u".into(),
                protected: false,
                policy,
                observes: false,
                suspended: false,
                ignored: Vec::new(),
            });
        }
        Goal::Present(Desired {
            user_id,
            user_name: "app".into(),
            engine: Engine::Redis,
            access_string: ACCESS.into(),
            authentication: Authentication::Iam,
            tags: Tags::new(),
            owner: owner("app"),
            uid: "u".into(),
            adoption: if self.owners { Adoption::Allowed } else { Adoption::Never },
            adoption_namespaces: Patterns::default(),
            broken_rules: Vec::new(),
            full: None,
        })
    }

    /// The answer as the product's type. `object` returns a version of the object.
    pub(crate) fn response(self, answer: Answer, object: impl Fn(ObjectId) -> ObjectFacts) -> Response {
        match answer {
            Answer::Described(place, user) => {
                let user = user.map_or(UserObservation::Absent, |(life, holder)| {
                    UserObservation::Found(self.remote(place, life, holder))
                });
                Response::Described(user, self.source(place, Account::NotAsked))
            }
            Answer::DescribeFailed(place) => Response::Described(
                UserObservation::Failed(unavailable()),
                self.source(place, Account::NotAsked),
            ),
            Answer::Tags(holder) => Response::Tags(TagsObservation::Read(tags(holder))),
            Answer::TagsUnreadable => Response::Tags(TagsObservation::Unreadable),
            Answer::Identified(place) => {
                let account = Account::Known(self.account(place).to_owned());
                Response::Identified(self.source(place, account))
            }
            Answer::IdentifyFailed(place) => {
                Response::Identified(self.source(place, Account::Failed(unavailable())))
            }
            Answer::Nothing => Response::Done,
            Answer::Object(found) => Response::Object(found.map(|id| Box::new(object(id)))),
            Answer::Written(id) => Response::Written(object(id)),
            Answer::Conflict => Response::Conflict,
            Answer::KubernetesFailed => {
                Response::KubernetesFailed { what: "reach the API server", why: String::new() }
            }
            Answer::Owner(owner) => Response::Owner(owner),
            Answer::Definition(definition) => Response::Definition(definition),
            Answer::Called(called) => Response::Called(self.outcome(called)),
            Answer::TimedOut => Response::TimedOut,
        }
    }

    fn outcome(self, called: Called) -> Outcome {
        match called {
            Called::Created(place) => Outcome::Accepted(self.remote(place, Life::Active, Holder::Ours)),
            Called::Tagged => Outcome::Tagged(tags(Holder::Ours)),
            Called::Deleting(place, holder) => Outcome::Accepted(self.remote(place, Life::Deleting, holder)),
            Called::AlreadyExists => Outcome::AlreadyExists,
            Called::NotFound => Outcome::NotFound,
            Called::Refused => Outcome::Failed(Fault::Throttled(AwsError::new("Throttling", ""))),
            Called::NotSent => Outcome::CredentialsChanged,
            Called::Lost => Outcome::Failed(unavailable()),
        }
    }
}

fn owner(name: &str) -> Owner {
    Owner { cluster: "c".into(), namespace: "n".into(), name: name.into() }
}

fn tags(holder: Holder) -> Tags {
    match holder {
        Holder::Ours | Holder::Adopted | Holder::Stolen => owner("app").tags("u"),
        Holder::Anothers | Holder::Formers => owner("other").tags("u"),
        Holder::Stripped | Holder::Strangers | Holder::LookAlike | Holder::LateLookAlike => Tags::new(),
    }
}

fn unavailable() -> Fault {
    Fault::Unavailable(AwsError::new("InternalFailure", ""))
}
