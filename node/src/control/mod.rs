//! The door of a running node on the loopback interface: players, status and commands over HTTP.
//!
//! | request | what it does | token |
//! | --- | --- | --- |
//! | `GET /live.ts?stream=KEY` | plays a stream, for any player | – |
//! | `GET /hls/live.m3u8?stream=KEY` | the same as a playlist, for Safari, phones and VLC | – |
//! | `GET /live.mp4?stream=KEY` | the same as fragmented MP4, for Media Source Extensions | – |
//! | `GET /live.json?stream=KEY` | what the stream is, or what it waits for | – |
//! | `GET /player.js` | the script that plays `/live.mp4` in a page | – |
//! | `GET /segments?stream=KEY` | plays a stream segment by segment, for `hamlet watch` | – |
//! | `GET /status.json` | what the node says of itself | – |
//! | `POST /publish?format=ts&rate=RATE` | publishes the request's body as this peer's stream | yes |
//!
//! `stream` may be left out where the network has only one. A web page cannot drive the node: [`guard`]
//! refuses requests that name another host or come from another page, and writing needs the token, which
//! is in a file that only the node's owner can read.

mod access;
mod api;
pub mod client;
pub mod guard;
pub mod media;
pub mod segments;
pub mod status;

pub use access::{Access, Token};

use crate::{service::Service, uri::StreamUri};
use axum::{
    Router, middleware,
    routing::{get, post},
};
use std::{io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// How long requests may take to end once the node stops.
const FAREWELL: Duration = Duration::from_secs(1);

/// What every request can use.
#[derive(Clone)]
struct Door {
    service: Arc<Service>,
    address: SocketAddr,
    /// What writing needs; nobody can write if there is none.
    token: Option<Token>,
}

/// The door, while it is open. Closed when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// Opens the door of a node on a loopback listener.
///
/// # Errors
/// If the listener has no address.
pub fn serve(
    listener: TcpListener,
    service: Arc<Service>,
    token: Option<Token>,
) -> io::Result<Server> {
    let address = listener.local_addr()?;
    let door = Door {
        service,
        address,
        token,
    };
    let routes = Router::new()
        .route("/status.json", get(api::status))
        .route("/publish", post(api::publish))
        .with_state(door.clone())
        .merge(media::router(door.service.clone()))
        .fallback(api::not_found)
        .layer(middleware::from_fn_with_state(door, guard::guard));
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

impl Server {
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
