//! Workloads: what keeps pods in number, runs them to their end, or by the clock.

use podwright::manifest::rules::check_all;
use podwright::manifest::{Extent, ReadOptions, Source, read};

use crate::{messages, rows};

const DEPLOYMENT: &str = r#"{"kind":"Deployment","metadata":{"name":"d"},"spec":{
    "selector":{"matchLabels":{"a":"b"}},
    "template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#;
const JOB: &str = r#"{"kind":"Job","metadata":{"name":"j"},"spec":{
    "template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}"#;
const CRON_JOB: &str = r#"{"kind":"CronJob","metadata":{"name":"j"},"spec":{"schedule":"* * * * *",
    "jobTemplate":{"spec":{"template":{"spec":{"restartPolicy":"Never","containers":[{"name":"c","image":"i"}]}}}}}}"#;

fn of_kind(kind: &str) -> String {
    DEPLOYMENT.replace("Deployment", kind)
}

#[test]
fn a_deployment_finds_its_pods() {
    rows(
        DEPLOYMENT,
        "/spec",
        &[
            ("{}", &[]),
            (
                r#"{"selector":{"matchLabels":{"a":"c"}}}"#,
                &["Invalid spec.template.metadata.labels"],
            ),
            (
                r#"{"selector":{"matchLabels":null}}"#,
                &[
                    "Required spec.selector",
                    "Invalid spec.template.metadata.labels",
                ],
            ),
            (
                r#"{"selector":{"matchExpressions":[{"key":"a","operator":"In"}]}}"#,
                &[
                    "Required spec.selector.matchExpressions[0].values",
                    "Invalid spec.selector",
                ],
            ),
            (
                r#"{"selector":{"matchExpressions":[{"key":"a","operator":"In","values":["b","c"]}]}}"#,
                &[],
            ),
            (r#"{"replicas":-1}"#, &["Invalid spec.replicas"]),
        ],
    );
}

#[test]
fn a_deployment_rolls_out_step_by_step() {
    rows(
        DEPLOYMENT,
        "/spec",
        &[
            (
                r#"{"strategy":{"type":"Foo"}}"#,
                &["NotSupported spec.strategy"],
            ),
            (
                r#"{"strategy":{"type":"Recreate","rollingUpdate":{}}}"#,
                &["Forbidden spec.strategy.rollingUpdate"],
            ),
            (
                r#"{"strategy":{"rollingUpdate":{"maxSurge":0,"maxUnavailable":"0%"}}}"#,
                &["Invalid spec.strategy.rollingUpdate.maxUnavailable"],
            ),
            (
                r#"{"strategy":{"rollingUpdate":{"maxUnavailable":"abc"}}}"#,
                &["Invalid spec.strategy.rollingUpdate.maxUnavailable"],
            ),
            (
                r#"{"strategy":{"rollingUpdate":{"maxUnavailable":"101%","maxSurge":"200%"}}}"#,
                &["Invalid spec.strategy.rollingUpdate.maxUnavailable"],
            ),
            (
                r#"{"minReadySeconds":600}"#,
                &["Invalid spec.progressDeadlineSeconds"],
            ),
        ],
    );
}

#[test]
fn templates_of_lasting_pods_restart_them_always() {
    for kind in ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"] {
        rows(
            &of_kind(kind),
            "/spec/template",
            &[
                ("{}", &[]),
                (
                    r#"{"spec":{"restartPolicy":"OnFailure"}}"#,
                    &["NotSupported spec.template.spec.restartPolicy"],
                ),
                (
                    r#"{"spec":{"activeDeadlineSeconds":1}}"#,
                    &["Forbidden spec.template.spec.activeDeadlineSeconds"],
                ),
                (
                    r#"{"metadata":{"labels":{"a":"x y"}}}"#,
                    &[
                        "Invalid spec.template.metadata.labels",
                        "Invalid spec.template.labels[a]",
                    ],
                ),
                (
                    r#"{"spec":{"containers":[]}}"#,
                    &["Required spec.template.spec.containers"],
                ),
                (
                    r#"{"spec":{"containers":[{"name":"c","image":" i","ports":[{"containerPort":80}]}],"hostNetwork":true}}"#,
                    &[],
                ),
            ],
        );
    }
}

#[test]
fn a_replication_controller_selects_by_its_labels() {
    let base = r#"{"kind":"ReplicationController","metadata":{"name":"r"},"spec":{"template":{"metadata":{"labels":{"a":"b"}},"spec":{"containers":[{"name":"c","image":"i"}]}}}}"#;
    rows(
        base,
        "/spec",
        &[
            ("{}", &[]),
            (
                r#"{"selector":{"a":"c"}}"#,
                &["Invalid spec.template.metadata.labels"],
            ),
            (
                r#"{"template":{"metadata":null}}"#,
                &["Required spec.selector"],
            ),
            (
                r#"{"template":null}"#,
                &["Required spec.selector", "Required spec.template"],
            ),
        ],
    );
}

#[test]
fn a_stateful_set_mounts_its_claims() {
    rows(
        &of_kind("StatefulSet"),
        "/spec",
        &[
            (
                r#"{"template":{"spec":{"containers":[{"name":"c","image":"i","volumeMounts":[{"name":"data","mountPath":"/d"}]}]}},"volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]}"#,
                &[],
            ),
            (
                r#"{"template":{"spec":{"volumes":[{"name":"data"}]}},"volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"accessModes":["ReadWriteOnce"],"resources":{"requests":{"storage":"1Gi"}}}}]}"#,
                &[],
            ),
            (
                r#"{"volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{}}]}"#,
                &[
                    "Required spec.volumeClaimTemplates[0].spec.accessModes",
                    "Required spec.volumeClaimTemplates[0].spec.resources[storage]",
                ],
            ),
            (r#"{"serviceName":"a.b"}"#, &["Invalid spec.serviceName"]),
            (
                r#"{"podManagementPolicy":"Foo"}"#,
                &["Invalid spec.podManagementPolicy"],
            ),
            (
                r#"{"updateStrategy":{"type":"Foo"}}"#,
                &["Invalid spec.updateStrategy"],
            ),
            (
                r#"{"updateStrategy":{"rollingUpdate":{"partition":-1}}}"#,
                &["Invalid spec.updateStrategy.rollingUpdate.partition"],
            ),
            (
                r#"{"persistentVolumeClaimRetentionPolicy":{"whenScaled":"Foo"}}"#,
                &["NotSupported spec.persistentVolumeClaimRetentionPolicy.whenScaled"],
            ),
        ],
    );
}

#[test]
fn a_daemon_set_surges_or_goes_without() {
    rows(
        &of_kind("DaemonSet"),
        "/spec",
        &[
            (
                r#"{"updateStrategy":{"rollingUpdate":{"maxSurge":1}}}"#,
                &["Invalid spec.updateStrategy.rollingUpdate.maxSurge"],
            ),
            (
                r#"{"updateStrategy":{"rollingUpdate":{"maxUnavailable":0}}}"#,
                &["Required spec.updateStrategy.rollingUpdate.maxUnavailable"],
            ),
            (
                r#"{"updateStrategy":{"type":"Recreate"}}"#,
                &["NotSupported spec.updateStrategy"],
            ),
        ],
    );
}

#[test]
fn a_job_comes_to_an_end() {
    rows(
        JOB,
        "/spec",
        &[
            ("{}", &[]),
            (
                r#"{"template":{"spec":{"restartPolicy":null}}}"#,
                &["Required spec.template.spec.restartPolicy"],
            ),
            (r#"{"backoffLimit":-1}"#, &["Invalid spec.backoffLimit"]),
            (
                r#"{"completionMode":"Indexed"}"#,
                &["Required spec.completions"],
            ),
            (
                r#"{"completionMode":"Foo"}"#,
                &["NotSupported spec.completionMode"],
            ),
            (
                r#"{"backoffLimitPerIndex":1}"#,
                &["Invalid spec.backoffLimitPerIndex"],
            ),
            (
                r#"{"selector":{"matchLabels":{"a":"b"}}}"#,
                &["Invalid spec.selector"],
            ),
            (r#"{"manualSelector":true}"#, &["Required spec.selector"]),
            (
                r#"{"template":{"metadata":{"labels":{"controller-uid":"x","job-name":"j"}}}}"#,
                &["Invalid spec.template.metadata.labels[controller-uid]"],
            ),
            (
                r#"{"podFailurePolicy":{"rules":[{"action":"Ignore","onExitCodes":{"operator":"In","values":[1,0]}}]}}"#,
                &[
                    "Invalid spec.podFailurePolicy.rules[0].onExitCodes.values[1]",
                    "Invalid spec.podFailurePolicy.rules[0].onExitCodes.values",
                ],
            ),
            (
                r#"{"podFailurePolicy":{"rules":[{"action":"Foo"}]}}"#,
                &[
                    "NotSupported spec.podFailurePolicy.rules[0].action",
                    "Invalid spec.podFailurePolicy.rules[0]",
                ],
            ),
            (
                r#"{"completionMode":"Indexed","completions":3,"successPolicy":{"rules":[{"succeededIndexes":"0,2-1"}]}}"#,
                &["Invalid spec.successPolicy.rules[0].succeededIndexes"],
            ),
            (
                r#"{"completionMode":"Indexed","completions":3,"successPolicy":{"rules":[{"succeededIndexes":"0-2","succeededCount":2}]}}"#,
                &[],
            ),
            (r#"{"managedBy":"me"}"#, &["Invalid spec.managedBy"]),
        ],
    );
}

#[test]
fn a_cron_job_has_a_schedule() {
    rows(
        CRON_JOB,
        "/spec",
        &[
            (r#"{"schedule":""}"#, &["Required spec.schedule"]),
            (r#"{"schedule":"*/5 0-6,12 1 JAN-mar ?"}"#, &[]),
            (r#"{"schedule":"@daily"}"#, &[]),
            (r#"{"schedule":"@every 1h30m"}"#, &[]),
            (r#"{"schedule":"@every day"}"#, &["Invalid spec.schedule"]),
            (r#"{"schedule":"60 * * * *"}"#, &["Invalid spec.schedule"]),
            (r#"{"schedule":"* * * * 7"}"#, &["Invalid spec.schedule"]),
            (r#"{"schedule":"* * 0 * *"}"#, &["Invalid spec.schedule"]),
            (r#"{"schedule":"5-1 * * * *"}"#, &["Invalid spec.schedule"]),
            (r#"{"schedule":"*/0 * * * *"}"#, &["Invalid spec.schedule"]),
            (
                r#"{"schedule":"TZ=UTC * * * * *"}"#,
                &["Invalid spec.schedule"],
            ),
            (r#"{"timeZone":"Europe/Berlin"}"#, &[]),
            (r#"{"timeZone":"Local"}"#, &["Invalid spec.timeZone"]),
            (r#"{"timeZone":"Mars/Olympus"}"#, &["Invalid spec.timeZone"]),
            (
                r#"{"concurrencyPolicy":"Foo"}"#,
                &["NotSupported spec.concurrencyPolicy"],
            ),
            (
                r#"{"jobTemplate":{"spec":{"selector":{}}}}"#,
                &["Invalid spec.jobTemplate.spec.selector"],
            ),
        ],
    );
    let long = format!(r#"{{"name":"{}"}}"#, "a".repeat(53));
    assert_eq!(messages(CRON_JOB, "/metadata", &long).len(), 1);
}

#[test]
fn a_bad_schedule_says_what_the_parser_says() {
    assert_eq!(
        messages(CRON_JOB, "/spec", r#"{"schedule":"every day"}"#),
        [r#"Invalid value: "every day": expected exactly 5 fields, found 2: [every day]"#]
    );
}

#[test]
fn an_empty_selector_is_not_an_absent_one() {
    let template =
        "template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}";
    let errors = |selector: &str| {
        let text = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: d}}\nspec:\n  {selector}\n  {template}\n"
        );
        let mut reading = read(&[Source::new("d.yaml", &text)], &ReadOptions::default());
        check_all(&mut reading, Extent::Part);
        let errors = reading.findings.iter().map(|one| {
            let finding = &one.finding;
            format!(
                "{:?} {} at {}:{}",
                finding.kind, finding.path, one.span.line, one.span.column
            )
        });
        errors.collect::<Vec<_>>()
    };
    assert_eq!(errors("selector: {matchLabels: {a: b}}"), [""; 0]);
    assert_eq!(errors("selector: {}"), ["Invalid spec.selector at 5:3"]);
    assert_eq!(
        errors("replicas: 1"),
        [
            "Required spec.selector at 4:1",
            "Invalid spec.template.metadata.labels at 6:25",
        ]
    );
}
