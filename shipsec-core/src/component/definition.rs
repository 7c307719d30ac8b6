//! What a client needs to know of a component without linking its code.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::PortSpec;
use crate::{ComponentId, execute::RetrySettings};

/// Where a component's future is polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum Execution {
    /// On the async threads: the component awaits, and never computes for long in between.
    #[default]
    Async,
    /// On a thread of its own: the component computes or blocks.
    Blocking,
}

/// What a component's author says about it; `#[component(…)]` writes it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ComponentInfo {
    /// The name in the registry, dotted: `core.text.splitter`.
    pub id: &'static str,
    /// Semantic version of its contract.
    pub version: &'static str,
    /// A short name for people.
    pub label: &'static str,
    /// What it does.
    pub description: &'static str,
    /// Where it stands in a catalogue, for example `text`.
    pub category: &'static str,
    /// Where its future is polled.
    pub execution: Execution,
    /// Whether it may give something else where it runs again with the same parameters and inputs:
    /// it reads files, asks servers, draws lots.
    pub volatile: bool,
    /// Its retry settings; the workflow's override them, they override the defaults.
    pub retry: RetrySettings,
    /// Longest time of one attempt, unless the workflow says otherwise.
    pub timeout: Option<Duration>,
    /// Longest silence between two signs of life (progress or heartbeat).
    pub heartbeat_timeout: Option<Duration>,
}

impl ComponentInfo {
    /// Starts from the least that must be said.
    pub const fn new(id: &'static str, version: &'static str) -> Self {
        Self {
            id,
            version,
            label: id,
            description: "",
            category: "other",
            execution: Execution::Async,
            volatile: false,
            retry: RetrySettings::UNSET,
            timeout: None,
            heartbeat_timeout: None,
        }
    }

    /// Sets the label, the description and the category.
    #[must_use]
    pub const fn described(
        mut self,
        label: &'static str,
        description: &'static str,
        category: &'static str,
    ) -> Self {
        self.label = label;
        self.description = description;
        self.category = category;
        self
    }

    /// Sets where its future is polled.
    #[must_use]
    pub const fn with_execution(mut self, execution: Execution) -> Self {
        self.execution = execution;
        self
    }

    /// Says that it may give something else where it runs again with the same parameters and inputs.
    /// A rerun that takes over what has not changed runs it again.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sets its retry settings.
    #[must_use]
    pub fn with_retry(mut self, retry: RetrySettings) -> Self {
        self.retry = retry;
        self
    }

    /// Sets the longest time of one attempt.
    #[must_use]
    pub const fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the longest silence between two signs of life.
    #[must_use]
    pub const fn with_heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.heartbeat_timeout = Some(timeout);
        self
    }
}

/// One parameter: set when the workflow is written, the same for every run of a node.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ParamSpec {
    /// The key inside `config.params`.
    pub id: Arc<str>,
    /// A short name for people.
    pub label: String,
    /// What it sets.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether the graph must give it.
    pub required: bool,
    /// The value when the graph does not give one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Json>,
    /// How an editor shows it, for example `text`, `textarea`, `number`, `select`, `json`, `secret`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub editor: Option<String>,
    /// JSON Schema 2020-12 of its values.
    pub schema: Json,
}

impl ParamSpec {
    /// An optional parameter without default or editor.
    pub fn new(id: impl Into<Arc<str>>, schema: Json) -> Self {
        let id = id.into();
        Self {
            label: id.to_string(),
            id,
            description: String::new(),
            required: false,
            default: None,
            editor: None,
            schema,
        }
    }
}

/// A component as a client sees it: what `shipsec components ID --format json` prints.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ComponentDefinition {
    /// The name in the registry.
    pub id: ComponentId,
    /// Semantic version of its contract.
    pub version: Arc<str>,
    /// A short name for people.
    pub label: String,
    /// What it does.
    pub description: String,
    /// Where it stands in a catalogue.
    pub category: String,
    /// Whether it is where a workflow begins.
    #[serde(default)]
    pub entrypoint: bool,
    /// Whether its ports depend on its parameters; `inputs` and `outputs` are then those of no
    /// parameters.
    #[serde(default)]
    pub dynamic_ports: bool,
    /// Input ports, in the order of declaration.
    pub inputs: Arc<[PortSpec]>,
    /// Output ports, in the order of declaration.
    pub outputs: Arc<[PortSpec]>,
    /// Parameters, in the order of declaration.
    pub params: Vec<ParamSpec>,
    /// JSON Schema 2020-12 of all inputs as one object.
    pub input_schema: Json,
    /// JSON Schema 2020-12 of all parameters as one object.
    pub params_schema: Json,
    /// JSON Schema 2020-12 of all outputs as one object.
    pub output_schema: Json,
    /// Where its future is polled.
    pub execution: Execution,
    /// Whether it may give something else where it runs again with the same parameters and inputs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
    /// Its retry settings.
    #[serde(default)]
    pub retry: RetrySettings,
    /// Longest time of one attempt, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Longest silence between two signs of life, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_timeout_seconds: Option<f64>,
}

impl ComponentDefinition {
    /// A definition without ports and parameters from what the author says.
    pub fn new(info: &ComponentInfo) -> Self {
        let object = || serde_json::json!({ "type": "object" });
        Self {
            id: info.id.into(),
            version: info.version.into(),
            label: info.label.to_owned(),
            description: info.description.to_owned(),
            category: info.category.to_owned(),
            entrypoint: false,
            dynamic_ports: false,
            inputs: Arc::from([]),
            outputs: Arc::from([]),
            params: Vec::new(),
            input_schema: object(),
            params_schema: object(),
            output_schema: object(),
            execution: info.execution,
            volatile: info.volatile,
            retry: info.retry.clone(),
            timeout_seconds: info.timeout.map(|limit| limit.as_secs_f64()),
            heartbeat_timeout_seconds: info.heartbeat_timeout.map(|limit| limit.as_secs_f64()),
        }
    }
}
