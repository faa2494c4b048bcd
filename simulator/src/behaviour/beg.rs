//! Beggars: whatever they have, they say that they are short of all there is.

use super::{Behaviour, Heard, Place};
use hamlet_overlay::{
    io::{Class, Input, Output},
    message::{Message, Notice, Standing},
    set::{ShardSet, SlotSet},
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};

/// Says that it is short of all there is.
///
/// To its fellows it claims the largest reserve that can be written down, and of every segment that it hears
/// of it asks everybody for every shard, and once more when the next segment begins.
#[derive(Default)]
pub struct Beg {
    heard: Heard,
}

impl Behaviour for Beg {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        if let Some((stream, segment)) = self.heard.hear(&input) {
            outputs.push(self.beg(at, stream, segment));
        }
        Some(input)
    }

    fn output(&mut self, _at: &Place, output: Output, outputs: &mut Vec<Output>) {
        match output {
            Output::Send {
                to,
                frame,
                class: Class::Notice,
                stream,
                segment,
            } => outputs.push(Output::Send {
                to,
                frame: exaggerate(frame),
                class: Class::Notice,
                stream,
                segment,
            }),
            other => outputs.push(other),
        }
    }
}

impl Beg {
    fn beg(&self, at: &Place, stream: StreamNumber, segment: SegmentNumber) -> Output {
        let shards = ShardSet::below(at.view.parameters.n);
        let want = |segment| Notice::Want {
            stream,
            segment,
            shards,
            digest: true,
        };
        let notices = [segment.checked_sub(1), Some(segment)];
        let notices = notices.into_iter().flatten().map(want).collect();
        Output::Send {
            to: self.heard.connected().collect(),
            frame: Message::Notices(notices).frame(),
            class: Class::Notice,
            stream: Some(stream),
            segment,
        }
    }
}

/// The same notices, with the greediest claims in them.
fn exaggerate(frame: Frame) -> Frame {
    let Ok((Message::Notices(mut notices), _)) = Message::decode(&frame) else {
        return frame;
    };
    for notice in &mut notices {
        if let Notice::Standing { standing, .. } = notice {
            *standing = Standing {
                silent: SlotSet::EMPTY,
                extra: u8::MAX,
                idle: false,
            };
        }
    }
    Message::Notices(notices).frame()
}
