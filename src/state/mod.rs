//! What outlives a process: the database, the locks of the commands and the leases of the supervisors.
#![forbid(unsafe_code)]

mod asked;
mod claims;
mod events;
mod images;
mod intent;
mod journal;
mod lease;
mod lock;
mod networks;
mod objects;
mod pods;
mod salvage;
mod settings;
mod sqlite;
mod store;
mod succession;
mod volumes;

pub use asked::{Asked, Noted, Unfetched};
pub use claims::Taken;
pub use images::ImageUser;
pub use intent::{Failure, Intent, IntentKind, IntentState, Outcome};
pub use journal::{Removal, Run, Step};
pub use lease::{Lease, LeaseError, Work};
pub use lock::{
    Blocked, Caller, ContainerGuard, Holder, ImageGuard, LockDir, LockError, LockName, LockState,
    PodGuard, PodShare, Reporter, StoreGuard,
};
pub use networks::{NetworkCreation, NetworkRemoval};
pub use salvage::Salvaged;
pub use sqlite::{Durability, StoreError};
pub use store::Store;
pub use succession::HandOver;
pub use volumes::VolumeRemoval;
