//! One attempt of one node: resolve → coerce → validate → run → validate → record. Written once,
//! for every executor.

use std::sync::Arc;

use futures::future::BoxFuture;
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use crate::{
    ComponentError, PortId, RunId, Secret,
    component::{
        ActivePorts, More, NodeOutput, Output, PortError, PortPriority, PortSpec, PortType,
        PortValues,
    },
    context::Context,
    event::{
        CompletedPayload, ComponentRef, ErrorPayload, EventKind, Given, Level, OutputNotes,
        Outputs, ProgressPayload, ProgressSource,
    },
    schedule::{EdgeKind, NodeIx},
    trace::Masker,
    value::{Value, coerce},
    workflow::{Mapping, Plan, PlanNode},
};

/// What a node left behind for those that depend on it.
#[derive(Debug, Clone)]
pub(crate) enum Upstream {
    /// Its outputs, with typed values where it ran in this process.
    Outputs(Given),
    /// Why it failed: what an error edge passes on as the whole output.
    Failed(Arc<ErrorPayload>),
}

pub(crate) type Work = BoxFuture<'static, Result<NodeOutput, ComponentError>>;

/// Makes the future of one attempt: resolves the inputs, coerces and checks them, then runs the
/// component. `upstream` gives what a node left behind.
pub(crate) fn work<'a>(
    plan: &'a Plan,
    node: &'a PlanNode,
    cx: &Context,
    upstream: impl Fn(NodeIx) -> Option<&'a Upstream>,
) -> Result<Work, ComponentError> {
    if node.direct {
        let mut values = PortValues::with_len(node.inputs().len());
        for mapping in &node.mappings {
            match (upstream(mapping.source), mapping.port) {
                (Some(Upstream::Outputs(outputs)), Some(port)) => match outputs.get(port.into()) {
                    Some(value) => values.set(mapping.input.into(), value.clone()),
                    None => unresolved(plan, node, mapping, cx)?,
                },
                _ => unresolved(plan, node, mapping, cx)?,
            }
        }
        return Ok(node.bound.clone().run(values, cx.clone()));
    }
    let mut values = resolve(plan, node, cx, upstream)?;
    let secrets: Vec<u16> = secret_overrides(node, &values);
    if secrets.is_empty() && node.secret_params.is_none() {
        check_inputs(node, &mut values)?;
        return Ok(node.bound.clone().run(values, cx.clone()));
    }
    let (cx, source) = (cx.clone(), node.source.clone());
    let (bound, params) = (node.bound.clone(), node.secret_params.clone());
    let ports = node.inputs().clone();
    Ok(Box::pin(async move {
        for input in secrets {
            let input = usize::from(input);
            if let Some(reference) = values.take(input) {
                let secret = resolve_secret(&cx, &reference, &ports[input].id).await?;
                values.set(input, Value::new(secret));
            }
        }
        let bound = match params {
            None => bound,
            Some(mut params) => {
                resolve_params(&cx, &mut params).await?;
                source.bind(&params).map_err(|issues| {
                    issues.into_iter().fold(
                        ComponentError::validation("parameters with resolved secrets do not fit"),
                        |error, issue| error.with_field(issue.pointer, issue.message),
                    )
                })?
            }
        };
        check_ports(&ports, &mut values)?;
        bound.run(values, cx).await
    }))
}

/// Notes that a connection brought nothing; fails where the port must have a value.
fn unresolved(
    plan: &Plan,
    node: &PlanNode,
    mapping: &Mapping,
    cx: &Context,
) -> Result<(), ComponentError> {
    let port = &node.inputs()[usize::from(mapping.input)];
    let source = &plan.nodes[mapping.source.0 as usize].node.id;
    if port.required && port.default.is_none() {
        let message = format!("required, but node {source} gave no value");
        return Err(PortError::new(port.id.as_str(), message).into());
    }
    warn_unresolved(port, source.as_str(), cx);
    Ok(())
}

fn warn_unresolved(port: &PortSpec, source: &str, cx: &Context) {
    let message = format!("input {}: node {source} gave no value", port.id);
    let payload = ProgressPayload {
        source: ProgressSource::Derived,
        ..Default::default()
    };
    cx.observe(
        Level::Warn,
        Some(message.into()),
        EventKind::NodeProgress(Box::new(payload)),
    );
}

fn resolve<'a>(
    plan: &'a Plan,
    node: &'a PlanNode,
    cx: &Context,
    upstream: impl Fn(NodeIx) -> Option<&'a Upstream>,
) -> Result<PortValues, ComponentError> {
    let ports = node.inputs();
    let mut values = PortValues::with_len(ports.len());
    let mut missing: Vec<(usize, &str)> = Vec::new();
    for mappings in node.mappings.chunk_by(|a, b| a.input == b.input) {
        let Some(input) = mappings.first().map(|first| usize::from(first.input)) else {
            continue;
        };
        let port = &ports[input];
        let mut arrived = Vec::with_capacity(mappings.len());
        for mapping in mappings {
            let left = upstream(mapping.source);
            match (mapping.kind, left) {
                // There was no failure to pass on, which is the ordinary case.
                (EdgeKind::Error, None | Some(Upstream::Outputs(_))) => continue,
                // An error goes over error edges, and over those that fire in either case.
                (EdgeKind::Success, Some(Upstream::Failed(_))) => {
                    missing.push((input, source_of(plan, mapping)));
                    continue;
                }
                _ => {}
            }
            let found = match (left, mapping.port) {
                (Some(Upstream::Outputs(outputs)), Some(port)) => outputs.get(port.into()).cloned(),
                (Some(Upstream::Outputs(outputs)), None) => {
                    let source = &plan.nodes[mapping.source.0 as usize];
                    Some(Value::new(WholeOutput(outputs.outputs(&source.output_ids))))
                }
                (Some(Upstream::Failed(error)), None) => Some(Value::new(error.clone())),
                (Some(Upstream::Failed(_)), Some(_)) | (None, _) => None,
            };
            match found {
                Some(value) => arrived.push((value, mapping.identical)),
                None => missing.push((input, source_of(plan, mapping))),
            }
        }
        if let Some(value) = joined(port, arrived)? {
            values.set(input, value);
        }
    }
    for (input, value) in &node.overrides {
        let input = usize::from(*input);
        let port = &ports[input];
        if values.get(input).is_none() || port.priority == PortPriority::ManualFirst {
            let value = coerce(value, &port.port_type, port.lift)
                .map_err(|error| PortError::new(port.id.as_str(), error))?;
            values.set(input, value);
        }
    }
    for (input, source) in missing {
        let port = &ports[input];
        if values.get(input).is_none() && port.required && port.default.is_none() {
            let message = format!("required, but node {source} gave no value");
            return Err(PortError::new(port.id.as_str(), message).into());
        }
        warn_unresolved(port, source, cx);
    }
    for (input, port) in ports.iter().enumerate() {
        if values.get(input).is_none()
            && let Some(default) = &port.default
        {
            values.set(input, Value::from(default.clone()));
        }
    }
    Ok(values)
}

/// The id of the node that a mapping comes from.
fn source_of<'a>(plan: &'a Plan, mapping: &Mapping) -> &'a str {
    plan.nodes[mapping.source.0 as usize].node.id.as_str()
}

/// What the connections of one port bring, each with whether it is of the port's own type, as one
/// value: into a list port all items, in the order of the edges; else the last one, for only a node
/// that starts on one of several edges has several there.
fn joined(port: &PortSpec, arrived: Vec<(Value, bool)>) -> Result<Option<Value>, ComponentError> {
    let fit = |(value, identical): (Value, bool)| {
        if identical {
            return Ok(value);
        }
        coerce(&value, &port.port_type, port.lift)
            .map_err(|error| PortError::new(port.id.as_str(), error))
    };
    if arrived.len() < 2 || !matches!(port.port_type, PortType::List(_)) {
        let mut last = None;
        for value in arrived {
            last = Some(fit(value)?);
        }
        return Ok(last);
    }
    if let Some(gather) = port.gather {
        let values: Vec<Value> = arrived.iter().map(|(value, _)| value.clone()).collect();
        if let Some(list) = gather(&values, port.lift) {
            return Ok(Some(list));
        }
    }
    let mut items = Vec::new();
    for value in arrived {
        let list = fit(value)?;
        match list.json() {
            Ok(Json::Array(list)) => items.extend_from_slice(list),
            // It does not fit, as the check of the port says.
            _ => return Ok(Some(list)),
        }
    }
    Ok(Some(Value::from(Json::Array(items))))
}

/// All outputs of a node as one object.
#[derive(Clone)]
struct WholeOutput(Arc<Outputs>);

impl Serialize for WholeOutput {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// Inputs of a secret port that are references set by hand.
fn secret_overrides(node: &PlanNode, values: &PortValues) -> Vec<u16> {
    let is_reference = |input: &u16| {
        node.inputs()[usize::from(*input)].port_type == PortType::Secret
            && values
                .get((*input).into())
                .is_some_and(|value| value.get::<Json>().is_some())
    };
    node.overrides
        .iter()
        .map(|(input, _)| *input)
        .filter(is_reference)
        .collect()
}

async fn resolve_secret(
    cx: &Context,
    reference: &Value,
    port: &PortId,
) -> Result<Secret<String>, ComponentError> {
    let name = reference
        .json()
        .ok()
        .and_then(|json| json.get("secretRef")?.as_str());
    let name = name.ok_or_else(|| {
        PortError::new(
            port.as_str(),
            "expected a secret reference, {\"secretRef\": \"NAME\"}",
        )
    })?;
    cx.secret(name).await
}

/// Puts the value beside each reference inside the parameters, for the binding alone.
async fn resolve_params(cx: &Context, params: &mut Json) -> Result<(), ComponentError> {
    let mut names = Vec::new();
    let mut stack = vec![&*params];
    while let Some(json) = stack.pop() {
        if let Some(name) = secret_ref(json) {
            names.push(name.to_owned());
            continue;
        }
        match json {
            Json::Object(fields) => stack.extend(fields.values()),
            Json::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    let mut resolved = std::collections::HashMap::new();
    for name in names {
        let secret = cx.secret(name.as_str()).await?;
        resolved.insert(name, secret.expose()?.clone());
    }
    let mut stack = vec![params];
    while let Some(json) = stack.pop() {
        if let Some(value) = secret_ref(json).and_then(|name| resolved.get(name)) {
            json["secretValue"] = value.clone().into();
            continue;
        }
        match json {
            Json::Object(fields) => stack.extend(fields.values_mut()),
            Json::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    Ok(())
}

fn secret_ref(json: &Json) -> Option<&str> {
    json.as_object()
        .filter(|fields| fields.len() == 1)?
        .get("secretRef")?
        .as_str()
}

fn check_inputs(node: &PlanNode, values: &mut PortValues) -> Result<(), ComponentError> {
    check_ports(node.inputs(), values)
}

pub(crate) fn check_ports(
    ports: &[PortSpec],
    values: &mut PortValues,
) -> Result<(), ComponentError> {
    let mut failed: Option<ComponentError> = None;
    for (port, value) in ports.iter().zip(values.iter()) {
        let problem = match value {
            Some(value) => port.check(value).err(),
            None if port.required => Some(PortError::missing(port.id.as_str()).message),
            None => None,
        };
        if let Some(problem) = problem {
            let error = failed.take().unwrap_or_else(|| {
                ComponentError::validation(format!("port {}: {problem}", port.id))
            });
            failed = Some(error.with_field(port.id.as_str(), problem));
        }
    }
    failed.map_or(Ok(()), Err)
}

/// What a successful attempt is recorded as.
pub(crate) struct Finished {
    /// For those that depend on the node: typed values.
    pub(crate) outputs: Given,
    /// For the log, where it differs: secrets masked, large values as references.
    pub(crate) masked: Option<Arc<Outputs>>,
    /// Ids of the active ports of a node that branches.
    pub(crate) active_ports: Option<Box<[PortId]>>,
    /// Which ports are active.
    pub(crate) active: ActivePorts,
    /// The earlier run that the outputs were taken over from.
    pub(crate) reused_from: Option<RunId>,
}

/// Whether the value of a node's only port fits it, and nothing in it can have to be masked.
pub(crate) fn is_plain(node: &PlanNode, value: &Value, masker: &Masker) -> bool {
    let fits = |port: &PortSpec| port.port_type != PortType::Secret && port.check(value).is_ok();
    masker.is_idle() && node.outputs().first().is_some_and(fits)
}

/// Checks the output of an attempt, and prepares its record.
///
/// # Errors
///
/// An `InternalError` when the output breaks the promise of its schema.
pub(crate) fn finish(
    node: &PlanNode,
    output: NodeOutput,
    masker: &Masker,
) -> Result<Finished, ComponentError> {
    finish_ports(
        node.outputs(),
        &node.output_ids,
        &node.component,
        output,
        masker,
    )
}

/// The same of a component with these ports.
///
/// # Errors
///
/// As [`finish`].
pub(crate) fn finish_ports(
    ports: &[PortSpec],
    ids: &Arc<[PortId]>,
    component: &ComponentRef,
    output: NodeOutput,
    masker: &Masker,
) -> Result<Finished, ComponentError> {
    let (outputs, active) = match output.0 {
        Output::One(value) => (Given::One(value), ActivePorts::All),
        Output::More(more) => {
            let More { values, active } = *more;
            let outputs = Outputs::new(ids.clone(), values);
            (Given::Several(Arc::new(outputs)), active)
        }
    };
    let mut has_secrets = false;
    for (index, port) in ports.iter().enumerate() {
        let Some(value) = outputs.get(index) else {
            continue;
        };
        has_secrets |= port.port_type == PortType::Secret;
        port.check(value).map_err(|problem| {
            ComponentError::internal(format!(
                "component {} broke the promise of its output port {}: {problem}",
                component.component_id, port.id
            ))
        })?;
    }
    let active_ports = match &active {
        ActivePorts::All => None,
        ActivePorts::Only(indices) => Some(
            indices
                .iter()
                .map(|index| ports[usize::from(*index)].id.clone())
                .collect(),
        ),
    };
    let masks = has_secrets || !masker.is_idle();
    let masked = masks.then(|| masked(ports, &outputs.outputs(ids), masker));
    Ok(Finished {
        outputs,
        masked,
        active_ports,
        active,
        reused_from: None,
    })
}

fn masked(ports: &[PortSpec], outputs: &Arc<Outputs>, masker: &Masker) -> Arc<Outputs> {
    let secret = |value: &Value| value.get::<Secret<String>>().cloned();
    for (port, value) in ports.iter().zip(outputs.values.iter()) {
        if let Some(secret) = value
            .filter(|_| port.port_type == PortType::Secret)
            .and_then(secret)
            && let Ok(text) = secret.expose()
        {
            masker.learn(secret.name(), text);
        }
    }
    let mut notes = OutputNotes::default();
    let mut values = PortValues::with_len(outputs.values.len());
    for (index, (port, value)) in ports.iter().zip(outputs.values.iter()).enumerate() {
        let Some(value) = value else { continue };
        if port.port_type == PortType::Secret {
            let name = secret(value).and_then(|secret| secret.name().cloned());
            notes.secrets.insert(port.id.clone(), name);
            continue;
        }
        let mut value = value.clone();
        let mut text = Vec::new();
        if value.write_json(&mut text).is_ok()
            && masker.text(&String::from_utf8_lossy(&text)).is_some()
            && let Ok(json) = value.json()
        {
            let mut tree = json.clone();
            notes.masked.extend(masker.output(&port.id, &mut tree));
            value = Value::from(tree);
        }
        values.set(index, value);
    }
    let notes = (notes != OutputNotes::default()).then(|| Box::new(notes));
    Arc::new(Outputs {
        ports: outputs.ports.clone(),
        values,
        notes,
    })
}

impl Finished {
    /// The outputs as the log holds them.
    pub(crate) fn recorded(&mut self, node: &PlanNode) -> Arc<Outputs> {
        self.recorded_as(&node.output_ids)
    }

    /// The same of a component with these output ports.
    pub(crate) fn recorded_as(&mut self, ids: &Arc<[PortId]>) -> Arc<Outputs> {
        if let Some(masked) = &self.masked {
            return masked.clone();
        }
        let outputs = self.outputs.outputs(ids);
        self.outputs = Given::Several(outputs.clone());
        outputs
    }

    /// Whether the log holds the outputs as they are, and the node does not branch.
    pub(crate) fn is_plain(&self) -> bool {
        self.masked.is_none()
            && self.active_ports.is_none()
            && self.active == ActivePorts::All
            && self.reused_from.is_none()
    }

    /// The payload of `NODE_COMPLETED`.
    pub(crate) fn payload(&mut self, node: &PlanNode, duration_ms: f64) -> EventKind {
        EventKind::NodeCompleted(CompletedPayload {
            outputs: self.recorded(node),
            active_ports: self.active_ports.clone(),
            reused_from: self.reused_from.clone(),
            duration_ms,
        })
    }
}
