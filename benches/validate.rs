//! What `kube validate` costs as documents grow in number, as a whole process: time, CPU, memory.
//!
//! `cargo bench --bench validate`; `PODWRIGHT=PATH` takes a binary that is built already, `MANIFESTS=DIR` adds a
//! directory of manifests, as it is and many times over. The documents are an application of six objects, numbered.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};

/// How often each run is repeated; the median counts.
const ROUNDS: usize = 5;

/// How many documents are validated in one run.
const DOCUMENTS: [usize; 6] = [6, 600, 6_000, 24_000, 60_000, 102_000];

/// The documents of one application, and of one file where they are in several.
const APPLICATION: usize = 6;

fn main() {
    let program = std::env::var_os("PODWRIGHT").map_or_else(
        || PathBuf::from(env!("CARGO_BIN_EXE_podwright")),
        PathBuf::from,
    );
    let dir = tempfile::tempdir().expect("a directory");
    say("| | documents | MB | wall | CPU | µs of CPU a document | MB/s a core | most memory |");
    say("|---|---|---|---|---|---|---|---|");
    if let Some(manifests) = std::env::var_os("MANIFESTS").map(PathBuf::from) {
        for copies in [1, 10, 50] {
            let inputs: Vec<PathBuf> = (0..copies)
                .map(|copy| {
                    let link = dir.path().join(format!("copy-{copies}-{copy}"));
                    copy_tree(&manifests, &link);
                    link
                })
                .collect();
            let what = format!("`MANIFESTS`, {copies} times");
            measure(&program, &what, 0, &inputs);
        }
    }
    for documents in DOCUMENTS {
        let files = dir.path().join(format!("files-{documents}"));
        many_files(&files, documents);
        measure(&program, "many files", documents, &[files]);
    }
    let one = dir.path().join("one.yaml");
    let largest = DOCUMENTS[DOCUMENTS.len() - 1];
    fs::write(&one, application_stream(largest)).expect("a file");
    measure(&program, "one file", largest, &[one]);
}

/// Runs the program on these inputs and prints a line of the table.
fn measure(program: &Path, what: &str, documents: usize, inputs: &[PathBuf]) {
    let before = most_memory();
    let mut runs: Vec<(Duration, Duration)> = (0..ROUNDS).map(|_| run(program, inputs)).collect();
    runs.sort();
    let (wall, cpu) = runs[ROUNDS / 2];
    let most = most_memory();
    let is_most = most > before;
    #[expect(clippy::cast_precision_loss, reason = "figures to look at")]
    let (bytes, count, most) = (
        inputs.iter().map(|input| size(input)).sum::<u64>() as f64,
        documents as f64,
        most as f64,
    );
    let each = match documents {
        0 => "-".to_owned(),
        _ => format!("{:.1}", cpu.as_secs_f64() * 1e6 / count),
    };
    let memory = match is_most {
        true => format!("{:.1} MiB", most / 1024.0),
        false => "no more than above".to_owned(),
    };
    say(&format!(
        "| {what} | {documents} | {:.2} | {:.0} ms | {:.0} ms | {each} | {:.1} | {memory} |",
        bytes / 1e6,
        wall.as_secs_f64() * 1e3,
        cpu.as_secs_f64() * 1e3,
        bytes / 1e6 / cpu.as_secs_f64(),
    ));
}

/// Returns the wall time and the CPU time of one run.
fn run(program: &Path, inputs: &[PathBuf]) -> (Duration, Duration) {
    let before = cpu_of_children();
    let began = Instant::now();
    let status = Command::new(program)
        .args([
            "kube",
            "validate",
            "--kubernetes-version",
            "1.34",
            "--summary",
        ])
        .args(inputs)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("podwright runs");
    // 1: there are findings, as there are in a directory that somebody gave.
    assert!(matches!(status.code(), Some(0 | 1)), "{status}");
    (began.elapsed(), cpu_of_children() - before)
}

/// Returns the most memory that any run so far has had, in KiB.
fn most_memory() -> i64 {
    getrusage(UsageWho::RUSAGE_CHILDREN)
        .expect("usage")
        .max_rss()
}

fn cpu_of_children() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("usage");
    let micros = [usage.user_time(), usage.system_time()]
        .map(|time| time.tv_sec() * 1_000_000 + time.tv_usec());
    Duration::from_micros(u64::try_from(micros[0] + micros[1]).unwrap_or_default())
}

fn many_files(dir: &Path, documents: usize) {
    for number in 0..documents / APPLICATION {
        // No directory is larger than people's are.
        let dir = dir.join((number / 100).to_string());
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(dir.join(format!("{number}.yaml")), application(number)).expect("a file");
    }
}

fn application_stream(documents: usize) -> String {
    (0..documents / APPLICATION).map(application).collect()
}

/// Writes one application: six objects that need each other, without a fault.
fn application(number: usize) -> String {
    let name = format!("app-{number}");
    let mut text = String::new();
    write!(
        text,
        "---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}, labels: {{app.kubernetes.io/name: {name}, app.kubernetes.io/part-of: shop}}}}
data:
  LOG_LEVEL: info
  settings.yaml: |
    listen: 0.0.0.0:8080
    timeouts: {{read: 5s, write: 10s}}
---
apiVersion: v1
kind: Secret
metadata: {{name: {name}}}
stringData: {{password: \"correct horse {number}\"}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}}}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  labels: {{app.kubernetes.io/name: {name}}}
spec:
  replicas: 2
  selector:
    matchLabels: {{app.kubernetes.io/name: {name}}}
  template:
    metadata:
      labels: {{app.kubernetes.io/name: {name}}}
    spec:
      serviceAccountName: {name}
      containers:
      - name: server
        image: registry.example.com/shop/server:1.{number}
        args: [--config, /etc/server/settings.yaml]
        envFrom:
        - configMapRef: {{name: {name}}}
        env:
        - name: PASSWORD
          valueFrom: {{secretKeyRef: {{name: {name}, key: password}}}}
        ports:
        - {{name: http, containerPort: 8080}}
        readinessProbe:
          httpGet: {{path: /ready, port: http}}
          periodSeconds: 5
        resources:
          requests: {{cpu: 100m, memory: 64Mi}}
          limits: {{memory: 128Mi}}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {{drop: [ALL]}}
        volumeMounts:
        - {{name: settings, mountPath: /etc/server}}
      volumes:
      - name: settings
        configMap: {{name: {name}}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec:
  selector: {{app.kubernetes.io/name: {name}}}
  ports:
  - {{name: http, port: 80, targetPort: http}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {{name: {name}}}
spec:
  rules:
  - host: {name}.example.com
    http:
      paths:
      - path: /
        pathType: Prefix
        backend: {{service: {{name: {name}, port: {{name: http}}}}}}
"
    )
    .expect("text grows");
    text
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("the directory of manifests") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        match entry.file_type().expect("a type").is_dir() {
            true => copy_tree(&entry.path(), &target),
            false => drop(fs::copy(entry.path(), target).expect("a copy")),
        }
    }
}

/// Returns the bytes of a file, or of all files below a directory.
fn size(path: &Path) -> u64 {
    let metadata = fs::metadata(path).expect("an input");
    if !metadata.is_dir() {
        return metadata.len();
    }
    let entries = fs::read_dir(path).expect("a directory");
    entries
        .map(|entry| size(&entry.expect("an entry").path()))
        .sum()
}

/// Prints a line at once: a run takes long and is watched.
fn say(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}
