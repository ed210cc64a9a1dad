//! A manifest: a file, an address, standard input.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::error::Error;
use crate::image::registry::fetch;
use crate::manifest::{Input, Source};

/// The largest input that is read at all.
const LARGEST: u64 = 64 << 20;

/// Returns whether a manifest is to be asked for by HTTP.
pub(super) fn is_url(file: &Path) -> bool {
    let text = file.to_string_lossy();
    text.starts_with("http://") || text.starts_with("https://")
}

/// Reads what a server answers.
pub(super) fn read_url(url: &str) -> Result<Source, Error> {
    let bytes = fetch(url, LARGEST).map_err(Error::Fetch)?;
    Ok(Source::from_bytes(url, bytes))
}

/// Reads standard input.
pub(super) fn read_stdin() -> Result<Source, Error> {
    read_source("-", &mut std::io::stdin().lock(), 0)
}

/// A manifest of the command line; one that is a file is read when its turn comes.
#[derive(Debug)]
pub(super) enum Manifest {
    File(PathBuf),
    Text(Source),
}

impl Input for Manifest {
    type Error = Error;

    fn open(&self) -> Result<Source, Error> {
        match self {
            Self::File(path) => read_file(path),
            Self::Text(source) => Ok(source.clone()),
        }
    }
}

fn read_file(path: &Path) -> Result<Source, Error> {
    let mut file = std::fs::File::open(path).map_err(|source| Error::File {
        doing: "opening",
        path: path.to_owned(),
        source,
    })?;
    let size = file.metadata().map_or(0, |known| known.len()).min(LARGEST);
    read_source(&path.to_string_lossy(), &mut file, size)
}

/// Reads to the end, with room for what is known to be there.
fn read_source(name: &str, reader: &mut dyn std::io::Read, size: u64) -> Result<Source, Error> {
    // One more, so that the end is seen without more room.
    let mut bytes = Vec::with_capacity(usize::try_from(size + 1).unwrap_or_default());
    reader
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::File {
            doing: "reading",
            path: PathBuf::from(name),
            source,
        })?;
    Ok(Source::from_bytes(name, bytes))
}
