//! The operator held against real processes: one binary, a module for each subject.

mod admission;
mod creating;
mod deleting;
mod stage;
mod users;
mod world;
