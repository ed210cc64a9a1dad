//! The stage: reads one layer from others into one directory, out of which it cannot reach.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use flate2::bufread::MultiGzDecoder;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::sys::stat::{Mode, umask};
use sha2::{Digest as _, Sha256};

use super::extract::extract;
use super::frame::{self, Frame, Framed};
use super::wire::{Reply, Request, UnpackError, Unpacked, read_error};
use crate::names::Digest;
use crate::sys::descriptor;

/// The memory the stage may have: decoders, names and directories, even hostile ones.
const MEMORY: u64 = 1 << 30;

/// Runs the stage: descriptors 0, 1 and 2 are the layer, its directory and the parent's socket.
#[must_use]
pub fn stage_main() -> ExitCode {
    let Ok(socket) = io::stderr().as_fd().try_clone_to_owned() else {
        return ExitCode::FAILURE;
    };
    let mut socket = UnixStream::from(socket);
    let Ok((request, frame)) = receive(&socket) else {
        return ExitCode::FAILURE;
    };
    let reply = match confine().and_then(|()| unpack(io::stdin().lock(), &request, frame)) {
        Ok(unpacked) => Reply::Unpacked(unpacked),
        Err(error) => Reply::Refused(error),
    };
    match serde_json::to_writer(&mut socket, &reply).map(|()| socket.flush()) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn receive(socket: &UnixStream) -> io::Result<(Request, File)> {
    let (mut text, mut frame) = (Vec::new(), None);
    loop {
        let before = text.len();
        let received = descriptor::receive(socket, &mut text)?;
        frame = frame.or(received);
        if text.len() == before {
            break;
        }
    }
    let frame = frame.ok_or(io::ErrorKind::InvalidInput)?;
    Ok((serde_json::from_slice(&text)?, File::from(frame)))
}

fn confine() -> Result<(), UnpackError> {
    let confined = || -> io::Result<()> {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        nix::sys::prctl::set_no_new_privs()?;
        setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY)?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        umask(Mode::empty());
        let nothing = File::options().write(true).open("/dev/null")?;
        crate::sys::tree::confine_to(io::stdout().as_fd())?;
        // The descriptor of the directory still means the host's mount: it must not stay.
        Ok(nix::unistd::dup2_stdout(nothing)?)
    };
    confined().map_err(|error| UnpackError::Confine {
        message: error.to_string(),
    })
}

fn unpack(input: impl Read, request: &Request, frame: File) -> Result<Unpacked, UnpackError> {
    let frame = Frame::new(frame).map_err(read_error)?;
    let length = request.length.unwrap_or(u64::MAX);
    let mut blob = BufReader::with_capacity(1 << 16, Hashing::new(input.take(length), u64::MAX));
    let (diff_id, size, extracted) = match compression(&mut blob)? {
        Compression::Gzip => read_tar(MultiGzDecoder::new(&mut blob), request, &frame)?,
        Compression::Zstd => {
            let decoder = zstd::Decoder::with_buffer(&mut blob).map_err(read_error)?;
            read_tar(decoder, request, &frame)?
        }
        Compression::None => read_tar(&mut blob, request, &frame)?,
    };
    io::copy(&mut blob, &mut io::sink()).map_err(read_error)?;
    frame.borrow_mut().finish().map_err(read_error)?;
    Ok(Unpacked {
        diff_id,
        blob: blob.into_inner().finish(),
        size,
        entries: extracted.entries,
        notes: extracted.notes,
    })
}

fn read_tar(
    decoded: impl Read,
    request: &Request,
    frame: &frame::Shared,
) -> Result<(Digest, u64, super::extract::Extracted), UnpackError> {
    let limits = &request.limits;
    let mut tar = Hashing::new(decoded, limits.bytes);
    let framed = Framed::new(&mut tar, frame.clone());
    let extracted = extract(framed, limits, request.meaning, frame);
    if tar.exceeded {
        return Err(UnpackError::TooManyBytes {
            limit: limits.bytes,
        });
    }
    let extracted = extracted?;
    // The digest is of all bytes, also of those after the end of the archive.
    let drained = io::copy(&mut Framed::new(&mut tar, frame.clone()), &mut io::sink());
    if tar.exceeded {
        return Err(UnpackError::TooManyBytes {
            limit: limits.bytes,
        });
    }
    drained.map_err(read_error)?;
    let size = tar.count;
    Ok((tar.finish(), size, extracted))
}

enum Compression {
    None,
    Gzip,
    Zstd,
}

/// Tells the compression by its magic number: media types are often wrong, bytes never.
fn compression(blob: &mut BufReader<impl Read>) -> Result<Compression, UnpackError> {
    let start = blob.fill_buf().map_err(read_error)?;
    Ok(if start.starts_with(&[0x1f, 0x8b]) {
        Compression::Gzip
    } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        Compression::Zstd
    } else {
        Compression::None
    })
}

/// Counts and hashes what is read through it, and stops at a limit.
struct Hashing<R> {
    inner: R,
    hash: Sha256,
    count: u64,
    limit: u64,
    exceeded: bool,
}

impl<R> Hashing<R> {
    fn new(inner: R, limit: u64) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            count: 0,
            limit,
            exceeded: false,
        }
    }

    fn finish(self) -> Digest {
        Digest::sha256(&self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.count += read as u64;
        if self.count > self.limit {
            self.exceeded = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(read)
    }
}
