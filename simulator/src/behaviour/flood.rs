//! Floods: whatever may be sent, in numbers.

use super::{Behaviour, Heard, Place};
use hamlet_overlay::{
    io::{Class, Input, Output},
    message::{MAX_NOTICES, Message, Notice},
    set::{ShardSet, SlotSet},
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};

/// How many shards that nobody asked for go out with each segment.
const SHARDS: u8 = 8;
/// How many requests for past segments go out with each.
const REQUESTS: u64 = 32;

/// Of every segment that it hears of it sends to everybody it knows what is no message, announcements that
/// are not true, shards that it does not owe, requests for the past, and changes of mind.
#[derive(Default)]
pub struct Flood {
    heard: Heard,
}

impl Behaviour for Flood {
    fn input(&mut self, at: &Place, input: Input, outputs: &mut Vec<Output>) -> Option<Input> {
        // Else floods would answer floods, each about a segment further ahead.
        let ours = matches!(&input, Input::Frame { from, .. } if at.mind.is_one_of_us(*from));
        if !ours && let Some((stream, segment)) = self.heard.hear(&input) {
            self.flood(at, (stream, segment), &input, outputs);
        }
        Some(input)
    }
}

impl Flood {
    fn flood(
        &self,
        at: &Place,
        (stream, segment): (StreamNumber, SegmentNumber),
        cause: &Input,
        outputs: &mut Vec<Output>,
    ) {
        let n = at.view.parameters.n;
        let mut send = |frame, class| {
            outputs.push(Output::Send {
                to: self.heard.connected().collect(),
                frame,
                class,
                stream: Some(stream),
                segment,
            });
        };
        send(
            Frame {
                head: vec![0xff; 1000].into(),
                body: vec![0xff; 1000].into(),
            },
            Class::Control,
        );
        let announce = |shard| Notice::Have {
            stream,
            segment: segment + u64::from(shard) % 2,
            shard,
        };
        let request = |back| Notice::Want {
            stream,
            segment: segment.saturating_sub(back),
            shards: ShardSet::below(n),
            digest: true,
        };
        let slots = SlotSet::below(n);
        let mut notices: Vec<Notice> = (0..n)
            .map(announce)
            .chain((0..REQUESTS).map(request))
            .collect();
        notices.extend([
            Notice::Lazy { stream, slots },
            Notice::Eager { stream, slots },
            Notice::Join { stream },
        ]);
        for some in notices.chunks(MAX_NOTICES) {
            send(Message::Notices(some.to_vec()).frame(), Class::Notice);
        }
        for shard in 0..SHARDS.min(n) {
            let message = Message::Shard {
                stream,
                segment,
                shard,
            };
            send(message.frame_with(vec![shard; 1000].into()), Class::Live);
        }
        // A header that the source signed, of another segment than it signed it for.
        if let Input::Frame { frame, .. } = cause
            && let Ok((
                Message::ProvenShard {
                    mut signed,
                    shard,
                    proof,
                },
                body,
            )) = Message::decode(frame)
        {
            signed.header.segment += 1;
            let message = Message::ProvenShard {
                signed,
                shard,
                proof,
            };
            send(message.frame_with(body), Class::Live);
        }
    }
}
