//! What requests do.

use super::{Door, status::Status};
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
    Ok(Json(Status::of(&door.service, door.address).await?))
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
    let header = headers.get(header::AUTHORIZATION);
    let allowed = door
        .token
        .zip(header)
        .is_some_and(|(token, header)| token.is_in(header.as_bytes()));
    if !allowed {
        let error = "publishing needs the token that is in control.json in the node's data folder";
        let failure = Failure::new(Kind::Refused, error);
        return Err((StatusCode::UNAUTHORIZED, Json(failure)).into_response());
    }
    let Query(Publishing { format, rate }) = query.map_err(bad_request)?;
    let publisher = door.service.publisher();
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
        "there is nothing here; see /status.json and /live.ts",
    );
    (StatusCode::NOT_FOUND, Json(failure)).into_response()
}
