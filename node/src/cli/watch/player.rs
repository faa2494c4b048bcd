//! A player of this machine, which reads the stream from its standard input.

use crate::failure::{Failure, Kind};
use std::{io, process::Stdio};
use tokio::process::{Child, ChildStdin, Command};
use tracing::info;

/// The players that are looked for, in this order, and what they are told.
const PLAYERS: [(&str, &[&str]); 2] = [
    (
        "mpv",
        &[
            "--profile=low-latency",
            "--force-window=immediate",
            "--title=Hamlet",
            "-",
        ],
    ),
    ("vlc", &["--file-caching=1000", "--play-and-exit", "-"]),
];

/// Starts the first player that there is.
///
/// # Errors
/// If there is none.
pub fn start() -> Result<(Child, ChildStdin), Failure> {
    for (program, arguments) in PLAYERS {
        let started = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        match started {
            Ok(mut child) => {
                if let Some(stdin) = child.stdin.take() {
                    info!("playing in {program}; its window ends it");
                    return Ok((child, stdin));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let text = format!("{program} cannot be started: {error}");
                return Err(Failure::new(Kind::Failed, text));
            }
        }
    }
    let text = "neither mpv nor VLC is installed; install one of them (apt install mpv), or open the URL that `hamlet status` shows in another player or a browser";
    Err(Failure::new(Kind::Failed, text))
}
