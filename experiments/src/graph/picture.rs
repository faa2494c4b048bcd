//! A graph as SVG.

use super::colour;
use hamlet_gossip_learning::graph::{Graph, TriangleSupport};
use std::fmt::Write;

/// The side of the drawing in its own units.
pub const SIDE: f32 = 1000.0;

/// The links of a graph in two kinds.
pub struct Links {
    plain: Vec<(u32, u32)>,
    marked: Vec<(u32, u32)>,
}

impl Links {
    /// Marks links between communities.
    pub fn between(graph: &Graph) -> Links {
        let community = |peer: u32| graph.communities()[peer as usize];
        Links::split(graph, |a, b| community(a) != community(b))
    }

    /// Marks links that close no triangle.
    pub fn unsupported(graph: &Graph, support: &TriangleSupport) -> Links {
        Links::split(graph, |a, b| {
            let place = graph.neighbours(a).binary_search(&b);
            place.is_ok_and(|place| support.at(graph, a)[place] == 0)
        })
    }

    fn split(graph: &Graph, mark: impl Fn(u32, u32) -> bool) -> Links {
        let (marked, plain) = graph.edges().partition(|(a, b)| mark(*a, *b));
        Links { plain, marked }
    }
}

/// What is to be drawn.
pub struct Picture<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// A place in the unit square for each peer.
    pub positions: &'a [[f32; 2]],
    /// The colour of each peer.
    pub colours: &'a [String],
    /// Its links.
    pub links: &'a Links,
}

impl Picture<'_> {
    /// A whole SVG file with title and legend; `marked` says what the marked links are.
    pub fn svg(&self, title: &str, marked: &str) -> String {
        let (margin, head, foot) = (40.0, 96.0, 84.0);
        let (width, height) = (SIDE + 2.0 * margin, SIDE + head + foot);
        let mut svg = String::new();
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
             <title>{}</title>\n<style>{}</style>\n<rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n\
             <text class=\"title\" x=\"{margin}\" y=\"52\">{}</text>\n\
             <text class=\"note\" x=\"{margin}\" y=\"80\">{} peers, {} links, of which {} are {marked}</text>\n\
             <g transform=\"translate({margin} {head})\">{}</g>\n",
            escape(title),
            include_str!("picture.css"),
            escape(title),
            self.graph.peers(),
            self.graph.links(),
            self.links.marked.len(),
            self.body(),
        );
        let names = self.graph.community_names();
        let (mut x, y) = (margin, head + SIDE + 48.0);
        for (community, name) in (0u32..).zip(names).take(12) {
            let shown: String = name.chars().take(18).collect();
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.0}\" cy=\"{:.0}\" r=\"8\" fill=\"{}\"/><text class=\"note\" x=\"{:.0}\" y=\"{:.0}\">{}</text>",
                x + 8.0,
                y - 6.0,
                colour::of_community(community, names.len()),
                x + 24.0,
                y,
                escape(&shown)
            );
            x += 54.0 + 10.5 * shown.chars().count() as f32;
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The communities by these names in the middle of their peers, each over what is said of it, for a drawing
    /// whose colours mean something else; nothing for a graph without communities.
    pub fn names(&self, names: &[(String, String)]) -> String {
        let mut text = String::new();
        if names.len() < 2 || names.len() > 12 {
            return text;
        }
        for (community, (name, said)) in (0u32..).zip(names) {
            let members = self.graph.communities().iter().zip(self.positions);
            let mut places: Vec<[f32; 2]> = members
                .filter(|(of, _)| **of == community)
                .map(|(_, place)| *place)
                .collect();
            if places.is_empty() {
                continue;
            }
            // The median is among the peers even where a few stand far off.
            let middle = places.len() / 2;
            let [x, y] = [0, 1].map(|axis| {
                places.sort_unstable_by(|a, b| a[axis].total_cmp(&b[axis]));
                places[middle][axis] * SIDE
            });
            let shown: String = name.chars().take(18).collect();
            let _ = writeln!(
                text,
                "<text class=\"community\" x=\"{x:.0}\" y=\"{y:.0}\">{}<tspan x=\"{x:.0}\" dy=\"1.15em\">{}</tspan></text>",
                escape(&shown),
                escape(said)
            );
        }
        text
    }

    /// The drawing alone, [`SIDE`] wide and high, for use inside another SVG with the same styles.
    pub fn body(&self) -> String {
        let peers = self.graph.peers().max(1) as f32;
        let radius = (260.0 / peers.sqrt()).clamp(2.6, 13.0);
        let decimals = if peers > 1000.0 { 0 } else { 1 };
        let at = |peer: u32| {
            let [x, y] =
                self.positions[peer as usize].map(|at| radius + at * (SIDE - 2.0 * radius));
            (x, y)
        };
        let path = |class: &str, links: &[(u32, u32)], opacity: f32| {
            let mut path = format!("<path class=\"{class}\" opacity=\"{opacity:.2}\" d=\"");
            for (a, b) in links {
                let ((x1, y1), (x2, y2)) = (at(*a), at(*b));
                let _ = write!(
                    path,
                    "M{x1:.decimals$} {y1:.decimals$}L{x2:.decimals$} {y2:.decimals$}"
                );
            }
            path.push_str("\"/>\n");
            path
        };
        let width = (radius / 5.0).clamp(0.5, 1.6);
        let mut body = format!("<g stroke-width=\"{width:.2}\">\n");
        // Thousands of marked links would hide the peers.
        let opacity = (9.0 / (self.links.marked.len() as f32 + 1.0).sqrt()).clamp(0.07, 1.0);
        body.push_str(&path("link", &self.links.plain, 1.0));
        body.push_str(&path("marked", &self.links.marked, opacity));
        let _ = write!(
            body,
            "</g>\n<g class=\"peer\" stroke-width=\"{:.2}\">\n",
            radius / 9.0
        );
        for (peer, colour) in (0u32..).zip(self.colours) {
            let (x, y) = at(peer);
            let _ = writeln!(
                body,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{colour}\"/>"
            );
        }
        body.push_str("</g>");
        body
    }
}

/// Text for XML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
    }
    escaped
}
