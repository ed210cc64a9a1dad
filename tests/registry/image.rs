//! Makes images as OCI layouts, honest or not.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use podwright::names::hex;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

/// How a layer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

/// An image that was written.
pub(crate) struct Written {
    /// The digest of the configuration, without its algorithm.
    pub(crate) id: String,
    /// The digest of the manifest.
    pub(crate) digest: String,
    /// The digests of the layers' blobs.
    pub(crate) blobs: Vec<String>,
    /// The digests of the layers' tars.
    pub(crate) diff_ids: Vec<String>,
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Writes an image of these tars.
pub(crate) fn write(layout: &Path, layers: &[&[u8]], packing: Packing) -> Written {
    let diff_ids: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
    write_claiming(layout, layers, packing, &diff_ids)
}

/// Writes an image that says of its layers what it likes.
pub(crate) fn write_claiming(
    layout: &Path,
    layers: &[&[u8]],
    packing: Packing,
    diff_ids: &[String],
) -> Written {
    let mut blobs = Vec::new();
    let mut descriptors = Vec::new();
    for layer in layers {
        let (bytes, kind) = match packing {
            Packing::Gzip => (gzip(layer), "tar+gzip"),
            Packing::Zstd => (zstd::encode_all(*layer, 3).unwrap(), "tar+zstd"),
        };
        let descriptor = put(
            layout,
            &bytes,
            &format!("application/vnd.oci.image.layer.v1.{kind}"),
        );
        blobs.push(descriptor["digest"].as_str().unwrap().to_owned());
        descriptors.push(descriptor);
    }
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05Z",
        "config": {"Cmd": ["/bin/sh"], "Env": ["A=b"]},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": [{"created": "2024-01-02T03:04:05Z", "created_by": "a test"}],
    });
    let config = put(
        layout,
        config.to_string().as_bytes(),
        "application/vnd.oci.image.config.v1+json",
    );
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": descriptors,
    });
    let entry = put(
        layout,
        manifest.to_string().as_bytes(),
        "application/vnd.oci.image.manifest.v1+json",
    );
    finish(layout, entry.clone());
    Written {
        id: config["digest"].as_str().unwrap()["sha256:".len()..].to_owned(),
        digest: entry["digest"].as_str().unwrap().to_owned(),
        blobs,
        diff_ids: diff_ids.to_vec(),
    }
}

/// Makes an index of images that are in the layout by now, one an architecture, and names it in their place.
///
/// Their layers are of zstd, which the index notes as skopeo does: a newer one adds the note where it is missing,
/// and refuses to copy an index that it must not change.
pub(crate) fn write_index(layout: &Path, images: &[(&str, &str)]) {
    let blobs = layout.join("blobs/sha256");
    let manifests: Vec<Value> = images
        .iter()
        .map(|(architecture, digest)| {
            let size = fs::metadata(blobs.join(&digest["sha256:".len()..]))
                .unwrap()
                .len();
            json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": digest,
                "size": size,
                "platform": {"architecture": architecture, "os": "linux"},
                "annotations": {"io.github.containers.compression.zstd": "true"},
            })
        })
        .collect();
    let kind = "application/vnd.oci.image.index.v1+json";
    let index = json!({"schemaVersion": 2, "mediaType": kind, "manifests": manifests});
    let entry = put(layout, index.to_string().as_bytes(), kind);
    finish(layout, entry);
}

fn put(layout: &Path, bytes: &[u8], media_type: &str) -> Value {
    let blobs = layout.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let digest = digest(bytes);
    fs::write(blobs.join(&digest["sha256:".len()..]), bytes).unwrap();
    json!({"mediaType": media_type, "digest": digest, "size": bytes.len()})
}

fn finish(layout: &Path, mut entry: Value) {
    entry["annotations"] = json!({"org.opencontainers.image.ref.name": "latest"});
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(layout.join("index.json"), index.to_string()).unwrap();
    fs::write(
        layout.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A tar with one file of bytes nobody can compress, different for each seed.
pub(crate) fn random_tar(size: usize, mut seed: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        // xorshift64: fast, and gzip finds nothing in it.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        bytes.extend(seed.to_le_bytes());
    }
    tar(&[("data", &bytes)])
}

/// A tar of some files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o755);
        header.set_size(bytes.len() as u64);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

/// Writes the signature of an image, as cosign and podman keep it beside the image.
pub(crate) fn write_signature(layout: &Path, payload: &[u8], signature: &str) {
    let mut layer = put(
        layout,
        payload,
        "application/vnd.dev.cosign.simplesigning.v1+json",
    );
    layer["annotations"] = json!({"dev.cosignproject.cosign/signature": signature});
    let config = json!({
        "architecture": "", "os": "", "config": {},
        "rootfs": {"type": "layers", "diff_ids": [digest(payload)]},
    });
    let config = put(
        layout,
        config.to_string().as_bytes(),
        "application/vnd.oci.image.config.v1+json",
    );
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config,
        "layers": [layer],
    });
    let entry = put(
        layout,
        manifest.to_string().as_bytes(),
        "application/vnd.oci.image.manifest.v1+json",
    );
    finish(layout, entry);
}
