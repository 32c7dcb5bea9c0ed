//! Pure: who is served next among those who wait: by class, then namespaces in turn, then in order of arrival.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Why somebody waits. The order of the variants is the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// The first attempt after a change. A person waits for it.
    Change,
    /// A retry or a poll of an object that changed a moment ago.
    Progress,
    /// A retry or a poll of an object that has waited for long.
    Repeat,
    /// A drift check. Nobody waits for it.
    Check,
}

impl Class {
    pub(crate) const ALL: [Self; 4] = [Self::Change, Self::Progress, Self::Repeat, Self::Check];
}

/// Whose turn it is, again and again. If nobody of the class waits, the turn goes to the highest class that waits. So each
/// class gets at least its share, and the lower classes together get a third if first attempts wait.
const CYCLE: [Class; 12] = [
    Class::Change,
    Class::Change,
    Class::Progress,
    Class::Change,
    Class::Change,
    Class::Repeat,
    Class::Change,
    Class::Change,
    Class::Progress,
    Class::Change,
    Class::Change,
    Class::Check,
];

/// Those who wait. `T` is what is handed out if their turn comes.
#[derive(Debug)]
pub(crate) struct FairOrder<T> {
    lanes: [Lane<T>; Class::ALL.len()],
    turn: usize,
    /// Numbers the waiters, and the places of namespaces.
    arrivals: u64,
    waiting: usize,
}

/// The waiters of one class.
#[derive(Debug)]
struct Lane<T> {
    namespaces: HashMap<Arc<str>, Namespace<T>>,
    /// The namespaces that have waiters, by their place. The lowest place is served first.
    rotation: BTreeMap<u64, Arc<str>>,
}

#[derive(Debug)]
struct Namespace<T> {
    place: u64,
    /// By arrival.
    waiters: BTreeMap<u64, T>,
}

/// Where somebody waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ticket {
    class: Class,
    arrival: u64,
}

impl<T> Default for FairOrder<T> {
    fn default() -> Self {
        Self { lanes: std::array::from_fn(|_| Lane::default()), turn: 0, arrivals: 0, waiting: 0 }
    }
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { namespaces: HashMap::new(), rotation: BTreeMap::new() }
    }
}

impl<T> FairOrder<T> {
    pub(crate) fn push(&mut self, class: Class, namespace: &str, waiter: T) -> Ticket {
        self.arrivals += 1;
        self.waiting += 1;
        let arrival = self.arrivals;
        let Lane { namespaces, rotation } = self.lane(class);
        if let Some(namespace) = namespaces.get_mut(namespace) {
            namespace.waiters.insert(arrival, waiter);
        } else {
            let name: Arc<str> = Arc::from(namespace);
            rotation.insert(arrival, name.clone());
            let waiters = BTreeMap::from([(arrival, waiter)]);
            namespaces.insert(name, Namespace { place: arrival, waiters });
        }
        Ticket { class, arrival }
    }

    /// The waiter gives up. `None` if its turn has come already.
    pub(crate) fn remove(&mut self, namespace: &str, ticket: Ticket) -> Option<T> {
        let Lane { namespaces, rotation } = self.lane(ticket.class);
        let found = namespaces.get_mut(namespace)?;
        let waiter = found.waiters.remove(&ticket.arrival);
        if found.waiters.is_empty() {
            rotation.remove(&found.place);
            namespaces.remove(namespace);
        }
        self.waiting -= usize::from(waiter.is_some());
        waiter
    }

    /// The next waiter whose class and namespace are `allowed` to be served now.
    pub(crate) fn pop(&mut self, allowed: impl Fn(Class, &str) -> bool) -> Option<(Class, T)> {
        let classes = std::iter::once(CYCLE[self.turn]).chain(Class::ALL);
        for class in classes {
            let lane = &self.lanes[class as usize];
            let next = lane.rotation.values().find(|namespace| allowed(class, namespace)).cloned();
            if let Some(waiter) = next.and_then(|namespace| self.serve(class, &namespace)) {
                self.turn = (self.turn + 1) % CYCLE.len();
                return Some((class, waiter));
            }
        }
        None
    }

    /// Takes the first waiter of a namespace, and moves the namespace behind all others.
    fn serve(&mut self, class: Class, namespace: &str) -> Option<T> {
        self.arrivals += 1;
        let place = self.arrivals;
        let Lane { namespaces, rotation } = self.lane(class);
        let found = namespaces.get_mut(namespace)?;
        let (_, waiter) = found.waiters.pop_first()?;
        let name = rotation.remove(&found.place)?;
        if found.waiters.is_empty() {
            namespaces.remove(namespace);
        } else {
            found.place = place;
            rotation.insert(place, name);
        }
        self.waiting -= 1;
        Some(waiter)
    }

    pub(crate) fn contains(&self, namespace: &str, ticket: Ticket) -> bool {
        let namespaces = &self.lanes[ticket.class as usize].namespaces;
        namespaces.get(namespace).is_some_and(|found| found.waiters.contains_key(&ticket.arrival))
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting
    }

    fn lane(&mut self, class: Class) -> &mut Lane<T> {
        &mut self.lanes[class as usize]
    }
}

#[cfg(test)]
mod tests;
