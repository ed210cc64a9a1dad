//! Copies from and into trees that somebody has prepared against us.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::engine::copy::*;
use crate::sys::path::open_root;

struct Trees {
    dir: tempfile::TempDir,
}

impl Trees {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["from/sub", "to"] {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("from/a"), "a").unwrap();
        fs::write(dir.path().join("from/sub/b"), "b").unwrap();
        symlink("/etc/passwd", dir.path().join("from/out")).unwrap();
        Self { dir }
    }

    fn root(&self, name: &str) -> OwnedFd {
        open_root(&self.dir.path().join(name)).unwrap()
    }

    fn copy(&self, from: &str, to: &str, overwrite: bool) -> Result<(), CopyError> {
        let from = Place::new(self.root("from"), Path::new("/"), from);
        let to = Place::new(self.root("to"), Path::new("/"), to);
        let origin = from.origin()?;
        let is_directory = place::is_directory(&origin.found);
        match find_target(&to, &from.name(), is_directory, overwrite)? {
            Target::Directory { base, name } => {
                let mut target = TreeTarget::new(base, to.path.clone(), None, overwrite);
                walk(&origin, &name, &mut target)?;
                target.finish()
            }
            Target::File(_) => panic!("over a file"),
        }
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join(path)).unwrap()
    }
}

#[test]
fn directories_go_where_cp_puts_them_and_links_stay_links() {
    let trees = Trees::new();
    trees.copy("/sub", "/new", false).unwrap();
    trees.copy("/sub", "/new", false).unwrap();
    trees.copy("/.", "/new/all", false).unwrap();
    trees.copy("/a", "/new/", false).unwrap();
    assert_eq!(trees.text("to/new/b") + &trees.text("to/new/sub/b"), "bb");
    assert_eq!(
        trees.text("to/new/all/sub/b") + &trees.text("to/new/a"),
        "ba"
    );
    let link = fs::read_link(trees.dir.path().join("to/new/all/out")).unwrap();
    assert_eq!(link, Path::new("/etc/passwd"));
    assert!(trees.copy("/a", "/nowhere/", false).is_err());
    assert!(trees.copy("/nothing", "/x", false).is_err());
    assert!(trees.copy("/a/", "/x", false).is_err());
}

#[test]
fn a_link_in_either_tree_leads_nowhere_outside() {
    let trees = Trees::new();
    // The host's file of that name is not in the tree.
    assert!(matches!(
        trees.copy("/out", "/x", false),
        Err(CopyError::Missing { .. })
    ));
    let secret = trees.dir.path().join("secret");
    fs::create_dir(&secret).unwrap();
    symlink(&secret, trees.dir.path().join("to/absolute")).unwrap();
    symlink("../secret", trees.dir.path().join("to/relative")).unwrap();
    for to in ["/absolute/", "/relative/"] {
        assert!(trees.copy("/a", to, false).is_err(), "{to}");
    }
    fs::create_dir_all(trees.dir.path().join("from/relative")).unwrap();
    fs::write(trees.dir.path().join("from/relative/x"), "x").unwrap();
    assert!(trees.copy("/.", "/", false).is_err());
    assert_eq!(fs::read_dir(&secret).unwrap().count(), 0);
}

#[test]
fn what_is_no_file_is_refused_and_passed_over_in_a_tree() {
    let trees = Trees::new();
    let fifo = trees.dir.path().join("from/sub/fifo");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
    assert!(matches!(
        trees.copy("/sub/fifo", "/x", false),
        Err(CopyError::Kind { .. })
    ));
    trees.copy("/sub", "/x", false).unwrap();
    assert_eq!(
        fs::read_dir(trees.dir.path().join("to/x")).unwrap().count(),
        1
    );
    let proc = Place::new(
        open_root(Path::new("/")).unwrap(),
        Path::new("/"),
        "/proc/version",
    );
    let mut sink = TarTarget::new(Vec::new());
    let walked = walk(&proc.origin().unwrap(), Path::new("x"), &mut sink);
    assert!(
        matches!(walked, Err(CopyError::Pseudo { .. })),
        "{walked:?}"
    );
}

#[test]
fn a_directory_takes_the_place_of_a_file_only_if_that_is_wanted() {
    let trees = Trees::new();
    fs::write(trees.dir.path().join("to/sub"), "file").unwrap();
    assert!(trees.copy("/sub", "/", false).is_err());
    trees.copy("/sub", "/", true).unwrap();
    fs::create_dir(trees.dir.path().join("to/a")).unwrap();
    assert!(trees.copy("/.", "/", false).is_err());
    trees.copy("/.", "/", true).unwrap();
    assert_eq!(trees.text("to/a") + &trees.text("to/sub/b"), "ab");
}

#[test]
fn a_stream_comes_back_as_it_went_and_never_leaves_its_top() {
    let trees = Trees::new();
    let from = Place::new(trees.root("from"), Path::new("/"), "/.");
    let mut bytes = Vec::new();
    let mut target = TarTarget::new(&mut bytes);
    walk(&from.origin().unwrap(), Path::new("top"), &mut target).unwrap();
    target.finish().unwrap();
    drop(target);
    let mut target = TreeTarget::new(trees.root("to"), "/".into(), None, false);
    TarOrigin::new(bytes.as_slice()).send(&mut target).unwrap();
    target.finish().unwrap();
    assert_eq!(trees.text("to/top/a") + &trees.text("to/top/sub/b"), "ab");
    for (path, link) in [("../x", None), ("a/../../x", None), ("l", Some("../x"))] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(0);
        header.set_mode(0o644);
        match link {
            Some(_) => header.set_entry_type(tar::EntryType::Link),
            None => header.set_entry_type(tar::EntryType::Regular),
        }
        let name = &mut header.as_old_mut().name;
        name[..path.len()].copy_from_slice(path.as_bytes());
        if let Some(link) = link {
            header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, std::io::empty()).unwrap();
        let bytes = builder.into_inner().unwrap();
        let mut target = TreeTarget::new(trees.root("to"), "/".into(), None, false);
        let sent = TarOrigin::new(bytes.as_slice()).send(&mut target);
        assert!(
            matches!(sent, Err(CopyError::Outside { .. })),
            "{path}: {sent:?}"
        );
    }
}
