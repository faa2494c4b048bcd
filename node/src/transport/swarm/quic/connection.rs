//! QUIC connections and streams in the shape that libp2p wants.

use futures::{
    FutureExt,
    future::BoxFuture,
    io::{AsyncRead, AsyncWrite},
};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use quinn::{RecvStream, SendStream, VarInt};
use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

type Streams = Result<(SendStream, RecvStream), quinn::ConnectionError>;

/// A QUIC connection.
pub struct Connection {
    connection: quinn::Connection,
    incoming: Option<BoxFuture<'static, Streams>>,
    outgoing: Option<BoxFuture<'static, Streams>>,
    closed: Option<BoxFuture<'static, quinn::ConnectionError>>,
}

impl Connection {
    /// A connection that nobody has used yet.
    pub fn new(connection: quinn::Connection) -> Connection {
        Connection {
            connection,
            incoming: None,
            outgoing: None,
            closed: None,
        }
    }
}

impl StreamMuxer for Connection {
    type Substream = Substream;
    type Error = io::Error;

    fn poll_inbound(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<Substream>> {
        let connection = self.connection.clone();
        let next = self
            .incoming
            .get_or_insert_with(|| async move { connection.accept_bi().await }.boxed());
        let (send, receive) = ready!(next.poll_unpin(cx))?;
        self.incoming = None;
        Poll::Ready(Ok(Substream { send, receive }))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Substream>> {
        let connection = self.connection.clone();
        let next = self
            .outgoing
            .get_or_insert_with(|| async move { connection.open_bi().await }.boxed());
        let (send, receive) = ready!(next.poll_unpin(cx))?;
        self.outgoing = None;
        Poll::Ready(Ok(Substream { send, receive }))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        // Addresses do not change: migration is off. That the connection is gone shows above.
        Poll::Pending
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let connection = self.connection.clone();
        let closed = self.closed.get_or_insert_with(|| {
            connection.close(VarInt::from_u32(0), &[]);
            async move { connection.closed().await }.boxed()
        });
        match ready!(closed.poll_unpin(cx)) {
            quinn::ConnectionError::LocallyClosed => Poll::Ready(Ok(())),
            error => Poll::Ready(Err(error.into())),
        }
    }
}

/// A stream of a QUIC connection. When it is dropped, what was written still arrives, and the other side
/// is told that nothing more is read.
pub struct Substream {
    send: SendStream,
    receive: RecvStream,
}

impl AsyncRead for Substream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        AsyncRead::poll_read(Pin::new(&mut self.receive), cx, buf)
    }
}

impl AsyncWrite for Substream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        AsyncWrite::poll_write(Pin::new(&mut self.send), cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_flush(Pin::new(&mut self.send), cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        AsyncWrite::poll_close(Pin::new(&mut self.send), cx)
    }
}
