//! A serde deserializer over nodes that knows its path and never gives up at the first fault.
//!
//! The types of `k8s-openapi` tell the names of their fields, which makes unknown fields visible here. Go's
//! rules hold: null is absent, a number in a string field is an error, `80.0` in YAML is an integer.

use std::cell::RefCell;
use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer as _, Visitor};

use super::leaf::{self, Leaf};
use crate::manifest::base64;
use crate::manifest::fault;
use crate::manifest::source::{At, Finding, FindingType, Findings, Severity};
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
            self.refuse(at, message);
        }
    }

    fn mismatch(&self, finding: Finding) {
        let mut outcome = self.outcome.borrow_mut();
        let is_first = !std::mem::replace(&mut outcome.has_mismatch, true);
        fault::keep(&mut outcome.findings, finding, is_first);
    }

    fn refuse(&self, at: &At<'_>, message: String) {
        self.mismatch(Finding {
            severity: Severity::Error,
            kind: FindingType::Decode,
            path: at.to_path(),
            message,
            help: None,
        });
    }

    fn unknown_field(&self, at: &At<'_>, name: &str, known: &[&'static str]) {
        let mut outcome = self.outcome.borrow_mut();
        let is_full = outcome.findings.0.len() > fault::MAX_FINDINGS;
        if let Some(severity) = self.unknown_fields
            && !is_full
        {
            let known = known.iter().copied();
            let finding = fault::unknown_field(at, name, known, severity);
            fault::keep(&mut outcome.findings, finding, false);
        }
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
        let finding = fault::mismatch(self.node, self.at, self.owner, &wanted.to_string());
        self.context.mismatch(finding);
    }

    fn refuse(&self, message: String) {
        self.context.refuse(self.at, message);
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
