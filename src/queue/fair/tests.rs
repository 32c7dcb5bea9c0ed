use std::collections::HashMap;

use super::*;

const NAMESPACES: [&str; 5] = ["a", "b", "c", "d", "e"];
/// More than enough random walks to reach every corner.
const SEEDS: u64 = 40;

fn everybody(_: Class, _: &str) -> bool {
    true
}

/// All waiters, in the order in which they are served.
fn drain(order: &mut FairOrder<&'static str>) -> Vec<&'static str> {
    std::iter::from_fn(|| order.pop(everybody)).map(|(_, waiter)| waiter).collect()
}

#[test]
fn namespaces_are_served_in_turn_and_each_in_order_of_arrival() {
    let mut order = FairOrder::default();
    let arrivals = [("a", "a1"), ("a", "a2"), ("a", "a3"), ("b", "b1"), ("b", "b2"), ("c", "c1")];
    for (namespace, waiter) in arrivals {
        order.push(Class::Change, namespace, waiter);
    }
    assert_eq!(drain(&mut order), ["a1", "b1", "c1", "a2", "b2", "a3"]);
}

#[test]
fn the_classes_share_each_cycle_and_higher_classes_take_what_lower_ones_leave() {
    let mut order = FairOrder::default();
    for class in Class::ALL {
        for _ in 0..24 {
            order.push(class, "a", ());
        }
    }
    let mut served = HashMap::new();
    let mut count = |pops| {
        served.clear();
        for _ in 0..pops {
            let (class, ()) = order.pop(everybody).expect("somebody waits");
            *served.entry(class).or_insert(0) += 1;
        }
        Class::ALL.map(|class| served.get(&class).copied().unwrap_or(0))
    };
    assert_eq!(count(36), [24, 6, 3, 3]);
    assert_eq!(count(12), [0, 10, 1, 1], "no change waits, so its turns go to the next class");
}

#[test]
fn a_waiter_that_gives_up_takes_no_other_waiters_turn() {
    let mut order = FairOrder::default();
    let first = order.push(Class::Change, "a", "a1");
    order.push(Class::Change, "b", "b1");
    let last = order.push(Class::Change, "b", "b2");
    assert_eq!(order.remove("a", first), Some("a1"));
    assert!(!order.contains("a", first) && order.contains("b", last));
    assert_eq!(order.remove("a", first), None, "the waiter has left already");
    assert_eq!(order.len(), 2);
    assert_eq!(drain(&mut order), ["b1", "b2"]);
    assert_eq!(order.remove("b", last), None, "the waiter was served");
    assert_eq!(order.len(), 0);
}

#[test]
fn a_waiter_that_is_not_allowed_to_begin_delays_no_other_waiter() {
    let mut order = FairOrder::default();
    for (class, namespace, waiter) in
        [(Class::Change, "a", "change a"), (Class::Change, "b", "change b"), (Class::Check, "a", "check a")]
    {
        order.push(class, namespace, waiter);
    }
    let pop = |order: &mut FairOrder<_>, allowed: fn(Class, &str) -> bool| {
        order.pop(allowed).map(|(_, waiter)| waiter)
    };
    assert_eq!(pop(&mut order, |_, namespace| namespace != "a"), Some("change b"));
    assert_eq!(pop(&mut order, |class, _| class != Class::Change), Some("check a"));
    assert_eq!(pop(&mut order, |class, _| class != Class::Change), None);
    assert_eq!(drain(&mut order), ["change a"]);
}

/// Waiters come and go at random.
struct Walk {
    random: fastrand::Rng,
    order: FairOrder<u32>,
    /// The waiters: number, class, namespace, ticket, and the number of pops within which each must be served.
    waiting: Vec<(u32, Class, &'static str, Ticket, usize)>,
    pushed: u32,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let random = fastrand::Rng::with_seed(seed);
        Self { random, order: FairOrder::default(), waiting: Vec::new(), pushed: 0 }
    }

    fn push(&mut self) {
        // One namespace asks for as much as all others together.
        let namespace = NAMESPACES[self.random.usize(..2 * NAMESPACES.len()).min(NAMESPACES.len() - 1)];
        let class = Class::ALL[self.random.usize(..Class::ALL.len())];
        let ahead = self.waiting.iter().filter(|waiter| (waiter.1, waiter.2) == (class, namespace)).count();
        let turns = CYCLE.iter().filter(|turn| **turn == class).count();
        // Each namespace is served at most once before each waiter ahead, and before this one.
        let bound = (ahead + 1) * NAMESPACES.len() * CYCLE.len() / turns + CYCLE.len();
        self.pushed += 1;
        let ticket = self.order.push(class, namespace, self.pushed);
        self.waiting.push((self.pushed, class, namespace, ticket, bound));
    }

    fn leave(&mut self) {
        if !self.waiting.is_empty() {
            let index = self.random.usize(..self.waiting.len());
            let (number, _, namespace, ticket, _) = self.waiting.remove(index);
            assert_eq!(self.order.remove(namespace, ticket), Some(number));
        }
    }

    /// Returns the class that was served, and whether a change waited.
    fn pop(&mut self) -> Option<(Class, bool)> {
        let change_waits = self.waiting.iter().any(|waiter| waiter.1 == Class::Change);
        let (class, number) = self.order.pop(everybody)?;
        let index = self.waiting.iter().position(|waiter| waiter.0 == number).expect("it waited");
        let (_, expected, namespace, ..) = self.waiting.remove(index);
        assert_eq!(class, expected);
        let before = self.waiting.iter().find(|waiter| (waiter.1, waiter.2) == (class, namespace));
        assert!(before.is_none_or(|next| next.0 > number), "order of arrival within {namespace}");
        for (number, class, namespace, _, bound) in &mut self.waiting {
            *bound -= 1;
            assert!(*bound > 0, "{number} of class {class:?} in {namespace} starves");
        }
        Some((class, change_waits))
    }
}

#[test]
fn no_waiter_starves_and_lower_classes_get_at_most_half_while_a_change_waits() {
    for seed in 0..SEEDS {
        let mut walk = Walk::new(seed);
        let (mut lower, mut all) = (0, 0);
        for step in 0..1500 {
            match walk.random.u8(..10) {
                0..5 => walk.push(),
                5 => walk.leave(),
                // Somebody always waits: more come than are served.
                _ => match walk.pop() {
                    Some((class, true)) => {
                        all += 1;
                        lower += usize::from(class != Class::Change);
                    }
                    Some((_, false)) | None => (lower, all) = (0, 0),
                },
            }
            assert!(lower <= all / 2 + 3, "seed {seed}, step {step}: {lower} of {all}");
        }
        while walk.pop().is_some() {}
        assert!(walk.waiting.is_empty(), "seed {seed}: a waiter was forgotten");
    }
}

#[test]
fn namespaces_with_any_number_of_waiters_get_the_same_share() {
    let mut order = FairOrder::default();
    let crowds = [("a", 5000), ("b", 300), ("c", 300), ("d", 300)];
    for (namespace, count) in crowds {
        for _ in 0..count {
            order.push(Class::Repeat, namespace, namespace);
        }
    }
    let mut served: HashMap<&str, usize> = HashMap::new();
    for _ in 0..1200 {
        let (_, namespace) = order.pop(everybody).expect("somebody waits");
        *served.entry(namespace).or_default() += 1;
        let counts = crowds.map(|(namespace, _)| served.get(namespace).copied().unwrap_or(0));
        let (least, most) = (counts.iter().min().expect("four"), counts.iter().max().expect("four"));
        assert!(most - least <= 1, "{counts:?}");
    }
}
