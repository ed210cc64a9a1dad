//! The cgroup of a container: made, limited, and held open for the init to enter.
//!
//! The embedded runtime could do it, but for each of twelve controllers of version 1 it reads the lists of mounts and
//! of its own cgroups, twice. On version 1 it is therefore shown the hierarchy of version 2 alone, which has no
//! controllers then, and its init enters the others itself.

use std::path::Path;

use libcontainer::oci_spec::runtime::{LinuxResources, Spec};

use super::error::{CreateError, Step};
use crate::engine::launch::{CGROUP_ROOT, Launch};
use crate::sys::cgroup::{
    Cgroup, CgroupError, CgroupLimits, CgroupVersion, Cgroups, CpuQuota, DeviceRule, Entrance,
    Versions,
};
use crate::sys::mount::{Depth, bind};

fn failed(error: &dyn std::error::Error) -> CreateError {
    CreateError::caused(Step::Cgroup, error)
}

fn group(launch: &Launch) -> Result<Cgroup<'static>, CgroupError> {
    Cgroups::detect()?.group(Path::new(&launch.site.cgroup))
}

/// Makes the cgroup in all hierarchies, for the container to see: a runtime makes it only in those that it sets limits
/// in.
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

/// Returns what the container's init is to enter by itself; the runtime, told this much, sees only the rest from here
/// on.
pub(super) fn take_entrance(launch: &Launch, told: &Spec) -> Result<Option<Entrance>, CreateError> {
    let cgroups = Cgroups::detect().map_err(|error| failed(&error))?;
    if cgroups.version() == CgroupVersion::V2 {
        return Ok(None);
    }
    let root = Path::new(CGROUP_ROOT);
    let mut sources = told
        .mounts()
        .iter()
        .flatten()
        .filter_map(|mount| mount.source().as_ref());
    // What the runtime binds of them it has to see.
    let is_bound = sources.any(|source| source.starts_with(root) || is_above(source, root));
    let alone = cgroups.unified().filter(|_| !is_bound);
    let versions = match alone {
        Some(_) => Versions::V1,
        None => Versions::Both,
    };
    let entrance = group(launch).and_then(|group| group.entrance(versions));
    let entrance = entrance.map_err(|error| failed(&error))?;
    if let Some(unified) = alone {
        bind(unified, root, Depth::One).map_err(|error| failed(&error))?;
    }
    Ok(Some(entrance))
}

/// Returns whether a path leads to another; the names of file systems that stand for sources do not.
fn is_above(path: &Path, other: &Path) -> bool {
    path.is_absolute() && other.starts_with(path)
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
