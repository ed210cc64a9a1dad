//! What the server takes with a word of caution.

use podwright::manifest::source::Severity;

use crate::{POD, built, check, listed};

/// Checks that each fragment brings these warnings and no error.
fn warned(base: &str, pointer: &str, rows: &[(&str, &[&str])]) {
    for (fragment, expected) in rows {
        let found = check(&built(base, pointer, fragment)).expect("the manifest can be read");
        assert_eq!(listed(&found, Severity::Error), [""; 0], "for {fragment}");
        let warnings = listed(&found, Severity::Warning);
        let expected: Vec<String> = expected
            .iter()
            .map(|path| format!("Warning {path}"))
            .collect();
        assert_eq!(warnings, expected, "for {fragment}: {:#?}", found.0);
    }
}

#[test]
fn old_and_hidden_settings_of_a_pod_are_told() {
    warned(
        POD,
        "",
        &[
            (r#"{"metadata":{"name":"a.b"}}"#, &["metadata.name"]),
            (
                r#"{"metadata":{"annotations":{"scheduler.alpha.kubernetes.io/critical-pod":""}}}"#,
                &["metadata.annotations[scheduler.alpha.kubernetes.io/critical-pod]"],
            ),
            (
                r#"{"spec":{"nodeSelector":{"beta.kubernetes.io/os":"linux"}}}"#,
                &["spec.nodeSelector[beta.kubernetes.io/os]"],
            ),
            (
                r#"{"spec":{"volumes":[{"name":"v","gitRepo":{"repository":"r"}}]}}"#,
                &["spec.volumes[0].gitRepo"],
            ),
            (
                r#"{"spec":{"volumes":[{"name":"v","storageos":{"volumeName":"n"}}]}}"#,
                &["spec.volumes[0].storageOS"],
            ),
            (
                r#"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/c":"unconfined"}},
                    "spec":{"securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}}}"#,
                &["metadata.annotations[container.apparmor.security.beta.kubernetes.io/c]"],
            ),
            (
                r#"{"metadata":{"annotations":{"container.apparmor.security.beta.kubernetes.io/c":"runtime/default"}},
                    "spec":{"securityContext":{"appArmorProfile":{"type":"RuntimeDefault"}}}}"#,
                &[],
            ),
            (
                r#"{"spec":{"imagePullSecrets":[{"name":"a"},{"name":"a"},{}]}}"#,
                &[
                    "spec.imagePullSecrets[1].name",
                    "spec.imagePullSecrets[2].name",
                ],
            ),
            (
                r#"{"spec":{"hostAliases":[{"ip":"010.0.0.1"},{"ip":"0:0::1"}]}}"#,
                &["spec.hostAliases[0].ip", "spec.hostAliases[1].ip"],
            ),
            (
                r#"{"spec":{"topologySpreadConstraints":[{"maxSkew":1,"topologyKey":"z","whenUnsatisfiable":"DoNotSchedule"}]}}"#,
                &["spec.topologySpreadConstraints[0].labelSelector"],
            ),
            (
                r#"{"spec":{"volumes":[{"name":"v","secret":{"secretName":"s","items":[{"key":"a","path":"x"},{"key":"b","path":"x/y"}]}}]}}"#,
                &["spec.volumes[0].secret"],
            ),
            (
                r#"{"spec":{"serviceAccountName":"a","volumes":[{"name":"v","projected":{"sources":[{"configMap":{"name":"m","items":[{"key":"a","path":"token"}]}},{"serviceAccountToken":{"path":"token"}},{}]}}]}}"#,
                &[
                    "spec.volumes[0].projected.sources[1]",
                    "spec.volumes[0].projected.sources[2]",
                ],
            ),
        ],
    );
}

#[test]
fn paths_in_each_others_way_are_told_with_their_sources() {
    let pod = built(
        POD,
        "/spec",
        r#"{"serviceAccountName":"a","volumes":[{"name":"v","projected":{"sources":[
            {"serviceAccountToken":{"path":"a/b"}},
            {"configMap":{"name":"m","items":[{"key":"k","path":"a/"},{"key":"l","path":"c"}]}},
            {"downwardAPI":{"items":[{"path":"a","fieldRef":{"fieldPath":"metadata.name"}}]}}]}},
            {"name":"w","configMap":{"name":"n","items":[{"key":"k","path":"x"},{"key":"l","path":"x"}]}}]}"#,
    );
    let found = check(&pod).expect("it can be read");
    let messages: Vec<&str> = found.0.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        messages,
        [
            r#"volume "v" (Projected): overlapping paths: "a" (ConfigMap "m") with "a/b" (ServiceAccountToken)"#,
            r#"volume "v" (Projected): overlapping paths: "a" (DownwardAPI) with "a/b" (ServiceAccountToken)"#,
            r#"volume "v" (Projected): overlapping paths: "a" (DownwardAPI) with "a" (ConfigMap "m")"#,
            r#"volume "w" (ConfigMap "n"): overlapping paths: "x" with "x""#,
        ]
    );
}

#[test]
fn what_1_34_drops_unread_is_told_where_it_is_wrong() {
    warned(
        POD,
        "/spec",
        &[
            (
                r#"{"volumes":[{"name":"v","image":{"reference":"x","pullPolicy":"Foo"}}]}"#,
                &["spec.volumes[0].image.pullPolicy"],
            ),
            (
                r#"{"containers":[{"name":"c","image":"i","restartPolicy":"Bogus","lifecycle":{"stopSignal":"TERM"}}]}"#,
                &[
                    "spec.containers[0].lifecycle.stopSignal",
                    "spec.containers[0].restartPolicy",
                ],
            ),
        ],
    );
}

#[test]
fn what_a_service_ignores_is_told() {
    warned(
        r#"{"kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}"#,
        "/spec",
        &[
            (r#"{"externalName":"a.b"}"#, &["spec.externalName"]),
            (
                r#"{"clusterIP":"None","sessionAffinity":"ClientIP"}"#,
                &["spec.sessionAffinity"],
            ),
            (
                r#"{"trafficDistribution":"PreferClose"}"#,
                &["spec.trafficDistribution"],
            ),
            (
                r#"{"type":"LoadBalancer","loadBalancerSourceRanges":["10.0.0.5/8"]}"#,
                &["spec.loadBalancerSourceRanges[0]"],
            ),
        ],
    );
}

#[test]
fn a_stateful_set_warns_of_what_newer_servers_refuse() {
    warned(
        r#"{"kind":"StatefulSet","metadata":{"name":"s"},"spec":{"selector":{"matchLabels":{"a":"b"}},
            "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#,
        "/spec",
        &[
            (
                r#"{"updateStrategy":{"rollingUpdate":{"maxUnavailable":0}}}"#,
                &["spec.updateStrategy.rollingUpdate.maxUnavailable"],
            ),
            (
                r#"{"revisionHistoryLimit":-1}"#,
                &["spec.revisionHistoryLimit"],
            ),
        ],
    );
}

#[test]
fn old_settings_of_a_volume_are_told() {
    warned(
        r#"{"kind":"PersistentVolume","metadata":{"name":"v"},
            "spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"}}}"#,
        "",
        &[
            (
                r#"{"metadata":{"annotations":{"volume.beta.kubernetes.io/mount-options":"ro"}},
                    "spec":{"nfs":{"server":"s","path":"/"}}}"#,
                &["metadata.annotations[volume.beta.kubernetes.io/mount-options]"],
            ),
            (
                r#"{"spec":{"cephfs":{"monitors":["m"]}}}"#,
                &["spec.cephfs"],
            ),
            (
                r#"{"spec":{"storageos":{"volumeName":"n"}}}"#,
                &["spec.storageOS"],
            ),
            (
                r#"{"spec":{"hostPath":{"path":"/a"},"nodeAffinity":{"required":{"nodeSelectorTerms":[
                    {"matchExpressions":[{"key":"beta.kubernetes.io/os","operator":"Exists"}]}]}}}}"#,
                &["spec.nodeAffinity.required.nodeSelectorTerms[0].matchExpressions[0].key"],
            ),
        ],
    );
}

#[test]
fn what_does_not_work_is_told_where_the_server_takes_it() {
    warned(
        POD,
        "/spec",
        &[(
            r#"{"affinity":{"nodeAffinity":{"preferredDuringSchedulingIgnoredDuringExecution":[
                {"weight":1,"preference":{"matchExpressions":[{"key":"a","operator":"In","values":["x","-1"]}]}}]}}}"#,
            &[
                "spec.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchExpressions[0].values[1]",
            ],
        )],
    );
    warned(
        r#"{"kind":"ServiceAccount","metadata":{"name":"a"}}"#,
        "",
        &[(
            r#"{"metadata":{"annotations":{"kubernetes.io/enforce-mountable-secrets":"true"}}}"#,
            &["metadata.annotations[kubernetes.io/enforce-mountable-secrets]"],
        )],
    );
    warned(
        r#"{"kind":"Service","metadata":{"name":"s"},"spec":{"type":"LoadBalancer","ports":[{"port":80}]}}"#,
        "/spec",
        &[
            (r#"{"loadBalancerIP":"10.0.0.1"}"#, &[]),
            (r#"{"loadBalancerIP":"any"}"#, &[]),
            (
                r#"{"loadBalancerIP":"010.0.0.1"}"#,
                &["spec.loadBalancerIP"],
            ),
            (
                r#"{"ipFamilies":["IPv4","IPv6"]}"#,
                &["spec.ipFamilyPolicy"],
            ),
            (
                r#"{"ipFamilyPolicy":"SingleStack","clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1","fd00::1"]}"#,
                &["spec.ipFamilyPolicy"],
            ),
            (
                r#"{"ipFamilyPolicy":"PreferDualStack","ipFamilies":["IPv4","IPv6"]}"#,
                &[],
            ),
        ],
    );
    warned(
        r#"{"kind":"Service","metadata":{"name":"s"},"spec":{"clusterIP":"None"}}"#,
        "/spec",
        &[
            (r#"{"ipFamilies":["IPv4","IPv6"]}"#, &[]),
            (
                r#"{"ipFamilies":["IPv4","IPv6"],"selector":{"a":"b"}}"#,
                &["spec.ipFamilyPolicy"],
            ),
        ],
    );
    warned(
        r#"{"kind":"NetworkPolicy","metadata":{"name":"n"},"spec":{"podSelector":{},"ingress":[{"from":[{"ipBlock":{}}]}]}}"#,
        "/spec/ingress/0/from/0/ipBlock",
        &[
            (
                r#"{"cidr":"2001:db8::/32","except":["2001:db8::/48"]}"#,
                &[],
            ),
            (
                r#"{"cidr":"2001:DB8::/32"}"#,
                &["spec.ingress[0].from[0].ipBlock.cidr"],
            ),
            (
                r#"{"cidr":"10.0.0.0/08"}"#,
                &["spec.ingress[0].from[0].ipBlock.cidr"],
            ),
            (
                r#"{"cidr":"10.0.0.0/8","except":["::ffff:10.1.0.0/112"]}"#,
                &["spec.ingress[0].from[0].ipBlock.except[0]"],
            ),
        ],
    );
    warned(
        r#"{"kind":"Secret","metadata":{"name":"s"},"type":"kubernetes.io/tls"}"#,
        "",
        &[(
            r#"{"stringData":{"tls.crt":"x","tls.key":"-----BEGIN PRIVATE KEY-----\nMII=\n-----END PRIVATE KEY-----\n"}}"#,
            &["data[tls.crt]"],
        )],
    );
}
