//! The deletion protocol, model checked: the real `plan` and `verdict` in a small world in which everything that can go
//! wrong is a step of its own. Every state that can be reached is looked at; a bad one is told as a walk in sentences.
//!
//! Guards are switched off in the shell and in AWS's answers, never in `plan`: with any of them off, a bad walk appears.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may stop, and tell")]

mod check;
mod core;
mod nature;
mod rules;
mod shell;
mod walk;
mod world;

use check::explore;
use rules::{Guards, Nature};

#[test]
fn no_walk_is_bad_and_without_any_one_guard_there_is_one() {
    let on = Nature { budget: 1, crashes: true, ..Nature::CALM };
    let alone = Nature {
        stale: true,
        faults: true,
        late: true,
        moves: true,
        again: true,
        others: true,
        strips: true,
        ..on
    };
    let two = Nature { fail_over: true, ..alone };
    let all = Guards::ALL;
    let runs = [
        ("fo 1a", all, Nature { fail_over: true, faults: true, late: true, moves: true, ..on }),
        ("fo 1b", all, Nature { fail_over: true, others: true, again: true, ..on }),
        ("fo 1c", all, Nature { fail_over: true, stale: true, ..on }),
        (
            "release",
            Guards { release_tests_version: false, ..all },
            Nature { fail_over: true, again: true, ..on },
        ),
        (
            "status",
            Guards { status_tests_version: false, ..all },
            Nature { fail_over: true, late: true, ..on },
        ),
        (
            "status+answer",
            Guards { status_tests_version: false, answer_heeded: false, ..all },
            Nature { fail_over: true, ..on },
        ),
        ("creation", Guards { creation_remembered: false, ..all }, Nature { late: true, ..on }),
        ("place", Guards { place_checked: false, ..all }, Nature { budget: 2, moves: true, ..on }),
        (
            "place acc",
            Guards { place_checked: false, ..all },
            Nature { budget: 2, moves: true, accounts: true, ..on },
        ),
        ("owner", Guards { owner_checked: false, ..all }, Nature { others: true, ..on }),
        ("confirm", Guards { object_confirmed: false, ..all }, Nature { fail_over: true, again: true, ..on }),
        (
            "ages",
            Guards { confirmation_ages: false, ..all },
            Nature { budget: 2, fail_over: true, others: true, strips: true, crashes: false, ..on },
        ),
        (
            "read last",
            Guards { owner_read_last: false, ..all },
            Nature { fail_over: true, others: true, ..on },
        ),
        (
            "request place",
            Guards { request_has_place: false, ..all },
            Nature { budget: 3, moves: true, ..alone },
        ),
        ("shown", Guards { only_ours_shown: false, ..all }, Nature { budget: 3, ..alone }),
        ("doubt", Guards { doubt_keeps_arn: false, ..all }, Nature { budget: 4, accounts: true, ..alone }),
        ("settles alone", Guards { only_ours_settles: false, ..all }, Nature { budget: 4, ..alone }),
        ("prompt", Guards { prompt: false, ..all }, Nature { budget: 2, ..two }),
    ];
    for (name, guards, nature) in runs {
        // A lost test of the status write alone is caught by the answer, which says that the object is leaving.
        let bad = guards != all && name != "status";
        let begun = std::time::Instant::now();
        let found = explore(guards, nature);
        println!("{name}: {:?}: {}", begun.elapsed(), found.tale());
        assert_eq!(found.bad.is_some(), bad, "{name}: {}", found.tale());
    }
}
