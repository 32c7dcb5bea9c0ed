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
use walk::Bad;

#[test]
fn probe() {
    let nature = Nature {
        budget: 1,
        fail_over: true,
        crashes: true,
        stale: true,
        faults: true,
        late: true,
        moves: true,
        again: true,
        others: true,
        strips: true,
        ..Nature::CALM
    };
    for budget in 0..=2 {
        let begun = std::time::Instant::now();
        let found = explore(Guards::ALL, Nature { budget, ..nature });
        println!("budget {budget}: {:?}: {}", begun.elapsed(), found.tale());
        if found.bad.is_some() {
            break;
        }
    }
    let _ = Bad::Orphan;
}
