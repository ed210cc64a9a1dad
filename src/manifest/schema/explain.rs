//! What is known of a field: its type, its versions, its default, and objects that have it.

use serde_json::{Map, Value, json};

use super::defaults::default;
use super::{Field, Kind, KubernetesVersion, schemas};
use crate::manifest::suggest::closest;

/// How deep objects are made up.
const MAX_DEPTH: usize = 12;

/// The most objects that are made up for one field.
const MAX_SAMPLES: usize = 400;

/// The short names of kinds that people type (`kubectl api-resources`).
const SHORT: [(&str, &str); 16] = [
    ("po", "Pod"),
    ("svc", "Service"),
    ("deploy", "Deployment"),
    ("ds", "DaemonSet"),
    ("rs", "ReplicaSet"),
    ("sts", "StatefulSet"),
    ("cj", "CronJob"),
    ("cm", "ConfigMap"),
    ("pvc", "PersistentVolumeClaim"),
    ("pv", "PersistentVolume"),
    ("ns", "Namespace"),
    ("sa", "ServiceAccount"),
    ("ing", "Ingress"),
    ("netpol", "NetworkPolicy"),
    ("hpa", "HorizontalPodAutoscaler"),
    ("crd", "CustomResourceDefinition"),
];

/// A field of a kind, or the kind itself.
#[derive(Debug, Clone)]
pub struct Explained {
    pub api_version: &'static str,
    pub kind: &'static str,
    /// The fields from the root, such as `spec.containers.image`; empty for the kind itself.
    pub path: String,
    /// The type, as kubectl writes it: `[]Container`.
    pub type_name: String,
    pub is_required: bool,
    /// What the server fills in where the field is absent.
    pub default: Option<&'static str>,
    /// The oldest and the newest minor version that have it, among those that are known.
    pub since: KubernetesVersion,
    pub until: KubernetesVersion,
    pub fields: Vec<Subfield>,
    code: String,
    names: Vec<&'static str>,
}

/// A field of what was explained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subfield {
    pub name: &'static str,
    pub type_name: String,
    pub is_required: bool,
}

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    #[error("Kubernetes {version} has no kind `{kind}`")]
    Kind {
        kind: String,
        version: KubernetesVersion,
        nearest: Option<&'static str>,
    },
    #[error("{kind} has no field `{path}` in Kubernetes {version}")]
    Field {
        kind: &'static str,
        path: String,
        version: KubernetesVersion,
        nearest: Option<&'static str>,
    },
}

/// Explains a field, named as `KIND` or `KIND.FIELD.FIELD`; `[0]` may follow a list.
///
/// # Errors
/// There is no such kind or field in this version.
pub fn explain(name: &str, version: KubernetesVersion) -> Result<Explained, ExplainError> {
    let mut words = name.split('.');
    let kind = find_kind(words.next().unwrap_or_default(), version)?;
    let mut explained = Explained {
        api_version: kind.api_version,
        kind: kind.name,
        path: String::new(),
        type_name: "Object".to_owned(),
        is_required: false,
        default: None,
        since: KubernetesVersion(kind.versions.from),
        until: KubernetesVersion(kind.versions.to),
        fields: Vec::new(),
        code: format!("@{}", kind.root),
        names: Vec::new(),
    };
    for word in words {
        let word = word.split('[').next().unwrap_or_default();
        explained.step(word, version)?;
    }
    explained.fields = fields_of(&explained.code, version)
        .map(|field| Subfield {
            name: field.name,
            type_name: type_name(field.code),
            is_required: field.required,
        })
        .collect();
    Ok(explained)
}

fn find_kind(name: &str, version: KubernetesVersion) -> Result<Kind, ExplainError> {
    let short = SHORT
        .iter()
        .find(|(short, _)| short.eq_ignore_ascii_case(name));
    let wanted = short.map_or(name, |(_, kind)| kind).to_ascii_lowercase();
    let served = || {
        let kinds = schemas().kinds.iter();
        kinds.filter(|kind| kind.versions.contains(version))
    };
    let is_it = |kind: &&Kind| {
        let kind = kind.name.to_ascii_lowercase();
        let plural = match kind.strip_suffix('y') {
            Some(stem) => format!("{stem}ies"),
            None if kind.ends_with('s') => format!("{kind}es"),
            None => format!("{kind}s"),
        };
        kind == wanted || plural == wanted
    };
    let found = served().filter(is_it);
    let found = found.min_by_key(|kind| (super::lookup::rank(kind.api_version), kind.api_version));
    found.copied().ok_or_else(|| ExplainError::Kind {
        kind: name.to_owned(),
        version,
        nearest: closest(name, served().map(|kind| kind.name)),
    })
}

/// Returns the fields of the type that a code ends in, whatever lists and maps are around it.
fn fields_of(code: &str, version: KubernetesVersion) -> impl Iterator<Item = &'static Field> {
    let fields = struct_of(code).map(|number| schemas().fields(number));
    let fields = fields.unwrap_or_default().iter();
    fields.filter(move |field| field.versions.contains(version))
}

fn struct_of(code: &str) -> Option<usize> {
    code.trim_start_matches(['[', '{'])
        .strip_prefix('@')?
        .parse()
        .ok()
}

impl Explained {
    fn step(&mut self, word: &str, version: KubernetesVersion) -> Result<(), ExplainError> {
        let field = fields_of(&self.code, version).find(|field| field.name == word);
        let path = match self.path.as_str() {
            "" => word.to_owned(),
            path => format!("{path}.{word}"),
        };
        let Some(field) = field else {
            return Err(ExplainError::Field {
                kind: self.kind,
                path,
                version,
                nearest: closest(word, fields_of(&self.code, version).map(|field| field.name)),
            });
        };
        let owner = struct_of(&self.code).and_then(|number| schemas().types.get(number));
        self.default = owner.and_then(|owner| default(owner.name, field.name));
        self.path = path;
        self.type_name = type_name(field.code);
        self.is_required = field.required;
        // A field whose type changed stands once for each of its types.
        let all = struct_of(&self.code).map(|number| schemas().fields(number));
        let all = all
            .unwrap_or_default()
            .iter()
            .filter(|one| one.name == word);
        let (mut from, mut to) = (field.versions.from, field.versions.to);
        for same in all {
            from = from.min(same.versions.from);
            to = to.max(same.versions.to);
        }
        self.since = self.since.max(KubernetesVersion(from));
        self.until = self.until.min(KubernetesVersion(to));
        field.code.clone_into(&mut self.code);
        self.names.push(field.name);
        Ok(())
    }

    /// Makes up the least object of the kind.
    #[must_use]
    pub fn least(&self) -> Value {
        self.object(&[], None)
    }

    /// Makes up objects that have the field, each with another value of it or of a field below.
    #[must_use]
    pub fn samples(&self) -> Vec<Value> {
        let mut samples = Vec::new();
        let mut names = self.names.clone();
        self.add_samples(&self.code, &mut names, &mut samples, 0);
        samples
    }

    fn add_samples(
        &self,
        code: &str,
        names: &mut Vec<&'static str>,
        samples: &mut Vec<Value>,
        depth: usize,
    ) {
        for value in values(code) {
            if samples.len() < MAX_SAMPLES {
                samples.push(self.object(names, Some(&value)));
            }
        }
        if depth < 3 {
            for field in fields_of(code, KubernetesVersion::NEWEST) {
                names.push(field.name);
                self.add_samples(field.code, names, samples, depth + 1);
                names.pop();
            }
        }
    }

    /// Makes up an object with a value at the end of a path of fields.
    fn object(&self, names: &[&str], value: Option<&Value>) -> Value {
        let kinds = schemas().kinds.iter();
        let kind = kinds
            .clone()
            .find(|kind| kind.api_version == self.api_version && kind.name == self.kind);
        let code = kind
            .map(|kind| format!("@{}", kind.root))
            .unwrap_or_default();
        let mut object = made_up(&code, names, value, 0);
        object["apiVersion"] = json!(self.api_version);
        object["kind"] = json!(self.kind);
        object["metadata"]["name"] = json!("x");
        object
    }
}

/// Makes up a value of a type; along the path of fields what is given is put in.
fn made_up(code: &str, names: &[&str], value: Option<&Value>, depth: usize) -> Value {
    if depth > MAX_DEPTH {
        return Value::Null;
    }
    if let (Some(value), []) = (value, names) {
        return value.clone();
    }
    if let Some(item) = code.strip_prefix('[') {
        return json!([made_up(item, names, value, depth + 1)]);
    }
    if let Some(item) = code.strip_prefix('{') {
        return json!({ "x": made_up(item, names, value, depth + 1) });
    }
    let Some(number) = struct_of(code) else {
        return values(code).into_iter().next().unwrap_or_default();
    };
    let owner = schemas().types.get(number).map_or("", |own| own.name);
    let mut object = Map::new();
    for field in schemas().fields(number) {
        let is_next = names.first() == Some(&field.name);
        let is_needed = field.required
            || matches!(
                (owner, field.name),
                (_, "spec" | "template" | "metadata") | ("Container", "image")
            );
        if is_next {
            let made = made_up(field.code, &names[1..], value, depth + 1);
            object.insert(field.name.to_owned(), made);
        } else if is_needed {
            let made = made_up(field.code, &[], None, depth + 1);
            object.insert(field.name.to_owned(), made);
        }
    }
    Value::Object(object)
}

/// Returns values that a leaf may have; of lists and maps one with one entry.
fn values(code: &str) -> Vec<Value> {
    let (letter, rest) = code.split_at(code.len().min(1));
    match letter {
        "[" => values(rest)
            .into_iter()
            .map(|value| json!([value]))
            .collect(),
        "{" => values(rest)
            .into_iter()
            .map(|value| json!({ "x": value }))
            .collect(),
        "@" => vec![made_up(code, &[], None, 1)],
        "b" => vec![json!(true), json!(false)],
        "i" | "l" | "p" => vec![json!(7)],
        "d" => vec![json!(7.5)],
        "y" => vec![json!("eA==")],
        "t" => vec![json!("2024-01-01T00:00:00Z")],
        "q" => vec![json!("7Mi")],
        "o" => vec![json!({})],
        _ => vec![json!("x")],
    }
}

fn type_name(code: &str) -> String {
    let (letter, rest) = code.split_at(code.len().min(1));
    let leaf = match letter {
        "[" => return format!("[]{}", type_name(rest)),
        "{" => return format!("map[string]{}", type_name(rest)),
        "@" => {
            let own = struct_of(code).and_then(|number| schemas().types.get(number));
            return own.map_or("Object", |own| own.name).to_owned();
        }
        "s" | "y" => "string",
        "b" => "boolean",
        "i" | "l" => "integer",
        "d" => "number",
        "t" => "Time",
        "q" => "Quantity",
        "p" => "IntOrString",
        _ => "Object",
    };
    leaf.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_a_type_a_default_and_the_versions_that_know_it() {
        let version = KubernetesVersion::RULES;
        let field = explain("pod.spec.containers.imagePullPolicy", version).unwrap();
        assert_eq!((field.kind, field.api_version), ("Pod", "v1"));
        assert_eq!(field.type_name, "string");
        assert!(
            field
                .default
                .is_some_and(|text| text.contains("IfNotPresent"))
        );
        let new = explain("pods.spec.hostnameOverride", version).unwrap();
        assert_eq!(new.since.to_string(), "1.34");
        let list = explain("deploy.spec.template.spec.containers[0]", version).unwrap();
        assert_eq!(list.type_name, "[]Container");
        assert!(
            list.fields
                .iter()
                .any(|field| field.name == "name" && field.is_required)
        );
    }

    #[test]
    fn what_is_not_there_is_answered_with_the_nearest() {
        let version = KubernetesVersion::RULES;
        let error = explain("pod.spec.contianers", version).unwrap_err();
        assert!(
            matches!(
                error,
                ExplainError::Field {
                    nearest: Some("containers"),
                    ..
                }
            ),
            "{error:?}"
        );
        let error = explain("pood", version).unwrap_err();
        assert!(
            matches!(
                error,
                ExplainError::Kind {
                    nearest: Some("Pod"),
                    ..
                }
            ),
            "{error:?}"
        );
        let error = explain("pod.spec.hostnameOverride", KubernetesVersion::OLDEST).unwrap_err();
        assert!(matches!(error, ExplainError::Field { .. }), "{error:?}");
    }
}
