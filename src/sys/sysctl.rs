//! Kernel settings below `/proc/sys` and the host name, both of the calling thread's namespaces.
//!
//! `/proc/sys/net` and the IPC settings show the namespaces of the thread that opens the file, so
//! settings of another namespace are written on a thread that has entered it
//! ([`in_namespaces`](super::namespace::in_namespaces)).

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// What went wrong with a kernel setting.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// The name cannot be a setting's.
    #[error("`{name}` is not the name of a kernel setting")]
    Name {
        /// The name.
        name: String,
    },
    /// The kernel does not have or did not take the setting.
    #[error("setting `{name}` to `{value}`")]
    Write {
        /// The setting.
        name: String,
        /// The value.
        value: String,
        /// Why.
        source: io::Error,
    },
    /// The setting cannot be read.
    #[error("reading `{name}`")]
    Read {
        /// The setting.
        name: String,
        /// Why.
        source: io::Error,
    },
    /// The kernel did not take the host name.
    #[error("setting the host name `{name}`")]
    Hostname {
        /// The name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl SysctlError {
    /// Tells whether this kernel has no such setting.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Write { source, .. } | Self::Read { source, .. }
            if source.kind() == io::ErrorKind::NotFound)
    }
}

/// Writes a setting, named with dots or slashes as `sysctl(8)` takes it.
///
/// # Errors
/// The name is malformed, or the kernel refuses.
pub fn write_sysctl(name: &str, value: &str) -> Result<(), SysctlError> {
    let path = path_of(name)?;
    OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|mut file| file.write_all(value.as_bytes()))
        .map_err(|source| SysctlError::Write {
            name: name.to_owned(),
            value: value.to_owned(),
            source,
        })
}

/// Reads a setting without its final newline.
///
/// # Errors
/// The name is malformed, or the kernel has no such setting.
pub fn read_sysctl(name: &str) -> Result<String, SysctlError> {
    std::fs::read_to_string(path_of(name)?)
        .map(|text| text.trim_end().to_owned())
        .map_err(|source| SysctlError::Read {
            name: name.to_owned(),
            source,
        })
}

/// Sets a setting that must have this value and says whether it had to be changed.
///
/// # Errors
/// As [`write_sysctl`].
pub fn ensure_sysctl(name: &str, value: &str) -> Result<bool, SysctlError> {
    if read_sysctl(name)? == value {
        return Ok(false);
    }
    write_sysctl(name, value).map(|()| true)
}

/// Sets the host name of the calling thread's UTS namespace.
///
/// # Errors
/// The name has more than 64 bytes, or the thread may not.
pub fn set_hostname(name: &str) -> Result<(), SysctlError> {
    nix::unistd::sethostname(name).map_err(|errno| SysctlError::Hostname {
        name: name.to_owned(),
        source: errno.into(),
    })
}

/// Returns the file of a setting.
///
/// The first separator decides which character separates; the other one belongs to the names, so
/// that `net/ipv4/conf/eth0.100/forwarding` can be said (`sysctl.d(5)`).
fn path_of(name: &str) -> Result<PathBuf, SysctlError> {
    let parts: Vec<String> = match name.find(['.', '/']) {
        Some(at) if name[at..].starts_with('/') => name.split('/').map(str::to_owned).collect(),
        _ => name.split('.').map(|part| part.replace('/', ".")).collect(),
    };
    let well_formed = parts
        .iter()
        .all(|part| !part.is_empty() && part != "." && part != ".." && !part.contains(['/', '\0']));
    if !well_formed {
        return Err(SysctlError::Name {
            name: name.to_owned(),
        });
    }
    Ok(parts
        .iter()
        .fold(Path::new("/proc/sys").to_owned(), |path, part| {
            path.join(part)
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_separator_separates() {
        for (name, path) in [
            ("net.ipv4.ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            ("net/ipv4/ip_forward", "/proc/sys/net/ipv4/ip_forward"),
            (
                "net/ipv4/conf/eth0.1/forwarding",
                "/proc/sys/net/ipv4/conf/eth0.1/forwarding",
            ),
            (
                "net.ipv4.conf.eth0/1.forwarding",
                "/proc/sys/net/ipv4/conf/eth0.1/forwarding",
            ),
        ] {
            assert_eq!(path_of(name).expect("path"), Path::new(path));
        }
    }

    #[test]
    fn a_name_never_leaves_proc_sys() {
        for name in [
            "",
            "../kmsg",
            "net/../../kmsg",
            "/etc/passwd",
            "a..b",
            "net//x",
            ".",
        ] {
            assert!(path_of(name).is_err(), "{name}");
        }
    }
}
