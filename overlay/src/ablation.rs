//! Mechanisms of the coded push left out on purpose, one at a time, to show what each costs and what it earns.
//!
//! Without the feature `ablation` none can be left out: [`Ablated::lacks`] is constantly false and the compiler
//! removes what depends on it.

/// A mechanism of the coded push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// P1: the source gives out as much parity as is missing; without it, always all.
    ParityAdaptation,
    /// P4: whoever restored a segment gives what it owed and had not received.
    FillingIn,
    /// P5, P8: what no fellow has is asked for in neighbouring clusters.
    PullFromNeighbours,
    /// P1: the source gives each shard to a neighbouring cluster as well.
    SecondCopies,
    /// D3: two relays owe the list of leaves; without it, one.
    SecondCarrier,
}

impl Mechanism {
    /// All of them, with their names.
    pub const ALL: [(&'static str, Mechanism); 5] = [
        ("parity-adaptation", Mechanism::ParityAdaptation),
        ("filling-in", Mechanism::FillingIn),
        ("pull-from-neighbours", Mechanism::PullFromNeighbours),
        ("second-copies", Mechanism::SecondCopies),
        ("second-carrier", Mechanism::SecondCarrier),
    ];
}

/// Which mechanism is left out, if any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ablated(#[cfg(feature = "ablation")] Option<Mechanism>);

#[cfg(feature = "ablation")]
impl Ablated {
    /// One mechanism, or none.
    pub const fn of(mechanism: Option<Mechanism>) -> Ablated {
        Ablated(mechanism)
    }

    pub(crate) fn lacks(self, mechanism: Mechanism) -> bool {
        self.0 == Some(mechanism)
    }
}

#[cfg(not(feature = "ablation"))]
impl Ablated {
    pub(crate) const fn lacks(self, _mechanism: Mechanism) -> bool {
        false
    }
}
