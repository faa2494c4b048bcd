//! Separate `hamlet` processes over real sockets: what each one wrote is what the source published, to the
//! byte, while some are killed and restarted.

mod town;

use futures::StreamExt;
use hamlet_node::ingest::source;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    thread::sleep,
    time::{Duration, Instant},
};
use town::{Process, Town, wait};

/// How many processes run a peer.
const PEERS: usize = 10;
/// How much is published: 16 s of the clip, and as much of any bytes.
const TS_BYTES: usize = 2 * hamlet_node::ingest::CLIP.len();
const RAW_BYTES: usize = 800_000;

/// Bytes in which every stretch of sixteen occurs once, so that a piece tells where it belongs.
fn raw_source() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..RAW_BYTES / 8)
        .flat_map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()
        })
        .collect()
}

/// The clip again and again, as one file.
fn ts_source() -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let mut bytes = Vec::new();
        let mut clip = source::clip();
        while bytes.len() < TS_BYTES {
            bytes.extend_from_slice(&clip.next().await.unwrap().unwrap());
        }
        bytes.truncate(TS_BYTES / 188 * 188);
        bytes
    })
}

/// A stream that is being published, with the file of its source.
struct Source {
    uri: String,
    bytes: Vec<u8>,
    file: PathBuf,
}

/// Writes a stream to a file through a peer's node.
struct Watcher {
    process: Process,
    output: PathBuf,
    peer: usize,
}

impl Watcher {
    fn start(town: &Town, peer: usize, source: &Source, name: &str) -> Watcher {
        let output = town.path(&format!("{name}-{peer}.out"));
        let mut command = town.on(peer, &["watch"]);
        command.arg(&source.uri).arg("--output").arg(&output);
        Watcher {
            process: town.start(&format!("watch-{name}-{peer}"), command),
            output,
            peer,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.output).unwrap_or_default()
    }

    /// Waits until it has written the source's end, and says where in the source it began.
    fn began(&self, source: &Source) -> usize {
        wait(
            &format!("the end of the stream at peer {}", self.peer),
            || {
                let bytes = self.bytes();
                let tail = &source.bytes[source.bytes.len() - 188..];
                bytes.ends_with(tail).then_some(())
            },
        );
        let bytes = self.bytes();
        let began = source.bytes.len().checked_sub(bytes.len());
        let same = began.is_some_and(|began| source.bytes[began..] == bytes);
        assert!(
            same,
            "peer {} wrote something else than was published: {}\n{}",
            self.peer,
            difference(&source.bytes, &bytes),
            self.process.log()
        );
        began.unwrap_or_default()
    }
}

/// Where what was written leaves the source: each piece of it with its places in both.
fn difference(source: &[u8], written: &[u8]) -> String {
    // Pieces are followed by stretches that occur once in the raw source; the clip's repeat after its length.
    const STRETCH: usize = 188;
    let mut pieces = String::new();
    let mut at = 0;
    while at < written.len() {
        let stretch = &written[at..written.len().min(at + STRETCH)];
        let Some(found) = source
            .windows(stretch.len())
            .position(|window| window == stretch)
        else {
            return format!("{pieces} nothing of the source is at byte {at} of it");
        };
        let common = source[found..].iter().zip(&written[at..]);
        let same = common.take_while(|(a, b)| a == b).count();
        pieces += &format!(" bytes {found}..{} of the source;", found + same);
        at += same;
    }
    pieces
}

fn publish(town: &Town, peer: usize, source: &Source, words: &[&str]) -> Process {
    let mut command = town.on(peer, &["publish"]);
    command.arg(&source.file).args(words);
    town.start(&format!("publish-{peer}"), command)
}

fn made(path: &Path, uri: String, bytes: Vec<u8>) -> Source {
    fs::write(path, &bytes).unwrap();
    Source {
        uri,
        bytes,
        file: path.to_owned(),
    }
}

#[test]
fn every_process_writes_what_was_published_while_some_are_killed() {
    let start = Instant::now();
    let say = |what: &str| eprintln!("{:5.1} s  {what}", start.elapsed().as_secs_f64());
    let town = Town::found(PEERS, &["--publisher", "0,1", "--rate", "1Mbit"]);
    say(&format!("{PEERS} nodes start"));
    let mut nodes: Vec<Option<Process>> = (0..PEERS).map(|peer| Some(town.node(peer))).collect();
    (0..PEERS).for_each(|peer| town.wait_for_links(peer, 0));

    say("all links are up; watchers start");
    let sources = [
        (
            "ts",
            made(&town.path("source.ts"), town.uri(0), ts_source()),
        ),
        (
            "raw",
            made(&town.path("source.raw"), town.uri(1), raw_source()),
        ),
    ];
    let watch = |peer: usize, again: &str| -> [Watcher; 2] {
        [0, 1].map(|stream| {
            let (name, source) = &sources[stream];
            Watcher::start(&town, peer, source, &format!("{name}{again}"))
        })
    };
    let watchers: Vec<[Watcher; 2]> = (0..PEERS).map(|peer| watch(peer, "")).collect();
    (0..PEERS).for_each(|peer| {
        wait("the watchers", || {
            let status = town.status(peer)?;
            let players = status["streams"].as_array()?.iter();
            players
                .map(|stream| stream["players"].as_u64())
                .all(|count| count == Some(1))
                .then_some(())
        });
    });

    say("both sources publish");
    let mut publishers = [
        publish(&town, 0, &sources[0].1, &[]),
        publish(
            &town,
            1,
            &sources[1].1,
            &["--format", "bytes", "--rate", "400kbit"],
        ),
    ];
    sleep(Duration::from_secs(4));
    let killed = [4, 7];
    say("kill -9 for the nodes of peers 4 and 7");
    killed
        .iter()
        .for_each(|&peer| nodes[peer].take().unwrap().kill());
    sleep(Duration::from_secs(2));
    say("they start again, and are watched again");
    killed
        .iter()
        .for_each(|&peer| nodes[peer] = Some(town.node(peer)));
    killed.iter().for_each(|&peer| town.wait_for_links(peer, 0));
    let restarted = killed.map(|peer| watch(peer, "-again"));

    for publisher in &mut publishers {
        let status = publisher.wait();
        assert!(status.success(), "{status}\n{}", publisher.log());
    }
    say("both sources are at their end");
    for watcher in watchers {
        for (mut watcher, (name, source)) in watcher.into_iter().zip(&sources) {
            if killed.contains(&watcher.peer) {
                let status = watcher.process.wait();
                assert_eq!(status.code(), Some(6), "{}", watcher.process.log());
                let bytes = watcher.bytes();
                // Only a service description comes before the clip's first picture.
                let began = if *name == "ts" { 188 } else { 0 };
                assert!(bytes.len() > 50_000 && source.bytes[began..].starts_with(&bytes));
            } else {
                let began = watcher.began(source);
                assert!(
                    began <= 188,
                    "peer {} began at {began} of {name}",
                    watcher.peer
                );
                watcher.process.stop();
            }
        }
    }
    say("the survivors wrote all of it, to the byte");
    for watcher in restarted {
        for (watcher, (name, source)) in watcher.into_iter().zip(&sources) {
            let began = watcher.began(source);
            say(&format!(
                "peer {} agrees from byte {began} of {} of {name} on",
                watcher.peer,
                source.bytes.len()
            ));
            assert!(began > 0);
            watcher.process.stop();
        }
    }
    nodes.into_iter().flatten().for_each(Process::stop);
    say("all ended cleanly");
}

#[test]
fn a_source_that_was_killed_goes_on_under_new_numbers() {
    let town = Town::found(5, &["--rate", "2Mbit"]);
    let nodes: Vec<Process> = (1..5).map(|peer| town.node(peer)).collect();
    // Without a node at hand watching would run one itself, and the node find its folder taken.
    (1..5).for_each(|peer| {
        wait("the nodes", || town.status(peer));
    });
    // Nobody runs the source's folder, so publishing runs its node itself.
    let clip = || town.start("publish", town.on(0, &["publish", "--clip"]));
    let source = clip();
    let json = town.path("watched.json");
    let mut command = town.on(3, &["watch"]);
    command.arg("--output").arg(town.path("watched.ts"));
    command.arg("--json").arg(&json);
    let watcher = town.start("watch", command);
    let count = |what: &str| town.status(3)?["streams"][0][what].as_u64();
    wait("some segments", || {
        count("delivered").filter(|&delivered| delivered >= 8)
    });
    source.kill();
    let (before, newest) = (count("delivered").unwrap(), count("newest").unwrap());
    let source = clip();
    wait("segments under new numbers", || {
        let on = count("newest")? > newest && count("delivered")? >= before + 8;
        on.then_some(())
    });
    watcher.stop();
    let watched: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(watched["gaps"].as_array().unwrap().len(), 1, "{watched}");
    let written = fs::read(town.path("watched.ts")).unwrap();
    assert_eq!(watched["bytes"].as_u64().unwrap(), written.len() as u64);
    for peer in 1..5 {
        let status = town.status(peer).unwrap();
        assert!(status["streams"][0]["stopped"].is_null(), "{status}");
    }
    source.stop();
    nodes.into_iter().for_each(Process::stop);
}

#[test]
fn a_node_ends_although_its_source_is_silent() {
    let town = Town::found(1, &[]);
    let node = town.node(0);
    wait("the node", || town.status(0));
    let mut command = town.on(0, &["publish", "--format", "bytes", "-"]);
    let mut source = command
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    source
        .stdin
        .as_mut()
        .unwrap()
        .write_all(&[1; 1000])
        .unwrap();
    wait("the first segment", || {
        town.status(0)?["streams"][0]["published"]
            .as_u64()
            .filter(|&published| published == 1)
    });
    node.stop();
    let status = wait("the publisher", || source.try_wait().unwrap());
    assert_eq!(status.code(), Some(6));
}
