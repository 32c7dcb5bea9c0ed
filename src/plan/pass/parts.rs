//! Pure: what a model checker has to see and change in a pass: versions and times.

use super::Pass;
use crate::{Memory, Moment, ObjectFacts, Rolls, Timestamp};

/// The parts of a pass that hold resourceVersions, points in time and identities. A model checker numbers them anew, because
/// only their order matters, and lets time pass by making them older.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The version that is decided on.
    pub object: &'a mut ObjectFacts,
    /// What is remembered when the pass ends.
    pub memory: &'a mut Memory,
    /// `createRequestedAt` before the pass.
    pub former_request: &'a mut Option<Timestamp>,
    /// When the facts and intents of the pass were asked for or written.
    pub moments: [&'a mut Option<Moment>; 3],
    /// Where the pass is in its sequence of random numbers.
    pub rolls: &'a mut Rolls,
    /// How often the pass has decided.
    pub steps: &'a mut u8,
}

impl Pass {
    /// The parts of the pass that hold versions and times. The operator has no use for them.
    pub fn parts(&mut self) -> Parts<'_> {
        let Self { object, memory, former_request, ages, rolls, steps, .. } = self;
        let moments = [&mut ages.user, &mut ages.tags, &mut ages.create_intent];
        Parts { object, memory, former_request, moments, rolls, steps }
    }
}
