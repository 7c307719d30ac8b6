//! `core.logic.branch`.

use std::cmp::Ordering;

use regex::RegexBuilder;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value as Json};
use shipsec_core::{ComponentError, Context, Params, Ports, Value, component};

use crate::support::shape;

/// What `core.logic.branch` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct BranchInput {
    /// Value. What is looked at, and passed on; null where it is absent.
    pub value: Option<Value>,
    /// Compare to. The right-hand side of the operator; null where it is absent.
    pub compare_to: Option<Value>,
}

/// What a branch asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Operator {
    /// The value is neither absent, null, false, 0, nor an empty text, list or object.
    #[default]
    Truthy,
    /// The value is absent or null.
    IsNull,
    /// The value is absent, null, or an empty text, list or object.
    IsEmpty,
    /// Both are equal; a number equals the text that writes it, and `true` the text "true".
    Equals,
    /// The opposite of `equals`.
    NotEquals,
    /// The value is greater: numbers by size, texts by their characters.
    GreaterThan,
    /// The value is greater, or equal.
    GreaterOrEqual,
    /// The value is less.
    LessThan,
    /// The value is less, or equal.
    LessOrEqual,
    /// The text has the other in it, the list has it for an item, the object for a key.
    Contains,
    /// The text begins with the other.
    StartsWith,
    /// The text ends with the other.
    EndsWith,
    /// The text has a match of the regular expression (syntax of Rust's `regex` crate).
    Matches,
}

/// How `core.logic.branch` decides.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct BranchParams {
    /// Operator. What is asked of the value.
    #[serde(default)]
    #[param(editor = "select")]
    pub operator: Operator,
    /// Pointer. JSON Pointer (RFC 6901) to the part of the value that is looked at, such as
    /// `/summary/critical`; empty for the whole. What it does not find is null.
    #[serde(default)]
    pub pointer: String,
    /// Negate. The other way round.
    #[serde(default)]
    pub negate: bool,
    /// Ignore case. Texts are compared in lower case.
    #[serde(default)]
    pub ignore_case: bool,
}

/// What `core.logic.branch` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
pub struct BranchOutput {
    /// True. The value, where the condition holds.
    #[port(branching)]
    #[serde(rename = "true")]
    pub on_true: Option<Value>,
    /// False. The value, where the condition does not hold.
    #[port(branching)]
    #[serde(rename = "false")]
    pub on_false: Option<Value>,
    /// Result. Whether the condition holds.
    pub result: bool,
}

/// Branch. Goes one way or the other, by a condition on a value.
#[component(id = "core.logic.branch", version = "1.0.0", category = "logic")]
pub async fn logic_branch(
    input: BranchInput,
    params: &BranchParams,
    cx: &Context,
) -> Result<BranchOutput, ComponentError> {
    let value = input.value.unwrap_or_else(|| Value::from(Json::Null));
    let compare_to = input.compare_to.unwrap_or_else(|| Value::from(Json::Null));
    let result = decide(
        json(&value, "value")?,
        json(&compare_to, "compareTo")?,
        params,
    )?;
    cx.info(format!("the condition is {result}"));
    let (on_true, on_false) = if result {
        (Some(value), None)
    } else {
        (None, Some(value))
    };
    Ok(BranchOutput {
        on_true,
        on_false,
        result,
    })
}

fn json<'a>(value: &'a Value, port: &str) -> Result<&'a Json, ComponentError> {
    value.json().map_err(|error| wrong(port, error.to_string()))
}

fn wrong(field: &str, message: String) -> ComponentError {
    ComponentError::validation(format!("{field}: {message}")).with_field(field, message)
}

fn decide(value: &Json, to: &Json, params: &BranchParams) -> Result<bool, ComponentError> {
    if !params.pointer.is_empty() && !params.pointer.starts_with('/') {
        let message = format!("{:?} is no JSON Pointer: expected /a/b", params.pointer);
        return Err(wrong("pointer", message));
    }
    let value = value.pointer(&params.pointer).unwrap_or(&Json::Null);
    let holds = match params.operator {
        Operator::Truthy => !is_empty(value) && !is_zero(value),
        Operator::IsNull => value.is_null(),
        Operator::IsEmpty => is_empty(value),
        Operator::Equals => equal(value, to, params.ignore_case),
        Operator::NotEquals => !equal(value, to, params.ignore_case),
        Operator::GreaterThan => order(value, to, params)?.is_gt(),
        Operator::GreaterOrEqual => order(value, to, params)?.is_ge(),
        Operator::LessThan => order(value, to, params)?.is_lt(),
        Operator::LessOrEqual => order(value, to, params)?.is_le(),
        Operator::Contains => contains(value, to, params)?,
        Operator::StartsWith => {
            let (value, to) = texts(value, to, params)?;
            value.starts_with(&to)
        }
        Operator::EndsWith => {
            let (value, to) = texts(value, to, params)?;
            value.ends_with(&to)
        }
        Operator::Matches => matches(value, to, params)?,
    };
    Ok(holds != params.negate)
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(fields) => fields.is_empty(),
        Json::Bool(_) | Json::Number(_) => false,
    }
}

fn is_zero(value: &Json) -> bool {
    match value {
        Json::Bool(flag) => !flag,
        Json::Number(number) => number.as_f64() == Some(0.0),
        _ => false,
    }
}

fn folded(text: &str, ignore_case: bool) -> String {
    if ignore_case {
        text.to_lowercase()
    } else {
        text.to_owned()
    }
}

fn equal(a: &Json, b: &Json, ignore_case: bool) -> bool {
    match (a, b) {
        (Json::Number(a), Json::Number(b)) => compare(a, b).is_eq(),
        (Json::Number(number), Json::String(text)) | (Json::String(text), Json::Number(number)) => {
            numeric(text).is_some_and(|other| compare(number, &other).is_eq())
        }
        (Json::Bool(flag), Json::String(text)) | (Json::String(text), Json::Bool(flag)) => {
            text.trim() == if *flag { "true" } else { "false" }
        }
        (Json::String(a), Json::String(b)) if ignore_case => a.to_lowercase() == b.to_lowercase(),
        (a, b) => a == b,
    }
}

/// The number that a text writes.
fn numeric(text: &str) -> Option<Number> {
    match serde_json::from_str(text.trim()) {
        Ok(Json::Number(number)) => Some(number),
        _ => None,
    }
}

fn compare(a: &Number, b: &Number) -> Ordering {
    // Whole numbers exactly: a float has no room for all of them.
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => a.cmp(&b),
        _ => {
            let float = |number: &Number| number.as_f64().unwrap_or(f64::NAN);
            float(a).total_cmp(&float(b))
        }
    }
}

fn order(value: &Json, to: &Json, params: &BranchParams) -> Result<Ordering, ComponentError> {
    let number = |json: &Json| match json {
        Json::Number(number) => Some(number.clone()),
        Json::String(text) => numeric(text),
        _ => None,
    };
    match (value, to) {
        (Json::String(a), Json::String(b)) => {
            Ok(folded(a, params.ignore_case).cmp(&folded(b, params.ignore_case)))
        }
        _ => match (number(value), number(to)) {
            (Some(a), Some(b)) => Ok(compare(&a, &b)),
            _ => Err(wrong(
                "value",
                format!(
                    "{} and {} have no order: expected two numbers or two texts",
                    shape(value),
                    shape(to)
                ),
            )),
        },
    }
}

fn texts(
    value: &Json,
    to: &Json,
    params: &BranchParams,
) -> Result<(String, String), ComponentError> {
    let text = |json: &Json, field: &str| match json {
        Json::String(text) => Ok(folded(text, params.ignore_case)),
        Json::Number(number) => Ok(number.to_string()),
        Json::Bool(flag) => Ok(flag.to_string()),
        other => Err(wrong(field, format!("expected text, got {}", shape(other)))),
    };
    Ok((text(value, "value")?, text(to, "compareTo")?))
}

fn contains(value: &Json, to: &Json, params: &BranchParams) -> Result<bool, ComponentError> {
    match value {
        Json::Array(items) => Ok(items.iter().any(|item| equal(item, to, params.ignore_case))),
        Json::Object(fields) => {
            let (key, _) = texts(to, &Json::String(String::new()), params)?;
            Ok(fields
                .keys()
                .any(|known| folded(known, params.ignore_case) == key))
        }
        Json::Null => Ok(false),
        _ => {
            let (value, to) = texts(value, to, params)?;
            Ok(value.contains(&to))
        }
    }
}

fn matches(value: &Json, to: &Json, params: &BranchParams) -> Result<bool, ComponentError> {
    let Json::String(pattern) = to else {
        let message = format!("expected a regular expression, got {}", shape(to));
        return Err(wrong("compareTo", message));
    };
    // The expression may come from anywhere: its size is limited, its time is linear.
    let expression = RegexBuilder::new(pattern)
        .case_insensitive(params.ignore_case)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| wrong("compareTo", format!("not a regular expression: {error}")))?;
    let exact = BranchParams::default();
    let (value, _) = texts(value, &Json::String(String::new()), &exact)?;
    Ok(expression.is_match(&value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shipsec_core::ErrorKind;

    use super::*;

    fn ask(operator: &str, value: Json, to: Json) -> bool {
        let params = serde_json::from_value(json!({ "operator": operator })).unwrap();
        decide(&value, &to, &params).unwrap()
    }

    #[test]
    fn every_operator_holds_and_fails() {
        for (operator, value, to, holds) in [
            ("truthy", json!("x"), json!(null), true),
            ("truthy", json!(0), json!(null), false),
            ("truthy", json!([]), json!(null), false),
            ("isNull", json!(null), json!(null), true),
            ("isNull", json!(""), json!(null), false),
            ("isEmpty", json!(""), json!(null), true),
            ("isEmpty", json!(0), json!(null), false),
            ("equals", json!(1), json!(1.0), true),
            ("equals", json!("1"), json!(1), true),
            ("equals", json!("true"), json!(true), true),
            ("equals", json!({"a": [1]}), json!({"a": [1]}), true),
            (
                "equals",
                json!(9_007_199_254_740_993_i64),
                json!(9_007_199_254_740_992_i64),
                false,
            ),
            ("notEquals", json!("a"), json!("A"), true),
            ("greaterThan", json!(10), json!(9), true),
            ("greaterThan", json!("10"), json!("9"), false),
            ("greaterThan", json!("10"), json!(9), true),
            ("greaterOrEqual", json!(9), json!(9.0), true),
            ("lessThan", json!("a"), json!("b"), true),
            ("lessOrEqual", json!(2), json!(1), false),
            ("contains", json!("haystack"), json!("st"), true),
            ("contains", json!(["a", 2]), json!(2), true),
            ("contains", json!({"a": 1}), json!("a"), true),
            ("contains", json!(null), json!("a"), false),
            ("startsWith", json!("haystack"), json!("hay"), true),
            ("endsWith", json!("haystack"), json!("hay"), false),
            ("matches", json!("CVE-2024-1"), json!(r"^CVE-\d{4}"), true),
        ] {
            assert_eq!(
                ask(operator, value.clone(), to.clone()),
                holds,
                "{operator} {value} {to}"
            );
        }
    }

    #[test]
    fn pointer_negation_and_case_apply() {
        let params = BranchParams {
            operator: Operator::Equals,
            pointer: "/a/0".to_owned(),
            ignore_case: true,
            negate: true,
        };
        let value = json!({"a": ["Yes"]});
        assert!(!decide(&value, &json!("yES"), &params).unwrap());
        assert!(decide(&json!({}), &json!("yes"), &params).unwrap());
    }

    #[test]
    fn what_cannot_be_asked_is_an_error_that_names_the_field() {
        let error = |operator: &str, pointer: &str, value: Json, to: Json| {
            let params = json!({ "operator": operator, "pointer": pointer });
            let params = serde_json::from_value(params).unwrap();
            decide(&value, &to, &params).unwrap_err()
        };
        for (found, field) in [
            (error("greaterThan", "", json!([]), json!(1)), "value"),
            (error("startsWith", "", json!("a"), json!({})), "compareTo"),
            (error("matches", "", json!("a"), json!("(")), "compareTo"),
            (
                error("matches", "", json!("a"), json!(r"(\w{500}){500}")),
                "compareTo",
            ),
            (error("equals", "a.b", json!("a"), json!("b")), "pointer"),
        ] {
            assert_eq!(found.kind(), ErrorKind::Validation);
            assert!(found.fields().contains_key(field), "{found:?}");
        }
    }
}
