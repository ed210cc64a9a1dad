//! Layers as blobs again: the tar written anew, and compressed.

use std::fs::File;
use std::io::{self, Seek as _, Write as _};

use super::ImageError;
use super::hashed::Hashed;
use super::store::{ContentStore, Workspace};
use crate::names::Digest;

/// How a layer is compressed on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// What every registry and engine reads.
    Gzip,
    /// Smaller and faster, where it is understood.
    Zstd,
}

/// A compressed layer, in a file nobody else sees.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) file: File,
    pub(super) digest: Digest,
    pub(super) size: u64,
}

/// Compresses a layer; the same layer gives the same bytes each time.
pub(super) fn pack(
    store: &ContentStore,
    workspace: &Workspace,
    diff_id: &Digest,
    compression: Compression,
) -> Result<Packed, ImageError> {
    let path = workspace.path().join(format!("packed-{}", diff_id.hex()));
    let failed = |error: io::Error| ImageError::file("writing", &path)(error);
    let file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(&path);
    let mut file = file.map_err(failed)?;
    std::fs::remove_file(&path).map_err(failed)?;
    let mut hashed = Hashed::new(&mut file);
    match compression {
        Compression::Gzip => {
            let level = flate2::Compression::default();
            let mut encoder = flate2::write::GzEncoder::new(&mut hashed, level);
            store.write_layer(diff_id, &mut encoder)?;
            encoder
                .finish()
                .and_then(|out| out.flush())
                .map_err(failed)?;
        }
        Compression::Zstd => {
            let mut encoder = zstd::Encoder::new(&mut hashed, 3).map_err(failed)?;
            store.write_layer(diff_id, &mut encoder)?;
            encoder
                .finish()
                .and_then(|out| out.flush())
                .map_err(failed)?;
        }
    }
    let (digest, size) = (hashed.digest(), hashed.count());
    file.rewind().map_err(failed)?;
    Ok(Packed { file, digest, size })
}
