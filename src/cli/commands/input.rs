//! The manifests that a command line names.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::error::Error;
use crate::image::registry::fetch;
use crate::manifest::Source;

/// The largest input that is read at all.
const LARGEST: u64 = 64 << 20;

/// Reads the files: those of a directory in the order of their names, `-` from standard input,
/// and those of a URL over HTTP.
pub(super) fn sources(files: &[PathBuf]) -> Result<Vec<Source>, Error> {
    let mut sources = Vec::new();
    for file in files {
        if is_url(file) {
            sources.push(read_url(&file.to_string_lossy())?);
        } else if file == Path::new("-") {
            sources.push(read_stdin()?);
        } else if file.is_dir() {
            for file in manifests_in(file)? {
                sources.push(read_file(&file)?);
            }
        } else {
            sources.push(read_file(file)?);
        }
    }
    Ok(sources)
}

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
    read_source("-", &mut std::io::stdin().lock())
}

fn manifests_in(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let listing = |source| Error::File {
        doing: "reading the directory",
        path: directory.to_owned(),
        source,
    };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(listing)? {
        let path = entry.map_err(listing)?.path();
        let is_manifest = path
            .extension()
            .is_some_and(|end| ["yaml", "yml", "json"].iter().any(|known| end == *known));
        if is_manifest && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

pub(super) fn read_file(path: &Path) -> Result<Source, Error> {
    let mut file = std::fs::File::open(path).map_err(|source| Error::File {
        doing: "opening",
        path: path.to_owned(),
        source,
    })?;
    read_source(&path.to_string_lossy(), &mut file)
}

fn read_source(name: &str, reader: &mut dyn std::io::Read) -> Result<Source, Error> {
    let mut bytes = Vec::new();
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
