//! What is recorded, as podman's commands show it: pure functions from records to rows.
//!
//! Field names are podman's, in JSON and in templates. Where a value cannot exist here (there is no
//! conmon), its field is left out rather than made up.

mod container;
mod event;
mod history;
mod image;
mod inspect;
mod network;
mod pod;
mod pod_inspect;
mod secret;
mod stats;
pub(super) mod top;
mod volume;
pub(super) mod words;

pub(super) use container::{ContainerRow, Width, containers};
pub(super) use event::EventRow;
pub(super) use history::{Figures, HistoryRow, history};
pub(super) use image::{ImageInspect, ImageRow, images};
pub(super) use inspect::{ContainerInspect, Host, inspect_container};
pub(super) use network::NetworkRow;
pub(super) use pod::{PodRow, pods};
pub(super) use pod_inspect::{PodInspect, inspect_pod};
pub(super) use secret::SecretRow;
pub(super) use stats::{PodStatsRow, Sample, StatsRow};
pub(super) use volume::{VolumeRow, volumes};

use std::collections::HashMap;

use jiff::Timestamp;

use crate::image::ImageRecord;
use crate::model::observed::Observed;
use crate::names::ImageId;

/// Everything a row is made from, of one moment.
pub(super) struct Scene<'a> {
    pub(super) observed: &'a Observed,
    pub(super) images: HashMap<&'a ImageId, &'a ImageRecord>,
    pub(super) now: Timestamp,
}

impl<'a> Scene<'a> {
    /// Puts the records of one moment together.
    pub(super) fn new(observed: &'a Observed, images: &'a [ImageRecord], now: Timestamp) -> Self {
        Self {
            observed,
            images: images.iter().map(|image| (&image.id, image)).collect(),
            now,
        }
    }
}

#[cfg(test)]
mod fixture;
