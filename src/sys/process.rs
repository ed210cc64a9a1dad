//! Processes, held by descriptors that never mean another process.
//!
//! A pid may be used again the moment its process was reaped; a [`PidFd`] may not. Where only a
//! number can be kept (in a database), it goes with the start time and the id of the boot.

use std::fs;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::ForkResult;
use rustix::mount::{MoveMountFlags, OpenTreeFlags, move_mount, open_tree};
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, WaitIdStatus, waitid};

/// Returns how many processors this process may use, asked once: the answer takes a look at each cgroup above it.
#[must_use]
pub fn processors() -> usize {
    static FOUND: OnceLock<usize> = OnceLock::new();
    *FOUND.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It left by itself with this code.
    Code(u8),
    /// This signal ended it.
    Signal(i32),
}

impl Ended {
    /// Reads a status in the form of `wait(2)`.
    fn of_wait_status(status: i32) -> Self {
        match status & 0x7f {
            0 => Self::Code(u8::try_from(status >> 8 & 0xff).unwrap_or(u8::MAX)),
            signal => Self::Signal(signal),
        }
    }
}

/// A process, which stays the same one whatever becomes of its pid.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens a process; nothing if there is none with this pid (a zombie is one).
    ///
    /// # Errors
    /// The process has no descriptors left.
    pub fn open(pid: i32) -> io::Result<Option<Self>> {
        let Some(pid) = Pid::from_raw(pid) else {
            return Ok(None);
        };
        match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => Ok(Some(Self(fd))),
            Err(rustix::io::Errno::SRCH) => Ok(None),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a process only if it began at this time; see [`start_time`].
    ///
    /// # Errors
    /// The process has no descriptors left.
    pub fn open_started_at(pid: i32, start: u64) -> io::Result<Option<Self>> {
        let Some(process) = Self::open(pid)? else {
            return Ok(None);
        };
        // The descriptor came first: if the process read now is another one, its start differs.
        Ok((start_time(pid)? == Some(start)).then_some(process))
    }

    /// Takes a descriptor that is known to be one of a process.
    #[must_use]
    pub fn from_fd(fd: OwnedFd) -> Self {
        Self(fd)
    }

    /// Returns the pid as this process's namespace sees it; nothing once it was reaped.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn pid(&self) -> io::Result<Option<i32>> {
        let path = format!("/proc/self/fdinfo/{}", self.0.as_raw_fd());
        let text = fs::read_to_string(path)?;
        Ok(text
            .lines()
            .find_map(|line| line.strip_prefix("Pid:"))
            .and_then(|pid| pid.trim().parse().ok())
            .filter(|pid| *pid > 0))
    }

    /// Returns whether it still runs: a zombie does not.
    ///
    /// # Errors
    /// `poll(2)` failed.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(!self.ends_within(PollTimeout::ZERO)?)
    }

    /// Waits until it ended or the time is over, and returns whether it ended.
    ///
    /// # Errors
    /// `poll(2)` failed.
    pub fn ends_within(&self, time: PollTimeout) -> io::Result<bool> {
        let mut fds = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, time) {
            Ok(ready) => Ok(ready > 0),
            Err(Errno::EINTR) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Sends a signal and returns whether there was somebody to get it.
    ///
    /// # Errors
    /// The signal does not exist, or the caller may not send it.
    pub fn send_signal(&self, signal: i32) -> io::Result<bool> {
        match rustix::process::pidfd_send_signal(&self.0, known_signal(signal)?) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Reaps a child if it ended and returns how; does not wait.
    ///
    /// # Errors
    /// It is no child of this process, or was reaped before.
    pub fn try_wait(&self) -> io::Result<Option<Ended>> {
        self.reap(WaitIdOptions::EXITED | WaitIdOptions::NOHANG)
    }

    /// Waits for a child to end, reaps it and returns how it ended.
    ///
    /// # Errors
    /// It is no child of this process, or was reaped before.
    pub fn wait(&self) -> io::Result<Ended> {
        loop {
            if let Some(ended) = self.reap(WaitIdOptions::EXITED)? {
                return Ok(ended);
            }
        }
    }

    fn reap(&self, options: WaitIdOptions) -> io::Result<Option<Ended>> {
        loop {
            match waitid(WaitId::PidFd(self.0.as_fd()), options) {
                Ok(status) => return Ok(status.as_ref().and_then(ended)),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// Returns how a process ended that anybody reaped, as the kernel keeps it (Linux 6.15).
    ///
    /// Nothing before it was reaped, and on kernels without `PIDFD_INFO_EXIT`.
    #[must_use]
    pub fn exit_info(&self) -> Option<Ended> {
        kept_status(self.0.as_fd()).map(Ended::of_wait_status)
    }

    /// Mounts the descriptor on a file, so that it outlives whoever holds it.
    ///
    /// # Errors
    /// The kernel cannot mount it (before Linux 6.9), or the file is missing.
    pub fn pin(&self, target: &Path) -> io::Result<()> {
        let flags = OpenTreeFlags::OPEN_TREE_CLONE
            | OpenTreeFlags::OPEN_TREE_CLOEXEC
            | OpenTreeFlags::AT_EMPTY_PATH;
        let tree = open_tree(&self.0, "", flags)?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        Ok(move_mount(tree, "", rustix::fs::CWD, target, flags)?)
    }

    /// Opens a process that was pinned.
    ///
    /// # Errors
    /// The file is missing.
    pub fn open_pinned(pin: &Path) -> io::Result<Self> {
        Ok(Self(fs::File::open(pin)?.into()))
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PidFd> for OwnedFd {
    fn from(process: PidFd) -> Self {
        process.0
    }
}

/// A child that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedChild {
    pub pid: i32,
    pub ended: Ended,
}

/// Returns a child that ended, without reaping it; nothing if none has.
///
/// For a subreaper: look first who it is, then wait for it by its descriptor or by [`reap`].
///
/// # Errors
/// Never but for a broken kernel.
pub fn ended_child() -> io::Result<Option<EndedChild>> {
    any_child(libc::WEXITED | libc::WNOHANG | libc::WNOWAIT)
}

/// Waits until any child ended and reaps it; nothing if there is no child at all.
///
/// # Errors
/// A signal interrupted the wait (`EINTR`).
pub fn wait_any() -> io::Result<Option<EndedChild>> {
    any_child(libc::WEXITED)
}

#[expect(
    unsafe_code,
    reason = "no crate tells the pid together with real-time signals"
)]
fn any_child(options: i32) -> io::Result<Option<EndedChild>> {
    // SAFETY: all zero bytes are a siginfo_t: it holds numbers and a union of such.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer leads to a siginfo_t of this frame, which the kernel fills in.
    match Errno::result(unsafe { libc::waitid(libc::P_ALL, 0, &raw mut info, options) }) {
        Ok(_) => {}
        Err(Errno::ECHILD) => return Ok(None),
        Err(errno) => return Err(errno.into()),
    }
    // SAFETY: waitid fills in the fields of SIGCHLD, or leaves zeros where no child ended.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    let ended = match info.si_code {
        libc::CLD_EXITED => Ended::Code(u8::try_from(status & 0xff).unwrap_or(u8::MAX)),
        _ => Ended::Signal(status),
    };
    Ok((pid != 0).then_some(EndedChild { pid, ended }))
}

/// Reaps a child that ended, by its pid.
///
/// # Errors
/// It is no child of this process.
pub fn reap(pid: i32) -> io::Result<Option<Ended>> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.as_ref().and_then(ended))
}

fn ended(status: &WaitIdStatus) -> Option<Ended> {
    if let Some(code) = status.exit_status() {
        return Some(Ended::Code(u8::try_from(code & 0xff).unwrap_or(u8::MAX)));
    }
    status.terminating_signal().map(Ended::Signal)
}

/// Returns when a process began, in clock ticks since boot (field 22 of `/proc/PID/stat`).
///
/// Nothing if there is no such process, or only its zombie.
///
/// # Errors
/// `/proc` cannot be read.
pub fn start_time(pid: i32) -> io::Result<Option<u64>> {
    Ok(stat(pid)?.and_then(|stat| start_in(&stat)))
}

/// Returns the children of this process, zombies too (`CONFIG_PROC_CHILDREN`).
///
/// # Errors
/// `/proc` cannot be read.
pub fn children() -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for task in fs::read_dir("/proc/self/task")? {
        match fs::read_to_string(task?.path().join("children")) {
            Ok(text) => children.extend(
                text.split_whitespace()
                    .filter_map(|pid| pid.parse::<i32>().ok()),
            ),
            // A thread may end meanwhile, and its children are another's.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(children)
}

/// Returns an argument of a process, 0 being its name; none where it has fewer, or has ended.
#[must_use]
pub fn argument(pid: u32, number: usize) -> Option<String> {
    let text = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let mut arguments = text.strip_suffix(&[0])?.split(|byte| *byte == 0);
    Some(String::from_utf8_lossy(arguments.nth(number)?).into_owned())
}

/// Returns the files that a process has open; none once it has ended.
#[must_use]
pub fn open_paths(pid: u32) -> Vec<PathBuf> {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd"));
    let links = descriptors.into_iter().flatten().flatten();
    links
        .filter_map(|entry| fs::read_link(entry.path()).ok())
        // A socket, a pipe or a namespace has no path.
        .filter(|path| path.is_absolute())
        .collect()
}

/// Returns whether a process was started with this setting, as `NAME=VALUE`, in its environment; a copy of one that
/// was is one too, until it executes another program.
#[must_use]
pub fn was_started_with(pid: i32, setting: &str) -> bool {
    fs::read(format!("/proc/{pid}/environ")).is_ok_and(|text| {
        text.split(|byte| *byte == 0)
            .any(|entry| entry == setting.as_bytes())
    })
}

/// Has this process killed when the thread that started it ends.
///
/// # Errors
/// The kernel knows every signal there is, so none.
pub fn die_with_parent() -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL).map_err(io::Error::from)
}

/// Has a command's process killed when the calling thread ends.
#[expect(
    unsafe_code,
    reason = "std has no other way to set it before the program runs"
)]
pub fn end_with_caller(command: &mut std::process::Command) {
    use std::os::unix::process::CommandExt as _;
    let caller = nix::unistd::getpid();
    let set = move || {
        die_with_parent()?;
        // One that ended before is not noticed any more.
        match nix::unistd::getppid() == caller {
            true => Ok(()),
            false => Err(io::ErrorKind::BrokenPipe.into()),
        }
    };
    // SAFETY: between fork and execve the closure makes two system calls, neither of which allocates or
    // takes a lock; an error made of an errno or a kind does not allocate either.
    unsafe { command.pre_exec(set) };
}

/// Returns how a process ended that began at this time and that nobody has reaped yet.
///
/// Its exit code is field 52 of `/proc/PID/stat`, in the form of `wait(2)`; others than its parent need
/// the right to trace it, without which the kernel shows 0.
///
/// # Errors
/// `/proc` cannot be read.
pub fn zombie_status(pid: i32, start: u64) -> io::Result<Option<Ended>> {
    Ok(stat(pid)?.and_then(|stat| zombie_in(&stat, start)))
}

/// Reads `/proc/PID/stat`, unless there is no such process.
fn stat(pid: i32) -> io::Result<Option<String>> {
    match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(text) => Ok(Some(text)),
        Err(error)
            if error.kind() == io::ErrorKind::NotFound
                || error.raw_os_error() == Some(Errno::ESRCH as i32) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn zombie_in(stat: &str, start: u64) -> Option<Ended> {
    let fields: Vec<&str> = stat
        .get(stat.rfind(')')? + 1..)?
        .split_ascii_whitespace()
        .collect();
    let is_meant = fields.first() == Some(&"Z") && fields.get(19)?.parse() == Ok(start);
    let status = fields.get(49)?.parse().ok()?;
    is_meant.then(|| Ended::of_wait_status(status))
}

/// The name in field 2 may hold spaces and parentheses: fields are counted from the last `)`.
fn start_in(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?.parse().ok()?;
    (!matches!(state, "Z" | "X")).then_some(start)
}

/// Lets this process live on when the thread that started it ends.
///
/// # Errors
/// Never on Linux.
pub fn outlive_parent() -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(None).map_err(io::Error::from)
}

/// Makes orphans below this process its children.
///
/// # Errors
/// Never on Linux.
pub fn become_subreaper() -> io::Result<()> {
    Ok(nix::sys::prctl::set_child_subreaper(true)?)
}

/// Ends this process at once, without anything that would run on a return from `main`.
///
/// For a process that is another's copy: what the original registered is not its to run.
#[expect(unsafe_code, reason = "std's exit runs what was registered")]
pub fn leave(code: i32) -> ! {
    // SAFETY: never returns, and touches nothing of this process.
    unsafe { libc::_exit(code) }
}

/// Which side of a fork this is.
#[derive(Debug)]
pub enum Fork {
    Parent(PidFd),
    Child,
}

/// The PID namespace that a copy of a process is born in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Birthplace {
    /// That of all its children.
    OfChildren,
    /// A new one, as its first process.
    NewPidNamespace,
}

impl Birthplace {
    fn flag(self) -> i32 {
        match self {
            Self::OfChildren => 0,
            Self::NewPidNamespace => libc::CLONE_NEWPID,
        }
    }
}

/// The knowledge that this process has one thread.
///
/// Taken before a process enters namespaces in which it has no `/proc` to look at. It cannot leave its
/// thread; whoever has it must not start another one.
#[derive(Debug)]
pub struct SingleThreaded(PhantomData<*const ()>);

impl SingleThreaded {
    /// Counts the threads.
    ///
    /// # Errors
    /// There are more: a lock that another one holds would stay locked in a copy of this process.
    pub fn prove() -> io::Result<Self> {
        if fs::read_dir("/proc/self/task")?.count() != 1 {
            return Err(io::Error::other("a process with threads must not fork"));
        }
        Ok(Self(PhantomData))
    }

    /// Copies this process.
    ///
    /// # Errors
    /// The process limit is reached.
    #[expect(unsafe_code, reason = "fork is unsafe only where there are threads")]
    pub fn fork(self) -> io::Result<Fork> {
        // SAFETY: the calling thread is the only one, as was counted, and it has not made another
        // since; so no lock and no allocator state is in somebody else's hands.
        match unsafe { nix::unistd::fork() }? {
            ForkResult::Child => Ok(Fork::Child),
            ForkResult::Parent { child } => PidFd::open(child.as_raw())?
                .map(Fork::Parent)
                .ok_or_else(|| io::Error::other("a child is a zombie until it is reaped")),
        }
    }

    /// Copies this process as a further child of its own parent, and returns the copy's pid; nothing in the copy.
    ///
    /// # Errors
    /// The process limit is reached, or this process is the first of its PID namespace (`EINVAL`, `clone(2)`).
    #[expect(unsafe_code, reason = "no crate has a safe call for this clone")]
    pub fn fork_sibling(self, birthplace: Birthplace) -> io::Result<Option<i32>> {
        // SAFETY: all zero bytes are a clone_args: it holds numbers only.
        let mut arguments: libc::clone_args = unsafe { std::mem::zeroed() };
        // With it the copy's end is told as this process's own is, and no other signal may be named.
        let flags = libc::CLONE_PARENT | birthplace.flag();
        arguments.flags = flags.cast_unsigned().into();
        let size = std::mem::size_of_val(&arguments);
        // SAFETY: the struct is the kernel's, of that size, and without a stack this is fork(2). The calling thread
        // is the only one, as was counted, and it has not made another since; so no lock and no allocator state is
        // in somebody else's hands.
        let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw const arguments, size) };
        let pid = Errno::result(pid)?;
        Ok(i32::try_from(pid).ok().filter(|pid| *pid != 0))
    }
}

/// Gives every signal its default effect again and blocks none.
///
/// Rust ignores SIGPIPE in its own programs, and `execve(2)` would hand that on.
#[expect(unsafe_code, reason = "nix calls every change of a handler unsafe")]
pub fn restore_signals() {
    for number in 1..=64 {
        // SAFETY: a default effect has no handler that could run at a wrong time. Numbers that may
        // not be changed are refused with an error that means nothing here.
        unsafe { libc::signal(number, libc::SIG_DFL) };
    }
    // Never fails for a set that exists.
    let _ = nix::sys::signal::SigSet::empty().thread_set_mask();
}

/// The first version of `struct pidfd_info` (`linux/pidfd.h`).
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroup: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const PIDFD_INFO_EXIT: u64 = 1 << 3;

nix::ioctl_readwrite!(pidfd_get_info, 0xff, 11, PidfdInfo);

#[expect(unsafe_code, reason = "no crate has a safe call for this ioctl")]
fn kept_status(fd: BorrowedFd<'_>) -> Option<i32> {
    let mut info = PidfdInfo {
        mask: PIDFD_INFO_EXIT,
        ..PidfdInfo::default()
    };
    // SAFETY: the request's number carries the size of the struct, which has the kernel's layout;
    // the kernel writes at most that many bytes. On another kind of file it answers ENOTTY.
    unsafe { pidfd_get_info(fd.as_raw_fd(), &raw mut info) }.ok()?;
    (info.mask & PIDFD_INFO_EXIT != 0).then_some(info.exit_code)
}

#[expect(unsafe_code, reason = "rustix has no safe way to a real-time signal")]
fn known_signal(signal: i32) -> io::Result<Signal> {
    if !(1..=64).contains(&signal) {
        return Err(Errno::EINVAL.into());
    }
    // SAFETY: the number is one of Linux's signals. Those that a C library keeps for itself matter
    // to processes that catch them, and this is only sent.
    Ok(unsafe { Signal::from_raw_unchecked(signal) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Child, Command, Stdio};

    fn shell(script: &str) -> Child {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]).stdin(Stdio::null());
        command.spawn().unwrap()
    }

    fn held(child: &Child) -> PidFd {
        PidFd::open(child.id().cast_signed()).unwrap().unwrap()
    }

    #[test]
    fn the_way_a_child_ended_is_exact() {
        let process = held(&shell("exit 7"));
        assert_eq!(process.wait().unwrap(), Ended::Code(7));
        assert!(process.wait().is_err(), "a second time");
        for signal in [15, 9, 40] {
            let process = held(&shell("sleep 30 & wait"));
            assert_eq!(process.try_wait().unwrap(), None);
            assert!(process.is_alive().unwrap());
            assert!(process.send_signal(signal).unwrap());
            assert_eq!(process.wait().unwrap(), Ended::Signal(signal));
            assert!(!process.send_signal(signal).unwrap());
            assert!(!process.is_alive().unwrap());
            assert_eq!(process.pid().unwrap(), None);
        }
    }

    #[test]
    fn the_kernel_keeps_how_a_reaped_process_ended() {
        let process = held(&shell("exit 7"));
        assert_eq!(process.exit_info(), None);
        process.wait().unwrap();
        let killed = held(&shell("kill -9 $$"));
        killed.wait().unwrap();
        if process.exit_info().is_none() {
            eprintln!("skipped: lacks PIDFD_INFO_EXIT (Linux 6.15)");
            return;
        }
        assert_eq!(process.exit_info(), Some(Ended::Code(7)));
        assert_eq!(killed.exit_info(), Some(Ended::Signal(9)));
    }

    #[test]
    fn a_pin_tells_the_exit_after_everybody_let_go() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let pin = dir.path().join("pin");
        fs::File::create(&pin).unwrap();
        let ended = std::thread::spawn(move || {
            crate::sys::mount::unshare_mounts().unwrap();
            let process = held(&shell("exit 9"));
            let pinned = process.pin(&pin);
            process.wait().unwrap();
            drop(process);
            pinned.map(|()| PidFd::open_pinned(&pin).unwrap().exit_info())
        })
        .join()
        .unwrap();
        match ended {
            Ok(Some(ended)) => assert_eq!(ended, Ended::Code(9)),
            Ok(None) => eprintln!("skipped: lacks PIDFD_INFO_EXIT (Linux 6.15)"),
            Err(error) => eprintln!("skipped: lacks mounts of pidfds (Linux 6.9): {error}"),
        }
    }

    #[test]
    fn a_pid_is_believed_only_with_its_start_time() {
        let own = std::process::id().cast_signed();
        let start = start_time(own).unwrap().unwrap();
        assert!(PidFd::open_started_at(own, start).unwrap().is_some());
        assert!(PidFd::open_started_at(own, start + 1).unwrap().is_none());
        assert!(PidFd::open(0).unwrap().is_none());
        assert_eq!(start_time(i32::MAX).unwrap(), None);
        let stat = format!("7 (a) b) R {} 4711 0", "1 ".repeat(18));
        assert_eq!(start_in(&stat), Some(4711));
        assert_eq!(start_in(&stat.replace(" R ", " Z ")), None);
    }

    #[test]
    fn a_zombie_tells_how_it_ended() {
        for (script, ended) in [("exit 7", Ended::Code(7)), ("kill -9 $$", Ended::Signal(9))] {
            let mut child = std::process::Command::new("/bin/sh")
                .args(["-c", &format!("read line; {script}")])
                .stdin(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            let start = start_time(pid).unwrap().unwrap();
            assert_eq!(zombie_status(pid, start).unwrap(), None);
            drop(child.stdin.take());
            while start_time(pid).unwrap().is_some() {
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            assert_eq!(zombie_status(pid, start).unwrap(), Some(ended));
            assert_eq!(zombie_status(pid, start + 1).unwrap(), None);
            child.wait().unwrap();
            assert_eq!(zombie_status(pid, start).unwrap(), None);
        }
    }

    #[test]
    fn a_process_with_threads_does_not_fork() {
        let error = std::thread::spawn(|| SingleThreaded::prove().unwrap_err());
        assert!(error.join().unwrap().to_string().contains("threads"));
    }
}
