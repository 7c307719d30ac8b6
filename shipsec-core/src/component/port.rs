//! Ports: what goes into a component and what comes out.

use std::{
    any::TypeId,
    fmt,
    str::FromStr,
    sync::{Arc, OnceLock},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::{
    PortId,
    value::{PortData, Value},
};

/// The type of a port. On the wire it is text: `text`, `list<number>`, `shipsec.finding.v1`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum PortType {
    /// Anything but a secret.
    Any,
    /// Text.
    Text,
    /// A secret.
    Secret,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A reference to a file in artifact storage.
    File,
    /// Any JSON.
    Json,
    /// A list of one type.
    List(Box<PortType>),
    /// A map from text to one type.
    Map(Box<PortType>),
    /// A named contract; its name has a `.`, which tells it from the other types.
    Contract(Box<str>),
}

impl PortType {
    /// Whether an output of this type may be connected to an input of type `to`: equal types;
    /// `any` with anything but a secret; number and boolean into text; text into number and
    /// boolean (checked at run time); anything but a secret into `json`; a secret only into a
    /// secret. `lifts` is whether the input takes one `T` for its `list<T>`.
    pub fn connects_to(&self, to: &Self, lifts: bool) -> bool {
        match (self, to) {
            (Self::Secret, to) => *to == Self::Secret,
            (_, Self::Secret) => false,
            (Self::Any, _) | (_, Self::Any | Self::Json) => true,
            (Self::Number | Self::Boolean, Self::Text)
            | (Self::Text, Self::Number | Self::Boolean) => true,
            (from, to) if from == to => true,
            (from, Self::List(item)) => lifts && from.connects_to(item, false),
            _ => false,
        }
    }
}

impl fmt::Display for PortType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Text => f.write_str("text"),
            Self::Secret => f.write_str("secret"),
            Self::Number => f.write_str("number"),
            Self::Boolean => f.write_str("boolean"),
            Self::File => f.write_str("file"),
            Self::Json => f.write_str("json"),
            Self::List(item) => write!(f, "list<{item}>"),
            Self::Map(item) => write!(f, "map<{item}>"),
            Self::Contract(name) => f.write_str(name),
        }
    }
}

impl FromStr for PortType {
    type Err = UnknownPortType;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Each level strips a prefix and a suffix, so the depth is bounded before recursing.
        const DEEPEST: usize = 16;
        if text.bytes().filter(|b| *b == b'<').count() > DEEPEST {
            return Err(UnknownPortType(text.chars().take(80).collect()));
        }
        let inside = |prefix| text.strip_prefix(prefix)?.strip_suffix('>');
        Ok(match text {
            "any" => Self::Any,
            "text" | "string" => Self::Text,
            "secret" => Self::Secret,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "file" => Self::File,
            "json" => Self::Json,
            _ => {
                if let Some(item) = inside("list<") {
                    Self::List(Box::new(item.parse()?))
                } else if let Some(item) = inside("map<") {
                    Self::Map(Box::new(item.parse()?))
                } else if text.contains('.')
                    && text
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b".-_".contains(&b))
                {
                    Self::Contract(text.into())
                } else {
                    return Err(UnknownPortType(text.chars().take(80).collect()));
                }
            }
        })
    }
}

impl Serialize for PortType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PortType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for PortType {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "PortType".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "description": "any, text, secret, number, boolean, file, json, list<T>, map<T>, or a contract's name" })
    }
}

/// Text that names no port type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown port type {0:?}: expected any, text, secret, number, boolean, file, json, list<T>, map<T>, or a contract's name such as shipsec.finding.v1"
)]
pub struct UnknownPortType(String);

/// Which value an input takes when a connection and a value set by hand are both there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum PortPriority {
    /// The connection's value; the one set by hand fills in where the connection gives none.
    #[default]
    ConnectionFirst,
    /// The value set by hand.
    ManualFirst,
}

/// One input or output port.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct PortSpec {
    /// The name that edges use.
    pub id: PortId,
    /// A short name for people.
    pub label: String,
    /// What the port is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The type of its values.
    #[serde(rename = "type")]
    pub port_type: PortType,
    /// Inputs: a value must be there, from a connection or set by hand.
    pub required: bool,
    /// Outputs: only the branching ports that have a value are active; edges from the others are
    /// dead.
    #[serde(default, skip_serializing_if = "is_false")]
    pub branching: bool,
    /// Inputs: a connection or the value set by hand, when both are there.
    #[serde(default)]
    pub priority: PortPriority,
    /// Inputs of a list type: one item is accepted for a list of one.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lift: bool,
    /// Inputs: the value of the port when nothing else gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// JSON Schema 2020-12 of its values.
    #[serde(default, skip_serializing_if = "Json::is_null")]
    pub schema: Json,
    /// The Rust type of its values, where it is known in this process.
    #[serde(skip)]
    #[schemars(skip)]
    pub rust_type: Option<TypeId>,
    /// Joins the values of several connections into one list, where the Rust type is one.
    #[serde(skip)]
    #[schemars(skip)]
    pub(crate) gather: Option<Gather>,
    #[serde(skip)]
    #[schemars(skip)]
    check: Arc<OnceLock<Check>>,
}

/// [`PortData::gather`] of a port's Rust type.
pub(crate) type Gather = fn(&[Value], bool) -> Option<Value>;

/// How a value of a port is checked against its schema; made at the first value.
#[derive(Debug)]
struct Check {
    /// The schema says more than the Rust type does.
    beyond_type: bool,
    /// `None` where every value fits.
    validator: Option<jsonschema::Validator>,
}

impl Check {
    fn new(schema: &Json) -> Self {
        let everything = matches!(schema, Json::Bool(true) | Json::Null);
        Self {
            beyond_type: !everything && says_more_than_a_type(schema),
            validator: (!everything)
                .then(|| jsonschema::draft202012::new(schema).ok())
                .flatten(),
        }
    }
}

/// Whether a schema has a limit that a Rust type does not have by itself.
fn says_more_than_a_type(schema: &Json) -> bool {
    const LIMITS: [&str; 15] = [
        "minimum",
        "maximum",
        "exclusiveMinimum",
        "exclusiveMaximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "minItems",
        "maxItems",
        "uniqueItems",
        "minProperties",
        "maxProperties",
        "contains",
        "not",
    ];
    let mut stack = vec![schema];
    while let Some(schema) = stack.pop() {
        match schema {
            Json::Object(fields) => {
                let of_type = |key: &str, value: &Json| {
                    let format = fields.get("format").and_then(Json::as_str);
                    matches!(key, "minimum" | "maximum")
                        && value.as_i64().is_some()
                        && format.and_then(|format| bound_of(format, key)) == value.as_i64()
                };
                let limits = |(key, value): (&String, &Json)| {
                    LIMITS.contains(&key.as_str()) && !of_type(key, value)
                };
                if fields.iter().any(limits) {
                    return true;
                }
                stack.extend(fields.values());
            }
            Json::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    false
}

/// The bound that schemars writes for every value of an integer type, whoever uses it.
fn bound_of(format: &str, key: &str) -> Option<i64> {
    let (minimum, maximum) = match format {
        "uint8" => (0, Some(u8::MAX.into())),
        "uint16" => (0, Some(u16::MAX.into())),
        "uint32" | "uint64" | "uint128" | "uint" => (0, None),
        "int8" => (i8::MIN.into(), Some(i8::MAX.into())),
        "int16" => (i16::MIN.into(), Some(i16::MAX.into())),
        _ => return None,
    };
    if key == "minimum" {
        Some(minimum)
    } else {
        maximum
    }
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

impl PortSpec {
    /// A port of a run-time type, optional, without branching, priority or lift.
    pub fn new(id: impl Into<PortId>, port_type: PortType) -> Self {
        let id = id.into();
        Self {
            label: id.to_string(),
            id,
            description: String::new(),
            port_type,
            required: false,
            branching: false,
            priority: PortPriority::default(),
            lift: false,
            default: None,
            schema: Json::Bool(true),
            rust_type: None,
            gather: None,
            check: Arc::default(),
        }
    }

    /// Whether the schema has limits that the Rust type does not have by itself.
    pub(crate) fn has_limits(&self) -> bool {
        self.check
            .get_or_init(|| Check::new(&self.schema))
            .beyond_type
    }

    /// Checks a value against the port's schema. A value of the port's own Rust type is checked
    /// only where the schema has limits that the type does not have.
    ///
    /// # Errors
    ///
    /// What does not fit, where, and what was expected.
    pub fn check(&self, value: &Value) -> Result<(), String> {
        if self.port_type == PortType::Secret {
            return Ok(());
        }
        let check = self.check.get_or_init(|| Check::new(&self.schema));
        let Some(validator) = &check.validator else {
            return Ok(());
        };
        if !check.beyond_type && self.rust_type == Some(value.type_id()) {
            return Ok(());
        }
        let json = value.json().map_err(|error| error.to_string())?;
        let problems: Vec<_> = validator
            .iter_errors(json)
            .take(5)
            .map(|error| {
                let place = error.instance_path().to_string();
                let message = error.masked().to_string();
                if place.is_empty() {
                    message
                } else {
                    format!("{place}: {message}")
                }
            })
            .collect();
        if problems.is_empty() {
            Ok(())
        } else {
            Err(problems.join("; "))
        }
    }

    /// A port of the Rust type `T`, required unless `T` is optional; what `#[derive(Ports)]` makes.
    pub fn of<T: PortData>(id: impl Into<PortId>) -> Self {
        let mut port = Self::new(id, T::port_type());
        port.required = T::required();
        port.rust_type = Some(TypeId::of::<T::Held>());
        port.gather = Some(T::gather);
        port
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_survive_their_text() {
        for text in ["any", "list<map<number>>", "shipsec.finding.v1", "secret"] {
            assert_eq!(text.parse::<PortType>().unwrap().to_string(), text);
        }
        for bad in ["", "lists", "list<", "list<>", &"list<".repeat(100_000)] {
            assert!(bad.parse::<PortType>().is_err());
        }
    }

    #[test]
    fn the_connection_rules_hold() {
        let t = |text: &str| text.parse::<PortType>().unwrap();
        for (from, to, lifts, ok) in [
            ("text", "text", false, true),
            ("any", "number", false, true),
            ("any", "secret", false, false),
            ("secret", "any", false, false),
            ("secret", "json", false, false),
            ("secret", "secret", false, true),
            ("number", "text", false, true),
            ("boolean", "text", false, true),
            ("text", "boolean", false, true),
            ("number", "boolean", false, false),
            ("text", "list<text>", false, false),
            ("text", "list<text>", true, true),
            ("list<text>", "text", false, false),
            ("list<text>", "list<number>", false, false),
            ("json", "text", false, false),
            ("a.b", "json", false, true),
            ("a.b", "a.c", false, false),
        ] {
            assert_eq!(
                t(from).connects_to(&t(to), lifts),
                ok,
                "{from} -> {to} lifts={lifts}"
            );
        }
    }
}
