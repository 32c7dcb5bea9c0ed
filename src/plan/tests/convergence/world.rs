//! Everything outside of the operator: the object, AWS, the clock, what befalls, and a judge who looks at every mutation
//! when it reaches AWS.

use std::collections::{BTreeSet, VecDeque};

use plan::*;

use crate::calls::Mutation;
use crate::judge;
use crate::object::{Object, TAGS};
use crate::schedule::{Edit, Happening, Mishap, Schedule};
use crate::secrets::Secrets;
use crate::service::Service;
use crate::start::Start;

/// Ticks for which UserNotFound is doubted after a CreateUser; the pace's window, and longer than AWS is late.
pub(crate) const WINDOW: u32 = 8 * TICK;

/// How many moments there are from one pass to the next, each enough for the stamp of one write.
pub(crate) const TICK: u32 = 1000;

pub(crate) struct World {
    pub(crate) now: u32,
    pub(crate) object: Option<Object>,
    pub(crate) secrets: Secrets,
    /// The object that another owner's tags name.
    pub(crate) other: Other,
    pub(crate) definition: Definition,
    pub(crate) service: Service,
    pub(crate) calls: VecDeque<Mishap>,
    pub(crate) between: VecDeque<Happening>,
    /// The last state that DescribeUsers told the pass at hand.
    pub(crate) last_seen: Option<Lifecycle>,
    /// Asking for the account did not help once: the region decided alone.
    pub(crate) account_untold: bool,
    /// Somebody else changed the user's tags, and they were not read since.
    pub(crate) retagged: bool,
    /// Somebody else changed what decides whose the user is after the pass at hand had looked.
    pub(crate) raced: bool,
    /// AWS accepted a CreateUser or ModifyUser that status does not tell of yet.
    pub(crate) in_flight: bool,
    /// What the announcement of a deletion took out of status, where no DeleteUser took effect since and the process that
    /// wrote it is there still.
    pub(crate) departed: Option<LastApplied>,
    /// The process that is there has seen that the user is gone, and made none since: one that comes after it is not ours
    /// unless its tags say so.
    pub(crate) gone_seen: bool,
    pub(crate) writes_by_operator: usize,
    /// Mutations that were attempted, and whether they took effect.
    pub(crate) mutations: Vec<(Mutation, bool)>,
    /// Keys of tags that were in the spec at any time.
    pub(crate) asked_for: BTreeSet<String>,
    /// The actions that were decided on.
    pub(crate) met: BTreeSet<String>,
    /// What must never happen, and happened.
    pub(crate) breaches: Vec<String>,
    /// What happened, for a case that fails.
    story: Vec<String>,
    /// It is told at all: that costs more than what it tells of.
    telling: bool,
    /// Passes that are told, each with how often it was the same again.
    chapters: Vec<(String, usize)>,
}

impl World {
    pub(crate) fn new(start: Start, schedule: &Schedule, telling: bool) -> Self {
        let Start { object, secrets, other, service } = start;
        let remembered = object.status.last_applied.iter().flat_map(|last| last.tag_keys.clone());
        let mut world = Self {
            now: FIRST_DAY,
            asked_for: remembered.collect(),
            object: Some(object),
            secrets,
            other,
            definition: Definition::Stays,
            service,
            calls: schedule.calls.clone().into(),
            between: schedule.between.clone().into(),
            last_seen: None,
            account_untold: false,
            retagged: false,
            raced: false,
            in_flight: false,
            departed: None,
            gone_seen: false,
            writes_by_operator: 0,
            mutations: vec![],
            met: BTreeSet::new(),
            breaches: vec![],
            story: vec![],
            telling,
            chapters: vec![],
        };
        world.note_tags();
        world
    }

    fn note_tags(&mut self) {
        let keys = self.object.iter().flat_map(|object| TAGS[object.spec.tags]);
        self.asked_for.extend(keys.map(|(key, _)| (*key).to_owned()));
    }

    pub(crate) fn tell<T: Into<String>>(&mut self, what: impl FnOnce() -> T) {
        if self.telling {
            self.story.push(what().into());
        }
    }

    /// An action was decided on: remembered by its name and that of its kind, `Wait Protected`, or its cause, `Modify Drift`.
    pub(crate) fn meet(&mut self, action: &Action) {
        if !self.telling {
            return;
        }
        let mut text = format!("{action:?}");
        if let Action::Create(Create { cause, .. })
        | Action::Modify(Modify { cause, .. })
        | Action::Tag(Tag { cause, .. }) = action
        {
            let (kind, _) = text.split_once('(').unwrap_or_default();
            text = format!("{kind} {cause:?}");
        }
        let words = text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
        self.met.insert(words.take(2).collect::<Vec<_>>().join(" "));
    }

    /// A pass is over.
    pub(crate) fn close_chapter(&mut self) {
        let chapter = std::mem::take(&mut self.story).join("\n");
        match self.chapters.last_mut() {
            Some((before, times)) if *before == chapter => *times += 1,
            Some(_) | None => self.chapters.push((chapter, 1)),
        }
    }

    /// All that happened.
    pub(crate) fn tale(&self) -> String {
        let told = self.chapters.iter().map(|(chapter, times)| match times {
            1 => chapter.clone(),
            times => format!("{chapter}\n  ({times} times)"),
        });
        told.collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn breach(&mut self, what: &str) {
        self.tell(|| format!("BREACH: {what}"));
        self.breaches.push(what.to_owned());
    }

    /// Nothing befalls any more.
    pub(crate) fn calm(&mut self) {
        self.calls.clear();
        self.between.clear();
        self.tell(|| "from here on nothing befalls any more");
    }

    /// A time that no write had before.
    pub(crate) fn moment(&mut self) -> u32 {
        self.now += 1;
        self.now
    }

    pub(crate) fn tick(&mut self) {
        self.now = (self.now / TICK + 1) * TICK;
        self.service.tick();
    }

    /// A new version of the object; `None` where it is gone, or where the version is not the one that was decided on.
    pub(crate) fn write(&mut self, version: u32, change: impl FnOnce(&mut Object)) -> Option<Object> {
        let object = self.object.as_mut().filter(|object| object.version == version)?;
        let before = object.clone();
        change(object);
        object.version += 1;
        let written = object.clone();
        self.writes_by_operator += 1;
        if before.status != written.status {
            judge::status(self, &before, &written);
        }
        if let Some(last) = before.status.last_applied.clone().filter(LastApplied::manages)
            && written.status.last_applied.is_none()
        {
            self.departed = Some(last);
        }
        if before.held && !written.held {
            judge::release(self, &before);
        }
        if written.terminating && !written.held {
            self.object = None;
        }
        Some(written)
    }

    pub(crate) fn happen(&mut self, happening: &Happening) {
        self.tell(|| format!("  {happening:?}"));
        match happening {
            // A restart is the shell's affair.
            Happening::Nothing | Happening::Restarts => {}
            Happening::AwsGoesOn => self.tick(),
            Happening::Touches => self.by_people(|_| false),
            Happening::Requests => self.by_people(|object| {
                object.requested += 1;
                false
            }),
            Happening::Other(other) => self.other = *other,
            Happening::Deletes => {
                self.by_people(|object| !std::mem::replace(&mut object.terminating, true));
                self.object = self.object.take().filter(|object| object.held);
            }
            Happening::Edits(edit) => self.by_people(|object| edited(object, edit)),
            Happening::Protects(protected) => self.by_people(|object| {
                object.protected = *protected;
                false
            }),
            Happening::Secret(write) => self.secrets.write(*write),
            Happening::DefinitionGoes => {
                self.definition = Definition::Going;
                self.happen(&Happening::Deletes);
            }
            Happening::Others(others) => self.others(others),
        }
    }

    /// `change` says whether the generation moves.
    fn by_people(&mut self, change: impl FnOnce(&mut Object) -> bool) {
        if let Some(object) = &mut self.object {
            object.generation += u32::from(change(object));
            object.version += 1;
        }
        self.note_tags();
    }
}

/// Late enough for a CreateUser to be long ago.
pub(crate) const FIRST_DAY: u32 = 100 * TICK;

fn edited(object: &mut Object, edit: &Edit) -> bool {
    let before = object.spec.clone();
    let spec = &mut object.spec;
    match edit {
        Edit::Engine(engine) => spec.engine = *engine,
        Edit::Access(access) => spec.access = *access,
        Edit::Authentication(authentication) => spec.authentication = *authentication,
        Edit::Sources(sources) => spec.sources = *sources,
        Edit::Policy(policy) => spec.policy = *policy,
        Edit::Observes(observes) => spec.observes = *observes,
        Edit::Suspends(suspended) => spec.suspended = *suspended,
        Edit::Adoption(adoption) => spec.adoption = *adoption,
        Edit::Tags(tags) => spec.tags = *tags,
        // A user ID cannot change, so what names none never names one.
        Edit::Sense(sense) if spec.sense != crate::object::Sense::Nameless => spec.sense = *sense,
        Edit::Sense(_) => {}
    }
    *spec != before
}
