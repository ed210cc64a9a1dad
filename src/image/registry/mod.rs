//! Images from and to registries.
//!
//! ```text
//! name ──registries.conf──▶ sources ──▶ manifest ──policy──▶ configuration ──▶ layers ──▶ ImageRecord
//!                                                              each: lock, (rest of) blob ──▶ unpack stage
//! ```
//!
//! A layer is unpacked while its blob comes in. The blob is also kept in `images/downloads/HEX`
//! until its layer counts, so that a transfer that broke goes on where it was, in this process
//! or the next; the lock on that file makes two pulls of one layer share the work. Transfers run in
//! threads: each is a loop that reads, writes and waits.

mod access;
mod auth;
mod client;
mod config;
mod error;
mod fetch;
mod http;
mod layer;
mod message;
mod partial;
mod progress;
mod proxy;
mod pull;
mod push;
mod resolve;
mod signature;
mod tls;

pub use access::{Access, AccessOptions};
pub use auth::Credentials;
pub use config::{Logins, Places, Registries, ShortNames, login, logout};
pub use error::RegistryError;
pub use fetch::{FetchError, fetch};
pub use progress::{BlobEnd, BlobProgress, Progress, Silent};
pub use pull::{Pulled, pull_all};
pub use push::push;
