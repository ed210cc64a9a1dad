//! Reads Kubernetes YAML into trusted objects, each problem with its position.
#![forbid(unsafe_code)]

pub mod rules;
pub mod source;
