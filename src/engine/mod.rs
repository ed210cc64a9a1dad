//! Carries a plan out.
#![forbid(unsafe_code)]

pub mod facts;
pub mod launch;
pub mod network;
pub mod objects;
pub mod paths;
pub mod protocol;
pub mod sandbox;
pub mod volumes;
