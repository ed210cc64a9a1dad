//! Unpacks layers, each in a stage of its own, several at once.
//!
//! The parent opens files and directories and checks digests; the stage alone reads what others
//! wrote. It gets the layer as descriptor 0, the directory as 1, and a socket for one request and
//! one reply as 2, so that nothing of it stands in a command line. With the request comes the file in
//! which it keeps the frame of the tar, out of reach of what it unpacks.

mod attributes;
mod extract;
mod frame;
mod stage;
mod wire;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _};
use std::net::Shutdown;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::ImageError;
use super::store::{ContentStore, LayerInfo, Workspace};
use crate::names::Digest;
use crate::sys::descriptor;

pub(super) use frame::rebuild;
pub use stage::stage_main;
use wire::Meaning;
pub(super) use wire::Unpacked;
pub use wire::{Limits, UnpackError};

/// The hidden first argument that starts the stage.
pub const STAGE: &str = "stage-unpack";

/// The file beside a layer's content that has the frame of its tar.
pub(super) const FRAME: &str = "frame.zst";

/// The most a stage may answer.
const REPLY_LIMIT: u64 = 1 << 20;

/// One layer to unpack.
#[derive(Debug)]
pub(super) struct LayerSource {
    /// What messages call it.
    pub(super) name: String,
    /// Its bytes, from the current offset.
    pub(super) file: OwnedFd,
    /// How many; all there are if none.
    pub(super) length: Option<u64>,
    /// What the bytes must be.
    pub(super) blob: Option<Digest>,
    /// What they must be once unpacked.
    pub(super) diff_id: Option<Digest>,
}

/// Unpacks the layers and makes them count; the result has the order of the sources.
///
/// # Errors
/// The first layer that is refused, damaged or cannot be written; none counts then.
pub(super) fn unpack_all(
    store: &ContentStore,
    workspace: &Workspace,
    sources: Vec<LayerSource>,
) -> Result<Vec<Unpacked>, ImageError> {
    let at_once = std::thread::available_parallelism().map_or(2, usize::from);
    let mut running: VecDeque<Running> = VecDeque::new();
    let mut drafts = Vec::new();
    for (number, source) in sources.into_iter().enumerate() {
        if running.len() >= at_once {
            drafts.extend(running.pop_front().map(Running::finish).transpose()?);
        }
        let draft = workspace.path().join(format!("layer-{number}"));
        running.push_back(Running::start(store, source, draft)?);
    }
    for stage in running {
        drafts.push(stage.finish()?);
    }
    publish(store, workspace, &drafts)?;
    Ok(drafts.into_iter().map(|(_, unpacked)| unpacked).collect())
}

/// Makes layers count that stages have unpacked.
///
/// # Errors
/// They cannot be brought to the disk.
pub(super) fn publish(
    store: &ContentStore,
    workspace: &Workspace,
    drafts: &[(PathBuf, Unpacked)],
) -> Result<(), ImageError> {
    // One flush for all: only then may a rename make them count (power loss, not kill -9).
    File::open(workspace.path())
        .and_then(|directory| Ok(nix::unistd::syncfs(directory)?))
        .map_err(ImageError::file("flushing", workspace.path()))?;
    for (draft, unpacked) in drafts {
        let info = LayerInfo {
            size: unpacked.size,
            entries: unpacked.entries,
        };
        store.publish_layer(draft, &unpacked.diff_id, &info)?;
    }
    Ok(())
}

/// Unpacks a tar, compressed or not, into a directory, and returns what was left out of it.
///
/// The stage sees nothing of the host but the directory.
///
/// # Errors
/// The tar is refused or cannot be written; the directory may have a part of it then.
pub fn unpack_files(
    program: &Path,
    tar: &Path,
    directory: &Path,
) -> Result<Vec<String>, ImageError> {
    let file = File::open(tar).map_err(ImageError::file("opening", tar))?;
    let source = LayerSource {
        name: tar.display().to_string(),
        file: file.into(),
        length: None,
        blob: None,
        diff_id: None,
    };
    let target = File::open(directory).map_err(ImageError::file("opening", directory))?;
    let limits = Limits::default();
    // Nobody writes this tar again.
    let nothing = File::options().write(true).open("/dev/null");
    let nothing = nothing.map_err(ImageError::file("opening", "/dev/null"))?;
    let to = (target.into(), nothing);
    let stage = Running::spawn(program, limits, Meaning::Files, source, to)?;
    let (_, unpacked) = stage.finish()?;
    Ok(unpacked.notes)
}

/// A stage at work; dropped, it is killed.
pub(super) struct Running {
    child: Child,
    socket: UnixStream,
    draft: PathBuf,
    name: String,
    blob: Option<Digest>,
    diff_id: Option<Digest>,
}

impl Running {
    /// Starts to unpack a layer into a new directory.
    pub(super) fn start(
        store: &ContentStore,
        source: LayerSource,
        draft: PathBuf,
    ) -> Result<Self, ImageError> {
        let directory = make_draft(&draft).map_err(ImageError::file("making", &draft))?;
        let limits = store.limits().clone();
        let program = store.program();
        let frame = draft.join(FRAME);
        let frame = File::create_new(&frame).map_err(ImageError::file("making", frame))?;
        let to = (directory, frame);
        let mut stage = Self::spawn(program, limits, Meaning::Layer, source, to)?;
        stage.draft = draft;
        Ok(stage)
    }

    fn spawn(
        program: &Path,
        limits: Limits,
        meaning: Meaning,
        source: LayerSource,
        (directory, frame): (OwnedFd, File),
    ) -> Result<Self, ImageError> {
        let request = wire::Request {
            length: source.length,
            limits,
            meaning,
        };
        let (child, socket) = spawn(program, (source.file, directory, frame), &request)
            .map_err(ImageError::file("starting a stage of", program))?;
        Ok(Self {
            child,
            socket,
            draft: PathBuf::new(),
            name: source.name,
            blob: source.blob,
            diff_id: source.diff_id,
        })
    }

    /// Waits for the stage, and checks that the layer is what it should be.
    pub(super) fn finish(mut self) -> Result<(PathBuf, Unpacked), ImageError> {
        let mut text = Vec::new();
        let read = (&self.socket).take(REPLY_LIMIT).read_to_end(&mut text);
        let refused = |source| ImageError::Layer {
            layer: self.name.clone(),
            source,
        };
        let reply = read.ok().and_then(|_| serde_json::from_slice(&text).ok());
        let status = self
            .child
            .wait()
            .map_err(ImageError::file("waiting for a stage at", &self.draft))?;
        let unpacked = match reply {
            Some(wire::Reply::Unpacked(unpacked)) => unpacked,
            Some(wire::Reply::Refused(error)) => return Err(refused(error)),
            None => {
                return Err(refused(UnpackError::Ended {
                    status: status.to_string(),
                }));
            }
        };
        let what = |kind: &str| format!("{kind} `{}`", self.name);
        check(what("the blob of"), self.blob.as_ref(), &unpacked.blob)?;
        check(what("layer"), self.diff_id.as_ref(), &unpacked.diff_id)?;
        Ok((std::mem::take(&mut self.draft), unpacked))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Without effect on a child that was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn check(what: String, wanted: Option<&Digest>, found: &Digest) -> Result<(), ImageError> {
    match wanted {
        Some(wanted) if wanted != found => Err(ImageError::Damaged {
            what,
            wanted: wanted.clone(),
            found: found.clone(),
        }),
        _ => Ok(()),
    }
}

fn make_draft(draft: &Path) -> io::Result<OwnedFd> {
    std::fs::DirBuilder::new().mode(0o700).create(draft)?;
    let content = draft.join("fs");
    crate::sys::mount::ensure_dir(&content, 0o755)?;
    Ok(File::open(content)?.into())
}

fn spawn(
    program: &Path,
    (layer, directory, frame): (OwnedFd, OwnedFd, File),
    request: &wire::Request,
) -> io::Result<(Child, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    let child = Command::new(program)
        .arg(STAGE)
        .env_clear()
        .envs(crate::fault::inherited())
        .current_dir("/")
        .stdin(Stdio::from(layer))
        .stdout(Stdio::from(directory))
        .stderr(Stdio::from(OwnedFd::from(theirs)))
        .spawn()?;
    let request = serde_json::to_vec(request)?;
    descriptor::send(&ours, &request, Some(frame.as_fd()))?;
    ours.shutdown(Shutdown::Write)?;
    Ok((child, ours))
}
