//! What the operator's process remembers between passes: as `src/memory.rs`.

use plan::*;

use crate::object::Object;
use crate::status;
use crate::world::World;

/// Passes from one comparison of the tags to the next.
const TAG_PACE: u32 = 5;

/// What the process remembers between passes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory {
    pub(crate) owner: Option<(Arn, Ownership)>,
    /// The `createRequestedAt` whose user was seen, or let go, since.
    pub(crate) settled: Option<u32>,
    pub(crate) account: Option<Account>,
    /// The passwords that were last sent, and accepted.
    pub(crate) sent: Option<Passwords>,
    /// The generation whose tags were found right, and in how many passes they are compared again.
    pub(crate) tags: Option<(u32, u32)>,
    /// The generation that was Ready last.
    pub(crate) ready: Option<u32>,
    /// The version of the object in which this process announced a deletion, or wrote since, where nobody else did; and what
    /// the announcement took out of status, where no DeleteUser may have been accepted.
    pub(crate) departure: (Option<u32>, Option<LastApplied>),
    /// UserNotFound was seen, and what status says was applied was so before that.
    pub(crate) gone: bool,
    /// Passes in a row in which AWS did not tell the state, or denied.
    pub(crate) silent: u32,
    pub(crate) denied: u32,
}

impl Memory {
    /// The process is no more.
    pub(crate) fn end(&mut self, world: &mut World) {
        world.departed = None;
        world.gone_seen = false;
        *self = Self::default();
    }

    /// Whether it is time to compare the tags.
    pub(crate) fn tags_due(&mut self, generation: u32, settled: bool) -> bool {
        let (checked, due_in) = self.tags.get_or_insert((0, TAG_PACE));
        *due_in = due_in.saturating_sub(1);
        *due_in == 0 || (!settled && *checked != generation)
    }

    /// What status and the process remember of the user.
    pub(crate) fn record(&mut self, object: &Object, creation: Creation) -> Record {
        if self.departure.0 != Some(object.version) {
            self.departure = (None, None);
        }
        let recorded = status::record(object, creation);
        self.gone &= recorded.manages();
        Record {
            last_applied: recorded.last_applied.filter(|_| !self.gone),
            departure_ours: self.departure.0.is_some(),
            spared: self.departure.1.clone(),
            lost: self.gone,
            was_settled: self.ready == Some(object.generation),
            ..recorded
        }
    }

    pub(crate) fn tags_match(&mut self, generation: u32) {
        self.tags = Some((generation, TAG_PACE));
    }

    /// They are compared at each pass until they match.
    pub(crate) fn tags_differ(&mut self) {
        self.tags = Some((0, 1));
    }
}
