//! Polluters: what they give is spoilt.

use super::{Behaviour, Place, gives};
use hamlet_overlay::{
    io::Output,
    message::{Message, Proof},
    wire::Frame,
};

/// Changes a bit of every shard and of every list of leaves that it gives.
pub struct Pollute;

impl Behaviour for Pollute {
    fn output(&mut self, _at: &Place, mut output: Output, outputs: &mut Vec<Output>) {
        if let Output::Send { frame, class, .. } = &mut output
            && gives(*class)
        {
            *frame = spoil(frame);
        }
        outputs.push(output);
    }
}

/// The same message with one bit of its content changed.
fn spoil(frame: &Frame) -> Frame {
    let Ok((mut message, body)) = Message::decode(frame) else {
        return frame.clone();
    };
    let mut body = body.to_vec();
    if let Some(first) = body.first_mut() {
        *first ^= 1;
    }
    if let Message::Digest { leaves, .. }
    | Message::ProvenShard {
        proof: Proof::Leaves(leaves),
        ..
    } = &mut message
    {
        let mut list = leaves.to_vec();
        if let Some(last) = list.last_mut() {
            last[0] ^= 1;
        }
        *leaves = list.into_iter().collect();
    }
    message.frame_with(body.into())
}
