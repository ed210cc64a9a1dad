#!/usr/bin/env python3
"""Writes data/kubernetes-schemas.txt.gz: the fields of all built-in kinds, Kubernetes 1.25 to 1.37.

The source is the Python package `kubernetes-validate` 1.37.0 (Apache-2.0), which carries the JSON schemas that
Kubernetes publishes (Apache-2.0). To write the file again:

    python3 -m venv /tmp/schemas
    /tmp/schemas/bin/pip install kubernetes-validate==1.37.0
    /tmp/schemas/bin/python tools/schemas.py data/kubernetes-schemas.txt.gz

Descriptions are left out and the versions are merged: each type and each field stands once, with the versions
that have it. The text, line by line:

    versions 25 37
    T NAME                              a type; the fields that follow are its own
    F NAME TYPE [!] [FROM-TO]           a field; `!` is required; FROM and TO are minor versions,
                                        left out if the field is there in all of them
    K API-VERSION KIND TYPE-NUMBER [FROM-TO]

A TYPE is one letter, or is made of others: s string, y base64, b boolean, i int32, l int64, d number,
t time, q quantity, p integer or string, o any object, x anything, [T list of T, {T map of T, @N type number N.
Types are numbered in the order they stand, from 0.
"""

import gzip
import json
import pathlib
import sys

import kubernetes_validate

ROOT = pathlib.Path(kubernetes_validate.__file__).parent / "kubernetes-json-schema"
MINORS = range(25, 38)
LEAVES = {
    "io.k8s.apimachinery.pkg.api.resource.Quantity": "q",
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString": "p",
    "io.k8s.apimachinery.pkg.apis.meta.v1.Time": "t",
    "io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime": "t",
}
FORMATS = {
    ("string", "byte"): "y",
    ("string", "date-time"): "t",
    ("integer", "int32"): "i",
    ("integer", "int64"): "l",
    ("string", None): "s",
    ("boolean", None): "b",
    ("integer", None): "l",
    ("number", "double"): "d",
    ("number", None): "d",
}


def definitions(minor):
    path = ROOT / f"v1.{minor}.0-local-strict" / "_definitions.json"
    return json.loads(path.read_text())["$defs"]


def type_of(schema, types):
    """Returns the compact type of a schema, with the full names of the types it refers to."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[1]
        target = types[name]
        if name in LEAVES:
            return LEAVES[name]
        if "properties" in target:
            return f"@{name}"
        return type_of({key: value for key, value in target.items() if key != "$ref"}, types)
    kinds = schema.get("type")
    kinds = [kinds] if isinstance(kinds, str) else [kind for kind in kinds or [] if kind != "null"]
    if len(kinds) != 1:
        return "x"
    kind = kinds[0]
    if kind == "array":
        return "[" + type_of(schema["items"], types)
    if kind == "object":
        inner = schema.get("additionalProperties")
        return "{" + type_of(inner, types) if isinstance(inner, dict) else "o"
    return FORMATS.get((kind, schema.get("format")), FORMATS.get((kind, None), "x"))


def collect():
    """Returns the fields of each type and the kinds, each with the set of versions that have it."""
    fields, kinds = {}, {}
    for minor in MINORS:
        types = definitions(minor)
        for name, schema in types.items():
            if "properties" not in schema or name in LEAVES:
                continue
            own = fields.setdefault(name, {})
            required = schema.get("required", [])
            for field, value in schema["properties"].items():
                key = (field, type_of(value, types), field in required)
                own.setdefault(key, set()).add(minor)
            for kind in schema.get("x-kubernetes-group-version-kind", []):
                # One type that many groups share, such as DeleteOptions, is no object of its own.
                if len(schema["x-kubernetes-group-version-kind"]) > 1:
                    continue
                group, version = kind["group"], kind["version"]
                api_version = f"{group}/{version}" if group else version
                kinds.setdefault((api_version, kind["kind"], name), set()).add(minor)
    return fields, kinds


def span(minors):
    """Returns the ranges of versions, empty for all of them."""
    if minors == set(MINORS):
        return [""]
    ranges, start = [], None
    for minor in range(MINORS.start, MINORS.stop + 1):
        if minor in minors and start is None:
            start = minor
        if minor not in minors and start is not None:
            ranges.append(f" {start}-{minor - 1}")
            start = None
    return ranges


def main():
    fields, kinds = collect()
    numbers = {name: number for number, name in enumerate(sorted(fields))}

    def numbered(kind):
        head, at, name = kind.partition("@")
        return f"{head}@{numbers[name]}" if at else kind

    lines = [f"versions {MINORS.start} {MINORS.stop - 1}"]
    for name in sorted(fields):
        lines.append(f"T {name.rsplit('.', 1)[1]}")
        for (field, kind, required), minors in sorted(fields[name].items()):
            for part in span(minors):
                lines.append(f"F {field} {numbered(kind)}{' !' if required else ''}{part}")
    for (api_version, kind, name), minors in sorted(kinds.items()):
        for part in span(minors):
            lines.append(f"K {api_version} {kind} {numbers[name]}{part}")
    text = "\n".join(lines) + "\n"
    pathlib.Path(sys.argv[1]).write_bytes(gzip.compress(text.encode(), 9, mtime=0))


if __name__ == "__main__":
    main()
