//! Manifests as people write them, with images of this host.

use std::net::Ipv4Addr;

use super::host::Host;

#[test]
fn manifests_in_the_style_of_real_ones_play_run_answer_and_go_down() {
    let Some(host) = Host::new() else { return };
    for (name, pod, port) in [
        ("web-with-sidecar", "shop", 8081),
        ("database", "ledger-db-pod", 8082),
    ] {
        let file = format!("{}/testdata/play/{name}.yaml", env!("CARGO_MANIFEST_DIR"));
        let ran = host.run(&["kube", "play", &file]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        let answer = host.get_soon(Ipv4Addr::LOCALHOST, port, "/");
        assert!(answer.contains("from the config map"), "{name}: {answer}");
        for container in host.pod(pod).containers {
            let init = container.name.as_str().starts_with("init");
            assert_eq!(container.state.is_running(), !init, "{container:#?}");
        }
        let ran = host.run(&["kube", "down", "--force", &file]);
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        host.expect_clean();
    }
}
