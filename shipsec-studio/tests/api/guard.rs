//! Who is let in.

use std::{net::SocketAddr, num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use reqwest::{Method, StatusCode};
use serde_json::json;
use shipsec_core::{Registry, execute::LocalExecutor, trace::MemoryStore};
use shipsec_studio::{Access, Host, Limits, ServeError, serve};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
};
use tower::ServiceExt as _;

use crate::support::{Server, TOKEN, chain, problem, with_token};

#[tokio::test]
async fn without_a_token_nobody_but_this_machine_is_served() {
    let executor = LocalExecutor::builder(Arc::new(MemoryStore::new())).build();
    let host = Host::local(&executor, Arc::new(Registry::new()));
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let refused = serve(listener, host.clone(), std::future::pending())
        .await
        .unwrap_err();
    assert!(matches!(refused, ServeError::Open(_)));
    assert!(
        refused.to_string().contains("give a bearer token"),
        "{refused}"
    );
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let host = host.with_access(Access::token(TOKEN).unwrap());
    serve(listener, host, std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn a_token_is_asked_for_where_something_is_shown() {
    let server = Server::with(Arc::new(MemoryStore::new()), with_token).await;
    for path in [
        "/workflows",
        "/workflows/runs",
        "/components",
        "/metrics",
        "/runs/diff?a=a&b=b",
    ] {
        let without = server.get(path);
        assert_eq!(
            problem(without).await,
            (401, "unauthorized".to_owned()),
            "{path}"
        );
        let wrong = server.get(path).bearer_auth(format!("{TOKEN}x"));
        assert_eq!(
            problem(wrong).await,
            (401, "unauthorized".to_owned()),
            "{path}"
        );
    }
    let response = server.get("/workflows").send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let with = server
        .get("/workflows")
        .bearer_auth(TOKEN)
        .send()
        .await
        .unwrap();
    assert_eq!(with.status(), StatusCode::OK);
    // The viewer asks for the token by itself.
    for path in ["/", "/assets/main.js", "/health", "/openapi.json"] {
        let open = server.get(path).send().await.unwrap();
        assert_eq!(open.status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn other_hosts_and_other_pages_are_refused() {
    let server = Server::start().await;
    let ask = |name: &str, value: &str| server.get("/workflows").header(name, value);
    let rebound = problem(ask("host", "evil.test")).await;
    assert_eq!(rebound, (403, "unknown-host".to_owned()));
    let foreign = problem(ask("origin", "http://evil.test")).await;
    assert_eq!(foreign, (403, "foreign-origin".to_owned()));
    let own = ask("origin", &format!("http://{}", server.address))
        .send()
        .await
        .unwrap();
    assert_eq!(own.status(), StatusCode::OK);
    assert!(own.headers().get("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn every_reply_says_how_a_browser_is_to_take_it() {
    let server = Server::start().await;
    for path in ["/", "/workflows", "/nothing", "/workflows/nope"] {
        let reply = server.get(path).send().await.unwrap();
        let policy = reply.headers()["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'self'; "),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert_eq!(
            reply.headers()["x-content-type-options"],
            "nosniff",
            "{path}"
        );
        assert_eq!(reply.headers()["referrer-policy"], "no-referrer", "{path}");
    }
    assert_eq!(
        problem(server.get("/nothing")).await,
        (404, "not-found".to_owned())
    );
    let method = problem(server.request(Method::DELETE, "/components")).await;
    assert_eq!(method, (405, "method-not-allowed".to_owned()));
    let index = server.get("/").send().await.unwrap();
    let tag = index.headers()["etag"].clone();
    let known = server
        .get("/")
        .header("if-none-match", tag)
        .send()
        .await
        .unwrap();
    assert_eq!(known.status(), StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn too_much_is_refused() {
    let (rate, burst) = (NonZeroU32::MIN, NonZeroU32::new(20).unwrap());
    let limits = Limits::default().with_body(1000).with_rate(rate, burst);
    let server = Server::with(Arc::new(MemoryStore::new()), |host| {
        host.with_limits(limits)
    })
    .await;
    let large = chain(
        "flow",
        &[("say", "dev.echo", json!({ "x": "x".repeat(2000) }))],
    );
    let large = problem(server.post("/workflows").json(&large)).await;
    assert_eq!(large, (413, "too-large".to_owned()));
    let mut refused = None;
    for _ in 0..40 {
        let reply = server.get("/health").send().await.unwrap();
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(reply.headers()["retry-after"].to_str().unwrap().to_owned());
            break;
        }
    }
    let seconds: u64 = refused.expect("forty are too many").parse().unwrap();
    assert!((1..=2).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn a_host_that_mounts_it_tells_where_requests_come_from() {
    let ask = async |path: &str, from: Option<&str>| {
        let executor = LocalExecutor::builder(Arc::new(MemoryStore::new())).build();
        let host = Host::local(&executor, Arc::new(Registry::new()));
        let router = Router::new().nest("/studio/", shipsec_studio::router(host));
        let mut request = Request::get(path)
            .header("host", "localhost")
            .body(Body::empty())
            .unwrap();
        if let Some(from) = from {
            let from: SocketAddr = from.parse().unwrap();
            request.extensions_mut().insert(ConnectInfo(from));
        }
        router.oneshot(request).await.unwrap().status().as_u16()
    };
    for path in [
        "/studio/",
        "/studio/assets/main.js",
        "/studio/health",
        "/studio/workflows/runs",
    ] {
        for (from, status) in [
            (Some("127.0.0.1:5"), 200),
            (Some("[::1]:5"), 200),
            (Some("[::ffff:127.0.0.1]:5"), 200),
            (Some("192.0.2.1:5"), 403),
            (None, 403),
        ] {
            assert_eq!(ask(path, from).await, status, "{path} {from:?}");
        }
    }
}

#[tokio::test]
async fn whoever_stalls_is_dropped() {
    let limits = Limits::default().with_stall(Duration::from_millis(50));
    let server = Server::with(Arc::new(MemoryStore::new()), |host| {
        host.with_limits(limits)
    })
    .await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let head = "POST /workflows HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 100\r\nconnection: close\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut reply = String::new();
    slow.read_to_string(&mut reply).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 408 "), "{reply}");
    assert!(reply.contains("\"code\":\"too-slow\""), "{reply}");

    // One that asks for much and reads nothing of it: it is cut off, sooner or later.
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    let ask = "GET /assets/main.js HTTP/1.1\r\nhost: localhost\r\n\r\n";
    loop {
        if deaf.write_all(ask.as_bytes()).await.is_err() {
            break;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_address_has_so_many_connections() {
    let limits = Limits::default().with_connections_per_address(2);
    let server = Server::with(Arc::new(MemoryStore::new()), |host| {
        host.with_limits(limits)
    })
    .await;
    let connect = async |from: [u8; 4]| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((from, 0).into()).unwrap();
        socket.connect(server.address).await.unwrap()
    };
    // The first byte of a reply; none where the connection is closed.
    let ask = async |stream: &mut TcpStream| {
        let ask = "GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n";
        // It may be closed before anything was sent.
        let _ = stream.write_all(ask.as_bytes()).await;
        stream.read_u8().await.ok()
    };
    let mut first = connect([127, 0, 0, 1]).await;
    let mut second = connect([127, 0, 0, 1]).await;
    assert_eq!(ask(&mut first).await, Some(b'H'));
    assert_eq!(ask(&mut second).await, Some(b'H'));
    let mut third = connect([127, 0, 0, 1]).await;
    assert_eq!(ask(&mut third).await, None);
    let mut other = connect([127, 0, 0, 2]).await;
    assert_eq!(ask(&mut other).await, Some(b'H'));
    drop(first);
    // Its place is free as soon as the server has seen that it has gone.
    while ask(&mut connect([127, 0, 0, 1]).await).await.is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(ask(&mut connect([127, 0, 0, 2]).await).await, Some(b'H'));
}
