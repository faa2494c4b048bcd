use super::*;
use crate::torture::Outcome;

#[cfg(not(feature = "mutants"))]
fn torture(plan: &Plan) -> Outcome {
    run(plan)
}

#[cfg(feature = "mutants")]
fn torture(plan: &Plan) -> Outcome {
    run(plan, Default::default())
}

#[test]
fn no_promise_is_broken() {
    for seed in 0..300 {
        let outcome = torture(&Plan::draw(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn a_seed_always_leads_to_the_same_run() {
    for seed in 0..10 {
        let plan = Plan::draw(seed);
        assert_eq!(torture(&plan), torture(&plan), "seed {seed}");
    }
}
