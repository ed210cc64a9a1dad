//! Writes images into an archive or a directory, as `podman save` does.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::format::{Dialect, Manifest, digest_of, layer_type};
use super::pack::{Compression, Packed, pack};
use super::store::{ContentStore, Workspace};
use super::{ImageError, ImageRecord};
use crate::names::ImageRef;

/// The form of what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SaveForm {
    /// One tar with whole layers, for `docker load`; it holds any number of images.
    DockerArchive,
    /// One tar in OCI's layout.
    OciArchive,
    /// A directory in OCI's layout.
    OciDirectory,
}

/// One image to save, under the names it was asked for by.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The image.
    pub image: ImageRecord,
    /// Its names in the archive.
    pub names: Vec<ImageRef>,
}

/// Writes images as one tar.
///
/// # Errors
/// Content is missing or damaged, or the writer fails.
pub fn save(
    store: &ContentStore,
    wanted: &[Wanted],
    form: SaveForm,
    out: impl Write,
) -> Result<(), ImageError> {
    let workspace = store.workspace()?;
    let mut archive = Archive::Tar(tar::Builder::new(out));
    write(store, &workspace, wanted, form, &mut archive)?;
    let Archive::Tar(mut tar) = archive else {
        return Ok(());
    };
    tar.finish()
        .map_err(ImageError::file("writing", "the archive"))
}

/// Writes images into a new directory.
///
/// # Errors
/// Content is missing or damaged, or the directory is there already.
pub fn save_directory(
    store: &ContentStore,
    wanted: &[Wanted],
    directory: &Path,
) -> Result<(), ImageError> {
    let workspace = store.workspace()?;
    fs::create_dir_all(directory).map_err(ImageError::file("making", directory))?;
    let mut archive: Archive<io::Sink> = Archive::Directory(directory.to_owned());
    write(
        store,
        &workspace,
        wanted,
        SaveForm::OciDirectory,
        &mut archive,
    )
}

fn write<W: Write>(
    store: &ContentStore,
    workspace: &Workspace,
    wanted: &[Wanted],
    form: SaveForm,
    archive: &mut Archive<W>,
) -> Result<(), ImageError> {
    match form {
        SaveForm::DockerArchive => docker(store, wanted, archive),
        SaveForm::OciArchive | SaveForm::OciDirectory => oci(store, workspace, wanted, archive),
    }
}

/// Where members go.
enum Archive<W: Write> {
    Tar(tar::Builder<W>),
    Directory(PathBuf),
}

impl<W: Write> Archive<W> {
    fn bytes(&mut self, name: &str, bytes: &[u8]) -> Result<(), ImageError> {
        self.member(name, bytes.len() as u64, &mut &*bytes)
    }

    fn member(&mut self, name: &str, size: u64, content: &mut dyn Read) -> Result<(), ImageError> {
        let failed = |error: io::Error| ImageError::file("writing", name)(error);
        match self {
            Self::Tar(tar) => tar
                .append_data(&mut header(size), name, content)
                .map_err(failed),
            Self::Directory(directory) => {
                let path = directory.join(name);
                let parent = path.parent().unwrap_or(directory);
                fs::create_dir_all(parent)
                    .and_then(|()| File::create(&path))
                    .and_then(|mut file| io::copy(content, &mut file))
                    .map_err(failed)?;
                Ok(())
            }
        }
    }
}

/// Nothing in a header tells when or by whom the archive was written: the same image gives the same bytes.
fn header(size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o444);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header
}

fn docker<W: Write>(
    store: &ContentStore,
    wanted: &[Wanted],
    archive: &mut Archive<W>,
) -> Result<(), ImageError> {
    let mut written = BTreeSet::new();
    let mut manifest = Vec::new();
    for Wanted { image, names } in wanted {
        let mut members = Vec::new();
        for diff_id in &image.layers {
            let member = format!("{}.tar", diff_id.hex());
            if written.insert(member.clone()) {
                layer(store, diff_id, &member, archive)?;
            }
            members.push(member);
        }
        let config = format!("{}.json", image.id);
        if written.insert(config.clone()) {
            archive.bytes(&config, &store.read_blob(&image.id.digest())?)?;
        }
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        manifest.push(json!({"Config": config, "RepoTags": names, "Layers": members}));
    }
    archive.bytes(
        "manifest.json",
        Value::from(manifest).to_string().as_bytes(),
    )
}

/// Writes one layer's tar as a member; a thread writes it into a pipe while this one reads.
fn layer<W: Write>(
    store: &ContentStore,
    diff_id: &crate::names::Digest,
    member: &str,
    archive: &mut Archive<W>,
) -> Result<(), ImageError> {
    let info = store.layer_info(diff_id);
    let info = info.ok_or_else(|| ImageError::Missing(diff_id.to_string()))?;
    let (mut reader, writer) = io::pipe().map_err(ImageError::file("piping", member))?;
    std::thread::scope(|scope| {
        let writing = scope.spawn(move || {
            let mut writer = io::BufWriter::with_capacity(1 << 18, writer);
            store.write_layer(diff_id, &mut writer)?;
            writer.flush().map_err(ImageError::file("writing", member))
        });
        let read = archive.member(member, info.size, &mut reader);
        drop(reader);
        // What went wrong with the layer says more than what its reader saw of it.
        let written = writing.join().unwrap_or(Err(ImageError::Stopped));
        written.and(read)
    })
}

fn oci<W: Write>(
    store: &ContentStore,
    workspace: &Workspace,
    wanted: &[Wanted],
    archive: &mut Archive<W>,
) -> Result<(), ImageError> {
    let mut written = BTreeSet::new();
    let mut entries = Vec::new();
    for Wanted { image, names } in wanted {
        let config = store.read_blob(&image.id.digest())?;
        let mut layers = Vec::new();
        for diff_id in &image.layers {
            let Packed {
                mut file,
                digest,
                size,
            } = pack(store, workspace, diff_id, Compression::Gzip)?;
            let member = format!("blobs/sha256/{}", digest.hex());
            if written.insert(member.clone()) {
                archive.member(&member, size, &mut file)?;
            }
            layers.push((layer_type(Dialect::Oci, Compression::Gzip), digest, size));
        }
        let manifest = Manifest::of(Dialect::Oci, &config, layers);
        let manifest = serde_json::to_vec(&manifest).expect("strings and numbers are JSON");
        for bytes in [&config, &manifest] {
            let member = format!("blobs/sha256/{}", digest_of(bytes).hex());
            if written.insert(member.clone()) {
                archive.bytes(&member, bytes)?;
            }
        }
        let entry = json!({
            "mediaType": Dialect::Oci.manifest_type(),
            "digest": digest_of(&manifest),
            "size": manifest.len(),
        });
        let named = names.iter().map(|name| {
            let mut entry = entry.clone();
            entry["annotations"] = json!({"org.opencontainers.image.ref.name": name.to_string()});
            entry
        });
        entries.extend(named);
        if names.is_empty() {
            entries.push(entry);
        }
    }
    let index = json!({"schemaVersion": 2, "manifests": entries});
    archive.bytes("index.json", index.to_string().as_bytes())?;
    archive.bytes("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)
}
