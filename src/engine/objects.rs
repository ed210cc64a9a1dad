//! ConfigMaps and Secrets at rest, and what a reference to one of their keys stands for.
//!
//! A Secret's values rest in one file each, `ROOT/secrets/ID` (0600, in a directory 0700), written by
//! rename; the database knows only its keys.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::paths::Paths;
use crate::model::observed::{ConfigData, ObjectContent, ObjectRecord};
pub use crate::model::pod::ObjectKind;
use crate::names::ObjectName;
use crate::sys::mount;

/// A Secret's values that could not be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    #[error("keeping the values of a Secret in {}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("reading the values of Secret `{name}`")]
    Read { name: ObjectName, source: io::Error },
    #[error("the values of Secret `{name}` are damaged")]
    Damaged { name: ObjectName },
}

/// Values by their keys.
pub type Values = BTreeMap<String, Vec<u8>>;

/// The objects that a pod may refer to, with their values; it prints none of them.
#[derive(Default)]
pub struct Objects {
    config_maps: BTreeMap<ObjectName, Values>,
    secrets: BTreeMap<ObjectName, Values>,
}

impl Objects {
    /// Reads the values of all objects recorded.
    ///
    /// # Errors
    /// The file of a Secret cannot be read.
    pub fn load(paths: &Paths, records: &[ObjectRecord]) -> Result<Self, ObjectError> {
        let mut objects = Self::default();
        for record in records {
            match &record.content {
                ObjectContent::ConfigMap(data) => {
                    objects
                        .config_maps
                        .insert(record.name.clone(), values_of(data));
                }
                ObjectContent::Secret { id, .. } => {
                    let values = read_secret(&paths.secrets().join(id), &record.name)?;
                    objects.secrets.insert(record.name.clone(), values);
                }
            }
        }
        Ok(objects)
    }

    /// Adds or replaces one object.
    pub fn insert(&mut self, kind: ObjectKind, name: ObjectName, values: Values) {
        match kind {
            ObjectKind::ConfigMap => self.config_maps.insert(name, values),
            ObjectKind::Secret => self.secrets.insert(name, values),
        };
    }

    /// Returns the values of an object, if there is one of this name.
    #[must_use]
    pub fn get(&self, kind: ObjectKind, name: &ObjectName) -> Option<&Values> {
        match kind {
            ObjectKind::ConfigMap => self.config_maps.get(name),
            ObjectKind::Secret => self.secrets.get(name),
        }
    }
}

/// Returns a ConfigMap's values, text and binary alike.
#[must_use]
pub fn values_of(data: &ConfigData) -> Values {
    let text = data
        .text
        .iter()
        .map(|(key, value)| (key.clone(), value.clone().into_bytes()));
    text.chain(data.binary.clone()).collect()
}

/// Keeps a Secret's values in the file of this id.
///
/// # Errors
/// The file cannot be written; an earlier one stays.
pub fn write_secret(paths: &Paths, id: &str, values: &Values) -> Result<(), ObjectError> {
    let path = paths.secrets().join(id);
    let write = || -> io::Result<()> {
        mount::ensure_dir(&paths.secrets(), 0o700)?;
        let partial = path.with_extension("new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        io::Write::write_all(&mut file, &serde_json::to_vec(values)?)?;
        file.sync_all()?;
        fs::rename(&partial, &path)
    };
    write().map_err(|source| ObjectError::Write {
        path: path.clone(),
        source,
    })
}

/// Removes a Secret's values; none is no error.
///
/// # Errors
/// The file cannot be removed.
pub fn remove_secret(paths: &Paths, id: &str) -> Result<(), ObjectError> {
    let path = paths.secrets().join(id);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(ObjectError::Write { path, source })
        }
        _ => Ok(()),
    }
}

/// Keeps others from taking values for forgotten that are about to be recorded.
///
/// # Errors
/// The directory cannot be made or locked.
pub fn hold_secrets(paths: &Paths) -> Result<fs::File, ObjectError> {
    let path = paths.secrets();
    super::held::hold(&path).map_err(|source| ObjectError::Write {
        path: path.clone(),
        source,
    })
}

/// Makes sure that nobody is about to record values; none if somebody is, or there are no values.
///
/// # Errors
/// The directory cannot be locked.
pub fn try_hold_secrets_alone(paths: &Paths) -> Result<Option<fs::File>, ObjectError> {
    let path = paths.secrets();
    super::held::try_hold_alone(&path).map_err(|source| ObjectError::Write {
        path: path.clone(),
        source,
    })
}

fn read_secret(path: &Path, name: &ObjectName) -> Result<Values, ObjectError> {
    let bytes = fs::read(path).map_err(|source| ObjectError::Read {
        name: name.clone(),
        source,
    })?;
    serde_json::from_slice(&bytes).map_err(|_| ObjectError::Damaged { name: name.clone() })
}
