//! [`Value`], the erased shared value, and [`Shared`], its typed face.

use std::{
    any::{Any, TypeId, type_name},
    fmt,
    io::Write,
    ops::Deref,
    sync::{Arc, OnceLock},
};

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize, Serializer, de::DeserializeOwned};
use serde_json::Value as Json;

use super::nesting::{Shallow, TooDeep};

/// A value could not become JSON, or JSON could not become a value of the type asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ValueError {
    message: String,
}

impl ValueError {
    /// An error with a message that says what was expected.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
        }
    }
}

/// A value on its way between nodes, shared by all who read it.
///
/// Inside is the Rust value that the producing component made. A consumer with the same type reads
/// that very value; anybody else reads its JSON, which is made at the first asking and kept.
/// Cloning costs one reference count, whatever the size.
///
/// ```
/// use shipsec_core::Value;
///
/// let value = Value::new(vec![1_u32, 2, 3]);
/// assert_eq!(value.get::<Vec<u32>>(), Some(&vec![1, 2, 3]));
/// assert_eq!(value.json().unwrap(), &serde_json::json!([1, 2, 3]));
/// ```
#[derive(Clone)]
pub struct Value(Arc<dyn Slot>);

trait Slot: Any + Send + Sync {
    fn type_name(&self) -> &'static str;
    fn json(&self) -> Result<&Json, ValueError>;
    fn write(&self, out: &mut dyn Write) -> serde_json::Result<()>;
    fn held(&self) -> TypeId;
}

struct Typed<T> {
    value: T,
    json: OnceLock<Box<Json>>,
}

impl<T: Serialize + Send + Sync + 'static> Slot for Typed<T> {
    fn type_name(&self) -> &'static str {
        type_name::<T>()
    }

    fn json(&self) -> Result<&Json, ValueError> {
        if let Some(json) = (&self.value as &dyn Any).downcast_ref::<Json>() {
            return Ok(json);
        }
        if let Some(json) = self.json.get() {
            return Ok(json);
        }
        let json = serde_json::to_value(&self.value).map_err(|error| {
            ValueError::new(format!(
                "a value of type {} has no JSON: {error}",
                type_name::<T>()
            ))
        })?;
        Ok(self.json.get_or_init(|| Box::new(json)))
    }

    fn write(&self, out: &mut dyn Write) -> serde_json::Result<()> {
        match self.json.get() {
            Some(json) => serde_json::to_writer(out, json),
            None => serde_json::to_writer(out, &self.value),
        }
    }

    fn held(&self) -> TypeId {
        TypeId::of::<T>()
    }
}

impl Value {
    /// Shares a value.
    pub fn new<T: Serialize + Send + Sync + 'static>(value: T) -> Self {
        Self(Arc::new(Typed {
            value,
            json: OnceLock::new(),
        }))
    }

    /// The value, where it is of the type `T`.
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let slot: &dyn Any = &*self.0;
        slot.downcast_ref::<Typed<T>>().map(|typed| &typed.value)
    }

    /// The type of the value inside.
    pub fn type_id(&self) -> TypeId {
        self.0.held()
    }

    /// The name of the Rust type inside, for messages to people.
    pub fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    /// The same value with its type, where it is of the type `T`. Nothing is copied.
    pub fn shared<T: Send + Sync + 'static>(&self) -> Option<Shared<T>> {
        let any: Arc<dyn Any + Send + Sync> = self.0.clone();
        any.downcast::<Typed<T>>().ok().map(Shared)
    }

    /// The JSON of the value, made at the first call and kept.
    ///
    /// # Errors
    ///
    /// [`ValueError`] when the type's `Serialize` gives up, for example for a map whose keys are
    /// not text.
    pub fn json(&self) -> Result<&Json, ValueError> {
        self.0.json()
    }

    /// Writes the value as JSON text without keeping a tree of it.
    ///
    /// # Errors
    ///
    /// What the writer or the type's `Serialize` reports.
    pub fn write_json(&self, mut out: impl Write) -> serde_json::Result<()> {
        self.0.write(&mut out)
    }

    /// Whether its JSON has more levels than a value may have: a node that gives one fails. Components
    /// that put values into values ask before they do.
    ///
    /// Takes as long as writing the JSON.
    pub fn is_too_deep(&self) -> bool {
        let written = self.write_json(Shallow::new(std::io::sink()));
        written.is_err_and(|error| error.is_io() && TooDeep::is(&error.into()))
    }

    /// What is known of its JSON text after at most `limit` bytes, and a few more.
    pub(crate) fn is_large(&self, limit: usize) -> Result<bool, TooDeep> {
        let mut text = Shallow::new(Within::new(limit));
        match self.write_json(&mut text).map_err(std::io::Error::from) {
            Err(error) if TooDeep::is(&error) => Err(TooDeep),
            _ => Ok(text.into_inner().over),
        }
    }

    /// Whether the value's JSON text is longer than `limit` bytes. Stops writing at the limit.
    pub fn is_larger_than(&self, limit: usize) -> bool {
        let mut text = Within::new(limit);
        let _ = self.write_json(&mut text);
        text.over
    }

    /// Reads the value as a `T`: the value itself where it is one, else from its JSON.
    ///
    /// # Errors
    ///
    /// [`ValueError`] when the JSON does not fit `T`.
    pub fn read<T: DeserializeOwned + Clone + 'static>(&self) -> Result<T, ValueError> {
        if let Some(value) = self.get::<T>() {
            return Ok(value.clone());
        }
        T::deserialize(self.json()?).map_err(|error| ValueError::new(error.to_string()))
    }
}

/// Takes so many bytes, and no more.
struct Within {
    left: usize,
    over: bool,
}

impl Within {
    fn new(left: usize) -> Self {
        Self { left, over: false }
    }
}

impl Write for Within {
    fn write(&mut self, buf: &[u8]) -> std::io::Result<usize> {
        if buf.len() > self.left {
            self.over = true;
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        self.left -= buf.len();
        Ok(buf.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value<{}>", self.0.type_name())
    }
}

impl PartialEq for Value {
    /// Values are equal when they are the same one, or when their JSON is equal.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
            || matches!((self.json(), other.json()), (Ok(a), Ok(b)) if a == b)
    }
}

impl From<Json> for Value {
    fn from(json: Json) -> Self {
        Self::new(json)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json()
            .map_err(serde::ser::Error::custom)?
            .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Json::deserialize(deserializer).map(Self::new)
    }
}

impl JsonSchema for Value {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Any".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        true.into()
    }
}

/// A typed value that is shared, not copied: the field type for large inputs and outputs.
///
/// An input field of type `Shared<T>` connects to any output of type `T` (or `Shared<T>`), and
/// reads the producer's value in place.
pub struct Shared<T>(Arc<Typed<T>>);

impl<T> Shared<T> {
    /// Shares a value.
    pub fn new(value: T) -> Self {
        Self(Arc::new(Typed {
            value,
            json: OnceLock::new(),
        }))
    }

    /// Takes the value out where nobody else holds it.
    ///
    /// # Errors
    ///
    /// Gives `self` back where the value is shared with others.
    pub fn try_unwrap(self) -> Result<T, Self> {
        Arc::try_unwrap(self.0)
            .map(|typed| typed.value)
            .map_err(Self)
    }
}

impl<T: Serialize + Send + Sync + 'static> Shared<T> {
    /// The same value without its type.
    pub fn into_value(self) -> Value {
        Value(self.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.value.fmt(f)
    }
}

impl<T: Default> Default for Shared<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Serialize> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Shared<T> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        T::deserialize(deserializer).map(Self::new)
    }
}

impl<T: JsonSchema> JsonSchema for Shared<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_of_the_same_type_reads_the_producers_value_in_place() {
        let value = Value::new(String::from("large"));
        let shared = value.shared::<String>().unwrap();
        assert!(std::ptr::eq(value.get::<String>().unwrap(), &*shared));
        assert!(value.shared::<u32>().is_none());
    }

    #[test]
    fn json_is_made_once_and_a_tree_is_never_copied() {
        let value = Value::new(vec![1, 2]);
        assert!(std::ptr::eq(value.json().unwrap(), value.json().unwrap()));
        let tree = Value::from(serde_json::json!({"a": [1]}));
        assert!(std::ptr::eq(
            tree.json().unwrap(),
            tree.get::<Json>().unwrap()
        ));
    }

    #[test]
    fn what_is_nested_too_deep_is_told() {
        let nested = |levels: usize| {
            let wrap = |inner: Json, _| Json::Array(vec![inner]);
            Value::new((0..levels).fold(Json::from("[["), wrap))
        };
        assert!(!nested(120).is_too_deep());
        assert!(nested(121).is_too_deep());
        assert_eq!(nested(120).is_large(1000), Ok(false));
        assert_eq!(nested(120).is_large(10), Ok(true));
        assert_eq!(nested(121).is_large(1000), Err(TooDeep));
        // It ends long before the stack does.
        assert!(Value::new(vec![nested(100); 3]).is_large(1000).is_ok());
        assert!(Value::new(vec![nested(120)]).is_too_deep());
    }

    #[test]
    fn the_size_check_stops_at_the_limit() {
        let text = Value::new("x".repeat(100));
        assert!(text.is_larger_than(101));
        assert!(!text.is_larger_than(102));
    }
}
