//! Which manifests a command is given: files, directories and all below, patterns, addresses, standard input.
//!
//! Ignore files are heeded as git does (`.gitignore`, `.ignore`, and `.podwrightignore` for us alone), and what is
//! hidden is passed over. The order is that of the arguments, and of the paths below each.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};

use super::super::error::{Error, usage};
use super::input::{Manifest, is_url, read_stdin, read_url};
use crate::manifest::{Input as _, Source};

/// The ignore file of ours.
const IGNORE_FILE: &str = ".podwrightignore";

/// Finds what arguments name, each file once; what is no file is read now.
pub(super) fn inputs(named: &[PathBuf]) -> Result<Vec<Manifest>, Error> {
    let mut inputs = Vec::new();
    let mut seen = BTreeSet::new();
    for name in named {
        if name == Path::new("-") {
            inputs.push(Manifest::Text(read_stdin()?));
        } else if is_url(name) {
            inputs.push(Manifest::Text(read_url(&name.to_string_lossy())?));
        } else {
            let mut files = files(name)?;
            files.retain(|file| named.len() == 1 || seen.insert(file.clone()));
            inputs.extend(files.into_iter().map(Manifest::File));
        }
    }
    Ok(inputs)
}

/// Reads all that arguments name.
pub(super) fn sources(named: &[PathBuf]) -> Result<Vec<Source>, Error> {
    inputs(named)?.iter().map(Manifest::open).collect()
}

fn files(name: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_pattern = name.to_string_lossy().contains(['*', '?', '[', '{']);
    if name.is_dir() {
        below(name, None)
    } else if is_pattern && !name.exists() {
        matching(name)
    } else {
        Ok(vec![name.to_owned()])
    }
}

/// Returns the files that a pattern means: `*` stays in a directory, `**` goes below it.
fn matching(pattern: &Path) -> Result<Vec<PathBuf>, Error> {
    let is_plain = |part: &Component<'_>| {
        !part
            .as_os_str()
            .to_string_lossy()
            .contains(['*', '?', '[', '{'])
    };
    let base: PathBuf = pattern.components().take_while(is_plain).collect();
    let rest = pattern
        .strip_prefix(&base)
        .unwrap_or(pattern)
        .to_string_lossy();
    let start = match base.as_os_str().is_empty() {
        true => Path::new("."),
        false => &base,
    };
    let files = below(start, Some(&rest))?;
    if files.is_empty() {
        return Err(usage(format!("no file matches `{}`", pattern.display())));
    }
    let plain = files
        .iter()
        .map(|file| file.strip_prefix("./").unwrap_or(file).to_owned());
    Ok(match base.as_os_str().is_empty() {
        true => plain.collect(),
        false => files,
    })
}

fn below(directory: &Path, pattern: Option<&str>) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: ignore::Error| Error::File {
        doing: "reading the directory",
        path: directory.to_owned(),
        source: error
            .into_io_error()
            .unwrap_or_else(|| io::Error::other("it loops")),
    };
    let mut walk = WalkBuilder::new(directory);
    walk.require_git(false)
        .git_global(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .sort_by_file_path(Path::cmp);
    let only = pattern
        .map(|pattern| only(directory, pattern))
        .transpose()?;
    let mut files = Vec::new();
    for entry in walk.build() {
        let path = entry.map_err(failed)?.into_path();
        let is_wanted = match &only {
            Some(only) => only.matched(&path, false).is_whitelist(),
            None => is_manifest(&path),
        };
        if is_wanted && path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

/// Returns what tells the files that a pattern means, seen from a directory.
fn only(directory: &Path, pattern: &str) -> Result<Override, Error> {
    let mut only = OverrideBuilder::new(directory);
    let only = only
        .add(&format!("/{pattern}"))
        .and_then(|only| only.build());
    only.map_err(|error| usage(error.to_string()))
}

fn is_manifest(path: &Path) -> bool {
    let ends = ["yaml", "yml", "json"];
    path.extension()
        .is_some_and(|end| ends.iter().any(|known| end == *known))
}
