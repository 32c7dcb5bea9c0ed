//! No I/O: the objects of one namespace, sorted so that no question needs a look at all of them.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Older objects go first. Of two objects that are equally old, the one whose name comes first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rank {
    pub(super) created_at: Option<plan::Timestamp>,
    pub(super) name: Arc<str>,
}

impl Ord for Rank {
    fn cmp(&self, other: &Self) -> Ordering {
        #[cfg(test)]
        COMPARISONS.set(COMPARISONS.get() + 1);
        (self.created_at, &self.name).cmp(&(other.created_at, &other.name))
    }
}

impl PartialOrd for Rank {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
thread_local! {
    pub(super) static COMPARISONS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

#[derive(Debug)]
pub(super) struct Place {
    pub(super) uid: String,
    rank: Rank,
    /// The object has our finalizer, so it has a user or is about to get one.
    pub(super) holds: bool,
    /// A pass over this object found a place, so it may get a user at any moment.
    pub(super) admitted: bool,
    /// A pass over this object was told that all places are taken.
    pub(super) waits: bool,
}

impl Place {
    pub(super) fn new(uid: String, holds: bool, rank: Rank) -> Self {
        Self { uid, rank, holds, admitted: false, waits: false }
    }

    fn is_taken(&self) -> bool {
        self.holds || self.admitted
    }
}

#[derive(Debug)]
pub(super) struct NamespacePlaces {
    limit: usize,
    objects: HashMap<Arc<str>, Place>,
    /// The number of places that are taken.
    taken: usize,
    /// The objects without a place for which there is room. They are older than all in `later`.
    next: BTreeSet<Rank>,
    /// The other objects without a place.
    later: BTreeSet<Rank>,
    /// Objects without a place that wait, and for which there is room since. They may have left `next` again.
    woken: BTreeSet<Rank>,
    /// Objects that have a place and wait: the limit was lowered.
    surplus: BTreeSet<Rank>,
}

impl NamespacePlaces {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            objects: HashMap::new(),
            taken: 0,
            next: BTreeSet::new(),
            later: BTreeSet::new(),
            woken: BTreeSet::new(),
            surplus: BTreeSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// Whether the object of this rank must wait. If not, it takes a place.
    pub(super) fn are_taken(&mut self, rank: &Rank) -> bool {
        let are_taken = self.is_full_for(rank);
        let changes = |place: &Place| place.waits != are_taken || place.admitted == are_taken;
        if self.objects.get(&rank.name).is_some_and(changes)
            && let Some(place) = self.remove(&rank.name)
        {
            self.insert(Place { waits: are_taken, admitted: !are_taken, ..place });
        }
        are_taken
    }

    fn is_full_for(&self, rank: &Rank) -> bool {
        match self.objects.get(&rank.name) {
            Some(place) if place.is_taken() => self.is_surplus(rank),
            Some(_) => !self.next.contains(rank),
            // No watch has shown it yet.
            None => {
                let is_last = self.next.last().is_none_or(|last| last < rank);
                self.next.len() >= self.room() && is_last
            }
        }
    }

    fn room(&self) -> usize {
        self.limit.saturating_sub(self.taken)
    }

    /// Whether the others would take all places without this object, which has one.
    fn is_surplus(&self, rank: &Rank) -> bool {
        self.taken > self.limit || self.later.first().is_some_and(|first| first < rank)
    }

    pub(super) fn insert(&mut self, place: Place) {
        let rank = place.rank.clone();
        if place.waits {
            let waiting = if place.is_taken() { &mut self.surplus } else { &mut self.woken };
            waiting.insert(rank.clone());
        }
        if place.is_taken() {
            self.taken += 1;
        } else {
            self.next.insert(rank.clone());
        }
        self.objects.insert(rank.name, place);
        self.rebalance();
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Place> {
        let place = self.objects.remove(name)?;
        if place.is_taken() {
            self.taken -= 1;
            self.surplus.remove(&place.rank);
        } else {
            let _ = self.next.remove(&place.rank) || self.later.remove(&place.rank);
            self.woken.remove(&place.rank);
        }
        self.rebalance();
        Some(place)
    }

    /// Removes the objects whose uids are not listed.
    pub(super) fn retain(&mut self, listed: &HashSet<String>) {
        let is_gone = |(_, place): &(&Arc<str>, &Place)| !listed.contains(&place.uid);
        let gone: Vec<Arc<str>> = self.objects.iter().filter(is_gone).map(|(name, _)| name.clone()).collect();
        for name in gone {
            self.remove(&name);
        }
    }

    /// Keeps as many objects in `next` as there is room for.
    fn rebalance(&mut self) {
        let room = self.room();
        while self.next.len() > room
            && let Some(last) = self.next.pop_last()
        {
            self.later.insert(last);
        }
        while self.next.len() < room
            && let Some(first) = self.later.pop_first()
        {
            if self.objects.get(&first.name).is_some_and(|place| place.waits) {
                self.woken.insert(first.clone());
            }
            self.next.insert(first);
        }
    }

    /// The objects that were told to wait and need not any more.
    pub(super) fn freed(&mut self) -> Vec<Arc<str>> {
        let woken = std::mem::take(&mut self.woken).into_iter();
        let mut freed: Vec<Rank> = woken.filter(|rank| self.next.contains(rank)).collect();
        // If the first of them is still one too many, all are.
        while let Some(first) = self.surplus.first().filter(|first| !self.is_surplus(first)).cloned() {
            self.surplus.remove(&first);
            freed.push(first);
        }
        for rank in &freed {
            if let Some(place) = self.objects.get_mut(&rank.name) {
                place.waits = false;
            }
        }
        freed.into_iter().map(|rank| rank.name).collect()
    }
}
