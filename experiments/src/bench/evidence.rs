//! What floods of evidence cost the peer that they reach.

use super::row::{self, Row as _};
use crate::{Outcome, json};
use bytes::Bytes;
use clap::Args;
use cpu_time::ThreadTime;
use hamlet_consensus::vote::{SignedVote, Vote};
use hamlet_overlay::{
    evidence::{Evidence, Votes},
    genesis::{Founder, Genesis, Network, Parameters},
    hash::Hash,
    identity::{Ed25519Signer, Ed25519Verifier, PeerId, Signature, Signer, Statement, Verifier},
    io::Input,
    membership::admission::{Admission, Credential},
    message::Message,
    peer::{Peer, Setup},
    time::Time,
    view::View,
    wire::Frame,
    work::Compute,
};
use serde::Serialize;
use std::{
    path::PathBuf,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

/// Measures what floods of evidence cost the peer that they reach, for each byte that is sent to it.
///
/// One neighbour sends as fast as it can, with real signatures; the time is that of the receiver's processor. False evidence
/// is checked once; what is known, and more against a key that is known, is not checked; only evidence against ever other
/// admitted keys costs a check each, and each of these keys is lost to the sender for a term.
///
/// Example:
///   hamlet-lab bench evidence --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Messages of each flood.
    #[arg(long, value_name = "COUNT", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    messages: u64,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

/// A flood.
#[derive(Serialize)]
struct Row {
    flood: &'static str,
    messages: u64,
    sent_bytes: u64,
    signature_checks: u64,
    kept: usize,
    cpu_us_per_message: f64,
    cpu_ns_per_byte: f64,
}

impl row::Row for Row {
    const HEAD: &str = "flood                                    messages      bytes  checks  kept  µs/message  ns/byte";

    fn line(&self) -> String {
        format!(
            "{:<40} {:>8} {:>10} {:>7} {:>5} {:>11.2} {:>8.2}",
            self.flood,
            self.messages,
            self.sent_bytes,
            self.signature_checks,
            self.kept,
            self.cpu_us_per_message,
            self.cpu_ns_per_byte,
        )
    }
}

/// Counts what it checks.
#[derive(Default)]
struct Counting(AtomicU64);

impl Verifier for Counting {
    fn verify(&self, by: PeerId, statement: Statement<'_>, signature: &Signature) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ed25519Verifier.verify(by, statement, signature)
    }
}

fn signer(number: u64) -> Ed25519Signer {
    let mut secret = [7; 32];
    secret[..8].copy_from_slice(&number.to_le_bytes());
    Ed25519Signer::from_secret(&secret)
}

fn network() -> Result<Network, hamlet_overlay::genesis::GenesisError> {
    let mut founders: Vec<PeerId> = (0..8).map(|number| signer(number).id()).collect();
    founders.sort_unstable();
    let genesis = Genesis {
        admission: Admission::Open,
        name: "flood".into(),
        parameters: Parameters::for_peers(8),
        seed: Hash([5; 32]),
        founders: founders
            .into_iter()
            .map(|id| Founder {
                id,
                addresses: Vec::new(),
            })
            .collect(),
        publishers: Vec::new(),
    };
    genesis.found()
}

/// Two votes of a view by one key.
fn votes(network: &Network, by: &dyn Signer, view: u64) -> Votes {
    let epoch = Hash([3; 32]);
    let signed = |vote: Vote| SignedVote {
        vote,
        signature: by.sign(vote.text_in(network.id(), epoch).statement()),
    };
    Votes {
        epoch,
        votes: hamlet_consensus::evidence::Evidence {
            culprit: by.id(),
            first: signed(Vote::Nullify(view)),
            second: signed(Vote::Abandon(view)),
        },
        credential: Credential::Key,
    }
}

/// The message of a flood with this number.
type Flood = fn(&Network, u64) -> Votes;

const FLOODS: [(&str, Flood); 4] = [
    ("false", |network, number| {
        let mut votes = votes(network, &signer(1), number);
        votes.votes.second.signature = Signature([1; 64]);
        votes
    }),
    ("one piece, repeated", |network, _| {
        votes(network, &signer(1), 1)
    }),
    ("other pieces against one key", |network, number| {
        votes(network, &signer(1), number)
    }),
    ("against ever other admitted keys", |network, number| {
        votes(network, &signer(1_000 + number), 1)
    }),
];

/// Runs the benchmark.
pub fn run(arguments: Arguments) -> Outcome {
    let network = network()?;
    let rows: Vec<Row> = (FLOODS.iter())
        .filter_map(|(name, flood)| measure(&network, name, *flood, arguments.messages))
        .collect();
    eprintln!("{}", Row::HEAD);
    rows.iter().for_each(|row| eprintln!("{}", row.line()));
    if let Some(path) = &arguments.json {
        json::write(path, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn measure(network: &Network, flood: &'static str, make: Flood, messages: u64) -> Option<Row> {
    let verifier = Arc::new(Counting::default());
    let me = signer(0).id();
    let setup = Setup {
        view: View::founding(network, me)?,
        signer: Box::new(signer(0)),
        verifier: verifier.clone(),
        work: Arc::new(Compute),
        publish_from: 0,
    };
    let mut peer = Peer::new(Time::ZERO, setup);
    let links = peer.view().links(me);
    for &link in &links {
        peer.handle(Time::ZERO, Input::Connected(link));
    }
    let from = *links.first()?;
    let frames: Vec<Bytes> = (0..messages)
        .map(|number| {
            let evidence = Evidence::Votes(Box::new(make(network, number)));
            Message::Evidence(Box::new(evidence)).frame().head
        })
        .collect();
    let sent_bytes = frames.iter().map(|frame| frame.len() as u64).sum();
    while peer.poll().is_some() {}
    let begun = ThreadTime::now();
    for frame in frames {
        let frame = Frame::received(frame);
        peer.handle(Time::ZERO, Input::Frame { from, frame });
        while peer.poll().is_some() {}
    }
    let took = begun.elapsed().as_secs_f64();
    Some(Row {
        flood,
        messages,
        sent_bytes,
        signature_checks: verifier.0.load(Ordering::Relaxed),
        kept: peer.evidence().count(),
        cpu_us_per_message: took * 1e6 / messages as f64,
        cpu_ns_per_byte: took * 1e9 / sent_bytes as f64,
    })
}
