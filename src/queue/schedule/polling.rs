//! Pure: which objects that wait for AWS are left to a listing, because it costs less than a poll of each.

use plan::Moment;

use super::{Entry, Key, Schedule, State};

impl Schedule {
    /// The pass that has just ended wants the next one only to look whether AWS has finished. If many objects do, a listing shows
    /// all of them together, and they keep no timer. Those that changed a short time ago keep theirs as long as they alone are
    /// few, because somebody waits for them. One that is left to the listing keeps its timer as the probe. If it has waited for
    /// long, one that changed a short time ago takes its place.
    pub(crate) fn polls(&mut self, key: &Key, now: Moment) {
        if !matches!(self.objects.get(key), Some(Entry { state: State::Later(_), .. })) {
            return;
        }
        self.polling.insert(key.clone());
        if self.polling.len() <= self.most_polled {
            return;
        }
        let is_recent = |key: &Key| self.objects.get(key).is_some_and(|entry| entry.changed_recently(now));
        let spares_recent = self.polling.iter().filter(|key| is_recent(key)).count() <= self.most_polled;
        let is_left = |key: &Key| !(spares_recent && is_recent(key));
        let has_probe = self.probe.as_ref().is_some_and(|probe| is_recent(probe) || !is_recent(key));
        if is_left(key) && !has_probe {
            self.probe = Some(key.clone());
        }
        let left = self.polling.iter().filter(|key| is_left(key) && Some(*key) != self.probe.as_ref());
        for key in left.cloned().collect::<Vec<_>>() {
            self.leave_to_listing(&key);
        }
    }

    /// Whether the wait of the probe is over: then those that began to wait before it have probably waited long enough too, and a
    /// listing should come now. Says so once.
    pub(crate) fn take_ended_probe(&mut self) -> bool {
        self.probe.take_if(|probe| !self.polling.contains(probe)).is_some()
    }

    fn leave_to_listing(&mut self, key: &Key) {
        let Some(entry) = self.objects.get_mut(key) else { return };
        if let State::Later(pass) = entry.state {
            self.later.remove(&(pass.at, key.clone()));
            entry.state = State::Idle;
            entry.is_listed = true;
        }
    }

    /// The objects that a listing has to show because they wait for AWS.
    pub(crate) fn listed(&self) -> Vec<Key> {
        let is_listed = |key: &&Key| {
            self.objects.get(*key).is_some_and(|entry| entry.is_listed && matches!(entry.state, State::Idle))
        };
        self.polling.iter().filter(is_listed).cloned().collect()
    }

    /// Among those that a listing has to show, the object whose last pass ended last.
    pub(crate) fn newest_listed(&self) -> Option<Key> {
        self.listed().into_iter().max_by_key(|key| self.objects.get(key).and_then(|entry| entry.ended))
    }

    /// At most so many objects are polled one by one.
    pub(crate) fn set_most_polled(&mut self, most: usize) {
        self.most_polled = most;
    }
}
