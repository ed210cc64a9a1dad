//! How much of the host a cgroup may take.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use super::group::Cgroup;
use super::layout::CgroupVersion;
use super::{CgroupError, refused};

/// What the processes of a cgroup may use together; what is absent is not limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CgroupLimits {
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of swap beyond the memory.
    pub swap: Option<u64>,
    /// Processes and threads.
    pub pids: Option<u64>,
    /// Processor time.
    pub cpu: Option<CpuQuota>,
    /// Share of the processor time in proportion to others, as version 1 counts it: 1024 is one
    /// processor's.
    pub cpu_shares: Option<u64>,
}

/// What may or may not be done with some devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRule {
    /// Whether it is allowed.
    pub allow: bool,
    /// Which and what, as version 1 has it: `c 1:3 rwm`, `b *:* m`.
    pub devices: String,
}

/// Processor time allowed in each period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CpuQuota {
    /// The time.
    pub quota: Duration,
    /// The period.
    pub period: Duration,
}

impl CpuQuota {
    /// Returns so many microseconds in each of so many.
    #[must_use]
    pub fn micros(quota: u64, period: u64) -> Self {
        let [quota, period] = [quota, period].map(Duration::from_micros);
        Self { quota, period }
    }
}

impl Cgroup<'_> {
    /// Sets the limits given; others stay as they are.
    ///
    /// # Errors
    /// A controller is missing, or the kernel refuses a value.
    pub fn limit(&self, limits: &CgroupLimits) -> Result<(), CgroupError> {
        if let Some(memory) = limits.memory {
            self.limit_memory(memory, limits.swap)?;
        }
        if let Some(pids) = limits.pids {
            self.write("pids", "pids.max", &pids.to_string())?;
        }
        if let Some(cpu) = limits.cpu {
            self.limit_cpu(cpu)?;
        }
        match (limits.cpu_shares, self.cgroups.version()) {
            (None, _) => Ok(()),
            (Some(shares), CgroupVersion::V1) => {
                self.write("cpu", "cpu.shares", &shares.to_string())
            }
            (Some(shares), CgroupVersion::V2) => {
                self.write("cpu", "cpu.weight", &weight_of(shares).to_string())
            }
        }
    }

    /// Sets which devices may be used, by rules in order, a later one over an earlier one; on version 2 there is no
    /// file to write them to, and nothing is set.
    ///
    /// # Errors
    /// The controller is missing, or the kernel refuses a rule.
    pub fn limit_devices(
        &self,
        rules: impl Iterator<Item = DeviceRule>,
    ) -> Result<(), CgroupError> {
        if self.cgroups.version() == CgroupVersion::V2 {
            return Ok(());
        }
        let open = |file: &str| {
            let path = self.file("devices", file)?;
            let opened = fs::OpenOptions::new().write(true).open(&path);
            Ok((opened.map_err(refused("opening", &path))?, path))
        };
        let (allow, deny) = (open("devices.allow")?, open("devices.deny")?);
        for rule in rules {
            let (mut file, path) = match rule.allow {
                true => (&allow.0, &allow.1),
                false => (&deny.0, &deny.1),
            };
            file.write_all(rule.devices.as_bytes())
                .map_err(refused("writing", path))?;
        }
        Ok(())
    }

    fn limit_memory(&self, memory: u64, swap: Option<u64>) -> Result<(), CgroupError> {
        if self.cgroups.version() == CgroupVersion::V2 {
            self.write("memory", "memory.max", &memory.to_string())?;
            return match swap {
                Some(swap) => self.write_if_present("memory", "memory.swap.max", swap),
                None => Ok(()),
            };
        }
        // The limit of memory and swap together may never be below that of memory alone: which of
        // the two can be written first depends on whether they grow or shrink.
        const MEMORY: &str = "memory.limit_in_bytes";
        const BOTH: &str = "memory.memsw.limit_in_bytes";
        let both = swap.map(|swap| memory.saturating_add(swap));
        let grows = self.write("memory", MEMORY, &memory.to_string());
        if let Some(both) = both {
            self.write_if_present("memory", BOTH, both)?;
        }
        match grows {
            Err(_) if both.is_some() => self.write("memory", MEMORY, &memory.to_string()),
            other => other,
        }
    }

    fn limit_cpu(&self, cpu: CpuQuota) -> Result<(), CgroupError> {
        let (quota, period) = (cpu.quota.as_micros(), cpu.period.as_micros());
        match self.cgroups.version() {
            CgroupVersion::V2 => self.write("cpu", "cpu.max", &format!("{quota} {period}")),
            CgroupVersion::V1 => {
                self.write("cpu", "cpu.cfs_period_us", &period.to_string())?;
                self.write("cpu", "cpu.cfs_quota_us", &quota.to_string())
            }
        }
    }
}

/// Converts version 1's shares to version 2's weight as the kubelet does (KEP-2254).
pub(super) fn weight_of(shares: u64) -> u64 {
    let shares = shares.clamp(2, 262_144);
    1 + (shares - 2) * 9999 / 262_142
}
