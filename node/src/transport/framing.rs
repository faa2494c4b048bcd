//! How frames lie on a stream: four bytes of length, little-endian, then the frame.

use bytes::Bytes;
use futures::io::{AsyncRead, AsyncReadExt, BufReader};
use hamlet_overlay::wire::{Frame, MAX_FRAME_BYTES};
use std::io;

/// The length before every frame, in bytes.
pub const LENGTH_BYTES: usize = 4;

/// Small frames are read together; a large one goes past this buffer into its own memory.
const READ_BUFFER_BYTES: usize = 4096;

/// Why nothing more can be read from a stream.
#[derive(Debug, thiserror::Error)]
pub enum FramingError {
    /// A length that no frame has; nothing after it can be understood.
    #[error("a frame of {0} bytes was announced; frames have between 1 and {MAX_FRAME_BYTES}")]
    Length(usize),
    /// The stream ended within a frame, or broke.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Appends a frame and its length to what will be written.
pub fn append(buffer: &mut Vec<u8>, frame: &Frame) {
    // A frame is at most MAX_FRAME_BYTES long; the queue takes no other.
    buffer.extend_from_slice(&(frame.len() as u32).to_le_bytes());
    buffer.extend_from_slice(&frame.head);
    buffer.extend_from_slice(&frame.body);
}

/// Reads frames from a stream.
pub struct FrameReader<R> {
    input: BufReader<R>,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    /// Reads the frames of this stream.
    pub fn new(stream: R) -> FrameReader<R> {
        FrameReader {
            input: BufReader::with_capacity(READ_BUFFER_BYTES, stream),
        }
    }

    /// The next frame; `None` when the stream has ended between two frames.
    pub async fn next(&mut self) -> Result<Option<Bytes>, FramingError> {
        let mut length = [0; LENGTH_BYTES];
        let first = self.input.read(&mut length[..1]).await?;
        if first == 0 {
            return Ok(None);
        }
        self.input.read_exact(&mut length[1..]).await?;
        let length = u32::from_le_bytes(length) as usize;
        if length == 0 || length > MAX_FRAME_BYTES {
            return Err(FramingError::Length(length));
        }
        let mut frame = vec![0; length];
        self.input.read_exact(&mut frame).await?;
        Ok(Some(Bytes::from(frame)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(bytes: &[u8]) -> (Vec<Bytes>, Option<FramingError>) {
        futures::executor::block_on(async {
            let mut reader = FrameReader::new(bytes);
            let mut frames = Vec::new();
            loop {
                match reader.next().await {
                    Ok(Some(frame)) => frames.push(frame),
                    Ok(None) => return (frames, None),
                    Err(error) => return (frames, Some(error)),
                }
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(frames in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..40), prop::collection::vec(any::<u8>(), 0..9000)), 0..8)) {
            let mut buffer = Vec::new();
            for (head, body) in &frames {
                append(&mut buffer, &Frame { head: head.clone().into(), body: body.clone().into() });
            }
            let (read, error) = read_all(&buffer);
            prop_assert!(error.is_none());
            let written: Vec<Vec<u8>> = frames.into_iter().map(|(head, body)| [head, body].concat()).collect();
            prop_assert_eq!(read, written);
        }

        #[test]
        fn random_bytes_are_refused_or_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let (frames, _) = read_all(&bytes);
            prop_assert!(frames.iter().map(|frame| frame.len() + LENGTH_BYTES).sum::<usize>() <= bytes.len());
        }
    }

    #[test]
    fn lengths_that_no_frame_has_are_refused() {
        for length in [0, MAX_FRAME_BYTES as u32 + 1, u32::MAX] {
            let (frames, error) = read_all(&length.to_le_bytes());
            assert!(frames.is_empty());
            assert!(matches!(error, Some(FramingError::Length(found)) if found == length as usize));
        }
    }

    #[test]
    fn a_stream_that_ends_within_a_frame_is_an_error() {
        let mut buffer = Vec::new();
        append(&mut buffer, &Frame::received(Bytes::from_static(b"whole")));
        append(&mut buffer, &Frame::received(Bytes::from_static(b"cut")));
        for cut in 1..LENGTH_BYTES + 3 {
            let (frames, error) = read_all(&buffer[..buffer.len() - cut]);
            assert_eq!(frames, [Bytes::from_static(b"whole")]);
            assert!(matches!(error, Some(FramingError::Io(_))));
        }
    }
}
