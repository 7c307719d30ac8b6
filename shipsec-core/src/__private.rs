//! What the macros expand to; not for use by hand.

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::Value as Json;

/// JSON Schema 2020-12 of a type, which stands alone.
pub fn schema_of<T: JsonSchema>() -> Json {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.remove("$schema");
    schema.to_value()
}

/// The JSON of a default; none where it has none.
pub fn to_json<T: Serialize>(value: &T) -> Option<Json> {
    serde_json::to_value(value).ok()
}
