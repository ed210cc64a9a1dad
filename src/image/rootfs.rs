//! What a container's root file system is mounted from.

use std::path::PathBuf;

use super::record::ImageRecord;
use super::store::ContentStore;
use crate::sys::overlay::{Overlay, Writable};

/// Returns the directories of an image's layers, the top one first.
#[must_use]
pub fn lower_directories(store: &ContentStore, image: &ImageRecord) -> Vec<PathBuf> {
    let mut directories: Vec<_> = image
        .layers
        .iter()
        .rev()
        .map(|layer| store.layer_path(layer))
        .collect();
    if directories.is_empty() {
        directories.push(store.empty_layer());
    }
    directories
}

/// Returns the overlay of an image and a container's own writable part.
#[must_use]
pub fn overlay(store: &ContentStore, image: &ImageRecord, writable: Option<Writable>) -> Overlay {
    Overlay {
        lower: lower_directories(store, image),
        writable,
    }
}
