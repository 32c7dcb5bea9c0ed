//! Tests of the control plane with real processes. The tests share one cluster. A test that stops, kills or pauses something has its
//! own cluster.

// Clippy does not recognize the helpers of tests as test code.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod building;
mod ending;
mod faults;
mod living;
mod tools;
