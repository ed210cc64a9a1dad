//! A copy of each pod's record beside its files: what a database that is lost is rebuilt from.

use std::fs;
use std::path::Path;

use super::installation::{Engine, EngineError};
use super::networks;
use super::paths::Paths;
use super::sweep::names_in;
use crate::model::observed::{ContainerRecord, ObservedPod, Standing};
use crate::model::state::{BootId, ContainerState, ExitStatus, ProcessRef, Wanted};
use crate::names::PodId;
use crate::state::Store;
use crate::sys::process::{self, PidFd};
use crate::sys::{clock, mount};

/// The file among those of a pod that survive a boot.
const NAME: &str = "pod.json";

impl Engine {
    /// Writes the copy of a new pod; it goes with the pod's directory.
    pub(super) fn write_copy(&self, pod: &ObservedPod) -> Result<(), EngineError> {
        let state = self.paths.pod(&pod.record.id).state;
        let file = state.join(NAME);
        let write = || {
            mount::ensure_dir(&state, 0o700)?;
            fs::write(&file, serde_json::to_vec(pod)?)
        };
        write().map_err(EngineError::io(&file))
    }
}

/// Records the pods anew that a new database does not know; those that run still run.
pub(super) fn restore(paths: &Paths, store: &mut Store) -> Result<(), EngineError> {
    let known = store.observed()?;
    for name in names_in(&paths.root.join("pods"))? {
        let Ok(id) = PodId::parse(&name) else {
            continue;
        };
        if known.pods.iter().any(|pod| pod.record.id == id) {
            continue;
        }
        let copy = fs::read(paths.pod(&id).state.join(NAME)).ok();
        let Some(mut pod) = copy.and_then(|text| serde_json::from_slice::<ObservedPod>(&text).ok())
        else {
            continue;
        };
        // Whatever it was to replace is recorded in its own place, or gone.
        pod.record.standing = Standing::Serving;
        for container in &mut pod.containers {
            see(paths, &id, container)?;
        }
        for network in networks::of_pod(&pod.record) {
            // One that is known already stays as it is.
            let _ = store.create_network(&network);
        }
        // Two of one name are the old and the new one of a replacement: one of them can have it.
        let _ = store.create_pod(&pod);
    }
    Ok(())
}

/// Finds out what a container does: its process is pinned.
fn see(paths: &Paths, pod: &PodId, container: &mut ContainerRecord) -> Result<(), EngineError> {
    let at = || EngineError::io(Path::new("/proc"));
    let pin = paths.pod(pod).bundle(&container.name).join("pidfd");
    let Ok(process) = PidFd::open_pinned(&pin) else {
        return Ok(());
    };
    let now = jiff::Timestamp::now();
    container.wanted = Wanted::Running;
    container.started = Some(now);
    let pid = match process.is_alive().map_err(at())? {
        true => process.pid().map_err(at())?,
        false => None,
    };
    let start_time = pid.map(process::start_time).transpose().map_err(at())?;
    container.state = match (pid, start_time.flatten()) {
        (Some(pid), Some(start_time)) => ContainerState::Running {
            process: ProcessRef {
                pid,
                start_time,
                boot: BootId(clock::boot_id().map_err(at())?),
            },
            since: now,
        },
        _ => ContainerState::Exited {
            status: ExitStatus::Unknown,
            at: now,
        },
    };
    Ok(())
}
