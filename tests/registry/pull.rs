//! Pulls: what comes, how often, and what happens when a transfer breaks.

use std::fs;

use crate::image::{Packing, random_tar, tar, write};
use crate::site::{ADDRESS, Registry, Site, wait_until};

const PLAIN: &str = "--tls-verify=false";

#[test]
fn an_image_comes_by_tag_and_by_digest_with_gzip_and_zstd_layers() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    for (number, packing) in [(b'0', Packing::Gzip), (b'1', Packing::Zstd)] {
        let layout = site.path(&format!("layout{number}"));
        let base = tar(&[("etc/os", b"base")]);
        let top = tar(&[("etc/app", &[number])]);
        let image = write(&layout, &[&base, &top], packing);
        site.publish(&layout, &format!("team/app{number}:1"));
        let by_tag = format!("{ADDRESS}/team/app{number}:1");
        let id = site.podwright(&["pull", PLAIN, "-q", &by_tag]).succeeded();
        assert_eq!(id.trim(), image.id);
        let by_digest = format!("{ADDRESS}/team/app{number}@{}", image.digest);
        let id = site
            .podwright(&["pull", PLAIN, "-q", &by_digest])
            .succeeded();
        assert_eq!(id.trim(), image.id);
        for name in [&by_tag, &by_digest] {
            site.podwright(&["image", "exists", name]).succeeded();
        }
        let file = site
            .path("root/images/layers")
            .join(&image.diff_ids[1][7..])
            .join("fs/etc/app");
        assert_eq!(fs::read(file).unwrap(), [number]);
    }
    // Both have the lower layer, which is the same once unpacked.
    assert_eq!(site.content("root", "layers").len(), 3);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn what_is_not_there_and_what_is_no_https_is_told() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let name = format!("{ADDRESS}/nothing:1");
    let told = site.podwright(&["pull", PLAIN, "-q", &name]).refused();
    assert_eq!(
        told,
        format!("error: pulling `{name}`: registry `{ADDRESS}` has no image `nothing:1`\n")
    );
    let told = site.podwright(&["pull", "-q", &name]).refused();
    assert!(told.contains("does not speak HTTPS"), "{told}");
    assert!(told.contains("--tls-verify=false"), "{told}");
}

#[test]
fn a_registry_killed_in_the_middle_of_a_blob_costs_only_what_was_on_its_way() {
    let Some(site) = Site::new() else { return };
    let mut registry = Registry::start(&site);
    let layout = site.path("layout");
    let size = 96 << 20;
    let image = write(&layout, &[&random_tar(size, 1)], Packing::Gzip);
    site.publish(&layout, "big:1");
    let name = format!("{ADDRESS}/big:1");
    let mut child = site.spawn(site.command("root").args(["pull", PLAIN, "-q", &name]));
    let download = site
        .path("root/images/downloads")
        .join(&image.blobs[0][7..]);
    let length = || fs::metadata(&download).map_or(0, |data| data.len());
    wait_until("the blob begins", || length() > 8 << 20);
    registry.kill();
    assert!(length() < size as u64, "it came whole before the kill");
    registry.restart(&site);
    assert!(child.wait().unwrap().success());
    let again = registry.answers("GET", &image.blobs[0]);
    // The killed one wrote no line; the other sent what was missing.
    assert_eq!(again.len(), 1, "{again:?}");
    let whole = fs::metadata(registry.blob(&image.blobs[0])).unwrap().len();
    assert!(whole - again[0] >= 8 << 20, "{again:?} of {whole}");
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn a_pull_killed_in_the_middle_of_a_blob_goes_on_where_it_was() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let layout = site.path("layout");
    let size = 96 << 20;
    let small = tar(&[("small", b"s")]);
    let image = write(&layout, &[&small, &random_tar(size, 2)], Packing::Gzip);
    site.publish(&layout, "big:1");
    let name = format!("{ADDRESS}/big:1");
    let mut child = site.spawn(site.command("root").args(["pull", PLAIN, "-q", &name]));
    let download = site
        .path("root/images/downloads")
        .join(&image.blobs[1][7..]);
    wait_until("one blob is sent, the other begins", || {
        let length = fs::metadata(&download).map_or(0, |data| data.len());
        length > 16 << 20 && registry.answers("GET", &image.blobs[0]).len() == 1
    });
    // On a busy machine all of the other would be there before the first is unpacked.
    registry.pause();
    wait_until("one layer is there", || {
        site.content("root", "layers").len() == 1
    });
    child.kill().unwrap();
    child.wait().unwrap();
    registry.resume();
    let here = fs::metadata(&download).unwrap().len();
    assert!(here < size as u64);
    let id = site.podwright(&["pull", PLAIN, "-q", &name]).succeeded();
    assert_eq!(id.trim(), image.id);
    let answers = registry.answers("GET", &image.blobs[1]);
    let sent = answers.last().copied().unwrap();
    let whole = fs::metadata(registry.blob(&image.blobs[1])).unwrap().len();
    assert_eq!(sent, whole - here);
    // What had come whole did not come again.
    assert_eq!(registry.answers("GET", &image.blobs[0]).len(), 1);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn a_blob_that_a_killed_pull_left_of_a_layer_that_counts_goes_with_the_next() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let layout = site.path("layout");
    let image = write(&layout, &[&tar(&[("small", b"s")])], Packing::Gzip);
    site.publish(&layout, "small:1");
    let name = format!("{ADDRESS}/small:1");
    let pull = || site.podwright(&["pull", PLAIN, "-q", &name]).succeeded();
    pull();
    let blob = &image.blobs[0];
    let left = site.path("root/images/downloads").join(&blob[7..]);
    fs::copy(registry.blob(blob), left).unwrap();
    pull();
    assert_eq!(registry.answers("GET", blob).len(), 1);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn two_pulls_of_one_image_at_once_fetch_each_blob_once() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let layout = site.path("layout");
    let layers: Vec<Vec<u8>> = (1..=4).map(|seed| random_tar(8 << 20, seed)).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = write(&layout, &layers, Packing::Gzip);
    site.publish(&layout, "shared:1");
    let name = format!("{ADDRESS}/shared:1");
    let children: Vec<_> = (0..3)
        .map(|_| site.spawn(site.command("root").args(["pull", PLAIN, "-q", &name])))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    for blob in &image.blobs {
        assert_eq!(registry.answers("GET", blob).len(), 1, "{blob}");
    }
    assert_eq!(site.content("root", "layers").len(), 4);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn progress_is_lines_where_no_terminal_is_and_nothing_when_quiet() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let layout = site.path("layout");
    let image = write(&layout, &[&tar(&[("x", b"y")])], Packing::Gzip);
    site.publish(&layout, "x:1");
    let name = format!("{ADDRESS}/x:1");
    let ran = site.podwright(&["pull", PLAIN, &name]);
    assert_eq!(
        ran.stderr,
        format!(
            "Trying to pull {name}...\nCopying blob {} done\n",
            image.blobs[0]
        )
    );
    let ran = site.podwright(&["pull", PLAIN, "--quiet", &name]);
    assert_eq!(
        (ran.stderr.as_str(), ran.stdout.trim()),
        ("", image.id.as_str())
    );
}
