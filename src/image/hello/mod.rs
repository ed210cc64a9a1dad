//! The built-in image `localhost/podwright-hello`: this very program as a small web server.
//!
//! It makes the first run possible without network and registry. It is made when it is first
//! wanted, and again when the program has changed.

mod page;
mod server;

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::ImageError;
use super::format::ContainerConfig;
use super::import::{Description, image_of_layer};
use super::record::ImageRecord;
use super::store::{ContentLease, ContentStore, FileIdentity, Workspace, write_durably};
use super::unpack::LayerSource;
use crate::names::ImageRef;

pub use server::stage_main;

/// The image's name.
pub const NAME: &str = "localhost/podwright-hello:latest";

/// The hidden first argument that starts the server.
pub const STAGE: &str = "stage-hello";

/// Whom the server runs as: it needs no right to anything.
const USER: u32 = 65532;

/// The image made last, and of which program.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Made {
    program: FileIdentity,
    image: ImageRecord,
}

/// Returns whether a reference means the built-in image.
#[must_use]
pub fn is_meant(reference: &ImageRef) -> bool {
    reference.digest().is_none() && reference.qualified().to_string() == NAME
}

/// Returns the image of `program`, made now if there is none of this version of it.
///
/// `program` is the installed file, not a sealed copy, which would be a new version each time.
/// The caller moves [`NAME`] to the image if another one had it.
///
/// # Errors
/// The program cannot be read, or the image not be written.
pub fn ensure(
    store: &ContentStore,
    _lease: &ContentLease,
    program: &Path,
    now: Timestamp,
) -> Result<ImageRecord, ImageError> {
    let identity = FileIdentity::of(program).map_err(ImageError::file("reading", program))?;
    let note = store.directory().join("hello.json");
    if let Some(made) = read_note(&note)
        && made.program == identity
        && store.has(&made.image)
        && store.read_blob(&made.image.id.digest()).is_ok()
    {
        return Ok(made.image);
    }
    let workspace = store.workspace()?;
    let image = make(store, &workspace, program, now)?;
    let made = Made {
        program: identity,
        image,
    };
    let text = serde_json::to_vec(&made).expect("a record of strings and numbers is JSON");
    let draft = workspace.path().join("hello.json");
    write_durably(&draft, &text)
        .and_then(|()| std::fs::rename(&draft, &note))
        .map_err(ImageError::file("writing", &note))?;
    Ok(made.image)
}

fn read_note(path: &Path) -> Option<Made> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

fn make(
    store: &ContentStore,
    workspace: &Workspace,
    program: &Path,
    now: Timestamp,
) -> Result<ImageRecord, ImageError> {
    let path = workspace.path().join("hello.tar");
    let file = write_layer(&path, program).map_err(ImageError::file("writing", &path))?;
    let layer = LayerSource {
        name: NAME.to_owned(),
        file: OwnedFd::from(file),
        length: None,
        blob: None,
        diff_id: None,
    };
    let description = Description {
        names: vec![ImageRef::parse(NAME)?],
        config: config(),
        created: now,
        comment: "the podwright program itself",
    };
    Ok(image_of_layer(store, workspace, layer, description)?.image)
}

fn config() -> ContainerConfig {
    ContainerConfig {
        user: Some(format!("{USER}:{USER}")),
        exposed_ports: Some([("8080/tcp".to_owned(), json!({}))].into()),
        env: Some(vec!["PATH=/".to_owned()]),
        entrypoint: Some(vec!["/podwright".to_owned(), STAGE.to_owned()]),
        working_dir: Some("/".to_owned()),
        ..ContainerConfig::default()
    }
}

/// Writes the tar of the one layer; the same program gives the same bytes.
fn write_layer(path: &Path, program: &Path) -> io::Result<File> {
    let mut tar = tar::Builder::new(io::BufWriter::new(File::create(path)?));
    for (name, mode) in [("etc/", 0o755), ("tmp/", 0o1777)] {
        let mut header = header(mode, 0);
        header.set_entry_type(tar::EntryType::Directory);
        tar.append_data(&mut header, name, io::empty())?;
    }
    let passwd = format!("root:x:0:0:root:/:/\nhello:x:{USER}:{USER}:hello:/:/\n");
    let group = format!("root:x:0:\nhello:x:{USER}:\n");
    for (name, text) in [("etc/passwd", passwd), ("etc/group", group)] {
        tar.append_data(&mut header(0o644, text.len() as u64), name, text.as_bytes())?;
    }
    let program = File::open(program)?;
    let size = program.metadata()?.len();
    tar.append_data(&mut header(0o755, size), "podwright", program)?;
    tar.into_inner()?
        .into_inner()
        .map_err(io::IntoInnerError::into_error)?;
    File::open(path)
}

fn header(mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}
