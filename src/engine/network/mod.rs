//! One pod in one network: validate all, set up all, undo.
//!
//! ```text
//! hold_ports ─▶ set_up ─▶ … the pod lives … ─▶ tear_down
//!     │            └ fails: what it made is gone again
//!     └ finds a conflict before anything is touched; the hold is kept as long as the pod lives
//! ```
//!
//! A network has one bridge and one packet filter table, made with its first pod and removed with
//! its last. Both are changed under the network namespace's lock, because another root may choose
//! its subnet, and another pod may join the bridge, at the same moment. The names in the kernel are
//! functions of the root, of the network's name and of the pod's id; nothing about them is stored.
//!
//! Networks are kept apart: a packet from one comes into another only by a published port. An
//! internal one has no way out at all.

mod bridge;
mod error;
mod host;
mod leaks;
mod pod;
mod ports;
mod setup;
mod succession;

pub use bridge::remove_unused;
pub use error::{NetworkError, NetworkWarning};
pub use host::{HostNetwork, free_subnet, overlapping};
pub use leaks::{Leaks, leaks, remove_leaks};
pub use pod::{BridgeNetwork, DefaultRoute, PodNetwork};
pub use ports::{PortHold, hold_ports};
pub use setup::{OtherPods, set_up, set_up_loopback, tear_down};
pub use succession::{connections, lead_ports, listens};
