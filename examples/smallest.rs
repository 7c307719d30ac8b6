//! The smallest host: one component, fed with the run's input, in this process.
use std::{error::Error, sync::Arc};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::execute::{Executor, LocalExecutor, RunRequest};
use shipsec_core::workflow::{EntryPoint, WorkflowBuilder, compile};
use shipsec_core::{ComponentError, Context, NoParams, Ports, Registry, component, trace};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Any text.
    text: String,
}

/// Says it louder.
#[component(id = "demo.shout", version = "1.0.0", category = "demo")]
async fn shout(mut input: Text, _: NoParams, _: &Context) -> Result<Text, ComponentError> {
    input.text.make_ascii_uppercase();
    Ok(input)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut registry = Registry::new();
    registry.register(Shout)?;
    registry.register_dyn(Arc::new(EntryPoint::new()))?;
    let mut workflow = WorkflowBuilder::new("Hello");
    let start = workflow.entrypoint::<Text>("start");
    let shout = workflow.node("shout", &Shout, NoParams {});
    workflow.connect(start.output().text, shout.input().text);
    let plan = compile(&workflow.build(), &registry)?.plan;
    let executor = LocalExecutor::builder(Arc::new(trace::MemoryStore::new())).build();
    let request = RunRequest::new(plan).with_input("text", "hello");
    let outcome = executor.start(request).await?.wait().await;
    let outputs = serde_json::to_string(&outcome.outputs)?;
    println!("{} {outputs}", outcome.status);
    Ok(())
}
