//! What is kept and what goes: shared layers, images in use, what broken pulls left.

use std::fs;

use serde_json::Value;

use crate::image::{Packing, Written, random_tar, tar, write};
use crate::site::{ADDRESS, Registry, Site};

const PLAIN: &str = "--tls-verify=false";

/// Pulls an image of these layers.
fn pulled(site: &Site, name: &str, layers: &[&[u8]]) -> Written {
    let layout = site.path(&format!("layout-{name}"));
    let image = write(&layout, layers, Packing::Gzip);
    site.publish(&layout, &format!("{name}:1"));
    site.podwright(&["pull", PLAIN, "-q", &format!("{ADDRESS}/{name}:1")])
        .succeeded();
    image
}

/// Makes a pod of an image without starting it.
fn use_in_pod(site: &Site, image: &str) {
    let yaml = format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: user}}\nspec:\n  hostNetwork: true\n  containers: [{{name: c, image: '{ADDRESS}/{image}:1'}}]\n"
    );
    let file = site.path("user.yaml");
    fs::write(&file, yaml).unwrap();
    let file = file.to_str().unwrap();
    site.podwright(&["kube", "play", PLAIN, "-q", "--start=false", file])
        .succeeded();
}

#[test]
fn a_layer_stays_while_any_image_has_it_and_an_image_while_any_container_does() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let base = random_tar(1 << 20, 3);
    let one = pulled(&site, "one", &[&base, &tar(&[("a", b"one")])]);
    let two = pulled(&site, "two", &[&base, &tar(&[("a", b"two")])]);
    assert_eq!(site.content("root", "layers").len(), 3);
    site.podwright(&["rmi", &format!("{ADDRESS}/one:1")])
        .succeeded();
    let mut layers = site.content("root", "layers");
    layers.sort();
    let mut expected: Vec<String> = two.diff_ids.iter().map(|id| id[7..].to_owned()).collect();
    expected.sort();
    assert_eq!(layers, expected);

    use_in_pod(&site, "two");
    let told = site.podwright(&["rmi", &two.id]).refused();
    assert!(told.contains("is in use by container"), "{told}");
    let gone = site
        .podwright(&["image", "prune", "--all", "--force"])
        .succeeded();
    assert_eq!(gone, "");
    assert_eq!(site.content("root", "layers").len(), 2);
    site.podwright(&["pod", "rm", "-f", "user"]).succeeded();
    let gone = site
        .podwright(&["image", "prune", "--all", "--force"])
        .succeeded();
    assert_eq!(gone.trim(), two.id);
    assert_eq!(site.content("root", "layers"), Vec::<String>::new());
    assert_ne!(one.id, two.id);
}

#[test]
fn a_prune_takes_nameless_images_and_what_broken_pulls_left() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let old = pulled(&site, "app", &[&tar(&[("a", b"old")])]);
    let new = pulled(&site, "app", &[&tar(&[("a", b"new")])]);
    fs::write(
        site.path("root/images/downloads").join("0".repeat(64)),
        b"half",
    )
    .unwrap();
    let mut ask = site.command("root");
    let asked = site.run(ask.args(["image", "prune"])).succeeded();
    assert!(asked.contains("[y/N]"), "{asked}");
    assert_eq!(site.content("root", "layers").len(), 2);
    let gone = site.podwright(&["image", "prune", "-f"]).succeeded();
    assert_eq!(gone.trim(), old.id);
    assert_eq!(site.leftovers("root"), Vec::<String>::new());
    assert_eq!(
        site.content("root", "layers"),
        [new.diff_ids[0][7..].to_owned()]
    );
}

#[test]
fn df_counts_shared_layers_once_and_a_system_prune_frees_what_it_says() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let base = random_tar(4 << 20, 5);
    pulled(&site, "one", &[&base, &tar(&[("a", b"one")])]);
    pulled(&site, "two", &[&base, &tar(&[("a", b"two")])]);
    use_in_pod(&site, "two");
    let df = || -> Value {
        let text = site
            .podwright(&["system", "df", "--format", "json"])
            .succeeded();
        serde_json::from_str(&text).unwrap()
    };
    let before = df();
    assert_eq!(before[0]["Type"], "Images");
    assert_eq!(
        (&before[0]["Total"], &before[0]["Active"]),
        (&2.into(), &1.into())
    );
    let size = before[0]["RawSize"].as_u64().unwrap();
    assert!((4 << 20..5 << 20).contains(&size), "{size}");
    assert!(before[0]["RawReclaimable"].as_u64().unwrap() < 1 << 20);
    assert_eq!(
        (&before[1]["Total"], &before[1]["Active"]),
        (&1.into(), &0.into())
    );
    let table = site.podwright(&["system", "df"]).succeeded();
    assert_eq!(table.lines().count(), 4);
    let text = site
        .podwright(&["system", "prune", "--all", "--force"])
        .succeeded();
    assert!(text.contains("Deleted Pods\n"), "{text}");
    assert!(text.contains("Total reclaimed space: 4.2"), "{text}");
    let after = df();
    assert_eq!(
        (&after[0]["Total"], &after[1]["Total"]),
        (&0.into(), &0.into())
    );
    assert_eq!(site.content("root", "layers"), Vec::<String>::new());
}

#[test]
fn events_tell_what_was_done_to_images() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let image = pulled(&site, "x", &[&tar(&[("a", b"b")])]);
    let name = format!("{ADDRESS}/x:1");
    let to = format!("{ADDRESS}/y:1");
    let archive = site.path("x.tar");
    let archive = archive.to_str().unwrap();
    for words in [
        &["tag", &name, "localhost/z:1"][..],
        &["push", "--tls-verify=false", "-q", &name, &to],
        &["save", "-o", archive, "localhost/z:1"],
        &["rmi", "localhost/z:1"],
        &["rmi", &name],
        &["load", "-i", archive],
        &["image", "prune", "-a", "-f"],
    ] {
        site.podwright(words).succeeded();
    }
    let format = [
        "events",
        "--stream=false",
        "--filter",
        "type=image",
        "--format",
        "{{.Status}} {{.Name}}",
    ];
    let told = site.podwright(&format).succeeded();
    let z = "localhost/z:1".to_owned();
    let expected = [
        ("pull", &name),
        ("tag", &z),
        ("push", &to),
        ("save", &z),
        ("untag", &z),
        ("untag", &name),
        ("remove", &name),
        ("loadfromarchive", &z),
        ("untag", &z),
        ("remove", &z),
    ]
    .map(|(action, name)| format!("{action} {name}"));
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
    let ids = [
        "events",
        "--stream=false",
        "--filter",
        "event=pull",
        "--format",
        "{{.ID}}",
    ];
    assert_eq!(site.podwright(&ids).succeeded().trim(), image.id);
}
