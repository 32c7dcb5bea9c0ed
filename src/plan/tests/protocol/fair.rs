//! Once nothing goes wrong any more, the object is removed, from every state. stateright's `eventually` misses cycles and joins.
//! So this file follows the steps without faults from each state, until it meets a state that is known to end well.

use crate::model::{Protocol, is_workable};
use crate::outside::Fault;
use crate::state::{Life, Place, State};
use crate::trace::Step;

/// More steps than any way to the end takes.
const LONGEST_WAY_OUT: usize = 300;

impl Protocol {
    pub(crate) fn comes_to_an_end(&self, state: &State) -> bool {
        if state.violation.is_some() {
            return true;
        }
        let mut fine = self.fine.lock().unwrap();
        let mut way = vec![];
        let mut here = State { faults_left: 0, ..*state };
        while here.object.is_some() && !fine.contains(&here) {
            way.push(here);
            if way.len() > LONGEST_WAY_OUT {
                return false;
            }
            here = State { violation: None, ..self.fair_step(here) };
        }
        fine.extend(way);
        true
    }

    /// The next step if nothing goes wrong any more: AWS finishes, people delete the object, the replicas work in the region and
    /// account of its user, and time passes.
    pub(crate) fn fair_step(&self, state: State) -> State {
        for place in Place::ALL {
            let step = match state.user(place).map(|user| user.life) {
                Some(Life::Late) => Step::Appear(place),
                Some(Life::Modifying) => Step::Settle(place),
                Some(Life::Deleting | Life::DeletedByUs) => Step::Vanish(place),
                Some(Life::Active) | None => continue,
            };
            return self.after(&state, step);
        }
        let Some(object) = state.object else { return state };
        let object = self.tables().object(object).clone();
        if !object.terminating {
            return self.after(&state, Step::PersonDeletes);
        }
        for (who, replica) in state.replicas.iter().enumerate() {
            if replica.pass.is_some() {
                let step = Step::Go { who, request: "", fault: Fault::None, cost: 0 };
                return self.after(&state, step);
            }
        }
        // A person who reads WrongAWSAccount gives the operator its former region or account.
        let place = self.map().place(&object.status).unwrap_or(state.configured);
        let state = State { configured: place, ..state };
        if state.replicas[0].is_running && state.replicas[0].place != place {
            return self.after(&state, Step::Start(0));
        }
        if self.window_may_pass(&state) {
            return self.after(&state, Step::WindowPasses);
        }
        if is_workable(&object) {
            return self.after(&state, Step::Begin { who: 0, stale: false });
        }
        state
    }
}
