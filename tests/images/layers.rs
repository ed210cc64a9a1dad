//! What a layer's tar becomes on disk, and what a hostile one cannot do.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use podwright::image::unpack::{Limits, UnpackError};
use podwright::image::{ImageError, rootfs};
use podwright::sys::mount::{Depth, Propagation, set_propagation, unshare_mounts};
use podwright::sys::overlay::{Writable, mount_overlay};
use tar::EntryType;

use crate::support::{Bench, Tar, docker_archive, gzip};

#[test]
fn owners_modes_times_links_and_attributes_are_kept() {
    let Some(bench) = Bench::new() else { return };
    let capability = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let layer = Tar::new()
        .entry("./", EntryType::Directory, |header| header.set_mode(0o711))
        .entry("d/", EntryType::Directory, |header| {
            header.set_mode(0o1770);
            header.set_uid(5);
            header.set_gid(6);
            header.set_mtime(1_000_000);
        })
        .attributes(&[
            ("SCHILY.xattr.security.capability", &capability),
            ("SCHILY.xattr.trusted.overlay.redirect", b"/etc"),
            ("mtime", b"1234.5"),
        ])
        .file("d/program", "x")
        .link("d/hard", "d/program", EntryType::Link)
        .link("d/absolute", "/etc/passwd", EntryType::Symlink)
        .link("out", "../../../../etc", EntryType::Symlink)
        .entry("pipe", EntryType::Fifo, |_| {})
        .bytes();
    let (image, notes) = bench.import(&layer).unwrap();
    let root = bench.store.layer_path(&image.layers[0]);
    let data = |path: &str| fs::symlink_metadata(root.join(path)).unwrap();
    assert_eq!(data("").mode() & 0o7777, 0o711);
    let directory = data("d");
    assert_eq!(directory.mode() & 0o7777, 0o1770);
    assert_eq!((directory.uid(), directory.gid()), (5, 6));
    assert_eq!(directory.mtime(), 1_000_000);
    let program = data("d/program");
    assert_eq!((program.mtime(), program.mtime_nsec()), (1234, 500_000_000));
    assert_eq!(program.ino(), data("d/hard").ino());
    assert_eq!(
        fs::read_link(root.join("out")).unwrap(),
        Path::new("../../../../etc")
    );
    assert!(data("pipe").file_type().is_fifo());
    let mut value = [0; 64];
    let path = root.join("d/program");
    let read = rustix::fs::getxattr(&path, "security.capability", &mut value).unwrap();
    assert_eq!(&value[..read], capability);
    assert!(rustix::fs::getxattr(&path, "trusted.overlay.redirect", &mut value).is_err());
    assert_eq!(notes.len(), 1, "{notes:?}");
}

#[test]
fn whiteouts_take_overlays_form() {
    let Some(bench) = Bench::new() else { return };
    let layer = Tar::new()
        .file("a/.wh.gone", "")
        .file("opaque/.wh..wh..opq", "")
        .file("opaque/new", "x")
        .file("b/.wh.dir", "")
        .entry("b/dir/", EntryType::Directory, |header| {
            header.set_mode(0o755)
        })
        .file(".wh..wh.plnk", "")
        .bytes();
    let (image, _) = bench.import(&layer).unwrap();
    let root = bench.store.layer_path(&image.layers[0]);
    let gone = fs::symlink_metadata(root.join("a/gone")).unwrap();
    assert!(gone.file_type().is_char_device());
    assert_eq!(gone.rdev(), 0);
    for directory in ["opaque", "b/dir"] {
        let mut value = [0; 8];
        let path = root.join(directory);
        let read = rustix::fs::getxattr(&path, "trusted.overlay.opaque", &mut value).unwrap();
        assert_eq!(&value[..read], b"y", "{directory}");
    }
    assert!(root.join("opaque/new").exists());
    assert_eq!(fs::read_dir(&root).unwrap().count(), 3);
}

#[test]
fn nothing_of_a_hostile_layer_lands_outside_of_it() {
    let Some(bench) = Bench::new() else { return };
    let outside = bench.path("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "s").unwrap();
    let target = outside.to_str().unwrap();
    let inside = Tar::new()
        .raw("/absolute", "inside")
        .link("link", target, EntryType::Symlink)
        .link("up", "../../../../../../../../../..", EntryType::Symlink)
        .file("up/escaped", "x")
        .entry("null", EntryType::Char, |_| {})
        .entry("sda", EntryType::Block, |_| {})
        .bytes();
    let (image, notes) = bench.import(&inside).unwrap();
    let root = bench.store.layer_path(&image.layers[0]);
    assert!(root.join("absolute").is_file());
    assert!(root.join("escaped").is_file());
    assert!(!root.join("null").exists() && !root.join("sda").exists());
    assert_eq!(notes.len(), 2, "{notes:?}");

    let to = |target: &str| Tar::new().link("d", target, EntryType::Symlink);
    let hard = |tar: Tar, target: &str| tar.link("l", target, EntryType::Link);
    let refused = [
        Tar::new().raw("../outside/evil", "x"),
        Tar::new().raw("a/../../evil", "x"),
        hard(Tar::new(), "../outside/secret"),
        hard(Tar::new(), &format!("{target}/secret")),
        to(target).file("d/evil", "x"),
        hard(to(target), "d/secret"),
        Tar::new().raw(".wh...", ""),
        Tar::new().raw(".wh..", ""),
    ];
    for (number, layer) in refused.into_iter().enumerate() {
        let result = bench.import(&layer.bytes());
        let refused = matches!(result, Err(ImageError::Layer { .. }));
        assert!(refused, "{number}: {result:?}");
    }
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(bench.leftovers(), 0);
}

#[test]
fn every_limit_stops_a_layer() {
    let Some(bench) = Bench::new() else { return };
    let bench = bench.limited(Limits {
        bytes: 1 << 20,
        entries: 50,
        depth: 20,
        path: 300,
    });
    let refusal = |layer: &[u8]| match bench.import(layer) {
        Err(ImageError::Layer { source, .. }) => source,
        other => panic!("{other:?}"),
    };
    let many = (0..60).fold(Tar::new(), |tar, number| tar.file(&number.to_string(), ""));
    let refused = refusal(&many.bytes());
    assert_eq!(refused, UnpackError::TooManyEntries { limit: 50 });
    let deep = "d/".repeat(25) + "f";
    let long = vec!["n".repeat(120); 3].join("/");
    for name in [deep, long] {
        let refused = refusal(&Tar::new().file(&name, "").bytes());
        assert!(
            matches!(refused, UnpackError::PathTooLong { .. }),
            "{refused}"
        );
    }
    let large = Tar::new().file("large", &"x".repeat(2 << 20)).bytes();
    let sparse = Tar::new().sparse("hole", 1 << 40).bytes();
    let bomb = [Tar::new().file("x", "").bytes(), vec![0; 64 << 20]].concat();
    for layer in [large.clone(), gzip(&large), sparse, gzip(&bomb)] {
        let refused = refusal(&layer);
        assert_eq!(refused, UnpackError::TooManyBytes { limit: 1 << 20 });
    }
    let whole = Tar::new().file("f", &"x".repeat(2000)).bytes();
    let refused = refusal(&whole[..700]);
    assert!(matches!(refused, UnpackError::Read { .. }), "{refused}");
}

#[test]
fn a_sparse_file_takes_no_disk() {
    let Some(bench) = Bench::new() else { return };
    let layer = Tar::new().sparse("hole", 1 << 28).bytes();
    let (image, _) = bench.import(&layer).unwrap();
    let path = bench.store.layer_path(&image.layers[0]).join("hole");
    let data = fs::metadata(path).unwrap();
    assert_eq!(data.len(), 1 << 28);
    assert!(data.blocks() < 1000, "{}", data.blocks());
}

#[test]
fn a_later_entry_replaces_an_earlier_one() {
    let Some(bench) = Bench::new() else { return };
    let layer = Tar::new()
        .file("x/deep/file", "1")
        .file("x", "now a file")
        .link("y", "x", EntryType::Symlink)
        .file("y", "own")
        .bytes();
    let (image, _) = bench.import(&layer).unwrap();
    let root = bench.store.layer_path(&image.layers[0]);
    assert_eq!(fs::read_to_string(root.join("x")).unwrap(), "now a file");
    assert_eq!(fs::read_to_string(root.join("y")).unwrap(), "own");
}

#[test]
fn the_layers_make_one_root_file_system() {
    let Some(bench) = Bench::new() else { return };
    let base = Tar::new()
        .file("etc/kept", "1")
        .file("etc/gone", "1")
        .file("d/low", "1")
        .bytes();
    let top = Tar::new()
        .file("etc/.wh.gone", "")
        .file("d/.wh..wh..opq", "")
        .file("d/high", "2")
        .bytes();
    let archive = docker_archive(&[(&[], &[&base, &top])]);
    let image = bench.load("archive", &archive).unwrap().images.remove(0);
    let writable = Writable {
        upper: bench.path("upper"),
        work: bench.path("work"),
    };
    let target = bench.path("target");
    for directory in [&writable.upper, &writable.work, &target] {
        fs::create_dir(directory).unwrap();
    }
    let overlay = rootfs::overlay(&bench.store, &image, Some(writable));
    std::thread::spawn(move || {
        unshare_mounts().unwrap();
        set_propagation(Path::new("/"), Propagation::Private, Depth::Tree).unwrap();
        mount_overlay(&overlay, &target).unwrap();
        let there = |path: &str| target.join(path).exists();
        assert!(there("etc/kept") && !there("etc/gone"));
        assert!(there("d/high") && !there("d/low"));
    })
    .join()
    .unwrap();
}

#[test]
fn a_header_that_asks_for_all_memory_is_refused() {
    let Some(bench) = Bench::new() else { return };
    let size = 3_u64 << 30;
    let path = bench.path("bomb.tar");
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(EntryType::GNULongName);
    header.set_size(size);
    header.set_cksum();
    fs::write(&path, header.as_bytes()).unwrap();
    fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_len(size + 2048)
        .unwrap();
    let error = bench.import_path(&path).unwrap_err();
    assert!(matches!(error, ImageError::Layer { .. }), "{error}");
}
