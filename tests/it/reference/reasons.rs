//! docs/src/reference/reasons.md. The texts come from the doc comments of the enum, and the facts from the rows that test `verdict`.

#[path = "../../../src/plan/tests/common/mod.rs"]
#[macro_use]
mod common;
#[path = "../../../src/plan/tests/tables/verdict_rows/mod.rs"]
#[allow(clippy::needless_update, reason = "a row may name all of its fields")]
mod verdict_rows;

use std::collections::BTreeSet;

use plan::pace::{Pace, Requeue};
use plan::verdict::{Outcome, Progress, Reason, verdict};

use super::{cell, documented};
use crate::written;
use common::verdicts::{EVERY_EVENT, EVERY_REQUEUE, Row};
use verdict_rows::all_rows;

#[test]
fn the_page_of_reasons_is_generated_from_the_reasons_in_plan() {
    written::file("docs/src/reference/reasons.md", &text());
}

fn text() -> String {
    let mut text = "\
# Reasons and events

<!-- Written by a test (tests/it/reference/reasons.rs) from src/plan/verdict. -->

This list is complete: there are no other reasons. [Troubleshooting](../troubleshooting.md) explains what to do about each.

| reason | meaning | state | looked at again | Warning event | what to do |
|---|---|---|---|---|---|
"
    .to_owned();
    let words = documented("src/plan/verdict/reason.rs", "Reason");
    assert_eq!(words.len(), Reason::ALL.len());
    for ((word, paragraphs), reason) in words.iter().zip(Reason::ALL) {
        assert_eq!(word, reason.as_str());
        let [meaning, mend] = paragraphs.as_slice() else { panic!("{word}: what it means, and what to do") };
        let link = word.to_lowercase();
        text.push_str(&format!(
            "| [`{word}`](../troubleshooting.md#{link}) | {} | {} | {} | {} | {} |\n",
            cell(meaning),
            states(reason),
            visits(reason),
            warns(reason),
            cell(mend)
        ));
    }
    text.push_str(&states_explained());
    text.push_str(&visits_explained());
    text.push_str(&events());
    text
}

/// The conditions that have this reason in any row.
fn states(reason: Reason) -> String {
    let found: BTreeSet<&str> =
        all_rows().iter().filter(|row| row.reason == reason).map(|row| state(row.progress).0).collect();
    let order = Progress::ALL.map(|progress| state(progress).0);
    let mut listed: Vec<&str> = order.into_iter().filter(|word| found.contains(word)).collect();
    listed.dedup();
    listed.join(", ")
}

/// The word on the page, and the status that kubectl shows.
fn state(progress: Progress) -> (&'static str, &'static str) {
    match progress {
        Progress::Ready => ("ready", "`Ready` is True."),
        Progress::Reconciling => (
            "waiting",
            "`Ready` is False, `Reconciling` is True. The operator continues by itself, or as soon as something that is missing exists.",
        ),
        Progress::Unknown => (
            "unknown",
            "`Ready` is Unknown, `Reconciling` is True. The object was Ready, and AWS has not reported its state for `--stale-after`.",
        ),
        Progress::Stalled => {
            ("Stalled", "`Ready` is False, `Stalled` is True. A person must change something.")
        }
        Progress::Deleting => (
            "Deleting",
            "`Ready` is False, `Deleting` and `Reconciling` are True. The object is being deleted, and waits. It is never `Stalled`.",
        ),
        Progress::Unchanged => (
            "as before",
            "The conditions stay as they are, because an outage of AWS does not change `Ready`. Events, the log and metrics report it.",
        ),
        Progress::SuspendedReady | Progress::SuspendedNotReady => (
            "paused",
            "`Ready` stays True if it was True and nothing was edited since; otherwise it is False. There are no other conditions.",
        ),
    }
}

fn states_explained() -> String {
    let mut text = "\n## States\n\n| state | conditions |\n|---|---|\n".to_owned();
    let mut last = "";
    for (word, about) in Progress::ALL.map(state) {
        if word != last {
            text.push_str(&format!("| {word} | {about} |\n"));
        }
        last = word;
    }
    text
}

fn visits(reason: Reason) -> String {
    // An object that is released has no next pass.
    let stays = |outcome: &Outcome| *outcome != Outcome::Released;
    let rows = all_rows().into_iter().filter(|row| row.reason == reason && stays(&row.outcome));
    let found: Vec<Requeue> = rows.map(|row| row.requeue).collect();
    let listed = EVERY_REQUEUE.into_iter().filter(|visit| found.contains(visit));
    let mut listed: Vec<&str> = listed.map(|visit| visit_words(visit).0).collect();
    // The reason occurs in the middle of work, so no row says when the next pass comes.
    if listed.len() > 1 {
        listed.retain(|word| *word != visit_words(Requeue::Now).0);
    }
    if listed.is_empty() { "never".to_owned() } else { listed.join(", ") }
}

fn visit_words(visit: Requeue) -> (&'static str, String) {
    let Pace { poll_cap, backoff_floor, backoff_cap, slow_floor, slow_cap, busy_floor, busy_cap, .. } =
        Pace::default();
    let seconds = |time: std::time::Duration| time.as_secs();
    match visit {
        Requeue::Now => ("at once", "at once".to_owned()),
        Requeue::Poll => (
            "polled",
            format!(
                "within a second at first, then less and less often: after at most a quarter of the time waited so far, and at least every {} s",
                seconds(poll_cap)
            ),
        ),
        Requeue::Backoff => (
            "backoff",
            format!(
                "after {} s, doubling up to {} s, with jitter",
                seconds(backoff_floor),
                seconds(backoff_cap)
            ),
        ),
        Requeue::Slow => (
            "slowly",
            format!(
                "after {} s, doubling up to {} min, with jitter",
                seconds(slow_floor),
                seconds(slow_cap) / 60
            ),
        ),
        Requeue::Busy => (
            "soon",
            format!("after {} s, doubling up to {} s, with jitter", seconds(busy_floor), seconds(busy_cap)),
        ),
        Requeue::Woken => (
            "with the group",
            format!(
                "as soon as more is known about the user group. The operator looks at the group once for all objects that wait: after {} s, doubling up to {} s, while AWS works on it, and after {} s, doubling up to {} min, if it is not there",
                seconds(busy_floor),
                seconds(busy_cap),
                seconds(slow_floor),
                seconds(slow_cap) / 60
            ),
        ),
        Requeue::Resync => ("resync", "at the next drift check (`--resync`)".to_owned()),
    }
}

fn visits_explained() -> String {
    let mut text = "\n## When an object is looked at again\n\n\
        The operator looks at once if the spec, a Secret that it names or the annotation `elasticache-users.dev/reconcile-requested-at` changes. Otherwise:\n\n\
        | word | when |\n|---|---|\n"
        .to_owned();
    for (word, about) in EVERY_REQUEUE.map(visit_words).iter().filter(|(word, _)| *word != "at once") {
        text.push_str(&format!("| {word} | {about} |\n"));
    }
    text
}

/// Whether a Warning event has this reason.
fn warns(reason: Reason) -> &'static str {
    let rows = all_rows();
    let of = |leaving: bool| {
        rows.iter().filter(move |row| row.reason == reason && row.context.deleting == leaving).any(|row| {
            let Row { action, outcome, context, .. } = row;
            verdict(action, outcome, &context.get()).warning().is_some()
        })
    };
    let somewhere =
        |leaving: bool| rows.iter().any(|row| row.reason == reason && row.context.deleting == leaving);
    match (of(false), of(true)) {
        (true, _) => "yes",
        (false, true) if somewhere(false) => "while deleting",
        (false, true) => "yes",
        (false, false) => "no",
    }
}

fn events() -> String {
    let Pace { event_repeat, event_patience, .. } = Pace::default();
    let (repeat, patience) = (event_repeat.as_secs() / 60, event_patience.as_secs());
    let mut text = format!(
        "\n## Events of what was done\n\nWarning events have the reasons above: one when a reason begins, and one every {repeat} minutes \
         while it lasts. `WaitingForUserActive`, `WaitingForUserGroup` and `WaitingForPreviousUser` are Normal events first, and Warnings if they last for {patience} s. `ReconcileRequestIgnored` is a Warning too: the annotation `elasticache-users.dev/reconcile-requested-at` has more than 256 \
         characters, so it is ignored. So is `RuleBroken`: the object breaks a rule of the operator's administrator, and its AWS user stays managed. In addition, one event reports each thing that was done:\n\n| event | what was done |\n|---|---|\n"
    );
    let mut told = BTreeSet::new();
    for (variant, paragraphs) in documented("src/plan/verdict/completed.rs", "Completed") {
        let [about] = paragraphs.as_slice() else { panic!("{variant}: one paragraph") };
        let (words, what) =
            about.split_once(": ").unwrap_or_else(|| panic!("{variant}: `Event`: what was done"));
        told.extend(words.split(", ").map(|word| word.trim_matches('`').to_owned()));
        text.push_str(&format!("| {words} | {} |\n", capitalised(what)));
    }
    assert_eq!(told, EVERY_EVENT.iter().map(|event| (*event).to_owned()).collect::<BTreeSet<_>>());
    text
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
