//! A walk: a start, then steps in which anything may go wrong, then time without faults in which the goal must be reached.

use std::time::Duration;

use proptest::prelude::*;
use proptest_state_machine::ReferenceStateMachine;

use crate::events::{Event, Step, steps};
use crate::judge::{self, ends};
use crate::model::Model;
use crate::model::answer::Kind;
use crate::operator::Operator;
use crate::start::{Start, starts};
use crate::trace::Trace;

/// The most steps of a walk.
pub(crate) const STEPS: usize = 60;
/// The goal must be reached within so many passes after the last fault.
const BOUND: usize = 50;
/// The most mutations after the last fault. One user may need four: its owner tags, the removal of tags that left the spec,
/// new tags, and one ModifyUser for everything else. After a CreateUser or a DeleteUser it needs none of them.
const MOST_MUTATIONS: usize = 4;
/// The most attempts to create a user that exists and that AWS does not show for 25 s.
const MOST_REFUSED_CREATES: usize = 6;
/// The number of passes that must change nothing. One of them compares the tags.
const REST: usize = 9;

/// What decides which step may come next. For example, an object is deleted only once.
#[derive(Clone, Debug)]
pub(crate) struct Walk {
    pub(crate) start: Start,
    is_deleted: bool,
    has_lagging_cache: bool,
}

impl ReferenceStateMachine for Walk {
    type State = Self;
    type Transition = Step;

    fn init_state() -> BoxedStrategy<Self> {
        let walk = |start| Self { start, is_deleted: false, has_lagging_cache: false };
        starts().prop_map(walk).boxed()
    }

    fn transitions(_: &Self) -> BoxedStrategy<Step> {
        thread_local! {
            static STEPS: BoxedStrategy<Step> = steps().boxed();
        }
        STEPS.with(BoxedStrategy::clone)
    }

    fn apply(mut walk: Self, step: &Step) -> Self {
        walk.is_deleted |= matches!(step, Step::Event(Event::Deletes | Event::DefinitionGoes));
        walk.has_lagging_cache = matches!(step, Step::Event(Event::CacheLags));
        walk
    }

    fn preconditions(walk: &Self, step: &Step) -> bool {
        match step {
            Step::Event(Event::Deletes) => !walk.is_deleted && !walk.start.object.terminating,
            Step::Event(Event::CacheLags) => !walk.has_lagging_cache,
            _ => true,
        }
    }
}

/// Follows a walk to its end. `Err` has what is wrong and everything that happened.
pub(crate) fn follow(start: &Start, steps: &[Step]) -> Result<Model, String> {
    follow_traced(start, steps, false).or_else(|_| follow_traced(start, steps, true))
}

pub(crate) fn follow_traced(start: &Start, steps: &[Step], traced: bool) -> Result<Model, String> {
    let mut model = Model::new(start, Trace::new(traced));
    let mut operator = Operator::start(1, &mut model);
    for step in steps {
        take(step, &mut operator, &mut model);
    }
    if !operator.is_idle() {
        operator.finish_pass(&mut model);
    }
    model.trace.end_chapter();
    model.calm(start.fixed);
    operator.due = Some(model.now);
    let before = model.history.mutations.len();
    passes(BOUND, &mut operator, &mut model);
    if ends::needs_a_person(&model) {
        // A pass runs every minute and compares the tags every hour.
        model.advance(Duration::from_secs(4_000));
        passes(REST, &mut operator, &mut model);
    }
    let wrong = ends::wrong(&model)
        .or_else(|| ends::forsaken(start, steps, &model))
        .or_else(|| too_many(&model.history.mutations[before..]));
    let moved = rests(&mut operator, &mut model).or_else(|| survives_a_restart(&mut operator, &mut model));
    match model.history.breaches.first().cloned().or(wrong).or(moved) {
        None => Ok(model),
        Some(what) => Err(format!("{what}; the walk:\n{}", model.trace)),
    }
}

fn take(step: &Step, operator: &mut Operator, model: &mut Model) {
    if model.object.is_none() && operator.is_idle() {
        return;
    }
    match step {
        Step::Request(fault) => operator.request(model, fault),
        Step::Mutation(fault) => {
            let mutates =
                |next: &str| next.contains("User") && next != "DescribeUser" || next.contains("Resource");
            if operator.reach(model, mutates) {
                operator.request(model, fault);
            }
        }
        Step::Write(fault) => {
            let writes = |next: &str| next.contains("Finalizer") || next == "WriteStatus";
            if operator.reach(model, writes) {
                operator.request(model, fault);
            }
        }
        Step::Until(request) => {
            operator.reach(model, |next| next == *request || next == "Finish");
        }
        Step::Pass => operator.finish_pass(model),
        // AWS answers with an earlier state only for some seconds.
        Step::Wait(_) if model.answers.as_ref().is_some_and(|answers| answers.is_stale) => {}
        Step::Wait(duration) => wait(*duration, model),
        Step::Kill => operator.restart(model),
        Step::Event(event) => model.happen(event),
    }
}

fn wait(duration: Duration, model: &mut Model) {
    model.trace.note(|| format!("{duration:?} go by"));
    model.advance(duration);
}

/// Each pass begins when the one before it asked for.
fn passes(count: usize, operator: &mut Operator, model: &mut Model) {
    for _ in 0..count {
        let Some(due) = operator.due.filter(|_| model.object.is_some()) else { return };
        model.advance(due.saturating_sub(model.now));
        operator.look(model);
    }
}

/// From now on nothing may be written, and nothing may change in AWS.
fn rests(operator: &mut Operator, model: &mut Model) -> Option<String> {
    let before = (model.object.clone(), model.history.mutations.len());
    model.trace.note(|| "from here on nothing may change any more".to_owned());
    passes(REST, operator, model);
    let moved = model.object != before.0 || model.history.mutations.len() != before.1;
    moved.then(|| "the end state does not last: a later pass changed the object or AWS".to_owned())
}

/// A restart must not change anything either, except that it repeats a status write that failed while a person was needed.
fn survives_a_restart(operator: &mut Operator, model: &mut Model) -> Option<String> {
    // If somebody changed the user, this process looks only after a person has acted: an object that waits for a Secret makes no
    // call. A new process looks at once.
    let unread = (model.history.retagged || model.history.changed) && ends::needs_a_person(model);
    if unread || judge::is_known_by_memory_alone(model) {
        return None;
    }
    let before = (model.object.clone(), model.history.mutations.len());
    operator.restart(model);
    passes(REST, operator, model);
    let wrote = model.object != before.0 && !ends::needs_a_person(model);
    let moved = wrote || model.history.mutations.len() != before.1;
    moved.then(|| "a restart changes something".to_owned()).or_else(|| rests(operator, model))
}

/// After the last fault, each kind of mutation may take effect only once.
fn too_many(mutations: &[(Kind, bool)]) -> Option<String> {
    let repeated = mutations.iter().enumerate().any(|(at, (kind, done))| {
        *done && mutations[..at].iter().any(|(before, done)| *done && before == kind)
    });
    let refused_creates = mutations.iter().filter(|one| **one == (Kind::Create, false)).count();
    let too_many =
        refused_creates > MOST_REFUSED_CREATES || mutations.len() - refused_creates > MOST_MUTATIONS;
    (repeated || too_many).then(|| format!("too many mutations: {mutations:?}"))
}
