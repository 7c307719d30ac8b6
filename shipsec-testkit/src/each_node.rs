//! A workflow whose nodes are disturbed in turn: one is made to fail, or one is run twice.

use std::{collections::BTreeMap, sync::Arc};

use futures::future::BoxFuture;
use serde_json::{Map, Value as Json};
use shipsec_core::{
    ComponentError, NodeId, Registry,
    component::{
        BoundNode, ComponentDefinition, DynComponent, NodeOutput, ParamIssue, PortSpec, PortValues,
    },
    context::Context,
    event::{Event, EventKind, Outputs, WorkflowStatus},
    run::RunView,
    schedule::EdgeKind,
    workflow::{Definition, Graph, RuntimeInput, compile},
};

use crate::harness::{Finished, Harness};

/// A run in which one node was disturbed.
#[derive(Debug)]
pub struct Disturbed {
    /// The node.
    pub node: NodeId,
    /// The run.
    pub run: Finished,
}

/// Runs a workflow once for each of its nodes, with that node failing instead of doing its work,
/// and holds each run to what the graph promises:
///
/// - it ends, and its log gives every node exactly one outcome with nothing after it;
/// - the disturbed node is recorded as failed, if it would have started at all;
/// - the run completes where each node that failed has an `error` edge, and fails otherwise, naming
///   one that has none;
/// - the fold of the log agrees with the outcome.
///
/// The failure is an `InternalError`, which no default policy tries again. The runs come back in the
/// order of the plan, for what a caller wants to ask of them besides.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// use serde_json::{Map, json};
/// use shipsec_core::workflow::Graph;
/// use shipsec_testkit::{Harness, fail_each_node};
///
/// let graph: Graph = serde_json::from_value(json!({
///     "nodes": [{ "id": "start", "type": "core.workflow.entrypoint" }],
/// }))
/// .unwrap();
/// let runs = fail_each_node(&Harness::default(), &graph, &Map::new()).await;
/// assert!(!runs[0].run.outcome.is_completed());
/// # }
/// ```
///
/// # Panics
///
/// When the undisturbed run does not complete, or a run breaks one of these promises, saying which.
pub async fn fail_each_node(
    harness: &Harness,
    graph: &Graph,
    inputs: &Map<String, Json>,
) -> Vec<Disturbed> {
    let plain = Plain::run(harness, graph, inputs).await;
    let mut runs = Vec::new();
    for node in plain.nodes() {
        let run = plain.disturb(harness, &node, Act::Fail).await;
        let story = ended_well(&plain.definition, &run, &node);
        let started = !matches!(plain.story[&node].end, End::Skipped | End::Cancelled);
        assert!(
            !started || story[&node].end == End::Failed,
            "node {node} was made to fail, and ended as {:?}",
            story[&node].end
        );
        agrees_with_the_policy(&plain.definition, &story, &run, &node);
        runs.push(Disturbed { node, run });
    }
    runs
}

/// Runs a workflow once for each of its nodes, with that node doing its work twice over, as it
/// happens when the word of its success is lost, and holds each run to being none the worse:
///
/// - it ends as the undisturbed one, and its log gives every node exactly one outcome;
/// - every node has the same outputs;
/// - the repeated node emits each of its artifacts twice with the same content, and the other nodes
///   theirs as ever.
///
/// The runs come back in the order of the plan.
///
/// # Panics
///
/// When the undisturbed run does not complete, or a run breaks one of these promises, saying which.
pub async fn repeat_each_node(
    harness: &Harness,
    graph: &Graph,
    inputs: &Map<String, Json>,
) -> Vec<Disturbed> {
    let plain = Plain::run(harness, graph, inputs).await;
    let mut runs = Vec::new();
    for node in plain.nodes() {
        let run = plain.disturb(harness, &node, Act::Repeat).await;
        let story = ended_well(&plain.definition, &run, &node);
        assert_eq!(
            run.outcome.status, plain.finished.outcome.status,
            "with node {node} repeated: {:?}",
            run.outcome.failure
        );
        for (id, now) in &story {
            let before = &plain.story[id];
            assert_eq!(
                now.end, before.end,
                "with node {node} repeated, node {id} ended otherwise"
            );
            assert!(
                now.outputs == before.outputs,
                "with node {node} repeated, node {id} gave other outputs: {:?} instead of {:?}",
                now.outputs,
                before.outputs
            );
            let mut expected = before.artifacts.clone();
            if *id == node {
                expected.extend(before.artifacts.iter().cloned());
                expected.sort();
            }
            assert_eq!(
                now.artifacts, expected,
                "with node {node} repeated, node {id} emitted other artifacts"
            );
        }
        runs.push(Disturbed { node, run });
    }
    runs
}

/// The undisturbed run, which the others are compared with.
struct Plain<'a> {
    graph: &'a Graph,
    inputs: &'a Map<String, Json>,
    definition: Arc<Definition>,
    finished: Finished,
    story: BTreeMap<NodeId, Story>,
}

impl<'a> Plain<'a> {
    async fn run(harness: &Harness, graph: &'a Graph, inputs: &'a Map<String, Json>) -> Self {
        let compiled = compile(graph, harness.registry())
            .unwrap_or_else(|found| panic!("the graph does not compile:\n{found}"));
        let definition = compiled.plan.definition().clone();
        let finished = harness.run(graph, inputs.clone()).await;
        assert!(
            finished.outcome.is_completed(),
            "undisturbed, the run is {:?}: {:?}",
            finished.outcome.status,
            finished.outcome.failure
        );
        let story = ended_well(&definition, &finished, &definition.entrypoint.node);
        Self {
            graph,
            inputs,
            definition,
            finished,
            story,
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let actions = self.definition.actions.iter();
        actions.map(|action| action.node.clone()).collect()
    }

    async fn disturb(&self, harness: &Harness, node: &NodeId, act: Act) -> Finished {
        let registry = disturbing(harness.registry(), node, act);
        let harness = harness.over(registry);
        harness.run(self.graph, self.inputs.clone()).await
    }
}

/// What a log tells of one node.
struct Story {
    end: End,
    outputs: Option<Arc<Outputs>>,
    /// Name, media type and content of each, ascending.
    artifacts: Vec<[String; 3]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Completed,
    Failed,
    Skipped,
    Cancelled,
}

fn end_of(event: &Event) -> Option<End> {
    match &event.kind {
        EventKind::NodeCompleted(_) => Some(End::Completed),
        EventKind::NodeFailed(failed) if !failed.will_retry => Some(End::Failed),
        EventKind::NodeSkipped(_) => Some(End::Skipped),
        EventKind::NodeCancelled(_) => Some(End::Cancelled),
        _ => None,
    }
}

/// Every planned node has one outcome, nothing comes after it, and the fold agrees.
fn ended_well(
    definition: &Definition,
    run: &Finished,
    disturbed: &NodeId,
) -> BTreeMap<NodeId, Story> {
    let mut stories = BTreeMap::new();
    for action in &definition.actions {
        let id = &action.node;
        let mut events = run.events.iter().filter(|e| e.node_id() == Some(id));
        let (mut end, mut outputs, mut artifacts) = (None, None, Vec::new());
        for event in events.by_ref() {
            if let EventKind::NodeArtifact(artifact) = &event.kind {
                let artifact = artifact.as_ref();
                artifacts.push(
                    [&artifact.name, &artifact.media_type, &artifact.sha256].map(Clone::clone),
                );
            }
            if let EventKind::NodeCompleted(completed) = &event.kind {
                outputs = Some(completed.outputs.clone());
            }
            end = end_of(event);
            if end.is_some() {
                break;
            }
        }
        let after: Vec<_> = events.map(|event| event.kind.type_name()).collect();
        assert!(
            after.is_empty(),
            "with node {disturbed} disturbed, after the end of node {id} came {after:?}"
        );
        let end = end.unwrap_or_else(|| {
            panic!("with node {disturbed} disturbed, node {id} has no outcome");
        });
        artifacts.sort();
        let story = Story {
            end,
            outputs,
            artifacts,
        };
        stories.insert(id.clone(), story);
    }
    let view = RunView::from_events(run.outcome.run_id.clone(), &run.events);
    assert_eq!(
        (view.status, view.counts.finished(), view.late_events),
        (run.outcome.status, stories.len(), 0),
        "with node {disturbed} disturbed, the fold of the log and the outcome differ"
    );
    stories
}

fn agrees_with_the_policy(
    definition: &Definition,
    story: &BTreeMap<NodeId, Story>,
    run: &Finished,
    disturbed: &NodeId,
) {
    let handled = |node: &NodeId| {
        let mut edges = definition.edges.iter();
        edges.any(|edge| edge.source_ref == *node && edge.kind == EdgeKind::Error)
    };
    let unhandled: Vec<&NodeId> = story
        .iter()
        .filter(|(node, story)| story.end == End::Failed && !handled(node))
        .map(|(node, _)| node)
        .collect();
    let expected = if unhandled.is_empty() {
        WorkflowStatus::Completed
    } else {
        WorkflowStatus::Failed
    };
    assert_eq!(
        run.outcome.status, expected,
        "with node {disturbed} failing, without a handler failed: {unhandled:?}"
    );
    let blamed = run.outcome.failure.as_ref().map(|f| f.node_id.as_ref());
    assert!(
        match blamed {
            None => unhandled.is_empty(),
            Some(node) => node.is_some_and(|node| unhandled.contains(&node)),
        },
        "with node {disturbed} failing, the run blames {blamed:?} and not one of {unhandled:?}"
    );
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Fail,
    Repeat,
}

/// The same components, of which the one at `node` is disturbed.
fn disturbing(registry: &Registry, node: &NodeId, act: Act) -> Registry {
    let mut disturbed = Registry::new();
    for definition in registry.definitions() {
        let component = registry.get(definition.id.as_str(), Some(&definition.version));
        let Some(inner) = component.cloned() else {
            continue;
        };
        let node = node.clone();
        disturbed
            .register_dyn(Arc::new(Disturbing { inner, node, act }))
            .unwrap_or_else(|error| panic!("{error}"));
    }
    disturbed
}

#[derive(Debug)]
struct Disturbing {
    inner: Arc<dyn DynComponent>,
    node: NodeId,
    act: Act,
}

impl DynComponent for Disturbing {
    fn definition(&self) -> &Arc<ComponentDefinition> {
        self.inner.definition()
    }

    fn bind(&self, params: &Json) -> Result<Arc<dyn BoundNode>, Vec<ParamIssue>> {
        Ok(Arc::new(DisturbedNode {
            inner: self.inner.bind(params)?,
            node: self.node.clone(),
            act: self.act,
        }))
    }
}

struct DisturbedNode {
    inner: Arc<dyn BoundNode>,
    node: NodeId,
    act: Act,
}

impl BoundNode for DisturbedNode {
    fn inputs(&self) -> &Arc<[PortSpec]> {
        self.inner.inputs()
    }

    fn outputs(&self) -> &Arc<[PortSpec]> {
        self.inner.outputs()
    }

    fn runtime_inputs(&self) -> Option<&[RuntimeInput]> {
        self.inner.runtime_inputs()
    }

    fn run(
        self: Arc<Self>,
        inputs: PortValues,
        cx: Context,
    ) -> BoxFuture<'static, Result<NodeOutput, ComponentError>> {
        let inner = self.inner.clone();
        if *cx.node_id() != self.node {
            return inner.run(inputs, cx);
        }
        match self.act {
            Act::Fail => Box::pin(async {
                Err(ComponentError::internal(
                    "made to fail, to see what comes of it",
                ))
            }),
            Act::Repeat => Box::pin(async move {
                inner.clone().run(inputs.clone(), cx.clone()).await?;
                inner.run(inputs, cx).await
            }),
        }
    }
}
