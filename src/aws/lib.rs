//! I/O: the port to AWS, and the only crate that depends on the AWS SDK.
//!
//! [`UserApi`] is the port: the calls that the operator makes, with the types of `plan`. [`Aws`] implements it with the SDK.
//! `failure` turns what went wrong into a `Fault`, and `sanitize` makes AWS's text fit for a condition. [`Meter`] counts the
//! calls. [`Preflight`] makes the calls of `check`.

mod adapter;
mod call_log;
mod connect;
mod convert;
mod credentials;
mod echo;
mod failure;
mod groups;
mod identity;
mod interceptor;
mod listing;
mod meter;
mod preflight;
mod random_password;
mod sanitize;

use std::fmt::Debug;
use std::future::Future;

use plan::verdict::Outcome;
use plan::{
    Arn, CallSource, Create, CredentialsId, Delete, Fault, GroupChange, GroupObservation, GroupOutcome,
    Modify, RemoteUser, Tag, TagsObservation, Untag, UserGroup, UserGroupId, UserId, UserObservation,
};

pub use adapter::Aws;
pub use call_log::{last_request_id, remember_request_id};
pub use connect::{ConnectError, Connection, Timeouts};
pub use meter::Meter;
pub use preflight::{Asked, Identity, Preflight, UnusableCredentials};

/// ElastiCache's users. Each method makes one call. It never repeats the call, and it gives up after a time-out. Failures are
/// part of the answer.
#[warn(missing_docs)]
pub trait UserApi: Send + Sync + 'static {
    /// DescribeUsers of one user, and where the answer came from. The account is `Known` or `Withheld` if an earlier
    /// answer to these credentials has settled it, else `NotAsked`. If the call was not signed, the credentials are `CredentialsId(0)`.
    fn describe(&self, user_id: &UserId) -> impl Future<Output = (UserObservation, CallSource)> + Send;
    /// DescribeUsers of all users: one page of at most 100, and the marker of the next.
    fn list(&self, marker: Option<&str>) -> impl Future<Output = Result<UserPage, Fault>> + Send;
    /// Finds out the account of the credentials that sign calls now: by STS GetCallerIdentity, else by DescribeUsers of the
    /// user `default`. Makes no call if an earlier answer to the credentials of the last call has shown it.
    ///
    /// The account is never `NotAsked`. `Withheld`: both refused for good, or STS was silent twice and `default` is refused.
    /// `Failed`: asking again later may help. Compare the credentials with those of the answer that the account is needed
    /// for, because they may have changed meanwhile.
    fn identify(&self) -> impl Future<Output = CallSource> + Send;
    /// The same by STS alone: ElastiCache gets no call. The account is `NotAsked` if STS does not show it.
    fn identify_caller(&self) -> impl Future<Output = CallSource> + Send;
    /// ListTagsForResource.
    fn list_tags(&self, arn: &Arn) -> impl Future<Output = TagsObservation> + Send;
    /// CreateUser, signed by the credentials `signer` alone. If the call would be signed by others, it is not sent, and the
    /// outcome is [`Outcome::CredentialsChanged`]: the DescribeUsers that the mutation rests on may have asked another account.
    /// The same holds for the other mutations.
    fn create(&self, create: &Create, signer: CredentialsId) -> impl Future<Output = Outcome> + Send;
    /// ModifyUser.
    fn modify(&self, modify: &Modify, signer: CredentialsId) -> impl Future<Output = Outcome> + Send;
    /// AddTagsToResource.
    fn tag(&self, tag: &Tag, signer: CredentialsId) -> impl Future<Output = Outcome> + Send;
    /// RemoveTagsFromResource.
    fn untag(&self, untag: &Untag, signer: CredentialsId) -> impl Future<Output = Outcome> + Send;
    /// DeleteUser.
    fn delete(&self, delete: &Delete, signer: CredentialsId) -> impl Future<Output = Outcome> + Send;
    /// DescribeUserGroups of one group, and where the answer came from, as for [`UserApi::describe`].
    fn describe_group(
        &self,
        group: &UserGroupId,
    ) -> impl Future<Output = (GroupObservation, CallSource)> + Send;
    /// DescribeUserGroups of all groups: one page of at most 100, and the marker of the next.
    fn list_groups(&self, marker: Option<&str>) -> impl Future<Output = Result<GroupPage, Fault>> + Send;
    /// ModifyUserGroup, signed by the credentials of the DescribeUserGroups before it, or not sent.
    fn modify_group(
        &self,
        change: &GroupChange,
        signer: CredentialsId,
    ) -> impl Future<Output = GroupOutcome> + Send;
}

/// A page of the list of all users. A user may be missing from, or twice in, a walk over pages during which users are created
/// or deleted (B111).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPage {
    /// The users that the answer describes completely.
    pub users: Vec<RemoteUser>,
    /// The IDs of users that the answer describes incompletely. Empty if the ID itself is missing.
    pub incomplete: Vec<String>,
    /// Asks for the next page; `None` on the last page.
    pub marker: Option<String>,
}

/// A page of the list of all user groups.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupPage {
    /// The groups that the answer describes completely.
    pub groups: Vec<UserGroup>,
    /// It describes some groups incompletely.
    pub has_gaps: bool,
    /// Asks for the next page; `None` on the last page.
    pub marker: Option<String>,
}

/// Decides whether this process may change something in AWS. The operator asks its Lease.
pub trait MutationGuard: Debug + Send + Sync + 'static {
    /// Called for each mutation right before it is sent. `None` stops it.
    fn begin(&self) -> Option<Box<dyn SentMutation>>;
}

/// A mutation that was sent. If it is dropped before [`SentMutation::answered`], the call was cut and may still take effect.
pub trait SentMutation: Debug + Send + Sync {
    /// AWS answered, or the call reached its own time-out.
    fn answered(self: Box<Self>);
}
