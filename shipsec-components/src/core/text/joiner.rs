//! `core.text.joiner`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Shared, component};

use crate::support::unescape;

/// What `core.text.joiner` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct JoinInput {
    /// Items. The texts that are joined, in order; one text is a list of one.
    #[port(lift)]
    pub items: Shared<Vec<String>>,
}

/// How `core.text.joiner` joins.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct JoinParams {
    /// Separator. What stands between two items; `\n`, `\r`, `\t` and `\\` are understood.
    #[serde(default = "line_end")]
    #[param(editor = "text")]
    pub separator: String,
    /// Prefix. What stands before each item.
    #[serde(default)]
    pub prefix: String,
    /// Suffix. What stands after each item.
    #[serde(default)]
    pub suffix: String,
    /// Skip empty items. They are left out.
    #[serde(default)]
    pub skip_empty: bool,
}

fn line_end() -> String {
    "\n".to_owned()
}

impl Default for JoinParams {
    fn default() -> Self {
        Self {
            separator: line_end(),
            prefix: String::new(),
            suffix: String::new(),
            skip_empty: false,
        }
    }
}

/// What `core.text.joiner` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct JoinOutput {
    /// Text. The items in one.
    pub text: Shared<String>,
    /// Count. How many items are in it.
    pub count: u64,
}

/// Join text. Makes one text of a list of items.
#[component(id = "core.text.joiner", version = "1.0.0", category = "text")]
pub async fn text_joiner(
    input: JoinInput,
    params: &JoinParams,
    cx: &Context,
) -> Result<JoinOutput, ComponentError> {
    let (text, count) = join(&input.items, params);
    cx.info(format!("joined {count} items into {} bytes", text.len()));
    Ok(JoinOutput {
        text: text.into(),
        count,
    })
}

fn join(items: &[String], params: &JoinParams) -> (String, u64) {
    let separator = unescape(&params.separator);
    let (prefix, suffix) = (unescape(&params.prefix), unescape(&params.suffix));
    let (mut text, mut count) = (String::new(), 0);
    for item in items {
        if params.skip_empty && item.is_empty() {
            continue;
        }
        if count > 0 {
            text.push_str(&separator);
        }
        text.push_str(&prefix);
        text.push_str(item);
        text.push_str(&suffix);
        count += 1;
    }
    (text, count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_become_one_text() {
        let items = ["a".to_owned(), String::new(), "b".to_owned()];
        let mut params = JoinParams::default();
        assert_eq!(join(&items, &params), ("a\n\nb".to_owned(), 3));
        params.skip_empty = true;
        params.separator = ", ".to_owned();
        params.prefix = "<".to_owned();
        params.suffix = ">".to_owned();
        assert_eq!(join(&items, &params), ("<a>, <b>".to_owned(), 2));
        assert_eq!(join(&[], &params), (String::new(), 0));
    }
}
