//! Pure: which objects that wait for AWS are left to a listing, because it costs less than a poll of each.

use super::{Entry, Key, Schedule, State};

impl Schedule {
    /// The pass that has just ended wants the next one only to look whether AWS has finished. If many objects do, none of them
    /// keeps a timer: a listing shows all of them together.
    pub(crate) fn polls(&mut self, key: &Key) {
        if !matches!(self.objects.get(key), Some(Entry { state: State::Later(_), .. })) {
            return;
        }
        self.polling.insert(key.clone());
        if self.polling.len() > self.most_polled {
            for key in self.polling.iter().cloned().collect::<Vec<_>>() {
                self.leave_to_listing(&key);
            }
        }
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

    /// At most so many objects are polled one by one.
    pub(crate) fn set_most_polled(&mut self, most: usize) {
        self.most_polled = most;
    }
}
