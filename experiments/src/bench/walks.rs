//! How evenly walks end, though colluders steer them and some clusters are captured.

use super::row::{self, Row};
use crate::{Outcome, interrupt, json};
use clap::Args;
use hamlet_simulator::walks::{Capture, Ends, Field, Steering};
use serde::Serialize;
use std::{path::PathBuf, process::ExitCode};

/// Has walks made, and shows where they end.
///
/// A newcomer comes to the cluster where its walk ends. Steps are those of real clusters, over an overlay as a founding makes it;
/// beacons are drawn from the seed. The first table has no captured cluster, but colluders who want to come to one
/// cluster and do what they can: ask this very cluster (near), look among several keys, contacts and moments for one that
/// the last beacons would lead there (choose), or withhold the order for it in the contact cluster, epoch by epoch, until
/// it is one (withhold). The p-value is that of a chi-square test of even ends: small if they are not even; a p-value
/// below 0.01 comes once in a hundred rows by chance. Worst spread is the total variation that the walk's length leaves in theory,
/// from the worst contact. The row "foresee" shows what `choose` would gain if beacons were known beforehand.
///
/// The second table has captured clusters, which let every walk that comes to them end there (keep), or send it to the cluster that
/// colluders want where that is next to them and to each other elsewhere (shove). The total variation from even ends is at most
/// the share of walks that cross a captured cluster, the bound; what so many walks show by chance is named beside it.
///
/// Example:
///   hamlet-lab bench walks --clusters 64 --captured 0.02,0.1 --json -
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// Walks for each line.
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    walks: u64,
    /// Clusters of the overlay; several make several overlays.
    #[arg(long, value_name = "COUNT,…", value_delimiter = ',', default_value = "8,64,512", value_parser = clap::value_parser!(u32).range(2..=100_000))]
    clusters: Vec<u32>,
    /// Hamiltonian cycles that the clusters lie on.
    #[arg(long, value_name = "COUNT", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=8))]
    cycles: u8,
    /// Shares of the clusters that are captured, for the second table.
    #[arg(long, value_name = "SHARE,…", value_delimiter = ',', default_value = "0.02,0.1,0.2,0.3", value_parser = share)]
    captured: Vec<f64>,
    /// The seed of the overlay, the beacons and the walks.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the figures as JSON, `-` for the standard output.
    #[arg(long, value_name = "PATH")]
    json: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=0.5).contains(&share) => Ok(share),
        _ => Err("a share of the clusters is a number from 0 to 0.5".to_owned()),
    }
}

/// Where walks end that colluders steer.
#[derive(Serialize)]
struct Steered {
    clusters: u32,
    steps: u8,
    steering: &'static str,
    walks: u64,
    chi_square: f64,
    degrees_of_freedom: u32,
    p_value_ratio: f64,
    /// What ended in the cluster that colluders want, and what would if ends were even.
    wanted_ratio: f64,
    even_ratio: f64,
    /// The total variation in theory from the worst contact.
    worst_spread_ratio: f64,
}

impl Row for Steered {
    const HEAD: &str = "clusters steps steering  walks    chi_square degrees_of_freedom p_value_ratio  wanted_ratio even_ratio worst_spread_ratio";

    fn line(&self) -> String {
        format!(
            "{:8} {:5} {:8} {:7} {:12.1} {:18} {:13.4}  {:12.5} {:10.5} {:18.5}",
            self.clusters,
            self.steps,
            self.steering,
            self.walks,
            self.chi_square,
            self.degrees_of_freedom,
            self.p_value_ratio,
            self.wanted_ratio,
            self.even_ratio,
            self.worst_spread_ratio
        )
    }
}

/// Where walks end where some clusters are captured.
#[derive(Serialize)]
struct Crossed {
    clusters: u32,
    steps: u8,
    captured_clusters: u32,
    capture: &'static str,
    walks: u64,
    /// What came to a captured cluster with steps left.
    crossed_ratio: f64,
    total_variation_ratio: f64,
    /// What even ends of so many walks show in the mean.
    chance_variation_ratio: f64,
    captured_end_ratio: f64,
    wanted_ratio: f64,
}

impl Row for Crossed {
    const HEAD: &str = "clusters steps captured_clusters capture  walks   crossed_ratio total_variation_ratio chance_variation_ratio  captured_end_ratio wanted_ratio";

    fn line(&self) -> String {
        format!(
            "{:8} {:5} {:17} {:7} {:7} {:15.4} {:21.4} {:22.4}  {:18.4} {:12.4}",
            self.clusters,
            self.steps,
            self.captured_clusters,
            self.capture,
            self.walks,
            self.crossed_ratio,
            self.total_variation_ratio,
            self.chance_variation_ratio,
            self.captured_end_ratio,
            self.wanted_ratio
        )
    }
}

#[derive(Default, Serialize)]
struct Figures {
    cycles: u8,
    seed: u64,
    steered: Vec<Steered>,
    crossed: Vec<Crossed>,
}

const STEERINGS: [(&str, Steering); 5] = [
    ("none", Steering::None),
    ("near", Steering::Near),
    ("choose", Steering::Choose),
    ("withhold", Steering::Withhold),
    ("foresee", Steering::Foresee),
];

const CAPTURES: [(&str, Capture); 2] = [("keep", Capture::Keep), ("shove", Capture::Shove)];

/// Has the walks made and prints where they end.
pub fn run(arguments: Arguments) -> Outcome {
    interrupt::listen()?;
    let mut figures = Figures {
        cycles: arguments.cycles,
        seed: arguments.seed,
        ..Figures::default()
    };
    measure(&arguments, &mut figures)?;
    row::print(&figures.steered);
    row::print(&figures.crossed);
    if let Some(path) = &arguments.json {
        json::write(path, &figures)?;
    }
    Ok(match interrupt::asked() {
        true => ExitCode::from(interrupt::EXIT_STATUS),
        false => ExitCode::SUCCESS,
    })
}

fn measure(arguments: &Arguments, figures: &mut Figures) -> Result<(), Box<dyn std::error::Error>> {
    let overlay = |clusters: u32, captured| {
        Field::new(
            clusters as usize,
            arguments.cycles,
            captured,
            arguments.seed,
        )
    };
    for &clusters in &arguments.clusters {
        let field = overlay(clusters, 0.0)?;
        let worst_spread_ratio = field.worst_spread();
        for (name, steering) in STEERINGS {
            eprintln!("{clusters} clusters, steering: {name}");
            let Some(ends) = walk(&field, arguments.walks, steering, Capture::Keep) else {
                return Ok(());
            };
            let degrees = f64::from(clusters - 1);
            let p = statrs::function::gamma::gamma_ur(degrees / 2.0, ends.chi_square() / 2.0);
            figures.steered.push(Steered {
                clusters,
                steps: field.length(),
                steering: name,
                walks: ends.walks(),
                chi_square: ends.chi_square(),
                degrees_of_freedom: clusters - 1,
                p_value_ratio: p,
                wanted_ratio: ends.wanted_ratio(),
                even_ratio: 1.0 / f64::from(clusters),
                worst_spread_ratio,
            });
        }
    }
    for &clusters in &arguments.clusters {
        let mut captured = 0;
        for &share in &arguments.captured {
            let field = overlay(clusters, share)?;
            // Of few clusters several shares are none, or the same.
            if field.captured() == captured {
                continue;
            }
            captured = field.captured();
            for (name, capture) in CAPTURES {
                eprintln!("{clusters} clusters, {} captured: {name}", field.captured());
                let Some(ends) = walk(&field, arguments.walks, Steering::None, capture) else {
                    return Ok(());
                };
                figures.crossed.push(Crossed {
                    clusters,
                    steps: field.length(),
                    captured_clusters: field.captured() as u32,
                    capture: name,
                    walks: ends.walks(),
                    crossed_ratio: ends.crossed as f64 / ends.walks() as f64,
                    total_variation_ratio: ends.total_variation(),
                    chance_variation_ratio: ends.chance(),
                    captured_end_ratio: field.captured_ratio(&ends),
                    wanted_ratio: ends.wanted_ratio(),
                });
            }
        }
    }
    Ok(())
}

/// Where so many walks end; nothing if Ctrl-C was pressed meanwhile.
fn walk(field: &Field, walks: u64, steering: Steering, capture: Capture) -> Option<Ends> {
    let mut ends = field.ends();
    for number in 0..walks {
        if interrupt::asked() {
            return None;
        }
        field.walk(number, steering, capture, &mut ends);
    }
    Some(ends)
}
