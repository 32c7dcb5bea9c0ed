//! Tables of objects, memories and passes, and of what the product did with them. A state has indices into them, and nothing is
//! computed twice.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;

use plan::pass::{Finish, Parts, PassResult, Request, Response, Settings};
use plan::{Definition, Memory, ObjectFacts, OwnerObservation, Pass, ResourceVersion, Status, pace::Pace};

use crate::facts::{Answer, Map};
use crate::renumber::{Change, Marks, NEW, NOW, identity, version};
use crate::state::{MemoryId, ObjectId, PassId, Place};

/// A map with a fast hasher (multiply and rotate). It need not resist attacks.
pub(crate) type FastSet<T> = HashSet<T, BuildHasherDefault<Mix>>;
type FastMap<K, V> = HashMap<K, V, BuildHasherDefault<Mix>>;

#[derive(Default)]
pub(crate) struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }
    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }
    fn write_u32(&mut self, value: u32) {
        self.write_u64(value.into());
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }
    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.unsigned_abs() as u64);
    }
}

/// Each value once.
#[derive(Debug)]
struct Table<T> {
    values: Vec<(Arc<T>, Marks)>,
    index: FastMap<Arc<T>, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { values: vec![], index: FastMap::default() }
    }
}

impl<T: Eq + Hash> Table<T> {
    fn add(&mut self, value: T, marks: impl FnOnce(&T) -> Marks) -> u32 {
        if let Some(at) = self.index.get(&value) {
            return *at;
        }
        let at = u32::try_from(self.values.len()).unwrap();
        let marks = marks(&value);
        let value = Arc::new(value);
        self.values.push((value.clone(), marks));
        self.index.insert(value, at);
        at
    }

    fn get(&self, at: u32) -> &T {
        &self.values[at as usize].0
    }

    fn marks(&self, at: u32) -> Marks {
        self.values[at as usize].1
    }
}

/// What a pass does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum After {
    /// It makes a request.
    Requests(PassId),
    /// It has ended, and this is the memory of the object.
    Finished(MemoryId),
}

/// A pass that made a request, and the request.
#[derive(Debug)]
pub(crate) struct Requested {
    pass: Pass,
    pub(crate) request: Request,
}

/// What still matters of a pass that only has to write its last status. Everything else in it has no effect any more.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct LastWrite {
    status: Box<Status>,
    settings: Arc<Settings>,
    uid: String,
    version: ResourceVersion,
    memory: Memory,
    attempts: u8,
}

#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) map: Map,
    settings: [[Arc<Settings>; 2]; 2],
    objects: Table<ObjectFacts>,
    memories: Table<Memory>,
    passes: Table<Pass>,
    reports: FastMap<LastWrite, PassId>,
    begun: FastMap<(usize, Place, ObjectId, MemoryId), After>,
    requested: FastMap<PassId, Arc<Requested>>,
    handled: FastMap<(PassId, Answer), After>,
    changed: FastMap<(Kind, u32, Change), u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Object,
    Memory,
    Pass,
}

impl Tables {
    pub(crate) fn new(map: Map) -> Self {
        let settings = |who: usize, place: Place| {
            Arc::new(Settings {
                pace: Pace::default(),
                region: map.region(place).to_owned(),
                identity: identity(who).to_owned(),
                namespaces: vec![],
            })
        };
        let settings = [0, 1].map(|who| Place::ALL.map(|place| settings(who, place)));
        let mut tables = Self {
            map,
            settings,
            objects: Table::default(),
            memories: Table::default(),
            passes: Table::default(),
            reports: FastMap::default(),
            begun: FastMap::default(),
            requested: FastMap::default(),
            handled: FastMap::default(),
            changed: FastMap::default(),
        };
        tables.add_memory(Memory::default());
        tables
    }

    /// The memory of a process that has just started.
    pub(crate) const NO_MEMORY: MemoryId = MemoryId(0);

    /// How many large values there are, for the report.
    pub(crate) fn sizes(&self) -> [usize; 3] {
        [self.objects.values.len(), self.memories.values.len(), self.passes.values.len()]
    }

    pub(crate) fn object(&self, id: ObjectId) -> &ObjectFacts {
        self.objects.get(id.0)
    }

    pub(crate) fn memory(&self, id: MemoryId) -> &Memory {
        self.memories.get(id.0)
    }

    /// A copy of the pass.
    pub(crate) fn pass(&self, id: PassId) -> Pass {
        self.passes.get(id.0).clone()
    }

    pub(crate) fn object_marks(&self, id: ObjectId) -> Marks {
        self.objects.marks(id.0)
    }

    pub(crate) fn memory_marks(&self, id: MemoryId) -> Marks {
        self.memories.marks(id.0)
    }

    pub(crate) fn pass_marks(&self, id: PassId) -> Marks {
        self.passes.marks(id.0)
    }

    pub(crate) fn add_object(&mut self, object: ObjectFacts) -> ObjectId {
        ObjectId(self.objects.add(object, Marks::of_object))
    }

    fn add_memory(&mut self, memory: Memory) -> MemoryId {
        MemoryId(self.memories.add(memory, Marks::of_memory))
    }

    /// A pass that never ends is found by `fair`.
    fn add_pass(&mut self, mut pass: Pass) -> PassId {
        pass.forget_what_decides_nothing();
        let report = self.report(&pass);
        if let Some(same) = report.as_ref().and_then(|report| self.reports.get(report)) {
            return *same;
        }
        let id = PassId(self.passes.add(pass, Marks::of_pass));
        report.map(|report| self.reports.insert(report, id));
        id
    }

    /// `None` if the pass does not only have to write its last status.
    fn report(&self, pass: &Pass) -> Option<LastWrite> {
        let mut pass = pass.clone();
        let Request::WriteStatus(status) = self.next(&mut pass).1 else { return None };
        let is_reporting = pass.is_reporting();
        let Parts { settings, object, memory, attempts, .. } = pass.parts();
        is_reporting.then(|| LastWrite {
            status,
            settings: settings.clone(),
            uid: object.uid.clone(),
            version: object.version.clone(),
            memory: memory.clone(),
            attempts: *attempts,
        })
    }

    /// Begins a pass of this replica over this version.
    pub(crate) fn begin(&mut self, who: usize, place: Place, object: ObjectId, memory: MemoryId) -> After {
        let key = (who, place, object, memory);
        if let Some(after) = self.begun.get(&key) {
            return *after;
        }
        let facts = self.object(object).clone();
        let settings = self.settings[who][place as usize].clone();
        let memory = self.memory(memory).clone();
        let goal = self.map.goal(&facts);
        let pass = Pass::new(settings, goal, facts, memory, 0, NOW);
        let after = self.run(pass);
        self.begun.insert(key, after);
        after
    }

    /// The request that the pass makes next.
    pub(crate) fn request(&mut self, id: PassId) -> Arc<Requested> {
        if let Some(requested) = self.requested.get(&id) {
            return requested.clone();
        }
        let mut pass = self.pass(id);
        let (_, request) = self.next(&mut pass);
        let requested = Arc::new(Requested { pass, request });
        self.requested.insert(id, requested.clone());
        requested
    }

    /// What the pass does with the answer.
    pub(crate) fn handle(&mut self, id: PassId, answer: Answer) -> After {
        if let Some(after) = self.handled.get(&(id, answer)) {
            return *after;
        }
        let mut pass = self.request(id).pass.clone();
        pass.handle(self.map.response(answer, |id| self.object(id).clone()), NOW);
        let after = self.run(pass);
        self.handled.insert((id, answer), after);
        after
    }

    /// Runs the pass until directly before its next request to the API server or AWS. Time may still pass until it makes that
    /// request.
    fn run(&mut self, mut pass: Pass) -> After {
        match self.next(&mut pass) {
            (_, Request::Finish(finish)) => self.finish(finish),
            (before, Request::Resolve) => self.begin_again(before),
            (before, _) => After::Requests(self.add_pass(before)),
        }
    }

    /// A pass that begins again is the same as a new pass, except that it gives up sooner. So here it ends, and a new one may begin.
    fn begin_again(&mut self, mut pass: Pass) -> After {
        let Parts { settings, object, memory, attempts, .. } = pass.parts();
        *attempts = 0;
        let newest = ObjectFacts { version: version(NEW), ..object.clone() };
        let (settings, memory) = (settings.clone(), memory.clone());
        let goal = self.map.goal(&newest);
        let mut new = Pass::new(settings, goal.clone(), newest.clone(), memory.clone(), 0, NOW);
        pass.handle(Response::Resolved(Some((goal, newest))), NOW);
        for pass in [&mut pass, &mut new] {
            pass.forget_what_decides_nothing();
        }
        assert_eq!(pass, new, "a pass that begins again remembers more than a new pass");
        self.finish(Finish {
            memory: Some(Box::new(memory)),
            requeue: None,
            is_settled: false,
            wishes: plan::pass::Wishes::Unchanged,
            polls: false,
            result: PassResult::Conflict,
        })
    }

    /// The requeue does not matter, because a pass may begin at any time here.
    fn finish(&mut self, finish: Finish) -> After {
        assert_ne!(finish.result, PassResult::Endless, "the pass does not end");
        let mut memory = finish.memory.map(|memory| *memory).unwrap_or_default();
        memory.pacing = plan::Pacing::default();
        After::Finished(self.add_memory(memory))
    }

    pub(crate) fn change_object(&mut self, id: ObjectId, change: Change) -> ObjectId {
        if self.object_marks(id).stay(change) {
            return id;
        }
        let key = (Kind::Object, id.0, change);
        if let Some(changed) = self.changed.get(&key) {
            return ObjectId(*changed);
        }
        let mut object = self.object(id).clone();
        change.object(&mut object);
        let changed = self.add_object(object);
        self.changed.insert(key, changed.0);
        changed
    }

    pub(crate) fn change_memory(&mut self, id: MemoryId, change: Change) -> MemoryId {
        if self.memory_marks(id).stay(change) {
            return id;
        }
        let key = (Kind::Memory, id.0, change);
        if let Some(changed) = self.changed.get(&key) {
            return MemoryId(*changed);
        }
        let mut memory = self.memory(id).clone();
        change.memory(&mut memory);
        let changed = self.add_memory(memory);
        self.changed.insert(key, changed.0);
        changed
    }

    pub(crate) fn change_pass(&mut self, id: PassId, change: Change) -> PassId {
        if self.pass_marks(id).stay(change) {
            return id;
        }
        let key = (Kind::Pass, id.0, change);
        if let Some(changed) = self.changed.get(&key) {
            return PassId(*changed);
        }
        let mut pass = self.pass(id);
        change.pass(&mut pass);
        let changed = self.add_pass(pass);
        self.changed.insert(key, changed.0);
        changed
    }

    /// The next request whose answer depends on the state, and the pass before it. A token is granted at once, because a wait for one
    /// is the same as a pass that makes no step while others do.
    fn next(&self, pass: &mut Pass) -> (Pass, Request) {
        loop {
            let before = pass.clone();
            let response = match pass.next(NOW) {
                Request::AcquireToken => Response::Token,
                Request::Log(_) | Request::Publish(_) | Request::Count(_) => Response::Done,
                Request::ReadOwner(_) if !self.map.owners => Response::Owner(OwnerObservation::Exists),
                Request::ReadDefinition if !self.map.definition => Response::Definition(Definition::Kept),
                // There is one place.
                Request::Identify | Request::IdentifyCaller if !self.map.moves => {
                    self.map.response(Answer::Identified(Place::Home), |id| self.object(id).clone())
                }
                request => return (before, request),
            };
            pass.handle(response, NOW);
        }
    }
}
