//! Serving the router alone.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::extract::ConnectInfo;
use futures::future::FutureExt as _;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use crate::{Host, feed::Closing, guard::one_client, router};

/// How long requests that are being answered may take once the server is to end.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A server that does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// Anybody could reach it, and nothing keeps strangers out.
    #[error(
        "refused to serve on {0} without authentication: anybody who reaches it could run workflows; \
         serve on a loopback address, or give a bearer token"
    )]
    Open(SocketAddr),
    /// The address cannot be served on.
    #[error("the listener cannot be used: {0}")]
    Listener(#[from] io::Error),
}

/// Serves the router alone until `end` resolves, and then finishes the requests that are being
/// answered; event streams end at once. What takes longer than five seconds is cut off.
///
/// # Errors
///
/// [`ServeError`], where the listener is not on a loopback address and [`Access`](crate::Access) asks
/// nobody for a token.
pub async fn serve(
    listener: TcpListener,
    host: Host,
    end: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let address = listener.local_addr()?;
    if !address.ip().is_loopback() && !host.access.is_for_everywhere() {
        return Err(ServeError::Open(address));
    }
    let limits = host.limits.clone();
    let router = router(host);
    let mut server = hyper::server::conn::http1::Builder::new();
    server.timer(TokioTimer::new());
    server.header_read_timeout(limits.head);
    let most = limits.connections.min(Semaphore::MAX_PERMITS);
    let room = Arc::new(Semaphore::new(most));
    let guests = Guests::default();
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let (closing, closed) = watch::channel(());
    let mut end = std::pin::pin!(end.fuse());
    loop {
        // Whoever comes when there is no room waits in the system's queue.
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.expect("it is never closed"),
            () = &mut end => break,
        };
        let (stream, from) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Too many open files, or a client that has gone already: others may come.
                    tracing::warn!(%error, "a connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            () = &mut end => break,
            // Takes what has ended out of the set.
            Some(_) = connections.join_next() => continue,
        };
        let Some(guest) = guests.enter(from.ip(), limits.connections_per_address) else {
            tracing::debug!(%from, "a connection was closed: its address has as many as it may");
            continue;
        };
        // Frames of an event stream are small, and are to arrive now.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(limits.stall));
        let stream = Box::pin(stream);
        let closing_of = Closing::new(closed.clone());
        let service = router
            .clone()
            .map_request(move |mut request: hyper::Request<_>| {
                let extensions = request.extensions_mut();
                extensions.insert(ConnectInfo(from));
                extensions.insert(closing_of.clone());
                request
            });
        let connection =
            server.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%from, %error, "a connection ended");
            }
            drop((permit, guest));
        });
    }
    drop((listener, closing));
    // Whoever is left then is dropped with the set.
    let _ = tokio::time::timeout(LAST_WORDS, graceful.shutdown()).await;
    Ok(())
}

/// How many connections each client has.
#[derive(Debug, Clone, Default)]
struct Guests(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// A connection that counts until it is dropped.
#[derive(Debug)]
struct Guest {
    of: IpAddr,
    among: Guests,
}

impl Guests {
    /// Counts a connection, unless its client has `most` already.
    fn enter(&self, from: IpAddr, most: usize) -> Option<Guest> {
        let of = one_client(from);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.get(&of).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        counts.insert(of, count + 1);
        Some(Guest {
            of,
            among: self.clone(),
        })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.among.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.of) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.of);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_of_one_client_are_counted_together() {
        let guests = Guests::default();
        let at = |address: &str| guests.enter(address.parse().unwrap(), 2);
        let held = [at("192.0.2.1").unwrap(), at("::ffff:192.0.2.1").unwrap()];
        assert!(at("192.0.2.1").is_none());
        let other = [at("2001:db8::1").unwrap(), at("2001:db8::ffff:1").unwrap()];
        assert!(at("2001:db8::2").is_none());
        assert!(at("2001:db8:0:1::1").is_some());
        drop((held, other));
        assert!(guests.0.lock().unwrap().is_empty());
        assert!(at("192.0.2.1").is_some());
        assert!(guests.enter([192, 0, 2, 9].into(), 0).is_none());
        assert!(guests.0.lock().unwrap().is_empty());
    }
}
