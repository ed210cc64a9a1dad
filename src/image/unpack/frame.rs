//! What a layer's tar has besides the bytes of its files, kept so that it can be written again.
//!
//! A layer is stored unpacked, but is known by the digest of its tar, which depends on every byte of
//! the headers: their order, their padding, what is left out. So the stage writes down all of the tar
//! except the content of regular files, which rests in the layer itself:
//!
//! ```text
//! zstd( 'B' length:u32 bytes… | 'F' length:u32 path… size:u64 )*
//! ```

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// How many bytes are gathered before they are written down.
const GATHERED: usize = 1 << 16;
/// The longest path that is believed.
const PATH: usize = 1 << 14;
const BYTES: u8 = b'B';
const CONTENT: u8 = b'F';

/// Writes a frame down.
pub(super) struct Frame {
    out: zstd::Encoder<'static, File>,
    gathered: Vec<u8>,
    /// The bytes that pass are a file's.
    in_file: bool,
}

/// One frame for the reader of a tar and for who unpacks it.
pub(super) type Shared = Rc<RefCell<Frame>>;

impl Frame {
    pub(super) fn new(file: File) -> io::Result<Shared> {
        Ok(Rc::new(RefCell::new(Self {
            out: zstd::Encoder::new(file, 1)?,
            gathered: Vec::new(),
            in_file: false,
        })))
    }

    /// Says that the next bytes are the content of a file.
    pub(super) fn begin_file(&mut self, path: &Path, size: u64) -> io::Result<()> {
        self.flush()?;
        let path = path.as_os_str().as_bytes();
        let length = u32::try_from(path.len()).map_err(io::Error::other)?;
        self.out.write_all(&[CONTENT])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(path)?;
        self.out.write_all(&size.to_le_bytes())?;
        self.in_file = true;
        Ok(())
    }

    pub(super) fn end_file(&mut self) {
        self.in_file = false;
    }

    fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.in_file {
            return Ok(());
        }
        self.gathered.extend_from_slice(bytes);
        match self.gathered.len() >= GATHERED {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(self.gathered.len()).map_err(io::Error::other)?;
        self.out.write_all(&[BYTES])?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&self.gathered)?;
        self.gathered.clear();
        Ok(())
    }

    /// Ends the frame.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.flush()?;
        self.out.do_finish()
    }
}

/// A tar whose frame is written down as it is read.
pub(super) struct Framed<R> {
    inner: R,
    frame: Shared,
}

impl<R> Framed<R> {
    pub(super) fn new(inner: R, frame: Shared) -> Self {
        Self { inner, frame }
    }
}

impl<R: Read> Read for Framed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.frame.borrow_mut().pass(&buffer[..read])?;
        Ok(read)
    }
}

/// Writes the tar again; `content` opens a file of the layer.
pub(in crate::image) fn rebuild(
    frame: File,
    mut content: impl FnMut(&Path) -> io::Result<File>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut frame = BufReader::new(zstd::Decoder::new(frame)?);
    let mut kind = [0];
    while frame.read(&mut kind)? == 1 {
        let length = u64::from(u32::from_le_bytes(array(&mut frame)?));
        match kind[0] {
            BYTES => copy_exactly(&mut frame, length, out)?,
            CONTENT => {
                let mut path = vec![0; usize::try_from(length).unwrap_or(usize::MAX).min(PATH)];
                frame.read_exact(&mut path)?;
                let size = u64::from_le_bytes(array(&mut frame)?);
                let path = PathBuf::from(std::ffi::OsStr::from_bytes(&path));
                copy_exactly(&mut content(&path)?, size, out)?;
            }
            _ => return Err(io::ErrorKind::InvalidData.into()),
        }
    }
    Ok(())
}

fn array<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn copy_exactly(reader: &mut impl Read, length: u64, out: &mut impl Write) -> io::Result<()> {
    match io::copy(&mut reader.take(length), out)? {
        copied if copied == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
