//! A serde deserializer over nodes that knows its path and never gives up at the first fault.
//!
//! The types of `k8s-openapi` tell the names of their fields, which makes unknown fields visible here. Go's
//! rules hold: null is absent, a number in a string field is an error, `80.0` in YAML is an integer.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer as _, Visitor};

use super::leaf::{self, Leaf};
use super::suggest::closest;
use crate::manifest::base64;
use crate::manifest::source::{
    At, FieldPath, Finding, FindingType, Findings, Severity, Step, quoted,
};
use crate::manifest::yaml::{Node, Value};

/// How deep values of any shape (`managedFields[].fieldsV1`) may nest.
const MAX_RAW_DEPTH: usize = 128;

/// What a decoding has found so far.
pub(super) struct Context {
    unknown_fields: Option<Severity>,
    outcome: RefCell<Outcome>,
}

#[derive(Default)]
pub(super) struct Outcome {
    pub(super) findings: Findings,
    /// Whether a value was replaced by an empty one.
    pub(super) has_mismatch: bool,
}

impl Context {
    pub(super) fn new(unknown_fields: Option<Severity>) -> Self {
        Context {
            unknown_fields,
            outcome: RefCell::default(),
        }
    }

    pub(super) fn finish(self) -> Outcome {
        self.outcome.into_inner()
    }

    /// Records what a type's own visitor refused, once.
    pub(super) fn record(&self, fault: Fault, at: &At<'_>) {
        if let Fault::Unrecorded(message) = fault {
            self.mismatch(at, message, None);
        }
    }

    fn mismatch(&self, at: &At<'_>, message: String, help: Option<String>) {
        let mut outcome = self.outcome.borrow_mut();
        outcome.has_mismatch = true;
        outcome.findings.0.push(Finding {
            severity: Severity::Error,
            kind: FindingType::Decode,
            path: at.to_path(),
            message,
            help,
        });
    }

    fn unknown_field(&self, at: &At<'_>, name: &str, known: &[&'static str]) {
        let Some(severity) = self.unknown_fields else {
            return;
        };
        let mut path = at.to_path();
        path.0.push(Step::Field(name.to_owned().into()));
        self.outcome.borrow_mut().findings.0.push(Finding {
            severity,
            kind: FindingType::UnknownField,
            message: format!("unknown field {}", quoted(&path.to_string())),
            path,
            help: closest(name, known.iter().copied())
                .map(|nearest| format!("did you mean `{nearest}`?")),
        });
    }
}

/// Why a type's own visitor refused a value.
#[derive(Debug)]
pub(super) enum Fault {
    Unrecorded(String),
    Recorded,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Unrecorded(message) => f.write_str(message),
            Fault::Recorded => f.write_str("a fault that is recorded"),
        }
    }
}

impl std::error::Error for Fault {}

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Fault::Unrecorded(message.to_string())
    }
}

/// Decodes one node.
#[derive(Clone, Copy)]
pub(super) struct Decoder<'a, 't> {
    node: Node<'t>,
    at: &'a At<'a>,
    /// The innermost type that has fields, as Go names it.
    owner: &'static str,
    context: &'a Context,
    /// How deep inside a value of any shape this is.
    raw: Option<usize>,
}

impl<'a, 't> Decoder<'a, 't> {
    pub(super) fn root(node: Node<'t>, at: &'a At<'a>, context: &'a Context) -> Self {
        Decoder {
            node,
            at,
            owner: "",
            context,
            raw: None,
        }
    }

    /// Records that the value has another type than its field, in Go's words.
    fn mismatch(&self, wanted: impl fmt::Display) {
        let wanted = wanted.to_string();
        let found = found(self.node, &wanted);
        let path = dotted(&self.at.to_path());
        let owner = self.owner;
        let place = match (owner.is_empty(), path.is_empty()) {
            (false, false) => format!("Go struct field {owner}.{path}"),
            _ => "Go value".to_owned(),
        };
        let message = format!("json: cannot unmarshal {found} into {place} of type {wanted}");
        self.context
            .mismatch(self.at, message, help(self.node, &wanted));
    }

    fn refuse(&self, message: String) {
        self.context.mismatch(self.at, message, None);
    }

    /// Returns a whole number, or records that there is none in the range.
    fn integer(&self, least: i64, most: i64, wanted: &str) -> i64 {
        let value = match self.node.value() {
            Value::Int(value) => Some(value),
            Value::Null => return 0,
            _ => None,
        };
        match value {
            Some(value) if (least..=most).contains(&value) => value,
            _ => {
                self.mismatch(wanted);
                0
            }
        }
    }

    fn any<'de, V: Visitor<'de>>(self, depth: usize, visitor: V) -> Result<V::Value, Fault> {
        if depth > MAX_RAW_DEPTH {
            return Err(Fault::Unrecorded(format!(
                "exceeded max depth of {MAX_RAW_DEPTH} inside a value of any shape"
            )));
        }
        let inner = Decoder {
            raw: Some(depth + 1),
            ..self
        };
        match self.node.value() {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Int(value) => visitor.visit_i64(value),
            Value::Uint(value) => visitor.visit_u64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::String(text) => visitor.visit_str(text),
            Value::List(_) => visitor.visit_seq(Items::new(inner)),
            Value::Map(_) => visitor.visit_map(Entries::new(inner)),
        }
    }

    fn base64(&self) -> String {
        match self.node.value() {
            Value::Null => String::new(),
            Value::String(text) => match base64::decode(text) {
                Ok(_) if is_canonical(text) => text.to_owned(),
                Ok(bytes) => base64::encode(&bytes),
                Err(at) => {
                    self.refuse(format!("illegal base64 data at input byte {at}"));
                    String::new()
                }
            },
            _ => {
                self.mismatch("[]uint8");
                String::new()
            }
        }
    }

    fn quantity(&self) -> String {
        let zero = || "0".to_owned();
        if matches!(self.node.value(), Value::Null) {
            return zero();
        }
        let text = leaf::quantity_text(self.node).unwrap_or_else(|| self.node.literal().to_owned());
        match leaf::check_quantity(&text) {
            Ok(()) => text,
            Err(message) => {
                self.refuse(message.to_owned());
                zero()
            }
        }
    }

    fn time(&self, name: &str) -> String {
        let epoch = || "1970-01-01T00:00:00Z".to_owned();
        match self.node.value() {
            Value::Null => epoch(),
            Value::String(text) => match leaf::check_time(text) {
                Ok(()) => text.to_owned(),
                Err(message) => {
                    self.refuse(message);
                    epoch()
                }
            },
            _ => {
                self.mismatch(format_args!("v1.{name}"));
                epoch()
            }
        }
    }
}

/// Tells whether a strict decoder takes a text too: no line breaks, no stray bits at the end.
fn is_canonical(text: &str) -> bool {
    if text.contains(['\n', '\r']) {
        return false;
    }
    match text.strip_suffix("==") {
        Some(text) => text.ends_with(['A', 'Q', 'g', 'w']),
        None => match text.strip_suffix('=') {
            Some(text) => text.ends_with([
                'A', 'E', 'I', 'M', 'Q', 'U', 'Y', 'c', 'g', 'k', 'o', 's', 'w', '0', '4', '8',
            ]),
            None => true,
        },
    }
}

/// Names the type of a value; a number that is out of range is told itself.
fn found(node: Node<'_>, wanted: &str) -> String {
    let is_range = wanted.contains("int") && !wanted.starts_with('[');
    match node.value() {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Int(value) if is_range => format!("number {value}"),
        Value::Uint(value) if is_range => format!("number {value}"),
        Value::Float(_) if is_range => format!("number {}", node.literal()),
        Value::Int(_) | Value::Uint(_) | Value::Float(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::List(_) => "array".to_owned(),
        Value::Map(_) => "object".to_owned(),
    }
}

fn help(node: Node<'_>, wanted: &str) -> Option<String> {
    let literal = node.literal();
    match node.value() {
        Value::Bool(value) if wanted == "string" && literal != value.to_string() => Some(format!(
            "quote it: `\"{literal}\"`; without quotes YAML 1.1 reads `{literal}` as {value}"
        )),
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) if wanted == "string" => {
            Some(format!("quote it: `\"{literal}\"`"))
        }
        Value::String(text)
            if wanted.starts_with("int") && text.parse::<i64>().is_ok() && literal != text =>
        {
            Some(format!("write it without quotes: `{text}`"))
        }
        Value::String(text) if wanted == "bool" && matches!(text, "true" | "false") => {
            Some(format!("write it without quotes: `{text}`"))
        }
        _ => None,
    }
}

/// The names of a path's fields, as Go's decoder tells them.
fn dotted(path: &FieldPath) -> String {
    let names = path.0.iter().filter_map(|step| match step {
        Step::Field(name) => Some(name.as_ref()),
        Step::Index(_) | Step::Key(_) => None,
    });
    names.collect::<Vec<_>>().join(".")
}

macro_rules! integers {
    ($($method:ident $type:ident $visit:ident $wanted:literal,)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let least = i64::try_from($type::MIN).unwrap_or(0);
            let most = i64::try_from($type::MAX).unwrap_or(i64::MAX);
            let value = self.integer(least, most, $wanted);
            visitor.$visit($type::try_from(value).unwrap_or(0))
        })*
    };
}

impl<'de> de::Deserializer<'de> for Decoder<'_, '_> {
    type Error = Fault;

    /// Outside of values of any shape only `IntOrString` asks for this.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if let Some(depth) = self.raw {
            return self.any(depth, visitor);
        }
        match self.node.value() {
            Value::String(text) => visitor.visit_str(text),
            _ => visitor.visit_i64(self.integer(i32::MIN.into(), i32::MAX.into(), "int32")),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value() {
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Null => visitor.visit_bool(false),
            _ => {
                self.mismatch("bool");
                visitor.visit_bool(false)
            }
        }
    }

    integers! {
        deserialize_i8 i8 visit_i8 "int8",
        deserialize_i16 i16 visit_i16 "int16",
        deserialize_i32 i32 visit_i32 "int32",
        deserialize_i64 i64 visit_i64 "int64",
        deserialize_u8 u8 visit_u8 "uint8",
        deserialize_u16 u16 visit_u16 "uint16",
        deserialize_u32 u32 visit_u32 "uint32",
        deserialize_u64 u64 visit_u64 "uint64",
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value() {
            Value::Int(value) => visitor.visit_i64(value),
            Value::Uint(value) => visitor.visit_u64(value),
            Value::Float(value) => visitor.visit_f64(value),
            Value::Null => visitor.visit_f64(0.0),
            _ => {
                self.mismatch("float64");
                visitor.visit_f64(0.0)
            }
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value() {
            Value::String(text) => visitor.visit_str(text),
            Value::Null => visitor.visit_str(""),
            _ => {
                self.mismatch("string");
                visitor.visit_str("")
            }
        }
    }

    /// Only `ByteString` asks for this, which is base64.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_string(self.base64())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value() {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match name {
            "Quantity" => visitor.visit_newtype_struct(Leaf(&self.quantity())),
            "Time" | "MicroTime" => visitor.visit_newtype_struct(Leaf(&self.time(name))),
            _ => visitor.visit_newtype_struct(Decoder {
                raw: Some(0),
                ..self
            }),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if !matches!(self.node.value(), Value::List(_) | Value::Null) {
            self.mismatch("list");
        }
        visitor.visit_seq(Items::new(self))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if !matches!(self.node.value(), Value::Map(_) | Value::Null) {
            self.mismatch("map");
        }
        visitor.visit_map(Entries::new(self))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !matches!(self.node.value(), Value::Map(_) | Value::Null) {
            self.mismatch(format_args!("v1.{name}"));
        }
        let decoder = Decoder {
            owner: name,
            ..self
        };
        visitor.visit_map(Fields {
            entries: Entries::new(decoder),
            known: fields,
            field: "",
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i128 u128 bytes byte_buf unit unit_struct tuple tuple_struct enum identifier
    }
}

/// The items of a list in turn.
struct Items<'a, 't> {
    list: Decoder<'a, 't>,
    next: usize,
}

impl<'a, 't> Items<'a, 't> {
    fn new(list: Decoder<'a, 't>) -> Self {
        Items { list, next: 0 }
    }
}

impl<'de> de::SeqAccess<'de> for Items<'_, '_> {
    type Error = Fault;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        let Some(item) = self
            .list
            .node
            .as_list()
            .and_then(|list| list.get(self.next))
        else {
            return Ok(None);
        };
        let at = self.list.at.index(self.next);
        self.next += 1;
        decode_child(self.list, item, &at, seed).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        // A promise of room is not worth an attacker's number.
        let length = self.list.node.as_list().map_or(0, |list| list.len());
        Some(length.saturating_sub(self.next).min(1024))
    }
}

/// The entries of a map in turn.
struct Entries<'a, 't> {
    map: Decoder<'a, 't>,
    next: usize,
    key: &'t str,
    value: Option<Node<'t>>,
}

impl<'a, 't> Entries<'a, 't> {
    fn new(map: Decoder<'a, 't>) -> Self {
        Entries {
            map,
            next: 0,
            key: "",
            value: None,
        }
    }

    /// Steps on to the next key.
    fn advance(&mut self) -> Option<&'t str> {
        let entry = self.map.node.as_map()?.get(self.next)?;
        self.next += 1;
        self.key = entry.key;
        self.value = Some(entry.value);
        Some(entry.key)
    }
}

impl<'de> de::MapAccess<'de> for Entries<'_, '_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        match self.advance() {
            Some(key) => seed.deserialize(key.into_deserializer()).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let node = self.value.take().unwrap_or(self.map.node);
        decode_child(self.map, node, &self.map.at.key(self.key), seed)
    }
}

/// The known fields of a struct in turn.
struct Fields<'a, 't> {
    entries: Entries<'a, 't>,
    known: &'static [&'static str],
    field: &'static str,
}

impl<'de> de::MapAccess<'de> for Fields<'_, '_> {
    type Error = Fault;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Fault> {
        while let Some(key) = self.entries.advance() {
            if let Some(field) = self.known.iter().find(|&&field| field == key) {
                self.field = field;
                return seed.deserialize(field.into_deserializer()).map(Some);
            }
            let map = &self.entries.map;
            map.context.unknown_field(map.at, key, self.known);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let map = self.entries.map;
        let node = self.entries.value.take().unwrap_or(map.node);
        decode_child(map, node, &map.at.field(self.field), seed)
    }
}

fn decode_child<'de, S: DeserializeSeed<'de>>(
    parent: Decoder<'_, '_>,
    node: Node<'_>,
    at: &At<'_>,
    seed: S,
) -> Result<S::Value, Fault> {
    let decoder = Decoder {
        node,
        at,
        owner: parent.owner,
        context: parent.context,
        raw: parent.raw,
    };
    seed.deserialize(decoder).map_err(|fault| {
        parent.context.record(fault, at);
        Fault::Recorded
    })
}
