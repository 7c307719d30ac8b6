//! `core.text.splitter`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{ComponentError, Context, Params, Ports, Shared, component};

use crate::support::unescape;

/// What `core.text.splitter` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct SplitInput {
    /// Text. What is split.
    pub text: Shared<String>,
}

/// How `core.text.splitter` splits.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct SplitParams {
    /// Separator. Where the text is cut; `\n`, `\r`, `\t` and `\\` are understood. Without a
    /// separator each character is an item.
    #[serde(default = "line_end")]
    #[param(editor = "text")]
    pub separator: String,
    /// Trim items. White space around an item is removed.
    #[serde(default = "yes")]
    pub trim: bool,
    /// Skip empty items. They are left out, after trimming.
    #[serde(default = "yes")]
    pub skip_empty: bool,
    /// Remove duplicates. The first of equal items stays.
    #[serde(default)]
    pub unique: bool,
}

fn line_end() -> String {
    "\n".to_owned()
}

fn yes() -> bool {
    true
}

impl Default for SplitParams {
    fn default() -> Self {
        Self {
            separator: line_end(),
            trim: true,
            skip_empty: true,
            unique: false,
        }
    }
}

/// What `core.text.splitter` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct SplitOutput {
    /// Items. The parts of the text, in order.
    pub items: Shared<Vec<String>>,
    /// Count. How many items there are.
    pub count: u64,
}

/// Split text. Cuts a text at a separator into a list of items, such as hosts from lines.
#[component(id = "core.text.splitter", version = "1.0.0", category = "text")]
pub async fn text_splitter(
    input: SplitInput,
    params: &SplitParams,
    cx: &Context,
) -> Result<SplitOutput, ComponentError> {
    let items = split(&input.text, params);
    cx.info(format!(
        "split {} bytes into {} items",
        input.text.len(),
        items.len()
    ));
    Ok(SplitOutput {
        count: items.len() as u64,
        items: items.into(),
    })
}

fn split(text: &str, params: &SplitParams) -> Vec<String> {
    let separator = unescape(&params.separator);
    let mut buffer = [0; 4];
    let mut seen = std::collections::HashSet::new();
    let mut items = Vec::new();
    let mut take = |part: &str| {
        let part = if params.trim { part.trim() } else { part };
        let skip = (part.is_empty() && params.skip_empty)
            || (params.unique && !seen.insert(part.to_owned()));
        if !skip {
            items.push(part.to_owned());
        }
    };
    if separator.is_empty() {
        text.chars().for_each(|c| take(c.encode_utf8(&mut buffer)));
    } else {
        text.split(separator.as_str()).for_each(take);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_become_items() {
        let params = SplitParams::default();
        assert_eq!(split("a\r\n b\n\nc\n", &params), ["a", "b", "c"]);
        assert!(split("", &params).is_empty());
    }

    #[test]
    fn the_separator_may_be_anything() {
        let mut params = SplitParams {
            separator: r"\t".to_owned(),
            ..SplitParams::default()
        };
        assert_eq!(split("ä\tö", &params), ["ä", "ö"]);
        params.separator = String::new();
        assert_eq!(split("äö x", &params), ["ä", "ö", "x"]);
        params.separator = ", ".to_owned();
        params.trim = false;
        params.skip_empty = false;
        assert_eq!(split("a, , b ", &params), ["a", "", "b "]);
        params.unique = true;
        assert_eq!(split("a, b, a", &params), ["a", "b"]);
    }
}
