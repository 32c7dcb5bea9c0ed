//! What one object wishes of one group, and how far it is.

use super::Member;
use crate::{DEFAULT_USER, Direction, Fault, MembershipState, Moment, Rejection, Swap, UserGroup};

#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) member: Member,
    pub(super) direction: Direction,
    /// When this process first saw the wish.
    pub(super) first_seen: Moment,
    pub(super) queued_at: Moment,
    pub(super) phase: Phase,
    /// How often AWS accepted it without effect.
    pub(super) accepted: u32,
    /// How often AWS refused it alone.
    pub(super) refusals: u32,
    /// A call that it was part of was refused.
    pub(super) suspected: bool,
    /// The object's pass knows this.
    pub(super) told: MembershipState,
    /// The object does not wish it any more.
    pub(super) withdrawn: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// `alone`: AWS refused it before.
    Waiting {
        alone: bool,
        after: Moment,
    },
    /// The object's next pass has to look at the user first.
    Unseen {
        woken: bool,
    },
    /// AWS accepted the call, and the group is not `active` yet.
    Sent(Swap),
    Settled(Swap),
    /// AWS refused it. It is tried again alone.
    Held {
        state: MembershipState,
        again: Moment,
    },
}

impl Wish {
    pub(super) fn new(member: Member, direction: Direction, now: Moment) -> Self {
        Self {
            member,
            direction,
            first_seen: now,
            queued_at: now,
            phase: Phase::Waiting { alone: false, after: now },
            accepted: 0,
            refusals: 0,
            suspected: false,
            told: MembershipState::Queued,
            withdrawn: false,
        }
    }

    /// The object, or what AWS's refusal depends on, is another than when AWS refused it.
    pub(super) fn differs(&self, member: &Member) -> bool {
        let (before, after) = (&self.member.wishes, &member.wishes);
        self.member.generation != member.generation
            || self.member.annotations != member.annotations
            || (&before.engine, &before.authentication_type) != (&after.engine, &after.authentication_type)
    }

    pub(super) fn is_wanted_by(&self, group: &UserGroup) -> bool {
        group.has(&self.member.wishes.user_id) == (self.direction == Direction::Join)
    }

    pub(super) fn is_default(&self) -> bool {
        self.member.wishes.user_name == DEFAULT_USER
    }

    /// It may change places with another default user.
    pub(super) fn is_open_default(&self) -> bool {
        let is_open = match &self.phase {
            Phase::Waiting { .. } => true,
            Phase::Held { state, .. } => self.direction == Direction::Leave || is_about_a_name(state),
            Phase::Unseen { .. } | Phase::Sent(_) | Phase::Settled(_) => false,
        };
        is_open && self.is_default()
    }
}

/// AWS refused the user, because another member has its name.
pub(super) fn is_about_a_name(state: &MembershipState) -> bool {
    match state {
        MembershipState::NameTaken(fault) | MembershipState::Refused(fault) => {
            matches!(fault, Fault::Rejected(Rejection::DuplicateUserName, _))
        }
        MembershipState::Queued
        | MembershipState::Absent
        | MembershipState::Busy(_)
        | MembershipState::Applying(_)
        | MembershipState::Settled(_)
        | MembershipState::Full(_)
        | MembershipState::DeniedTogether(_)
        | MembershipState::DefaultInUse { .. }
        | MembershipState::NotAllowed
        | MembershipState::Failed(..) => false,
    }
}

/// States that a pass says in the same words are no news.
pub(super) fn in_words(state: MembershipState) -> MembershipState {
    match state {
        MembershipState::Applying(_) => MembershipState::Queued,
        state @ (MembershipState::Queued
        | MembershipState::Absent
        | MembershipState::Busy(_)
        | MembershipState::Settled(_)
        | MembershipState::Full(_)
        | MembershipState::Refused(_)
        | MembershipState::NameTaken(_)
        | MembershipState::DeniedTogether(_)
        | MembershipState::DefaultInUse { .. }
        | MembershipState::NotAllowed
        | MembershipState::Failed(..)) => state,
    }
}
