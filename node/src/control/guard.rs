//! Keeps web pages and strangers out.
//!
//! Every page that a browser on this machine shows can send requests to a loopback port. Three checks stop
//! that: `Host` must name this node (else a name that an attacker points at 127.0.0.1 would do), `Origin`,
//! which a browser adds where one page reaches for another, must be this node too, and so must what
//! `Sec-Fetch-Site` says of the page. Programs send neither of the last two.
//!
//! On any other address the node does not know by which names it is reached, and everybody can reach it.
//! There every request needs the token, but for the page's own files, which say nothing of the node.
//! Players cannot send headers, so a `GET` may carry the token in its address, `?token=…`.

use super::{Token, page, unauthorized};
use crate::failure::{Failure, Kind};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, uri::PathAndQuery},
    middleware::Next,
    response::{IntoResponse, Response},
};
use std::net::SocketAddr;

/// Who may come in where.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    pub address: SocketAddr,
    pub token: Option<Token>,
}

/// The token that a request carried in its address: what refers to further addresses has to add it there.
#[derive(Clone, Debug)]
pub struct TokenInAddress(pub String);

pub(super) async fn guard(
    State(guard): State<Guard>,
    mut request: Request,
    next: Next,
) -> Response {
    if let Err(error) = check(request.headers(), guard.address) {
        tracing::warn!("a request was refused: {error}");
        let failure = Failure::new(Kind::Refused, error);
        return (StatusCode::FORBIDDEN, axum::Json(failure)).into_response();
    }
    take_token(&mut request);
    let open = guard.address.ip().is_loopback() || page::is_file(request.uri().path());
    if !open && !Token::is_carried(guard.token.as_ref(), request.headers()) {
        return unauthorized(
            "this node is reached over the network and needs its token, which is in the file token of its data folder",
        );
    }
    next.run(request).await
}

/// Moves the token of a `GET` from its address, if it is there, to where programs put it.
fn take_token(request: &mut Request) {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return;
    }
    let Some((token, uri)) = without_token(request.uri()) else {
        return;
    };
    if let Ok(value) = HeaderValue::from_str(&format!("Bearer {token}")) {
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    *request.uri_mut() = uri;
    request.extensions_mut().insert(TokenInAddress(token));
}

/// The token in an address, and the address without it.
fn without_token(uri: &Uri) -> Option<(String, Uri)> {
    let query = uri.query()?;
    let token = query
        .split('&')
        .find_map(|one| one.strip_prefix("token="))?;
    let rest: Vec<&str> = query
        .split('&')
        .filter(|one| !one.starts_with("token="))
        .collect();
    let path = match rest.is_empty() {
        true => uri.path().to_owned(),
        false => format!("{}?{}", uri.path(), rest.join("&")),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path.parse::<PathAndQuery>().ok()?);
    Some((token.to_owned(), Uri::from_parts(parts).ok()?))
}

/// Checks that a request was not sent by somebody else's web page.
///
/// # Errors
/// What is wrong with it.
pub fn check(headers: &HeaderMap, address: SocketAddr) -> Result<(), String> {
    let port = address.port();
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
    let names = match address.ip().is_loopback() {
        true => vec![
            address.to_string(),
            format!("127.0.0.1:{port}"),
            format!("localhost:{port}"),
            format!("[::1]:{port}"),
        ],
        // By whatever name it was reached; then the page must come from there too.
        false => vec![host.to_owned()],
    };
    let is_ours = |host: &str| names.iter().any(|ours| host.eq_ignore_ascii_case(ours));
    if !is_ours(host) {
        return Err(format!(
            "the request is for host {host:?}, and this is http://{address}"
        ));
    }
    let scheme = |origin: &str| {
        let plain = origin.strip_prefix("http://");
        // Before a node that is reached over the network there may be somebody who speaks TLS.
        let secure = origin.strip_prefix("https://");
        let secure = secure.filter(|_| !address.ip().is_loopback());
        plain.or(secure).is_some_and(is_ours)
    };
    if let Some(origin) = text(header::ORIGIN)?
        && !scheme(origin)
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

    #[test]
    fn over_the_network_any_name_will_do_and_pages_of_others_will_not() {
        let try_headers = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            check(&map, "0.0.0.0:8420".parse().unwrap()).is_ok()
        };
        let host = ("host", "node.example:8420");
        assert!(try_headers(&[host]));
        assert!(try_headers(&[host, ("origin", "http://node.example:8420")]));
        assert!(try_headers(&[
            host,
            ("origin", "https://node.example:8420")
        ]));
        assert!(!try_headers(&[host, ("origin", "http://evil.example")]));
        assert!(!try_headers(&[host, ("sec-fetch-site", "cross-site")]));
    }

    #[test]
    fn a_token_in_the_address_is_taken_out_of_it() {
        let take = |uri: &str| {
            let taken = without_token(&uri.parse().unwrap());
            taken.map(|(token, uri)| (token, uri.to_string()))
        };
        let taken = |token: &str, uri: &str| Some((token.to_owned(), uri.to_owned()));
        assert_eq!(take("/live.ts?token=abc"), taken("abc", "/live.ts"));
        assert_eq!(
            take("/live.ts?stream=1&token=abc&x=y"),
            taken("abc", "/live.ts?stream=1&x=y")
        );
        assert_eq!(take("/live.ts?stream=1"), None);
    }
}
