//! Which manifests a command is given: files, directories and all below, patterns, addresses, standard input.
//!
//! Ignore files are heeded as git does (`.gitignore`, `.ignore`, and `.podwrightignore` for us alone), and what is
//! hidden is passed over. The order is that of the arguments, and of the paths below each.

use std::collections::BTreeSet;
use std::io;
use std::iter;
use std::path::{Component, Path, PathBuf};

use ignore::overrides::{Override, OverrideBuilder};
use ignore::{DirEntry, WalkBuilder};

use super::super::error::{Error, usage};
use super::input::{Manifest, is_url, read_stdin, read_url};
use crate::manifest::{Input as _, Source};

/// The ignore file of ours.
const IGNORE_FILE: &str = ".podwrightignore";

/// Things that are looked for one after the other.
type Found<'n, T> = Box<dyn Iterator<Item = Result<T, Error>> + Send + 'n>;

/// Finds what arguments name, each file once, as it is asked for: what is no file is read in its turn.
pub(super) fn inputs(named: &[PathBuf]) -> impl Iterator<Item = Result<Manifest, Error>> + Send {
    let mut seen = may_repeat(named).then(BTreeSet::new);
    let all = named.iter().flat_map(|name| input(name));
    all.filter(move |input| match (&mut seen, input) {
        (Some(seen), Ok(Manifest::File(file))) => seen.insert(file.clone()),
        _ => true,
    })
}

/// Reads all that arguments name.
pub(super) fn sources(named: &[PathBuf]) -> Result<Vec<Source>, Error> {
    inputs(named).map(|input| input?.open()).collect()
}

fn input(name: &Path) -> Found<'_, Manifest> {
    if name == Path::new("-") {
        one(read_stdin().map(Manifest::Text))
    } else if is_url(name) {
        one(read_url(&name.to_string_lossy()).map(Manifest::Text))
    } else {
        match files(name) {
            Ok(files) => Box::new(files.map(|file| file.map(Manifest::File))),
            Err(error) => one(Err(error)),
        }
    }
}

fn one<'n, T: Send + 'n>(found: Result<T, Error>) -> Found<'n, T> {
    Box::new(iter::once(found))
}

/// Tells whether a file may be found by more than one of the names: one of them begins as another.
fn may_repeat(named: &[PathBuf]) -> bool {
    let mut fixed: Vec<PathBuf> = named.iter().map(|name| without_pattern(name)).collect();
    // What others begin with stands before them.
    fixed.sort_unstable();
    let mut pairs = fixed.windows(2);
    pairs.any(|pair| pair[1].starts_with(&pair[0]))
}

fn files(name: &Path) -> Result<Found<'_, PathBuf>, Error> {
    if name.is_dir() {
        below(name, None)
    } else if has_pattern(name) && !name.exists() {
        matching(name)
    } else {
        Ok(one(Ok(name.to_owned())))
    }
}

fn has_pattern(name: &Path) -> bool {
    name.to_string_lossy().contains(['*', '?', '[', '{'])
}

/// Returns the beginning of a name that has no pattern.
fn without_pattern(name: &Path) -> PathBuf {
    let is_plain = |part: &Component<'_>| !has_pattern(Path::new(part));
    name.components().take_while(is_plain).collect()
}

/// Returns the files that a pattern means: `*` stays in a directory, `**` goes below it.
fn matching(pattern: &Path) -> Result<Found<'_, PathBuf>, Error> {
    let base = without_pattern(pattern);
    let rest = pattern
        .strip_prefix(&base)
        .unwrap_or(pattern)
        .to_string_lossy();
    let is_here = base.as_os_str().is_empty();
    let start = match is_here {
        true => Path::new("."),
        false => &base,
    };
    let mut files = below(start, Some(&rest))?.peekable();
    if files.peek().is_none() {
        return Err(usage(format!("no file matches `{}`", pattern.display())));
    }
    let plain = |file: PathBuf| file.strip_prefix("./").map_or(file.clone(), Path::to_owned);
    Ok(match is_here {
        true => Box::new(files.map(move |file| file.map(plain))),
        false => Box::new(files),
    })
}

fn below<'n>(directory: &Path, pattern: Option<&str>) -> Result<Found<'n, PathBuf>, Error> {
    let mut walk = WalkBuilder::new(directory);
    walk.require_git(false)
        .git_global(false)
        .add_custom_ignore_filename(IGNORE_FILE)
        .sort_by_file_path(Path::cmp);
    let only = pattern
        .map(|pattern| only(directory, pattern))
        .transpose()?;
    let is_wanted = move |path: &Path| match &only {
        Some(only) => only.matched(path, false).is_whitelist(),
        None => is_manifest(path),
    };
    let directory = directory.to_owned();
    let failed = move |error: ignore::Error| Error::File {
        doing: "reading the directory",
        path: directory.clone(),
        source: error
            .into_io_error()
            .unwrap_or_else(|| io::Error::other("it loops")),
    };
    let wanted = walk.build().filter(move |entry| match entry {
        Ok(entry) => is_wanted(entry.path()) && is_file(entry),
        Err(_) => true,
    });
    Ok(Box::new(wanted.map(move |entry| {
        entry.map(DirEntry::into_path).map_err(&failed)
    })))
}

/// Tells whether an entry is a file, or a link to one.
fn is_file(entry: &DirEntry) -> bool {
    match entry.file_type() {
        Some(kind) if !kind.is_symlink() => kind.is_file(),
        _ => entry.path().is_file(),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_which_one_begins_as_another_may_repeat_a_file() {
        let may = |names: &[&str]| {
            let names: Vec<PathBuf> = names.iter().map(PathBuf::from).collect();
            may_repeat(&names)
        };
        for names in [
            &["a"][..],
            &["a", "b"],
            &["a.yaml", "a"],
            &["b/*.yaml", "a/*.yaml"],
        ] {
            assert!(!may(names), "{names:?}");
        }
        for names in [
            ["a", "a"],
            ["a/b.yaml", "a"],
            ["a", "a/*.yaml"],
            ["a/*/c.yaml", "a/b/c.yaml"],
            ["*.yaml", "b.yaml"],
        ] {
            assert!(may(&names), "{names:?}");
        }
        assert!(may(&["a/c", "a-b", "a"]));
    }
}
