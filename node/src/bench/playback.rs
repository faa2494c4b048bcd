//! How soon, how late and how steadily the stream of a demonstration is shown.

use super::browser::{Browser, CHROMIUM, Page};
use crate::{
    config::Rate,
    demo,
    failure::{Failure, Kind},
};
use clap::{Args, Parser};
use serde::{Deserialize, Serialize};
use std::{fmt, path::PathBuf, time::Duration};
use tokio::{sync::oneshot, time::sleep};
use tracing::info;

/// How long the stream runs before a page is opened.
const MID_STREAM: Duration = Duration::from_secs(8);
/// How long a page may take to its first picture.
const PICTURE_PATIENCE: Duration = Duration::from_secs(30);
/// A player that is no farther off its delay, in milliseconds, has settled.
const SETTLED_MS: f64 = 100.0;
/// How long a player may take to settle.
const SETTLING: Duration = Duration::from_secs(20);
/// Notes when the first picture of any video in a page is there.
const NOTE_FIRST_PICTURE: &str = "document.addEventListener('loadeddata', () => { window.firstPicture ??= performance.now(); }, true);";

/// What can be chosen.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many peers run
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = clap::value_parser!(u16).range(8..=1024))]
    pub peers: u16,
    /// Fill the stream up to this rate with empty packets, for example 1Mbit
    #[arg(long, value_name = "RATE")]
    pub rate: Option<Rate>,
    /// Stream this MPEG-TS file instead of the bundled clip, for example one with long groups of pictures
    #[arg(long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// The shares of the peers that take and never give, one after the other
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "0,0.3",
        value_name = "SHARES"
    )]
    pub silent: Vec<f64>,
    /// The playout delays that are tried, in milliseconds; the first is the one whose live delay is told
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "1500,1000,750,500,350,250",
        value_name = "MS"
    )]
    pub delays: Vec<u32>,
    /// How long to play with every delay, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub seconds: u64,
    /// How often to open the page for its first picture
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub openings: u32,
    /// The browser
    #[arg(long, env = "HAMLET_CHROMIUM", default_value = CHROMIUM, value_name = "PROGRAM")]
    pub chromium: PathBuf,
    /// Draw keys and who is silent from this number
    #[arg(long, default_value_t = 1, value_name = "NUMBER")]
    pub seed: u64,
}

/// What was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Peers that ran.
    pub peers: u16,
    /// One after the other, by the share of silent peers.
    pub runs: Vec<Run>,
}

/// One demonstration.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// The share of the peers that took and never gave.
    pub silent_ratio: f64,
    /// From opening the page in mid-stream until its first picture is there, the median over the openings.
    pub first_picture_ms: f64,
    /// The longest of them.
    pub first_picture_max_ms: f64,
    /// From a picture's timestamp, by the source's clock, until it is shown, with the first of the delays.
    pub live_delay_ms: Option<f64>,
    /// The smallest of the delays with which nothing stalled or was jumped over, if there is one.
    pub smallest_delay_ms: Option<u32>,
    /// What came of every delay.
    pub delays: Vec<Played>,
}

/// What came of playing with one delay, which stalls did not lengthen.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Played {
    /// The delay behind the edge.
    pub delay_ms: u32,
    /// How long it was played, in seconds.
    pub seconds: f64,
    /// From a picture's timestamp until it is shown, the median.
    pub live_delay_ms: Option<f64>,
    /// How often pictures were missing.
    pub stalls: u64,
    /// The same per minute.
    pub stalls_per_minute: f64,
    /// How long they were missing, in all.
    pub stalled_ms: u64,
    /// How often it went on at the edge or after a hole.
    pub jumps: u64,
    /// Pictures decoded.
    pub frames: u64,
    /// Pictures that came too late to be shown; a slow machine has them too.
    pub dropped_frames: u64,
}

impl Played {
    fn is_steady(&self) -> bool {
        self.stalls == 0 && self.stalled_ms == 0 && self.jumps == 0
    }
}

/// What the player in the page says of itself.
#[derive(Debug, Deserialize)]
struct State {
    behind_ms: Option<f64>,
    live_delay_ms: Option<f64>,
    stalls: u64,
    stalled_ms: u64,
    jumps: u64,
    frames: u64,
    dropped_frames: u64,
    errors: u64,
}

/// Measures.
///
/// # Errors
/// If there is no browser, or a demonstration cannot be run.
pub async fn measure(options: &Options) -> Result<Figures, Failure> {
    let mut runs = Vec::new();
    for &silent in &options.silent {
        runs.push(run(options, silent).await?);
    }
    Ok(Figures {
        peers: options.peers,
        runs,
    })
}

/// The command line of a demonstration, whose options have their defaults there.
#[derive(Parser)]
struct Demonstration {
    #[command(flatten)]
    options: demo::Options,
}

async fn run(options: &Options, silent: f64) -> Result<Run, Failure> {
    let mut words = vec![
        "demo".to_owned(),
        format!("--peers={}", options.peers),
        format!("--silent={silent}"),
        format!("--seed={}", options.seed),
    ];
    words.extend(options.rate.map(|rate| format!("--rate={rate}")));
    let demonstration = Demonstration::try_parse_from(words);
    let mut demonstration = demonstration.map_err(|error| Failure::new(Kind::Failed, error))?;
    demonstration.options.input.clone_from(&options.input);
    let (stop, stopped) = oneshot::channel::<()>();
    let (announced, lines) = oneshot::channel();
    let demonstration = tokio::spawn(async move {
        let stopped = async {
            // Nobody who could ask for more is left if it was dropped.
            let _ = stopped.await;
        };
        let announce = |lines: &str| {
            let _ = announced.send(lines.to_owned());
        };
        demo::run(&demonstration.options, stopped, announce).await
    });
    let measured = match lines.await {
        Ok(lines) => watch(options, silent, &lines).await,
        // It says why below.
        Err(_) => Err(Failure::new(
            Kind::Failed,
            "the demonstration did not begin",
        )),
    };
    let _ = stop.send(());
    match demonstration.await {
        Ok(Ok(_)) => measured,
        Ok(Err(failure)) => Err(failure),
        Err(error) => Err(Failure::new(Kind::Failed, error)),
    }
}

/// The address of the node that serves players, from what a demonstration announces.
pub fn base(lines: &str) -> Option<String> {
    let url = lines.lines().find_map(|line| line.split_once("http://"))?.1;
    Some(format!("http://{}", url.split('/').next()?))
}

async fn watch(options: &Options, silent: f64, lines: &str) -> Result<Run, Failure> {
    let base = base(lines).ok_or_else(|| Failure::new(Kind::Failed, "it serves no players"))?;
    let mut browser = Browser::start(&options.chromium).await?;
    sleep(MID_STREAM).await;
    let mut first_pictures = Vec::new();
    for _ in 0..options.openings {
        first_pictures.push(first_picture(&mut browser, &base).await?);
        // Not always at the same place of a group of pictures.
        sleep(Duration::from_millis(370)).await;
    }
    let mut delays = Vec::new();
    for &delay_ms in &options.delays {
        let played = play(&mut browser, &base, delay_ms, options.seconds).await?;
        info!(
            silent,
            delay_ms,
            live_delay_ms = played.live_delay_ms,
            stalls = played.stalls,
            "played"
        );
        delays.push(played);
    }
    let steady = delays.iter().filter(|played| played.is_steady());
    Ok(Run {
        silent_ratio: silent,
        first_picture_ms: median(&mut first_pictures).unwrap_or(f64::NAN),
        first_picture_max_ms: first_pictures.iter().copied().fold(0.0, f64::max),
        live_delay_ms: delays.first().and_then(|played| played.live_delay_ms),
        smallest_delay_ms: steady.map(|played| played.delay_ms).min(),
        delays,
    })
}

async fn first_picture(browser: &mut Browser, base: &str) -> Result<f64, Failure> {
    let page = browser
        .open(&format!("{base}/"), NOTE_FIRST_PICTURE)
        .await?;
    let begun = tokio::time::Instant::now();
    loop {
        let seen = browser.evaluate(&page, "window.firstPicture").await?;
        if let Some(ms) = seen.as_f64() {
            browser.close(&page).await?;
            return Ok(ms);
        }
        if begun.elapsed() > PICTURE_PATIENCE {
            return Err(Failure::new(Kind::Failed, "the page shows no picture"));
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn play(
    browser: &mut Browser,
    base: &str,
    delay_ms: u32,
    seconds: u64,
) -> Result<Played, Failure> {
    let page = mount(browser, base, delay_ms).await?;
    let begun = tokio::time::Instant::now();
    // Beginning is measured elsewhere; a node that has just begun to receive has nothing older to begin with.
    let before = loop {
        sleep(Duration::from_secs(1)).await;
        let state = state(browser, &page).await?;
        let off = state
            .behind_ms
            .map(|behind| (behind - f64::from(delay_ms)).abs());
        if off.is_some_and(|off| off < SETTLED_MS) || begun.elapsed() > SETTLING {
            break state;
        }
    };
    let begun = tokio::time::Instant::now();
    let mut live_delays = Vec::new();
    let mut now = state(browser, &page).await?;
    while begun.elapsed() < Duration::from_secs(seconds) {
        sleep(Duration::from_millis(500)).await;
        now = state(browser, &page).await?;
        live_delays.extend(now.live_delay_ms);
    }
    let played = begun.elapsed().as_secs_f64();
    browser.close(&page).await?;
    if now.errors > 0 {
        return Err(Failure::new(
            Kind::Failed,
            "the browser could not decode the stream",
        ));
    }
    let stalls = now.stalls - before.stalls;
    Ok(Played {
        delay_ms,
        seconds: played,
        live_delay_ms: median(&mut live_delays),
        stalls,
        stalls_per_minute: stalls as f64 * 60.0 / played,
        stalled_ms: now.stalled_ms - before.stalled_ms,
        jumps: now.jumps - before.jumps,
        frames: now.frames - before.frames,
        dropped_frames: now.dropped_frames.saturating_sub(before.dropped_frames),
    })
}

/// Mounts the player in an empty page of the node.
///
/// # Errors
/// If the browser does not answer.
pub async fn mount(browser: &mut Browser, base: &str, delay_ms: u32) -> Result<Page, Failure> {
    let page = browser.open(&format!("{base}/live.json"), "").await?;
    let script = format!(
        "(async () => {{
            document.body.innerHTML = '<video muted></video>';
            const {{ mountPlayer }} = await import('{base}/player.js');
            window.player = mountPlayer(document.querySelector('video'), {{
                url: '{base}/live.mp4', delayMs: {delay_ms}, adaptive: false,
            }});
        }})()"
    );
    // The document may still be on its way.
    let ready = "location.protocol === 'http:' && document.readyState === 'complete'";
    while browser.evaluate(&page, ready).await? != true {
        sleep(Duration::from_millis(20)).await;
    }
    browser.evaluate(&page, &script).await?;
    Ok(page)
}

async fn state(browser: &mut Browser, page: &Page) -> Result<State, Failure> {
    let value = browser.evaluate(page, "window.player.state()").await?;
    serde_json::from_value(value).map_err(|error| Failure::new(Kind::Failed, error))
}

fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |ms: Option<f64>| ms.map_or("unknown".to_owned(), |ms| format!("{ms:.0} ms"));
        for run in &self.runs {
            writeln!(
                f,
                "{:.0} % silent peers of {}",
                run.silent_ratio * 100.0,
                self.peers
            )?;
            writeln!(
                f,
                "  first picture  {:.0} ms after opening the page, {:.0} ms at most",
                run.first_picture_ms, run.first_picture_max_ms
            )?;
            for played in &run.delays {
                writeln!(
                    f,
                    "  delay {:>5} ms  shown after {}, {:.1} stalls a minute, {} ms stalled in {:.0} s",
                    played.delay_ms,
                    ms(played.live_delay_ms),
                    played.stalls_per_minute,
                    played.stalled_ms,
                    played.seconds
                )?;
            }
            let smallest = run.smallest_delay_ms.map(f64::from);
            writeln!(f, "  smallest delay without stalls: {}", ms(smallest))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_found_in_what_is_announced() {
        let lines = "network  0a\nplayer   http://127.0.0.1:8420/live.ts?stream=1\nstop";
        assert_eq!(base(lines).as_deref(), Some("http://127.0.0.1:8420"));
        assert_eq!(base("nothing"), None);
    }
}
