//! The coverage counters that `-C instrument-coverage` puts into this program, read without any of its symbols.
//!
//! The compiler gathers the counters in one section. Its place is in the section table of the executable, and
//! where that was loaded to is in `/proc/self/maps`; the counters themselves are read through `/proc/self/mem`.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt as _;

const SECTION: &[u8] = b"__llvm_prf_cnts";

/// How often each place of the program was reached.
pub(crate) struct Counters {
    memory: File,
    address: u64,
    bytes: Vec<u8>,
    before: Vec<u8>,
    /// For each counter the magnitudes that were seen, a bit each.
    seen: Vec<u8>,
}

impl Counters {
    /// Finds the counters; none if the program was built without.
    pub(crate) fn find() -> io::Result<Option<Self>> {
        let program = fs::read("/proc/self/exe")?;
        let Some((address, size)) = section(&program) else {
            return Ok(None);
        };
        let bytes = vec![0; size];
        let mut counters = Self {
            memory: File::open("/proc/self/mem")?,
            address: base(&program)? + address,
            before: bytes.clone(),
            seen: vec![0; size / 8],
            bytes,
        };
        counters.read()?;
        Ok(Some(counters))
    }

    fn read(&mut self) -> io::Result<()> {
        std::mem::swap(&mut self.bytes, &mut self.before);
        self.memory.read_exact_at(&mut self.bytes, self.address)
    }

    /// Tells whether anything was reached since the last call that never was, or never so often.
    pub(crate) fn has_news(&mut self) -> io::Result<bool> {
        self.read()?;
        let now = self.bytes.chunks_exact(8);
        let before = self.before.chunks_exact(8);
        let mut news = false;
        for ((now, before), seen) in now.zip(before).zip(&mut self.seen) {
            if now == before {
                continue;
            }
            let count = number(now).wrapping_sub(number(before));
            let magnitude = 1 << (64 - count.leading_zeros()).min(8).saturating_sub(1);
            news |= *seen & magnitude == 0;
            *seen |= magnitude;
        }
        Ok(news)
    }

    /// Returns how many places were reached, and how many there are.
    pub(crate) fn reached(&self) -> (usize, usize) {
        let reached = self.seen.iter().filter(|seen| **seen != 0);
        (reached.count(), self.seen.len())
    }
}

fn number(bytes: &[u8]) -> u64 {
    bytes.try_into().map_or(0, u64::from_le_bytes)
}

/// Reads a number of the executable (ELF, 64 bits, little endian).
fn field(program: &[u8], at: u64, length: u64) -> Option<u64> {
    let at = usize::try_from(at).ok()?;
    let bytes = program.get(at..at + usize::try_from(length).ok()?)?;
    let mut padded = [0; 8];
    padded.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(u64::from_le_bytes(padded))
}

/// Returns the address and the size of the counters in the executable.
fn section(program: &[u8]) -> Option<(u64, usize)> {
    let table = field(program, 0x28, 8)?;
    let (entry, count) = (field(program, 0x3a, 2)?, field(program, 0x3c, 2)?);
    let names = table + entry * field(program, 0x3e, 2)?;
    let names = field(program, names + 0x18, 8)?;
    (0..count).find_map(|index| {
        let header = table + entry * index;
        let name = usize::try_from(names + field(program, header, 4)?).ok()?;
        let is_it = program.get(name..)?.starts_with(SECTION);
        let size = usize::try_from(field(program, header + 0x20, 8)?).ok()?;
        is_it.then_some((field(program, header + 0x10, 8)?, size))
    })
}

/// Returns what its addresses count from: where the executable was loaded to, unless it stands at a fixed place.
fn base(program: &[u8]) -> io::Result<u64> {
    /// `ET_EXEC` in the header's `e_type`.
    const FIXED: u64 = 2;
    if field(program, 0x10, 2) == Some(FIXED) {
        return Ok(0);
    }
    let path = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    let line = maps
        .lines()
        .find(|line| line.ends_with(&*path.to_string_lossy()));
    let start = line.and_then(|line| line.split('-').next());
    start
        .and_then(|start| u64::from_str_radix(start, 16).ok())
        .ok_or_else(|| io::Error::other("the program is not among its own mappings"))
}
