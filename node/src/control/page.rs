//! The page: our own HTML, style and scripts, carried in the program.

use axum::{Router, http::header, response::IntoResponse, routing::get};

/// A file of the page.
struct Asset {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

macro_rules! asset {
    ($path:literal, $kind:expr, $file:literal) => {
        Asset {
            path: $path,
            kind: $kind,
            text: include_str!(concat!("../../page/", $file)),
        }
    };
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const HTML: &str = "text/html; charset=utf-8";

const ASSETS: [Asset; 13] = [
    asset!("/page/page.css", "text/css; charset=utf-8", "page.css"),
    asset!("/page/chart.js", JAVASCRIPT, "chart.js"),
    asset!("/page/demo.js", JAVASCRIPT, "demo.js"),
    asset!("/page/feed.js", JAVASCRIPT, "feed.js"),
    asset!("/page/geometry.js", JAVASCRIPT, "geometry.js"),
    asset!("/page/map.js", JAVASCRIPT, "map.js"),
    asset!("/page/page.js", JAVASCRIPT, "page.js"),
    asset!("/page/peer.js", JAVASCRIPT, "peer.js"),
    asset!("/page/picture.js", JAVASCRIPT, "picture.js"),
    asset!("/page/news.js", JAVASCRIPT, "news.js"),
    asset!("/page/replay.js", JAVASCRIPT, "replay.js"),
    asset!("/page/svg.js", JAVASCRIPT, "svg.js"),
    asset!("/page/text.js", JAVASCRIPT, "text.js"),
];

/// What the page may load and do: its own files and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page's files. They say nothing of the node.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let page = get(|| async { reply(HTML, include_str!("../../page/index.html")) });
    ASSETS
        .iter()
        .fold(Router::new().route("/", page), |routes, asset| {
            routes.route(asset.path, get(|| async { reply(asset.kind, asset.text) }))
        })
}

/// Whether this is the path of a file of the page, the player among them, which is the same for every node.
pub fn is_file(path: &str) -> bool {
    matches!(path, "/" | "/player.js" | "/player-buffer.js")
        || ASSETS.iter().any(|asset| asset.path == path)
}

fn reply(kind: &'static str, text: &'static str) -> impl IntoResponse {
    let headers = [
        (header::CONTENT_TYPE, kind),
        // Another version of the program may answer next time.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, text)
}
