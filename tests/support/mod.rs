//! What several tests share: namespaces of their own, removed whatever happens.

pub(crate) mod container;
pub(crate) mod network;
