//! The operator held against real processes: one binary, a module for each subject.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops where something is wrong"
)]

mod admission;
mod architecture;
mod crashing;
mod creating;
mod definition;
mod deleting;
mod passwords;
mod program;
mod samples;
mod secrecy;
mod stage;
mod throttling;
mod transcript;
mod users;
mod world;
