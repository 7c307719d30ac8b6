//! A node that runs once for each item of a list.
//!
//! Such a node is one node to the scheduler. Inside it each item is a producer of its own, named
//! `node[3]`, with attempts, retries, time limits and a log like any node; the node collects their
//! outputs in the order of the items. What the log says of items is where a resumed run goes on.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use serde::{Serialize, Serializer, ser::SerializeSeq};
use serde_json::{Value as Json, json};
use tokio::time::Instant;

use super::{
    executor,
    node::{self, Finished},
    recovery::Loader,
    retry::RetryPolicy,
    spill,
};
use crate::{
    ComponentError, PortId,
    component::{
        BoundNode, ComponentDefinition, DynComponent, Execution, NodeOutput, ParamIssue, PortSpec,
        PortType, PortValues,
    },
    context::{Context, Progress},
    event::{
        CancelledPayload, ErrorPayload, EventKind, FailedPayload, Level, NodeRef, Outputs,
        Timestamp,
    },
    value::{Value, coerce},
    workflow::{ForEach, ItemFailure},
};

/// Items that run at once where the graph does not say.
const CONCURRENCY: u32 = 4;

/// The output port that tells of failed items, where they do not fail the node.
pub(crate) const FAILURES: &str = "failures";

/// Events that wait for the store before another item begins.
const BACKLOG: usize = 4096;

/// A component that runs once for each item.
#[derive(Debug)]
struct Each {
    inner: Arc<dyn DynComponent>,
    definition: Arc<ComponentDefinition>,
    settings: Settings,
}

/// How items run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) for_each: ForEach,
    pub(crate) retry: Arc<RetryPolicy>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) heartbeat: Option<Duration>,
}

/// The component as one that takes a list, and gives lists.
pub(crate) fn wrap(inner: Arc<dyn DynComponent>, settings: Settings) -> Arc<dyn DynComponent> {
    let mut definition = (**inner.definition()).clone();
    // Its items compute or wait; the node itself only collects.
    definition.execution = Execution::Async;
    definition.inputs = inputs(&definition.inputs, &settings.for_each);
    definition.outputs = outputs(&definition.outputs, &settings.for_each);
    Arc::new(Each {
        inner,
        definition: Arc::new(definition),
        settings,
    })
}

impl DynComponent for Each {
    fn definition(&self) -> &Arc<ComponentDefinition> {
        &self.definition
    }

    fn bind(&self, params: &Json) -> Result<Arc<dyn BoundNode>, Vec<ParamIssue>> {
        let inner = self.inner.bind(params)?;
        let ids = inner.outputs().iter().map(|port| port.id.clone()).collect();
        Ok(Arc::new(EachNode {
            inputs: inputs(inner.inputs(), &self.settings.for_each),
            outputs: outputs(inner.outputs(), &self.settings.for_each),
            inner_ids: ids,
            inner,
            execution: self.inner.definition().execution,
            settings: self.settings.clone(),
        }))
    }
}

fn list_of(port: &PortSpec) -> PortSpec {
    // Everything but a secret goes into JSON: a list of items of any type.
    let port_type = match &port.port_type {
        PortType::Any | PortType::Json => PortType::Json,
        of => PortType::List(Box::new(of.clone())),
    };
    let mut list = PortSpec::new(port.id.clone(), port_type);
    list.label.clone_from(&port.label);
    list.description.clone_from(&port.description);
    // Each item is checked by itself, so that one that does not fit fails alone.
    list.schema = json!({ "type": "array" });
    list
}

fn inputs(ports: &Arc<[PortSpec]>, for_each: &ForEach) -> Arc<[PortSpec]> {
    let changed = |port: &PortSpec| {
        if port.id != for_each.input {
            return port.clone();
        }
        let mut list = list_of(port);
        list.required = true;
        list.priority = port.priority;
        list
    };
    ports.iter().map(changed).collect()
}

fn outputs(ports: &Arc<[PortSpec]>, for_each: &ForEach) -> Arc<[PortSpec]> {
    let failures = (for_each.on_failure == ItemFailure::Collect).then(|| {
        let mut port = PortSpec::new(FAILURES, PortType::List(Box::new(PortType::Json)));
        port.label = "Failures".to_owned();
        port.description = "The items that failed, each with its index and its error.".to_owned();
        port.schema = json!({ "type": "array" });
        port
    });
    ports.iter().map(list_of).chain(failures).collect()
}

struct EachNode {
    inner: Arc<dyn BoundNode>,
    /// Ids of the inner component's output ports.
    inner_ids: Arc<[PortId]>,
    inputs: Arc<[PortSpec]>,
    outputs: Arc<[PortSpec]>,
    execution: Execution,
    settings: Settings,
}

impl BoundNode for EachNode {
    fn inputs(&self) -> &Arc<[PortSpec]> {
        &self.inputs
    }

    fn outputs(&self) -> &Arc<[PortSpec]> {
        &self.outputs
    }

    fn run(
        self: Arc<Self>,
        inputs: PortValues,
        cx: Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>> {
        Box::pin(run(self, inputs, cx))
    }
}

/// What the log says of an item that began before this process did.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    /// Its newest attempt.
    pub(crate) attempt: u32,
    /// How it ended, where it did: its outputs as recorded, or its error.
    pub(crate) ended: Option<Result<Arc<Outputs>, Arc<ErrorPayload>>>,
    /// How many of its attempts ended with their process.
    pub(crate) interrupted: u32,
    /// When the attempt began, and how many events and artifacts it has told, where it only waited
    /// for a person.
    pub(crate) suspended: Option<(Timestamp, u32, u32)>,
    /// When the next attempt begins.
    pub(crate) retry_at: Option<Timestamp>,
}

/// How an item ended.
enum Ended {
    Completed(Arc<Outputs>),
    Failed(Arc<ErrorPayload>),
    /// The node was to stop.
    Stopped,
}

async fn run(
    each: Arc<EachNode>,
    mut inputs: PortValues,
    cx: Context,
) -> Result<NodeOutput, ComponentError> {
    let ForEach {
        input,
        concurrency,
        on_failure,
    } = &each.settings.for_each;
    let at = each.inputs.iter().position(|port| port.id == *input);
    let at = at.ok_or_else(|| ComponentError::internal(format!("there is no input {input}")))?;
    let list = inputs.take(at).unwrap_or_else(|| Value::from(json!([])));
    let items = match list.json() {
        Ok(Json::Array(items)) => items,
        Ok(_) => {
            let error = ComponentError::validation(format!("input {input} is no list"));
            return Err(error.with_field(input.as_str(), "expected a list, an item for each run"));
        }
        Err(error) => return Err(ComponentError::validation(error.to_string())),
    };
    let total = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let mut before = cx.scope().take_items(cx.0.index);
    let mut results: Vec<Option<Arc<Outputs>>> = vec![None; items.len()];
    let mut failures: BTreeMap<u32, Arc<ErrorPayload>> = BTreeMap::new();
    let mut waiting: VecDeque<u32> = VecDeque::new();
    for index in 0..total {
        match before.get(&index).and_then(|before| before.ended.clone()) {
            Some(Ok(recorded)) => {
                results[index as usize] = Some(each.restored(&recorded, &cx).await?);
            }
            Some(Err(error)) => drop(failures.insert(index, error)),
            None => waiting.push_back(index),
        }
    }
    let fails = *on_failure == ItemFailure::Fail;
    let most = concurrency.unwrap_or(CONCURRENCY).max(1) as usize;
    let mut running = FuturesUnordered::new();
    let mut stopped = fails && !failures.is_empty();
    let told = |results: &[Option<Arc<Outputs>>], failures: &BTreeMap<u32, _>| {
        let done = results.iter().flatten().count() + failures.len();
        cx.progress(
            Progress::counted(done as u64, total.into())
                .unit("items")
                .derived(),
        );
    };
    told(&results, &failures);
    loop {
        while !stopped && !cx.is_cancelled() && running.len() < most {
            let Some(index) = waiting.pop_front() else {
                break;
            };
            cx.scope().recorder.room(BACKLOG).await;
            let mut values = inputs.clone();
            values.set(at, Value::from(items[index as usize].clone()));
            let before = before.remove(&index).unwrap_or_default();
            let item = each.clone().item(cx.clone(), index, values, before);
            let task = cx.spawn(item);
            running.push(async move { (index, task.await) });
        }
        let Some((index, ended)) = running.next().await else {
            break;
        };
        match ended.unwrap_or_else(|error| Ended::Failed(Arc::new(ErrorPayload::from(&error)))) {
            Ended::Completed(outputs) => results[index as usize] = Some(outputs),
            Ended::Failed(error) => {
                failures.insert(index, error);
                if fails && !stopped {
                    stopped = true;
                    cx.stop_items();
                }
            }
            Ended::Stopped => {}
        }
        told(&results, &failures);
    }
    if fails && let Some((index, error)) = failures.first_key_value() {
        let message = format!("item {index}: {}", executor::shown(error));
        let mut failed = ComponentError::new(error.kind, message);
        for (field, messages) in &error.field_errors {
            for message in messages {
                failed = failed.with_field(format!("{index}/{field}"), message.as_str());
            }
        }
        return Err(failed);
    }
    if cx.is_cancelled() {
        return Err(ComponentError::internal(
            "stopped before all items were done",
        ));
    }
    Ok(each.collected(&results, &failures))
}

impl EachNode {
    /// The outputs of an item that ended in another process.
    async fn restored(
        &self,
        recorded: &Outputs,
        cx: &Context,
    ) -> Result<Arc<Outputs>, ComponentError> {
        let scope = cx.scope();
        let loader = Loader {
            artifacts: &scope.artifacts,
            secrets: &scope.secrets,
            masker: &scope.masker,
        };
        let outputs = loader.outputs(&self.inner_ids, recorded).await;
        outputs.map_err(|(port, problem)| {
            let message = format!("output {port} of an item cannot be restored: {problem}");
            ComponentError::resource_unavailable(message)
        })
    }

    /// A list for each output port, in the order of the items; failed items have no place in it.
    fn collected(
        &self,
        results: &[Option<Arc<Outputs>>],
        failures: &BTreeMap<u32, Arc<ErrorPayload>>,
    ) -> NodeOutput {
        let mut values = PortValues::with_len(self.outputs.len());
        for port in 0..self.inner_ids.len() {
            let items = results.iter().flatten();
            let items = items
                .map(|outputs| outputs.values.get(port).cloned())
                .collect();
            values.set(port, Value::new(Collected(items)));
        }
        if self.settings.for_each.on_failure == ItemFailure::Collect {
            let failed = failures.iter();
            let failed = failed.map(|(index, error)| json!({ "index": index, "error": error }));
            values.set(
                self.inner_ids.len(),
                Value::from(Json::Array(failed.collect())),
            );
        }
        NodeOutput::new(&self.outputs, values)
    }

    /// Runs one item to its end.
    async fn item(
        self: Arc<Self>,
        node: Context,
        index: u32,
        values: PortValues,
        before: Before,
    ) -> Ended {
        let id = NodeRef::new(format!("{}[{index}]", node.node_id()));
        let mut attempt = before.attempt;
        let mut suspended = before.suspended;
        let mut pause = before.retry_at.map(|at| at.since(node.scope().clock.now()));
        loop {
            if let Some(pause) = pause.take() {
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    // Whoever ends the node records that this attempt will not begin.
                    () = node.items_stop() => {
                        node.call_off_item(&id.id);
                        return Ended::Stopped;
                    }
                }
            }
            let cx = match suspended.take() {
                Some(told) => Context::item(
                    &node,
                    id.clone(),
                    attempt,
                    self.settings.timeout,
                    Some(told),
                ),
                None => {
                    attempt += 1;
                    Context::item(&node, id.clone(), attempt, self.settings.timeout, None)
                }
            };
            node.item_began(&cx);
            cx.scope().recorder.begin(&cx);
            let result = self.attempt(&node, &cx, values.clone()).await;
            let counted = attempt - before.interrupted.min(attempt - 1);
            match self.record(&node, &cx, counted, result).await {
                Next::Ended(ended) => return ended,
                Next::Again(wait) => pause = Some(wait),
            }
        }
    }

    /// One attempt of an item, with its time limit and its signs of life. `None` where it was
    /// stopped.
    async fn attempt(
        &self,
        node: &Context,
        cx: &Context,
        mut values: PortValues,
    ) -> Option<Result<NodeOutput, ComponentError>> {
        if let Err(error) = self.checked(&mut values) {
            return Some(Err(error));
        }
        let mut work = self.work(values, cx);
        let grace = cx.scope().grace;
        let mut asked: Option<Option<ComponentError>> = None;
        let mut until: Option<Instant> = None;
        loop {
            let (timeout, silence) = match &asked {
                Some(_) => (until, None),
                None => (
                    cx.deadline(),
                    self.settings.heartbeat.map(|most| cx.last_beat() + most),
                ),
            };
            let sleep = async |at: Option<Instant>| match at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            };
            tokio::select! {
                biased;
                result = &mut work => {
                    return match (asked, result) {
                        (Some(Some(timed_out)), _) => Some(Err(timed_out)),
                        (Some(None), Err(_)) => None,
                        (_, result) => Some(result),
                    };
                }
                () = node.items_stop(), if asked.is_none() => {
                    asked = Some(None);
                    cx.cancel();
                    until = Instant::now().checked_add(grace);
                }
                () = sleep(timeout) => match asked {
                    None => {
                        let limit = self.settings.timeout.unwrap_or_default();
                        asked = Some(Some(ComponentError::timeout(format!("timed out after {limit:?}"))));
                        cx.cancel();
                        until = Instant::now().checked_add(grace);
                    }
                    Some(why) => {
                        cx.warn(format!("did not stop within {grace:?} of being asked, and was dropped"));
                        return why.map(Err);
                    }
                },
                () = sleep(silence) => {
                    let most = self.settings.heartbeat.unwrap_or_default();
                    if cx.is_waiting() {
                        cx.heartbeat();
                    } else if cx.last_beat() + most <= Instant::now() {
                        asked = Some(Some(ComponentError::timeout(format!("no sign of life for {most:?}"))));
                        cx.cancel();
                        until = Instant::now().checked_add(grace);
                    }
                }
            }
        }
    }

    /// Makes the item fit its port.
    fn checked(&self, values: &mut PortValues) -> Result<(), ComponentError> {
        let ports = self.inner.inputs();
        if let Some(at) = ports
            .iter()
            .position(|port| port.id == self.settings.for_each.input)
            && let Some(item) = values.get(at)
        {
            let port = &ports[at];
            let item = coerce(item, &port.port_type, port.lift).map_err(|error| {
                ComponentError::validation(format!("port {}: {error}", port.id))
                    .with_field(port.id.as_str(), error.to_string())
            })?;
            values.set(at, item);
        }
        node::check_ports(ports, values)
    }

    fn work(
        &self,
        values: PortValues,
        cx: &Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>> {
        let (inner, cx) = (self.inner.clone(), cx.clone());
        let work = AssertUnwindSafe(async move { inner.run(values, cx).await }).catch_unwind();
        let contained =
            work.map(|ended| ended.unwrap_or_else(|panic| Err(super::local::panicked(&*panic))));
        if self.execution == Execution::Async {
            return contained.boxed();
        }
        let runtime = tokio::runtime::Handle::current();
        let thread = tokio::task::spawn_blocking(move || runtime.block_on(contained));
        let joined = async move {
            let joined = thread.await;
            joined.unwrap_or_else(|error| Err(ComponentError::internal(error.to_string())))
        };
        joined.boxed()
    }

    /// Records how an attempt of an item ended, and says what follows.
    async fn record(
        &self,
        node: &Context,
        cx: &Context,
        counted: u32,
        result: Option<Result<NodeOutput, ComponentError>>,
    ) -> Next {
        let scope = cx.scope();
        let now = Instant::now();
        let took = now.saturating_duration_since(cx.0.started).as_micros();
        let took = u64::try_from(took).unwrap_or(u64::MAX) as f64 / 1000.0;
        let error = match result {
            None => {
                let reason = "node-stopped".to_owned();
                let kind = EventKind::NodeCancelled(Box::new(CancelledPayload { reason }));
                node.item_ended(cx, now, Level::Warn, None, kind);
                return Next::Ended(Ended::Stopped);
            }
            Some(result) => match self.finished(cx, result).await {
                Ok((mut finished, outputs)) => {
                    let recorded = finished.recorded_as(&self.inner_ids);
                    let kind = EventKind::NodeCompleted(crate::event::CompletedPayload {
                        outputs: recorded,
                        active_ports: None,
                        reused_from: None,
                        duration_ms: took,
                    });
                    node.item_ended(cx, now, Level::Info, None, kind);
                    return Next::Ended(Ended::Completed(outputs));
                }
                Err(error) => error,
            },
        };
        let wait = self.settings.retry.wait_after(counted, &error);
        let wait = wait.filter(|_| !node.items_are_stopped());
        let payload = ErrorPayload::from(&error);
        let retry_at = wait.and_then(|wait| now.checked_add(wait));
        let kind = EventKind::NodeFailed(Box::new(FailedPayload {
            error: payload.clone(),
            will_retry: wait.is_some(),
            interrupted: false,
            retry_at: retry_at.map(|at| scope.clock.at(at)),
            handled_by: None,
            duration_ms: Some(took),
        }));
        let level = match wait {
            Some(_) => Level::Warn,
            None => Level::Error,
        };
        let message = executor::shown(&payload);
        node.item_ended(cx, now, level, Some(message.into()), kind);
        match wait {
            Some(wait) => Next::Again(wait),
            None => {
                let masked = scope.recorder.masked_error(payload);
                Next::Ended(Ended::Failed(Arc::new(masked)))
            }
        }
    }

    /// Checks what an item gave, and stores what is too large for an event.
    async fn finished(
        &self,
        cx: &Context,
        result: Result<NodeOutput, ComponentError>,
    ) -> Result<(Finished, Arc<Outputs>), ComponentError> {
        let scope = cx.scope();
        let component = &scope.plan.nodes[cx.0.index as usize].component;
        let ports = self.inner.outputs();
        let mut finished =
            node::finish_ports(ports, &self.inner_ids, component, result?, &scope.masker)?;
        let outputs = finished.outputs.outputs(&self.inner_ids);
        if !scope.keeps_values {
            let recorded = finished.recorded_as(&self.inner_ids);
            let large = spill::large_ports(&recorded)?;
            if !large.is_empty() {
                finished.masked = Some(spill::spill(&recorded, &large, &scope.artifacts).await?);
            }
        }
        Ok((finished, outputs))
    }
}

enum Next {
    Ended(Ended),
    Again(Duration),
}

/// The values of one port of all items.
struct Collected(Vec<Option<Value>>);

impl Serialize for Collected {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.0.len()))?;
        for value in &self.0 {
            // Where the port of an item has none.
            list.serialize_element(&value)?;
        }
        list.end()
    }
}
