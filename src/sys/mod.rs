//! The kernel, typed: namespaces, mounts, cgroups, links, packet filter, sockets.
//!
//! The only place with `unsafe` code. Nothing here knows what a pod is.

pub mod cgroup;
pub mod clock;
pub mod conntrack;
pub mod credentials;
pub mod descriptor;
pub mod firewall;
pub mod flock;
#[cfg(test)]
mod for_tests;
pub mod memfd;
pub mod memory;
pub mod mount;
pub mod mount_options;
pub mod mount_table;
pub mod namespace;
pub mod netlink;
mod nfnetlink;
pub mod overlay;
pub mod path;
pub mod process;
pub mod procfs;
pub mod seccomp;
pub mod socket;
pub mod sysctl;
pub mod tcp;
pub mod terminal;
pub mod tree;
