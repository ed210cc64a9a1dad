//! `--kubernetes-version`: which kinds and fields there are.

use crate::support::Manifests;

fn said(text: &str, version: &str) -> Vec<String> {
    let files = Manifests::of(&[("in.yaml", text)]);
    files.findings(&["--kubernetes-version", version, "in.yaml"])
}

#[test]
fn a_removed_api_is_refused_with_the_one_to_write_instead() {
    for (api_version, kind, instead) in [
        ("batch/v1beta1", "CronJob", "batch/v1"),
        ("extensions/v1beta1", "Ingress", "networking.k8s.io/v1"),
        ("extensions/v1beta1", "Deployment", "apps/v1"),
        ("apps/v1beta2", "StatefulSet", "apps/v1"),
        ("policy/v1beta1", "PodDisruptionBudget", "policy/v1"),
        (
            "rbac.authorization.k8s.io/v1beta1",
            "ClusterRole",
            "rbac.authorization.k8s.io/v1",
        ),
        (
            "autoscaling/v2beta2",
            "HorizontalPodAutoscaler",
            "autoscaling/v2",
        ),
        (
            "storage.k8s.io/v1beta1",
            "CSIStorageCapacity",
            "storage.k8s.io/v1",
        ),
        (
            "apiextensions.k8s.io/v1beta1",
            "CustomResourceDefinition",
            "apiextensions.k8s.io/v1",
        ),
    ] {
        let text = format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\n");
        let files = Manifests::of(&[("in.yaml", &text)]);
        let rows = files.rows(&["--kubernetes-version", "1.34", "in.yaml"]);
        assert_eq!(rows.len(), 1, "{rows:?}");
        assert_eq!(
            rows[0]["message"],
            format!("no matches for kind \"{kind}\" in version \"{api_version}\"")
        );
        assert_eq!(rows[0]["path"], "apiVersion");
        let help = rows[0]["help"].as_str().unwrap();
        assert_eq!(help, format!("write `apiVersion: {instead}`"));
    }
}

#[test]
fn a_deprecated_api_is_warned_of_until_it_is_gone() {
    let text = "apiVersion: autoscaling/v2beta2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n\
                spec: {maxReplicas: 2, scaleTargetRef: {kind: Deployment, name: a, apiVersion: apps/v1}}\n";
    let old = said(text, "1.25");
    assert_eq!(old.len(), 1, "{old:?}");
    assert!(old[0].starts_with("warning Warning apiVersion: autoscaling/v2beta2 HorizontalPodAutoscaler is deprecated in v1.23+"));
    let new = said(text, "1.26");
    assert!(
        new[0].starts_with("error UnknownKind apiVersion: no matches"),
        "{new:?}"
    );
}

#[test]
fn a_field_is_known_from_the_version_that_has_it() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n\
                spec: {hostnameOverride: b, containers: [{name: a, image: b}]}\n";
    let unknown = |version: &str| {
        let rows = said(text, version);
        rows.iter()
            .any(|row| row.contains("unknown field \"spec.hostnameOverride\""))
    };
    assert!(unknown("1.33"));
    assert!(!unknown("1.34") && !unknown("1.37"));
    let files = Manifests::of(&[("in.yaml", text)]);
    let rows = files.rows(&["--kubernetes-version", "1.33", "in.yaml"]);
    assert_eq!(rows[0]["help"], "Kubernetes has it since 1.34");
}

#[test]
fn every_version_from_the_oldest_to_the_newest_is_taken_and_1_34_is_the_default() {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: a, image: b}]}\n";
    for minor in 25..=37 {
        assert_eq!(said(text, &format!("1.{minor}")), [""; 0]);
    }
    let files = Manifests::of(&[("in.yaml", text)]);
    let help = files.validate(&["--help"]).stdout;
    assert!(help.contains("[default: 1.34]"), "{help}");
}

#[test]
fn a_misspelt_kind_or_field_is_answered_with_the_nearest() {
    let help = |text: &str| {
        let files = Manifests::of(&[("in.yaml", text)]);
        files.rows(&["in.yaml"])[0]["help"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    for (text, wanted) in [
        (
            "apiVersion: v1\nkind: Podd\nmetadata: {name: a}\n",
            "did you mean `Pod`?",
        ),
        (
            "apiVersion: apps/v1\nkind: Deploymnet\nmetadata: {name: a}\n",
            "did you mean `Deployment`?",
        ),
        (
            "apiVersion: app/v1\nkind: Deployment\nmetadata: {name: a}\n",
            "write `apiVersion: apps/v1`",
        ),
        (
            "apiVersion: v1\nkind: Deployment\nmetadata: {name: a}\n",
            "write `apiVersion: apps/v1`",
        ),
        (
            "apiVersion: networking.k8s.io/v1\nkind: Service\nmetadata: {name: a}\n",
            "write `apiVersion: v1`",
        ),
        (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, lables: {}}\n",
            "did you mean `labels`?",
        ),
    ] {
        assert_eq!(help(text), wanted, "{text}");
    }
}

/// One object of each kind that Kubernetes 1.34 has built in and that manifests are written for.
#[test]
fn every_built_in_kind_is_known_by_its_fields() {
    let kinds = "v1 ConfigMap Endpoints LimitRange Namespace Node PersistentVolume PersistentVolumeClaim Pod PodTemplate \
                 ReplicationController ResourceQuota Secret Service ServiceAccount
apps/v1 ControllerRevision DaemonSet Deployment ReplicaSet StatefulSet
batch/v1 CronJob Job
autoscaling/v2 HorizontalPodAutoscaler
policy/v1 PodDisruptionBudget
networking.k8s.io/v1 Ingress IngressClass NetworkPolicy IPAddress ServiceCIDR
rbac.authorization.k8s.io/v1 ClusterRole ClusterRoleBinding Role RoleBinding
storage.k8s.io/v1 CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration ValidatingWebhookConfiguration ValidatingAdmissionPolicy
apiextensions.k8s.io/v1 CustomResourceDefinition
apiregistration.k8s.io/v1 APIService
certificates.k8s.io/v1 CertificateSigningRequest
coordination.k8s.io/v1 Lease
discovery.k8s.io/v1 EndpointSlice
flowcontrol.apiserver.k8s.io/v1 FlowSchema PriorityLevelConfiguration
node.k8s.io/v1 RuntimeClass
resource.k8s.io/v1 DeviceClass ResourceClaim ResourceClaimTemplate ResourceSlice
scheduling.k8s.io/v1 PriorityClass";
    for line in kinds.lines() {
        let mut words = line.split_whitespace();
        let api_version = words.next().unwrap();
        for kind in words {
            let text = format!(
                "apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: a}}\nnonsense: 1\n"
            );
            let found = said(&text, "1.34");
            assert!(
                found.contains(
                    &"error UnknownField nonsense: unknown field \"nonsense\"".to_owned()
                ),
                "{api_version} {kind}: {found:?}"
            );
        }
    }
}
