use super::*;
use crate::{
    Row, Rows, Task,
    attack::Attack,
    model::{KMeans, Loss, Step},
    protocol::{Merging, Partner, Rule, Tokens, Walk, Weighting},
    sampler::Sampling,
};

/// Rows of two classes that a line through zero tells apart, with some noise.
fn data(rows: usize) -> Dataset {
    let mut rng = random::stream(11, 1);
    let mut made = || {
        let mut matrix = Rows::dense(4);
        for _ in 0..rows {
            let label = if random::chance(&mut rng, 0.5) {
                1.0
            } else {
                -1.0
            };
            let values: Vec<f32> = (0..4)
                .map(|_| random::normal(&mut rng) as f32 + label)
                .collect();
            matrix.push(Row::Dense(&values), label);
        }
        matrix
    };
    Dataset {
        task: Task::Binary,
        features: Vec::new(),
        classes: Vec::new(),
        communities: vec!["all".to_owned()],
        train: made(),
        train_community: vec![0; rows],
        test: made(),
        test_community: vec![0; rows],
    }
}

fn settings() -> Settings {
    Settings {
        learner: Learner::linear(Loss::Hinge, 1e-3, Step::Decay, 4, Task::Binary),
        rule: Rule {
            walk: Walk::MergeUpdate,
            merging: Merging {
                partner: Partner::LastReceived,
                weighting: Weighting::Mean,
            },
        },
        parts: 1,
        cache: 1,
        sampling: Sampling::Uniform,
        tokens: Tokens::Always,
        pass_through: false,
        drop: 0.0,
        delay: None,
        churn: None,
        byzantine: 0.0,
        attack: None,
        defence: None,
        seed: 1,
    }
}

fn run(settings: Settings, rounds: u32) -> (Arena, Measures) {
    let data = data(200);
    let partition = Partition::new((0..200).map(|row| (vec![row], 0)));
    let world = World {
        data: &data,
        partition: &partition,
        links: None,
    };
    let mut arena = Arena::new(settings, world).unwrap();
    (0..rounds).for_each(|_| arena.step(world));
    let measures = evaluate(&arena, world, &sample(&arena, world, 50, 1));
    (arena, measures)
}

fn failing() -> Settings {
    Settings {
        drop: 0.5,
        delay: Some(Delay {
            least: 1.0,
            most: 10.0,
        }),
        churn: Some(Churn {
            online: 0.9,
            mu: 0.0,
            sigma: 1.0,
        }),
        ..settings()
    }
}

#[test]
fn every_walk_learns() {
    for walk in [Walk::Random, Walk::MergeUpdate, Walk::UpdateMerge] {
        let mut settings = settings();
        settings.rule.walk = walk;
        let (_, measures) = run(settings, 40);
        assert!(measures.local.own_mean < 0.06, "{walk:?}: {measures:?}");
    }
}

#[test]
fn failures_slow_learning_down_but_do_not_stop_it() {
    let (arena, measures) = run(failing(), 150);
    assert!(measures.local.own_mean < 0.08, "{measures:?}");
    // One message a round of those online, whether it arrives or not.
    assert_eq!(arena.traffic().messages, 180 * 150);
}

#[test]
fn parts_tokens_and_votes_learn_too() {
    let parts = Settings {
        parts: 4,
        ..settings()
    };
    let tokens = Settings {
        tokens: Tokens::Randomised {
            capacity: 10,
            thrift: 2,
        },
        ..failing()
    };
    let votes = Settings {
        cache: 10,
        ..settings()
    };
    for (settings, rounds) in [(parts, 100), (tokens, 150), (votes, 40)] {
        let (_, measures) = run(settings, rounds);
        assert!(measures.local.own_mean < 0.08, "{measures:?}");
    }
}

#[test]
fn centres_come_nearer_to_the_rows() {
    let learner = Learner::KMeans(KMeans {
        features: 4,
        centres: 2,
        rate: 0.05,
        seed: 1,
    });
    let error = |rounds| {
        let settings = Settings {
            learner: learner.clone(),
            ..settings()
        };
        run(settings, rounds).1.global.all_mean
    };
    // Rows deviate by 1 in each of four columns from the middle of their class.
    assert!(
        error(0) > 2.3 && error(100) < 2.1,
        "{} {}",
        error(0),
        error(100)
    );
}

#[test]
fn no_honest_model_is_refused_for_its_age() {
    for settings in [settings(), failing()] {
        for walk in [Walk::Random, Walk::MergeUpdate, Walk::UpdateMerge] {
            let mut settings = settings.clone();
            settings.rule.walk = walk;
            assert_eq!(run(settings, 100).0.traffic().refused, 0, "{walk:?}");
        }
    }
}

#[test]
fn what_is_not_a_number_never_enters_a_model() {
    let settings = Settings {
        byzantine: 0.3,
        attack: Some(Attack::NotANumber),
        ..settings()
    };
    let (arena, measures) = run(settings, 40);
    assert_eq!(arena.traffic().refused, 60 * 40);
    assert!(measures.local.own_mean < 0.06, "{measures:?}");
}

#[test]
fn an_undefended_network_suffers_from_turned_signs() {
    let settings = Settings {
        byzantine: 0.4,
        attack: Some(Attack::SignFlip),
        ..settings()
    };
    let (_, measures) = run(settings, 40);
    assert!(measures.local.own_mean > 0.1, "{measures:?}");
}

#[test]
fn each_recommended_defence_holds_against_lies_of_every_kind() {
    let rule = |text: &str| Way::Together {
        fit: text.starts_with("fit+"),
        rule: text.trim_start_matches("fit+").parse().unwrap(),
        byzantine: 5,
    };
    let ways = [
        (rule("fit+sieve"), 16),
        (rule("acute+sieve"), 16),
        (Way::Jury, 32),
    ];
    let with_each = |attack| ways.iter().map(move |way| (attack, way));
    for (attack, (way, models)) in Attack::ALL.into_iter().flat_map(with_each) {
        let settings = Settings {
            byzantine: 0.2,
            attack: Some(attack),
            defence: Some(Defence {
                models: *models,
                way: way.clone(),
            }),
            ..settings()
        };
        let data = data(1000);
        let rows = |peer: u32| (peer * 10..peer * 10 + 10).collect();
        let partition = Partition::new((0..100).map(|peer| (rows(peer), 0)));
        let world = World {
            data: &data,
            partition: &partition,
            links: None,
        };
        let mut arena = Arena::new(settings, world).unwrap();
        (0..60).for_each(|_| arena.step(world));
        let measures = evaluate(&arena, world, &sample(&arena, world, 20, 1));
        assert!(
            measures.local.own_mean < 0.08,
            "{attack:?}, {way:?}: {measures:?}"
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_models_also_after_a_pause() {
    let data = data(100);
    let partition = Partition::new((0..100).map(|row| (vec![row], 0)));
    let world = World {
        data: &data,
        partition: &partition,
        links: None,
    };
    let mut whole = Arena::new(failing(), world).unwrap();
    (0..30).for_each(|_| whole.step(world));
    let mut first = Arena::new(failing(), world).unwrap();
    (0..15).for_each(|_| first.step(world));
    let mut second = first.clone();
    (0..15).for_each(|_| second.step(world));
    for peer in 0..100 {
        assert_eq!(
            whole.newest(peer, Kind::Local),
            second.newest(peer, Kind::Local)
        );
    }
    assert_eq!(whole.traffic(), second.traffic());
}

#[test]
fn contradictory_settings_are_refused_with_a_remedy() {
    let data = data(10);
    let partition = Partition::new((0..10).map(|row| (vec![row], 0)));
    let world = World {
        data: &data,
        partition: &partition,
        links: None,
    };
    for wrong in [
        Settings {
            sampling: Sampling::Graph,
            ..settings()
        },
        Settings {
            byzantine: 0.2,
            ..settings()
        },
        Settings {
            parts: 5,
            ..settings()
        },
        Settings {
            drop: 1.0,
            ..settings()
        },
    ] {
        assert!(Arena::new(wrong, world).is_err());
    }
}

/// Local models' error on their own community's rows, where a fifth of the peers lie: numbers around one level or another,
/// one row a peer, over the links of a geometric graph. Seen from zero these levels are all that models are.
fn error_over_links(attack: Attack, defence: Option<Way>) -> f64 {
    let mut rng = random::stream(13, 1);
    let community: Vec<u32> = (0..400).map(|row| row % 2).collect();
    let mut made = || {
        let mut rows = Rows::dense(2);
        for community in &community {
            let level = 4.0 + *community as f32;
            let noise = [0; 2].map(|_| random::normal(&mut rng) as f32);
            rows.push(Row::Dense(&[noise[0], 1.0]), level + 0.1 * noise[1]);
        }
        rows
    };
    let data = Dataset {
        task: Task::Regression,
        features: Vec::new(),
        classes: Vec::new(),
        communities: vec!["low".to_owned(), "high".to_owned()],
        train: made(),
        train_community: community.clone(),
        test: made(),
        test_community: community.clone(),
    };
    let partition = Partition::new((0u32..).zip(&community).map(|(row, own)| (vec![row], *own)));
    let graph = "geometric:degree=10,between=0.03".parse::<crate::graph::Spec>();
    let graph = graph.unwrap().generate(&community, 1).unwrap();
    let support = TriangleSupport::of(&graph);
    let world = World {
        data: &data,
        partition: &partition,
        links: Some((&graph, &support)),
    };
    let step = Step::Capped {
        most: 0.02,
        least: 0.0,
    };
    let mut learner = Learner::linear(Loss::Squared, 0.0, step, 2, Task::Regression);
    if let Learner::Linear(linear) = &mut learner {
        linear.level = 4.5;
    }
    let settings = Settings {
        learner,
        sampling: Sampling::Triangles { least: 1, reach: 0 },
        byzantine: 0.2,
        attack: Some(attack),
        defence: defence.map(|way| Defence { models: 32, way }),
        ..settings()
    };
    let mut arena = Arena::new(settings, world).unwrap();
    (0..300).for_each(|_| arena.step(world));
    let measures = evaluate(&arena, world, &sample(&arena, world, 200, 1));
    measures.local.own_mean
}

#[test]
fn a_jury_keeps_foreign_communities_out_that_neighbours_pass_on() {
    let error = |defence| error_over_links(Attack::WrongCommunity, defence);
    let (undefended, jury) = (error(None), error(Some(Way::Jury)));
    assert!(jury < undefended / 2.0, "{jury} against {undefended}");
}

#[test]
fn a_jury_holds_against_gross_lies_though_some_peers_know_hardly_anybody_else() {
    use Attack::{Dissensus, Gaussian, HugeWeights, InnerProduct, LittleIsEnough, SignFlip};
    for attack in [
        Dissensus,
        Gaussian,
        HugeWeights,
        InnerProduct,
        LittleIsEnough,
        SignFlip,
    ] {
        let error = error_over_links(attack, Some(Way::Jury));
        assert!(error < 0.2, "{attack:?}: {error}");
    }
}
