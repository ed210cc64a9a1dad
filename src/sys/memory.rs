//! How little memory a process keeps that mostly waits.

use std::fs;
use std::io;

use nix::libc;

/// Lets all threads share one heap, for a process whose threads seldom allocate at the same time.
///
/// By default each thread of glibc gets an arena of its own (`mallopt(3)`), which outlives the thread.
#[expect(
    unsafe_code,
    reason = "the allocator is configured by calls of C alone"
)]
pub fn share_one_heap() {
    // SAFETY: `mallopt` takes two numbers by value and changes nothing but the allocator's settings.
    unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Gives back what the heap does not use, and forgets the pages of this program's code.
///
/// Code that is needed again comes from the page cache, at the cost of a minor fault for a page.
///
/// # Errors
/// `/proc/self/maps` cannot be read.
#[expect(unsafe_code, reason = "neither nix nor rustix has a safe call for it")]
pub fn release_unused() -> io::Result<()> {
    // SAFETY: `malloc_trim` frees only memory that is not allocated; it may be called at any time.
    unsafe { libc::malloc_trim(0) };
    for (start, end) in code(&fs::read_to_string("/proc/self/maps")?) {
        // SAFETY: the range is a private mapping of a file without write permission since it was made,
        // so its pages have what the file has, and the kernel maps them again when they are touched.
        unsafe { libc::madvise(start as *mut libc::c_void, end - start, libc::MADV_DONTNEED) };
    }
    Ok(())
}

/// Finds the mappings of code among those of `proc_pid_maps(5)`: from a file, and never writable.
///
/// That is what can be executed, and the constants that stand before it, from the file's beginning.
/// Others are left out: relocated constants are private pages that only look read-only.
fn code(maps: &str) -> impl Iterator<Item = (usize, usize)> {
    maps.lines().filter_map(|line| {
        let mut fields = line.split_ascii_whitespace();
        let (range, permissions, offset) = (fields.next()?, fields.next()?, fields.next()?);
        let from_file = fields.nth(2).is_some_and(|name| name.starts_with('/'));
        let is_pure = match permissions {
            "r-xp" => true,
            "r--p" => offset.bytes().all(|digit| digit == b'0'),
            _ => false,
        };
        let (start, end) = range.split_once('-')?;
        let number = |text| usize::from_str_radix(text, 16).ok();
        (is_pure && from_file).then_some((number(start)?, number(end)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_is_forgotten() {
        let maps = "\
            1000-2000 r--p 00000000 fe:00 7 /bin/x\n\
            2000-5000 r-xp 00001000 fe:00 7 /bin/x\n\
            5000-6000 r--p 00004000 fe:00 7 /bin/x\n\
            6000-7000 rw-p 00005000 fe:00 7 /bin/x\n\
            7000-8000 rw-p 00000000 00:00 0 [heap]\n\
            9000-a000 r-xp 00000000 00:00 0 [vdso]\n";
        assert_eq!(
            code(maps).collect::<Vec<_>>(),
            [(0x1000, 0x2000), (0x2000, 0x5000)]
        );
    }

    #[test]
    fn a_program_that_forgot_its_code_goes_on() {
        let before = vec![7u8; 1 << 20];
        share_one_heap();
        release_unused().unwrap();
        assert!(before.iter().all(|byte| *byte == 7));
        assert!(code(&fs::read_to_string("/proc/self/maps").unwrap()).count() > 0);
    }
}
