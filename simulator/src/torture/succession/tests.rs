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
fn no_promise_is_broken_under_synchrony() {
    for seed in 0..200 {
        let outcome = torture(&Plan::draw_in_time(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn a_seed_always_leads_to_the_same_run() {
    for seed in 0..10 {
        for plan in [Plan::draw(seed), Plan::draw_in_time(seed)] {
            assert_eq!(torture(&plan), torture(&plan), "seed {seed}");
        }
    }
}

/// Links were slower than the time that an answer was waited for, so every answer came when another was asked.
#[test]
fn a_state_that_comes_late_is_as_good() {
    for seed in [9138, 9623] {
        let outcome = torture(&Plan::draw(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

/// Its cluster had split from the one that it asked, so nobody but itself knew the answer.
#[test]
fn who_knows_the_answer_itself_does_not_wait_for_it() {
    for seed in [313, 911, 1966] {
        let outcome = torture(&Plan::draw_in_time(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

/// What an epoch left over waited for one that asked to be taken in, and was carried into the host.
#[test]
fn what_waits_for_a_cluster_that_is_taken_in_is_not_carried_on() {
    for plan in [Plan::draw(18_078), Plan::draw_in_time(14_070)] {
        assert_eq!(torture(&plan).violation, None, "seed {}", plan.seed);
    }
}
