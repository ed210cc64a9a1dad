//! The fields of all built-in kinds, for each version of Kubernetes from 1.25 on.
//!
//! The data stands in `data/kubernetes-schemas.txt.gz`; `tools/schemas.py` writes it and explains the format.
//! It is unpacked when it is first asked for: the kinds that are decoded into types need it only when an older
//! version is asked for.

mod check;
mod deprecation;
mod version;

use std::io::Read as _;
use std::ops::Range;
use std::sync::OnceLock;

pub(super) use check::{Scope, check};
pub(super) use deprecation::deprecation;
pub use version::{KubernetesVersion, UnknownVersion};

static PACKED: &[u8] = include_bytes!("../../../data/kubernetes-schemas.txt.gz");

/// The minor versions that have a field or serve a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Versions {
    from: u8,
    to: u8,
}

impl Versions {
    fn contains(self, version: KubernetesVersion) -> bool {
        (self.from..=self.to).contains(&version.minor())
    }
}

/// A field of a type.
#[derive(Debug, Clone, Copy)]
struct Field {
    name: &'static str,
    /// The compact type, as the data has it.
    code: &'static str,
    required: bool,
    versions: Versions,
}

#[derive(Debug, Clone)]
struct Type {
    /// The name of the Go struct.
    name: &'static str,
    fields: Range<usize>,
}

#[derive(Debug, Clone, Copy)]
struct Kind {
    api_version: &'static str,
    name: &'static str,
    root: usize,
    versions: Versions,
}

#[derive(Debug, Default)]
struct Schemas {
    types: Vec<Type>,
    fields: Vec<Field>,
    kinds: Vec<Kind>,
}

fn schemas() -> &'static Schemas {
    static TEXT: OnceLock<String> = OnceLock::new();
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let text = TEXT.get_or_init(unpack);
        let mut schemas = Schemas::default();
        for line in text.lines() {
            schemas.line(line);
        }
        schemas
    })
}

fn unpack() -> String {
    let mut text = String::new();
    flate2::read::GzDecoder::new(PACKED)
        .read_to_string(&mut text)
        .expect("the data is built in whole, which a test checks");
    text
}

impl Schemas {
    fn line(&mut self, line: &'static str) {
        let mut words = line.split(' ');
        match (words.next(), words.next()) {
            (Some("T"), Some(name)) => {
                let next = self.fields.len();
                self.types.push(Type {
                    name,
                    fields: next..next,
                });
            }
            (Some("F"), Some(name)) => {
                let code = words.next().unwrap_or("x");
                let mut field = Field {
                    name,
                    code,
                    required: false,
                    versions: ALL,
                };
                for word in words {
                    match versions(word) {
                        Some(versions) => field.versions = versions,
                        None => field.required = true,
                    }
                }
                self.fields.push(field);
                if let Some(last) = self.types.last_mut() {
                    last.fields.end = self.fields.len();
                }
            }
            (Some("K"), Some(api_version)) => {
                let name = words.next().unwrap_or("");
                let root = words.next().and_then(|word| word.parse().ok());
                let versions = words.next().and_then(versions).unwrap_or(ALL);
                self.kinds.extend(root.map(|root| Kind {
                    api_version,
                    name,
                    root,
                    versions,
                }));
            }
            _ => {}
        }
    }

    fn fields(&self, number: usize) -> &[Field] {
        match self.types.get(number) {
            Some(own) => &self.fields[own.fields.clone()],
            None => &[],
        }
    }
}

const ALL: Versions = Versions {
    from: KubernetesVersion::OLDEST.minor(),
    to: KubernetesVersion::NEWEST.minor(),
};

fn versions(word: &str) -> Option<Versions> {
    let (from, to) = word.split_once('-')?;
    Some(Versions {
        from: from.parse().ok()?,
        to: to.parse().ok()?,
    })
}

/// What the schemas know of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lookup {
    /// It is served; the number of its type.
    Served(usize),
    /// It is built in, but this version does not serve it; what to do.
    NotServed(String),
    /// It is none that Kubernetes has built in.
    Unknown,
}

/// Looks a kind up.
pub(super) fn lookup(api_version: &str, kind: &str, version: KubernetesVersion) -> Lookup {
    let schemas = schemas();
    let same = |entry: &&Kind| entry.api_version == api_version && entry.name == kind;
    let serves = |entry: &&Kind| entry.versions.contains(version);
    let mut entries = schemas.kinds.iter().filter(same);
    if let Some(served) = entries.clone().find(serves) {
        return Lookup::Served(served.root);
    }
    let elsewhere = schemas
        .kinds
        .iter()
        .filter(|entry| entry.name == kind)
        .filter(serves)
        .min_by_key(|entry| (rank(entry.api_version), entry.api_version));
    match (entries.next(), elsewhere) {
        (_, Some(right)) if is_builtin_group(api_version) => {
            Lookup::NotServed(format!("write `apiVersion: {}`", right.api_version))
        }
        (Some(entry), _) => {
            let Versions { from, to } = entry.versions;
            Lookup::NotServed(format!("Kubernetes 1.{from} to 1.{to} serve it"))
        }
        (None, _) => match near(schemas, api_version, kind) {
            Some(right) => Lookup::NotServed(format!("did you mean `{right}`?")),
            None => Lookup::Unknown,
        },
    }
}

/// Stable versions before beta before alpha.
fn rank(api_version: &str) -> usize {
    match api_version {
        text if text.contains("alpha") => 2,
        text if text.contains("beta") => 1,
        _ => 0,
    }
}

fn near(schemas: &Schemas, api_version: &str, kind: &str) -> Option<&'static str> {
    let mut kinds = schemas.kinds.iter();
    let alike = kinds
        .find(|entry| entry.api_version == api_version && entry.name.eq_ignore_ascii_case(kind));
    alike.map(|entry| entry.name)
}

/// Tells whether a group is one of Kubernetes' own: those of others are named by a domain of theirs.
fn is_builtin_group(api_version: &str) -> bool {
    match api_version.split_once('/') {
        None => true,
        Some((group, _)) => !group.contains('.') || group.ends_with(".k8s.io"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(version: &str) -> KubernetesVersion {
        KubernetesVersion::parse(version).expect("known")
    }

    #[test]
    fn the_data_is_whole() {
        let schemas = schemas();
        assert!(schemas.types.len() > 1000);
        assert!(schemas.kinds.len() > 200);
        for field in &schemas.fields {
            let leaf = field.code.trim_start_matches(['[', '{']);
            let known = match leaf.strip_prefix('@') {
                Some(number) => number
                    .parse()
                    .is_ok_and(|number: usize| number < schemas.types.len()),
                None => matches!(
                    leaf,
                    "s" | "y" | "b" | "i" | "l" | "d" | "t" | "q" | "p" | "o" | "x"
                ),
            };
            assert!(known, "{field:?}");
        }
        for kind in &schemas.kinds {
            assert_eq!(schemas.types[kind.root].name, kind.name);
        }
    }

    #[test]
    fn a_removed_api_names_its_replacement() {
        let look = |api_version, kind, version| lookup(api_version, kind, at(version));
        assert!(matches!(
            look("batch/v1beta1", "CronJob", "1.25"),
            Lookup::NotServed(help) if help == "write `apiVersion: batch/v1`"
        ));
        assert!(matches!(
            look("extensions/v1beta1", "Ingress", "1.34"),
            Lookup::NotServed(help) if help == "write `apiVersion: networking.k8s.io/v1`"
        ));
        assert!(matches!(
            look("v1", "configmap", "1.34"),
            Lookup::NotServed(help) if help == "did you mean `ConfigMap`?"
        ));
        assert_eq!(
            look("serving.knative.dev/v1", "Service", "1.34"),
            Lookup::Unknown
        );
        assert!(matches!(look("v1", "Node", "1.25"), Lookup::Served(_)));
    }
}
