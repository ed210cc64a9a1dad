//! What a pod is: pure types, each fact held once.
//!
//! [`PodSpec`] contains [`InfraSpec`] contains [`ProcessSpec`]; a [`ContainerSpec`] contains a
//! [`ProcessSpec`] too. What a container inherits from its pod is a method of the pod, never a
//! copied value. The wire form is the type itself: nested serde, unknown fields refused.
#![forbid(unsafe_code)]

pub mod container;
pub mod event;
#[cfg(test)]
pub(crate) mod for_tests;
pub mod infra;
pub mod network;
pub mod observed;
pub mod pod;
pub mod quantity;
pub mod state;
pub mod volume;

pub use container::{ContainerSpec, ProcessSpec, Role};
pub use infra::InfraSpec;
pub use pod::PodSpec;
