//! A pod plays, answers and goes down, and nothing is left of it.

use std::net::Ipv4Addr;

use super::host::{ADDRESS, Host};

const HELLO: &str = "
apiVersion: v1
kind: Pod
metadata:
  name: hello
spec:
  containers:
  - name: web
    image: localhost/podwright-hello
    env:
    - {name: GREETING, value: good morning}
    ports:
    - {containerPort: 8080, hostPort: 8080}
";

#[test]
fn a_pod_plays_answers_on_its_published_port_and_goes_down() {
    let Some(host) = Host::new() else { return };
    let said = host.play("hello", HELLO).expect();
    let pod = host.pod("hello");
    let container = host.container("hello", "web");
    assert_eq!(
        said,
        format!("Pod:\n{}\nContainer:\n{}\n\n", pod.record.id, container.id)
    );
    for address in [Ipv4Addr::LOCALHOST, ADDRESS] {
        let answer = host.get_soon(address, 8080, "/");
        assert!(answer.contains("good morning"), "{answer}");
    }
    assert_eq!(host.supervisors().len(), 1);
    let said = host.down("hello").expect();
    assert!(
        said.starts_with(&format!(
            "Pods stopped:\n{}\nPods removed:\n{}\n",
            pod.record.id, pod.record.id
        )),
        "{said}"
    );
    host.expect_clean();
}

#[test]
fn pods_that_go_together_leave_no_bridge() {
    let Some(host) = Host::new() else { return };
    let documents: Vec<String> = (0..6)
        .map(|number| {
            HELLO
                .replace("name: hello", &format!("name: hello-{number}"))
                .replace(", hostPort: 8080", "")
        })
        .collect();
    host.play("many", &documents.join("---")).expect();
    assert_eq!(host.supervisors().len(), 6);
    host.down("many").expect();
    host.expect_clean();
}
