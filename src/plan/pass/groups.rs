//! What a pass does about user groups: it compares memberships, says what it wishes, and tells which changes it sees. The calls
//! are made by the coordinator, see [`crate::groups`].

use std::collections::BTreeMap;

use super::report::Closing;
use super::{Counted, EventContent, LogLevel, LogLine, Pass, Request, Wishes};
use crate::membership::{concerned, memberships};
use crate::pace::Requeue;
use crate::verdict::{Completed, Outcome, Reason};
use crate::{
    Action, Direction, Goal, GroupWishes, MembershipChange, MembershipState, Memberships, Readiness,
    RemoteUser, StatusUser, Swap, UserGroupId, UserObservation, Wait, WantedGroups, status_user,
};

static NO_GROUPS: WantedGroups = BTreeMap::new();

/// What the pass has to say about groups.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct GroupReport {
    /// `None` if the pass did not come so far that it compared the memberships.
    pub(super) memberships: Option<Memberships>,
    pub(super) changes: Vec<MembershipChange>,
    pub(super) wishes: Wishes,
    seen: Vec<SeenChange>,
}

/// A change of a membership of ours that AWS shows for the first time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct SeenChange {
    group: UserGroupId,
    direction: Direction,
    /// Somebody else had taken the user out.
    drift: bool,
    swap: Swap,
}

impl Pass {
    pub(super) fn wanted_groups(&self) -> &WantedGroups {
        match &self.goal {
            Goal::Present(desired) | Goal::ObserveOnly(desired) => &desired.user_groups,
            Goal::Suspended(_) | Goal::Invalid { .. } | Goal::Absent(_) | Goal::Orphaned(_) => &NO_GROUPS,
        }
    }

    pub(super) fn concerned_groups(&self) -> Vec<UserGroupId> {
        concerned(self.wanted_groups(), &self.observed)
    }

    pub(super) fn group_report(&mut self, action: &Action, outcome: &Outcome) -> GroupReport {
        let user = self.compared_user(action, outcome);
        let compared =
            user.map(|user| (user.clone(), memberships(self.wanted_groups(), user, &self.observed)));
        let wishes = match &compared {
            Some((user, memberships)) => GroupWishes::of(user, memberships, &self.observed)
                .map_or(Wishes::Nothing, |asks| Wishes::Asks(Box::new(asks))),
            None if matches!(action, Action::Wait(Wait::Failed(..) | Wait::ChangingGroups)) => {
                Wishes::Unchanged
            }
            None => Wishes::Nothing,
        };
        let memberships = compared.map(|(_, memberships)| memberships);
        let changes = memberships.as_ref().map(|memberships| memberships.changes.clone()).unwrap_or_default();
        self.note_lost_groups(&changes);
        GroupReport { seen: self.seen_changes(action), memberships, changes, wishes }
    }

    /// The user whose memberships can be compared, because it is `active` and as the spec asks for.
    fn compared_user<'a>(&'a self, action: &Action, outcome: &'a Outcome) -> Option<&'a RemoteUser> {
        match (action, outcome) {
            (Action::Create(_), Outcome::Accepted(user)) if outcome.shows_active() => Some(user),
            (Action::InSync | Action::Wait(Wait::LeavingGroups), _) => self.described_user(),
            _ => None,
        }
    }

    fn described_user(&self) -> Option<&RemoteUser> {
        match &self.observed.user {
            UserObservation::Found(user) => Some(user),
            UserObservation::NotRead | UserObservation::Absent | UserObservation::Failed(_) => None,
        }
    }

    /// A membership that status shows and AWS does not was removed by somebody else.
    fn note_lost_groups(&mut self, changes: &[MembershipChange]) {
        let record = &self.observed.record;
        let is_lost = |change: &&MembershipChange| {
            change.direction == Direction::Join
                && record.is_member_of(&change.group)
                && record.readiness != Readiness::NotReady
                && !matches!(change.state, MembershipState::Applying(_))
        };
        self.memory.lost_groups.extend(changes.iter().filter(is_lost).map(|change| change.group.clone()));
    }

    fn seen_changes(&self, action: &Action) -> Vec<SeenChange> {
        let Some(user) = self.described_user() else { return Vec::new() };
        if status_user(&self.goal, &self.observed, action) != StatusUser::Show {
            return Vec::new();
        }
        let record = &self.observed.record;
        let change = |group: &UserGroupId| {
            let wanted = self.wanted_groups().contains_key(group);
            let is_member = user.user_group_ids.iter().any(|id| id == group.as_str());
            let direction = match (record.is_member_of(group), is_member) {
                (false, true) if wanted => Direction::Join,
                (true, false) if !wanted => Direction::Leave,
                (false | true, false | true) => return None,
            };
            let swap = match self.observed.groups.of(group) {
                MembershipState::Applying(swap) | MembershipState::Settled(swap) => swap,
                MembershipState::Queued
                | MembershipState::Absent
                | MembershipState::Busy(_)
                | MembershipState::Full(_)
                | MembershipState::Refused(_)
                | MembershipState::NameTaken(_)
                | MembershipState::DeniedTogether(_)
                | MembershipState::DefaultInUse { .. }
                | MembershipState::NotAllowed
                | MembershipState::Failed(..) => Swap::No,
            };
            let drift = direction == Direction::Join && self.memory.lost_groups.contains(group);
            Some(SeenChange { group: group.clone(), direction, drift, swap })
        };
        record.managed_groups.iter().filter_map(change).collect()
    }

    /// To be called once status shows the memberships.
    pub(super) fn group_events(&mut self) -> Vec<Request> {
        let seen = self.closing.as_ref().map(|closing| closing.groups.seen.clone()).unwrap_or_default();
        let user_id = self.user_id().to_owned();
        for change in &seen {
            self.memory.lost_groups.remove(&change.group);
        }
        seen.iter().flat_map(|change| change.requests(&user_id)).collect()
    }
}

impl Closing {
    pub(super) fn polls(&self) -> bool {
        matches!(self.verdict.requeue, Requeue::Poll | Requeue::Busy)
    }

    /// The coordinator of the groups asks for the next pass.
    pub(super) fn is_woken(&self) -> bool {
        self.verdict.requeue == Requeue::Woken
    }

    pub(super) fn wishes(&self) -> Wishes {
        self.groups.wishes.clone()
    }
}

impl SeenChange {
    /// A line of the log and an event. If AWS's own default user is back in the group, another event warns of it.
    fn requests(&self, user_id: &str) -> Vec<Request> {
        let Self { group, direction, drift, swap } = self;
        let (reason, note) = match (direction, drift, swap) {
            (Direction::Join, true, _) => (
                Completed::Corrected(Vec::new()).reason(),
                format!(
                    "Somebody took AWS user \"{user_id}\" out of user group \"{group}\". It is a member again."
                ),
            ),
            (Direction::Join, false, Swap::No) => (
                Completed::AddedToUserGroup.reason(),
                format!("AWS user \"{user_id}\" is a member of user group \"{group}\" now."),
            ),
            (Direction::Join, false, Swap::Yes) => (
                Completed::AddedToUserGroup.reason(),
                format!(
                    "AWS user \"{user_id}\" is a member of user group \"{group}\" now. AWS's own default user, which has no password, was taken out."
                ),
            ),
            (Direction::Leave, _, Swap::No) => (
                Completed::RemovedFromUserGroup.reason(),
                format!("AWS user \"{user_id}\" is no member of user group \"{group}\" any more."),
            ),
            (Direction::Leave, _, Swap::Yes) => (
                Completed::RemovedFromUserGroup.reason(),
                format!(
                    "AWS user \"{user_id}\" is no member of user group \"{group}\" any more. AWS's own default user came back."
                ),
            ),
        };
        let event = |warning, reason, note: String| {
            Request::Publish(EventContent { warning, reason, action: "ModifyUserGroup", note })
        };
        let line = LogLine {
            level: LogLevel::Info,
            step: "ModifyUserGroup",
            user_id: user_id.to_owned(),
            event: Some(reason),
            reason,
            code: None,
            message: note.clone(),
        };
        let mut all = vec![Request::Log(line), event(false, reason, note)];
        all.extend(drift.then_some(Request::Count(Counted::Correction)));
        if (direction, swap) == (&Direction::Leave, &Swap::Yes) {
            let warning = format!(
                "AWS's own user \"default\", which has no password and may do everything, is a member of user group \"{group}\" again. Put another default user into the group before a cache uses it."
            );
            all.push(event(true, Reason::DefaultUserInGroup.as_str(), warning));
        }
        all
    }
}
