use super::*;

#[test]
fn a_short_stretch_of_schedules_keeps_all_promises() {
    for seed in 0..12 {
        let plan = Plan::draw(seed);
        let outcome = run(&plan);
        assert_eq!(outcome.violation, None, "seed {seed}: {plan:#?}");
        assert!(outcome.commands > 0, "seed {seed}");
    }
}

#[test]
fn a_seed_is_a_schedule() {
    let plan = Plan::draw(3);
    assert_eq!(run(&plan), run(&plan));
}
