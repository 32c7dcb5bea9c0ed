//! Everything that may happen next.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, OnceLock};

use plan::pass::Request;
use plan::{Mutation, ObjectFacts};
use stateright::Property;

use crate::facts::Map;
use crate::outside::{Fault, Outside};
use crate::renumber::{Change, version};
use crate::state::{Holder, Life, ObjectId, Place, Replica, State, User, Violation, Watched};
use crate::switches::{Faults, Guarantees};
use crate::tables::{After, Tables};
use crate::trace::Step;

/// A run of the model.
#[derive(Debug)]
pub(crate) struct Protocol {
    pub(crate) guarantees: Guarantees,
    pub(crate) faults: Faults,
    tables: Mutex<Tables>,
    /// The first bad state: nothing that comes later is a shorter trace.
    first: OnceLock<State>,
    /// States from which fair steps lead to the end.
    pub(crate) fine: Mutex<HashSet<State>>,
}

impl Protocol {
    pub(crate) fn new(guarantees: Guarantees, faults: Faults) -> Self {
        let map = Map { accounts: faults.accounts, retain: faults.retain, moves: faults.moves };
        let tables = Mutex::new(Tables::new(map));
        Self { guarantees, faults, tables, first: OnceLock::new(), fine: Mutex::default() }
    }

    pub(crate) fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    pub(crate) fn map(&self) -> Map {
        Map { accounts: self.faults.accounts, retain: self.faults.retain, moves: self.faults.moves }
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
            users: [None; 2],
            configured: Place::Home,
            replicas: [Replica { is_running: true, ..idle }, idle],
            objects_so_far: 1,
            faults_left: self.faults.budget,
            violation: None,
        }
    }

    /// What may go wrong with the request, and what each costs of the trace's faults.
    fn faults_of(&self, state: &State, who: usize, request: &Request) -> &'static [(Fault, u8)] {
        let user = state.user(state.replicas[who].place);
        let is_active = user.is_some_and(|user| user.life == Life::Active);
        match request {
            Request::Call(mutation) => match **mutation {
                Mutation::Create(_) if user.is_none() => &[
                    (Fault::None, 0),
                    (Fault::Lost, 1),
                    (Fault::TimedOut, 1),
                    (Fault::Late, 1),
                    (Fault::LostAndLate, 2),
                    (Fault::Refused, 1),
                    (Fault::Dropped, 1),
                ],
                Mutation::Delete(_) | Mutation::Tag(_) if is_active => &[
                    (Fault::None, 0),
                    (Fault::Lost, 1),
                    (Fault::TimedOut, 1),
                    (Fault::Refused, 1),
                    (Fault::Dropped, 1),
                ],
                // A call too many is refused before AWS looks whether the ID is taken.
                _ => &[(Fault::None, 0), (Fault::Refused, 1)],
            },
            Request::DescribeUser(_) | Request::ListTags(_) | Request::Identify => {
                &[(Fault::None, 0), (Fault::Refused, 1)]
            }
            Request::WriteStatus(_) | Request::AddFinalizer | Request::RemoveFinalizer => {
                &[(Fault::None, 0), (Fault::Lost, 1), (Fault::Refused, 1)]
            }
            _ => &[(Fault::None, 0)],
        }
    }

    fn may_happen(&self, fault: Fault) -> bool {
        match fault {
            Fault::None => true,
            Fault::Late => self.faults.late,
            Fault::LostAndLate => self.faults.late && self.faults.failures,
            Fault::Lost | Fault::TimedOut | Fault::Refused | Fault::Dropped => self.faults.failures,
        }
    }

    fn replica_steps(&self, state: &State, who: usize, out: &mut Vec<Step>) {
        let replica = state.replicas[who];
        if !replica.is_running {
            if who == 0 || self.faults.two_replicas {
                out.push(Step::Start(who));
            }
            return;
        }
        let is_new = replica.pass.is_none()
            && replica.memory == Tables::NO_MEMORY
            && replica.place == state.configured;
        let some_are_remembered =
            state.users.iter().flatten().any(|user| user.holder == Holder::LateLookAlike);
        if self.faults.crashes && state.faults_left > 0 && !is_new && !some_are_remembered {
            out.push(Step::Crash(who));
        }
        if self.faults.accounts && state.faults_left > 0 && replica.place != state.configured {
            out.push(Step::CredentialsChange(who));
        }
        if let Some(pass) = replica.pass {
            let requested = self.tables().request(pass);
            let request = &requested.request;
            for (fault, cost) in self.faults_of(state, who, request) {
                let free = self.faults.blocked && *fault == Fault::Refused && is_delete(request);
                let cost = if free { 0 } else { *cost };
                if cost <= state.faults_left && (free || self.may_happen(*fault)) {
                    out.push(Step::Go { who, request: request_name(request), fault: *fault, cost });
                }
            }
            return;
        }
        let tables = self.tables();
        let workable = |object: ObjectId| is_workable(tables.object(object));
        if state.object.is_some_and(workable) {
            out.push(Step::Begin { who, stale: false });
        }
        let stale = replica.cached.filter(|cached| Some(*cached) != state.object && self.faults.stale);
        if state.faults_left > 0 && stale.is_some_and(workable) {
            out.push(Step::Begin { who, stale: true });
        }
    }

    fn aws_steps(&self, state: &State, place: Place, out: &mut Vec<Step>) {
        let others = self.faults.others && state.faults_left > 0;
        let Some(User { life, holder }) = state.user(place) else {
            // Nobody has business abroad before anything has gone there.
            if others && (place == Place::Home || state.configured == place) {
                out.push(Step::SomebodyCreates(place, Holder::Anothers));
                out.push(Step::SomebodyCreates(place, Holder::Strangers));
                if self.all_know_it_is_gone(state) {
                    out.push(Step::SomebodyCreates(place, Holder::LateLookAlike));
                }
            }
            return;
        };
        match life {
            Life::Late => out.push(Step::Appear(place)),
            Life::Modifying => out.push(Step::Settle(place)),
            Life::Deleting => out.push(Step::Vanish(place)),
            Life::DeletedByUs => {
                out.push(Step::Vanish(place));
                if others {
                    out.push(Step::SomebodyReplaces(place));
                }
            }
            Life::Active => {
                if others {
                    out.push(Step::SomebodyModifies(place));
                    out.push(Step::SomebodyDeletes(place));
                }
                if self.faults.strips && state.faults_left > 0 && holder == Holder::Ours {
                    out.push(Step::SomebodyStrips(place));
                }
            }
        }
    }

    /// Every running replica has seen that the user is gone, and status may still say that there is one. Nothing tells a
    /// user that comes before anybody saw the gap, and looks the same, from the former one.
    fn all_know_it_is_gone(&self, state: &State) -> bool {
        let tables = self.tables();
        let mut running = state.replicas.iter().filter(|replica| replica.is_running).peekable();
        running.peek().is_some()
            && running.all(|replica| match replica.pass {
                Some(pass) => tables.pass_marks(pass).seen_gone,
                None => tables.memory_marks(replica.memory).seen_gone,
            })
    }

    fn people_steps(&self, state: &State, out: &mut Vec<Step>) {
        let terminating = state.object.map(|object| self.tables().object(object).terminating);
        match terminating {
            Some(false) => out.push(Step::PersonDeletes),
            Some(true) => {}
            None if self.faults.again && state.faults_left > 0 => out.push(Step::PersonCreatesAgain),
            None => {}
        }
        if self.faults.moves && state.faults_left > 0 {
            out.push(Step::PersonMoves(state.configured.other()));
        }
        if self.window_may_pass(state) {
            out.push(Step::WindowPasses);
        }
    }

    /// A `createRequestedAt` is within its window. The window is longer than AWS takes to show a user.
    pub(crate) fn window_may_pass(&self, state: &State) -> bool {
        let tables = self.tables();
        let is_late = state.users.iter().flatten().any(|user| user.life == Life::Late);
        let objects = state.object.into_iter().chain(state.replicas.iter().filter_map(|it| it.cached));
        let passes = state.replicas.iter().filter_map(|replica| replica.pass);
        let is_open = objects.map(|id| tables.object_marks(id)).any(|marks| marks.stamps != 0)
            || passes.map(|id| tables.pass_marks(id)).any(|marks| marks.stamps != 0);
        let is_soon = state.replicas.iter().any(|replica| replica.watched.outlived_window);
        is_open && !is_soon && !(is_late && self.guarantees.users_show_in_time)
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
                // AWS needs longer to let a user go than facts and intents are valid.
                let slow = matches!(step, Step::Vanish(_) | Step::SomebodyReplaces(_));
                if slow && self.guarantees.calls_start_at_once {
                    after = self.tables().change(after, Change::Age);
                }
            }
        }
        let after = self.tables().canonical(after);
        let orphaned = after.violation.is_none() && !self.faults.retain && is_orphaned(&after);
        State { violation: if orphaned { Some(Violation::Orphan) } else { after.violation }, ..after }
    }

    fn begin(&self, state: &mut State, who: usize, stale: bool) {
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

/// Something is still to be done about this version.
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
        |user: &User| user.holder == Holder::Ours && !matches!(user.life, Life::Deleting | Life::DeletedByUs);
    state.object.is_none() && state.users.iter().flatten().any(stays)
}

fn is_delete(request: &Request) -> bool {
    matches!(request, Request::Call(mutation) if matches!(**mutation, Mutation::Delete(_)))
}

/// The AWS call, or the request's own name.
fn request_name(request: &Request) -> &'static str {
    match request {
        Request::Call(mutation) => match **mutation {
            Mutation::Create(_) => "CreateUser",
            Mutation::Modify(_) => "ModifyUser",
            Mutation::Tag(_) => "AddTagsToResource",
            Mutation::Untag(_) => "RemoveTagsFromResource",
            Mutation::Delete(_) => "DeleteUser",
        },
        request => request.name(),
    }
}

impl stateright::Model for Protocol {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let start = self.start();
        vec![self.tables().canonical(start)]
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
