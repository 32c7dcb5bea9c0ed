//! I/O: the port to AWS. The calls that the operator makes, in the words of `plan`.
//!
//! [`Users`] is the port. [`aws::Aws`] makes the calls with the SDK and is the only file that names it; what it could not
//! make sense of becomes a `Fault` in `failure`, and a sentence that is the same at every repetition in `sentence`.
//! [`metered`] counts the calls, [`limit`] holds them back, [`paced::Paced`] is what the shell uses.

pub mod aws;
mod failure;
mod journal;
pub mod limit;
pub mod metered;
pub mod paced;
mod sentence;

use std::future::Future;

use plan::verdict::Outcome;
use plan::{Account, Arn, Create, Delete, Fault, Modify, RemoteUser, Sight, Tag, TagSight, Untag, UserId};

pub use aws::preflight::{Asked, Identity, Preflight};
pub use aws::{Aws, ConnectError, Connection, Timeouts};
pub use journal::{noting, request_id};
pub use limit::{Limiter, Overdue, Permit, Urgency};
pub use metered::Meter;
pub use paced::Paced;

/// AWS's users. Every method is one call, never repeated by itself, with a time-out of its own; what it answers is an
/// observation or an outcome, never an error to handle elsewhere.
pub trait Users: Send + Sync + 'static {
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

#[cfg(test)]
mod tests;
