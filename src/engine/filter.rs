//! A container's filter of system calls, compiled once for all containers that have the same profile.
//!
//! Compiling the default profile takes 3 ms, as much as all other system calls of a start together; few profiles
//! are in use at a time. What was compiled lies in the runroot, by the digest of what it was compiled from, and
//! has its own digest behind it, so that a file that a loss of power tore is made again.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use libseccomp::error::SeccompError;
use libseccomp::{ScmpAction, ScmpArgCompare, ScmpCompareOp, ScmpFilterContext, ScmpSyscall};
use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::unistd::linkat;
use oci_spec::runtime::{
    LinuxSeccomp, LinuxSeccompAction, LinuxSeccompArg, LinuxSeccompOperator, LinuxSyscall,
};
use sha2::{Digest as _, Sha256};

use crate::names::hex;
use crate::sys::memfd;
use crate::sys::mount::ensure_dir;
use crate::sys::path::descriptor_path;
use crate::sys::seccomp::load_filter;

/// A filter that could not be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum FilterError {
    #[error("compiling the seccomp profile")]
    Compile(#[from] SeccompError),
    #[error("reading the compiled seccomp profile")]
    Export(#[source] io::Error),
    #[error("the seccomp profile asks for {0}, which there is not")]
    Unknown(&'static str),
    #[error("loading the filter of system calls")]
    Load(#[source] io::Error),
}

/// The length of a digest.
const DIGEST: usize = 32;

/// A program for the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Filter(Vec<u8>);

impl Filter {
    /// Returns the filter of a profile, compiled now or before.
    ///
    /// # Errors
    /// It cannot be compiled.
    pub(super) fn of(profile: &LinuxSeccomp, kept: &Path) -> Result<Self, FilterError> {
        let path = kept.join(name_of(profile));
        if let Some(filter) = fs::read(&path).ok().and_then(Self::from_kept) {
            return Ok(filter);
        }
        let filter = export(&compile(profile)?).map_err(FilterError::Export)?;
        // What cannot be kept is compiled again.
        let _ = filter.keep(&path);
        Ok(filter)
    }

    /// Puts the filter at a path, at once and as a whole: a process that is killed on the way leaves nothing.
    fn keep(&self, path: &Path) -> io::Result<()> {
        let directory = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        ensure_dir(directory, 0o700)?;
        let mut file = File::options()
            .write(true)
            .mode(0o600)
            .custom_flags(nix::libc::O_TMPFILE)
            .open(directory)?;
        file.write_all(&self.0)?;
        file.write_all(&Sha256::digest(&self.0))?;
        // One that is there is torn, or of somebody who was faster and made the same.
        let _ = fs::remove_file(path);
        let unnamed = descriptor_path(file.as_fd());
        let follow = AtFlags::AT_SYMLINK_FOLLOW;
        Ok(linkat(AT_FDCWD, unnamed.as_str(), AT_FDCWD, path, follow)?)
    }

    fn from_kept(mut bytes: Vec<u8>) -> Option<Self> {
        let digest = bytes.split_off(bytes.len().checked_sub(DIGEST)?);
        (!bytes.is_empty() && Sha256::digest(&bytes)[..] == digest[..]).then_some(Self(bytes))
    }

    /// Filters what this process does from now on.
    ///
    /// # Errors
    /// The kernel refuses.
    pub(super) fn load(&self) -> Result<(), FilterError> {
        load_filter(&self.0).map_err(FilterError::Load)
    }
}

/// Names a profile by its content and by what compiles it.
fn name_of(profile: &LinuxSeccomp) -> String {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update(serde_json::to_vec(profile).expect("a profile is plain data"));
    hex(&digest.finalize())
}

fn export(compiled: &ScmpFilterContext) -> io::Result<Filter> {
    let mut file = memfd::scratch("filter")?;
    compiled.export_bpf(&file).map_err(io::Error::other)?;
    file.seek(SeekFrom::Start(0))?;
    let mut program = Vec::new();
    file.read_to_end(&mut program)?;
    Ok(Filter(program))
}

fn compile(profile: &LinuxSeccomp) -> Result<ScmpFilterContext, FilterError> {
    if profile.architectures().is_some() || profile.flags().is_some() {
        return Err(FilterError::Unknown("architectures or flags"));
    }
    let default = action(profile.default_action(), profile.default_errno_ret())?;
    let mut context = ScmpFilterContext::new(default)?;
    for rule in profile.syscalls().iter().flatten() {
        let action = action(rule.action(), rule.errno_ret())?;
        // The library refuses a rule that says nothing new.
        if action != default {
            add(&mut context, action, rule)?;
        }
    }
    Ok(context)
}

fn add(
    context: &mut ScmpFilterContext,
    action: ScmpAction,
    rule: &LinuxSyscall,
) -> Result<(), FilterError> {
    let arguments: Vec<ScmpArgCompare> = rule.args().iter().flatten().map(comparison).collect();
    // An argument is compared once a rule: what compares it twice is two rules, as runc has it.
    let mut compared: Vec<usize> = rule
        .args()
        .iter()
        .flatten()
        .map(|arg| arg.index())
        .collect();
    compared.sort_unstable();
    compared.dedup();
    let together = if compared.len() == arguments.len() {
        arguments.len()
    } else {
        1
    };
    // A call that this machine does not have needs no rule.
    let calls = rule.names().iter();
    for call in calls.filter_map(|name| ScmpSyscall::from_name(name).ok()) {
        if arguments.is_empty() {
            context.add_rule(action, call)?;
        }
        for arguments in arguments.chunks(together.max(1)) {
            context.add_rule_conditional(action, call, arguments)?;
        }
    }
    Ok(())
}

fn action(action: LinuxSeccompAction, errno: Option<u32>) -> Result<ScmpAction, FilterError> {
    const EPERM: u32 = 1;
    let number = errno.unwrap_or(EPERM);
    let unknown = |_| FilterError::Unknown("an error number that is none");
    Ok(match action {
        LinuxSeccompAction::ScmpActKill | LinuxSeccompAction::ScmpActKillThread => {
            ScmpAction::KillThread
        }
        LinuxSeccompAction::ScmpActKillProcess => ScmpAction::KillProcess,
        LinuxSeccompAction::ScmpActTrap => ScmpAction::Trap,
        LinuxSeccompAction::ScmpActErrno => {
            ScmpAction::Errno(i32::try_from(number).map_err(unknown)?)
        }
        LinuxSeccompAction::ScmpActTrace => {
            ScmpAction::Trace(u16::try_from(number).map_err(unknown)?)
        }
        LinuxSeccompAction::ScmpActLog => ScmpAction::Log,
        LinuxSeccompAction::ScmpActAllow => ScmpAction::Allow,
        LinuxSeccompAction::ScmpActNotify => return Err(FilterError::Unknown("a listener")),
    })
}

fn comparison(argument: &LinuxSeccompArg) -> ScmpArgCompare {
    let (value, second) = (argument.value(), argument.value_two().unwrap_or(0));
    let (operator, datum) = match argument.op() {
        LinuxSeccompOperator::ScmpCmpNe => (ScmpCompareOp::NotEqual, value),
        LinuxSeccompOperator::ScmpCmpLt => (ScmpCompareOp::Less, value),
        LinuxSeccompOperator::ScmpCmpLe => (ScmpCompareOp::LessOrEqual, value),
        LinuxSeccompOperator::ScmpCmpEq => (ScmpCompareOp::Equal, value),
        LinuxSeccompOperator::ScmpCmpGe => (ScmpCompareOp::GreaterEqual, value),
        LinuxSeccompOperator::ScmpCmpGt => (ScmpCompareOp::Greater, value),
        // The first value is the mask, as runc and Docker's profile have it.
        LinuxSeccompOperator::ScmpCmpMaskedEq => (ScmpCompareOp::MaskedEqual(value), second),
    };
    let index = u32::try_from(argument.index()).unwrap_or(u32::MAX);
    ScmpArgCompare::new(index, operator, datum)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(rules: &str) -> LinuxSeccomp {
        let text = format!(
            r#"{{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{{"names": ["lseek"],
                "action": "SCMP_ACT_ERRNO", "errnoRet": 5, "args": [{rules}]}}]}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    /// Returns to which of these places a thread can move in a file that has this profile.
    fn reached(profile: &LinuxSeccomp, kept: &Path, places: &[u64]) -> Vec<bool> {
        let filter = Filter::of(profile, kept).unwrap();
        let work = || {
            let mut file = tempfile::tempfile().unwrap();
            filter.load().unwrap();
            let mut reach = |place: &u64| match file.seek(SeekFrom::Start(*place)) {
                Ok(_) => true,
                Err(error) => {
                    assert_eq!(error.raw_os_error(), Some(5));
                    false
                }
            };
            places.iter().map(&mut reach).collect()
        };
        // A filter is the thread's own.
        std::thread::scope(|scope| scope.spawn(work).join().unwrap())
    }

    #[test]
    fn arguments_are_compared_as_the_profile_says() {
        if !nix::unistd::geteuid().is_root() {
            eprintln!("skipped: lacks root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let reach = |rules: &str| reached(&profile(rules), dir.path(), &[8, 9, 264]);
        let equal = r#"{"index": 1, "value": 8, "op": "SCMP_CMP_EQ"}"#;
        assert_eq!(reach(equal), [false, true, true]);
        let masked = r#"{"index": 1, "value": 255, "valueTwo": 8, "op": "SCMP_CMP_MASKED_EQ"}"#;
        assert_eq!(reach(masked), [false, true, false]);
        let more = r#"{"index": 1, "value": 9, "op": "SCMP_CMP_GT"}"#;
        assert_eq!(reach(&format!("{equal}, {more}")), [false, true, false]);
        let elsewhere = r#"{"index": 2, "value": 7, "op": "SCMP_CMP_EQ"}"#;
        assert_eq!(reach(&format!("{equal}, {elsewhere}")), [true, true, true]);
    }

    #[test]
    fn a_filter_is_compiled_once_and_again_when_its_file_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        let profile = profile("");
        let path = dir.path().join(name_of(&profile));
        let made = Filter::of(&profile, dir.path()).unwrap();
        let kept = fs::read(&path).unwrap();
        assert_eq!(Filter::of(&profile, dir.path()).unwrap(), made);
        for torn in [&kept[..kept.len() / 2], b""] {
            fs::write(&path, torn).unwrap();
            assert_eq!(Filter::of(&profile, dir.path()).unwrap(), made);
            assert_eq!(fs::read(&path).unwrap(), kept);
        }
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
