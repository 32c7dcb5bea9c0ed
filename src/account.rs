//! I/O: one AWS account and region: the calls to it, and their rate limit.

mod bucket;
mod limit;
mod rate_limited;

pub use crate::queue::Class;
pub use limit::{Limiter, Permit};
pub use rate_limited::RateLimited;

#[cfg(test)]
mod tests;
