//! What several tests share: namespaces of their own, removed whatever happens.

pub(crate) mod network;
