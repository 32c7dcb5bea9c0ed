//! Pure: when a pass over each object is due, and whose pass begins next. Time is an argument.

mod polling;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use plan::Moment;

use super::fair::{Class, FairOrder, Ticket};

/// `namespace/name` of an object.
pub(crate) type Key = Arc<str>;

/// For so long after a change, the retries and polls of an object count as [`Class::Progress`].
const PROGRESS: Duration = Duration::from_secs(60);
/// A class has at most so many passes under way for each slot, because a pass that waits for a token holds no slot. A
/// namespace may always have one.
const UNDER_WAY: usize = 4;

/// Why a pass is requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trigger {
    /// The object is new, or its spec or deletionTimestamp changed.
    Edit,
    /// Something else changed that the pass reads: our annotations or finalizer, a Secret, or a user ID that is free now.
    Change,
    /// A list shows an object that nobody changed as far as is known. The class follows from its status.
    Listed(Class),
}

/// A pass that is due at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct DuePass {
    at: Moment,
    class: Class,
}

#[derive(Debug, Default)]
struct Entry {
    state: State,
    /// When the last pass began.
    begun: Option<Moment>,
    /// When the object last changed.
    changed: Option<Moment>,
    /// When the last pass ended.
    ended: Option<Moment>,
    /// The object waits for AWS, and a listing replaces its polls.
    is_listed: bool,
}

impl Entry {
    fn changed_recently(&self, now: Moment) -> bool {
        self.changed.is_some_and(|changed| now.since(changed) < PROGRESS)
    }
}

#[derive(Debug, Default)]
enum State {
    /// Nothing is requested.
    #[default]
    Idle,
    /// The pass is due later.
    Later(DuePass),
    /// The pass is due and waits for a slot.
    Waiting(DuePass, Ticket),
    UnderWay(UnderWay),
}

#[derive(Debug)]
struct UnderWay {
    /// The class that the pass began with.
    class: Class,
    slot: Slot,
    /// The pass that was requested meanwhile.
    again: Option<DuePass>,
    /// The object is gone.
    forgotten: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slot {
    Held,
    GivenBack,
    Wanted,
}

/// A pass that begins.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Begin {
    pub(crate) key: Key,
    pub(crate) class: Class,
    /// Since it was due.
    pub(crate) waited: Duration,
}

#[derive(Debug)]
pub(crate) struct Schedule {
    slots: usize,
    /// How many slots nobody holds.
    free: usize,
    /// Two passes over one object begin at least so long after each other, except after [`Trigger::Edit`].
    spacing: Duration,
    /// A class has at most so many passes under way. A namespace may always have one.
    most_under_way: usize,
    objects: HashMap<Key, Entry>,
    later: BTreeSet<(Moment, Key)>,
    waiting: FairOrder<Key>,
    /// Passes that gave their slot back and want one again.
    returning: VecDeque<Key>,
    under_way: [Crowd; Class::ALL.len()],
    /// Objects that wait for AWS: their last pass asked for a poll, which may be under way.
    polling: HashSet<Key>,
    /// If more objects poll, a listing is cheaper.
    most_polled: usize,
    /// One of the objects that are left to a listing. It is polled, so that one look tells when the next listing has much to show.
    probe: Option<Key>,
}

/// The passes of one class that are under way.
#[derive(Debug, Default)]
struct Crowd {
    total: usize,
    namespaces: HashMap<Arc<str>, usize>,
}

impl Schedule {
    pub(crate) fn new(slots: usize, spacing: Duration) -> Self {
        Self {
            slots,
            free: slots,
            spacing,
            most_under_way: slots * UNDER_WAY,
            objects: HashMap::new(),
            later: BTreeSet::new(),
            waiting: FairOrder::default(),
            returning: VecDeque::new(),
            under_way: Default::default(),
            polling: HashSet::new(),
            most_polled: usize::MAX,
            probe: None,
        }
    }

    /// Requests a pass. Returns the class that a pass under way continues with: a change lifts it too.
    pub(crate) fn request(&mut self, key: &Key, trigger: Trigger, now: Moment) -> Option<Class> {
        let entry = self.objects.entry(key.clone()).or_default();
        let class = match trigger {
            Trigger::Edit | Trigger::Change => {
                entry.changed = Some(now);
                Class::Change
            }
            Trigger::Listed(class) => class,
        };
        let at = match trigger {
            Trigger::Edit => now,
            Trigger::Change | Trigger::Listed(_) => spaced(entry.begun, now, self.spacing),
        };
        let request = DuePass { at, class };
        if let State::UnderWay(under_way) = &mut entry.state {
            under_way.again = Some(earlier(under_way.again, request));
            under_way.forgotten = false;
            return Some(class);
        }
        if let State::Waiting(before, _) = &entry.state
            && before.class <= class
        {
            // It keeps its place, because otherwise an object that changes all the time would never be served.
            return None;
        }
        let before = self.withdraw(key);
        self.file(key, earlier(before, request), now);
        None
    }

    /// The object is gone.
    pub(crate) fn forget(&mut self, key: &Key) {
        self.polling.remove(key);
        if let Some(Entry { state: State::UnderWay(under_way), .. }) = self.objects.get_mut(key) {
            under_way.again = None;
            under_way.forgotten = true;
        } else {
            self.withdraw(key);
            self.objects.remove(key);
        }
    }

    /// The next pass that may begin now. It holds a slot until [`Self::give_back`] or [`Self::end`].
    pub(crate) fn begin(&mut self, now: Moment) -> Option<Begin> {
        self.advance(now);
        if self.free == 0 {
            return None;
        }
        let (under_way, most) = (&self.under_way, self.most_under_way);
        let (class, key) = self.waiting.pop(|class, namespace| {
            let crowd = &under_way[class as usize];
            crowd.total < most || !crowd.namespaces.contains_key(namespace)
        })?;
        let entry = self.objects.entry(key.clone()).or_default();
        let due = match &entry.state {
            State::Waiting(request, _) => request.at,
            State::Idle | State::Later(_) | State::UnderWay(_) => now,
        };
        entry.begun = Some(now);
        entry.is_listed = false;
        entry.state = State::UnderWay(UnderWay { class, slot: Slot::Held, again: None, forgotten: false });
        self.free -= 1;
        self.under_way[class as usize].enter(namespace(&key));
        Some(Begin { waited: now.since(due), class, key })
    }

    /// The pass waits for something that takes long.
    pub(crate) fn give_back(&mut self, key: &Key) {
        if let Some(under_way) = self.pass(key).filter(|pass| pass.slot == Slot::Held) {
            under_way.slot = Slot::GivenBack;
            self.free += 1;
        }
    }

    /// The pass has waited, and wants a slot again. [`Self::resume`] grants it.
    pub(crate) fn take_again(&mut self, key: &Key) {
        if let Some(under_way) = self.pass(key).filter(|pass| pass.slot == Slot::GivenBack) {
            under_way.slot = Slot::Wanted;
            self.returning.push_back(key.clone());
        }
    }

    /// The next pass that gets a slot again. To be called before [`Self::begin`], because these passes go first.
    pub(crate) fn resume(&mut self) -> Option<Key> {
        if self.free == 0 {
            return None;
        }
        let key = self.returning.pop_front()?;
        self.pass(&key)?.slot = Slot::Held;
        self.free -= 1;
        Some(key)
    }

    /// The pass has ended. `next` is after how long the object wants the next one.
    pub(crate) fn end(&mut self, key: &Key, next: Option<Duration>, now: Moment) {
        let Some(entry) = self.objects.get_mut(key) else { return };
        let State::UnderWay(pass) = std::mem::take(&mut entry.state) else { return };
        entry.ended = Some(now);
        self.polling.remove(key);
        let next = next.map(|pause| {
            let class = if entry.changed_recently(now) { Class::Progress } else { Class::Repeat };
            DuePass { at: spaced(entry.begun, now + pause, self.spacing), class }
        });
        match pass.slot {
            Slot::Held => self.free += 1,
            Slot::GivenBack => {}
            Slot::Wanted => self.returning.retain(|returning| returning != key),
        }
        self.under_way[pass.class as usize].leave(namespace(key));
        match (pass.again, next) {
            _ if pass.forgotten => drop(self.objects.remove(key)),
            (Some(again), next) => self.file(key, earlier(next, again), now),
            (None, Some(next)) => self.file(key, next, now),
            (None, None) => {}
        }
    }

    /// When [`Self::begin`] has to be called again, if nothing else happens before.
    pub(crate) fn next_due(&self) -> Option<Moment> {
        self.later.first().map(|(at, _)| *at)
    }

    /// No pass is requested or under way, and the last one ended before `since`.
    pub(crate) fn is_at_rest(&self, key: &str, since: Moment) -> bool {
        self.objects.get(key).is_none_or(|entry| {
            matches!(entry.state, State::Idle) && entry.ended.is_none_or(|ended| ended < since)
        })
    }

    /// How many passes are due and wait for a slot.
    pub(crate) fn depth(&self) -> usize {
        self.waiting.len()
    }

    pub(crate) fn holds_slot(&self, key: &Key) -> bool {
        let state = self.objects.get(key).map(|entry| &entry.state);
        matches!(state, Some(State::UnderWay(UnderWay { slot: Slot::Held, .. })))
    }

    /// How many slots are held.
    pub(crate) fn held(&self) -> usize {
        self.slots - self.free
    }

    /// Moves what is due to those who wait.
    fn advance(&mut self, now: Moment) {
        while let Some((at, key)) = self.later.first().filter(|(at, _)| *at <= now).cloned() {
            self.later.remove(&(at, key.clone()));
            if let Some(entry) = self.objects.get_mut(&key)
                && let State::Later(request) = entry.state
            {
                let ticket = self.waiting.push(request.class, namespace(&key), key.clone());
                entry.state = State::Waiting(request, ticket);
            }
        }
    }

    /// Takes back what was requested for an object that has no pass under way.
    fn withdraw(&mut self, key: &Key) -> Option<DuePass> {
        let entry = self.objects.get_mut(key)?;
        match std::mem::take(&mut entry.state) {
            State::Later(request) => {
                self.later.remove(&(request.at, key.clone()));
                Some(request)
            }
            State::Waiting(request, ticket) => {
                self.waiting.remove(namespace(key), ticket);
                Some(request)
            }
            State::Idle => None,
            state @ State::UnderWay(_) => {
                entry.state = state;
                None
            }
        }
    }

    fn file(&mut self, key: &Key, request: DuePass, now: Moment) {
        let Some(entry) = self.objects.get_mut(key) else { return };
        if request.at > now {
            entry.state = State::Later(request);
            self.later.insert((request.at, key.clone()));
        } else {
            let ticket = self.waiting.push(request.class, namespace(key), key.clone());
            entry.state = State::Waiting(request, ticket);
        }
    }

    fn pass(&mut self, key: &Key) -> Option<&mut UnderWay> {
        match &mut self.objects.get_mut(key)?.state {
            State::UnderWay(under_way) => Some(under_way),
            State::Idle | State::Later(_) | State::Waiting(..) => None,
        }
    }
}

impl Crowd {
    fn enter(&mut self, namespace: &str) {
        self.total += 1;
        if let Some(count) = self.namespaces.get_mut(namespace) {
            *count += 1;
        } else {
            self.namespaces.insert(Arc::from(namespace), 1);
        }
    }

    fn leave(&mut self, namespace: &str) {
        self.total -= 1;
        if let Some(count) = self.namespaces.get_mut(namespace) {
            *count -= 1;
            if *count == 0 {
                self.namespaces.remove(namespace);
            }
        }
    }
}

/// The namespace in a key.
pub(super) fn namespace(key: &str) -> &str {
    key.split_once('/').map_or("", |(namespace, _)| namespace)
}

/// `at`, but not sooner after the last pass than allowed.
fn spaced(begun: Option<Moment>, at: Moment, spacing: Duration) -> Moment {
    begun.map_or(at, |begun| at.max(begun + spacing))
}

/// One pass serves both requests: at the earlier time, in the higher class.
fn earlier(before: Option<DuePass>, request: DuePass) -> DuePass {
    before.map_or(request, |before| DuePass {
        at: before.at.min(request.at),
        class: before.class.min(request.class),
    })
}

#[cfg(test)]
mod tests;
