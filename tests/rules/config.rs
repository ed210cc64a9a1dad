//! ConfigMaps, Secrets, Namespaces, ServiceAccounts.

use crate::{check, listed, rows};
use podwright::manifest::source::Severity;
use serde_json::json;

const MAP: &str = r#"{"kind":"ConfigMap","metadata":{"name":"m"}}"#;
const SECRET: &str = r#"{"kind":"Secret","metadata":{"name":"s"}}"#;

#[test]
fn keys_of_a_config_map_are_file_names() {
    rows(
        MAP,
        "",
        &[
            (r#"{"data":{"a.b-c_D":"x"}}"#, &[]),
            (r#"{"data":{"a/b":"x"}}"#, &["Invalid data[a/b]"]),
            (r#"{"data":{"..a":"x"}}"#, &["Invalid data[..a]"]),
            (
                r#"{"data":{"a":"x"},"binaryData":{"a":"eA=="}}"#,
                &["Invalid data[a]"],
            ),
            (r#"{"binaryData":{"":"eA=="}}"#, &["Invalid binaryData[]"]),
        ],
    );
}

#[test]
fn a_config_map_and_a_secret_hold_one_mebibyte() {
    let big = "x".repeat((1 << 20) + 1);
    let map = json!({"kind": "ConfigMap", "metadata": {"name": "m"}, "data": {"a": big}});
    let found = check(&map).expect("the manifest can be read");
    assert_eq!(listed(&found, Severity::Error), ["TooLong data"]);
    let secret = json!({"kind": "Secret", "metadata": {"name": "m"}, "stringData": {"a": big}});
    let found = check(&secret).expect("the manifest can be read");
    assert_eq!(listed(&found, Severity::Error), ["TooLong data"]);
}

#[test]
fn a_secret_holds_what_its_type_promises() {
    rows(
        SECRET,
        "",
        &[
            (
                r#"{"type":"kubernetes.io/tls"}"#,
                &["Required data[tls.crt]", "Required data[tls.key]"],
            ),
            (
                r#"{"type":"kubernetes.io/tls","stringData":{"tls.crt":"","tls.key":""}}"#,
                &[],
            ),
            (
                r#"{"type":"kubernetes.io/dockerconfigjson"}"#,
                &["Required data[.dockerconfigjson]"],
            ),
            (
                r#"{"type":"kubernetes.io/dockerconfigjson","stringData":{".dockerconfigjson":"[]"}}"#,
                &["Invalid data[.dockerconfigjson]"],
            ),
            (
                r#"{"type":"kubernetes.io/dockercfg","data":{".dockercfg":"e30="}}"#,
                &[],
            ),
            (
                r#"{"type":"kubernetes.io/basic-auth"}"#,
                &["Required data[username]", "Required data[password]"],
            ),
            (
                r#"{"type":"kubernetes.io/basic-auth","stringData":{"username":""}}"#,
                &[],
            ),
            (
                r#"{"type":"kubernetes.io/ssh-auth","stringData":{"ssh-privatekey":""}}"#,
                &["Required data[ssh-privatekey]"],
            ),
            (
                r#"{"type":"kubernetes.io/service-account-token"}"#,
                &["Required metadata.annotations[kubernetes.io/service-account.name]"],
            ),
            (r#"{"stringData":{"a/b":""}}"#, &["Invalid data[a/b]"]),
            (
                r#"{"type":"kubernetes.io/dockercfg","stringData":{".dockercfg":"null"}}"#,
                &[],
            ),
            (
                r#"{"type":"kubernetes.io/dockercfg","stringData":{".dockercfg":"[]"}}"#,
                &["Invalid data[.dockercfg]"],
            ),
        ],
    );
}

#[test]
fn a_namespace_is_a_label() {
    rows(
        r#"{"kind":"Namespace","metadata":{"name":"n"}}"#,
        "",
        &[
            (r#"{"metadata":{"name":"a.b"}}"#, &["Invalid metadata.name"]),
            (r#"{"spec":{"finalizers":["kubernetes"]}}"#, &[]),
            (
                r#"{"metadata":{"namespace":"a"}}"#,
                &["Forbidden metadata.namespace"],
            ),
        ],
    );
    rows(
        r#"{"kind":"ServiceAccount","metadata":{"name":"n"}}"#,
        "",
        &[(r#"{"metadata":{"name":"A"}}"#, &["Invalid metadata.name"])],
    );
}
