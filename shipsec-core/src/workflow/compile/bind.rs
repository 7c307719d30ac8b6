//! Nodes one by one: component, parameters, join, limits, values set by hand.

use std::{
    cell::OnceCell,
    ops::Deref,
    sync::{Arc, LazyLock},
    time::Duration,
};

use hashbrown::HashMap;
use serde_json::Value as Json;

use super::super::{
    Code, Diagnostics, GraphNode, WorkflowConfig,
    diagnostic::{listed, quoted, shown},
};
use super::for_each;
use crate::{
    PortId,
    component::{
        BoundNode, ComponentDefinition, DynComponent, ParamIssue, PortSpec, PortType, Registry,
    },
    event::ComponentRef,
    execute::{self, EachSettings, RetryPolicy, RetrySettings},
    pointer,
    schedule::Join,
    value::{Value, coerce},
};

/// The longest name that is compared with others.
pub(super) const LONGEST_NAME: usize = 256;

/// What a node is, once its component is known.
pub(super) struct Bound {
    pub(super) component: Arc<dyn DynComponent>,
    /// `None` where its parameters do not fit, which is reported: its ports are still known.
    pub(super) node: Option<Arc<dyn BoundNode>>,
    pub(super) inputs: Ports,
    pub(super) outputs: Ports,
    pub(super) reference: Arc<ComponentRef>,
    pub(super) output_ids: Arc<[PortId]>,
    pub(super) join: Join,
    pub(super) retry: Arc<RetryPolicy>,
    pub(super) timeout: Option<Duration>,
    pub(super) heartbeat_timeout: Option<Duration>,
    pub(super) overrides: Box<[(u16, Value)]>,
    /// The parameters, where there are any: an object.
    pub(super) params: Option<Box<Json>>,
    /// Whether they refer to secrets.
    pub(super) secret_params: bool,
}

/// The ports of one way.
pub(super) struct Ports {
    list: Arc<[PortSpec]>,
    /// Where they are many: the place of each.
    index: OnceCell<Box<HashMap<PortId, usize>>>,
}

impl Ports {
    pub(super) fn new(list: &Arc<[PortSpec]>) -> Self {
        Self {
            list: list.clone(),
            index: OnceCell::new(),
        }
    }

    /// The place of a port.
    pub(super) fn find(&self, id: &PortId) -> Option<usize> {
        const MANY: usize = 32;
        if self.list.len() < MANY {
            return self.list.iter().position(|port| port.id == *id);
        }
        let ids = || {
            (0..)
                .zip(self.list.iter())
                .map(|(at, port)| (port.id.clone(), at))
        };
        let index = self.index.get_or_init(|| Box::new(ids().collect()));
        index.get(id).copied()
    }
}

impl Deref for Ports {
    type Target = [PortSpec];

    fn deref(&self) -> &[PortSpec] {
        &self.list
    }
}

/// A component without parameters, and its output ports.
type Plain = (Arc<dyn BoundNode>, Arc<[PortId]>);

/// What nodes of one component share.
struct Known {
    component: Arc<dyn DynComponent>,
    reference: Arc<ComponentRef>,
    retry: Arc<RetryPolicy>,
    /// Without parameters.
    plain: Option<Plain>,
}

pub(super) fn bind(
    nodes: &[(usize, &GraphNode)],
    registry: &Registry,
    found: &mut Diagnostics,
) -> Vec<Option<Bound>> {
    let mut known: HashMap<(&str, Option<&str>), Known> = HashMap::new();
    nodes
        .iter()
        .map(|(place, node)| bind_one(*place, node, registry, &mut known, found))
        .collect()
}

fn bind_one<'a>(
    place: usize,
    node: &'a GraphNode,
    registry: &Registry,
    known: &mut HashMap<(&'a str, Option<&'a str>), Known>,
    found: &mut Diagnostics,
) -> Option<Bound> {
    let config = &node.data.config;
    let at = |rest: &str| format!("/nodes/{place}/data/config{rest}");
    let join = match config.join_strategy.as_deref().map(str::parse) {
        None => Join::All,
        Some(Ok(join)) => join,
        Some(Err(_)) => {
            let given = config.join_strategy.as_deref().unwrap_or_default();
            let message = format!("{} is no join strategy", quoted(given));
            let suggestion = Some("use all, any, first, quorum:<n> or settled".to_owned());
            found.error(Code::InvalidJoin, at("/joinStrategy"), message, suggestion);
            Join::All
        }
    };
    let timeout = seconds(config.timeout_seconds, || at("/timeoutSeconds"), found);
    if config.max_concurrency == Some(0) {
        positive(&at("/maxConcurrency"), found);
    }
    if let Some(retry) = &config.retry {
        check_retry(retry, &at("/retry"), found);
    }
    let key = (node.component.as_str(), node.version.as_deref());
    if !known.contains_key(&key) {
        let Some(component) = registry.get(key.0, key.1) else {
            unknown_component(place, node, registry, found);
            return None;
        };
        let definition = component.definition();
        let reference = Arc::new(ComponentRef {
            component_id: definition.id.clone(),
            component_version: definition.version.clone(),
        });
        let retry = Arc::new(RetryPolicy::layered([&definition.retry]));
        known.insert(
            key,
            Known {
                component: component.clone(),
                reference,
                retry,
                plain: None,
            },
        );
    }
    let shared = known.get_mut(&key)?;
    let definition = shared.component.definition().clone();
    let retry = match &config.retry {
        None => shared.retry.clone(),
        Some(retry) => Arc::new(RetryPolicy::layered([&definition.retry, retry])),
    };
    let from_seconds = |seconds: f64| Duration::try_from_secs_f64(seconds).ok();
    let timeout = timeout.or(definition.timeout_seconds.and_then(from_seconds));
    let heartbeat = definition.heartbeat_timeout_seconds.and_then(from_seconds);
    let each = match &config.for_each {
        None => None,
        Some(for_each) => {
            for_each::check(place, node, for_each, &definition, found);
            let settings = EachSettings {
                for_each: for_each.clone(),
                retry: retry.clone(),
                timeout,
                heartbeat,
            };
            Some(execute::for_each(shared.component.clone(), settings))
        }
    };
    // What limits and tries again one item does not do so to all of them.
    let (retry, timeout, heartbeat) = match &each {
        None => (retry, timeout, heartbeat),
        Some(_) => (ONCE.clone(), None, None),
    };
    let params = (!config.params.is_empty()).then(|| Box::new(Json::Object(config.params.clone())));
    let plain = shared
        .plain
        .as_ref()
        .filter(|_| params.is_none() && each.is_none());
    let component = each.as_ref().unwrap_or(&shared.component).clone();
    let definition = component.definition().clone();
    let (bound, output_ids) = if let Some((bound, ids)) = plain {
        (Some(bound.clone()), ids.clone())
    } else {
        match component.bind(params.as_deref().unwrap_or(&NO_PARAMS)) {
            Ok(bound) => {
                let ids = ids(bound.outputs());
                if params.is_none() && each.is_none() {
                    shared.plain = Some((bound.clone(), ids.clone()));
                }
                (Some(bound), ids)
            }
            Err(issues) => {
                invalid_params(
                    &definition,
                    &issues,
                    |rest| at(&format!("/params{rest}")),
                    found,
                );
                if definition.dynamic_ports {
                    return None;
                }
                (None, ids(&definition.outputs))
            }
        }
    };
    let (inputs, outputs) = match &bound {
        Some(bound) => (Ports::new(bound.inputs()), Ports::new(bound.outputs())),
        None => (
            Ports::new(&definition.inputs),
            Ports::new(&definition.outputs),
        ),
    };
    if inputs.len().max(outputs.len()) >= usize::from(u16::MAX) {
        let message = format!(
            "node {} has more ports than a plan counts",
            quoted(node.id.as_str())
        );
        let suggestion = Some("give it fewer than 65,535 inputs and outputs".to_owned());
        found.error(
            Code::TooLarge,
            format!("/nodes/{place}"),
            message,
            suggestion,
        );
        return None;
    }
    let overrides = overrides(place, node, &inputs, found);
    Some(Bound {
        component,
        node: bound,
        inputs,
        outputs,
        reference: shared.reference.clone(),
        output_ids,
        join,
        retry,
        timeout,
        heartbeat_timeout: heartbeat,
        overrides,
        secret_params: config.params.values().any(refers_to_secret),
        params,
    })
}

/// The policy of a node whose items are tried again, not itself.
static ONCE: LazyLock<Arc<RetryPolicy>> = LazyLock::new(|| {
    Arc::new(RetryPolicy {
        max_attempts: 1,
        ..RetryPolicy::default()
    })
});

/// What a component is bound with where a node gives no parameters.
static NO_PARAMS: Json = Json::Null;

fn ids(ports: &[PortSpec]) -> Arc<[PortId]> {
    ports.iter().map(|port| port.id.clone()).collect()
}

fn invalid_params(
    definition: &ComponentDefinition,
    issues: &[ParamIssue],
    at: impl Fn(&str) -> String,
    found: &mut Diagnostics,
) {
    let names: Vec<&str> = definition.params.iter().map(|param| &*param.id).collect();
    for issue in issues {
        let code = if issue.message.contains("secretRef") {
            Code::LiteralSecret
        } else {
            Code::InvalidParameter
        };
        // A parameter that is not there may be one that was meant.
        let token = issue.pointer.strip_prefix('/').unwrap_or_default();
        let near = near_name(token, &names, found).filter(|near| *near != token);
        let all = listed(names.iter());
        let suggestion = match near {
            _ if code == Code::LiteralSecret => SECRET_REFERENCE.to_owned(),
            Some(near) => format!(
                "did you mean {near}? parameters of {}: {all}",
                definition.id
            ),
            None => format!("parameters of {}: {all}", definition.id),
        };
        found.error(
            code,
            at(&issue.pointer),
            issue.message.as_str(),
            Some(suggestion),
        );
    }
}

fn unknown_component(place: usize, node: &GraphNode, registry: &Registry, found: &mut Diagnostics) {
    let id = node.component.as_str();
    if registry.get(id, None).is_some() {
        let versions = registry
            .definitions()
            .filter(|definition| definition.id == id)
            .map(|definition| &definition.version)
            .collect::<Vec<_>>();
        let message = format!(
            "node {}: component {} has no version {}",
            quoted(node.id.as_str()),
            quoted(id),
            quoted(node.version.as_deref().unwrap_or_default())
        );
        let suggestion = Some(format!("registered versions: {}", listed(versions.iter())));
        found.error(
            Code::UnknownComponent,
            format!("/nodes/{place}/version"),
            message,
            suggestion,
        );
        return;
    }
    // Nobody misspells a name at such length, and nobody reads the thousandth suggestion.
    let near = if id.len() > LONGEST_NAME || found.is_full() {
        Vec::new()
    } else {
        registry.near(id)
    };
    let names: Vec<_> = near.iter().map(|id| id.as_str()).collect();
    let suggestion = if names.is_empty() {
        "register it, or look at the list of components".to_owned()
    } else {
        format!("did you mean {}?", names.join(" or "))
    };
    let message = format!(
        "node {}: no component {} is registered",
        quoted(node.id.as_str()),
        quoted(id)
    );
    found.error(
        Code::UnknownComponent,
        format!("/nodes/{place}/type"),
        message,
        Some(suggestion),
    );
}

fn overrides(
    place: usize,
    node: &GraphNode,
    ports: &Ports,
    found: &mut Diagnostics,
) -> Box<[(u16, Value)]> {
    let mut overrides = Vec::new();
    for (id, json) in &node.data.config.input_overrides {
        if json.is_null() {
            continue;
        }
        let path = || {
            let token = pointer::token(id.as_str());
            format!("/nodes/{place}/data/config/inputOverrides/{token}")
        };
        let Some(index) = ports.find(id) else {
            let message = unknown_port("input", id, node, ports);
            let suggestion = near_port(id, ports, found);
            found.error(Code::UnknownPort, path(), message, suggestion);
            continue;
        };
        let port = &ports[index];
        if port.port_type == PortType::Secret {
            if refers_to_secret(json) {
                overrides.push((narrow(index), Value::from(json.clone())));
            } else {
                literal_secret(path(), port, found);
            }
            continue;
        }
        let value = Value::from(json.clone());
        let fits = coerce(&value, &port.port_type, port.lift)
            .map_err(|error| error.to_string())
            .and_then(|value| port.check(&value));
        match fits {
            Ok(()) => overrides.push((narrow(index), value)),
            Err(message) => {
                let message = format!("value of port {}: {message}", port.id);
                let suggestion = format!(
                    "give a value of type {}, or connect an output",
                    port.port_type
                );
                found.error(Code::InvalidValue, path(), message, Some(suggestion));
            }
        }
    }
    overrides.sort_by_key(|(index, _)| *index);
    overrides.into()
}

const SECRET_REFERENCE: &str = "refer to it by name: {\"secretRef\": \"NAME\"}";

fn literal_secret(path: String, port: &PortSpec, found: &mut Diagnostics) {
    let message = format!(
        "port {} is a secret: a value in the graph would be there for all to read",
        port.id
    );
    let suggestion = Some(SECRET_REFERENCE.to_owned());
    found.error(Code::LiteralSecret, path, message, suggestion);
}

pub(super) fn narrow(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

pub(super) fn unknown_port(way: &str, id: &PortId, node: &GraphNode, ports: &[PortSpec]) -> String {
    let known = listed(ports.iter().map(|port| &port.id));
    format!(
        "node {} ({}) has no {way} port {}; it has: {known}",
        quoted(node.id.as_str()),
        shown(node.component.as_str(), 80),
        quoted(id.as_str())
    )
}

/// What to do about a port that is not there.
pub(super) fn near_port(id: &PortId, ports: &[PortSpec], found: &Diagnostics) -> Option<String> {
    let names: Vec<&str> = ports
        .iter()
        .map(|port| port.id.as_str())
        .take(MANY + 1)
        .collect();
    let near = near_name(id.as_str(), &names, found);
    Some(near.map_or_else(
        || "use a port that it has, or leave this out".to_owned(),
        |near| format!("did you mean {near}?"),
    ))
}

/// How many names are compared with one that is not known.
const MANY: usize = 200;

/// The name most like one that is not known.
pub(super) fn near_name<'a>(name: &str, known: &[&'a str], found: &Diagnostics) -> Option<&'a str> {
    if name.len() > LONGEST_NAME || known.len() > MANY || found.is_full() {
        return None;
    }
    let likeness = |known: &&str| strsim::jaro_winkler(known, name);
    let best = known
        .iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))?;
    (likeness(best) > 0.7).then_some(*best)
}

/// Whether a reference to a secret stands anywhere in it.
fn refers_to_secret(json: &Json) -> bool {
    let mut stack = vec![json];
    while let Some(json) = stack.pop() {
        match json {
            Json::Object(fields) => {
                if fields.len() == 1 && fields.get("secretRef").is_some_and(Json::is_string) {
                    return true;
                }
                stack.extend(fields.values());
            }
            Json::Array(items) => stack.extend(items),
            _ => {}
        }
    }
    false
}

fn seconds(
    value: Option<f64>,
    path: impl Fn() -> String,
    found: &mut Diagnostics,
) -> Option<Duration> {
    let value = value?;
    match Duration::try_from_secs_f64(value) {
        Ok(limit) if !limit.is_zero() => Some(limit),
        _ => {
            let message = format!("{value} is no time limit");
            let suggestion = Some("give seconds, more than 0".to_owned());
            found.error(Code::InvalidSetting, path(), message, suggestion);
            None
        }
    }
}

pub(super) fn positive(path: &str, found: &mut Diagnostics) {
    let suggestion = Some("give 1 or more, or leave it out".to_owned());
    found.error(Code::InvalidSetting, path, "0 lets nothing run", suggestion);
}

fn check_retry(retry: &RetrySettings, path: &str, found: &mut Diagnostics) {
    let kinds = retry.per_kind.iter().flat_map(|(kind, settings)| {
        let place = format!("{path}/perKind/{kind}");
        [(
            settings.max_attempts,
            settings.initial_interval_seconds,
            place,
        )]
    });
    let all = [(
        retry.max_attempts,
        retry.initial_interval_seconds,
        path.to_owned(),
    )];
    for (attempts, interval, place) in all.into_iter().chain(kinds) {
        if attempts == Some(0) {
            positive(&format!("{place}/maxAttempts"), found);
        }
        not_negative(
            interval,
            0.0,
            &format!("{place}/initialIntervalSeconds"),
            found,
        );
    }
    not_negative(
        retry.maximum_interval_seconds,
        0.0,
        &format!("{path}/maximumIntervalSeconds"),
        found,
    );
    not_negative(
        retry.backoff_coefficient,
        1.0,
        &format!("{path}/backoffCoefficient"),
        found,
    );
}

fn not_negative(value: Option<f64>, least: f64, path: &str, found: &mut Diagnostics) {
    if let Some(value) = value
        && !(value.is_finite() && value >= least)
    {
        let suggestion = Some(format!("give {least} or more"));
        found.error(
            Code::InvalidSetting,
            path,
            format!("{value} is out of range"),
            suggestion,
        );
    }
}

pub(super) fn check_config(config: &WorkflowConfig, found: &mut Diagnostics) {
    seconds(
        config.timeout_seconds,
        || "/config/timeoutSeconds".to_owned(),
        found,
    );
    if config.max_concurrency == Some(0) {
        positive("/config/maxConcurrency", found);
    }
}
