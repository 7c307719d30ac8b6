//! What a host decides: who may ask, and how much.

use std::{fmt, num::NonZeroU32, time::Duration};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Who may use the API.
#[derive(Debug, Clone)]
pub struct Access {
    pub(crate) guard: Guard,
    pub(crate) names: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) enum Guard {
    /// Whoever reaches a loopback address.
    Loopback,
    /// Whoever has the token.
    Token(Token),
    /// The host asks.
    Host,
}

/// A bearer token. Debug output does not show it.
#[derive(Clone)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Takes as long whether it is right or nearly right, and however long it is.
    pub(crate) fn is(&self, given: &str) -> bool {
        let digest = |text: &str| Sha256::digest(text.as_bytes());
        digest(&self.0).ct_eq(&digest(given)).into()
    }
}

/// A token that is too short to keep anybody out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bearer token has {0} visible ASCII characters: expected at least 16 and nothing else")]
pub struct WeakToken(usize);

impl Access {
    /// Everybody on this machine, and nobody else. They can run workflows, which do what the host's
    /// components can: those that ship read and write files, and ask other hosts, as the user of this
    /// process. Requests must name a loopback host, so that no web
    /// page reaches the API through a name of its own (DNS rebinding), and come from a loopback
    /// address. [`serve`](crate::serve()) refuses to listen on any other address with it; a host that
    /// serves the router itself must tell where requests come from, with axum's
    /// `into_make_service_with_connect_info::<SocketAddr>()`.
    pub fn loopback() -> Self {
        Self {
            guard: Guard::Loopback,
            names: Vec::new(),
        }
    }

    /// Whoever sends this token as `Authorization: Bearer …` (RFC 6750).
    ///
    /// # Errors
    ///
    /// [`WeakToken`] where it has fewer than 16 characters, or any that is not visible ASCII.
    pub fn token(token: impl Into<String>) -> Result<Self, WeakToken> {
        let token = token.into();
        let visible = token.bytes().filter(u8::is_ascii_graphic).count();
        if visible < 16 || visible < token.len() {
            return Err(WeakToken(visible));
        }
        Ok(Self {
            guard: Guard::Token(Token(token)),
            names: Vec::new(),
        })
    }

    /// Whoever the host lets through: it puts a layer of its own around the router. Without one
    /// everybody who reaches it may start runs.
    pub fn by_host() -> Self {
        Self {
            guard: Guard::Host,
            names: Vec::new(),
        }
    }

    /// Lets requests name this host too, for example `studio.example.org`, and its pages ask. The port
    /// does not matter, and is not given here.
    /// With [`by_host`](Self::by_host) any name will do as long as none is given here.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.names.push(name.into().to_ascii_lowercase());
        self
    }

    /// Whether it keeps strangers out wherever it listens.
    pub(crate) fn is_for_everywhere(&self) -> bool {
        !matches!(self.guard, Guard::Loopback)
    }
}

/// How much the API takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of a body. Default: 8 MiB.
    pub body: usize,
    /// Requests per second from one address, where the server tells it, else of all. Default: 1,000.
    pub requests_per_second: NonZeroU32,
    /// Requests that may come at once beside that. Default: 2,000.
    pub burst: NonZeroU32,
    /// Event streams at once. Default: 4,096.
    pub streams: usize,
    /// Connections at once, with [`serve`](crate::serve()). Default: 8,192.
    pub connections: usize,
    /// Connections at once from one address, with [`serve`](crate::serve()); further ones are closed
    /// at once. A proxy in front of it is one address. Default: 2,048.
    pub connections_per_address: usize,
    /// How long a client may take to send the head of a request, with [`serve`](crate::serve()).
    /// Default: 10 s.
    pub head: Duration,
    /// How long a client may take to send a body; and, with [`serve`](crate::serve()), to read
    /// anything of what it asked for. Default: 30 s.
    pub stall: Duration,
}

const PER_SECOND: NonZeroU32 = NonZeroU32::new(1000).expect("1000 is not 0");
const BURST: NonZeroU32 = NonZeroU32::new(2000).expect("2000 is not 0");

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 8 * 1024 * 1024,
            requests_per_second: PER_SECOND,
            burst: BURST,
            streams: 4096,
            connections: 8192,
            connections_per_address: 2048,
            head: Duration::from_secs(10),
            stall: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Sets [`body`](Self::body).
    #[must_use]
    pub fn with_body(mut self, bytes: usize) -> Self {
        self.body = bytes;
        self
    }

    /// Sets [`requests_per_second`](Self::requests_per_second) and [`burst`](Self::burst).
    #[must_use]
    pub fn with_rate(mut self, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        (self.requests_per_second, self.burst) = (per_second, burst);
        self
    }

    /// Sets [`streams`](Self::streams).
    #[must_use]
    pub fn with_streams(mut self, streams: usize) -> Self {
        self.streams = streams;
        self
    }

    /// Sets [`head`](Self::head).
    #[must_use]
    pub fn with_head(mut self, time: Duration) -> Self {
        self.head = time;
        self
    }

    /// Sets [`stall`](Self::stall).
    #[must_use]
    pub fn with_stall(mut self, time: Duration) -> Self {
        self.stall = time;
        self
    }

    /// Sets [`connections`](Self::connections).
    #[must_use]
    pub fn with_connections(mut self, connections: usize) -> Self {
        self.connections = connections;
        self
    }

    /// Sets [`connections_per_address`](Self::connections_per_address).
    #[must_use]
    pub fn with_connections_per_address(mut self, connections: usize) -> Self {
        self.connections_per_address = connections;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_keeps_others_out_and_itself_out_of_logs() {
        let Guard::Token(token) = Access::token("made-up-token-of-a-test").unwrap().guard else {
            panic!("no token");
        };
        assert!(token.is("made-up-token-of-a-test"));
        assert!(!token.is("made-up-token-of-a-tesT"));
        assert!(!token.is(""));
        assert_eq!(format!("{token:?}"), "Token(…)");
        for weak in ["", "short", "sixteen but space", "sixteen\nbut-a-line"] {
            assert!(Access::token(weak).is_err(), "{weak:?}");
        }
    }
}
