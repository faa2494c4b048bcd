//! A peer that is invited joins a running network of real processes: it watches at once, walks to a place that nobody chose, and is
//! there again after a restart.

mod town;

use serde_json::Value;
use std::{fs::File, io::Write, path::PathBuf, process::Command};
use town::{Process, Town, free_ports, run, wait};

/// Founders; two clusters.
const PEERS: usize = 8;

/// A peer that is no founder.
struct Newcomer {
    folder: PathBuf,
    node: Option<Process>,
}

impl Newcomer {
    /// Makes its folder; it asks a founder who is none of those that it would ask by itself, perhaps.
    fn make(town: &Town) -> Newcomer {
        let newcomer = Newcomer {
            folder: town.path("newcomer"),
            node: None,
        };
        let ports = free_ports(2);
        let mut command = newcomer.command(town, &["member", "new"]);
        command.arg("--genesis").arg(town.path("town/genesis.toml"));
        command.args(["--address", &format!("/ip4/127.0.0.1/udp/{ports}/quic-v1")]);
        command.args(["--http", &format!("127.0.0.1:{}", ports + 1)]);
        let (code, _, error) = run(command);
        assert_eq!(code, 0, "{error}");
        newcomer
    }

    fn command(&self, town: &Town, words: &[&str]) -> Command {
        let mut command = town.hamlet(words);
        command.arg("--folder").arg(&self.folder);
        command
    }

    fn ask(&self, town: &Town, words: &[&str]) -> Option<Value> {
        let mut command = self.command(town, words);
        command.args(["--json", "-"]);
        let (code, out, _) = run(command);
        (code == 0).then(|| serde_json::from_str(&out).unwrap())
    }

    fn start(&mut self, town: &Town, uri: &str) {
        let command = self.command(town, &["node", "--play", uri]);
        self.node = Some(town.start("newcomer", command));
    }

    /// Waits until it is a member, and says of which cluster.
    fn wait_for_place(&self, town: &Town) -> u64 {
        wait("the newcomer to have a place", || {
            let shown = self.ask(town, &["cluster", "show"])?;
            (shown["part"] == "member").then(|| shown["cluster"].as_u64().unwrap())
        })
    }

    fn wait_for_segments(&self, town: &Town, count: u64) -> Value {
        wait("the stream at the newcomer", || {
            let status = self.ask(town, &["status"])?;
            let delivered = status["streams"][0]["delivered"].as_u64()?;
            (delivered >= count).then_some(status)
        })
    }
}

#[test]
fn who_is_invited_watches_at_once_and_walks_to_a_place() {
    let words = ["--g-min", "2", "--g-max", "4", "--n", "8", "--k", "3"];
    let admitting = [
        "--admit",
        "invited",
        "--epoch-ms",
        "1000",
        "--silence-seconds",
        "5",
    ];
    let town = Town::found(PEERS, &[&words[..], &admitting].concat());
    let mut founders: Vec<Option<Process>> = (0..PEERS).map(|peer| Some(town.node(peer))).collect();
    (0..PEERS).for_each(|peer| town.wait_for_links(peer, 0));
    let _publisher = town.start("publish", town.on(0, &["publish", "--clip"]));
    let mut newcomer = Newcomer::make(&town);
    let key = run(newcomer.command(&town, &["keygen", "--show"])).1;

    // Nobody else can invite, and without an invitation there is no way in.
    let (code, _, error) = run(newcomer.command(&town, &["node"]));
    assert_ne!(code, 0);
    assert!(error.contains("hamlet invite"), "{error}");
    let (code, _, error) = run(town.on(1, &["invite", key.trim()]));
    assert_ne!(code, 0);
    assert!(error.contains("may not invite"), "{error}");
    let (code, invitation, error) = run(town.on(0, &["invite", key.trim()]));
    assert_eq!(code, 0, "{error}");
    let config = newcomer.folder.join("hamlet.toml");
    let mut config = File::options().append(true).open(config).unwrap();
    writeln!(config, "invitation = \"{}\"", invitation.trim()).unwrap();

    newcomer.start(&town, &town.uri(0));
    newcomer.wait_for_segments(&town, 4);
    let cluster = newcomer.wait_for_place(&town);
    // Who has had its place for ten seconds misses nothing.
    let count = |status: &Value, what: &str| status["streams"][0][what].as_u64().unwrap();
    let placed = count(&newcomer.wait_for_segments(&town, 4), "delivered");
    let before = newcomer.wait_for_segments(&town, placed + 40);
    let status = newcomer.wait_for_segments(&town, placed + 60);
    assert_eq!(
        count(&status, "skipped"),
        count(&before, "skipped"),
        "{status}"
    );
    // It is there again after it was killed, whatever cluster it asked at first.
    newcomer.node = None;
    newcomer.start(&town, &town.uri(0));
    assert_eq!(newcomer.wait_for_place(&town), cluster);
    newcomer.wait_for_segments(&town, 4);

    let around = newcomer.ask(&town, &["peers"]).unwrap();
    let around = around.as_array().unwrap();
    assert!(around.iter().all(|peer| peer["peer"] != key.trim()));
    let fellows = around.iter().filter(|peer| peer["fellow"] == true);
    let fellows: Vec<&Value> = fellows.collect();
    assert!(fellows.iter().all(|peer| peer["cluster"] == cluster));
    // A fellow that crashes is put out by the others.
    let mut others = (1..PEERS).filter(|&peer| {
        let key = run(town.on(peer, &["keygen", "--show"])).1;
        fellows.iter().any(|fellow| fellow["peer"] == key.trim())
    });
    let crashed = others.next().unwrap();
    founders[crashed] = None;
    let members = fellows.len();
    let shown = wait("the crashed fellow to be put out", || {
        let shown = newcomer.ask(&town, &["cluster", "show"])?;
        (shown["members"].as_array()?.len() == members).then_some(shown)
    });
    let log = newcomer.ask(&town, &["cluster", "log"]).unwrap();
    let put_out = log.as_array().unwrap().iter();
    assert!(
        put_out
            .clone()
            .any(|entry| entry["kind"] == "leaves" && entry["why"] == "silent"),
        "{log}"
    );
    assert_eq!(shown["part"], "member");
    // It comes back, and walks to a place.
    founders[crashed] = Some(town.node(crashed));
    wait("the crashed fellow to have a place again", || {
        let (code, shown, _) = run(town.on(crashed, &["cluster", "show", "--json", "-"]));
        let shown: Value = (code == 0).then(|| serde_json::from_str(&shown).unwrap())?;
        (shown["part"] == "member").then_some(())
    });

    let left = newcomer.ask(&town, &["leave"]).unwrap();
    assert_eq!(left["cluster"], cluster);
    let status = newcomer.node.as_mut().unwrap().wait();
    assert!(status.success(), "{status}");
}
