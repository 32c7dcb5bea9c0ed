//! I/O: the port to AWS, and the only crate that depends on the AWS SDK.
//!
//! [`UserApi`] is the port: the calls that the operator makes, in the words of `plan`. [`Aws`] implements it with the SDK.
//! `failure` turns what went wrong into a `Fault`, and `sanitize` makes AWS's text fit for a condition. [`Meter`] counts the
//! calls. [`Preflight`] makes the calls of `check`.

mod adapter;
mod call_log;
mod connect;
mod convert;
mod failure;
mod interceptor;
mod listing;
mod meter;
mod preflight;
mod sanitize;

use std::fmt::Debug;
use std::future::Future;

use plan::verdict::Outcome;
use plan::{Account, Arn, Create, Delete, Fault, Modify, RemoteUser, Sight, Tag, TagSight, Untag, UserId};

pub use adapter::Aws;
pub use call_log::{last_request_id, remember_request_id};
pub use connect::{ConnectError, Connection, Timeouts};
pub use meter::Meter;
pub use preflight::{Asked, Identity, Preflight};

/// ElastiCache's users. Each method makes one call. It never repeats the call, and it gives up after a time-out. Failures are
/// part of the answer.
#[warn(missing_docs)]
pub trait UserApi: Send + Sync + 'static {
    /// DescribeUsers of one user.
    fn describe(&self, user_id: &UserId) -> impl Future<Output = Sight> + Send;
    /// DescribeUsers of all users: one page of at most 100, and the marker of the next.
    fn list(&self, marker: Option<&str>) -> impl Future<Output = Result<UserPage, Fault>> + Send;
    /// The account, from DescribeUsers of the user `default`, which every account has (B20).
    fn account(&self) -> impl Future<Output = Account> + Send;
    /// ListTagsForResource.
    fn list_tags(&self, arn: &Arn) -> impl Future<Output = TagSight> + Send;
    /// CreateUser.
    fn create(&self, create: &Create) -> impl Future<Output = Outcome> + Send;
    /// ModifyUser.
    fn modify(&self, modify: &Modify) -> impl Future<Output = Outcome> + Send;
    /// AddTagsToResource.
    fn tag(&self, tag: &Tag) -> impl Future<Output = Outcome> + Send;
    /// RemoveTagsFromResource.
    fn untag(&self, untag: &Untag) -> impl Future<Output = Outcome> + Send;
    /// DeleteUser.
    fn delete(&self, delete: &Delete) -> impl Future<Output = Outcome> + Send;
}

/// A page of the list of all users. A user may be missing from, or twice in, a walk over pages during which users are created
/// or deleted (B111).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserPage {
    /// The users that the answer describes completely.
    pub users: Vec<RemoteUser>,
    /// The IDs of users whose description lacks a member; an empty text stands for an ID that is missing itself.
    pub incomplete: Vec<String>,
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
