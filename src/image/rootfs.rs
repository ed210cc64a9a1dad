//! What a container's root file system is mounted from.

use std::fs;
use std::io;
use std::path::PathBuf;

use super::ImageError;
use super::record::ImageRecord;
use super::store::ContentStore;
use crate::sys::mount::ensure_dir;
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

/// The directories and files that something is mounted on in every container that sees its pod's files.
const GROUND: ([&str; 4], [&str; 3]) = (
    ["dev", "etc", "proc", "sys"],
    ["etc/hostname", "etc/hosts", "etc/resolv.conf"],
);

/// Returns a layer of what is mounted on in every container, to lie below those of its image, made if it is not there.
///
/// With it nothing need be made for that in a container's own layer, which stays empty until the container writes.
///
/// # Errors
/// It cannot be made.
pub fn ground_layer(store: &ContentStore) -> Result<PathBuf, ImageError> {
    let ground = store.ground();
    if ground.exists() {
        return Ok(ground);
    }
    let workspace = store.workspace()?;
    let draft = workspace.path().join("ground");
    let make = || -> io::Result<()> {
        let (directories, files) = GROUND;
        ensure_dir(&draft, 0o755)?;
        for directory in directories {
            ensure_dir(&draft.join(directory), 0o755)?;
        }
        for file in files {
            fs::write(draft.join(file), "")?;
        }
        match fs::rename(&draft, &ground) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            renamed => renamed,
        }
    };
    make().map_err(ImageError::file("making", &ground))?;
    Ok(ground)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_ground_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = ContentStore::open(dir.path(), Path::new("/nowhere")).unwrap();
        let ground = ground_layer(&store).unwrap();
        assert!(ground.join("etc/hosts").is_file() && ground.join("proc").is_dir());
        fs::write(ground.join("mark"), "").unwrap();
        assert_eq!(ground_layer(&store).unwrap(), ground);
        assert!(ground.join("mark").exists());
        assert_eq!(
            fs::read_dir(dir.path().join("images/tmp")).unwrap().count(),
            0
        );
    }
}
