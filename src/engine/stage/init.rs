//! A stage that turns into its container's first process.
//!
//! It has been the first one of a new PID namespace since it was executed, so that nobody in the container ever saw it;
//! only where the namespace is another's does a copy of it take its place there.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::fchown;
use std::path::Path;

use nix::fcntl::OFlag;
use nix::mount::MsFlags;
use nix::sys::prctl;
use nix::sys::stat::{Mode, umask};
use oci_spec::runtime::{LinuxNamespaceType, Spec};

use super::cgroup::{entrance, limit};
use super::create::open_rootfs;
use super::error::{CreateError, Step};
use super::infra;
use super::program::{execute, words};
use super::report::{Report, Word};
use super::root::{make_devices, mount_all, mount_console, null_device, protect};
use crate::engine::confine::{Confinement, Identity, become_member, process};
use crate::engine::filter::Filter;
use crate::engine::launch::{Launch, LaunchProgram};
use crate::fault;
use crate::sys::cgroup::Entrance;
use crate::sys::descriptor::close_with_exec;
use crate::sys::mount::{Depth, Propagation, set_propagation};
use crate::sys::namespace::{Namespace, NamespaceKind, unshare_own};
use crate::sys::path::reopen;
use crate::sys::process::{Birthplace, SingleThreaded, die_with_parent, outlive_parent};
use crate::sys::terminal::{PTMX, Pty, open_pty, take_over};
use crate::sys::tree::{change_root, restrict};

/// What is at hand outside of the container and not within.
struct Luggage {
    namespaces: Namespaces,
    entrance: Entrance,
    confinement: Confinement,
    root: OwnedFd,
}

/// The namespaces of a container, but for the mount namespace that the stage made and a PID namespace that began with it.
#[derive(Default)]
struct Namespaces {
    joined: Vec<Namespace>,
    pid: Option<Namespace>,
    /// Whether it has a view of cgroups of its own.
    hides_cgroups: bool,
}

impl Namespaces {
    fn of(launch: &Launch) -> Result<Self, CreateError> {
        let linux = launch.spec.linux().as_ref();
        let wanted = linux.and_then(|linux| linux.namespaces().as_ref());
        let open = |kind, path: &Path| {
            Namespace::open(kind, path).map_err(|error| CreateError::caused(Step::Join, &error))
        };
        let mut found = Self::default();
        for namespace in wanted.into_iter().flatten() {
            let mut join = |kind, path| -> Result<(), CreateError> {
                found.joined.push(open(kind, path)?);
                Ok(())
            };
            match (namespace.typ(), namespace.path()) {
                (LinuxNamespaceType::Mount | LinuxNamespaceType::Pid, None) => {}
                (LinuxNamespaceType::Cgroup, None) => found.hides_cgroups = true,
                (LinuxNamespaceType::Pid, Some(path)) => {
                    found.pid = Some(open(NamespaceKind::Pid, path)?);
                }
                (LinuxNamespaceType::Network, Some(path)) => join(NamespaceKind::Net, path)?,
                (LinuxNamespaceType::Ipc, Some(path)) => join(NamespaceKind::Ipc, path)?,
                (LinuxNamespaceType::Uts, Some(path)) => join(NamespaceKind::Uts, path)?,
                (kind, _) => {
                    let message = format!("a namespace of the kind {kind} is not to be had so");
                    return Err(CreateError::new(Step::Join, message));
                }
            }
        }
        Ok(found)
    }
}

impl Luggage {
    fn pack(launch: &Launch, filter: Option<Filter>) -> Result<Self, CreateError> {
        limit(launch)?;
        Ok(Self {
            namespaces: Namespaces::of(launch)?,
            entrance: entrance(launch)?,
            confinement: Confinement::of(&launch.spec, filter)?,
            root: open_rootfs(launch)?,
        })
    }
}

fn join_failed(error: &dyn std::error::Error) -> CreateError {
    CreateError::caused(Step::Join, error)
}

/// Becomes the container's first process; returns only where a copy of this one does instead.
///
/// # Errors
/// Why it cannot.
pub(super) fn become_init(
    launch: &Launch,
    filter: Option<Filter>,
    report: &mut Report,
) -> Result<(), CreateError> {
    let luggage = Luggage::pack(launch, filter)?;
    // From here on the container's own processes could look at this one (CVE-2016-9962).
    prctl::set_dumpable(false).map_err(|errno| join_failed(&errno))?;
    for namespace in &luggage.namespaces.joined {
        namespace.enter().map_err(|error| join_failed(&error))?;
    }
    if let Some(namespace) = &luggage.namespaces.pid {
        if let Some(pid) = fork_into(namespace)? {
            return report.say(&Word::Successor { pid }, None);
        }
        // Whoever ended before the copy was bound to it is not noticed any more.
        if report.has_hung_up() {
            return Err(CreateError::new(Step::Stage, "nobody waits for it"));
        }
    }
    move_in(launch, luggage, report)?;
    Err(settle(launch))
}

/// Copies this process into a PID namespace; returns the copy's pid, and nothing in the copy.
fn fork_into(namespace: &Namespace) -> Result<Option<i32>, CreateError> {
    let single = SingleThreaded::prove().map_err(|error| join_failed(&error))?;
    namespace.enter().map_err(|error| join_failed(&error))?;
    let copy = single.fork_sibling(Birthplace::OfChildren);
    let copy = copy.map_err(|error| join_failed(&error))?;
    if copy.is_none() {
        die_with_parent().map_err(|error| join_failed(&error))?;
    }
    Ok(copy)
}

/// Furnishes the container from within its namespaces, and makes this process one of its own.
fn move_in(launch: &Launch, luggage: Luggage, report: &mut Report) -> Result<(), CreateError> {
    let Luggage {
        namespaces,
        entrance,
        confinement,
        root,
    } = luggage;
    let hides_cgroups = namespaces.hides_cgroups;
    drop(namespaces);
    let enter_cgroup = || {
        let entered = entrance.enter();
        entered.map_err(|error| CreateError::caused(Step::Cgroup, &error))
    };
    if hides_cgroups {
        // The one that it is in then is the root of all that it sees.
        enter_cgroup()?;
        unshare_own(NamespaceKind::Cgroup).map_err(|error| join_failed(&error))?;
    }
    nix::unistd::setsid().map_err(|errno| join_failed(&errno))?;
    let process = process(&launch.spec)?;
    let identity = Identity::of_container(process, &confinement);
    let null = furnish(launch, &root)?;
    let terminal = take_streams(launch, identity.uid, root.as_fd(), null.as_fd())?;
    enter_root(&launch.spec, root)?;
    become_member(process, process.cwd(), &identity, confinement, || {
        fault::point("with a container that waits for its start");
        report.await_start()?;
        if !hides_cgroups {
            // As late as can be: what this process uses counts as the container's from here on.
            enter_cgroup()?;
        }
        outlive_parent().map_err(|error| CreateError::caused(Step::Confine, &error))?;
        report.say(&Word::Started, terminal.as_ref().map(|fd| fd.as_fd()))
    })
}

/// Puts everything in its place below the root, and returns the null device to be found there.
fn furnish(launch: &Launch, root: &OwnedFd) -> Result<OwnedFd, CreateError> {
    let spec = &launch.spec;
    // What is made has the permissions that are named.
    umask(Mode::empty());
    mount_all(spec, &launch.sources, root.as_fd())?;
    make_devices(spec, root.as_fd())?;
    let null = null_device(root.as_fd())
        .map_err(|error| CreateError::io(Step::Devices, Path::new("/dev/null"), &error))?;
    let of_root = spec.root().as_ref();
    if of_root.is_some_and(|root| root.readonly() == Some(true)) {
        restrict(root.as_fd(), MsFlags::MS_RDONLY, Depth::One)
            .map_err(|error| CreateError::io(Step::RootFs, Path::new("/"), &error))?;
    }
    protect(spec, root.as_fd(), null.as_fd())?;
    Ok(null)
}

/// Gives the program a terminal of the container's own, if it is to have one, and returns its master; else a null device
/// of the container's instead of the host's, where that is its input.
fn take_streams(
    launch: &Launch,
    uid: u32,
    root: BorrowedFd<'_>,
    null: BorrowedFd<'_>,
) -> Result<Option<OwnedFd>, CreateError> {
    if launch.has_terminal() {
        let make = || -> io::Result<OwnedFd> {
            let Pty { master, slave } = open_pty(root)?;
            fchown(&slave, Some(uid), None)?;
            mount_console(&slave, root)?;
            take_over(&slave)?;
            Ok(master)
        };
        let made = make().map(Some);
        return made.map_err(|error| CreateError::io(Step::Streams, Path::new(PTMX), &error));
    }
    if !launch.open_stdin {
        let take = || -> io::Result<()> {
            let stdin = reopen(null, OFlag::O_RDONLY)?;
            Ok(nix::unistd::dup2_stdin(&stdin)?)
        };
        take().map_err(|error| CreateError::io(Step::Streams, Path::new("/dev/null"), &error))?;
    }
    Ok(None)
}

/// Leaves the host's file systems for the container's.
fn enter_root(spec: &Spec, root: OwnedFd) -> Result<(), CreateError> {
    let enter = || -> io::Result<()> {
        change_root(root.as_fd())?;
        let linux = spec.linux().as_ref();
        if linux.is_some_and(|linux| linux.rootfs_propagation().as_deref() == Some("shared")) {
            set_propagation(Path::new("/"), Propagation::Shared, Depth::One)
                .map_err(io::Error::other)?;
        }
        // All are made so; a program that found one would be out of its root.
        close_with_exec(3)
    };
    enter().map_err(|error| CreateError::io(Step::RootFs, Path::new("/"), &error))
}

/// Becomes the program that the container is for; returns only why it cannot.
fn settle(launch: &Launch) -> CreateError {
    match launch.program {
        LaunchProgram::Infra => infra::run(),
        LaunchProgram::OfSpec => {
            let (args, env) = words(&launch.spec);
            execute(&args, &env)
        }
    }
}
