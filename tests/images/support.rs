//! Makes tars, archives and a store of their own for the image tests.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use podwright::image::archive::{Input, Loaded, load};
use podwright::image::import::{ImportOptions, import};
use podwright::image::store::ContentStore;
use podwright::image::unpack::Limits;
use podwright::image::{ImageError, ImageRecord};
use podwright::names::hex;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

/// A store below a directory that goes with the value.
pub(crate) struct Bench {
    directory: tempfile::TempDir,
    pub(crate) store: ContentStore,
}

impl Bench {
    #[expect(clippy::print_stdout, reason = "a skipped test says what it lacked")]
    pub(crate) fn new() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: lacks CAP_SYS_ADMIN");
            return None;
        }
        let directory = tempfile::tempdir().unwrap();
        let program = Path::new(env!("CARGO_BIN_EXE_podwright"));
        let store = ContentStore::open(&directory.path().join("root"), program).unwrap();
        Some(Self { directory, store })
    }

    pub(crate) fn limited(self, limits: Limits) -> Self {
        Self {
            store: self.store.with_limits(limits),
            ..self
        }
    }

    /// Returns a bench with the store of another one's directory.
    pub(crate) fn at(self, directory: &Path) -> Self {
        let program = Path::new(env!("CARGO_BIN_EXE_podwright"));
        Self {
            store: ContentStore::open(&directory.join("root"), program).unwrap(),
            ..self
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    #[expect(clippy::unused_self, reason = "the bench has its own time")]
    pub(crate) fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_second(1_700_000_000).unwrap()
    }

    pub(crate) fn load_path(&self, path: &Path) -> Result<Loaded, ImageError> {
        let lease = self.store.lease()?;
        load(&self.store, &lease, Input::Path(path))
    }

    pub(crate) fn load(&self, name: &str, bytes: &[u8]) -> Result<Loaded, ImageError> {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        self.load_path(&path)
    }

    pub(crate) fn import(&self, layer: &[u8]) -> Result<(ImageRecord, Vec<String>), ImageError> {
        let path = self.path("import.tar");
        fs::write(&path, layer).unwrap();
        self.import_path(&path)
    }

    pub(crate) fn import_path(
        &self,
        path: &Path,
    ) -> Result<(ImageRecord, Vec<String>), ImageError> {
        let lease = self.store.lease()?;
        let options = ImportOptions {
            name: None,
            changes: &[],
            message: "",
            created: self.now(),
        };
        let imported = import(&self.store, &lease, Input::Path(path), &options)?;
        Ok((imported.image, imported.notes))
    }

    /// Returns how many workspaces are left.
    pub(crate) fn leftovers(&self) -> usize {
        fs::read_dir(self.path("root/images/tmp")).unwrap().count()
    }
}

/// A tar, honest or not.
pub(crate) struct Tar(tar::Builder<Vec<u8>>);

impl Tar {
    pub(crate) fn new() -> Self {
        Self(tar::Builder::new(Vec::new()))
    }

    pub(crate) fn bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap()
    }

    pub(crate) fn file(self, name: &str, text: &str) -> Self {
        self.data(name, text.as_bytes())
    }

    pub(crate) fn data(mut self, name: &str, data: &[u8]) -> Self {
        let mut header = header(EntryType::Regular);
        header.set_size(data.len() as u64);
        self.0.append_data(&mut header, name, data).unwrap();
        self
    }

    /// Adds a file by a name that an honest writer refuses.
    pub(crate) fn raw(mut self, name: &str, text: &str) -> Self {
        let mut header = header(EntryType::Regular);
        header.set_size(text.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        self.0.append(&header, text.as_bytes()).unwrap();
        self
    }

    pub(crate) fn entry(
        mut self,
        name: &str,
        kind: EntryType,
        change: impl FnOnce(&mut Header),
    ) -> Self {
        let mut header = header(kind);
        change(&mut header);
        self.0
            .append_data(&mut header, name, std::io::empty())
            .unwrap();
        self
    }

    pub(crate) fn link(mut self, name: &str, target: &str, kind: EntryType) -> Self {
        let mut header = header(kind);
        self.0.append_link(&mut header, name, target).unwrap();
        self
    }

    /// Gives the next entry PAX attributes.
    pub(crate) fn attributes(mut self, attributes: &[(&str, &[u8])]) -> Self {
        self.0
            .append_pax_extensions(attributes.iter().copied())
            .unwrap();
        self
    }

    /// Adds a sparse file that is one hole.
    pub(crate) fn sparse(mut self, name: &str, size: u64) -> Self {
        let mut header = header(EntryType::GNUSparse);
        header.set_path(name).unwrap();
        let gnu = header.as_gnu_mut().unwrap();
        gnu.set_real_size(size);
        gnu.sparse[0].set_offset(size);
        gnu.sparse[0].set_length(0);
        header.set_cksum();
        self.0.append(&header, std::io::empty()).unwrap();
        self
    }
}

fn header(kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn config(diff_ids: &[&str]) -> Vec<u8> {
    serde_json::to_vec(&json!({
        "architecture": "amd64",
        "os": "linux",
        "created": "2024-01-02T03:04:05.678Z",
        "config": {"Env": ["A=b"], "Cmd": ["/x"], "Volumes": null},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
    }))
    .unwrap()
}

/// Returns an archive as `docker save` writes it.
pub(crate) fn docker_archive(images: &[(&[&str], &[&[u8]])]) -> Vec<u8> {
    let mut tar = Tar::new();
    let mut manifest = Vec::new();
    for (names, layers) in images {
        let digests: Vec<String> = layers.iter().map(|layer| digest(layer)).collect();
        let diff_ids: Vec<&str> = digests.iter().map(String::as_str).collect();
        let config = config(&diff_ids);
        let config_name = format!("{}.json", &digest(&config)[7..]);
        tar = tar.data(&config_name, &config);
        let mut members = Vec::new();
        for (layer, digest) in layers.iter().zip(&digests) {
            let name = format!("{}/layer.tar", &digest[7..]);
            tar = tar.data(&name, layer);
            members.push(name);
        }
        manifest.push(json!({"Config": config_name, "RepoTags": names, "Layers": members}));
    }
    tar.data("manifest.json", &serde_json::to_vec(&manifest).unwrap())
        .bytes()
}

/// Writes an OCI layout of one image with one layer.
pub(crate) fn oci_layout(directory: &Path, name: Option<&str>, blob: &[u8], diff_id: &str) {
    let blobs = directory.join("blobs/sha256");
    fs::create_dir_all(&blobs).unwrap();
    let put = |bytes: &[u8]| {
        let digest = digest(bytes);
        fs::write(blobs.join(&digest[7..]), bytes).unwrap();
        json!({"digest": digest, "size": bytes.len()})
    };
    let typed = |mut descriptor: serde_json::Value, kind: &str| {
        descriptor["mediaType"] = json!(format!("application/vnd.oci.image.{kind}"));
        descriptor
    };
    let compression = match blob {
        [0x1f, ..] => "+gzip",
        [0x28, 0xb5, ..] => "+zstd",
        _ => "",
    };
    let manifest = json!({
        "schemaVersion": 2,
        "config": typed(put(&config(&[diff_id])), "config.v1+json"),
        "layers": [typed(put(blob), &format!("layer.v1.tar{compression}"))],
    });
    let mut entry = typed(
        put(&serde_json::to_vec(&manifest).unwrap()),
        "manifest.v1+json",
    );
    if let Some(name) = name {
        entry["annotations"] = json!({"org.opencontainers.image.ref.name": name});
    }
    let index = json!({"schemaVersion": 2, "manifests": [entry]});
    fs::write(directory.join("index.json"), index.to_string()).unwrap();
    fs::write(
        directory.join("oci-layout"),
        r#"{"imageLayoutVersion":"1.0.0"}"#,
    )
    .unwrap();
}
