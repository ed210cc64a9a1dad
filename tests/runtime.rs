//! Another OCI runtime in the place of the embedded one.
//!
//! A program of its own, because it must be a subreaper: a supervisor that is one reaps every child,
//! and tests beside this one would wait for theirs.

use std::path::Path;

use podwright::engine::stage::Step;
use podwright::sys::process::Ended;
use serde_json::json;

#[expect(dead_code, reason = "the engine's tests need more of it")]
#[path = "support/container.rs"]
mod container;

use container::Rig;

#[test]
fn another_runtime_takes_the_place_of_the_embedded_one() {
    let Some(mut rig) = Rig::new() else { return };
    let runc = Path::new("/usr/sbin/runc");
    if !runc.exists() {
        eprintln!("skipped: lacks {}", runc.display());
        return;
    }
    rig.runtime = Some(runc.to_owned());
    // Its init is an orphan when the runtime has ended, and comes to the next subreaper.
    podwright::sys::process::become_subreaper().unwrap();
    let ran = rig.script("echo out; id -u; exit 7", json!({}));
    assert_eq!(
        (ran.ended, ran.stdout.as_str()),
        (Ended::Code(7), "out\n0\n"),
        "{ran:?}"
    );
    for (command, code) in [("missing", 127), ("/etc/passwd", 126)] {
        let error = rig
            .start(&rig.decide(json!({"command": [command]})))
            .unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
    rig.runtime = Some("/nowhere/runc".into());
    let error = rig
        .start(&rig.decide(json!({"command": ["true"]})))
        .unwrap_err();
    assert_eq!(error.step, Step::RuntimeProgram, "{error}");
}
