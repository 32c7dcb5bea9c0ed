//! The coordinator of user groups against a model of AWS's groups and of the passes: how many calls it makes, and that every wish is
//! fulfilled or told, whatever AWS and others do meanwhile.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops where something is wrong")]

mod aws;
mod batches;
mod looks;
mod model;
mod walk;
