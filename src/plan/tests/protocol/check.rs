//! Breadth first through every state that can be reached, so that the first bad walk that is found is a shortest one.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use crate::nature::{Model, deleted, start, window_passes, workable};
use crate::rules::{Guards, Nature};
use crate::shell::Luck;
use crate::walk::{Bad, Step};
use crate::world::{Life, Place, World};

/// More states than any run of these tests has: a defect of the model, not of the protocol.
const MOST_STATES: usize = 2_000_000;

/// What a run of the model found.
pub(crate) struct Found {
    pub(crate) states: usize,
    pub(crate) bad: Option<(Bad, Vec<Step>)>,
}

impl Found {
    /// The walk in sentences.
    pub(crate) fn tale(&self) -> String {
        match &self.bad {
            None => format!("{} states, nothing bad", self.states),
            Some((bad, walk)) => {
                let steps: Vec<String> =
                    walk.iter().enumerate().map(|(at, step)| format!("{:3}. {step}", at + 1)).collect();
                format!("{} states, then {bad}:\n{}", self.states, steps.join("\n"))
            }
        }
    }
}

type Fast = BuildHasherDefault<Mix>;

/// Multiply and rotate: states are many, and nobody attacks them.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }
    fn write_u8(&mut self, value: u8) {
        self.write_u64(value.into());
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_isize(&mut self, value: isize) {
        self.write_u64(value.unsigned_abs() as u64);
    }
}

struct Search {
    worlds: Vec<World>,
    came: Vec<(usize, Option<Step>)>,
    index: HashMap<World, usize, Fast>,
}

impl Search {
    fn add(&mut self, world: World, from: usize, step: Option<Step>) -> usize {
        let next = self.worlds.len();
        let at = *self.index.entry(world).or_insert(next);
        if at == next {
            self.worlds.push(world);
            self.came.push((from, step));
        }
        at
    }

    fn walk_to(&self, mut at: usize) -> Vec<Step> {
        let mut walk = vec![];
        while let (from, Some(step)) = self.came[at] {
            walk.push(step);
            at = from;
        }
        walk.reverse();
        walk
    }
}

/// Explores everything; ends at the first bad state, and looks for states from which the object never goes.
pub(crate) fn explore(guards: Guards, nature: Nature) -> Found {
    let mut model = Model::new(guards, nature);
    let mut search = Search { worlds: vec![], came: vec![], index: HashMap::default() };
    search.add(World::new(nature.budget), 0, None);
    let mut next = vec![];
    let mut at = 0;
    while at < search.worlds.len() {
        let world = search.worlds[at];
        model.next(&world, &mut next);
        for (step, world, bad) in &next {
            if let Some(bad) = bad {
                let mut walk = search.walk_to(at);
                walk.push(*step);
                return Found { states: search.worlds.len(), bad: Some((*bad, walk)) };
            }
            search.add(*world, at, Some(*step));
        }
        at += 1;
        assert!(search.worlds.len() < MOST_STATES, "the model does not end");
    }
    let states = search.worlds.len();
    let bad = stuck(&mut model, &search).map(|at| (Bad::Stuck, search.walk_to(at)));
    Found { states, bad }
}

/// More fair steps than any way out takes.
const LONGEST_WAY_OUT: usize = 200;

/// A state from which fair steps do not lead to the object's going.
fn stuck(model: &mut Model, search: &Search) -> Option<usize> {
    let mut fine: HashMap<World, (), Fast> = HashMap::default();
    for (at, world) in search.worlds.iter().enumerate() {
        let mut way = vec![];
        let mut here = World { budget: 0, ..*world }.canonical();
        while here.object.is_some() && !fine.contains_key(&here) {
            way.push(here);
            if way.len() > LONGEST_WAY_OUT {
                return Some(at);
            }
            here = fair(model, here).canonical();
        }
        fine.extend(way.into_iter().map(|world| (world, ())));
    }
    None
}

/// What happens next when nothing goes wrong any more: AWS finishes, people want the object gone, processes work where its
/// user is, and time passes.
fn fair(model: &mut Model, mut world: World) -> World {
    for place in [Place::Home, Place::Abroad] {
        let user = world.user_mut(place);
        match user.map(|user| user.life) {
            Some(Life::Late | Life::Modifying) => {
                if let Some(user) = user {
                    user.life = Life::Active;
                }
                return world;
            }
            Some(Life::Deleting | Life::Condemned) => {
                *user = None;
                return world;
            }
            Some(Life::Active) | None => {}
        }
    }
    let Some(object) = world.object else {
        return world;
    };
    if !object.terminating {
        return deleted(world);
    }
    for who in 0..world.processes.len() {
        if world.processes[who].pass.is_some() {
            let mut worker = model.worker(world, who);
            worker.step(Luck::Fine);
            return worker.world;
        }
    }
    // A person who reads WrongAWSAccount gives the operator its former place.
    let place = object.status.arn.or(object.status.request.place()).unwrap_or(world.configured);
    world.configured = place;
    if !world.processes[0].running || world.processes[0].place != place {
        return start(world, 0);
    }
    let world = window_passes(&world).unwrap_or(world);
    let mut worker = model.worker(world, 0);
    if workable(&object) {
        worker.begin(worker.world.object.unwrap_or(object));
    }
    worker.world
}
