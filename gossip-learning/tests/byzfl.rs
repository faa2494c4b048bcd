//! The robust rules agree with ByzFL's on vectors that `byzfl/record.py` recorded.

use hamlet_gossip_learning::robust::{Rule, Scratch};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Case {
    byzantine: usize,
    vectors: Vec<Vec<f32>>,
    expected: BTreeMap<String, Vec<f32>>,
}

#[test]
fn every_rule_agrees_with_byzfl() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("byzfl/vectors.json")).unwrap();
    assert_eq!(cases.len(), 6);
    let mut scratch = Scratch::default();
    for case in cases {
        let vectors: Vec<&[f32]> = case.vectors.iter().map(Vec::as_slice).collect();
        for (name, expected) in &case.expected {
            let rule: Rule = name.parse().unwrap();
            let mut out = vec![0.0; expected.len()];
            rule.aggregate(&vectors, 0, case.byzantine, &mut out, &mut scratch);
            for (ours, theirs) in out.iter().zip(expected) {
                let off = (ours - theirs).abs();
                assert!(
                    off < 2e-4,
                    "{name} of {}: {out:?} {expected:?}",
                    vectors.len()
                );
            }
        }
    }
}
