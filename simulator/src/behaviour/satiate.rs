//! The lotus-eater attack: some are fed so well that they need nobody, so that they stop giving to the others
//! (Kash, Friedman, Halpern, PODC 2008, on BAR Gossip among others).

use super::{Behaviour, Heard, Place, gives};
use hamlet_overlay::{
    io::{Class, Input, Output},
    message::Message,
};

/// Hands on whatever comes, at once and unasked, to all fellow members but its victims, and gives those nothing.
pub struct Satiate {
    /// The victims, in percent of those who are no adversaries.
    pub victims: u8,
    heard: Heard,
}

impl Satiate {
    /// With so many percent of the others as victims.
    pub fn new(victims: u8) -> Satiate {
        Satiate {
            victims,
            heard: Heard::default(),
        }
    }
}

impl Behaviour for Satiate {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        self.heard.hear(&input);
        // What another adversary hands on it has handed to everybody already.
        if let Input::Frame { from, frame } = &input
            && !at.mind.is_one_of_us(*from)
            && let Ok((message, _)) = Message::decode(frame)
        {
            let (class, segment) = match &message {
                Message::Shard { segment, .. } => (Class::Live, *segment),
                Message::ProvenShard { signed, .. } => (Class::Live, signed.header.segment),
                Message::Digest { signed, .. } => (Class::Digest, signed.header.segment),
                _ => return Some(input),
            };
            let fellow = |peer| {
                let mut epochs = at.view.epochs();
                epochs.any(|epoch| epoch.own.place(peer).is_some())
            };
            let fed =
                |&peer: &_| peer != *from && fellow(peer) && !at.mind.is_victim(peer, self.victims);
            let to: Vec<_> = self.heard.connected().filter(fed).collect();
            if !to.is_empty() {
                outputs.push(Output::Send {
                    to,
                    frame: frame.clone(),
                    class,
                    stream: message.stream(),
                    segment,
                });
            }
        }
        Some(input)
    }

    fn output(&mut self, at: &Place, mut output: Output, outputs: &mut Vec<Output>) {
        if let Output::Send { to, class, .. } = &mut output
            && gives(*class)
        {
            to.retain(|&receiver| !at.mind.is_victim(receiver, self.victims));
            if to.is_empty() {
                return;
            }
        }
        outputs.push(output);
    }
}
