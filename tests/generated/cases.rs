//! What podman's own tests check of `kube generate`, by the numbers of `docs/podman-behaviours.md`.

use podwright::translate::GenerateOptions;

use super::{documents, pods};

/// A number, fields of a pod or of its one container, and what the manifest has and has not.
struct Case {
    number: &'static str,
    spec: &'static str,
    container: &'static str,
    has: &'static [&'static str],
    has_not: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        number: "14.15",
        spec: "initContainers: [{name: first, image: i}]\n",
        container: "",
        has: &["initContainers:\n  - image: i\n    name: first\n"],
        has_not: &[],
    },
    Case {
        number: "14.16",
        spec: "hostUsers: false\n",
        container: "",
        has: &["hostUsers: false\n"],
        has_not: &[],
    },
    Case {
        number: "14.17",
        spec: "hostNetwork: true\n",
        container: "",
        has: &["hostNetwork: true\n"],
        has_not: &[],
    },
    Case {
        number: "14.18",
        spec: "hostAliases: [{ip: 10.0.0.1, hostnames: [a.local, b.local]}]\n",
        container: "",
        has: &[
            "hostAliases:\n  - hostnames:\n    - a.local\n    - b.local\n    ip: \"10.0.0.1\"\n",
        ],
        has_not: &[],
    },
    Case {
        number: "14.20",
        spec: "",
        container: "resources: {limits: {memory: 10M, cpu: 500m}}\n",
        has: &["limits:\n        cpu: 500m\n        memory: 10M\n"],
        has_not: &[],
    },
    Case {
        number: "14.22",
        spec: "volumes: [{name: root-dir, hostPath: {path: /}}, {name: roots-home, hostPath: {path: /root}}]\n",
        container: "volumeMounts: [{name: root-dir, mountPath: /a}, {name: roots-home, mountPath: /b}]\n",
        has: &[
            "path: /\n",
            "path: /root\n",
            "name: root-dir\n",
            "name: roots-home\n",
        ],
        has_not: &[],
    },
    Case {
        number: "14.23",
        spec: "volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]\n",
        container: "volumeMounts: [{name: v, mountPath: /a, subPath: one}, {name: v, mountPath: /b, subPath: two}]\n",
        has: &["subPath: one\n", "subPath: two\n", "claimName: data\n"],
        has_not: &[],
    },
    Case {
        number: "14.26",
        spec: "dnsConfig: {nameservers: [8.8.8.8, 1.1.1.1], searches: [a.example], options: [{name: ndots, value: '3'}]}\n",
        container: "",
        has: &[
            "- \"8.8.8.8\"\n",
            "- \"1.1.1.1\"\n",
            "- a.example\n",
            "- name: ndots\n      value: \"3\"\n",
        ],
        has_not: &[],
    },
    Case {
        number: "14.27",
        spec: "",
        container: "command: [/bin/server]\nargs: [--port, '80']\nworkingDir: /srv\n",
        has: &[
            "command:\n    - /bin/server\n",
            "args:\n    - \"--port\"\n    - \"80\"\n",
            "workingDir: /srv\n",
        ],
        has_not: &[],
    },
    Case {
        number: "14.27",
        spec: "",
        container: "",
        has: &[],
        has_not: &["command", "args", "workingDir"],
    },
    Case {
        number: "14.29",
        spec: "",
        container: "securityContext: {privileged: true}\n",
        has: &["privileged: true\n"],
        has_not: &["capabilities"],
    },
    Case {
        number: "14.32",
        spec: "",
        container: "env: [{name: A, value: b}]\n",
        has: &["env:\n    - name: A\n      value: b\n"],
        has_not: &["PATH", "HOME", "HOSTNAME", "container="],
    },
    Case {
        number: "14.33",
        spec: "",
        container: "",
        has: &[],
        has_not: &[
            "secret",
            "securityContext",
            "dnsConfig",
            "env:",
            "terminationGracePeriod",
        ],
    },
    Case {
        number: "14.42",
        spec: "",
        container: "",
        has: &[],
        has_not: &["annotations", "infra"],
    },
    Case {
        number: "14.43",
        spec: "terminationGracePeriodSeconds: 20\n",
        container: "",
        has: &["terminationGracePeriodSeconds: 20\n"],
        has_not: &[],
    },
];

fn manifest(case: &Case) -> String {
    let indent = |text: &str, by: &str| -> String {
        text.lines().map(|line| format!("{by}{line}\n")).collect()
    };
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: web}}\nspec:\n{}  containers:\n  - name: main\n    image: nginx\n{}",
        indent(case.spec, "  "),
        indent(case.container, "    "),
    )
}

#[test]
fn what_podmans_tests_check_of_generate_is_written() {
    for case in CASES {
        let yaml = documents(&pods(&manifest(case)), &[], &GenerateOptions::default()).unwrap();
        let (_, body) = yaml.split_once("apiVersion").unwrap();
        for words in case.has {
            assert!(
                body.contains(words),
                "{}: no {words:?} in\n{yaml}",
                case.number
            );
        }
        for words in case.has_not {
            assert!(
                !body.contains(words),
                "{}: {words:?} in\n{yaml}",
                case.number
            );
        }
        assert!(!body.contains("status:"), "{}", case.number);
        // What was written is read as the same pod.
        assert_eq!(
            pods(&yaml),
            pods(&manifest(case)),
            "{}\n{yaml}",
            case.number
        );
    }
}

#[test]
fn the_name_of_the_infra_container_and_restart_policies_come_back() {
    let named = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, annotations: {io.podman.annotations.infra.name: mine}}\nspec:\n  containers: [{name: main, image: nginx}]\n";
    let yaml = documents(&pods(named), &[], &GenerateOptions::default()).unwrap();
    assert!(
        yaml.contains("io.podman.annotations.infra.name: mine\n"),
        "{yaml}"
    );
    for (policy, written) in [("OnFailure", true), ("Never", true), ("Always", false)] {
        let manifest = format!("{named}  restartPolicy: {policy}\n");
        let yaml = documents(&pods(&manifest), &[], &GenerateOptions::default()).unwrap();
        assert_eq!(
            yaml.contains(&format!("restartPolicy: {policy}\n")),
            written,
            "{yaml}"
        );
        assert_eq!(pods(&yaml), pods(&manifest));
    }
}
