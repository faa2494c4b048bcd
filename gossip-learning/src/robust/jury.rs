//! Judging one model at a time by those that came before it.
//!
//! Where each peer owns few rows, the average of many received models forgets what the few rows that still
//! teach something have taught, and rules that take outliers out take those out first. So here the models received
//! last only judge, as a jury, and the newest one alone is merged, pairwise. With the centre c the
//! coordinate-wise median of the jury and the own model (Yin et al. 2018), an arriving model a is refused where
//!
//! - **J1** it makes an obtuse angle with more than half of the jury, as what is turned round does;
//! - **J2** it is longer than three times the jury's median length (the bound on norms of Sun et al. 2019,
//!   arXiv 1911.07963);
//! - **J3** two of the jury or more lie off the centre in its direction, at a cosine above .6: honest steps come
//!   from different rows and differ in direction, colluding liars repeat themselves (the similarity of
//!   updates that Fung, Yoon and Beschastnikh 2020, arXiv 1808.04866, call a sign of sybils). Random
//!   directions among d parameters have cosines of deviation 1/√d: three of these are asked for at least, so that
//!   models of less than nine parameters are never refused for this;
//! - **J4** it takes the centre back: its part along c lies below the jury's median by more than three of their
//!   median absolute deviations from it. Whose row the centre gets right by a little steps forward, whose row it
//!   gets wrong steps back; so the network learns as under the ramp loss, which gives up rows that are far off
//!   (Collobert et al. 2006), and wrong labels, most of which are far off, teach it little;
//! - **J5** it is less than half as old as the jury's median: what is sent again without having learned since.
//!
//! Models are taken as what they have learned beyond the one that everybody began with: the level that a regression begins
//! at is much longer than all it learns, and seen from zero all its models point the same way.
//!
//! The rule knows no rows and no share of liars. J5 takes the sender's word for the age. The combination and the
//! numbers in J3, J4 and J5 are our own. Two of them suit not every task ([`Asked`]): J4 is one-sided, as suits classes, whose
//! models grow along the centre; a regression would be pushed up by it. J3 wants senders from all over the network: over the
//! few links of a graph the same senders come again and again, and friends of friends have learned the same. There
//! [`Record`](super::Record) asks what only repetition can answer.

use super::Scratch;
use crate::vector::{dot, norm};

/// How many times the median length is too long (J2).
const LENGTH: f32 = 3.0;
/// The cosine above which two models push the same way, in deviations of that of random directions at least, and
/// how many such companions are too many (J3).
const LIKENESS: f32 = 0.6;
const DEVIATIONS: f32 = 3.0;
const COMPANIONS: usize = 2;
/// How many deviations below the jury's median along the centre are too far back (J4).
const BACK: f32 = 3.0;

/// Which of the objections that do not suit every task are raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// J3, where models come from anywhere in the network.
    pub repeated: bool,
    /// J4, where models tell classes apart.
    pub undoing: bool,
}

/// What speaks against a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objection {
    /// It points away from most others (J1).
    Turned,
    /// It is too long (J2).
    Long,
    /// Others push the same way (J3).
    Repeated,
    /// It undoes what has been learned (J4).
    Undoing,
    /// It is out of date (J5).
    Stale,
}

/// Judges a model and its age by those in `jury`, and by the `own` model as far as their centre goes. Returns
/// the age that it may claim: its own, but not much more than the jury's median, so that liars who are fewer than half
/// cannot set it. An empty jury objects to nothing.
///
/// # Errors
/// The first objection.
pub fn judge<'a>(
    (arriving, age): (&[f32], u32),
    own: impl Iterator<Item = f32>,
    jury: impl Iterator<Item = (&'a [f32], u32)> + Clone,
    asked: Asked,
    scratch: &mut Scratch,
) -> Result<u32, Objection> {
    let Scratch {
        models: away,
        mixed: centre,
        distances: along,
        chosen: ages,
        column,
        ..
    } = scratch;
    ages.clear();
    ages.extend(jury.clone().map(|(_, age)| age));
    let count = ages.len();
    if count == 0 {
        return Ok(age);
    }
    let usual_age = *ages.select_nth_unstable(count / 2).1;
    if age.saturating_mul(2) < usual_age {
        return Err(Objection::Stale);
    }
    let jury = jury.map(|(model, _)| model);
    let against = jury.clone().filter(|model| dot(model, arriving) < 0.0);
    if 2 * against.count() > count {
        return Err(Objection::Turned);
    }
    column.clear();
    column.extend(jury.clone().map(norm));
    if norm(arriving) > LENGTH * median(column) {
        return Err(Objection::Long);
    }
    centre.clear();
    for (place, own) in own.enumerate() {
        column.clear();
        column.extend(jury.clone().filter_map(|model| model.get(place)));
        column.push(own);
        centre.push(median(column));
    }
    along.clear();
    along.extend(jury.clone().map(|model| dot(model, centre)));
    let usual = median(along);
    (along.iter_mut()).for_each(|along| *along = (*along - usual).abs());
    if asked.undoing && usual - dot(arriving, centre) > BACK * median(along) {
        return Err(Objection::Undoing);
    }
    away.clear();
    away.extend(arriving.iter().zip(&*centre).map(|(a, c)| a - c));
    let length = norm(away);
    let likeness = LIKENESS.max(DEVIATIONS / (arriving.len() as f32).sqrt());
    let is_companion = |model: &&[f32]| {
        let (mut squared, mut along) = (0.0, 0.0);
        for ((entry, centre), away) in model.iter().zip(&*centre).zip(&*away) {
            let off = entry - centre;
            squared += off * off;
            along += off * away;
        }
        along > likeness * squared.sqrt() * length
    };
    if asked.repeated && jury.filter(is_companion).count() >= COMPANIONS {
        return Err(Objection::Repeated);
    }
    Ok(age.min(usual_age.saturating_add(count as u32)))
}

/// The median, the upper one of two; zero of nothing.
pub(super) fn median(values: &mut [f32]) -> f32 {
    let middle = values.len() / 2;
    if values.is_empty() {
        return 0.0;
    }
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random;
    use proptest::prelude::*;

    const WIDTH: usize = 40;

    /// Honest models: a common direction of length 6, and noise of about the same length.
    fn honest(count: usize) -> Vec<Vec<f32>> {
        let mut rng = random::stream(11, 1);
        let mut model = || {
            let entry = |_| (0.95 + random::normal(&mut rng)) as f32;
            (0..WIDTH).map(entry).collect()
        };
        (0..count).map(|_| model()).collect()
    }

    const AGE: u32 = 100;

    const ALL: Asked = Asked {
        repeated: true,
        undoing: true,
    };

    fn verdict(arriving: &[f32], jury: &[Vec<f32>]) -> Result<(), Objection> {
        verdict_at(AGE, arriving, jury).map(|_| ())
    }

    fn verdict_at(age: u32, arriving: &[f32], jury: &[Vec<f32>]) -> Result<u32, Objection> {
        let (own, jury) = (
            jury[0].iter().copied(),
            jury[1..].iter().map(|model| (&model[..], AGE)),
        );
        judge((arriving, age), own, jury, ALL, &mut Scratch::default())
    }

    #[test]
    fn honest_models_pass_however_unlike_they_are() {
        let models = honest(64);
        let (jury, others) = models.split_at(33);
        let passed = others.iter().filter(|model| verdict(model, jury).is_ok());
        assert!(passed.count() >= 26);
    }

    #[test]
    fn each_kind_of_lie_meets_its_objection() {
        let models = honest(34);
        let (jury, model) = (&models[..33], &models[33]);
        assert_eq!(verdict(model, jury), Ok(()));
        let times = |factor: f32| -> Vec<f32> { model.iter().map(|w| factor * w).collect() };
        assert_eq!(verdict(&times(-1.0), jury), Err(Objection::Turned));
        assert_eq!(verdict(&times(9.0), jury), Err(Objection::Long));
        assert_eq!(verdict(&times(2.0), jury), Ok(()));
        // Much of the centre taken back, by less in each parameter than honest models differ.
        let centre_back: Vec<f32> = model.iter().map(|weight| weight - 0.6).collect();
        assert_eq!(verdict(&centre_back, jury), Err(Objection::Undoing));
        let forward: Vec<f32> = model.iter().map(|weight| weight + 0.6).collect();
        assert_eq!(verdict(&forward, jury), Ok(()));
        assert_eq!(verdict_at(AGE / 2, model, jury), Ok(AGE / 2));
        let stale = verdict_at(AGE / 2 - 1, model, jury);
        assert_eq!(stale, Err(Objection::Stale));
    }

    #[test]
    fn nobody_claims_an_age_far_beyond_the_jury() {
        let models = honest(34);
        let claimed = verdict_at(u32::MAX, &models[33], &models[..33]);
        assert_eq!(claimed, Ok(AGE + 32));
    }

    #[test]
    fn a_lie_is_refused_once_two_of_its_kind_are_on_the_jury() {
        // A little off in every parameter, all alike: each alone could be honest.
        let mut jury = honest(33);
        let off = |place| if place % 2 == 0 { 1.7 } else { 0.2 };
        let lie: Vec<f32> = (0..WIDTH).map(off).collect();
        assert_eq!(verdict(&lie, &jury), Ok(()));
        jury[5] = lie.clone();
        assert_eq!(verdict(&lie, &jury), Ok(()));
        jury[20] = lie.clone();
        assert_eq!(verdict(&lie, &jury), Err(Objection::Repeated));
    }

    #[test]
    fn chance_likeness_of_few_parameters_is_no_company() {
        let jury: Vec<Vec<f32>> = honest(33).iter().map(|model| model[..4].to_vec()).collect();
        let repeated = (0..33).filter(|place| {
            let mut others = jury.clone();
            let model = others.remove(*place);
            verdict(&model, &others) == Err(Objection::Repeated)
        });
        assert_eq!(repeated.count(), 0);
    }

    #[test]
    fn nobody_objects_to_equal_models_or_without_a_jury() {
        let model = honest(1).remove(0);
        assert_eq!(verdict(&model, &vec![model.clone(); 9]), Ok(()));
        assert_eq!(verdict(&model, &honest(1)), Ok(()));
        assert_eq!(
            judge(
                (&[], 7),
                std::iter::empty(),
                std::iter::empty(),
                ALL,
                &mut Scratch::default()
            ),
            Ok(7)
        );
    }

    proptest! {
        #[test]
        fn no_input_panics(
            models in prop::collection::vec(prop::array::uniform3(any::<f32>()), 2..9),
            ages in prop::array::uniform9(any::<u32>()),
        ) {
            let jury = models[2..].iter().map(|model| &model[..]).zip(ages);
            let _ = judge((&models[0], ages[8]), models[1].into_iter(), jury, ALL, &mut Scratch::default());
        }
    }
}
