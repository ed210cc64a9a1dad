//! The standard streams of a container: FIFOs that the supervisor reads, or a terminal.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt as _, fchown};
use std::os::unix::net::UnixListener;
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::error::{CreateError, Step};
use crate::engine::launch::Launch;
use crate::sys::descriptor;
use crate::sys::socket::{bind_unix, open_dir};

/// What a pipe holds while no supervisor reads: the most an ordinary user may have.
const PIPE_SIZE: i32 = 1 << 20;

/// Makes the container's streams those of this process, which its init inherits.
///
/// A FIFO is opened for reading too: a container whose supervisor is gone then waits for the next
/// one instead of dying of SIGPIPE. It belongs to the container's user, else `/dev/stdout` would
/// be refused to programs that do not run as root. One that nobody writes to is an input that stays open.
pub(super) fn take(launch: &Launch, uid: u32) -> Result<(), CreateError> {
    let open = |path: &Path| {
        let fifo = OpenOptions::new()
            .read(true)
            .write(true)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
            .and_then(|fifo| fchown(&fifo, Some(uid), None).map(|()| fifo))
            .map_err(|error| failed(path, &error))?;
        // A limit of the user's may refuse it; the default of 64 KiB works as well.
        let _ = fcntl(&fifo, FcntlArg::F_SETPIPE_SZ(PIPE_SIZE));
        Ok(fifo)
    };
    let stdin = match launch.open_stdin {
        true => {
            let path = launch.site.stdin();
            mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)
                .map_err(|errno| failed(&path, &errno.into()))?;
            open(&path)?
        }
        false => File::open("/dev/null").map_err(|e| failed(Path::new("/dev/null"), &e))?,
    };
    let path = launch.site.stdout();
    let (stdout, stderr) = (open(&path)?, open(&launch.site.stderr())?);
    nix::unistd::dup2_stdin(&stdin)
        .and_then(|()| nix::unistd::dup2_stdout(&stdout))
        .and_then(|()| nix::unistd::dup2_stderr(&stderr))
        .map_err(|errno| failed(&path, &errno.into()))
}

fn failed(path: &Path, error: &io::Error) -> CreateError {
    CreateError::io(Step::Streams, path, error)
}

/// The socket over which a runtime hands out the master of the terminal that it made.
#[derive(Debug)]
pub(super) struct ConsoleSocket {
    listener: UnixListener,
}

impl ConsoleSocket {
    /// The socket's name in the bundle.
    pub(super) const NAME: &'static str = "console";

    pub(super) fn bind(bundle: &Path) -> Result<Self, CreateError> {
        let path = bundle.join(Self::NAME);
        // A stage that was killed may have left one.
        let _ = std::fs::remove_file(&path);
        let listener = open_dir(bundle)
            .and_then(|directory| bind_unix(directory.as_fd(), Self::NAME))
            .map_err(|error| failed(&path, &error))?;
        Ok(Self { listener })
    }

    /// Takes the terminal of a container that was created.
    pub(super) fn receive(self) -> Result<OwnedFd, CreateError> {
        let path = Path::new(Self::NAME);
        let terminal = self
            .listener
            .accept()
            .and_then(|(stream, _)| descriptor::receive(&stream, &mut Vec::new()))
            .map_err(|error| failed(path, &error))?;
        terminal.ok_or_else(|| failed(path, &io::ErrorKind::UnexpectedEof.into()))
    }
}
