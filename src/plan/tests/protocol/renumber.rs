//! Only the order of versions and times matters. So they are numbered anew after each step, and few different ones remain.

use std::sync::Arc;
use std::time::Duration;

use plan::pass::Settings;
use plan::{Memory, Moment, Now, ObjectFacts, Pass, ResourceVersion, Timestamp};

use crate::state::{State, Unseen};
use crate::tables::Tables;

/// A version or time that is newer than all others. No number is larger.
pub(crate) const NEW: u8 = 15;
/// A whole second in microseconds, because conditions have whole seconds.
const BASE: i64 = 1_700_000_000_000_000;
/// Longer ago than the window of a creation.
const LONG_AGO: Timestamp = Timestamp(BASE - 3_600_000_000);
/// The time of every step. A window, an intent or a fact becomes old because it is moved into the past.
pub(crate) const NOW: Now =
    Now { moment: Moment::after_start(Duration::from_secs(1000)), utc: Timestamp(BASE + NEW as i64) };
/// No decision depends on the value of `deleteRequestedAt`, only on its presence.
pub(crate) const DELETE_REQUESTED: Timestamp = Timestamp(BASE);
/// The `deleteRequestedBy` of every process that has ended.
const FORMER: &str = "former";

/// The identity of a replica's process.
pub(crate) fn identity(who: usize) -> &'static str {
    if who == 0 { "process-1" } else { "process-2" }
}

pub(crate) fn version(number: u8) -> ResourceVersion {
    ResourceVersion(number.to_string())
}

fn stamp_of(time: Option<Timestamp>) -> u8 {
    time.filter(|time| time.0 > BASE).map_or(0, |time| u8::try_from(time.0 - BASE).unwrap())
}

fn version_of(object: &ObjectFacts) -> u8 {
    object.version.0.parse().unwrap()
}

/// The versions and times in a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    /// A bit for each version of an object.
    pub(crate) versions: u16,
    /// A bit for each `createRequestedAt` within its window.
    pub(crate) stamps: u16,
    /// The `createRequestedAt` that is settled.
    settled: u8,
    /// The newest version that the process wrote.
    pub(crate) written: u8,
    /// Facts or intents that are recent.
    recent: bool,
    /// A bit for each replica that `deleteRequestedBy` names.
    requesters: u8,
    /// The object: the first of the name, the second, ..
    pub(crate) uid: u8,
    /// The process has seen that the user is gone.
    pub(crate) seen_gone: bool,
    /// A pass knows the name of its process.
    is_pass: bool,
}

impl Marks {
    pub(crate) fn of_object(object: &ObjectFacts) -> Self {
        let by = object.status.delete_requested_by.as_deref();
        let requesters = [0, 1].map(|who| u8::from(by == Some(identity(who))) << who);
        Self {
            versions: 1 << version_of(object),
            stamps: (1 << stamp_of(object.status.create_requested_at)) & !1,
            requesters: requesters[0] | requesters[1],
            uid: object.uid.parse().unwrap(),
            ..Self::default()
        }
    }

    pub(crate) fn of_memory(memory: &Memory) -> Self {
        Self {
            settled: stamp_of(memory.creation_settled),
            written: memory.version.map_or(0, |version| u8::try_from(version).unwrap()),
            seen_gone: memory.seen_gone,
            ..Self::default()
        }
    }

    pub(crate) fn of_pass(pass: &Pass) -> Self {
        let mut pass = pass.clone();
        let parts = pass.parts();
        let (object, memory) = (Self::of_object(parts.object), Self::of_memory(parts.memory));
        let stamps = object.stamps | (1 << stamp_of(*parts.former_request)) & !1;
        let recent = parts.moments.iter().any(|at| at.is_some_and(|at| at == NOW.moment));
        Self {
            stamps,
            recent,
            versions: object.versions,
            requesters: object.requesters,
            uid: object.uid,
            is_pass: true,
            ..memory
        }
    }

    /// `deleteRequestedBy` names the process.
    pub(crate) fn names(self, who: usize) -> bool {
        self.requesters & (1 << who) != 0
    }

    /// The change changes nothing.
    pub(crate) fn stay(self, change: Change) -> bool {
        let bits = |set: u16, map: u64| (0..16).all(|at| set & (1 << at) == 0 || ranked(map, at) == at);
        match change {
            Change::Renumber { versions, stamps, keeps_written } => {
                bits(self.versions, versions)
                    && bits(self.stamps, stamps)
                    && ranked(stamps, self.settled) == self.settled
                    && self.written == if keeps_written { ranked(versions, self.written) } else { 0 }
            }
            Change::Age => !self.recent,
            Change::CloseWindow => self.stamps == 0 && self.settled == 0,
            Change::ProcessEnds(who) => self.requesters & (1 << who) == 0,
            Change::Exchange => self.requesters == 0 && !self.is_pass,
        }
    }
}

/// Looks this number up in a map of sixteen small numbers.
fn ranked(map: u64, number: u8) -> u8 {
    u8::try_from((map >> (4 * number)) & 15).unwrap()
}

/// The map that numbers the members of a set from one, in order, and makes all others zero.
fn ranks(set: u16) -> u64 {
    let (mut map, mut rank) = (0, 0);
    for number in (1..16).filter(|number| set & (1 << number) != 0) {
        rank += 1;
        map |= rank << (4 * number);
    }
    map
}

/// A change of versions, times and identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// Maps of sixteen small numbers. `keeps_written`: it still matters which version the process wrote.
    Renumber { versions: u64, stamps: u64, keeps_written: bool },
    /// Facts and intents of a pass become too old for a mutation.
    Age,
    /// Every `createRequestedAt` becomes older than the window.
    CloseWindow,
    /// The process of this replica has ended.
    ProcessEnds(usize),
    /// The two processes exchange their names.
    Exchange,
}

impl Change {
    pub(crate) fn object(self, object: &mut ObjectFacts) {
        match self {
            Self::Renumber { versions, .. } => {
                object.version = version(ranked(versions, version_of(object)));
                self.time(&mut object.status.create_requested_at);
            }
            Self::CloseWindow => self.time(&mut object.status.create_requested_at),
            Self::Age => {}
            Self::ProcessEnds(who) => {
                let by = &mut object.status.delete_requested_by;
                if by.as_deref() == Some(identity(who)) {
                    *by = Some(FORMER.to_owned());
                }
            }
            Self::Exchange => {
                let by = &mut object.status.delete_requested_by;
                if let Some(who) = [0, 1].into_iter().find(|who| by.as_deref() == Some(identity(*who))) {
                    *by = Some(identity(1 - who).to_owned());
                }
            }
        }
    }

    fn time(self, time: &mut Option<Timestamp>) {
        match (self, stamp_of(*time)) {
            (_, 0) | (Self::Age | Self::ProcessEnds(_) | Self::Exchange, _) => {}
            (Self::CloseWindow, _) => *time = Some(LONG_AGO),
            (Self::Renumber { stamps, .. }, stamp) => {
                *time = Some(Timestamp(BASE + i64::from(ranked(stamps, stamp))));
            }
        }
    }

    pub(crate) fn memory(self, memory: &mut Memory) {
        match self {
            Self::Renumber { versions, stamps, keeps_written } => {
                let settled = ranked(stamps, stamp_of(memory.creation_settled));
                memory.creation_settled = (settled > 0).then_some(Timestamp(BASE + i64::from(settled)));
                let written =
                    memory.version.map_or(0, |written| ranked(versions, u8::try_from(written).unwrap()));
                memory.version = (keeps_written && written > 0).then_some(u64::from(written));
            }
            Self::CloseWindow => memory.creation_settled = None,
            Self::Age | Self::ProcessEnds(_) | Self::Exchange => {}
        }
    }

    pub(crate) fn pass(self, pass: &mut Pass) {
        let parts = pass.parts();
        if self == Self::Exchange {
            let who = usize::from(parts.settings.identity == identity(0));
            let settings = Settings { identity: identity(who).to_owned(), ..Settings::clone(parts.settings) };
            *parts.settings = Arc::new(settings);
        }
        self.object(parts.object);
        self.memory(parts.memory);
        self.time(parts.former_request);
        if self == Self::Age {
            for moment in parts.moments {
                *moment = None;
            }
        }
    }
}

impl Tables {
    /// Applies the change to every object, memory and pass of the state.
    pub(crate) fn change(&mut self, mut state: State, change: Change) -> State {
        state.object = state.object.map(|object| self.change_object(object, change));
        for replica in &mut state.replicas {
            replica.cached = replica.cached.map(|object| self.change_object(object, change));
            replica.memory = self.change_memory(replica.memory, change);
            replica.pass = replica.pass.map(|pass| self.change_pass(pass, change));
        }
        state
    }

    /// The same state with versions and times numbered anew. The outdated version of a pass gets the number zero, because it does
    /// not matter how old it is.
    pub(crate) fn canonical(&mut self, mut state: State) -> State {
        let (mut versions, mut stamps) = (0, 0);
        let known = state.object.into_iter().chain(state.replicas.iter().filter_map(|it| it.cached));
        for marks in known.map(|object| self.object_marks(object)) {
            versions |= marks.versions;
            stamps |= marks.stamps;
        }
        for pass in state.replicas.iter().filter_map(|replica| replica.pass) {
            stamps |= self.pass_marks(pass).stamps;
        }
        // Which version a process wrote matters only if its cache may show an older one.
        let written = state.replicas.map(|replica| {
            let marks = match replica.pass {
                Some(pass) => self.pass_marks(pass),
                None => self.memory_marks(replica.memory),
            };
            let older = (1_u16 << marks.written) - 1;
            let cached = replica.cached.map(|cached| self.object_marks(cached));
            if cached.is_some_and(|cached| cached.versions & older != 0) { marks.written } else { 0 }
        });
        written.iter().filter(|written| **written > 0).for_each(|written| versions |= 1 << *written);
        let (versions, stamps) = (ranks(versions), ranks(stamps));
        let renumber = |keeps_written| Change::Renumber { versions, stamps, keeps_written };
        state.object = state.object.map(|object| self.change_object(object, renumber(true)));
        for (replica, written) in state.replicas.iter_mut().zip(written) {
            let change = renumber(written > 0);
            replica.cached = replica.cached.map(|object| self.change_object(object, renumber(true)));
            replica.memory = self.change_memory(replica.memory, change);
            replica.pass = replica.pass.map(|pass| self.change_pass(pass, change));
        }
        state
    }

    /// The same state with the names of the two processes exchanged.
    fn exchanged(&mut self, state: State) -> State {
        let State { replicas: [first, second], is_exchanged, .. } = state;
        let exchanged = State { replicas: [second, first], is_exchanged: Unseen(!is_exchanged.0), ..state };
        self.change(exchanged, Change::Exchange)
    }

    /// One of two states that differ in nothing but the names of the processes.
    pub(crate) fn representative(&mut self, state: State) -> State {
        let exchanged = self.exchanged(state);
        if exchanged < state { exchanged } else { state }
    }
}
