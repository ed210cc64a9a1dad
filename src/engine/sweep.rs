//! Finds what commands that were killed have left and no record knows, and removes it.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::installation::{Engine, EngineError};
use super::objects;
use super::remove::unless_removed;
use crate::model::observed::ObjectContent;
use crate::names::PodId;

impl Engine {
    /// Removes what commands that were killed have left and no record knows.
    ///
    /// A record is made before anything else of a pod and removed after it, so that a directory,
    /// socket, lock or lease without one is nobody's.
    pub(super) fn sweep(&mut self) -> Result<(), EngineError> {
        let places = [
            self.paths.root.join("pods"),
            self.paths.runroot.join("pods"),
            self.paths.sockets(),
        ];
        let mut found = BTreeSet::new();
        for place in places {
            found.extend(
                names_in(&place)?
                    .iter()
                    .filter_map(|name| PodId::parse(name).ok()),
            );
        }
        found.extend(self.locks.pods()?);
        let observed = self.store.observed()?;
        for pod in observed.pods {
            found.remove(&pod.record.id);
        }
        // A supervisor that finds no record ends by itself.
        let left: Vec<PodId> = found
            .into_iter()
            .filter(|pod| self.has_no_supervisor(pod))
            .collect();
        for result in self.forget_unknown_pods(&left) {
            unless_removed(result)?;
        }
        self.sweep_volumes()?;
        self.sweep_secrets()?;
        self.tell_neighbours()
    }

    /// Removes values of Secrets that were written but never recorded.
    fn sweep_secrets(&mut self) -> Result<(), EngineError> {
        let Some(_alone) = objects::try_hold_secrets_alone(&self.paths)? else {
            return Ok(());
        };
        let recorded: BTreeSet<String> = self
            .store
            .objects()?
            .into_iter()
            .filter_map(|object| match object.content {
                ObjectContent::Secret { id, .. } => Some(id),
                ObjectContent::ConfigMap(_) => None,
            })
            .collect();
        for name in names_in(&self.paths.secrets())? {
            if !recorded.contains(&name) {
                objects::remove_secret(&self.paths, &name)?;
            }
        }
        Ok(())
    }
}

/// Lists a directory; one that is missing is empty.
pub(super) fn names_in(directory: &Path) -> Result<Vec<String>, EngineError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(EngineError::io(directory)(error)),
    };
    entries
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<io::Result<_>>()
        .map_err(EngineError::io(directory))
}
