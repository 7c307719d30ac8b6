//! `core.array.pack`.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};
use shipsec_core::{
    ComponentError, Context, Value,
    component::{
        BoundNode, ComponentDefinition, ComponentInfo, DynComponent, NodeOutput, ParamIssue,
        ParamSpec, PortSpec, PortType, PortValues,
    },
};

/// The most inputs that one node may have.
const MOST_INPUTS: usize = 256;

/// The component `core.array.pack`: makes one list of several values. Its inputs are those that
/// the parameter `inputs` names.
#[derive(Debug, Clone)]
pub struct ArrayPack {
    definition: Arc<ComponentDefinition>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PackParams {
    #[serde(default = "two_inputs")]
    inputs: Vec<String>,
    #[serde(default = "any")]
    item_type: PortType,
}

fn two_inputs() -> Vec<String> {
    vec!["first".to_owned(), "second".to_owned()]
}

fn any() -> PortType {
    PortType::Any
}

impl Default for ArrayPack {
    fn default() -> Self {
        Self::new()
    }
}

impl ArrayPack {
    /// The component, to be registered.
    pub fn new() -> Self {
        let info = ComponentInfo::new("core.array.pack", "1.0.0").described(
            "Pack a list",
            "Makes one list of several values, in the order of the inputs. An input without a \
             value is left out.",
            "array",
        );
        let mut definition = ComponentDefinition::new(&info);
        definition.dynamic_ports = true;
        definition.inputs = two_inputs()
            .into_iter()
            .map(|id| input(id, &PortType::Any))
            .collect();
        definition.outputs = outputs(&PortType::Any);
        let ids = json!({
            "type": "array",
            "items": { "type": "string", "minLength": 1 },
            "minItems": 1, "maxItems": MOST_INPUTS, "uniqueItems": true,
        });
        let mut inputs = ParamSpec::new("inputs", ids.clone());
        inputs.label = "Inputs".to_owned();
        inputs.description = "The ids of the inputs, in the order of the list.".to_owned();
        inputs.default = Some(json!(two_inputs()));
        let mut item_type = ParamSpec::new("itemType", json!({ "type": "string" }));
        item_type.label = "Type of the items".to_owned();
        item_type.description =
            "What each input takes, such as text: the list is then a list<text>.".to_owned();
        item_type.default = Some(json!("any"));
        definition.params = vec![inputs, item_type];
        definition.params_schema = json!({
            "type": "object",
            "properties": { "inputs": ids, "itemType": { "type": "string" } },
            "additionalProperties": false,
        });
        Self {
            definition: Arc::new(definition),
        }
    }
}

fn input(id: String, item: &PortType) -> PortSpec {
    let mut port = PortSpec::new(id, item.clone());
    port.description = "A value of the list.".to_owned();
    port
}

fn outputs(item: &PortType) -> Arc<[PortSpec]> {
    let mut items = PortSpec::new("items", PortType::List(Box::new(item.clone())));
    items.label = "Items".to_owned();
    items.description = "The list of the values.".to_owned();
    let mut count = PortSpec::of::<u64>("count");
    count.label = "Count".to_owned();
    count.description = "How many values the list has.".to_owned();
    Arc::from([items, count])
}

impl DynComponent for ArrayPack {
    fn definition(&self) -> &Arc<ComponentDefinition> {
        &self.definition
    }

    fn bind(&self, params: &Json) -> Result<Arc<dyn BoundNode>, Vec<ParamIssue>> {
        let empty = Json::Object(Map::new());
        let params = if params.is_null() { &empty } else { params };
        let issue = |pointer: &str, message: String| ParamIssue {
            pointer: pointer.to_owned(),
            message,
        };
        let PackParams { inputs, item_type } =
            PackParams::deserialize(params).map_err(|error| vec![issue("", error.to_string())])?;
        let mut issues = Vec::new();
        if inputs.is_empty() || inputs.len() > MOST_INPUTS {
            let message = format!("expected 1 to {MOST_INPUTS} inputs, got {}", inputs.len());
            issues.push(issue("/inputs", message));
        }
        for (index, id) in inputs.iter().enumerate() {
            let pointer = format!("/inputs/{index}");
            if id.is_empty() {
                issues.push(issue(&pointer, "an input needs an id".to_owned()));
            } else if inputs[..index].contains(id) {
                issues.push(issue(&pointer, format!("input {id:?} is named twice")));
            }
        }
        if item_type == PortType::Secret {
            let message = "a list holds no secrets: connect each one where it is used".to_owned();
            issues.push(issue("/itemType", message));
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        Ok(Arc::new(BoundPack {
            inputs: inputs.into_iter().map(|id| input(id, &item_type)).collect(),
            outputs: outputs(&item_type),
        }))
    }
}

struct BoundPack {
    inputs: Arc<[PortSpec]>,
    outputs: Arc<[PortSpec]>,
}

impl BoundNode for BoundPack {
    fn inputs(&self) -> &Arc<[PortSpec]> {
        &self.inputs
    }

    fn outputs(&self) -> &Arc<[PortSpec]> {
        &self.outputs
    }

    fn run(
        self: Arc<Self>,
        mut inputs: PortValues,
        cx: Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>> {
        Box::pin(async move {
            let items: Vec<Value> = (0..self.inputs.len())
                .filter_map(|index| inputs.take(index))
                .collect();
            cx.debug(format!(
                "{} of {} inputs have a value",
                items.len(),
                self.inputs.len()
            ));
            let count = Value::new(items.len() as u64);
            let items = Value::new(items);
            if items.is_too_deep() {
                let message = "the list would be nested deeper than a log holds";
                return Err(ComponentError::validation(message));
            }
            let values = [Some(items), Some(count)].into_iter().collect();
            Ok(NodeOutput::new(&self.outputs, values))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ports_follow_the_parameters() {
        let bound = ArrayPack::new()
            .bind(&json!({ "inputs": ["a", "b", "c"], "itemType": "text" }))
            .unwrap();
        let ids: Vec<_> = bound.inputs().iter().map(|port| port.id.as_str()).collect();
        assert_eq!(ids, ["a", "b", "c"]);
        assert_eq!(bound.outputs()[0].port_type.to_string(), "list<text>");
        assert_eq!(
            ArrayPack::new().bind(&Json::Null).unwrap().inputs().len(),
            2
        );
    }

    #[test]
    fn every_wrong_parameter_is_told() {
        let params = json!({ "inputs": ["a", "", "a"], "itemType": "secret" });
        let issues = ArrayPack::new().bind(&params).unwrap_err();
        let pointers: Vec<_> = issues.iter().map(|issue| issue.pointer.as_str()).collect();
        assert_eq!(pointers, ["/inputs/1", "/inputs/2", "/itemType"]);
        assert!(ArrayPack::new().bind(&json!({ "inputs": [] })).is_err());
    }
}
