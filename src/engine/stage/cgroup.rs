//! The cgroup of a container: made, limited, and held open for the init to enter.

use std::path::Path;

use oci_spec::runtime::LinuxResources;

use super::error::{CreateError, Step};
use crate::engine::launch::Launch;
use crate::sys::cgroup::{
    Cgroup, CgroupError, CgroupLimits, Cgroups, CpuQuota, DeviceRule, Entrance,
};

fn failed(error: &dyn std::error::Error) -> CreateError {
    CreateError::caused(Step::Cgroup, error)
}

fn group(launch: &Launch) -> Result<Cgroup<'static>, CgroupError> {
    Cgroups::detect()?.group(Path::new(&launch.site.cgroup))
}

/// Makes the cgroup in all hierarchies, for the container to see: another runtime makes it only in those that it sets
/// limits in.
pub(super) fn make_cgroup(launch: &Launch) -> Result<(), CreateError> {
    let group = group(launch).map_err(|error| failed(&error))?;
    group.create().map_err(|error| failed(&error))
}

/// Sets the limits that the container's spec has.
pub(super) fn limit(launch: &Launch) -> Result<(), CreateError> {
    let linux = launch.spec.linux().as_ref();
    let Some(resources) = linux.and_then(|linux| linux.resources().as_ref()) else {
        return Ok(());
    };
    let set = || -> Result<(), CgroupError> {
        let group = group(launch)?;
        group.limit(&limits(resources))?;
        group.limit_devices(device_rules(resources))
    };
    set().map_err(|error| failed(&error))
}

/// Opens the cgroup for the process that becomes the container's init.
pub(super) fn entrance(launch: &Launch) -> Result<Entrance, CreateError> {
    let entrance = group(launch).and_then(|group| group.entrance());
    entrance.map_err(|error| failed(&error))
}

/// Reads the settings that [`resources`](crate::engine::launch) makes.
fn limits(resources: &LinuxResources) -> CgroupLimits {
    let number = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    let memory = resources.memory().as_ref();
    let limit = memory.and_then(|memory| number(memory.limit()));
    // Memory and swap together.
    let both = memory.and_then(|memory| number(memory.swap()));
    let cpu = resources.cpu().as_ref();
    CgroupLimits {
        memory: limit,
        swap: both
            .zip(limit)
            .map(|(both, memory)| both.saturating_sub(memory)),
        pids: resources.pids().and_then(|pids| number(Some(pids.limit()))),
        cpu: cpu.and_then(|cpu| {
            let (quota, period) = number(cpu.quota()).zip(cpu.period())?;
            Some(CpuQuota::micros(quota, period))
        }),
        cpu_shares: cpu.and_then(|cpu| cpu.shares()),
    }
}

fn device_rules(resources: &LinuxResources) -> impl Iterator<Item = DeviceRule> {
    let rules = resources.devices().iter().flatten();
    rules.map(|rule| DeviceRule {
        allow: rule.allow(),
        devices: rule.to_string(),
    })
}
