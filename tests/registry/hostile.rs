//! Images that lie or attack: refused or bounded, with a clear word, and nothing of them stays.

use std::fs;

use tar::{EntryType, Header};

use crate::image::{Packing, digest, tar, write, write_claiming};
use crate::site::{ADDRESS, Registry, Site};

fn entry(kind: EntryType, name: &str, change: impl FnOnce(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    change(&mut header);
    header.set_cksum();
    header.as_bytes().to_vec()
}

fn ended(mut tar: Vec<u8>) -> Vec<u8> {
    tar.extend([0; 1024]);
    tar
}

/// Publishes an image of these layers and pulls it.
fn pull(site: &Site, layers: &[&[u8]], diff_ids: Option<&[String]>) -> crate::site::Ran {
    let layout = site.path("layout");
    match diff_ids {
        Some(diff_ids) => write_claiming(&layout, layers, Packing::Gzip, diff_ids),
        None => write(&layout, layers, Packing::Gzip),
    };
    site.publish(&layout, "evil:1");
    site.podwright(&[
        "pull",
        "--tls-verify=false",
        "-q",
        &format!("{ADDRESS}/evil:1"),
    ])
}

/// Checks that nothing of the image is left.
fn expect_clean(site: &Site) {
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
    assert_eq!(site.content("root", "layers"), Vec::<String>::new());
    assert_eq!(site.podwright(&["images", "-q"]).succeeded(), "");
}

#[test]
fn a_wrong_diff_id_is_refused() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let wrong = format!("sha256:{}", "1".repeat(64));
    let told = pull(&site, &[&tar(&[("x", b"y")])], Some(&[wrong])).refused();
    assert!(told.contains("is damaged: its digest is"), "{told}");
    expect_clean(&site);
}

#[test]
fn a_blob_that_is_not_what_its_digest_says_is_refused() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let layout = site.path("layout");
    let image = write(&layout, &[&tar(&[("x", b"y")])], Packing::Gzip);
    site.publish(&layout, "evil:1");
    let blob = registry.blob(&image.blobs[0]);
    let mut bytes = fs::read(&blob).unwrap();
    // The header of gzip has a time that nobody reads: the tar stays what it was.
    bytes[4] ^= 0xff;
    fs::write(&blob, bytes).unwrap();
    let name = format!("{ADDRESS}/evil:1");
    let told = site
        .podwright(&["pull", "--tls-verify=false", "-q", &name])
        .refused();
    assert!(told.contains("is damaged: its digest is"), "{told}");
    expect_clean(&site);
    fs::write(&blob, tar(&[("x", b"short")])).unwrap();
    site.podwright(&["pull", "--tls-verify=false", "-q", &name])
        .refused();
    expect_clean(&site);
}

#[test]
fn a_layer_that_leads_out_of_itself_is_refused() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    for name in ["../out", "a/../../out"] {
        let told = pull(
            &site,
            &[&ended(entry(EntryType::Regular, name, |_| {}))],
            None,
        )
        .refused();
        assert!(told.contains("leads out of the layer"), "{told}");
        expect_clean(&site);
    }
    let link = |header: &mut Header| header.set_link_name("../../etc/passwd").unwrap();
    let told = pull(&site, &[&ended(entry(EntryType::Link, "x", link))], None).refused();
    assert!(told.contains("leads out of the layer"), "{told}");
    expect_clean(&site);
}

#[test]
fn what_goes_through_an_absolute_link_stays_in_the_layer() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let outside = site.path("outside");
    fs::create_dir(&outside).unwrap();
    let target = outside.to_str().unwrap().to_owned();
    let mut layer = entry(EntryType::Symlink, "link", |header| {
        header.set_link_name(&target).unwrap();
    });
    layer.extend(entry(EntryType::Regular, "link/file", |_| {}));
    pull(&site, &[&ended(layer)], None);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
}

#[test]
fn device_nodes_are_left_out_and_told_a_few_times() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let mut layer = Vec::new();
    for number in 0..20_000 {
        layer.extend(entry(
            EntryType::Block,
            &format!("dev/sda{number}"),
            |header| {
                header.set_device_major(8).unwrap();
                header.set_device_minor(0).unwrap();
            },
        ));
    }
    let layer = ended(layer);
    let ran = pull(&site, &[&layer], None);
    let warnings = ran
        .stderr
        .lines()
        .filter(|line| line.contains("left out"))
        .count();
    assert!((1..=20).contains(&warnings), "{}", ran.stderr);
    ran.succeeded();
    let content = site
        .path("root/images/layers")
        .join(&digest(&layer)[7..])
        .join("fs/dev");
    assert_eq!(fs::read_dir(content).unwrap().count(), 0);
}

#[test]
fn a_file_of_a_tebibyte_is_refused_and_costs_no_disk() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let sparse = entry(EntryType::GNUSparse, "big", |header| {
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(1 << 40);
        gnu.sparse[0].set_offset(1 << 40);
        gnu.sparse[0].set_length(0);
    });
    let told = pull(&site, &[&ended(sparse)], None).refused();
    assert!(told.contains("it has more than"), "{told}");
    expect_clean(&site);
    let plain = entry(EntryType::Regular, "big", |header| header.set_size(1 << 40));
    let told = pull(&site, &[&ended(plain)], None).refused();
    assert!(told.contains("it has more than"), "{told}");
    expect_clean(&site);
}

/// How many files a layer of tiny ones has; `PODWRIGHT_FILES` asks for more, such as a million.
fn tiny_files() -> usize {
    let asked = std::env::var("PODWRIGHT_FILES").ok();
    asked.map_or(50_000, |number| number.parse().expect("a number"))
}

#[test]
fn a_layer_of_very_many_tiny_files_leaves_nothing_when_removed() {
    const IN_ONE: usize = 1000;
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let mut layer = Vec::new();
    for number in 0..tiny_files() {
        let name = format!("d{}/{number}", number / IN_ONE);
        layer.extend(entry(EntryType::Regular, &name, |_| {}));
    }
    let layer = ended(layer);
    pull(&site, &[&layer], None).succeeded();
    let content = site
        .path("root/images/layers")
        .join(&digest(&layer)[7..])
        .join("fs");
    let directories = fs::read_dir(&content).unwrap();
    let files: usize = directories
        .map(|directory| fs::read_dir(directory.unwrap().path()).unwrap().count())
        .sum();
    assert_eq!(files, tiny_files());
    let name = format!("{ADDRESS}/evil:1");
    site.podwright(&["rmi", &name]).succeeded();
    expect_clean(&site);
}

#[test]
fn a_refused_layer_takes_the_others_along() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let good = tar(&[("good", b"file")]);
    let evil = ended(entry(EntryType::Regular, "../out", |_| {}));
    pull(&site, &[&good, &evil], None).refused();
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
    assert_eq!(site.podwright(&["images", "-q"]).succeeded(), "");
}
