//! A row of a listing as the last look of a change: AWS accepted ModifyUser, and the row shows the user `active`. The pass
//! that follows only has to write that. If it would do anything else, it looks at the user itself.

use super::{Ages, Pass};
use crate::access_string::same_meaning;
use crate::memory::ListedUser;
use crate::{Account, Action, CallSource, Fetch, Goal, Moment, Now, RemoteUser, UserObservation};

/// What a pass has of the listing that woke it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct ListedRow {
    listed: Option<Box<ListedUser>>,
    /// The user in `observed` is this row. Nothing but a report may rest on it.
    is_used: bool,
}

impl ListedRow {
    pub(super) fn is_there(&self) -> bool {
        self.listed.is_some()
    }
}

impl Pass {
    /// An old row does not count, and none that may be from before the change.
    pub(super) fn recent_row(&mut self, now: Moment) -> ListedRow {
        let is_deletion = self.goal.is_deletion();
        let valid = self.settings.pace.poll_cap;
        let listed = self.memory.listed.take();
        let listed = listed.filter(|listed| {
            !is_deletion && now.since(listed.at) <= valid && self.shows_wanted_rights(&listed.user)
        });
        ListedRow { listed, is_used: false }
    }

    /// A row may be older than the change. If it shows other rights than the spec, nobody knows whether they are what AWS made of
    /// the spec or the former ones.
    fn shows_wanted_rights(&self, user: &RemoteUser) -> bool {
        matches!(&self.goal, Goal::Present(desired) if same_meaning(&user.access_string, &desired.access_string))
    }

    pub(super) fn look_at_row(&mut self, now: Now) {
        let Some(listed) = self.row.listed.take() else { return };
        let source = CallSource { account: Account::NotAsked, ..self.observed.source.clone() };
        self.described(UserObservation::Found(listed.user), source, now);
        self.row.is_used = true;
    }

    /// If the action may not rest on the row, the pass forgets the row, and looks at the user itself.
    pub(super) fn needs_look(&mut self, action: &Action) -> bool {
        let may_rest = matches!(action, Action::InSync | Action::Fetch(Fetch::Passwords));
        if !self.row.is_used || may_rest {
            return false;
        }
        self.row.is_used = false;
        self.ages = Ages::default();
        self.observed.user = UserObservation::NotRead;
        self.observed.known_owner = None;
        self.memory.modify_sent = true;
        true
    }
}
