//! Overlay file systems, without a path ever pasted into an option string.
//!
//! The layers are named by `/proc/self/fd/N`: such a name is short, so that 128 layers fit the
//! one page `mount(2)` takes, and holds no `:`, `,` or `\` that would need escapes.
//! (`fsconfig(2)` would take the layers one by one, but only since Linux 6.5.)

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use nix::mount::{MsFlags, mount};

use super::mount::{Depth, bind, remount_bind};
use super::path::{descriptor_path, open_root};

/// What `mount(2)` takes as options: one page, with its final NUL, on the smallest page size.
const OPTIONS_LIMIT: usize = 4096;

/// The writable part of an overlay: both directories on one file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// Holds what is changed.
    pub upper: PathBuf,
    /// An empty directory for the kernel's own use.
    pub work: PathBuf,
}

/// An overlay file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// The read-only layers, the top one first; at least one.
    pub lower: Vec<PathBuf>,
    /// Without it the mount is read-only.
    pub writable: Option<Writable>,
}

/// Mounts an overlay at `target`.
///
/// # Errors
/// Names the directory that cannot be opened; else what `mount(2)` says. More layers than
/// fit a page of options (about 180) are `ArgumentListTooLong`.
pub fn mount_overlay(overlay: &Overlay, target: &Path) -> io::Result<()> {
    if let ([lower], None) = (overlay.lower.as_slice(), &overlay.writable) {
        // The kernel refuses an overlay of a single layer.
        bind(lower, target, Depth::One).map_err(io::Error::other)?;
        return remount_bind(target, MsFlags::MS_RDONLY).map_err(io::Error::other);
    }
    let lower = open_all(&overlay.lower)?;
    let names: Vec<String> = lower.iter().map(|fd| descriptor_path(fd.as_fd())).collect();
    let mut options = format!("lowerdir={}", names.join(":"));
    let writable = match &overlay.writable {
        Some(writable) => open_all([&writable.upper, &writable.work])?,
        None => Vec::new(),
    };
    for (key, fd) in ["upperdir", "workdir"].iter().zip(&writable) {
        options.push_str(&format!(",{key}={}", descriptor_path(fd.as_fd())));
    }
    if options.len() >= OPTIONS_LIMIT {
        return Err(io::ErrorKind::ArgumentListTooLong.into());
    }
    Ok(mount(
        Some("overlay"),
        target,
        Some("overlay"),
        MsFlags::empty(),
        Some(options.as_str()),
    )?)
}

fn open_all<'a>(paths: impl IntoIterator<Item = &'a PathBuf>) -> io::Result<Vec<OwnedFd>> {
    paths
        .into_iter()
        .map(|path| {
            open_root(path).map_err(|error| {
                io::Error::new(
                    error.kind(),
                    format!("opening `{}`: {error}", path.display()),
                )
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::for_tests::in_mount_namespace;
    use crate::sys::mount::unmount;
    use std::fs;

    #[test]
    fn an_overlay_takes_128_layers_of_any_name() {
        in_mount_namespace(|dir| {
            let mut lower = Vec::new();
            for number in 0..128 {
                let layer = dir.join(format!("a,b:c\\{}{number}", "long".repeat(50)));
                fs::create_dir(&layer).unwrap();
                fs::write(layer.join("top"), number.to_string()).unwrap();
                fs::write(layer.join(format!("f{number}")), "").unwrap();
                lower.push(layer);
            }
            let writable = Writable {
                upper: dir.join("upper"),
                work: dir.join("work"),
            };
            let target = dir.join("target");
            for made in [&writable.upper, &writable.work, &target] {
                fs::create_dir(made).unwrap();
            }
            let overlay = Overlay {
                lower,
                writable: Some(writable),
            };
            mount_overlay(&overlay, &target).unwrap();
            assert_eq!(fs::read_to_string(target.join("top")).unwrap(), "0");
            assert!(target.join("f127").exists());
            fs::write(target.join("new"), "x").unwrap();
            assert!(dir.join("upper/new").exists());
            unmount(&target).unwrap();
            assert!(!target.join("top").exists());
        });
    }

    #[test]
    fn a_bind_of_one_layer_is_read_only() {
        in_mount_namespace(|dir| {
            let (layer, target) = (dir.join("layer"), dir.join("target"));
            fs::create_dir(&layer).unwrap();
            fs::create_dir(&target).unwrap();
            let overlay = Overlay {
                lower: vec![layer],
                writable: None,
            };
            mount_overlay(&overlay, &target).unwrap();
            let error = fs::write(target.join("x"), "").unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
        });
    }
}
