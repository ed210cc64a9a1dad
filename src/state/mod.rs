//! What outlives a process: the database, the locks of the commands and the leases of the supervisors.
#![forbid(unsafe_code)]

mod lease;
mod lock;

pub use lease::{Lease, LeaseError};
pub use lock::{
    Blocked, Caller, ContainerGuard, Holder, ImageGuard, LockDir, LockError, LockName, LockState,
    PodGuard, PodShare, Reporter, StoreGuard,
};
