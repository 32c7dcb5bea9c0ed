//! One pass over one object, as a state machine without I/O.
//!
//! [`Pass::next`] returns the next [`Request`], the driver performs it, and [`Pass::handle`] takes the [`Response`]. The machine
//! makes every decision: which facts it needs and how old they may be, what status must contain before a mutation, what a
//! conflict means, what it publishes and remembers, and when the next pass is due. Time is an argument and randomness is a
//! seed. So the tests run the machine of production, with a model instead of the API server and AWS.
//!
//! The files have the names of the steps: `early` ends a pass that nobody needs, `reminder` one that only warns, `observe` fetches facts, `perform` writes
//! intents and makes the one call, `report` writes status and publishes events. `orphaned` has what differs if the object has
//! vanished.

mod early;
mod events;
mod groups;
mod listed;
mod observe;
mod orphaned;
mod parts;
mod perform;
mod reminder;
mod report;
mod request;
mod rule_notices;

pub use parts::Parts;
pub use request::{
    Counted, EventContent, Finish, LogLevel, LogLine, PassResult, Request, Response, Settings, Wishes,
};

use std::sync::Arc;
use std::time::Duration;

use self::listed::ListedRow;
use self::observe::Ages;
use self::perform::Doubts;
use self::report::Closing;
use crate::memory::{PlannedPass, Reminder};
use crate::pace::Requeue;
use crate::verdict::Outcome;
use crate::{
    Action, ConditionStatus, ConditionType, Goal, GroupsObservation, Memory, Moment, Now, ObjectFacts,
    Observed, Rolls, Timestamp, WriteIntent, plan,
};

/// More steps than any pass needs. If a defect makes `plan` ask for ever, the pass must not call AWS for ever.
const MOST_STEPS: u8 = 40;
/// How often a pass begins again because the object changed.
const MOST_ATTEMPTS: u8 = 3;

/// One pass over one object.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Pass {
    settings: Arc<Settings>,
    goal: Goal,
    /// The current version. Each write of this pass replaces it.
    object: ObjectFacts,
    memory: Memory,
    observed: Observed,
    /// A person, or a deletion, waits for this pass.
    awaited: bool,
    tokens: Tokens,
    ages: Ages,
    former_request: Option<Timestamp>,
    /// The `createRequestedAt` in status is of a CreateUser that this pass has not sent, or that AWS refused.
    has_unsent_create: bool,
    rolls: Rolls,
    /// When the last request was made. The facts in the response count as that old.
    asked_at: Moment,
    awaiting: Awaiting,
    attempts: u8,
    steps: u8,
    /// How often the facts for the mutation were too old when it was about to be sent.
    late_rounds: u8,
    /// AWS took longer to show a fact than the fact is valid.
    aws_is_slow: bool,
    /// The CreateUser of this pass that AWS refused, and its outcome. No look preceded it.
    refused_create: Option<Box<(Action, Outcome)>>,
    /// The pass must read the object again before it decides.
    is_stale: bool,
    /// The pass begins before the last one asked for it, and has not found a reason to continue.
    early: Option<PlannedPass>,
    /// The pass may only have to publish an event.
    reminder: Option<Box<Reminder>>,
    closing: Option<Closing>,
    finish: Option<Finish>,
    row: ListedRow,
}

/// The rate limiter's tokens that this pass has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
struct Tokens {
    reads: u8,
    /// Take so many before the next read, because facts that are read one after the other must be recent together.
    reads_wanted: u8,
    mutation: bool,
}

/// What the next response is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Awaiting {
    /// The response itself shows what it is about.
    Answer,
    ReadToken,
    MutationToken,
    Caller,
    Finalizer,
    /// The object, read again after the pass got its token. `definition`: the CustomResourceDefinition is read next.
    Confirmation {
        definition: bool,
    },
    Intent(WriteIntent),
    Release(Action),
    Call(Action, Doubts),
    FinalStatus,
}

impl Pass {
    /// Begins a pass over this version of the object. A stale version does no harm: each write carries its resourceVersion, and the
    /// API server refuses the write if the object is newer. `seed` is for jitter.
    #[must_use]
    pub fn new(
        settings: Arc<Settings>,
        goal: Goal,
        object: ObjectFacts,
        memory: Memory,
        seed: u64,
        now: Now,
    ) -> Self {
        // The cache may not show our own last write yet.
        let is_stale = object.version.number() < memory.version;
        let observed = Observed::nothing(&settings.region);
        let mut pass = Self {
            settings,
            goal: goal.clone(),
            object: object.clone(),
            memory,
            observed,
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
            late_rounds: 0,
            aws_is_slow: false,
            refused_create: None,
            is_stale,
            early: None,
            reminder: None,
            closing: None,
            finish: None,
            row: ListedRow::default(),
        };
        if !is_stale {
            pass.begin(goal, object, now);
        }
        pass
    }

    /// Begins again with this version.
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
        self.memory.secrets_compared = false;
        self.awaited = is_awaited(&object, &goal);
        if goal.leaves_passwords_to_others() {
            self.memory.sent_passwords = None;
            self.memory.unsent_passwords = None;
        }
        self.observed = Observed {
            record,
            tags_due: tags_due || object.is_requested(),
            sent_passwords: self.memory.sent_passwords.clone(),
            ..Observed::nothing(&self.settings.region)
        };
        self.ages = Ages::default();
        self.former_request = object.status.create_requested_at;
        self.has_unsent_create = false;
        self.is_stale = false;
        self.closing = None;
        self.steps = 0;
        self.late_rounds = 0;
        self.aws_is_slow = false;
        self.refused_create = None;
        self.goal = goal;
        self.object = object;
        self.row = self.recent_row(now.moment);
        self.early = self.early_pass(now.moment);
        self.reminder = self.due_reminder(now);
    }

    /// The next request. After [`Request::Finish`] the pass has ended.
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
            let request = match (&self.closing, self.early, self.reminder.clone()) {
                (Some(_), _, _) => self.report(now),
                (None, Some(planned), _) => self.compare_passwords(planned, now),
                (None, None, Some(reminder)) => self.remind(&reminder, now),
                (None, None, None) => self.decide(now),
            };
            if let Some(request) = request {
                return request;
            }
        }
    }

    /// Performs the action of `plan`. `None` if the action needs no request.
    fn decide(&mut self, now: Now) -> Option<Request> {
        if self.steps > MOST_STEPS {
            let requeue = Some(self.settings.pace.slow_cap);
            self.finish = Some(self.finished(requeue, PassResult::Endless));
            return None;
        }
        self.steps += 1;
        if let Some(line) = self.vanishing() {
            return Some(Request::Log(line));
        }
        if self.ends_refused(now) {
            return None;
        }
        let action = plan(&self.goal, &self.observed);
        if self.needs_look(&action) {
            return None;
        }
        match &action {
            Action::Fetch(fetch) => self.fetch(fetch, now),
            Action::AddFinalizer => Some(self.add_finalizer()),
            Action::WriteIntent(intent) => self.write_intent(&action, intent, now),
            Action::Create(_) | Action::Modify(_) | Action::Tag(_) | Action::Untag(_) | Action::Delete(_) => {
                self.call(&action, now)
            }
            Action::ReleaseFinalizer(_) => self.release_finalizer(action, now),
            Action::Wait(wait) if let Some((what, why)) = wait.kubernetes_failure() => {
                // AWS has answered by now.
                self.memory.pacing.heard(false, now.moment);
                self.back_off(PassResult::KubernetesFailed { what, why }, now);
                None
            }
            Action::Wait(_)
            | Action::Refuse(_)
            | Action::InSync
            | Action::Suspended { .. }
            | Action::ObserveOnly(_) => {
                self.close(action, Outcome::Decided, now);
                None
            }
        }
    }

    /// Takes the response to the last request.
    pub fn handle(&mut self, response: Response, now: Now) {
        let awaiting = std::mem::replace(&mut self.awaiting, Awaiting::Answer);
        match (response, awaiting) {
            (Response::Token, Awaiting::MutationToken) => self.tokens.mutation = true,
            (Response::Token, _) => self.tokens.reads = self.tokens.reads.saturating_add(1),
            (Response::Described(user, source), _) => self.described(user, source, now),
            (Response::Tags(tags), _) => self.read_tags(tags, now),
            (Response::Identified(source), awaiting) => self.identified(source, &awaiting),
            (Response::Owner(other), _) => self.read_other_owner(other),
            (Response::Passwords(passwords), _) => self.read_passwords(passwords),
            (Response::Definition(definition), _) => self.read_definition(definition),
            (Response::Groups(states), _) => self.observed.groups = GroupsObservation::Read(states),
            (Response::Object(object), Awaiting::Confirmation { definition }) => {
                self.confirm(object.map(|object| *object), definition);
            }
            (Response::Namesake(namesake), awaiting) => self.read_namesake(namesake, &awaiting),
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
            // If a call was under way, its outcome counts as unknown.
            (Response::TimedOut, _) => self.back_off(PassResult::TimedOut, now),
            (Response::KubernetesFailed { what, why }, _) => {
                self.back_off(PassResult::KubernetesFailed { what, why }, now);
            }
            (Response::Called(outcome), Awaiting::Call(action, doubts)) => {
                self.called(action, outcome, doubts, now);
            }
            // These responses carry nothing that the pass uses.
            (Response::Object(_) | Response::Called(_) | Response::Done, _) => {}
        }
    }

    /// Ends the pass, because the operator is shutting down. `None` if the pass only has to report.
    pub fn stop(&mut self, now: Now) -> Option<Finish> {
        if self.is_reporting() {
            return None;
        }
        self.back_off(PassResult::Ending, now);
        self.finish.clone()
    }

    /// The pass has done its work and only reports it.
    #[must_use]
    pub fn is_reporting(&self) -> bool {
        self.closing.is_some() || self.finish.is_some()
    }

    /// The object changed during the pass, so begin again with the new version.
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
        self.finish = Some(Finish {
            memory: None,
            requeue: None,
            is_settled: true,
            wishes: Wishes::Nothing,
            polls: false,
            result: PassResult::Done,
        });
    }

    fn back_off(&mut self, result: PassResult, now: Now) {
        let roll = self.rolls.roll();
        let delay = self.memory.pacing.back_off(Requeue::Backoff, &self.settings.pace, now.moment, roll);
        self.finish = Some(self.finished(Some(delay), result));
    }

    fn finished(&self, requeue: Option<Duration>, result: PassResult) -> Finish {
        let closing = self.closing.as_ref();
        let is_settled = match result {
            PassResult::Done => closing.is_none_or(Closing::is_settled),
            PassResult::Conflict
            | PassResult::Ending
            | PassResult::KubernetesFailed { .. }
            | PassResult::TimedOut
            | PassResult::Endless => false,
        };
        let wishes = match &result {
            PassResult::Done => closing.map_or(Wishes::Unchanged, Closing::wishes),
            PassResult::Conflict
            | PassResult::Ending
            | PassResult::KubernetesFailed { .. }
            | PassResult::TimedOut
            | PassResult::Endless => Wishes::Unchanged,
        };
        let polls = result == PassResult::Done && closing.is_some_and(Closing::polls);
        Finish { memory: Some(Box::new(self.memory.clone())), requeue, is_settled, polls, wishes, result }
    }
}

/// The object is being deleted, has a new generation, or somebody requested a pass. Otherwise the pass is a check, unless
/// there are new passwords.
fn is_awaited(object: &ObjectFacts, goal: &Goal) -> bool {
    goal.is_deletion() || object.is_requested() || !is_settled(object, goal)
}

/// An earlier pass has finished its work for this generation, or needs a person.
fn is_settled(object: &ObjectFacts, goal: &Goal) -> bool {
    let status = &object.status;
    let ready = status.condition(ConditionType::Ready);
    let ready = ready.filter(|ready| ready.observed_generation == object.generation);
    ready.is_some_and(|ready| {
        // An object that only observes needs no further work, whatever the comparison showed.
        ready.status != ConditionStatus::False
            || status.condition(ConditionType::Stalled).is_some()
            || matches!(goal, Goal::ObserveOnly(_)) && status.observed_generation == object.generation
    })
}
