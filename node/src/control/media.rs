//! The requests of players.

use super::{api::bad_request, guard::TokenInAddress, segments};
use crate::{
    failure::{Failure, Kind},
    playback::ts_body,
    service::Service,
    uri::{self, StreamUri},
};
use axum::{
    Extension, Json, Router,
    body::Body,
    extract::{FromRequestParts, Path, Query, RawQuery, State},
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
    routing::get,
};
use futures::stream;
use hamlet_overlay::{identity::PeerId, view::StreamNumber};
use serde::Deserialize;
use std::{convert::Infallible, sync::Arc, time::Duration};
use tokio::time::timeout;

/// The script that plays a stream in a page, and what it imports.
const PLAYER: &str = include_str!("../../assets/player.js");
const PLAYER_BUFFER: &str = include_str!("../../assets/player-buffer.js");
/// How long a request waits for a stream that nothing has come of yet; then its client may ask again.
const PATIENCE: Duration = Duration::from_secs(20);

/// Everything that players ask for. All of it is about one peer, so it can be nested under any path.
pub fn router(service: Arc<Service>) -> Router {
    Router::new()
        .route("/live.ts", get(ts))
        .route("/live.mp4", get(mp4))
        .route("/live.json", get(about))
        .route("/hls/live.m3u8", get(playlist))
        .route("/hls/{media}", get(media))
        .route("/segments", get(by_segments))
        .route("/player.js", get(|| script(PLAYER)))
        .route("/player-buffer.js", get(|| script(PLAYER_BUFFER)))
        .with_state(service)
}

/// What a request asks for.
struct Chosen {
    stream: StreamNumber,
    /// How long behind the newest it is to be played.
    behind: Duration,
}

#[derive(Deserialize)]
struct Choice {
    /// The key of a stream's source.
    stream: Option<String>,
    /// How long behind the newest a browser plays, in milliseconds.
    #[serde(default)]
    delay_ms: u32,
}

impl FromRequestParts<Arc<Service>> for Chosen {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        service: &Arc<Service>,
    ) -> Result<Chosen, Response> {
        let choice = Query::<Choice>::from_request_parts(parts, service).await;
        let Query(choice) = choice.map_err(bad_request)?;
        let network = service.network();
        let key = choice.stream.map(|key| key.parse::<PeerId>()).transpose();
        let uri = key.map_err(bad_request)?.map(|stream| StreamUri {
            network: network.id(),
            stream,
        });
        match uri::choose(uri, network) {
            Ok(stream) => Ok(Chosen {
                stream,
                behind: Duration::from_millis(choice.delay_ms.into()),
            }),
            Err(error) => Err(Failure::from(error).into_response()),
        }
    }
}

fn stopped(error: crate::driver::Stopped) -> Response {
    Failure::from(error).into_response()
}

async fn ts(State(service): State<Arc<Service>>, chosen: Chosen) -> Result<Response, Response> {
    let player = service
        .playback()
        .play(chosen.stream)
        .await
        .map_err(stopped)?;
    let body = Body::from_stream(ts_body::bytes(player));
    Ok(([(header::CONTENT_TYPE, "video/mp2t"), NO_STORE], body).into_response())
}

const NO_STORE: (header::HeaderName, &str) = (header::CACHE_CONTROL, "no-store");

async fn by_segments(
    State(service): State<Arc<Service>>,
    chosen: Chosen,
) -> Result<Response, Response> {
    let player = service
        .playback()
        .play(chosen.stream)
        .await
        .map_err(stopped)?;
    let body = Body::from_stream(segments::encode(player));
    let content_type = (header::CONTENT_TYPE, "application/octet-stream");
    Ok(([content_type, NO_STORE], body).into_response())
}

async fn mp4(State(service): State<Arc<Service>>, chosen: Chosen) -> Result<Response, Response> {
    let browser = service
        .playback()
        .browser(chosen.stream)
        .await
        .map_err(stopped)?;
    let playing = timeout(PATIENCE, browser.play(chosen.behind)).await;
    let playing = playing.map_err(|_| nothing_yet())?.map_err(|error| {
        let failure = Failure::new(Kind::Input, error);
        (StatusCode::UNSUPPORTED_MEDIA_TYPE, Json(failure)).into_response()
    })?;
    let Some(playing) = playing else {
        return Err(stopped(crate::driver::Stopped));
    };
    let codecs = playing.codecs().to_owned();
    let headers = [
        (
            header::CONTENT_TYPE,
            format!("video/mp4; codecs=\"{codecs}\""),
        ),
        (header::HeaderName::from_static("x-hamlet-codecs"), codecs),
        (NO_STORE.0, NO_STORE.1.to_owned()),
    ];
    Ok((headers, Body::from_stream(playing.bytes())).into_response())
}

async fn about(State(service): State<Arc<Service>>, chosen: Chosen) -> Result<Response, Response> {
    let browser = service
        .playback()
        .browser(chosen.stream)
        .await
        .map_err(stopped)?;
    Ok(([NO_STORE], Json(browser.about())).into_response())
}

async fn playlist(
    State(service): State<Arc<Service>>,
    RawQuery(query): RawQuery,
    token: Option<Extension<TokenInAddress>>,
    chosen: Chosen,
) -> Result<Response, Response> {
    let hls = service
        .playback()
        .hls(chosen.stream)
        .await
        .map_err(stopped)?;
    // Whatever was asked for is asked for again with every part.
    let token = token.map(|Extension(TokenInAddress(token))| format!("token={token}"));
    let query: Vec<String> = query.into_iter().chain(token).collect();
    let query = match query.is_empty() {
        true => String::new(),
        false => format!("?{}", query.join("&")),
    };
    let playlist = timeout(PATIENCE, hls.playlist(&query)).await;
    let playlist = playlist.map_err(|_| nothing_yet())?;
    let content_type = (header::CONTENT_TYPE, "application/vnd.apple.mpegurl");
    Ok(([content_type, NO_STORE], playlist).into_response())
}

async fn media(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    chosen: Chosen,
) -> Result<Response, Response> {
    let hls = service
        .playback()
        .hls(chosen.stream)
        .await
        .map_err(stopped)?;
    let sequence = name.strip_suffix(".ts").and_then(|name| name.parse().ok());
    let bytes = sequence
        .and_then(|sequence| hls.media(sequence))
        .ok_or_else(|| {
            let failure = Failure::new(
                Kind::Refused,
                "this part of the stream is not kept any more; ask for /hls/live.m3u8 again",
            );
            (StatusCode::NOT_FOUND, Json(failure)).into_response()
        })?;
    let body = Body::from_stream(stream::iter(bytes.into_iter().map(Ok::<_, Infallible>)));
    Ok(([(header::CONTENT_TYPE, "video/mp2t"), NO_STORE], body).into_response())
}

async fn script(text: &'static str) -> impl IntoResponse {
    let content_type = (header::CONTENT_TYPE, "text/javascript; charset=utf-8");
    ([content_type, (header::CACHE_CONTROL, "no-cache")], text)
}

fn nothing_yet() -> Response {
    let failure = Failure::new(
        Kind::Unreachable,
        "nothing of this stream has come yet with which a player can start; ask again",
    );
    (StatusCode::SERVICE_UNAVAILABLE, Json(failure)).into_response()
}
