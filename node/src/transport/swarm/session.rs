//! A session with a neighbour: four one-way streams, a lane each way, that begin and end together.
//!
//! One side leads: it opens its two streams under a number of its own, and the other side answers with its
//! two under the same number. Every stream begins with that number, and whoever takes the stream answers
//! with one byte. When all four are there the session is up; when one ends, all end. So both sides begin
//! anew together, and neither takes what was said in one session for a part of the next.

use super::Protocols;
use crate::transport::{
    framing::FramingError,
    link::{Inbox, Writer},
    queue::Lane,
};
use futures::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use hamlet_overlay::identity::PeerId;
use libp2p::Stream;
use libp2p_stream::Control;
use std::{io, time::Duration};
use tokio::{sync::mpsc, task::JoinSet, time::timeout};

/// How long the streams of a session may take to be there.
const START_TIMEOUT: Duration = Duration::from_secs(10);
/// The sign that a stream has been taken.
const TAKEN: u8 = 1;

/// What a session is made of.
pub struct Session {
    /// The neighbour.
    pub peer: PeerId,
    /// Its libp2p name.
    pub name: libp2p::PeerId,
    /// The number that the side that leads gave.
    pub number: u64,
    /// Opens streams.
    pub control: Control,
    /// The names under which they are opened.
    pub protocols: Protocols,
    /// The streams that the neighbour opens under this number.
    pub opened: mpsc::Receiver<(Lane, Stream)>,
    /// What writes to it, in the order of the lanes.
    pub writers: [Writer; Lane::ALL.len()],
    /// Where what it sends goes.
    pub inbox: Inbox,
}

impl Session {
    /// Begins the session, waits for `up` once all streams are there, and lets frames pass until a stream
    /// ends. Returns why it did.
    pub async fn run(self, up: impl Future<Output = ()>) -> FramingError {
        let Session {
            peer,
            name,
            number,
            control,
            protocols,
            opened,
            writers,
            inbox,
        } = self;
        let begun = begin(open(control, name, protocols, number), take(opened));
        let (outgoing, incoming) = match timeout(START_TIMEOUT, begun).await {
            Ok(Ok(streams)) => streams,
            Ok(Err(error)) => return error.into(),
            Err(_) => return io::Error::from(io::ErrorKind::TimedOut).into(),
        };
        up.await;
        let mut tasks = JoinSet::new();
        for (writer, stream) in writers.into_iter().zip(outgoing) {
            tasks.spawn(async move { FramingError::Io(writer.run(stream).await) });
        }
        for stream in incoming {
            let inbox = inbox.clone();
            tasks.spawn(async move {
                let ended = || io::Error::from(io::ErrorKind::UnexpectedEof).into();
                inbox.read(peer, stream).await.err().unwrap_or_else(ended)
            });
        }
        match tasks.join_next().await {
            Some(Ok(why)) => why,
            // They only ever end by themselves.
            _ => io::Error::from(io::ErrorKind::Interrupted).into(),
        }
    }
}

/// Opens our streams and takes the other side's. Nothing comes back on ours once they are taken: what ends
/// there meanwhile tells that the other side has given up, and this side need not wait for the time-out.
async fn begin<S: AsyncRead + Unpin>(
    open: impl Future<Output = io::Result<[S; Lane::ALL.len()]>>,
    take: impl Future<Output = io::Result<[S; Lane::ALL.len()]>>,
) -> io::Result<([S; Lane::ALL.len()], [S; Lane::ALL.len()])> {
    tokio::pin!(open, take);
    let ([mut live, mut repair], taken) = tokio::select! {
        opened = &mut open => (opened?, None),
        taken = &mut take => {
            let taken = taken?;
            (open.await?, Some(taken))
        }
    };
    if let Some(taken) = taken {
        return Ok(([live, repair], taken));
    }
    let (mut first, mut second) = ([0], [0]);
    tokio::select! {
        taken = &mut take => Ok(([live, repair], taken?)),
        _ = live.read(&mut first) => Err(io::ErrorKind::ConnectionReset.into()),
        _ = repair.read(&mut second) => Err(io::ErrorKind::ConnectionReset.into()),
    }
}

/// Opens a stream per lane, and waits until the other side has taken them.
async fn open(
    mut control: Control,
    name: libp2p::PeerId,
    [live, repair]: Protocols,
    number: u64,
) -> io::Result<[Stream; Lane::ALL.len()]> {
    let mut open = async |protocol| {
        let stream = control.open_stream(name, protocol).await;
        let mut stream = stream.map_err(io::Error::other)?;
        announce(&mut stream, number).await?;
        io::Result::Ok(stream)
    };
    Ok([open(live).await?, open(repair).await?])
}

/// Waits until the other side has opened a stream per lane.
async fn take(mut opened: mpsc::Receiver<(Lane, Stream)>) -> io::Result<[Stream; Lane::ALL.len()]> {
    let mut lanes = [None, None];
    loop {
        let (lane, stream) = opened.recv().await.ok_or(io::ErrorKind::BrokenPipe)?;
        lanes[lane as usize] = Some(stream);
        lanes = match lanes {
            [Some(live), Some(repair)] => return Ok([live, repair]),
            some => some,
        };
    }
}

/// Says which session a stream belongs to, and waits until the other side has taken it.
async fn announce<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    number: u64,
) -> io::Result<()> {
    stream.write_all(&number.to_le_bytes()).await?;
    stream.flush().await?;
    let mut sign = [0];
    stream.read_exact(&mut sign).await?;
    match sign {
        [TAKEN] => Ok(()),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Takes a stream that the other side opened; the number of its session.
pub async fn welcome<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> io::Result<u64> {
    let mut number = [0; 8];
    stream.read_exact(&mut number).await?;
    stream.write_all(&[TAKEN]).await?;
    stream.flush().await?;
    Ok(u64::from_le_bytes(number))
}
