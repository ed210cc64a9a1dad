//! What templates get of a container.

use super::*;
use crate::cli::output::{Format, Output};
use crate::cli::view::fixture;

fn paths() -> Paths {
    Paths {
        root: "/root".into(),
        runroot: "/run/root".into(),
        cgroup_parent: "/podwright".to_owned(),
        runtime: None,
    }
}

fn inspected(place: usize, format: &str) -> String {
    let observed = fixture::observed();
    let images = [fixture::image()];
    let scene = Scene::new(&observed, &images, fixture::at(fixture::NOW));
    let pod = &observed.pods[0];
    let host = Host {
        paths: &paths(),
        capabilities: BTreeSet::new(),
    };
    let container = inspect_container(&scene, pod, &pod.containers[place], &host).unwrap();
    let mut bytes = Vec::new();
    Output::new(&mut bytes)
        .objects(&[container], Some(&Format::parse(format).unwrap()))
        .unwrap();
    String::from_utf8(bytes).unwrap().trim_end().to_owned()
}

#[test]
fn templates_give_podmans_answers() {
    for (format, answer) in [
        (
            "{{.Name}} {{.State.Status}} {{.State.Running}} {{.State.Pid}}",
            "web-a running true 4711",
        ),
        (
            "{{.Config.Entrypoint}} {{.Config.Cmd}} {{.Path}} {{.Args}}",
            "[sleep] [1000] sleep [1000]",
        ),
        ("{{.Config.Env}}", "[PATH=/bin A=1 S=*******]"),
        (
            "{{.Config.User}} {{.Config.Hostname}} {{.Config.StopSignal}} {{.Config.StopTimeout}}",
            "1000:2000 shop SIGTERM 7",
        ),
        (
            "{{index .Config.Annotations \"note\"}} {{.Config.Labels}}",
            "read me map[app:x]",
        ),
        (
            "{{.HostConfig.Memory}} {{.HostConfig.CpuPeriod}} {{.HostConfig.CpuQuota}}",
            "67108864 100000 50000",
        ),
        (
            "{{.HostConfig.CapAdd}} {{.HostConfig.CapDrop}} {{.HostConfig.ReadonlyRootfs}}",
            "[CAP_NET_ADMIN] [CAP_CHOWN] true",
        ),
        (
            "{{.HostConfig.RestartPolicy.Name}} {{.HostConfig.PortBindings}}",
            "always map[80/tcp:[{0.0.0.0 8080}]]",
        ),
        (
            "{{range .Mounts}}{{.Type}}{{.Name}} {{.Destination}} {{.RW}};{{end}}",
            "bind /data true;bind /srv false;",
        ),
        (
            "{{.ImageName}} {{.RestartCount}} {{.IsService}}",
            "localhost/bb:latest 0 false",
        ),
    ] {
        assert_eq!(inspected(0, format), answer, "{format}");
    }
}

#[test]
fn states_are_told_apart() {
    let format = "{{.State.Status}} {{.State.ExitCode}} {{.State.Restarting}} {{.State.Reason}} {{.State.FinishedAt}}";
    assert_eq!(
        inspected(1, format),
        "exited 0 false Completed 2024-05-01 11:59:58 +0000 UTC"
    );
    assert_eq!(
        inspected(2, format),
        "exited 3 true CrashLoopBackOff 2024-05-01 11:59:00 +0000 UTC"
    );
    assert_eq!(
        inspected(3, format),
        "created 0 false  0001-01-01 00:00:00 +0000 UTC"
    );
}
