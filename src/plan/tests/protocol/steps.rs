//! Everything that may happen next in a state: steps of replicas, of AWS and of people.

use plan::Mutation;
use plan::pass::Request;

use crate::model::{Protocol, is_workable};
use crate::outside::Fault;
use crate::state::{Holder, Life, ObjectId, Place, State, User};
use crate::trace::Step;

impl Protocol {
    /// The faults that the request may have, and how much of the budget each costs.
    pub(crate) fn faults_of(&self, state: &State, who: usize, request: &Request) -> &'static [(Fault, u8)] {
        let user = state.user(state.replicas[who].place);
        let is_active = user.is_some_and(|user| user.life == Life::Active);
        match request {
            Request::Call { mutation, .. } => match **mutation {
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
                // AWS may throttle the call before it checks anything else.
                _ => &[(Fault::None, 0), (Fault::Refused, 1)],
            },
            Request::DescribeUser(_) | Request::ListTags(_) | Request::Identify => {
                &[(Fault::None, 0), (Fault::Refused, 1)]
            }
            Request::WriteStatus(_) | Request::AddFinalizer | Request::RemoveFinalizer => {
                &[(Fault::None, 0), (Fault::Lost, 1), (Fault::Refused, 1)]
            }
            Request::ReadObject | Request::ReadOwner(_) | Request::ReadDefinition => {
                &[(Fault::None, 0), (Fault::Refused, 1)]
            }
            Request::IdentifyCaller if self.faults.sts => &[(Fault::None, 0), (Fault::Refused, 1)],
            _ => &[(Fault::None, 0)],
        }
    }

    pub(crate) fn may_happen(&self, fault: Fault) -> bool {
        match fault {
            Fault::None => true,
            Fault::Late => self.faults.late,
            Fault::LostAndLate => self.faults.late && self.faults.failures,
            Fault::Lost | Fault::TimedOut | Fault::Refused | Fault::Dropped => self.faults.failures,
        }
    }

    pub(crate) fn replica_steps(&self, state: &State, who: usize, out: &mut Vec<Step>) {
        let replica = state.replicas[who];
        if !replica.is_running && who > 0 && !self.faults.two_replicas {
            return;
        }
        if !replica.is_running && self.may_move(state) {
            out.push(Step::Start(who));
            return;
        }
        let is_new = !replica.is_running || self.is_new(&self.tables(), state, who);
        let some_are_remembered =
            state.users.iter().flatten().any(|user| user.holder == Holder::LateLookAlike);
        if self.faults.crashes && state.faults_left > 0 && !is_new && !some_are_remembered {
            out.push(Step::Crash(who));
        }
        if self.faults.accounts
            && state.faults_left > 0
            && replica.is_running
            && replica.place != state.configured
        {
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

    pub(crate) fn aws_steps(&self, state: &State, place: Place, out: &mut Vec<Step>) {
        let others = self.faults.others && state.faults_left > 0;
        let Some(User { life, holder }) = state.user(place) else {
            // Nobody creates a user abroad before the operator may work there.
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

    /// Every running replica has seen that the user is gone, but status may still show it. If a user of the same look appears before
    /// anybody saw that, nothing distinguishes it from the former one.
    pub(crate) fn all_know_it_is_gone(&self, state: &State) -> bool {
        let tables = self.tables();
        let mut running = state.replicas.iter().filter(|replica| replica.is_running).peekable();
        running.peek().is_some()
            && running.all(|replica| match replica.pass {
                Some(pass) => tables.pass_marks(pass).seen_gone,
                None => tables.memory_marks(replica.memory).seen_gone,
            })
    }

    pub(crate) fn people_steps(&self, state: &State, out: &mut Vec<Step>) {
        let terminating = state.object.map(|object| self.tables().object(object).terminating);
        match terminating {
            Some(false) => out.push(Step::PersonDeletes),
            Some(true) => {}
            None if self.faults.again && state.definition_kept && state.faults_left > 0 => {
                out.push(Step::PersonCreatesAgain)
            }
            None => {}
        }
        if self.faults.definition && state.definition_kept && state.faults_left > 0 {
            out.push(Step::PersonDeletesDefinition);
        }
        if self.faults.owners && state.faults_left > 0 {
            out.push(if state.owner_exists { Step::OwnerGoes } else { Step::OwnerReturns });
        }
        if self.may_move(state) {
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
}

fn is_delete(request: &Request) -> bool {
    matches!(request, Request::Call { mutation, .. } if matches!(**mutation, Mutation::Delete(_)))
}

/// The AWS call, or the request's own name.
fn request_name(request: &Request) -> &'static str {
    match request {
        Request::Call { mutation, .. } => match **mutation {
            Mutation::Create(_) => "CreateUser",
            Mutation::Modify(_) => "ModifyUser",
            Mutation::Tag(_) => "AddTagsToResource",
            Mutation::Untag(_) => "RemoveTagsFromResource",
            Mutation::Delete(_) => "DeleteUser",
        },
        request => request.name(),
    }
}
