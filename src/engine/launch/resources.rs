//! What a container may take of the host, as cgroup settings.

use oci_spec::runtime::{
    LinuxCpuBuilder, LinuxDeviceCgroup, LinuxDeviceCgroupBuilder, LinuxDeviceType,
    LinuxMemoryBuilder, LinuxPidsBuilder, LinuxResources,
};

use super::{HostDevice, HostFacts};
use crate::model::container::Limits;

/// The period that a quota is counted in, in microseconds (`cpu.cfs_period_us`).
const PERIOD: u64 = 100_000;
/// The kernel's least quota is a millisecond.
const LEAST_QUOTA: u64 = 1000;
/// What the kernel takes for shares, as the kubelet has it.
const SHARES: std::ops::RangeInclusive<u64> = 2..=262_144;
/// Processes and threads of a container that names no limit, as podman has it.
const DEFAULT_PIDS: i64 = 2048;

/// Returns the cgroup settings of a container.
pub(super) fn resources(
    limits: &Limits,
    host: &HostFacts,
    devices: Vec<LinuxDeviceCgroup>,
) -> LinuxResources {
    let Limits {
        cpu,
        memory,
        cpu_request,
        memory_request: _,
        pids,
    } = limits;
    let mut settings = LinuxResources::default();
    settings.set_devices(Some(devices));
    // Without a request the limit is the request (the API server's defaulting).
    let request = cpu_request.or(*cpu).map_or(0, |request| request.0);
    let shares = (request.saturating_mul(1024) / 1000).clamp(*SHARES.start(), *SHARES.end());
    let mut cpu_settings = LinuxCpuBuilder::default()
        .shares(shares)
        .build()
        .expect("no field is required");
    if let Some(limit) = cpu {
        let quota = (limit.0.saturating_mul(PERIOD) / 1000).max(LEAST_QUOTA);
        cpu_settings.set_quota(i64::try_from(quota).ok());
        cpu_settings.set_period(Some(PERIOD));
    }
    settings.set_cpu(Some(cpu_settings));
    settings.set_memory(memory.map(|limit| {
        let limit = i64::try_from(limit.0).unwrap_or(i64::MAX);
        let mut memory = LinuxMemoryBuilder::default()
            .limit(limit)
            .build()
            .expect("no field is required");
        // Memory and swap together: no swap, as the kubelet has it.
        memory.set_swap(host.swap_limits.then_some(limit));
        memory
    }));
    let pids = pids.map_or(DEFAULT_PIDS, |limit| {
        i64::try_from(limit).unwrap_or(i64::MAX)
    });
    settings.set_pids(Some(
        LinuxPidsBuilder::default()
            .limit(pids)
            .build()
            .expect("the limit is given"),
    ));
    settings
}

/// Returns the rules of which devices may be used.
///
/// A container may make any device file and use the harmless ones; a privileged one uses all.
pub(super) fn device_rules<'a>(
    privileged: bool,
    devices: impl Iterator<Item = &'a HostDevice>,
) -> Vec<LinuxDeviceCgroup> {
    if privileged {
        return vec![device_rule(true, LinuxDeviceType::A, None, None, "rwm")];
    }
    let mut rules = vec![
        device_rule(false, LinuxDeviceType::A, None, None, "rwm"),
        device_rule(true, LinuxDeviceType::C, None, None, "m"),
        device_rule(true, LinuxDeviceType::B, None, None, "m"),
    ];
    // null, zero, full, random, urandom; tty, console, ptmx; the pseudo terminals.
    for (major, minor) in [
        (1, 3),
        (1, 5),
        (1, 7),
        (1, 8),
        (1, 9),
        (5, 0),
        (5, 1),
        (5, 2),
    ] {
        let kind = LinuxDeviceType::C;
        rules.push(device_rule(true, kind, Some(major), Some(minor), "rwm"));
    }
    rules.push(device_rule(
        true,
        LinuxDeviceType::C,
        Some(136),
        None,
        "rwm",
    ));
    for device in devices {
        let (major, minor) = (Some(device.major), Some(device.minor));
        rules.push(device_rule(true, device.kind.oci(), major, minor, "rwm"));
    }
    rules
}

fn device_rule(
    allow: bool,
    kind: LinuxDeviceType,
    major: Option<i64>,
    minor: Option<i64>,
    access: &str,
) -> LinuxDeviceCgroup {
    let mut rule = LinuxDeviceCgroupBuilder::default()
        .allow(allow)
        .typ(kind)
        .access(access)
        .build()
        .expect("all that is required is given");
    rule.set_major(major);
    rule.set_minor(minor);
    rule
}

#[cfg(test)]
mod tests {
    use super::super::tests::host;
    use super::*;
    use crate::model::quantity::{Bytes, MilliCpu};

    #[test]
    fn limits_become_quota_shares_and_no_swap() {
        let settings = resources(&Limits::default(), &host(), vec![]);
        let cpu = settings.cpu().as_ref().unwrap();
        assert_eq!((cpu.shares(), cpu.quota()), (Some(2), None));
        assert!(settings.memory().is_none());
        assert_eq!(settings.pids().as_ref().unwrap().limit(), 2048);

        let limits = Limits {
            cpu: Some(MilliCpu(1500)),
            memory: Some(Bytes(1 << 20)),
            cpu_request: Some(MilliCpu(100)),
            memory_request: None,
            pids: Some(10),
        };
        let settings = resources(&limits, &host(), vec![]);
        let cpu = settings.cpu().as_ref().unwrap();
        assert_eq!(cpu.shares(), Some(102));
        assert_eq!((cpu.quota(), cpu.period()), (Some(150_000), Some(100_000)));
        let memory = settings.memory().as_ref().unwrap();
        assert_eq!(memory.limit(), Some(1 << 20));
        assert_eq!(memory.swap(), Some(1 << 20));
        assert_eq!(settings.pids().as_ref().unwrap().limit(), 10);
    }

    #[test]
    fn a_limit_without_request_is_the_request() {
        let limits = Limits {
            cpu: Some(MilliCpu(1)),
            ..Limits::default()
        };
        let settings = resources(&limits, &host(), vec![]);
        let cpu = settings.cpu().as_ref().unwrap();
        assert_eq!((cpu.shares(), cpu.quota()), (Some(2), Some(1000)));
    }

    #[test]
    fn everything_is_forbidden_before_anything_is_allowed() {
        let rules = device_rules(false, [].iter());
        assert!(!rules[0].allow());
        assert!(rules[1..].iter().all(LinuxDeviceCgroup::allow));
        assert_eq!(device_rules(true, [].iter()).len(), 1);
    }
}
