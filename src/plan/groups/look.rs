//! What a look at the group means for those who wish something of it.

use std::time::Duration;

use super::group::{Group, Room};
use super::wish::Phase;
use crate::pace::{Pace, Requeue};
use crate::{Fault, GroupCall, GroupObservation, Lifecycle, MembershipState, Moment, Swap, UserGroup};

impl Group {
    /// Look again, less and less often.
    fn look_later(&mut self, requeue: Requeue, pace: &Pace, now: Moment, roll: f64) {
        // A listing may show the group long before a look is due.
        let is_early =
            self.look_due.is_some_and(|due| now.since(self.looked_at) < due.since(self.looked_at) / 2);
        self.looks = self.looks.saturating_add(u32::from(!is_early));
        self.look_due = Some(now + pace.until(requeue, self.looks, Duration::ZERO, roll));
        self.looked_at = now;
    }

    fn block(&mut self, obstacle: MembershipState, requeue: Requeue, pace: &Pace, now: Moment, roll: f64) {
        // A group that changes its state is looked at soon.
        let same = self
            .obstacle
            .as_ref()
            .is_some_and(|before| std::mem::discriminant(before) == std::mem::discriminant(&obstacle));
        self.looks = if same { self.looks } else { 0 };
        self.obstacle = Some(obstacle);
        self.look_later(requeue, pace, now, roll);
    }

    /// AWS accepted a call, or says that it is applying another one.
    pub(super) fn became_busy(&mut self, pace: &Pace, now: Moment, roll: f64) {
        self.looks = 0;
        self.block(MembershipState::Busy(Lifecycle::Modifying), Requeue::Busy, pace, now, roll);
    }

    /// AWS may have refused a call because there was nothing left to do. The next look shows it.
    pub(super) fn look_soon(&mut self, pace: &Pace, now: Moment, roll: f64) {
        self.is_doubtful = false;
        self.look_due = Some(now + pace.until(Requeue::Backoff, 1, Duration::ZERO, roll));
    }

    pub(super) fn became_absent(&mut self, pace: &Pace, now: Moment, roll: f64) {
        for wish in self.wishes.values_mut() {
            if let Phase::Sent(_) = wish.phase {
                wish.phase = Phase::Waiting { alone: false, after: now };
            }
        }
        self.block(MembershipState::Absent, Requeue::Slow, pace, now, roll);
    }

    /// A look failed.
    pub(super) fn look_failed(&mut self, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        let state = MembershipState::Failed(GroupCall::DescribeUserGroups, fault.clone());
        self.block(state, after_failure(fault), pace, now, roll);
    }

    /// A change failed, and not because of one of the users. The next one looks at the group anyway.
    pub(super) fn change_failed(&mut self, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        self.is_doubtful |= fault.outcome_unknown();
        self.obstacle = Some(MembershipState::Failed(GroupCall::ModifyUserGroup, fault.clone()));
        self.retry_later(after_failure(fault), pace, now, roll);
    }

    pub(super) fn see(&mut self, seen: &GroupObservation, pace: &Pace, now: Moment, roll: f64) {
        match seen {
            GroupObservation::Absent => self.became_absent(pace, now, roll),
            GroupObservation::Failed(fault) => self.look_failed(fault, pace, now, roll),
            GroupObservation::Found(group) if group.lifecycle == Lifecycle::Active => {
                self.see_active(group, pace, now, roll);
            }
            GroupObservation::Found(group) => {
                self.block(MembershipState::Busy(group.lifecycle.clone()), Requeue::Busy, pace, now, roll);
            }
        }
    }

    fn see_active(&mut self, group: &UserGroup, pace: &Pace, now: Moment, roll: f64) {
        if self.obstacle.is_some() {
            self.open_since = Some(now);
        }
        (self.obstacle, self.look_due, self.looks) = (None, None, 0);
        self.retry = None;
        let before = self.seen.replace(group.clone());
        let somebody_left =
            before.is_some_and(|before| before.user_ids.iter().any(|member| !group.has(member)));
        if somebody_left {
            self.room = Room::default();
        }
        for wish in self.wishes.values_mut() {
            wish.phase = match (&wish.phase, wish.is_wanted_by(group)) {
                (Phase::Sent(swap), true) => Phase::Settled(*swap),
                (settled @ Phase::Settled(_), _) => settled.clone(),
                (_, true) => Phase::Settled(Swap::No),
                // AWS accepted it, and does not show it.
                (Phase::Sent(_), false) => {
                    let delay = pace.until(Requeue::Backoff, wish.accepted, Duration::ZERO, roll);
                    Phase::Waiting { alone: false, after: now + delay }
                }
                (Phase::Held { state, .. }, false) if somebody_left && !is_denied(state) => {
                    Phase::Waiting { alone: true, after: now }
                }
                (phase @ (Phase::Waiting { .. } | Phase::Unseen { .. } | Phase::Held { .. }), false) => {
                    phase.clone()
                }
            };
        }
        let settled =
            |uid: &String| self.wishes.get(uid).is_none_or(|wish| matches!(wish.phase, Phase::Settled(_)));
        self.parts.retain(|part| !part.uids.iter().any(settled));
    }
}

fn after_failure(fault: &Fault) -> Requeue {
    match fault {
        Fault::Busy(_) | Fault::Throttled(_) | Fault::Unavailable(_) => Requeue::Backoff,
        Fault::Credentials(_) | Fault::Denied(_) | Fault::Rejected(..) => Requeue::Slow,
    }
}

/// The refusal does not depend on the group's members.
fn is_denied(state: &MembershipState) -> bool {
    matches!(state, MembershipState::DeniedTogether(_) | MembershipState::Failed(_, Fault::Denied(_)))
}
