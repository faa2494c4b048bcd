//! The door of a demonstration: the page of the whole network, each peer's own door behind it, and power
//! over the peers for whoever has the token.
//!
//! | request | what it does | token |
//! | --- | --- | --- |
//! | `GET /` | the page | – |
//! | `GET /api/v1/network` | the network, in the newest epochs that its peers know | – |
//! | `GET /api/v1/events?peer=N` | a row for every peer, the status of peer `N`, traces of segments | – |
//! | `GET /peers/N/…` | what peer `N` serves, such as `/peers/N/live.ts` | – |
//! | `POST /api/v1/peers/N/ACT` | `silence`, `speak`, `kill` or `revive` | yes |
//!
//! Everything else is answered by one of the receivers, so that a demonstration can be played like a node.

use super::cast::{Act, Cast, Order, Running, State};
use crate::{
    control::{
        Token,
        events::{self, Channel, Gone, Readers},
        guard::TokenInAddress,
        map::NetworkMap,
        page,
        roll::PeerNumber,
        status::{ClusterEpoch, Status},
        trace::{Tracer, Watch},
        unauthorized,
    },
    failure::{Failure, Kind},
};
use axum::{
    Json, Router,
    extract::{Path, Query, Request, State as Shared, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, Uri, uri::PathAndQuery},
    response::{IntoResponse, Response},
    routing::{any, get, post},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, oneshot};
use tower::ServiceExt;

/// A peer that was handed nothing for so long does not play.
const STALLED: Duration = Duration::from_millis(2_500);

/// What every request to a demonstration can use.
#[derive(Clone)]
struct Door {
    cast: Arc<Cast>,
    /// The peer that answers where none is named.
    front: PeerNumber,
    orders: mpsc::Sender<Order>,
    token: Option<Token>,
    readers: Readers,
}

/// The routes of a demonstration. What people want done goes to `orders`.
pub fn routes(
    cast: Arc<Cast>,
    front: PeerNumber,
    orders: mpsc::Sender<Order>,
    token: Option<Token>,
) -> Router {
    let door = Door {
        cast,
        front,
        orders,
        token,
        readers: Readers::default(),
    };
    Router::new()
        .route("/api/v1/network", get(network))
        .route("/api/v1/events", get(events))
        .route("/api/v1/peers/{peer}/{act}", post(act))
        .route("/peers/{peer}/{*rest}", any(one_peer))
        .fallback(any_peer)
        .with_state(door)
        .merge(page::routes())
}

/// A row for a peer.
#[derive(Debug, Serialize)]
struct Row {
    peer: PeerNumber,
    state: State,
    /// Whether it is being handed segments.
    plays: bool,
    #[serde(flatten)]
    figures: Option<Figures>,
}

/// What is said of a peer that runs.
#[derive(Debug, Serialize)]
struct Figures {
    running_ms: u64,
    links_connected: usize,
    links_wanted: usize,
    sent_bytes: u64,
    received_bytes: u64,
    upload_ratio: Option<f64>,
    delivered: u64,
    late: u64,
    repaired: u64,
    skipped: u64,
    restore_ms: Option<u64>,
    delay_ms: Option<u64>,
}

#[derive(Serialize)]
struct Rows {
    peers: Vec<Row>,
    /// The newest epochs of the clusters.
    epochs: Vec<ClusterEpoch>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Focus {
    /// The peer whose status is wanted.
    peer: Option<PeerNumber>,
}

async fn network(Shared(door): Shared<Door>) -> Json<NetworkMap> {
    let mut known = Vec::new();
    for running in door
        .cast
        .seats()
        .into_values()
        .filter_map(|seat| seat.player)
    {
        if let Ok(status) = running.service.handle().status().await {
            known.push(status);
        }
    }
    Json(NetworkMap::of(door.cast.roll(), None, &known))
}

async fn events(
    Shared(door): Shared<Door>,
    focus: Result<Query<Focus>, QueryRejection>,
) -> Result<Response, Response> {
    let Query(Focus { peer }) = focus.map_err(IntoResponse::into_response)?;
    let admitted = door.readers.admit();
    let (channel, response) = admitted.map_err(IntoResponse::into_response)?;
    tokio::spawn(async move {
        // The page may go at any time.
        let _ = follow(&door.cast, peer, channel).await;
    });
    Ok(response)
}

/// Follows all peers until the page goes.
async fn follow(cast: &Cast, focus: Option<PeerNumber>, channel: Channel) -> Result<(), Gone> {
    let mut changes = cast.changes();
    let mut watched: BTreeMap<PeerNumber, u64> = BTreeMap::new();
    let mut delivered: BTreeMap<PeerNumber, (u64, Instant)> = BTreeMap::new();
    let mut watch = Watch::default();
    let mut tracer = Tracer::new(cast.roll().clone(), cast.seats().len());
    let mut ticks = events::ticks();
    changes.mark_changed();
    loop {
        tokio::select! {
            (by, seen) = watch.next() => tracer.saw(by, seen),
            Ok(()) = changes.changed() => {
                for (peer, seat) in cast.seats() {
                    let Some(running) = seat.player else { continue };
                    if watched.insert(peer, running.serial) != Some(running.serial) {
                        watch.look_at(peer, running.service.handle());
                    }
                }
            }
            _ = ticks.tick() => {
                let mut peers = Vec::new();
                let mut epochs = BTreeMap::new();
                for (peer, seat) in cast.seats() {
                    let status = status(seat.player.as_ref()).await;
                    if let Some(status) = status.as_ref().filter(|_| focus == Some(peer)) {
                        channel.send("status", status).await?;
                    }
                    for known in status.iter().flat_map(|status| &status.epochs) {
                        let newest = epochs.entry(known.cluster).or_insert(*known);
                        newest.epoch = newest.epoch.max(known.epoch);
                    }
                    peers.push(row(peer, seat.state, status, &mut delivered));
                }
                let epochs = epochs.into_values().collect();
                channel.send("network", &Rows { peers, epochs }).await?;
                for trace in tracer.finished(cast.clock().now()) {
                    channel.send("trace", &trace).await?;
                }
            }
        }
    }
}

async fn status(running: Option<&Running>) -> Option<Status> {
    let Running { service, base, .. } = running?;
    Status::of(service, base).await.ok()
}

fn row(
    peer: PeerNumber,
    state: State,
    status: Option<Status>,
    delivered: &mut BTreeMap<PeerNumber, (u64, Instant)>,
) -> Row {
    // A demonstration has one stream.
    let figures = status.and_then(|status| {
        let stream = status.streams.first()?;
        Some(Figures {
            running_ms: status.running_ms,
            links_connected: status.links_connected,
            links_wanted: status.links_wanted,
            sent_bytes: status.sent_bytes,
            received_bytes: status.received_bytes,
            upload_ratio: status.upload_ratio,
            delivered: stream.delivered,
            late: stream.late,
            repaired: stream.repaired,
            skipped: stream.skipped,
            restore_ms: stream.restore_ms,
            delay_ms: stream.delay_ms,
        })
    });
    let count = figures.as_ref().map_or(0, |figures| figures.delivered);
    let (before, at) = delivered.entry(peer).or_insert((count, Instant::now()));
    if *before != count {
        (*before, *at) = (count, Instant::now());
    }
    Row {
        peer,
        state,
        plays: count > 0 && at.elapsed() < STALLED,
        figures,
    }
}

async fn act(
    Shared(door): Shared<Door>,
    Path((peer, act)): Path<(PeerNumber, Act)>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, Response> {
    if !Token::is_carried(door.token.as_ref(), &headers) {
        return Err(unauthorized(
            "acting on peers needs the token of the link that the demonstration printed",
        ));
    }
    let (answer, answered) = oneshot::channel();
    let order = Order { peer, act, answer };
    let ended = || Failure::new(Kind::Unreachable, "the demonstration ends").into_response();
    door.orders.send(order).await.map_err(|_| ended())?;
    match answered.await.map_err(|_| ended())? {
        Ok(()) => Ok(Json(serde_json::json!({ "peer": peer }))),
        Err(why) => {
            let failure = Failure::new(Kind::Refused, why);
            Err((StatusCode::CONFLICT, Json(failure)).into_response())
        }
    }
}

async fn one_peer(
    Shared(door): Shared<Door>,
    Path((peer, _)): Path<(PeerNumber, String)>,
    request: Request,
) -> Response {
    pass(&door, peer, request).await
}

async fn any_peer(Shared(door): Shared<Door>, request: Request) -> Response {
    pass(&door, door.front, request).await
}

/// Lets a peer answer.
async fn pass(door: &Door, peer: PeerNumber, request: Request) -> Response {
    let Some(running) = door.cast.running(peer) else {
        let text = format!("peer {peer} does not run");
        return Failure::new(Kind::Unreachable, text).into_response();
    };
    let (parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let prefix = format!("/peers/{peer}");
    let inner = path.strip_prefix(&prefix).unwrap_or(path);
    let Ok(uri) = inner.parse::<Uri>() else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    // A fresh request: what this router found in the path is none of the next one's business.
    let mut request = Request::new(body);
    *request.method_mut() = parts.method;
    *request.headers_mut() = parts.headers;
    *request.uri_mut() = uri;
    if let Some(token) = parts.extensions.get::<TokenInAddress>() {
        request.extensions_mut().insert(token.clone());
    }
    match running.routes.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
