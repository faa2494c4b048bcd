//! The agreement of the peer's own cluster: where it is, its log, and notes for it.

use super::{Door, Token, api::bad_request, unauthorized};
use crate::{
    driver::AgreementStatus,
    failure::{Failure, Kind},
};
use axum::{
    Json,
    body::Bytes,
    extract::{State, rejection::BytesRejection},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use hamlet_overlay::{
    agreement::{
        Agreed,
        state::{Entry, MAX_NOTE_BYTES, Note, Order},
    },
    genesis::Model,
    io::Event,
    time::Time,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

/// How long a note may take to be decided on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a cluster is in its agreement, as one of its members knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The number of the cluster.
    pub cluster: u64,
    /// What is assumed of members and network.
    pub fault_model: Model,
    /// The height of the log that this member has executed.
    pub height: u64,
    /// The view that it is in.
    pub view: u64,
    /// How many members may be faulty.
    pub faults: usize,
    /// How many members' votes decide.
    pub quorum: usize,
    /// The members, in the order of their keys.
    pub members: Vec<MemberStatus>,
    /// Under synchrony: how long ago more members than may be faulty were not heard of within the bound on delays, in
    /// milliseconds; none if that was not seen since the start.
    pub asynchrony_ms: Option<u64>,
    /// Why this peer takes no part any more, if it did.
    pub failed: Option<String>,
}

/// A member of a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberStatus {
    /// Its key, in hexadecimal.
    pub peer: String,
    /// Whether it is the peer that was asked.
    pub me: bool,
    /// Whether it leads the view.
    pub leads: bool,
    /// How long ago something came from it, in milliseconds; none for this peer, and before anything came.
    pub heard_ms: Option<u64>,
}

/// An entry of a cluster's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Its place among all entries since the founding, from 0.
    pub number: u64,
    /// The height at which it was decided.
    pub height: u64,
    /// The member whose note it is, in hexadecimal.
    pub by: String,
    /// What it says.
    pub text: String,
    /// When it was written, by its writer's clock, in milliseconds since 1970.
    pub written_unix_ms: u64,
}

impl From<&Entry> for LogEntry {
    fn from(entry: &Entry) -> LogEntry {
        let Order::Note(note) = &entry.order;
        LogEntry {
            number: entry.number,
            height: entry.height,
            by: note.by.to_string(),
            text: note.text.clone(),
            written_unix_ms: note.written_unix_ms,
        }
    }
}

async fn agreement(door: &Door) -> Result<AgreementStatus, Failure> {
    Ok(door.service.handle().agreement().await?)
}

fn no_part(failed: Option<String>) -> Failure {
    let why = failed.map_or_else(
        || "a demonstration's peers do not".to_owned(),
        |failed| format!("it stopped: {failed}"),
    );
    let text = format!("this peer takes no part in its cluster's agreement; {why}");
    Failure::new(Kind::Refused, text)
}

pub(super) async fn show(State(door): State<Door>) -> Result<Json<ClusterStatus>, Failure> {
    let status = agreement(&door).await?;
    let me = door.service.handle().id();
    let Some(standing) = status.standing else {
        return Err(no_part(status.failed));
    };
    let cluster = door.service.network().cluster_of(me);
    let ago = |at: Time| status.now.since(at).as_millis() as u64;
    let members = standing.members.iter().map(|&(peer, heard)| MemberStatus {
        peer: peer.to_string(),
        me: peer == me,
        leads: peer == standing.leader,
        heard_ms: heard.map(ago),
    });
    Ok(Json(ClusterStatus {
        cluster: cluster.map_or(0, |cluster| cluster.id),
        fault_model: standing.model,
        height: standing.height,
        view: standing.view,
        faults: standing.faults,
        quorum: standing.quorum,
        members: members.collect(),
        asynchrony_ms: standing.asynchrony.map(ago),
        failed: status.failed,
    }))
}

pub(super) async fn log(State(door): State<Door>) -> Result<Json<Vec<LogEntry>>, Failure> {
    let status = agreement(&door).await?;
    if status.standing.is_none() {
        return Err(no_part(status.failed));
    }
    Ok(Json(status.entries.iter().map(LogEntry::from).collect()))
}

pub(super) async fn note(
    State(door): State<Door>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<LogEntry>, Response> {
    if !Token::is_carried(door.token.as_ref(), &headers) {
        return Err(unauthorized(
            "writing into the log needs the token that is in control.json in the node's data folder",
        ));
    }
    let body = body.map_err(bad_request)?;
    let text = match std::str::from_utf8(&body) {
        Ok(text) if (1..=MAX_NOTE_BYTES).contains(&text.len()) => text.to_owned(),
        _ => {
            let wanted = format!("a note is 1 to {MAX_NOTE_BYTES} bytes of text in UTF-8");
            return Err(bad_request(wanted));
        }
    };
    let entry = decide(&door, text)
        .await
        .map_err(IntoResponse::into_response)?;
    Ok(Json(entry))
}

/// Proposes a note and waits until it is in the log.
async fn decide(door: &Door, text: String) -> Result<LogEntry, Failure> {
    let handle = door.service.handle();
    // Listens first: it may be decided at once.
    let events = handle.events();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_millis() as u64);
    let Some(note) = handle.propose(text, now).await? else {
        return Err(no_part(handle.agreement().await?.failed));
    };
    match timeout(PATIENCE, entered(door, events, &note)).await {
        Ok(entry) => entry,
        Err(_) => {
            let text = format!(
                "the cluster did not decide within {PATIENCE:?}: too few of its members may be up (see `hamlet cluster show`). \
                 The note may still be entered later"
            );
            Err(Failure::new(Kind::Unreachable, text))
        }
    }
}

async fn entered(
    door: &Door,
    mut events: Receiver<(Time, Event)>,
    note: &Note,
) -> Result<LogEntry, Failure> {
    let is_it = |entry: &Entry| entry.order == Order::Note(note.clone());
    loop {
        match events.recv().await {
            Ok((_, Event::Agreed(Agreed::Entry(entry)))) if is_it(&entry) => {
                return Ok(LogEntry::from(&entry));
            }
            Ok((_, Event::Agreed(Agreed::Rejected(why)))) => {
                return Err(Failure::new(Kind::Refused, why));
            }
            Ok(_) => {}
            // Among what was missed may be the entry.
            Err(RecvError::Lagged(_)) => {
                let status = agreement(door).await?;
                if let Some(entry) = status.entries.iter().find(|entry| is_it(entry)) {
                    return Ok(LogEntry::from(entry));
                }
            }
            Err(RecvError::Closed) => return Err(crate::driver::Stopped.into()),
        }
    }
}
