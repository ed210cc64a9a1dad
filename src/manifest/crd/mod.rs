//! Kinds that CustomResourceDefinitions bring.
//!
//! A definition is read into a [`Schema`] for each of its versions, and the objects of its kinds are held against
//! it as the API server does: structural schemas with their `x-kubernetes-` extensions, in its words and with its
//! error types. Rules in CEL are not run; a note names each that stands over a value that is there.

mod check;
mod compose;
mod format;
mod metadata;
mod pattern;
mod rules;
mod schema;
mod value;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::document::Document;
use super::pieces::Place;
use super::read::{Kinds, ReadOptions, UnknownFields, read};
use super::source::{At, FindingType, Findings, Located};
use super::text::Source;
use super::yaml::{Node, Value};
use schema::Schema;

/// The kind of a definition, whatever its version.
const DEFINITION: &str = "CustomResourceDefinition";

/// The kinds that definitions bring.
#[derive(Debug, Clone, Default)]
pub struct CustomKinds(BTreeMap<(String, String), Arc<Custom>>);

/// The kinds that are defined in many places, read in any order: of each the one that stands last.
#[derive(Debug, Default)]
pub(super) struct Definitions(BTreeMap<(String, String), (Place, Arc<Custom>)>);

impl Definitions {
    /// Adds what is defined at a place.
    pub(super) fn add(&mut self, place: Place, kinds: CustomKinds) {
        for (kind, custom) in kinds.0 {
            let known = self.0.get(&kind);
            if known.is_none_or(|(last, _)| *last <= place) {
                self.0.insert(kind, (place, custom));
            }
        }
    }

    /// Adds the definitions to others, before which they go.
    pub(super) fn over(self, mut given: CustomKinds) -> CustomKinds {
        let defined = self.0.into_iter();
        given
            .0
            .extend(defined.map(|(kind, (_, custom))| (kind, custom)));
        given
    }
}

/// One version of a custom kind.
#[derive(Debug)]
struct Custom {
    /// None where the definition has no schema: then every field is taken.
    schema: Option<Schema>,
    is_served: bool,
    is_namespaced: bool,
    has_status: bool,
    keeps_unknown_fields: bool,
    /// What the server says of each object of the version.
    warning: Option<String>,
}

impl CustomKinds {
    /// Reads definitions; what else the sources hold is passed over.
    ///
    /// The findings are what kept the sources from being read.
    #[must_use]
    pub fn read(sources: &[Source]) -> (Self, Vec<Located>) {
        let options = ReadOptions {
            unknown_fields: UnknownFields::Ignore,
            kinds: Kinds::BuiltIn,
            ..ReadOptions::default()
        };
        let mut reading = read(sources, &options);
        let mut kinds = Self::default();
        for one in &reading.objects {
            kinds.define(&one.document);
        }
        reading
            .findings
            .retain(|located| located.finding.kind == FindingType::Syntax);
        (kinds, reading.findings)
    }

    /// Tells whether there is no kind at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds the kinds of a document, if it is a definition.
    pub(super) fn define(&mut self, document: &Document) {
        if document.kind() != DEFINITION {
            return;
        }
        let Some(spec) = document.node().get("spec") else {
            return;
        };
        let text = |node: Node<'_>, field: &str| {
            node.get(field)
                .and_then(Node::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let group = text(spec, "group");
        let kind = spec
            .get("names")
            .map(|names| text(names, "kind"))
            .unwrap_or_default();
        let versions = spec.get("versions").and_then(Node::as_list);
        for version in versions.iter().flat_map(|versions| versions.iter()) {
            let api_version = format!("{group}/{}", text(version, "name"));
            let custom = Custom::of(spec, version, &api_version, &kind);
            self.0.insert((api_version, kind.clone()), Arc::new(custom));
        }
    }

    /// Tells whether a document is of one of the kinds.
    pub(super) fn has(&self, document: &Document) -> bool {
        self.serves(document.api_version(), document.kind())
    }

    /// Tells whether a kind is one of these and served in a version.
    pub(super) fn serves(&self, api_version: &str, kind: &str) -> bool {
        let custom = self.find(api_version, kind);
        custom.is_some_and(|custom| custom.is_served)
    }

    fn find(&self, api_version: &str, kind: &str) -> Option<&Arc<Custom>> {
        self.0.get(&(api_version.to_owned(), kind.to_owned()))
    }

    /// Says that a version of a kind is not served, if that is known.
    pub(super) fn unserved(&self, api_version: &str, kind: &str) -> Option<String> {
        let custom = self.find(api_version, kind);
        custom.filter(|custom| !custom.is_served)?;
        let mut others = self.0.iter();
        let group = |api_version: &str| api_version.split('/').next().map(str::to_owned);
        let ((same, _), _) = others.find(|((other, of_kind), custom)| {
            of_kind == kind && custom.is_served && group(other) == group(api_version)
        })?;
        Some(format!("write `apiVersion: {same}`"))
    }

    /// Checks an object against its definition, if there is one.
    pub(super) fn check(&self, document: &Document, found: &mut Findings) {
        if let Some(custom) = self.find(document.api_version(), document.kind()) {
            custom.check(document, found);
        }
    }
}

/// Checks that a definition has the name that the server asks for.
pub(super) fn check_definition(document: &Document, found: &mut Findings) {
    let Some(spec) = document
        .node()
        .get("spec")
        .filter(|_| document.kind() == DEFINITION)
    else {
        return;
    };
    let plural = spec
        .get("names")
        .and_then(|names| names.get("plural")?.as_str());
    let group = spec.get("group").and_then(Node::as_str);
    if let (Some(plural), Some(group), Some(name)) = (plural, group, document.name())
        && name != format!("{plural}.{group}")
    {
        let at = At::ROOT;
        let at = at.field("metadata");
        let message =
            format!("Invalid value: {name:?}: must be spec.names.plural+\".\"+spec.group");
        found.error(FindingType::Invalid, &at.field("name"), message);
    }
}

impl Custom {
    fn of(spec: Node<'_>, version: Node<'_>, api_version: &str, kind: &str) -> Self {
        let is_true = |node: Node<'_>, field: &str| {
            matches!(node.get(field).map(Node::value), Some(Value::Bool(true)))
        };
        let old = spec.get("validation");
        let schema = version.get("schema").or(old);
        let subresources = version.get("subresources").or(spec.get("subresources"));
        let is_deprecated = is_true(version, "deprecated");
        let own_words = version.get("deprecationWarning").and_then(Node::as_str);
        Custom {
            schema: schema
                .and_then(|schema| schema.get("openAPIV3Schema"))
                .map(|schema| Schema::of(schema, 0)),
            is_served: version.get("served").is_none() || is_true(version, "served"),
            is_namespaced: spec.get("scope").and_then(Node::as_str) != Some("Cluster"),
            has_status: subresources.is_some_and(|all| all.get("status").is_some()),
            keeps_unknown_fields: is_true(spec, "preserveUnknownFields"),
            warning: is_deprecated.then(|| match own_words {
                Some(words) => words.to_owned(),
                None => format!("{api_version} {kind} is deprecated"),
            }),
        }
    }

    fn check(&self, document: &Document, found: &mut Findings) {
        if let Some(warning) = &self.warning {
            found.warning(&At::ROOT.field("apiVersion"), warning.clone());
        }
        metadata::of_object(document.node(), self.is_namespaced, found);
        if let Some(schema) = &self.schema {
            check::check(
                document,
                schema,
                self.has_status,
                self.keeps_unknown_fields,
                found,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_definitions_the_one_that_stands_last_counts_whichever_is_read_first() {
        let kinds = |served: bool| {
            let text = format!(
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nspec:\n  group: a.b\n  \
                 names: {{kind: C}}\n  versions: [{{name: v1, served: {served}}}]\n"
            );
            CustomKinds::read(&[Source::new("crd.yaml", text)]).0
        };
        for order in [[0, 1], [1, 0]] {
            let mut definitions = Definitions::default();
            for input in order {
                let at = Place {
                    input,
                    ..Place::default()
                };
                definitions.add(at, kinds(input == 1));
            }
            assert!(definitions.over(kinds(false)).serves("a.b/v1", "C"));
        }
    }
}
