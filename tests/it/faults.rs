//! A fault at every call. Each scenario runs once without a fault, and the test records its calls to AWS and to the API server.
//! Then the scenario runs again for each call and each fault that this call can have. The end state must be the same.
//!
//! `make test` tries these faults: at every call a lost answer and a kill before the call; at every call that changes something
//! also a kill after it; at every call that changes AWS all faults; and each other fault of the API server at one write of the
//! scenario. `make faults` (FAULTS=full) tries every fault at every call, at the real pace.

mod asked;
mod case;
mod end;
mod fault;
mod operator;
mod proxy;
mod scenario;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

use futures::StreamExt;
use kube::Client;
use tokio::sync::Semaphore;

use self::asked::Mutations;
use self::case::{Case, Disturbance, Run};
use self::fault::{Call, Fault};
use self::operator::Speed;
use self::scenario::{Accepted, Scenario};
use crate::{control_plane, secrecy};

/// Namespaces that no case uses now.
static FREE: Mutex<Vec<String>> = Mutex::new(Vec::new());
static NAMESPACES: AtomicUsize = AtomicUsize::new(0);
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(speed().at_once()));

/// With FAULTS=full all cases run at the real pace.
fn speed() -> Speed {
    Speed { real: std::env::vars().any(|(name, value)| name == "FAULTS" && value == "full") }
}

#[tokio::test]
async fn a_creation_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::create()).await;
}

#[tokio::test]
async fn an_edit_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::modify()).await;
}

#[tokio::test]
async fn a_rotation_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::rotate()).await;
}

#[tokio::test]
async fn a_change_of_tags_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::retag()).await;
}

#[tokio::test]
async fn an_adoption_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::adopt()).await;
}

#[tokio::test]
async fn a_deletion_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::delete()).await;
}

#[tokio::test]
async fn a_creation_and_deletion_at_once_end_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::withdraw()).await;
}

#[tokio::test]
async fn an_observing_object_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::observe()).await;
}

#[tokio::test]
async fn a_user_of_an_owner_that_is_gone_is_adopted_whatever_fails() {
    whatever_fails(scenario::adopt_from_gone_owner()).await;
}

#[tokio::test]
async fn a_join_of_a_user_group_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::join()).await;
}

#[tokio::test]
async fn a_leave_of_a_user_group_ends_in_the_same_state_whatever_fails() {
    whatever_fails(scenario::leave()).await;
}

#[tokio::test]
async fn the_operator_is_not_ready_while_its_reopened_watch_hangs_and_is_ready_after_that() {
    let client = control_plane::client().await;
    let (scenario, namespace) = (scenario::observe(), new_namespace(&client).await);
    let case = Case::new(&client, &namespace, &scenario, speed(), None).await;
    let ended = case.loses_its_watch().await;
    case.clear().await;
    ended.unwrap_or_else(|why| panic!("{}", secrecy::redacted(&why)));
}

#[tokio::test]
async fn events_that_the_api_server_does_not_take_delay_no_pass_and_not_the_end() {
    let client = control_plane::client().await;
    let (scenario, namespace) = (scenario::observe(), new_namespace(&client).await);
    let case = Case::new(&client, &namespace, &scenario, speed(), None).await;
    let ended = case.publishes_to_nobody().await;
    case.clear().await;
    ended.unwrap_or_else(|why| panic!("{}", secrecy::redacted(&why)));
}

#[tokio::test]
async fn changes_that_happened_while_no_watch_worked_are_found_by_the_next_list() {
    let client = control_plane::client().await;
    let (scenario, namespace) = (scenario::rotate(), new_namespace(&client).await);
    let case = Case::new(&client, &namespace, &scenario, speed(), None).await;
    let ended = case.misses_changes().await;
    case.clear().await;
    ended.unwrap_or_else(|why| panic!("{}", secrecy::redacted(&why)));
}

async fn whatever_fails(scenario: Scenario) {
    let (speed, client, began) = (speed(), control_plane::client().await, Instant::now());
    let scenario = &scenario;
    let undisturbed = within_a_case(&client, scenario, speed, None, None).await;
    let undisturbed = undisturbed.unwrap_or_else(|why| panic!("{}, undisturbed: {why}", scenario.name));
    for Accepted { action, undisturbed: count, .. } in &scenario.accepted {
        assert_eq!(
            undisturbed.mutations.accepted.get(*action).unwrap_or(&0),
            count,
            "{}: {action}",
            scenario.name
        );
    }
    assert!(
        undisturbed.mutations.refused.is_empty(),
        "{}: {:?}",
        scenario.name,
        undisturbed.mutations.refused
    );
    let cases = cases(&undisturbed.calls, speed, scenario.every_kubernetes_fault);
    let (done, count) = (AtomicUsize::new(0), cases.len());
    let outcomes = futures::stream::iter(&cases).map(|(call, fault)| {
        let (client, done, undisturbed) = (&client, &done, &undisturbed);
        async move {
            let disturbance = Disturbance { call, fault };
            let ends = Some(undisturbed.ends.as_slice());
            let run = within_a_case(client, scenario, speed, Some(&disturbance), ends).await;
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(20) {
                println!("{}: {done} of {count} cases", scenario.name);
            }
            judged(scenario, &disturbance, run)
        }
    });
    let outcomes: Vec<Result<bool, String>> = outcomes.buffer_unordered(speed.at_once()).collect().await;
    let missed = outcomes.iter().filter(|outcome| **outcome == Ok(false)).count();
    let failures: Vec<String> = outcomes.into_iter().filter_map(Result::err).collect();
    println!(
        "{}: {} calls, {count} cases, {missed} whose call did not come again, {} failures, {:.0} s",
        scenario.name,
        undisturbed.calls.len(),
        failures.len(),
        began.elapsed().as_secs_f64(),
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The cases of one scenario.
fn cases(calls: &[Call], speed: Speed, every_kubernetes_fault: bool) -> Vec<(Call, Fault)> {
    let mut cases = Vec::new();
    for call in calls {
        let faults = Fault::of(call, speed);
        let whole = speed.real || call.is_mutation() || every_kubernetes_fault && !call.is_to_aws();
        let count = if whole { faults.len() } else { call.at_least() };
        cases.extend(faults.into_iter().take(count).map(|fault| (call.clone(), fault)));
    }
    // Each other fault has one turn, at the call that has the fewest faults so far.
    let all: Vec<(&Call, Fault)> = calls
        .iter()
        .flat_map(|call| Fault::of(call, speed).into_iter().map(move |fault| (call, fault)))
        .collect();
    for (call, fault) in &all {
        let is_tried = |cases: &[(Call, Fault)]| {
            cases
                .iter()
                .any(|(other, tried)| other.is_to_aws() == call.is_to_aws() && tried.name == fault.name)
        };
        if !is_tried(&cases) {
            let load = |call: &Call| cases.iter().filter(|(other, _)| other == call).count();
            let places = all.iter().filter(|(other, theirs)| {
                other.is_to_aws() == call.is_to_aws() && theirs.name == fault.name && other.is_write()
            });
            let place = places.map(|(call, _)| *call).min_by_key(|call| load(call)).unwrap_or(call);
            cases.push((place.clone(), fault.clone()));
        }
    }
    cases
}

/// Whether the fault happened, or what is wrong.
fn judged(
    scenario: &Scenario,
    Disturbance { call, fault }: &Disturbance<'_>,
    run: Result<Run, String>,
) -> Result<bool, String> {
    let case = format!("{}, {} at {call}", scenario.name, fault.name);
    let run = run.map_err(|why| format!("{case}: {why}"))?;
    let Mutations { accepted, refused } = &run.mutations;
    for (action, count) in accepted {
        let known = scenario.accepted.iter().find(|known| known.action == action);
        let most = known.map_or(0, |known| known.most);
        if *count > most {
            return Err(format!("{case}: {action} was accepted {count} times, at most {most} are right\n"));
        }
    }
    if let Some((action, _)) = refused.iter().find(|(_, count)| **count > 0) {
        return Err(format!("{case}: AWS refused {action}, which should not have been called\n"));
    }
    if let Some(wrong) = reported_wrongly(fault, &run) {
        return Err(format!("{case}: {wrong}\n"));
    }
    if let Some(offence) = run.offences.first() {
        return Err(format!("{case}: {offence}\n"));
    }
    if !run.struck && !call.depends_on_timing() {
        return Err(format!("{case}: the call was never made\n"));
    }
    Ok(run.struck)
}

/// A failure of the API server must not become a reason of a condition or an event.
fn reported_wrongly(fault: &Fault, run: &Run) -> Option<String> {
    const FINE: [&str; 16] = [
        "Active",
        "AddedToUserGroup",
        "Adopted",
        "Creating",
        "DeletingUser",
        "DeletionStarted",
        "DriftCorrected",
        "Modifying",
        "PasswordRotated",
        "RemovedFromUserGroup",
        "UserCreated",
        "UserDeleted",
        "UserModified",
        "WaitingForPreviousUser",
        "WaitingForUserActive",
        "WaitingForUserGroup",
    ];
    if !fault.is_api_server_failure() {
        return None;
    }
    let wrong = run.reasons.iter().find(|reason| !FINE.contains(&reason.as_str()))?;
    Some(format!("reported as {wrong}"))
}

async fn within_a_case(
    client: &Client,
    scenario: &Scenario,
    speed: Speed,
    disturbance: Option<&Disturbance<'_>>,
    ends: Option<&[serde_json::Value]>,
) -> Result<Run, String> {
    let _place = PLACES.acquire().await.unwrap();
    let free = FREE.lock().unwrap().pop();
    let namespace = match free {
        Some(namespace) => namespace,
        None => new_namespace(client).await,
    };
    let case =
        Case::new(client, &namespace, scenario, speed, disturbance.map(|disturbance| disturbance.fault))
            .await;
    let run = case.run(disturbance, ends).await;
    case.clear().await;
    FREE.lock().unwrap().push(namespace);
    run.map_err(|why| secrecy::redacted(&why))
}

async fn new_namespace(client: &Client) -> String {
    // The name is like that of a fixture, so that no other fixture's audit counts the writes of this namespace.
    let number = NAMESPACES.fetch_add(1, Ordering::Relaxed);
    let name = format!("fixture-faults-{}-{number}", std::process::id());
    control_plane::create_namespace(client, &name).await;
    name
}
