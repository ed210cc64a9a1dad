//! Pushes and saved archives: the same image comes out again.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::image::{Packing, Written, random_tar, tar, write};
use crate::site::{ADDRESS, Registry, Site};

const PLAIN: &str = "--tls-verify=false";

/// Puts an image of two layers into the registry and pulls it.
fn pulled(site: &Site) -> (Written, String) {
    let layout = site.path("layout");
    let base = tar(&[
        ("bin/sh", b"shell"),
        ("etc/os", b"base"),
        ("etc/empty", b""),
    ]);
    let image = write(&layout, &[&base, &random_tar(1 << 20, 7)], Packing::Zstd);
    site.publish(&layout, "from/x:1");
    let name = format!("{ADDRESS}/from/x:1");
    site.podwright(&["pull", PLAIN, "-q", &name]).succeeded();
    (image, name)
}

#[test]
fn a_pushed_image_comes_back_the_same_and_layers_that_are_there_stay() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let (image, name) = pulled(&site);
    let digestfile = site.path("digest");
    let flags = [
        "push",
        PLAIN,
        "-q",
        "--digestfile",
        digestfile.to_str().unwrap(),
        &name,
    ];
    let to = format!("{ADDRESS}/to/y:2");
    site.podwright(&[&flags[..], &[&to]].concat()).succeeded();
    // Another repository: its layers are compressed anew, the image stays the same.
    assert_eq!(registry.answers("PUT", "to/y/blobs").len(), 3);
    let pushed = fs::read_to_string(&digestfile).unwrap();
    assert_ne!(pushed, image.digest);
    let mut other = site.command("other");
    let id = site.run(other.args(["pull", PLAIN, "-q", &to])).succeeded();
    assert_eq!(id.trim(), image.id);
    // The same repository has all layers: the manifest stays, byte for byte.
    let again = format!("{ADDRESS}/from/x:again");
    site.podwright(&[&flags[..], &[&again]].concat())
        .succeeded();
    assert_eq!(fs::read_to_string(&digestfile).unwrap(), image.digest);
    assert_eq!(
        registry.answers("PUT", "from/x/blobs").len(),
        3,
        "skopeo's only"
    );
    // A second push of the same gives the same.
    site.podwright(&[&flags[..], &[&to]].concat()).succeeded();
    assert_eq!(fs::read_to_string(&digestfile).unwrap(), pushed);
    assert_eq!(registry.answers("PUT", "to/y/blobs").len(), 3);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn an_image_is_pushed_with_zstd_and_skopeo_reads_it() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let (image, name) = pulled(&site);
    let to = format!("{ADDRESS}/zstd:1");
    let flags = [
        "push",
        PLAIN,
        "-q",
        "--compression-format",
        "zstd",
        &name,
        &to,
    ];
    site.podwright(&flags).succeeded();
    let mut skopeo = Command::new("/usr/bin/skopeo");
    skopeo.args([
        "inspect",
        "--raw",
        "--tls-verify=false",
        &format!("docker://{to}"),
    ]);
    let manifest: Value = serde_json::from_str(&site.run(&mut skopeo).succeeded()).unwrap();
    assert_eq!(manifest["config"]["digest"], format!("sha256:{}", image.id));
    let kind = &manifest["layers"][1]["mediaType"];
    assert_eq!(kind, "application/vnd.oci.image.layer.v1.tar+zstd");
}

#[test]
fn what_is_saved_is_loaded_as_the_same_image() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let (image, name) = pulled(&site);
    for (format, path) in [
        ("docker-archive", site.path("docker.tar")),
        ("oci-archive", site.path("oci.tar")),
        ("oci-dir", site.path("oci")),
    ] {
        let path = path.to_str().unwrap();
        site.podwright(&["save", "--format", format, "-o", path, &name])
            .succeeded();
        let root = format!("root-{format}");
        let mut load = site.command(&root);
        let loaded = site.run(load.args(["load", "-i", path])).succeeded();
        assert_eq!(loaded, format!("Loaded image: {name}\n"), "{format}");
        let mut inspect = site.command(&root);
        inspect.args(["image", "inspect", "--format", "{{.Id}}", &name]);
        assert_eq!(
            site.run(&mut inspect).succeeded().trim(),
            image.id,
            "{format}"
        );
        let mut skopeo = Command::new("/usr/bin/skopeo");
        let transport = match format {
            "docker-archive" => format!("docker-archive:{path}"),
            "oci-archive" => format!("oci-archive:{path}"),
            _ => format!("oci:{path}"),
        };
        skopeo.args(["--insecure-policy", "copy", "-q", &transport]);
        skopeo.arg(format!(
            "dir:{}",
            site.path(&format!("copy-{format}")).display()
        ));
        site.run(&mut skopeo).succeeded();
    }
    let mut pipe = site.command("root");
    let archive = site.run(pipe.args(["save", &name])).succeeded();
    assert!(archive.contains("manifest.json"));
}

#[test]
fn the_history_has_every_step() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let (image, name) = pulled(&site);
    let text = site
        .podwright(&["history", "--format", "json", &name])
        .succeeded();
    let json: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json[0]["id"], image.id);
    assert_eq!(json[0]["CreatedBy"], "a test");
    assert_eq!(json.as_array().unwrap().len(), 1);
    let table = site.podwright(&["image", "history", &name]).succeeded();
    let heading = table.lines().next().unwrap();
    let words: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(words, ["ID", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]);
}
