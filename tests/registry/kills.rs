//! Pulls and removals killed at any moment: what counts is whole, and what was whole does not come again.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::image::{Packing, random_tar, write};
use crate::site::{ADDRESS, Registry, Site};

/// How many commands are killed; `PODWRIGHT_KILLS` asks for more.
fn rounds() -> u64 {
    let asked = std::env::var("PODWRIGHT_KILLS").ok();
    asked.and_then(|text| text.parse().ok()).unwrap_or(20)
}

#[test]
fn a_layer_that_came_whole_never_comes_again_whenever_pulls_are_killed() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    let layout = site.path("layout");
    let layers: Vec<Vec<u8>> = (11..=14).map(|seed| random_tar(2 << 20, seed)).collect();
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let image = write(&layout, &layers, Packing::Gzip);
    site.publish(&layout, "killed:1");
    let name = format!("{ADDRESS}/killed:1");
    let pull = ["pull", "--tls-verify=false", "-q", &name];
    let mut whole = BTreeSet::new();
    let sent = |blob: &str| registry.answers("GET", blob).len();
    let mut counts: Vec<usize> = vec![0; image.blobs.len()];
    for round in 0..rounds() {
        let mut child = site.spawn(site.command("root").args(pull));
        // Moments spread over a whole pull, the same in each run.
        std::thread::sleep(Duration::from_millis(round * 37 % 400));
        child.kill().unwrap();
        child.wait().unwrap();
        for (number, blob) in image.blobs.iter().enumerate() {
            let now = sent(blob);
            assert!(
                !whole.contains(blob) || now == counts[number],
                "{blob} came again"
            );
            counts[number] = now;
        }
        let here = site.content("root", "layers");
        let pairs = image.blobs.iter().zip(&image.diff_ids);
        let there = pairs.filter(|(_, diff_id)| here.iter().any(|name| **name == diff_id[7..]));
        whole = there.map(|(blob, _)| blob.clone()).collect();
        if round % 5 == 4 {
            // A removal, killed too; what it took may come again.
            site.podwright(&pull).succeeded();
            let mut child = site.spawn(site.command("root").args(["rmi", &name]));
            std::thread::sleep(Duration::from_millis(round * 13 % 60));
            child.kill().unwrap();
            child.wait().unwrap();
            whole.clear();
        }
    }
    assert_eq!(site.podwright(&["system", "check"]).succeeded(), "");
    assert_eq!(site.podwright(&pull).succeeded().trim(), image.id);
    site.podwright(&["image", "prune", "-f"]).succeeded();
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
    let archive = site.path("out.tar");
    // Every byte of every layer is there: the tars are checked against their digests.
    site.podwright(&["save", "-o", archive.to_str().unwrap(), &name])
        .succeeded();
}
