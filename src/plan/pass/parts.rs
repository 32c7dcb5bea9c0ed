//! What a model checker has to see and change in a pass: versions, times and identities.

use std::sync::Arc;

use super::{Ages, Pass, Settings, Tokens};
use crate::{Memory, Moment, ObjectFacts, Pacing, Rolls, Timestamp};

/// The parts of a pass that hold resourceVersions, points in time and identities. A model checker numbers them anew, because
/// only their order matters, and lets time pass by making them older.
#[derive(Debug)]
pub struct Parts<'a> {
    pub settings: &'a mut Arc<Settings>,
    /// The version that is decided on.
    pub object: &'a mut ObjectFacts,
    /// What is remembered when the pass ends.
    pub memory: &'a mut Memory,
    /// `createRequestedAt` before the pass.
    pub former_request: &'a mut Option<Timestamp>,
    /// When the facts and intents of the pass were asked for or written.
    pub moments: [&'a mut Option<Moment>; 4],
    /// How often the pass began again.
    pub attempts: &'a mut u8,
}

impl Pass {
    /// The parts of the pass that hold versions, times and identities. The operator has no use for them.
    pub fn parts(&mut self) -> Parts<'_> {
        let Self { settings, object, memory, former_request, ages, attempts, .. } = self;
        let Ages { user, tags, other_owner, create_intent } = ages;
        let moments = [user, tags, other_owner, create_intent];
        Parts { settings, object, memory, former_request, moments, attempts }
    }

    /// Forgets what has no influence on what the pass does to the object and to AWS, if every token is granted at once: the
    /// tokens that it has, jitter, delays, and how often it has decided.
    pub fn forget_what_decides_nothing(&mut self) {
        self.tokens = Tokens::default();
        self.awaited = false;
        self.rolls = Rolls::default();
        self.steps = 0;
        self.late_rounds = 0;
        self.aws_is_slow = false;
        self.memory.pacing = Pacing::default();
        if self.closing.is_some() {
            self.ages = Ages::default();
        }
    }
}
