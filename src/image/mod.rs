//! Images: content on disk, archives in, the files a container's root file system is made of.
//!
//! ```text
//! archive ──load──▶ layers unpacked by stages, blobs ──▶ ImageRecord ──(caller)──▶ database
//! root fs tar ──import──▶ the same              ImageRecord ──lower_directories──▶ overlay
//! ```
//!
//! What is on disk counts only through a record: this layer writes content and returns records,
//! the caller stores them while it holds the [`store::ContentLease`] under which they were made.
#![forbid(unsafe_code)]

pub mod archive;
mod error;
mod format;
mod hashed;
pub mod hello;
pub mod import;
pub mod members;
mod pack;
pub mod record;
pub mod registry;
pub mod rootfs;
pub mod save;
pub mod store;
pub mod unpack;
pub mod user;

pub use error::ImageError;
pub use pack::Compression;
pub use record::{ImageConfig, ImageDetails, ImageRecord};
