//! `kube play` and `kube down`.
//!
//! ```text
//! options ─▶ reading ─▶ (pulls) ─▶ host ─▶ plan ─▶ execute ─▶ report ─▶ (wait ─▶ down)
//! ```

mod down;
mod host;
mod options;
mod play;
mod reading;
mod report;
mod wait;

pub(super) use down::down;
pub(super) use options::working_dir;
pub(super) use play::play;
