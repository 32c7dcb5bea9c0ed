//! Everything that may happen next.

use crate::core::{Act, Core};
use crate::rules::{Guards, Nature};
use crate::shell::{Luck, Worker};
use crate::walk::{Bad, Step};
use crate::world::{Holder, Life, Memory, Object, Place, Process, Request, Status, User, World};

/// A run of the model: what is guarded, and what befalls.
pub(crate) struct Model {
    pub(crate) guards: Guards,
    pub(crate) nature: Nature,
    pub(crate) core: Core,
}

/// A step, where it leads, and what is wrong there.
pub(crate) type Next = (Step, World, Option<Bad>);

impl Model {
    pub(crate) fn new(guards: Guards, nature: Nature) -> Self {
        Self { guards, nature, core: Core::new(nature.accounts) }
    }

    /// Every step that may follow.
    pub(crate) fn next(&mut self, world: &World, out: &mut Vec<Next>) {
        out.clear();
        for who in 0..world.processes.len() {
            self.process(world, who, out);
        }
        for place in [Place::Home, Place::Abroad] {
            self.aws(world, place, out);
        }
        self.people(world, out);
        for (_, world, bad) in out {
            *world = world.canonical();
            if bad.is_none() && orphaned(world) {
                *bad = Some(Bad::Orphan);
            }
        }
    }

    fn process(&mut self, world: &World, who: usize, out: &mut Vec<Next>) {
        let process = world.processes[who];
        if !process.running {
            if who == 0 || self.nature.fail_over {
                out.push((Step::Start(who), start(*world, who), None));
            }
            return;
        }
        let idle = process.pass.is_none()
            && process.memory == Memory::default()
            && process.place == world.configured;
        if self.nature.crashes && world.budget > 0 && !idle {
            let mut after = spend(*world, 1);
            after.processes[who] = Process::DEAD;
            out.push((Step::Crash(who), after, None));
        }
        if process.pass.is_some() {
            let deletes = matches!(self.worker(*world, who).next(), Some(Act::Delete | Act::LookAtObject));
            for (luck, cost) in self.worker(*world, who).lucks() {
                let free = self.nature.blocked && deletes && *luck == Luck::Refused;
                let cost = if free { 0 } else { *cost };
                if cost <= world.budget && (cost == 0 || self.befalls(*luck)) {
                    let mut worker = self.worker(spend(*world, cost), who);
                    let (did, bad) = worker.step(*luck);
                    out.push((Step::Go(who, did), worker.world, bad));
                }
            }
            return;
        }
        let stale = process.stale.filter(|stale| Some(*stale) != world.object && self.nature.stale);
        for (object, cost) in [(world.object, 0), (stale, 1)] {
            if let Some(object) = object.filter(workable)
                && cost <= world.budget
            {
                let mut worker = self.worker(spend(*world, cost), who);
                worker.begin(object);
                let mut after = worker.world;
                if !self.nature.stale || after.budget == 0 {
                    after.processes[who].stale = None;
                }
                out.push((Step::Begin(who, cost > 0), after, None));
            }
        }
    }

    fn befalls(&self, luck: Luck) -> bool {
        match luck {
            Luck::Fine => true,
            Luck::Late => self.nature.late,
            Luck::LostAndLate => self.nature.late && self.nature.faults,
            Luck::Lost | Luck::Refused | Luck::Dropped => self.nature.faults,
        }
    }

    pub(crate) fn worker(&mut self, world: World, who: usize) -> Worker<'_> {
        Worker { world, who, guards: &self.guards, core: &mut self.core }
    }

    fn aws(&self, world: &World, place: Place, out: &mut Vec<Next>) {
        let others = self.nature.others && world.budget > 0;
        let mut add = |step, cost, life: Option<(Life, Holder)>| {
            let mut after = spend(*world, cost);
            *after.user_mut(place) = life.map(|(life, holder)| User { life, holder });
            if self.guards.prompt && life.is_none() {
                // A whole life of a user takes longer than the seconds for which an announcement holds.
                expire(&mut after);
            }
            out.push((step, after, None));
        };
        let Some(User { life, holder }) = world.user(place) else {
            // The object's user has no business abroad, nor have others, before anything has gone there.
            if others && (place == Place::Home || world.configured == place) {
                for holder in [Holder::Anothers, Holder::Strangers] {
                    add(Step::SomebodyCreates(place, holder), 1, Some((Life::Active, holder)));
                }
            }
            return;
        };
        match life {
            Life::Late => add(Step::Appear(place), 0, Some((Life::Active, holder))),
            Life::Modifying => add(Step::Settle(place), 0, Some((Life::Active, holder))),
            Life::Deleting => add(Step::Vanish(place), 0, None),
            Life::Condemned => {
                add(Step::Vanish(place), 0, None);
                if others {
                    add(Step::SomebodyReplaces(place), 1, Some((Life::Active, Holder::Twin)));
                }
            }
            Life::Active => {
                if others {
                    add(Step::SomebodyModifies(place), 1, Some((Life::Modifying, holder)));
                    add(Step::SomebodyDeletes(place), 1, Some((Life::Deleting, holder)));
                }
                if self.nature.strips && world.budget > 0 && holder == Holder::Ours {
                    add(Step::SomebodyStrips(place), 1, Some((Life::Active, Holder::Stripped)));
                }
            }
        }
    }

    fn people(&self, world: &World, out: &mut Vec<Next>) {
        match world.object {
            Some(object) if !object.terminating => out.push((Step::PersonDeletes, deleted(*world), None)),
            Some(_) => {}
            None if self.nature.again && world.budget > 0 => {
                let mut after = spend(*world, 1);
                let version = after.next_version();
                after.incarnations += 1;
                let (uid, status) = (after.incarnations, Status::default());
                after.object = Some(Object { uid, version, terminating: false, held: false, status });
                out.push((Step::PersonCreatesAgain, after, None));
            }
            None => {}
        }
        if self.nature.moves && world.budget > 0 {
            let configured = world.configured.other();
            out.push((Step::PersonMoves(configured), World { configured, ..spend(*world, 1) }, None));
        }
        if let Some(after) = window_passes(world) {
            out.push((Step::WindowPasses, after, None));
        }
    }
}

/// Something is still to be done about this version.
pub(crate) fn workable(object: &Object) -> bool {
    object.held || !object.terminating
}

fn spend(world: World, cost: u8) -> World {
    World { budget: world.budget - cost, ..world }
}

pub(crate) fn start(mut world: World, who: usize) -> World {
    world.processes[who] = Process { running: true, place: world.configured, ..Process::DEAD };
    world
}

pub(crate) fn deleted(mut world: World) -> World {
    let version = world.next_version();
    world.object = world
        .object
        .and_then(|object| object.held.then_some(Object { terminating: true, version, ..object }));
    world
}

/// What was announced is announced anew before the CreateUser.
fn expire(world: &mut World) {
    for process in &mut world.processes {
        if let Some(pass) = &mut process.pass
            && pass.did.is_none()
            && !pass.leaving
        {
            pass.announced = false;
        }
    }
}

/// The window is longer than AWS takes to show a user, so it passes only then.
pub(crate) fn window_passes(world: &World) -> Option<World> {
    let mut after = *world;
    let late = [world.home, world.abroad].iter().flatten().any(|user| user.life == Life::Late);
    let mut open = false;
    after.each_request(|request| {
        if let Request::Open(_, place) = *request {
            open = true;
            *request = Request::Past(place);
        }
    });
    expire(&mut after);
    for process in &mut after.processes {
        // A pass that began before decides on what it knew then.
        process.memory.settled = 0;
    }
    (open && !late).then_some(after)
}

/// The object is gone, and AWS has a user with its tags that nobody deletes.
fn orphaned(world: &World) -> bool {
    let left =
        |user: &User| user.holder == Holder::Ours && !matches!(user.life, Life::Deleting | Life::Condemned);
    world.object.is_none() && [world.home, world.abroad].iter().flatten().any(left)
}
