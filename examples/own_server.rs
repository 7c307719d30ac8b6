//! A host with an HTTP server of its own: it mounts Studio beside its pages, and says itself who may
//! ask.
use std::{error::Error, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::{StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use shipsec_core::execute::LocalExecutor;
use shipsec_core::workflow::{EntryPoint, WorkflowBuilder};
use shipsec_core::{ComponentError, Context, NoParams, Ports, Registry, component, trace};
use shipsec_studio::{Access, Host};
use tokio::net::TcpListener;

#[derive(Clone, Serialize, Deserialize, JsonSchema, Ports)]
struct Text {
    /// Any text.
    text: String,
}

/// Says it louder.
#[component(id = "demo.shout", version = "1.0.0", category = "demo")]
async fn shout(mut input: Text, _: NoParams, cx: &Context) -> Result<Text, ComponentError> {
    cx.info("louder");
    input.text.make_ascii_uppercase();
    Ok(input)
}

/// Stands for the session of somebody who is signed in.
const SESSION: &str = "session=made-up-session-of-an-example";

async fn signed_in(request: Request, next: Next) -> Response {
    match request.headers().get(header::COOKIE) {
        Some(cookie) if cookie == SESSION => next.run(request).await,
        _ => (StatusCode::UNAUTHORIZED, "sign in first").into_response(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut registry = Registry::new();
    registry.register(Shout)?;
    registry.register_dyn(Arc::new(EntryPoint::new()))?;
    let registry = Arc::new(registry);
    let executor = LocalExecutor::builder(Arc::new(trace::MemoryStore::new()))
        .registry(registry.clone())
        .build();
    let host = Host::local(&executor, registry).with_access(Access::by_host());
    let studio = shipsec_studio::router(host).layer(from_fn(signed_in));
    let app = Router::new()
        .route("/", get(async || "the host's own page"))
        .nest("/studio/", studio);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });

    // What a browser or a program asks.
    let http = reqwest::Client::new();
    println!("/: {}", http.get(&base).send().await?.text().await?);
    let stranger = http.get(format!("{base}/studio/workflows/runs")).send();
    println!("a stranger: {}", stranger.await?.status());
    let post = |path: &str, body: &Json| {
        let request = http.post(format!("{base}/studio/{path}"));
        request.header(header::COOKIE, SESSION).json(body).send()
    };
    let mut workflow = WorkflowBuilder::new("Hello");
    let start = workflow.entrypoint::<Text>("start");
    let shout = workflow.node("shout", &Shout, NoParams {});
    workflow.connect(start.output().text, shout.input().text);
    let graph = serde_json::to_value(workflow.build())?;
    let kept: Json = post("workflows", &graph).await?.json().await?;
    println!("kept: {} version {}", kept["id"], kept["version"]);
    let inputs = json!({ "inputs": { "text": "hello" } });
    let started = post("workflows/hello/run", &inputs).await?;
    let started: Json = started.json().await?;
    let run = started["runId"].as_str().ok_or("no run was started")?;
    let events = http.get(format!("{base}/studio/workflows/runs/{run}/events"));
    // It ends with the run.
    let events = events.header(header::COOKIE, SESSION).send().await?;
    for line in events.text().await?.lines() {
        if let Some(event) = line.strip_prefix("event: ") {
            println!("event: {event}");
        }
    }
    Ok(())
}
