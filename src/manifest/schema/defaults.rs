//! What the API server fills in where a field is absent, for the kinds that are played.

/// Types, their fields, and the value; words where it depends.
const DEFAULTS: &[(&str, &str, &str)] = &[
    (
        "Container",
        "imagePullPolicy",
        "Always if the tag is `latest` or absent, else IfNotPresent",
    ),
    (
        "Container",
        "terminationMessagePath",
        "/dev/termination-log",
    ),
    ("Container", "terminationMessagePolicy", "File"),
    ("ContainerPort", "protocol", "TCP"),
    (
        "ContainerPort",
        "hostPort",
        "containerPort in a pod with hostNetwork, else none",
    ),
    ("ConfigMapVolumeSource", "defaultMode", "0644"),
    ("CronJobSpec", "concurrencyPolicy", "Allow"),
    ("CronJobSpec", "failedJobsHistoryLimit", "1"),
    ("CronJobSpec", "successfulJobsHistoryLimit", "3"),
    ("CronJobSpec", "suspend", "false"),
    ("DaemonSetSpec", "revisionHistoryLimit", "10"),
    ("DaemonSetUpdateStrategy", "type", "RollingUpdate"),
    ("DeploymentSpec", "progressDeadlineSeconds", "600"),
    ("DeploymentSpec", "replicas", "1"),
    ("DeploymentSpec", "revisionHistoryLimit", "10"),
    ("DeploymentStrategy", "type", "RollingUpdate"),
    ("DownwardAPIVolumeSource", "defaultMode", "0644"),
    ("EnvVarSource", "fieldRef", "apiVersion: v1"),
    ("GRPCAction", "service", "\"\""),
    ("HTTPGetAction", "path", "/"),
    ("HTTPGetAction", "scheme", "HTTP"),
    ("HostPathVolumeSource", "type", "\"\": nothing is checked"),
    ("JobSpec", "backoffLimit", "6"),
    ("JobSpec", "completionMode", "NonIndexed"),
    ("JobSpec", "completions", "1, if parallelism is absent too"),
    ("JobSpec", "manualSelector", "false"),
    ("JobSpec", "parallelism", "1"),
    (
        "JobSpec",
        "podReplacementPolicy",
        "TerminatingOrFailed; Failed with a podFailurePolicy",
    ),
    ("JobSpec", "suspend", "false"),
    ("NetworkPolicyPort", "protocol", "TCP"),
    (
        "NetworkPolicySpec",
        "policyTypes",
        "Ingress; Egress too if there are egress rules",
    ),
    ("ObjectFieldSelector", "apiVersion", "v1"),
    (
        "ObjectMeta",
        "namespace",
        "the namespace of the request, `default`",
    ),
    ("PersistentVolumeClaimSpec", "volumeMode", "Filesystem"),
    (
        "PersistentVolumeSpec",
        "persistentVolumeReclaimPolicy",
        "Retain",
    ),
    ("PersistentVolumeSpec", "volumeMode", "Filesystem"),
    ("PodSpec", "dnsPolicy", "ClusterFirst"),
    ("PodSpec", "enableServiceLinks", "true"),
    ("PodSpec", "hostNetwork", "false"),
    ("PodSpec", "hostUsers", "true"),
    ("PodSpec", "preemptionPolicy", "PreemptLowerPriority"),
    ("PodSpec", "restartPolicy", "Always"),
    ("PodSpec", "schedulerName", "default-scheduler"),
    ("PodSpec", "securityContext", "{}"),
    ("PodSpec", "serviceAccountName", "default"),
    ("PodSpec", "shareProcessNamespace", "false"),
    ("PodSpec", "terminationGracePeriodSeconds", "30"),
    ("Probe", "failureThreshold", "3"),
    ("Probe", "initialDelaySeconds", "0"),
    ("Probe", "periodSeconds", "10"),
    ("Probe", "successThreshold", "1"),
    ("Probe", "timeoutSeconds", "1"),
    ("ProjectedVolumeSource", "defaultMode", "0644"),
    ("ReplicaSetSpec", "replicas", "1"),
    ("ReplicationControllerSpec", "replicas", "1"),
    (
        "ResourceRequirements",
        "requests",
        "the limits, for what has a limit and no request",
    ),
    ("RollingUpdateDaemonSet", "maxSurge", "0"),
    ("RollingUpdateDaemonSet", "maxUnavailable", "1"),
    ("RollingUpdateDeployment", "maxSurge", "25%"),
    ("RollingUpdateDeployment", "maxUnavailable", "25%"),
    ("Secret", "type", "Opaque"),
    ("SecretVolumeSource", "defaultMode", "0644"),
    ("SecurityContext", "allowPrivilegeEscalation", "true"),
    ("SecurityContext", "privileged", "false"),
    ("SecurityContext", "procMount", "Default"),
    ("SecurityContext", "readOnlyRootFilesystem", "false"),
    ("ServiceAccountTokenProjection", "expirationSeconds", "3600"),
    ("ServicePort", "protocol", "TCP"),
    ("ServicePort", "targetPort", "the value of port"),
    (
        "ServiceSpec",
        "externalTrafficPolicy",
        "Cluster, for NodePort and LoadBalancer",
    ),
    ("ServiceSpec", "internalTrafficPolicy", "Cluster"),
    ("ServiceSpec", "ipFamilyPolicy", "SingleStack"),
    ("ServiceSpec", "sessionAffinity", "None"),
    ("ServiceSpec", "type", "ClusterIP"),
    ("StatefulSetSpec", "podManagementPolicy", "OrderedReady"),
    ("StatefulSetSpec", "replicas", "1"),
    ("StatefulSetSpec", "revisionHistoryLimit", "10"),
    ("StatefulSetUpdateStrategy", "type", "RollingUpdate"),
    ("VolumeMount", "mountPropagation", "None"),
    ("VolumeMount", "readOnly", "false"),
];

/// Returns the default of a field, if it has one.
pub(super) fn default(owner: &str, field: &str) -> Option<&'static str> {
    let mut defaults = DEFAULTS.iter();
    let found = defaults.find(|(known, name, _)| *known == owner && *name == field);
    found.map(|(_, _, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::schema::schemas;

    #[test]
    fn every_default_is_of_a_field_that_there_is() {
        let schemas = schemas();
        for (owner, field, _) in DEFAULTS {
            let mut types = schemas
                .types
                .iter()
                .enumerate()
                .filter(|(_, own)| own.name == *owner);
            let has = |number| schemas.fields(number).iter().any(|one| one.name == *field);
            assert!(types.any(|(number, _)| has(number)), "{owner}.{field}");
        }
    }
}
