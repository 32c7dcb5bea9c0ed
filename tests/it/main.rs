//! The operator held against real processes: one binary, a module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where something is wrong"
)]

mod admission;
mod adopting;
mod architecture;
mod audit;
mod changing;
mod crashing;
mod creating;
mod definition;
mod deleting;
mod drifting;
mod faults;
mod following;
mod idling;
mod leading;
mod passwords;
mod policies;
mod program;
mod retagging;
mod rotating;
mod samples;
mod secrecy;
mod stage;
mod throttling;
mod transcript;
mod users;
mod watching;
mod world;
