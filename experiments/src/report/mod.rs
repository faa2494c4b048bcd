//! One HTML file to look at: figures, curves with bands over seeds, settings. Inline SVG, no script,
//! nothing fetched; light and dark.

mod axis;
mod chart;
mod command;
mod figure;
mod group;
pub mod learning;
mod tint;

pub use chart::{Chart, Series};
pub use command::{Arguments, run};
pub use figure::{Figure, Panel};

use crate::graph::picture::escape;
use std::fmt::Write;

/// What a report shows, from top to bottom.
pub struct Report<'a> {
    /// What was done.
    pub title: String,
    /// A sentence below it.
    pub subtitle: String,
    /// A few big numbers: what each is, and its value.
    pub tiles: Vec<(String, String)>,
    /// Graphs with their peers coloured by their models.
    pub figures: Vec<Figure<'a>>,
    /// Curves over rounds.
    pub charts: Vec<Chart>,
    /// All settings, for who wants to run it again.
    pub settings: Vec<(String, String)>,
}

impl Report<'_> {
    /// The report as a whole HTML file.
    pub fn html(&self) -> String {
        let mut html = String::new();
        let _ = write!(
            html,
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
             <style>\n{css}</style>\n</head>\n<body>\n<header>\n<p class=\"mark\">Hamlet · gossip learning</p>\n\
             <h1>{title}</h1>\n<p class=\"subtitle\">{subtitle}</p>\n</header>\n<main>\n",
            title = escape(&self.title),
            subtitle = escape(&self.subtitle),
            css = include_str!("report.css"),
        );
        html.push_str("<section class=\"tiles\">\n");
        for (name, value) in &self.tiles {
            let (name, value) = (escape(name), escape(value));
            let _ = writeln!(
                html,
                "<div class=\"tile\"><b>{value}</b><span>{name}</span></div>"
            );
        }
        html.push_str("</section>\n");
        for figure in &self.figures {
            html.push_str(&figure.html());
        }
        html.push_str("<section class=\"charts\">\n");
        for chart in &self.charts {
            html.push_str(&chart.html());
        }
        html.push_str("</section>\n<section class=\"card\">\n<h2>Settings</h2>\n<table>\n");
        for (name, value) in &self.settings {
            let (name, value) = (escape(name), escape(value));
            let _ = writeln!(html, "<tr><th>{name}</th><td>{value}</td></tr>");
        }
        html.push_str("</table>\n</section>\n</main>\n</body>\n</html>\n");
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hamlet_gossip_learning::graph::Spec;

    #[test]
    fn a_report_is_one_file_without_script_and_with_everything_escaped() {
        let spec: Spec = "regular:degree=4,between=0.1".parse().unwrap();
        let halves: Vec<u32> = (0..20).map(|peer| peer / 10).collect();
        let graph = spec.generate(&halves, 1).unwrap();
        let names = ["<b>", "other"].map(|name| (name.to_owned(), "0.1 & less".to_owned()));
        let models: Vec<f32> = (0..40).map(|entry| entry as f32).collect();
        let report = Report {
            title: "<script>alert(1)</script>".into(),
            subtitle: "a & b".into(),
            tiles: vec![("error".into(), "0.1".into())],
            figures: vec![Figure {
                title: "who".into(),
                caption: "they".into(),
                panels: vec![
                    Panel {
                        title: "with".into(),
                        note: "error 0.1".into(),
                        graph: &graph,
                        communities: names.to_vec(),
                        models: &models,
                    },
                    Panel {
                        title: "without".into(),
                        note: "error 0.2".into(),
                        graph: &graph,
                        communities: names.to_vec(),
                        models: &models,
                    },
                ],
            }],
            charts: vec![Chart {
                title: "error".into(),
                unit: "0-1 error".into(),
                log_y: true,
                series: vec![Series {
                    name: "mean".into(),
                    runs: vec![
                        vec![(1, 0.5), (10, 0.2), (100, 0.1)],
                        vec![(1, 0.4), (10, f64::NAN), (100, 0.1)],
                    ],
                }],
                levels: vec![("central".into(), 0.08)],
            }],
            settings: vec![("seed".into(), "1".into())],
        };
        let html = report.html();
        assert!(!html.contains("<script"));
        assert!(!html.contains("NaN") && !html.contains("inf"));
        assert_eq!(html.matches("<svg").count(), html.matches("</svg>").count());
        assert_eq!(html.matches("<circle class=\"end").count(), 1);
        assert!(
            html.contains("a &amp; b")
                && html.contains("&lt;b&gt;<tspan")
                && html.contains("0.1 &amp; less</tspan></text>")
                && html.contains("central")
        );
    }
}
