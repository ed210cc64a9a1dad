//! The content of images on disk, below `ROOT/images`.
//!
//! ```text
//! blobs/sha256/HEX      manifests and configurations, byte for byte
//! layers/HEX/fs         one unpacked layer, named by its diff id
//! layers/HEX/layer.json what is known about it
//! layers/HEX/frame.zst  its tar without the content of files
//! downloads/HEX         the blob of a layer that is being pulled, or whose pull broke; locked while it is
//! empty                 the layer of an image that has none
//! ground                the layer below those of every image
//! tmp/XXXXXX            the workspace of one running load, locked by it
//! lock                  shared while content is added, exclusive while garbage is collected
//! ```
//!
//! A layer appears by one rename after its bytes are on disk, so that a `kill -9` leaves at most
//! a workspace nobody holds, which the next load removes.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::ImageError;
use super::format::{ConfigFile, Manifest, digest_of};
use super::hashed::Hashed;
use super::record::{ImageDetails, ImageRecord};
use super::unpack::{FRAME, Limits, rebuild};
use crate::names::Digest;
use crate::sys::path::{Resolve, open_file, open_root};

/// The largest manifest or configuration that is read.
pub(super) const DOCUMENT_LIMIT: u64 = 8 << 20;

/// The images' content below one root directory.
#[derive(Debug, Clone)]
pub struct ContentStore {
    directory: PathBuf,
    program: PathBuf,
    limits: Limits,
}

/// The right to add content: while anybody has it, nothing is collected as garbage.
///
/// It is held from before a load until the record it returned is in the database.
#[derive(Debug)]
pub struct ContentLease(#[expect(dead_code, reason = "held for its lock")] Flock<File>);

/// The right to remove content: nobody adds any meanwhile.
#[derive(Debug)]
pub struct Collector<'store> {
    store: &'store ContentStore,
    #[expect(dead_code, reason = "held for its lock")]
    lock: Flock<File>,
}

/// A directory for half-done things, removed with the value.
#[derive(Debug)]
pub(super) struct Workspace {
    path: PathBuf,
    #[expect(dead_code, reason = "held for its lock")]
    lock: Flock<File>,
}

/// What is known about an unpacked layer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerInfo {
    /// Its bytes as tar.
    pub size: u64,
    /// How many entries the tar has.
    pub entries: u64,
}

impl ContentStore {
    /// Opens the store below `root`, making it if it is not there.
    ///
    /// `program` is the binary whose hidden stages unpack: `/proc/self/exe`, or a sealed copy.
    ///
    /// # Errors
    /// A directory cannot be made.
    pub fn open(root: &Path, program: &Path) -> Result<Self, ImageError> {
        let store = Self {
            directory: root.join("images"),
            program: program.to_owned(),
            limits: Limits::default(),
        };
        for part in ["blobs/sha256", "layers", "downloads", "tmp", "empty"] {
            let path = store.directory.join(part);
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(ImageError::file("making", path))?;
        }
        Ok(store)
    }

    /// Returns the same store with other limits for layers.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn program(&self) -> &Path {
        &self.program
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Takes the right to add content; waits for a collection in progress, never for a load.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn lease(&self) -> Result<ContentLease, ImageError> {
        let path = self.directory.join("lock");
        Flock::lock(open_lock(&path)?, FlockArg::LockShared)
            .map(ContentLease)
            .map_err(|(_, errno)| ImageError::file("locking", path)(errno.into()))
    }

    /// Takes the right to remove content, or returns none while somebody adds some: what is
    /// garbage stays until the next time.
    ///
    /// # Errors
    /// The lock file cannot be opened.
    pub fn try_collect(&self) -> Result<Option<Collector<'_>>, ImageError> {
        let path = self.directory.join("lock");
        match Flock::lock(open_lock(&path)?, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(Collector { store: self, lock })),
            Err((_, Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(ImageError::file("locking", path)(errno.into())),
        }
    }

    /// Returns the directory of an unpacked layer.
    #[must_use]
    pub fn layer_path(&self, diff_id: &Digest) -> PathBuf {
        self.layer_home(diff_id).join("fs")
    }

    /// Returns an empty directory, the only layer of an image that has none.
    #[must_use]
    pub fn empty_layer(&self) -> PathBuf {
        self.directory.join("empty")
    }

    /// Returns where the layer lies that is below those of every image.
    pub(super) fn ground(&self) -> PathBuf {
        self.directory.join("ground")
    }

    /// Returns what is known about a layer, or none if it is not here.
    #[must_use]
    pub fn layer_info(&self, diff_id: &Digest) -> Option<LayerInfo> {
        let text = fs::read(self.layer_home(diff_id).join("layer.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the tar of a layer again, and checks that it is the one the layer was.
    pub(super) fn write_layer(
        &self,
        diff_id: &Digest,
        out: &mut impl Write,
    ) -> Result<(), ImageError> {
        let home = self.layer_home(diff_id);
        let frame = home.join(FRAME);
        let frame = File::open(&frame).map_err(ImageError::file("opening", frame))?;
        let root = home.join("fs");
        let root = open_root(&root).map_err(ImageError::file("opening", root))?;
        let content = |path: &Path| open_file(&root, path, Resolve::InRoot);
        let mut hashed = Hashed::new(out);
        let written = rebuild(frame, content, &mut hashed);
        written.map_err(ImageError::file("writing the tar of", home))?;
        match hashed.digest() {
            found if found == *diff_id => Ok(()),
            found => Err(ImageError::Damaged {
                what: "a layer of the store".to_owned(),
                wanted: diff_id.clone(),
                found,
            }),
        }
    }

    /// Returns whether all content of an image is here.
    #[must_use]
    pub fn has(&self, image: &ImageRecord) -> bool {
        image
            .layers
            .iter()
            .all(|layer| self.layer_info(layer).is_some())
    }

    /// Reads a manifest or configuration and checks it against its digest.
    ///
    /// # Errors
    /// It is not here, or damaged.
    pub fn read_blob(&self, digest: &Digest) -> Result<Vec<u8>, ImageError> {
        let path = self.blob_path(digest);
        let mut bytes = Vec::new();
        File::open(&path)
            .and_then(|file| file.take(DOCUMENT_LIMIT).read_to_end(&mut bytes))
            .map_err(ImageError::file("reading", path))?;
        let found = digest_of(&bytes);
        if found != *digest {
            return Err(ImageError::Damaged {
                what: "a blob of the store".to_owned(),
                wanted: digest.clone(),
                found,
            });
        }
        Ok(bytes)
    }

    /// Reads what an image's documents say beyond its record.
    ///
    /// # Errors
    /// A document is not here, or damaged.
    pub fn details(&self, image: &ImageRecord) -> Result<ImageDetails, ImageError> {
        let bytes = self.read_blob(&image.id.digest())?;
        let file: ConfigFile =
            serde_json::from_slice(&bytes).map_err(ImageError::document("the configuration"))?;
        let bytes = self.read_blob(&image.digest)?;
        let manifest: Manifest =
            serde_json::from_slice(&bytes).map_err(ImageError::document("the manifest"))?;
        Ok(ImageDetails {
            manifest_type: manifest.media_type(),
            author: file.author.unwrap_or_default(),
            history: file.history,
        })
    }

    pub(super) fn put_blob(
        &self,
        workspace: &Workspace,
        bytes: &[u8],
    ) -> Result<Digest, ImageError> {
        let digest = digest_of(bytes);
        let (path, draft) = (self.blob_path(&digest), workspace.path.join("blob"));
        write_durably(&draft, bytes)
            .and_then(|()| fs::rename(&draft, &path))
            .and_then(|()| sync_directory(&self.directory.join("blobs/sha256")))
            .map_err(ImageError::file("writing", path))?;
        Ok(digest)
    }

    /// Makes a layer unpacked at `draft/fs` count; one that is there already stays.
    pub(super) fn publish_layer(
        &self,
        draft: &Path,
        diff_id: &Digest,
        info: &LayerInfo,
    ) -> Result<(), ImageError> {
        let home = self.layer_home(diff_id);
        let text = serde_json::to_vec(info).expect("two numbers are JSON");
        let published = write_durably(&draft.join("layer.json"), &text)
            .and_then(|()| sync_directory(draft))
            .and_then(|()| match fs::rename(draft, &home) {
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
                renamed => renamed,
            })
            .and_then(|()| sync_directory(&self.directory.join("layers")));
        published.map_err(ImageError::file("publishing", home))
    }

    pub(super) fn workspace(&self) -> Result<Workspace, ImageError> {
        let parent = self.directory.join("tmp");
        sweep_workspaces(&parent);
        let made = || loop {
            let path = nix::unistd::mkdtemp(&parent.join("XXXXXX"))?;
            // Another's sweep may come before the lock is held, and before the directory is opened too.
            let directory = match File::open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                opened => opened?,
            };
            let lock = Flock::lock(directory, FlockArg::LockExclusive)
                .map_err(|(_, errno)| io::Error::from(errno))?;
            if path.exists() {
                return Ok(Workspace { path, lock });
            }
        };
        made().map_err(ImageError::file("making a workspace in", &parent))
    }

    /// Returns where the blob of a layer is kept while it comes in.
    pub(super) fn download_path(&self, blob: &Digest) -> PathBuf {
        self.directory.join("downloads").join(blob.hex())
    }

    fn layer_home(&self, diff_id: &Digest) -> PathBuf {
        self.directory.join("layers").join(diff_id.hex())
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.directory.join("blobs/sha256").join(digest.hex())
    }
}

impl Collector<'_> {
    /// Removes all content that none of the images has, and returns the bytes of the layers gone.
    ///
    /// `live` is read from the database after this right was taken, and includes the images of
    /// all containers.
    ///
    /// # Errors
    /// Something cannot be removed; the rest was.
    pub fn sweep(&self, live: &[ImageRecord]) -> Result<u64, ImageError> {
        let directory = &self.store.directory;
        let layers: HashSet<&str> = live
            .iter()
            .flat_map(|image| image.layers.iter().map(Digest::hex))
            .collect();
        let blobs: HashSet<&str> = live
            .iter()
            .flat_map(|image| [image.id.as_str(), image.digest.hex()])
            .collect();
        let mut freed = 0;
        let mut failed = None;
        for (part, kept) in [("layers", &layers), ("blobs/sha256", &blobs)] {
            for name in names_in(&directory.join(part)) {
                if kept.contains(name.as_str()) {
                    continue;
                }
                let path = directory.join(part).join(&name);
                if let Ok(digest) = Digest::parse(&format!("sha256:{name}"))
                    && let Some(info) = self.store.layer_info(&digest)
                    && part == "layers"
                {
                    freed += info.size;
                }
                if let Err(error) = self.remove(&path) {
                    failed.get_or_insert(ImageError::file("removing", path)(error));
                }
            }
        }
        failed.map_or(Ok(freed), Err)
    }

    /// Removes the blobs that pulls left half-way: nobody pulls now.
    ///
    /// # Errors
    /// Something cannot be removed; the rest was.
    pub fn sweep_downloads(&self) -> Result<(), ImageError> {
        let directory = self.store.directory.join("downloads");
        let mut failed = None;
        for name in names_in(&directory) {
            let path = directory.join(name);
            if let Err(error) = fs::remove_file(&path) {
                failed.get_or_insert(ImageError::file("removing", path)(error));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Removes a file or a whole layer; a layer stops counting before its first file goes.
    fn remove(&self, path: &Path) -> io::Result<()> {
        if !path.is_dir() {
            return fs::remove_file(path);
        }
        let grave = nix::unistd::mkdtemp(&self.store.directory.join("tmp/XXXXXX"))?;
        fs::rename(path, grave.join("layer"))?;
        fs::remove_dir_all(grave)
    }
}

impl Workspace {
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // What cannot be removed now is swept by the next load.
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn open_lock(path: &Path) -> Result<File, ImageError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(ImageError::file("opening", path))
}

/// Removes the workspaces of loads that were killed: those whose lock is free.
fn sweep_workspaces(parent: &Path) {
    for name in names_in(parent) {
        let path = parent.join(name);
        let Ok(directory) = File::open(&path) else {
            continue;
        };
        let Ok(_lock) = Flock::lock(directory, FlockArg::LockExclusiveNonblock) else {
            continue;
        };
        // Best effort: a leftover costs disk space and is tried again next time.
        let _ = fs::remove_dir_all(&path);
    }
}

fn names_in(directory: &Path) -> Vec<String> {
    fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect()
}

pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// What tells one version of a file from another without reading it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileIdentity {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl FileIdentity {
    pub(super) fn of(path: &Path) -> io::Result<Self> {
        let metadata = fs::metadata(path)?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        })
    }
}
