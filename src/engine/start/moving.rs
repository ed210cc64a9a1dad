//! A supervisor's own way from its caller's cgroup.

use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::engine::cgroups;
use crate::engine::installation::EngineError;

/// A process on its way from the cgroup of its caller to that of the supervisors.
///
/// The first move after a quiet time waits for every processor of the machine, 10 ms and more: the pod's namespaces
/// are made meanwhile.
#[derive(Debug)]
pub struct Moving(Mutex<Option<JoinHandle<io::Result<()>>>>);

impl Moving {
    /// Begins to move this process.
    #[must_use]
    pub fn begin(cgroup: String) -> Self {
        let moving = thread::spawn(move || cgroups::enter(&cgroup));
        Self(Mutex::new(Some(moving)))
    }

    /// Waits until the process is there.
    pub(super) fn finish(&self) -> Result<(), EngineError> {
        let mut moving = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let moved = moving.take().map_or(Ok(()), |moving| {
            moving.join().expect("moving does not panic")
        });
        moved.map_err(EngineError::io(Path::new("/sys/fs/cgroup")))
    }
}
