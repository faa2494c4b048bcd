use super::*;
use hamlet_gossip_learning::{
    data::{Dealing, Synthetic},
    model::{Learner, Loss, Step},
    protocol::{Limits, Merging, Partner, Rule, Walk, Weighting},
};

fn world(seed: u64) -> Learning {
    let data = "synthetic:rows=720,features=4,communities=1,noise=0.02";
    let data = data.parse::<Synthetic>().unwrap();
    let data = data.generate(1.0 / 6.0, seed).unwrap();
    let partition = Dealing::Even.deal(&data, Some(120), seed).unwrap();
    let terms = Terms {
        learner: Learner::linear(Loss::Logistic, 1e-2, Step::Decay, 4, data.task),
        rule: Rule {
            walk: Walk::MergeUpdate,
            merging: Merging {
                partner: Partner::LastReceived,
                weighting: Weighting::Mean,
            },
        },
        limits: Limits {
            norm_max: 1e4,
            age_slack: 64,
        },
        rows_most: 10,
        rows_least: 1,
        triangles_least: 2,
        reach: 0,
    };
    let settings = Settings {
        seed,
        parameters: Parameters {
            g_min: 5,
            g_max: 10,
            n: 16,
            k: 8,
            ..Parameters::for_peers(120)
        },
        links: LinkSettings::default(),
        round: Duration::from_secs(1),
        epoch: Duration::from_secs(10),
        moving: 0.2,
        terms,
    };
    Learning::new(settings, data, &partition).unwrap()
}

#[test]
fn both_slots_go_on_learning_while_clusters_change() {
    let mut world = world(1);
    let epochs: Vec<Progress> = (0..6).map(|_| world.run_epoch()).collect();
    for pair in epochs.windows(2) {
        let [before, after] = [pair[0], pair[1]];
        assert!(after.moved > 10, "{after:?}");
        assert!(after.models_within > 1000, "{after:?}");
        assert!(after.models_along > 100, "{after:?}");
        for slot in [0, 1] {
            assert!(after.age_mean[slot] > before.age_mean[slot], "{after:?}");
        }
    }
    let (first, last) = (epochs[0], epochs[5]);
    for slot in [0, 1] {
        assert!(last.loss_mean[slot] < first.loss_mean[slot], "{epochs:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_progress() {
    let run = |seed| {
        let mut world = world(seed);
        [world.run_epoch(), world.run_epoch()]
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
