//! `core.workflow.entrypoint`: where a workflow begins. Its outputs are the run's inputs.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use hashbrown::HashSet;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::{
    Plan, RuntimeInput,
    compile::id_problem,
    diagnostic::{listed, quoted},
    read::path_pointer,
};
use crate::{
    ComponentError, Secret,
    component::{
        BoundNode, ComponentDefinition, ComponentInfo, DynComponent, NodeOutput, ParamIssue,
        ParamSpec, PortSpec, PortType, PortValues,
    },
    context::Context,
    value::{Value, coerce},
};

/// The id of the entry point.
pub const ENTRYPOINT: &str = "core.workflow.entrypoint";

/// The component `core.workflow.entrypoint`. Its parameter `runtimeInputs` declares what a run is
/// given; its outputs have those ids.
#[derive(Debug, Clone)]
pub struct EntryPoint {
    definition: Arc<ComponentDefinition>,
}

impl Default for EntryPoint {
    fn default() -> Self {
        Self::new()
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct EntryParams {
    #[serde(default)]
    runtime_inputs: Vec<RuntimeInput>,
}

impl EntryPoint {
    /// The component, to be registered.
    pub fn new() -> Self {
        let info = ComponentInfo::new(ENTRYPOINT, "1.0.0").described(
            "Entry point",
            "Where a workflow begins: gives the inputs of the run, one output for each.",
            "workflow",
        );
        let mut definition = ComponentDefinition::new(&info);
        definition.entrypoint = true;
        definition.dynamic_ports = true;
        let schema = serde_json::json!({
            "type": "array",
            "items": schemars::schema_for!(RuntimeInput),
        });
        let mut inputs = ParamSpec::new("runtimeInputs", schema.clone());
        inputs.label = "Inputs of a run".to_owned();
        inputs.description = "What a run is given: id, label, type, required, default.".to_owned();
        inputs.default = Some(Json::Array(Vec::new()));
        definition.params = vec![inputs];
        definition.params_schema = serde_json::json!({
            "type": "object",
            "properties": { "runtimeInputs": schema },
            "additionalProperties": false,
        });
        Self {
            definition: Arc::new(definition),
        }
    }
}

impl DynComponent for EntryPoint {
    fn definition(&self) -> &Arc<ComponentDefinition> {
        &self.definition
    }

    fn bind(&self, params: &Json) -> Result<Arc<dyn BoundNode>, Vec<ParamIssue>> {
        let empty = Json::Object(Map::new());
        let params = if params.is_null() { &empty } else { params };
        let issue = |pointer: String, message: String| ParamIssue { pointer, message };
        let params: EntryParams = serde_path_to_error::deserialize(params)
            .map_err(|error| vec![issue(path_pointer(error.path()), error.inner().to_string())])?;
        let mut issues = Vec::new();
        let mut ports: Vec<PortSpec> = Vec::new();
        let mut taken = HashSet::new();
        for (index, input) in params.runtime_inputs.iter().enumerate() {
            if let Some(problem) = id_problem(input.id.as_str()) {
                let message = format!("id {} {problem}", quoted(input.id.as_str()));
                issues.push(issue(format!("/runtimeInputs/{index}/id"), message));
            }
            if !taken.insert(&input.id) {
                let message = format!("input {} is declared twice", quoted(input.id.as_str()));
                issues.push(issue(format!("/runtimeInputs/{index}/id"), message));
            }
            if let Some(default) = &input.default {
                let fits = if input.port_type == PortType::Secret {
                    secret_name(default).map(|_| ())
                } else {
                    coerce(&Value::from(default.clone()), &input.port_type, false)
                        .map(|_| ())
                        .map_err(|error| error.to_string())
                };
                if let Err(message) = fits {
                    issues.push(issue(format!("/runtimeInputs/{index}/default"), message));
                }
            }
            let mut port = PortSpec::new(input.id.clone(), input.port_type.clone());
            port.label.clone_from(&input.label);
            port.description.clone_from(&input.description);
            ports.push(port);
        }
        drop(taken);
        if !issues.is_empty() {
            return Err(issues);
        }
        let (inputs, outputs) = (Arc::from([]), ports.into());
        Ok(Arc::new(BoundEntryPoint {
            declared: params.runtime_inputs,
            inputs,
            outputs,
        }))
    }
}

struct BoundEntryPoint {
    declared: Vec<RuntimeInput>,
    inputs: Arc<[PortSpec]>,
    outputs: Arc<[PortSpec]>,
}

impl BoundNode for BoundEntryPoint {
    fn inputs(&self) -> &Arc<[PortSpec]> {
        &self.inputs
    }

    fn outputs(&self) -> &Arc<[PortSpec]> {
        &self.outputs
    }

    fn runtime_inputs(&self) -> Option<&[RuntimeInput]> {
        Some(&self.declared)
    }

    fn run(
        self: Arc<Self>,
        _: PortValues,
        cx: Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>> {
        Box::pin(async move {
            let given = &cx.scope().inputs;
            check(&self.declared, given).map_err(|fields| {
                let problem = ComponentError::validation("the run's inputs do not fit");
                fields.into_iter().fold(problem, |error, (key, messages)| {
                    messages
                        .into_iter()
                        .fold(error, |e, message| e.with_field(key.clone(), message))
                })
            })?;
            let mut values = PortValues::with_len(self.declared.len());
            for (index, input) in self.declared.iter().enumerate() {
                let value = given
                    .get(input.id.as_str())
                    .filter(|value| !value.is_null());
                let Some(value) = value.or(input.default.as_ref()) else {
                    continue;
                };
                let value = if input.port_type == PortType::Secret {
                    let name = secret_name(value).map_err(ComponentError::validation)?;
                    let secret: Secret<String> = cx.secret(name).await?;
                    Value::new(secret)
                } else {
                    coerce(&Value::from(value.clone()), &input.port_type, false)
                        .map_err(|error| ComponentError::validation(error.to_string()))?
                };
                values.set(index, value);
            }
            Ok(NodeOutput::new(&self.outputs, values))
        })
    }
}

fn secret_name(reference: &Json) -> Result<&str, String> {
    reference
        .as_object()
        .filter(|fields| fields.len() == 1)
        .and_then(|fields| fields.get("secretRef")?.as_str())
        .ok_or_else(|| "expected a secret reference, {\"secretRef\": \"NAME\"}".to_owned())
}

fn check(
    declared: &[RuntimeInput],
    given: &Map<String, Json>,
) -> Result<(), BTreeMap<String, Vec<String>>> {
    let mut problems: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut problem = |key: &str, message: String| {
        problems.entry(key.to_owned()).or_default().push(message);
    };
    let known: HashSet<&str> = declared.iter().map(|input| input.id.as_str()).collect();
    for key in given.keys().filter(|key| !known.contains(key.as_str())) {
        let known = listed(declared.iter().map(|input| &input.id));
        problem(
            key,
            format!("the workflow has no such input; it has: {known}"),
        );
    }
    for input in declared {
        match given
            .get(input.id.as_str())
            .filter(|value| !value.is_null())
        {
            None if input.required && input.default.is_none() => {
                problem(
                    input.id.as_str(),
                    format!("required, of type {}", input.port_type),
                );
            }
            None => {}
            Some(value) if input.port_type == PortType::Secret => {
                if let Err(message) = secret_name(value) {
                    problem(input.id.as_str(), message);
                }
            }
            Some(value) => {
                if let Err(error) = coerce(&Value::from(value.clone()), &input.port_type, false) {
                    problem(input.id.as_str(), error.to_string());
                }
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

/// Checks the inputs of a run against what its entry point declares.
///
/// # Errors
///
/// Messages by input.
pub fn check_inputs(
    plan: &Plan,
    inputs: &Map<String, Json>,
) -> Result<(), BTreeMap<String, Vec<String>>> {
    check(plan.runtime_inputs(), inputs)
}

impl Plan {
    /// What a run is given, as its entry point declares it.
    pub fn runtime_inputs(&self) -> &[RuntimeInput] {
        let entry = self.nodes.get(self.entrypoint.0 as usize);
        entry
            .and_then(|node| node.bound.runtime_inputs())
            .unwrap_or_default()
    }
}
