//! A network of separate `hamlet` processes for tests: real folders, real sockets, real signals.

// Each test binary uses its own part of this.
#![allow(dead_code)]

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU16, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(90);

/// A network in a temporary folder.
pub struct Town {
    folder: tempfile::TempDir,
    pub peers: usize,
    pub http_port: u16,
    pub port: u16,
}

/// A `hamlet` process; killed when dropped.
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// Free ports that nobody else in this test run is given.
pub fn free_ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Below the range from which the system itself hands out ports; processes begin at different places.
    let start = 10_000 + (std::process::id() % 200) as u16 * 100;
    loop {
        let first = start + NEXT.fetch_add(count, Ordering::Relaxed) % 2_000;
        let free = (first..first + count).all(|port| {
            TcpListener::bind(("127.0.0.1", port)).is_ok()
                && UdpSocket::bind(("127.0.0.1", port)).is_ok()
        });
        if free {
            return first;
        }
    }
}

impl Town {
    /// Makes a network of so many peers, with further words for `hamlet network new`.
    pub fn found(peers: usize, words: &[&str]) -> Town {
        let ports = free_ports(2 * peers as u16);
        let town = Town {
            folder: tempfile::tempdir().unwrap(),
            peers,
            port: ports,
            http_port: ports + peers as u16,
        };
        let mut command = town.hamlet(&["network", "new"]);
        command
            .arg(town.path("town"))
            .args(["--peers", &peers.to_string()])
            .args(["--port", &town.port.to_string()])
            .args(["--http-port", &town.http_port.to_string()])
            .args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", text(&output.stderr));
        town
    }

    /// A path in the temporary folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A peer's data folder.
    pub fn peer(&self, peer: usize) -> PathBuf {
        let digits = (self.peers - 1).max(1).ilog10() as usize + 1;
        self.path(&format!("town/peer-{peer:0digits$}"))
    }

    /// The URI of a stream, by the place of its publisher.
    pub fn uri(&self, stream: usize) -> String {
        let genesis: toml::Table = fs::read_to_string(self.path("town/genesis.toml"))
            .unwrap()
            .parse()
            .unwrap();
        let network = genesis["network"].as_str().unwrap();
        let key = genesis["publishers"][stream]["stream"].as_str().unwrap();
        format!("hamlet:{network}/{key}")
    }

    /// A `hamlet` command without anything from the environment.
    pub fn hamlet(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hamlet"));
        command.env_clear().args(words).stdin(Stdio::null());
        command
    }

    /// A command on a peer's folder.
    pub fn on(&self, peer: usize, words: &[&str]) -> Command {
        let mut command = self.hamlet(words);
        command.arg("--folder").arg(self.peer(peer));
        command
    }

    /// Starts a command in the background; its log goes to a file of this name.
    pub fn start(&self, name: &str, mut command: Command) -> Process {
        let log = self.path(&format!("{name}.log"));
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let child = command.stderr(file).stdout(Stdio::null()).spawn().unwrap();
        Process {
            name: name.into(),
            child,
            log,
        }
    }

    /// Starts the node of a peer.
    pub fn node(&self, peer: usize) -> Process {
        self.start(&format!("node-{peer}"), self.on(peer, &["node"]))
    }

    /// What a peer's node says of itself, if it answers.
    pub fn status(&self, peer: usize) -> Option<serde_json::Value> {
        let (code, body) = self.request(peer, "GET", "/api/v1/status", &[])?;
        (code == 200).then(|| serde_json::from_str(&body).unwrap())
    }

    /// Waits until so many links of a peer are connected: all that it wants, or all but some.
    pub fn wait_for_links(&self, peer: usize, missing: u64) {
        wait(&format!("the links of peer {peer}"), || {
            let status = self.status(peer)?;
            let (wanted, there) = (
                status["links_wanted"].as_u64()?,
                status["links_connected"].as_u64()?,
            );
            (there + missing >= wanted).then_some(())
        });
    }

    /// Sends a request to a peer's node as it is, and takes status and body of a short answer.
    pub fn request(
        &self,
        peer: usize,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Option<(u16, String)> {
        let address = format!("127.0.0.1:{}", self.http_port + peer as u16);
        let mut stream = TcpStream::connect(&address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).ok()?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head.push_str(&format!("Host: {address}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Process {
    /// Ends it as a crash of the machine would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to end.
    pub fn terminate(&self) {
        let pid = self.child.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        assert!(killed.success());
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let name = format!("the end of {}", self.name);
        let child = &mut self.child;
        wait(&name, || child.try_wait().unwrap())
    }

    /// Asks it to end, and checks that it does so cleanly.
    pub fn stop(mut self) {
        self.terminate();
        let status = self.wait();
        assert!(status.success(), "{}: {status}\n{}", self.name, self.log());
    }

    /// What it logged.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- {}\n{}", self.name, self.log());
        }
    }
}

/// Waits until something is there.
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "gave up waiting for {what}");
        sleep(Duration::from_millis(50));
    }
}

/// Exit code, standard output and standard error of a command that ends by itself.
pub fn run(mut command: Command) -> (i32, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    (status.code().unwrap(), text(&stdout), text(&stderr))
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Changes a file's text.
pub fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {}", path.display());
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}
