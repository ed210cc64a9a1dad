//! The fields of all built-in kinds, for each version of Kubernetes from 1.25 on.
//!
//! The data stands in `data/kubernetes-schemas.txt.gz`; `tools/schemas.py` writes it and explains the format.
//! It is unpacked when it is first asked for: the kinds that are decoded into types need it only when an older
//! version is asked for.

mod check;
mod defaults;
mod deprecation;
mod explain;
mod lookup;
mod version;

use std::io::Read as _;
use std::ops::Range;
use std::sync::OnceLock;

pub(super) use check::{Scope, check};
pub(super) use deprecation::deprecation;
pub use explain::{ExplainError, Explained, Subfield, explain};
pub(super) use lookup::{Lookup, lookup};
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
