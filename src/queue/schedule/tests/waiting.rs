//! Objects that wait for AWS: each is polled, or left to a listing of all users.

use super::*;

#[test]
fn many_objects_that_wait_for_aws_are_left_to_a_listing_and_only_one_of_them_has_a_timer() {
    let mut schedule = schedule(1);
    schedule.set_most_polled(2);
    for (name, expected) in [("shop/a", 0), ("shop/b", 0), ("shop/c", 2), ("shop/d", 3)] {
        schedule.waits(name, 0.0);
        assert_eq!(schedule.listed().len(), expected, "{name}");
    }
    assert_eq!(schedule.next_due(), Some(at(5.0)));
    assert_eq!(schedule.next(5.0), begins("shop/c", Class::Progress));
    schedule.finish("shop/c", Some(5 * SECOND), 5.0);
    schedule.polls(&key("shop/c"), at(5.0));
    assert_eq!((schedule.listed().len(), schedule.next_due()), (3, Some(at(10.0))), "it still waits");
    schedule.forget(&key("shop/c"));
    // A change is served as usual, and the object does not wait any more.
    schedule.ask("shop/a", Trigger::Edit, 100.0);
    assert_eq!(schedule.next(100.0), begins("shop/a", Class::Change));
    schedule.finish("shop/a", None, 100.0);
    schedule.forget(&key("shop/b"));
    let mut listed = schedule.listed();
    listed.sort();
    assert_eq!(listed, [key("shop/d")]);
    // A pass that does more than wait keeps its timer.
    schedule.ask("shop/d", Trigger::Listed(Class::Repeat), 101.0);
    assert!(schedule.next(101.0).is_some());
    schedule.finish("shop/d", Some(SECOND), 101.0);
    assert_eq!(schedule.next_due(), Some(at(102.0)));
}

#[test]
fn an_object_that_changed_a_short_time_ago_is_polled_although_many_others_wait_for_a_long_time() {
    let mut schedule = schedule(1);
    schedule.set_most_polled(2);
    for name in ["shop/a", "shop/b", "shop/c"] {
        schedule.ask(name, Trigger::Listed(Class::Repeat), 0.0);
        assert!(schedule.next(0.0).is_some());
        schedule.finish(name, Some(500 * SECOND), 0.0);
        schedule.polls(&key(name), at(0.0));
    }
    assert_eq!(schedule.listed().len(), 2);
    // Half a minute after the edit the object still has a timer of its own, beside one of the others. After a minute it is left to
    // the listing too.
    schedule.ask("shop/edited", Trigger::Edit, 100.0);
    for (time, listed, next_due) in
        [(100.0, 2, Some(at(105.0))), (130.0, 2, Some(at(135.0))), (161.0, 3, Some(at(500.0)))]
    {
        assert!(schedule.next(time).is_some(), "{time}");
        schedule.finish("shop/edited", Some(5 * SECOND), time);
        schedule.polls(&key("shop/edited"), at(time));
        assert_eq!((schedule.listed().len(), schedule.next_due()), (listed, next_due), "{time}");
    }
}

#[test]
fn the_end_of_the_wait_of_the_one_that_is_polled_asks_for_a_listing_once() {
    let mut schedule = schedule(1);
    schedule.set_most_polled(2);
    for (name, seconds) in [("shop/a", 0.0), ("shop/b", 1.0), ("shop/c", 2.0), ("shop/d", 3.0)] {
        schedule.waits(name, seconds);
        assert!(!schedule.take_ended_probe(), "{name} waits");
    }
    assert_eq!(schedule.next(7.0), begins("shop/c", Class::Progress));
    assert!(!schedule.take_ended_probe(), "its pass is under way");
    schedule.finish("shop/c", None, 9.0);
    assert!(schedule.take_ended_probe() && !schedule.take_ended_probe(), "it waits no more");
    // The next one to be polled is the last of the others.
    assert_eq!(schedule.newest_listed(), Some(key("shop/d")));
}

#[test]
fn an_object_that_changed_a_short_time_ago_is_polled_instead_of_one_that_has_waited_for_long() {
    let mut schedule = schedule(1);
    schedule.set_most_polled(2);
    for name in ["shop/a", "shop/b", "shop/stuck"] {
        schedule.waits_long(name, 500, 0.0);
    }
    // So many objects change that they are left to the listing too.
    for name in ["shop/d", "shop/e", "shop/f", "shop/g"] {
        schedule.waits(name, 100.0);
    }
    while let Some((name, _)) = schedule.next(105.0) {
        schedule.finish(&name, None, 105.0);
    }
    assert!(schedule.take_ended_probe(), "one that changed a short time ago was polled");
    assert!(schedule.listed().contains(&key("shop/stuck")));
}
