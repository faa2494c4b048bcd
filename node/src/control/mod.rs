//! The door of a running node: the page, players, figures and commands over HTTP.
//!
//! | request | what it does | token |
//! | --- | --- | --- |
//! | `GET /` | the page | – |
//! | `GET /live.ts?stream=KEY` | plays a stream, for any player | – |
//! | `GET /hls/live.m3u8?stream=KEY` | the same as a playlist, for Safari, phones and VLC | – |
//! | `GET /live.mp4?stream=KEY` | the same as fragmented MP4, for Media Source Extensions | – |
//! | `GET /live.json?stream=KEY` | what the stream is, or what it waits for | – |
//! | `GET /player.js` | the script that plays `/live.mp4` in a page | – |
//! | `GET /segments?stream=KEY` | plays a stream segment by segment, for `hamlet watch` | – |
//! | `GET /api/v1/status` | what the node says of itself | – |
//! | `GET /api/v1/network` | the network as it was founded | – |
//! | `GET /api/v1/events` | what happens, as server-sent events ([`events`]) | – |
//! | `GET /api/v1/cluster` | where the peer's cluster is in its agreement ([`cluster`]) | – |
//! | `GET /api/v1/cluster/log` | the newest entries of the cluster's log | – |
//! | `GET /api/v1/evidence` | who is proved guilty, of what, and whether it is barred ([`evidence`]) | – |
//! | `POST /api/v1/cluster/notes` | enters the request's body into that log, as a note | yes |
//! | `POST /api/v1/cluster/members` | has the peer want `{"add": CARD}` or `{"remove": KEY}` | yes |
//! | `GET /metrics` | what it counted, for Prometheus ([`metrics`]) | – |
//! | `GET /healthz` | whether the peer runs | – |
//! | `GET /readyz` | whether a playable segment has been handed to playback | – |
//! | `POST /publish?format=ts&rate=RATE` | publishes the request's body as this peer's stream | yes |
//!
//! `stream` may be left out where the network has only one. A web page cannot drive the node: [`guard`]
//! refuses requests that name another host or come from another page, and writing needs the token, which
//! is in a file that only the node's owner can read. On an address that is not a loopback one, everything
//! needs it.

mod access;
mod api;
pub mod client;
pub mod cluster;
pub mod events;
pub mod evidence;
pub mod guard;
pub mod log;
pub mod map;
pub mod media;
pub mod metrics;
pub mod page;
pub mod peers;
pub mod roll;
pub mod segments;
pub mod status;
pub mod trace;

pub use access::{Access, Token, unauthorized};

use crate::{service::Service, uri::StreamUri};
use axum::{
    Router, middleware,
    routing::{get, post},
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// How long requests may take to end once the node stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What every request to a node can use.
#[derive(Clone)]
struct Door {
    service: Arc<Service>,
    /// The URL under which this node's routes are found.
    base: String,
    /// What writing needs; nobody can write if there is none.
    token: Option<Token>,
    readers: events::Readers,
}

/// An open door. Closed when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// The routes of a node that are found under the URL `base`, which may lead into another router.
pub fn routes(service: Arc<Service>, base: String, token: Option<Token>) -> Router {
    let door = Door {
        service,
        base,
        token,
        readers: events::Readers::default(),
    };
    Router::new()
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/network", get(api::network))
        .route("/api/v1/events", get(api::events))
        .route("/api/v1/peers", get(peers::list))
        .route("/api/v1/evidence", get(evidence::list))
        .route("/api/v1/leave", post(cluster::leave))
        .route("/api/v1/cluster", get(cluster::show))
        .route("/api/v1/cluster/log", get(cluster::log))
        .route("/api/v1/cluster/members", post(cluster::want))
        .route("/api/v1/cluster/notes", post(cluster::note))
        .route("/metrics", get(api::metrics))
        .route("/healthz", get(api::health))
        .route("/readyz", get(api::readiness))
        .route("/publish", post(api::publish))
        .with_state(door.clone())
        .merge(media::router(door.service.clone()))
        .fallback(api::not_found)
        .merge(page::routes())
}

impl Server {
    /// Opens a door on a listener; what is behind it is made from its URL and the token that writing needs.
    ///
    /// # Errors
    /// If the listener has no address.
    pub fn open(
        listener: TcpListener,
        token: Option<Token>,
        routes: impl FnOnce(String, Option<Token>) -> Router,
    ) -> io::Result<Server> {
        let address = listener.local_addr()?;
        let guard = guard::Guard {
            address,
            token: token.clone(),
        };
        let routes = routes(format!("http://{address}"), token)
            .layer(middleware::from_fn_with_state(guard, guard::guard));
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            let serving = axum::serve(listener, routes).with_graceful_shutdown(async {
                // Dropping the server ends it too.
                let _ = stopped.await;
            });
            if let Err(error) = serving.await {
                tracing::warn!("players and commands are served no more: {error}");
            }
        });
        Ok(Server {
            address,
            stop: Some(stop),
            task,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The URL at which players play a stream.
    pub fn player(&self, uri: &StreamUri) -> String {
        format!("http://{}/live.ts?stream={}", self.address, uri.stream)
    }

    /// Takes no more requests, and lets those under way end for a moment.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens if it ended by itself.
            let _ = stop.send(());
        }
        if tokio::time::timeout(FAREWELL, &mut self.task)
            .await
            .is_err()
        {
            self.task.abort();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.stop.is_some() {
            self.task.abort();
        }
    }
}
