//! One run of the model, and what it found.

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model, Path};

use crate::model::Protocol;
use crate::state::{State, Violation};
use crate::switches::{Faults, Guarantees};
use crate::trace::Step;

/// What a run of the model found.
pub(crate) struct Found {
    states: usize,
    /// All states were explored, or a bad one was found.
    is_done: bool,
    /// Versions of the object, memories and passes.
    values: [usize; 3],
    seconds: f64,
    pub(crate) bad: Option<(Violation, Vec<Step>)>,
    last: Option<String>,
}

impl Found {
    /// The shortest trace in sentences.
    pub(crate) fn report(&self) -> String {
        let Self { states, values, seconds, bad, last, .. } = self;
        let Some((violation, trace)) = bad else {
            let [objects, memories, passes] = values;
            let values = format!("{objects} versions, {memories} memories, {passes} passes");
            return format!("{states} states of {values} in {seconds:.1} s, nothing bad");
        };
        let steps: Vec<String> =
            trace.iter().enumerate().map(|(at, step)| format!("{:3}. {step}", at + 1)).collect();
        let last = last.as_ref().map(|last| format!("\n{last}")).unwrap_or_default();
        format!("{states} states in {seconds:.1} s, then {violation}:\n{}{last}", steps.join("\n"))
    }
}

const VIOLATIONS: [Violation; 5] = [
    Violation::Orphan,
    Violation::DeletedForeignUser,
    Violation::DeletedNotActive,
    Violation::CreatedForTerminating,
    Violation::Stuck,
];

/// Explores every state, and ends at the first bad one. One thread, so that the trace is a shortest one.
fn explore(guarantees: Guarantees, faults: Faults) -> Found {
    let began = Instant::now();
    let checker = Protocol::new(guarantees, faults).checker().threads(1);
    let checker = checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let mut found = checker.discoveries();
    let bad =
        VIOLATIONS.into_iter().find_map(|violation| Some((violation, found.remove(violation.claim())?)));
    let seconds = began.elapsed().as_secs_f64();
    let last = bad.as_ref().map(|(_, path)| checker.model().show(path.last_state()));
    let bad = bad.map(|(violation, path)| (violation, steps(path)));
    let is_done = checker.is_done();
    let values = checker.model().tables().sizes();
    Found { states: checker.unique_state_count(), is_done, values, seconds, bad, last }
}

/// The steps of a trace, in which each process keeps its name.
fn steps(path: Path<State, Step>) -> Vec<Step> {
    let steps = path.into_vec().into_iter();
    steps.filter_map(|(state, step)| Some(step?.named(state.is_exchanged.0))).collect()
}

pub(crate) fn holds(claim: &str, faults: Faults) {
    holds_with(claim, Guarantees::ALL, faults);
}

pub(crate) fn holds_with(claim: &str, guarantees: Guarantees, faults: Faults) {
    let found = explore(guarantees, faults);
    println!("{claim}: {}", found.report());
    assert!(found.bad.is_none(), "{claim}: {}", found.report());
    assert!(found.is_done, "{claim}: not all states were explored");
    assert!(found.states > 1000, "{claim}: the model reaches too few states");
}

/// Without this guarantee, the violation must be found.
pub(crate) fn needs(claim: &str, guarantees: Guarantees, faults: Faults, expected: Violation) {
    let found = explore(guarantees, faults);
    println!("{claim}: {}\n", found.report());
    assert_eq!(found.bad.as_ref().map(|bad| bad.0), Some(expected), "{claim}: {}", found.report());
}

/// The explorer of stateright.
pub(crate) fn serve(faults: Faults) {
    println!("http://localhost:3000");
    Protocol::new(Guarantees::ALL, faults).checker().serve("localhost:3000");
}
