//! The volumes of a pod: found, made, filled, and handed to its group.
//!
//! A projected volume lies in the pod's tmpfs and is switched over as a whole: a new directory is filled and
//! the `..data` link renamed onto it, as the kubelet's atomic writer does, so that a reader sees all of the
//! old or all of the new.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};
use std::path::{Component, Path, PathBuf};

use nix::fcntl::{AT_FDCWD, AtFlags};
use nix::mount::MsFlags;
use nix::unistd::{Gid, fchownat};

use super::facts::{FactError, Facts};
use super::named;
use super::objects::{ObjectKind, Values};
use super::paths::{Paths, PodPaths};
use crate::fault;
use crate::model::container::ContainerSpec;
use crate::model::infra::FsGroupChange;
use crate::model::observed::VolumeRecord;
use crate::model::volume::{
    DownwardValue, FileMode, HostPathKind, KeyProjection, Medium, ProjectedSource, VolumeSpec,
};
use crate::names::{ImageId, VolumeName};
use crate::sys::mount::{self, MountError};
use crate::sys::overlay::{Overlay, mount_overlay};

/// A volume that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum VolumeError {
    #[error("the host path {} does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("the host path {} is not a {wanted}", path.display())]
    Kind { path: PathBuf, wanted: &'static str },
    #[error("using {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Mount(#[from] MountError),
    #[error(transparent)]
    Fact(#[from] FactError),
    #[error("`{path}` is not a path inside the volume")]
    Path { path: String },
    #[error("a service account token cannot be had without a cluster")]
    Token,
    #[error("the image of the volume is gone")]
    NoImage,
}

/// Where the volumes of a pod are on the host.
pub type Places = BTreeMap<VolumeName, PathBuf>;

/// The directories of images, the top layer of each first.
pub type Layers = BTreeMap<ImageId, Vec<PathBuf>>;

/// What is here to make volumes of.
#[derive(Debug)]
pub struct Stock<'a> {
    pub named: &'a [VolumeRecord],
    pub layers: &'a Layers,
}

/// Makes what is missing of a pod's volumes and returns where they are.
///
/// # Errors
/// The first volume that cannot be had.
pub fn prepare(
    paths: &Paths,
    facts: &Facts<'_>,
    stock: &Stock<'_>,
) -> Result<Places, (VolumeName, VolumeError)> {
    let spec = &facts.pod.spec;
    let mut places = Places::new();
    for (name, volume) in &spec.volumes {
        let place = prepare_one(paths, facts, stock, name, volume)
            .map_err(|error| (name.clone(), error))?;
        if let Some(group) = spec.infra.fs_group
            && !matches!(
                volume,
                VolumeSpec::HostPath { .. } | VolumeSpec::Image { .. }
            )
        {
            hand_over(&place, group, spec.infra.fs_group_change)
                .map_err(|error| (name.clone(), error))?;
        }
        places.insert(name.clone(), place);
    }
    Ok(places)
}

fn prepare_one(
    paths: &Paths,
    facts: &Facts<'_>,
    stock: &Stock<'_>,
    name: &VolumeName,
    volume: &VolumeSpec,
) -> Result<PathBuf, VolumeError> {
    let pod = paths.pod(&facts.pod.id);
    match volume {
        VolumeSpec::HostPath { path, kind } => {
            prepare_host_path(path, *kind)?;
            Ok(path.clone())
        }
        VolumeSpec::EmptyDir { medium, size_limit } => {
            prepare_empty_dir(&pod, name, *medium, size_limit.map(|limit| limit.0))
        }
        VolumeSpec::Projected {
            sources,
            default_mode,
            ..
        } => {
            let files = project(facts, sources, *default_mode)?;
            let place = pod.run_volume(name);
            write_atomically(&place, &files)?;
            Ok(place)
        }
        VolumeSpec::Claim { claim, .. } => {
            let data = paths.volume(claim);
            make_open_directory(&data, 0o755)?;
            let record = stock.named.iter().find(|record| &record.spec.name == claim);
            match record {
                Some(record) => named::place(&pod, data, &record.spec),
                None => Ok(data),
            }
        }
        VolumeSpec::Image { .. } => {
            let image = facts.pod.volume_images.get(name);
            let layers = image.and_then(|image| stock.layers.get(image));
            mount_image(&pod, name, layers.ok_or(VolumeError::NoImage)?)
        }
    }
}

/// Mounts an image as a whole, read-only (KEP-4639).
fn mount_image(
    pod: &PodPaths,
    name: &VolumeName,
    layers: &[PathBuf],
) -> Result<PathBuf, VolumeError> {
    let place = pod.run_volume(name);
    let failed = |source| VolumeError::Io {
        path: place.clone(),
        source,
    };
    make_open_directory(&place, 0o755)?;
    // Who made the directory may have been killed before there was a mount on it.
    if !mount::has_file_system(&place).map_err(failed)? {
        let overlay = Overlay {
            lower: layers.to_vec(),
            writable: None,
        };
        mount_overlay(&overlay, &place).map_err(failed)?;
    }
    Ok(place)
}

/// Checks a host path, and makes it where its type says so.
///
/// # Errors
/// It is missing, or something else than its type says.
pub fn prepare_host_path(path: &Path, kind: HostPathKind) -> Result<(), VolumeError> {
    let io_error = |source| VolumeError::Io {
        path: path.to_owned(),
        source,
    };
    match kind {
        HostPathKind::DirectoryOrCreate => {
            fs::create_dir_all(path).map_err(io_error)?;
        }
        HostPathKind::FileOrCreate if !path.exists() => {
            fs::File::create_new(path).map_err(io_error)?;
        }
        _ => {}
    }
    check_host_path(path, kind)
}

/// Checks that a host path is what its type says; one that will be made may be missing.
///
/// # Errors
/// It is missing, or something else than its type says.
pub fn check_host_path(path: &Path, kind: HostPathKind) -> Result<(), VolumeError> {
    let made_later = matches!(
        kind,
        HostPathKind::DirectoryOrCreate | HostPathKind::FileOrCreate
    );
    let found = match fs::metadata(path) {
        Ok(found) => found.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound && made_later => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(VolumeError::Missing {
                path: path.to_owned(),
            });
        }
        Err(source) => {
            return Err(VolumeError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let (fits, wanted) = match kind {
        HostPathKind::Any => (true, ""),
        HostPathKind::Directory | HostPathKind::DirectoryOrCreate => (found.is_dir(), "directory"),
        HostPathKind::File | HostPathKind::FileOrCreate => (found.is_file(), "file"),
        HostPathKind::Socket => (found.is_socket(), "socket"),
        HostPathKind::CharDevice => (found.is_char_device(), "character device"),
        HostPathKind::BlockDevice => (found.is_block_device(), "block device"),
    };
    if fits {
        Ok(())
    } else {
        Err(VolumeError::Kind {
            path: path.to_owned(),
            wanted,
        })
    }
}

fn prepare_empty_dir(
    pod: &PodPaths,
    name: &VolumeName,
    medium: Medium,
    size_limit: Option<u64>,
) -> Result<PathBuf, VolumeError> {
    match medium {
        Medium::Disk => {
            let place = pod.empty_dir(name);
            make_open_directory(&place, 0o777)?;
            Ok(place)
        }
        Medium::Memory => {
            let place = pod.run_volume(name);
            let failed = |source| VolumeError::Io {
                path: place.clone(),
                source,
            };
            make_open_directory(&place, 0o777)?;
            // Who made the directory may have been killed before there was a mount on it.
            if !mount::has_file_system(&place).map_err(failed)? {
                let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
                mount::mount_tmpfs(&place, 0o777, size_limit, flags)?;
            }
            Ok(place)
        }
    }
}

/// Makes a directory that containers see, with these permissions whatever the umask is.
fn make_open_directory(path: &Path, mode: u32) -> Result<(), VolumeError> {
    let make = || -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            mount::ensure_dir(parent, 0o700)?;
        }
        fs::create_dir(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
    };
    make().map_err(|source| VolumeError::Io {
        path: path.to_owned(),
        source,
    })
}

/// A file of a projected volume.
#[derive(Debug, PartialEq, Eq)]
struct ProjectedFile {
    mode: FileMode,
    content: Vec<u8>,
}

type Files = BTreeMap<String, ProjectedFile>;

fn project(
    facts: &Facts<'_>,
    sources: &[ProjectedSource],
    default_mode: FileMode,
) -> Result<Files, VolumeError> {
    let mut files = Files::new();
    for source in sources {
        match source {
            ProjectedSource::ConfigMap(keys) => {
                project_keys(&mut files, facts, ObjectKind::ConfigMap, keys, default_mode)?;
            }
            ProjectedSource::Secret(keys) => {
                project_keys(&mut files, facts, ObjectKind::Secret, keys, default_mode)?;
            }
            ProjectedSource::DownwardApi(items) => {
                let this = first_container(facts);
                for item in items {
                    let content = match (&item.value, this) {
                        (DownwardValue::Field(field), _) => facts.fact(field),
                        (DownwardValue::Resource(resource), Some(this)) => {
                            facts.amount(resource, this)?.to_string()
                        }
                        (DownwardValue::Resource(_), None) => String::new(),
                    };
                    let file = ProjectedFile {
                        mode: item.mode.unwrap_or(default_mode),
                        content: content.into_bytes(),
                    };
                    files.insert(item.path.clone(), file);
                }
            }
            ProjectedSource::ServiceAccountToken { .. } => return Err(VolumeError::Token),
        }
    }
    for path in files.keys() {
        if !is_inside(path) {
            return Err(VolumeError::Path { path: path.clone() });
        }
    }
    Ok(files)
}

/// A resource reference in a volume names its container; the API server sees to that.
fn first_container<'a>(facts: &Facts<'a>) -> Option<&'a ContainerSpec> {
    facts.pod.spec.containers.first()
}

fn project_keys(
    files: &mut Files,
    facts: &Facts<'_>,
    kind: ObjectKind,
    keys: &KeyProjection,
    default_mode: FileMode,
) -> Result<(), VolumeError> {
    let missing = || FactError::NoObject {
        kind,
        object: keys.object.clone(),
    };
    let empty = Values::new();
    let values = match facts.objects.get(kind, &keys.object) {
        Some(values) => values,
        None if keys.optional => &empty,
        None => return Err(missing().into()),
    };
    if keys.items.is_empty() {
        for (key, content) in values {
            let file = ProjectedFile {
                mode: default_mode,
                content: content.clone(),
            };
            files.insert(key.clone(), file);
        }
        return Ok(());
    }
    for item in &keys.items {
        match values.get(&item.key) {
            Some(content) => {
                let file = ProjectedFile {
                    mode: item.mode.unwrap_or(default_mode),
                    content: content.clone(),
                };
                files.insert(item.path.clone(), file);
            }
            None if keys.optional => {}
            None => {
                return Err(FactError::NoKey {
                    kind,
                    object: keys.object.clone(),
                    key: item.key.clone(),
                }
                .into());
            }
        }
    }
    Ok(())
}

fn is_inside(path: &str) -> bool {
    let path = Path::new(path);
    !path.as_os_str().is_empty()
        && path
            .components()
            .all(|part| matches!(part, Component::Normal(_)))
}

/// Switches a directory over to these files.
fn write_atomically(place: &Path, files: &Files) -> Result<(), VolumeError> {
    let write = || -> io::Result<()> {
        fs::create_dir_all(place)?;
        fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
        let data = place.join("..data");
        let fresh = fresh_name(place);
        let directory = place.join(&fresh);
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o755))?;
        for (path, file) in files {
            write_file(&directory.join(path), file)?;
        }
        fault::point("with a volume's new files written");
        let link = place.join("..data_tmp");
        let _ = fs::remove_file(&link);
        symlink(&fresh, &link)?;
        fs::rename(&link, &data)?;
        fault::point("with a volume switched over");
        link_visible(place, files)?;
        remove_old(place, &fresh)
    };
    write().map_err(|source| VolumeError::Io {
        path: place.to_owned(),
        source,
    })
}

/// Removes the directories before the present one: the last, and those of supervisors that were killed while they wrote.
fn remove_old(place: &Path, present: &str) -> io::Result<()> {
    for entry in fs::read_dir(place)? {
        let entry = entry?;
        let is_old = entry.file_type()?.is_dir() && entry.file_name() != present;
        if is_old && entry.file_name().to_string_lossy().starts_with("..") {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

fn fresh_name(place: &Path) -> String {
    (0u32..)
        .map(|number| format!("..{number}"))
        .find(|name| !place.join(name).exists())
        .expect("a directory has fewer than 2^32 entries")
}

fn write_file(path: &Path, file: &ProjectedFile) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, &file.content)?;
    fs::set_permissions(path, fs::Permissions::from_mode(u32::from(file.mode.0)))
}

/// Makes the names that a container sees lead through `..data`, and removes those that are gone.
fn link_visible(place: &Path, files: &Files) -> io::Result<()> {
    let mut wanted: Vec<&str> = files
        .keys()
        .map(|path| path.split('/').next().unwrap_or(path))
        .collect();
    wanted.dedup();
    for entry in fs::read_dir(place)? {
        let name = entry?.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with("..") && !wanted.contains(&name.as_ref()) {
            fs::remove_file(place.join(name.as_ref()))?;
        }
    }
    for name in wanted {
        let link = place.join(name);
        if fs::symlink_metadata(&link).is_err() {
            symlink(Path::new("..data").join(name), link)?;
        }
    }
    Ok(())
}

/// Gives a volume to the pod's `fsGroup`, as the kubelet does: group, `rw` (and `x` on directories), setgid.
fn hand_over(place: &Path, group: u32, change: FsGroupChange) -> Result<(), VolumeError> {
    use std::os::unix::fs::MetadataExt as _;
    let io_error = |source| VolumeError::Io {
        path: place.to_owned(),
        source,
    };
    let root = fs::metadata(place).map_err(io_error)?;
    let matches = root.gid() == group && root.mode() & 0o2070 == 0o2070;
    if matches && change == FsGroupChange::OnRootMismatch {
        return Ok(());
    }
    give(place, group).map_err(io_error)
}

fn give(path: &Path, group: u32) -> io::Result<()> {
    let found = fs::symlink_metadata(path)?;
    fchownat(
        AT_FDCWD,
        path,
        None,
        Some(Gid::from_raw(group)),
        AtFlags::AT_SYMLINK_NOFOLLOW,
    )?;
    if found.is_symlink() {
        return Ok(());
    }
    let bits = if found.is_dir() { 0o2070 } else { 0o060 };
    let mode = found.permissions().mode() | bits;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    if found.is_dir() {
        for entry in fs::read_dir(path)? {
            give(&entry?.path(), group)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(entries: &[(&str, &str)]) -> Files {
        entries
            .iter()
            .map(|(path, content)| {
                let file = ProjectedFile {
                    mode: FileMode(0o640),
                    content: content.as_bytes().to_vec(),
                };
                ((*path).to_owned(), file)
            })
            .collect()
    }

    #[test]
    fn removed_keys_vanish_and_changed_ones_change() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("v");
        write_atomically(&place, &files(&[("a", "1"), ("b/c", "2")])).unwrap();
        assert_eq!(fs::read_to_string(place.join("b/c")).unwrap(), "2");
        // What a supervisor was writing when it was killed.
        fs::create_dir(place.join("..7")).unwrap();
        write_atomically(&place, &files(&[("a", "3")])).unwrap();
        assert_eq!(fs::read_to_string(place.join("a")).unwrap(), "3");
        assert!(!place.join("b").exists());
        let mode = fs::metadata(place.join("a")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        // One data directory, its link, and the visible name.
        assert_eq!(fs::read_dir(&place).unwrap().count(), 3);
    }

    #[test]
    fn paths_stay_inside_their_volume() {
        for path in ["", "/etc/passwd", "..", "a/../../b", "./a/.."] {
            assert!(!is_inside(path), "{path}");
        }
        assert!(is_inside("a/b.c"));
    }

    #[test]
    fn host_paths_are_what_their_type_says() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("f");
        prepare_host_path(&file, HostPathKind::FileOrCreate).unwrap();
        assert!(matches!(
            check_host_path(&file, HostPathKind::Directory),
            Err(VolumeError::Kind { .. })
        ));
        assert!(matches!(
            check_host_path(&directory.path().join("x"), HostPathKind::Any),
            Err(VolumeError::Missing { .. })
        ));
        prepare_host_path(
            &directory.path().join("d/e"),
            HostPathKind::DirectoryOrCreate,
        )
        .unwrap();
        assert!(check_host_path(Path::new("/dev/null"), HostPathKind::CharDevice).is_ok());
    }
}
