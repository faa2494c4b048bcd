//! What a long outage leaves behind.

mod common;

use common::Cluster;
use hamlet_consensus::{Input, Message, Settings};
use std::time::Duration;

/// For a week no proposal gets through, so no view commits anything. Nullifications cannot be forgotten, since later
/// blocks rest on them; so it is their number that must stay small.
#[test]
fn an_outage_however_long_leaves_few_views_open() {
    let mut cluster = Cluster::with(Settings {
        beat: Duration::from_secs(600),
        ..Settings::default()
    });
    cluster.lose = |message| matches!(message, Message::Proposal(_));
    cluster.input(0, Input::Submit(vec!["patience".into()]));
    cluster.pass(Duration::from_secs(7 * 24 * 3600));
    for replica in &cluster.replicas {
        assert_eq!(replica.height(), 0);
        assert!(
            (256..1200).contains(&replica.view()),
            "view {}",
            replica.view()
        );
    }
    cluster.lose = |_| false;
    cluster.pass(Duration::from_secs(7 * 24 * 3600));
    for replica in &cluster.replicas {
        assert_eq!(replica.application().0, b"patience");
    }
}
