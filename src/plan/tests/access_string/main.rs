//! Access strings are compared by what they permit: `tables` has the cases that people know, `properties` compares
//! `same_meaning` with the emulator's canonical form and with a reference evaluator.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop")]

mod evaluator;
mod grammar;
mod properties;
mod tables;
mod usefulness;
