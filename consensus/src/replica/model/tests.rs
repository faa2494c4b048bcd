//! What the exploration shows.

use super::cluster::Cluster;
use crate::{
    member::Member,
    mutant::Mutant::{self, *},
};
use stateright::{Checker, HasDiscoveries, Model, UniformChooser};
use std::{collections::BTreeSet, time::Duration};

/// Explores everything that can happen if this member lies, up to a view and as many lies, and finds no promise broken.
/// Which of the good things that may happen were seen.
fn explore(liar: Member, views: u64, lies: usize) -> BTreeSet<&'static str> {
    let cluster = Cluster::new(liar, views, lies);
    let checker = cluster.checker().threads(2).spawn_dfs().join();
    println!(
        "member {liar} lies {lies} times, views to {views}: {} states, {} steps between them, at most {} in a row",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth()
    );
    for promise in Cluster::PROMISES {
        checker.assert_no_discovery(promise);
    }
    checker.discoveries().into_keys().collect()
}

#[test]
fn whatever_happens_promises_hold() {
    let bounds = [(1, 1, 2), (1, 2, 0), (2, 1, 1), (2, 2, 0)];
    let seen: BTreeSet<&str> = (bounds.into_iter())
        .flat_map(|(liar, views, lies)| explore(liar, views, lies))
        .collect();
    assert_eq!(seen.len(), 3, "good things happen too: {seen:?}");
}

/// Minutes: `cargo test --release -p hamlet-consensus --lib model -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn whatever_happens_promises_hold_farther_on() {
    for (liar, views, lies) in [(2, 1, 2), (1, 1, 3), (1, 2, 1)] {
        explore(liar, views, lies);
    }
}

/// The promise that is found broken when a rule is.
fn broken_by(mutant: Mutant) -> Option<&'static str> {
    let promise = |checker: &dyn Fn(&'static str) -> bool| {
        (Cluster::PROMISES.into_iter()).find(|promise| checker(promise))
    };
    let builder = |cluster: Cluster| {
        (cluster.with(mutant).checker())
            .finish_when(HasDiscoveries::AnyFailures)
            .timeout(Duration::from_secs(60))
    };
    match mutant {
        // Without lies all that can happen is little.
        NeverAbandon | NeverSupport => {
            let checker = builder(Cluster::new(2, 2, 0)).spawn_dfs().join();
            promise(&|promise| checker.discovery(promise).is_some())
        }
        // With five lies it is too much to try all, so walks are drawn.
        _ => {
            let cluster = builder(Cluster::new(1, 2, 5));
            let checker = cluster.spawn_simulation(7, UniformChooser).join();
            promise(&|promise| checker.discovery(promise).is_some())
        }
    }
}

#[test]
fn broken_rules_break_promises() {
    for (mutant, promise) in [
        (SmallQuorum, "agreement"),
        (FastQuorum, "agreement"),
        (VoteTwice, "the honest are not accused and nothing forks"),
        (
            FinalizeAlways,
            "the honest are not accused and nothing forks",
        ),
        (NeverAbandon, "nobody is stuck"),
        (NeverSupport, "nobody is stuck"),
        (NeverHelp, "nobody is stuck"),
    ] {
        assert_eq!(broken_by(mutant), Some(promise), "{mutant:?}");
    }
}
