//! Images by real archives: made here, hostile ones too, and by skopeo and podman where they are.

mod archives;
mod layers;
mod store;
mod support;
