//! `core.form`.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use shipsec_core::{ComponentError, Context, Params, Ports, component, context::Question};

use super::approval::{described, limited};

/// `core.form` takes nothing.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
pub struct FormInput {}

/// What a field of a form takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum FieldType {
    /// Text.
    #[default]
    Text,
    /// A number.
    Number,
    /// Yes or no.
    Boolean,
    /// One of the options.
    Select,
    /// The name of a secret that the host knows, never the secret itself: what is answered is in the
    /// log.
    SecretName,
}

/// A field of a form.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct FormField {
    /// The key of its value.
    pub id: String,
    /// What is asked.
    #[serde(default)]
    pub label: String,
    /// What it takes.
    #[serde(default, rename = "type")]
    pub field_type: FieldType,
    /// Whether it must be filled in.
    #[serde(default)]
    pub required: bool,
    /// Its value where it is not filled in.
    #[serde(default)]
    pub default: Option<Json>,
    /// What can be chosen, of type `select`.
    #[serde(default)]
    pub options: Vec<String>,
}

/// What `core.form` asks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct FormParams {
    /// Title. The question.
    pub title: String,
    /// Description. What there is to know before one answers; it is in the log.
    #[serde(default)]
    pub description: String,
    /// Fields. What is to be filled in, in this order.
    pub fields: Vec<FormField>,
    /// Timeout. How long the question may wait, in seconds; for ever where it is missing.
    #[serde(default)]
    pub timeout_seconds: Option<f64>,
}

/// What `core.form` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct FormOutput {
    /// Submitted. The values by the ids of the fields, where somebody filled it in.
    #[port(branching)]
    pub submitted: Option<Json>,
    /// Timed out. The default values, where nobody filled it in in time.
    #[port(branching)]
    pub timed_out: Option<Json>,
}

/// Form. Asks a person to fill in some fields.
#[component(id = "core.form", version = "1.0.0", category = "human")]
pub async fn form(
    _: FormInput,
    params: &FormParams,
    cx: &Context,
) -> Result<FormOutput, ComponentError> {
    let question = Question::new("form", params.title.as_str())
        .with_schema(described(schema(params)?, &params.description));
    let question = limited(question, params.timeout_seconds)?;
    if !params.description.is_empty() {
        cx.info(&params.description);
    }
    let fields = params.fields.iter();
    let defaults = fields.filter_map(|field| Some((field.id.clone(), field.default.clone()?)));
    let mut values: Map<String, Json> = defaults.collect();
    Ok(match cx.ask(question).await? {
        None => FormOutput {
            submitted: None,
            timed_out: Some(Json::Object(values)),
        },
        Some(answer) => {
            values.extend(answer.as_object().cloned().unwrap_or_default());
            FormOutput {
                submitted: Some(Json::Object(values)),
                timed_out: None,
            }
        }
    })
}

/// JSON Schema 2020-12 of the answer.
fn schema(params: &FormParams) -> Result<Json, ComponentError> {
    let wrong = |at: usize, message: String| {
        ComponentError::validation(format!("field {at} of the form: {message}"))
            .with_field(format!("fields/{at}"), message)
    };
    let mut properties = Map::new();
    let mut required = BTreeSet::new();
    for (at, field) in params.fields.iter().enumerate() {
        let of = match field.field_type {
            FieldType::Text => json!({"type": "string"}),
            FieldType::Number => json!({"type": "number"}),
            FieldType::Boolean => json!({"type": "boolean"}),
            FieldType::SecretName => json!({"type": "string", "minLength": 1}),
            FieldType::Select if field.options.is_empty() => {
                return Err(wrong(at, "of type select, and has no options".to_owned()));
            }
            FieldType::Select => json!({"enum": field.options}),
        };
        let mut of = of.as_object().cloned().unwrap_or_default();
        if !field.label.is_empty() {
            of.insert("title".to_owned(), field.label.as_str().into());
        }
        // Properties have no order of their own in JSON.
        of.insert("x-order".to_owned(), at.into());
        if let Some(default) = &field.default {
            of.insert("default".to_owned(), default.clone());
        }
        if field.id.is_empty() {
            return Err(wrong(at, "it has no id".to_owned()));
        }
        if properties
            .insert(field.id.clone(), Json::Object(of))
            .is_some()
        {
            return Err(wrong(at, format!("id {:?} is there twice", field.id)));
        }
        // Where there is a default nobody has to fill it in.
        if field.required && field.default.is_none() {
            required.insert(field.id.as_str());
        }
    }
    Ok(json!({
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    }))
}
