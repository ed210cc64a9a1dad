//! What a command is in the middle of, so that another can end it if the command dies.
//!
//! ```text
//!   begin(steps) ──▶ the command works ──▶ end                 nothing to do for anybody
//!                          │ dies
//!                          ▼
//!        the next command: take_over ──▶ carries the steps out ──▶ end
//! ```
//!
//! The steps are what has to be done if the command is not heard of again. While it makes things they undo
//! what it has made; while it removes things they remove the rest. Each is without effect where it was done before, or never
//! needed. A plan that does both turns once, in one transaction, from undoing to finishing.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::sqlite::{Durability, StoreError};
use super::store::Store;
use crate::model::observed::{ObjectRecord, ObservedPod, VolumeRecord};
use crate::model::quantity::Seconds;
use crate::model::state::ProcessRef;
use crate::names::{ContainerId, ObjectName, PodId, VolumeName};

/// One thing to do in place of a command that died.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Step {
    RemovePod {
        pod: PodId,
        grace: Option<Seconds>,
    },
    RemoveContainer(Removal),
    /// Start a pod again that was taken down for another.
    PutUp(PodId),
    /// Give the place back to the pod that had it, if it was taken.
    HandBack {
        old: Box<ObservedPod>,
        new: PodId,
    },
    /// Let a pod's supervisor look what has changed.
    Ring(PodId),
    /// Put the old object, or none, in the place of the new one if that is there.
    RestoreObject {
        old: Option<Box<ObjectRecord>>,
        new: Box<ObjectRecord>,
    },
    RemoveObject {
        kind: String,
        name: ObjectName,
    },
    /// Remove a volume with its data, if it is still this one.
    RemoveVolume(Box<VolumeRecord>),
    /// Remove whatever volume has this name, with its data.
    RemoveVolumeNamed(VolumeName),
    /// Remove the values of a Secret that was replaced.
    ForgetSecret(String),
}

impl Step {
    /// Returns what the kind of step is called.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::RemovePod { .. } => "remove pod",
            Self::RemoveContainer(_) => "remove container",
            Self::PutUp(_) => "put up",
            Self::HandBack { .. } => "hand back",
            Self::Ring(_) => "ring",
            Self::RestoreObject { .. } => "restore object",
            Self::RemoveObject { .. } => "remove object",
            Self::RemoveVolume(_) | Self::RemoveVolumeNamed(_) => "remove volume",
            Self::ForgetSecret(_) => "forget secret",
        }
    }
}

/// A container that is to go.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Removal {
    pub pod: PodId,
    pub container: ContainerId,
    /// The name that it has claimed.
    pub name: String,
    pub grace: Option<Seconds>,
}

/// A command that is in the middle of something, or died there.
#[derive(Debug, Clone)]
pub struct Run {
    pub number: i64,
    /// What the command is called.
    pub by: String,
    pub process: ProcessRef,
    /// What is to be done if the process is gone, in this order.
    pub steps: Vec<Step>,
}

impl Store {
    /// Writes down what is to be done if this process dies.
    ///
    /// The commit alone does not survive a loss of power; what the steps are about is committed after it and takes
    /// it along to the disk.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn begin_run(
        &mut self,
        by: &str,
        process: &ProcessRef,
        steps: &[Step],
    ) -> Result<i64, StoreError> {
        self.0.write(Durability::Normal, |tx| {
            tx.execute(
                "INSERT INTO runs (by, process, steps) VALUES (?1, ?2, ?3)",
                params![
                    by,
                    serde_json::to_string(process)?,
                    serde_json::to_string(steps)?
                ],
            )?;
            Ok(tx.last_insert_rowid())
        })
    }

    /// Puts other steps in the place of a run's: from here on its death has another meaning.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn turn_run(&mut self, number: i64, steps: &[Step]) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            tx.execute(
                "UPDATE runs SET steps = ?2 WHERE number = ?1",
                params![number, serde_json::to_string(steps)?],
            )?;
            Ok(())
        })
    }

    /// Writes down that nothing is left to do.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn end_run(&mut self, number: i64) -> Result<(), StoreError> {
        self.0.write(Durability::Full, |tx| {
            tx.execute("DELETE FROM runs WHERE number = ?1", [number])?;
            Ok(())
        })
    }

    /// Returns everything commands are in the middle of.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn runs(&self) -> Result<Vec<Run>, StoreError> {
        self.0.read(|tx| {
            let mut statement =
                tx.prepare("SELECT number, by, process, steps FROM runs ORDER BY number")?;
            let mut rows = statement.query([])?;
            let mut runs = Vec::new();
            while let Some(row) = rows.next()? {
                runs.push(Run {
                    number: row.get(0)?,
                    by: row.get(1)?,
                    process: serde_json::from_str(&row.get::<_, String>(2)?)?,
                    steps: serde_json::from_str(&row.get::<_, String>(3)?)?,
                });
            }
            Ok(runs)
        })
    }

    /// Makes a dead command's run that of a living one; of several that try, one succeeds.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn take_over_run(&mut self, run: &Run, process: &ProcessRef) -> Result<bool, StoreError> {
        self.0.write(Durability::Normal, |tx| {
            let changed = tx.execute(
                "UPDATE runs SET process = ?3 WHERE number = ?1 AND process = ?2",
                params![
                    run.number,
                    serde_json::to_string(&run.process)?,
                    serde_json::to_string(process)?
                ],
            )?;
            Ok(changed > 0)
        })
    }
}
