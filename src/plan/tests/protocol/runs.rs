//! One run of the model, and what it found.

use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::Protocol;
use crate::state::Violation;
use crate::switches::{Faults, Guarantees};
use crate::trace::Step;

/// What a run of the model found.
pub(crate) struct Found {
    states: usize,
    /// Versions of the object, memories and passes.
    values: [usize; 3],
    seconds: f64,
    pub(crate) bad: Option<(Violation, Vec<Step>)>,
    last: Option<String>,
}

impl Found {
    /// The shortest trace in sentences.
    pub(crate) fn report(&self) -> String {
        let Self { states, values, seconds, bad, last } = self;
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
pub(crate) fn explore(guarantees: Guarantees, faults: Faults) -> Found {
    run(guarantees, faults, None)
}

fn run(guarantees: Guarantees, faults: Faults, steps: Option<usize>) -> Found {
    let began = Instant::now();
    let model = Protocol::new(guarantees, faults);
    let mut checker = model.checker().threads(1).finish_when(HasDiscoveries::AnyFailures);
    if let Some(steps) = steps {
        checker = checker.target_state_count(steps);
    }
    let checker = checker.spawn_bfs().join();
    let mut found = checker.discoveries();
    let bad =
        VIOLATIONS.into_iter().find_map(|violation| Some((violation, found.remove(violation.claim())?)));
    let seconds = began.elapsed().as_secs_f64();
    let last = bad.as_ref().map(|(_, path)| checker.model().show(path.last_state()));
    let bad = bad.map(|(violation, path)| (violation, path.into_actions()));
    let values = checker.model().tables().sizes();
    Found { states: checker.unique_state_count(), values, seconds, bad, last }
}

pub(crate) fn holds(claim: &str, faults: Faults) {
    let found = explore(Guarantees::ALL, faults);
    println!("{claim}: {}", found.report());
    assert!(found.bad.is_none(), "{claim}: {}", found.report());
    assert!(found.states > 1000, "{claim}: the model hardly moves");
}

/// Without this guarantee, this happens.
pub(crate) fn needs(claim: &str, guarantees: Guarantees, faults: Faults, expected: Violation) {
    let found = explore(guarantees, faults);
    println!("{claim}: {}\n", found.report());
    assert_eq!(found.bad.as_ref().map(|bad| bad.0), Some(expected), "{claim}: {}", found.report());
}

/// Explores the states that come first, as far as so many steps lead.
pub(crate) fn begins_well(claim: &str, faults: Faults, steps: usize) {
    let found = run(Guarantees::ALL, faults, Some(steps));
    println!("{claim}, the beginning: {}", found.report());
    assert!(found.bad.is_none(), "{claim}: {}", found.report());
}

/// The explorer of stateright.
pub(crate) fn serve(faults: Faults) {
    println!("http://localhost:3000");
    Protocol::new(Guarantees::ALL, faults).checker().serve("localhost:3000");
}
