//! `kube play --replace`: the old pod answers until the new one does, and stays when it cannot.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use podwright::model::observed::Standing;

use super::host::{ADDRESS, Host, Ran, pod};

/// A pod of the built-in web server that says `greeting`.
fn hello(greeting: &str, container: &str) -> String {
    let spec = format!(
        "env: [{{name: GREETING, value: {greeting}}}]\nports: [{{containerPort: 8080, hostPort: 8080}}]\n{container}"
    );
    pod("web", &spec, "").replace("localhost/busybox", "localhost/podwright-hello")
}

fn replace(host: &Host, yaml: &str) -> Ran {
    let file = host.write("web", yaml);
    host.run(&["kube", "play", "--replace", &file])
}

/// What a loop of requests met.
#[derive(Debug, Default)]
struct Met {
    old: usize,
    new: usize,
    lost: Vec<String>,
}

/// Asks the server again and again while `work` is done, one request after the other on each address.
fn asked_meanwhile<T: Send>(host: &Host, work: impl FnOnce() -> T + Send) -> (T, Met) {
    let done = AtomicBool::new(false);
    let ask = |address: Ipv4Addr| {
        let mut met = Met::default();
        while !done.load(Ordering::Relaxed) {
            match host.get(address, 8080, "/") {
                Ok(answer) if answer.contains("greetings-old") => met.old += 1,
                Ok(answer) if answer.contains("greetings-new") => met.new += 1,
                other => met.lost.push(format!("{other:?}")),
            }
        }
        met
    };
    std::thread::scope(|scope| {
        let askers = [Ipv4Addr::LOCALHOST, ADDRESS, ADDRESS]
            .map(|address| scope.spawn(move || ask(address)));
        let result = work();
        std::thread::sleep(Duration::from_millis(100));
        done.store(true, Ordering::Relaxed);
        let mut all = Met::default();
        for asker in askers {
            let met = asker.join().expect("asked");
            all.old += met.old;
            all.new += met.new;
            all.lost.extend(met.lost);
        }
        (result, all)
    })
}

/// Plays the old pod, waits until it answers, and lets `work` fail to replace it.
#[track_caller]
fn stays(work: impl FnOnce(&Host) -> Ran + Send, complaint: &str) {
    let Some(host) = Host::new() else { return };
    host.play("web", &hello("greetings-old", "")).expect();
    host.get_soon(ADDRESS, 8080, "/");
    let before = (host.pod("web"), host.traces());
    let (ran, met) = asked_meanwhile(&host, || work(&host));
    assert_eq!(ran.code, Some(125), "{ran:?}");
    assert!(ran.stderr.contains(complaint), "{ran:?}");
    assert_eq!((met.lost.as_slice(), met.new), (&[][..], 0), "{met:?}");
    assert!(met.old > 20, "{met:?}");
    assert_eq!(host.pod("web"), before.0);
    assert_eq!(host.observed().pods.len(), 1);
    let changes = super::host::changes(&before.1, &host.traces());
    assert_eq!(changes, Vec::<String>::new());
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn replace_keeps_the_old_pod_when_the_image_does_not_exist() {
    let yaml = hello("greetings-new", "").replace("localhost/podwright-hello", "localhost/absent");
    stays(|host| replace(host, &yaml), "localhost/absent");
}

#[test]
fn replace_keeps_the_old_pod_when_a_port_is_in_use() {
    let yaml = hello("greetings-new", "").replace("hostPort: 8080", "hostPort: 8081");
    let with_port_taken = |host: &Host| {
        let listen = || TcpListener::bind(SocketAddrV4::new(ADDRESS, 8081)).expect("listens");
        let _listener = host.run_in(listen);
        replace(host, &yaml)
    };
    stays(with_port_taken, "port 8081 on 0.0.0.0 is already taken");
}

#[test]
fn replace_keeps_the_old_pod_when_the_start_fails() {
    let yaml = hello("greetings-new", "command: [/no/such/program]");
    stays(|host| replace(host, &yaml), "/no/such/program");
}

#[test]
fn replace_keeps_the_old_pod_when_the_new_one_ends_before_it_serves() {
    let yaml = pod(
        "web",
        "command: [sh, -c, exit 3]\nports: [{containerPort: 8080, hostPort: 8080}]",
        "",
    );
    stays(
        |host| replace(host, &yaml),
        "spec.containers[0].name: it ended with exit code 3 before the pod was ready",
    );
}

#[test]
fn replace_loses_no_request() {
    let Some(host) = Host::new() else { return };
    host.play("web", &hello("greetings-old", "")).expect();
    host.get_soon(ADDRESS, 8080, "/");
    let old = host.pod("web").record;
    let (ran, met) = asked_meanwhile(&host, || replace(&host, &hello("greetings-new", "")));
    let said = ran.expect();
    assert_eq!(met.lost, Vec::<String>::new());
    assert!(met.old > 0 && met.new > 0, "{met:?}");
    let new = host.pod("web").record;
    assert_ne!(new.id, old.id);
    assert_eq!(new.standing, Standing::Serving);
    assert!(said.starts_with(&format!("Pod:\n{}\n", new.id)), "{said}");
    assert_eq!(host.observed().pods.len(), 1);
    // The new pod takes the ports in hand that the old one has let go: nobody else can listen on them.
    host.wait_until_held(8080);
    let listen = || TcpListener::bind(SocketAddrV4::new(ADDRESS, 8080)).is_err();
    assert!(host.run_in(listen));
    host.down("web").expect();
    host.expect_clean();
}

#[test]
fn a_pod_that_becomes_ready_late_gets_no_request_before() {
    let Some(host) = Host::new() else { return };
    host.play("web", &hello("greetings-old", "")).expect();
    host.get_soon(ADDRESS, 8080, "/");
    let late = hello(
        "greetings-new",
        "readinessProbe: {httpGet: {port: 8080, path: /}, initialDelaySeconds: 2, periodSeconds: 1}",
    );
    let begun = std::time::Instant::now();
    let (ran, met) = asked_meanwhile(&host, || replace(&host, &late));
    ran.expect();
    assert!(begun.elapsed() >= Duration::from_secs(2));
    assert_eq!(met.lost, Vec::<String>::new());
    assert!(met.old > 0 && met.new > 0, "{met:?}");
}

#[test]
fn a_pod_that_is_as_wanted_is_left_alone() {
    let Some(host) = Host::new() else { return };
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: words}\ndata: {word: one}\n---\n";
    let secret =
        "apiVersion: v1\nkind: Secret\nmetadata: {name: hush}\nstringData: {word: one}\n---\n";
    let yaml = format!(
        "{map}{secret}{}",
        pod(
            "web",
            "command: [sleep, '1000']\nenvFrom: [{configMapRef: {name: words}}, {secretRef: {name: hush}}]",
            "terminationGracePeriodSeconds: 0",
        )
    );
    host.play("web", &yaml).expect();
    let first = host.pod("web");
    let file = host.write("web", &yaml);
    let plan = host
        .run(&["kube", "play", "--replace", "--dry-run", &file])
        .expect();
    assert_eq!(plan, "keep pod web, which is as it is wanted\n");
    assert_eq!(replace(&host, &yaml).expect(), "");
    assert_eq!(host.pod("web"), first);
    for changed in [
        yaml.replace(
            "{word: one}\n---\napiVersion: v1\nkind: Secret",
            "{word: two}\n---\napiVersion: v1\nkind: Secret",
        ),
        yaml.replace("stringData: {word: one}", "stringData: {word: two}"),
    ] {
        let before = host.pod("web").record.id;
        replace(&host, &changed).expect();
        assert_ne!(host.pod("web").record.id, before);
    }
    host.run(&["pod", "stop", "web"]).expect();
    let stopped = host.pod("web").record.id;
    replace(
        &host,
        &yaml.replace("stringData: {word: one}", "stringData: {word: two}"),
    )
    .expect();
    let now = host.pod("web");
    assert_eq!(now.record.id, stopped);
    assert!(now.containers[0].state.is_running());
}

#[test]
fn pods_that_write_the_same_data_never_run_at_once() {
    let Some(host) = Host::new() else { return };
    let database = |command: &str, more: &str| {
        pod(
            "web",
            &format!(
                "command: [sh, -c, '{command}']\nvolumeMounts: [{{name: data, mountPath: /data}}]"
            ),
            &format!(
                "terminationGracePeriodSeconds: 5\n{more}volumes: [{{name: data, persistentVolumeClaim: {{claimName: data}}}}]"
            ),
        )
    };
    let serve = "mkdir /data/lock || exit 9; trap \"rmdir /data/lock; exit 0\" TERM; while :; do sleep 0.05; done";
    host.play("web", &database(serve, "")).expect();
    let old = host.pod("web").record.id;
    host.wait_for("web", "main", |c| c.state.is_running());
    std::thread::sleep(Duration::from_millis(300));
    let failed = replace(
        &host,
        &database("exit 3", "").replace("[sh, -c, 'exit 3']", "[/no/such]"),
    );
    assert_eq!(failed.code, Some(125), "{failed:?}");
    assert_eq!(host.pod("web").record.id, old);
    host.wait_for("web", "main", |c| c.state.is_running());
    std::thread::sleep(Duration::from_millis(300));
    replace(&host, &database(serve, "restartPolicy: Never\n")).expect();
    assert_ne!(host.pod("web").record.id, old);
    std::thread::sleep(Duration::from_millis(300));
    assert!(host.container("web", "main").state.is_running());
    host.down("web").expect();
    host.run(&["volume", "rm", "data"]).expect();
    host.expect_clean();
}
