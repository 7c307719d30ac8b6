//! Coercion at run time: the same in every executor.

use serde_json::Value as Json;

use super::{Value, ValueError};
use crate::component::PortType;

/// Makes a value fit an input port: number and boolean into text, text into number and boolean,
/// one `T` into a `list<T>` where the port lifts. Whatever fits already passes as it is.
///
/// # Errors
///
/// [`ValueError`] saying what was expected and what came.
pub fn coerce(value: &Value, to: &PortType, lift: bool) -> Result<Value, ValueError> {
    if matches!(
        to,
        PortType::Any
            | PortType::Json
            | PortType::Secret
            | PortType::Map(_)
            | PortType::File
            | PortType::Contract(_)
    ) {
        return Ok(value.clone());
    }
    Ok(match coerced(value.json()?, to, lift)? {
        Some(json) => Value::from(json),
        None => value.clone(),
    })
}

/// `None` where the value fits as it is.
fn coerced(json: &Json, to: &PortType, lift: bool) -> Result<Option<Json>, ValueError> {
    let expected = |what: &str| ValueError::new(format!("expected {what}, got {}", shape(json)));
    match (to, json) {
        (PortType::Text, Json::Number(number)) => Ok(Some(number.to_string().into())),
        (PortType::Text, Json::Bool(flag)) => Ok(Some(flag.to_string().into())),
        (PortType::Text, Json::String(_)) | (PortType::Number, Json::Number(_)) => Ok(None),
        (PortType::Boolean, Json::Bool(_)) => Ok(None),
        (PortType::Number, Json::String(text)) => match serde_json::from_str(text.trim()) {
            Ok(Json::Number(number)) => Ok(Some(Json::Number(number))),
            _ => Err(expected("a number, or text that is one")),
        },
        (PortType::Boolean, Json::String(text)) => match text.trim() {
            "true" => Ok(Some(true.into())),
            "false" => Ok(Some(false.into())),
            _ => Err(expected("true or false")),
        },
        (PortType::List(_), Json::Array(_)) => Ok(None),
        (PortType::List(item), one) if lift => {
            let one = coerced(one, item, false)?.unwrap_or_else(|| one.clone());
            Ok(Some(Json::Array(vec![one])))
        }
        _ => Err(expected(&to.to_string())),
    }
}

/// What kind of JSON it is: never the value itself, which may be large or secret.
fn shape(json: &Json) -> &'static str {
    match json {
        Json::Null => "null",
        Json::Bool(_) => "a boolean",
        Json::Number(_) => "a number",
        Json::String(_) => "text",
        Json::Array(_) => "a list",
        Json::Object(_) => "an object",
    }
}
