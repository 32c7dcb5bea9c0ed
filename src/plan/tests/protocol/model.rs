//! The model as stateright explores it: its first state, and the state after each step.

use std::sync::{Mutex, MutexGuard, OnceLock};

use plan::ObjectFacts;
use plan::pass::Request;
use stateright::Property;

use crate::facts::{Answer, Map};
use crate::outside::{Fault, Outside};
use crate::renumber::{Change, version};
use crate::state::{Holder, Life, PassId, Place, Replica, State, Unseen, User, Violation, Watched};
use crate::switches::{Faults, Guarantees};
use crate::tables::{After, FastSet, Tables};
use crate::trace::Step;

/// A run of the model.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(crate) guarantees: Guarantees,
    pub(crate) faults: Faults,
    tables: Mutex<Tables>,
    /// The first bad state. No later one has a shorter trace.
    first: OnceLock<State>,
    /// States that are known to end well without faults: see `fair`.
    pub(crate) fine: Mutex<FastSet<State>>,
}

impl Protocol {
    pub(crate) fn new(guarantees: Guarantees, faults: Faults) -> Self {
        let tables = Mutex::new(Tables::new(Map::of(faults)));
        Self { guarantees, faults, tables, first: OnceLock::new(), fine: Mutex::default() }
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    pub(crate) fn map(&self) -> Map {
        Map::of(self.faults)
    }

    /// The property holds, or the state is not the first one in which it does not.
    fn holds(&self, state: &State, good: bool) -> bool {
        good || self.first.get_or_init(|| *state) != state
    }

    /// A new object, no user, one process.
    fn start(&self) -> State {
        let object = new_object(1);
        let idle = Replica::dead(Tables::NO_MEMORY);
        State {
            object: Some(self.tables().add_object(object)),
            users: [self.faults.owners.then_some(User { life: Life::Active, holder: Holder::Formers }), None],
            owner_exists: true,
            definition_kept: true,
            configured: Place::Home,
            replicas: [Replica { is_running: true, ..idle }, idle],
            objects_so_far: 1,
            faults_left: self.faults.budget,
            violation: None,
            is_exchanged: Unseen(false),
        }
    }

    /// The state after the step.
    pub(crate) fn after(&self, state: &State, step: Step) -> State {
        let mut after = state.spend(step.cost());
        match step {
            Step::Start(who) => {
                start(&mut after, who);
                after = self.tables().change(after, Change::ProcessEnds(who));
            }
            Step::Crash(who) => {
                after.replicas[who] = Replica::dead(Tables::NO_MEMORY);
                after = self.tables().change(after, Change::ProcessEnds(who));
            }
            Step::CredentialsChange(who) => after.replicas[who].place = after.configured,
            Step::Begin { who, stale } => self.begin(&mut after, who, stale),
            Step::Go { who, fault, .. } => self.go(&mut after, who, fault),
            Step::PersonDeletes => self.delete_object(&mut after),
            Step::PersonCreatesAgain => {
                after.objects_so_far += 1;
                after.object = Some(self.tables().add_object(new_object(after.objects_so_far)));
            }
            Step::PersonDeletesDefinition => {
                after.definition_kept = false;
                self.delete_object(&mut after);
            }
            Step::OwnerGoes => after.owner_exists = false,
            Step::OwnerReturns => after.owner_exists = true,
            Step::PersonMoves(place) => after.configured = place,
            Step::WindowPasses => {
                let passes = after.replicas.iter_mut().filter(|replica| replica.pass.is_some());
                passes.for_each(|replica| replica.watched.outlived_window = true);
                let tables = &mut self.tables();
                after = tables.change(after, Change::CloseWindow);
                after = tables.change(after, Change::Age);
            }
            Step::Appear(place)
            | Step::Settle(place)
            | Step::Vanish(place)
            | Step::SomebodyCreates(place, _)
            | Step::SomebodyReplaces(place)
            | Step::SomebodyDeletes(place)
            | Step::SomebodyModifies(place)
            | Step::SomebodyStrips(place) => {
                *after.user_mut(place) = user_after(after.user(place), step);
                // AWS needs longer to delete a user than facts and intents are valid.
                let slow = matches!(step, Step::Vanish(_) | Step::SomebodyReplaces(_));
                if slow && self.guarantees.calls_start_at_once {
                    after = self.tables().change(after, Change::Age);
                }
            }
        }
        let after = self.reduced(after);
        let orphaned = after.violation.is_none() && !self.faults.retain && is_orphaned(&after);
        State { violation: if orphaned { Some(Violation::Orphan) } else { after.violation }, ..after }
    }

    /// An equivalent state. As many states as possible get the same one.
    fn reduced(&self, mut state: State) -> State {
        let tables = &mut self.tables();
        state = tables.canonical(state);
        while let Some((who, pass, answer)) = self.certain_answer(tables, &state) {
            let after = tables.handle(pass, answer);
            end_or_go_on(&mut state.replicas[who], after);
            state = tables.canonical(state);
        }
        for who in 0..2 {
            if self.is_new(tables, &state, who) && !self.may_move(&state) {
                state.replicas[who] = Replica::dead(Tables::NO_MEMORY);
            }
        }
        if self.faults.two_replicas { tables.representative(state) } else { state }
    }

    /// The process has done nothing yet, so it counts as not started.
    pub(crate) fn is_new(&self, tables: &Tables, state: &State, who: usize) -> bool {
        let Replica { is_running, place, memory, cached, pass, .. } = state.replicas[who];
        let is_named = state.object.is_some_and(|object| tables.object_marks(object).names(who));
        let knows_nothing = memory == Tables::NO_MEMORY && cached.is_none() && pass.is_none();
        is_running && place == state.configured && knows_nothing && !is_named
    }

    /// A person may still change the region or account of new processes, so it matters when they start.
    pub(crate) fn may_move(&self, state: &State) -> bool {
        self.faults.moves && state.faults_left > 0
    }

    /// A pass is about to write to an outdated version, or to read whether its version is outdated. The answer is certain and
    /// affects nobody else, so it is given at once.
    fn certain_answer(&self, tables: &mut Tables, state: &State) -> Option<(usize, PassId, Answer)> {
        let newest = state.object.map_or(0, |object| tables.object_marks(object).versions);
        state.replicas.iter().enumerate().find_map(|(who, replica)| {
            let pass = replica.pass.filter(|pass| tables.pass_marks(*pass).versions != newest)?;
            let answer = match tables.request(pass).request {
                Request::ReadObject => Answer::Object(None),
                Request::AddFinalizer => Answer::Conflict,
                Request::RemoveFinalizer if self.guarantees.release_tests_version => Answer::Conflict,
                Request::WriteStatus(_) if self.guarantees.status_tests_version => Answer::Conflict,
                _ => return None,
            };
            Some((who, pass, answer))
        })
    }

    fn begin(&self, state: &mut State, who: usize, stale: bool) {
        if !state.replicas[who].is_running {
            start(state, who);
        }
        let replica = &mut state.replicas[who];
        let Some(object) = (if stale { replica.cached } else { state.object }) else { return };
        let tables = &mut self.tables();
        let of = tables.object_marks(object).uid;
        let memory = if replica.memory_of == of { replica.memory } else { Tables::NO_MEMORY };
        replica.memory_of = of;
        replica.cached = (self.faults.stale && state.faults_left > 0).then_some(object);
        let after = tables.begin(who, replica.place, object, memory);
        end_or_go_on(replica, after);
    }

    fn go(&self, state: &mut State, who: usize, fault: Fault) {
        let Some(pass) = state.replicas[who].pass else { return };
        let tables = &mut self.tables();
        let requested = tables.request(pass);
        let retain = self.faults.retain;
        let mut outside = Outside { state: *state, who, guarantees: &self.guarantees, tables, retain };
        let answer = outside.answer(pass, &requested.request, fault);
        *state = outside.state;
        let after = tables.handle(pass, answer);
        end_or_go_on(&mut state.replicas[who], after);
    }

    pub(crate) fn delete_object(&self, state: &mut State) {
        let tables = &mut self.tables();
        state.object = state.object.and_then(|object| {
            let mut object = tables.object(object).clone();
            if object.terminating {
                return Some(tables.add_object(object));
            }
            object.terminating = true;
            object.generation = object.generation.map(|generation| generation + 1);
            object.version = version(crate::renumber::NEW);
            object.has_finalizer.then(|| tables.add_object(object))
        });
    }
}

fn new_object(number: u8) -> ObjectFacts {
    ObjectFacts {
        uid: number.to_string(),
        namespace: "n".into(),
        name: "app".into(),
        version: version(crate::renumber::NEW),
        generation: Some(1),
        ..ObjectFacts::default()
    }
}

/// The operator still has work with this version.
pub(crate) fn is_workable(object: &ObjectFacts) -> bool {
    object.has_finalizer || !object.terminating
}

fn start(state: &mut State, who: usize) {
    let idle = Replica::dead(Tables::NO_MEMORY);
    state.replicas[who] = Replica { is_running: true, place: state.configured, ..idle };
}

fn end_or_go_on(replica: &mut Replica, after: After) {
    let (pass, memory) = match after {
        After::Requests(pass) => (Some(pass), Tables::NO_MEMORY),
        After::Finished(memory) => (None, memory),
    };
    if replica.pass.is_none() || pass.is_none() {
        replica.watched = Watched::default();
    }
    (replica.pass, replica.memory) = (pass, memory);
    if pass.is_none() && memory == Tables::NO_MEMORY {
        replica.memory_of = 0;
    }
}

fn user_after(user: Option<User>, step: Step) -> Option<User> {
    let (life, holder) = match step {
        Step::Vanish(_) => return None,
        Step::SomebodyCreates(_, holder) => return Some(User { life: Life::Active, holder }),
        Step::SomebodyReplaces(_) => (Life::Active, Some(Holder::LookAlike)),
        Step::SomebodyDeletes(_) => (Life::Deleting, None),
        Step::SomebodyModifies(_) => (Life::Modifying, None),
        Step::SomebodyStrips(_) => (Life::Active, Some(Holder::Stripped)),
        _ => (Life::Active, None),
    };
    user.map(|user| User { life, holder: holder.unwrap_or(user.holder) })
}

/// The object is gone, and AWS has a user with its tags that nobody deletes.
fn is_orphaned(state: &State) -> bool {
    let stays =
        |user: &User| user.holder.is_ours() && !matches!(user.life, Life::Deleting | Life::DeletedByUs);
    state.object.is_none() && state.definition_kept && state.users.iter().flatten().any(stays)
}

impl stateright::Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let start = self.start();
        vec![self.reduced(start)]
    }

    fn actions(&self, state: &State, out: &mut Vec<Step>) {
        if state.violation.is_some() {
            return;
        }
        for who in 0..state.replicas.len() {
            self.replica_steps(state, who, out);
        }
        for place in Place::ALL {
            self.aws_steps(state, place, out);
        }
        self.people_steps(state, out);
    }

    fn next_state(&self, state: &State, step: Step) -> Option<State> {
        Some(self.after(state, step))
    }

    fn format_action(&self, step: &Step) -> String {
        step.to_string()
    }

    fn format_step(&self, state: &State, step: Step) -> Option<String> {
        Some(self.show(&self.after(state, step)))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        use Violation::{CreatedForTerminating, DeletedForeignUser, DeletedNotActive, Orphan, Stuck};
        fn lacks(model: &Protocol, state: &State, violation: Violation) -> bool {
            model.holds(state, state.violation != Some(violation))
        }
        vec![
            Property::always(Orphan.claim(), |model, state| lacks(model, state, Orphan)),
            Property::always(DeletedForeignUser.claim(), |model, state| {
                lacks(model, state, DeletedForeignUser)
            }),
            Property::always(DeletedNotActive.claim(), |model, state| lacks(model, state, DeletedNotActive)),
            Property::always(CreatedForTerminating.claim(), |model, state| {
                lacks(model, state, CreatedForTerminating)
            }),
            Property::always(Stuck.claim(), |model: &Self, state| {
                model.holds(state, model.comes_to_an_end(state))
            }),
        ]
    }
}
