//! The peer.
use crate::{genesis::*, identity::*, io::*, report::Report, time::Time, view::*};
use std::{collections::VecDeque, sync::Arc};

/// What a peer is started with.
pub struct Setup {
    /// What it knows of the network.
    pub view: View,
    /// Its key.
    pub signer: Box<dyn Signer>,
    /// Checks the signatures of others.
    pub verifier: Arc<dyn Verifier>,
    /// The seed of its own random choices.
    pub seed: [u8; 32],
    /// The first segment number that it has never used as a source; what it signed before must never be
    /// signed again with another content. Persisted by the driver ahead of use.
    pub publish_from: SegmentNumber,
}

/// One peer of a network, as a state machine.
pub struct Peer {
    outputs: VecDeque<Output>,
    report: Report,
}

impl Peer {
    /// A peer that has just started. Poll it for the links that it wants.
    pub fn new(_now: Time, _setup: Setup) -> Peer {
        Peer {
            outputs: VecDeque::new(),
            report: Report::default(),
        }
    }
    /// Takes an input.
    pub fn handle(&mut self, _now: Time, _input: Input) {}
    /// What the peer wants done next; `None` until the next input.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }
    /// What it counted so far.
    pub fn report(&self) -> &Report {
        &self.report
    }
    /// What it knows of the network around it.
    pub fn view(&self) -> &View {
        unimplemented!()
    }
}
