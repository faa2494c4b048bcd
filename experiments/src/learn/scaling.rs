//! Where features are scaled, and by whose constants.

use super::{options::Options, wish::Wish};
use std::error::Error;

/// How features get mean 0 and variance 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// By constants over all training rows, which the task's description states.
    Description,
    /// By each peer's own estimate, which peers come to by gossip.
    Gossip,
    /// Not at all.
    None,
}

impl Scaling {
    /// The scaling that these options ask for.
    ///
    /// # Errors
    /// When there is none of this name.
    pub fn of(options: &Options) -> Result<Scaling, Box<dyn Error>> {
        let wish = Wish::of(
            "scaling",
            options.scaling.as_deref().unwrap_or("description"),
        );
        let scaling = match wish.name {
            "description" => Scaling::Description,
            "gossip" => Scaling::Gossip,
            "none" => Scaling::None,
            _ => return Err(wish.wrong("write description, gossip or none")),
        };
        wish.done()?;
        Ok(scaling)
    }
}
