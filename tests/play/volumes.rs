//! Named volumes: made, listed, filled, mounted, kept while somebody uses them, and removed.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::host::{Host, pod};

/// A pod whose container runs a script with the volume at `/data`.
fn user(name: &str, volume: &str, script: &str) -> String {
    pod(
        name,
        &format!(
            "command: [sh, -c, '{script}; echo ready; exec sleep 1000']\nvolumeMounts: [{{name: v, mountPath: /data}}]"
        ),
        &format!(
            "terminationGracePeriodSeconds: 0\nvolumes: [{{name: v, persistentVolumeClaim: {{claimName: {volume}}}}}]"
        ),
    )
}

fn claim(name: &str, annotations: &str) -> String {
    format!(
        "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata:\n  name: {name}\n  annotations: {{{annotations}}}\n\
         spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}\n---\n"
    )
}

fn data(host: &Host, volume: &str) -> std::path::PathBuf {
    host.paths().root.join("volumes").join(volume).join("_data")
}

#[test]
fn volumes_are_made_listed_inspected_and_removed_as_podman_does() {
    let Some(host) = Host::new() else { return };
    let ran = |line: &str| host.run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(
        ran("volume create --label a=b --label c one").expect(),
        "one\n"
    );
    assert_eq!(
        ran("volume create -o type=tmpfs -o device=tmpfs -o o=size=1M,nodev two").expect(),
        "two\n"
    );
    assert_eq!(
        ran("volume create --opt o=uid=5,gid=6 three").expect(),
        "three\n"
    );
    let drawn = ran("volume create").expect();
    assert_eq!(drawn.len(), 65, "{drawn}");
    let owner = std::fs::metadata(data(&host, "three")).expect("data");
    assert_eq!(
        (owner.uid(), owner.gid(), owner.mode() & 0o777),
        (5, 6, 0o755)
    );

    let again = ran("volume create one");
    assert_eq!(again.code, Some(125));
    assert!(
        again.stderr.contains("volume already exists"),
        "{}",
        again.stderr
    );
    assert_eq!(ran("volume create --ignore one").expect(), "one\n");
    for line in [
        "volume create --driver nfs x",
        "volume create --opt colour=red x",
        "volume create --opt o=size=1G x",
        "volume create .x",
    ] {
        assert_eq!(ran(line).code, Some(125), "{line}");
    }
    assert_eq!(ran("volume rm -f nothing").expect(), "");
    assert_eq!(ran("volume rm nothing").code, Some(1));
    assert_eq!(ran("volume inspect nothing").code, Some(125));
    assert_eq!(ran("volume exists one").code, Some(0));
    assert_eq!(ran("volume exists nothing").code, Some(1));

    for (line, answer) in [
        (
            "volume ls --filter name=one",
            "DRIVER  VOLUME NAME\nlocal   one\n",
        ),
        ("volume ls -n --filter name=one", "local  one\n"),
        ("volume ls -q --filter label=a=b", "one\n"),
        ("volume ls -q --filter label=a=c", ""),
        (
            "volume ls -q --filter label!=a --filter name=three",
            "three\n",
        ),
        (
            "volume ls -q --filter opt=type --filter driver=local",
            "two\n",
        ),
        ("volume ls -q --filter opt=device=tmpfs", "two\n"),
        ("volume ls -q --filter until=1h", ""),
        (
            "volume ls -q --filter since=one --filter name=t",
            "three\ntwo\n",
        ),
        (
            "volume ls --filter name=one --format {{.Name}}|{{.Driver}}|{{.Labels}}|{{.Scope}}",
            "one|local|map[a:b c:]|local\n",
        ),
        (
            "volume inspect two --format {{.Options.o}}|{{.Options}}",
            "size=1M,nodev|map[device:tmpfs o:size=1M,nodev type:tmpfs]\n",
        ),
        (
            "volume inspect one three --format {{.Name}}:{{.MountCount}}:{{.UID}}",
            "one:0:0\nthree:0:5\n",
        ),
        ("volume inspect thr --format {{.Name}}", "three\n"),
    ] {
        assert_eq!(ran(line).expect(), answer, "{line}");
    }
    let mountpoint = ran("volume inspect one --format {{.Mountpoint}}").expect();
    assert_eq!(Path::new(mountpoint.trim_end()), data(&host, "one"));
    let json: serde_json::Value =
        serde_json::from_str(&ran("volume inspect one").expect()).expect("JSON");
    for field in [
        "Name",
        "Driver",
        "Mountpoint",
        "CreatedAt",
        "Labels",
        "Scope",
        "Options",
    ] {
        assert!(json[0].get(field).is_some(), "{field}");
    }
    assert_eq!(ran("volume ls --filter colour=red").code, Some(125));

    assert_eq!(ran("volume rm one two").expect(), "one\ntwo\n");
    assert!(!data(&host, "one").exists());
    let some = ran("volume rm three four");
    assert_eq!((some.code, some.stdout.as_str()), (Some(1), "three\n"));
    assert_eq!(ran("volume rm --all").expect(), drawn);
    assert_eq!(ran("volume ls -q").expect(), "");
}

#[test]
fn a_volume_in_use_is_not_removed_without_force() {
    let Some(host) = Host::new() else { return };
    host.play("web", &user("web", "data", "echo kept > /data/file"))
        .expect();
    host.wait_for_log("web", "main", "ready");
    host.run(&["volume", "create", "unused"]).expect();
    assert_eq!(
        host.run(&["volume", "inspect", "data", "--format", "{{.MountCount}}"])
            .expect(),
        "1\n"
    );
    let refused = host.run(&["volume", "rm", "data"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused.stderr.contains("in use by pod `web`"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        host.run(&["volume", "ls", "-q", "--filter", "dangling=true"])
            .expect(),
        "unused\n"
    );
    // Nobody answers the question: nothing is removed.
    assert!(
        host.run(&["volume", "prune"])
            .expect()
            .ends_with("[y/N] \n")
    );
    assert_eq!(
        host.run(&["volume", "prune", "--force"]).expect(),
        "unused\n"
    );
    host.down("web").expect();
    let kept = std::fs::read_to_string(data(&host, "data").join("file")).expect("data");
    assert_eq!(kept, "kept\n");

    host.play("web", &user("web", "data", "cat /data/file"))
        .expect();
    assert!(
        host.wait_for_log("web", "main", "ready")
            .starts_with("kept\n")
    );
    assert_eq!(
        host.run(&["volume", "rm", "--force", "data"]).expect(),
        "data\n"
    );
    assert!(host.observed().pods.is_empty());
    assert!(!data(&host, "data").exists());
    host.expect_clean();
}

#[test]
fn a_claim_of_another_pod_keeps_the_volume_when_an_application_is_forced_down() {
    let Some(host) = Host::new() else { return };
    let yaml = format!(
        "{}{}",
        claim("data", ""),
        user("one", "data", "echo 1 > /data/1")
    );
    host.play("one", &yaml).expect();
    host.play("two", &user("two", "data", "true")).expect();
    let down = host.run(&["kube", "down", "--force", "one.yaml"]);
    assert_eq!(down.code, Some(0), "{}", down.stderr);
    assert!(
        down.stderr.contains("in use by pod `two`"),
        "{}",
        down.stderr
    );
    assert!(data(&host, "data").join("1").exists());
    host.down("two").expect();
    host.run(&["kube", "down", "--force", "one.yaml"]).expect();
    assert!(!data(&host, "data").exists());
}

#[test]
fn a_failed_play_takes_its_own_volumes_back_and_no_others() {
    let Some(host) = Host::new() else { return };
    host.play("one", &user("one", "old", "echo 1 > /data/1"))
        .expect();
    host.wait_for_log("one", "main", "ready");
    let fails = |volume: &str| {
        let yaml = format!("{}{}", claim("fresh", ""), user("two", volume, "true"));
        yaml.replace("[sh, -c,", "[/no/such/program,")
    };
    for volume in ["old", "fresh"] {
        let ran = host.play("two", &fails(volume));
        assert_ne!(ran.code, Some(0), "{}", ran.stdout);
        assert_eq!(host.run(&["volume", "ls", "-q"]).expect(), "old\n");
    }
    assert!(data(&host, "old").join("1").exists());
    assert!(!data(&host, "fresh").exists());
}

#[test]
fn podmans_annotations_fill_give_and_mount_a_claim() {
    let Some(host) = Host::new() else { return };
    let files = host.dir().join("files");
    std::fs::create_dir_all(files.join("content/deep")).expect("directory");
    std::fs::write(files.join("content/deep/file"), "from the tar\n").expect("file");
    std::fs::write(files.join("content/.wh.odd"), "").expect("file");
    let packed = std::process::Command::new("tar")
        .args(["-C", "content", "-czf", "content.tar.gz", "."])
        .current_dir(&files)
        .status()
        .expect("tar runs");
    assert!(packed.success());
    let bound = files.join("bound");
    std::fs::create_dir(&bound).expect("directory");
    let yaml = [
        claim("filled", "volume.podman.io/import-source: content.tar.gz, volume.podman.io/uid: '7', volume.podman.io/gid: '8'"),
        claim("memory", "volume.podman.io/driver: local, volume.podman.io/type: tmpfs, volume.podman.io/mount-options: 'size=1M,nosuid'"),
        claim("bound", &format!("volume.podman.io/device: {}, volume.podman.io/type: none, volume.podman.io/mount-options: bind", bound.display())),
        pod(
            "web",
            "command: [sh, -c, 'cat /filled/deep/file; ls -a /filled; stat -c %u:%g /filled; stat -f -c %T-%b /memory; echo 1 > /bound/1; echo ready; exec sleep 1000']\n\
             volumeMounts: [{name: a, mountPath: /filled}, {name: b, mountPath: /memory}, {name: c, mountPath: /bound}]",
            "terminationGracePeriodSeconds: 0\nvolumes:\n\
             - {name: a, persistentVolumeClaim: {claimName: filled}}\n\
             - {name: b, persistentVolumeClaim: {claimName: memory}}\n\
             - {name: c, persistentVolumeClaim: {claimName: bound}}",
        ),
    ]
    .concat();
    host.play("web", &yaml).expect();
    assert_eq!(
        host.wait_for_log("web", "main", "ready"),
        "from the tar\n.\n..\n.wh.odd\ndeep\n7:8\ntmpfs-256\nready\n"
    );
    assert_eq!(std::fs::read(bound.join("1")).expect("file"), b"1\n");
    let generated = host
        .run(&["kube", "generate", "filled", "memory", "bound"])
        .expect();
    for words in [
        "volume.podman.io/import-source: ",
        "volume.podman.io/uid: \"7\"",
        "volume.podman.io/type: tmpfs",
        "volume.podman.io/mount-options: bind",
    ] {
        assert!(generated.contains(words), "{words} is not in\n{generated}");
    }
    host.kill_supervisors();
    host.run(&["volume", "rm", "--force", "bound", "memory", "filled"])
        .expect();
    // What was only mounted is still there.
    assert_eq!(std::fs::read(bound.join("1")).expect("file"), b"1\n");
    assert_eq!(host.run(&["volume", "ls", "-q"]).expect(), "");
    host.expect_clean();
}

#[test]
fn a_claim_that_cannot_be_filled_is_not_made() {
    let Some(host) = Host::new() else { return };
    std::fs::write(host.dir().join("files/broken.tar"), "no tar at all").expect("file");
    for source in ["broken.tar", "missing.tar"] {
        let ran = host.play(
            "x",
            &claim("x", &format!("volume.podman.io/import-source: {source}")),
        );
        assert_eq!(ran.code, Some(125), "{source}");
        assert!(ran.stderr.contains(source), "{}", ran.stderr);
        assert_eq!(host.run(&["volume", "ls", "-q"]).expect(), "");
    }
    let left = std::fs::read_dir(host.paths().root.join("volumes")).expect("volumes");
    assert_eq!(left.count(), 0);
}

#[test]
fn what_killed_commands_left_of_volumes_is_swept() {
    let Some(host) = Host::new() else { return };
    host.run(&["volume", "create", "kept"]).expect();
    let volumes = host.paths().root.join("volumes");
    for left in [
        ".new-0123456789abcdef/_data",
        ".gone-0123456789abcdef/_data",
    ] {
        std::fs::create_dir_all(volumes.join(left)).expect("directory");
    }
    host.play("web", &user("web", "kept", "true")).expect();
    let names: Vec<_> = std::fs::read_dir(&volumes)
        .expect("volumes")
        .map(|entry| entry.expect("entry").file_name())
        .collect();
    assert_eq!(names, ["kept"]);
}

#[test]
fn an_image_is_a_volume_of_its_files_that_nobody_can_write_and_that_keeps_the_image() {
    let Some(host) = Host::new() else { return };
    let files = host.dir().join("files");
    let import = |text: &str| {
        std::fs::create_dir_all(files.join("tree/sub")).unwrap();
        std::fs::write(files.join("tree/sub/word"), text).unwrap();
        let tar = files.join("data.tar");
        let mut archive = tar::Builder::new(std::fs::File::create(&tar).unwrap());
        archive.append_dir_all(".", files.join("tree")).unwrap();
        archive.finish().unwrap();
        let tar = tar.to_str().unwrap();
        host.run(&["import", "-q", tar, "localhost/data:1"])
            .expect()
    };
    import("first");
    let main = "command: [sh, -c, 'cat /data/sub/word /part/word; touch /data/x || echo refused; sleep 1000']\n\
                volumeMounts: [{name: data, mountPath: /data}, {name: data, mountPath: /part, subPath: sub}]";
    let spec = "terminationGracePeriodSeconds: 0\nvolumes: [{name: data, image: {reference: 'localhost/data:1'}}]";
    let yaml = pod("web", main, spec);
    let played = host.play("web", &yaml);
    assert_eq!((played.code, played.stderr.as_str()), (Some(0), ""));
    let log = host.wait_for_log("web", "main", "refused");
    assert!(log.starts_with("firstfirst"), "{log}");
    let kept = host.run(&["rmi", "localhost/data:1"]);
    assert_ne!(kept.code, Some(0));
    assert!(
        kept.stderr.contains("is in use by a volume of pod `web`"),
        "{kept:?}"
    );
    host.run(&["restart", "web-main"]).expect();
    assert_eq!(host.run(&["system", "check"]).expect(), "");
    // As it is wanted it stays; with another image by that name it is made anew.
    let old = host.pod("web").record.id;
    let replace = ["kube", "play", "-q", "--replace", "web.yaml"];
    host.run(&replace).expect();
    assert_eq!(host.pod("web").record.id, old);
    import("second");
    host.run(&replace).expect();
    assert_ne!(host.pod("web").record.id, old);
    host.wait_for_log("web", "main", "secondsecond");
    host.down("web").expect();
    host.run(&["image", "prune", "--all", "--force"]).expect();
    let missing = host.play("web", &yaml);
    assert_eq!(missing.code, Some(125));
    assert!(
        missing.stderr.contains("spec.volumes[0].image.reference"),
        "{missing:?}"
    );
}
