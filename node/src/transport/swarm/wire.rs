//! Counts what the sockets send and receive, at the last place before the system: UDP payloads under
//! QUIC, and what is written to and read from TCP sockets under Noise. Here a peer can also be silenced.

use crate::transport::counters::{Counters, add};
use futures::io::{AsyncRead, AsyncWrite};
use quinn::{
    AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime, UdpPoller,
    udp::{RecvMeta, Transmit},
};
use std::{
    future::Future,
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::Instant,
};

/// Whether a peer's UDP sockets keep silent, like those of a process that was killed: QUIC's farewells
/// are not sent. TCP's are sent by the system even then.
#[derive(Clone, Debug, Default)]
pub struct Silence(Arc<AtomicBool>);

impl Silence {
    /// Nothing is sent from now on.
    pub fn fall(&self) {
        self.0.store(true, Relaxed);
    }
}

/// Quinn's runtime on tokio, with sockets that count.
#[derive(Debug)]
pub struct CountingRuntime {
    /// Where they count.
    pub counters: Arc<Counters>,
    /// When they stop.
    pub silence: Silence,
}

impl Runtime for CountingRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        TokioRuntime.spawn(future);
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        Ok(Arc::new(CountingUdp {
            socket: TokioRuntime.wrap_udp_socket(socket)?,
            counters: self.counters.clone(),
            silence: self.silence.clone(),
        }))
    }
}

#[derive(Debug)]
struct CountingUdp {
    socket: Arc<dyn AsyncUdpSocket>,
    counters: Arc<Counters>,
    silence: Silence,
}

impl AsyncUdpSocket for CountingUdp {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        self.socket.clone().create_io_poller()
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        if self.silence.0.load(Relaxed) {
            return Ok(());
        }
        self.socket.try_send(transmit)?;
        add(
            &self.counters.wire_sent_bytes,
            transmit.contents.len() as u64,
        );
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let received = ready!(self.socket.poll_recv(cx, bufs, meta))?;
        let bytes: usize = meta.iter().take(received).map(|meta| meta.len).sum();
        add(&self.counters.wire_received_bytes, bytes as u64);
        Poll::Ready(Ok(received))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.socket.max_transmit_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.socket.max_receive_segments()
    }

    fn may_fragment(&self) -> bool {
        self.socket.may_fragment()
    }
}

/// A TCP socket that counts.
pub struct CountingTcp<S> {
    /// The socket.
    pub socket: S,
    /// Where it counts.
    pub counters: Arc<Counters>,
}

impl<S: AsyncRead + Unpin> AsyncRead for CountingTcp<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let read = ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        add(&self.counters.wire_received_bytes, read as u64);
        Poll::Ready(Ok(read))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for CountingTcp<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        add(&self.counters.wire_sent_bytes, written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        add(&self.counters.wire_sent_bytes, written as u64);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_close(cx)
    }
}
