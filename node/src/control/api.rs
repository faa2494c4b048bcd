//! What requests do.

use super::{Door, Token, events, map::NetworkMap, metrics, status::Status, unauthorized};
use crate::{
    config::Rate,
    failure::{Failure, Kind},
    ingest::{Format, Input},
};
use axum::{
    Json,
    body::Body,
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{StreamExt, future::ready, stream};
use serde::Deserialize;
use std::{io, time::Duration};
use tokio::{sync::mpsc, time::timeout};

/// How long a body is read on after its request was answered.
const LINGER: Duration = Duration::from_secs(2);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = match self.kind {
            Kind::Failed | Kind::Configuration => StatusCode::INTERNAL_SERVER_ERROR,
            Kind::InUse => StatusCode::CONFLICT,
            Kind::Input => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Refused => StatusCode::NOT_FOUND,
        };
        (status, Json(self)).into_response()
    }
}

pub(super) fn bad_request(error: impl std::fmt::Display) -> Response {
    let failure = Failure::new(Kind::Failed, error);
    (StatusCode::BAD_REQUEST, Json(failure)).into_response()
}

pub(super) async fn status(State(door): State<Door>) -> Result<Json<Status>, Failure> {
    Ok(Json(Status::of(&door.service, &door.base).await?))
}

pub(super) async fn metrics(State(door): State<Door>) -> Result<Response, Failure> {
    let text = door
        .service
        .metrics()
        .text(&door.service, &door.base)
        .await?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

/// Whether the peer runs.
pub(super) async fn health(State(door): State<Door>) -> Response {
    match door.service.handle().status().await {
        Ok(_) => "the peer runs\n".into_response(),
        Err(stopped) => (StatusCode::SERVICE_UNAVAILABLE, format!("{stopped}\n")).into_response(),
    }
}

/// Whether a verified segment with which a decoder can start has been handed to playback.
pub(super) async fn readiness(State(door): State<Door>) -> Response {
    let heard = door.service.playback().heard().await;
    if heard.values().any(|heard| heard.playable) {
        return "a playable segment has been handed to playback\n".into_response();
    }
    let says = match Status::of(&door.service, &door.base).await {
        Ok(status) => status
            .streams
            .iter()
            .map(|one| format!("{}\n", one.says))
            .collect(),
        Err(stopped) => format!("{stopped}\n"),
    };
    (StatusCode::SERVICE_UNAVAILABLE, says).into_response()
}

pub(super) async fn network(State(door): State<Door>) -> Result<Json<NetworkMap>, Failure> {
    let service = &door.service;
    let status = service.handle().status().await?;
    service.meet(&status.around);
    let me = Some(service.handle().id());
    Ok(Json(NetworkMap::of(service.roll(), me, [&status])))
}

pub(super) async fn events(State(door): State<Door>) -> Result<Response, Failure> {
    let (channel, response) = door.readers.admit()?;
    tokio::spawn(async move {
        // The page may go at any time.
        let _ = events::follow(door, channel).await;
    });
    Ok(response)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Publishing {
    #[serde(default)]
    format: Format,
    rate: Option<Rate>,
}

pub(super) async fn publish(
    State(door): State<Door>,
    headers: HeaderMap,
    query: Result<Query<Publishing>, QueryRejection>,
    body: Body,
) -> Result<Response, Response> {
    if !Token::is_carried(door.token.as_ref(), &headers) {
        return Err(unauthorized(
            "publishing needs the token that is in control.json in the node's data folder",
        ));
    }
    let Query(Publishing { format, rate }) = query.map_err(bad_request)?;
    let Some(publisher) = door.service.publisher() else {
        let failure = Failure::new(Kind::Refused, "nothing is published through this node");
        return Err(failure.into_response());
    };
    let published = publisher.publish(lingering(body), format, rate).await;
    match published {
        Ok(published) => Ok(Json(published).into_response()),
        Err(error) => Err(Failure::from(error).into_response()),
    }
}

/// The bytes of a request's body. When nobody takes them any more they are read on for a moment: if the
/// connection closed under a client that is still sending, it would not see the answer.
fn lingering(body: Body) -> Input {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut body = body.into_data_stream();
        while let Some(piece) = body.next().await {
            if sender.send(piece.map_err(io::Error::other)).await.is_err() {
                // After that the connection closes in any case.
                let _ = timeout(LINGER, body.for_each(|_| ready(()))).await;
                return;
            }
        }
    });
    Box::pin(stream::unfold(receiver, |mut receiver| async {
        Some((receiver.recv().await?, receiver))
    }))
}

pub(super) async fn not_found() -> Response {
    let failure = Failure::new(
        Kind::Refused,
        "there is nothing here; see / for the page, /api/v1/status and /live.ts",
    );
    (StatusCode::NOT_FOUND, Json(failure)).into_response()
}
