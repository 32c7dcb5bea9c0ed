use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: u64) -> Moment {
    Moment::after_start(Duration::from_secs(seconds))
}

#[test]
fn tags_that_differ_are_compared_until_they_match() {
    let (mut memory, pace, generation) = (Memory::default(), Pace::default(), Some(3));
    // After a start the comparisons are spread.
    let half = Moment::after_start(pace.tag_resync / 2);
    assert!(!memory.tags_due(generation, true, &pace, at(0), 0.5));
    assert!(memory.tags_due(generation, true, &pace, half, 0.5));
    memory.tags_match(generation, &pace, at(0), 0.5);
    assert!(!memory.tags_due(generation, true, &pace, at(0), 0.5));
    memory.tags_differ(at(0));
    for (now, is_ready) in [(0, true), (1, false), (2, true)] {
        assert!(memory.tags_due(generation, is_ready, &pace, at(now), 0.5));
    }
    memory.tags_match(generation, &pace, at(3), 0.5);
    assert!(!memory.tags_due(generation, false, &pace, at(3), 0.5));
}

#[test]
fn a_create_request_in_the_future_ages_from_the_moment_it_was_first_seen() {
    let mut memory = Memory::default();
    let now = |seconds: u64| Now { moment: at(seconds), utc: Timestamp(1_000_000_000_000) };
    let (past, future) = (Timestamp(999_980_000_000), Timestamp(1_003_600_000_000));
    assert_eq!(memory.age(past, now(0)), 20 * SECOND);
    assert_eq!(memory.age(future, now(0)), Duration::ZERO);
    assert_eq!(memory.age(future, now(50)), 50 * SECOND);
    let another = Timestamp(future.0 + 1);
    assert_eq!(memory.age(another, now(50)), Duration::ZERO);
}

#[test]
fn last_applied_is_forgotten_once_another_process_has_requested_the_deletion() {
    let applied = LastApplied { access_string: Some("on ~* +@all".to_owned()), ..LastApplied::default() };
    let mut memory = Memory { before_deletion: Some(Box::new(applied.clone())), ..Memory::default() };
    let mut object = ObjectFacts::default();
    object.status.delete_requested_by = Some("me".to_owned());
    let record = memory.record(&object, "me", &Pace::default(), Now::default());
    assert_eq!(record.deletion.last_applied(), Some(&applied));
    object.status.delete_requested_by = Some("another".to_owned());
    let record = memory.record(&object, "me", &Pace::default(), Now::default());
    assert!(record.deletion.is_requested() && !record.deletion.is_ours());
    object.status.delete_requested_by = Some("me".to_owned());
    let record = memory.record(&object, "me", &Pace::default(), Now::default());
    assert_eq!(record.deletion.last_applied(), None);
}

#[test]
fn a_creation_is_open_until_it_is_settled_and_only_its_tag_keys_are_known_of_a_user_that_was_seen_gone() {
    let requested = Now::default().utc;
    let keys = LastApplied { tag_keys: vec!["team".to_owned()], ..LastApplied::default() };
    let all = LastApplied { access_string: Some("on ~* +@all".to_owned()), ..keys.clone() };
    let mut object = ObjectFacts::default();
    object.status.create_requested_at = Some(requested);
    object.status.last_applied = Some(all.clone());
    let earlier = Some(Timestamp(requested.0 - 1));
    for (settled, seen_gone, creation, last_applied) in [
        (None, false, Creation::Open, Some(&all)),
        (earlier, true, Creation::Open, Some(&keys)),
        (Some(requested), false, Creation::Closed, Some(&all)),
        (Some(requested), true, Creation::Closed, None),
    ] {
        let mut memory = Memory { creation_settled: settled, seen_gone, ..Memory::default() };
        let record = memory.record(&object, "me", &Pace::default(), Now::default());
        assert_eq!((record.creation, record.last_applied.as_ref()), (creation, last_applied), "{settled:?}");
    }
}
