//! From what is wanted and what is observed to the actions between them: pure, and decided to the last id.
//!
//! A plan leaves no choice to whoever carries it out: every id, address and file name stands in it.
#![forbid(unsafe_code)]

mod action;
mod address;
mod down;
mod play;
mod replace;

pub use action::{Action, ActionKind, Plan};
pub use down::{DownWish, down};
pub use play::{Existing, Host, PlanError, PlayWish, play};
