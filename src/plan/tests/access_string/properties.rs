//! What holds for every access string.

use std::cell::Cell;

use elasticache_emulator::access_string::canonical;
use plan::access_string::same_meaning;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};

use crate::evaluator::Universe;
use crate::grammar::{pairs, texts};

const CASES: u32 = 8_000;

/// The same cases in each run.
fn runner() -> TestRunner {
    let rng_seed = RngSeed::Fixed(20_240_229);
    let config = Config { cases: CASES, rng_seed, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
}

/// The commands of a category depend on the engine's version. Two strings give the same rights only if they do with all of these.
const VERSIONS: std::ops::Range<u64> = 0..4;

fn same_rights(one: &str, other: &str) -> bool {
    VERSIONS.into_iter().all(|version| {
        let universe = Universe::of([one, other], version);
        universe.evaluate(one) == universe.evaluate(other)
    })
}

fn count(counter: &Cell<u32>) {
    counter.set(counter.get() + 1);
}

#[test]
fn the_access_string_that_elasticache_returns_means_what_was_sent() {
    let (taken, changed) = (Cell::new(0), Cell::new(0));
    let result = runner().run(&texts(), |sent| {
        let Ok(returned) = canonical(&sent) else {
            return Ok(());
        };
        count(&taken);
        if returned != sent.trim() {
            count(&changed);
        }
        prop_assert!(same_meaning(&sent, &returned), "sent {:?}, returned {:?}", sent, returned);
        prop_assert!(same_meaning(&returned, &sent), "returned {:?}, sent {:?}", returned, sent);
        prop_assert!(
            same_rights(&sent, &returned),
            "the emulator changes rights: {:?}, {:?}",
            sent,
            returned
        );
        Ok(())
    });
    result.unwrap();
    let (taken, changed) = (taken.get(), changed.get());
    assert!(taken > CASES / 2 && changed > CASES / 3, "taken: {taken}, with another form: {changed}");
}

#[test]
fn access_strings_of_the_same_meaning_give_the_same_rights() {
    let (equal, different, one_refused) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let result = runner().run(&pairs(), |(one, other)| {
        let same = same_meaning(&one, &other);
        prop_assert_eq!(same, same_meaning(&other, &one), "{:?}, {:?}: the other way round", one, other);
        match (canonical(&one).is_ok(), canonical(&other).is_ok()) {
            (true, true) if same => {
                count(&equal);
                prop_assert!(same_rights(&one, &other), "{:?}, {:?}", one, other);
            }
            (true, true) => count(&different),
            (true, false) | (false, true) => {
                count(&one_refused);
                prop_assert!(!same, "only one of {:?} and {:?} is taken", one, other);
            }
            (false, false) => {}
        }
        Ok(())
    });
    result.unwrap();
    let counts = [equal.get(), different.get(), one_refused.get()];
    assert!(counts.iter().all(|count| *count > CASES / 20), "equal, different, one refused: {counts:?}");
}
