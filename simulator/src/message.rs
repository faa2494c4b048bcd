//! A message under way: held once, however many receivers it has.

use crate::random;
use hamlet_overlay::{io::Class, wire::Frame, work::Work};

/// A message under way.
pub struct Message {
    /// What crosses the link.
    pub frame: Frame,
    /// What it is for.
    pub class: Class,
    /// A quick hash over class, head, and the leaf of the body: what the audit notes of it.
    pub content: u64,
}

impl Message {
    /// The message of a frame.
    pub fn new(work: &dyn Work, frame: Frame, class: Class) -> Message {
        let kind = [class as u64, frame.len() as u64];
        let (words, rest) = frame.head.as_chunks();
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        let leaf = match frame.body.is_empty() {
            true => [0; 16],
            false => work.leaf(&frame.body),
        };
        let (leaf, _) = leaf.as_chunks();
        let texts = words.iter().chain([&last]).chain(leaf);
        let texts = texts.copied().map(u64::from_le_bytes);
        let content = random::mix(kind.into_iter().chain(texts));
        Message {
            frame,
            class,
            content,
        }
    }
}
