//! Filters of system calls, in the form in which the kernel takes them (`seccomp(2)`).

use std::io;

use nix::errno::Errno;
use nix::libc;

/// The size of one instruction.
const INSTRUCTION: usize = 8;

/// Filters the system calls of this process from now on, and of all that it becomes and starts, by a program for
/// the kernel's classic BPF machine.
///
/// # Errors
/// It is no such program, or the process neither has `CAP_SYS_ADMIN` nor refuses new privileges.
#[expect(unsafe_code, reason = "neither nix nor rustix has a safe call for it")]
pub fn load_filter(program: &[u8]) -> io::Result<()> {
    let mut instructions: Vec<libc::sock_filter> = program
        .chunks_exact(INSTRUCTION)
        .map(|bytes| libc::sock_filter {
            code: u16::from_ne_bytes([bytes[0], bytes[1]]),
            jt: bytes[2],
            jf: bytes[3],
            k: u32::from_ne_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
        })
        .collect();
    let len = u16::try_from(instructions.len()).unwrap_or_default();
    if len == 0 || !program.len().is_multiple_of(INSTRUCTION) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let filter = libc::sock_fprog {
        len,
        filter: instructions.as_mut_ptr(),
    };
    // SAFETY: `filter` says how many instructions there are behind its pointer, and both outlive the call, which
    // reads them. The kernel checks the program before it takes it. What it takes away are system calls, which
    // then fail as they may at any time.
    let result = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const filter,
        )
    };
    Errno::result(result).map(drop).map_err(io::Error::from)
}
