//! How fast a cluster agrees.

use crate::{Outcome, interrupt, json, process};
use clap::Args;
use hamlet_consensus::{
    Epoch, FaultModel, Model, Terms,
    block::BlockId,
    certificate::{Certificate, Claim},
    ed25519::{Ed25519Signer, Ed25519Verifier},
    hash::Hash,
    identity::Signer,
    member::{Member, MemberSet},
    vote::{SignedVote, Vote},
    wire,
};
use hamlet_simulator::agreement::{Cluster, Setup};
use serde::Serialize;
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// Measures how fast a cluster agrees, with nobody silent and with as many silent members as may be faulty.
///
/// Latencies are given for both fault models: partial synchrony, and synchrony with a bound of 500 ms on delays.
/// Latencies are of a cluster whose members have a machine each: links have a fixed delay in virtual time, and what
/// members compute (Ed25519, encoding, hashing) is timed and passes in the world too. Rates are of one process on one
/// processor that does the work of all members, per second of processor time.
///
/// Example:
///   hamlet-lab bench consensus --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Commands ordered for each figure of rates; latencies take a tenth.
    #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
    commands: usize,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// How long one command takes until all members have executed it.
#[derive(Serialize)]
struct Latency {
    /// The bound on delays, under synchrony.
    bound_ms: Option<u64>,
    members: u8,
    silent: usize,
    link_ms: u64,
    /// In delays of the link, submitted to the leader of the next view; without computing.
    delays_from_leader: f64,
    /// The same, submitted to the members in turn.
    delays_mean: f64,
    /// With computing, from the leader.
    from_leader_median_ms: f64,
}

/// What one processor does for all members together.
#[derive(Serialize)]
struct Rate {
    members: u8,
    silent: usize,
    command_bytes: usize,
    commands: usize,
    commands_per_cpu_s: f64,
    /// What a member sends for one command, on average.
    sent_bytes_per_command: f64,
    commands_per_block: f64,
}

/// What is said when there is nothing to decide, and how long a dead leader holds everybody up.
#[derive(Serialize)]
struct Rest {
    members: u8,
    /// What a member sends in a second, with a beat a second.
    idle_bytes_per_s: f64,
    /// From the submission to the execution by all, the leader of the next view being dead and nobody knowing, over links
    /// of 20 ms with a configured delay of 90 ms.
    dead_leader_first_ms: f64,
    /// The longest of the next two rounds of leaders, among whom it is.
    dead_leader_again_ms: f64,
}

/// Cheap signatures, one command a decision.
#[derive(Serialize)]
struct Simulated {
    members: u8,
    silent: usize,
    decisions: u64,
    decisions_per_cpu_s: f64,
}

/// A certificate of a quorum.
#[derive(Serialize)]
struct Size {
    members: u8,
    quorum: usize,
    certificate_bytes: usize,
    verify_us: f64,
}

#[derive(Serialize)]
struct Figures {
    latency: Vec<Latency>,
    rates: Vec<Rate>,
    rest: Vec<Rest>,
    simulated: Vec<Simulated>,
    certificates: Vec<Size>,
}

const COMMAND_BYTES: usize = 256;
/// Δ of the rows of synchrony.
const BOUND: Duration = Duration::from_millis(500);

/// Measures and prints.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let few = (arguments.commands / 10).clamp(10, 100);
    let both = |members: u8| [0, faults(members)];
    let mut figures = Figures {
        latency: Vec::new(),
        rates: Vec::new(),
        rest: Vec::new(),
        simulated: Vec::new(),
        certificates: [4, 7, 10, 16, 32, 64].map(certificate).into(),
    };
    let sizes = [4, 7, 16, 32];
    for members in sizes {
        for silent in both(members) {
            for link_ms in [0, 1, 20, 100] {
                tell(&format!(
                    "latency, {members} members, {silent} silent, {link_ms} ms"
                ));
                let model = Model::PartialSynchrony;
                (figures.latency).push(latency(model, members, silent, link_ms, few));
            }
            tell(&format!("rate, {members} members, {silent} silent"));
            figures
                .rates
                .push(rate(members, silent, arguments.commands));
            if interrupt::asked() {
                return Ok(ExitCode::from(interrupt::EXIT_STATUS));
            }
        }
        figures.rest.push(rest(members));
    }
    for members in [3, 7, 15, 31] {
        for silent in [0, FaultModel::Synchrony.faults(members.into())] {
            for link_ms in [0, 1, 20, 100] {
                tell(&format!(
                    "latency under synchrony, {members} members, {silent} silent, {link_ms} ms"
                ));
                let model = Model::Synchrony { bound: BOUND };
                (figures.latency).push(latency(model, members, silent, link_ms, few));
            }
            if interrupt::asked() {
                return Ok(ExitCode::from(interrupt::EXIT_STATUS));
            }
        }
    }
    for silent in both(10) {
        tell(&format!("simulated decisions, {silent} silent"));
        figures
            .simulated
            .push(simulated(10, silent, arguments.commands as u64));
    }
    print(&figures);
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn tell(what: &str) {
    eprintln!("measuring {what}");
}

fn faults(members: u8) -> usize {
    FaultModel::PartialSynchrony.faults(members.into())
}

/// Nanoseconds of the machine's clock.
fn clock() -> Duration {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGAN.elapsed()
}

/// The last members of a cluster are the silent ones.
fn setup(members: u8, silent: usize, link: Duration) -> Setup {
    let mut setup = Setup::new(members, link);
    setup.silent = (members - silent as u8..members).collect();
    setup
}

fn command(number: usize) -> Vec<u8> {
    let mut bytes = vec![7; COMMAND_BYTES];
    bytes[..8].copy_from_slice(&(number as u64).to_le_bytes());
    bytes
}

/// Who of those alive leads next, seen from the view that the first of them is in.
fn next_leader(cluster: &Cluster, members: u8) -> Member {
    let alive = cluster.alive();
    let view = alive
        .first()
        .and_then(|first| cluster.view(*first))
        .unwrap_or(1);
    let leader = |view: u64| (view % u64::from(members)) as Member;
    (view..view + u64::from(members))
        .map(leader)
        .find(|leader| alive.contains(leader))
        .unwrap_or(0)
}

/// Submits commands one after the other; how long each took until all alive had executed it.
fn take(setup: Setup, count: usize, to_leader: bool) -> Vec<Duration> {
    let (members, link) = (setup.members, setup.link);
    let pause = link.max(Duration::from_millis(1)) * 5;
    let mut cluster = Cluster::new(setup);
    cluster.run(pause, |_| false);
    let alive = cluster.alive();
    let mut took = Vec::new();
    for place in 0..count {
        let leader = next_leader(&cluster, members);
        let member = if to_leader {
            leader
        } else {
            alive[place % alive.len()]
        };
        let began = cluster.now();
        cluster.submit(member, vec![command(place)]);
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() > place
        });
        if let Some((_, last)) = cluster.executed_at(place) {
            took.push(last.saturating_sub(began));
        }
        cluster.run(pause, |_| false);
    }
    took.sort();
    took
}

fn median(sorted: &[Duration]) -> f64 {
    sorted
        .get(sorted.len() / 2)
        .map_or(f64::NAN, Duration::as_secs_f64)
}

fn mean(all: &[Duration]) -> f64 {
    all.iter().sum::<Duration>().as_secs_f64() / all.len() as f64
}

fn latency(model: Model, members: u8, silent: usize, link_ms: u64, count: usize) -> Latency {
    let link = Duration::from_millis(link_ms);
    // Without computing a link of no delay would leave nothing to measure.
    let unit = link.max(Duration::from_millis(1));
    let mut plain = setup(members, silent, unit);
    plain.model = model;
    let mut real = setup(members, silent, link);
    real.model = model;
    real.real = true;
    real.clock = Some(clock);
    Latency {
        bound_ms: model.bound().map(|bound| bound.as_millis() as u64),
        members,
        silent,
        link_ms,
        delays_from_leader: median(&take(plain.clone(), count, true)) / unit.as_secs_f64(),
        delays_mean: mean(&take(plain, count, false)) / unit.as_secs_f64(),
        from_leader_median_ms: 1e3 * median(&take(real, count, true)),
    }
}

fn rate(members: u8, silent: usize, commands: usize) -> Rate {
    let mut setup = setup(members, silent, Duration::ZERO);
    setup.real = true;
    let mut cluster = Cluster::new(setup);
    let alive = cluster.alive();
    let (began, mut submitted) = (process::thread_cpu_time(), 0);
    while submitted < commands {
        // Everybody has some, and as many wait as blocks can take.
        for member in &alive {
            let batch: Vec<_> = (0..1024 / alive.len() + 1)
                .map(|more| command(submitted + more))
                .collect();
            submitted += batch.len();
            cluster.submit(*member, batch);
        }
        let wanted = submitted;
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() >= wanted
        });
    }
    let took = cpu_since(began);
    let count = cluster.executed() as f64;
    Rate {
        members,
        silent,
        command_bytes: COMMAND_BYTES,
        commands: cluster.executed(),
        commands_per_cpu_s: count / took,
        sent_bytes_per_command: cluster.sent_bytes() as f64 / alive.len() as f64 / count,
        commands_per_block: count / cluster.height() as f64,
    }
}

fn cpu_since(began: Option<Duration>) -> f64 {
    let now = process::thread_cpu_time();
    (now.zip(began)).map_or(f64::NAN, |(now, began)| (now - began).as_secs_f64())
}

fn rest(members: u8) -> Rest {
    let mut idle = setup(members, 0, Duration::from_millis(20));
    idle.real = true;
    let mut cluster = Cluster::new(idle);
    let before = cluster.sent_bytes();
    cluster.run(Duration::from_secs(60), |_| false);
    let sent = (cluster.sent_bytes() - before) as f64;
    // Member 1 leads the first view.
    let mut dead = Setup::new(members, Duration::from_millis(20));
    dead.silent = MemberSet::one(1);
    let mut cluster = Cluster::new(dead);
    let mut took = Vec::new();
    // The first finds the dead one leading; the others go round the leaders twice, who know of it by then.
    for place in 0..1 + 2 * usize::from(members) {
        let began = cluster.now();
        cluster.submit(0, vec![command(place)]);
        cluster.run(Duration::from_secs(60), |cluster| {
            cluster.executed() > place
        });
        took.push(1e3 * (cluster.now() - began).as_secs_f64());
        cluster.run(Duration::from_millis(500), |_| false);
    }
    let (first, again) = (took.remove(0), took.into_iter().fold(0.0, f64::max));
    Rest {
        members,
        idle_bytes_per_s: sent / 60.0 / f64::from(members),
        dead_leader_first_ms: first,
        dead_leader_again_ms: again,
    }
}

fn simulated(members: u8, silent: usize, decisions: u64) -> Simulated {
    let mut cluster = Cluster::new(setup(members, silent, Duration::from_millis(20)));
    let began = process::thread_cpu_time();
    let mut place = 0;
    while cluster.height() < decisions {
        let leader = next_leader(&cluster, members);
        cluster.submit(leader, vec![(place as u64).to_le_bytes().to_vec()]);
        place += 1;
        cluster.run(Duration::from_secs(600), |cluster| {
            cluster.executed() >= place
        });
    }
    Simulated {
        members,
        silent,
        decisions: cluster.height(),
        decisions_per_cpu_s: cluster.height() as f64 / cpu_since(began),
    }
}

fn certificate(members: u8) -> Size {
    let signer = |member: Member| Ed25519Signer::from_secret(&[member + 1; 32]);
    let peers = (0..members).map(|member| signer(member).id()).collect();
    let epoch = Epoch::new(Hash([1; 32]), Hash([2; 32]), 0, Terms::default(), peers)
        .unwrap_or_else(|error| panic!("an impossible epoch: {error}"));
    let block = BlockId {
        view: 1_000_000,
        height: 1_000_000,
        hash: Hash([5; 32]),
    };
    let signers: MemberSet = epoch.all().lowest(epoch.quorum());
    let certificate = Certificate {
        claim: Claim::Finalized(block),
        first: signers,
        second: MemberSet::EMPTY,
        signatures: (signers.iter())
            .map(|member| SignedVote::new(Vote::Finalize(block), &epoch, &signer(member)).signature)
            .collect(),
    };
    const TIMES: u32 = 50;
    let began = process::thread_cpu_time();
    let valid = (0..TIMES).all(|_| certificate.verify(&epoch, &Ed25519Verifier));
    let took = cpu_since(began);
    assert!(valid, "a certificate of a quorum is valid");
    Size {
        members,
        quorum: epoch.quorum(),
        certificate_bytes: wire::encode(&certificate).len(),
        verify_us: 1e6 * took / f64::from(TIMES),
    }
}

fn print(figures: &Figures) {
    println!(
        "bound_ms members silent link_ms  delays_from_leader delays_mean from_leader_median_ms"
    );
    for row in &figures.latency {
        println!(
            "{:>8} {:7} {:6} {:7}  {:18.2} {:11.2} {:21.2}",
            row.bound_ms.map_or("-".into(), |bound| bound.to_string()),
            row.members,
            row.silent,
            row.link_ms,
            row.delays_from_leader,
            row.delays_mean,
            row.from_leader_median_ms
        );
    }
    println!("\nmembers silent  commands_per_cpu_s sent_bytes_per_command commands_per_block");
    for row in &figures.rates {
        println!(
            "{:7} {:6}  {:18.0} {:22.0} {:18.0}",
            row.members,
            row.silent,
            row.commands_per_cpu_s,
            row.sent_bytes_per_command,
            row.commands_per_block
        );
    }
    println!("\nmembers  idle_bytes_per_s dead_leader_first_ms dead_leader_again_ms");
    for row in &figures.rest {
        println!(
            "{:7}  {:16.0} {:20.0} {:20.0}",
            row.members, row.idle_bytes_per_s, row.dead_leader_first_ms, row.dead_leader_again_ms
        );
    }
    println!("\nmembers silent  simulated_decisions_per_cpu_s");
    for row in &figures.simulated {
        println!(
            "{:7} {:6}  {:29.0}",
            row.members, row.silent, row.decisions_per_cpu_s
        );
    }
    println!("\nmembers quorum  certificate_bytes verify_us");
    for row in &figures.certificates {
        println!(
            "{:7} {:6}  {:17} {:9.0}",
            row.members, row.quorum, row.certificate_bytes, row.verify_us
        );
    }
}
