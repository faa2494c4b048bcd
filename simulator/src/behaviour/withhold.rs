//! Peers that take and never give.

use super::{Behaviour, Place};
use hamlet_overlay::io::{Class, Output};

/// Takes everything and gives neither shards nor digests.
pub struct Withhold;

impl Behaviour for Withhold {
    fn output(&mut self, _at: &Place, output: Output, outputs: &mut Vec<Output>) {
        let gives = matches!(
            &output,
            Output::Send {
                class: Class::Digest | Class::Live | Class::Pull | Class::Backlog,
                ..
            }
        );
        if !gives {
            outputs.push(output);
        }
    }
}
