//! Secrets made by hand: their values reach the pods and nothing else.

use super::host::{Host, pod};

/// Returns the files below a directory that hold the text, but for those where Secrets rest.
fn files_with(directory: &std::path::Path, text: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let kind = entry.file_type().expect("file type");
        if kind.is_dir() && path.file_name().is_some_and(|name| name != "secrets") {
            found.extend(files_with(&path, text));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(text.len()).any(|window| window == text) {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn a_secret_is_made_used_and_removed_and_never_shown() {
    let Some(host) = Host::new() else { return };
    std::fs::write(host.dir().join("files/value"), "hunter2-plain").expect("file");
    let yaml =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: x}\nstringData: {user: hunter2-user}\n";
    std::fs::write(host.dir().join("files/secret.yaml"), yaml).expect("file");
    let plain = host.run(&["secret", "create", "plain", "value"]).expect();
    host.run(&["secret", "create", "keyed", "secret.yaml"])
        .expect();
    let taken = host.run(&["secret", "create", "plain", "value"]);
    assert_eq!(taken.code, Some(125));
    assert!(
        taken.stderr.contains("secret name in use"),
        "{}",
        taken.stderr
    );
    let ids = host.run(&["secret", "ls", "--quiet"]).expect();
    assert!(
        ids.lines().count() == 2 && ids.contains(plain.trim()),
        "{ids}"
    );
    let text = host
        .run(&["secret", "ls", "--format", "{{.Name}} {{.Driver}}"])
        .expect();
    assert_eq!(text, "keyed file\nplain file\n");
    let shown = host.run(&["secret", "inspect", "plain", "keyed"]).expect();
    assert!(
        shown.contains("\"Name\": \"plain\"") && !shown.contains("hunter2"),
        "{shown}"
    );
    host.run(&["secret", "exists", "plain"]).expect();
    assert_eq!(host.run(&["secret", "exists", "nobody"]).code, Some(1));
    assert_eq!(
        files_with(&host.paths().root, b"hunter2"),
        Vec::<std::path::PathBuf>::new()
    );

    let container = "command: [sh, -c, 'echo $A $B | cut -c 9-; sleep 1000']
env:
- {name: A, valueFrom: {secretKeyRef: {name: plain, key: plain}}}
- {name: B, valueFrom: {secretKeyRef: {name: keyed, key: user}}}";
    host.play(
        "web",
        &pod("web", container, "terminationGracePeriodSeconds: 0"),
    )
    .expect();
    host.wait_for_log("web", "main", "plain hunter2-user");
    let shown = host.run(&["inspect", "web-main"]).expect()
        + &host.run(&["pod", "inspect", "web"]).expect();
    assert!(!shown.contains("hunter2"), "{shown}");
    host.down("web").expect();

    std::fs::write(host.dir().join("files/value"), "other").expect("file");
    host.run(&["secret", "create", "--replace", "plain", "value"])
        .expect();
    let files = || {
        std::fs::read_dir(host.paths().secrets())
            .expect("secrets")
            .count()
    };
    assert_eq!(files(), 2);
    host.run(&["secret", "rm", "plain"]).expect();
    assert_eq!(host.run(&["secret", "rm", "plain"]).code, Some(125));
    host.run(&["secret", "rm", "--ignore", "plain"]).expect();
    host.run(&["secret", "rm", "--all"]).expect();
    assert_eq!(
        (files(), host.run(&["secret", "ls", "-q"]).expect()),
        (0, String::new())
    );
}
