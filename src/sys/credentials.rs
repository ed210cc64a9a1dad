//! Who a process is and what it may do: ids, groups, capabilities.
//!
//! The calls change the calling thread alone; they are for processes that have one.

use std::io;

use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_keep_capabilities, set_no_new_privs, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

/// A set of capabilities, one bit each by number (`capabilities(7)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CapabilityBits(pub u64);

impl CapabilityBits {
    fn set(self) -> CapabilitySet {
        CapabilitySet::from_bits_retain(self.0)
    }

    fn each(self) -> impl Iterator<Item = CapabilitySet> {
        (0..64)
            .map(|number| 1u64 << number)
            .filter(move |bit| self.0 & bit != 0)
            .map(CapabilitySet::from_bits_retain)
    }
}

/// All the sets a process has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capabilities {
    pub bounding: CapabilityBits,
    pub effective: CapabilityBits,
    pub permitted: CapabilityBits,
    pub inheritable: CapabilityBits,
    pub ambient: CapabilityBits,
}

/// Becomes another user, but keeps the capabilities, all of them effective.
///
/// # Errors
/// The process may not.
pub fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    let groups: Vec<Gid> = groups.iter().map(|gid| Gid::from_raw(*gid)).collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    set_keep_capabilities(true)?;
    set_thread_groups(&groups)?;
    set_thread_res_gid(gid, gid, gid)?;
    set_thread_res_uid(uid, uid, uid)?;
    let kept = rustix::thread::capabilities(None)?;
    Ok(set_capabilities(
        None,
        CapabilitySets {
            effective: kept.permitted,
            ..kept
        },
    )?)
}

/// Gives up all capabilities but these, for ever.
///
/// # Errors
/// The process lacks one of them, or `CAP_SETPCAP`.
pub fn keep_capabilities(keep: &Capabilities) -> io::Result<()> {
    for number in 0..64 {
        let bit = 1u64 << number;
        let capability = CapabilitySet::from_bits_retain(bit);
        if keep.bounding.0 & bit != 0 {
            continue;
        }
        match remove_capability_from_bounding_set(capability) {
            Ok(()) => {}
            // The kernel knows no more of them.
            Err(rustix::io::Errno::INVAL) => break,
            Err(errno) => return Err(errno.into()),
        }
    }
    clear_ambient_capability_set()?;
    set_capabilities(
        None,
        CapabilitySets {
            effective: keep.effective.set(),
            permitted: keep.permitted.set(),
            inheritable: keep.inheritable.set(),
        },
    )?;
    for capability in keep.ambient.each() {
        configure_capability_in_ambient_set(capability, true)?;
    }
    Ok(())
}

/// Makes that neither a set-user-id bit nor a file's capabilities give this process anything more.
///
/// # Errors
/// Never on Linux since 3.5.
pub fn refuse_new_privileges() -> io::Result<()> {
    Ok(set_no_new_privs(true)?)
}
