use super::*;

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
    for seed in 0..120 {
        let outcome = torture(&Plan::draw(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

#[test]
fn no_promise_is_broken_under_synchrony() {
    for seed in 0..60 {
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

/// Commands that were executed already, in a block that was notarized and not committed, were a reason to wait for those
/// who had seen it, and for nobody else: an equivocating leader made such a block (368402), and one who was behind (475164).
#[test]
fn executed_commands_keep_nobody_awake() {
    for seed in [368_402, 475_164] {
        let outcome = torture(&Plan::draw(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
    }
}

/// A block was committed with the liars' votes, and who had not seen that passed over its view (S6).
#[test]
fn who_has_executed_a_view_tells_those_who_pass_over_it() {
    let outcome = torture(&Plan::draw_in_time(152_712));
    assert_eq!(outcome.violation, None);
}

/// Members were moved past a view before the clock of its block had run (S4).
#[test]
fn who_is_moved_past_a_view_settles_its_block_all_the_same() {
    for seed in [2056, 2611] {
        let plan = Plan::draw_in_time(seed);
        assert!(plan.is_plot());
        assert_eq!(torture(&plan).violation, None, "seed {seed}");
    }
}

/// Members that had passed views by later views' certificates lacked different nullifications, so none could propose.
#[test]
fn gaps_between_certificates_are_filled() {
    let outcome = torture(&Plan::draw(839_261));
    assert_eq!(outcome.violation, None);
}
