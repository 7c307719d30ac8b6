//! Runs that call runs: whom an answer is for, and which run to go on with.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use serde_json::Value as Json;
use shipsec_core::{
    NodeId, RunId, WorkflowId,
    event::{AwaitingInputPayload, EventKind, ParentRun, Relation},
    run::{NodeView, RunView},
    trace::TraceStore,
    workflow::{WorkflowSource, WorkflowSourceError},
};

use crate::{failure::Failure, runs::Found};

/// How many runs may stand above another: more than the executor allows.
const DEEPEST: usize = 64;

/// The component that calls workflows.
const CALL: &str = "core.workflow.call";

/// A question of a run, or of one that it called.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) run: RunId,
    pub(crate) node: NodeId,
    pub(crate) question: Arc<AwaitingInputPayload>,
}

/// Whether another run called this one. Its first event says so.
pub(crate) async fn is_called(store: &dyn TraceStore, run: &RunId) -> Result<bool, Failure> {
    let first = store.read(run, 0, 1).await.map_err(Failure::unusable)?;
    Ok(matches!(
        first.first().map(|event| &event.kind),
        Some(EventKind::WorkflowStatus(payload))
            if payload.parent.as_ref().is_some_and(is_call)
    ))
}

fn is_call(parent: &ParentRun) -> bool {
    parent.relation == Relation::Call
}

/// What is going on of a run: its nodes, and the items of those that run once for each.
fn nodes_and_items(view: &RunView) -> impl Iterator<Item = &NodeView> {
    let items = view.nodes().flat_map(|(id, _)| {
        let items = view.items(id.as_str());
        items.into_iter().flat_map(|items| items.iter())
    });
    let nodes = view.nodes().map(|(_, node)| node);
    nodes.chain(items).filter(|node| !node.state.is_final())
}

/// The nodes, and items of nodes, that wait for a person.
pub(crate) fn waiting(view: &RunView) -> impl Iterator<Item = &NodeView> {
    nodes_and_items(view).filter(|node| node.awaiting.is_some())
}

/// Looks at a run, and then at those that it called and waits for, at any depth; `look` names the runs
/// to go on with.
async fn through_calls(
    of: &Found,
    view: &RunView,
    mut look: impl FnMut(&RunView, &mut VecDeque<RunId>),
) -> Result<(), Failure> {
    let mut called = VecDeque::new();
    look(view, &mut called);
    while let Some(child) = called.pop_front() {
        let child = of.other(child).view().await?;
        if child.sequence > 0 && !child.status.is_final() {
            look(&child, &mut called);
        }
    }
    Ok(())
}

/// Everything that waits for a person: in the run itself, then in the runs that its nodes have called
/// and wait for, at any depth.
pub(crate) async fn questions(of: &Found, view: &RunView) -> Result<Vec<Asked>, Failure> {
    let mut asked = Vec::new();
    let look = |view: &RunView, called: &mut VecDeque<RunId>| {
        for node in nodes_and_items(view) {
            match &node.awaiting {
                Some(question) => asked.push(Asked {
                    run: view.run_id.clone(),
                    node: node.node_id.clone(),
                    question: question.clone(),
                }),
                None => called.extend(node.child_runs.iter().flat_map(|runs| runs.iter().cloned())),
            }
        }
    };
    through_calls(of, view, look).await?;
    Ok(asked)
}

/// Whether the workflows that a run is still to call are there; `how` names the folder of others.
/// Without them it would fail, and not be gone on with any more.
pub(crate) async fn can_go_on(
    found: &Found,
    run: &RunView,
    source: &dyn WorkflowSource,
    how: &str,
) -> Result<(), Failure> {
    if !found.is_interrupted().await? {
        return Ok(());
    }
    for id in workflows(found, run).await? {
        let graph = source.graph(&WorkflowId::from(id.as_str())).await;
        if let Err(error @ WorkflowSourceError::Unknown { .. }) = graph {
            return Err(Failure::unusable(format!(
                "run {} cannot be gone on with from here: {error}\nname the folder of its \
                 workflows: {how}",
                run.run_id
            )));
        }
    }
    Ok(())
}

/// The workflows that a run, or one that it called and waits for, is still to call by their id.
async fn workflows(of: &Found, view: &RunView) -> Result<BTreeSet<String>, Failure> {
    let mut ids = BTreeSet::new();
    let look = |view: &RunView, called: &mut VecDeque<RunId>| {
        let actions = view.definition().into_iter();
        for action in actions.flat_map(|definition| &definition.actions) {
            let node = view.node(action.node.as_str());
            let over = node.is_some_and(|node| node.state.is_final());
            if let (false, CALL, Some(id)) = (
                over,
                action.component_id.as_str(),
                action.params.get("workflow").and_then(Json::as_str),
            ) {
                ids.insert(id.to_owned());
            }
        }
        let nodes = nodes_and_items(view);
        called.extend(nodes.flat_map(|node| node.child_runs.iter().flat_map(|runs| runs.to_vec())));
    };
    through_calls(of, view, look).await?;
    Ok(ids)
}

/// The outermost of the runs that wait for this one, where any does: who goes on with that one goes on
/// with all of them.
pub(crate) async fn outermost(of: &Found, view: &RunView) -> Result<Option<RunView>, Failure> {
    let mut top: Option<RunView> = None;
    for _ in 0..DEEPEST {
        let inner = top.as_ref().unwrap_or(view);
        let Some(parent) = inner.parent.as_ref().filter(|parent| is_call(parent)) else {
            break;
        };
        let outer = of.other(parent.run_id.clone()).view().await?;
        let caller = parent.node_id.as_ref();
        let caller = caller.and_then(|node| outer.node(node.as_str()));
        let waits = caller.is_some_and(|node| !node.state.is_final()) && !outer.status.is_final();
        if !waits {
            break;
        }
        top = Some(outer);
    }
    Ok(top)
}
