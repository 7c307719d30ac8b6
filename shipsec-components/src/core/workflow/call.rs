//! `core.workflow.call`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};
use shipsec_core::{
    ComponentError, Context, Params, Ports, Value, WorkflowId, component, workflow::Graph,
};

/// What `core.workflow.call` takes.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct CallInput {
    /// Inputs. What the workflow is given, by the ids of its inputs; a secret as
    /// `{"secretRef": "NAME"}`.
    #[serde(default)]
    pub inputs: Option<Json>,
}

/// What `core.workflow.call` runs: one of the two.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema, Params)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[non_exhaustive]
pub struct CallParams {
    /// Workflow. The id of a workflow that the host knows.
    #[serde(default)]
    pub workflow: Option<String>,
    /// Graph. The workflow itself, as a graph.
    #[serde(default)]
    pub graph: Option<Json>,
}

/// What `core.workflow.call` gives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema, Ports)]
#[serde(rename_all = "camelCase")]
pub struct CallOutput {
    /// Outputs. Those of the workflow's nodes that nothing depends on: by node, then by port. A secret
    /// does not leave the run that resolved it.
    pub outputs: Json,
    /// Run. The id of the run that was called.
    pub run_id: String,
}

/// Call a workflow. Runs another workflow as a run of its own, and waits for its outputs.
#[component(
    id = "core.workflow.call",
    version = "1.0.0",
    category = "workflow",
    volatile,
    retry(max_attempts = 1)
)]
pub async fn workflow_call(
    input: CallInput,
    params: &CallParams,
    cx: &Context,
) -> Result<CallOutput, ComponentError> {
    let plan = match (&params.workflow, &params.graph) {
        (Some(id), None) => cx.workflow(&WorkflowId::from(id.as_str())).await?,
        (None, Some(graph)) => cx.compile(&graph_of(graph)?)?,
        _ => {
            let error = ComponentError::validation("give either workflow or graph");
            return Err(error.with_field("workflow", "the id of a workflow, unless graph is given"));
        }
    };
    let inputs = match input.inputs {
        None | Some(Json::Null) => Map::new(),
        Some(Json::Object(inputs)) => inputs,
        Some(_) => {
            let error = ComponentError::validation("port inputs: expected an object");
            return Err(error.with_field("inputs", "expected an object, a value for each input"));
        }
    };
    let called = cx.call(plan, inputs).await?;
    let outputs = called.outputs.into_iter();
    let outputs = outputs.map(|(node, ports)| (node.to_string(), Json::Object(ports)));
    let outputs = Json::Object(outputs.collect());
    if Value::new(outputs.clone()).is_too_deep() {
        let message = "the outputs together would be nested deeper than a log holds";
        return Err(ComponentError::validation(message));
    }
    Ok(CallOutput {
        outputs,
        run_id: called.run_id.to_string(),
    })
}

fn graph_of(json: &Json) -> Result<Graph, ComponentError> {
    Graph::from_json(&json.to_string()).map_err(|error| {
        ComponentError::validation(format!("parameter graph: {error}"))
            .with_field("graph", error.to_string())
    })
}
