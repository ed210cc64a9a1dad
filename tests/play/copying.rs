//! Files in and out of containers, which are not to be trusted with paths.

use std::io::Write as _;
use std::process::Stdio;

use super::host::{Host, pod};

/// Runs the program with this standard input, and returns its standard output.
fn piped(host: &Host, arguments: &[&str], input: &[u8]) -> (Option<i32>, Vec<u8>, String) {
    let mut command = host.command(arguments);
    command.stdin(Stdio::piped());
    let mut child = host.run_in(move || command.spawn().expect("the program runs"));
    let mut stdin = child.stdin.take().expect("stdin");
    // A program that refuses does not read to the end.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = child.wait_with_output().expect("waited for");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), output.stdout, stderr)
}

#[test]
fn files_go_in_and_out_of_running_and_stopped_containers() {
    let Some(host) = Host::new() else { return };
    let yaml = pod(
        "box",
        "command: [sh, -c, 'echo up; sleep 1000']
securityContext: {runAsUser: 1000, runAsGroup: 2000}
volumeMounts: [{name: disk, mountPath: /data}, {name: claim, mountPath: /claim}]",
        "terminationGracePeriodSeconds: 0
volumes: [{name: disk, emptyDir: {}}, {name: claim, persistentVolumeClaim: {claimName: kept}}]",
    );
    let claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: kept}\nspec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Mi}}}\n---\n";
    host.play("box", &format!("{claim}{yaml}")).expect();
    host.wait_for_log("box", "main", "up");
    let files = host.dir().join("files");
    std::fs::create_dir_all(files.join("tree/sub")).expect("directories");
    std::fs::write(files.join("tree/sub/leaf"), "leaf").expect("file");
    std::os::unix::fs::symlink("/etc/passwd", files.join("tree/link")).expect("link");
    let cp = |from: &str, to: &str| host.run(&["cp", from, to]).expect();
    cp("tree", "box-main:/tmp/new");
    cp("tree/sub/leaf", "box-main:/data");
    cp("tree/.", "box-main:/claim");
    let cat = |path: &str| host.run(&["exec", "box-main", "cat", path]).expect();
    assert_eq!(
        cat("/tmp/new/sub/leaf") + &cat("/data/leaf") + &cat("/claim/sub/leaf"),
        "leafleafleaf"
    );
    let owner = host
        .run(&["exec", "box-main", "stat", "-c", "%u:%g", "/data/leaf"])
        .expect();
    assert_eq!(owner, "1000:2000\n");
    // A file that is there stays the same file.
    cp("box-main:/etc/passwd", "tree/sub/leaf");
    assert!(
        std::fs::read_to_string(files.join("tree/sub/leaf"))
            .expect("file")
            .contains("web:x:1000")
    );
    cp("box-main:/tmp/new", "back");
    let link = std::fs::read_link(files.join("back/link")).expect("link");
    assert_eq!(link, std::path::Path::new("/etc/passwd"));
    let (code, tar, _) = piped(&host, &["cp", "box-main:/tmp/new/sub", "-"], b"");
    assert_eq!(code, Some(0));
    let (code, _, error) = piped(&host, &["cp", "-", "box-main:/data"], &tar);
    assert_eq!(code, Some(0), "{error}");
    assert_eq!(cat("/data/sub/leaf"), "leaf");

    host.run(&["stop", "-t", "0", "box-main"]).expect();
    cp("box-main:/tmp/new/sub/leaf", "stopped");
    cp("box-main:/data/sub/leaf", "volume");
    assert_eq!(
        std::fs::read_to_string(files.join("volume")).expect("file"),
        "leaf"
    );
    std::fs::write(files.join("stopped"), "changed").expect("file");
    cp("stopped", "box-main:/data/stopped");
    cp("stopped", "box-main:/tmp/stopped");
    host.run(&["start", "box-main"]).expect();
    assert_eq!(
        cat("/data/stopped") + &cat("/tmp/stopped"),
        "changedchanged"
    );
    cp("box-main:/data/stopped", "box-main:/tmp/twice");
    assert_eq!(cat("/tmp/twice"), "changed");
    host.run(&["kube", "down", "--force", "box.yaml"]).expect();
    host.expect_clean();
}

#[test]
fn a_container_cannot_lead_a_copy_astray() {
    let Some(host) = Host::new() else { return };
    let secret = host.dir().join("files/outside");
    std::fs::create_dir(&secret).expect("directory");
    std::fs::write(secret.join("key"), "the host's").expect("file");
    let script = format!(
        "ln -s {0} /tmp/out; ln -s ../../../../../..{0} /tmp/up; ln -s /proc/1/root{0} /tmp/magic; ln -s /proc/sys/kernel /tmp/kernel; echo up; sleep 1000",
        secret.display()
    );
    let yaml = pod(
        "bad",
        &format!("command: [sh, -c, '{script}']"),
        "terminationGracePeriodSeconds: 0",
    );
    host.play("bad", &yaml).expect();
    host.wait_for_log("bad", "main", "up");
    std::fs::write(host.dir().join("files/x"), "x").expect("file");
    for link in ["out", "up", "magic"] {
        let read = host.run(&["cp", &format!("bad-main:/tmp/{link}/key"), "stolen"]);
        assert_eq!(read.code, Some(125), "{link}");
        let write = host.run(&["cp", "x", &format!("bad-main:/tmp/{link}/")]);
        assert_eq!(write.code, Some(125), "{link}");
    }
    let kernel = host.run(&["cp", "x", "bad-main:/tmp/kernel/hostname"]);
    assert_eq!(kernel.code, Some(125));
    assert!(
        kernel.stderr.contains("the kernel's own"),
        "{}",
        kernel.stderr
    );
    assert!(!host.dir().join("files/stolen").exists());
    let left: Vec<_> = std::fs::read_dir(&secret)
        .expect("secret")
        .flatten()
        .collect();
    assert_eq!(left.len(), 1);
    let neither = host.run(&["cp", "x", "y"]);
    assert_eq!(neither.code, Some(125));
    host.down("bad").expect();
    host.expect_clean();
}
