//! An output does not connect to an input of an incompatible type.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::{
    ComponentError, Context, NoParams, Ports, Secret, component, workflow::WorkflowBuilder,
};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Texts {
    /// Lines of text.
    lines: Vec<String>,
    /// A token.
    token: Secret<String>,
}

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Numbers {
    /// A number.
    number: u32,
    /// Some text.
    text: String,
}

/// Counts lines.
#[component(id = "test.count", version = "1.0.0", category = "test")]
async fn count(input: Numbers, _: NoParams, _: &Context) -> Result<Numbers, ComponentError> {
    Ok(input)
}

fn main() {
    let mut workflow = WorkflowBuilder::new("Mistaken");
    let start = workflow.entrypoint::<Texts>("start");
    let count = workflow.node("count", &Count, NoParams {});
    workflow.connect(start.output().lines, count.input().number);
    workflow.connect(start.output().token, count.input().text);
}
