//! When a run is over, and when it is stuck.

use super::{Event, GRACE, World};
use crate::torture::oracle::Violation;
use std::collections::BTreeSet;

impl World {
    /// What is not done yet, in words; empty if everything is.
    fn missing(&self) -> String {
        let open = self
            .due
            .keys()
            .filter(|command| !self.oracle.has_executed(command))
            .count();
        let length = self.oracle.length();
        let behind: BTreeSet<u8> = (0..self.plan.members)
            .filter(|member| self.plan.is_honest(*member) && self.oracle.count(*member) < length)
            .collect();
        if open == 0 && behind.is_empty() {
            String::new()
        } else {
            format!("{open} commands not executed; behind: {behind:?} of {length}")
        }
    }

    /// Ends the run, or lets it get quiet, once all is done that must be.
    pub(super) fn look_whether_done(&mut self) {
        let last = self
            .plan
            .commands
            .iter()
            .map(|(at, _)| *at)
            .max()
            .unwrap_or(0);
        let early = self.now < self.plan.stable_at.max(last);
        if early || self.muted || !self.missing().is_empty() {
            return;
        }
        if self.plan.check_quiet {
            self.muted = true;
            let liars = self.plan.byzantine.len() as u64;
            self.enter(self.now + GRACE.0 + liars * GRACE.1, Event::Listen);
        } else {
            self.ended = true;
        }
    }

    pub(super) fn blame_stuck(&mut self) {
        let missing = self.missing();
        let places: Vec<_> = (self.nodes.iter())
            .filter_map(|node| node.replica.as_ref())
            .map(|replica| (replica.me(), replica.view(), replica.height()))
            .collect();
        let text = format!("{missing}; members, views and heights: {places:?}");
        self.oracle.blame(Violation::Stuck(text));
    }
}
