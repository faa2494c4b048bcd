//! Agreement among separate `hamlet` processes over real sockets, while some are killed and restarted.

mod town;

use std::{fs, process::Child, thread::sleep, time::Duration};
use town::{Process, Town, run, wait};

/// How many processes run a peer; all of them are one cluster.
const PEERS: usize = 7;

/// What a peer's node answers to `hamlet cluster`.
fn cluster(town: &Town, peer: usize, words: &[&str]) -> Option<serde_json::Value> {
    let mut command = town.on(peer, &[&["cluster"], words].concat());
    command.args(["--json", "-"]);
    let (code, out, _) = run(command);
    (code == 0).then(|| serde_json::from_str(&out).unwrap())
}

fn texts(log: &serde_json::Value) -> Vec<String> {
    let entries = log.as_array().unwrap().iter();
    entries
        .map(|entry| entry["text"].as_str().unwrap().to_owned())
        .collect()
}

fn propose(town: &Town, peer: usize, text: &str) -> serde_json::Value {
    wait(&format!("{text:?} to be decided"), || {
        cluster(town, peer, &["propose", text])
    })
}

/// A command that goes on until it is killed.
struct Follower(Child);

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the log of a peer is this.
fn has(town: &Town, peer: usize, log: &serde_json::Value) {
    wait(&format!("the log at peer {peer}"), || {
        (cluster(town, peer, &["log"]).as_ref() == Some(log)).then_some(())
    });
}

#[test]
fn killed_members_come_back_to_the_same_log() {
    let town = Town::found(PEERS, &["--g-max", "7", "--n", "8", "--k", "4"]);
    let mut nodes: Vec<Option<Process>> = (0..PEERS).map(|peer| Some(town.node(peer))).collect();
    (0..PEERS).for_each(|peer| town.wait_for_links(peer, 0));
    for peer in 0..PEERS {
        propose(&town, peer, &format!("note of {peer}"));
    }
    // A minority is killed, and the others go on.
    for peer in [2, 5] {
        nodes[peer].take().unwrap().kill();
    }
    let entry = propose(&town, 0, "without two");
    assert_eq!(entry["number"], PEERS);
    for peer in [2, 5] {
        nodes[peer] = Some(town.node(peer));
    }
    // Somebody who follows the log sees what is there and what comes.
    let followed = town.path("followed");
    let mut command = town.on(3, &["cluster", "log", "--follow"]);
    command.stdout(fs::File::create(&followed).unwrap());
    let follower = Follower(command.spawn().unwrap());
    propose(&town, 1, "with all again");
    wait("the followed log", || {
        let text = fs::read_to_string(&followed).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        (lines.len() == PEERS + 2 && text.ends_with("with all again\n")).then_some(())
    });
    drop(follower);
    let log = cluster(&town, 1, &["log"]).unwrap();
    assert_eq!(texts(&log).len(), PEERS + 2);
    (0..PEERS).for_each(|peer| has(&town, peer, &log));

    // All are killed at once, and what was decided is still there.
    for node in &mut nodes {
        node.take().unwrap().kill();
    }
    let nodes: Vec<Process> = (0..PEERS).map(|peer| town.node(peer)).collect();
    propose(&town, 6, "after all were killed");
    let log = cluster(&town, 6, &["log"]).unwrap();
    let mut said = texts(&log);
    assert_eq!(said.pop().unwrap(), "after all were killed");
    assert_eq!(said.pop().unwrap(), "with all again");
    (0..PEERS).for_each(|peer| has(&town, peer, &log));
    let shown = cluster(&town, 3, &["show"]).unwrap();
    assert_eq!(shown["members"].as_array().unwrap().len(), PEERS);
    assert!(shown["failed"].is_null(), "{shown}");
    nodes.into_iter().for_each(Process::stop);
}

#[test]
fn a_damaged_journal_is_refused_by_name_and_too_few_members_wait() {
    let town = Town::found(4, &["--g-max", "4", "--n", "8", "--k", "4"]);
    let nodes: Vec<Process> = (0..4).map(|peer| town.node(peer)).collect();
    (0..4).for_each(|peer| town.wait_for_links(peer, 0));
    propose(&town, 0, "first");
    nodes.into_iter().for_each(Process::kill);
    let files = fs::read_dir(town.peer(3)).unwrap();
    let journal = files
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("agreement-"))
        .unwrap();
    let mut bytes = fs::read(&journal).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::write(&journal, bytes).unwrap();
    let (code, _, error) = run(town.on(3, &["node"]));
    assert_eq!(code, 3, "{error}");
    assert!(
        error.contains(&*journal.to_string_lossy()) && error.contains("new key"),
        "{error}"
    );

    // Three of four suffice; two do not, and then nothing is decided until a third comes back.
    let mut nodes: Vec<Process> = (0..2).map(|peer| town.node(peer)).collect();
    (0..2).for_each(|peer| town.wait_for_links(peer, 2));
    let command = town.on(0, &["cluster", "propose", "second"]);
    let waiting = std::thread::spawn(move || run(command));
    sleep(Duration::from_secs(2));
    assert!(!waiting.is_finished());
    nodes.push(town.node(2));
    let (code, _, error) = waiting.join().unwrap();
    assert_eq!(code, 0, "{error}");
    let log = cluster(&town, 0, &["log"]).unwrap();
    assert_eq!(texts(&log), ["first", "second"]);
    (0..3).for_each(|peer| has(&town, peer, &log));
    nodes.into_iter().for_each(Process::stop);
}
