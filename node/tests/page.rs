//! The page and what feeds it: of a node in its own process, and of a demonstration whose peers are made
//! silent, killed and brought back.

mod town;

use clap::Parser;
use hamlet_node::demo::{self, Options};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    sync::mpsc,
    time::Duration,
};
use town::{Town, wait};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A door at an address.
#[derive(Clone)]
struct Door {
    address: String,
    token: Option<String>,
}

impl Door {
    fn of(town: &Town, peer: usize) -> Door {
        Door {
            address: format!("127.0.0.1:{}", town.http_port + peer as u16),
            token: None,
        }
    }

    fn open(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(token) = &self.token {
            head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        }
        head.push_str("Connection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        BufReader::new(stream)
    }

    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let mut answer = String::new();
        self.open(method, path, headers)
            .read_to_string(&mut answer)
            .unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        (code, body.to_owned())
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.ask("GET", path, &[])
    }

    fn json(&self, path: &str) -> Value {
        let (code, body) = self.get(path);
        assert_eq!(code, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Server-sent events, one after the other: name and data.
    fn events(&self, path: &str) -> impl Iterator<Item = (String, Value)> {
        let mut lines = self.open("GET", path, &[]).lines().map(Result::unwrap);
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        assert!(head[0].contains("200"), "{head:?}");
        assert!(
            head.iter()
                .any(|line| line == "content-type: text/event-stream"),
            "{head:?}"
        );
        let mut name = None;
        // Between the events are the lengths of chunks and lines that keep the connection alive.
        lines.filter_map(move |line| {
            if let Some(event) = line.strip_prefix("event: ") {
                name = Some(event.to_owned());
            }
            let data = line.strip_prefix("data: ")?;
            Some((name.take()?, serde_json::from_str(data).unwrap()))
        })
    }
}

#[test]
fn a_node_shows_itself() {
    let town = Town::found(1, &[]);
    let node = town.node(0);
    wait("the node", || town.status(0));
    let door = Door::of(&town, 0);
    let (code, page) = door.get("/");
    assert!(code == 200 && page.contains("<title>Hamlet</title>"));
    for path in page.split('"').filter(|part| part.starts_with("page/")) {
        assert_eq!(door.get(&format!("/{path}")).0, 200, "{path}");
    }
    let network = door.json("/api/v1/network");
    assert_eq!(
        (&network["me"], &network["clusters"][0]["members"]),
        (&0.into(), &vec![0].into())
    );
    let (name, status) = door.events("/api/v1/events").next().unwrap();
    assert_eq!(name, "status");
    assert_eq!(status["streams"][0]["state"], "relayed");
    assert_eq!(door.get("/healthz").0, 200);
    let (code, says) = door.get("/readyz");
    assert!(
        code == 503 && says.contains("nobody here has asked"),
        "{says}"
    );

    // Once something plays, it is ready.
    let publish = town.start("publish", {
        let mut command = town.on(0, &["publish"]);
        command.arg("--clip");
        command
    });
    let mut player = door.open("GET", "/live.ts", &[]);
    let mut bytes = [0; 188];
    player.read_exact(&mut bytes).unwrap();
    wait("a playable segment", || {
        (door.get("/readyz").0 == 200).then_some(())
    });
    let status = door.json("/api/v1/status");
    assert_eq!(status["streams"][0]["state"], "live", "{status}");
    assert!(
        status["streams"][0]["delay_ms"].as_u64() < Some(10_000),
        "{status}"
    );

    let (code, metrics) = door.get("/metrics");
    assert_eq!(code, 200);
    check_metrics(&metrics);
    check_dashboard(&metrics);
    let stream = status["peer"].as_str().unwrap();
    let ours = format!("hamlet_segments_delivered_total{{stream=\"{stream}\"}} ");
    let delivered = metrics.lines().find_map(|line| line.strip_prefix(&ours));
    assert!(delivered.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
    assert!(metrics.contains("libp2p_swarm_"), "{metrics}");
    publish.stop();
    node.stop();
}

/// Every line is a comment or a sample, every sample belongs to a family that was described, and the end is
/// marked: what the format asks for.
fn check_metrics(text: &str) {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut families = Vec::new();
    for line in text.lines() {
        if let Some(description) = line.strip_prefix("# TYPE ") {
            families.push(description.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = sample.split('{').next().unwrap();
            assert!(
                families.iter().any(|family| name.starts_with(family)),
                "{line}"
            );
        }
    }
}

/// The dashboard and the alarms ask for nothing that a node does not count.
fn check_dashboard(metrics: &str) {
    let dashboard = include_str!("../../docs/grafana.json");
    let operations = include_str!("../../docs/operations.md");
    let asked: BTreeSet<&str> = [dashboard, operations]
        .into_iter()
        .flat_map(|text| text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_'))
        .filter(|word| word.starts_with("hamlet_") && !word.starts_with("hamlet_node"))
        .collect();
    assert!(asked.len() > 10, "{asked:?}");
    let counted = |name: &&str| metrics.lines().any(|line| line.starts_with(*name));
    let missing: Vec<_> = asked.into_iter().filter(|name| !counted(name)).collect();
    // A source has nothing to restore.
    assert_eq!(missing, ["hamlet_restore_seconds"]);
}

#[test]
fn a_node_that_is_reached_over_the_network_wants_its_token() {
    let town = Town::found(1, &[]);
    let mut command = town.on(0, &["node"]);
    command.args(["--http", &format!("0.0.0.0:{}", town.http_port)]);
    let node = town.start("node", command);
    let token = wait("the token", || {
        fs::read_to_string(town.peer(0).join("token")).ok()
    });
    let stranger = Door::of(&town, 0);
    wait("the node", || TcpStream::connect(&stranger.address).ok());
    for path in ["/", "/page/page.js", "/player.js", "/player-buffer.js"] {
        assert_eq!(stranger.get(path).0, 200, "{path}");
    }
    for path in [
        "/api/v1/status",
        "/api/v1/events",
        "/live.ts",
        "/metrics",
        "/healthz",
        "/peers",
    ] {
        assert_eq!(stranger.get(path).0, 401, "{path}");
    }
    assert_eq!(stranger.get("/api/v1/status?token=0123456789abcdef").0, 401);
    let owner = Door {
        token: Some(token.trim().to_owned()),
        ..stranger.clone()
    };
    assert_eq!(owner.get("/healthz").0, 200);
    let in_address = format!("/api/v1/network?token={}", token.trim());
    assert_eq!(stranger.get(&in_address).0, 200);
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(owner.ask("GET", "/api/v1/status", &foreign).0, 403);
    // Commands on this machine find their way.
    let (code, status, error) = town::run(town.on(0, &["status"]));
    assert!(code == 0 && status.contains("network"), "{error}");
    node.stop();
}

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

#[tokio::test(flavor = "multi_thread")]
async fn people_silence_kill_and_bring_back_peers_of_a_demonstration() {
    let arguments = ["demo", "--peers=8"];
    let options = Arguments::try_parse_from(arguments).unwrap().options;
    let (announce, announced) = mpsc::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let acting = tokio::task::spawn_blocking(move || {
        let lines: String = announced.recv_timeout(PATIENCE).unwrap();
        act(&lines);
        stop.send(()).unwrap();
    });
    let stopped = async {
        let _ = stopped.await;
    };
    let run = demo::run(&options, stopped, |lines| {
        announce.send(lines.to_owned()).unwrap()
    });
    let (summary, acted) = tokio::join!(run, acting);
    acted.unwrap();
    // Whoever was silenced or killed was counted until then.
    assert!(summary.unwrap().segments_published > 0);
}

/// Does all that a person can do, and looks at what comes of it.
fn act(lines: &str) {
    let page = lines
        .split_whitespace()
        .find(|word| word.contains("#token="));
    let (url, token) = page.unwrap().split_once("/#token=").unwrap();
    let stranger = Door {
        address: url.strip_prefix("http://").unwrap().to_owned(),
        token: None,
    };
    let owner = Door {
        token: Some(token.to_owned()),
        ..stranger.clone()
    };
    let network = stranger.json("/api/v1/network");
    assert!(network["me"].is_null());
    let source = network["streams"][0]["source"].as_u64().unwrap();
    let peer = (source + 1) % 8;
    let row = || -> Value {
        let (_, rows) = stranger
            .events("/api/v1/events")
            .find(|(name, _)| name == "network")
            .unwrap();
        rows["peers"][peer as usize].clone()
    };
    wait("the peer to play", || {
        (row()["plays"] == true).then_some(())
    });

    // Nobody else acts.
    let kill = format!("/api/v1/peers/{peer}/kill");
    let foreign = [("Origin", "http://evil.example")];
    assert_eq!(stranger.ask("POST", &kill, &[]).0, 401);
    assert_eq!(
        stranger
            .ask("POST", &format!("{kill}?token={token}"), &[])
            .0,
        401
    );
    assert_eq!(owner.ask("POST", &kill, &foreign).0, 403);
    assert_eq!(
        owner
            .ask("POST", &kill, &[("Sec-Fetch-Site", "cross-site")])
            .0,
        403
    );
    assert_eq!(owner.get(&kill).0, 405);
    assert_eq!(
        owner.ask("POST", &format!("/peers/{peer}/publish"), &[]).0,
        401
    );
    assert_eq!(row()["state"], "honest");

    let act = |act: &str, state: &str| {
        let (code, answer) = owner.ask("POST", &format!("/api/v1/peers/{peer}/{act}"), &[]);
        assert_eq!(code, 200, "{answer}");
        assert_eq!(row()["state"], state);
    };
    act("silence", "silent");
    act("speak", "honest");
    act("kill", "dead");
    let status = format!("/peers/{peer}/api/v1/status");
    assert_eq!(stranger.get(&status).0, 503);
    assert_eq!(
        owner
            .ask("POST", &format!("/api/v1/peers/{peer}/speak"), &[])
            .0,
        409
    );
    act("revive", "honest");
    wait("the peer to play again", || {
        (row()["plays"] == true).then_some(())
    });
    assert_eq!(stranger.json(&status)["network"]["name"], "demo");
    let kill_source = format!("/api/v1/peers/{source}/kill");
    assert_eq!(owner.ask("POST", &kill_source, &[]).0, 409);

    // The segments can be followed shard by shard.
    let (_, trace) = stranger
        .events(&format!("/api/v1/events?peer={peer}"))
        .find(|(name, trace)| name == "trace" && trace["restored"].as_array().unwrap().len() >= 7)
        .unwrap();
    let hops = trace["hops"].as_array().unwrap();
    let complete = hops.iter().filter(|hop| hop[3].is_u64() && hop[4].is_u64());
    assert!(complete.count() >= 7, "{trace}");
}
