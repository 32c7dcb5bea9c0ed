//! I/O: one AWS account and region: the calls to it, and their rate limit.

mod bucket;
mod limit;
mod listing;
mod rate_limited;

pub use crate::queue::Class;
pub use limit::{Limiter, Permit};
pub(crate) use listing::walk;
pub use rate_limited::RateLimited;

#[cfg(test)]
mod tests;
