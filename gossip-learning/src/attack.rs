//! What Byzantine peers send. They know all honest models and work together.

use crate::{random, vector};
use rand_core::Rng;
use serde::{Deserialize, Serialize};

/// A lie. Liars follow the protocol but for what is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Sends its model with every sign turned.
    SignFlip,
    /// Learns from its rows with wrong labels.
    LabelFlip,
    /// Sends noise, ten times as long as the mean honest model.
    Gaussian,
    /// Sends the honest mean, off by 1.5 honest standard deviations in every parameter: too little to
    /// stand out (Baruch, Baruch and Goldberg 2019).
    LittleIsEnough,
    /// Sends the honest mean turned round, at half its length (inner-product manipulation: Xie, Koyejo
    /// and Gupta 2020).
    InnerProduct,
    /// Pushes each receiver further from the honest mean than it is already (He, Karimireddy and Jaggi
    /// 2022, arXiv 2202.01545).
    Dissensus,
    /// Sends its model with every sign turned, at the greatest age that is admitted.
    AgeInflation,
    /// Keeps sending what it had after the first rounds, at the age that it had then.
    StaleReplay,
    /// Sends what is not a number.
    NotANumber,
    /// Sends the longest model that is admitted, against the honest mean.
    HugeWeights,
    /// Sends the model of a peer of another community.
    WrongCommunity,
}

impl Attack {
    /// All of them.
    pub const ALL: [Attack; 11] = [
        Attack::SignFlip,
        Attack::LabelFlip,
        Attack::Gaussian,
        Attack::LittleIsEnough,
        Attack::InnerProduct,
        Attack::Dissensus,
        Attack::AgeInflation,
        Attack::StaleReplay,
        Attack::NotANumber,
        Attack::HugeWeights,
        Attack::WrongCommunity,
    ];

    /// Whether the liars watch the honest models.
    pub(crate) fn needs_knowledge(self) -> bool {
        use Attack::{Dissensus, Gaussian, HugeWeights, InnerProduct, LittleIsEnough};
        matches!(
            self,
            Gaussian | LittleIsEnough | InnerProduct | Dissensus | HugeWeights
        )
    }

    /// Until which round a liar that replays takes new models in.
    pub(crate) fn freezes_after(self) -> u32 {
        if self == Attack::StaleReplay {
            3
        } else {
            u32::MAX
        }
    }
}

/// What liars know of the honest models of one kind.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Knowledge {
    mean: Vec<f32>,
    deviation: Vec<f32>,
}

impl Knowledge {
    pub(crate) fn new(width: usize) -> Knowledge {
        Knowledge {
            mean: vec![0.0; width],
            deviation: vec![0.0; width],
        }
    }

    /// Learns mean and standard deviation of every parameter.
    pub(crate) fn watch<'a>(&mut self, honest: impl Iterator<Item = &'a [f32]>) {
        self.mean.fill(0.0);
        self.deviation.fill(0.0);
        let mut count = 0.0f32;
        for model in honest {
            count += 1.0;
            for ((mean, square), weight) in self.mean.iter_mut().zip(&mut self.deviation).zip(model)
            {
                // Welford: stable where the sum of squares is not.
                let off = weight - *mean;
                *mean += off / count;
                *square += off * (weight - *mean);
            }
        }
        self.deviation
            .iter_mut()
            .for_each(|square| *square = (*square / count.max(1.0)).sqrt());
    }
}

/// What a liar has at hand when it sends.
pub(crate) struct Scene<'a> {
    pub(crate) knowledge: &'a Knowledge,
    /// The receiver's newest model.
    pub(crate) receiver: &'a [f32],
    /// The newest model of some peer of another community.
    pub(crate) foreign: &'a [f32],
    /// The longest norm that is admitted.
    pub(crate) norm_max: f32,
    /// The greatest age that is admitted.
    pub(crate) age_max: u32,
}

/// Turns an honest model, whole, and its age into a lie.
pub(crate) fn forge(
    attack: Attack,
    scene: &Scene<'_>,
    model: &mut [f32],
    age: &mut u32,
    rng: &mut impl Rng,
) {
    let Knowledge { mean, deviation } = scene.knowledge;
    match attack {
        Attack::LabelFlip | Attack::StaleReplay => {}
        Attack::SignFlip => model.iter_mut().for_each(|weight| *weight = -*weight),
        Attack::AgeInflation => {
            model.iter_mut().for_each(|weight| *weight = -*weight);
            *age = scene.age_max;
        }
        Attack::Gaussian => {
            let scale = 10.0 * vector::norm(mean) / (mean.len() as f32).sqrt();
            model
                .iter_mut()
                .for_each(|weight| *weight = scale * random::normal(rng) as f32);
        }
        Attack::LittleIsEnough => {
            for ((weight, mean), deviation) in model.iter_mut().zip(mean).zip(deviation) {
                *weight = mean - 1.5 * deviation;
            }
        }
        Attack::InnerProduct => {
            model
                .iter_mut()
                .zip(mean)
                .for_each(|(weight, mean)| *weight = -0.5 * mean);
        }
        Attack::Dissensus => vector::mix_into(model, scene.receiver, mean, -1.0),
        Attack::NotANumber => model.fill(f32::NAN),
        Attack::HugeWeights => {
            let length = vector::norm(mean).max(f32::MIN_POSITIVE);
            let factor = -0.99 * scene.norm_max / length;
            model
                .iter_mut()
                .zip(mean)
                .for_each(|(weight, mean)| *weight = factor * mean);
        }
        Attack::WrongCommunity => model.copy_from_slice(scene.foreign),
    }
}
