//! What a container finds in its root: mounts, devices and links; and what of it is hidden or may not be written.
//!
//! All of it is done from outside, before the root is one, by a process that is in the container's namespaces already:
//! the image and the volumes are somebody else's, so each place is resolved below the root's descriptor, and each mount
//! lands on a descriptor.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, makedev, mknodat};
use nix::unistd::{FchownatFlags, Gid, Uid, fchownat, symlinkat};
use oci_spec::runtime::{LinuxDevice, LinuxDeviceType, Mount, Spec};

use super::error::{CreateError, Step};
use crate::engine::launch::Source;
use crate::sys::mount::{Depth, HARMLESS, MountOptions, Propagation, mount_filesystem};
use crate::sys::path::{Resolve, create_file, descriptor_path, make_directories, open_at};
use crate::sys::tree::{attach_at, clone_tree, open_mount, propagate, restrict};

/// The devices of every container, which the runtime specification demands: name, major and minor number.
const DEVICES: [(&str, u64, u64); 6] = [
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];

/// The links that it demands, and `ptmx` and `core`, which runc makes too.
const LINKS: [(&str, &str); 6] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("/proc/kcore", "core"),
    ("pts/ptmx", "ptmx"),
];

/// Who may use a device: everybody.
const DEVICE_MODE: Mode = Mode::from_bits_truncate(0o666);

/// What a path of the kernel's that a container may only read does not allow either.
const READ_ONLY: MsFlags = HARMLESS.union(MsFlags::MS_RDONLY);

/// Mounts what a container's spec says, in its order; what was prepared for one of them goes there.
pub(super) fn mount_all(
    spec: &Spec,
    prepared: &[Source],
    root: BorrowedFd<'_>,
) -> Result<(), CreateError> {
    for mount in spec.mounts().iter().flatten() {
        make(mount, prepared, root)
            .map_err(|error| CreateError::io(Step::Mounts, mount.destination(), &error))?;
    }
    Ok(())
}

fn make(mount: &Mount, prepared: &[Source], root: BorrowedFd<'_>) -> io::Result<()> {
    let words = mount.options().as_deref().unwrap_or_default();
    let options = MountOptions::parse(&words.join(","));
    let Some(depth) = options.bind else {
        return make_filesystem(mount, &options, root);
    };
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    let target = match source.is_dir() {
        true => directory(root, mount.destination())?,
        false => file(root, mount.destination())?,
    };
    let tree = match prepared.iter().any(|prepared| prepared.at == source) {
        true => open_mount(source)?,
        false => clone_tree(source, depth)?,
    };
    if let Some(propagation) = words.iter().find_map(|word| propagation(word)) {
        propagate(tree.as_fd(), propagation, Depth::Tree)?;
    }
    restrict(tree.as_fd(), options.flags, Depth::One)?;
    attach_at(tree.as_fd(), target.as_fd())
}

fn make_filesystem(mount: &Mount, options: &MountOptions, root: BorrowedFd<'_>) -> io::Result<()> {
    let path = mount.destination();
    let kind = mount.typ().as_deref().unwrap_or_default();
    let target = match kind {
        "proc" | "sysfs" => plain_directory(root, path)?,
        _ => directory(root, path)?,
    };
    // The specification's word for the one hierarchy of version 2.
    let kind = if kind == "cgroup" { "cgroup2" } else { kind };
    // A file system may be one for all of a pod's containers, some of which may write.
    let read_only = options.flags & MsFlags::MS_RDONLY;
    let writable = MountOptions {
        flags: options.flags - read_only,
        ..options.clone()
    };
    let source = mount.source().as_deref().unwrap_or(Path::new(""));
    let place = descriptor_path(target.as_fd());
    mount_filesystem(source, Path::new(&place), kind, &writable).map_err(io::Error::other)?;
    if read_only.is_empty() {
        return Ok(());
    }
    let mounted = open_at(root, path, Resolve::InRoot, OFlag::O_PATH)?;
    restrict(mounted.as_fd(), read_only, Depth::One)
}

/// One that is shared stays so.
fn propagation(word: &str) -> Option<Propagation> {
    match word {
        "rprivate" => Some(Propagation::Private),
        "rslave" => Some(Propagation::Slave),
        _ => None,
    }
}

fn directory(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    make_directories(root, path, Resolve::InRoot, Mode::from_bits_truncate(0o755))
}

/// As [`directory`], and no link: what hides and protects parts of such a mount goes by its path (CVE-2019-19921).
fn plain_directory(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    drop(directory(root, path)?);
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW;
    open_at(root, path, Resolve::InRoot, flags)
}

/// Opens something to mount a file on, made if there is nothing.
fn file(root: BorrowedFd<'_>, path: &Path) -> io::Result<OwnedFd> {
    match open_at(root, path, Resolve::InRoot, OFlag::O_PATH) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    if let Some(parent) = path.parent() {
        directory(root, parent)?;
    }
    create_file(root, path, Resolve::InRoot, Mode::from_bits_truncate(0o644))?;
    open_at(root, path, Resolve::InRoot, OFlag::O_PATH)
}

/// Makes the device files and links of a container, unless its `/dev` is a directory that is bound there.
///
/// The file mode mask must be empty.
pub(super) fn make_devices(spec: &Spec, root: BorrowedFd<'_>) -> Result<(), CreateError> {
    let path = Path::new("/dev");
    let mut mounts = spec.mounts().iter().flatten();
    let is_bound =
        mounts.any(|mount| mount.destination() == path && mount.typ().as_deref() == Some("bind"));
    if is_bound {
        return Ok(());
    }
    let make = || -> io::Result<()> {
        let dev = directory(root, path)?;
        let linux = spec.linux().as_ref();
        for device in linux.iter().filter_map(|l| l.devices().as_ref()).flatten() {
            make_device(device, root)?;
        }
        for (name, major, minor) in DEVICES {
            let number = makedev(major, minor);
            unless_there(mknodat(&dev, name, SFlag::S_IFCHR, DEVICE_MODE, number))?;
        }
        let has_core = Path::new("/proc/kcore").exists();
        for (target, name) in LINKS.iter().filter(|(_, name)| *name != "core" || has_core) {
            unless_there(symlinkat(*target, &dev, *name))?;
        }
        Ok(())
    };
    make().map_err(|error| CreateError::io(Step::Devices, path, &error))
}

fn make_device(device: &LinuxDevice, root: BorrowedFd<'_>) -> io::Result<()> {
    let kind = match device.typ() {
        LinuxDeviceType::B => SFlag::S_IFBLK,
        LinuxDeviceType::P => SFlag::S_IFIFO,
        LinuxDeviceType::A | LinuxDeviceType::C | LinuxDeviceType::U => SFlag::S_IFCHR,
    };
    let path = device.path();
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let parent = directory(root, parent)?;
    let mode = device
        .file_mode()
        .map_or(DEVICE_MODE, Mode::from_bits_truncate);
    let number = |part: i64| u64::try_from(part).map_err(io::Error::other);
    let number = makedev(number(device.major())?, number(device.minor())?);
    match mknodat(&parent, name, kind, mode, number) {
        Ok(()) => {}
        // A mount has its place.
        Err(Errno::EEXIST) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    }
    let (uid, gid) = (
        device.uid().map(Uid::from_raw),
        device.gid().map(Gid::from_raw),
    );
    let flags = FchownatFlags::AT_SYMLINK_NOFOLLOW;
    Ok(fchownat(&parent, name, uid, gid, flags)?)
}

fn unless_there(made: nix::Result<()>) -> io::Result<()> {
    match made {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens the device that swallows everything: the container's own, or the host's where it has none.
pub(super) fn null_device(root: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    let is_null = |found: &OwnedFd| {
        let found = fstat(found)?;
        nix::Result::Ok(is_a(&found, SFlag::S_IFCHR) && found.st_rdev == makedev(1, 3))
    };
    // One that is something else was put there to be mounted where it does harm (CVE-2025-31133).
    let own = open_at(root, Path::new("/dev/null"), Resolve::InRoot, OFlag::O_PATH);
    match own {
        Ok(own) if is_null(&own)? => Ok(own),
        _ => {
            let flags = OFlag::O_PATH | OFlag::O_CLOEXEC;
            Ok(nix::fcntl::open("/dev/null", flags, Mode::empty())?)
        }
    }
}

fn is_a(found: &FileStat, kind: SFlag) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == kind
}

/// Makes read-only what the spec says, and hides what it masks: a file behind the null device, a directory behind an
/// empty one.
pub(super) fn protect(
    spec: &Spec,
    root: BorrowedFd<'_>,
    null: BorrowedFd<'_>,
) -> Result<(), CreateError> {
    let linux = spec.linux().as_ref();
    let failed =
        |path| move |error: io::Error| CreateError::io(Step::Mounts, Path::new(path), &error);
    let read_only = linux.and_then(|linux| linux.readonly_paths().as_ref());
    for path in read_only.into_iter().flatten() {
        make_read_only(root, Path::new(path)).map_err(failed(path))?;
    }
    let mut covers = Covers {
        null,
        nothing: None,
    };
    let masked = linux.and_then(|linux| linux.masked_paths().as_ref());
    for path in masked.into_iter().flatten() {
        covers.hide(root, Path::new(path)).map_err(failed(path))?;
    }
    Ok(())
}

/// What lies over what is hidden.
struct Covers<'a> {
    null: BorrowedFd<'a>,
    /// An empty directory, once there is one: a file system of its own for each would cost ten times as much.
    nothing: Option<OwnedFd>,
}

impl Covers<'_> {
    fn hide(&mut self, root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
        let Some(found) = find(root, path)? else {
            return Ok(());
        };
        let is_directory = is_a(&fstat(&found)?, SFlag::S_IFDIR);
        let cover = match &self.nothing {
            _ if !is_directory => self.null,
            Some(nothing) => nothing.as_fd(),
            None => {
                let options = MountOptions::parse("ro");
                let place = descriptor_path(found.as_fd());
                mount_filesystem(Path::new("tmpfs"), Path::new(&place), "tmpfs", &options)
                    .map_err(io::Error::other)?;
                self.nothing = find(root, path)?;
                return Ok(());
            }
        };
        let tree = clone_tree(Path::new(&descriptor_path(cover)), Depth::One)?;
        attach_at(tree.as_fd(), found.as_fd())
    }
}

fn make_read_only(root: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let Some(found) = find(root, path)? else {
        return Ok(());
    };
    let tree = clone_tree(Path::new(&descriptor_path(found.as_fd())), Depth::Tree)?;
    restrict(tree.as_fd(), READ_ONLY, Depth::One)?;
    attach_at(tree.as_fd(), found.as_fd())
}

/// Opens a path of the root; nothing if there is none.
fn find(root: BorrowedFd<'_>, path: &Path) -> io::Result<Option<OwnedFd>> {
    match open_at(root, path, Resolve::InRoot, OFlag::O_PATH) {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory].contains(&error.kind()) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Gives the terminal of a container's program the name that it is looked for by.
pub(super) fn mount_console(slave: &OwnedFd, root: BorrowedFd<'_>) -> io::Result<()> {
    // Something that is there is not opened for real: it could be anything (CVE-2025-52565).
    let place = file(root, Path::new("/dev/console"))?;
    let tree = clone_tree(Path::new(&descriptor_path(slave.as_fd())), Depth::One)?;
    attach_at(tree.as_fd(), place.as_fd())
}
