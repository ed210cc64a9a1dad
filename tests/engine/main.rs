//! The engine on a real kernel: own namespaces, own directories. Needs root.

#[path = "../support/mod.rs"]
mod support;

mod create;
mod exec;
mod network;
