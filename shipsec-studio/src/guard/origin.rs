//! Where a request comes from: the host that it names, and the page that sent it.

use std::net::IpAddr;

use http::{HeaderMap, Method, StatusCode, Uri, header, uri::Authority};

use crate::{Access, Problem, settings::Guard};

/// Refuses a request that names a host which is not this one (DNS rebinding), or that a page of
/// another origin sent.
pub(super) fn check(
    access: &Access,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<(), Problem> {
    let authority = authority(uri, headers)?;
    if !is_own_name(access, host_of(&authority)) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "unknown-host",
            "Another host was asked for",
            format!(
                "the request names the host {:?}, which this server does not answer for; its operator \
                 can allow it",
                authority.as_str()
            ),
        ));
    }
    let mut origins = headers.get_all(header::ORIGIN).iter();
    if let Some(origin) = origins.next() {
        if origins.next().is_some() {
            return Err(foreign());
        }
        let origin = origin
            .to_str()
            .ok()
            .and_then(|origin| origin.parse::<Uri>().ok());
        // Behind a proxy the scheme and the port are others, so that a name that was allowed is enough.
        let origin = origin.as_ref().and_then(Uri::authority);
        let same = origin.is_some_and(|origin| {
            origin.as_str().eq_ignore_ascii_case(authority.as_str())
                || access.names.contains(&host_of(origin).to_ascii_lowercase())
        });
        return if same { Ok(()) } else { Err(foreign()) };
    }
    // Fetch Metadata (W3C): what a browser says of itself. Following a link is not asking as a page.
    let says = |name: &str| headers.get(name).map(|value| value.as_bytes().to_owned());
    let cross = says("sec-fetch-site").is_some_and(|site| site == b"cross-site");
    let navigates = says("sec-fetch-mode").is_some_and(|mode| mode == b"navigate");
    if cross && !(navigates && method.is_safe()) {
        return Err(foreign());
    }
    Ok(())
}

fn foreign() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "foreign-origin",
        "A page of another origin asked",
        "this API answers its own pages, and programs that send no Origin",
    )
}

fn authority(uri: &Uri, headers: &HeaderMap) -> Result<Authority, Problem> {
    if let Some(authority) = uri.authority() {
        return Ok(authority.clone());
    }
    let mut hosts = headers.get_all(header::HOST).iter();
    let (host, other) = (hosts.next(), hosts.next());
    let host = host.filter(|_| other.is_none());
    host.and_then(|host| host.to_str().ok()?.parse().ok())
        .filter(|authority: &Authority| !authority.as_str().contains('@'))
        .ok_or_else(|| {
            Problem::invalid("the request names no host, or several: expected one Host header")
        })
}

/// Without the brackets of an IPv6 address.
fn host_of(authority: &Authority) -> &str {
    authority
        .host()
        .trim_start_matches('[')
        .trim_end_matches(']')
}

fn is_own_name(access: &Access, host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
    if access.names.contains(&host) {
        return true;
    }
    let address: Option<IpAddr> = host.parse().ok();
    let is_local = host == "localhost"
        || host.ends_with(".localhost")
        || address.is_some_and(|address| address.is_loopback());
    match access.guard {
        Guard::Loopback => is_local,
        // Rebinding needs a name.
        Guard::Token(_) => is_local || address.is_some(),
        Guard::Host => is_local || address.is_some() || access.names.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(access: &Access, headers: &[(&str, &str)]) -> Result<(), String> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: header::HeaderName = name.parse().unwrap();
            map.append(name, value.parse().unwrap());
        }
        check(access, &Method::GET, &Uri::from_static("/workflows"), &map)
            .map_err(|problem| problem.code().to_owned())
    }

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let access = Access::loopback().with_name("Studio.test");
        for host in [
            "localhost",
            "LOCALHOST:3211",
            "127.0.0.1:1",
            "[::1]:3211",
            "a.localhost",
            "localhost.",
            "studio.test:80",
        ] {
            assert_eq!(ask(&access, &[("host", host)]), Ok(()), "{host}");
        }
        for host in [
            "evil.test",
            "127.0.0.1.evil.test",
            "localhost.evil.test",
            "192.0.2.1",
            "0.0.0.0",
        ] {
            assert_eq!(
                ask(&access, &[("host", host)]),
                Err("unknown-host".to_owned()),
                "{host}"
            );
        }
        for headers in [
            &[][..],
            &[("host", "a b")],
            &[("host", "localhost"), ("host", "localhost")],
            &[("host", "evil.test@localhost")],
        ] {
            assert_eq!(
                ask(&access, headers),
                Err("invalid-request".to_owned()),
                "{headers:?}"
            );
        }
        let token = Access::token("made-up-token-of-a-test").unwrap();
        assert_eq!(ask(&token, &[("host", "192.0.2.1:3211")]), Ok(()));
        assert!(ask(&token, &[("host", "evil.test")]).is_err());
        assert_eq!(ask(&Access::by_host(), &[("host", "any.test")]), Ok(()));
    }

    #[test]
    fn pages_of_others_are_not_answered() {
        let access = Access::loopback();
        let host = ("host", "localhost:3211");
        let with = |name, value| ask(&access, &[host, (name, value)]);
        assert_eq!(with("origin", "http://localhost:3211"), Ok(()));
        for origin in [
            "http://evil.test",
            "http://localhost:4000",
            "null",
            "http://localhost",
            "x y",
        ] {
            assert_eq!(
                with("origin", origin),
                Err("foreign-origin".to_owned()),
                "{origin}"
            );
        }
        assert!(with("sec-fetch-site", "cross-site").is_err());
        assert_eq!(with("sec-fetch-site", "same-origin"), Ok(()));
        let twice = [
            host,
            ("origin", "http://localhost:3211"),
            ("origin", "http://evil.test"),
        ];
        assert!(ask(&access, &twice).is_err());
        let link = [
            host,
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-mode", "navigate"),
        ];
        assert_eq!(ask(&access, &link), Ok(()));
    }
}
