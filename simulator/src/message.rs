//! A message under way: held once, however many receivers it has.

use hamlet_overlay::{hash::Hash, io::Class, wire::Frame, work::Work};

/// A message under way.
pub struct Message {
    /// What crosses the link.
    pub frame: Frame,
    /// What it is for.
    pub class: Class,
    /// BLAKE3 over class, head, and the leaf of the body: what the audit notes of it.
    pub content: Hash,
}

impl Message {
    /// The message of a frame.
    pub fn new(work: &dyn Work, frame: Frame, class: Class) -> Message {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&[class as u8]);
        hasher.update(&(frame.len() as u32).to_le_bytes());
        hasher.update(&frame.head);
        if !frame.body.is_empty() {
            hasher.update(&work.leaf(&frame.body));
        }
        Message {
            frame,
            class,
            content: Hash(*hasher.finalize().as_bytes()),
        }
    }
}
