//! I/O: the calls about user groups.

use aws_sdk_elasticache::operation::describe_user_groups::DescribeUserGroupsOutput;
use aws_sdk_elasticache::operation::modify_user_group::ModifyUserGroupOutput;
use aws_sdk_elasticache::types;
use plan::classify::Answer;
use plan::{
    CallSource, CredentialsId, Fault, GroupChange, GroupObservation, GroupOutcome, Lifecycle, UserGroup,
    UserGroupId,
};

use crate::adapter::fault_in;
use crate::call_log::{Call, Operation};
use crate::identity::AccountInAnswer;
use crate::listing::PAGE_SIZE;
use crate::{Aws, GroupPage};

impl AccountInAnswer for UserGroup {
    fn account(&self) -> Option<&str> {
        None
    }
}

impl AccountInAnswer for GroupPage {
    fn account(&self) -> Option<&str> {
        None
    }
}

impl Aws {
    pub(crate) async fn see_group(&self, id: &UserGroupId) -> (GroupObservation, CallSource) {
        let seen = self.interceptor(Operation::DescribeUserGroups);
        let call = Call::new(Operation::DescribeUserGroups, id.as_str(), &[]);
        let request = self.client.describe_user_groups().user_group_id(id.as_str());
        let sent = request.customize().interceptor(seen.clone()).send();
        let read = |answer: DescribeUserGroupsOutput| {
            answer.user_groups?.into_iter().find_map(user_group).filter(|group| group.id == *id)
        };
        let observation = match self.finish(call, &seen, sent, read).await {
            Ok(group) => GroupObservation::Found(group),
            Err(Answer::NotFound) => GroupObservation::Absent,
            Err(answer) => GroupObservation::Failed(fault_in(answer)),
        };
        (observation, self.source(&seen.ended()))
    }

    pub(crate) async fn page_of_groups(&self, marker: Option<&str>) -> Result<GroupPage, Fault> {
        let seen = self.interceptor(Operation::DescribeUserGroups);
        let call = Call::new(Operation::DescribeUserGroups, "", &[]);
        let marker = marker.map(str::to_owned);
        let request = self.client.describe_user_groups().max_records(PAGE_SIZE).set_marker(marker);
        let sent = request.customize().interceptor(seen.clone()).send();
        self.finish(call, &seen, sent, group_page).await.map_err(fault_in)
    }

    pub(crate) async fn change_group(&self, change: &GroupChange, signer: CredentialsId) -> GroupOutcome {
        let GroupChange { group, add, remove } = change;
        let seen = self.interceptor(Operation::ModifyUserGroup).signed_by(signer);
        let call = Call::new(Operation::ModifyUserGroup, group.as_str(), &[]);
        let list = |ids: &[String]| Some(ids.to_vec()).filter(|ids| !ids.is_empty());
        let request = self
            .client
            .modify_user_group()
            .user_group_id(group.as_str())
            .set_user_ids_to_add(list(add))
            .set_user_ids_to_remove(list(remove));
        let sent = request.customize().interceptor(seen.clone()).send();
        let read =
            |answer: ModifyUserGroupOutput| answer.user_group_id.filter(|id| id == group.as_str()).map(drop);
        match self.finish(call, &seen, sent, read).await {
            Ok(()) => GroupOutcome::Accepted,
            Err(_) if seen.ended().credentials_changed => GroupOutcome::CredentialsChanged,
            Err(Answer::NotFound) => GroupOutcome::NotFound,
            Err(answer) => GroupOutcome::Failed(fault_in(answer)),
        }
    }
}

/// `None` if the answer has no list of groups: then it is not the answer to this call.
fn group_page(answer: DescribeUserGroupsOutput) -> Option<GroupPage> {
    let marker = answer.marker.filter(|marker| !marker.is_empty());
    let mut page = GroupPage { marker, ..GroupPage::default() };
    for group in answer.user_groups? {
        // AWS's own groups have IDs that nobody can name (B23).
        let is_awss = group.user_group_id.as_deref().is_some_and(|id| id.contains('.'));
        match user_group(group) {
            Some(group) => page.groups.push(group),
            None => page.has_gaps |= !is_awss,
        }
    }
    Some(page)
}

/// `None` if a required member is missing.
fn user_group(group: types::UserGroup) -> Option<UserGroup> {
    let caches = [group.replication_groups, group.serverless_caches];
    Some(UserGroup {
        id: UserGroupId::parse(&group.user_group_id?).ok()?,
        lifecycle: Lifecycle::parse(&group.status?),
        engine: group.engine?,
        user_ids: group.user_ids.unwrap_or_default(),
        caches: caches.into_iter().flatten().flatten().collect(),
    })
}
