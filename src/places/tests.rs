use proptest::prelude::*;
use proptest::sample::select;
use serde_json::json;

use super::namespace::COMPARISONS;
use super::*;

/// An object that was created at this second, with or without our finalizer.
fn object(name: &str, second: u8, holds: bool) -> ElastiCacheUser {
    let finalizers = if holds { vec![crate::api::FINALIZER] } else { vec![] };
    serde_json::from_value(json!({
        "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser",
        "metadata": {
            "namespace": "shop", "name": name, "uid": format!("{name}-{second}"), "finalizers": finalizers,
            "creationTimestamp": format!("2026-12-01T00:00:0{second}Z"),
        },
        "spec": {},
    }))
    .unwrap()
}

fn places(limit: u32, objects: &[ElastiCacheUser]) -> Places {
    let places = Places::new(Some(limit));
    for object in objects {
        assert!(places.follow(&Event::InitApply(object.clone())).is_empty());
    }
    places
}

#[test]
fn places_go_to_objects_that_have_a_user_and_then_to_the_oldest() {
    let rows = [
        ("the second of two places", object("b", 2, false), false),
        ("the third", object("c", 3, false), true),
        ("as old as the second, and before it by name", object("a", 2, false), false),
        ("as old as the second, and after it by name", object("bb", 2, false), true),
    ];
    for (claim, own, taken) in rows {
        let places = places(2, &[object("first", 1, false), object("b", 2, false), own.clone()]);
        assert_eq!(places.are_taken(&own), taken, "{claim}");
    }
    let younger = [object("x", 8, true), object("y", 9, true)];
    assert!(places(2, &younger).are_taken(&object("a", 1, false)), "an old object without a user");
    assert!(!places(2, &younger).are_taken(&object("y", 9, true)), "a young object that has a user");
    let crowd = places(2, &[]);
    let admitted = ["d", "c", "b", "a"].map(|name| {
        crowd.follow(&Event::Apply(object(name, 1, false)));
        !crowd.are_taken(&object(name, 1, false))
    });
    assert_eq!(admitted, [true, true, false, false], "objects of the same second, without users");
    let other = serde_json::from_value(
        json!({ "metadata": { "namespace": "web", "name": "z" }, "spec": {} , "apiVersion": "elasticache-users.dev/v1alpha1", "kind": "ElastiCacheUser" }),
    );
    assert!(!places(1, &younger).are_taken(&other.unwrap()), "another namespace");
}

#[test]
fn as_many_waiting_objects_are_woken_as_places_became_free() {
    let waiting = [object("c", 3, false), object("d", 4, false)];
    let before = || {
        let places = places(2, &[object("a", 1, true), object("b", 2, true)]);
        for object in &waiting {
            places.follow(&Event::Apply(object.clone()));
            assert!(places.are_taken(object));
        }
        places
    };
    let gone = |name: &str, second| Event::Delete(object(name, second, true));
    let places = before();
    assert_eq!(places.follow(&gone("b", 2)), ["shop/c"]);
    assert!(places.follow(&Event::Apply(object("c", 3, true))).is_empty());
    assert_eq!(places.follow(&gone("a", 1)), ["shop/d"]);
    assert!(places.follow(&gone("c", 3)).is_empty(), "nobody waits");
    // No pass has told this object to wait, so its first pass is still to come.
    let places = before();
    places.follow(&Event::Apply(object("e", 5, false)));
    assert_eq!(places.sweep(Some("shop"), &HashSet::from(["e-5".to_owned()])), [""; 0]);
    // A younger object gives up its user.
    let places = before();
    places.follow(&Event::Apply(object("z", 9, true)));
    places.follow(&gone("a", 1));
    assert_eq!(places.follow(&Event::Apply(object("z", 9, false))), ["shop/c"]);
    let places = before();
    let uids = HashSet::from(["b-2", "c-3", "d-4"].map(str::to_owned));
    assert_eq!(places.sweep(Some("web"), &uids), [""; 0]);
    assert_eq!(places.sweep(None, &uids), ["shop/c"]);
}

/// What an object of the reference knows. It looks through all objects at each question.
#[derive(Clone, Debug)]
struct Known {
    second: u8,
    holds: bool,
    admitted: bool,
    waits: bool,
}

type Reference = std::collections::BTreeMap<String, Known>;

fn reference_is_full(all: &Reference, name: &str, second: u8, limit: u32) -> bool {
    let is_before = |(other, known): &(&String, &Known)| {
        *other != name && (known.holds || known.admitted || (known.second, other.as_str()) < (second, name))
    };
    u32::try_from(all.iter().filter(is_before).count()).unwrap() >= limit
}

fn reference_freed(all: &mut Reference, limit: u32) -> Vec<String> {
    let before = all.clone();
    let is_free = |(name, known): &(&String, &mut Known)| {
        known.waits && !reference_is_full(&before, name, known.second, limit)
    };
    let freed = all.iter_mut().filter(is_free);
    freed
        .map(|(name, known)| {
            known.waits = false;
            format!("shop/{name}")
        })
        .collect()
}

#[derive(Clone, Debug)]
enum Step {
    Apply { name: &'static str, second: u8, holds: bool },
    Delete(&'static str),
    Ask { name: &'static str, second: u8 },
}

fn steps() -> impl Strategy<Value = Step> {
    let name = || select(vec!["a", "b", "c", "d", "e"]);
    prop_oneof![
        (name(), 1..4_u8, any::<bool>()).prop_map(|(name, second, holds)| Step::Apply {
            name,
            second,
            holds
        }),
        name().prop_map(Step::Delete),
        (name(), 1..4_u8).prop_map(|(name, second)| Step::Ask { name, second }),
    ]
}

proptest! {
    #[test]
    fn places_are_given_as_if_all_objects_were_looked_at_for_each_question(
        limit in 1..5_u32,
        steps in prop::collection::vec(steps(), 1..60),
    ) {
        let (places, mut all) = (places(limit, &[]), Reference::new());
        for step in steps {
            match &step {
                Step::Apply { name, second, holds } => {
                    let known = Known { second: *second, holds: *holds, admitted: false, waits: false };
                    let before = all.remove(*name).filter(|before| before.second == *second);
                    let kept = before.map_or(known.clone(), |before| Known {
                        admitted: before.admitted && (*holds || !before.holds),
                        waits: before.waits,
                        ..known
                    });
                    all.insert((*name).to_owned(), kept);
                    let mut freed = places.follow(&Event::Apply(object(name, *second, *holds)));
                    freed.sort();
                    prop_assert_eq!(freed, reference_freed(&mut all, limit), "{:?}", step);
                }
                Step::Delete(name) => {
                    all.remove(*name);
                    let mut freed = places.follow(&Event::Delete(object(name, 1, false)));
                    freed.sort();
                    prop_assert_eq!(freed, reference_freed(&mut all, limit), "{:?}", step);
                }
                Step::Ask { name, second } => {
                    let second = all.get(*name).map_or(*second, |known| known.second);
                    let full = reference_is_full(&all, name, second, limit);
                    if let Some(known) = all.get_mut(*name) {
                        (known.waits, known.admitted) = (full, !full);
                    }
                    prop_assert_eq!(places.are_taken(&object(name, second, false)), full, "{:?}", step);
                }
            }
        }
    }
}

#[test]
fn a_sweep_over_ten_thousand_objects_takes_few_comparisons_for_each_of_them() {
    const OBJECTS: usize = 10_000;
    let objects: Vec<_> =
        (0..OBJECTS).map(|number| object(&format!("app-{number}"), 1, number % 2 == 0)).collect();
    for limit in [1, 5_000, 9_999, 20_000] {
        let places = places(limit, &objects);
        COMPARISONS.set(0);
        for _ in 0..2 {
            for object in objects.iter().rev() {
                let _ = places.are_taken(object);
            }
        }
        for object in &objects {
            places.follow(&Event::Delete(object.clone()));
        }
        // A look at all objects for each question would take 10,000 for each.
        let each = COMPARISONS.get() / OBJECTS;
        assert!((1..500).contains(&each), "limit {limit}: {each}");
    }
}
