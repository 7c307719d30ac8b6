//! An executor inside a test: the run's clock is virtual, and its log is a snapshot.
//!
//! As a program it prints the log that the test holds on to; `cargo test --example snapshot_test`
//! runs the test.

use std::{sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use shipsec_core::event::{Event, Timestamp};
use shipsec_core::execute::{Executor, LocalExecutor, RunRequest};
use shipsec_core::trace::{MemoryStore, TraceStore};
use shipsec_core::workflow::{EntryPoint, WorkflowBuilder, compile};
use shipsec_core::{ComponentError, Context, NoParams, NoPorts, Ports, Registry, RunId, component};

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Answer {
    /// What the service said.
    answer: u32,
}

/// Asks a service that is busy the first time, and slow the second.
#[component(id = "demo.ask", version = "1.0.0", category = "demo")]
async fn ask(_: NoPorts, _: NoParams, cx: &Context) -> Result<Answer, ComponentError> {
    if cx.attempt() == 1 {
        return Err(ComponentError::rate_limit("the service is busy")
            .with_retry_after(Duration::from_secs(30)));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
    cx.info("the service has answered");
    Ok(Answer { answer: 42 })
}

/// The log of a run that begins at nine o'clock, whenever it takes place.
async fn log() -> Result<Vec<Event>, Box<dyn std::error::Error>> {
    let mut registry = Registry::new();
    registry
        .register(Ask)?
        .register_dyn(Arc::new(EntryPoint::new()))?;
    let mut workflow = WorkflowBuilder::new("Ask");
    let start = workflow.entrypoint::<NoPorts>("start");
    let ask = workflow.node("ask", &Ask, NoParams {});
    workflow.order(&start, &ask);
    let plan = compile(&workflow.build(), &registry)?.plan;

    let store: Arc<dyn TraceStore> = Arc::new(MemoryStore::new());
    let nine: Timestamp = "2025-10-16T09:00:00Z".parse()?;
    let executor = LocalExecutor::builder(store.clone()).clock(nine).build();
    let id = RunId::parse("snapshot")?;
    let run = executor
        .start(RunRequest::new(plan).with_run_id(id))
        .await?;
    run.wait().await;
    Ok(store.read(run.id(), 0, usize::MAX).await?)
}

/// One line for each event.
fn lines(events: &[Event]) -> String {
    let line = |event: &Event| {
        let node = event.node_id().map_or("-", |node| node.as_str());
        let message = event.message.as_deref().unwrap_or_default();
        let (sequence, kind, attempt) = (event.sequence, event.kind.type_name(), event.attempt);
        let line = format!(
            "{sequence} {} {kind} {node} {attempt} {message}",
            event.timestamp
        );
        line.trim_end().to_owned()
    };
    events.iter().map(line).collect::<Vec<_>>().join("\n")
}

// Time stands still while somebody works, and leaps to the next timer when all wait.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("{}", lines(&log().await?));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_busy_service_is_asked_again() {
        let events = log().await.unwrap();
        insta::assert_snapshot!(lines(&events), @r"
        1 2025-10-16T09:00:00.000000Z WORKFLOW_STATUS - 0
        2 2025-10-16T09:00:00.000000Z NODE_STARTED start 1
        3 2025-10-16T09:00:00.000000Z NODE_COMPLETED start 1
        4 2025-10-16T09:00:00.000000Z NODE_STARTED ask 1
        5 2025-10-16T09:00:00.000000Z NODE_FAILED ask 1 RateLimitError: the service is busy
        6 2025-10-16T09:00:30.000000Z NODE_STARTED ask 2
        7 2025-10-16T09:00:35.000000Z NODE_LOG ask 2 the service has answered
        8 2025-10-16T09:00:35.000000Z NODE_COMPLETED ask 2
        9 2025-10-16T09:00:35.000000Z WORKFLOW_STATUS - 0
        ");
        // A whole event, as every store and every reader has it.
        insta::assert_json_snapshot!(events[4], @r#"
        {
          "id": "snapshot:5",
          "runId": "snapshot",
          "sequence": 5,
          "type": "NODE_FAILED",
          "level": "warn",
          "timestamp": "2025-10-16T09:00:00.000000Z",
          "nodeId": "ask",
          "attempt": 1,
          "counter": 2,
          "message": "RateLimitError: the service is busy",
          "payload": {
            "error": {
              "kind": "RateLimitError",
              "message": "the service is busy",
              "retryable": true
            },
            "willRetry": true,
            "retryAt": "2025-10-16T09:00:30.000000Z",
            "durationMs": 0.0
          }
        }
        "#);
    }
}
