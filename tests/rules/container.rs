//! Containers: their ports, variables, mounts, probes, resources.

use crate::{POD, rows};

const WITH_VOLUMES: &str = r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{
    "containers":[{"name":"c","image":"nginx"}],
    "volumes":[{"name":"v"},{"name":"w","persistentVolumeClaim":{"claimName":"x"}}]}}"#;
const WITH_INIT: &str = r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{
    "containers":[{"name":"c","image":"nginx"}],
    "initContainers":[{"name":"i","image":"nginx"}]}}"#;

#[test]
fn a_container_has_a_name_and_an_image() {
    rows(
        POD,
        "/spec/containers/0",
        &[
            (r#"{"name":""}"#, &["Required spec.containers[0].name"]),
            (r#"{"name":"A"}"#, &["Invalid spec.containers[0].name"]),
            (r#"{"image":""}"#, &["Required spec.containers[0].image"]),
            (
                r#"{"image":" nginx"}"#,
                &["Invalid spec.containers[0].image"],
            ),
            (
                r#"{"imagePullPolicy":"Often"}"#,
                &["NotSupported spec.containers[0].imagePullPolicy"],
            ),
            (
                r#"{"terminationMessagePolicy":"x"}"#,
                &["NotSupported spec.containers[0].terminationMessagePolicy"],
            ),
            (r#"{"restartPolicy":"Bogus"}"#, &[]),
        ],
    );
    rows(
        POD,
        "/spec",
        &[
            (r#"{"containers":[]}"#, &["Required spec.containers"]),
            (
                r#"{"containers":[{"name":"c","image":"i"},{"name":"c","image":"i"}]}"#,
                &["Duplicate spec.containers[1].name"],
            ),
        ],
    );
}

#[test]
fn ports_are_numbers_with_names() {
    rows(
        POD,
        "/spec/containers/0",
        &[
            (
                r#"{"ports":[{"containerPort":0}]}"#,
                &["Required spec.containers[0].ports[0].containerPort"],
            ),
            (
                r#"{"ports":[{"containerPort":65536}]}"#,
                &["Invalid spec.containers[0].ports[0].containerPort"],
            ),
            (
                r#"{"ports":[{"containerPort":80,"protocol":"tcp"}]}"#,
                &["NotSupported spec.containers[0].ports[0].protocol"],
            ),
            (
                r#"{"ports":[{"containerPort":80,"name":"a--b"}]}"#,
                &["Invalid spec.containers[0].ports[0].name"],
            ),
            (
                r#"{"ports":[{"containerPort":80,"name":"80"}]}"#,
                &["Invalid spec.containers[0].ports[0].name"],
            ),
            (
                r#"{"ports":[{"containerPort":80,"name":"a"},{"containerPort":81,"name":"a"}]}"#,
                &["Duplicate spec.containers[0].ports[1].name"],
            ),
            (
                r#"{"ports":[{"containerPort":80,"hostPort":80},{"containerPort":81,"hostPort":80}]}"#,
                &["Duplicate spec.containers[0].ports[1].hostPort"],
            ),
            (
                r#"{"ports":[{"containerPort":80,"hostPort":80},{"containerPort":81,"hostPort":80,"protocol":"UDP"}]}"#,
                &[],
            ),
        ],
    );
    rows(
        POD,
        "/spec",
        &[
            (
                r#"{"hostNetwork":true,"containers":[{"name":"c","image":"i","ports":[{"containerPort":80,"hostPort":81}]}]}"#,
                &["Invalid spec.containers[0].ports[0].hostPort"],
            ),
            (
                r#"{"hostNetwork":true,"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}]},{"name":"d","image":"i","ports":[{"containerPort":80}]}]}"#,
                &["Duplicate spec.containers[1].ports[0].hostPort"],
            ),
        ],
    );
}

#[test]
fn variables_have_one_source() {
    rows(
        POD,
        "/spec/containers/0",
        &[
            (
                r#"{"env":[{"name":""}]}"#,
                &["Required spec.containers[0].env[0].name"],
            ),
            (
                r#"{"env":[{"name":"a=b"}]}"#,
                &["Invalid spec.containers[0].env[0].name"],
            ),
            (r#"{"env":[{"name":"1 a!"}]}"#, &[]),
            (
                r#"{"env":[{"name":"A","valueFrom":{}}]}"#,
                &["Invalid spec.containers[0].env[0].valueFrom"],
            ),
            (
                r#"{"env":[{"name":"A","value":"x","valueFrom":{"fieldRef":{"fieldPath":"metadata.name"}}}]}"#,
                &["Invalid spec.containers[0].env[0].valueFrom"],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"spec.foo"}}}]}"#,
                &["Invalid spec.containers[0].env[0].valueFrom.fieldRef.fieldPath"],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels"}}}]}"#,
                &["NotSupported spec.containers[0].env[0].valueFrom.fieldRef.fieldPath"],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['app']"}}}]}"#,
                &[],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"fieldRef":{"fieldPath":"metadata.labels['a b']"}}}]}"#,
                &["Invalid spec.containers[0].env[0].valueFrom.fieldRef"],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.cpu","divisor":"10m"}}}]}"#,
                &["Invalid spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor"],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.memory","divisor":"1Mi"}}}]}"#,
                &[],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"resourceFieldRef":{"resource":"limits.disk"}}}]}"#,
                &["NotSupported spec.containers[0].env[0].valueFrom.resourceFieldRef.resource"],
            ),
            (
                r#"{"env":[{"name":"A","valueFrom":{"secretKeyRef":{"name":"s","key":"a/b"}}}]}"#,
                &["Invalid spec.containers[0].env[0].valueFrom.secretKeyRef.key"],
            ),
            (
                r#"{"envFrom":[{"configMapRef":{"name":"a"}},{}]}"#,
                &["Invalid spec.containers[0].envFrom[1]"],
            ),
            (
                r#"{"envFrom":[{"configMapRef":{"name":""}}]}"#,
                &["Required spec.containers[0].envFrom[0].configMapRef.name"],
            ),
        ],
    );
}

#[test]
fn mounts_name_volumes_and_paths() {
    rows(
        WITH_VOLUMES,
        "/spec/containers/0",
        &[
            (
                r#"{"volumeMounts":[{"name":"v","mountPath":"/a"},{"name":"w","mountPath":"/a"}]}"#,
                &["Invalid spec.containers[0].volumeMounts[1].mountPath"],
            ),
            (
                r#"{"volumeMounts":[{"name":"x","mountPath":"/a"}]}"#,
                &["NotFound spec.containers[0].volumeMounts[0].name"],
            ),
            (
                r#"{"volumeMounts":[{"name":"v","mountPath":"/a","subPath":"a/../b"}]}"#,
                &["Invalid spec.containers[0].volumeMounts[0].subPath"],
            ),
            (
                r#"{"volumeMounts":[{"name":"v","mountPath":"/a","subPath":"a","subPathExpr":"b"}]}"#,
                &["Invalid spec.containers[0].volumeMounts[0].subPathExpr"],
            ),
            (
                r#"{"volumeMounts":[{"name":"v","mountPath":"/a","mountPropagation":"Bidirectional"}]}"#,
                &["Forbidden spec.containers[0].volumeMounts[0].mountPropagation"],
            ),
            (
                r#"{"securityContext":{"privileged":true},"volumeMounts":[{"name":"v","mountPath":"/a","mountPropagation":"Bidirectional"}]}"#,
                &[],
            ),
            (
                r#"{"volumeMounts":[{"name":"v","mountPath":"/a","recursiveReadOnly":"Enabled"}]}"#,
                &["Forbidden spec.containers[0].volumeMounts[0].recursiveReadOnly"],
            ),
            (
                r#"{"volumeDevices":[{"name":"v","devicePath":"/dev/a"}]}"#,
                &["Invalid spec.containers[0].volumeDevices[0].name"],
            ),
            (
                r#"{"volumeDevices":[{"name":"w","devicePath":"/dev/a"}],"volumeMounts":[{"name":"w","mountPath":"/a"}]}"#,
                &[
                    "Invalid spec.containers[0].volumeMounts[0].name",
                    "Invalid spec.containers[0].volumeDevices[0].name",
                ],
            ),
        ],
    );
}

#[test]
fn probes_have_one_handler() {
    rows(
        POD,
        "/spec/containers/0",
        &[
            (
                r#"{"livenessProbe":{}}"#,
                &["Required spec.containers[0].livenessProbe"],
            ),
            (
                r#"{"livenessProbe":{"exec":{},"tcpSocket":{"port":1}}}"#,
                &[
                    "Required spec.containers[0].livenessProbe.exec.command",
                    "Forbidden spec.containers[0].livenessProbe.tcpSocket",
                ],
            ),
            (
                r#"{"livenessProbe":{"httpGet":{"port":"HTTP"}}}"#,
                &[
                    "Invalid spec.containers[0].livenessProbe.httpGet.port",
                    "Invalid spec.containers[0].livenessProbe.httpGet.port",
                ],
            ),
            (
                r#"{"livenessProbe":{"httpGet":{"port":80,"scheme":"http"}}}"#,
                &["NotSupported spec.containers[0].livenessProbe.httpGet.scheme"],
            ),
            (
                r#"{"livenessProbe":{"httpGet":{"port":80,"httpHeaders":[{"name":"a b","value":""}]}}}"#,
                &["Invalid spec.containers[0].livenessProbe.httpGet.httpHeaders[0].name"],
            ),
            (
                r#"{"livenessProbe":{"grpc":{"port":0}}}"#,
                &["Invalid spec.containers[0].livenessProbe.grpc.port"],
            ),
            (
                r#"{"livenessProbe":{"tcpSocket":{"port":1},"periodSeconds":-1}}"#,
                &["Invalid spec.containers[0].livenessProbe.periodSeconds"],
            ),
            (
                r#"{"startupProbe":{"tcpSocket":{"port":1},"successThreshold":2}}"#,
                &["Invalid spec.containers[0].startupProbe.successThreshold"],
            ),
            (
                r#"{"readinessProbe":{"tcpSocket":{"port":1},"terminationGracePeriodSeconds":5}}"#,
                &["Invalid spec.containers[0].readinessProbe.terminationGracePeriodSeconds"],
            ),
            (
                r#"{"lifecycle":{"postStart":{}}}"#,
                &["Required spec.containers[0].lifecycle.postStart"],
            ),
            (
                r#"{"lifecycle":{"preStop":{"sleep":{"seconds":31}}}}"#,
                &["Invalid spec.containers[0].lifecycle.preStop.sleep"],
            ),
        ],
    );
}

#[test]
fn init_containers_run_once_unless_they_are_sidecars() {
    rows(
        WITH_INIT,
        "/spec/initContainers/0",
        &[
            (
                r#"{"readinessProbe":{"tcpSocket":{"port":1}}}"#,
                &["Forbidden spec.initContainers[0].readinessProbe"],
            ),
            (
                r#"{"restartPolicy":"Always","readinessProbe":{"tcpSocket":{"port":1}}}"#,
                &[],
            ),
            (
                r#"{"restartPolicy":"Never"}"#,
                &["NotSupported spec.initContainers[0].restartPolicy"],
            ),
            (
                r#"{"name":"c"}"#,
                &["Duplicate spec.initContainers[0].name"],
            ),
            (
                r#"{"lifecycle":{"preStop":{"sleep":{"seconds":1}}}}"#,
                &["Forbidden spec.initContainers[0].lifecycle"],
            ),
        ],
    );
}

#[test]
fn resources_are_bounded_by_their_limits() {
    rows(
        POD,
        "/spec/containers/0",
        &[
            (
                r#"{"resources":{"requests":{"cpu":"1001m"},"limits":{"cpu":1}}}"#,
                &["Invalid spec.containers[0].resources.requests[cpu]"],
            ),
            (
                r#"{"resources":{"requests":{"cpu":"1000m"},"limits":{"cpu":"1"}}}"#,
                &[],
            ),
            (
                r#"{"resources":{"requests":{"cpu":"-1"}}}"#,
                &["Invalid spec.containers[0].resources.requests[cpu]"],
            ),
            (
                r#"{"resources":{"requests":{"memory":"64MB"}}}"#,
                &["Decode spec.containers[0].resources.requests[memory]"],
            ),
            (
                r#"{"resources":{"requests":{"disk":"1"}}}"#,
                &[
                    "Invalid spec.containers[0].resources.requests[disk]",
                    "Invalid spec.containers[0].resources.requests[disk]",
                ],
            ),
            (
                r#"{"resources":{"requests":{"nvidia.com/gpu":1}}}"#,
                &["Required spec.containers[0].resources.limits"],
            ),
            (r#"{"resources":{"limits":{"nvidia.com/gpu":1}}}"#, &[]),
            (
                r#"{"resources":{"requests":{"nvidia.com/gpu":1},"limits":{"nvidia.com/gpu":2}}}"#,
                &["Invalid spec.containers[0].resources.requests[nvidia.com/gpu]"],
            ),
            (
                r#"{"resources":{"limits":{"hugepages-2Mi":"4Mi"}}}"#,
                &["Forbidden spec.containers[0].resources"],
            ),
            (
                r#"{"resources":{"limits":{"cpu":1,"hugepages-2Mi":"3Mi"},"requests":{"hugepages-2Mi":"3Mi"}}}"#,
                &[
                    "Invalid spec.containers[0].resources.limits[hugepages-2Mi]",
                    "Invalid spec.containers[0].resources.requests[hugepages-2Mi]",
                ],
            ),
            (
                r#"{"resources":{"claims":[{"name":"x"}]}}"#,
                &["NotFound spec.containers[0].resources.claims[0]"],
            ),
            (
                r#"{"resizePolicy":[{"resourceName":"disk","restartPolicy":"NotRequired"}]}"#,
                &["NotSupported spec.containers[0].resizePolicy[0].resourceName"],
            ),
        ],
    );
    rows(
        WITH_INIT,
        "/spec/initContainers/0",
        &[(
            r#"{"resizePolicy":[{"resourceName":"cpu","restartPolicy":"NotRequired"}]}"#,
            &[],
        )],
    );
}

#[test]
fn security_of_a_container_is_checked() {
    rows(
        POD,
        "/spec/containers/0",
        &[
            (
                r#"{"securityContext":{"runAsGroup":-1}}"#,
                &["Invalid spec.containers[0].securityContext.runAsGroup"],
            ),
            (
                r#"{"securityContext":{"procMount":"Unmasked"}}"#,
                &["Invalid spec.containers[0].securityContext.procMount"],
            ),
            (
                r#"{"securityContext":{"privileged":true,"allowPrivilegeEscalation":false}}"#,
                &["Invalid spec.containers[0].securityContext"],
            ),
            (
                r#"{"securityContext":{"allowPrivilegeEscalation":false,"capabilities":{"add":["CAP_SYS_ADMIN"]}}}"#,
                &["Invalid spec.containers[0].securityContext"],
            ),
        ],
    );
}
