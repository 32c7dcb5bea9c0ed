//! What a look at the group means for those who wish something of it.

use std::time::Duration;

use super::group::{Group, Room};
use super::wish::Phase;
use crate::pace::{Pace, Requeue};
use crate::{Fault, GroupCall, GroupObservation, Lifecycle, MembershipState, Moment, Swap, UserGroup};

impl Group {
    /// Look again, less and less often.
    fn look_later(&mut self, requeue: Requeue, pace: &Pace, now: Moment, roll: f64) {
        self.looks = self.looks.saturating_add(1);
        self.look_due = Some(now + pace.until(requeue, self.looks, Duration::ZERO, roll));
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

    pub(super) fn became_absent(&mut self, pace: &Pace, now: Moment, roll: f64) {
        for wish in self.wishes.values_mut() {
            if let Phase::Sent(_) = wish.phase {
                wish.phase = Phase::Waiting { alone: false, after: now };
            }
        }
        self.block(MembershipState::Absent, Requeue::Slow, pace, now, roll);
    }

    /// A call failed, and not because of one of the users.
    pub(super) fn failed(&mut self, call: GroupCall, fault: &Fault, pace: &Pace, now: Moment, roll: f64) {
        let requeue = match fault {
            Fault::Busy(_) | Fault::Throttled(_) | Fault::Unavailable(_) => Requeue::Backoff,
            Fault::Credentials(_) | Fault::Denied(_) | Fault::Rejected(..) => Requeue::Slow,
        };
        self.block(MembershipState::Failed(call, fault.clone()), requeue, pace, now, roll);
    }

    pub(super) fn see(&mut self, seen: &GroupObservation, pace: &Pace, now: Moment, roll: f64) {
        match seen {
            GroupObservation::Absent => self.became_absent(pace, now, roll),
            GroupObservation::Failed(fault) => {
                self.failed(GroupCall::DescribeUserGroups, fault, pace, now, roll);
            }
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
        (self.retry, self.failures) = (None, 0);
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
                (Phase::Held { .. }, false) if somebody_left => Phase::Waiting { alone: true, after: now },
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
