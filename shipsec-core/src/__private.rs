//! What the macros expand to; not for use by hand.

use std::{any::TypeId, collections::BTreeSet};

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::{
    component::{ParamSpec, Params, PortSpec, PortType, Ports},
    value::{Secret, Shared, Value},
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
    /// The fields of a set of ports. The bound is what the caller implements, so that a derive that
    /// it lacks is one error.
    pub fn ports<T: Ports>() -> Self {
        Self::of::<T>()
    }

    /// The fields of a set of parameters.
    pub fn params<T: Params>() -> Self {
        Self::of::<T>()
    }

    /// Takes the schema of a struct apart.
    fn of<T: JsonSchema>() -> Self {
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

    /// The schema of one field, with the definitions that it refers to. What is said beside it
    /// (description, default) is left out, so that a field that takes anything has the schema
    /// `true`.
    fn schema(&self, id: &str) -> Json {
        // A struct whose schema is written by hand may not list its fields.
        let Some(property) = self.properties.get(id) else {
            return Json::Bool(true);
        };
        let mut schema = property.clone();
        if let Json::Object(fields) = &mut schema {
            fields.retain(|key, _| key != "description" && key != "default");
            if fields.is_empty() {
                return Json::Bool(true);
            }
        }
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

    /// One port. What its type says is asked by the caller, so that a type that cannot cross a port
    /// is one error.
    #[expect(
        clippy::too_many_arguments,
        reason = "all that a derive knows of a field"
    )]
    pub fn port(
        &self,
        id: &'static str,
        label: &str,
        description: &str,
        port_type: PortType,
        required: bool,
        held: TypeId,
        gather: fn(&[Value], bool) -> Option<Value>,
    ) -> PortSpec {
        let mut port = PortSpec::new(id, port_type);
        label.clone_into(&mut port.label);
        description.clone_into(&mut port.description);
        port.required = required;
        port.rust_type = Some(held);
        port.gather = Some(gather);
        port.schema = self.schema(id);
        port
    }

    /// One parameter, as serde and its type make it.
    pub fn param(&self, id: &str, label: &str, description: &str) -> ParamSpec {
        let mut param = ParamSpec::new(id, self.schema(id));
        label.clone_into(&mut param.label);
        description.clone_into(&mut param.description);
        param.required = self.required.contains(id);
        let property = self.properties.get(id);
        param.default = property
            .and_then(|property| property.get("default"))
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
#[diagnostic::do_not_recommend]
impl<T> SecretParam for Secret<T> {}
#[diagnostic::do_not_recommend]
impl<T: SecretParam> SecretParam for Option<T> {}

/// Compiles for secret parameters alone.
pub const fn secret_editor<T: SecretParam>() {}

/// The types of ports that may branch.
#[diagnostic::on_unimplemented(
    message = "a branching port whose type is not `Option<_>`: it is active when it has a value",
    label = "expected `Option<_>`, found `{Self}`"
)]
pub trait BranchingPort {}
#[diagnostic::do_not_recommend]
impl<T> BranchingPort for Option<T> {}

/// Compiles for optional ports alone.
pub const fn branching_port<T: BranchingPort>() {}

/// The types of ports that may lift one item into a list.
#[diagnostic::on_unimplemented(
    message = "a lifting port whose type is not `Vec<_>`: it takes one item for its list",
    label = "expected `Vec<_>`, found `{Self}`"
)]
pub trait LiftingPort {}
#[diagnostic::do_not_recommend]
impl<T> LiftingPort for Vec<T> {}
#[diagnostic::do_not_recommend]
impl<T> LiftingPort for Shared<Vec<T>> {}
#[diagnostic::do_not_recommend]
impl<T: LiftingPort> LiftingPort for Option<T> {}

/// Compiles for list ports alone.
pub const fn lifting_port<T: LiftingPort>() {}
