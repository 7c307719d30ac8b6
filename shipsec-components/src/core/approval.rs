//! `core.approval`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use shipsec_core::{ComponentError, Context, Params, Ports, Value, component, context::Question};

/// What `core.approval` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalInput {
    /// Value. What it is about, and passed on to where the answer leads.
    pub value: Option<Value>,
}

/// What `core.approval` asks.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct ApprovalParams {
    /// Title. The question.
    pub title: String,
    /// Description. What there is to know before one answers; it is in the log.
    #[serde(default)]
    pub description: String,
    /// Timeout. How long the question may wait, in seconds; for ever where it is missing.
    #[serde(default)]
    pub timeout_seconds: Option<f64>,
}

/// What `core.approval` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalOutput {
    /// Approved. The value, where somebody said yes.
    #[port(branching)]
    pub approved: Option<Value>,
    /// Rejected. The value, where somebody said no.
    #[port(branching)]
    pub rejected: Option<Value>,
    /// Timed out. The value, where nobody answered in time.
    #[port(branching)]
    pub timed_out: Option<Value>,
    /// Comment. Why, where whoever answered said so.
    pub comment: Option<String>,
}

/// Approval. Asks a person for a yes or a no, and goes the way of the answer.
#[component(id = "core.approval", version = "1.0.0", category = "human")]
pub async fn approval(
    input: ApprovalInput,
    params: &ApprovalParams,
    cx: &Context,
) -> Result<ApprovalOutput, ComponentError> {
    let schema = json!({
        "type": "object",
        "properties": {
            "approved": {"type": "boolean", "title": "Yes or no"},
            "comment": {"type": "string", "title": "Why"},
        },
        "required": ["approved"],
        "additionalProperties": false,
    });
    let question = Question::new("approval", params.title.as_str())
        .with_schema(described(schema, &params.description));
    let question = limited(question, params.timeout_seconds)?;
    if !params.description.is_empty() {
        cx.info(&params.description);
    }
    let value = input.value.unwrap_or_else(|| Value::from(Json::Null));
    let mut output = ApprovalOutput {
        approved: None,
        rejected: None,
        timed_out: None,
        comment: None,
    };
    let Some(answer) = cx.ask(question).await? else {
        output.timed_out = Some(value);
        return Ok(output);
    };
    let comment = answer.get("comment").and_then(Json::as_str);
    output.comment = comment.map(str::to_owned);
    match answer.get("approved") {
        Some(Json::Bool(true)) => output.approved = Some(value),
        _ => output.rejected = Some(value),
    }
    Ok(output)
}

/// The schema of an answer with what there is to know before one gives it, so that whoever shows the
/// question can show that beside it.
pub(super) fn described(mut schema: Json, description: &str) -> Json {
    if !description.is_empty() {
        schema["description"] = description.into();
    }
    schema
}

/// The question with a time limit, where there is one.
pub(super) fn limited(
    question: Question,
    seconds: Option<f64>,
) -> Result<Question, ComponentError> {
    let Some(seconds) = seconds else {
        return Ok(question);
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(limit) if !limit.is_zero() => Ok(question.with_timeout(limit)),
        _ => {
            let error = ComponentError::validation(format!("{seconds} s is no time to wait"));
            Err(error.with_field("timeoutSeconds", "give seconds, more than 0"))
        }
    }
}
