//! Joins the terminal a command was typed at with one in a container.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::sys::terminal::{RawMode, set_window_size, window_size};

/// Whether keys go to the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    Typed,
    None,
}

/// Passes keys in and output out until the program's terminal is closed.
///
/// The own terminal, if standard input is one, is raw meanwhile, and its size is the other's too.
/// Blocks SIGWINCH in this thread, which is to be the only one.
///
/// # Errors
/// The own output is closed.
pub fn attach(master: OwnedFd, input: Input) -> io::Result<()> {
    let mut winch = SigSet::empty();
    winch.add(Signal::SIGWINCH);
    winch.thread_block()?;
    let resized = SignalFd::with_flags(&winch, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)?;
    let stdin = io::stdin();
    let _raw = match input {
        // Standard input may be a pipe, which needs no change.
        Input::Typed => RawMode::set(stdin.as_fd()).ok(),
        Input::None => None,
    };
    let mut pump = Pump {
        master: File::from(master),
        input,
    };
    pump.resize();
    loop {
        let ready = pump.wait(&resized)?;
        if ready.resized {
            // Several changes are one: the size is read afterwards.
            while let Ok(Some(_)) = resized.read_signal() {}
            pump.resize();
        }
        if ready.typed {
            pump.pass_in()?;
        }
        if ready.shown && !pump.pass_out()? {
            return Ok(());
        }
    }
}

struct Ready {
    shown: bool,
    typed: bool,
    resized: bool,
}

struct Pump {
    master: File,
    input: Input,
}

impl Pump {
    fn resize(&self) {
        // Where there is no terminal there is no size.
        if let Ok(size) = window_size(io::stdin().as_fd()) {
            let _ = set_window_size(self.master.as_fd(), size);
        }
    }

    fn wait(&self, resized: &SignalFd) -> io::Result<Ready> {
        let stdin = io::stdin();
        let mut fds = vec![
            PollFd::new(self.master.as_fd(), PollFlags::POLLIN),
            PollFd::new(resized.as_fd(), PollFlags::POLLIN),
        ];
        if self.input == Input::Typed {
            fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
        }
        loop {
            match poll(&mut fds, PollTimeout::NONE) {
                Err(Errno::EINTR) => {}
                other => {
                    other?;
                    break;
                }
            }
        }
        let is = |number: usize| fds.get(number).and_then(PollFd::any).unwrap_or(false);
        Ok(Ready {
            shown: is(0),
            resized: is(1),
            typed: is(2),
        })
    }

    fn pass_in(&mut self) -> io::Result<()> {
        let mut keys = [0; 4096];
        // Not through std's buffer, which would read ahead of what poll tells.
        let count = nix::unistd::read(io::stdin(), &mut keys)?;
        if count == 0 {
            // The end of the input is the end-of-file key of the program's terminal.
            self.input = Input::None;
            return self.master.write_all(&[4]);
        }
        self.master.write_all(&keys[..count])
    }

    /// Returns whether there may be more: at the end of a terminal there is EIO.
    fn pass_out(&mut self) -> io::Result<bool> {
        let mut text = [0; 16384];
        match self.master.read(&mut text) {
            Ok(0) => Ok(false),
            Err(error) if error.raw_os_error() == Some(Errno::EIO as i32) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
            Ok(count) => {
                let mut out = io::stdout().lock();
                out.write_all(&text[..count])?;
                out.flush().map(|()| true)
            }
        }
    }
}
