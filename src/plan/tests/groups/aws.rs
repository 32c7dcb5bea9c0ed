//! AWS's groups, and their rules.

use std::collections::BTreeSet;
use std::time::Duration;

use plan::groups::GroupListing;
use plan::*;

use crate::model::{World, group_id};

/// A group in AWS.
#[derive(Clone, Debug)]
pub(crate) struct AwsGroup {
    pub(crate) engine: &'static str,
    pub(crate) members: BTreeSet<String>,
    pub(crate) caches: Vec<String>,
    /// `modifying` until then, with these members afterwards.
    pub(crate) pending: Option<(Moment, BTreeSet<String>)>,
}

impl AwsGroup {
    pub(crate) fn new(engine: &'static str) -> Self {
        Self { engine, members: BTreeSet::new(), caches: Vec::new(), pending: None }
    }

    fn shown(&self, id: UserGroupId) -> UserGroup {
        UserGroup {
            id,
            lifecycle: if self.pending.is_some() { Lifecycle::Modifying } else { Lifecycle::Active },
            engine: self.engine.to_owned(),
            user_ids: self.members.iter().cloned().collect(),
            caches: self.caches.clone(),
        }
    }
}

/// What AWS does with a call, besides its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Luck {
    #[default]
    Good,
    Throttled,
    /// AWS answers looks, and throttles changes.
    ThrottledCall,
    /// The call is lost on its way.
    LostBefore,
    /// The answer is lost.
    LostAfter,
}

fn error(code: &str, message: &str) -> Fault {
    match classify::classify_group(code, message, 400) {
        classify::Answer::Fault(fault) => fault,
        other @ (classify::Answer::NotFound | classify::Answer::AlreadyExists) => {
            panic!("{other:?} is no fault")
        }
    }
}

impl World {
    pub(crate) fn settle(&mut self) {
        let now = self.now;
        for group in self.aws.values_mut() {
            if let Some((until, members)) = group.pending.clone().filter(|(until, _)| *until <= now) {
                assert!(until <= now);
                (group.members, group.pending) = (members, None);
            }
        }
    }

    pub(crate) fn look(&mut self, id: &UserGroupId) -> GroupObservation {
        self.looks += 1;
        self.settle();
        if std::mem::take(&mut self.luck) == Luck::Throttled {
            return GroupObservation::Failed(error("Throttling", "Rate exceeded"));
        }
        match self.aws.get(id.as_str()) {
            None => GroupObservation::Absent,
            Some(group) => GroupObservation::Found(group.shown(id.clone())),
        }
    }

    pub(crate) fn list(&mut self) -> GroupListing {
        self.listings += 1;
        self.settle();
        let failed = |code, message| Err(error(code, message));
        let pages = match () {
            () if self.denies_listings => failed("AccessDenied", "no"),
            () if std::mem::take(&mut self.luck) == Luck::Throttled => failed("Throttling", "Rate exceeded"),
            () => Ok(1),
        };
        let shown = self.aws.iter().filter(|(id, _)| pages.is_ok() && !self.hidden.contains(*id));
        let groups = shown.map(|(id, group)| group.shown(group_id(id))).collect();
        GroupListing { groups, has_gaps: false, pages }
    }

    pub(crate) fn call(&mut self, change: &GroupChange) -> GroupOutcome {
        self.settle();
        let luck = self.always.unwrap_or_else(|| std::mem::take(&mut self.luck));
        if luck == Luck::ThrottledCall {
            self.calls.push((change.clone(), false));
            return GroupOutcome::Failed(error("Throttling", "Rate exceeded"));
        }
        if luck == Luck::LostBefore {
            self.calls.push((change.clone(), false));
            return GroupOutcome::Failed(Fault::Unavailable(AwsError::new("NoAnswer", "")));
        }
        let outcome = self.modify(change);
        self.calls.push((change.clone(), outcome == GroupOutcome::Accepted));
        match luck {
            Luck::LostAfter => GroupOutcome::Failed(Fault::Unavailable(AwsError::new("NoAnswer", ""))),
            Luck::Good | Luck::Throttled | Luck::ThrottledCall | Luck::LostBefore => outcome,
        }
    }

    /// The rules of AWS.
    fn modify(&mut self, change: &GroupChange) -> GroupOutcome {
        let refuse = |code: &str, message: String| GroupOutcome::Failed(error(code, &message));
        let name = |user: &String| self.user_names.get(user).cloned().unwrap_or_else(|| user.clone());
        let Some(group) = self.aws.get(change.group.as_str()) else { return GroupOutcome::NotFound };
        if group.pending.is_some() {
            return refuse("InvalidUserGroupState", "Only active user groups can be modified.".into());
        }
        if let Some(user) = change.add.iter().find(|user| self.denied.contains(*user)) {
            return refuse(
                "AccessDenied",
                if self.names_culprits { format!("on user {user}") } else { "no".into() },
            );
        }
        if let Some(user) = change.add.iter().find(|user| self.culprits.contains(*user)) {
            let named =
                if self.names_culprits { format!("User {user} cannot be added.") } else { "No.".into() };
            return refuse("InvalidParameterValue", named);
        }
        if let Some(user) = change.remove.iter().find(|user| !group.members.contains(*user)) {
            return refuse("InvalidParameterValue", format!("User {user} is not a member of user group g."));
        }
        let mut members = group.members.clone();
        members.retain(|member| !change.remove.contains(member));
        members.extend(change.add.iter().cloned());
        let names: BTreeSet<String> = members.iter().map(&name).collect();
        if names.len() < members.len() {
            return refuse("DuplicateUserName", "Two users would have one name.".into());
        }
        if group.engine == "redis" && !names.contains(DEFAULT_USER) {
            return refuse("DefaultUserRequired", "Needs a default user.".into());
        }
        if members.len() > self.quota {
            return refuse("UserGroupQuotaExceeded", "Too many.".into());
        }
        let until = self.now + Duration::from_secs(20);
        if let Some(group) = self.aws.get_mut(change.group.as_str()) {
            group.pending = Some((until, members));
        }
        GroupOutcome::Accepted
    }
}
