//! What encoders send by SRT or RTMP, through an ffmpeg that listens, unpacks and passes on.
//!
//! ffmpeg ends when its publisher leaves. It is started again at once, so the publisher can return whenever
//! it wants and goes on under the same stream; its times go on by the clock on the wall, and its first packets
//! say that something was interrupted.

use super::{Address, Protocol};
use crate::ingest::Input;
use bytes::{Bytes, BytesMut};
use futures::stream;
use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    net::lookup_host,
    process::{Child, ChildStdout, Command},
    sync::watch,
    time::sleep,
};
use tracing::{debug, info, warn};

/// How much is read at once, in bytes.
const READ_BYTES: usize = 64 * 1024;
/// How long to wait before ffmpeg is started again, when it ended before anything came.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// Why nothing can be taken through ffmpeg.
#[derive(Debug, thiserror::Error)]
pub enum FfmpegError {
    /// There is none.
    #[error(
        "{protocol}:// is taken through ffmpeg, and {program:?} cannot be run: {error}; install it (Debian and Ubuntu: apt install ffmpeg; macOS: brew install ffmpeg), or say where it is with --ffmpeg"
    )]
    Missing {
        /// How the source sends.
        protocol: &'static str,
        /// What was to be run.
        program: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// There is one that was built without what is needed.
    #[error(
        "{program:?} does not know {protocol}://; install an ffmpeg that does (`ffmpeg -protocols` lists them), or have the source send by another of udp://, srt:// and rtmp://"
    )]
    Protocol {
        /// How the source sends.
        protocol: &'static str,
        /// What was asked.
        program: PathBuf,
    },
    /// Nobody can listen there.
    #[error(
        "cannot listen on {address}: {error}; stop whoever uses the port, perhaps an ffmpeg that was left behind, or choose another"
    )]
    Listen {
        /// Where.
        address: Address,
        /// Why not.
        error: io::Error,
    },
}

/// What is sent to an address, whether anybody sends yet or not.
///
/// # Errors
/// If there is no ffmpeg that can listen there.
pub async fn listen(program: &Path, address: &Address) -> Result<Input, FfmpegError> {
    check(program, address.protocol).await?;
    try_port(address)
        .await
        .map_err(|error| FfmpegError::Listen {
            address: address.clone(),
            error,
        })?;
    info!("waiting for a publisher at {address}");
    let listener = Listener {
        program: program.to_owned(),
        address: address.clone(),
        began: Instant::now(),
        running: None,
        pause: PAUSES.0,
    };
    Ok(Box::pin(stream::try_unfold(
        listener,
        |mut listener| async { Ok(Some((listener.next().await?, listener))) },
    )))
}

/// Whether there is an ffmpeg, and knows the protocol.
async fn check(program: &Path, protocol: Protocol) -> Result<(), FfmpegError> {
    let asked = Command::new(program)
        .args(["-hide_banner", "-protocols"])
        .stdin(Stdio::null())
        .output()
        .await;
    let protocol = protocol.name();
    let program = program.to_owned();
    let answer = match asked {
        Ok(output) => output.stdout,
        Err(error) => {
            return Err(FfmpegError::Missing {
                protocol,
                program,
                error,
            });
        }
    };
    let known = String::from_utf8_lossy(&answer)
        .lines()
        .any(|line| line.trim() == protocol);
    match known {
        true => Ok(()),
        false => Err(FfmpegError::Protocol { protocol, program }),
    }
}

/// Whether the port is free; ffmpeg would say so less clearly.
async fn try_port(address: &Address) -> io::Result<()> {
    if wants_to_call(address) {
        return Ok(());
    }
    let any = "0.0.0.0".to_owned();
    let host = match address.host.is_empty() {
        true => any,
        false => address.host.trim_matches(['[', ']']).to_owned(),
    };
    let found: Vec<SocketAddr> = lookup_host((host, address.port)).await?.collect();
    match address.protocol {
        Protocol::Rtmp => TcpListener::bind(&found[..]).map(drop),
        Protocol::Srt | Protocol::Udp => UdpSocket::bind(&found[..]).map(drop),
    }
}

/// Whether the other side listens, and this one is to call.
fn wants_to_call(address: &Address) -> bool {
    address.protocol == Protocol::Srt && address.rest.contains("mode=caller")
}

/// What ffmpeg is asked to do; `elapsed` is the time that has passed since the first one was started.
fn arguments(address: &Address, elapsed: Duration) -> Vec<String> {
    let mut url = address.to_string();
    if address.host.is_empty() {
        url = url.replacen("://:", "://0.0.0.0:", 1);
    }
    let mut arguments: Vec<String> = ["-hide_banner", "-loglevel", "error", "-nostdin"]
        .map(str::to_owned)
        .into();
    // What it reads to find out what comes is delay: a second tells enough.
    arguments.extend(
        [
            "-fflags",
            "+nobuffer",
            "-analyzeduration",
            "1000000",
            "-fpsprobesize",
            "0",
        ]
        .map(str::to_owned),
    );
    match address.protocol {
        Protocol::Rtmp => arguments.extend(["-listen", "1"].map(str::to_owned)),
        Protocol::Srt if !address.rest.contains("mode=") => {
            url.push(if address.rest.contains('?') { '&' } else { '?' });
            url.push_str("mode=listener");
        }
        Protocol::Srt | Protocol::Udp => {}
    }
    arguments.extend(["-i".to_owned(), url]);
    let output = [
        "-map",
        "0:v:0?",
        "-map",
        "0:a:0?",
        "-c",
        "copy",
        "-f",
        "mpegts",
        // Sound goes out as it comes, not half a second of it at once.
        "-muxdelay",
        "0.1",
        "-pes_payload_size",
        "0",
        "-flush_packets",
        "1",
        "-mpegts_flags",
        "+initial_discontinuity",
        "-output_ts_offset",
    ];
    arguments.extend(output.map(str::to_owned));
    arguments.push(format!("{:.3}", elapsed.as_secs_f64()));
    arguments.push("pipe:1".to_owned());
    arguments
}

struct Listener {
    program: PathBuf,
    address: Address,
    began: Instant,
    running: Option<Running>,
    pause: Duration,
}

/// An ffmpeg that listens, or passes on.
struct Running {
    child: Child,
    output: ChildStdout,
    /// The last line that it wrote of errors.
    complaint: watch::Receiver<String>,
    passed_on: bool,
}

impl Listener {
    async fn next(&mut self) -> io::Result<Bytes> {
        loop {
            let running = match &mut self.running {
                Some(running) => running,
                empty => empty.insert(start(&self.program, &self.address, self.began)?),
            };
            let mut bytes = BytesMut::with_capacity(READ_BYTES);
            if running.output.read_buf(&mut bytes).await? > 0 {
                if !std::mem::replace(&mut running.passed_on, true) {
                    info!("a publisher has come to {}", self.address);
                }
                return Ok(bytes.freeze());
            }
            self.end().await;
        }
    }

    /// Says why ffmpeg ended, and waits as long as is fitting before it may be started again.
    async fn end(&mut self) {
        let Some(mut running) = self.running.take() else {
            return;
        };
        let status = running.child.wait().await;
        if running.passed_on {
            info!(
                "the publisher has left {}; waiting for it to return",
                self.address
            );
            self.pause = PAUSES.0;
        } else {
            let complaint = running.complaint.borrow().clone();
            let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
            warn!("nothing came at {} ({status}): {complaint}", self.address);
            self.pause = (self.pause * 2).min(PAUSES.1);
        }
        sleep(self.pause).await;
    }
}

fn start(program: &Path, address: &Address, began: Instant) -> io::Result<Running> {
    let mut command = Command::new(program);
    command
        .args(arguments(address, began.elapsed()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Ctrl-C is for this process, which ends ffmpeg when it ends.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn()?;
    let (Some(output), Some(errors)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(io::Error::other("ffmpeg's output is not connected"));
    };
    let (last, complaint) = watch::channel(String::new());
    tokio::spawn(async move {
        // A line that is too long for a message is cut by taking no more than this of what comes.
        let mut lines = BufReader::new(errors).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            debug!("ffmpeg: {line}");
            last.send_replace(line.chars().take(300).collect());
        }
    });
    Ok(Running {
        child,
        output,
        complaint,
        passed_on: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn without_ffmpeg_the_remedy_is_named() {
        let address = "rtmp://127.0.0.1:1/live/key".parse().unwrap();
        let error = listen(Path::new("/nowhere/ffmpeg"), &address)
            .await
            .err()
            .unwrap();
        let text = error.to_string();
        assert!(
            text.contains("apt install ffmpeg") && text.contains("/nowhere/ffmpeg"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_program_that_does_not_know_the_protocol_is_named() {
        let address = "srt://127.0.0.1:1".parse().unwrap();
        let error = listen(Path::new("true"), &address).await.err().unwrap();
        assert!(error.to_string().contains("ffmpeg -protocols"), "{error}");
    }

    #[test]
    fn ffmpeg_listens_unless_it_is_told_to_call() {
        let of = |text: &str| arguments(&text.parse().unwrap(), Duration::from_secs(5)).join(" ");
        let rtmp = of("rtmp://127.0.0.1/live/key");
        assert!(
            rtmp.contains("-listen 1 -i rtmp://127.0.0.1:1935/live/key "),
            "{rtmp}"
        );
        assert!(rtmp.contains("-output_ts_offset 5.000"));
        assert!(of("srt://:9000").contains("-i srt://0.0.0.0:9000?mode=listener "));
        assert!(of("srt://h:9000?latency=9").contains("?latency=9&mode=listener "));
        assert!(of("srt://h:9000?mode=caller").contains("-i srt://h:9000?mode=caller "));
    }
}
