//! The kubectl that the tests compare with: always the same one, whatever the machine has.

use std::path::{Path, PathBuf};

/// Returns the one that `tests/setup` installed, or that `KUBECTL` names.
pub(crate) fn kubectl() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/kubectl/bin/kubectl");
    let kubectl = std::env::var_os("KUBECTL").map_or(own, PathBuf::from);
    kubectl.is_file().then_some(kubectl)
}
