//! Players of all kinds on the stream of a running demonstration, and encoders of all kinds that feed it.
//!
//! They need ffmpeg, ffprobe and Chromium. Without one of them a test says what it leaves out; where
//! `HAMLET_TESTS_NEED_TOOLS` is set, as in `.ci/run`, it fails.

use clap::Parser;
use hamlet_node::{
    bench::{
        browser::{Browser, Page},
        playback,
    },
    demo::{self, Options, Summary},
    failure::Failure,
};
use std::{
    io::Write,
    net::{TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
    task::JoinHandle,
    time::{sleep, timeout},
};

/// How long anything may take before a test gives it up.
const PATIENCE: Duration = Duration::from_secs(120);
/// Pictures that come before and after the source was away: more than before alone.
const PICTURES: &str = "240";
const CLIP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/clip.ts");

/// A program of this machine, if it is there.
fn tool(name: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file());
    if found.is_none() {
        let needed = std::env::var_os("HAMLET_TESTS_NEED_TOOLS").is_some();
        assert!(
            !needed,
            "{name} is not installed, and HAMLET_TESTS_NEED_TOOLS is set"
        );
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        // Past the test harness, which hides what passing tests print.
        let _ = writeln!(
            std::io::stderr(),
            "\n*** LEFT OUT: {test}, since {name} is not installed (apt install ffmpeg chromium) ***"
        );
    }
    found
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

/// A demonstration that runs until it is dropped.
struct Demonstration {
    /// The address of the node that serves players.
    base: String,
    stop: oneshot::Sender<()>,
    running: JoinHandle<Result<Summary, Failure>>,
}

impl Demonstration {
    async fn start(arguments: &[&str]) -> Demonstration {
        let words = ["demo", "--peers=8"].iter().chain(arguments);
        let options = Arguments::try_parse_from(words).unwrap().options;
        let (stop, stopped) = oneshot::channel();
        let (announced, lines) = oneshot::channel();
        let running = tokio::spawn(async move {
            let stopped = async {
                let _ = stopped.await;
            };
            demo::run(&options, stopped, |lines| {
                announced.send(lines.to_owned()).unwrap()
            })
            .await
        });
        let lines = timeout(PATIENCE, lines).await.unwrap().unwrap();
        Demonstration {
            base: playback::base(&lines).unwrap(),
            stop,
            running,
        }
    }

    async fn stop(self) {
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
    }
}

async fn run(program: &Path, arguments: &[&str]) -> Output {
    let command = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    timeout(PATIENCE, command).await.expect("it ends").unwrap()
}

/// Reads some seconds of a stream with all of ffmpeg's decoders, which must find nothing wrong.
async fn decode(ffmpeg: &Path, url: &str) {
    let arguments = [
        "-hide_banner",
        "-v",
        "error",
        "-i",
        url,
        "-t",
        "3",
        "-f",
        "null",
        "-",
    ];
    let output = run(ffmpeg, &arguments).await;
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && complaints.is_empty(),
        "{url}: {complaints}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shape_of_the_stream_can_be_decoded() {
    let (Some(ffmpeg), Some(ffprobe)) = (tool("ffmpeg"), tool("ffprobe")) else {
        return;
    };
    let demonstration = Demonstration::start(&[]).await;
    for shape in ["live.ts", "live.mp4", "hls/live.m3u8"] {
        let url = format!("{}/{shape}", demonstration.base);
        let entries = "stream=codec_name,width,sample_rate";
        let arguments = [
            "-v",
            "error",
            "-show_entries",
            entries,
            "-of",
            "compact",
            &url,
        ];
        let output = run(&ffprobe, &arguments).await;
        let found = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.stderr.is_empty(),
            "{shape}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        for expected in [
            "codec_name=h264|width=1280",
            "codec_name=aac|sample_rate=48000",
        ] {
            assert!(found.contains(expected), "{shape}: {found}");
        }
        decode(&ffmpeg, &url).await;
    }
    demonstration.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_plays_the_stream_in_mid_stream() {
    let Some(chromium) = tool("chromium") else {
        return;
    };
    let demonstration = Demonstration::start(&["--silent=0.2"]).await;
    sleep(Duration::from_secs(2)).await;
    let mut browser = Browser::start(&chromium).await.unwrap();
    let page = format!("{}/", demonstration.base);
    let page = browser.open(&page, "").await.unwrap();
    let mut seen = Vec::new();
    let begun = Instant::now();
    // Three times, each later than the one before in time and pictures.
    while seen.len() < 3 {
        assert!(begun.elapsed() < PATIENCE, "{seen:?}");
        sleep(Duration::from_millis(300)).await;
        let expression = "(() => { const video = document.querySelector('video'); return video && [video.currentTime, video.getVideoPlaybackQuality().totalVideoFrames, video.error?.message ?? '']; })()";
        let value = browser.evaluate(&page, expression).await.unwrap();
        let (Some(time), Some(frames)) = (value[0].as_f64(), value[1].as_u64()) else {
            // The document is still on its way.
            continue;
        };
        assert_eq!(value[2], "", "{value}");
        if seen
            .last()
            .is_none_or(|&(before, shown)| time > before + 0.5 && frames > shown)
        {
            seen.push((time, frames));
        }
    }
    demonstration.stop().await;
}

/// Waits until the player in a page is in one of these states; where it is in the stream then, in seconds.
async fn until(browser: &mut Browser, page: &Page, states: &[&str], after: f64) -> f64 {
    let expression = "(() => { const video = document.querySelector('video'); return { ...window.player.state(), time: video.currentTime, ready: video.readyState, seeking: video.seeking }; })()";
    let begun = Instant::now();
    loop {
        let value = browser.evaluate(page, expression).await.unwrap();
        assert_eq!(value["errors"], 0, "{value}");
        let time = value["time"].as_f64().unwrap();
        if states.iter().any(|state| value["state"] == *state) && time >= after {
            return time;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "{states:?} after {after}: {value}"
        );
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_plays_on_when_its_source_returns() {
    let (Some(chromium), Some(ffmpeg)) = (tool("chromium"), tool("ffmpeg")) else {
        return;
    };
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("udp://127.0.0.1:{port}");
    let demonstration = Demonstration::start(&[&format!("--input={url}")]).await;
    let mut encoder = publisher(&ffmpeg, "mpegts", &url);
    let mut browser = Browser::start(&chromium).await.unwrap();
    let page = playback::mount(&mut browser, &demonstration.base, 1000)
        .await
        .unwrap();
    let playing = until(&mut browser, &page, &["playing"], 2.0).await;
    encoder.kill().await.unwrap();
    until(&mut browser, &page, &["stalled", "silent"], playing).await;
    let _encoder = publisher(&ffmpeg, "mpegts", &url);
    let back = until(&mut browser, &page, &["playing"], playing + 2.0).await;
    until(&mut browser, &page, &["playing"], back + 2.0).await;
    demonstration.stop().await;
}

/// Publishes the clip, again and again, until it is dropped.
fn publisher(ffmpeg: &Path, format: &str, url: &str) -> Child {
    let arguments = [
        "-v",
        "error",
        "-re",
        "-stream_loop",
        "-1",
        "-i",
        CLIP,
        "-c",
        "copy",
        "-f",
    ];
    Command::new(ffmpeg)
        .args(arguments)
        .args([format, url])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap()
}

/// Has an encoder send by a protocol, leave and return, while somebody watches all the time.
async fn leaves_and_returns(ffmpeg: &Path, format: &str, url: &str) {
    let demonstration = Demonstration::start(&[&format!("--input={url}")]).await;
    let mut encoder = publisher(ffmpeg, format, url);
    let watching = format!("{}/live.mp4", demonstration.base);
    // One request for all of it: the viewer touches nothing.
    let arguments = [
        "-hide_banner",
        "-v",
        "error",
        "-i",
        &watching,
        "-frames:v",
        PICTURES,
        "-f",
        "null",
    ];
    let viewer = Command::new(ffmpeg)
        .args(arguments)
        .args(["-progress", "-", "-stats_period", "0.2", "-"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let about = format!("{}/live.json", demonstration.base);
    let begun = Instant::now();
    while !get(&about).await.contains("\"playing\"") {
        assert!(begun.elapsed() < PATIENCE, "nothing comes by {url}");
        sleep(Duration::from_millis(200)).await;
        if let Some(status) = encoder.try_wait().unwrap() {
            // It may have come before anybody listened.
            assert!(begun.elapsed() < PATIENCE, "{status}");
            encoder = publisher(ffmpeg, format, url);
        }
    }
    sleep(Duration::from_secs(3)).await;
    encoder.kill().await.unwrap();
    sleep(Duration::from_secs(1)).await;
    let mut encoder = publisher(ffmpeg, format, url);
    let watched = timeout(PATIENCE, viewer.wait_with_output());
    tokio::pin!(watched);
    let output = loop {
        tokio::select! {
            output = &mut watched => break output.expect("all pictures come").unwrap(),
            status = encoder.wait() => {
                // The port takes a moment to be listened on again.
                assert!(begun.elapsed() < PATIENCE, "{status:?}");
                sleep(Duration::from_millis(200)).await;
                encoder = publisher(ffmpeg, format, url);
            }
        }
    };
    let progress = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{progress}");
    let shown = progress
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("frame="));
    assert_eq!(shown, Some(PICTURES), "{progress}");
    demonstration.stop().await;
}

/// The body of an answer of a loopback server.
async fn get(url: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (host, path) = url
        .strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap();
    let mut connection = tokio::net::TcpStream::connect(host).await.unwrap();
    let request = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn an_rtmp_publisher_leaves_and_returns() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    leaves_and_returns(
        &ffmpeg,
        "flv",
        &format!("rtmp://127.0.0.1:{port}/live/stream"),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_srt_publisher_leaves_and_returns() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    leaves_and_returns(&ffmpeg, "mpegts", &format!("srt://127.0.0.1:{port}")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_udp_publisher_leaves_and_returns() {
    let Some(ffmpeg) = tool("ffmpeg") else { return };
    let port = UdpSocket::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("udp://127.0.0.1:{port}");
    leaves_and_returns(&ffmpeg, "mpegts", &url).await;
}
