//! Graphs side by side, peers coloured by their models.

use super::tint;
use crate::graph::{
    MAX_DRAWN, layout,
    picture::{Links, Picture, SIDE, escape},
};
use hamlet_gossip_learning::graph::{Graph, TriangleSupport};
use std::fmt::Write;

/// Panels that share one scale of colours, and places too where they show the same graph.
pub struct Figure<'a> {
    /// What is shown.
    pub title: String,
    /// What to see in it.
    pub caption: String,
    /// The panels, from left to right.
    pub panels: Vec<Panel<'a>>,
}

/// One graph with the models of its peers.
pub struct Panel<'a> {
    /// What is special about it.
    pub title: String,
    /// What it came to, in a few words.
    pub note: String,
    /// The graph.
    pub graph: &'a Graph,
    /// The names of its communities, each with what its peers came to.
    pub communities: Vec<(String, String)>,
    /// The parameters of each peer's model, one peer after another, equally many for each.
    pub models: &'a [f32],
}

impl Figure<'_> {
    /// The figure as a card; without panels, or for more peers than can be drawn, nothing.
    pub(super) fn html(&self) -> String {
        let peers = |panel: &Panel<'_>| panel.graph.peers();
        if self.panels.is_empty()
            || self
                .panels
                .iter()
                .any(|panel| peers(panel) > MAX_DRAWN || peers(panel) == 0)
        {
            return String::new();
        }
        let parameters = (self.panels.first()).map_or(0, |panel| panel.models.len() / peers(panel));
        let models: Vec<&[f32]> = self.panels.iter().map(|panel| panel.models).collect();
        let colours = tint::of_models(&models, parameters);
        let mut html = format!(
            "<figure class=\"card network\">\n<h2>{}</h2>\n<div class=\"panels\">\n",
            escape(&self.title)
        );
        let mut places: Option<(&Graph, Vec<[f32; 2]>)> = None;
        for (panel, colours) in self.panels.iter().zip(&colours) {
            let same = places.take().filter(|(graph, _)| *graph == panel.graph);
            let positions =
                same.map_or_else(|| layout::positions(panel.graph), |(_, places)| places);
            let links = Links::unsupported(panel.graph, &TriangleSupport::of(panel.graph));
            let picture = Picture {
                graph: panel.graph,
                positions: &positions,
                colours,
                links: &links,
            };
            let _ = write!(
                html,
                "<div><h3>{title} <span>{}</span></h3>\n<svg viewBox=\"0 0 {SIDE} {SIDE}\" role=\"img\" aria-label=\"{title}\">{}{}</svg></div>\n",
                escape(&panel.note),
                picture.body(),
                picture.names(&panel.communities),
                title = escape(&panel.title)
            );
            places = Some((panel.graph, positions));
        }
        let _ = write!(
            html,
            "</div>\n<figcaption>{} The hue says in which direction a peer’s model lies from the mean of all, the \
             saturation how far: equal colours are equal models, grey is everybody’s mean. Red links close no triangle.\
             </figcaption>\n</figure>\n",
            escape(&self.caption)
        );
        html
    }
}
