//! Mute members: they take what their cluster agrees on and keep their places, and give nothing to it.

use super::{Behaviour, Place};
use hamlet_consensus::Message as Saying;
use hamlet_overlay::{agreement::Step, io::Output, message::Message};

/// Votes for nothing, proposes nothing and helps nobody in agreement; but beats and asks, so that nobody puts it out.
#[derive(Clone, Copy, Debug)]
pub struct Mute;

impl Behaviour for Mute {
    fn output(&mut self, _at: &Place, output: Output, outputs: &mut Vec<Output>) {
        if let Output::Agreement(Step::Send { frame, .. }) = &output
            && let Ok((Message::Agreement { .. }, body)) = Message::decode(frame)
            && !Saying::decode(&body).is_ok_and(|saying| asks(&saying))
        {
            return;
        }
        outputs.push(output);
    }
}

/// Whether a message is of use to whoever sends it.
fn asks(saying: &Saying) -> bool {
    matches!(
        saying,
        Saying::Status(_)
            | Saying::RequestSeal(_)
            | Saying::Fetch(_)
            | Saying::FetchPiece { .. }
            | Saying::Greeting
    )
}
