//! The policy for images: it lets in one and refuses another.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::image::{Packing, Written, tar, write, write_signature};
use crate::site::{ADDRESS, Ran, Registry, Site};

fn image(site: &Site, name: &str) -> Written {
    let layout = site.path(&format!("layout-{name}"));
    let image = write(
        &layout,
        &[&tar(&[("name", name.as_bytes())])],
        Packing::Gzip,
    );
    site.publish(&layout, &format!("{name}:1"));
    image
}

fn openssl(line: &str) -> Vec<u8> {
    let output = Command::new("/usr/bin/openssl")
        .args(line.split(' '))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

/// Makes a pair of keys and returns the files of both.
fn keys(site: &Site, name: &str, kind: &str) -> (PathBuf, PathBuf) {
    let (private, public) = (
        site.path(&format!("{name}.key")),
        site.path(&format!("{name}.pub")),
    );
    openssl(&format!("genpkey {kind} -out {}", private.display()));
    openssl(&format!(
        "pkey -in {} -pubout -out {}",
        private.display(),
        public.display()
    ));
    (private, public)
}

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";

/// Signs a digest as the image of this name, and publishes the signature beside `image`.
fn sign(
    site: &Site,
    key: &std::path::Path,
    image: &str,
    (digest, reference): (&str, &str),
    beside: &str,
) {
    let payload = json!({
        "critical": {
            "identity": {"docker-reference": reference},
            "image": {"docker-manifest-digest": digest},
            "type": "cosign container image signature",
        },
        "optional": null,
    })
    .to_string();
    let file = site.path("payload");
    fs::write(&file, &payload).unwrap();
    let signed = openssl(&format!(
        "dgst -sha256 -sign {} {}",
        key.display(),
        file.display()
    ));
    let raw = site.path("signature");
    fs::write(&raw, signed).unwrap();
    let text = openssl(&format!("base64 -A -in {}", raw.display()));
    let layout = site.path(&format!("signature-{image}"));
    write_signature(
        &layout,
        payload.as_bytes(),
        std::str::from_utf8(&text).unwrap(),
    );
    site.publish(
        &layout,
        &format!("{image}:{}.sig", beside.replace(':', "-")),
    );
}

fn pull(site: &Site, name: &str, requirements: &Value) -> Ran {
    let policy = site.path("policy.json");
    let text = json!({
        "default": [{"type": "reject"}],
        "transports": {"docker": {ADDRESS: requirements}},
    });
    fs::write(&policy, text.to_string()).unwrap();
    let mut command = site.command(&format!("root-{name}"));
    command.args(["pull", "--tls-verify=false", "-q", "--signature-policy"]);
    site.run(command.arg(&policy).arg(format!("{ADDRESS}/{name}:1")))
}

#[test]
fn a_signed_image_comes_in_and_an_unsigned_one_does_not() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let rsa = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";
    let p384 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
    for (name, kind) in [("p256", P256), ("p384", p384), ("rsa", rsa)] {
        let (private, public) = keys(&site, name, kind);
        let signed = image(&site, name);
        let reference = format!("{ADDRESS}/{name}:1");
        sign(
            &site,
            &private,
            name,
            (&signed.digest, &reference),
            &signed.digest,
        );
        let requirements = json!([{"type": "sigstoreSigned", "keyPath": public}]);
        assert_eq!(
            pull(&site, name, &requirements).succeeded().trim(),
            signed.id
        );
        let unsigned = format!("{name}-unsigned");
        image(&site, &unsigned);
        let told = pull(&site, &unsigned, &requirements).refused();
        assert!(told.contains("it is not signed"), "{told}");
        assert_eq!(
            site.content(&format!("root-{unsigned}"), "layers"),
            Vec::<String>::new()
        );
    }
}

#[test]
fn a_signature_by_another_key_or_of_another_image_lets_nothing_in() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let (mine, public) = keys(&site, "mine", P256);
    let (other, _) = keys(&site, "other", P256);
    let requirements = json!([{"type": "sigstoreSigned", "keyPath": public}]);
    let good = image(&site, "good");
    for (name, key, digest, named, why) in [
        ("by-other", &other, None, "by-other:1", "is by another key"),
        (
            "of-other",
            &mine,
            Some(&good.digest),
            "of-other:1",
            "is of another image",
        ),
        ("as-other", &mine, None, "good:1", "a signature is for"),
    ] {
        let evil = image(&site, name);
        let digest = digest.unwrap_or(&evil.digest);
        let reference = format!("{ADDRESS}/{named}");
        sign(&site, key, name, (digest, &reference), &evil.digest);
        let told = pull(&site, name, &requirements).refused();
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn a_policy_rejects_accepts_and_refuses_what_it_cannot_check() {
    let Some(site) = Site::new() else { return };
    let _registry = Registry::start(&site);
    let written = image(&site, "x");
    let accept = json!([{"type": "insecureAcceptAnything"}]);
    assert_eq!(pull(&site, "x", &accept).succeeded().trim(), written.id);
    for (requirements, why) in [
        (json!([{"type": "reject"}]), "no image from there is let in"),
        (
            json!([{"type": "insecureAcceptAnything"}, {"type": "reject"}]),
            "no image from there is let in",
        ),
        (
            json!([{"type": "signedBy", "keyType": "GPGKeys", "keyPath": "/k"}]),
            "cannot be checked here",
        ),
        (json!([{"type": "nonsense"}]), "unknown type"),
    ] {
        let told = pull(&site, "x", &requirements).refused();
        assert!(told.contains(why), "{told}");
        assert!(told.contains("policy.json"), "{told}");
    }
}
