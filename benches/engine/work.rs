//! The work: an image of busybox, and pods of it.

use tar::{Builder, EntryType, Header};

pub(crate) const IMAGE: &str = "localhost/bench:latest";

/// Ends at once when it is asked to.
pub(crate) const QUICK: &str =
    "[/bin/sh, -c, \"trap 'exit 0' TERM; echo up; /bin/sleep 100000 & wait\"]";

/// Ignores SIGTERM.
pub(crate) const DEAF: &str =
    "[/bin/sh, -c, \"trap '' TERM; echo up; while :; do /bin/sleep 100000; done\"]";

/// Fails at once.
pub(crate) const FAILING: &str = "[/bin/sh, -c, 'exit 1']";

/// Returns the image's root file system.
pub(crate) fn root_file_system() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for directory in ["bin/", "etc/", "tmp/", "dev/", "proc/", "sys/"] {
        let mut header = header(EntryType::Directory, 0);
        tar.append_data(&mut header, directory, std::io::empty())
            .expect("in memory");
    }
    let busybox = std::fs::read("/bin/busybox").expect("busybox-static is needed");
    let size = u64::try_from(busybox.len()).expect("a file fits");
    tar.append_data(
        &mut header(EntryType::Regular, size),
        "bin/busybox",
        &*busybox,
    )
    .expect("in memory");
    for applet in ["sh", "sleep", "true", "echo"] {
        let mut header = header(EntryType::Symlink, 0);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox")
            .expect("in memory");
    }
    tar.into_inner().expect("in memory")
}

fn header(kind: EntryType, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header
}

/// Writes so many pods, each with so many containers of one command.
pub(crate) fn pods(
    name: &str,
    count: usize,
    containers: usize,
    command: &str,
    spec: &str,
) -> String {
    (0..count)
        .map(|number| pod(&format!("{name}{number}"), containers, command, spec))
        .collect::<Vec<_>>()
        .join("---\n")
}

pub(crate) fn pod(name: &str, containers: usize, command: &str, spec: &str) -> String {
    let containers: String = (0..containers)
        .map(|number| {
            format!(
                "  - name: c{number}\n    image: {IMAGE}\n    imagePullPolicy: Never\n    command: {command}\n"
            )
        })
        .collect();
    let spec: String = spec.lines().map(|line| format!("  {line}\n")).collect();
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\nspec:\n{spec}  containers:\n{containers}"
    )
}
