//! Fetches one layer: what is missing of its blob, unpacked while it comes.

use std::io::{self, PipeWriter, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::RegistryError;
use super::client::{Client, back_off, gives_up};
use super::partial::Partial;
use super::progress::{BlobEnd, BlobProgress, Progress};
use crate::image::ImageError;
use crate::image::format::Descriptor;
use crate::image::store::{ContentStore, Workspace};
use crate::image::unpack::{LayerSource, Running, publish};
use crate::names::Digest;

/// How much is read at once, and what a pipe holds.
const CHUNK: usize = 1 << 20;

/// One layer to fetch.
pub(super) struct Job<'a> {
    pub(super) store: &'a ContentStore,
    pub(super) workspace: &'a Workspace,
    pub(super) client: &'a Client,
    pub(super) repository: &'a str,
    pub(super) blob: &'a Descriptor,
    pub(super) diff_id: &'a Digest,
    pub(super) progress: &'a dyn Progress,
    /// Set when another layer of the image failed.
    pub(super) stopped: &'a AtomicBool,
}

/// Why no bytes come any more.
enum Broken {
    /// The stage takes none: it says why itself.
    Stage,
    Image(ImageError),
}

impl From<ImageError> for Broken {
    fn from(error: ImageError) -> Self {
        Self::Image(error)
    }
}

impl Job<'_> {
    /// Makes the layer count, and returns what was left out of it.
    pub(super) fn run(&self, draft: PathBuf) -> Result<Vec<String>, ImageError> {
        let told = self.progress.blob(&self.blob.digest, self.blob.size);
        // Whoever was killed between the two steps that end a pull has left the blob of a layer that counts.
        let is_left = self.store.download_path(&self.blob.digest).exists();
        if self.is_here() && !is_left {
            told.ended(BlobEnd::Known);
            return Ok(Vec::new());
        }
        let partial = Partial::lock(self.store, &self.blob.digest)?;
        // Another may have fetched it while this one waited.
        if self.is_here() {
            partial.remove()?;
            told.ended(BlobEnd::Known);
            return Ok(Vec::new());
        }
        let result = self.fetch(&partial, draft, &*told);
        told.ended(match result {
            Ok(_) => BlobEnd::Done,
            Err(_) => BlobEnd::Failed,
        });
        // Bytes that are wrong are of no use to the next pull; those that are missing come then.
        let useful = match &result {
            Ok(_) | Err(ImageError::Damaged { .. } | ImageError::Layer { .. }) => false,
            Err(_) => partial.length().is_ok_and(|length| length > 0),
        };
        if !useful {
            partial.remove()?;
        }
        result
    }

    fn is_here(&self) -> bool {
        self.store.layer_info(self.diff_id).is_some()
    }

    fn fetch(
        &self,
        partial: &Partial,
        draft: PathBuf,
        told: &dyn BlobProgress,
    ) -> Result<Vec<String>, ImageError> {
        let here = partial.length().map_err(self.io("reading"))?;
        if here > self.blob.size {
            partial.clear().map_err(self.io("emptying"))?;
        }
        let first = self.unpack(partial, draft.clone(), told);
        match first {
            // What an earlier pull left may be damaged: a power failure, a bad disk.
            Err(ImageError::Damaged { .. } | ImageError::Layer { .. }) if here > 0 => {
                partial.clear().map_err(self.io("emptying"))?;
                self.unpack(partial, draft.with_extension("again"), told)
            }
            other => other,
        }
    }

    fn unpack(
        &self,
        partial: &Partial,
        draft: PathBuf,
        told: &dyn BlobProgress,
    ) -> Result<Vec<String>, ImageError> {
        let (reader, mut writer) = io::pipe().map_err(self.io("piping"))?;
        // A wish: the pipe works with any size.
        let _ = nix::fcntl::fcntl(&writer, nix::fcntl::FcntlArg::F_SETPIPE_SZ(1 << 20));
        let source = LayerSource {
            name: self.blob.digest.to_string(),
            file: OwnedFd::from(reader),
            length: Some(self.blob.size),
            blob: Some(self.blob.digest.clone()),
            diff_id: Some(self.diff_id.clone()),
        };
        let stage = Running::start(self.store, source, draft)?;
        match self.feed(partial, &mut writer, told) {
            Ok(()) | Err(Broken::Stage) => {}
            Err(Broken::Image(error)) => return Err(error),
        }
        drop(writer);
        let unpacked = stage.finish()?;
        publish(self.store, self.workspace, std::slice::from_ref(&unpacked))?;
        Ok(unpacked.1.notes)
    }

    /// Sends the whole blob into the stage: what is here, then what the registry has.
    fn feed(
        &self,
        partial: &Partial,
        stage: &mut PipeWriter,
        told: &dyn BlobProgress,
    ) -> Result<(), Broken> {
        let mut buffer = vec![0; CHUNK];
        let mut stored = partial.stored().map_err(self.io("reading"))?;
        let mut done = 0;
        loop {
            let read = stored.read(&mut buffer).map_err(self.io("reading"))?;
            if read == 0 {
                break;
            }
            stage
                .write_all(&buffer[..read])
                .map_err(|_| Broken::Stage)?;
            told.advanced(read as u64);
            done += read as u64;
        }
        let mut tried = 0;
        while done < self.blob.size {
            let before = done;
            let Err(error) = self.transfer(partial, stage, told, &mut buffer, &mut done) else {
                continue;
            };
            if done > before {
                tried = 0;
            }
            match error {
                Broken::Image(ImageError::Registry(error))
                    if error.is_passing() && !gives_up(tried) =>
                {
                    std::thread::sleep(back_off(tried));
                    tried += 1;
                }
                other => return Err(other),
            }
        }
        Ok(())
    }

    /// Transfers over one connection, until the end or until it breaks.
    fn transfer(
        &self,
        partial: &Partial,
        stage: &mut PipeWriter,
        told: &dyn BlobProgress,
        buffer: &mut [u8],
        done: &mut u64,
    ) -> Result<(), Broken> {
        let broken = |source: io::Error| {
            Broken::Image(ImageError::from(RegistryError::Transfer {
                host: self.client.host().to_owned(),
                what: format!("blob `{}`", self.blob.digest),
                source,
            }))
        };
        let asked = self.client.blob(self.repository, &self.blob.digest, *done);
        let mut stream = asked.map_err(ImageError::from)?;
        // A registry that knows no ranges begins with what is here already.
        let mut skip = *done - stream.from;
        while *done < self.blob.size {
            if self.stopped.load(Ordering::Relaxed) {
                return Err(Broken::Image(ImageError::Stopped));
            }
            let rest = usize::try_from(self.blob.size - *done + skip).unwrap_or(usize::MAX);
            let wanted = buffer.len().min(rest);
            let read = stream.reader.read(&mut buffer[..wanted]).map_err(broken)?;
            if read == 0 {
                return Err(broken(io::ErrorKind::UnexpectedEof.into()));
            }
            let passed = usize::try_from(skip).unwrap_or(usize::MAX).min(read);
            skip -= passed as u64;
            let new = &buffer[passed..read];
            partial.append(new).map_err(self.io("writing"))?;
            stage.write_all(new).map_err(|_| Broken::Stage)?;
            told.advanced(new.len() as u64);
            *done += new.len() as u64;
        }
        Ok(())
    }

    fn io(&self, action: &'static str) -> impl FnOnce(io::Error) -> ImageError + use<> {
        ImageError::file(action, self.store.download_path(&self.blob.digest))
    }
}
