//! The object-safe twin of a component, which registries and executors hold.

use std::{fmt, sync::Arc};

use futures::future::BoxFuture;
use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::Value as Json;

use super::{Component, ComponentDefinition, Params, PortSpec, Ports};
use crate::{
    __private::{ports_schema, schema_of},
    ComponentError,
    context::Context,
    pointer,
    value::Value,
};

/// Ports whose slots need no allocation.
const FEW: usize = 3;

/// The values of a node's ports, in the order of the ports; `None` where a port has no value.
#[derive(Debug, Clone, Default)]
pub struct PortValues(Slots);

#[derive(Debug, Clone)]
enum Slots {
    /// So many of these; the others are empty.
    Few(u8, [Option<Value>; FEW]),
    Many(Vec<Option<Value>>),
}

impl Default for Slots {
    fn default() -> Self {
        Self::Few(0, [const { None }; FEW])
    }
}

impl PortValues {
    /// No slots.
    pub fn new() -> Self {
        Self::default()
    }

    /// No slots yet, with room for `n`.
    pub fn with_capacity(n: usize) -> Self {
        if n <= FEW {
            return Self::default();
        }
        Self(Slots::Many(Vec::with_capacity(n)))
    }

    /// `n` slots without values.
    pub fn with_len(n: usize) -> Self {
        if n <= FEW {
            return Self(Slots::Few(n as u8, [const { None }; FEW]));
        }
        Self(Slots::Many(vec![None; n]))
    }

    /// Adds a slot at the end.
    pub fn push(&mut self, value: Option<Value>) {
        match &mut self.0 {
            Slots::Few(len, slots) if usize::from(*len) < FEW => {
                slots[usize::from(*len)] = value;
                *len += 1;
            }
            Slots::Few(_, slots) => {
                let mut many: Vec<_> = slots.iter_mut().map(Option::take).collect();
                many.push(value);
                self.0 = Slots::Many(many);
            }
            Slots::Many(slots) => slots.push(value),
        }
    }

    fn slots(&self) -> &[Option<Value>] {
        match &self.0 {
            Slots::Few(len, slots) => &slots[..usize::from(*len).min(FEW)],
            Slots::Many(slots) => slots,
        }
    }

    /// Number of slots.
    pub fn len(&self) -> usize {
        self.slots().len()
    }

    /// Whether there is no slot.
    pub fn is_empty(&self) -> bool {
        self.slots().is_empty()
    }

    /// The value of the port at `index`.
    pub fn get(&self, index: usize) -> Option<&Value> {
        self.slots().get(index)?.as_ref()
    }

    /// Takes the value of the port at `index` out of its slot.
    pub fn take(&mut self, index: usize) -> Option<Value> {
        match &mut self.0 {
            Slots::Few(_, slots) => slots.get_mut(index)?.take(),
            Slots::Many(slots) => slots.get_mut(index)?.take(),
        }
    }

    /// Sets the value of the port at `index`, adding slots up to it.
    pub fn set(&mut self, index: usize, value: Value) {
        while self.len() <= index {
            self.push(None);
        }
        match &mut self.0 {
            Slots::Few(_, slots) => slots[index] = Some(value),
            Slots::Many(slots) => slots[index] = Some(value),
        }
    }

    /// The slots in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&Value>> {
        self.slots().iter().map(Option::as_ref)
    }
}

impl FromIterator<Option<Value>> for PortValues {
    fn from_iter<I: IntoIterator<Item = Option<Value>>>(values: I) -> Self {
        let mut slots = Self::new();
        values.into_iter().for_each(|value| slots.push(value));
        slots
    }
}

/// Which output ports of a node are active: all, save for the branching ports without a value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ActivePorts {
    /// The node does not branch.
    #[default]
    All,
    /// The indices of the active ports, ascending.
    Only(Box<[u16]>),
}

/// What a node's attempt gave.
#[derive(Debug, Clone)]
pub struct NodeOutput(pub(crate) Output);

#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// The value of the only port, which does not branch.
    One(Value),
    More(Box<More>),
}

#[derive(Debug, Clone)]
pub(crate) struct More {
    pub(crate) values: PortValues,
    pub(crate) active: ActivePorts,
}

impl NodeOutput {
    /// The output of a node with these ports: a branching port is active when it has a value.
    pub fn new(specs: &[PortSpec], values: PortValues) -> Self {
        Self::with(specs, specs.iter().any(|port| port.branching), values)
    }

    fn with(specs: &[PortSpec], branches: bool, mut values: PortValues) -> Self {
        if specs.len() == 1
            && !branches
            && let Some(value) = values.take(0)
        {
            return Self(Output::One(value));
        }
        let active = if branches {
            let active = |(index, port): (usize, &PortSpec)| {
                (!port.branching || values.get(index).is_some())
                    .then(|| u16::try_from(index).ok())
                    .flatten()
            };
            ActivePorts::Only(specs.iter().enumerate().filter_map(active).collect())
        } else {
            ActivePorts::All
        };
        Self(Output::More(Box::new(More { values, active })))
    }

    /// The value of the output port at `index`.
    pub fn value(&self, index: usize) -> Option<&Value> {
        match &self.0 {
            Output::One(value) => (index == 0).then_some(value),
            Output::More(more) => more.values.get(index),
        }
    }

    /// Which output ports are active.
    pub fn active(&self) -> &ActivePorts {
        match &self.0 {
            Output::One(_) => &ActivePorts::All,
            Output::More(more) => &more.active,
        }
    }
}

/// One thing that is wrong with a node's parameters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{pointer}: {message}")]
pub struct ParamIssue {
    /// JSON Pointer (RFC 6901) into the parameters; empty for the whole.
    pub pointer: String,
    /// What was expected.
    pub message: String,
}

/// A component behind a pointer. Every [`Component`] is one through [`erase`]; a component whose
/// ports are known only at run time implements this trait itself.
pub trait DynComponent: Send + Sync + fmt::Debug {
    /// What clients see.
    fn definition(&self) -> &Arc<ComponentDefinition>;

    /// Fixes the parameters of one node.
    ///
    /// # Errors
    ///
    /// Every problem with the parameters, with its place.
    fn bind(&self, params: &Json) -> Result<Arc<dyn BoundNode>, Vec<ParamIssue>>;
}

/// A component with the parameters of one node.
pub trait BoundNode: Send + Sync {
    /// Input ports of this node.
    fn inputs(&self) -> &Arc<[PortSpec]>;

    /// Output ports of this node.
    fn outputs(&self) -> &Arc<[PortSpec]>;

    /// What a run is given, where this node is the entry point.
    fn runtime_inputs(&self) -> Option<&[crate::workflow::RuntimeInput]> {
        None
    }

    /// Does the work of one attempt. `inputs` has a slot for each input port. The future owns all
    /// that it needs, so that an executor can move it to another task.
    fn run(
        self: Arc<Self>,
        inputs: PortValues,
        cx: Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>>;
}

impl fmt::Debug for dyn BoundNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoundNode").finish_non_exhaustive()
    }
}

/// Makes the object-safe twin of a typed component.
pub fn erase<C: Component>(component: C) -> Arc<dyn DynComponent> {
    let info = component.info();
    let mut definition = ComponentDefinition::new(&info);
    definition.inputs = C::Input::specs().into();
    definition.outputs = C::Output::specs().into();
    definition.params = C::Params::specs();
    definition.input_schema = ports_schema::<C::Input>(&definition.inputs);
    definition.params_schema = schema_of::<C::Params>();
    definition.output_schema = ports_schema::<C::Output>(&definition.outputs);
    let validator = jsonschema::draft202012::new(&definition.params_schema).ok();
    Arc::new(Erased {
        branches: definition.outputs.iter().any(|port| port.branching),
        component: Arc::new(component),
        definition: Arc::new(definition),
        validator,
    })
}

struct Erased<C> {
    component: Arc<C>,
    definition: Arc<ComponentDefinition>,
    branches: bool,
    validator: Option<jsonschema::Validator>,
}

impl<C> fmt::Debug for Erased<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Component({} {})",
            self.definition.id, self.definition.version
        )
    }
}

impl<C: Component> DynComponent for Erased<C> {
    fn definition(&self) -> &Arc<ComponentDefinition> {
        &self.definition
    }

    fn bind(&self, params: &Json) -> Result<Arc<dyn BoundNode>, Vec<ParamIssue>> {
        // The schema is asked too, because it may say more than the type does.
        let mut issues = self.issues(params);
        match read(params) {
            Ok((parsed, unknown)) => {
                // Some schemas forbid what they do not know, and have said so.
                for pointer in unknown {
                    if !issues.iter().any(|issue| issue.pointer == pointer) {
                        issues.push(unknown_param(pointer));
                    }
                }
                if !issues.is_empty() {
                    return Err(issues);
                }
                Ok(Arc::new(Bound {
                    component: self.component.clone(),
                    definition: self.definition.clone(),
                    branches: self.branches,
                    params: parsed,
                }))
            }
            Err(message) => {
                if issues.is_empty() {
                    issues.push(ParamIssue {
                        pointer: String::new(),
                        message,
                    });
                }
                Err(issues)
            }
        }
    }
}

/// Reads parameters, and tells where there is something that the type does not know.
fn read<T: serde::de::DeserializeOwned>(params: &Json) -> Result<(T, Vec<String>), String> {
    let empty = Json::Object(serde_json::Map::new());
    let params = if params.is_null() { &empty } else { params };
    let mut unknown = Vec::new();
    serde_ignored::deserialize(params, |path| unknown.push(pointer::of_ignored(&path)))
        .map(|parsed| (parsed, unknown))
        .map_err(|error: serde_json::Error| error.to_string())
}

fn unknown_param(pointer: String) -> ParamIssue {
    ParamIssue {
        pointer,
        message: "there is no such parameter".to_owned(),
    }
}

impl<C> Erased<C> {
    fn issues(&self, params: &Json) -> Vec<ParamIssue> {
        let no_params =
            params.is_null() || params.as_object().is_some_and(serde_json::Map::is_empty);
        let Some(validator) = self.validator.as_ref().filter(|_| !no_params) else {
            return Vec::new();
        };
        const MOST: usize = 100;
        let errors = validator.iter_errors(params).take(MOST);
        errors
            .flat_map(|error| issues_of(&error, &self.definition.params_schema))
            .collect()
    }
}

/// What a schema says, with the place of what it says it about.
fn issues_of(error: &ValidationError<'_>, schema: &Json) -> Vec<ParamIssue> {
    let pointer = error.instance_path().to_string();
    if secret_at(schema, &pointer) {
        // Not a word of what stands there.
        let message = "a secret belongs here: expected a reference, {\"secretRef\": \"NAME\"}";
        return vec![ParamIssue {
            pointer,
            message: message.to_owned(),
        }];
    }
    let inside = |key: &str| format!("{pointer}/{}", pointer::token(key));
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => unexpected
            .iter()
            .map(|key| unknown_param(inside(key)))
            .collect(),
        ValidationErrorKind::Required {
            property: Json::String(key),
        } => vec![ParamIssue {
            pointer: inside(key),
            message: "must be there, and is not".to_owned(),
        }],
        _ => vec![ParamIssue {
            message: error.to_string(),
            pointer,
        }],
    }
}

/// Whether a schema asks for a secret at a place.
fn secret_at(schema: &Json, pointer: &str) -> bool {
    const DEEPEST: usize = 64;
    let tokens: Vec<String> = pointer
        .split('/')
        .skip(1)
        .map(|token| token.replace("~1", "/").replace("~0", "~"))
        .collect();
    let mut open = vec![(schema, tokens.as_slice(), 0)];
    while let Some((at, tokens, depth)) = open.pop() {
        if depth > DEEPEST {
            continue;
        }
        if tokens.is_empty() && at.get("x-shipsec-secret") == Some(&Json::Bool(true)) {
            return true;
        }
        if let Some(target) = at.get("$ref").and_then(Json::as_str)
            && let Some(target) = target.strip_prefix('#').and_then(|to| schema.pointer(to))
        {
            open.push((target, tokens, depth + 1));
        }
        for any in ["anyOf", "oneOf", "allOf"] {
            let branches = at.get(any).and_then(Json::as_array).into_iter().flatten();
            open.extend(branches.map(|branch| (branch, tokens, depth + 1)));
        }
        if let Some((first, rest)) = tokens.split_first() {
            let inside = [
                at.get("properties")
                    .and_then(|properties| properties.get(first)),
                at.get("additionalProperties"),
                at.get("items"),
            ];
            open.extend(
                inside
                    .into_iter()
                    .flatten()
                    .map(|inside| (inside, rest, depth + 1)),
            );
        }
    }
    false
}

struct Bound<C: Component> {
    component: Arc<C>,
    definition: Arc<ComponentDefinition>,
    branches: bool,
    params: C::Params,
}

impl<C: Component> BoundNode for Bound<C> {
    fn inputs(&self) -> &Arc<[PortSpec]> {
        &self.definition.inputs
    }

    fn outputs(&self) -> &Arc<[PortSpec]> {
        &self.definition.outputs
    }

    fn run(
        self: Arc<Self>,
        inputs: PortValues,
        cx: Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>> {
        Box::pin(async move {
            let input = C::Input::from_values(inputs)?;
            let output = self.component.run(input, &self.params, &cx).await?;
            let specs = &self.definition.outputs;
            Ok(NodeOutput::with(specs, self.branches, output.into_values()))
        })
    }
}
