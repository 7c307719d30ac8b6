//! What the macros expand to; not for use by hand.

use std::collections::BTreeSet;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{
    component::{ParamSpec, PortSpec},
    value::{PortData, Secret, Shared},
};

/// JSON Schema 2020-12 of a type, which stands alone.
pub fn schema_of<T: JsonSchema>() -> Json {
    let mut schema = SchemaSettings::draft2020_12()
        .into_generator()
        .into_root_schema_for::<T>();
    schema.remove("$schema");
    schema.to_value()
}

/// JSON Schema 2020-12 of all these ports as one object: what serde says of the struct, save that
/// a port with a default is not required.
pub fn ports_schema<T: JsonSchema>(ports: &[PortSpec]) -> Json {
    let mut schema = schema_of::<T>();
    for port in ports.iter().filter(|port| !port.required) {
        if let Some(required) = schema.get_mut("required").and_then(Json::as_array_mut) {
            required.retain(|id| id.as_str() != Some(port.id.as_str()));
        }
        let property = schema
            .pointer_mut("/properties")
            .and_then(|properties| properties.get_mut(port.id.as_str()))
            .and_then(Json::as_object_mut);
        if let (Some(property), Some(default)) = (property, &port.default) {
            property.insert("default".to_owned(), default.clone());
        }
    }
    let required = schema.get("required").and_then(Json::as_array);
    if required.is_some_and(Vec::is_empty)
        && let Some(schema) = schema.as_object_mut()
    {
        schema.remove("required");
    }
    schema
}

/// The JSON of a default; none where it has none, or is absent itself.
pub fn to_json<T: Serialize>(value: &T) -> Option<Json> {
    serde_json::to_value(value)
        .ok()
        .filter(|json| !json.is_null())
}

/// The schemas of a struct's fields, each standing alone.
#[derive(Debug)]
pub struct FieldSchemas {
    properties: Map<String, Json>,
    required: BTreeSet<String>,
    definitions: Map<String, Json>,
}

impl FieldSchemas {
    /// Takes the schema of a struct apart.
    pub fn of<T: JsonSchema>() -> Self {
        let mut generator = SchemaSettings::draft2020_12().into_generator();
        // Not as a root: a field that leads back to the struct then refers to its definition.
        let mut schema = T::json_schema(&mut generator).to_value();
        let properties = match schema.get_mut("properties").map(Json::take) {
            Some(Json::Object(properties)) => properties,
            _ => Map::new(),
        };
        let required = schema.get("required").and_then(Json::as_array);
        Self {
            properties,
            required: required
                .into_iter()
                .flatten()
                .filter_map(Json::as_str)
                .map(str::to_owned)
                .collect(),
            definitions: generator.take_definitions(true),
        }
    }

    /// The schema of one field, with the definitions that it refers to.
    fn schema<T: JsonSchema>(&self, id: &str) -> Json {
        // A struct whose schema is written by hand may not list its fields.
        let Some(property) = self.properties.get(id) else {
            return schema_of::<T>();
        };
        let mut schema = property.clone();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        let mut open = vec![property];
        while let Some(schema) = open.pop() {
            match schema {
                Json::Object(fields) => {
                    let target = fields.get("$ref").and_then(Json::as_str);
                    if let Some((name, definition)) = target.and_then(|to| self.definition(to))
                        && used.insert(name)
                    {
                        open.push(definition);
                    }
                    open.extend(fields.values());
                }
                Json::Array(items) => open.extend(items),
                _ => {}
            }
        }
        if let (Json::Object(fields), false) = (&mut schema, used.is_empty()) {
            let definitions: Map<String, Json> = used
                .into_iter()
                .filter_map(|name| Some((name.to_owned(), self.definitions.get(name)?.clone())))
                .collect();
            fields.insert("$defs".to_owned(), Json::Object(definitions));
        }
        schema
    }

    fn definition(&self, reference: &str) -> Option<(&str, &Json)> {
        let name = reference.strip_prefix("#/$defs/")?;
        let name = percent_encoding::percent_decode_str(name)
            .decode_utf8()
            .ok()?;
        let name = name.replace("~1", "/").replace("~0", "~");
        let (name, definition) = self.definitions.get_key_value(&name)?;
        Some((name.as_str(), definition))
    }

    /// One port, as its type makes it.
    pub fn port<T: PortData + JsonSchema>(
        &self,
        id: &'static str,
        label: &str,
        description: &str,
    ) -> PortSpec {
        let mut port = PortSpec::of::<T>(id);
        label.clone_into(&mut port.label);
        description.clone_into(&mut port.description);
        port.schema = self.schema::<T>(id);
        port
    }

    /// One parameter, as serde and its type make it.
    pub fn param<T: JsonSchema>(&self, id: &str, label: &str, description: &str) -> ParamSpec {
        let mut param = ParamSpec::new(id, self.schema::<T>(id));
        label.clone_into(&mut param.label);
        description.clone_into(&mut param.description);
        param.required = self.required.contains(id);
        param.default = param
            .schema
            .get("default")
            .filter(|default| !default.is_null())
            .cloned();
        if param.schema.get("x-shipsec-secret") == Some(&Json::Bool(true)) {
            param.editor = Some("secret".to_owned());
        }
        param
    }
}

/// The types of parameters that a secret editor may have.
#[diagnostic::on_unimplemented(
    message = "a secret editor on a type that is not `Secret<_>`: its value would be recorded in clear",
    label = "expected `Secret<_>`, found `{Self}`"
)]
pub trait SecretParam {}
impl<T> SecretParam for Secret<T> {}
impl<T: SecretParam> SecretParam for Option<T> {}

/// Compiles for secret parameters alone.
pub const fn secret_editor<T: SecretParam>() {}

/// The types of ports that may branch.
#[diagnostic::on_unimplemented(
    message = "a branching port whose type is not `Option<_>`: it is active when it has a value",
    label = "expected `Option<_>`, found `{Self}`"
)]
pub trait BranchingPort {}
impl<T> BranchingPort for Option<T> {}

/// Compiles for optional ports alone.
pub const fn branching_port<T: BranchingPort>() {}

/// The types of ports that may lift one item into a list.
#[diagnostic::on_unimplemented(
    message = "a lifting port whose type is not `Vec<_>`: it takes one item for its list",
    label = "expected `Vec<_>`, found `{Self}`"
)]
pub trait LiftingPort {}
impl<T> LiftingPort for Vec<T> {}
impl<T> LiftingPort for Shared<Vec<T>> {}
impl<T: LiftingPort> LiftingPort for Option<T> {}

/// Compiles for list ports alone.
pub const fn lifting_port<T: LiftingPort>() {}
