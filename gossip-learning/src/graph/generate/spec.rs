//! The description of a graph to generate, as users write it: `caveman:degree=10,between=0.03`.

use crate::graph::GraphError;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A family of random graphs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// `erdos-renyi`: each link with the same probability.
    ErdosRenyi,
    /// `regular`: random, the same degree for all.
    Regular,
    /// `barabasi-albert`: preferential attachment, a few peers with very many links.
    BarabasiAlbert,
    /// `watts-strogatz`: a ring of near neighbours with a share of links rewired.
    WattsStrogatz,
    /// `planted`: a planted partition, regular graphs inside communities and links between them.
    Planted,
    /// `caveman`: complete caves on a ring inside each community, relaxed by rewiring.
    Caveman,
    /// `geometric`: links to what is near on a square, one square for each community.
    Geometric,
    /// `h-graph`: the union of random Hamiltonian cycles.
    HGraph,
}

/// Which graph to generate: parse it from text, print it to get the text back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Spec {
    family: Family,
    degree: u32,
    rewire: f64,
    near: f64,
    between: Option<f64>,
}

impl Family {
    /// The names that users write, in the order of the families.
    pub const NAMES: [&str; 8] = [
        "erdos-renyi",
        "regular",
        "barabasi-albert",
        "watts-strogatz",
        "planted",
        "caveman",
        "geometric",
        "h-graph",
    ];

    const ALL: [Family; 8] = [
        Family::ErdosRenyi,
        Family::Regular,
        Family::BarabasiAlbert,
        Family::WattsStrogatz,
        Family::Planted,
        Family::Caveman,
        Family::Geometric,
        Family::HGraph,
    ];

    /// Whether the degree must be even: these families are made of halves of it.
    fn wants_even_degree(self) -> bool {
        matches!(
            self,
            Family::BarabasiAlbert | Family::WattsStrogatz | Family::HGraph
        )
    }

    fn rewires(self) -> bool {
        matches!(self, Family::WattsStrogatz | Family::Caveman)
    }

    /// Families that stand for communities have links between them unless told otherwise.
    fn default_between(self) -> Option<f64> {
        matches!(self, Family::Planted | Family::Caveman | Family::Geometric).then_some(0.03)
    }
}

impl fmt::Display for Family {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = Family::ALL.iter().position(|family| family == self);
        to.write_str(place.map_or("", |place| Family::NAMES[place]))
    }
}

impl Spec {
    /// The family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The mean degree.
    pub fn degree(&self) -> u32 {
        self.degree
    }

    /// The share of links that is rewired (Watts–Strogatz, caveman).
    pub fn rewire(&self) -> f64 {
        self.rewire
    }

    /// The share of rewired links that lead to the next caves (caveman).
    pub fn near(&self) -> f64 {
        self.near
    }

    /// The share of links between communities; none if the graph is blind to communities.
    pub fn between(&self) -> Option<f64> {
        self.between
    }

    /// The same graph without a share of links between communities: for peers of one community.
    pub fn blind(mut self) -> Spec {
        self.between = None;
        self
    }

    pub(super) fn wrong(&self, problem: String) -> GraphError {
        GraphError::Spec {
            spec: self.to_string(),
            problem,
        }
    }
}

impl FromStr for Spec {
    type Err = GraphError;

    /// `family`, or `family:key=value,…` with the keys `degree` (10), `rewire` (.2; Watts–Strogatz and
    /// caveman), `near` (.8; caveman) and `between` (.03 for planted, caveman and geometric; otherwise, or as `none`, the
    /// graph is blind to communities).
    fn from_str(text: &str) -> Result<Spec, GraphError> {
        let wrong = |problem: String| GraphError::Spec {
            spec: text.chars().take(80).collect(),
            problem,
        };
        let (name, options) = text.split_once(':').unwrap_or((text, ""));
        let place = Family::NAMES.iter().position(|known| *known == name.trim());
        let Some(family) = place.map(|place| Family::ALL[place]) else {
            let known = Family::NAMES.join(", ");
            return Err(wrong(format!("no such family; the families are {known}")));
        };
        let mut spec = Spec {
            family,
            degree: 10,
            rewire: 0.2,
            near: 0.8,
            between: family.default_between(),
        };
        for option in options
            .split(',')
            .filter(|option| !option.trim().is_empty())
        {
            let (key, value) = option
                .split_once('=')
                .ok_or_else(|| wrong(format!("`{option}` is not of the form key=value")))?;
            let share = || match value.trim().parse::<f64>() {
                Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
                _ => Err(wrong(format!(
                    "{key} is a share from 0 to 1, not `{value}`"
                ))),
            };
            match key.trim() {
                "degree" => {
                    spec.degree = match value.trim().parse() {
                        Ok(degree) if (1..=10_000).contains(&degree) => degree,
                        _ => {
                            let problem =
                                format!("degree is a number from 1 to 10000, not `{value}`");
                            return Err(wrong(problem));
                        }
                    }
                }
                "rewire" if family.rewires() => spec.rewire = share()?,
                "near" if family == Family::Caveman => spec.near = share()?,
                "between" if value.trim() == "none" => spec.between = None,
                "between" => spec.between = Some(share()?),
                other => {
                    let rewire = match family {
                        Family::Caveman => ", rewire, near",
                        Family::WattsStrogatz => ", rewire",
                        _ => "",
                    };
                    return Err(wrong(format!(
                        "{family} has no `{other}`; it has degree{rewire}, between"
                    )));
                }
            }
        }
        if family.wants_even_degree() && spec.degree % 2 == 1 {
            return Err(wrong(format!(
                "{family} needs an even degree, such as {}",
                spec.degree + 1
            )));
        }
        Ok(spec)
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}:degree={}", self.family, self.degree)?;
        if self.family.rewires() {
            write!(to, ",rewire={}", self.rewire)?;
        }
        if self.family == Family::Caveman {
            write!(to, ",near={}", self.near)?;
        }
        match self.between {
            Some(share) => write!(to, ",between={share}"),
            None if self.family.default_between().is_some() => write!(to, ",between=none"),
            None => Ok(()),
        }
    }
}

impl From<Spec> for String {
    fn from(spec: Spec) -> String {
        spec.to_string()
    }
}

impl TryFrom<String> for Spec {
    type Error = GraphError;

    fn try_from(text: String) -> Result<Spec, GraphError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_spec_is_its_text() {
        for text in [
            "regular:degree=4",
            "caveman:degree=10,rewire=0.1,near=0.5,between=0.03",
            "geometric:degree=9,between=none",
            "h-graph:degree=6,between=0.5",
        ] {
            assert_eq!(text.parse::<Spec>().unwrap().to_string(), text);
        }
        assert_eq!("planted".parse::<Spec>().unwrap().between(), Some(0.03));
    }

    #[test]
    fn mistakes_name_the_remedy() {
        for (text, remedy) in [
            ("cavemen", "caveman"),
            ("regular:degree=0", "1 to 10000"),
            ("h-graph:degree=5", "such as 6"),
            ("regular:rewire=.1", "it has degree, between"),
            ("caveman:between=3", "0 to 1"),
            ("caveman:between", "key=value"),
        ] {
            let problem = text.parse::<Spec>().unwrap_err().to_string();
            assert!(problem.contains(remedy), "{text}: {problem}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed_or_refused(text in "\\PC{0,40}|[a-z-]{5,12}:[a-z=0-9.,]{0,30}") {
            if let Ok(spec) = text.parse::<Spec>() {
                prop_assert_eq!(spec.to_string().parse::<Spec>().unwrap(), spec);
            }
        }
    }
}
