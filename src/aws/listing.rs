//! I/O: DescribeUsers of all users, one page a call.

use aws_sdk_elasticache::operation::describe_users::DescribeUsersOutput;
use plan::Fault;

use crate::adapter::fault_in;
use crate::call_log::{Call, Operation};
use crate::convert::remote_user;
use crate::{Aws, UserPage};

/// The most users or groups that AWS puts on a page.
pub(crate) const PAGE_SIZE: i32 = 100;

impl Aws {
    pub(crate) async fn page(&self, marker: Option<&str>) -> Result<UserPage, Fault> {
        let seen = self.interceptor(Operation::DescribeUsers);
        let call = Call::new(Operation::DescribeUsers, "", &[]);
        let request =
            self.client.describe_users().max_records(PAGE_SIZE).set_marker(marker.map(str::to_owned));
        let sent = request.customize().interceptor(seen.clone()).send();
        self.finish(call, &seen, sent, read).await.map_err(fault_in)
    }
}

/// `None` if the answer has no list of users: then it is not the answer to this call.
fn read(answer: DescribeUsersOutput) -> Option<UserPage> {
    let marker = answer.marker.filter(|marker| !marker.is_empty());
    let mut page = UserPage { marker, ..UserPage::default() };
    for user in answer.users? {
        let user_id = user.user_id.clone().unwrap_or_default();
        match remote_user(user, &user_id) {
            Some(user) => page.users.push(user),
            None => page.incomplete.push(user_id),
        }
    }
    Some(page)
}
