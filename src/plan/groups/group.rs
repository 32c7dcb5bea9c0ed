//! One group: who wishes what of it, what is known about it, and what to do next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::batch::{self, Choice, Trial};
use super::wish::{Phase, Wish, in_words};
use super::{GroupFacts, Member};
use crate::pace::{Pace, Requeue};
use crate::{
    Direction, Fault, GroupChange, GroupObservation, GroupSize, Lifecycle, MembershipState, Moment,
    UserGroup, UserGroupId,
};

#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    /// By uid of the object.
    pub(super) wishes: BTreeMap<String, Wish>,
    /// A step of the driver is under way.
    under_way: bool,
    /// What the step under way is about.
    pub(super) choice: Option<Choice>,
    /// Why nothing can be changed: `Absent`, `Busy` or `Failed`.
    pub(super) obstacle: Option<MembershipState>,
    /// The group has to be looked at before anything is changed.
    pub(super) look_due: Option<Moment>,
    /// How often it was looked at in vain.
    pub(super) looks: u32,
    /// When it was last looked at, or AWS accepted a call.
    pub(super) looked_at: Moment,
    /// When the next call may be tried.
    pub(super) retry: Option<Moment>,
    /// How many calls failed in a row, and not because of one of the users.
    pub(super) failures: u32,
    /// When the group was first seen `active` after AWS had worked on it.
    pub(super) open_since: Option<Moment>,
    /// What the last look at the `active` group showed.
    pub(super) seen: Option<UserGroup>,
    /// The call under way.
    pub(super) trial: Option<Trial>,
    /// The last part is tried first.
    pub(super) parts: Vec<Part>,
    pub(super) last_direction: Option<Direction>,
    pub(super) room: Room,
    /// A call failed, and may have taken effect. What AWS refuses now may be so already.
    pub(super) is_doubtful: bool,
    /// How many objects in a row were denied alone, while nothing was accepted.
    pub(super) denials: u32,
}

/// Objects, by uid, that AWS refused together. At least one of them is refused alone, too.
#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) uids: Vec<String>,
    pub(super) fault: Fault,
}

/// What is known about the quota of members.
#[derive(Clone, Debug, Default)]
pub(super) struct Room {
    /// AWS refused so many members.
    pub(super) refused: Option<usize>,
    /// AWS's answer, as long as there is no room.
    pub(super) full: Option<GroupSize>,
    /// When AWS is asked again.
    pub(super) again: Option<Moment>,
    pub(super) attempts: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GroupAction {
    Rest,
    Until(Moment),
    Look,
    Change(Choice),
}

impl Group {
    pub(super) fn wish(&mut self, member: &Member, direction: Direction, pace: &Pace, now: Moment) {
        let is_new = self.wishes.get(&member.uid).is_none_or(|wish| wish.direction != direction);
        if is_new && direction == Direction::Leave {
            // Another one may take its place.
            self.retry_names(now);
        }
        let Some(wish) = self.wishes.get_mut(&member.uid) else {
            self.wishes.insert(member.uid.clone(), Wish::new(member.clone(), direction, now));
            return;
        };
        wish.withdrawn = false;
        if let Phase::Sent(_) = wish.phase {
            // Its end wakes the object, which then wishes what is left to do.
            wish.member = member.clone();
            return;
        }
        if wish.direction != direction {
            *wish = Wish::new(member.clone(), direction, now);
            return self.dissolve(&member.uid.clone());
        }
        let differs = wish.differs(member);
        let waiting = |alone, after| Phase::Waiting { alone, after };
        let phase = match &wish.phase {
            Phase::Held { .. } if differs => waiting(true, now),
            // The group shows the membership, but the user does not.
            Phase::Settled(_) => {
                wish.accepted = wish.accepted.saturating_add(1);
                waiting(false, now + pace.until(Requeue::Backoff, wish.accepted, Duration::ZERO, 0.0))
            }
            Phase::Unseen { .. } => waiting(false, now),
            phase @ (Phase::Held { .. } | Phase::Waiting { .. } | Phase::Sent(_)) => phase.clone(),
        };
        wish.member = member.clone();
        wish.phase = phase;
    }

    pub(super) fn withdraw(&mut self, uid: &str) {
        match self.wishes.get_mut(uid) {
            Some(wish) if matches!(wish.phase, Phase::Sent(_)) => wish.withdrawn = true,
            Some(_) => {
                self.wishes.remove(uid);
                self.dissolve(uid);
            }
            None => {}
        }
    }

    /// The object may have been the one that AWS refuses, so nothing is known about the others of its part any more.
    pub(super) fn dissolve(&mut self, uid: &str) {
        self.parts.retain(|part| !part.uids.iter().any(|other| other == uid));
    }

    pub(super) fn is_idle(&self) -> bool {
        self.wishes.is_empty() && !self.under_way
    }

    pub(super) fn begin(&mut self, choice: Option<Choice>) {
        self.under_way = true;
        self.choice = choice;
    }

    pub(super) fn end(&mut self) {
        self.under_way = false;
    }

    pub(super) fn waiting(&self, direction: Direction) -> usize {
        let waits = |wish: &&Wish| wish.direction == direction && !matches!(wish.phase, Phase::Settled(_));
        self.wishes.values().filter(waits).count()
    }

    pub(super) fn undecided_joins(&self) -> impl Iterator<Item = &str> {
        let is_undecided = |(_, wish): &(&String, &Wish)| {
            wish.direction == Direction::Join && self.state(wish) == MembershipState::Queued
        };
        self.wishes.iter().filter(is_undecided).map(|(uid, _)| uid.as_str())
    }

    fn state(&self, wish: &Wish) -> MembershipState {
        match &wish.phase {
            Phase::Sent(swap) => MembershipState::Applying(*swap),
            Phase::Settled(swap) => MembershipState::Settled(*swap),
            Phase::Held { state, .. } => state.clone(),
            Phase::Waiting { .. } | Phase::Unseen { .. } => match (&self.obstacle, &self.room.full) {
                (Some(obstacle), _) => obstacle.clone(),
                (None, Some(size)) if wish.direction == Direction::Join => {
                    MembershipState::Full(size.clone())
                }
                (None, _) => MembershipState::Queued,
            },
        }
    }

    /// What the object's pass has to know. From now on it is no news.
    pub(super) fn tell(&mut self, uid: &str) -> Option<MembershipState> {
        let state = self.state(self.wishes.get(uid)?);
        self.wishes.get_mut(uid)?.told = in_words(state.clone());
        Some(state)
    }

    /// The objects, as `namespace/name`, that have to say something else now.
    pub(super) fn news(&mut self) -> Vec<String> {
        let states: Vec<(String, MembershipState)> =
            self.wishes.iter().map(|(uid, wish)| (uid.clone(), in_words(self.state(wish)))).collect();
        let mut woken = Vec::new();
        for (uid, state) in states {
            let Some(wish) = self.wishes.get_mut(&uid) else { continue };
            let is_over = wish.withdrawn && !matches!(wish.phase, Phase::Sent(_));
            let is_unseen = wish.phase == Phase::Unseen { woken: false };
            if wish.told != state || is_unseen || is_over {
                wish.told = state;
                if is_unseen {
                    wish.phase = Phase::Unseen { woken: true };
                }
                woken.push(format!("{}/{}", wish.member.namespace, wish.member.name));
            }
            if is_over {
                self.wishes.remove(&uid);
            }
        }
        woken
    }

    /// Somebody waits for what the group shows. When the next look is due.
    pub(super) fn awaited_look(&self) -> Option<Moment> {
        self.look_due.filter(|_| !self.under_way && self.is_awaited())
    }

    /// Somebody waits for the group.
    fn is_awaited(&self) -> bool {
        self.wishes.values().any(|wish| !matches!(wish.phase, Phase::Settled(_) | Phase::Unseen { .. }))
    }

    /// What to do next. `undecided`: objects that must not leave a group yet.
    pub(super) fn plan(
        &self,
        coming: bool,
        undecided: &BTreeSet<String>,
        pace: &Pace,
        now: Moment,
    ) -> GroupAction {
        if self.under_way {
            return GroupAction::Rest;
        }
        if !self.is_awaited() {
            return GroupAction::Rest;
        }
        if let Some(due) = self.look_due.into_iter().chain(self.retry).max().filter(|due| *due > now) {
            return GroupAction::Until(due);
        }
        if self.look_due.is_some() {
            return GroupAction::Look;
        }
        match batch::due(self, coming, undecided, pace) {
            Some(due) if due <= now => {
                // If there is nothing to choose, those that are due wait for something else.
                let wait = GroupAction::Until(now + pace.group_gather);
                batch::choose(self, undecided, now).map_or(wait, GroupAction::Change)
            }
            Some(due) => GroupAction::Until(due),
            None => GroupAction::Rest,
        }
    }

    /// The object's pass has to look at its user before anything else is done for it.
    pub(super) fn see_again(&mut self, uid: &str) {
        self.dissolve(uid);
        if let Some(wish) = self.wishes.get_mut(uid)
            && matches!(wish.phase, Phase::Waiting { .. } | Phase::Held { .. })
        {
            wish.phase = Phase::Unseen { woken: false };
        }
    }

    /// The object was woken, but its pass did not look at the user.
    pub(super) fn not_seen(&mut self, uid: &str) -> bool {
        let Some(wish) = self.wishes.get_mut(uid) else { return false };
        let is_unseen = wish.phase == Phase::Unseen { woken: true };
        if is_unseen {
            wish.phase = Phase::Unseen { woken: false };
        }
        is_unseen
    }

    /// The call could not be made, or failed, and not because of one of the users. It is tried again later and later.
    pub(super) fn retry_later(&mut self, requeue: Requeue, pace: &Pace, now: Moment, roll: f64) {
        self.failures = self.failures.saturating_add(1);
        self.retry = Some(now + pace.until(requeue, self.failures, Duration::ZERO, roll));
    }

    pub(super) fn decide(
        &mut self,
        id: &UserGroupId,
        facts: &GroupFacts,
        pace: &Pace,
        now: Moment,
        roll: f64,
    ) -> Option<GroupChange> {
        let GroupFacts { confirmed, seen, source, members } = facts;
        self.see(seen, pace, now, roll);
        let GroupObservation::Found(group) = seen else { return None };
        if group.lifecycle != Lifecycle::Active {
            return None;
        }
        for wish in self.wishes.values_mut() {
            let is_open = matches!(wish.phase, Phase::Waiting { .. } | Phase::Held { .. });
            if is_open && wish.member.wishes.credentials != source.credentials {
                // The user may belong to another account.
                wish.phase = Phase::Unseen { woken: false };
            }
        }
        // The objects that changed meanwhile wish something else, or will say so again.
        let mut choice = self.choice.take()?;
        for uid in choice.uids.iter().filter(|uid| !confirmed.contains(*uid)) {
            self.see_again(uid);
        }
        choice.leaver.take_if(|uid| !confirmed.contains(uid));
        let mut trial = batch::trial(self, choice, group, pace, now, roll)?;
        trial.objects.clone_from(members);
        let change = trial.call(id);
        self.trial = Some(trial);
        Some(change)
    }
}
