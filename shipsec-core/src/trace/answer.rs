//! Answering what a node waits for.

use serde_json::Value as Json;

use super::{StoreError, TraceStore};
use crate::{
    NodeId, RunId,
    event::{EventKind, InputReceivedPayload, NodeRef, Record, Timestamp, WorkflowStatus},
    run::{NodeState, RunView},
};

/// Events that are read at once.
const PAGE: usize = 4096;

/// An answer that a run does not take.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The store has no log of the run.
    #[error("run {0} is not known to the trace store")]
    UnknownRun(RunId),
    /// The run has no such node.
    #[error("run {run} has no node {node}; waiting are: {}", shown(.waiting))]
    UnknownNode {
        /// The run.
        run: RunId,
        /// The node.
        node: NodeId,
        /// The nodes that wait for an answer.
        waiting: Vec<NodeId>,
    },
    /// The run has ended.
    #[error("run {run} has ended: {status}")]
    Ended {
        /// The run.
        run: RunId,
        /// How.
        status: WorkflowStatus,
    },
    /// The node does not wait for an answer (any more).
    #[error("node {node} does not wait for an answer: it is {state}; waiting are: {}", shown(.waiting))]
    NotWaiting {
        /// The node.
        node: NodeId,
        /// Where it is.
        state: NodeState,
        /// The nodes that wait for one.
        waiting: Vec<NodeId>,
    },
    /// Somebody else was faster.
    #[error("the question of node {0} was answered already")]
    Answered(NodeId),
    /// The answer does not fit the schema of the question.
    #[error("the answer does not fit the question of node {node}: {}", .problems.join("; "))]
    Invalid {
        /// The node.
        node: NodeId,
        /// What is wrong, each with its place.
        problems: Vec<String>,
    },
    /// The store cannot be used.
    #[error("the trace store cannot be used: {0}")]
    Store(#[from] StoreError),
}

fn shown(nodes: &[NodeId]) -> String {
    match nodes {
        [] => "none".to_owned(),
        nodes => nodes
            .iter()
            .map(NodeId::as_str)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Records an answer in the log of the run, where its executor finds it, now or when the run is
/// resumed. Of two answers to one question the first counts.
pub(super) async fn answer(
    store: &dyn TraceStore,
    run: &RunId,
    node: &NodeId,
    answer: Json,
    by: Option<&str>,
) -> Result<(), AnswerError> {
    let mut view = RunView::new(run.clone());
    loop {
        let page = store.read(run, view.sequence, PAGE).await?;
        if page.is_empty() {
            break;
        }
        let before = view.sequence;
        for event in &page {
            view.apply(event);
        }
        if view.sequence == before {
            break;
        }
    }
    if view.sequence == 0 {
        return Err(AnswerError::UnknownRun(run.clone()));
    }
    if view.status.is_final() {
        return Err(AnswerError::Ended {
            run: run.clone(),
            status: view.status,
        });
    }
    let waits = || {
        let waits = view.nodes().filter(|(_, node)| node.awaiting.is_some());
        waits.map(|(id, _)| id.clone()).collect::<Vec<_>>()
    };
    let Some(found) = view.node(node.as_str()) else {
        return Err(AnswerError::UnknownNode {
            run: run.clone(),
            node: node.clone(),
            waiting: waits(),
        });
    };
    let Some(question) = &found.awaiting else {
        return Err(AnswerError::NotWaiting {
            node: node.clone(),
            state: found.state,
            waiting: waits(),
        });
    };
    let problems = question.schema.as_ref().map_or_else(Vec::new, |schema| {
        jsonschema::draft202012::new(schema).map_or_else(
            |error| vec![format!("its schema is none: {error}")],
            |validator| {
                let errors = validator.iter_errors(&answer);
                let shown = errors.map(|error| match error.instance_path().to_string() {
                    place if place.is_empty() => error.to_string(),
                    place => format!("{place}: {error}"),
                });
                shown.collect()
            },
        )
    });
    if !problems.is_empty() {
        return Err(AnswerError::Invalid {
            node: node.clone(),
            problems,
        });
    }
    // Which question of the node it is: the number at the end of its name.
    let number = question.request_id.rsplit('/').next();
    let number = number.and_then(|number| number.parse().ok()).unwrap_or(1);
    let kind = EventKind::NodeInputReceived(Box::new(InputReceivedPayload {
        request_id: question.request_id.clone(),
        answer,
        by: by.map(str::to_owned),
    }));
    let now = view
        .updated_at
        .map_or_else(Timestamp::now, |last| last.max(Timestamp::now()));
    // Whoever answers is a producer of its own: of each question the first answer is stored.
    let record = Record::new(now, Some(NodeRef::new(node.clone())), 0, number, kind);
    let message = match by {
        Some(by) => format!("answered by {by}"),
        None => "answered".to_owned(),
    };
    let appended = store.append(run, vec![record.with_message(message)]).await;
    match appended {
        Ok(appended) if appended.stored == 0 => Err(AnswerError::Answered(node.clone())),
        Ok(_) => Ok(()),
        Err(failed) => Err(failed.error.into()),
    }
}
