use super::*;

mod waiting;

const SECOND: Duration = Duration::from_secs(1);

fn at(seconds: f64) -> Moment {
    Moment::after_start(Duration::from_secs_f64(seconds))
}

fn schedule(slots: usize) -> Schedule {
    Schedule::new(slots, SECOND)
}

fn key(name: &str) -> Key {
    Key::from(name)
}

impl Schedule {
    fn ask(&mut self, name: &str, trigger: Trigger, seconds: f64) -> Option<Class> {
        self.request(&key(name), trigger, at(seconds))
    }

    /// The name and class of the pass that begins.
    fn next(&mut self, seconds: f64) -> Option<(String, Class)> {
        self.begin(at(seconds)).map(|begin| (begin.key.to_string(), begin.class))
    }

    fn finish(&mut self, name: &str, next: Option<Duration>, seconds: f64) {
        self.end(&key(name), next, at(seconds));
    }

    /// The object changes, and its pass finds that it has to wait for AWS.
    fn waits(&mut self, name: &str, seconds: f64) {
        self.waits_long(name, 5, seconds);
    }

    /// The same, and the next look is due after so many seconds.
    fn waits_long(&mut self, name: &str, pause: u32, seconds: f64) {
        self.ask(name, Trigger::Edit, seconds);
        assert!(self.next(seconds).is_some());
        self.finish(name, Some(pause * SECOND), seconds);
        self.polls(&key(name), at(seconds));
    }
}

fn begins(name: &str, class: Class) -> Option<(String, Class)> {
    Some((name.to_owned(), class))
}

#[test]
fn a_changed_object_is_served_before_checks_although_it_waited_as_a_check() {
    let mut schedule = schedule(1);
    for name in ["shop/a", "shop/b", "shop/c"] {
        schedule.ask(name, Trigger::Listed(Class::Check), 0.0);
    }
    schedule.ask("shop/c", Trigger::Change, 0.0);
    assert_eq!(schedule.depth(), 3);
    assert_eq!(schedule.next(0.0), begins("shop/c", Class::Change));
    schedule.finish("shop/c", None, 0.0);
    assert_eq!(schedule.next(0.0), begins("shop/a", Class::Check));
}

#[test]
fn an_object_that_changes_all_the_time_keeps_its_place_in_the_queue() {
    let mut schedule = schedule(1);
    schedule.ask("shop/a", Trigger::Edit, 0.0);
    schedule.ask("shop/b", Trigger::Edit, 0.0);
    schedule.ask("shop/a", Trigger::Edit, 0.1);
    assert_eq!(schedule.next(0.2), begins("shop/a", Class::Change));
}

#[test]
fn passes_over_one_object_begin_a_second_apart_unless_it_was_edited() {
    let rows = [
        ("an annotation or a Secret changed", Some(Trigger::Change), None, 11.0),
        ("its spec changed", Some(Trigger::Edit), None, 10.3),
        ("the pass wants the next one at once", None, Some(Duration::ZERO), 11.0),
        ("the pass wants the next one after two seconds", None, Some(2 * SECOND), 12.3),
        ("the earlier of both counts", Some(Trigger::Change), Some(2 * SECOND), 11.0),
        ("an edit is the earlier one", Some(Trigger::Edit), Some(2 * SECOND), 10.3),
    ];
    for (claim, trigger, next, due) in rows {
        for meanwhile in [false, true] {
            let mut schedule = schedule(2);
            schedule.ask("shop/a", Trigger::Edit, 10.0);
            assert!(schedule.next(10.0).is_some());
            if let (true, Some(trigger)) = (meanwhile, trigger) {
                schedule.ask("shop/a", trigger, 10.3);
            }
            schedule.finish("shop/a", next, 10.3);
            if let (false, Some(trigger)) = (meanwhile, trigger) {
                schedule.ask("shop/a", trigger, 10.3);
            }
            if due > 10.3 {
                assert_eq!(schedule.next(due - 0.001), None, "{claim}, {meanwhile}");
                assert_eq!(schedule.next_due(), Some(at(due)), "{claim}, {meanwhile}");
            }
            assert!(schedule.next(due).is_some(), "{claim}, {meanwhile}");
        }
    }
}

#[test]
fn retries_have_a_higher_class_for_a_minute_after_a_change() {
    let mut schedule = schedule(1);
    schedule.ask("shop/a", Trigger::Edit, 0.0);
    assert_eq!(schedule.next(0.0), begins("shop/a", Class::Change));
    schedule.finish("shop/a", Some(5 * SECOND), 1.0);
    assert_eq!(schedule.next(6.0), begins("shop/a", Class::Progress));
    schedule.finish("shop/a", Some(5 * SECOND), 61.0);
    assert_eq!(schedule.next(66.0), begins("shop/a", Class::Repeat));
}

#[test]
fn an_object_is_at_rest_if_no_pass_is_due_and_the_last_one_is_over() {
    let mut schedule = schedule(1);
    let rests = |schedule: &Schedule, since| schedule.is_at_rest("shop/a", at(since));
    assert!(rests(&schedule, 0.0), "an object that never had a pass is at rest");
    schedule.ask("shop/a", Trigger::Edit, 1.0);
    assert!(!rests(&schedule, 1.0), "a pass is due");
    assert!(schedule.next(1.0).is_some());
    assert!(!rests(&schedule, 2.0), "the pass is under way");
    schedule.finish("shop/a", None, 3.0);
    assert!(
        !rests(&schedule, 2.9) && rests(&schedule, 3.1),
        "a listing from before the end of the pass is older"
    );
    schedule.ask("shop/a", Trigger::Edit, 4.0);
    assert!(schedule.next(4.0).is_some());
    schedule.finish("shop/a", Some(SECOND), 4.0);
    assert!(!rests(&schedule, 9.0), "the next pass is due later");
}

#[test]
fn a_change_during_a_pass_raises_its_class_and_requests_another_pass() {
    let mut schedule = schedule(2);
    schedule.ask("shop/a", Trigger::Listed(Class::Check), 0.0);
    assert_eq!(schedule.next(0.0), begins("shop/a", Class::Check));
    assert_eq!(schedule.ask("shop/a", Trigger::Edit, 0.5), Some(Class::Change));
    assert_eq!(schedule.next(0.5), None, "never two passes over one object");
    schedule.finish("shop/a", Some(600 * SECOND), 0.6);
    assert_eq!(schedule.next(0.6), begins("shop/a", Class::Change));
    schedule.finish("shop/a", None, 2.0);
    assert_eq!((schedule.next(9999.0), schedule.next_due()), (None, None));
}

#[test]
fn an_object_that_is_gone_is_forgotten() {
    let mut schedule = schedule(1);
    schedule.ask("shop/later", Trigger::Edit, 0.0);
    assert!(schedule.next(0.0).is_some());
    schedule.finish("shop/later", Some(SECOND), 0.0);
    schedule.ask("shop/waiting", Trigger::Edit, 0.0);
    schedule.ask("shop/a", Trigger::Edit, 0.0);
    for name in ["shop/later", "shop/waiting", "shop/unknown"] {
        schedule.forget(&key(name));
    }
    assert_eq!(schedule.next(5.0), begins("shop/a", Class::Change));
    schedule.ask("shop/a", Trigger::Edit, 5.0);
    schedule.forget(&key("shop/a"));
    schedule.finish("shop/a", Some(SECOND), 5.0);
    assert_eq!(schedule.next(99.0), None);
    assert!(schedule.objects.is_empty() && schedule.later.is_empty() && schedule.depth() == 0);
    // Somebody created the object again during the pass.
    schedule.ask("shop/a", Trigger::Edit, 100.0);
    assert!(schedule.next(100.0).is_some());
    schedule.forget(&key("shop/a"));
    schedule.ask("shop/a", Trigger::Edit, 100.1);
    schedule.finish("shop/a", None, 100.1);
    assert_eq!(schedule.next(100.2), begins("shop/a", Class::Change));
}

#[test]
fn a_pass_that_waits_holds_no_slot_and_gets_one_before_others_begin() {
    let mut schedule = schedule(1);
    for name in ["shop/a", "shop/b", "shop/c"] {
        schedule.ask(name, Trigger::Edit, 0.0);
    }
    assert_eq!(schedule.next(0.0), begins("shop/a", Class::Change));
    assert_eq!(schedule.next(0.0), None);
    schedule.give_back(&key("shop/a"));
    assert_eq!(schedule.next(0.0), begins("shop/b", Class::Change));
    schedule.take_again(&key("shop/a"));
    assert_eq!(schedule.resume(), None, "no slot is free");
    schedule.finish("shop/b", None, 0.0);
    assert_eq!(schedule.resume(), Some(key("shop/a")));
    assert!(schedule.holds_slot(&key("shop/a")) && schedule.held() == 1);
    assert_eq!(schedule.next(0.0), None);
    // A pass may end in any state.
    schedule.give_back(&key("shop/a"));
    assert_eq!(schedule.next(0.0), begins("shop/c", Class::Change));
    schedule.take_again(&key("shop/a"));
    schedule.finish("shop/a", None, 0.0);
    schedule.finish("shop/c", None, 0.0);
    assert_eq!((schedule.resume(), schedule.held()), (None, 0));
}

#[test]
fn few_passes_are_under_way_and_each_namespace_may_always_have_one() {
    let mut schedule = schedule(2);
    for number in 0..100 {
        schedule.ask(&format!("crowd/{number}"), Trigger::Edit, 0.0);
    }
    let mut begun = 0;
    while let Some((name, _)) = schedule.next(0.0) {
        schedule.give_back(&key(&name));
        begun += 1;
    }
    assert_eq!(begun, 2 * UNDER_WAY);
    schedule.ask("other/a", Trigger::Edit, 0.0);
    schedule.ask("other/b", Trigger::Edit, 0.0);
    schedule.ask("crowd/check", Trigger::Listed(Class::Check), 0.0);
    assert_eq!(schedule.next(0.0), begins("other/a", Class::Change));
    assert_eq!(
        schedule.next(0.0),
        begins("crowd/check", Class::Check),
        "the limit holds for each class separately"
    );
    assert_eq!(schedule.next(0.0), None);
    schedule.finish("other/a", None, 0.0);
    schedule.finish("crowd/0", None, 0.0);
    assert!(schedule.next(0.0).is_some());
}

/// `name/number` of a busy cluster: each pass takes a while, and the objects change at random.
struct Cluster {
    random: fastrand::Rng,
    schedule: Schedule,
    now: Duration,
    /// The passes under way, and when they end.
    passes: Vec<(Key, Duration)>,
    /// When each object's last pass began.
    begun: HashMap<Key, Duration>,
    /// Objects that were edited since their last pass began, and since when.
    edited: HashMap<Key, Duration>,
    objects: Vec<Key>,
}

impl Cluster {
    const SLOTS: usize = 5;
    const TICK: Duration = Duration::from_millis(20);

    fn new(seed: u64, objects: u32) -> Self {
        let objects = (0..objects).map(|number| key(&format!("{}/{number}", number % 7))).collect();
        Self {
            random: fastrand::Rng::with_seed(seed),
            schedule: schedule(Self::SLOTS),
            now: Duration::ZERO,
            passes: Vec::new(),
            begun: HashMap::new(),
            edited: HashMap::new(),
            objects,
        }
    }

    fn tick(&mut self, edits: u32) {
        let now = Moment::after_start(self.now);
        for _ in 0..edits {
            let key = self.objects[self.random.usize(..self.objects.len())].clone();
            let trigger = if self.random.bool() { Trigger::Edit } else { Trigger::Change };
            if trigger == Trigger::Edit {
                self.edited.entry(key.clone()).or_insert(self.now);
            }
            self.schedule.request(&key, trigger, now);
        }
        let (ended, passes) = self.passes.drain(..).partition(|(_, end)| *end <= self.now);
        self.passes = passes;
        for (key, _) in ended {
            let pause = Duration::from_millis(self.random.u64(..60_000));
            // Half of the passes find that the object needs nothing.
            self.schedule.end(&key, self.random.bool().then_some(pause), now);
        }
        while let Some(Begin { key, .. }) = self.schedule.begin(now) {
            assert!(self.passes.iter().all(|(other, _)| *other != key), "two passes over {key}");
            let before = self.begun.insert(key.clone(), self.now);
            let edited = self.edited.remove(&key).is_some();
            assert!(
                edited || before.is_none_or(|before| self.now - before >= SECOND),
                "a pass over {key} began too soon"
            );
            let takes = Duration::from_millis(self.random.u64(10..80));
            self.passes.push((key, self.now + takes));
        }
        assert!(self.passes.len() <= Self::SLOTS);
        self.now += Self::TICK;
    }
}

#[test]
fn thousands_of_objects_that_change_at_random_all_get_their_passes() {
    for seed in 0..3 {
        let mut cluster = Cluster::new(seed, 4000);
        for key in cluster.objects.clone() {
            cluster.schedule.request(&key, Trigger::Listed(Class::Check), Moment::default());
        }
        // About a hundred passes a second are possible. Twenty changes a second leave room for all others.
        for tick in 0..6000 {
            cluster.tick(u32::from(tick % 5 == 0) * 2);
            let oldest = cluster.edited.values().map(|since| cluster.now - *since).max();
            assert!(oldest.is_none_or(|age| age < 2 * SECOND), "seed {seed}: an edit waits for {oldest:?}");
        }
        let never = cluster.objects.iter().filter(|key| !cluster.begun.contains_key(*key)).count();
        assert_eq!(never, 0, "seed {seed}: some objects never had a pass");
    }
}

#[test]
fn a_waiting_object_costs_at_most_a_kibibyte() {
    // Each collection may have room for twice as many as are there. The longest name is 253 bytes, the longest namespace 63.
    let entry = 2 * (size_of::<(Key, Entry)>() + 1);
    let waits = 2 * size_of::<(u64, Key)>();
    let is_due_later = 2 * size_of::<(Moment, Key)>();
    let name = 2 * size_of::<usize>() + 253 + 1 + 63;
    let bytes = entry + waits.max(is_due_later) + name;
    assert!(bytes <= 1024, "{bytes}");
}
