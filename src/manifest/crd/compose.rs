//! Schemas made of others: `allOf`, `anyOf`, `oneOf` and `not`.

use super::check::{Checker, Part, Place};
use super::schema::Schema;
use crate::manifest::source::{Finding, FindingType, Findings};
use crate::manifest::yaml::Node;

/// Checks a value against the schemas that its own is made of.
pub(super) fn check(checker: &mut Checker<'_>, node: Node<'_>, schema: &Schema, place: Place<'_>) {
    if !schema.all_of.is_empty() {
        let outcomes = outcomes(&schema.all_of, node, place);
        let valid = outcomes.iter().filter(|one| one.is_empty()).count();
        if valid < outcomes.len() {
            let none = if valid == 0 { ". None validated" } else { "" };
            let message = format!("must validate all the schemas (allOf){none}");
            refuse(checker, &message, outcomes.into_iter().flatten(), place);
        }
    }
    if !schema.any_of.is_empty() {
        let outcomes = outcomes(&schema.any_of, node, place);
        if outcomes.iter().all(|one| !one.is_empty()) {
            let message = "must validate at least one schema (anyOf)";
            refuse(checker, message, nearest(outcomes), place);
        }
    }
    if !schema.one_of.is_empty() {
        let outcomes = outcomes(&schema.one_of, node, place);
        match outcomes.iter().filter(|one| one.is_empty()).count() {
            0 => {
                let message = "must validate one and only one schema (oneOf). Found none valid";
                refuse(checker, message, nearest(outcomes), place);
            }
            1 => {}
            count => {
                let message = format!(
                    "must validate one and only one schema (oneOf). Found {count} valid alternatives"
                );
                refuse(checker, &message, Vec::new(), place);
            }
        }
    }
    if let Some(not) = &schema.not
        && outcome(not, node, place).is_empty()
    {
        refuse(
            checker,
            "must not validate the schema (not)",
            Vec::new(),
            place,
        );
    }
}

fn outcomes(schemas: &[Schema], node: Node<'_>, place: Place<'_>) -> Vec<Vec<Finding>> {
    schemas
        .iter()
        .map(|schema| outcome(schema, node, place))
        .collect()
}

/// Returns what is wrong with a value by one of the schemas.
fn outcome(schema: &Schema, node: Node<'_>, place: Place<'_>) -> Vec<Finding> {
    let mut found = Findings::default();
    let mut checker = Checker {
        found: &mut found,
        keeps_unknown_fields: true,
        has_error: false,
    };
    let place = Place {
        part: Part::Values,
        depth: place.depth + 1,
        ..place
    };
    checker.value(node, schema, place);
    found.0
}

/// Returns the faults of the alternative that was meant most likely.
fn nearest(outcomes: Vec<Vec<Finding>>) -> Vec<Finding> {
    outcomes
        .into_iter()
        .min_by_key(Vec::len)
        .unwrap_or_default()
}

fn refuse(
    checker: &mut Checker<'_>,
    what: &str,
    causes: impl IntoIterator<Item = Finding>,
    place: Place<'_>,
) {
    let path = place.at.to_path().to_string();
    let message = format!("Invalid value: \"\": {path:?} {what}");
    checker.error(FindingType::Invalid, place.at, message);
    for cause in causes {
        checker.error(cause.kind, place.at, String::new());
        if let Some(last) = checker.found.0.last_mut() {
            *last = cause;
        }
    }
}
