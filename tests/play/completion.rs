//! Completion as a real bash does it, with the names there are.

use std::path::Path;
use std::process::Command;

use super::host::{Host, pod};

/// Calls the function that the script gives bash for completion, as bash does, on each line.
const ASK: &str = r#"
set -u
source <(podwright completion bash)
complete -p podwright
while IFS= read -r line; do
    COMP_LINE=$line COMP_POINT=${#line}
    _podwright
    echo "$line|${COMPREPLY[*]-}"
done
"#;

#[test]
fn bash_completes_commands_flags_and_the_names_there_are() {
    let Some(host) = Host::new() else { return };
    let main = "command: [sleep, '1000']\nvolumeMounts: [{name: v, mountPath: /v}]";
    let spec = "terminationGracePeriodSeconds: 0\nvolumes: [{name: v, persistentVolumeClaim: {claimName: data}}]";
    host.play("web", &pod("web", main, spec)).expect();
    let cases = [
        ("podwright kube p", "play"),
        ("podwright kube play w", "web.yaml"),
        ("podwright pod insp", "inspect"),
        ("podwright ps --no-t", "--no-trunc"),
        ("podwright ps --sort=st", "status"),
        ("podwright stop ", "web-main"),
        ("podwright exec -it we", "web-main"),
        ("podwright pod rm ", "web"),
        ("podwright volume rm d", "data"),
        (
            "podwright inspect ",
            "data localhost/busybox:latest web web-main",
        ),
        ("podwright rmi localhost/busybox:la", "latest"),
        ("podwright kube generate ", "web"),
        ("podwright --root /nowhere/at-all stop ", ""),
        ("podwright stop nothing-like-it", ""),
        ("podwright generate kube -t d", "deployment daemonset"),
    ];
    let lines: String = cases.iter().map(|(line, _)| format!("{line}\n")).collect();
    std::fs::write(host.dir().join("files/lines"), lines).expect("file");
    let program = Path::new(env!("CARGO_BIN_EXE_podwright"));
    let directory = program.parent().expect("directory").display().to_string();
    let mut bash = Command::new("/bin/bash");
    bash.args(["--norc", "--noprofile", "-c", ASK])
        .current_dir(host.dir().join("files"))
        .env("PATH", format!("{directory}:/usr/bin:/bin"))
        .env("PODWRIGHT_ROOT", &host.paths().root)
        .env("PODWRIGHT_RUNROOT", &host.paths().runroot)
        .stdin(std::fs::File::open(host.dir().join("files/lines")).expect("file"));
    let output = host.run_in(move || bash.output().expect("bash runs"));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let stderr = text(&output.stderr);
    assert!(output.status.success() && stderr.is_empty(), "{stderr}");
    let mut expected = "complete -F _podwright podwright\n".to_owned();
    for (line, completed) in cases {
        expected.push_str(&format!("{line}|{completed}\n"));
    }
    assert_eq!(text(&output.stdout), expected);
    // Whoever completes makes no installation.
    assert!(!Path::new("/nowhere").exists());
}

#[test]
fn the_scripts_of_other_shells_are_well_formed() {
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        let program = env!("CARGO_BIN_EXE_podwright");
        let script = Command::new(program)
            .args(["completion", shell])
            .output()
            .expect("runs");
        assert!(script.status.success());
        let directory = tempfile::tempdir().expect("directory");
        let file = directory.path().join("script");
        let written = Command::new(program)
            .args(["completion", "--file"])
            .arg(&file)
            .arg(shell)
            .status()
            .expect("runs");
        assert!(written.success());
        assert_eq!(std::fs::read(&file).expect("script"), script.stdout);
        match Command::new(shell).arg(check).arg(&file).output() {
            Ok(checked) => {
                let stderr = String::from_utf8_lossy(&checked.stderr).into_owned();
                assert!(checked.status.success(), "{shell}: {stderr}");
            }
            Err(_) => eprintln!("skipped: lacks {shell}"),
        }
    }
}
