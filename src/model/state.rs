//! What a container or a pod is doing.
//!
//! ```text
//!            start                       exits, or never came to be
//! Created ─────────▶ Running ──────────────────────────────▶ Exited
//!    ▲                │   ▲                                  │   │
//!    │           stop │   │ start                    restart │   │ restart, later
//!    │                ▼   └──────────────────────────────────┘   ▼
//!    │             Stopping ──▶ Exited                        Waiting ──▶ Running
//!    │                     pause                unpause
//!    │            Running ───────▶ Paused ──────────▶ Running, or Stopping when it is removed
//! ```
//!
//! A state carries what exists in it and nothing else: there is no pid of something that is not running.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::quantity::Seconds;

/// One boot of the kernel (`/proc/sys/kernel/random/boot_id`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// A moment on the boot clock (`CLOCK_BOOTTIME`), in milliseconds; it means nothing in another boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootMillis(pub u64);

impl BootMillis {
    /// Returns the moment this much later.
    #[must_use]
    pub fn after(self, span: std::time::Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)),
        )
    }

    /// Returns how long it is from `now` until this moment; nothing if it has passed.
    #[must_use]
    pub fn since(self, now: Self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.saturating_sub(now.0))
    }
}

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessRef {
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`, in clock ticks since boot.
    pub start_time: u64,
    pub boot: BootId,
}

/// What a container is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ContainerState {
    /// A record, and nothing in the kernel.
    Created,
    /// Not running now, to be started at a known moment.
    Waiting {
        reason: WaitReason,
        boot: BootId,
        until: BootMillis,
    },
    Running {
        process: ProcessRef,
        since: Timestamp,
    },
    /// Its processes are there and get no processor (`freezer`, `cgroup.freeze`).
    Paused {
        process: ProcessRef,
        since: Timestamp,
    },
    /// Asked to end, to be killed at the deadline.
    Stopping {
        process: ProcessRef,
        since: Timestamp,
        deadline: BootMillis,
    },
    Exited {
        status: ExitStatus,
        at: Timestamp,
    },
}

/// Why a container is not running although it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum WaitReason {
    /// It ended again and again; the kubelet's word.
    CrashLoopBackOff,
    /// An init container before it has not completed.
    PodInitializing,
}

impl fmt::Display for WaitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::CrashLoopBackOff => "CrashLoopBackOff",
            Self::PodInitializing => "PodInitializing",
        })
    }
}

impl ContainerState {
    /// Returns the process, if there is one.
    #[must_use]
    pub fn process(&self) -> Option<&ProcessRef> {
        match self {
            Self::Running { process, .. }
            | Self::Paused { process, .. }
            | Self::Stopping { process, .. } => Some(process),
            Self::Created | Self::Waiting { .. } | Self::Exited { .. } => None,
        }
    }

    /// Returns whether the container has a process.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// Returns podman's word for the state (`.State.Status`).
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Waiting { .. } | Self::Exited { .. } => "exited",
            Self::Running { .. } => "running",
            Self::Paused { .. } => "paused",
            Self::Stopping { .. } => "stopping",
        }
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ExitStatus {
    Code(u8),
    Signal {
        signal: i32,
        /// The kernel killed it for its cgroup's memory.
        oom: bool,
    },
    /// It never came to run: what the runtime said.
    StartFailed {
        message: String,
        code: u8,
    },
    /// It ended while nobody watched and the kernel did not keep the status.
    Unknown,
}

impl ExitStatus {
    /// Returns the code a shell would show: 128 and the signal's number for a signal.
    ///
    /// An unknown status shows as 137, as the kubelet has it for `ContainerStatusUnknown`.
    #[must_use]
    pub fn code(&self) -> i32 {
        match self {
            Self::Code(code) | Self::StartFailed { code, .. } => i32::from(*code),
            Self::Signal { signal, .. } => 128 + signal,
            Self::Unknown => 137,
        }
    }

    /// Returns whether a restart policy counts this as a failure.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.code() != 0
    }

    /// Returns the kubelet's word for the end.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Code(0) => "Completed",
            Self::Signal { oom: true, .. } => "OOMKilled",
            Self::Code(_) | Self::Signal { .. } => "Error",
            Self::StartFailed { .. } => "StartError",
            Self::Unknown => "ContainerStatusUnknown",
        }
    }
}

/// How long a container that keeps ending has to wait: the kubelet's rule.
///
/// The first restart is at once, then 10 s doubling to 300 s; ten minutes of running start over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backoff {
    /// The wait before the next restart.
    pub next: Option<Seconds>,
}

impl Backoff {
    const FIRST: Seconds = Seconds(10);
    const LONGEST: Seconds = Seconds(300);
    const STARTS_OVER: std::time::Duration = std::time::Duration::from_secs(600);

    /// Returns whether the last restart had to wait: the container has ended soon more than once.
    #[must_use]
    pub fn has_waited(self) -> bool {
        self.next.is_some_and(|next| next > Self::FIRST)
    }

    /// Returns the wait before a restart of a container that ran this long, and the back-off after it.
    #[must_use]
    pub fn after_run(self, ran: std::time::Duration) -> (Seconds, Self) {
        let wait = match self.next {
            Some(wait) if ran < Self::STARTS_OVER => wait,
            _ => Seconds(0),
        };
        let next = if wait == Seconds(0) {
            Self::FIRST
        } else {
            Seconds((wait.0 * 2).min(Self::LONGEST.0))
        };
        (wait, Self { next: Some(next) })
    }
}

/// What somebody wants a container to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    Running,
    Stopped,
}

/// What a pod is doing, in podman's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PodState {
    Created,
    Running,
    /// All containers are paused.
    Paused,
    /// Some containers run and some ended or are paused.
    Degraded,
    Exited,
    Stopped,
}

impl PodState {
    /// Derives the state of a pod from those of its app and sidecar containers.
    #[must_use]
    pub fn of<'a>(states: impl Iterator<Item = &'a ContainerState>) -> Self {
        let (mut running, mut paused, mut created, mut ended) = (0, 0, 0, 0);
        for state in states {
            match state {
                ContainerState::Running { .. } | ContainerState::Stopping { .. } => running += 1,
                ContainerState::Paused { .. } => paused += 1,
                ContainerState::Created => created += 1,
                ContainerState::Exited { .. } | ContainerState::Waiting { .. } => ended += 1,
            }
        }
        match (running, paused, created, ended) {
            (0, 0, _, 0) => Self::Created,
            (0, 0, _, _) => Self::Exited,
            (_, 0, 0, 0) => Self::Running,
            (0, _, 0, 0) => Self::Paused,
            (_, _, _, _) => Self::Degraded,
        }
    }
}

impl fmt::Display for PodState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "Created",
            Self::Running => "Running",
            Self::Paused => "Paused",
            Self::Degraded => "Degraded",
            Self::Exited => "Exited",
            Self::Stopped => "Stopped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn backoff_follows_the_kubelet() {
        let mut backoff = Backoff::default();
        let mut waits = Vec::new();
        for _ in 0..8 {
            let (wait, next) = backoff.after_run(Duration::from_secs(1));
            waits.push(wait.0);
            backoff = next;
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        let (wait, next) = backoff.after_run(Duration::from_secs(600));
        assert_eq!((wait, next.next), (Seconds(0), Some(Seconds(10))));
    }

    #[test]
    fn pod_state_follows_its_containers() {
        let exited = ContainerState::Exited {
            status: ExitStatus::Code(0),
            at: Timestamp::UNIX_EPOCH,
        };
        let running = ContainerState::Running {
            process: ProcessRef {
                pid: 1,
                start_time: 0,
                boot: BootId(String::new()),
            },
            since: Timestamp::UNIX_EPOCH,
        };
        let created = ContainerState::Created;
        let paused = ContainerState::Paused {
            process: running.process().unwrap().clone(),
            since: Timestamp::UNIX_EPOCH,
        };
        for (states, expected) in [
            (vec![], PodState::Created),
            (vec![&created], PodState::Created),
            (vec![&running], PodState::Running),
            (vec![&running, &exited], PodState::Degraded),
            (vec![&paused, &paused], PodState::Paused),
            (vec![&running, &paused], PodState::Degraded),
            (vec![&exited, &exited], PodState::Exited),
        ] {
            assert_eq!(PodState::of(states.into_iter()), expected);
        }
    }
}
