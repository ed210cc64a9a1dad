//! Where manifests come from: files, standard input, a server, and what was played before.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Stdio;

use serde_json::Value;

use super::host::{Host, Ran, pod};

fn sleeper(name: &str) -> String {
    pod(
        name,
        "command: [sleep, '1000']",
        "terminationGracePeriodSeconds: 0",
    )
}

/// Runs the program with a text on its standard input.
fn run_with(host: &Host, arguments: &[&str], input: &str) -> Ran {
    let mut command = host.command(arguments);
    command.stdin(Stdio::piped());
    let mut child = host.run_in(move || command.spawn().expect("the program runs"));
    let mut stdin = child.stdin.take().expect("a pipe");
    stdin.write_all(input.as_bytes()).expect("written");
    drop(stdin);
    Host::finish(child)
}

#[test]
fn standard_input_is_played_and_taken_down() {
    let Some(host) = Host::new() else { return };
    run_with(&host, &["kube", "play", "-"], &sleeper("web")).expect();
    assert_eq!(host.pod_names(), ["web"]);
    let id = host.pod("web").record.id;
    let said = run_with(&host, &["kube", "down", "-"], &sleeper("web")).expect();
    assert!(said.contains(id.as_str()), "{said}");
    host.expect_clean();
}

#[test]
fn several_files_are_played_in_order_and_all_taken_down() {
    let Some(host) = Host::new() else { return };
    let (one, two) = (
        host.write("one", &sleeper("one")),
        host.write("two", &sleeper("two")),
    );
    let said = host.run(&["kube", "play", &one, &two]).expect();
    let ids: Vec<String> = ["one", "two"]
        .map(|name| host.pod(name).record.id.to_string())
        .into();
    assert!(said.find(&ids[0]) < said.find(&ids[1]), "{said}");
    let said = host.run(&["kube", "down", &one, &two]).expect();
    for id in ids {
        assert_eq!(said.matches(&id).count(), 2, "{said}");
    }
    host.expect_clean();
}

#[test]
fn a_directory_is_played_with_all_below_it_but_what_is_ignored() {
    let Some(host) = Host::new() else { return };
    let app = host.dir().join("files/app");
    std::fs::create_dir_all(app.join("sub")).expect("made");
    for (file, text) in [
        ("one.yaml", sleeper("one")),
        ("sub/two.yml", sleeper("two")),
        ("sub/none.yaml", sleeper("none")),
        (".podwrightignore", "none.yaml\n".to_owned()),
    ] {
        std::fs::write(app.join(file), text).expect("written");
    }
    let app = app.to_str().expect("a path");
    host.run(&["kube", "play", app]).expect();
    assert_eq!(host.pod_names(), ["one", "two"]);
    host.run(&["kube", "down", app]).expect();
    host.expect_clean();
}

#[test]
fn what_is_suppressed_with_a_reason_does_not_keep_a_pod_from_being_played() {
    let Some(host) = Host::new() else { return };
    let labelled = sleeper("web").replace("  name: web\n", "  name: web\n  labels: {a: b c}\n");
    let refused = host.play("web", &labelled);
    assert_eq!(refused.code, Some(125), "{refused:?}");
    assert!(refused.stderr.contains("metadata.labels[a]"), "{refused:?}");
    let reason = "  labels: {a: b c} # podwright:ignore Invalid: our own tools read it";
    let suppressed = labelled.replace("  labels: {a: b c}", reason);
    let played = host.play("web", &suppressed);
    assert_eq!((played.code, played.stderr.as_str()), (Some(0), ""));
    let no_reason = suppressed.replace(": our own tools read it", "");
    let said = host.run(&[
        "kube",
        "play",
        "--dry-run",
        "--replace",
        &host.write("other", &no_reason),
    ]);
    assert_eq!(said.code, Some(125), "{said:?}");
    // what was not even read cannot be played, whoever has a reason
    let undecoded =
        sleeper("web").replace("[sleep, '1000']", "1 # podwright:ignore : no reason holds");
    let said = host.run(&[
        "kube",
        "play",
        "--dry-run",
        "--replace",
        &host.write("other", &undecoded),
    ]);
    assert!(said.stderr.contains("cannot unmarshal number"), "{said:?}");
    host.down("web").expect();
    host.expect_clean();
}

/// Answers requests for `/web.yaml` with a manifest, and others with 404, as long as it is asked.
fn serve(host: &Host, yaml: String) {
    let listener = host.run_in(|| TcpListener::bind("127.0.0.1:8099").expect("listens"));
    std::thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let mut stream = stream.expect("accepted");
            let mut request = [0u8; 4096];
            let read = stream.read(&mut request).expect("asked");
            let found = String::from_utf8_lossy(&request[..read]).starts_with("GET /web.yaml ");
            let (status, body) = match found {
                true => ("200 OK", yaml.as_str()),
                false => ("404 Not Found", "kind: Pod\n"),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .expect("answered");
        }
    });
}

#[test]
fn a_url_is_played_validated_and_taken_down() {
    let Some(host) = Host::new() else { return };
    serve(&host, sleeper("web"));
    let url = "http://127.0.0.1:8099/web.yaml";
    host.run(&["kube", "validate", url]).expect();
    host.run(&["kube", "play", url]).expect();
    assert_eq!(host.pod("web").record.application.as_str(), "web");
    host.run(&["kube", "down", url]).expect();
    let missing = host.run(&["kube", "play", "http://127.0.0.1:8099/none.yaml"]);
    assert_eq!(missing.code, Some(125));
    let words = "http://127.0.0.1:8099/none.yaml: the server answers 404";
    assert!(missing.stderr.contains(words), "{missing:?}");
    host.expect_clean();
}

const WHOLE: &str = "
apiVersion: v1
kind: Secret
metadata: {name: hush}
stringData: {word: x}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: words}
data: {word: x}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
---
";

#[test]
fn an_application_is_taken_down_by_its_name() {
    let Some(host) = Host::new() else { return };
    let yaml = format!("{WHOLE}{}---\n{}", sleeper("one"), sleeper("two"));
    host.play("shop", &yaml).expect();
    host.play("other", &sleeper("other")).expect();
    std::fs::remove_file(host.dir().join("files/shop.yaml")).expect("removed");
    let said = host.run(&["kube", "down", "shop"]).expect();
    assert!(
        said.contains("Secrets removed:\nhush\nConfigMaps removed:\nwords\nVolumes removed:\n"),
        "{said}"
    );
    assert_eq!(host.pod_names(), ["other"]);
    assert_eq!(host.observed().volumes.len(), 1);
    host.run(&["kube", "down", "--force", "shop"]).expect();
    assert_eq!(host.observed().volumes.len(), 0);
    let unknown = host.run(&["kube", "down", "nobody"]);
    assert_eq!(unknown.code, Some(125), "{unknown:?}");
    host.run(&["kube", "down", "other"]).expect();
    host.expect_clean();
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

#[test]
fn json_tells_what_was_created_kept_replaced_failed_and_removed() {
    let Some(host) = Host::new() else { return };
    let play = ["kube", "play", "--replace", "--format", "json", "shop.yaml"];
    host.write(
        "shop",
        &format!("{WHOLE}{}---\n{}", sleeper("one"), sleeper("two")),
    );
    let first = host.run(&play);
    assert_eq!(first.code, Some(0), "{first:?}");
    let told = json(&first);
    let (one, two) = (host.pod("one"), host.pod("two"));
    assert_eq!(told["Pods"][0]["ID"], one.record.id.as_str());
    assert_eq!(
        told["Pods"][0]["Containers"][0],
        one.containers[0].id.as_str()
    );
    assert_eq!(told["Pods"][0]["ContainerErrors"], Value::Null);
    assert_eq!(told["Volumes"], serde_json::json!(["data"]));
    assert_eq!(told["Secrets"].as_array().map(Vec::len), Some(1));

    let changed = sleeper("two").replace("'1000'", "'1001'");
    host.write("shop", &format!("{WHOLE}{}---\n{changed}", sleeper("one")));
    let told = json(&host.run(&play));
    assert_eq!(told["Kept"][0]["Name"], "one");
    assert_eq!(told["Pods"][0]["Name"], "two");
    assert_eq!(
        told["Replaced"],
        serde_json::json!([two.record.id.as_str()])
    );

    let broken = changed.replace("[sleep, '1001']", "[/no/such]");
    host.write("shop", &format!("{WHOLE}{}---\n{broken}", sleeper("one")));
    let failed = host.run(&play);
    assert_eq!(failed.code, Some(125));
    let told = json(&failed);
    assert_eq!(told["Pods"], serde_json::json!([]));
    assert_eq!(told["Failed"][0]["Name"], "two");
    let message = told["Failed"][0]["Message"].as_str().expect("a message");
    assert!(message.contains("/no/such"), "{message}");

    let down = host.run(&["kube", "down", "--force", "--format", "json", "shop"]);
    let told = json(&down);
    assert_eq!(told["StopReport"].as_array().map(Vec::len), Some(2));
    assert_eq!(told["RmReport"][0]["Id"], one.record.id.as_str());
    assert_eq!(told["ConfigMapRmReport"][0]["Id"], "words");
    assert_eq!(told["VolumeRmReport"][0]["Id"], "data");
    host.expect_clean();
}
