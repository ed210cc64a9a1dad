//! What a container sees: its environment and its volumes.

use std::path::Path;

use super::host::{Host, pod};

const SECRET: &str = "s3cr3t-that-must-not-be-seen";

#[test]
fn environment_and_volumes_are_seen_in_the_container_and_secrets_nowhere_else() {
    let Some(host) = Host::new() else { return };
    let shared = host.dir().join("files/shared");
    std::fs::create_dir(&shared).expect("directory");
    std::fs::write(shared.join("from-host"), "from the host\n").expect("file");
    let objects = format!(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: config}}\ndata: {{colour: blue}}\n---\n\
         apiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{key: {SECRET}}}\n---\n\
         apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {{name: data}}\n\
         spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}\n---\n"
    );
    let main = "
command: [sh, -c, 'echo colour=$COLOUR prefixed=$P_colour pod=$POD expanded=$BOTH key=$(echo $KEY | wc -c); cat /config/colour; echo; wc -c < /keys/key; stat -c %a /keys/..data/key; cat /shared/from-host; echo kept > /data/kept; touch /empty/x && echo wrote; sleep 1000']
envFrom: [{prefix: P_, configMapRef: {name: config}}]
env:
- {name: COLOUR, valueFrom: {configMapKeyRef: {name: config, key: colour}}}
- {name: KEY, valueFrom: {secretKeyRef: {name: keys, key: key}}}
- {name: POD, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: BOTH, value: $(COLOUR)-$(POD)}
volumeMounts:
- {name: config, mountPath: /config}
- {name: keys, mountPath: /keys}
- {name: shared, mountPath: /shared}
- {name: data, mountPath: /data}
- {name: empty, mountPath: /empty}";
    let spec = format!(
        "terminationGracePeriodSeconds: 0\nvolumes:\n- {{name: config, configMap: {{name: config}}}}\n\
         - {{name: keys, secret: {{secretName: keys, defaultMode: 256}}}}\n\
         - {{name: shared, hostPath: {{path: {}, type: Directory}}}}\n\
         - {{name: data, persistentVolumeClaim: {{claimName: data}}}}\n- {{name: empty, emptyDir: {{}}}}",
        shared.display()
    );
    let ran = host.play("web", &format!("{objects}{}", pod("web", main, &spec)));
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let length = SECRET.len();
    assert_eq!(
        host.wait_for_log("web", "main", "wrote"),
        format!(
            "colour=blue prefixed=blue pod=web expanded=blue-web key={}\nblue\n{length}\n400\nfrom the host\nwrote\n",
            length + 1
        )
    );
    let root = &host.paths().root;
    let mut read = 0;
    for place in ["root", "run/locks", "run/sockets"] {
        nowhere_below(&host.dir().join(place), &mut read);
    }
    assert!(read > 3, "the database was not read");
    for arguments in [
        ["inspect", "web-main"].as_slice(),
        &["pod", "inspect", "web"],
        &["logs", "web-main"],
    ] {
        let ran = host.run(arguments);
        assert!(!format!("{ran:?}").contains(SECRET), "{arguments:?}");
    }
    for pid in super::traces::processes(&host) {
        assert!(!super::traces::command_line(pid).contains(SECRET), "{pid}");
    }
    host.down("web").expect();
    assert_eq!(
        std::fs::read_to_string(root.join("volumes/data/_data/kept")).expect("kept"),
        "kept\n"
    );
    host.run(&["kube", "down", "--force", "web.yaml"]).expect();
    host.expect_clean();
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// Reads every file but those the secrets rest in.
fn nowhere_below(directory: &Path, read: &mut u32) {
    for entry in std::fs::read_dir(directory).expect("directory").flatten() {
        let (path, kind) = (entry.path(), entry.file_type().expect("kind"));
        if kind.is_dir()
            && !["secrets", "layers"]
                .iter()
                .any(|name| entry.file_name() == *name)
        {
            nowhere_below(&path, read);
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).expect("file");
            assert!(
                !contains(&bytes, SECRET),
                "{} has the secret",
                path.display()
            );
            *read += 1;
        }
    }
}

#[test]
fn pod_inspect_shows_the_spec_whole_and_equal_security_of_pod_and_container_once_each() {
    let Some(host) = Host::new() else { return };
    let same = "{runAsUser: 70001, runAsGroup: 70002, seccompProfile: {type: Unconfined}, runAsNonRoot: true}";
    let main = format!("command: [sleep, '1000']\nsecurityContext: {same}");
    let spec = format!("terminationGracePeriodSeconds: 0\nsecurityContext: {same}");
    host.play("web", &pod("web", &main, &spec)).expect();
    let ran = host.run(&["pod", "inspect", "web", "--format", "json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let inspected: serde_json::Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let shown = &inspected[0]["Spec"];
    let process = |at: &str| {
        shown
            .pointer(at)
            .unwrap_or_else(|| panic!("{at}: {shown:#}"))
    };
    assert_eq!(
        process("/infra/process/security"),
        process("/containers/0/process/security")
    );
    for sentinel in ["70001", "70002"] {
        let times = shown.to_string().matches(sentinel).count();
        assert_eq!(times, 2, "{sentinel}: {shown:#}");
    }
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn a_device_of_the_host_can_be_used_by_its_mount_and_by_its_resource() {
    let Some(host) = Host::new() else { return };
    // Opened for writing it asks for no privilege but the cgroup's.
    let device = "/dev/kmsg";
    let main = format!(
        "command: [sleep, '1000']\nresources: {{limits: {{\"podman.io/device={device}\": 1}}}}\n\
         volumeMounts: [{{name: kmsg, mountPath: /mounted}}]"
    );
    let spec = format!(
        "terminationGracePeriodSeconds: 0\nvolumes: [{{name: kmsg, hostPath: {{path: {device}, type: CharDevice}}}}]"
    );
    let played = host.play("web", &pod("web", &main, &spec));
    assert_eq!((played.code, played.stderr.as_str()), (Some(0), ""));
    for path in [device, "/mounted"] {
        let script = format!("[ -c {path} ] && : >{path}");
        host.run(&["exec", "web-main", "sh", "-c", &script])
            .expect();
    }
    let format = "{{range .HostConfig.Devices}}{{.PathOnHost}} {{.PathInContainer}}\n{{end}}";
    assert_eq!(
        host.run(&["inspect", "--format", format, "web-main"])
            .expect(),
        format!("{device} {device}\n{device} /mounted\n\n")
    );
    host.down("web").expect();
    let missing = main.replace(device, "/dev/none");
    let refused = host.play("web", &pod("web", &missing, &spec));
    assert_eq!(refused.code, Some(125));
    assert!(
        refused
            .stderr
            .contains("/dev/none is no device of this host"),
        "{refused:?}"
    );
    host.expect_clean();
}
