//! Volumes and the claims behind them.

use crate::{POD, rows};

const CLAIM: &str = r#"{"kind":"PersistentVolumeClaim","metadata":{"name":"c"},
    "spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}"#;
const VOLUME: &str = r#"{"kind":"PersistentVolume","metadata":{"name":"v"},
    "spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"}}}"#;

#[test]
fn a_volume_has_a_name_and_one_source() {
    rows(
        POD,
        "/spec",
        &[
            (
                r#"{"volumes":[{"name":"v"},{"name":"v"}]}"#,
                &["Duplicate spec.volumes[1].name"],
            ),
            (
                r#"{"volumes":[{"name":"V"}]}"#,
                &["Invalid spec.volumes[0].name"],
            ),
            (
                r#"{"volumes":[{"name":"v","emptyDir":{},"hostPath":{"path":"/"}}]}"#,
                &["Forbidden spec.volumes[0].hostPath"],
            ),
            (
                r#"{"volumes":[{"name":"v","emptyDir":{"sizeLimit":"-1"}}]}"#,
                &["Forbidden spec.volumes[0].emptyDir.sizeLimit"],
            ),
            (
                r#"{"volumes":[{"name":"v","hostPath":{"path":"/a/../b"}}]}"#,
                &["Invalid spec.volumes[0].hostPath.path"],
            ),
            (
                r#"{"volumes":[{"name":"v","hostPath":{"path":"/a","type":"Dir"}}]}"#,
                &["NotSupported spec.volumes[0].hostPath.type"],
            ),
            (
                r#"{"volumes":[{"name":"v","configMap":{"name":"a","defaultMode":512}}]}"#,
                &["Invalid spec.volumes[0].configMap.defaultMode"],
            ),
            (
                r#"{"volumes":[{"name":"v","configMap":{"name":"a","items":[{"key":"","path":"..x"}]}}]}"#,
                &[
                    "Required spec.volumes[0].configMap.items[0].key",
                    "Invalid spec.volumes[0].configMap.items[0].path",
                ],
            ),
            (
                r#"{"volumes":[{"name":"v","secret":{}}]}"#,
                &["Required spec.volumes[0].secret.secretName"],
            ),
            (
                r#"{"volumes":[{"name":"v","persistentVolumeClaim":{"claimName":""}}]}"#,
                &["Required spec.volumes[0].persistentVolumeClaim.claimName"],
            ),
            (
                r#"{"volumes":[{"name":"v","downwardAPI":{"items":[{"path":"a","fieldRef":{"fieldPath":"spec.nodeName"}}]}}]}"#,
                &["NotSupported spec.volumes[0].downwardAPI.items[0].fieldRef.fieldPath"],
            ),
            (
                r#"{"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"a"},"configMap":{"name":"b"}}]}}]}"#,
                &["Forbidden spec.volumes[0].projected.sources[0]"],
            ),
            (
                r#"{"volumes":[{"name":"v","projected":{"sources":[{"secret":{"name":"a","items":[{"key":"k","path":"p"}]}},{"configMap":{"name":"b","items":[{"key":"k","path":"p"}]}}]}}]}"#,
                &["Invalid spec.volumes[0].projected"],
            ),
            (
                r#"{"volumes":[{"name":"v","projected":{"sources":[{"serviceAccountToken":{"path":"t","expirationSeconds":1}}]}}]}"#,
                &[
                    "Invalid spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds",
                    "Forbidden spec.volumes[0].projected.sources[0].serviceAccountToken",
                ],
            ),
            (
                r#"{"volumes":[{"name":"v","nfs":{"server":"s","path":"p"}}]}"#,
                &["Invalid spec.volumes[0].nfs.path"],
            ),
            (
                r#"{"volumes":[{"name":"v","csi":{"driver":"a b"}}]}"#,
                &["Invalid spec.volumes[0].csi.driver"],
            ),
            (
                r#"{"volumes":[{"name":"v","iscsi":{"targetPortal":"p","iqn":"iqn.2001-04.com.example:storage","lun":256}}]}"#,
                &["Invalid spec.volumes[0].iscsi.lun"],
            ),
            (
                r#"{"volumes":[{"name":"v","ephemeral":{"volumeClaimTemplate":{"spec":{}}}}]}"#,
                &[
                    "Required spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes",
                    "Required spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]",
                ],
            ),
        ],
    );
}

#[test]
fn a_faulty_volume_does_not_exist_for_mounts() {
    rows(
        POD,
        "/spec",
        &[(
            r#"{"volumes":[{"name":"v","hostPath":{"path":""}}],"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"v","mountPath":"/v"}]}]}"#,
            &[
                "Required spec.volumes[0].hostPath.path",
                "NotFound spec.containers[0].volumeMounts[0].name",
            ],
        )],
    );
}

#[test]
fn a_claim_says_how_much_and_how() {
    rows(
        CLAIM,
        "/spec",
        &[
            ("{}", &[]),
            (r#"{"accessModes":[]}"#, &["Required spec.accessModes"]),
            (
                r#"{"accessModes":["RWO"]}"#,
                &["NotSupported spec.accessModes[0]"],
            ),
            (
                r#"{"accessModes":["ReadWriteOncePod","ReadWriteOnce"]}"#,
                &["Forbidden spec.accessModes"],
            ),
            (
                r#"{"resources":{"requests":null}}"#,
                &["Required spec.resources[storage]"],
            ),
            (
                r#"{"resources":{"requests":{"storage":"0"}}}"#,
                &["Invalid spec.resources[storage]"],
            ),
            (
                r#"{"resources":{"requests":{"storage":"1GB"}}}"#,
                &["Decode spec.resources.requests[storage]"],
            ),
            (
                r#"{"storageClassName":"A_b"}"#,
                &["Invalid spec.storageClassName"],
            ),
            (
                r#"{"volumeMode":"File"}"#,
                &["NotSupported spec.volumeMode"],
            ),
            (
                r#"{"dataSource":{"kind":"VolumeSnapshot","name":"s"}}"#,
                &["Invalid spec.dataSource"],
            ),
        ],
    );
}

#[test]
fn a_persistent_volume_has_a_source_and_a_size() {
    rows(
        VOLUME,
        "/spec",
        &[
            ("{}", &["Required spec"]),
            (r#"{"hostPath":{"path":"/data"}}"#, &[]),
            (
                r#"{"hostPath":{"path":"//"},"persistentVolumeReclaimPolicy":"Recycle"}"#,
                &["Forbidden spec.persistentVolumeReclaimPolicy"],
            ),
            (
                r#"{"hostPath":{"path":"/data"},"capacity":{"cpu":"1"}}"#,
                &["NotSupported spec.capacity"],
            ),
            (
                r#"{"local":{"path":"/data"}}"#,
                &["Required spec.nodeAffinity"],
            ),
            (
                r#"{"nfs":{"server":"","path":"/a"}}"#,
                &["Required spec.nfs.server"],
            ),
        ],
    );
}

#[test]
fn options_of_mounts_are_for_sources_that_take_them() {
    const OPTIONS: &str = r#"{"kind":"PersistentVolume","metadata":{"name":"v","annotations":{"volume.beta.kubernetes.io/mount-options":"ro"}},
        "spec":{"accessModes":["ReadWriteOnce"],"capacity":{"storage":"1Gi"}}}"#;
    rows(
        OPTIONS,
        "/spec",
        &[
            (r#"{"nfs":{"server":"s","path":"/"}}"#, &[]),
            (
                r#"{"hostPath":{"path":"/a"}}"#,
                &["Forbidden metadata.annotations.volume.beta.kubernetes.io/mount-options"],
            ),
            (
                r#"{"csi":{"driver":"d","volumeHandle":"h"}}"#,
                &["Forbidden metadata.annotations.volume.beta.kubernetes.io/mount-options"],
            ),
        ],
    );
    rows(
        VOLUME,
        "/spec",
        &[
            (
                r#"{"hostPath":{"path":"/a"},"capacity":{"storage":"-1Gi"}}"#,
                &[
                    "Invalid spec.capacity[storage]",
                    "Invalid spec.capacity[storage]",
                ],
            ),
            (
                r#"{"iscsi":{"targetPortal":"t","iqn":"iqn.2015-06.com.example:a^b:c","lun":0}}"#,
                &[],
            ),
        ],
    );
}

#[test]
fn the_claim_of_an_ephemeral_volume_has_a_name() {
    rows(
        POD,
        "",
        &[
            (
                r#"{"metadata":{"name":"p."},"spec":{"volumes":[{"name":"v","ephemeral":{}}]}}"#,
                &[
                    "Invalid metadata.name",
                    "Required spec.volumes[0].ephemeral.volumeClaimTemplate",
                    "Invalid spec.volumes[0].name",
                ],
            ),
            (
                r#"{"metadata":{"name":"p."},"spec":{"volumes":[{"name":"v","emptyDir":{},"ephemeral":{}}]}}"#,
                &[
                    "Invalid metadata.name",
                    "Forbidden spec.volumes[0].ephemeral",
                ],
            ),
        ],
    );
}
