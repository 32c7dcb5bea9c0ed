//! What the API server and AWS answer to each request of a pass, and what goes wrong with it.

use std::time::Duration;

use plan::classify::Answer;
use plan::pass::{Request, Response};
use plan::verdict::Outcome;
use plan::*;

use super::aws::Told;
use super::object::Object;
use super::{Answers, LATENCY, Model};
use crate::common::unavailable;
use crate::events::Injection;
use crate::judge;

/// A call that changes something in AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Create,
    Modify,
    /// AddTags with owner tags.
    Claim,
    /// AddTags with the spec's tags alone.
    Tag,
    Untag,
    Delete,
}

impl Kind {
    pub(crate) fn of(mutation: &Mutation) -> Self {
        match mutation {
            Mutation::Create(_) => Self::Create,
            Mutation::Modify(_) => Self::Modify,
            Mutation::Tag(tag) if tag.tags.contains_key(CLUSTER_TAG) => Self::Claim,
            Mutation::Tag(_) => Self::Tag,
            Mutation::Untag(_) => Self::Untag,
            Mutation::Delete(_) => Self::Delete,
        }
    }
}

impl Model {
    /// Performs the request, unless the fault prevents it. `None` if the process is killed meanwhile.
    pub(crate) fn answer(&mut self, request: &Request, fault: &Injection) -> Option<Response> {
        let response = self.perform(request, fault);
        self.advance(if *fault == Injection::Late { Duration::from_secs(3) } else { LATENCY });
        match fault {
            Injection::Killed => None,
            Injection::TimedOut => Some(Response::TimedOut),
            Injection::Fine | Injection::Refused(_) | Injection::Lost | Injection::Late => Some(response),
        }
    }

    fn perform(&mut self, request: &Request, fault: &Injection) -> Response {
        let fails = matches!(fault, Injection::Refused(_) | Injection::Lost);
        let late = *fault == Injection::Late;
        match request {
            Request::AcquireToken if fails => Response::Ending,
            Request::AcquireToken => Response::Token,
            Request::DescribeUser(_) => {
                let told = self.read(fault, |model| model.service().describe(late));
                self.note(|answers| answers.is_stale = late);
                self.described(told)
            }
            Request::ListTags(arn) => {
                let told = self.read(fault, |model| model.service().list_tags(arn, late));
                self.listed_tags(told)
            }
            Request::Identify | Request::IdentifyCaller => {
                let told = self.read(fault, |model| Ok(model.service().tells_account()));
                self.identified(told, *request == Request::IdentifyCaller)
            }
            Request::ReadOwner(_) if fails => failed_request(),
            Request::ReadOwner(_) => {
                let other = self.other;
                self.note(|answers| answers.other = other);
                Response::Owner(other)
            }
            Request::ReadPasswords if fails => failed_request(),
            Request::ReadPasswords => {
                let sources = self.answers.as_ref().map_or(0, |answers| answers.given.spec.sources);
                Response::Passwords(self.secrets.read(sources))
            }
            Request::ReadGroups(_) => Response::Groups(Default::default()),
            Request::ReadDefinition => {
                let definition = if fails { Definition::Unreadable } else { self.definition };
                self.note(|answers| answers.definition = definition);
                Response::Definition(definition)
            }
            Request::ReadObject | Request::Resolve if fails => failed_request(),
            Request::ReadObject => self.read_object(),
            Request::ReadNamesake(_) => Response::Namesake(Namesake::Itself),
            Request::Resolve => {
                let object = self.object.clone();
                self.answers = object.clone().map(Answers::new).or(self.answers.take());
                Response::Resolved(object.map(|object| (object.goal(), object.facts())))
            }
            Request::AddFinalizer => self.write_answered(fault, |object| object.has_finalizer = true),
            Request::RemoveFinalizer => self.write_answered(fault, |object| object.has_finalizer = false),
            Request::WriteStatus(status) => {
                let status = status.as_ref().clone();
                self.write_answered(fault, |object| object.status = status)
            }
            // The port sends no mutation that other credentials would sign.
            Request::Call { credentials, .. } if *credentials != self.credentials.id => {
                Response::Called(Outcome::CredentialsChanged)
            }
            Request::Call { mutation, .. } => Response::Called(self.call(mutation, fault)),
            Request::Log(_) | Request::Publish(_) | Request::Count(_) | Request::Finish(_) => Response::Done,
        }
    }

    fn note(&mut self, note: impl FnOnce(&mut Answers)) {
        if let Some(answers) = &mut self.answers {
            note(answers);
        }
    }

    fn read<T>(&mut self, fault: &Injection, read: impl FnOnce(&mut Self) -> Told<T>) -> Told<T> {
        judge::called(self);
        match fault {
            Injection::Refused(fault) => Err(Answer::Fault(fault.clone())),
            Injection::Lost => Err(Answer::Fault(unavailable())),
            Injection::Fine | Injection::Late | Injection::Killed | Injection::TimedOut => read(self),
        }
    }

    /// Without the account, which the process learns: see [`crate::operator::Operator`].
    fn source(&self) -> CallSource {
        let (region, credentials) = ("us-east-1".to_owned(), self.credentials.id);
        CallSource { region, credentials, account: Account::NotAsked }
    }

    fn described(&mut self, told: Told<RemoteUser>) -> Response {
        let sight = match told {
            Ok(user) => UserObservation::Found(user),
            Err(Answer::NotFound | Answer::AlreadyExists) => UserObservation::Absent,
            Err(Answer::Fault(fault)) => UserObservation::Failed(fault),
        };
        let now = self.now;
        self.note(|answers| answers.user = Some((sight.clone(), now)));
        judge::described(self, &sight);
        Response::Described(sight, self.source())
    }

    fn listed_tags(&mut self, told: Told<Tags>) -> Response {
        let tags = match told {
            Ok(tags) => TagsObservation::Read(tags),
            Err(Answer::NotFound | Answer::AlreadyExists) => TagsObservation::Unreadable,
            Err(Answer::Fault(fault)) => TagsObservation::Failed(fault),
        };
        let now = self.now;
        self.note(|answers| answers.tags = Some((tags.clone(), now)));
        judge::listed_tags(self, &tags);
        Response::Tags(tags)
    }

    fn identified(&mut self, told: Told<Account>, may_ask_otherwise: bool) -> Response {
        let account = match told {
            Ok(account) => account,
            // ElastiCache may still show the account.
            Err(_) if may_ask_otherwise => Account::NotAsked,
            Err(Answer::Fault(fault)) => Account::Failed(fault),
            Err(Answer::NotFound | Answer::AlreadyExists) => Account::Withheld,
        };
        if !may_ask_otherwise {
            judge::identified(self, &account);
        }
        Response::Identified(CallSource { account, ..self.source() })
    }

    fn read_object(&mut self) -> Response {
        let (now, object) = (self.now, self.object.clone());
        self.note(|answers| {
            // A change of labels does not matter to the pass. Its later writes test the new version.
            let is_same = |found: &&Object| {
                Object { version: answers.given.version, ..(*found).clone() } == answers.given
            };
            let same = object.as_ref().filter(is_same).cloned();
            answers.confirmed = same.as_ref().map(|_| now);
            answers.given = same.unwrap_or_else(|| answers.given.clone());
        });
        Response::Object(object.map(|object| Box::new(object.facts())))
    }

    fn write_answered(&mut self, fault: &Injection, change: impl FnOnce(&mut Object)) -> Response {
        if let Injection::Refused(_) = fault {
            return failed_request();
        }
        let before = self.object.as_ref().and_then(|object| object.status.create_requested_at);
        let Some(written) = self.write(change) else { return Response::Conflict };
        if *fault == Injection::Lost {
            return failed_request();
        }
        let (now, facts) = (self.now, written.facts());
        self.note(|answers| {
            answers.confirmed = None;
            if written.status.create_requested_at != before {
                answers.announced = Some(now);
            }
            answers.given = written;
        });
        Response::Written(facts)
    }

    fn call(&mut self, mutation: &Mutation, fault: &Injection) -> Outcome {
        judge::called(self);
        judge::mutation(self, mutation);
        let kind = Kind::of(mutation);
        self.history.mutations.push((kind, false));
        let late = *fault == Injection::Late;
        let outcome = match (mutation, fault) {
            (_, Injection::Refused(fault)) => Outcome::Failed(fault.clone()),
            (Mutation::Create(create), _) => accepted(self.service().create(create, late)),
            (Mutation::Modify(modify), _) => accepted(self.service().modify(&modify.changes)),
            (Mutation::Tag(tag), _) => tagged(self.service().tag(&tag.arn, &tag.tags)),
            (Mutation::Untag(untag), _) => tagged(self.service().untag(&untag.arn, &untag.keys)),
            (Mutation::Delete(_), _) => accepted(self.service().delete()),
        };
        let throttled = matches!(outcome, Outcome::Failed(Fault::Throttled(_)));
        self.history.must_look |= kind == Kind::Create && outcome.is_refusal() && !throttled;
        let took_effect = matches!(outcome, Outcome::Accepted(_) | Outcome::Tagged(_));
        let answered = matches!(fault, Injection::Fine | Injection::Late);
        if took_effect {
            judge::took_effect(self, mutation, answered);
        }
        if *fault == Injection::Lost { Outcome::Failed(unavailable()) } else { outcome }
    }
}

fn failed_request() -> Response {
    Response::KubernetesFailed { what: "ask", why: "the API server did not answer".to_owned() }
}

fn accepted(told: Told<RemoteUser>) -> Outcome {
    told.map_or_else(failed, Outcome::Accepted)
}

fn tagged(told: Told<Tags>) -> Outcome {
    told.map_or_else(failed, Outcome::Tagged)
}

fn failed(answer: Answer) -> Outcome {
    match answer {
        Answer::NotFound => Outcome::NotFound,
        Answer::AlreadyExists => Outcome::AlreadyExists,
        Answer::Fault(fault) => Outcome::Failed(fault),
    }
}
