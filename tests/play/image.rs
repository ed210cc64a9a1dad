//! A root file system made of busybox, as an image of the host.

use std::collections::BTreeMap;
use std::path::Path;

use podwright::image::ImageRecord;
use podwright::image::archive::Input;
use podwright::image::import::{ImportOptions, import};
use podwright::image::store::ContentStore;
use podwright::state::{LockDir, Store};
use tar::{Builder, EntryType, Header};

/// The name of the image.
pub(crate) const NAME: &str = "localhost/busybox:latest";

/// The programs that tests use in containers.
const APPLETS: &[&str] = &[
    "sh", "cat", "cut", "dd", "echo", "env", "false", "grep", "head", "hostname", "httpd", "id",
    "ip", "kill", "ls", "mkdir", "nc", "printf", "readlink", "rm", "seq", "sleep", "stat", "tail",
    "tee", "touch", "true", "wc", "wget",
];

/// Makes the image in the installation at `root`.
pub(crate) fn make(root: &Path, runroot: &Path) {
    let tar = root.with_extension("tar");
    std::fs::write(&tar, root_file_system()).expect("tar");
    let program = Path::new(env!("CARGO_BIN_EXE_podwright"));
    let content = ContentStore::open(root, program).expect("content store");
    let lease = content.lease().expect("lease");
    let options = ImportOptions {
        name: Some(NAME),
        changes: &["CMD=[\"sh\"]".to_owned()],
        message: "",
        created: jiff::Timestamp::now(),
    };
    let image = import(&content, &lease, Input::Path(&tar), &options)
        .expect("imported")
        .image;
    std::fs::remove_file(&tar).expect("removed");
    let locks = LockDir::open(&runroot.join("locks")).expect("locks");
    let mut store = Store::open(root, locks).expect("store");
    store
        .change_images(|images: &mut BTreeMap<String, ImageRecord>| {
            images.insert(image.id.to_string(), image);
        })
        .expect("recorded");
}

fn root_file_system() -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for directory in ["bin", "etc", "tmp", "root", "www"] {
        let mut header = header(EntryType::Directory, 0o755);
        tar.append_data(&mut header, format!("{directory}/"), std::io::empty())
            .expect("directory");
    }
    let busybox = std::fs::read("/bin/busybox").expect("busybox");
    file(&mut tar, "bin/busybox", &busybox, 0o755);
    file(
        &mut tar,
        "etc/passwd",
        b"root:x:0:0::/root:/bin/sh\nweb:x:1000:1000::/:/bin/sh\n",
        0o644,
    );
    file(&mut tar, "etc/group", b"root:x:0:\nweb:x:1000:\n", 0o644);
    for applet in APPLETS {
        let mut header = header(EntryType::Symlink, 0o777);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox")
            .expect("link");
    }
    tar.into_inner().expect("tar")
}

fn file(tar: &mut Builder<Vec<u8>>, path: &str, content: &[u8], mode: u32) {
    let mut header = header(EntryType::Regular, mode);
    header.set_size(content.len() as u64);
    tar.append_data(&mut header, path, content).expect("file");
}

fn header(kind: EntryType, mode: u32) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1);
    header
}
