//! Keeps web pages out.
//!
//! Every page that a browser on this machine shows can send requests to a loopback port. Three checks stop
//! that: `Host` must name this node (else a name that an attacker points at 127.0.0.1 would do), `Origin`,
//! which a browser adds where one page reaches for another, must be this node too, and so must what
//! `Sec-Fetch-Site` says of the page. Programs send neither of the last two.

use super::Door;
use crate::failure::{Failure, Kind};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::SocketAddr;

pub(super) async fn guard(State(door): State<Door>, request: Request, next: Next) -> Response {
    match check(request.headers(), door.address) {
        Ok(()) => next.run(request).await,
        Err(error) => {
            tracing::warn!("a request was refused: {error}");
            let failure = Failure::new(Kind::Refused, error);
            (StatusCode::FORBIDDEN, axum::Json(failure)).into_response()
        }
    }
}

/// Checks that a request was not sent by somebody else's web page.
///
/// # Errors
/// What is wrong with it.
pub fn check(headers: &HeaderMap, address: SocketAddr) -> Result<(), String> {
    let port = address.port();
    let hosts = [
        address.to_string(),
        format!("127.0.0.1:{port}"),
        format!("localhost:{port}"),
        format!("[::1]:{port}"),
    ];
    let is_ours = |host: &str| hosts.iter().any(|ours| host.eq_ignore_ascii_case(ours));
    let text = |name: header::HeaderName| -> Result<Option<&str>, String> {
        let mut values = headers.get_all(&name).iter();
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some(value), None) => value
                .to_str()
                .map(Some)
                .map_err(|_| format!("the header {name} is no text")),
            (Some(_), Some(_)) => Err(format!("the header {name} comes twice")),
        }
    };
    let host = text(header::HOST)?.unwrap_or_default();
    if !is_ours(host) {
        return Err(format!(
            "the request is for host {host:?}, and this is http://{address}"
        ));
    }
    if let Some(origin) = text(header::ORIGIN)?
        && !origin.strip_prefix("http://").is_some_and(is_ours)
    {
        return Err(format!("the request comes from a web page of {origin:?}"));
    }
    let site = text(header::HeaderName::from_static("sec-fetch-site"))?;
    match site {
        None | Some("none" | "same-origin") => Ok(()),
        Some(site) => Err(format!("the request comes from a {site:?} web page")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn try_headers(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, HeaderValue::from_static(value));
        }
        check(&map, "127.0.0.1:8420".parse().unwrap()).is_ok()
    }

    #[test]
    fn programs_and_the_nodes_own_pages_pass() {
        assert!(try_headers(&[("host", "127.0.0.1:8420")]));
        assert!(try_headers(&[("host", "LOCALHOST:8420")]));
        let own = [
            ("host", "localhost:8420"),
            ("origin", "http://localhost:8420"),
        ];
        assert!(try_headers(&own));
        assert!(try_headers(&[
            own[0],
            own[1],
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(try_headers(&[own[0], ("sec-fetch-site", "none")]));
    }

    #[test]
    fn other_pages_and_names_do_not() {
        let host = ("host", "127.0.0.1:8420");
        assert!(!try_headers(&[]));
        assert!(!try_headers(&[("host", "evil.example:8420")]));
        assert!(!try_headers(&[("host", "127.0.0.1:8421")]));
        assert!(!try_headers(&[("host", "127.0.0.1")]));
        assert!(!try_headers(&[host, ("host", "evil.example")]));
        assert!(!try_headers(&[host, ("origin", "http://evil.example")]));
        assert!(!try_headers(&[host, ("origin", "null")]));
        assert!(!try_headers(&[host, ("origin", "http://localhost:3000")]));
        assert!(!try_headers(&[host, ("origin", "https://127.0.0.1:8420")]));
        for site in ["cross-site", "same-site", "CROSS-SITE", ""] {
            assert!(!try_headers(&[host, ("sec-fetch-site", site)]));
        }
    }
}
