//! Archives in every form: read, checked, refused; and what podman and skopeo say of them.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use podwright::image::archive::{Input, load};
use podwright::image::import::{ImportOptions, import};
use podwright::image::{ImageError, ImageRecord};

use crate::support::{Bench, Tar, config, digest, docker_archive, gzip, oci_layout};

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
