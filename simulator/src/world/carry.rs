//! Messages: from a peer's uplink over the link to the receiver's downlink.

use super::{LENGTH_BYTES, region::Region};
use crate::{
    downlink::Received, event::Event, invariant::Step, links::Fate, message::Message, scene::Scene,
    uplink::Parcel,
};
use hamlet_overlay::{
    identity::PeerId,
    io::{Class, Input},
    view::{SegmentNumber, StreamNumber},
    wire::Frame,
};
use std::sync::Arc;

impl Region {
    /// Sends a frame to each of some peers.
    pub fn send(
        &mut self,
        scene: &Scene,
        peer: usize,
        to: &[PeerId],
        frame: Frame,
        class: Class,
        (stream, segment): (Option<StreamNumber>, SegmentNumber),
    ) {
        let bytes = frame.len() + LENGTH_BYTES;
        let account = account_of(class, stream);
        self.ledger.sent(peer, account, (bytes * to.len()) as u64);
        if account == Class::Control && !scene.byzantine[peer] {
            self.ledger
                .sent_control(&frame, bytes as u64, to.len() as u64);
        }
        let sent = Step::Sent {
            to,
            frame: &frame,
            class,
        };
        self.check(scene, peer, sent);
        let message = Arc::new(Message::new(&*self.work, frame, class));
        let upload = self.actor(peer).upload;
        for &receiver in to {
            let Some(receiver) = scene.directory.index(receiver) else {
                continue;
            };
            let to = receiver as u32;
            let Some(rate) = upload else {
                self.launch(peer, to, message.clone());
                continue;
            };
            let parcel = Parcel {
                message: message.clone(),
                to,
                bytes: bytes as u32,
                class,
                stream,
                segment,
            };
            let (sent_after, _dropped) = self.actor(peer).uplink.queue(parcel, rate);
            if let Some(after) = sent_after {
                let life = self.actor(peer).life();
                self.enter(self.now + after, peer, peer as u32, Event::Sent { life });
            }
        }
    }

    /// Puts a message on its way to one receiver.
    fn launch(&mut self, from: usize, to: u32, message: Arc<Message>) {
        let place = self.place(from);
        let ends = &mut self.actors[place].ends;
        if let Fate::Arrives(after) = ends.send(&self.lines, to, self.now) {
            self.enter(self.now + after, from, to, Event::Arrives(message));
        }
    }

    /// Takes a message off a peer's line, as soon as the line has carried it.
    pub fn arrive(&mut self, scene: &Scene, peer: usize, from: u32, message: Arc<Message>) {
        let bytes = message.frame.len() + LENGTH_BYTES;
        let now = self.now;
        match self.actor(peer).downlink.receive(now, bytes as u32) {
            Received::Now => self.receive(scene, peer, from as usize, message),
            Received::At(time) => {
                self.enter_from(time, from, peer, peer as u32, Event::Received(message));
            }
            Received::Dropped => {}
        }
    }

    /// Gives a message to the peer that it is for.
    pub fn receive(&mut self, scene: &Scene, peer: usize, from: usize, message: Arc<Message>) {
        let came = Step::Received {
            from,
            frame: &message.frame,
            class: message.class,
        };
        self.check(scene, peer, came);
        let frame = match Arc::try_unwrap(message) {
            Ok(message) => message.frame,
            Err(message) => message.frame.clone(),
        };
        let from = scene.directory.id(from);
        self.give(scene, peer, Input::Frame { from, frame });
    }

    /// The uplink of a peer has sent a message.
    pub fn sent(&mut self, peer: usize, life: u32) {
        if self.actor(peer).life() != life {
            return;
        }
        let rate = self.actor(peer).upload.unwrap_or(u64::MAX);
        let (sent, next) = self.actor(peer).uplink.sent(rate);
        if let Some(next) = next {
            self.enter(self.now + next, peer, peer as u32, Event::Sent { life });
        }
        if let Some(Parcel { message, to, .. }) = sent {
            self.launch(peer, to, message);
        }
    }
}

/// What the bytes of a frame count as: what members who are behind in agreement catch up with is no part of a stream.
fn account_of(class: Class, stream: Option<StreamNumber>) -> Class {
    match (class, stream) {
        (Class::Backlog, None) => Class::Control,
        _ => class,
    }
}
