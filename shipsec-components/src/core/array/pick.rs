//! `core.array.pick`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Value, component};

use crate::support::shape;

/// What `core.array.pick` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct PickInput {
    /// Items. A list of anything.
    pub items: Value,
}

/// Which item `core.array.pick` takes.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct PickParams {
    /// Index. 0 is the first item, -1 the last.
    #[serde(default)]
    #[param(editor = "number")]
    pub index: i64,
}

/// What `core.array.pick` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct PickOutput {
    /// Item. The one that was picked.
    pub item: Value,
    /// Index. Its place in the list, from 0.
    pub index: u64,
    /// Count. How many items the list has.
    pub count: u64,
}

/// Pick an item. Takes one item out of a list by its place.
#[component(id = "core.array.pick", version = "1.0.0", category = "array")]
pub async fn array_pick(
    input: PickInput,
    params: &PickParams,
    _: &Context,
) -> Result<PickOutput, ComponentError> {
    pick(&input.items, params.index)
}

fn pick(items: &Value, index: i64) -> Result<PickOutput, ComponentError> {
    let wrong = |message: String| {
        ComponentError::validation(format!("items: {message}")).with_field("items", message)
    };
    let place = |count: usize| {
        let from_end = usize::try_from(index.unsigned_abs()).ok();
        let at = match index {
            0.. => from_end,
            _ => from_end.and_then(|back| count.checked_sub(back)),
        };
        at.filter(|at| *at < count)
            .ok_or_else(|| wrong(format!("no item {index} in a list of {count}")))
    };
    let picked = |item, at: usize, count: usize| PickOutput {
        item,
        index: at as u64,
        count: count as u64,
    };
    // A list of shared values gives its item without a copy.
    if let Some(list) = items.get::<Vec<Value>>() {
        let at = place(list.len())?;
        return Ok(picked(list[at].clone(), at, list.len()));
    }
    let json = items.json().map_err(|error| wrong(error.to_string()))?;
    let list = json
        .as_array()
        .ok_or_else(|| wrong(format!("expected a list, got {}", shape(json))))?;
    let at = place(list.len())?;
    Ok(picked(Value::from(list[at].clone()), at, list.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shipsec_core::ErrorKind;

    use super::*;

    #[test]
    fn an_item_is_picked_from_either_end() {
        let items = Value::new(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
        for (index, item, at) in [(0, "a", 0), (2, "c", 2), (-1, "c", 2), (-3, "a", 0)] {
            let picked = pick(&items, index).unwrap();
            assert_eq!(picked.item.json().unwrap(), item);
            assert_eq!((picked.index, picked.count), (at, 3));
        }
    }

    #[test]
    fn a_shared_item_is_not_copied() {
        let item = Value::new("large".to_owned());
        let picked = pick(&Value::new(vec![item.clone()]), 0).unwrap();
        assert!(std::ptr::eq(
            picked.item.get::<String>().unwrap(),
            item.get::<String>().unwrap()
        ));
    }

    #[test]
    fn what_is_not_there_is_an_error_that_says_so() {
        let items = Value::from(json!([1, 2]));
        for index in [2, -3, i64::MIN, i64::MAX] {
            let error = pick(&items, index).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Validation);
            assert!(error.message().contains("in a list of 2"), "{error}");
        }
        let error = pick(&Value::from(json!({"a": 1})), 0).unwrap_err();
        assert_eq!(error.message(), "items: expected a list, got an object");
    }
}
