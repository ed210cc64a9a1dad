//! The program as a user and a script meet it: exit codes, streams, forms of output.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// An installation of its own, gone with the value.
struct Installation(TempDir);

impl Installation {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn program(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .arg("--root")
            .arg(self.0.path().join("root"))
            .arg("--runroot")
            .arg(self.0.path().join("run"))
            .current_dir(self.0.path())
            .env_remove("PODWRIGHT_ROOT")
            .env("NO_COLOR", "1");
        command
    }

    fn run(&self, line: &str) -> Answer {
        let mut command = self.program(Path::new(env!("CARGO_BIN_EXE_podwright")));
        Answer::of(command.args(line.split(' ')).output().unwrap())
    }
}

struct Answer {
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[expect(clippy::print_stdout, reason = "says what a skipped test lacks")]
fn is_root() -> bool {
    let root = std::fs::metadata("/proc/self").unwrap();
    let root = std::os::unix::fs::MetadataExt::uid(&root) == 0;
    if !root {
        println!("skipped: lacks root");
    }
    root
}

#[test]
fn help_and_version_are_answers() {
    let installation = Installation::new();
    for line in ["--help", "kube play --help", "-v", "--version", "version"] {
        let answer = installation.run(line);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{line}");
        assert!(!answer.out.is_empty(), "{line}");
    }
}

#[test]
fn wrong_use_ends_with_125_and_says_why_on_standard_error() {
    let installation = Installation::new();
    for line in [
        "--nonsense",
        "nonsense",
        "ps --sort nonsense",
        "ps --format {{.ID",
        "ps --filter nonsense",
        "rm",
        "logs",
    ] {
        let answer = installation.run(line);
        assert_eq!((answer.code, answer.out.as_str()), (125, ""), "{line}");
        assert!(answer.err.starts_with("error: "), "{line}: {}", answer.err);
    }
}

#[test]
fn lists_of_nothing_have_headings_or_are_empty() {
    let installation = Installation::new();
    for (line, out) in [
        ("ps -a --format json", "[]\n"),
        ("pod ps --format json", "[]\n"),
        ("images --format json", "[]\n"),
        ("ps -aq", ""),
        ("ps --noheading", ""),
        (
            "ps",
            "CONTAINER ID  IMAGE  COMMAND  CREATED  STATUS  PORTS  NAMES\n",
        ),
        (
            "pod ls",
            "POD ID  NAME  STATUS  CREATED  INFRA ID  # OF CONTAINERS\n",
        ),
        ("container list --all=true -q", ""),
        ("system locks --format {{.Lock}}", ""),
        ("stop --all -t 0", ""),
        ("pod rm -fa -t 0", ""),
        ("rm -fa -t 0", ""),
    ] {
        let answer = installation.run(line);
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{line}");
        assert_eq!(answer.out, out, "{line}");
    }
}

#[test]
fn what_does_not_exist_is_told_by_code_and_words() {
    let installation = Installation::new();
    for (line, code, words) in [
        ("exists nope", 1, ""),
        ("container exists nope", 1, ""),
        ("pod exists nope", 1, ""),
        ("image exists localhost/nope", 1, ""),
        ("inspect nope", 125, "error: no such object: `nope`"),
        ("pod inspect nope", 125, "error: no such pod: `nope`"),
        ("logs nope", 125, "error: no such container: `nope`"),
        ("stop nope", 125, "error: no such container: `nope`"),
        ("start --latest", 125, "error: "),
        ("kube play nope.yaml", 125, "error: "),
        ("wait nope", 125, "error: no such container: `nope`"),
    ] {
        let answer = installation.run(line);
        assert_eq!(answer.code, code, "{line}: {}", answer.err);
        assert!(answer.err.starts_with(words), "{line}: {}", answer.err);
    }
    let answer = installation.run("inspect nope --format json");
    assert_eq!(answer.out, "[]\n");
    assert_eq!(installation.run("rm --ignore nope").code, 0);
}

#[test]
fn a_reader_that_goes_away_is_success() {
    let installation = Installation::new();
    let mut command = installation.program(Path::new(env!("CARGO_BIN_EXE_podwright")));
    let mut child = command
        .arg("--help")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn called_as_podman_it_passes_over_unknown_fields_in_silence() {
    if !is_root() {
        return;
    }
    let installation = Installation::new();
    let podman = installation.0.path().join("podman");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_podwright"), &podman).unwrap();
    let manifest = installation.0.path().join("pod.yaml");
    std::fs::write(
        &manifest,
        "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec:\n  nonsense: 1\n  hostNetwork: true\n  containers: [{name: web, image: localhost/podwright-hello}]\n",
    )
    .unwrap();
    let play = |program: &Path| {
        let mut command = installation.program(program);
        command.args(["kube", "play", "--dry-run", "pod.yaml"]);
        Answer::of(command.output().unwrap())
    };
    let ours = play(Path::new(env!("CARGO_BIN_EXE_podwright")));
    assert!(
        ours.err.contains("warning: ") && ours.err.contains("pod.yaml:5:3"),
        "{}",
        ours.err
    );
    let theirs = play(&podman);
    assert_eq!((theirs.code, theirs.err.as_str()), (0, ""));
    for answer in [&ours, &theirs] {
        assert_eq!(
            answer.out,
            "create pod web with web (localhost/podwright-hello)\nstart pod web\n"
        );
    }
}

#[test]
fn images_come_in_are_named_shown_and_go() {
    if !is_root() {
        return;
    }
    let installation = Installation::new();
    let tar = installation.0.path().join("root.tar");
    let mut archive = tar::Builder::new(std::fs::File::create(&tar).unwrap());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o755);
    header.set_size(2);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    archive
        .append_data(&mut header, "bin/x", b"x\n".as_slice())
        .unwrap();
    archive.finish().unwrap();
    let imported = installation.run("import -c CMD=[\"/bin/x\"] root.tar localhost/one");
    assert_eq!(imported.code, 0, "{}", imported.err);
    let id = imported
        .out
        .trim()
        .strip_prefix("sha256:")
        .unwrap()
        .to_owned();
    assert_eq!(
        installation.run("tag localhost/one localhost/two:2").code,
        0
    );
    let shown =
        installation.run("images --noheading --sort repository --format {{.Repository}}:{{.Tag}}");
    assert_eq!(shown.out, "localhost/one:latest\nlocalhost/two:2\n");
    assert_eq!(installation.run("images -q").out.trim(), &id[..12]);
    assert_eq!(
        installation
            .run("inspect --type image --format {{.Config.Cmd}} one")
            .out,
        "[/bin/x]\n"
    );
    assert_eq!(installation.run("image exists localhost/two:2").code, 0);
    assert_eq!(
        installation.run("rmi localhost/two:2").out,
        "Untagged: localhost/two:2\n"
    );
    let removed = installation.run(&format!("image rm {}", &id[..8]));
    assert_eq!(
        removed.out,
        format!("Untagged: localhost/one:latest\nDeleted: {id}\n")
    );
    assert_eq!(installation.run("images -q").out, "");
}
