//! Kinds that CustomResourceDefinitions bring.

use crate::support::Manifests;

/// A definition with a schema that has `properties` for its spec.
fn definition(properties: &str) -> String {
    let properties = properties.replace('\n', "\n              ");
    format!(
        "apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: tanks.fish.example}}
spec:
  group: fish.example
  scope: Namespaced
  names: {{kind: Tank, plural: tanks, singular: tank, listKind: TankList}}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {{status: {{}}}}
    schema:
      openAPIV3Schema:
        type: object
        required: [spec]
        properties:
          status: {{type: object, required: [ready], properties: {{ready: {{type: boolean}}}}}}
          spec:
            type: object
            properties:
              {properties}
  - name: v1alpha1
    served: false
    storage: false
    schema: {{openAPIV3Schema: {{type: object}}}}
"
    )
}

fn tank(spec: &str) -> String {
    format!("apiVersion: fish.example/v1\nkind: Tank\nmetadata: {{name: a}}\nspec: {spec}\n")
}

/// Checks a tank with this spec against a definition with these properties, in the same input.
fn found(properties: &str, spec: &str) -> Vec<String> {
    let text = format!("{}---\n{}", tank(spec), definition(properties));
    Manifests::of(&[("in.yaml", &text)]).findings(&["in.yaml"])
}

#[test]
fn an_unknown_kind_is_an_error_unless_it_is_told_to_be_passed_over() {
    let files = Manifests::of(&[("in.yaml", &tank("{}"))]);
    assert_eq!(
        files.findings(&["in.yaml"]),
        ["error UnknownKind kind: no matches for kind \"Tank\" in version \"fish.example/v1\""]
    );
    let said = files.validate(&["--ignore-missing-schemas", "--summary", "in.yaml"]);
    assert_eq!(said.code, Some(0));
    assert!(
        said.stdout.ends_with("0 errors, 0 warnings, 1 skipped\n"),
        "{said:?}"
    );
    let removed = Manifests::of(&[(
        "in.yaml",
        "apiVersion: extensions/v1beta1\nkind: Deployment\nmetadata: {name: a}\n",
    )]);
    assert_eq!(
        removed
            .validate(&["--ignore-missing-schemas", "in.yaml"])
            .code,
        Some(1)
    );
}

#[test]
fn a_definition_is_found_in_the_same_input_in_a_file_and_in_a_directory() {
    let size = "size: {type: integer}";
    assert_eq!(found(size, "{size: 1}"), [""; 0]);
    let files = Manifests::of(&[
        ("in.yaml", &tank("{size: x}")),
        ("crds/tank.yaml", &definition(size)),
    ]);
    let wrong = "error TypeInvalid spec.size: Invalid value: \"string\": spec.size in body must be of type integer: \"string\"";
    assert_eq!(
        files.findings(&["--crd", "crds/tank.yaml", "in.yaml"]),
        [wrong]
    );
    assert_eq!(files.findings(&["--crd", "crds", "in.yaml"]), [wrong]);
    let broken = Manifests::of(&[("in.yaml", GOOD), ("crd.yaml", "a: [\n")]);
    assert_eq!(
        broken.validate(&["--crd", "crd.yaml", "in.yaml"]).code,
        Some(125)
    );
    assert_eq!(
        broken.validate(&["--crd", "none.yaml", "in.yaml"]).code,
        Some(125)
    );
}

const GOOD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";

#[test]
fn each_rule_of_a_schema_is_held_with_the_servers_type_and_words() {
    for (properties, spec, wanted) in [
        (
            "a: {type: string}",
            "{a: 1}",
            "TypeInvalid spec.a: Invalid value: \"integer\": spec.a in body must be of type string: \"integer\"",
        ),
        (
            "a: {type: string}",
            "{a: null}",
            "TypeInvalid spec.a: Invalid value: \"null\": spec.a in body must be of type string: \"null\"",
        ),
        (
            "a: {type: boolean}",
            "{a: \"yes\"}",
            "TypeInvalid spec.a: Invalid value: \"string\": spec.a in body must be of type boolean: \"string\"",
        ),
        (
            "a: {type: integer}",
            "{a: 1.5}",
            "TypeInvalid spec.a: Invalid value: \"number\": spec.a in body must be of type integer: \"number\"",
        ),
        (
            "a: {type: array, items: {type: string}}",
            "{a: [b, {}]}",
            "TypeInvalid spec.a[1]: Invalid value: \"object\": spec.a[1] in body must be of type string: \"object\"",
        ),
        (
            "a: {type: object, additionalProperties: {type: string}}",
            "{a: {b: 1}}",
            "TypeInvalid spec.a.b: Invalid value: \"integer\": spec.a.b in body must be of type string: \"integer\"",
        ),
        (
            "a: {x-kubernetes-int-or-string: true}",
            "{a: true}",
            "TypeInvalid spec.a: Invalid value: \"boolean\": spec.a in body must be of type integer,string: \"boolean\"",
        ),
        (
            "a: {type: string, enum: [b, c]}",
            "{a: d}",
            "NotSupported spec.a: Unsupported value: \"d\": supported values: \"b\", \"c\"",
        ),
        (
            "a: {type: string, pattern: '^b+$'}",
            "{a: c}",
            "Invalid spec.a: Invalid value: \"c\": spec.a in body should match '^b+$'",
        ),
        (
            "a: {type: string, minLength: 2}",
            "{a: b}",
            "Invalid spec.a: Invalid value: \"b\": spec.a in body should be at least 2 chars long",
        ),
        (
            "a: {type: string, maxLength: 2}",
            "{a: bcd}",
            "TooLong spec.a: Too long: may not be more than 2 bytes",
        ),
        (
            "a: {type: string, format: date-time}",
            "{a: b}",
            "TypeInvalid spec.a: Invalid value: \"b\": spec.a in body must be of type date-time: \"b\"",
        ),
        (
            "a: {type: integer, minimum: 2}",
            "{a: 1}",
            "Invalid spec.a: Invalid value: 1: spec.a in body should be greater than or equal to 2",
        ),
        (
            "a: {type: integer, maximum: 2}",
            "{a: 3}",
            "Invalid spec.a: Invalid value: 3: spec.a in body should be less than or equal to 2",
        ),
        (
            "a: {type: number, maximum: 2, exclusiveMaximum: true}",
            "{a: 2}",
            "Invalid spec.a: Invalid value: 2: spec.a in body should be less than 2",
        ),
        (
            "a: {type: integer, multipleOf: 5}",
            "{a: 7}",
            "Invalid spec.a: Invalid value: 7: spec.a in body should be a multiple of 5",
        ),
        (
            "a: {type: array, minItems: 1, items: {type: string}}",
            "{a: []}",
            "Invalid spec.a: Invalid value: 0: spec.a in body should have at least 1 items",
        ),
        (
            "a: {type: array, maxItems: 1, items: {type: string}}",
            "{a: [b, c]}",
            "TooMany spec.a: Too many: 2: must have at most 1 items",
        ),
        (
            "a: {type: object, maxProperties: 1, additionalProperties: {type: string}}",
            "{a: {b: c, d: e}}",
            "TooMany spec.a: Too many: 2: must have at most 1 items",
        ),
        (
            "a: {type: object, required: [b], properties: {b: {type: string}}}",
            "{a: {}}",
            "Required spec.a.b: Required value",
        ),
        (
            "a: {type: array, x-kubernetes-list-type: set, items: {type: string}}",
            "{a: [b, c, b]}",
            "Duplicate spec.a[2]: Duplicate value: \"b\"",
        ),
        (
            "a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: string}, v: {type: integer}}}}",
            "{a: [{k: b, v: 1}, {k: b, v: 2}]}",
            "Duplicate spec.a[1]: Duplicate value: {\"k\":\"b\"}",
        ),
        (
            "a: {type: object, properties: {b: {type: string}}}",
            "{a: {c: 1}}",
            "UnknownField spec.a.c: unknown field \"spec.a.c\"",
        ),
        (
            "a: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}",
            "{a: {kind: Pod}}",
            "Required spec.a.apiVersion: Required value: must not be empty",
        ),
        (
            "a: {type: integer, not: {enum: [3]}}",
            "{a: 3}",
            "Invalid spec.a: Invalid value: \"\": \"spec.a\" must not validate the schema (not)",
        ),
    ] {
        assert_eq!(
            found(properties, spec),
            [format!("error {wanted}")],
            "{properties}"
        );
    }
}

#[test]
fn what_a_schema_allows_is_accepted() {
    for (properties, spec) in [
        ("a: {type: string, nullable: true}", "{a: null}"),
        ("a: {type: string, default: b}", "{a: null}"),
        ("a: {type: number}", "{a: 1}"),
        ("a: {type: integer}", "{a: 1.0}"),
        (
            "a: {x-kubernetes-int-or-string: true, pattern: '^[0-9]+%$'}",
            "{a: 10}",
        ),
        (
            "a: {x-kubernetes-int-or-string: true, pattern: '^[0-9]+%$'}",
            "{a: 10%}",
        ),
        (
            "a: {x-kubernetes-int-or-string: true, anyOf: [{type: integer}, {type: string}]}",
            "{a: 1}",
        ),
        (
            "a: {x-kubernetes-preserve-unknown-fields: true}",
            "{a: {b: [1, {c: d}]}}",
        ),
        (
            "a: {type: object, x-kubernetes-preserve-unknown-fields: true}",
            "{a: {b: 1}}",
        ),
        (
            "a: {type: object, additionalProperties: true}",
            "{a: {b: [1]}}",
        ),
        (
            "a: {type: object, required: [b], properties: {b: {type: string, default: c}}}",
            "{a: {}}",
        ),
        ("a: {type: string, format: of-our-own}", "{a: b}"),
        (
            "a: {type: object, x-kubernetes-embedded-resource: true, x-kubernetes-preserve-unknown-fields: true}",
            "{a: {apiVersion: v1, kind: Pod, spec: {}}}",
        ),
        (
            "a: {type: array, x-kubernetes-list-type: map, x-kubernetes-list-map-keys: [k], items: {type: object, properties: {k: {type: string}}}}",
            "{a: [{k: b}, {k: c}]}",
        ),
    ] {
        assert_eq!(found(properties, spec), [""; 0], "{properties}");
    }
}

#[test]
fn alternatives_name_what_the_likeliest_lacks() {
    let one_of = "a: {type: object, properties: {b: {type: string}, c: {type: string}}, oneOf: [{required: [b]}, {required: [c]}]}";
    assert_eq!(found(one_of, "{a: {b: x}}"), [""; 0]);
    assert_eq!(
        found(one_of, "{a: {}}"),
        [
            "error Required spec.a.b: Required value",
            "error Invalid spec.a: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found none valid",
        ]
    );
    assert_eq!(
        found(one_of, "{a: {b: x, c: x}}"),
        [
            "error Invalid spec.a: Invalid value: \"\": \"spec.a\" must validate one and only one schema (oneOf). Found 2 valid alternatives"
        ]
    );
    let any_of = "a: {type: string, anyOf: [{pattern: '^b'}, {pattern: '^c'}]}";
    assert_eq!(found(any_of, "{a: cd}"), [""; 0]);
    assert!(found(any_of, "{a: d}").contains(
        &"error Invalid spec.a: Invalid value: \"\": \"spec.a\" must validate at least one schema (anyOf)".to_owned()
    ));
}

#[test]
fn a_rule_in_cel_is_named_as_not_checked_and_does_not_count() {
    let properties = "a:\n  type: integer\n  x-kubernetes-validations:\n  - rule: self > 1\n    message: too few";
    let text = format!("{}---\n{}", tank("{a: 1}"), definition(properties));
    let files = Manifests::of(&[("in.yaml", &text)]);
    assert_eq!(
        files.findings(&["in.yaml"]),
        ["note Warning spec.a: not checked: the CEL rule `self > 1`"]
    );
    assert_eq!(files.validate(&["--strict", "in.yaml"]).code, Some(0));
}

#[test]
fn metadata_is_the_servers_own_and_the_status_is_dropped() {
    let text = |metadata: &str, more: &str| {
        let definition = definition("a: {type: string}");
        let text = format!(
            "apiVersion: fish.example/v1\nkind: Tank\n{metadata}\nspec: {{}}\n{more}\n---\n{definition}"
        );
        Manifests::of(&[("in.yaml", &text)]).findings(&["in.yaml"])
    };
    assert_eq!(
        text("metadata: {name: a}", "status: {nonsense: 1}"),
        [""; 0]
    );
    assert_eq!(
        text("metadata: {}", ""),
        ["error Required metadata.name: Required value: name or generateName is required"]
    );
    assert_eq!(
        text("metadata: {name: a, lables: {}}", ""),
        ["error UnknownField metadata.lables: unknown field \"metadata.lables\""]
    );
    assert!(
        text("metadata: {name: A}", "")[0]
            .starts_with("error Invalid metadata.name: Invalid value: \"A\"")
    );
}

#[test]
fn a_version_that_is_not_served_names_the_one_that_is() {
    let text = format!(
        "{}---\n{}",
        tank("{}").replace("/v1", "/v1alpha1"),
        definition("a: {type: string}")
    );
    let rows = Manifests::of(&[("in.yaml", &text)]).rows(&["in.yaml"]);
    assert_eq!(
        rows[0]["message"],
        "no matches for kind \"Tank\" in version \"fish.example/v1alpha1\""
    );
    assert_eq!(rows[0]["help"], "write `apiVersion: fish.example/v1`");
}

#[test]
fn a_definition_is_checked_itself() {
    let text = definition("a: {typ: string}").replace("tanks.fish.example", "tank.fish.example");
    assert_eq!(
        Manifests::of(&[("in.yaml", &text)]).findings(&["in.yaml"]),
        [
            "error Invalid metadata.name: Invalid value: \"tank.fish.example\": must be spec.names.plural+\".\"+spec.group",
            "error UnknownField spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a].typ: unknown field \"spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a].typ\"",
        ]
    );
}
