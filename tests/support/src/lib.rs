//! What the tests, the demonstration and the measurements share.
//!
//! | module | what |
//! |---|---|
//! | [`wait`] | wait until a fact holds, with a deadline; a failure shows the last value seen |
//! | [`operator`] | start the operator with a closed environment, read its log, wait for its end |
//! | [`command`] | run a command, show it as it is typed |
//! | [`emulator`] | start the emulator's program |
//! | [`repository`] | files of the repository, and programs that cargo built |
//!
//! The client of the emulator's control API is `elasticache_emulator::Control`.

pub mod command;
pub mod emulator;
pub mod operator;
pub mod repository;
pub mod wait;
