//! Members of a cluster are added and removed, and one loses its disk, on real processes while a stream plays.

mod town;

use serde_json::Value;
use std::{fs, path::PathBuf, process::Command};
use town::{Process, Town, free_ports, run, wait};

/// Founders; two clusters.
const PEERS: usize = 8;

/// A running node with its folder.
struct Member {
    key: String,
    folder: PathBuf,
    node: Option<Process>,
}

impl Member {
    fn command(&self, town: &Town, words: &[&str]) -> Command {
        let mut command = town.hamlet(words);
        command.arg("--folder").arg(&self.folder);
        command
    }

    /// What a command answers as JSON, if it succeeds.
    fn ask(&self, town: &Town, words: &[&str]) -> Option<Value> {
        let mut command = self.command(town, words);
        command.args(["--json", "-"]);
        let (code, out, _) = run(command);
        (code == 0).then(|| serde_json::from_str(&out).unwrap())
    }

    fn start(&mut self, town: &Town, name: &str) {
        self.node = Some(town.start(name, self.command(town, &["node"])));
    }

    /// Waits until its node says this of its part in the newest epoch, and says which that is.
    fn wait_for(&self, town: &Town, part: &str) -> u64 {
        wait(&format!("{} to be {part}", &self.key[..8]), || {
            let shown = self.ask(town, &["cluster", "show"])?;
            (shown["part"] == part).then(|| shown["epoch"].as_u64().unwrap())
        })
    }

    fn log(&self, town: &Town) -> Value {
        wait("the log", || self.ask(town, &["cluster", "log"]))
    }

    /// Has its operator want something; how many want it now, and how many have to.
    fn want(&self, town: &Town, verb: &str, what: &str) -> (u64, u64) {
        let words = ["member", verb, what];
        let entry = wait(&format!("{words:?}"), || self.ask(town, &words));
        let count = |what: &str| entry[what].as_u64().unwrap();
        (count("supporters"), count("needed"))
    }
}

/// A watcher that records, and says at its end what it left out.
struct Watcher {
    process: Process,
    json: PathBuf,
}

fn watch(town: &Town, member: &Member, name: &str) -> Watcher {
    let json = town.path(&format!("{name}.json"));
    let mut command = member.command(town, &["watch"]);
    command.arg(town.uri(0));
    command
        .arg("--output")
        .arg(town.path(&format!("{name}.ts")));
    command.arg("--json").arg(&json);
    Watcher {
        process: town.start(name, command),
        json,
    }
}

fn delivered(town: &Town, member: &Member) -> u64 {
    wait("the status", || {
        let status = member.ask(town, &["status"])?;
        status["streams"][0]["delivered"].as_u64()
    })
}

#[test]
fn members_change_and_one_loses_its_disk_while_a_stream_plays() {
    let words = ["--g-min", "2", "--g-max", "4", "--n", "8", "--k", "4"];
    let town = Town::found(PEERS, &[&words[..], &["--epoch-ms", "1000"]].concat());
    let mut founders: Vec<Member> = (0..PEERS)
        .map(|peer| Member {
            key: run(town.on(peer, &["keygen", "--show"]))
                .1
                .trim()
                .to_owned(),
            folder: town.peer(peer),
            node: Some(town.node(peer)),
        })
        .collect();
    (0..PEERS).for_each(|peer| town.wait_for_links(peer, 0));
    let publisher = town.start("publish", town.on(0, &["publish", "--clip"]));
    let shown = founders[0].ask(&town, &["cluster", "show"]).unwrap();
    let cluster = shown["cluster"].as_u64().unwrap().to_string();
    let keys: Vec<&str> = (shown["members"].as_array().unwrap().iter())
        .map(|member| member["peer"].as_str().unwrap())
        .collect();
    let (inside, outside): (Vec<usize>, Vec<usize>) =
        (0..PEERS).partition(|&peer| keys.contains(&founders[peer].key.as_str()));
    let [_, second, third, last] = inside[..] else {
        panic!("a cluster of four, with the source: {inside:?}")
    };
    let mut watchers = vec![
        watch(&town, &founders[second], "watch-inside"),
        watch(&town, &founders[outside[0]], "watch-outside"),
    ];

    // A newcomer with a folder and a card of its own.
    let ports = free_ports(2);
    let mut newcomer = Member {
        key: String::new(),
        folder: town.path("newcomer"),
        node: None,
    };
    let mut command = newcomer.command(&town, &["member", "new", "--cluster", &cluster]);
    command.arg("--genesis").arg(town.path("town/genesis.toml"));
    command.args(["--address", &format!("/ip4/127.0.0.1/udp/{ports}/quic-v1")]);
    command.args(["--http", &format!("127.0.0.1:{}", ports + 1)]);
    let (code, card, error) = run(command);
    assert_eq!(code, 0, "{error}");
    newcomer.key = run(newcomer.command(&town, &["keygen", "--show"]))
        .1
        .trim()
        .to_owned();
    let again = newcomer.command(&town, &["member", "card"]);
    assert_eq!(run(again).1.split(':').next(), Some("hamlet-card-1"));
    newcomer.start(&town, "newcomer");
    assert_eq!(newcomer.wait_for(&town, "outside"), 0);
    assert_eq!(founders[second].want(&town, "add", card.trim()), (1, 2));
    assert_eq!(founders[third].want(&town, "add", card.trim()), (2, 2));
    assert_eq!(newcomer.wait_for(&town, "member"), 1);
    assert_eq!(newcomer.log(&town), founders[third].log(&town));
    watchers.push(watch(&town, &newcomer, "watch-newcomer"));
    wait("the stream at the newcomer", || {
        (delivered(&town, &newcomer) >= 8).then_some(())
    });
    // The neighbours know.
    let neighbour = &founders[outside[1]];
    wait("the neighbours to hear of it", || {
        let log = neighbour.log(&town);
        let mut entries = log.as_array().unwrap().iter();
        entries
            .any(|entry| entry["kind"] == "neighbour" && entry["epoch"] == 1)
            .then_some(())
    });

    // A founder is removed, by the newcomer and another.
    let gone = founders[last].key.clone();
    assert_eq!(newcomer.want(&town, "remove", &gone), (1, 2));
    assert_eq!(founders[second].want(&town, "remove", &gone), (2, 2));
    assert_eq!(founders[last].wait_for(&town, "outside"), 2);
    let refused = run(founders[last].command(&town, &["cluster", "propose", "let me"]));
    assert_eq!(refused.0, 7, "{}", refused.2);
    wait("some more segments", || {
        (delivered(&town, &newcomer) >= 32).then_some(())
    });
    for watcher in watchers {
        watcher.process.stop();
        let watched: Value = serde_json::from_slice(&fs::read(&watcher.json).unwrap()).unwrap();
        let gaps = watched["gaps"].as_array().unwrap();
        assert!(gaps.is_empty(), "{}: {watched}", watcher.json.display());
        assert!(watched["bytes"].as_u64().unwrap() > 100_000);
    }

    // A member's disk is lost: it is a member again in a later epoch, with the same log. Nobody watches any more: with
    // the source, whose own slots relay nothing, and one of four down, just `k` slots are left.
    founders[third].node.take().unwrap().kill();
    let files = fs::read_dir(&founders[third].folder).unwrap();
    let journal = files
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("agreement-"));
    fs::remove_file(journal.unwrap()).unwrap();
    founders[third].start(&town, "lost");
    assert_eq!(founders[third].wait_for(&town, "member"), 3);
    let log = founders[second].log(&town);
    assert_eq!(founders[third].log(&town), log);
    let kinds: Vec<&str> = (log.as_array().unwrap().iter())
        .map(|entry| entry["kind"].as_str().unwrap())
        .collect();
    let expected = "add add epoch remove remove epoch lost epoch";
    assert_eq!(kinds.join(" "), expected);
    publisher.stop();
    newcomer.node.unwrap().stop();
    for member in founders {
        member.node.unwrap().stop();
    }
}
