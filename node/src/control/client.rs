//! The other side of the door: what commands ask of a running node.

use super::{
    Access,
    cluster::{ClusterStatus, Left, Wanted},
    evidence::Proof,
    log::LogEntry,
    peers::Around,
    status::Status,
};
use crate::{
    config::Rate,
    data::Folder,
    failure::{Failure, Kind},
    ingest::{Format, Input, publish::Published},
    uri::StreamUri,
};
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt};
use http_body_util::{BodyExt, Empty, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response,
    body::{Frame, Incoming},
    header,
};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpStream, time::Instant};

/// The longest answer in JSON, in bytes.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// How long a node may take from locking its folder to opening its door.
const STARTING: Duration = Duration::from_secs(5);
/// How often to look meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

type RequestBody = BoxBody<Bytes, io::Error>;

/// A way to the running node of a data folder.
#[derive(Debug)]
pub struct Client {
    access: Access,
    folder: Folder,
}

impl Client {
    /// A way to the running node of this folder.
    ///
    /// # Errors
    /// If no node runs there.
    pub async fn of(folder: &Folder) -> Result<Client, Failure> {
        let access = Access::read(folder)?.ok_or_else(|| not_running(folder))?;
        // A node that was killed leaves the file behind.
        let answers = TcpStream::connect(access.address).await.is_ok();
        match answers {
            true => Ok(Client {
                access,
                folder: folder.clone(),
            }),
            false => Err(not_running(folder)),
        }
    }

    /// A way to the node of this folder, which is known to run but may be just starting.
    ///
    /// # Errors
    /// If it cannot be reached within some seconds.
    pub async fn of_starting(folder: &Folder) -> Result<Client, Failure> {
        let deadline = Instant::now() + STARTING;
        loop {
            match Client::of(folder).await {
                Err(failure) if failure.kind == Kind::Unreachable && Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                result => return result,
            }
        }
    }

    /// What the node says of itself.
    ///
    /// # Errors
    /// If it cannot be reached.
    pub async fn status(&self) -> Result<Status, Failure> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::GET, "/api/v1/status", body).await?;
        self.json(response).await
    }

    /// Where the node's cluster is in its agreement.
    ///
    /// # Errors
    /// If the node cannot be reached, or takes no part.
    pub async fn cluster(&self) -> Result<ClusterStatus, Failure> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::GET, "/api/v1/cluster", body).await?;
        self.json(response).await
    }

    /// The newest entries of the cluster's log.
    ///
    /// # Errors
    /// If the node cannot be reached, or takes no part.
    pub async fn cluster_log(&self) -> Result<Vec<LogEntry>, Failure> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::GET, "/api/v1/cluster/log", body).await?;
        self.json(response).await
    }

    /// The evidence that the node's peer keeps, the newest first.
    ///
    /// # Errors
    /// If the node cannot be reached.
    pub async fn evidence(&self) -> Result<Vec<Proof>, Failure> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::GET, "/api/v1/evidence", body).await?;
        self.json(response).await
    }

    /// Enters a note into the cluster's log, and waits until the cluster has decided.
    ///
    /// # Errors
    /// If the node cannot be reached, takes no part, or the cluster does not decide in time.
    pub async fn note(&self, text: &str) -> Result<LogEntry, Failure> {
        let body = Full::new(Bytes::copy_from_slice(text.as_bytes()));
        let body = body.map_err(|never| match never {}).boxed();
        let path = "/api/v1/cluster/notes";
        let response = self.ask(Method::POST, path, body).await?;
        self.json(response).await
    }

    /// Has the node's peer want a change of the members, and waits until that is in the log.
    ///
    /// # Errors
    /// If the node cannot be reached, is no member, the cluster refuses or does not decide in time.
    pub async fn want(&self, wanted: &Wanted) -> Result<LogEntry, Failure> {
        // Our own types all have a form in JSON.
        let body = Full::new(Bytes::from(serde_json::to_vec(wanted).unwrap_or_default()));
        let body = body.map_err(|never| match never {}).boxed();
        let path = "/api/v1/cluster/members";
        let response = self.ask(Method::POST, path, body).await?;
        self.json(response).await
    }

    /// The peers around the node's own, as far as it knows.
    ///
    /// # Errors
    /// If the node cannot be reached.
    pub async fn peers(&self) -> Result<Vec<Around>, Failure> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::GET, "/api/v1/peers", body).await?;
        self.json(response).await
    }

    /// Has the node's peer leave the network, and waits until its cluster does without it. Then the node ends.
    ///
    /// # Errors
    /// If the node cannot be reached, takes no part, or the cluster does not decide in time.
    pub async fn leave(&self) -> Result<Left, Failure> {
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::POST, "/api/v1/leave", body).await?;
        self.json(response).await
    }

    /// Publishes a source through the node, to its end.
    ///
    /// # Errors
    /// If the node cannot be reached, does not take it, or the source cannot be read.
    pub async fn publish(
        &self,
        input: Input,
        format: Format,
        rate: Option<Rate>,
    ) -> Result<Published, Failure> {
        let mut path = match format {
            Format::Ts => "/publish?format=ts".to_owned(),
            Format::LiveTs => "/publish?format=live-ts".to_owned(),
            Format::Bytes => "/publish?format=bytes".to_owned(),
        };
        if let Some(rate) = rate {
            path.push_str(&format!("&rate={}", rate.bits_per_s));
        }
        // Why the source broke off is known here; the node only sees that it did.
        let broken = Arc::new(Mutex::new(None));
        let noted = broken.clone();
        let frames = input.map_ok(Frame::data).map_err(move |error| {
            let text = error.to_string();
            if let Ok(mut broken) = noted.lock() {
                *broken = Some(error);
            }
            io::Error::other(text)
        });
        // The stream itself is only `Send`; a body that is passed on must be `Sync` too.
        let body = BodyExt::boxed(StreamBody::new(SyncStream(Mutex::new(frames))));
        let answer = async { self.json(self.ask(Method::POST, &path, body).await?).await };
        let answer = answer.await;
        match broken.lock().ok().and_then(|mut broken| broken.take()) {
            Some(error) => Err(crate::ingest::IngestError::Read(error).into()),
            None => answer,
        }
    }

    /// The segments of a stream, as [`super::segments`] has them.
    ///
    /// # Errors
    /// If the node cannot be reached, or the stream is none of its network.
    pub async fn segments(
        &self,
        uri: Option<StreamUri>,
    ) -> Result<impl Stream<Item = Result<Bytes, Failure>> + use<>, Failure> {
        let path = match uri {
            None => "/segments".to_owned(),
            Some(uri) => format!("/segments?stream={}", uri.stream),
        };
        let body = Empty::new().map_err(|never| match never {}).boxed();
        let response = self.ask(Method::GET, &path, body).await?;
        let response = self.accepted(response).await?;
        let address = self.access.address;
        Ok(response.into_body().into_data_stream().map(move |bytes| {
            bytes.map_err(|_| {
                let error = format!("the node at {address} went away; start it again");
                Failure::new(Kind::Unreachable, error)
            })
        }))
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: RequestBody,
    ) -> Result<Response<Incoming>, Failure> {
        let stream = TcpStream::connect(self.access.address).await;
        let stream = stream.map_err(|_| not_running(&self.folder))?;
        let gone = |error: hyper::Error| {
            let text = format!("the node at {} went away: {error}", self.access.address);
            Failure::new(Kind::Unreachable, text)
        };
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(gone)?;
        tokio::spawn(async move {
            // What goes wrong on the connection shows on the request.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.access.address.to_string())
            .header(header::AUTHORIZATION, self.access.token.header())
            .body(body)
            .map_err(|error| Failure::new(Kind::Failed, error))?;
        sender.send_request(request).await.map_err(gone)
    }

    async fn json<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Failure> {
        let response = self.accepted(response).await?;
        let bytes = self.collect(response).await?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let text = format!(
                "the node at {} answers something else than expected ({error}); use the same version of hamlet on both sides",
                self.access.address
            );
            Failure::new(Kind::Failed, text)
        })
    }

    /// The response, unless it is a failure.
    async fn accepted(&self, response: Response<Incoming>) -> Result<Response<Incoming>, Failure> {
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let bytes = self.collect(response).await?;
        Err(serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let text = format!("the node at {} answers {status}", self.access.address);
            Failure::new(Kind::Failed, text)
        }))
    }

    async fn collect(&self, response: Response<Incoming>) -> Result<Bytes, Failure> {
        let limited = Limited::new(response.into_body(), ANSWER_BYTES_MAX);
        match limited.collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) => {
                let text = format!("the node at {} went away: {error}", self.access.address);
                Err(Failure::new(Kind::Unreachable, text))
            }
        }
    }
}

fn not_running(folder: &Folder) -> Failure {
    let path = folder.path().display();
    let text = format!(
        "no node runs in {path}; start it with `hamlet node --folder {path}`, or name its folder with --folder"
    );
    Failure::new(Kind::Unreachable, text)
}

/// A stream behind a lock, so that references to it may be shared; only its owner ever polls it.
struct SyncStream<S>(Mutex<S>);

impl<S: Stream + Unpin> Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        match self.0.get_mut() {
            Ok(stream) => stream.poll_next_unpin(context),
            Err(_) => std::task::Poll::Ready(None),
        }
    }
}
