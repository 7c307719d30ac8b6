//! Which Rust types can cross a port, and as what.

use std::{
    any::TypeId,
    collections::{BTreeMap, HashMap},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    Secret, Shared, Value, ValueError,
    kind::{Kind, kinds},
};
use crate::component::PortType;

/// A Rust type that can cross a port.
///
/// Implemented for text, numbers, booleans, lists and maps of these, [`serde_json::Value`],
/// [`Value`] (anything), [`Shared`], [`Secret`] and [`FileRef`]. Give a struct or enum of your own
/// to `#[derive(Contract)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot cross a port",
    label = "not a port type",
    note = "derive it: `#[derive(Contract, Clone, Serialize, Deserialize, JsonSchema)]` gives a struct or enum a named contract",
    note = "or use `serde_json::Value` for a port that takes any JSON"
)]
pub trait PortData: Clone + Send + Sync + 'static {
    /// The kind of port that this type makes.
    type Kind: Kind;
    /// The type that a [`Value`] holds for it: itself, save for wrappers such as [`Shared`].
    type Held: Send + Sync + 'static;

    /// The port type at run time.
    fn port_type() -> PortType {
        Self::Kind::port_type()
    }

    /// Whether a port of this type must have a value.
    fn required() -> bool {
        true
    }

    /// Shares the value. `None` for an absent optional value.
    fn into_value(self) -> Option<Value>;

    /// Takes a value of the same type, or reads one from JSON.
    ///
    /// # Errors
    ///
    /// [`ValueError`] when the value's JSON does not fit this type.
    fn from_value(value: &Value) -> Result<Self, ValueError>;

    /// What stands for an unconnected port: an error, save for optional types.
    fn absent() -> Option<Self> {
        None
    }

    /// Joins what several connections bring into one list without a detour over JSON: lists of
    /// this very type and, where the port `lifts`, items of theirs. `None` where one is of another
    /// type, or this type is no list.
    fn gather(values: &[Value], lifts: bool) -> Option<Value> {
        let _ = (values, lifts);
        None
    }
}

/// Implements [`PortData`] for a type that a [`Value`] holds as it is.
macro_rules! held_as_is {
    ($([$($generics:tt)*] $type:ty => $kind:ty;)*) => {
        $(impl<$($generics)*> PortData for $type {
            type Kind = $kind;
            type Held = Self;

            fn into_value(self) -> Option<Value> {
                Some(Value::new(self))
            }

            fn from_value(value: &Value) -> Result<Self, ValueError> {
                value.read()
            }
        })*
    };
}

held_as_is! {
    [] String => kinds::Text;
    [] bool => kinds::Boolean;
    [] u8 => kinds::Number;
    [] u16 => kinds::Number;
    [] u32 => kinds::Number;
    [] u64 => kinds::Number;
    [] usize => kinds::Number;
    [] i8 => kinds::Number;
    [] i16 => kinds::Number;
    [] i32 => kinds::Number;
    [] i64 => kinds::Number;
    [] isize => kinds::Number;
    [] f32 => kinds::Number;
    [] f64 => kinds::Number;
    [] serde_json::Value => kinds::Json;
    [] FileRef => kinds::File;
    [T: PortData + Serialize + DeserializeOwned] BTreeMap<String, T> => kinds::Map<T::Kind>;
    [T: PortData + Serialize + DeserializeOwned] HashMap<String, T> => kinds::Map<T::Kind>;
}

impl<T: PortData + Serialize + DeserializeOwned> PortData for Vec<T> {
    type Kind = kinds::List<T::Kind>;
    type Held = Self;

    fn into_value(self) -> Option<Value> {
        Some(Value::new(self))
    }

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        value.read()
    }

    fn gather(values: &[Value], lifts: bool) -> Option<Value> {
        // Items whose JSON may be a list by itself are told from lists by their JSON alone.
        let plain = matches!(
            T::port_type(),
            PortType::Text | PortType::Number | PortType::Boolean | PortType::File
        );
        let mut items = Self::with_capacity(values.len());
        for value in values {
            if let Some(list) = value.get::<Self>() {
                items.extend_from_slice(list);
            } else if lifts && plain && value.type_id() == TypeId::of::<T::Held>() {
                items.push(T::from_value(value).ok()?);
            } else {
                return None;
            }
        }
        Some(Value::new(items))
    }
}

impl PortData for Value {
    type Kind = kinds::Any;
    type Held = Self;

    fn into_value(self) -> Option<Value> {
        Some(self)
    }

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        Ok(value.clone())
    }
}

impl<T: PortData + Serialize + DeserializeOwned> PortData for Shared<T> {
    type Kind = T::Kind;
    type Held = T;

    fn into_value(self) -> Option<Value> {
        Some(Self::into_value(self))
    }

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        match value.shared::<T>() {
            Some(shared) => Ok(shared),
            None => T::from_value(value).map(Self::new),
        }
    }

    fn gather(values: &[Value], lifts: bool) -> Option<Value> {
        T::gather(values, lifts)
    }
}

impl<T: DeserializeOwned + Send + Sync + 'static> PortData for Secret<T>
where
    Self: Clone,
{
    type Kind = kinds::Secret;
    type Held = Self;

    fn into_value(self) -> Option<Value> {
        Some(Value::new(self))
    }

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        value.read()
    }
}

impl<T: PortData> PortData for Option<T> {
    type Kind = T::Kind;
    type Held = T::Held;

    fn required() -> bool {
        false
    }

    fn into_value(self) -> Option<Value> {
        self.and_then(T::into_value)
    }

    fn from_value(value: &Value) -> Result<Self, ValueError> {
        T::from_value(value).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn gather(values: &[Value], lifts: bool) -> Option<Value> {
        T::gather(values, lifts)
    }
}

/// A file in artifact storage: what crosses a port in place of bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct FileRef {
    /// The file's name, for people and for a default when it is saved.
    pub name: String,
    /// IANA media type, for example `text/plain`.
    pub media_type: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes in lower-case hex.
    pub sha256: String,
    /// Path inside artifact storage.
    pub location: String,
}

impl FileRef {
    /// Names a stored file.
    pub fn new(
        name: impl Into<String>,
        media_type: impl Into<String>,
        size: u64,
        sha256: impl Into<String>,
        location: impl Into<String>,
    ) -> Self {
        Self {
            name: name.into(),
            media_type: media_type.into(),
            size,
            sha256: sha256.into(),
            location: location.into(),
        }
    }
}
