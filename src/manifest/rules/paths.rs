//! Paths inside of containers and volumes.

use super::fault::Faults as _;
use crate::manifest::source::{At, Findings};

/// Checks that a path does not step up.
pub(super) fn no_backsteps(path: &str, at: &At<'_>, found: &mut Findings) {
    if has_backsteps(path) {
        found.invalid(at, path, "must not contain '..'");
    }
}

/// Checks that a path leads down from where it starts.
pub(super) fn descending(path: &str, at: &At<'_>, found: &mut Findings) {
    if path.starts_with('/') {
        found.invalid(at, path, "must be a relative path");
    }
    no_backsteps(path, at, found);
}

/// Checks that a path leads down and leaves the names alone that atomic updates need.
pub(super) fn projected(path: &str, at: &At<'_>, found: &mut Findings) {
    descending(path, at, found);
    if path.starts_with("..") && !path.starts_with("../") {
        found.invalid(at, path, "must not start with '..'");
    }
}

/// Tells whether a path steps up.
pub(super) fn has_backsteps(path: &str) -> bool {
    path.split('/').any(|part| part == "..")
}
