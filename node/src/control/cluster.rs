//! The agreement of the peer's own cluster: where it is, and what operators have said in it.

use super::{Door, Token, api::bad_request, log::LogEntry, unauthorized};
use crate::{
    data::card,
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
        self, Agreed,
        entry::{Act, Wish},
        order::{MAX_NOTE_BYTES, Motion, Order, Saying},
    },
    genesis::Model,
    identity::PeerId,
    io::Event,
    time::Time,
};
use serde::{Deserialize, Serialize};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

/// How long it may take until something is decided.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a cluster is in its agreement, as one of its members knows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClusterStatus {
    /// The number of the cluster.
    pub cluster: u64,
    /// The number of its newest epoch that this peer knows.
    pub epoch: u64,
    /// What this peer does in it.
    pub part: Part,
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

/// What a peer does in the newest epoch of its cluster that it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// It is a member.
    Member,
    /// It is a member, and fetches the state that the epoch begins with.
    Joining,
    /// It lost what it had stored, and takes part again from the next epoch on.
    Waiting,
    /// It is no member.
    Outside,
}

impl From<agreement::Part> for Part {
    fn from(part: agreement::Part) -> Part {
        match part {
            agreement::Part::Member => Part::Member,
            agreement::Part::Joining => Part::Joining,
            agreement::Part::Waiting => Part::Waiting,
            agreement::Part::Outside => Part::Outside,
        }
    }
}

async fn agreement(door: &Door) -> Result<AgreementStatus, Failure> {
    Ok(door.service.handle().agreement().await?)
}

fn no_part(status: AgreementStatus) -> Failure {
    let why = match (status.failed, status.standing.map(|standing| standing.part)) {
        (Some(failed), _) => format!("it stopped: {failed}"),
        (None, None) => "a demonstration's peers do not".to_owned(),
        (None, Some(agreement::Part::Outside)) => {
            "it is no member; `hamlet member add` on its members takes it in".to_owned()
        }
        (None, Some(_)) => "it waits for the next epoch (see `hamlet cluster show`)".to_owned(),
    };
    let text = format!("this peer takes no part in its cluster's agreement; {why}");
    Failure::new(Kind::Refused, text)
}

pub(super) async fn show(State(door): State<Door>) -> Result<Json<ClusterStatus>, Failure> {
    let status = agreement(&door).await?;
    let me = door.service.handle().id();
    let Some(standing) = status.standing.clone() else {
        return Err(no_part(status));
    };
    let ago = |at: Time| status.now.since(at).as_millis() as u64;
    let members = standing.members.iter().map(|&(peer, heard)| MemberStatus {
        peer: peer.to_string(),
        me: peer == me,
        leads: peer == standing.leader,
        heard_ms: heard.map(ago),
    });
    Ok(Json(ClusterStatus {
        cluster: standing.cluster,
        epoch: standing.epoch,
        part: standing.part.into(),
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
    let part = status.standing.as_ref().map(|standing| standing.part);
    if part != Some(agreement::Part::Member) {
        return Err(no_part(status));
    }
    Ok(Json(status.entries.iter().map(LogEntry::from).collect()))
}

pub(super) async fn note(
    State(door): State<Door>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<LogEntry>, Response> {
    if let Some(refusal) = refusal(&door, &headers, "writing into the log") {
        return Err(refusal);
    }
    let body = body.map_err(bad_request)?;
    let text = match std::str::from_utf8(&body) {
        Ok(text) if (1..=MAX_NOTE_BYTES).contains(&text.len()) => text.to_owned(),
        _ => {
            let wanted = format!("a note is 1 to {MAX_NOTE_BYTES} bytes of text in UTF-8");
            return Err(bad_request(wanted));
        }
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let saying = Saying::Note {
        text,
        written_unix_ms: now.map_or(0, |now| now.as_millis() as u64),
    };
    let decided = decide(&door, saying).await;
    decided.map(Json).map_err(IntoResponse::into_response)
}

/// A peer has left the network.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Left {
    /// The cluster that it was in.
    pub cluster: u64,
    /// The cluster's first epoch without it.
    pub epoch: u64,
}

pub(super) async fn leave(
    State(door): State<Door>,
    headers: HeaderMap,
) -> Result<Json<Left>, Response> {
    if let Some(refusal) = refusal(&door, &headers, "leaving the network") {
        return Err(refusal);
    }
    let left = go(&door).await.map_err(IntoResponse::into_response)?;
    // Who is nobody's member serves nobody: the node ends once this is answered.
    door.service.end();
    Ok(Json(left))
}

/// Has the peer leave, and waits until its cluster does without it.
async fn go(door: &Door) -> Result<Left, Failure> {
    let handle = door.service.handle();
    let mut events = handle.events();
    let outside = |status: &AgreementStatus| {
        let standing = status.standing.as_ref();
        let standing = standing.filter(|standing| standing.part == agreement::Part::Outside)?;
        Some(Left {
            cluster: standing.cluster,
            epoch: standing.epoch,
        })
    };
    let status = handle.agreement().await?;
    if status.standing.is_none() {
        return Err(no_part(status));
    }
    handle.leave().await?;
    let gone = async {
        loop {
            if let Some(left) = outside(&handle.agreement().await?) {
                return Ok(left);
            }
            if let Err(RecvError::Closed) = events.recv().await {
                return Err(crate::driver::Stopped.into());
            }
        }
    };
    timeout(PATIENCE, gone).await.unwrap_or_else(|_| {
        let text = format!(
            "the cluster did not decide within {PATIENCE:?}: too few of its members may be up, or this one is the last (see \
             `hamlet cluster show`). It goes on asking; Ctrl-C ends the node in any case, and its fellows put it out"
        );
        Err(Failure::new(Kind::Unreachable, text))
    })
}

/// What an operator wants of the members.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wanted {
    /// Add the peer of this card.
    Add(String),
    /// Remove the member of this key.
    Remove(String),
}

pub(super) async fn want(
    State(door): State<Door>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<LogEntry>, Response> {
    if let Some(refusal) = refusal(&door, &headers, "changing the members") {
        return Err(refusal);
    }
    let wanted = serde_json::from_slice(&body.map_err(bad_request)?).map_err(bad_request)?;
    let motion = match wanted {
        Wanted::Add(text) => {
            let network = door.service.network().id();
            Motion::Add(Box::new(card::parse(&text, network).map_err(bad_request)?))
        }
        Wanted::Remove(key) => Motion::Remove(key.parse().map_err(bad_request)?),
    };
    let decided = decide(&door, Saying::Wants(motion)).await;
    decided.map(Json).map_err(IntoResponse::into_response)
}

/// The answer to a request without the token.
fn refusal(door: &Door, headers: &HeaderMap, what: &str) -> Option<Response> {
    let carried = Token::is_carried(door.token.as_ref(), headers);
    let why =
        || format!("{what} needs the token that is in control.json in the node's data folder");
    (!carried).then(|| unauthorized(&why()))
}

/// Says something in the cluster and waits until it is in the log.
async fn decide(door: &Door, saying: Saying) -> Result<LogEntry, Failure> {
    let handle = door.service.handle();
    // Listens first: it may be decided at once.
    let events = handle.events();
    let Some(order) = handle.say(saying.clone()).await? else {
        return Err(no_part(handle.agreement().await?));
    };
    match timeout(PATIENCE, entered(door, events, &saying, &order)).await {
        Ok(entry) => entry,
        Err(_) => {
            let text = format!(
                "the cluster did not decide within {PATIENCE:?}: too few of its members may be up (see `hamlet cluster show`). \
                 It may still be entered later"
            );
            Err(Failure::new(Kind::Unreachable, text))
        }
    }
}

async fn entered(
    door: &Door,
    mut events: Receiver<(Time, Event)>,
    saying: &Saying,
    order: &Order,
) -> Result<LogEntry, Failure> {
    let (me, id) = (door.service.handle().id(), order.id());
    loop {
        match events.recv().await {
            Ok((_, Event::Agreed(Agreed::Entry(entry)))) if is_of(&entry.act, me, saying) => {
                return Ok(LogEntry::from(&entry));
            }
            Ok((_, Event::Agreed(Agreed::Void(void, why)))) if void == id => {
                return Err(Failure::new(Kind::Refused, why));
            }
            Ok((_, Event::Agreed(Agreed::Rejected(why)))) => {
                return Err(Failure::new(Kind::Refused, why));
            }
            Ok(_) => {}
            // Among what was missed may be the entry.
            Err(RecvError::Lagged(_)) => {
                let status = agreement(door).await?;
                let mut entries = status.entries.iter().rev();
                if let Some(entry) = entries.find(|entry| is_of(&entry.act, me, saying)) {
                    return Ok(LogEntry::from(entry));
                }
            }
            Err(RecvError::Closed) => return Err(crate::driver::Stopped.into()),
        }
    }
}

/// Whether an entry came of what this peer said.
fn is_of(act: &Act, me: PeerId, saying: &Saying) -> bool {
    match (act, saying) {
        (
            Act::Note {
                by,
                text,
                written_unix_ms,
            },
            Saying::Note {
                text: said,
                written_unix_ms: at,
            },
        ) => (by, text, written_unix_ms) == (&me, said, at),
        (Act::Wanted { by, wish, .. }, Saying::Wants(motion)) => {
            let wanted = match motion {
                Motion::Add(card) => Wish::Add(card.peer),
                Motion::Remove(peer) => Wish::Remove(*peer),
            };
            (*by, *wish) == (me, wanted)
        }
        _ => false,
    }
}
