//! The init of a shared PID namespace.

use std::fs;
use std::os::fd::AsFd as _;

use super::bundle::{hold, make_bundle, make_layer};
use super::output::open_streams;
use super::{ADOPTED, Context, StartError};
use crate::engine::cgroups;
use crate::engine::installation::EngineError;
use crate::engine::launch::{self, Site};
use crate::engine::paths::PodPaths;
use crate::engine::stage;
use crate::fault;
use crate::sys::mount;
use crate::sys::process::PidFd;

impl Context {
    /// Starts the init of a shared PID namespace unless it lives, and pins the namespace.
    pub(super) fn ensure_init(&self, paths: &PodPaths) -> Result<(), StartError> {
        if !self.pod.spec.shares_pid_namespace() {
            return Ok(());
        }
        let bundle = paths.init_bundle();
        let pin = bundle.join("pidfd");
        if PidFd::open_pinned(&pin).is_ok_and(|init| init.is_alive().unwrap_or(false)) {
            return Ok(());
        }
        cgroups::kill(&paths.init_cgroup())?;
        make_bundle(&bundle)?;
        let lower = vec![self.content.empty_layer()];
        let site = Site {
            id: self.pod.infra.clone(),
            pod: paths.run.clone(),
            bare_namespace: None,
            bundle: bundle.clone(),
            rootfs: make_layer(&paths.init_layer(), lower, true)?,
            cgroup: paths.init_cgroup(),
            filters: self.installation.filters(),
        };
        let launch = launch::infra::decide(launch::infra::InfraFacts {
            site,
            namespaces: &self.namespaces(),
            host: self.host()?,
        });
        let streams = open_streams(&bundle).map_err(EngineError::io(&bundle))?;
        self.moving.finish()?;
        let init = hold(
            ADOPTED,
            stage::create(&launch, self.work()?)?,
            &bundle,
            streams,
        )?;
        fault::point("with the pod's init started");
        let namespace = paths.namespace("pid");
        let _ = mount::unmount(&namespace).map_err(|error| EngineError::Sandbox(error.into()))?;
        fs::File::create(&namespace)
            .and_then(|_| fs::File::open(format!("/proc/{}/ns/pid", init.pid)))
            .and_then(|open| crate::sys::tree::pin(open.as_fd(), &namespace))
            .map_err(EngineError::io(&namespace))?;
        Ok(())
    }
}
