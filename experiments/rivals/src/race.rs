//! What is run, and what came out.

use serde::Serialize;
use std::{fs, time::Duration};

/// How members sign.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signatures {
    /// Each engine's own stand-in of its tests, next to free.
    Cheap,
    /// Ed25519, checked in batches by both.
    Ed25519,
}

/// One cluster in which everybody is well.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Run {
    /// How many members there are.
    pub members: u8,
    /// The delay of every link.
    pub link_ms: u64,
    /// How they sign.
    pub signatures: Signatures,
    /// How many blocks are decided.
    pub decisions: u64,
}

/// What an engine made of it.
pub struct Result {
    /// How many blocks became final.
    pub decisions: u64,
    /// The processor time of all members together.
    pub cpu: Duration,
    /// From each proposal until the last member knew that it was final, in virtual time.
    pub latencies: Vec<Duration>,
}

/// One engine in one run.
#[derive(Serialize)]
pub struct Row {
    engine: &'static str,
    #[serde(flatten)]
    run: Run,
    /// Half of all decisions take at most this, in delays of a link; nothing if links take no time.
    median_delays: Option<f64>,
    median_ms: Option<f64>,
    decisions_per_cpu_s: f64,
}

/// All rows of a run.
#[derive(Serialize)]
pub struct Figures {
    /// Both engines in turn.
    pub rows: Vec<Row>,
}

impl Row {
    /// What is told of a result.
    pub fn new(run: Run, engine: &'static str, mut result: Result) -> Row {
        result.latencies.sort();
        let median = (result.latencies.get(result.latencies.len() / 2)).filter(|_| run.link_ms > 0);
        let median_ms = median.map(|median| 1e3 * median.as_secs_f64());
        Row {
            engine,
            run,
            median_delays: median_ms.map(|median| median / run.link_ms as f64),
            median_ms,
            decisions_per_cpu_s: result.decisions as f64 / result.cpu.as_secs_f64(),
        }
    }

    /// Prints it as a line of the table.
    pub fn print(&self) {
        let number =
            |number: Option<f64>| number.map_or("-".into(), |number| format!("{number:.2}"));
        println!(
            "{:7} {:7} {:10} {:11} {:>13} {:>10} {:20.0}",
            self.run.members,
            self.run.link_ms,
            format!("{:?}", self.run.signatures),
            self.engine,
            number(self.median_delays),
            number(self.median_ms),
            self.decisions_per_cpu_s
        );
    }
}

/// The processor time that this thread has used so far, where the system says.
pub fn cpu() -> Duration {
    let schedule = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = schedule
        .split_whitespace()
        .next()
        .and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// Prints the head of a table.
pub fn print_head() {
    println!(
        "members link_ms signatures engine      median_delays  median_ms  decisions_per_cpu_s"
    );
}
