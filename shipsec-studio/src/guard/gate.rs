//! One middleware for every request: where it comes from, how often, and whose it is; and what each
//! reply says to browsers.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock as _};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use super::origin;
use crate::{Limits, Problem, settings::Guard, studio::Studio};

/// What is asked of every request.
#[derive(Debug)]
pub(crate) struct Gate {
    rate: DefaultKeyedRateLimiter<IpAddr>,
}

/// Addresses that the limiter remembers before it forgets those that were quiet.
const REMEMBERED: usize = 10_000;

impl Gate {
    pub(crate) fn new(limits: &Limits) -> Self {
        let quota = Quota::per_second(limits.requests_per_second).allow_burst(limits.burst);
        Self {
            rate: RateLimiter::keyed(quota),
        }
    }

    fn pace(&self, from: IpAddr) -> Result<(), Problem> {
        if self.rate.len() > REMEMBERED {
            self.rate.retain_recent();
        }
        self.rate.check_key(&from).map_err(|not_until| {
            let wait = not_until.wait_time_from(self.rate.clock().now());
            let seconds = wait.saturating_add(Duration::from_millis(999)).as_secs();
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too-many-requests",
                "Too many requests",
                "more requests came than this server takes at once; try again a little later",
            )
            .retry_after(seconds.max(1))
        })
    }
}

pub(crate) async fn gate(State(studio): State<Studio>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match pass(&studio, &request) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    };
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    studio
        .metrics
        .request(&method, route, status, began.elapsed());
    dress(response.headers_mut());
    response
}

fn pass(studio: &Studio, request: &Request) -> Result<(), Problem> {
    let connection = request.extensions().get::<ConnectInfo<SocketAddr>>();
    let from = connection.map(|from| from.0.ip().to_canonical());
    studio.gate.pace(from.map_or(NOBODY, one_client))?;
    if matches!(studio.host.access.guard, Guard::Loopback)
        && !from.is_some_and(|from| from.is_loopback())
    {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "not-local",
            "Only this machine is served",
            match from {
                Some(_) => "the request comes from another machine: its operator can set a token",
                None => {
                    "the server does not tell where requests come from: serve the router with \
                     into_make_service_with_connect_info, or let the host decide who may ask"
                }
            },
        ));
    }
    origin::check(
        &studio.host.access,
        request.method(),
        request.uri(),
        request.headers(),
    )
}

/// Where the server tells nothing.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Whose requests, and connections, are counted together: a host has a whole /64 of IPv6 (RFC 6177) to ask from.
pub(crate) fn one_client(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(from) => from.into(),
        IpAddr::V6(from) => Ipv6Addr::from_bits(from.to_bits() >> 64 << 64).into(),
    }
}

/// Asks for the token, where there is one.
pub(crate) async fn authorize(
    State(studio): State<Studio>,
    request: Request,
    next: Next,
) -> Response {
    let Guard::Token(token) = &studio.host.access.guard else {
        return next.run(request).await;
    };
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|given| given.to_str().ok());
    let given = given.and_then(|given| given.split_once(' '));
    match given {
        Some((scheme, given))
            if scheme.eq_ignore_ascii_case("bearer") && token.is(given.trim()) =>
        {
            next.run(request).await
        }
        _ => Problem::new(
            StatusCode::UNAUTHORIZED,
            "unauthorized",
            "A token is needed",
            "send the token of this server as Authorization: Bearer …",
        )
        .into_response(),
    }
}

/// What a reply says where its handler said nothing else.
fn dress(headers: &mut HeaderMap) {
    let mut say = |name: HeaderName, value: &'static str| {
        headers
            .entry(name)
            .or_insert(HeaderValue::from_static(value));
    };
    say(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
    );
    say(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    say(header::REFERRER_POLICY, "no-referrer");
    say(header::CACHE_CONTROL, "no-store");
    say(
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    );
    say(
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    );
}
