//! Carries a plan out.
#![forbid(unsafe_code)]

pub mod network;
pub mod paths;
pub mod sandbox;
