//! The world's chances as arguments: time and fresh ids are passed in, never taken.
#![forbid(unsafe_code)]

use jiff::Timestamp;

/// Tells the time.
pub trait Clock {
    /// Returns the wall time, for display and records only; deadlines use the boot clock.
    fn now(&self) -> Timestamp;
}

/// The host's own clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Draws ids that nobody else draws.
pub trait IdSource {
    /// Returns 32 bytes, different at each call.
    fn draw(&mut self) -> [u8; 32];
}

/// Ids from the kernel's random number generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    fn draw(&mut self) -> [u8; 32] {
        let mut bytes = [0u8; 32];
        std::fs::File::open("/dev/urandom")
            .and_then(|mut file| std::io::Read::read_exact(&mut file, &mut bytes))
            .expect("a Linux host has /dev/urandom");
        bytes
    }
}
