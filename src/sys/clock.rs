//! The boot clock: it runs on while the machine sleeps and means nothing in another boot.

use std::io;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Returns the time since the machine started, sleep included (`CLOCK_BOOTTIME`).
#[must_use]
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME)
        .expect("Linux has CLOCK_BOOTTIME since 2.6.39")
        .into()
}

/// Returns the id of this boot of the kernel.
///
/// # Errors
/// There is no `/proc`.
pub fn boot_id() -> io::Result<String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_boot_clock_goes_forward_and_the_boot_id_stays() {
        let before = since_boot();
        assert!(since_boot() >= before);
        assert_eq!(boot_id().unwrap(), boot_id().unwrap());
        assert_eq!(boot_id().unwrap().len(), 36);
    }
}
