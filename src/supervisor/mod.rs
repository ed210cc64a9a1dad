//! One process a pod: the parent of its containers, and the only one that records what happens to them.
#![forbid(unsafe_code)]

pub mod ask;
mod chronicle;
mod container;
mod deadline;
mod handler;
mod helpers;
mod last_words;
pub mod log;

pub mod machine;
mod member;
mod pauses;
mod probe;
mod recorder;
pub mod run;
