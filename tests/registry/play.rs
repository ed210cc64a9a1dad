//! Pulls of a play: by policy, before anything is touched, told at their place.

use crate::image::{Packing, tar, write};
use crate::site::{ADDRESS, Ran, Registry, Site};

/// Plays pods without starting them, each an image and a pull policy.
fn play(site: &Site, pods: &[(&str, &str, &str)]) -> Ran {
    let pod = |(name, image, policy): &(&str, &str, &str)| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n  hostNetwork: true\n  containers:\n  - name: c\n    image: {ADDRESS}/{image}\n    imagePullPolicy: {policy}\n"
        )
    };
    let text: Vec<String> = pods.iter().map(pod).collect();
    site.play("pods", &text.join("---\n"))
}

fn publish(site: &Site, name: &str, content: &str) -> String {
    let layout = site.path(&format!("layout-{content}"));
    let image = write(
        &layout,
        &[&tar(&[("a", content.as_bytes())])],
        Packing::Gzip,
    );
    site.publish(&layout, name);
    image.digest
}

#[test]
fn a_play_pulls_what_its_policies_ask_for() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    publish(&site, "one:1", "one");
    publish(&site, "two:1", "two");
    let manifests = |name: &str| registry.answers("GET", &format!("{name}/manifests/")).len();
    play(
        &site,
        &[("a", "one:1", "IfNotPresent"), ("b", "two:1", "Always")],
    )
    .succeeded();
    assert_eq!((manifests("one"), manifests("two")), (1, 1));
    site.podwright(&["pod", "rm", "-f", "a", "b"]).succeeded();
    play(
        &site,
        &[("a", "one:1", "IfNotPresent"), ("b", "two:1", "Always")],
    )
    .succeeded();
    assert_eq!((manifests("one"), manifests("two")), (1, 2));
}

#[test]
fn an_image_that_does_not_come_is_told_at_its_place_and_nothing_is_touched() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    publish(&site, "one:1", "one");
    let told = play(
        &site,
        &[("a", "one:1", "Always"), ("b", "gone:1", "IfNotPresent")],
    )
    .refused();
    assert!(told.contains("pods.yaml:18:12"), "{told}");
    assert!(told.contains("has no image `gone:1`"), "{told}");
    let told = play(&site, &[("a", "never:1", "Never")]).refused();
    assert!(told.contains("image not known"), "{told}");
    assert_eq!(site.podwright(&["pod", "ps", "-q"]).succeeded(), "");
}

#[test]
fn the_image_of_a_volume_is_pulled_by_the_policy_of_the_volume() {
    let Some(site) = Site::new() else { return };
    let registry = Registry::start(&site);
    publish(&site, "one:1", "one");
    publish(&site, "data:1", "data");
    let yaml = |image: &str, policy: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  hostNetwork: true\n  containers:\n  - {{name: c, image: '{ADDRESS}/one:1', volumeMounts: [{{name: v, mountPath: /v}}]}}\n  volumes:\n  - {{name: v, image: {{reference: '{ADDRESS}/{image}', pullPolicy: {policy}}}}}\n"
        )
    };
    let told = site.play("a", &yaml("data:1", "Never")).refused();
    assert!(told.contains("spec.volumes[0].image.reference"), "{told}");
    let told = site.play("a", &yaml("gone:1", "IfNotPresent")).refused();
    assert!(told.contains("spec.volumes[0].image.reference"), "{told}");
    site.play("a", &yaml("data:1", "IfNotPresent")).expect();
    assert_eq!(registry.answers("GET", "data/manifests/").len(), 1);
    site.podwright(&["pod", "rm", "-f", "a"]).expect();
}
