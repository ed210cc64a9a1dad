//! `cp`: files in and out of containers.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use super::super::args::Copy;
use super::super::error::{Error, usage};
use super::find;
use crate::engine::Engine;
use crate::engine::copy::{
    ContainerRoot, Place, Receiver as _, TarOrigin, TarTarget, Target, TreeTarget, copy_file,
    find_target, walk,
};
use crate::sys::path::open_root;

/// One end of a copy, as it was typed.
enum End<'a> {
    Container { name: &'a str, path: &'a str },
    Host(&'a str),
    Stream,
}

impl<'a> End<'a> {
    /// A path that begins with a slash or a dot is the host's, whatever it holds.
    fn parse(text: &'a str) -> Self {
        if text == "-" || text == "/dev/stdout" || text == "/dev/stdin" {
            return Self::Stream;
        }
        match text.split_once(':') {
            Some((name, path)) if !name.is_empty() && !text.starts_with(['/', '.']) => {
                Self::Container { name, path }
            }
            _ => Self::Host(text),
        }
    }
}

/// An end that is a tree.
struct Tree {
    place: Place,
    /// Whose everything that is put there is to be.
    owner: Option<(u32, u32)>,
}

pub(super) fn copy(engine: &mut Engine, arguments: &Copy) -> Result<(), Error> {
    let source = End::parse(&arguments.source);
    let target = End::parse(&arguments.target);
    let containers: Vec<&str> = [&source, &target]
        .into_iter()
        .filter_map(|end| match end {
            End::Container { name, .. } => Some(*name),
            _ => None,
        })
        .collect();
    if containers.is_empty() {
        return Err(usage(
            "one of the two has to be in a container: CONTAINER:PATH",
        ));
    }
    let observed = engine.observed()?;
    let mut still = Vec::new();
    for name in containers {
        let found = find::container(&observed, name)?;
        if found.container.state.process().is_none() {
            let ids = (found.pod.record.id.clone(), found.container.id.clone());
            if !still.contains(&ids) {
                still.push(ids);
            }
        }
    }
    let engine = &*engine;
    // A container that is started while its layers are mounted here would change under both.
    engine.while_still(&still, || carry_out(engine, &source, &target, arguments))?
}

fn carry_out(
    engine: &Engine,
    source: &End<'_>,
    target: &End<'_>,
    arguments: &Copy,
) -> Result<(), Error> {
    match (source, target) {
        (End::Stream, target) => {
            let tree = open(engine, target, arguments.archive)?;
            let origin = tree.place.origin()?;
            let found = find_target(&tree.place, Path::new(""), true, false)?;
            let Target::Directory { base, .. } = found else {
                return Err(usage("a tar stream is unpacked in a directory"));
            };
            drop(origin);
            let mut receiver =
                TreeTarget::new(base, tree.place.path, tree.owner, arguments.overwrite);
            TarOrigin::new(std::io::stdin().lock()).send(&mut receiver)?;
            Ok(receiver.finish()?)
        }
        (source, End::Stream) => {
            if std::io::stdout().is_terminal() {
                return Err(usage("a tar stream is not written to a terminal"));
            }
            let tree = open(engine, source, false)?;
            let writer = std::io::BufWriter::new(std::io::stdout().lock());
            let mut receiver = TarTarget::new(writer);
            walk(&tree.place.origin()?, &tree.place.name(), &mut receiver)?;
            Ok(receiver.finish()?)
        }
        (source, target) => {
            let from = open(engine, source, false)?;
            let to = open(engine, target, arguments.archive)?;
            between(&from, to, arguments.overwrite)
        }
    }
}

fn between(from: &Tree, to: Tree, overwrite: bool) -> Result<(), Error> {
    let origin = from.place.origin()?;
    let is_directory = origin.is_directory();
    match find_target(&to.place, &from.place.name(), is_directory, overwrite)? {
        Target::Directory { base, name } => {
            let mut receiver = TreeTarget::new(base, to.place.path, to.owner, overwrite);
            walk(&origin, &name, &mut receiver)?;
            Ok(receiver.finish()?)
        }
        Target::File(file) => Ok(copy_file(&origin, &file, &to.place.path)?),
    }
}

fn open(engine: &Engine, end: &End<'_>, archive: bool) -> Result<Tree, Error> {
    match end {
        End::Container { name, path } => {
            let observed = engine.observed()?;
            let found = find::container(&observed, name)?;
            let container = ContainerRoot::open(engine, found.pod, found.container)?;
            Ok(Tree {
                place: Place::new(container.root, Path::new("/"), path),
                owner: archive.then_some(container.owner),
            })
        }
        End::Host(path) => {
            let failed = |source| Error::File {
                doing: "finding",
                path: PathBuf::from(path),
                source,
            };
            let base = std::env::current_dir().map_err(failed)?;
            let root = open_root(Path::new("/")).map_err(failed)?;
            let user = nix::unistd::geteuid().as_raw();
            let group = nix::unistd::getegid().as_raw();
            Ok(Tree {
                place: Place::new(root, &base, path),
                owner: Some((user, group)),
            })
        }
        End::Stream => Err(usage("a tar stream goes into or comes from a container")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_makes_a_container_unless_the_path_is_plainly_the_hosts() {
        let shape = |text| match End::parse(text) {
            End::Container { name, path } => format!("{name}|{path}"),
            End::Host(path) => format!("host {path}"),
            End::Stream => "stream".to_owned(),
        };
        for (text, expected) in [
            ("web:/etc/x", "web|/etc/x"),
            ("web:a:b", "web|a:b"),
            ("./web:x", "host ./web:x"),
            ("/a:b", "host /a:b"),
            ("file", "host file"),
            ("-", "stream"),
        ] {
            assert_eq!(shape(text), expected, "{text}");
        }
    }
}
