//! From wishes to the settings of a run.

use super::{options::Options, stage::Stage, wish::Wish};
use hamlet_gossip_learning::{
    Dataset, Task,
    arena::{Churn, Defence, Delay, Settings, Way},
    attack::Attack,
    model::{KMeans, Learner, Loss, Step},
    protocol::{Merging, Partner, Rule, Tokens, Walk, Weighting},
    sampler::Sampling,
};
use std::error::Error;

/// The name that data sets give to their column of ones.
const INTERCEPT: &str = "(intercept)";

type Wished<T> = Result<T, Box<dyn Error>>;

/// The settings of the run under `seed`.
pub fn settings(options: &Options, stage: &Stage, seed: u64) -> Wished<Settings> {
    let attack = attack(options)?;
    // Whoever names `none` wants the same run without liars.
    let nobody = options.attack.is_some() && attack.is_none();
    let byzantine = options.byzantine.unwrap_or(0.0);
    let defence = defence(options, byzantine)?;
    let byzantine = if nobody { 0.0 } else { byzantine };
    Ok(Settings {
        learner: learner(options, &stage.data, seed)?,
        rule: rule(options)?,
        parts: options.parts.unwrap_or(1),
        cache: options.cache.unwrap_or(1),
        sampling: sampling(options)?,
        tokens: tokens(options)?,
        pass_through: options.pass_through.unwrap_or(false),
        drop: options.loss.unwrap_or(0.0),
        delay: delay(options)?,
        churn: churn(options)?,
        byzantine,
        attack,
        defence,
        seed,
    })
}

/// The model of a run that asks for none.
pub fn usual_model(data: &Dataset) -> &'static str {
    if data.task == Task::Regression {
        "linear"
    } else {
        "pegasos"
    }
}

fn learner(options: &Options, data: &Dataset, seed: u64) -> Wished<Learner> {
    let mut wish = Wish::of(
        "model",
        options.model.as_deref().unwrap_or(usual_model(data)),
    );
    let features = data.train.features();
    let (loss, lambda) = match wish.name {
        "pegasos" => (Loss::Hinge, 1e-4),
        "logistic" => (Loss::Logistic, 1e-2),
        "adaline" => (Loss::SquaredSign, 10.0),
        "linear" => (Loss::Squared, 0.0),
        "kmeans" => {
            let (centres, rate) = (wish.take("centres", 5)?, wish.take("rate", 0.05)?);
            if !(1..=128).contains(&centres) || !(0.0..=1.0).contains(&rate) {
                return Err(wish.wrong("1 to 128 centres, and a rate from 0 to 1"));
            }
            wish.done()?;
            return Ok(Learner::KMeans(KMeans {
                features,
                centres,
                rate,
                seed,
            }));
        }
        _ => return Err(wish.wrong("no such model")),
    };
    let step = if loss == Loss::Squared {
        Step::Capped {
            most: wish.take("rate", 0.02)?,
            least: wish.take("least", 0.0)?,
        }
    } else {
        Step::Decay
    };
    let lambda: f32 = wish.take("lambda", lambda)?;
    if !(lambda.is_finite() && (lambda > 0.0 || loss == Loss::Squared)) {
        return Err(wish.wrong("lambda is to be greater than 0"));
    }
    if (loss == Loss::Squared) != (data.task == Task::Regression) {
        let fit = if loss == Loss::Squared {
            "pegasos, logistic or adaline"
        } else {
            "linear"
        };
        return Err(wish.wrong(format!("this model does not fit the label: take {fit}")));
    }
    wish.done()?;
    let mut learner = Learner::linear(loss, lambda, step, features, data.task);
    if let Learner::Linear(linear) = &mut learner
        && loss == Loss::Squared
        && data.features.last().is_some_and(|name| name == INTERCEPT)
    {
        let labels = data.train.labels();
        linear.level = labels.iter().sum::<f32>() / labels.len().max(1) as f32;
    }
    Ok(learner)
}

fn rule(options: &Options) -> Wished<Rule> {
    let wish = Wish::of("merge", options.merge.as_deref().unwrap_or("mu"));
    let walk = match wish.name {
        "rw" => Walk::Random,
        "mu" => Walk::MergeUpdate,
        "um" => Walk::UpdateMerge,
        _ => return Err(wish.wrong("write rw, mu or um")),
    };
    wish.done()?;
    let wish = Wish::of("partner", options.partner.as_deref().unwrap_or("last"));
    let partner = match wish.name {
        "last" => Partner::LastReceived,
        "own" => Partner::OwnNewest,
        _ => return Err(wish.wrong("write last or own")),
    };
    wish.done()?;
    let mut wish = Wish::of("weight", options.weight.as_deref().unwrap_or("mean"));
    let weighting = match wish.name {
        "mean" => Weighting::Mean,
        "age" => Weighting::Age,
        "limited" => Weighting::Limited {
            most: wish.take("ages", 10)?,
        },
        _ => return Err(wish.wrong("write mean, age or limited:AGES")),
    };
    wish.done()?;
    Ok(Rule {
        walk,
        merging: Merging { partner, weighting },
    })
}

fn sampling(options: &Options) -> Wished<Sampling> {
    let usual = if options.graph.is_some() {
        "graph"
    } else {
        "uniform"
    };
    let mut wish = Wish::of("sampler", options.sampler.as_deref().unwrap_or(usual));
    let sampling = match wish.name {
        "uniform" => Sampling::Uniform,
        "view" => Sampling::View {
            size: wish.take("size", 5)?,
            refreshes: wish.take("refreshes", 1)?,
        },
        "matching" => Sampling::Matching,
        "graph" => Sampling::Graph,
        "triangles" => Sampling::Triangles {
            least: wish.take("least", 1)?,
            reach: wish.take("reach", 100)?,
        },
        "pens" => Sampling::Pens {
            of: wish.take("of", 10)?,
            best: wish.take("best", 2)?,
        },
        "dac" => Sampling::Dac {
            a: wish.take("a", 30.0)?,
            b: wish.take("b", 0.2)?,
        },
        _ => return Err(wish.wrong("no such sampler")),
    };
    wish.done()?;
    Ok(sampling)
}

fn tokens(options: &Options) -> Wished<Tokens> {
    let mut wish = Wish::of("tokens", options.tokens.as_deref().unwrap_or("always"));
    let tokens = match wish.name {
        "always" => Tokens::Always,
        "simple" => Tokens::Simple {
            capacity: wish.take("capacity", 10)?,
        },
        "generalised" => Tokens::Generalised {
            capacity: wish.take("capacity", 20)?,
            thrift: wish.take("thrift", 10)?,
        },
        "randomised" => Tokens::Randomised {
            capacity: wish.take("capacity", 20)?,
            thrift: wish.take("thrift", 10)?,
        },
        _ => return Err(wish.wrong("no such account")),
    };
    match tokens {
        Tokens::Generalised { capacity, thrift } | Tokens::Randomised { capacity, thrift }
            if thrift == 0 || thrift > capacity =>
        {
            Err(wish.wrong("the thrift is from 1 to the capacity"))
        }
        _ => wish.done().map(|()| tokens),
    }
}

fn delay(options: &Options) -> Wished<Option<Delay>> {
    let Some(text) = options.delay.as_deref() else {
        return Ok(None);
    };
    let (least, most) = text.split_once("..").unwrap_or((text, text));
    match (least.parse(), most.parse()) {
        (Ok(least), Ok(most)) => Ok((most > 0.0).then_some(Delay { least, most })),
        _ => Err(format!("--delay {text}: write rounds, 1, or a range of them, 1..10").into()),
    }
}

fn churn(options: &Options) -> Wished<Option<Churn>> {
    let Some(text) = options.churn.as_deref() else {
        return Ok(None);
    };
    let mut wish = Wish::of("churn", text);
    let Ok(offline) = wish.name.parse::<f64>() else {
        return Err(wish.wrong("write the share of the peers that is offline, 0.1"));
    };
    let (mu, sigma) = (wish.take("mu", 0.0)?, wish.take("sigma", 1.0)?);
    wish.done()?;
    Ok((offline != 0.0).then_some(Churn {
        online: 1.0 - offline,
        mu,
        sigma,
    }))
}

fn attack(options: &Options) -> Wished<Option<Attack>> {
    let Some(text) = options.attack.as_deref().filter(|text| *text != "none") else {
        return Ok(None);
    };
    let attack = serde_json::from_value(serde_json::Value::String(text.to_owned()));
    attack
        .map(Some)
        .map_err(|problem| format!("--attack {text}: {problem}").into())
}

fn defence(options: &Options, byzantine: f64) -> Wished<Option<Defence>> {
    let Some(text) = options.defence.as_deref().filter(|text| *text != "none") else {
        return Ok(None);
    };
    if text == "jury" {
        let models = options.defence_models.unwrap_or(32);
        let way = Way::Jury;
        return Ok(Some(Defence { models, way }));
    }
    let models = options.defence_models.unwrap_or(16);
    let rule = text.strip_prefix("fit+");
    // The lies among those received, a standard deviation above what is to be expected.
    let mean = byzantine * models as f64;
    let many = (mean + (mean * (1.0 - byzantine)).sqrt()).ceil() as usize;
    let byzantine = many.clamp(1, (models / 2).max(1));
    Ok(Some(Defence {
        models,
        way: Way::Together {
            fit: rule.is_some(),
            rule: rule.unwrap_or(text).parse().map_err(|problem| {
                format!(
                    "--defence {text}: {problem}, or fit+ in front of all that; or none, or jury"
                )
            })?,
            byzantine,
        },
    }))
}
