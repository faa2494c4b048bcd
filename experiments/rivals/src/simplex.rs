//! Commonware's Simplex on its deterministic runtime and simulated network, set up as its own tests do it.
//!
//! Blocks are of the tests' application: a random number each, handed to all at once beside the network. So a proposal's
//! content costs this engine neither time nor bytes.

use crate::race::{Result, Run, Signatures, cpu};
use commonware_actor::Feedback;
use commonware_consensus::{
    Reporter, Viewable,
    simplex::{
        Engine,
        config::{self, ForwardPolicy, SkipPolicy},
        elector::RoundRobin,
        mocks,
        scheme::{Scheme, ed25519},
        types::Activity,
    },
    types::{Epoch, View, ViewDelta},
};
use commonware_cryptography::{
    Sha256, certificate::mocks::Fixture, ed25519::PublicKey, sha256::Digest,
};
use commonware_p2p::simulated::{self, Link, Network};
use commonware_parallel::Sequential;
use commonware_runtime::{
    Clock, Quota, Runner, Supervisor, buffer::paged::CacheRef, deterministic,
};
use commonware_utils::{NZDuration, NZU16, NZU32, NZUsize, probability};
use std::{
    collections::BTreeMap,
    marker::PhantomData,
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

/// When each view's block was proposed, and when each member knew that it was final.
#[derive(Default)]
struct Diary {
    proposed: BTreeMap<View, SystemTime>,
    finalized: BTreeMap<View, Vec<SystemTime>>,
    passed_over: u64,
}

/// Writes down what one member finalizes.
struct Watch<S> {
    context: Arc<deterministic::Context>,
    diary: Arc<Mutex<Diary>>,
    scheme: PhantomData<fn() -> S>,
}

impl<S> Clone for Watch<S> {
    fn clone(&self) -> Watch<S> {
        Watch {
            context: self.context.clone(),
            diary: self.diary.clone(),
            scheme: PhantomData,
        }
    }
}

impl<S: Scheme<Digest>> Reporter for Watch<S> {
    type Activity = Activity<S, Digest>;

    fn report(&mut self, activity: Activity<S, Digest>) -> Feedback {
        if let Ok(mut diary) = self.diary.lock() {
            match activity {
                Activity::Finalization(finalization) => {
                    let times = diary.finalized.entry(finalization.view()).or_default();
                    times.push(self.context.current());
                }
                Activity::Nullification(_) => diary.passed_over += 1,
                _ => {}
            }
        }
        Feedback::Ok
    }
}

/// Runs a cluster until enough is decided.
pub fn race(run: Run) -> Result {
    match run.signatures {
        Signatures::Cheap => race_with(run, mocks::scheme::fixture),
        Signatures::Ed25519 => race_with(run, ed25519::fixture),
    }
}

fn race_with<S: Scheme<Digest, PublicKey = PublicKey>>(
    run: Run,
    fixture: fn(&mut deterministic::Context, &[u8], u32) -> Fixture<S>,
) -> Result {
    // Rounds of the runtime's loop take no time worth mentioning, so that only links delay anything. But something has to.
    let cycle = match run.link_ms {
        0 => Duration::from_millis(1),
        _ => Duration::from_micros(1),
    };
    let runtime = deterministic::Config::new().with_cycle(cycle);
    let diary = Arc::new(Mutex::new(Diary::default()));
    let seen = diary.clone();
    let began = cpu();
    deterministic::Runner::new(runtime).start(|context| cluster(context, run, fixture, seen));
    let cpu = cpu() - began;
    let diary = diary
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    assert_eq!(
        diary.passed_over, 0,
        "everybody is well, so no view is passed over"
    );
    let latencies = (diary.finalized.iter())
        .filter(|(_, times)| times.len() == usize::from(run.members))
        .filter_map(|(view, times)| {
            let proposed = diary.proposed.get(view)?;
            times.iter().max()?.duration_since(*proposed).ok()
        })
        .collect();
    Result {
        decisions: diary.finalized.len() as u64,
        cpu,
        latencies,
    }
}

async fn cluster<S: Scheme<Digest, PublicKey = PublicKey>>(
    mut context: deterministic::Context,
    run: Run,
    fixture: fn(&mut deterministic::Context, &[u8], u32) -> Fixture<S>,
    diary: Arc<Mutex<Diary>>,
) {
    let members = fixture(&mut context, b"hamlet-rivals", run.members.into());
    let (network, oracle) = Network::new_with_peers(
        context.child("network"),
        simulated::Config {
            max_size: 1 << 20,
            max_peers_per_set: NZUsize!(64),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(1),
        },
        members.participants.clone(),
    )
    .await;
    network.start();
    let link = Link {
        latency: Duration::from_millis(run.link_ms),
        jitter: Duration::ZERO,
        success_rate: probability!(1.0),
    };
    for from in &members.participants {
        for to in members.participants.iter().filter(|to| *to != from) {
            let added = oracle
                .add_link(from.clone(), to.clone(), link.clone())
                .await;
            added.unwrap_or_else(|error| panic!("a link between members: {error}"));
        }
    }
    let relay = Arc::new(mocks::relay::Relay::new());
    // More than a member says to another; the network keeps room for that much on every link, which is gigabytes if it is
    // far more.
    let delay = Duration::from_millis(run.link_ms.max(1));
    let quota = Quota::per_second(match run.link_ms {
        ..10 => NZU32!(8_192),
        _ => NZU32!(1_024),
    });
    let epoch = Epoch::new(1);
    // Far longer than anything takes, as nobody fails.
    let timeout = Duration::from_millis(run.link_ms) * 20 + Duration::from_secs(2);
    let mut engines = Vec::new();
    for (member, scheme) in members.participants.iter().zip(&members.schemes) {
        let context = context.child("member").with_attribute("key", member);
        let (mut actor, application) = mocks::application::Application::<_, Sha256, _>::new(
            context.child("application"),
            mocks::application::Config {
                relay: relay.clone(),
                me: member.clone(),
                propose_latency: (0.0, 0.0),
                verify_latency: (0.0, 0.0),
                certify_latency: (0.0, 0.0),
                should_certify: mocks::application::Certifier::Always,
            },
        );
        let clock = Arc::new(context.child("clock"));
        let (now, proposals) = (clock.clone(), diary.clone());
        actor.set_propose_observer(Box::new(move |proposal| {
            if let Ok(mut diary) = proposals.lock() {
                diary.proposed.insert(proposal.round.view(), now.current());
            }
        }));
        actor.start();
        let control = oracle.control(member.clone());
        let engine = Engine::new(
            context.child("engine"),
            config::Config {
                scheme: scheme.clone(),
                elector: RoundRobin::<Sha256>::default(),
                blocker: control.clone(),
                automaton: application.clone(),
                relay: application,
                reporter: Watch {
                    context: clock,
                    diary: diary.clone(),
                    scheme: PhantomData,
                },
                track_historical_votes: false,
                strategy: Sequential,
                partition: member.to_string(),
                mailbox_size: NZUsize!(1024),
                epoch,
                floor: config::Floor::Genesis(mocks::application::genesis::<Sha256>(epoch)),
                leader_timeout: timeout,
                certification_timeout: timeout * 2,
                timeout_retry: timeout * 3,
                fetch_timeout: NZDuration!(Duration::from_secs(5)),
                fetch_retry_delay: Duration::from_millis(500),
                view_retention: ViewDelta::new(10),
                skip: SkipPolicy::Disabled,
                replay_buffer: NZUsize!(1 << 20),
                write_buffer: NZUsize!(1 << 20),
                page_cache: CacheRef::new(NZU16!(1024), NZUsize!(10)),
                forward: ForwardPolicy::Disabled,
            },
        );
        engines.push((engine, control));
    }
    // All listen before anybody speaks.
    let mut ready = Vec::new();
    for (engine, control) in engines {
        let mut channels = Vec::new();
        for channel in 0..3 {
            let registered = control.register(channel, quota).await;
            channels.push(registered.unwrap_or_else(|error| panic!("a channel: {error}")));
        }
        ready.push((engine, channels));
    }
    for (engine, channels) in ready {
        let mut channels = channels.into_iter();
        if let (Some(votes), Some(certificates), Some(resolver)) =
            (channels.next(), channels.next(), channels.next())
        {
            engine.start(votes, certificates, resolver);
        }
    }
    let everybody = |times: &Vec<SystemTime>| times.len() == usize::from(run.members);
    let step = delay;
    loop {
        let decided = (diary.lock()).map_or(0, |diary| {
            diary
                .finalized
                .values()
                .filter(|times| everybody(times))
                .count()
        });
        if decided as u64 >= run.decisions {
            return;
        }
        context.sleep(step).await;
    }
}
