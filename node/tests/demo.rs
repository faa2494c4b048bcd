//! The demonstration, from its options to its figures.

use clap::Parser;
use hamlet_node::demo::{self, Options};
use std::future::pending;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    options: Options,
}

fn options(arguments: &[&str]) -> Options {
    let arguments = ["demo"].iter().chain(arguments);
    Arguments::try_parse_from(arguments).unwrap().options
}

#[tokio::test(flavor = "multi_thread")]
async fn it_streams_past_liars_and_the_dead_and_says_what_it_measured() {
    // Clusters of four: at worst half of one is silent or dead.
    let options = options(&[
        "--peers=16",
        "--seconds=4",
        "--silent=0.1",
        "--kill=1@2",
        "--link-delay=10ms",
    ]);
    let mut lines = String::new();
    let summary = demo::run(&options, pending(), |text| lines = text.to_owned())
        .await
        .unwrap();
    assert_eq!(lines.lines().count(), 5, "{lines}");
    assert_eq!(summary.delivered_ratio, 1.0, "{summary}");
    assert!(summary.bytes_identical, "{summary}");
    assert_eq!((summary.peers, summary.clusters), (16, 4));
    assert_eq!((summary.killed, summary.newcomers.joined), (1, 0));
    assert!(summary.segments_published >= 12);
    assert!(summary.upload_ratio_mean >= 0.5, "{summary}");
    assert!(summary.wire_upload_ratio_mean > summary.upload_ratio_mean);
    assert!(summary.latency_ms.p50 >= Some(10.0), "{summary}");

    let json = serde_json::to_value(&summary).unwrap();
    let mut fields: Vec<&str> = json
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    let mut expected = [
        "peers",
        "newcomers",
        "killed",
        "clusters",
        "g_min",
        "g_max",
        "h",
        "n",
        "k",
        "seconds",
        "segments_published",
        "stream_bytes",
        "delivered_ratio",
        "on_time_ratio",
        "bytes_identical",
        "upload_ratio_mean",
        "upload_ratio_max",
        "wire_upload_ratio_mean",
        "source_upload_ratio",
        "digest_ratio",
        "notice_ratio",
        "pull_ratio",
        "connections_per_peer",
        "latency_ms",
        "cpu_ms_per_peer_per_stream_mb",
        "peak_rss_bytes",
        "refused",
    ];
    expected.sort_unstable();
    assert_eq!(fields, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_every_byte_arrives() {
    let options = options(&["--peers=8", "--seconds=3", "--transport=tcp"]);
    let summary = demo::run(&options, pending(), |_| {}).await.unwrap();
    assert_eq!(summary.delivered_ratio, 1.0, "{summary}");
    assert!(summary.bytes_identical, "{summary}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_and_who_replaces_the_dead_finds_a_place_and_plays() {
    let options = options(&["--grow=4..7", "--churn=0.4", "--seconds=24"]);
    let summary = demo::run(&options, pending(), |_| {}).await.unwrap();
    let newcomers = summary.newcomers;
    assert!(newcomers.joined >= 3, "{summary}");
    assert!(newcomers.placed >= 2, "{summary}");
    assert!(summary.delivered_ratio > 0.5, "{summary}");
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_reason() {
    let silent = options(&["--peers=8", "--silent=0.9"]);
    let error = demo::run(&silent, pending(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("choose fewer"), "{error}");
    let missing = options(&["--input=/nonexistent.ts"]);
    let error = demo::run(&missing, pending(), |_| {}).await.unwrap_err();
    assert!(error.to_string().contains("/nonexistent.ts"), "{error}");
}
