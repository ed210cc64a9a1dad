//! Named volumes: made, filled, mounted, removed.
//!
//! ```text
//! .new-X/_data ──filled──▶ rename, with the record, in one transaction ──▶ NAME/_data
//! NAME/_data ──rename, with the record, if no pod names it──▶ .gone-X/_data ──▶ nothing
//! ```
//!
//! So a volume that is recorded is never half of one, and the data of a volume in use go nowhere.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use super::installation::{Engine, EngineError};
use super::remove::remove_tree;
use super::sweep::names_in;
use super::volumes::VolumeError;
use super::{held, paths::PodPaths};
use crate::clock::{IdSource as _, RandomIds};
use crate::image::unpack::unpack_files;
use crate::model::observed::VolumeRecord;
use crate::model::volume::{Backing, NamedVolumeSpec, Owner};
use crate::names::{VolumeName, hex};
use crate::state::{Step, VolumeRemoval};
use crate::sys::mount::{self, Depth, MountError, MountOptions};

const NEW: &str = ".new-";
const GONE: &str = ".gone-";

/// Whether a volume was made, or is an older one of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    New,
    Known,
}

impl Engine {
    /// Makes a named volume and fills it, unless there is one of its name.
    ///
    /// # Errors
    /// It cannot be filled or recorded; nothing is left of it then.
    pub fn create_volume(&mut self, record: &VolumeRecord) -> Result<Made, EngineError> {
        let undo = [Step::RemoveVolume(Box::new(record.clone()))];
        self.in_run(&undo, |engine| engine.create_volume_now(record))
    }

    /// As [`Engine::create_volume`], within a run that says so.
    pub(super) fn create_volume_now(&mut self, record: &VolumeRecord) -> Result<Made, EngineError> {
        let name = &record.spec.name;
        let volumes = self.paths.volumes();
        let _held = held::hold(&volumes).map_err(EngineError::io(&volumes))?;
        let draft = volumes.join(fresh(NEW));
        let filled = fill(&draft, &record.spec);
        let place = volumes.join(name.as_str());
        let made = filled.and_then(|()| {
            let put = || put_in_place(&draft, &place, record.spec.import.is_some());
            Ok(self.store.create_volume(record, put)?)
        });
        // A draft that took its place is no longer there.
        let cleared = remove_tree(&draft);
        match made? {
            true => cleared.map(|()| Made::New),
            false => cleared.map(|()| Made::Known),
        }
    }

    /// Removes a named volume with its data, unless a pod names it.
    ///
    /// # Errors
    /// The record or the data cannot be removed.
    pub fn remove_volume(&mut self, name: &VolumeName) -> Result<VolumeRemoval, EngineError> {
        let rest = [Step::RemoveVolumeNamed(name.clone())];
        self.in_run(&rest, |engine| engine.remove_volume_now(name))
    }

    /// As [`Engine::remove_volume`], within a run that says so.
    pub(super) fn remove_volume_now(
        &mut self,
        name: &VolumeName,
    ) -> Result<VolumeRemoval, EngineError> {
        let volumes = self.paths.volumes();
        let _held = held::hold(&volumes).map_err(EngineError::io(&volumes))?;
        let gone = volumes.join(fresh(GONE));
        let place = volumes.join(name.as_str());
        let put_away = || match fs::rename(&place, &gone) {
            // Nothing was ever put in it.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let removal = self.store.remove_volume(name, put_away)?;
        remove_tree(&gone)?;
        Ok(removal)
    }

    /// Removes the place of a volume that was never recorded, if nothing is in it.
    pub(super) fn remove_empty_place(&self, name: &VolumeName) -> Result<(), EngineError> {
        let data = self.paths.volume(name);
        let place = self.paths.volumes().join(name.as_str());
        for directory in [&data, &place] {
            match fs::remove_dir(directory) {
                Ok(()) => {}
                // What somebody has put there, nobody asked to have removed.
                Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(EngineError::io(directory)(error)),
            }
        }
        Ok(())
    }

    /// Removes what killed commands have left of volumes that were to come or to go.
    pub(super) fn sweep_volumes(&self) -> Result<(), EngineError> {
        let volumes = self.paths.volumes();
        let alone = held::try_hold_alone(&volumes).map_err(EngineError::io(&volumes))?;
        if alone.is_none() {
            return Ok(());
        }
        for name in names_in(&volumes)? {
            if name.starts_with(NEW) || name.starts_with(GONE) {
                remove_tree(&volumes.join(name))?;
            }
        }
        Ok(())
    }
}

fn fresh(beginning: &str) -> String {
    format!("{beginning}{}", &hex(&RandomIds.draw())[..16])
}

/// Makes the volume's directory where nobody sees it yet.
fn fill(draft: &Path, spec: &NamedVolumeSpec) -> Result<(), EngineError> {
    let data = draft.join("_data");
    let make = || -> io::Result<()> {
        mount::ensure_dir(draft, 0o700)?;
        fs::create_dir(&data)?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o755))
    };
    make().map_err(EngineError::io(&data))?;
    if let Some(tar) = &spec.import {
        let program = Path::new("/proc/self/exe");
        unpack_files(program, tar, &data).map_err(|source| EngineError::Import {
            volume: spec.name.clone(),
            source: Box::new(source),
        })?;
    }
    let Owner { user, group } = spec.owner;
    chown(&data, user, group).map_err(EngineError::io(&data))
}

/// Data that lie there already, without a record, are kept: nobody asked for their removal.
fn put_in_place(draft: &Path, place: &Path, filled: bool) -> io::Result<()> {
    match fs::rename(draft, place) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && !filled => Ok(()),
        other => other,
    }
}

/// Returns where a pod finds a named volume, mounting it there if it is more than a directory.
pub(super) fn place(
    pod: &PodPaths,
    data: PathBuf,
    spec: &NamedVolumeSpec,
) -> Result<PathBuf, VolumeError> {
    let Backing {
        kind,
        device,
        options,
    } = &spec.backing;
    if !spec.backing.is_mounted() {
        return Ok(data);
    }
    let place = pod.claim(&spec.name);
    let failed = |source| VolumeError::Io {
        path: place.clone(),
        source,
    };
    // Who made the directory may have been killed before there was a mount on it.
    if place.exists() && mount::has_file_system(&place).map_err(failed)? {
        return Ok(place);
    }
    let parsed = MountOptions::parse(options.as_deref().unwrap_or_default());
    let kind = kind.as_deref().unwrap_or("none");
    let device = Path::new(device.as_deref().unwrap_or(kind));
    mount::ensure_dir(&place, 0o755).map_err(failed)?;
    let mounted = match (kind, parsed.bind) {
        ("none" | "bind", depth) => bind(device, &place, depth.unwrap_or(Depth::One), &parsed),
        (_, Some(depth)) => bind(device, &place, depth, &parsed),
        (kind, None) => mount::mount_device(device, &place, kind, &parsed),
    };
    mounted.inspect_err(|_| {
        // The error of the mount is the one to tell; a place that stays would pass for mounted.
        let _ = mount::unmount(&place);
        let _ = fs::remove_dir(&place);
    })?;
    Ok(place)
}

fn bind(
    device: &Path,
    place: &Path,
    depth: Depth,
    options: &MountOptions,
) -> Result<(), MountError> {
    mount::bind(device, place, depth)?;
    match options.flags.is_empty() {
        true => Ok(()),
        false => mount::remount_bind(place, options.flags),
    }
}
