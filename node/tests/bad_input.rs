//! What is wrong is said clearly, with a remedy and an exit code, and everything else goes on.

mod town;

use std::{fs, net::UdpSocket, os::unix::fs::PermissionsExt};
use town::{Town, edit, run, wait};

/// Checks exit code and message of a command that must fail, and that it writes nothing to standard output.
#[track_caller]
fn fails(command: std::process::Command, code: i32, parts: &[&str]) {
    let (found, stdout, stderr) = run(command);
    assert_eq!(found, code, "{stderr}");
    assert_eq!(stdout, "");
    let last = stderr.lines().last().unwrap_or_default();
    for part in parts {
        assert!(last.contains(part), "{part:?} is not in: {last}");
    }
}

#[test]
fn a_genesis_that_does_not_match_its_network_id() {
    let town = Town::found(4, &[]);
    edit(&town.peer(1).join("genesis.toml"), "4000000", "5000000");
    fails(
        town.on(1, &["node"]),
        3,
        &["genesis.toml:4:", "was changed"],
    );
    edit(&town.peer(2).join("genesis.toml"), "g_max", "g_mux");
    fails(town.on(2, &["node"]), 3, &["genesis.toml:11:", "g_mux"]);
    // A peer that is no founder of the network.
    fs::remove_file(town.peer(3).join("key")).unwrap();
    let (code, key, _) = run(town.on(3, &["keygen"]));
    assert_eq!((code, key.trim().len()), (0, 64));
    fails(town.on(3, &["node"]), 3, &["not a founder", key.trim()]);
}

#[test]
fn a_folder_or_a_port_in_use() {
    let town = Town::found(2, &[]);
    let node = town.node(0);
    wait("the node", || town.status(0));
    let mut second = town.on(0, &["node"]);
    second.args(["--http", "127.0.0.1:0"]);
    fails(second, 4, &["another process", "peer-0"]);
    let mut other = town.on(1, &["node"]);
    other.args(["--http", &format!("127.0.0.1:{}", town.http_port)]);
    fails(other, 4, &["--http", &town.http_port.to_string()]);
    let taken = UdpSocket::bind(("127.0.0.1", town.port + 1)).unwrap();
    fails(town.on(1, &["node"]), 4, &[&(town.port + 1).to_string()]);
    drop(taken);
    node.stop();
    fails(
        town.on(0, &["status"]),
        6,
        &["no node runs", "hamlet node --folder"],
    );
    let missing = town.path("nowhere");
    let mut command = town.hamlet(&["node", "--folder"]);
    command.arg(&missing);
    fails(command, 3, &["nowhere", "hamlet network new"]);
}

#[test]
fn a_key_that_others_can_read_and_a_damaged_store() {
    let town = Town::found(1, &[]);
    let key = town.peer(0).join("key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    fails(town.on(0, &["node"]), 3, &["chmod 600"]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(town.peer(0).join("state.redb"), b"damage".repeat(1000)).unwrap();
    fails(town.on(0, &["node"]), 3, &["state.redb", "damaged"]);
}

#[test]
fn an_input_that_is_not_mpeg_ts() {
    let town = Town::found(1, &[]);
    let other = town.path("other.mp4");
    fs::write(&other, b"this is no transport stream".repeat(5000)).unwrap();
    let publish = || {
        let mut command = town.on(0, &["publish"]);
        command.arg(&other);
        command
    };
    let parts = ["not MPEG-TS", "offset 0", "ffmpeg -i", "--format bytes"];
    fails(publish(), 5, &parts);
    let node = town.node(0);
    wait("the node", || town.status(0));
    fails(publish(), 5, &parts);
    let cut = town.path("cut.ts");
    let clip = hamlet_node::ingest::CLIP;
    fs::write(&cut, &clip[..188 * 100 + 50]).unwrap();
    let mut command = town.on(0, &["publish", "--json", "-"]);
    command.arg(&cut);
    let (code, stdout, _) = run(command);
    let result: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &result["source"]["truncated"]), (0, &true.into()));
    assert_eq!(result["source"]["bytes"], 188 * 100);
    let log = node.log();
    assert!(
        log.contains("50 bytes into the packet at offset 18800"),
        "{log}"
    );
    fails(town.on(0, &["publish", "missing.ts"]), 5, &["missing.ts"]);
    let status = town.status(0).unwrap();
    assert_eq!(status["streams"][0]["published"], result["segments"]);
    node.stop();
}

#[test]
fn a_stream_that_is_not_there() {
    let town = Town::found(2, &[]);
    let node = town.node(0);
    wait("the node", || town.status(0));
    let uri = town.uri(0);
    let watch = |uri: &str| town.on(0, &["watch", uri]);
    let (head, key) = uri.split_once('/').unwrap();
    let wrong_key = format!("{head}/{}", "7".repeat(64));
    fails(watch(&wrong_key), 7, &["nobody publishes", &uri]);
    let wrong_network = format!("hamlet:{}/{key}", "0".repeat(64));
    fails(watch(&wrong_network), 7, &["network"]);
    let (code, _, stderr) = run(watch("hamlet:12/34"));
    assert!(
        code == 2 && stderr.contains("hamlet:NETWORK/KEY"),
        "{stderr}"
    );
    let path = format!("/live.ts?stream={}", "7".repeat(64));
    assert_eq!(town.request(0, "GET", &path, &[]).unwrap().0, 404);
    assert_eq!(
        town.request(0, "GET", "/live.ts?stream=x", &[]).unwrap().0,
        400
    );
    fails(
        town.on(1, &["publish", "--clip"]),
        7,
        &["no publisher's certificate"],
    );
    node.stop();
}

#[test]
fn a_publisher_over_its_rate() {
    // Relays let through bursts of several seconds, so it is far over its rate.
    let town = Town::found(1, &["--rate", "60kbit"]);
    let node = town.node(0);
    wait("the node", || town.status(0));
    let clip = town.path("clip.ts");
    fs::write(&clip, hamlet_node::ingest::CLIP).unwrap();
    let publish = |words: &[&str]| {
        let mut command = town.on(0, &["publish"]);
        command.arg(&clip).args(words);
        command
    };
    let over = publish(&["--rate", "3Mbit"]);
    fails(over, 7, &["3Mbit is over the 60kbit"]);
    fails(publish(&[]), 7, &["were dropped", "60kbit", "lower rate"]);
    let status = town.status(0).unwrap();
    assert!(status["streams"][0]["published"].as_u64().unwrap() > 0);
    assert!(status["streams"][0]["stopped"].is_null());
    node.stop();
}

#[test]
fn a_web_page_cannot_drive_the_node() {
    let town = Town::found(1, &[]);
    let node = town.node(0);
    wait("the node", || town.status(0));
    let control = fs::read_to_string(town.peer(0).join("control.json")).unwrap();
    let control: serde_json::Value = serde_json::from_str(&control).unwrap();
    let bearer = format!("Bearer {}", control["token"].as_str().unwrap());
    let publish = |headers: &[(&str, &str)]| {
        let headers = [headers, &[("Content-Length", "0")]].concat();
        town.request(0, "POST", "/publish?format=bytes", &headers)
            .unwrap()
            .0
    };
    let allowed = ("Authorization", bearer.as_str());
    assert_eq!(publish(&[allowed]), 200);
    assert_eq!(publish(&[]), 401);
    assert_eq!(publish(&[("Authorization", "Bearer 00")]), 401);
    assert_eq!(publish(&[allowed, ("Origin", "http://evil.example")]), 403);
    assert_eq!(publish(&[allowed, ("Host", "evil.example")]), 403);
    assert_eq!(publish(&[allowed, ("Sec-Fetch-Site", "cross-site")]), 403);
    let get =
        |headers: &[(&str, &str)]| town.request(0, "GET", "/api/v1/status", headers).unwrap().0;
    assert_eq!(get(&[]), 200);
    assert_eq!(get(&[("Host", "evil.example")]), 403);
    assert_eq!(get(&[("Origin", "null")]), 403);
    assert_eq!(town.request(0, "GET", "/nothing", &[]).unwrap().0, 404);
    let log = node.log();
    assert!(!log.contains(control["token"].as_str().unwrap()));
    let secret = fs::read_to_string(town.peer(0).join("key")).unwrap();
    let secret = secret.trim().rsplit(':').next().unwrap();
    assert!(!log.contains(secret) && secret.len() == 64);
    node.stop();
    assert!(!town.peer(0).join("control.json").exists());
}

#[test]
fn a_configuration_with_a_mistake() {
    let town = Town::found(1, &[]);
    let config = town.peer(0).join("hamlet.toml");
    let check = || town.on(0, &["config", "check"]);
    let (code, stdout, _) = run(check());
    assert!(code == 0 && stdout.contains("no mistakes"), "{stdout}");
    fs::write(&config, "prefer = \"quic\"\nhtpp = \"127.0.0.1:80\"\n").unwrap();
    fails(
        check(),
        3,
        &["hamlet.toml:2:1:", "htpp", "http", "hamlet config example"],
    );
    fails(town.on(0, &["node"]), 3, &["hamlet.toml:2:1:"]);
    fs::write(&config, "http = \"0.0.0.0\"\n").unwrap();
    fails(check(), 3, &["hamlet.toml:1:8:", "socket address"]);
    let (code, example, _) = run(town.hamlet(&["config", "example"]));
    fs::write(&config, example).unwrap();
    assert_eq!((code, run(check()).0), (0, 0));
    let mut command = check();
    command.env("HAMLET_LOG", "shout=loud");
    assert_eq!(run(command).0, 2);
}

#[test]
fn standard_output_carries_data_only_and_logs_are_json_on_request() {
    let town = Town::found(1, &[]);
    let mut command = town.on(0, &["watch", "--seconds", "1"]);
    command.env("HAMLET_LOG_FORMAT", "json");
    let (code, stdout, stderr) = run(command);
    assert_eq!((code, stdout.as_str()), (0, ""));
    assert!(stderr.lines().count() > 3);
    for line in stderr.lines() {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(
            line["level"].is_string() && line["message"].is_string(),
            "{line}"
        );
    }
}
