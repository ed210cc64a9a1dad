//! Carries a plan out.
#![forbid(unsafe_code)]

pub mod care;
pub mod catalog;
pub mod cgroups;
pub mod check;
mod confine;
mod copies;
pub mod copy;
mod course;
pub mod events;
pub mod exec;
pub mod execute;
pub mod facts;
mod filter;
mod held;
mod installation;
pub mod keeper;
pub mod launch;
pub mod ledger;
pub mod named;
mod neighbours;
pub mod network;
pub mod networks;
mod news;
mod notebook;
pub mod objects;
mod parallel;
pub mod paths;
pub mod processes;
pub mod protocol;
pub mod recover;
pub mod remove;
pub mod sandbox;
pub mod secrets;
pub mod stage;
pub mod start;
mod succession;
mod sweep;
mod turns;
pub mod usage;
pub mod volumes;
pub mod wishes;

pub use installation::{AT_ONCE, Engine, EngineError};
