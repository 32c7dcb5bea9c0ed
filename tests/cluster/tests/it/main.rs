//! Claims about the control plane, held against real processes. One that runs is shared; who stops, kills or
//! pauses something has its own.

// Clippy knows the functions of tests as tests, and their helpers not.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod building;
mod ending;
mod faults;
mod living;
mod tools;
