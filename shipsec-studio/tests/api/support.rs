//! A server on loopback, and how to ask it.

use std::{net::SocketAddr, sync::Arc};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value as Json, json};
use shipsec_core::{
    Registry,
    execute::LocalExecutor,
    storage::ArtifactStore,
    trace::{MemoryStore, TraceStore},
};
use shipsec_studio::{Access, Host, serve};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// What no log shows.
pub(crate) const HIDDEN: &str = "made-up-secret-of-a-test";

/// A server that ends with the test.
pub(crate) struct Server {
    pub(crate) executor: LocalExecutor,
    pub(crate) address: SocketAddr,
    client: Client,
    end: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl Server {
    /// A server over runs in memory, with the components that ship.
    pub(crate) async fn start() -> Self {
        Self::with(Arc::new(MemoryStore::new()), |host| host).await
    }

    pub(crate) async fn with(
        store: Arc<dyn TraceStore>,
        set_up: impl FnOnce(Host) -> Host,
    ) -> Self {
        let registry: Arc<Registry> = Arc::new(shipsec_components::registry());
        let executor = LocalExecutor::builder(store)
            .artifacts(ArtifactStore::memory())
            .hide(None, HIDDEN)
            .registry(registry.clone())
            .build();
        let host = set_up(Host::local(&executor, registry));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (end, ended) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let ended = async {
                let _ = ended.await;
            };
            serve(listener, host, ended).await.unwrap();
        });
        let client = Client::builder().no_proxy().build().unwrap();
        Self {
            executor,
            address,
            client,
            end: Some(end),
            serving,
        }
    }

    /// Ends it, and waits until it has.
    pub(crate) async fn stop(mut self) {
        drop(self.end.take());
        self.serving.await.unwrap();
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// The JSON of a path.
    pub(crate) async fn json(&self, path: &str) -> Json {
        let response = self.get(path).send().await.unwrap();
        given(response, StatusCode::OK).await
    }

    /// Keeps a workflow.
    pub(crate) async fn keep(&self, graph: &Json) -> Json {
        let kept = self.post("/workflows").json(graph).send().await.unwrap();
        given(kept, StatusCode::CREATED).await
    }

    /// Starts a run of a workflow.
    pub(crate) async fn run(&self, workflow: &str, inputs: Json) -> String {
        let path = format!("/workflows/{workflow}/run");
        let body = json!({ "inputs": inputs });
        let started = self.post(&path).json(&body).send().await.unwrap();
        let started = given(started, StatusCode::ACCEPTED).await;
        started["runId"].as_str().unwrap().to_owned()
    }

    /// The whole event stream of a run, until it ends.
    pub(crate) async fn follow(&self, run: &str) -> Vec<Frame> {
        let path = format!("/workflows/runs/{run}/events");
        let response = self.get(&path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        frames(&response.text().await.unwrap())
    }

    /// A run of a workflow that has ended.
    pub(crate) async fn ended(&self, workflow: &str, inputs: Json) -> String {
        let run = self.run(workflow, inputs).await;
        let frames = self.follow(&run).await;
        assert_eq!(frames.last().unwrap().event, "end");
        run
    }
}

/// The JSON of a reply with this status.
pub(crate) async fn given(response: Response, status: StatusCode) -> Json {
    let found = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// The problem of a reply: its status and its code.
pub(crate) async fn problem(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    let media = response.headers()["content-type"]
        .to_str()
        .unwrap()
        .to_owned();
    let status = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(media, "application/problem+json", "{text}");
    let problem: Json = serde_json::from_str(&text).unwrap();
    assert_eq!(problem["status"], status.as_u16());
    let code = problem["code"].as_str().unwrap();
    assert_eq!(problem["type"], format!("urn:shipsec:problem:{code}"));
    assert!(!problem["title"].as_str().unwrap().is_empty());
    assert!(!problem["detail"].as_str().unwrap().is_empty());
    (status.as_u16(), code.to_owned())
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) id: Option<u64>,
    pub(crate) event: String,
    pub(crate) data: String,
}

/// The whole frames of a text.
pub(crate) fn frames(text: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    let mut rest = text;
    while let Some((frame, after)) = rest.split_once("\n\n") {
        rest = after;
        let field = |name: &str| {
            let mut lines = frame.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        if let Some(data) = field("data") {
            frames.push(Frame {
                id: field("id").map(|id| id.parse().unwrap()),
                event: field("event").unwrap_or("message").to_owned(),
                data: data.to_owned(),
            });
        }
    }
    frames
}

/// A graph of nodes one after the other, from an entry point with the input `text`.
pub(crate) fn chain(id: &str, nodes: &[(&str, &str, Json)]) -> Json {
    let mut all = vec![json!({
        "id": "start", "type": "core.workflow.entrypoint",
        "data": { "config": { "params": { "runtimeInputs": [
            { "id": "text", "label": "Text", "type": "text", "required": false }
        ] } } }
    })];
    let mut edges = Vec::new();
    let mut before = "start";
    for (node, component, params) in nodes {
        all.push(json!({
            "id": node, "type": component, "data": { "config": { "params": params } },
        }));
        edges.push(json!({ "id": format!("{before}-{node}"), "source": before, "target": node }));
        before = node;
    }
    json!({ "id": id, "name": id, "nodes": all, "edges": edges })
}

/// One that asks for a token.
pub(crate) const TOKEN: &str = "made-up-token-of-a-test";

pub(crate) fn with_token(host: Host) -> Host {
    host.with_access(Access::token(TOKEN).unwrap())
}
