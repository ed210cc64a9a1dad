//! Services, Ingresses, NetworkPolicies.

use crate::rows;

const SERVICE: &str =
    r#"{"kind":"Service","metadata":{"name":"s"},"spec":{"ports":[{"port":80}]}}"#;
const INGRESS: &str = r#"{"kind":"Ingress","metadata":{"name":"i"},"spec":{}}"#;
const POLICY: &str =
    r#"{"kind":"NetworkPolicy","metadata":{"name":"n"},"spec":{"podSelector":{}}}"#;

#[test]
fn a_service_has_ports_and_a_type() {
    rows(
        SERVICE,
        "/spec",
        &[
            ("{}", &[]),
            (r#"{"ports":[]}"#, &["Required spec.ports"]),
            (r#"{"ports":[],"clusterIP":"None"}"#, &[]),
            (
                r#"{"ports":[{"port":0}]}"#,
                &[
                    "Invalid spec.ports[0].port",
                    "Invalid spec.ports[0].targetPort",
                ],
            ),
            (
                r#"{"ports":[{"port":80},{"port":81}]}"#,
                &["Required spec.ports[0].name", "Required spec.ports[1].name"],
            ),
            (
                r#"{"ports":[{"name":"a","port":80},{"name":"b","port":80}]}"#,
                &["Duplicate spec.ports[1]"],
            ),
            (
                r#"{"ports":[{"port":80,"protocol":"http"}]}"#,
                &["NotSupported spec.ports[0].protocol"],
            ),
            (
                r#"{"ports":[{"port":80,"targetPort":"WEB"}]}"#,
                &[
                    "Invalid spec.ports[0].targetPort",
                    "Invalid spec.ports[0].targetPort",
                ],
            ),
            (
                r#"{"ports":[{"port":80,"nodePort":30000}]}"#,
                &["Forbidden spec.ports[0].nodePort"],
            ),
            (
                r#"{"type":"NodePort","ports":[{"port":80,"nodePort":70000}]}"#,
                &["Invalid spec.ports[0].nodePort"],
            ),
            (r#"{"type":"Foo"}"#, &["NotSupported spec.type"]),
            (
                r#"{"type":"ExternalName"}"#,
                &["Required spec.externalName"],
            ),
            (
                r#"{"type":"ExternalName","externalName":"db.example.com."}"#,
                &[],
            ),
            (
                r#"{"type":"NodePort","clusterIP":"None"}"#,
                &["Invalid spec.clusterIPs[0]"],
            ),
            (
                r#"{"clusterIP":"10.0.0.256"}"#,
                &["Invalid spec.clusterIPs[0]"],
            ),
            (
                r#"{"clusterIP":"FD00::1","clusterIPs":["FD00::1","fd00::2"]}"#,
                &["Invalid spec.clusterIPs"],
            ),
            (
                r#"{"externalIPs":["x","127.0.0.1","1.2.3.4"]}"#,
                &["Invalid spec.externalIPs[0]", "Invalid spec.externalIPs[1]"],
            ),
            (
                r#"{"sessionAffinity":"Foo"}"#,
                &["NotSupported spec.sessionAffinity"],
            ),
            (
                r#"{"sessionAffinity":"ClientIP","sessionAffinityConfig":{"clientIP":{"timeoutSeconds":0}}}"#,
                &["Invalid spec.sessionAffinityConfig.clientIP.timeoutSeconds"],
            ),
            (r#"{"selector":{"a":"b c"}}"#, &["Invalid spec.selector[a]"]),
            (
                r#"{"loadBalancerSourceRanges":["10.0.0.0/8"]}"#,
                &["Forbidden spec.LoadBalancerSourceRanges"],
            ),
            (
                r#"{"type":"LoadBalancer","loadBalancerSourceRanges":["10.0.0.0/33"]}"#,
                &["Invalid spec.LoadBalancerSourceRanges[0]"],
            ),
            (
                r#"{"externalTrafficPolicy":"Local"}"#,
                &["Invalid spec.externalTrafficPolicy"],
            ),
            (
                r#"{"internalTrafficPolicy":"Near"}"#,
                &["NotSupported spec.internalTrafficPolicy"],
            ),
            (
                r#"{"ipFamilies":["IPv4","IPv4"]}"#,
                &["Duplicate spec.ipFamilies[1]"],
            ),
        ],
    );
    rows(
        SERVICE,
        "/metadata",
        &[
            (r#"{"name":"1s"}"#, &["Invalid metadata.name"]),
            (r#"{"name":"a.b"}"#, &["Invalid metadata.name"]),
        ],
    );
}

#[test]
fn an_ingress_leads_somewhere() {
    rows(
        INGRESS,
        "/spec",
        &[
            ("{}", &["Invalid spec"]),
            (
                r#"{"defaultBackend":{"service":{"name":"s","port":{"number":80}}}}"#,
                &[],
            ),
            (r#"{"defaultBackend":{}}"#, &["Invalid spec.defaultBackend"]),
            (
                r#"{"defaultBackend":{"service":{"name":"s"}}}"#,
                &["Required spec.defaultBackend"],
            ),
            (
                r#"{"rules":[{"host":"1.2.3.4"}]}"#,
                &["Invalid spec.rules[0].host"],
            ),
            (
                r#"{"rules":[{"host":"*.example.com","http":{"paths":[]}}]}"#,
                &["Required spec.rules[0].http.paths"],
            ),
            (
                r#"{"rules":[{"http":{"paths":[{"path":"a","pathType":"Prefix","backend":{"service":{"name":"s","port":{"name":"web"}}}}]}}]}"#,
                &["Invalid spec.rules[0].http.paths[0].path"],
            ),
            (
                r#"{"rules":[{"http":{"paths":[{"path":"/a//b","pathType":"Exact","backend":{"service":{"name":"S","port":{"number":80}}}}]}}]}"#,
                &[
                    "Invalid spec.rules[0].http.paths[0].path",
                    "Invalid spec.rules[0].http.paths[0].backend.service.name",
                ],
            ),
            (
                r#"{"rules":[{"http":{"paths":[{"path":"/","backend":{"service":{"name":"s","port":{"number":80}}}}]}}]}"#,
                &["Required spec.rules[0].http.paths[0].pathType"],
            ),
        ],
    );
}

#[test]
fn a_network_policy_names_peers() {
    rows(
        POLICY,
        "/spec",
        &[
            ("{}", &[]),
            (
                r#"{"policyTypes":["In"]}"#,
                &["NotSupported spec.policyTypes[0]"],
            ),
            (
                r#"{"ingress":[{"from":[{}]}]}"#,
                &["Required spec.ingress[0].from[0]"],
            ),
            (
                r#"{"ingress":[{"from":[{"podSelector":{},"ipBlock":{"cidr":"10.0.0.0/8"}}]}]}"#,
                &["Forbidden spec.ingress[0].from[0]"],
            ),
            (
                r#"{"egress":[{"to":[{"ipBlock":{"cidr":"10.0.0.0/8","except":["10.1.0.0/16","10.0.0.0/8","11.0.0.0/16"]}}]}]}"#,
                &[
                    "Invalid spec.egress[0].to[0].ipBlock.except[1]",
                    "Invalid spec.egress[0].to[0].ipBlock.except[2]",
                ],
            ),
            (
                r#"{"egress":[{"to":[{"ipBlock":{"cidr":"x","except":["y"]}}]}]}"#,
                &["Invalid spec.egress[0].to[0].ipBlock.cidr"],
            ),
            (
                r#"{"egress":[{"ports":[{"port":80,"endPort":79}]}]}"#,
                &["Invalid spec.egress[0].ports[0].endPort"],
            ),
            (
                r#"{"egress":[{"ports":[{"endPort":79}]}]}"#,
                &["Invalid spec.egress[0].ports[0].endPort"],
            ),
        ],
    );
}
