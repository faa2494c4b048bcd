//! What comes from programs and web pages on this machine.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hamlet_node::control::{
    guard,
    segments::{Decoder, Head, Part},
};

const NODE: ([u8; 4], u16) = ([127, 0, 0, 1], 8420);

/// Headers of requests, a line each.
pub fn headers() -> Vec<Vec<u8>> {
    [
        "host: 127.0.0.1:8420",
        "Host: localhost:8420\norigin: http://localhost:8420\nsec-fetch-site: same-origin",
        "host: [::1]:8420\norigin: null",
        "host: evil.example\nhost: 127.0.0.1:8420\nsec-fetch-site: cross-site",
    ]
    .map(|text| text.as_bytes().to_vec())
    .into()
}

/// Only requests that name this node, and come from no other page, get in.
pub fn header(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|&byte| byte == b'\n').take(100) {
        let mut parts = line.splitn(2, |&byte| byte == b':');
        let name = HeaderName::from_bytes(parts.next().unwrap_or_default());
        let value = HeaderValue::from_bytes(parts.next().unwrap_or_default().trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            headers.append(name, value);
        }
    }
    if guard::check(&headers, NODE.into()).is_ok() {
        let only = |name: &str| {
            let mut values = headers.get_all(name).iter();
            let value = values
                .next()
                .map(|value| value.as_bytes().to_ascii_lowercase());
            assert!(values.next().is_none(), "{name} twice");
            value
        };
        let ours = ["127.0.0.1:8420", "localhost:8420", "[::1]:8420"];
        let is_ours = |text: &[u8]| ours.iter().any(|ours| ours.as_bytes() == text);
        assert!(is_ours(&only("host").expect("a host")));
        let page = only("origin").map(|origin| origin.strip_prefix(b"http://").map(is_ours));
        assert!(page.is_none_or(|page| page == Some(true)));
        let site = only("sec-fetch-site");
        assert!(site.is_none_or(|site| [&b"none"[..], b"same-origin"].contains(&&site[..])));
    }
}

/// Segments as a node sends them.
pub fn segments() -> Vec<Vec<u8>> {
    let head =
        "{\"segment\":7,\"bytes\":5,\"random_access\":true,\"gap\":false,\"cut_unix_ms\":9}\n";
    vec![
        format!("{head}12345{head}54321").into_bytes(),
        head.as_bytes().to_vec(),
    ]
}

/// Segments come apart the same however they were cut on their way, and nothing comes out that did not go in.
pub fn segment(bytes: &[u8]) {
    let whole = parts(bytes, bytes.len().max(1));
    assert_eq!(parts(bytes, 7), whole);
    let payload: usize = whole.iter().map(|(_, payload)| payload.len()).sum();
    assert!(payload <= bytes.len());
}

fn parts(bytes: &[u8], step: usize) -> Vec<(Head, Vec<u8>)> {
    let (mut decoder, mut read) = (Decoder::default(), Vec::<(Head, Vec<u8>)>::new());
    for piece in bytes.chunks(step) {
        decoder.push(piece);
        loop {
            match decoder.part() {
                Ok(Some(Part::Head(head))) => read.push((head, Vec::new())),
                Ok(Some(Part::Payload(payload))) => match read.last_mut() {
                    Some((_, bytes)) => bytes.extend(payload),
                    None => panic!("a payload before its head"),
                },
                Ok(None) => break,
                Err(_) => return read,
            }
        }
    }
    read
}
