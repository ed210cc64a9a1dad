//! Metadata, which is the server's own whatever a schema says.

use crate::manifest::decode::decode_meta;
use crate::manifest::rules;
use crate::manifest::source::{At, FindingType, Findings};
use crate::manifest::yaml::Node;

/// Checks the metadata of an object of a custom kind.
pub(super) fn of_object(object: Node<'_>, is_namespaced: bool, found: &mut Findings) {
    let at = At::ROOT;
    let at = at.field("metadata");
    let Some(node) = object
        .get("metadata")
        .filter(|node| node.as_map().is_some())
    else {
        let message = "Required value: name or generateName is required";
        found.error(FindingType::Required, &at.field("name"), message);
        return;
    };
    if let Some(meta) = decode_meta(node, &at, found) {
        rules::custom_metadata(&meta, is_namespaced, &at, found);
    }
}

/// Checks the metadata of an object inside another: it need not have a name.
pub(super) fn embedded(object: Node<'_>, at: &At<'_>, found: &mut Findings) {
    let Some(node) = object.get("metadata") else {
        return;
    };
    let at = at.field("metadata");
    let before = found.0.len();
    if let Some(meta) = decode_meta(node, &at, found) {
        rules::custom_metadata(&meta, true, &at, found);
        let is_nameless = |path: &crate::manifest::FieldPath| *path == at.field("name").to_path();
        let mut position = 0;
        found.0.retain(|finding| {
            position += 1;
            position <= before
                || !(finding.kind == FindingType::Required && is_nameless(&finding.path))
        });
    }
}
