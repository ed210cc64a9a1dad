//! Images by real archives: made here, hostile ones too, and by skopeo where it is installed.

mod support {
    pub(crate) mod images;
}

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use podwright::image::archive::{Input, load};
use podwright::image::import::{ImportOptions, import};
use podwright::image::unpack::{Limits, UnpackError};
use podwright::image::{ImageError, ImageRecord, hello, rootfs};
use podwright::sys::mount::{Depth, Propagation, set_propagation, unshare_mounts};
use podwright::sys::overlay::{Writable, mount_overlay};
use support::images::{Bench, Tar, config, digest, docker_archive, gzip, oci_layout};
use tar::EntryType;

#[test]
fn a_docker_archive_brings_all_its_images_and_names() {
    let Some(bench) = Bench::new() else { return };
    let base = Tar::new().file("etc/os", "base").bytes();
    let top = Tar::new().file("etc/app", "one").bytes();
    let other = Tar::new().file("etc/app", "two").bytes();
    let archive = docker_archive(&[
        (&["busybox:latest", "quay.io/a/b:1"], &[&base, &top]),
        (&[], &[&base, &other]),
    ]);
    for (name, bytes) in [("plain", archive.clone()), ("gzip", gzip(&archive))] {
        let images = bench.load(name, &bytes).unwrap().images;
        assert_eq!(images.len(), 2);
        let names: Vec<_> = images[0].names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["docker.io/library/busybox:latest", "quay.io/a/b:1"]);
        assert!(images[1].names.is_empty());
        assert_eq!(images[0].layers[0], images[1].layers[0]);
        assert_eq!(images[0].config.env, ["A=b"]);
        let top = bench.store.layer_path(&images[0].layers[1]);
        assert_eq!(fs::read_to_string(top.join("etc/app")).unwrap(), "one");
        assert!(bench.store.has(&images[1]));
    }
    assert_eq!(bench.leftovers(), 0);
}

#[test]
fn an_oci_layout_is_read_as_tar_and_as_directory_and_compressed_both_ways() {
    let Some(bench) = Bench::new() else { return };
    let layer = Tar::new().file("x", "y").bytes();
    let squeezed = zstd::encode_all(layer.as_slice(), 3).unwrap();
    for (number, blob) in [gzip(&layer), squeezed, layer.clone()].iter().enumerate() {
        let directory = bench.path(&format!("layout{number}"));
        oci_layout(&directory, Some("localhost/oci:1"), blob, &digest(&layer));
        let from_directory = bench.load_path(&directory).unwrap();
        let mut tar = tar::Builder::new(Vec::new());
        tar.append_dir_all(".", &directory).unwrap();
        let from_tar = bench.load("oci", &tar.into_inner().unwrap()).unwrap();
        assert_eq!(from_directory.images, from_tar.images);
        assert_eq!(from_tar.images[0].names[0].to_string(), "localhost/oci:1");
        assert_eq!(from_tar.images[0].layers[0].as_str(), digest(&layer));
    }
}

#[test]
fn content_that_is_not_what_its_digest_says_is_refused_and_does_not_count() {
    let Some(bench) = Bench::new() else { return };
    let layer = Tar::new().file("x", "y").bytes();
    let damaged =
        |error: ImageError| assert!(matches!(error, ImageError::Damaged { .. }), "{error}");
    let wrong = format!("sha256:{}", "1".repeat(64));
    let directory = bench.path("diff-id");
    oci_layout(&directory, None, &gzip(&layer), &wrong);
    damaged(bench.load_path(&directory).unwrap_err());

    let directory = bench.path("blob");
    oci_layout(&directory, None, &gzip(&layer), &digest(&layer));
    let blob = directory
        .join("blobs/sha256")
        .join(&digest(&gzip(&layer))[7..]);
    let evil = Tar::new().file("x", "evil").bytes();
    fs::write(&blob, gzip(&evil)).unwrap();
    damaged(bench.load_path(&directory).unwrap_err());

    let archive = docker_archive(&[(&["a:b"], &[&layer])]);
    let text = String::from_utf8(archive)
        .unwrap()
        .replace("\"A=b\"", "\"A=c\"");
    damaged(bench.load("config", text.as_bytes()).unwrap_err());
    let layers = fs::read_dir(bench.path("root/images/layers")).unwrap();
    assert_eq!(layers.count(), 0);
    assert_eq!(bench.leftovers(), 0);
}

#[test]
fn what_is_no_image_is_told() {
    let Some(bench) = Bench::new() else { return };
    let root_fs = Tar::new().file("bin/sh", "x").bytes();
    for bytes in [root_fs, b"no tar at all".to_vec(), Vec::new()] {
        let error = bench.load("other", &bytes).unwrap_err();
        assert!(matches!(error, ImageError::NotAnImage(_)), "{error}");
    }
    let error = bench.load_path(&bench.path("missing")).unwrap_err();
    assert!(matches!(error, ImageError::File { .. }), "{error}");
}

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
fn garbage_goes_when_nobody_adds_and_the_rest_stays() {
    let Some(bench) = Bench::new() else { return };
    let (kept, _) = bench.import(&Tar::new().file("kept", "").bytes()).unwrap();
    let (gone, _) = bench.import(&Tar::new().file("gone", "").bytes()).unwrap();
    let lease = bench.store.lease().unwrap();
    assert!(bench.store.try_collect().unwrap().is_none());
    drop(lease);
    let collector = bench.store.try_collect().unwrap().unwrap();
    assert!(collector.sweep(std::slice::from_ref(&kept)).unwrap() > 0);
    drop(collector);
    assert!(bench.store.has(&kept) && !bench.store.has(&gone));
    assert!(bench.store.read_blob(&gone.id.digest()).is_err());
    assert_eq!(bench.store.details(&kept).unwrap().history.len(), 1);
    assert_eq!(bench.leftovers(), 0);
}

#[test]
fn the_workspace_of_a_killed_load_is_swept_and_a_running_ones_is_not() {
    let Some(bench) = Bench::new() else { return };
    let abandoned = bench.path("root/images/tmp/dead");
    fs::create_dir_all(abandoned.join("layer-0/fs/a")).unwrap();
    let running = bench.path("root/images/tmp/alive");
    fs::create_dir(&running).unwrap();
    let lock = nix::fcntl::Flock::lock(
        fs::File::open(&running).unwrap(),
        nix::fcntl::FlockArg::LockExclusive,
    )
    .unwrap();
    bench.import(&Tar::new().file("x", "").bytes()).unwrap();
    assert!(!abandoned.exists());
    assert!(running.exists());
    drop(lock);
}

#[test]
fn the_built_in_image_is_made_once_and_again_when_the_program_changes() {
    let Some(bench) = Bench::new() else { return };
    let program = bench.path("program");
    fs::write(&program, "first").unwrap();
    let lease = bench.store.lease().unwrap();
    let ensure = || hello::ensure(&bench.store, &lease, &program, bench.now()).unwrap();
    let first = ensure();
    assert_eq!(first, ensure());
    assert_eq!(first.names[0].to_string(), hello::NAME);
    let file = bench.store.layer_path(&first.layers[0]).join("podwright");
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
    fs::write(&program, "second version").unwrap();
    let second = ensure();
    assert_ne!(first.id, second.id);
    assert_eq!(fs::read_to_string(file).unwrap(), "first");
}

#[test]
fn an_import_has_podmans_configuration() {
    let Some(bench) = Bench::new() else { return };
    let tar = bench.path("fs.tar");
    fs::write(&tar, Tar::new().file("bin/sh", "x").bytes()).unwrap();
    let lease = bench.store.lease().unwrap();
    let changes = ["CMD=/bin/sh".to_owned(), "USER 7".to_owned()];
    let options = ImportOptions {
        name: Some("bb:one"),
        changes: &changes,
        message: "hi",
        created: bench.now(),
    };
    let image = import(&bench.store, &lease, Input::Path(&tar), &options)
        .unwrap()
        .image;
    assert_eq!(image.names[0].to_string(), "localhost/bb:one");
    assert_eq!(image.config.cmd, ["/bin/sh", "-c", "/bin/sh"]);
    assert_eq!(image.config.user, "7");
    assert_eq!(image.created, bench.now());
    assert_eq!(bench.store.details(&image).unwrap().comment(), "hi");
    let text = serde_json::to_string(&image).unwrap();
    assert_eq!(serde_json::from_str::<ImageRecord>(&text).unwrap(), image);
    let bad = ["RUN x".to_owned()];
    let options = ImportOptions {
        changes: &bad,
        ..options
    };
    assert!(import(&bench.store, &lease, Input::Path(&tar), &options).is_err());
}

#[test]
fn what_skopeo_writes_is_read_in_every_form() {
    let Some(bench) = Bench::new() else { return };
    if Command::new("skopeo").arg("--version").output().is_err() {
        println!("skipped: lacks skopeo");
        return;
    }
    let busybox = fs::read("/bin/busybox").unwrap_or_else(|_| b"program".to_vec());
    let layer = Tar::new().data("bin/busybox", &busybox).bytes();
    let source = bench.path("source");
    oci_layout(&source, Some("bb"), &gzip(&layer), &digest(&layer));
    let lease = bench.store.lease().unwrap();
    for (form, suffix) in [
        ("docker-archive", ":localhost/bb:1"),
        ("oci-archive", ":localhost/bb:1"),
        ("oci", ":localhost/bb:1"),
        ("dir", ""),
    ] {
        let target = bench.path(form);
        let output = Command::new("skopeo")
            .args(["--insecure-policy", "copy", "-q"])
            .arg(format!("oci:{}:bb", source.display()))
            .arg(format!("{form}:{}{suffix}", target.display()))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let images = load(&bench.store, &lease, Input::Path(&target))
            .unwrap()
            .images;
        assert_eq!(images[0].layers[0].as_str(), digest(&layer), "{form}");
        if !suffix.is_empty() {
            assert_eq!(images[0].names[0].to_string(), "localhost/bb:1", "{form}");
        }
    }
}

#[test]
fn links_between_the_layers_of_an_old_docker_archive_are_followed() {
    let Some(bench) = Bench::new() else { return };
    let layer = Tar::new().file("x", "y").bytes();
    let directory = bench.path("linked");
    fs::create_dir_all(directory.join("id")).unwrap();
    fs::write(directory.join("real.tar"), &layer).unwrap();
    symlink("../real.tar", directory.join("id/layer.tar")).unwrap();
    fs::write(directory.join("c.json"), config(&[&digest(&layer)])).unwrap();
    let manifest = r#"[{"Config":"c.json","RepoTags":null,"Layers":["id/layer.tar"]}]"#;
    fs::write(directory.join("manifest.json"), manifest).unwrap();
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    tar.append_dir_all("", &directory).unwrap();
    bench
        .load("linked.tar", &tar.into_inner().unwrap())
        .unwrap();
}

#[test]
fn a_docker_archive_has_the_digest_and_the_size_podman_shows() {
    let Some(bench) = Bench::new() else { return };
    if Command::new("podman").arg("--version").output().is_err() {
        println!("skipped: lacks podman");
        return;
    }
    let base = Tar::new().file("etc/os", "base").bytes();
    let top = Tar::new().file("etc/app", "one").bytes();
    let archive = docker_archive(&[(&["localhost/a:1"], &[&base, &top])]);
    let image = bench.load("archive", &archive).unwrap().images.remove(0);
    let podman = |arguments: &[&str]| {
        let output = Command::new("podman")
            .args(["--storage-driver", "vfs", "--root"])
            .arg(bench.path("podman"))
            .arg("--runroot")
            .arg(bench.path("podman-run"))
            .args(arguments)
            .current_dir(bench.path(""))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        String::from_utf8(output.stdout).unwrap()
    };
    podman(&["load", "-q", "-i", "archive"]);
    let format = "{{.Id}} {{.Digest}} {{.Size}} {{.ManifestType}}";
    let shown = podman(&["image", "inspect", "localhost/a:1", "--format", format]);
    let kind = bench.store.details(&image).unwrap().manifest_type;
    let ours = format!("{} {} {} {kind}", image.id, image.digest, image.size);
    assert_eq!(shown.trim(), ours);
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
fn loads_at_the_same_time_share_what_they_bring() {
    let Some(bench) = Bench::new() else { return };
    let layers: Vec<_> = (0..4)
        .map(|number| Tar::new().file("f", &number.to_string()).bytes())
        .collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    fs::write(bench.path("archive"), docker_archive(&[(&[], &layers)])).unwrap();
    let images: Vec<_> = std::thread::scope(|scope| {
        let load = || bench.load_path(&bench.path("archive")).unwrap().images;
        let loads: Vec<_> = (0..4).map(|_| scope.spawn(load)).collect();
        loads.into_iter().map(|load| load.join().unwrap()).collect()
    });
    assert!(images.iter().all(|image| *image == images[0]));
    assert!(bench.store.has(&images[0][0]));
    assert_eq!(bench.leftovers(), 0);
}

/// Loads for ever when called as the child of itself.
#[test]
fn a_load_killed_at_any_moment_leaves_no_half_layer() {
    const CHILD: &str = "PODWRIGHT_TEST_LOAD";
    const NAME: &str = "a_load_killed_at_any_moment_leaves_no_half_layer";
    const FILES: usize = 400;
    let Some(bench) = Bench::new() else { return };
    if let Some(root) = std::env::var_os(CHILD) {
        bench
            .at(Path::new(&root))
            .load_path(&Path::new(&root).join("archive"))
            .unwrap();
        return;
    }
    let layer = (0..FILES).fold(Tar::new(), |tar, number| {
        tar.file(&format!("d{}/{number}", number % 7), "content")
    });
    let layers = [layer.bytes(), Tar::new().file("x", "").bytes()];
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    fs::write(bench.path("archive"), docker_archive(&[(&[], &layers)])).unwrap();
    for round in 0..25 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME])
            .env(CHILD, bench.path(""))
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(4 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        for layer in fs::read_dir(bench.path("root/images/layers")).unwrap() {
            let layer = layer.unwrap().path();
            assert!(layer.join("layer.json").is_file(), "round {round}");
            let files = fs::read_dir(layer.join("fs/d0")).map_or(1, Iterator::count);
            assert!(
                files == 1 || files == FILES.div_ceil(7),
                "round {round}: {files}"
            );
            fs::remove_dir_all(layer).unwrap();
        }
    }
    let image = bench
        .load_path(&bench.path("archive"))
        .unwrap()
        .images
        .remove(0);
    assert!(bench.store.has(&image));
    assert_eq!(bench.leftovers(), 0);
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
