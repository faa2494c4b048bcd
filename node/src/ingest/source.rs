//! Where bytes come from.

use super::{
    CLIP, Format, Input,
    live::{Address, AddressError, Protocol, ffmpeg, udp},
    looping::Joiner,
};
use crate::ts::framing::{Framer, Item};
use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};
use std::{
    io,
    path::{Path, PathBuf},
};
use tokio::{
    fs::File,
    io::{AsyncRead, AsyncReadExt},
};

/// The name of the program that takes SRT and RTMP.
pub const FFMPEG: &str = "ffmpeg";

/// Why a source cannot be read at all.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file cannot be opened.
    #[error("{}: {error}; name a file, or - for standard input, or an address to listen on", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// It is an address, but none to listen on.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// Nobody can listen there.
    #[error("cannot listen on {address}: {error}; choose another port, or an address of this host")]
    Listen {
        /// Where.
        address: Address,
        /// Why not.
        error: io::Error,
    },
    /// There is no ffmpeg to listen.
    #[error(transparent)]
    Ffmpeg(#[from] ffmpeg::FfmpegError),
}

/// What is named on the command line: `-` for standard input, an address for a live source, or a file. With
/// it, what its bytes are if they are MPEG-TS: those of a live source come at its own pace.
///
/// # Errors
/// If it cannot be read.
pub async fn open(name: &Path, ffmpeg: &Path) -> Result<(Input, Format), SourceError> {
    if name.as_os_str() == "-" {
        return Ok((stdin(), Format::Ts));
    }
    let Some(address) = name.to_str().and_then(Address::read) else {
        let opened = file(name).await.map_err(|error| SourceError::File {
            path: name.to_owned(),
            error,
        });
        return Ok((opened?, Format::Ts));
    };
    let address = address?;
    let input = match address.protocol {
        Protocol::Udp => udp::listen(&address)
            .await
            .map_err(|error| SourceError::Listen { address, error })?,
        Protocol::Srt | Protocol::Rtmp => ffmpeg::listen(ffmpeg, &address).await?,
    };
    Ok((input, Format::LiveTs))
}

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// The bytes of a reader, to its end.
fn read(reader: impl AsyncRead + Send + Unpin + 'static) -> Input {
    Box::pin(stream::try_unfold(reader, |mut reader| async move {
        let mut bytes = BytesMut::with_capacity(READ_BYTES);
        match reader.read_buf(&mut bytes).await? {
            0 => Ok::<_, io::Error>(None),
            _ => Ok(Some((bytes.freeze(), reader))),
        }
    }))
}

/// Standard input, to its end.
pub fn stdin() -> Input {
    read(tokio::io::stdin())
}

/// A file, once.
///
/// # Errors
/// If the file cannot be opened.
pub async fn file(path: &Path) -> io::Result<Input> {
    Ok(read(File::open(path).await?))
}

/// A transport stream in a file, again and again without a seam.
///
/// # Errors
/// If the file cannot be opened; later, as an item, if it cannot be read or joined to itself.
pub async fn looped_file(path: &Path) -> io::Result<Input> {
    File::open(path).await?;
    Ok(looped(Origin::File(path.to_owned())))
}

/// The bundled clip, again and again without a seam.
pub fn clip() -> Input {
    looped(Origin::Clip)
}

/// What can be read from its beginning more than once.
enum Origin {
    Clip,
    File(PathBuf),
}

impl Origin {
    async fn open(&self) -> io::Result<Input> {
        match self {
            Origin::Clip => Ok(Box::pin(
                stream::iter(CLIP.chunks(READ_BYTES)).map(|piece| Ok(Bytes::from_static(piece))),
            )),
            Origin::File(path) => file(path).await,
        }
    }
}

/// A round of a loop.
struct Round {
    origin: Origin,
    input: Input,
    framer: Framer,
    joiner: Joiner,
}

impl Round {
    /// The next packets, of the next round if this one is over.
    async fn next(&mut self) -> io::Result<Bytes> {
        loop {
            match self.input.try_next().await? {
                Some(bytes) => self.framer.push(&bytes),
                None => {
                    self.framer.end();
                    let rest = self.packets()?;
                    self.joiner.rewind().map_err(cannot_loop)?;
                    self.input = self.origin.open().await?;
                    self.framer = Framer::default();
                    if !rest.is_empty() {
                        return Ok(rest);
                    }
                }
            }
            let packets = self.packets()?;
            if !packets.is_empty() {
                return Ok(packets);
            }
        }
    }

    fn packets(&mut self) -> io::Result<Bytes> {
        let mut packets = BytesMut::new();
        while let Some(item) = self.framer.next_item().map_err(cannot_loop)? {
            if let Item::Packet(packet) = item {
                let packet = self.joiner.pass(packet).map_err(cannot_loop)?;
                packets.extend_from_slice(packet.bytes());
            }
        }
        Ok(packets.freeze())
    }
}

fn cannot_loop(error: impl std::error::Error) -> io::Error {
    io::Error::other(format!(
        "it cannot be played in a loop: {error}; write it anew with `ffmpeg -i INPUT -c copy -f mpegts OUTPUT`, or leave --loop out"
    ))
}

fn looped(origin: Origin) -> Input {
    let opened = stream::once(async {
        let input = origin.open().await?;
        Ok::<_, io::Error>(Round {
            origin,
            input,
            framer: Framer::default(),
            joiner: Joiner::default(),
        })
    });
    Box::pin(
        opened
            .map_ok(|round| {
                stream::try_unfold(round, |mut round| async move {
                    Ok::<_, io::Error>(Some((round.next().await?, round)))
                })
            })
            .try_flatten(),
    )
}
