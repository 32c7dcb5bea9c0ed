//! One listing, DescribeUserGroups without an ID, for all groups that are waited for.
//!
//! A listing shows states and members. It never proves that a group is absent, and no call rests on it: the look right before a call
//! asks for the group by its ID.

use std::collections::{BTreeMap, BTreeSet};

use super::group::Group;
use super::{GroupStep, Groups};
use crate::{Fault, GroupObservation, MembershipState, Moment, UserGroup, UserGroupId};

/// A whole listing, or what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupListing {
    /// The groups that the answer describes completely.
    pub groups: Vec<UserGroup>,
    /// It describes some groups incompletely.
    pub has_gaps: bool,
    /// How many pages it has, or why it ended before the last page.
    pub pages: Result<usize, Fault>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Listings {
    under_way: Option<Waited>,
    /// The next listing is not made before this time.
    after: Moment,
    /// How many pages the last one had.
    pages: usize,
    /// AWS refused it, so each group is looked at by its ID until then.
    refused_until: Moment,
    /// The last listing did not show these groups, which says nothing about them.
    not_shown: BTreeSet<UserGroupId>,
}

/// The groups that a listing is about, and when a look at each was due as it began. Of others it may show what was before a call.
type Waited = BTreeMap<UserGroupId, Moment>;

/// What [`Groups::look`] found.
pub(super) enum NextLook {
    Step(GroupStep),
    /// Not before this time.
    Until(Moment),
    /// A listing is under way.
    Rest,
}

impl Groups {
    /// A look at this group is due.
    pub(super) fn look(&mut self, due: UserGroupId, now: Moment) -> NextLook {
        if self.listings.under_way.is_some() {
            return NextLook::Rest;
        }
        let waited = self.groups.values().filter_map(Group::awaited_look).count();
        let by_id = now < self.listings.refused_until
            || self.listings.not_shown.contains(&due)
            || !self.pace.lists_groups(waited, self.listings.pages.max(1));
        if by_id {
            if let Some(group) = self.groups.get_mut(&due) {
                group.begin(None);
            }
            return NextLook::Step(GroupStep::Look(due));
        }
        if now < self.listings.after {
            return NextLook::Until(self.listings.after);
        }
        self.listings.after = now + self.pace.busy_floor;
        self.listings.under_way = Some(self.waited(now));
        NextLook::Step(GroupStep::List)
    }

    /// The groups whose look is due, and those that were not looked at for a while, so that all are due together from now on.
    fn waited(&self, now: Moment) -> Waited {
        let waited = |(id, group): (&UserGroupId, &Group)| {
            let due = group.awaited_look()?;
            let is_recent = now.since(group.looked_at) < self.pace.busy_floor;
            (due <= now || !is_recent).then(|| (id.clone(), due))
        };
        self.groups
            .iter()
            .filter_map(waited)
            .filter(|(id, _)| !self.listings.not_shown.contains(id))
            .collect()
    }

    /// The answer to [`GroupStep::List`].
    pub fn listed(&mut self, listing: &GroupListing, now: Moment) {
        let waited = self.listings.under_way.take().unwrap_or_default();
        self.listings.not_shown.retain(|id| self.groups.contains_key(id));
        match &listing.pages {
            Ok(pages) => self.listings.pages = *pages,
            Err(Fault::Denied(_) | Fault::Rejected(..)) => {
                self.listings.refused_until = now + self.pace.resync;
                return;
            }
            Err(Fault::Throttled(_) | Fault::Unavailable(_) | Fault::Credentials(_) | Fault::Busy(_)) => {}
        }
        for (id, due) in waited {
            let roll = self.rolls.roll();
            // Another look may have been asked for since.
            let group = self.groups.get_mut(&id).filter(|group| group.awaited_look() == Some(due));
            let Some(group) = group else { continue };
            let shown = listing.groups.iter().find(|shown| shown.id == id);
            let known_absent = group.obstacle == Some(MembershipState::Absent) && !listing.has_gaps;
            match (shown, &listing.pages) {
                (Some(shown), _) => {
                    group.see(&GroupObservation::Found(shown.clone()), &self.pace, now, roll);
                }
                (None, Err(fault)) => group.look_failed(fault, &self.pace, now, roll),
                (None, Ok(_)) if known_absent => group.became_absent(&self.pace, now, roll),
                (None, Ok(_)) => {
                    self.listings.not_shown.insert(id);
                    continue;
                }
            }
            self.note(&id);
        }
    }

    /// The group was looked at by its ID.
    pub(super) fn was_looked_at(&mut self, id: &UserGroupId) {
        self.listings.not_shown.remove(id);
    }
}
