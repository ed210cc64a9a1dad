//! Pods and the parts of their specs that are not containers.

use podwright::manifest::source::Severity;

use crate::{POD, built, check, listed, messages, rows};

#[test]
fn a_small_pod_is_right() {
    rows(POD, "", &[("{}", &[])]);
}

#[test]
fn names_labels_and_annotations_have_their_forms() {
    rows(
        POD,
        "/metadata",
        &[
            (r#"{"name":null}"#, &["Required metadata.name"]),
            (
                r#"{"name":null,"generateName":"web-"}"#,
                &["Required metadata.name"],
            ),
            (
                r#"{"name":null,"generateName":"W_"}"#,
                &["Invalid metadata.generateName", "Required metadata.name"],
            ),
            (r#"{"name":"Web"}"#, &["Invalid metadata.name"]),
            (r#"{"name":"a.b-c.d"}"#, &[]),
            (r#"{"name":"a-"}"#, &["Invalid metadata.name"]),
            (r#"{"namespace":"a.b"}"#, &["Invalid metadata.namespace"]),
            (
                r#"{"labels":{"a b":"x"}}"#,
                &["Invalid metadata.labels[a b]"],
            ),
            (
                r#"{"labels":{"a/b/c":"x"}}"#,
                &["Invalid metadata.labels[a/b/c]"],
            ),
            (r#"{"labels":{"/b":"x"}}"#, &["Invalid metadata.labels[/b]"]),
            (r#"{"labels":{"a":"-x"}}"#, &["Invalid metadata.labels[a]"]),
            (r#"{"labels":{"example.com/a":""}}"#, &[]),
            (
                r#"{"annotations":{"Example.COM/A":"anything at all"}}"#,
                &[],
            ),
            (
                r#"{"annotations":{"a b":""}}"#,
                &["Invalid metadata.annotations[a b]"],
            ),
            (
                r#"{"finalizers":["foo"]}"#,
                &["Invalid metadata.finalizers[0]"],
            ),
            (r#"{"finalizers":["example.com/foo","orphan"]}"#, &[]),
            (
                r#"{"ownerReferences":[{"apiVersion":"v1","kind":"","name":"n","uid":"u"}]}"#,
                &["Invalid metadata.ownerReferences[0].kind"],
            ),
        ],
    );
}

#[test]
fn words_of_a_pod_have_their_forms() {
    rows(
        POD,
        "/spec",
        &[
            (
                r#"{"restartPolicy":"always"}"#,
                &["NotSupported spec.restartPolicy"],
            ),
            (r#"{"hostname":"a.b"}"#, &["Invalid spec.hostname"]),
            (r#"{"subdomain":"A"}"#, &["Invalid spec.subdomain"]),
            (r#"{"nodeName":"A_b"}"#, &["Invalid spec.nodeName"]),
            (
                r#"{"serviceAccount":"A_b"}"#,
                &["Invalid spec.serviceAccountName"],
            ),
            (
                r#"{"runtimeClassName":""}"#,
                &["Invalid spec.runtimeClassName"],
            ),
            (
                r#"{"priorityClassName":"a b"}"#,
                &["Invalid spec.priorityClassName"],
            ),
            (
                r#"{"preemptionPolicy":"Sometimes"}"#,
                &["NotSupported spec.preemptionPolicy"],
            ),
            (
                r#"{"activeDeadlineSeconds":0}"#,
                &["Invalid spec.activeDeadlineSeconds"],
            ),
            (
                r#"{"readinessGates":[{"conditionType":"a b"}]}"#,
                &["Invalid spec.readinessGates[0].conditionType"],
            ),
            (
                r#"{"schedulingGates":[{"name":"a"},{"name":"a"}]}"#,
                &["Duplicate spec.schedulingGates[1]"],
            ),
            (
                r#"{"nodeSelector":{"a":"b c"}}"#,
                &["Invalid spec.nodeSelector[a]"],
            ),
            (r#"{"os":{"name":"bsd"}}"#, &["NotSupported spec.os"]),
            (
                r#"{"hostUsers":false,"hostNetwork":true}"#,
                &["Forbidden spec.hostNetwork"],
            ),
            (
                r#"{"hostPID":true,"shareProcessNamespace":true}"#,
                &["Invalid spec.securityContext.shareProcessNamespace"],
            ),
            (
                r#"{"overhead":{"cpu":"lots"}}"#,
                &["Decode spec.overhead[cpu]"],
            ),
            (
                r#"{"ephemeralContainers":[{"name":"e","image":"i"}]}"#,
                &["Forbidden spec.ephemeralContainers"],
            ),
        ],
    );
}

#[test]
fn dns_settings_are_bounded() {
    rows(
        POD,
        "/spec",
        &[
            (r#"{"dnsPolicy":"None"}"#, &["Required spec.dnsConfig"]),
            (
                r#"{"dnsPolicy":"None","dnsConfig":{}}"#,
                &["Required spec.dnsConfig.nameservers"],
            ),
            (
                r#"{"dnsPolicy":"Cluster"}"#,
                &["NotSupported spec.dnsPolicy"],
            ),
            (
                r#"{"dnsConfig":{"nameservers":["1.1.1.1","::1","1.1.1.3","1.1.1.4"]}}"#,
                &["Invalid spec.dnsConfig.nameservers"],
            ),
            (
                r#"{"dnsConfig":{"nameservers":["1.1.1"]}}"#,
                &["Invalid spec.dnsConfig.nameservers[0]"],
            ),
            (r#"{"dnsConfig":{"searches":["_a.example.","."]}}"#, &[]),
            (
                r#"{"dnsConfig":{"searches":["a b"]}}"#,
                &["Invalid spec.dnsConfig.searches[0]"],
            ),
            (
                r#"{"dnsConfig":{"options":[{"value":"1"}]}}"#,
                &["Required spec.dnsConfig.options[0]"],
            ),
            (
                r#"{"hostAliases":[{"ip":"x","hostnames":["a_b"]}]}"#,
                &[
                    "Invalid spec.hostAliases[0].ip",
                    "Invalid spec.hostAliases[0].hostnames[0]",
                ],
            ),
        ],
    );
}

#[test]
fn placement_follows_its_grammar() {
    rows(
        POD,
        "/spec",
        &[
            (
                r#"{"tolerations":[{"key":"a","operator":"Exists","value":"b"}]}"#,
                &["Invalid spec.tolerations[0].operator"],
            ),
            (
                r#"{"tolerations":[{"operator":"Equal"}]}"#,
                &["Invalid spec.tolerations[0].operator"],
            ),
            (r#"{"tolerations":[{"operator":"Exists"}]}"#, &[]),
            (
                r#"{"tolerations":[{"key":"a","effect":"NoRun"}]}"#,
                &["NotSupported spec.tolerations[0].effect"],
            ),
            (
                r#"{"tolerations":[{"key":"a","tolerationSeconds":1}]}"#,
                &["Invalid spec.tolerations[0].effect"],
            ),
            (
                r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[]}}}}"#,
                &[
                    "Required spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms",
                ],
            ),
            (
                r#"{"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":{"nodeSelectorTerms":[{"matchExpressions":[{"key":"a","operator":"In"}]}]}}}}"#,
                &[
                    "Required spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0].values",
                ],
            ),
            (
                r#"{"affinity":{"podAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[{"weight":0,"podAffinityTerm":{"topologyKey":"z","labelSelector":{}}}]}}}"#,
                &[
                    "Invalid spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight",
                ],
            ),
            (
                r#"{"topologySpreadConstraints":[{"maxSkew":0,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}]}"#,
                &["Invalid spec.topologySpreadConstraints[0].maxSkew"],
            ),
            (
                r#"{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"","whenUnsatisfiable":"Foo"}]}"#,
                &[
                    "Required spec.topologySpreadConstraints[0].topologyKey",
                    "NotSupported spec.topologySpreadConstraints[0].whenUnsatisfiable",
                ],
            ),
        ],
    );
}

#[test]
fn a_spread_narrows_its_selector_by_labels_of_the_pod() {
    const SPREAD: &str = r#"{"kind":"Pod","metadata":{"name":"p","labels":{"a":"x"}},
        "spec":{"containers":[{"name":"c","image":"nginx"}],"topologySpreadConstraints":[
        {"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}]}}"#;
    rows(
        SPREAD,
        "/spec/topologySpreadConstraints/0",
        &[
            (
                r#"{"matchLabelKeys":["a"],"labelSelector":{"matchLabels":{"b":"x"}}}"#,
                &[],
            ),
            (
                r#"{"matchLabelKeys":["a"],"labelSelector":{"matchLabels":{"a":"x"}}}"#,
                &["Invalid spec.topologySpreadConstraints[0][0]"],
            ),
            (
                r#"{"matchLabelKeys":["b"],"labelSelector":{"matchLabels":{"b":"x"}}}"#,
                &[],
            ),
            (
                r#"{"matchLabelKeys":["a b"],"labelSelector":{}}"#,
                &["Invalid spec.topologySpreadConstraints[0].matchLabelKeys[0]"],
            ),
            (
                r#"{"matchLabelKeys":["a b"]}"#,
                &["Forbidden spec.topologySpreadConstraints[0].matchLabelKeys"],
            ),
        ],
    );
    rows(
        r#"{"kind":"Deployment","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"x"}},
            "template":{"metadata":{"labels":{"a":"x"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
        "/spec/template/spec",
        &[(
            r#"{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule",
                "matchLabelKeys":["a"],"labelSelector":{"matchLabels":{"a":"x"}}}]}"#,
            &[],
        )],
    );
}

#[test]
fn a_whole_pod_requests_what_its_containers_do() {
    const ONE: &str = r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{
        "initContainers":[{"name":"s","image":"i","restartPolicy":"Always","resources":{"requests":{"cpu":"1"}}},
            {"name":"i","image":"i","resources":{"requests":{"cpu":"3"}}}],
        "containers":[{"name":"c","image":"i","resources":{"requests":{"cpu":"2"}}}]}}"#;
    rows(
        ONE,
        "/spec",
        &[
            (r#"{"resources":{"requests":{"cpu":"4"}}}"#, &[]),
            (
                r#"{"resources":{"requests":{"cpu":"3900m"}}}"#,
                &["Invalid spec.resources.requests[cpu]"],
            ),
            (
                r#"{"resources":{"requests":{"memory":"1Gi"}}}"#,
                &["Invalid spec.resources.requests[cpu]"],
            ),
            (r#"{"resources":{"limits":{"cpu":"4"}}}"#, &[]),
            (
                r#"{"resources":{"limits":{"cpu":"3"}}}"#,
                &["Invalid spec.resources.requests[cpu]"],
            ),
            (r#"{"resources":{"limits":{"memory":"1Gi"}}}"#, &[]),
        ],
    );
    rows(
        POD,
        "/spec",
        &[
            (
                r#"{"resources":{"requests":{"cpu":"1"}},"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"2"}}}]}"#,
                &["Invalid spec.resources.requests[cpu]"],
            ),
            (
                r#"{"resources":{"requests":{"cpu":"1"}},"containers":[{"name":"c","image":"i","resources":{"limits":{"cpu":"1","a.b/c":1}}}]}"#,
                &[],
            ),
            (
                r#"{"overhead":{"hugepages-2Mi":"2Mi"}}"#,
                &["Forbidden spec.overhead"],
            ),
        ],
    );
}

#[test]
fn security_of_a_pod_is_checked() {
    rows(
        POD,
        "/spec",
        &[
            (
                r#"{"securityContext":{"runAsUser":-1}}"#,
                &["Invalid spec.securityContext.runAsUser"],
            ),
            (
                r#"{"securityContext":{"fsGroup":2147483648}}"#,
                &["Invalid spec.securityContext.fsGroup"],
            ),
            (
                r#"{"securityContext":{"supplementalGroups":[1,-1]}}"#,
                &["Invalid spec.securityContext.supplementalGroups[1]"],
            ),
            (
                r#"{"securityContext":{"fsGroupChangePolicy":"Foo"}}"#,
                &["NotSupported spec.securityContext.fsGroupChangePolicy"],
            ),
            (
                r#"{"securityContext":{"sysctls":[{"name":"a b","value":"1"}]}}"#,
                &["Invalid spec.securityContext.sysctls[0].name"],
            ),
            (
                r#"{"securityContext":{"sysctls":[{"name":"net/ipv4/ip_forward","value":"1"},{"name":"kernel.shmmax","value":"1"}]}}"#,
                &[],
            ),
            (
                r#"{"hostNetwork":true,"securityContext":{"sysctls":[{"name":"net/ipv4/ip_forward","value":"1"}]}}"#,
                &["Invalid spec.securityContext.sysctls[0].name"],
            ),
            (
                r#"{"hostIPC":true,"securityContext":{"sysctls":[{"name":"kernel.shmmax","value":"1"}]}}"#,
                &["Invalid spec.securityContext.sysctls[0].name"],
            ),
            (
                r#"{"securityContext":{"seccompProfile":{"type":"Localhost"}}}"#,
                &["Required spec.securityContext.seccompProfile.localhostProfile"],
            ),
            (
                r#"{"securityContext":{"seccompProfile":{"type":"Localhost","localhostProfile":"../x"}}}"#,
                &["Invalid spec.securityContext.seccompProfile.localhostProfile"],
            ),
            (
                r#"{"securityContext":{"seccompProfile":{"type":"RuntimeDefault","localhostProfile":"x"}}}"#,
                &["Invalid spec.securityContext.seccompProfile.localhostProfile"],
            ),
            (
                r#"{"securityContext":{"appArmorProfile":{"type":"Localhost","localhostProfile":" x"}}}"#,
                &["Invalid spec.securityContext.appArmorProfile.localhostProfile"],
            ),
            (
                r#"{"os":{"name":"windows"},"securityContext":{"runAsUser":1}}"#,
                &["Forbidden spec.securityContext.runAsUser"],
            ),
            (
                r#"{"os":{"name":"linux"},"securityContext":{"windowsOptions":{}}}"#,
                &["Forbidden spec.securityContext.windowsOptions"],
            ),
            (
                r#"{"securityContext":{"windowsOptions":{"hostProcess":true}}}"#,
                &["Invalid spec.hostNetwork"],
            ),
            (
                r#"{"securityContext":{"windowsOptions":{"runAsUserName":"a\\b\\c"}}}"#,
                &["Invalid spec.securityContext.windowsOptions.runAsUserName"],
            ),
        ],
    );
}

#[test]
fn old_annotations_must_agree_with_the_fields() {
    rows(
        POD,
        "",
        &[
            (
                r#"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/x":"runtime/default"}}}"#,
                &["Invalid metadata.annotations[container.apparmor.security.beta.kubernetes.io/x]"],
            ),
            (
                r#"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/c":"default"}}}"#,
                &["Invalid metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]"],
            ),
            (
                r#"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/c":"unconfined"}},"spec":{"containers":[{"name":"c","image":"i","securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}}]}}"#,
                &["Forbidden spec.containers[0].securityContext.appArmorProfile.type"],
            ),
            (
                r#"{"metadata":{"annotations":{"seccomp.security.alpha.kubernetes.io/pod":"mine"}}}"#,
                &["Invalid metadata.annotations.seccomp.security.alpha.kubernetes.io/pod"],
            ),
            (
                r#"{"metadata":{"annotations":{"controller.kubernetes.io/pod-deletion-cost":"+1"}}}"#,
                &["Invalid metadata.annotations[controller.kubernetes.io/pod-deletion-cost]"],
            ),
        ],
    );
    // of a pod the server takes the annotation for the container's own profile, of a template it does not
    rows(
        r#"{"kind":"Deployment","metadata":{"name":"d"},"spec":{"selector":{"matchLabels":{"a":"b"}},
            "template":{"metadata":{"labels":{"a":"b"},"annotations":{"container.apparmor.security.beta.kubernetes.io/c":"unconfined"}},
            "spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
        "/spec/template/spec",
        &[(
            r#"{"securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}}"#,
            &["Forbidden spec.template.spec.containers[0].securityContext.appArmorProfile.type"],
        )],
    );
}

#[test]
fn messages_are_the_servers_own() {
    assert_eq!(
        messages(POD, "/spec", r#"{"restartPolicy":"always"}"#),
        [r#"Unsupported value: "always": supported values: "Always", "OnFailure", "Never""#]
    );
    assert_eq!(
        messages(POD, "/metadata", r#"{"name":"a-"}"#),
        [
            r#"Invalid value: "a-": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"#
        ]
    );
    assert_eq!(
        messages(POD, "/spec", r#"{"containers":[]}"#),
        ["Required value"]
    );
}

#[test]
fn warnings_come_after_the_errors() {
    let manifest = built(
        POD,
        "/spec",
        r#"{"hostname":"A","terminationGracePeriodSeconds":-1,"hostAliases":[{"ip":"1.1.1.1"},{"ip":"1.1.1.1"}],
            "containers":[{"name":"c","image":"i","env":[{"name":"A","value":"1"},{"name":"A","value":"2"}],
            "ports":[{"containerPort":80},{"containerPort":80,"hostPort":8080}],"resources":{"limits":{"memory":"100m"}}}]}"#,
    );
    let found = check(&manifest).expect("the manifest can be read");
    assert_eq!(listed(&found, Severity::Error), ["Invalid spec.hostname"]);
    assert_eq!(found.0[0].severity, Severity::Error);
    assert_eq!(
        listed(&found, Severity::Warning),
        [
            "Warning spec.hostAliases[1].ip",
            "Warning spec.containers[0].resources.limits[memory]",
            "Warning spec.containers[0].env[1]",
            "Warning spec.containers[0].ports[1]",
            "Warning spec.terminationGracePeriodSeconds",
        ]
    );
}
