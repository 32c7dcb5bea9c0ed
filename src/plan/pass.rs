//! Pure: one pass over one object, as a machine that does no I/O.
//!
//! [`Pass::next`] says what has to be done next, the driver does it, and [`Pass::handle`] takes the answer. The machine
//! decides everything: which facts it needs and how old they may be, what has to stand in status before a mutation, what a
//! conflict means, what is published, what is remembered, and when the object is looked at again. Time comes in as an
//! argument, randomness as a seed. So the tests drive the machine that runs in production, with a model in place of the
//! API server and AWS.
//!
//! The steps have the names of the five verbs: `observe` fetches facts, `perform` writes intents and makes the one call,
//! `report` writes status and publishes events.

mod observe;
mod parts;
mod perform;
mod report;
mod request;

pub use parts::Parts;
pub use request::{
    EventContent, Finish, LogLevel, LogLine, PassResult, Request, Response, Settings, Urgency,
};

use std::sync::Arc;
use std::time::Duration;

use self::perform::Doubts;
use self::report::Closing;
use crate::pace::Requeue;
use crate::{
    Account, Action, Authentication, CallSource, ConditionStatus, ConditionType, CredentialsId, Definition,
    Desired, Goal, Memory, Moment, Now, ObjectFacts, Observed, OwnerObservation, Rolls, TagsObservation,
    Timestamp, UserObservation, WriteIntent, plan,
};

/// More steps than any pass needs. A plan that goes on asking is a defect, not a reason to call AWS for ever.
const MOST_STEPS: u8 = 40;
/// How often a pass decides anew because the object changed under it.
const MOST_ATTEMPTS: u8 = 3;

/// One pass over one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pass {
    settings: Arc<Settings>,
    goal: Goal,
    /// The version that is decided on; replaced by the answer of each write of this pass.
    object: ObjectFacts,
    memory: Memory,
    observed: Observed,
    urgency: Urgency,
    /// Somebody waits for what comes of this pass.
    awaited: bool,
    tokens: Tokens,
    ages: Ages,
    /// `createRequestedAt` before this pass.
    former_request: Option<Timestamp>,
    /// The `createRequestedAt` in status is of a CreateUser that this pass has not sent.
    has_unsent_create: bool,
    rolls: Rolls,
    /// When the last request was made: the facts in its answer are at least as old.
    asked_at: Moment,
    awaiting: Awaiting,
    attempts: u8,
    steps: u8,
    /// The object has to be read again before anything is decided.
    is_stale: bool,
    closing: Option<Closing>,
    finish: Option<Finish>,
}

/// Tokens of the rate limiter that the driver holds for this pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Tokens {
    read: bool,
    mutation: bool,
}

/// When facts and intents of this pass were asked for or written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Ages {
    user: Option<Moment>,
    tags: Option<Moment>,
    create_intent: Option<Moment>,
}

/// What the answer to the last request is about, if the answer alone does not say it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Awaiting {
    /// The answer says it.
    Answer,
    ReadToken,
    MutationToken,
    /// The account, from STS.
    Caller,
    Finalizer,
    /// The object, read again with the token in hand; `true`: then the CustomResourceDefinition.
    Confirmation {
        definition: bool,
    },
    Intent(WriteIntent),
    Release(Action),
    Call(Action, Doubts),
    FinalStatus,
}

impl Pass {
    /// Begins a pass over this version of the object, which may be stale: every write tests its version. `seed` is for
    /// jitter.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        goal: Goal,
        object: ObjectFacts,
        memory: Memory,
        seed: u64,
        now: Now,
    ) -> Self {
        // The cache may not have caught up with our own last write.
        let is_stale = object.version.number() < memory.version;
        let observed = nothing_observed(&settings);
        let mut pass = Self {
            settings,
            goal: goal.clone(),
            object: object.clone(),
            memory,
            observed,
            urgency: Urgency::Check,
            awaited: false,
            tokens: Tokens::default(),
            ages: Ages::default(),
            former_request: None,
            has_unsent_create: false,
            rolls: Rolls::new(seed),
            asked_at: now.moment,
            awaiting: Awaiting::Answer,
            attempts: 0,
            steps: 0,
            is_stale,
            closing: None,
            finish: None,
        };
        if !is_stale {
            pass.begin(goal, object, now);
        }
        pass
    }

    /// Decides on this version from the beginning.
    fn begin(&mut self, goal: Goal, object: ObjectFacts, now: Now) {
        if object.terminating && !object.has_finalizer {
            self.object = object;
            self.finish = Some(self.finished(None, PassResult::Done));
            return;
        }
        let pace = &self.settings.pace;
        let record = self.memory.record(&object, &self.settings.identity, pace, now);
        let is_ready = record.readiness.is_ready();
        let roll = self.rolls.roll();
        let tags_due = self.memory.tags_due(object.generation, is_ready, pace, now.moment, roll);
        self.awaited = is_awaited(&object, &goal);
        self.urgency = match self.awaited {
            true => Urgency::Work,
            false if self.memory.pacing.is_overdue(pace, now.moment) => Urgency::OverdueCheck,
            false => Urgency::Check,
        };
        self.observed = Observed {
            record,
            tags_due: tags_due || object.is_requested(),
            sent_passwords: self.memory.sent_passwords.clone(),
            ..nothing_observed(&self.settings)
        };
        self.ages = Ages::default();
        self.former_request = object.status.create_requested_at;
        self.has_unsent_create = false;
        self.is_stale = false;
        self.closing = None;
        self.steps = 0;
        self.goal = goal;
        self.object = object;
    }

    /// What has to be done next. After [`Request::Finish`] the pass is over.
    pub fn next(&mut self, now: Now) -> Request {
        self.asked_at = now.moment;
        self.awaiting = Awaiting::Answer;
        loop {
            if let Some(finish) = &self.finish {
                return Request::Finish(finish.clone());
            }
            if self.is_stale {
                return Request::Resolve;
            }
            let request = match self.closing {
                Some(_) => self.report(now),
                None => self.decide(now),
            };
            if let Some(request) = request {
                return request;
            }
        }
    }

    /// Asks `plan`, and does what it says; `None` if the next step needs no request.
    fn decide(&mut self, now: Now) -> Option<Request> {
        if self.steps > MOST_STEPS {
            let requeue = Some(self.settings.pace.slow_cap);
            self.finish = Some(self.finished(requeue, PassResult::Endless));
            return None;
        }
        self.steps += 1;
        let action = plan(&self.goal, &self.observed);
        match &action {
            Action::Fetch(fetch) => self.fetch(fetch),
            Action::AddFinalizer => {
                self.awaiting = Awaiting::Finalizer;
                Some(Request::AddFinalizer)
            }
            Action::WriteIntent(intent) => self.write_intent(&action, intent, now),
            Action::Create(_) | Action::Modify(_) | Action::Tag(_) | Action::Untag(_) | Action::Delete(_) => {
                self.call(&action, now)
            }
            Action::ReleaseFinalizer(_) => {
                self.awaiting = Awaiting::Release(action);
                Some(Request::RemoveFinalizer)
            }
            Action::Wait(_)
            | Action::Refuse(_)
            | Action::InSync
            | Action::Suspended { .. }
            | Action::Compared(_) => {
                self.close(action, crate::verdict::Outcome::Decided, now);
                None
            }
        }
    }

    /// Takes the answer to the last request.
    pub fn handle(&mut self, response: Response, now: Now) {
        let awaiting = std::mem::replace(&mut self.awaiting, Awaiting::Answer);
        match (response, awaiting) {
            (Response::Token(granted), awaiting) => self.take_token(granted, &awaiting, now),
            (Response::Described(user, source), _) => self.described(user, source),
            (Response::Tags(tags), _) => self.read_tags(tags, now),
            (Response::Identified(source), awaiting) => self.identified(source, &awaiting),
            (Response::Owner(other), _) => self.observed.other_owner = other,
            (Response::Definition(definition), _) => self.read_definition(definition),
            (Response::Object(object), Awaiting::Confirmation { definition }) => {
                self.confirm(object.as_deref(), definition);
            }
            (Response::Resolved(Some((goal, object))), _) => self.begin(goal, object, now),
            (Response::Resolved(None), _) => self.object_is_gone(),
            (Response::Written(object), awaiting) => self.written(object, awaiting, now),
            (Response::Conflict, Awaiting::FinalStatus) => {
                self.final_status_written(Err(PassResult::Conflict), now)
            }
            (Response::Conflict, _) => self.conflict(),
            (Response::KubernetesFailed { what, why }, Awaiting::FinalStatus) => {
                self.final_status_written(Err(PassResult::KubernetesFailed { what, why }), now);
            }
            (Response::Ending, _) => self.back_off(PassResult::Ending, now),
            (Response::KubernetesFailed { what, why }, _) => {
                self.back_off(PassResult::KubernetesFailed { what, why }, now);
            }
            (Response::Called(outcome), Awaiting::Call(action, doubts)) => {
                self.called(action, outcome, doubts, now);
            }
            // Nothing else is answered like this.
            (Response::Object(_) | Response::Called(_) | Response::Done, _) => {}
        }
    }

    /// Ends the pass from outside, at any moment: the operator is ending, or the pass took too long. A call whose answer is
    /// outstanding counts as one with an unknown outcome.
    pub fn interrupt(&mut self, result: PassResult, now: Now) -> Finish {
        self.back_off(result, now);
        self.finish.clone().unwrap_or_else(|| self.finished(None, PassResult::Ending))
    }

    /// Everything is done, and the pass only reports what it did.
    #[must_use]
    pub fn is_reporting(&self) -> bool {
        self.closing.is_some() || self.finish.is_some()
    }

    fn take_token(&mut self, granted: bool, awaiting: &Awaiting, now: Now) {
        if !granted {
            let roll = self.rolls.roll();
            let pause = self.memory.pacing.postpone(&self.settings.pace, now.moment, roll);
            self.finish = Some(self.finished(Some(pause), PassResult::RateLimited));
            return;
        }
        if *awaiting == Awaiting::MutationToken {
            self.tokens.mutation = true;
        } else {
            self.tokens.read = true;
            // A check that has begun goes on as work: it would only have to make the same call again.
            self.urgency = Urgency::Work;
        }
    }

    /// The object changed since the version that was decided on: decide anew.
    fn conflict(&mut self) {
        self.closing = None;
        self.attempts += 1;
        if self.attempts < MOST_ATTEMPTS {
            self.is_stale = true;
        } else {
            let requeue = Some(self.settings.pace.poll_floor);
            self.finish = Some(self.finished(requeue, PassResult::Conflict));
        }
    }

    fn object_is_gone(&mut self) {
        self.finish = Some(Finish { memory: None, requeue: None, result: PassResult::Done });
    }

    fn back_off(&mut self, result: PassResult, now: Now) {
        let roll = self.rolls.roll();
        let pause = self.memory.pacing.back_off(Requeue::Backoff, &self.settings.pace, now.moment, roll);
        self.finish = Some(self.finished(Some(pause), result));
    }

    fn finished(&self, requeue: Option<Duration>, result: PassResult) -> Finish {
        Finish { memory: Some(Box::new(self.memory.clone())), requeue, result }
    }
}

fn nothing_observed(settings: &Settings) -> Observed {
    Observed {
        record: crate::Record::default(),
        source: CallSource {
            region: settings.region.clone(),
            credentials: CredentialsId(0),
            account: Account::NotAsked,
        },
        caller_asked: false,
        user: UserObservation::NotRead,
        tags: TagsObservation::NotRead,
        known_owner: None,
        tags_due: false,
        other_owner: OwnerObservation::NotRead,
        sent_passwords: None,
        definition: Definition::NotRead,
        intent_written: false,
        object_confirmed: false,
    }
}

/// Somebody waits for the pass: for the object to go, or for AWS to have its generation, its passwords or an answer to a
/// request for a pass. Else it is a check.
fn is_awaited(object: &ObjectFacts, goal: &Goal) -> bool {
    matches!(goal, Goal::Absent(_))
        || object.is_requested()
        || !is_at_rest(object, goal)
        || has_new_password(object, goal)
}

/// An earlier pass came to an end with this generation, as far as it could. The next one is a check.
fn is_at_rest(object: &ObjectFacts, goal: &Goal) -> bool {
    let status = &object.status;
    let ready = status.condition(ConditionType::Ready);
    let ready = ready.filter(|ready| ready.observed_generation == object.generation);
    ready.is_some_and(|ready| {
        // What AWS was only compared with stays as it is, whatever comes of it.
        ready.status != ConditionStatus::False
            || status.condition(ConditionType::Stalled).is_some()
            || matches!(goal, Goal::ObserveOnly(_)) && status.observed_generation == object.generation
    })
}

fn has_new_password(object: &ObjectFacts, goal: &Goal) -> bool {
    let Goal::Present(Desired { authentication: Authentication::Password(Ok(passwords)), .. }) = goal else {
        return false;
    };
    let sent = object.status.last_applied.as_ref().map(|last| last.password_versions.as_slice());
    sent.unwrap_or_default() != passwords.versions()
}
